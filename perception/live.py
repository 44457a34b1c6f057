"""Shots and tracks from one decode: people are followed while the cuts are still being found."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from media.frames import VideoFrame
from perception.shots import STAGE as SHOTS_STAGE
from perception.shots import LiveShotDetector, ShotsConfig, is_kept_cut, shots_between
from perception.tracks import PersonTracker, TracksConfig, track_people
from schema.errors import ItemError
from schema.records import Dropped, FrameTimes, Shot, Track, VideoId


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveShot:
    """A shot whose frames come in; where it ends is known when they have ended."""

    video_id: VideoId
    shot_number: int
    first_frame: int
    frames: Iterator[VideoFrame]
    """Its frames in order, once; what is left of them is passed over when the next shot is asked for."""


def split_into_shots(
    frames: Iterable[VideoFrame], *, times: FrameTimes, detector: LiveShotDetector, config: ShotsConfig
) -> Iterator[LiveShot]:
    """Hand on the frames of each shot while the video is decoded: the shots that ``detect_shots`` yields.

    No more frames are held than the detector holds back until a cut is settled.

    Args:
        frames: All frames of the video in display order.
        times: Its frame times.
        detector: Finds the cuts.
        config: Settings.
    """
    placed = _placed(detector.mark_cuts(frames), times=times, config=config)
    for (shot_number, first_frame), of_shot in groupby(placed, key=itemgetter(0)):
        yield LiveShot(
            video_id=times.video_id,
            shot_number=shot_number,
            first_frame=first_frame,
            frames=map(itemgetter(1), of_shot),
        )


def _placed(
    marked: Iterable[tuple[VideoFrame, bool]], *, times: FrameTimes, config: ShotsConfig
) -> Iterator[tuple[tuple[int, int], VideoFrame]]:
    """Yield each frame with the number and the first frame of its shot."""
    shot_number, first_frame = 0, 0
    for frame, begins_shot in marked:
        if begins_shot and is_kept_cut(frame.frame_index, since=first_frame, times=times, config=config):
            shot_number, first_frame = shot_number + 1, frame.frame_index
        yield (shot_number, first_frame), frame


class _SafeFrames:
    """Ends where decoding fails, and keeps the reason: nobody below takes it for the failure of one shot."""

    def __init__(self, frames: Iterable[VideoFrame]) -> None:
        self._frames = frames
        self.error: ItemError | None = None

    def __iter__(self) -> Iterator[VideoFrame]:
        try:
            yield from self._frames
        except ItemError as error:
            self.error = error


def detect_shots_and_track_people(
    times: FrameTimes,
    *,
    frames: Iterable[VideoFrame],
    detector: LiveShotDetector,
    tracker: PersonTracker,
    shots_config: ShotsConfig,
    tracks_config: TracksConfig,
) -> Iterator[Shot | Track | Dropped]:
    """Make from one decode of a video what ``detect_shots`` and then ``track_people`` make from two.

    Args:
        times: The video's frame times.
        frames: All its frames in display order, taken once.
        detector: Finds the cuts.
        tracker: Finds and tells apart the people of one shot.
        shots_config: Settings of the shots.
        tracks_config: Settings of the tracks.

    Yields:
        At the end of the video its shots in order, then what ``track_people`` yields; where the frames can't be read,
        one ``Dropped`` of the stage *shots* and nothing else.
    """
    safe = _SafeFrames(frames)
    starts: list[int] = []

    def live_shots() -> Iterator[LiveShot]:
        for shot in split_into_shots(safe, times=times, detector=detector, config=shots_config):
            starts.append(shot.first_frame)
            yield shot

    followed = list(
        track_people(live_shots(), frames_of=lambda shot: shot.frames, tracker=tracker, config=tracks_config)
    )
    if safe.error is not None:
        error = safe.error
        yield Dropped(stage=SHOTS_STAGE, item_id=times.video_id, reason=error.reason, detail=error.detail)
        return
    yield from shots_between(starts, times)
    yield from followed
