"""One whole decode of a file: what its frames, packets and header tell."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf
from pathlib import Path

import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame as DecodedFrame
from av.video.stream import VideoStream

from media.containers import Orientation, Step, color_space_name, decode_steps, open_video, orientation_of
from media.times import FALLBACK_RATE, nominal_ticks, repair_times
from schema.errors import DropReason, ItemError
from schema.records import FrameTimes, TimeFlag, VideoFlag, VideoId
from schema.timespan import NS_PER_SECOND, ticks_to_ns

MICROSECOND = Fraction(1, 1_000_000)
"""The unit of a container's duration (AV_TIME_BASE)."""
MISSING_TAIL_S = 1
"""A file whose packets end so many seconds before its header's duration is cut off; muxers round by less."""
FORMATS_WITH_DURATION = frozenset({"matroska", "webm", "avi", "flv"})
"""Containers that write down their duration; for the others ffmpeg reckons it from the bit rate or the last packets."""
MAX_NS = 2**61
"""A time beyond this (73 years) is damage: sums and differences of two would not fit 64 bits."""
LIKELY_RATES = (Fraction(1, 3600), Fraction(100_000))
"""A header's frames per second beyond these are damage."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoScan:
    """What a whole decode found; times in ticks of ``time_base``."""

    container: str
    codec: str
    has_audio: bool
    time_base: Fraction
    header_rate: Fraction
    header_duration_ns: int
    width: int
    """Displayed width of the first frame, pixels as stored."""
    height: int
    orientation: Orientation
    pixel_format: str
    color_space: str
    pts: npt.NDArray[np.int64]
    """Time stamps in display order, shape ``(n,)``, n > 0."""
    missing: npt.NDArray[np.bool_]
    """Where the file gives none, shape ``(n,)``."""
    last_duration_ticks: int
    """How long the last frame is shown by its packet; 0 where it does not say."""
    is_damaged: bool
    is_truncated: bool

    @property
    def header_ticks(self) -> Fraction:
        """Ticks from frame to frame by the header; the fallback rate's where it claims none."""
        is_likely = LIKELY_RATES[0] <= self.header_rate <= LIKELY_RATES[1]
        return 1 / ((self.header_rate if is_likely else Fraction(FALLBACK_RATE)) * self.time_base)

    def frame_times(self, *, video_id: VideoId, sha256: str) -> FrameTimes:
        """Return the strictly increasing times of the frames, repaired where the file's are missing or repeated."""
        pts, times_ns, flags = repair_times(
            self.pts, self.missing, time_base=self.time_base, header_ticks=self.header_ticks
        )
        ticks = self.last_duration_ticks or nominal_ticks(self.pts, self.missing, self.header_ticks)
        exact = Fraction(ticks) * self.time_base * NS_PER_SECOND
        if flags[0] == flags[-1] == TimeFlag.GOOD:  # one rounding for the sum, so that the end is exact too
            end_ns = int((int(pts[-1]) - int(pts[0])) * self.time_base * NS_PER_SECOND + exact)
        else:
            end_ns = int(times_ns[-1]) + int(exact)
        return FrameTimes(
            video_id=video_id,
            sha256=sha256,
            time_base=self.time_base,
            pts=pts,
            times_ns=times_ns,
            flags=flags,
            end_ns=max(end_ns, int(times_ns[-1]) + 1),
        )

    def video_flags(self, times: FrameTimes) -> frozenset[VideoFlag]:
        """Return what is wrong with the file; ``times`` are this scan's."""
        flags = {VideoFlag.TRUNCATED} if self.is_truncated else set()
        if self.is_damaged:
            flags.add(VideoFlag.DAMAGED)
        good = times.flags == TimeFlag.GOOD
        steps = np.diff(times.pts)[good[1:] & good[:-1]]
        # An exact rate rounded to ticks gives two neighbouring distances: 33 and 34 ms at 30 frames per second.
        if steps.size and int(steps.max()) - int(steps.min()) > 1:
            flags.add(VideoFlag.VARIABLE_RATE)
        return frozenset(flags)


@dataclass(slots=True)
class _Tally:
    """What is gathered on the way: 9 bytes a frame, whatever the length."""

    max_ticks: Fraction
    pts: "array[int]" = field(default_factory=lambda: array("q"))
    missing: bytearray = field(default_factory=bytearray)
    first: DecodedFrame | None = None
    last_duration_ticks: int = 0
    whole_packets: int = 0
    last_end_s: float = -inf
    video_end_s: float = -inf
    is_broken_at_end: bool = False
    is_damaged: bool = False

    def add(self, step: Step, stream: VideoStream) -> None:
        """Count one step."""
        packet = step.packet
        if packet is not None and packet.size and not packet.is_corrupt:
            self._add_packet(packet, stream)
        if step.is_broken:
            self.is_broken_at_end = True
        elif packet is not None and packet.size and packet.stream.index == stream.index:
            # Trouble at the very end alone is how a cut-off file looks.
            self.is_damaged, self.is_broken_at_end = self.is_damaged or self.is_broken_at_end, False
        self._add_frames(step.frames)

    def _add_packet(self, packet: "Packet[Stream]", stream: VideoStream) -> None:
        is_video = packet.stream.index == stream.index
        self.whole_packets += is_video
        if packet.pts is not None:
            end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self.last_end_s = max(self.last_end_s, end_s)
            self.video_end_s = max(self.video_end_s, end_s) if is_video else self.video_end_s

    def _add_frames(self, frames: Sequence[DecodedFrame]) -> None:
        for frame in frames:
            self.first = self.first or frame
            ticks = frame.pts if frame.pts is not None and abs(frame.pts) < self.max_ticks else None
            self.pts.append(ticks or 0)
            self.missing.append(ticks is None)
            self.last_duration_ticks = frame.duration if 0 < frame.duration < self.max_ticks else 0


def scan_video(path: Path) -> VideoScan:
    """Decode a file from end to end.

    Raises ``ItemError``: missing, empty, no_video, and unreadable where no frame decodes.
    """
    with open_video(path) as (container, stream):
        has_audio = bool(container.streams.audio)
        others = [s for s in container.streams if s.type in ("audio", "subtitle") and s.index != stream.index]
        time_base = stream.time_base or Fraction(1)
        tally = _Tally(max_ticks=Fraction(MAX_NS, NS_PER_SECOND) / time_base)
        for step in decode_steps(container, stream, others=others):
            tally.add(step, stream)
        if tally.first is None:
            raise ItemError(DropReason.UNREADABLE, f"none of its {tally.whole_packets} packets decodes to a frame")
        is_truncated = _is_truncated(container, stream, tally)
        return described(
            container,
            stream,
            tally.first,
            has_audio=has_audio,
            pts=np.frombuffer(tally.pts, dtype=np.int64).copy(),
            missing=np.frombuffer(tally.missing, dtype=np.bool_).copy(),
            last_duration_ticks=tally.last_duration_ticks,
            is_damaged=tally.is_damaged or (tally.is_broken_at_end and not is_truncated),
            is_truncated=is_truncated,
        )


def described(
    container: InputContainer,
    stream: VideoStream,
    picture: DecodedFrame,
    *,
    has_audio: bool,
    pts: npt.NDArray[np.int64],
    missing: npt.NDArray[np.bool_],
    last_duration_ticks: int,
    is_damaged: bool,
    is_truncated: bool,
) -> VideoScan:
    """Put what was found beside what the header and the first decoded picture tell; ``VideoScan`` explains the rest.

    ``has_audio`` is what the container held when it was opened: damage can make streams appear on the way.
    """
    orientation = orientation_of(picture)
    return VideoScan(
        container=container.format.name,
        codec=stream.codec_context.name,
        has_audio=has_audio,
        time_base=stream.time_base or Fraction(1),
        header_rate=stream.average_rate or Fraction(0),
        header_duration_ns=_header_duration_ns(container, stream),
        width=picture.height if orientation.swap_axes else picture.width,
        height=picture.width if orientation.swap_axes else picture.height,
        orientation=orientation,
        pixel_format=picture.format.name,
        color_space=color_space_name(picture),
        pts=pts,
        missing=missing,
        last_duration_ticks=last_duration_ticks,
        is_damaged=is_damaged,
        is_truncated=is_truncated,
    )


def _header_duration_ns(container: InputContainer, stream: VideoStream) -> int:
    if stream.duration is not None and stream.time_base is not None:
        duration_ns = ticks_to_ns(stream.duration, stream.time_base)
    else:
        duration_ns = ticks_to_ns(container.duration or 0, MICROSECOND)
    return min(max(0, duration_ns), MAX_NS)


def missing_tail_s(container: InputContainer, stream: VideoStream, *, video_end_s: float, last_end_s: float) -> float:
    """Return how many seconds before the end by its own header a file's packets end; 0 where no header tells.

    Args:
        container: The file, read to its end.
        stream: Its video stream.
        video_end_s: Latest end of a whole packet of ``stream``, seconds on the file's time line.
        last_end_s: The same of any stream.
    """
    names = set(container.format.name.split(","))
    if "mov" in names and stream.duration is not None and stream.time_base is not None:
        # of the video alone: chapters and metadata may claim to last longer
        return max(0.0, float(((stream.start_time or 0) + stream.duration) * stream.time_base) - video_end_s)
    if container.duration and names & FORMATS_WITH_DURATION:
        return max(0.0, float(container.duration * MICROSECOND) - last_end_s)
    return 0.0


def lacks_indexed_packets(container: InputContainer, stream: VideoStream, *, whole_packets: int) -> bool:
    """Tell whether the index lists more packets of the video stream than were read whole."""
    # The index lists every packet, after edit lists; `stream.frames` counts those that an edit list removed too.
    return "mov" in container.format.name.split(",") and whole_packets < len(stream.index_entries)


def _is_truncated(container: InputContainer, stream: VideoStream, tally: _Tally) -> bool:
    tail_s = missing_tail_s(container, stream, video_end_s=tally.video_end_s, last_end_s=tally.last_end_s)
    return tail_s > MISSING_TAIL_S or lacks_indexed_packets(container, stream, whole_packets=tally.whole_packets)
