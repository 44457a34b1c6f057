"""Follow people through shots: one track a person and shot, gaps bridged, passing glimpses left out."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from media.frames import VideoFrame
from schema.errors import DropReason, ItemError
from schema.matching import Box
from schema.records import Dropped, Track, VideoId
from schema.timespan import NS_PER_SECOND

STAGE = "tracks"

PERSON_TRACKERS: dict[str, str] = {
    "mediapipe": "perception.backends.mediapipe.tracker:MediapipeTracker",
    "ultralytics": "perception.backends.ultralytics.tracker:UltralyticsTracker",
    "synthetic": "perception.backends.synthetic:SyntheticTracker",
}
"""Trackers by the name that a study gives; imported when used (``perception.backends.loading``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracksConfig:
    """Settings of the tracking stage."""

    min_seconds: float = 0.5
    """A person followed for less is dropped as too short."""
    min_frames: int = 4
    """A person boxed in fewer frames is dropped as too short, whatever the frame rate."""
    max_gap_seconds: float = 1.0
    """A person not sighted for at most this long stays one track; the boxes between are interpolated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One person in one frame, as a tracker saw it."""

    person_number: int
    """The same for the same person within one call of ``PersonTracker.track``."""
    box_xyxy: Box
    """Pixel box around the whole person as far as it is visible."""
    score: float
    """Confidence, above 0 and up to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FramePeople:
    """The people whom a tracker saw in one frame."""

    frame_index: int
    people: tuple[Sighting, ...]


class AnyShot(Protocol):
    """What following people needs of a shot: where it belongs."""

    @property
    def video_id(self) -> VideoId:
        """Return the video."""
        ...

    @property
    def shot_number(self) -> int:
        """Return the shot's number within the video."""
        ...


ShotPlace = TypeVar("ShotPlace", bound=AnyShot)


class PersonTracker(Protocol):
    """Finds the people of one shot and tells them apart."""

    @property
    def weights_digest(self) -> str:
        """Text that changes when the tracker's models or library do."""
        ...

    def track(self, frames: Iterable[VideoFrame]) -> Iterator[FramePeople]:
        """Follow the people through one shot; nothing is remembered from one call to the next.

        Args:
            frames: The frames of one shot in display order; few are held at a time.

        Yields:
            The people of each frame that the tracker looked at, by increasing frame index. It may leave out frames
            between two looks, but looks at the first and the last frame.
        """
        ...


@dataclass(slots=True, eq=False)
class _SeenFrames:
    """Passes frames on and remembers their indices, times and size, not their pictures."""

    frames: Iterable[VideoFrame]
    positions: dict[int, int] = field(default_factory=dict)
    """Where in the shot a frame lies, by its index in the video."""
    indices: list[int] = field(default_factory=list)
    times_ns: list[int] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)

    def __iter__(self) -> Iterator[VideoFrame]:
        for frame in self.frames:
            self.positions[frame.frame_index] = len(self.indices)
            self.indices.append(frame.frame_index)
            self.times_ns.append(frame.time_ns)
            self.size = (frame.image_rgb.shape[1], frame.image_rgb.shape[0])
            yield frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Piece:
    """One person without a gap that is too long: positions in the shot's list of frames, boxes, scores."""

    positions: npt.NDArray[np.int64]
    boxes_xyxy: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]


def track_people(
    shots: Iterable[ShotPlace],
    *,
    frames_of: Callable[[ShotPlace], Iterable[VideoFrame]],
    tracker: PersonTracker,
    config: TracksConfig,
) -> Iterator[Track | Dropped]:
    """Follow the people of each shot; no track crosses a cut.

    Args:
        shots: The shots of one video or of several, each video's in order; the next one is asked for when the frames of
            the one before were taken, so that they may come from one decode (``perception.live``).
        frames_of: Decodes the frames of a shot.
        tracker: Finds and tells apart the people of one shot.
        config: Settings.

    Yields:
        For each shot, its tracks in order of first frame, numbered through the video. People seen too briefly come
        out as ``Dropped`` with the id ``<video>/shot<n>/person<k>``, and a shot without any track as one ``Dropped``
        with the id ``<video>/shot<n>``: nobody was found, all were seen too briefly, or its frames can't be read.
    """
    next_number: Counter[str] = Counter()
    for shot in shots:
        shot_id = f"{shot.video_id}/shot{shot.shot_number}"
        seen = _SeenFrames(frames_of(shot))
        try:
            pieces = _follow_people(seen, tracker, config)
        except ItemError as error:
            yield Dropped(stage=STAGE, item_id=shot_id, reason=error.reason, detail=error.detail)
            continue
        long_enough = [_is_long_enough(piece, seen, config) for piece in pieces]
        for person, (piece, enough) in enumerate(zip(pieces, long_enough, strict=True)):
            if enough:
                yield _track_of(piece, seen, shot=shot, track_number=next_number[shot.video_id])
                next_number[shot.video_id] += 1
            else:
                detail = _too_short_detail(piece, seen, config)
                yield Dropped(
                    stage=STAGE, item_id=f"{shot_id}/person{person}", reason=DropReason.TOO_SHORT, detail=detail
                )
        if not pieces:
            detail = f"nobody was found in {len(seen.indices)} frames"
            yield Dropped(stage=STAGE, item_id=shot_id, reason=DropReason.NO_PERSON, detail=detail)
        elif not any(long_enough):
            detail = f"{len(pieces)} people were found, each for less than {config.min_seconds} s"
            yield Dropped(stage=STAGE, item_id=shot_id, reason=DropReason.TOO_SHORT, detail=detail)


def _follow_people(seen: _SeenFrames, tracker: PersonTracker, config: TracksConfig) -> list[_Piece]:
    """Return the pieces of all people of a shot, in order of first frame, gaps bridged."""
    sightings: defaultdict[int, list[tuple[int, Box, float]]] = defaultdict(list)
    for frame_people in tracker.track(seen):
        position = seen.positions[frame_people.frame_index]
        for sighting in frame_people.people:
            box = _clip_box(sighting.box_xyxy, seen.size)
            if box is not None:
                sightings[sighting.person_number].append((position, box, sighting.score))
    pieces = [piece for person in sightings.values() for piece in _pieces_of(person, seen, config)]
    return sorted(pieces, key=lambda piece: (int(piece.positions[0]), float(piece.boxes_xyxy[0, 0])))


def _clip_box(box_xyxy: Box, size: tuple[int, int]) -> Box | None:
    """Cut a box at the picture's edges; none where less than a pixel remains."""
    x1, x2 = (min(max(x, 0.0), float(size[0])) for x in box_xyxy[0::2])
    y1, y2 = (min(max(y, 0.0), float(size[1])) for y in box_xyxy[1::2])
    return (x1, y1, x2, y2) if x2 - x1 >= 1 and y2 - y1 >= 1 else None


def _pieces_of(sightings: list[tuple[int, Box, float]], seen: _SeenFrames, config: TracksConfig) -> Iterator[_Piece]:
    """Split one person's sightings at gaps that are too long, and bridge the others."""
    positions = np.array([position for position, _, _ in sightings], dtype=np.int64)
    boxes = np.array([box for _, box, _ in sightings], dtype=np.float32)
    scores = np.array([score for _, _, score in sightings], dtype=np.float32)
    times_ns = np.array(seen.times_ns, dtype=np.int64)
    gaps_ns = np.diff(times_ns[positions])
    breaks = (np.diff(positions) > 1) & (gaps_ns > round(config.max_gap_seconds * NS_PER_SECOND))
    edges = [0, *(np.flatnonzero(breaks) + 1).tolist(), positions.shape[0]]
    for start, end in pairwise(edges):
        yield _bridged(positions[start:end], boxes[start:end], scores[start:end], times_ns)


def _bridged(
    positions: npt.NDArray[np.int64],
    boxes_xyxy: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    times_ns: npt.NDArray[np.int64],
) -> _Piece:
    """Fill in the frames between sightings: boxes linear in time, score 0."""
    every = np.arange(positions[0], positions[-1] + 1, dtype=np.int64)
    columns = [np.interp(times_ns[every], times_ns[positions], boxes_xyxy[:, k]) for k in range(4)]
    filled_scores = np.zeros(every.shape[0], dtype=np.float32)
    filled_scores[positions - positions[0]] = scores
    return _Piece(positions=every, boxes_xyxy=np.stack(columns, axis=1).astype(np.float32), scores=filled_scores)


def _seconds_of(piece: _Piece, seen: _SeenFrames) -> float:
    """Return how long a piece lasts; its last frame counts as long as its others do on average."""
    count = piece.positions.shape[0]
    between_ns = seen.times_ns[int(piece.positions[-1])] - seen.times_ns[int(piece.positions[0])]
    return float(between_ns / NS_PER_SECOND * count / max(count - 1, 1))


def _is_long_enough(piece: _Piece, seen: _SeenFrames, config: TracksConfig) -> bool:
    # A tenth of a millisecond: 5 frames at 10 per second must count as half a second in spite of rounding.
    seconds = _seconds_of(piece, seen) + 1e-4
    return seconds >= config.min_seconds and piece.positions.shape[0] >= config.min_frames


def _too_short_detail(piece: _Piece, seen: _SeenFrames, config: TracksConfig) -> str:
    seconds, count = _seconds_of(piece, seen), piece.positions.shape[0]
    return f"seen for {count} frames ({seconds:.2f} s); {config.min_frames} and {config.min_seconds} s are needed"


def _track_of(piece: _Piece, seen: _SeenFrames, *, shot: AnyShot, track_number: int) -> Track:
    return Track(
        video_id=shot.video_id,
        track_number=track_number,
        shot_number=shot.shot_number,
        frame_indices=np.array(seen.indices, dtype=np.int32)[piece.positions],
        times_ns=np.array(seen.times_ns, dtype=np.int64)[piece.positions],
        boxes_xyxy=piece.boxes_xyxy,
        scores=piece.scores,
    )
