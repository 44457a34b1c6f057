"""Cut a video into shots: runs of frames between two cuts."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from media.frames import VideoFrame
from schema.errors import ItemError
from schema.records import Dropped, FrameTimes, Shot, VideoId
from schema.timespan import NS_PER_SECOND

STAGE = "shots"

SHOT_DETECTORS: dict[str, str] = {
    "scenedetect": "perception.backends.scenedetect:SceneDetectDetector",
    "synthetic": "perception.backends.synthetic:SyntheticShotDetector",
}
"""Shot detectors by the name that a study gives; imported when used (``perception.backends.loading``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotsConfig:
    """Settings of the shot stage."""

    min_seconds: float = 0.2
    """A cut this close to the one before it, to the start or to the end is taken for a disturbance and not made."""


class ShotDetector(Protocol):
    """Finds the hard cuts of one video."""

    @property
    def weights_digest(self) -> str:
        """Text that changes when the detector's models or library do."""
        ...

    def detect_cuts(self, frames: Iterable[VideoFrame]) -> list[int]:
        """Return the indices of the frames that begin a new shot, increasing, without the first frame.

        Args:
            frames: All frames of one video in display order; each is looked at once and not kept.
        """
        ...


def detect_shots(
    videos: Iterable[FrameTimes],
    *,
    frames_of: Callable[[VideoId], Iterable[VideoFrame]],
    detector: ShotDetector,
    config: ShotsConfig,
) -> Iterator[Shot | Dropped]:
    """Cut each video into shots that together hold every frame exactly once.

    Args:
        videos: Frame times of the videos.
        frames_of: Decodes all frames of a video.
        detector: Finds the cuts.
        config: Settings.

    Yields:
        The shots of each video in order, or one ``Dropped`` where the frames can't be read.
    """
    for times in videos:
        try:
            cuts = detector.detect_cuts(frames_of(times.video_id))
        except ItemError as error:
            yield Dropped(stage=STAGE, item_id=times.video_id, reason=error.reason, detail=error.detail)
            continue
        yield from _shots_between(_kept_cuts(cuts, times, config), times)


def _kept_cuts(cuts: list[int], times: FrameTimes, config: ShotsConfig) -> list[int]:
    """Return the first frame of each shot, without cuts that make a shot shorter than the shortest one."""
    count = times.times_ns.shape[0]
    if cuts != sorted(set(cuts)) or not all(0 < cut < count for cut in cuts):
        raise ValueError(f"cuts must increase and lie within 1..{count - 1}, got {cuts}")
    shortest_ns = round(config.min_seconds * NS_PER_SECOND)
    starts = [0]
    for cut in cuts:
        before, after = times.span_of(starts[-1], cut), times.span_of(cut, count)
        if min(before.duration_ns, after.duration_ns) >= shortest_ns:
            starts.append(cut)
    return starts


def _shots_between(starts: list[int], times: FrameTimes) -> Iterator[Shot]:
    ends = [*starts[1:], times.times_ns.shape[0]]
    for number, (first, end) in enumerate(zip(starts, ends, strict=True)):
        yield Shot(
            video_id=times.video_id,
            shot_number=number,
            first_frame=first,
            end_frame=end,
            span=times.span_of(first, end),
        )
