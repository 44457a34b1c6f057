"""Proxies for the browser: one proxy frame for each source frame, re-timed at an integer rate.

Proxy frame k is source frame k by construction, whatever the source's rate; the distortion of playing speed at variable
rates is accepted. Label Studio counts frames from 1 and its ranges include their last frame.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from schema.errors import DropReason, ItemError
from schema.records import FrameTimes
from schema.timespan import TimeSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig:
    """How proxies are made."""

    max_height_px: int = 720
    """Taller pictures are scaled down to this height."""
    quality_crf: int = 23
    """x264's constant rate factor: 0 is lossless, 51 the worst; 23 is x264's own default."""
    preset: str = "veryfast"
    """x264's preset: slower ones make smaller files."""
    key_frame_every: int = 12
    """Frames from one key frame to the next: what a browser decodes at most to show a frame that was seeked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyFile:
    """What was written."""

    frame_count: int
    """As many as the source has."""
    frame_rate: int
    """Frames per second, the number that Label Studio has to be told."""
    width: int
    """Even, in square pixels."""
    height: int


def proxy_rate(times: FrameTimes) -> int:
    """Return the integer rate at which the proxy plays: the average rate rounded half up, 1 at least."""
    from media.probe import average_rate

    return max(1, int(average_rate(times) + Fraction(1, 2)))


def write_proxy(source: Path, target: Path, times: FrameTimes, *, config: ProxyConfig) -> ProxyFile:
    """Write the proxy of a video: H.264, index first, no sound, upright, even sides, square pixels.

    The target appears whole or not at all. Raises ``ItemError`` where the source can't be decoded as ``times`` says,
    ``StoreFullError`` where the disk is full.
    """
    from media.encoding import FilmSettings, h264_film
    from media.frames import decode_frames

    width, height = _proxy_size(source, config.max_height_px)
    count, rate = times.times_ns.shape[0], proxy_rate(times)
    settings = FilmSettings(
        width=width,
        height=height,
        frame_rate=rate,
        quality_crf=config.quality_crf,
        preset=config.preset,
        key_frame_every=config.key_frame_every,
    )
    with h264_film(target, settings, expected_frames=count) as film:
        for frame in decode_frames(source, times, max_side_px=max(width, height)):
            film.write(frame.image_rgb)
    return ProxyFile(frame_count=film.frame_count, frame_rate=rate, width=width, height=height)


def _proxy_size(source: Path, max_height_px: int) -> tuple[int, int]:
    from media.containers import displayed_size

    width, height, pixel_aspect = displayed_size(source)
    scale = min(Fraction(1), Fraction(max_height_px, height))
    return _even(width * pixel_aspect * scale), _even(height * scale)


def _even(side_px: Fraction) -> int:
    return max(2, round(side_px / 2) * 2)


def labelstudio_frames(span: TimeSpan, times: FrameTimes) -> tuple[int, int]:
    """Return the first and last frame of a span as Label Studio's ranges hold them: from 1, the last one included."""
    first_frame, end_frame = times.frames_of(span)
    return first_frame + 1, end_frame


def span_of_labelstudio_frames(start: int, end: int, times: FrameTimes) -> TimeSpan:
    """Return the time during which the frames of a Label Studio range are shown: the inverse on frame-aligned spans.

    Raises ``ItemError`` (invalid_answer) for a range that is reversed or outside the video.
    """
    count = times.times_ns.shape[0]
    if not 1 <= start <= end <= count:
        raise ItemError(DropReason.INVALID_ANSWER, f"frames {start} to {end} of a video with frames 1 to {count}")
    return times.span_of(start - 1, end)
