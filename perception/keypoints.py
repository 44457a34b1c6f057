"""Estimate the 133 keypoints of followed people: Track -> KeypointSequence, every frame decoded once."""

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


class TrackEstimator(Protocol):
    """Estimates one person, frame after frame; what it remembers of the frames before dies with it."""

    def estimate(self, image_rgb: npt.NDArray[np.uint8], box_xyxy: Box, time_ns: int) -> PersonKeypoints:
        """Return the keypoints of the person in the box, in pixels of the whole image."""

    def close(self) -> None:
        """Free what the track holds; a second call does nothing."""


class KeypointEstimator(Protocol):
    """A back end that finds whole-body keypoints."""

    config_type: ClassVar[type]
    """The dataclass that the constructor takes."""

    @property
    def weights_digest(self) -> str:
        """Return a digest of the model files, for the names of derived parts."""

    def start_track(self) -> TrackEstimator:
        """Begin a person: estimators of different people never share state."""


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


class _OpenTrack:
    """A track on its way: the estimator is made at the first frame and freed after the last one."""

    def __init__(self, track: Track, estimator: KeypointEstimator) -> None:
        self.track = track
        self.people: list[PersonKeypoints] = []
        self._estimator = estimator
        self._running: TrackEstimator | None = None

    @property
    def done(self) -> bool:
        return len(self.people) == len(self.track.frame_indices)

    def take(self, frame: VideoFrame) -> None:
        """Estimate the frame if the track is boxed in it."""
        row = len(self.people)
        if self.done or frame.frame_index != int(self.track.frame_indices[row]):
            return
        if self._running is None:
            self._running = self._estimator.start_track()
        x1, y1, x2, y2 = (float(v) for v in self.track.boxes_xyxy[row])
        self.people.append(self._running.estimate(frame.image_rgb, (x1, y1, x2, y2), int(self.track.times_ns[row])))
        if self.done:
            self.close()

    def close(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None


def _estimate_group(
    tracks: Sequence[Track], *, frames_of: FramesOf, estimator: KeypointEstimator, config: KeypointsConfig
) -> Iterator[KeypointSequence | Dropped]:
    first_frame = min(int(t.frame_indices[0]) for t in tracks)
    end_frame = max(int(t.frame_indices[-1]) for t in tracks) + 1
    opened = [_OpenTrack(track, estimator) for track in tracks]
    try:
        for frame in frames_of(first_frame, end_frame):
            for one in opened:
                one.take(frame)
    finally:
        for one in opened:
            one.close()
    for one in opened:
        if not one.done:
            missing = int(one.track.frame_indices[len(one.people)])
            raise DamagedTableError(
                f"video {one.track.video_id}: track {one.track.track_number} names frame {missing}, which the file does"
                " not yield; delete the derived parts of this video and run again"
            )
        yield _sequence_or_dropped(one.track, one.people, config=config)


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
