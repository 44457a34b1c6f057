"""Makers of small video files whose frames carry their own number as a pattern of large blocks.

Every frame shows its index as 16 black or white blocks, 4 x 4, least significant bit at the top left. The blocks
survive lossy encoding and scaling, so that a test can read back from decoded pixels which frame it was given.
"""

import random
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

GRID = 4
"""Blocks a side."""
DARK, BRIGHT = 16, 235
BLOCK_HEADER_BYTES = 8
"""Matroska gives the place of a packet's block, whose header comes first; noise there would hide the packet."""
WIDTH, HEIGHT = 160, 96

CONSTANT_RATES = {
    "23.976": Fraction(24000, 1001),
    "25": Fraction(25),
    "29.97": Fraction(30000, 1001),
    "30": Fraction(30),
    "50": Fraction(50),
}


def draw_number(number: int, *, width: int = WIDTH, height: int = HEIGHT) -> npt.NDArray[np.uint8]:
    """Draw a number below 65536 as a grey RGB picture, shape ``(height, width, 3)``."""
    rows, columns = np.arange(height) * GRID // height, np.arange(width) * GRID // width
    bits = (number >> (rows[:, None] * GRID + columns[None, :])) & 1
    return np.repeat(np.where(bits == 1, BRIGHT, DARK).astype(np.uint8)[..., None], 3, axis=2)


def read_number(image_rgb: npt.NDArray[np.uint8]) -> int:
    """Read the number back from the middle of each block."""
    height, width = image_rgb.shape[:2]
    number = 0
    for bit in range(GRID * GRID):
        row, column = divmod(bit, GRID)
        top, left = (4 * row + 1) * height // (4 * GRID), (4 * column + 1) * width // (4 * GRID)
        bottom, right = (4 * row + 3) * height // (4 * GRID), (4 * column + 3) * width // (4 * GRID)
        number |= int(image_rgb[top:bottom, left:right].mean() > 127) << bit
    return number


def decoded_numbers(path: Path) -> list[int]:
    """Decode a whole file with nothing but PyAV and read each frame's number."""
    with av.open(str(path)) as container:
        return [read_number(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def constant_pts(count: int, rate: Fraction) -> tuple[list[int], Fraction]:
    """Return presentation times in ticks of exactly one frame, and the tick."""
    return list(range(count)), 1 / rate


def variable_pts(count: int, *, seed: int = 7) -> tuple[list[int], Fraction]:
    """Return times whose distances wander between 11 and 110 ms, in milliseconds."""
    steps = random.Random(seed)
    pts = [0]
    while len(pts) < count:
        pts.append(pts[-1] + steps.randint(11, 110))
    return pts, Fraction(1, 1000)


def write_video(
    path: Path,
    *,
    pts: Sequence[int],
    time_base: Fraction,
    width: int = WIDTH,
    height: int = HEIGHT,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    b_frames: int = 0,
    gop: int = 12,
    rotation_degrees: int = 0,
    shift: int = 0,
    with_audio: bool = False,
    codec_options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write frame ``i`` with the drawn number ``i`` at ``pts[i]`` ticks; the container follows the suffix.

    Args:
        gop: Frames from one key frame to the next.
        rotation_degrees: Clockwise turn that the file asks for; the pixels are stored turned back.
        shift: Ticks added to the times of finished packets; below 0 it makes mp4 write an edit list.
        with_audio: Add a second of sound for each second of pictures.
        codec_options: Further options of the encoder, instead of the steady key frames and b-frames of x264.
        container_options: Further options of the container.
    """
    options = {"avoid_negative_ts": "disabled", **(container_options or {})} if shift < 0 else container_options or {}
    with av.open(str(path), "w", options=options) as container:
        stream = _add_stream(container, codec, time_base, codec_options)
        stream.width, stream.height = (height, width) if rotation_degrees % 180 else (width, height)
        stream.pix_fmt = pixel_format
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = gop, b_frames
        if rotation_degrees:
            stream.set_display_rotation(-rotation_degrees)
        sound = container.add_stream("aac", rate=16000, layout="mono") if with_audio else None
        for index, ticks in enumerate(pts):
            upright = draw_number(index, width=width, height=height)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.rot90(upright, rotation_degrees // 90)))
            frame.pts, frame.time_base = ticks, time_base
            _mux_shifted(container, stream.encode(frame), shift)
        _mux_shifted(container, stream.encode(None), shift)
        if sound is not None:
            _write_silence(container, sound, seconds=float((pts[-1] - pts[0]) * time_base))
    return path


def _add_stream(
    container: av.container.OutputContainer, codec: str, time_base: Fraction, codec_options: dict[str, str] | None
) -> av.VideoStream:
    steady = {"x264-params": "scenecut=0:b-adapt=0"} if codec == "libx264" else {}  # the patterns look like cuts
    options = {**steady, **(codec_options or {})}
    stream = container.add_stream(codec, rate=max(1, round(1 / time_base)), options=options)
    stream.thread_count = 1
    stream.time_base = stream.codec_context.time_base = time_base
    return stream


def _mux_shifted(container: av.container.OutputContainer, packets: Sequence[av.Packet], shift: int) -> None:
    for packet in packets:
        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
        container.mux(packet)


def _write_silence(container: av.container.OutputContainer, stream: av.AudioStream, *, seconds: float) -> None:
    for start in range(0, int(seconds * 16000) - 1024, 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, start, Fraction(1, 16000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def constant_rate(path: Path, *, rate: Fraction = Fraction(25), count: int = 40, **more: object) -> Path:
    """Write a file of constant rate."""
    pts, time_base = constant_pts(count, rate)
    return write_video(path, pts=pts, time_base=time_base, **more)


def variable_rate(path: Path, *, count: int = 40, **more: object) -> Path:
    """Write a file of variable rate."""
    pts, time_base = variable_pts(count)
    return write_video(path, pts=pts, time_base=time_base, **more)


def b_frames(path: Path, *, rate: Fraction = Fraction(25), count: int = 60) -> Path:
    """Write a file with three b-frames in a row and a key frame every 12 frames."""
    return constant_rate(path, rate=rate, count=count, b_frames=3)


def portrait(path: Path, *, count: int = 20) -> Path:
    """Write a file that is taller than wide."""
    return constant_rate(path, count=count, width=HEIGHT, height=WIDTH)


def ten_per_second(path: Path, *, count: int = 40) -> Path:
    """Write a file of 10 frames per second, as iMiGUE's are."""
    return constant_rate(path, rate=Fraction(10), count=count)


def odd_sides(path: Path, *, count: int = 20) -> Path:
    """Write H.264 of 161 x 97 pixels, which takes a format without chroma subsampling."""
    return constant_rate(path, count=count, width=161, height=97, pixel_format="yuv444p")


def vp9(path: Path, *, count: int = 20) -> Path:
    """Write VP9 of 161 x 97 pixels (WebM or MP4)."""
    fast = {"deadline": "realtime", "cpu-used": "8"}
    return constant_rate(path, count=count, codec="libvpx-vp9", width=161, height=97, codec_options=fast)


def hevc(path: Path, *, count: int = 20) -> Path:
    """Write HEVC."""
    return constant_rate(path, count=count, codec="libx265", codec_options={"x265-params": "log-level=none:pools=1"})


def rotated(path: Path, *, degrees: int = 90, count: int = 20) -> Path:
    """Write a file whose display matrix asks for a clockwise turn."""
    return constant_rate(path, count=count, rotation_degrees=degrees)


def delayed_start(path: Path, *, frames: int = 50, count: int = 30) -> Path:
    """Write a file whose first picture comes late, after an empty edit."""
    return constant_rate(path, count=count, shift=frames, with_audio=True)


def edit_list(path: Path, *, hidden: int = 5, count: int = 40, b_frames: int = 0) -> Path:
    """Write a file whose edit list removes the first frames from the presentation."""
    return constant_rate(path, count=count, shift=-hidden, b_frames=b_frames)


def audio_only(path: Path) -> Path:
    """Write a file without any pictures."""
    with av.open(str(path), "w") as container:
        _write_silence(container, container.add_stream("aac", rate=16000, layout="mono"), seconds=1.0)
    return path


def audio_with_cover(path: Path) -> Path:
    """Write an mp3 whose only pictures are its cover."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libmp3lame", rate=16000, layout="mono")
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = WIDTH, HEIGHT, "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(draw_number(1))))
        container.mux(cover.encode(None))
        _write_silence(container, sound, seconds=1.0)
    return path


def truncated(path: Path, *, count: int = 60, kept: int = 25, **more: object) -> Path:
    """Write a file with its index in front and cut it off in the middle of packet ``kept``."""
    if path.suffix == ".mp4":
        more["container_options"] = {"movflags": "+faststart"}
    constant_rate(path, count=count, **more)
    start, size = _packets(path)[kept]
    path.write_bytes(path.read_bytes()[: start + size // 2])
    return path


def without_index(path: Path) -> Path:
    """Write an mp4 and cut off its index, which lies at the end."""
    constant_rate(path)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"moov") - 4])
    return path


def damaged(path: Path, *, count: int = 60, broken: Sequence[int] = (20, 21, 22), **more: object) -> Path:
    """Write an MP4 or Matroska file and overwrite some of its packets with noise."""
    constant_rate(path, count=count, **more)
    packets, content, noise = _packets(path), bytearray(path.read_bytes()), random.Random(1)
    for number in broken:
        start, size = packets[number]
        start += BLOCK_HEADER_BYTES
        content[start : start + size - BLOCK_HEADER_BYTES] = noise.randbytes(size - BLOCK_HEADER_BYTES)
    path.write_bytes(content)
    return path


def _packets(path: Path) -> list[tuple[int, int]]:
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
