"""Verifying a fetched file: every packet is looked at, only the first and the last group of pictures are decoded.

A whole decode takes tens of times as long and tells little more of what was fetched; perception decodes everything
later anyway.
"""

from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.frame import VideoFrame as DecodedFrame
from av.video.stream import VideoStream

from media.boxes import is_cut_off
from media.containers import is_whole_picture, open_video, read_packets
from media.probe import record_of
from media.scan import (
    MAX_NS,
    MICROSECOND,
    MISSING_TAIL_S,
    VideoScan,
    described,
    lacks_indexed_packets,
    missing_tail_s,
    scan_video,
)
from media.times import SHUFFLED_FRAMES
from schema.errors import DropReason, ItemError
from schema.records import VideoId, VideoRecord
from schema.timespan import NS_PER_SECOND

HELD_BYTES = 64 << 20
"""Packets of a group of pictures that are kept until it is known to be the last, 4 minutes at 2 Mbit/s: a longer
group is decoded as it comes, so that memory stays bounded."""
NOT_SHOWN = frozenset({DropReason.UNREADABLE, DropReason.NO_VIDEO})
"""What a file looks like whose index, or every picture, was cut off."""
MAY_BEGIN_LATE = frozenset({"mpegts", "mpeg"})
"""Streams that may be joined in the middle of a group; an index lists no group without its key frame."""
VP8_SHOW_FRAME = 0x10
"""The bit of a VP8 packet's first byte that tells pictures from mere references (RFC 6386, 9.1)."""


def check_video(
    path: Path,
    *,
    video_id: VideoId,
    sha256: str,
    announced_duration_ns: int | None,
    tolerance_s: float,
    is_download: bool,
) -> VideoRecord:
    """Return what a file is, after making sure that it is what was to be fetched.

    Its rate, length and count of frames come from its packets, after edit lists; its size and colours from the first
    decoded picture. A file of one's own that is cut off or damaged is described and flagged: there is no other. A
    download is refused instead, because the next attempt may get the rest.

    Args:
        path: The file.
        video_id: Whose record is made.
        sha256: Digest of the file, which the caller just computed.
        announced_duration_ns: What the platform says the length is; None where it does not say.
        tolerance_s: How much shorter than announced, or than its own header says, a download may be. It does not grow
            with the length: announced lengths are rounded to a second, and that error is the same for an hour.
        is_download: Refuse what is cut off.

    Raises:
        ItemError: missing, empty, no_video; unreadable where neither end decodes to a picture; truncated where a
            download lacks bytes that its index lists, ends before its announced or own length, or where its first or
            last group of pictures does not decode.
    """
    try:
        found = _read(path)
    except ItemError as error:
        if is_download and error.reason in NOT_SHOWN and is_cut_off(path):
            raise ItemError(DropReason.TRUNCATED, "the file breaks off before its index") from None
        raise
    if is_download:
        _refuse_cut_off(path, found, announced_duration_ns, tolerance_s)
    return record_of(path, found.scan, video_id=video_id, sha256=sha256)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """What was found in a file, beside what its record tells."""

    scan: VideoScan
    length_s: float
    """From the container's start to the end of its last packet of any stream."""
    missing_tail_s: float
    """How much earlier that is than its header says."""
    lacks_packets: bool
    first_decodes: bool
    last_decodes: bool


def _refuse_cut_off(path: Path, found: _Found, announced_duration_ns: int | None, tolerance_s: float) -> None:
    announced_s = (announced_duration_ns or 0) / NS_PER_SECOND
    length_s = found.length_s
    why = ""
    if found.lacks_packets or is_cut_off(path):
        why = f"the file breaks off after {length_s:.1f} s: it lacks bytes that it lists itself"
    elif found.missing_tail_s > tolerance_s:
        why = f"the file ends after {length_s:.1f} s, {found.missing_tail_s:.1f} s before its header says"
    elif announced_s - length_s > tolerance_s:
        why = f"the file lasts {length_s:.1f} s, and {announced_s:.1f} s were announced"
    elif not found.first_decodes:
        why = "the first group of pictures does not decode"
    elif not found.last_decodes:
        why = "the last group of pictures does not decode to its end"
    if why:
        raise ItemError(DropReason.TRUNCATED, why)


def _read(path: Path) -> _Found:
    with open_video(path) as (container, stream):
        has_audio = bool(container.streams.audio)
        others = [s for s in container.streams if s.type in ("audio", "subtitle") and s.index != stream.index]
        ends = _Ends(stream=stream)
        tally = _Tally(max_ticks=int(Fraction(MAX_NS, NS_PER_SECOND) / (stream.time_base or 1)))
        for packet in read_packets(container, (stream, *others)):
            _take(packet, stream, ends, tally)
        ends.finish()
        picture = ends.first_picture
        if picture is None:
            raise ItemError(DropReason.UNREADABLE, f"none of its {tally.whole_packets} packets decodes to a frame")
        last_end_s = max((tally.end_s(s) for s in (stream, *others)), default=-inf)
        tail_s = missing_tail_s(container, stream, video_end_s=tally.end_s(stream), last_end_s=last_end_s)
        lacks_packets = lacks_indexed_packets(container, stream, whole_packets=tally.whole_packets)
        is_truncated = lacks_packets or tail_s > MISSING_TAIL_S
        return _Found(
            # without a packet that is marked as a key frame, decoding alone tells which are shown
            scan=_scan_of(container, picture, ends, tally, has_audio=has_audio, is_truncated=is_truncated)
            if tally.pts
            else scan_video(path),
            length_s=max(0.0, last_end_s - float((container.start_time or 0) * MICROSECOND)),
            missing_tail_s=tail_s,
            lacks_packets=lacks_packets,
            first_decodes=ends.first_count > 0
            and (not ends.lost_before_key or container.format.name in MAY_BEGIN_LATE),
            last_decodes=not ends.is_broken_at_end and (ends.last_count > 0 or _decodes_whole(path)),
        )


def _scan_of(
    container: InputContainer,
    picture: DecodedFrame,
    ends: "_Ends",
    tally: "_Tally",
    *,
    has_audio: bool,
    is_truncated: bool,
) -> VideoScan:
    pts, missing, last_duration_ticks = tally.in_display_order()
    return described(
        container,
        ends.stream,
        picture,
        has_audio=has_audio,
        pts=pts,
        missing=missing,
        last_duration_ticks=last_duration_ticks,
        is_damaged=ends.is_damaged or (ends.is_broken_at_end and not is_truncated),
        is_truncated=is_truncated,
    )


def _decodes_whole(path: Path) -> bool:
    """Decode everything: a group that a stream with intra refresh begins near its end shows nothing by itself."""
    return not scan_video(path).is_damaged


def _take(packet: "Packet[Stream] | None", stream: VideoStream, ends: "_Ends", tally: "_Tally") -> None:
    if packet is not None and not packet.size:  # the end of a stream, as PyAV tells it
        return
    is_video = packet is not None and packet.stream.index == stream.index
    if packet is not None and not packet.is_corrupt:
        tally.add(packet, is_video=is_video)
        if is_video:
            ends.add(packet)
            if ends.has_begun and not packet.is_discard and _is_shown(packet, stream):
                tally.add_picture(packet)
    elif packet is None or is_video:
        ends.is_broken_at_end = True


def _is_shown(packet: "Packet[Stream]", stream: VideoStream) -> bool:
    return stream.codec_context.name != "vp8" or bool(memoryview(packet)[0] & VP8_SHOW_FRAME)


@dataclass(slots=True)
class _Ends:
    """Decodes the first group of pictures as it comes, and the last one once it is known to be the last."""

    stream: VideoStream
    first_picture: DecodedFrame | None = None
    first_count: int = 0
    """Pictures of the first group."""
    last_count: int = 0
    """Pictures of the last group."""
    lost_before_key: int = 0
    """Packets before the first key frame that the decoder refused."""
    is_damaged: bool = False
    is_broken_at_end: bool = False
    """The last thing that was read, or decoded, was trouble: alone, that is how a cut-off file looks."""
    _group: int = 0
    _held: "list[Packet[Stream]]" = field(default_factory=list)
    _held_bytes: int = 0
    _is_streaming: bool = True
    _key_pts: int | None = None
    _starts_whole: bool | None = None

    def add(self, packet: "Packet[Stream]") -> None:
        """Take the next packet of the stream."""
        self._note_going_on()
        if packet.is_keyframe:
            if self._group:
                self._begin_group()
            self._group += 1
            self._key_pts = packet.pts
        if self._is_streaming:
            self._decode(packet)
            return
        self._held.append(packet)
        self._held_bytes += packet.size
        if self._held_bytes > HELD_BYTES:
            self._decode_held()

    @property
    def has_begun(self) -> bool:
        """Whether a key frame was there: what comes before it can't be shown."""
        return self._group > 0

    def finish(self) -> None:
        """Decode what was kept of the last group, and what the decoder holds back."""
        broken_after, self.is_broken_at_end = self.is_broken_at_end, False
        if not self._is_streaming:
            self._decode_held()
        self._decode(None)
        self.is_broken_at_end |= broken_after
        if self._group <= 1:
            self.last_count = self.first_count

    def _note_going_on(self) -> None:
        self.is_damaged, self.is_broken_at_end = self.is_damaged or self.is_broken_at_end, False

    def _begin_group(self) -> None:
        if self._is_streaming:
            self._decode(None)
            self._note_going_on()
            self.stream.codec_context.flush_buffers()
        self._held.clear()
        self._held_bytes, self._is_streaming, self._starts_whole, self.last_count = 0, False, None, 0

    def _decode_held(self) -> None:
        self._is_streaming = True
        for packet in self._held:
            self._decode(packet)
        self._held.clear()

    def _decode(self, packet: "Packet[Stream] | None") -> None:
        if packet is not None:
            self._note_going_on()
        try:
            frames = self.stream.codec_context.decode(packet)
        except (av.FFmpegError, OSError):
            self.is_broken_at_end = not self._leans_back(packet)
            self.lost_before_key += self._group == 0
            return
        self.first_picture = self.first_picture or next(iter(frames), None)
        if frames and self._starts_whole is None:
            self._starts_whole = is_whole_picture(frames[0])
        self.is_broken_at_end |= any(frame.is_corrupt and not self._leans_back(frame) for frame in frames)
        if self._group <= 1:
            self.first_count += len(frames)
        else:
            self.last_count += len(frames)

    def _leans_back(self, item: "Packet[Stream] | DecodedFrame | None") -> bool:
        """Tell pictures that need the group before, which may not be there.

        They are shown before their group's key frame, or that frame is one of a stream with intra refresh.
        """
        if self._starts_whole is False and isinstance(item, DecodedFrame):
            return True
        return item is not None and item.pts is not None and self._key_pts is not None and item.pts < self._key_pts


@dataclass(slots=True)
class _Tally:
    """What the packets tell: 17 bytes a picture, whatever the length."""

    max_ticks: int
    pts: "array[int]" = field(default_factory=lambda: array("q"))
    durations: "array[int]" = field(default_factory=lambda: array("q"))
    missing: bytearray = field(default_factory=bytearray)
    whole_packets: int = 0
    _end_ticks: dict[int, int] = field(default_factory=dict)

    def add(self, packet: "Packet[Stream]", *, is_video: bool) -> None:
        """Count a whole packet of any stream."""
        start = packet.dts if packet.pts is None else packet.pts
        if start is not None:
            index, end = packet.stream.index, start + (packet.duration or 0)
            self._end_ticks[index] = max(self._end_ticks.get(index, end), end)
        self.whole_packets += is_video

    def end_s(self, stream: Stream) -> float:
        """Return when the stream's last packet ends, seconds on the file's time line; minus infinity without one."""
        ticks = self._end_ticks.get(stream.index)
        return -inf if ticks is None or stream.time_base is None else float(ticks * stream.time_base)

    def add_picture(self, packet: "Packet[Stream]") -> None:
        """Count a packet that shows a picture."""
        ticks = packet.dts if packet.pts is None else packet.pts
        ticks = ticks if ticks is not None and abs(ticks) < self.max_ticks else None
        duration = packet.duration or 0
        self.pts.append(ticks or 0)
        self.missing.append(ticks is None)
        self.durations.append(duration if 0 < duration < self.max_ticks else 0)

    def in_display_order(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], int]:
        """Return time stamps, which of them are missing, and how many ticks the last picture is shown (0: unknown).

        Packets come in decoding order. Stamps further out of order than a decoder puts right are left as they come:
        the file's clock jumped.
        """
        pts = np.frombuffer(self.pts, dtype=np.int64)
        missing = np.frombuffer(self.missing, dtype=np.bool_)
        order = np.arange(pts.shape[0])
        if not missing.any():
            by_time = np.argsort(pts, kind="stable")
            order = by_time if int(np.abs(by_time - order).max()) <= SHUFFLED_FRAMES else order
        return pts[order], missing[order], self.durations[int(order[-1])]
