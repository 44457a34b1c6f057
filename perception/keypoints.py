"""Estimate the 133 keypoints of followed people: Track -> KeypointSequence, every frame decoded once."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from media.frames import VideoFrame
from schema.errors import DamagedTableError, DropReason
from schema.matching import Box
from schema.records import KEYPOINT_COUNT, PART_SLICES, Dropped, KeypointSequence, Part, Track

STAGE = "keypoints"
KEYPOINT_ESTIMATORS: dict[str, str] = {
    "mediapipe": "perception.backends.mediapipe.keypoints:MediapipeKeypointEstimator",
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
            yield tuple(people)
    finally:
        for track in running.values():
            track.close()


FramesOf = Callable[[int, int], Iterable[VideoFrame]]
"""Gives the frames ``[first_frame, end_frame)`` of the video."""


def estimate_keypoints(
    tracks: Iterable[Track], *, frames_of: FramesOf, estimator: KeypointEstimator, config: KeypointsConfig
) -> Iterator[KeypointSequence | Dropped]:
    """Estimate every track of one video, in order of first frame; a frame shared by several tracks is decoded once.

    A track whose body is seen in too few frames comes out as ``Dropped(NO_KEYPOINTS)``. Raises ``DamagedTableError``
    where the file does not yield a frame that a track names.
    """
    for together in _overlapping_groups(tracks):
        yield from _estimate_group(together, frames_of=frames_of, estimator=estimator, config=config)


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


def _estimate_group(
    tracks: Sequence[Track], *, frames_of: FramesOf, estimator: KeypointEstimator, config: KeypointsConfig
) -> Iterator[KeypointSequence | Dropped]:
    first_frame = min(int(t.frame_indices[0]) for t in tracks)
    end_frame = max(int(t.frame_indices[-1]) for t in tracks) + 1
    people: dict[int, list[PersonKeypoints]] = {track.track_number: [] for track in tracks}
    asked: deque[tuple[int, ...]] = deque()

    def boxed_frames() -> Iterator[BoxedFrame]:
        for boxed in _boxed(frames_of(first_frame, end_frame), tracks):
            asked.append(boxed.track_numbers)
            yield boxed

    for estimated in estimator.estimate(boxed_frames()):
        for number, person in zip(asked.popleft(), estimated, strict=True):
            people[number].append(person)
    for track in tracks:
        done = len(people[track.track_number])
        if done < len(track.frame_indices):
            raise DamagedTableError(
                f"video {track.video_id}: track {track.track_number} names frame {int(track.frame_indices[done])}, "
                "which the file does not yield; delete the derived parts of this video and run again"
            )
        yield _sequence_or_dropped(track, people[track.track_number], config=config)


def _boxed(frames: Iterable[VideoFrame], tracks: Sequence[Track]) -> Iterator[BoxedFrame]:
    """Yield the frames in which somebody is boxed."""
    next_row = dict.fromkeys(range(len(tracks)), 0)
    for frame in frames:
        here: list[tuple[int, Box]] = []
        for k, row in next_row.items():
            track = tracks[k]
            if row < len(track.frame_indices) and int(track.frame_indices[row]) == frame.frame_index:
                x1, y1, x2, y2 = (float(v) for v in track.boxes_xyxy[row])
                here.append((track.track_number, (x1, y1, x2, y2)))
                next_row[k] = row + 1
        if here:
            yield BoxedFrame(
                frame=frame, track_numbers=tuple(n for n, _ in here), boxes_xyxy=tuple(box for _, box in here)
            )


def _sequence_or_dropped(
    track: Track, people: Sequence[PersonKeypoints], *, config: KeypointsConfig
) -> KeypointSequence | Dropped:
    sequence = KeypointSequence(
        video_id=track.video_id,
        track_number=track.track_number,
        frame_indices=track.frame_indices,
        times_ns=track.times_ns,
        keypoints_xy=np.stack([p.keypoints_xy for p in people]),
        scores=np.stack([p.scores for p in people]),
        parts_seen=np.stack([p.parts_seen for p in people]),
    )
    body_points = (sequence.scores[:, PART_SLICES[Part.BODY]] > 0).sum(axis=1)
    seen_count = int((body_points >= config.min_body_points).sum())
    if seen_count > 0 and seen_count >= config.min_body_share * len(people):
        return sequence
    return Dropped(
        stage=STAGE,
        item_id=f"{track.video_id}/track{track.track_number}",
        reason=DropReason.NO_KEYPOINTS,
        detail=f"body seen in {seen_count} of {len(people)} frames, {config.min_body_share:.0%} are needed",
    )
