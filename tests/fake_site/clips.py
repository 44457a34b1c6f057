"""The site's files: a few tiny clips, made once, with other bytes for each video."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from tests.media_files import constant_rate

CLIP_SECONDS = (4.0, 5.0, 6.0, 7.0)
"""True lengths of the distinct clips."""
FRAME_RATE = 10
SIZES = ((160, 96), (192, 112), (176, 144), (128, 96))
PADDING_BYTES = 40_000
"""Added to each file, so that there is a middle to break it off at."""
TS_PACKET_BYTES = 188
SEGMENTS = 3
MATROSKA_DURATION = b"\x44\x89\x88"
"""Name and size of the element with the length of a Matroska file, a double in ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One of the distinct recordings."""

    mp4: bytes
    ts: bytes
    seconds: float


@cache
def base_clip(number: int) -> Clip:
    """Make one of the distinct clips."""
    seconds, (width, height) = CLIP_SECONDS[number], SIZES[number]
    count = round(seconds * FRAME_RATE)
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("clip.mp4", "clip.ts")]
        for path in paths:
            more = {"container_options": {"movflags": "+faststart"}} if path.suffix == ".mp4" else {}
            constant_rate(path, rate=Fraction(FRAME_RATE), count=count, width=width, height=height, **more)
        mp4, ts = (path.read_bytes() for path in paths)
    return Clip(mp4=mp4, ts=ts, seconds=seconds)


@cache
def sound_clip() -> bytes:
    """Make a file without any pictures."""
    from tests.media_files import audio_only

    with TemporaryDirectory() as folder:
        return audio_only(Path(folder) / "sound.mp4").read_bytes()


def file_bytes(number: int, mark: str) -> bytes:
    """Return a clip whose bytes are this video's alone: a box that players skip carries the mark."""
    mp4 = base_clip(number).mp4
    noise = _stretched(mark, PADDING_BYTES)
    at = mp4.index(b"mdat") - 4
    # in front of the media data, as in a file that was made for streaming: what is cut off at the end is pictures
    return _shifted(mp4[:at], len(noise) + 8) + struct.pack(">I4s", len(noise) + 8, b"free") + noise + mp4[at:]


@cache
def lying_bytes(number: int, *, times: int) -> bytes:
    """Return a whole Matroska file whose header says that it is so many times as long as its packets.

    An mp4 can't lie to ffmpeg: it takes the sum of the samples instead of the header.
    """
    seconds, (width, height) = CLIP_SECONDS[number], SIZES[number]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mkv"
        count = round(seconds * FRAME_RATE)
        content = bytearray(
            constant_rate(path, rate=Fraction(FRAME_RATE), count=count, width=width, height=height).read_bytes()
        )
    at = content.index(MATROSKA_DURATION) + len(MATROSKA_DURATION)
    (duration_ms,) = struct.unpack_from(">d", content, at)
    struct.pack_into(">d", content, at, duration_ms * times)
    return bytes(content)


def segment_bytes(number: int) -> list[bytes]:
    """Return a clip as the segments of an HLS manifest; joined they are one transport stream."""
    ts = base_clip(number).ts
    packets = len(ts) // TS_PACKET_BYTES
    cuts = [packets * n // SEGMENTS * TS_PACKET_BYTES for n in range(SEGMENTS)] + [len(ts)]
    return [ts[first:last] for first, last in pairwise(cuts)]


def _stretched(mark: str, count: int) -> bytes:
    block = sha256(mark.encode()).digest()
    return (block * (count // len(block) + 1))[:count]


def _shifted(head: bytes, by: int) -> bytes:
    """Move the places of the chunks that the index names."""
    moved = bytearray(head)
    at = head.index(b"stco") + 8
    (count,) = struct.unpack_from(">I", moved, at)
    for n in range(count):
        (place,) = struct.unpack_from(">I", moved, at + 4 + 4 * n)
        struct.pack_into(">I", moved, at + 4 + 4 * n, place + by)
    return bytes(moved)


def packet_count(content: bytes) -> int:
    """Count the pictures of a file with nothing but PyAV."""
    from io import BytesIO

    with av.open(BytesIO(content)) as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)
