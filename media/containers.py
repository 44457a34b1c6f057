"""Opening a container and taking its packets and frames out, whatever state it is in."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from math import atan2, pi
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import SideData
from av.stream import Disposition, Stream
from av.video.frame import PictureType
from av.video.frame import VideoFrame as DecodedFrame
from av.video.stream import VideoStream

from schema.errors import DropReason, ItemError

DEMUXERS = (
    "mov,matroska,webm,avi,flv,mpegts,mpeg,mpegvideo,asf,ogg,mxf,nut,ivf,dv,rm,h264,hevc,m4v,mp3,wav,flac,aac,aiff,amr"
)
"""What may be opened: files that hold pictures or sound themselves.

Left out on purpose are playlists, which name other files and links, and ffmpeg's readers of plain text, which turn any
text into a picture of a terminal.
"""
MAX_READ_FAILURES = 64
"""Reading is given up after so many failures in a row: a demuxer that does not move on would never end."""
LIKELY_ASPECTS = (Fraction(1, 4), Fraction(4))
"""A pixel's width to height beyond these is taken for a mistake of the file, and for square."""
_AV_COLOR_SPACES = {
    0: "rgb",
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
}
"""Matrix coefficients of ITU-T H.273, which AVColorSpace numbers alike."""
_SWSCALE_COLOR_SPACES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""AVColorSpace to the SWS_CS numbers of libswscale/swscale.h, which PyAV's reformatter takes."""
BT601, BT709, LIMITED_RANGE, FULL_RANGE = 5, 1, 1, 2
"""SWS_CS_ITU601, SWS_CS_ITU709, AVCOL_RANGE_MPEG, AVCOL_RANGE_JPEG."""
HD_LINES = 720
"""Untagged pictures of so many lines are taken for BT.709, smaller ones for BT.601, as players do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orientation:
    """How stored pixels become the displayed picture: transpose, then mirror."""

    swap_axes: bool = False
    mirror_x: bool = False
    mirror_y: bool = False
    degrees: int = 0
    """Clockwise turn, 0, 90, 180 or 270; the mirroring of a front camera is not counted."""

    def apply(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Turn an image, shape ``(h, w, 3)``; the result is contiguous."""
        upright = image.transpose(1, 0, 2) if self.swap_axes else image
        upright = upright[:, ::-1] if self.mirror_x else upright
        upright = upright[::-1] if self.mirror_y else upright
        return np.ascontiguousarray(upright)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one packet led to."""

    packet: "Packet[Stream] | None"
    """None where reading failed, and for the frames that a decoder held back at the end."""
    frames: Sequence[DecodedFrame]
    """Decoded frames in display order; empty for packets of other streams."""
    is_broken: bool
    """Reading failed, the packet is incomplete, or the decoder refused it."""


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and find its video stream (a cover picture is none).

    Decoding uses one thread: with several, what is shown of a damaged stream depends on their timing.
    Raises ``ItemError`` (missing, empty, unreadable, no_video).
    """
    if not path.exists():
        raise ItemError(DropReason.MISSING, "no such file")
    if not path.is_file():
        raise ItemError(DropReason.UNREADABLE, "not a file")
    if path.stat().st_size == 0:
        raise ItemError(DropReason.EMPTY, "the file has 0 bytes")
    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
    try:
        container = av.open(str(path.resolve()), options=options, metadata_errors="replace")
    except (av.FFmpegError, OSError, UnicodeError) as error:
        raise ItemError(DropReason.UNREADABLE, f"not a video, or its index is missing ({reason_of(error)})") from None
    with container:
        yield container, _video_stream(container)


def _video_stream(container: InputContainer) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise ItemError(DropReason.NO_VIDEO, f"the container holds no video stream, only {kinds}")
    stream = streams[0]
    if stream.codec_context is None or stream.time_base is None:
        raise ItemError(DropReason.UNREADABLE, "there is no decoder for its video stream")
    stream.codec_context.thread_count = 1
    return stream


def reason_of(error: Exception) -> str:
    """Say what went wrong without the path that an error's text holds."""
    return str(getattr(error, "strerror", None) or type(error).__name__)


def decode_steps(
    container: InputContainer, stream: VideoStream, *, others: Sequence[Stream] = (), from_key_frame: bool = False
) -> Iterator[Step]:
    """Read packet by packet from where the container stands; decode those of ``stream``, if asked from a key frame on.

    A packet that is known to be incomplete is not decoded: its picture would be invented in part. Broken packets are
    reported and passed over; no error of the decoder gets out.
    """
    flushed = False
    passing_over = from_key_frame
    for packet in read_packets(container, (stream, *others)):
        if packet is None:
            yield Step(packet=None, frames=(), is_broken=True)
        elif packet.stream.index != stream.index:  # not stream_index, which the last, empty packets have as 0
            yield Step(packet=packet, frames=(), is_broken=False)
        elif passing_over and not packet.is_keyframe and packet.size:
            continue
        elif packet.is_corrupt:
            yield Step(packet=packet, frames=(), is_broken=True)
        else:
            passing_over, flushed = False, packet.size == 0
            yield _decode(stream, packet)
    if not flushed:
        yield _decode(stream, None)


def _decode(stream: VideoStream, packet: "Packet[Stream] | None") -> Step:
    try:
        frames = stream.codec_context.decode(packet)
    except (av.FFmpegError, OSError):
        return Step(packet=packet, frames=(), is_broken=True)
    return Step(packet=packet, frames=frames, is_broken=any(frame.is_corrupt for frame in frames))


def read_packets(container: InputContainer, streams: Sequence[Stream]) -> "Iterator[Packet[Stream] | None]":
    """Yield the packets of these streams from where the container stands, and None for each failure to read one."""
    failures = 0
    while failures < MAX_READ_FAILURES:
        try:
            for packet in container.demux(streams):
                failures = 0
                yield packet
        except (av.FFmpegError, OSError):
            failures += 1
            yield None
        except IndexError:
            # PyAV 18.1 trips at the end of the file over streams that appeared on the way (a damaged MPEG-TS table).
            return
        else:
            return


def is_whole_picture(frame: DecodedFrame) -> bool:
    """Tell whether a picture was decoded from itself alone.

    A stream with intra refresh marks pictures as key frames that are only refreshed in part: after a seek to one,
    libavcodec fills the rest with whatever its memory holds (15 wrong pictures in 300 seeks).
    """
    return frame.pict_type == PictureType.I or (frame.pict_type == PictureType.NONE and bool(frame.key_frame))


def orientation_of(frame: DecodedFrame) -> Orientation:
    """Read the display matrix that the file attaches to its frames, to the nearest quarter turn.

    The matrix (ISO/IEC 14496-12, 8.2.2) maps a stored point to ``x' = a x + c y``, ``y' = b x + d y`` with y downwards.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if not isinstance(matrix, SideData):
        return Orientation()
    a, b, _, c, d = np.frombuffer(bytes(matrix), dtype=np.int32)[:5].astype(float)
    turn = atan2(b, a) if a * d - b * c >= 0 else atan2(-c, d)
    swap_axes = abs(b) + abs(c) > abs(a) + abs(d)
    return Orientation(
        swap_axes=swap_axes,
        mirror_x=(c if swap_axes else a) < 0,
        mirror_y=(b if swap_axes else d) < 0,
        degrees=round(turn / (pi / 2)) % 4 * 90,
    )


def pixel_aspect_of(stream: VideoStream) -> Fraction:
    """Return a stored pixel's width divided by its height, 1 where the file says nothing or nonsense."""
    aspect = stream.sample_aspect_ratio
    return aspect if aspect and LIKELY_ASPECTS[0] <= aspect <= LIKELY_ASPECTS[1] else Fraction(1)


def color_space_name(frame: DecodedFrame) -> str:
    """Name the frame's matrix coefficients as ffmpeg does."""
    return _AV_COLOR_SPACES.get(int(frame.colorspace), "unspecified")


def swscale_color_space(frame: DecodedFrame) -> int:
    """Return the matrix to convert the frame with; untagged frames are judged by their size."""
    likely = BT709 if min(frame.width, frame.height) >= HD_LINES else BT601
    return _SWSCALE_COLOR_SPACES.get(int(frame.colorspace), likely)


def displayed_size(path: Path) -> tuple[int, int, Fraction]:
    """Return width and height of the upright picture in stored pixels, and a pixel's width divided by its height.

    Decodes up to the first frame. Raises ``ItemError`` (missing, empty, unreadable, no_video).
    """
    with open_video(path) as (container, stream):
        for step in decode_steps(container, stream):
            for frame in step.frames:
                aspect = pixel_aspect_of(stream)
                if orientation_of(frame).swap_axes:
                    return frame.height, frame.width, 1 / aspect
                return frame.width, frame.height, aspect
    raise ItemError(DropReason.UNREADABLE, "none of its packets decodes to a frame")
