import os
import subprocess
import sys

import av
import numpy as np
import pytest

from media.clips import write_clip, write_slow_copy
from media.frames import read_frame_times
from schema.errors import StoreFullError
from schema.records import VideoId
from tests.media_files import decoded_numbers, draw_number


def test_every_picture_is_one_frame_at_the_rate(tmp_path):
    write_clip((draw_number(k) for k in range(50)), tmp_path / "a.mp4", frame_rate=25)
    assert decoded_numbers(tmp_path / "a.mp4") == list(range(50))
    with av.open(str(tmp_path / "a.mp4")) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", 25)
        assert stream.duration * stream.time_base == 2


def test_odd_sides_are_padded_with_the_last_pixels(tmp_path):
    write_clip((draw_number(k, width=97, height=61) for k in range(12)), tmp_path / "a.mp4", frame_rate=10)
    assert decoded_numbers(tmp_path / "a.mp4") == list(range(12))
    with av.open(str(tmp_path / "a.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert frames[0].shape == (62, 98, 3)
    assert np.abs(frames[3][61].astype(int) - frames[3][60].astype(int)).max() < 30


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 150, 120)])
def test_colours_stay(tmp_path, colour):
    image = np.full((64, 64, 3), colour, dtype=np.uint8)
    write_clip([image] * 3, tmp_path / "a.mp4", frame_rate=5)
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
        shown = frame.to_ndarray(format="rgb24")[32, 32]
    assert np.abs(shown.astype(int) - colour).max() <= 6


def test_the_same_pictures_give_the_same_bytes(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_clip((draw_number(k) for k in range(30)), tmp_path / name, frame_rate=25)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


WRITE_WAVES = """
import sys
from pathlib import Path
import numpy as np
from media.clips import write_clip

y, x = np.mgrid[:144, :176]
waves = (np.sin(x / 9 + k / 3) * np.cos(y / 7 - k / 5) * 120 + 128 for k in range(24))
write_clip((np.stack([wave.astype(np.uint8)] * 3, axis=-1) for wave in waves), Path(sys.argv[1]), frame_rate=10)
"""


def test_what_memory_held_before_changes_no_byte(tmp_path):
    # glibc then fills what it hands out with 0xFE: with its AVX-512 code, x264 wrote another film of these pictures
    without = {name: value for name, value in os.environ.items() if name != "MALLOC_PERTURB_"}
    for name, environment in (("a.mp4", without), ("b.mp4", without | {"MALLOC_PERTURB_": "1"})):
        subprocess.run([sys.executable, "-c", WRITE_WAVES, tmp_path / name], env=environment, check=True)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize(
    ("images", "frame_rate", "message"),
    [
        ([], 25, "at least one picture"),
        ([draw_number(0)], 0, "at least one picture per second"),
        ([draw_number(0), draw_number(1, width=80)], 25, "one shape"),
    ],
)
def test_what_is_no_film_is_refused_and_leaves_no_file(tmp_path, images, frame_rate, message):
    with pytest.raises(ValueError, match=message):
        write_clip(images, tmp_path / "a.mp4", frame_rate=frame_rate)
    assert list(tmp_path.iterdir()) == []


def test_pictures_that_fail_on_the_way_leave_no_file(tmp_path):
    def failing():
        yield from (draw_number(k) for k in range(20))
        raise RuntimeError("drawing failed")

    with pytest.raises(RuntimeError, match="drawing failed"):
        write_clip(failing(), tmp_path / "a.mp4", frame_rate=25)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_file(small_disk):
    noise = np.random.default_rng(0)
    disk = small_disk(64)
    with pytest.raises(StoreFullError, match="disk is full"):
        write_clip(
            (noise.integers(0, 256, (240, 320, 3), dtype=np.uint8) for _ in range(80)), disk / "a.mp4", frame_rate=25
        )
    assert list(disk.iterdir()) == []


def test_a_slow_copy_shows_the_same_pictures_twice_as_long(tmp_path):
    clip, slow = tmp_path / "a.mp4", tmp_path / "a-slow.mp4"
    write_clip((draw_number(k) for k in range(30)), clip, frame_rate=25)
    write_slow_copy(clip, slow)
    assert decoded_numbers(slow) == decoded_numbers(clip) == list(range(30))
    times, slow_times = (
        read_frame_times(path, video_id=VideoId("v" + "0" * 20), sha256="0" * 64)[0] for path in (clip, slow)
    )
    np.testing.assert_array_equal(slow_times.times_ns, 2 * times.times_ns)
    assert slow_times.end_ns == 2 * times.end_ns
    before = slow.read_bytes()
    write_slow_copy(clip, slow)
    assert slow.read_bytes() == before
