"""Writing H.264 in MP4: one packet for each picture, the same bytes for the same pictures."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.bitstream import BitStreamFilterContext
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame as Picture
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from media.containers import BT709, FULL_RANGE, LIMITED_RANGE
from schema.errors import StoreFullError
from schema.tables import written_beside

_AV_BT709 = 1
"""AVCOL_PRI_BT709, AVCOL_TRC_BT709 and AVCOL_SPC_BT709 share this number."""
_DROP_SEI = "filter_units=remove_types=6"
"""x264 writes its version and settings into an SEI unit (type 6) of the first packet."""
_SAME_BYTES = ":asm=sse4.2" if platform.machine().lower() in ("x86_64", "amd64") else ""
"""x264's macroblock tree (its rate control by what later pictures refer to) reads unset memory in its AVX-512 code:
the same pictures gave another film under MALLOC_PERTURB_=1, and yet another without AVX-512. SSSE3, SSE4.2, AVX and
AVX2 give one film whatever the memory held, and are no slower here. Without the tree (mbtree=0) films agree too, but
those of people before a still camera became about twice as large."""
ROOM_TO_SPARE = 1.2
"""Later pictures may be harder to code than those written when the disk got full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmSettings:
    """How a film is written."""

    width: int
    """Even, pixels."""
    height: int
    """Even, pixels."""
    frame_rate: int
    """Pictures per second."""
    quality_crf: int
    """x264's constant rate factor, 0 (best) to 51."""
    preset: str
    """x264's preset."""
    key_frame_every: int
    """Pictures from one key frame to the next; every group of pictures is closed."""


class H264Writer:
    """Encodes pictures into an open container, each shown for exactly ``1 / frame_rate`` seconds."""

    def __init__(self, container: OutputContainer, settings: FilmSettings) -> None:
        self.frame_count = 0
        self._container = container
        self._stream = _add_stream(container, settings)
        self._reformatter = VideoReformatter()
        self._filter = BitStreamFilterContext(_DROP_SEI, self._stream)

    def write(self, image_rgb: npt.NDArray[np.uint8]) -> None:
        """Encode one picture, shape ``(h, w, 3)``, scaled to the size of the film."""
        picture = self._reformatter.reformat(
            Picture.from_ndarray(np.ascontiguousarray(image_rgb), format="rgb24"),
            width=self._stream.width,
            height=self._stream.height,
            format="yuv420p",
            dst_colorspace=BT709,
            src_color_range=FULL_RANGE,
            dst_color_range=LIMITED_RANGE,
            threads=1,
        )
        picture.pts, picture.time_base = self.frame_count, self._stream.codec_context.time_base
        self.frame_count += 1
        self._mux(self._stream.encode(picture))

    def finish(self) -> None:
        """Write what the encoder holds back."""
        self._mux(self._stream.encode(None))
        self._mux([None])

    def _mux(self, packets: "list[Packet[VideoStream]] | list[None]") -> None:
        for packet in packets:
            for bare in self._filter.filter(packet):
                bare.stream = self._stream
                self._container.mux(bare)


@contextmanager
def h264_film(target: Path, settings: FilmSettings, *, expected_frames: int | None = None) -> Iterator[H264Writer]:
    """Write an MP4 beside ``target`` and put it in place at once; a failure leaves nothing.

    The index comes first (faststart), there is no sound and no b-frame, one thread encodes, and neither date nor
    encoder is written down: the same pictures give the same bytes.

    Args:
        target: File to write.
        settings: Size, rate and quality.
        expected_frames: How many will come, to say how much room is needed where the disk is full.

    Raises:
        StoreFullError: The disk is full; the message says how much is needed.
    """
    written_frames, written_bytes = 0, 0
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    try:
        with (
            written_beside(target) as beside,
            av.open(str(beside), "w", format="mp4", options=options) as container,
        ):
            writer = H264Writer(container, settings)
            try:
                yield writer
                writer.finish()
            finally:
                written_frames = writer.frame_count
                written_bytes = beside.stat().st_size if beside.exists() else 0
    except StoreFullError as error:
        raise StoreFullError(f"{error}; {_room(written_bytes, written_frames, expected_frames)}") from error


def _add_stream(container: OutputContainer, settings: FilmSettings) -> VideoStream:
    every = settings.key_frame_every
    x264 = f"threads=1:lookahead-threads=1:open-gop=0:scenecut=0:keyint={every}:min-keyint={every}{_SAME_BYTES}"
    options = {"preset": settings.preset, "crf": str(settings.quality_crf), "bf": "0", "x264-params": x264}
    stream = container.add_stream("libx264", rate=settings.frame_rate, options=options)
    stream.width, stream.height, stream.pix_fmt = settings.width, settings.height, "yuv420p"
    context = stream.codec_context
    context.thread_count = 1
    context.time_base = Fraction(1, settings.frame_rate)
    context.sample_aspect_ratio = Fraction(1)
    context.flags |= Flags.bitexact | Flags.closed_gop
    context.color_range, context.colorspace = LIMITED_RANGE, _AV_BT709
    context.color_primaries, context.color_trc = _AV_BT709, _AV_BT709
    return stream


def _room(written_bytes: int, written_frames: int, expected_frames: int | None) -> str:
    if expected_frames is None or not written_frames:
        return f"{written_bytes / 1e6:.1f} MB were written, the whole film needs more"
    needed = ROOM_TO_SPARE * written_bytes * expected_frames / written_frames
    return f"the film needs about {max(needed, written_bytes) / 1e6:.1f} MB"
