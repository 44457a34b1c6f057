"""Estimate the 133 keypoints of followed people: Track -> KeypointSequence, every frame decoded once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from media.frames import VideoFrame
from perception.interpolation import fill_between_looks, rows_to_look_at
from schema.errors import ConfigError, DamagedTableError, DropReason
from schema.matching import Box
from schema.records import KEYPOINT_COUNT, PART_SLICES, Dropped, KeypointSequence, Part, Track

STAGE = "keypoints"
KEYPOINT_ESTIMATORS: dict[str, str] = {
    "mediapipe": "perception.backends.mediapipe.keypoints:MediapipeKeypointEstimator",
    "mmpose": "perception.backends.mmpose.estimator:MmposeKeypointEstimator",
    "onnx": "perception.backends.mmpose.onnx:OnnxKeypointEstimator",
    "synthetic": "perception.backends.synthetic:SyntheticKeypointEstimator",
}
"""Back ends by the name that a study gives, each as ``module:class``; imported when chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypointsConfig:
    """What counts as a body that was seen."""

    min_body_points: int = 5
    """Body points that a frame needs to count as seen: fewer (a lone ear and shoulder) say nothing of a posture."""
    min_body_share: float = 0.1
    """Share of a track's frames in which the body must be seen, else the track is dropped."""
    stride: int = 1
    """Every how many frames the estimator looks; points between two looks are interpolated and marked so. More is
    faster and hides movements shorter than two looks (docs/perceive.md)."""

    def __post_init__(self) -> None:
        """Refuse a stride that looks at nothing (``ConfigError``)."""
        if self.stride < 1:
            raise ConfigError(f"keypoints.stride: at least 1 is needed, got {self.stride}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PersonKeypoints:
    """The keypoints of one person in one frame."""

    keypoints_xy: npt.NDArray[np.float32]
    """Pixel positions, shape ``(133, 2)``; NaN where a point is not seen."""
    scores: npt.NDArray[np.float32]
    """Confidence, shape ``(133,)``, 0..1; 0 where a point is not seen."""
    parts_seen: npt.NDArray[np.bool_]
    """Whether body, feet, face, left hand, right hand were seen, shape ``(5,)`` (``Part``)."""

    def __post_init__(self) -> None:
        """Refuse arrays of other shapes (``ValueError``)."""
        shapes = (self.keypoints_xy.shape, self.scores.shape, self.parts_seen.shape)
        if shapes != ((KEYPOINT_COUNT, 2), (KEYPOINT_COUNT,), (len(Part),)):
            raise ValueError(f"a person's keypoints need (133, 2), (133,), (5,), got {shapes}")


def unseen_person() -> PersonKeypoints:
    """Return a person of whom nothing was seen."""
    return PersonKeypoints(
        keypoints_xy=np.full((KEYPOINT_COUNT, 2), np.nan, np.float32),
        scores=np.zeros(KEYPOINT_COUNT, np.float32),
        parts_seen=np.zeros(len(Part), np.bool_),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoxedFrame:
    """A frame, and the people in it whose keypoints are wanted."""

    frame: VideoFrame
    track_numbers: tuple[int, ...]
    boxes_xyxy: tuple[Box, ...]
    """The box of each of those tracks, pixels."""
    ended: frozenset[int] = frozenset()
    """Those of the tracks that do not come again."""


class KeypointEstimator(Protocol):
    """A back end that finds whole-body keypoints."""

    config_type: ClassVar[type]
    """The dataclass that the constructor takes."""

    @property
    def weights_digest(self) -> str:
        """Return a digest of the model files, for the names of derived parts."""
        ...

    def estimate(self, frames: Iterable[BoxedFrame]) -> Iterator[tuple[PersonKeypoints, ...]]:
        """Estimate the people of one run of frames; nothing is remembered from one call to the next.

        Args:
            frames: In display order. The back end may read a bounded number of them ahead, to estimate many at once.

        Yields:
            For each frame, in order, the keypoints of each of its boxes, in pixels of the whole picture. What one
            person's keypoints are does not depend on who else is in the frame.
        """
        ...


class TrackEstimator(Protocol):
    """Estimates one person, frame after frame; what it remembers of the frames before dies with it."""

    def estimate(self, image_rgb: npt.NDArray[np.uint8], box_xyxy: Box, time_ns: int) -> PersonKeypoints:
        """Return the keypoints of the person in the box, in pixels of the whole image."""

    def close(self) -> None:
        """Free what the track holds; a second call does nothing."""


def estimate_person_by_person(
    frames: Iterable[BoxedFrame], start_track: Callable[[], TrackEstimator]
) -> Iterator[tuple[PersonKeypoints, ...]]:
    """Run a back end that looks at one person and frame at a time: what ``KeypointEstimator.estimate`` promises."""
    running: dict[int, TrackEstimator] = {}
    try:
        for boxed in frames:
            people = []
            for number, box in zip(boxed.track_numbers, boxed.boxes_xyxy, strict=True):
                track = running.get(number) or running.setdefault(number, start_track())
                people.append(track.estimate(boxed.frame.image_rgb, box, boxed.frame.time_ns))
            for number in boxed.ended:
                running.pop(number).close()
            yield tuple(people)
    finally:
        for track in running.values():
            track.close()


FramesOf = Callable[[int, int, frozenset[int]], Iterable[VideoFrame]]
"""Gives the frames ``[first_frame, end_frame)`` of the video; those that are not in the set may be left out."""


def estimate_keypoints(
    tracks: Iterable[Track], *, frames_of: FramesOf, estimator: KeypointEstimator, config: KeypointsConfig
) -> Iterator[KeypointSequence | Dropped]:
    """Estimate every track of one video; a frame shared by several tracks is decoded once.

    The back end sees the whole video as one run of frames, so that many short shots still fill its batches.

    Yields:
        Each track when its last frame is estimated. One whose body is seen in too few frames comes out as
        ``Dropped(NO_KEYPOINTS)``.

    Raises:
        DamagedTableError: The file does not yield a frame that a track names.
    """
    tracks = list(tracks)
    if not tracks:
        return
    open_looks: dict[int, _Looks] = {}
    asked: deque[tuple[int, ...]] = deque()

    def boxed_frames() -> Iterator[BoxedFrame]:
        groups = ([_looks(track, config) for track in group] for group in _overlapping_groups(tracks))
        for boxed in _boxed_frames(groups, frames_of, open_looks):
            asked.append(boxed.track_numbers)
            yield boxed

    for estimated in estimator.estimate(boxed_frames()):
        for number, person in zip(asked.popleft(), estimated, strict=True):
            look = open_looks[number]
            look.people.append(person)
            if len(look.people) == look.rows.shape[0]:
                yield _sequence_or_dropped(open_looks.pop(number), config=config)


def _overlapping_groups(tracks: Iterable[Track]) -> Iterator[list[Track]]:
    """Part the tracks into groups whose frame ranges do not meet, so that no frame is needed by two groups."""
    group: list[Track] = []
    group_end = -1
    for track in sorted(tracks, key=lambda t: (int(t.frame_indices[0]), t.track_number)):
        if group and int(track.frame_indices[0]) >= group_end:
            yield group
            group = []
        group.append(track)
        group_end = max(group_end, int(track.frame_indices[-1]) + 1)
    if group:
        yield group


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Looks:
    """What the estimator is asked of one track, and what it answers."""

    track: Track
    rows: npt.NDArray[np.int64]
    """The track's rows that are looked at, increasing."""
    people: list[PersonKeypoints] = field(default_factory=list)
    """The answers so far, one a row."""

    @property
    def frame_indices(self) -> npt.NDArray[np.int32]:
        """Return the frames that are looked at."""
        return self.track.frame_indices[self.rows]


def _looks(track: Track, config: KeypointsConfig) -> _Looks:
    return _Looks(track=track, rows=np.flatnonzero(rows_to_look_at(track, stride=config.stride)))


def _boxed_frames(
    groups: Iterable[Sequence[_Looks]], frames_of: FramesOf, open_looks: dict[int, _Looks]
) -> Iterator[BoxedFrame]:
    """Yield the frames in which somebody is looked at, group after group, and note whose answers to expect."""
    for looks in groups:
        open_looks.update({look.track.track_number: look for look in looks})
        first_frame = min(int(look.frame_indices[0]) for look in looks)
        end_frame = max(int(look.frame_indices[-1]) for look in looks) + 1
        looked_at = frozenset(index for look in looks for index in look.frame_indices.tolist())
        yield from _boxed(frames_of(first_frame, end_frame, looked_at), looks)


def _boxed(frames: Iterable[VideoFrame], looks: Sequence[_Looks]) -> Iterator[BoxedFrame]:
    """Yield the frames in which somebody is looked at; raises ``DamagedTableError`` where one does not come."""
    next_look = dict.fromkeys(range(len(looks)), 0)
    indices = [look.frame_indices.tolist() for look in looks]
    for frame in frames:
        here: list[tuple[int, Box]] = []
        ended = set()
        for k, number in next_look.items():
            if number < len(indices[k]) and indices[k][number] == frame.frame_index:
                track = looks[k].track
                x1, y1, x2, y2 = (float(v) for v in track.boxes_xyxy[looks[k].rows[number]])
                here.append((track.track_number, (x1, y1, x2, y2)))
                next_look[k] = number + 1
                if number + 1 == len(indices[k]):
                    ended.add(track.track_number)
        if here:
            yield BoxedFrame(
                frame=frame,
                track_numbers=tuple(number for number, _ in here),
                boxes_xyxy=tuple(box for _, box in here),
                ended=frozenset(ended),
            )
    for k, number in next_look.items():
        if number < len(indices[k]):
            track = looks[k].track
            raise DamagedTableError(
                f"video {track.video_id}: track {track.track_number} names frame {indices[k][number]}, which the file "
                "does not yield; delete the derived parts of this video and run again"
            )


def _sequence_or_dropped(look: _Looks, *, config: KeypointsConfig) -> KeypointSequence | Dropped:
    track, people = look.track, look.people
    sequence = KeypointSequence(
        video_id=track.video_id,
        track_number=track.track_number,
        frame_indices=look.frame_indices,
        times_ns=track.times_ns[look.rows],
        keypoints_xy=np.stack([p.keypoints_xy for p in people]),
        scores=np.stack([p.scores for p in people]),
        parts_seen=np.stack([p.parts_seen for p in people]),
        interpolated=np.zeros(len(people), np.bool_),
    )
    body_points = (sequence.scores[:, PART_SLICES[Part.BODY]] > 0).sum(axis=1)
    seen_count = int((body_points >= config.min_body_points).sum())
    if seen_count > 0 and seen_count >= config.min_body_share * len(people):
        return fill_between_looks(sequence, track)
    return Dropped(
        stage=STAGE,
        item_id=f"{track.video_id}/track{track.track_number}",
        reason=DropReason.NO_KEYPOINTS,
        detail=f"body seen in {seen_count} of {len(people)} frames, {config.min_body_share:.0%} are needed",
    )
