"""Cut a video into shots: runs of frames between two cuts."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class LiveShotDetector(ShotDetector, Protocol):
    """A detector that tells the cuts while the frames come in, so that one decode serves others too."""

    def mark_cuts(self, frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, bool]]:
        """Yield each frame, in order, with whether it begins a new shot: the cuts that ``detect_cuts`` returns.

        Args:
            frames: All frames of one video in display order. A frame comes out a bounded number of frames later.
        """
        ...


def marked_cuts(marked: Iterable[tuple[VideoFrame, bool]]) -> list[int]:
    """Return the indices of the frames that were marked as beginning a shot."""
    return [frame.frame_index for frame, begins_shot in marked if begins_shot]


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
        yield from shots_between(_kept_cuts(cuts, times, config), times)


def _kept_cuts(cuts: list[int], times: FrameTimes, config: ShotsConfig) -> list[int]:
    """Return the first frame of each shot, without cuts that make a shot shorter than the shortest one."""
    count = times.times_ns.shape[0]
    if cuts != sorted(set(cuts)) or not all(0 < cut < count for cut in cuts):
        raise ValueError(f"cuts must increase and lie within 1..{count - 1}, got {cuts}")
    starts = [0]
    for cut in cuts:
        if is_kept_cut(cut, since=starts[-1], times=times, config=config):
            starts.append(cut)
    return starts


def is_kept_cut(cut: int, *, since: int, times: FrameTimes, config: ShotsConfig) -> bool:
    """Tell whether a cut leaves long enough shots before it, from frame ``since`` on, and after it."""
    shortest_ns = round(config.min_seconds * NS_PER_SECOND)
    before, after = times.span_of(since, cut), times.span_of(cut, times.times_ns.shape[0])
    return min(before.duration_ns, after.duration_ns) >= shortest_ns


def shots_between(starts: list[int], times: FrameTimes) -> Iterator[Shot]:
    """Yield the shots of a video, given the first frame of each."""
    ends = [*starts[1:], times.times_ns.shape[0]]
    for number, (first, end) in enumerate(zip(starts, ends, strict=True)):
        yield Shot(
            video_id=times.video_id,
            shot_number=number,
            first_frame=first,
            end_frame=end,
            span=times.span_of(first, end),
        )
