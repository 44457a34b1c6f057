import subprocess
import sys
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.frames import decode_frames, read_frame_times
from media.hashes import sha256_of
from media.proxies import (
    ProxyConfig,
    ProxyFile,
    labelstudio_frames,
    proxy_rate,
    span_of_labelstudio_frames,
    write_proxy,
)
from schema.errors import DropReason, ItemError, StoreFullError
from schema.records import FrameTimes, VideoId
from schema.timespan import TimeSpan
from tests import media_files
from tests.media_files import CONSTANT_RATES, decoded_numbers, read_number

VIDEO_ID = VideoId("v" + "0" * 20)
SHA256 = "ab" * 32


def times_of(path):
    return read_frame_times(path, video_id=VIDEO_ID, sha256=SHA256)[0]


def at_rate(rate, b_frames):
    return lambda path: media_files.constant_rate(path, rate=rate, count=60, b_frames=b_frames)


SOURCES = {
    **{f"{name} fps": (at_rate(rate, 0), "a.mp4", 0) for name, rate in CONSTANT_RATES.items()},
    **{f"{name} fps, b-frames": (at_rate(rate, 3), "a.mp4", 0) for name, rate in CONSTANT_RATES.items()},
    "variable rate": (media_files.variable_rate, "a.mp4", 0),
    "variable rate, b-frames": (lambda path: media_files.variable_rate(path, b_frames=3), "a.mkv", 0),
    "delayed start": (media_files.delayed_start, "a.mp4", 0),
    "edit list": (media_files.edit_list, "a.mp4", 5),
    "edit list, b-frames": (lambda path: media_files.edit_list(path, b_frames=2), "a.mp4", 5),
    **{f"turned by {d}": (lambda path, d=d: media_files.rotated(path, degrees=d), "a.mp4", 0) for d in (90, 180, 270)},
    "10 fps": (media_files.ten_per_second, "a.mp4", 0),
    "odd sides": (media_files.odd_sides, "a.mp4", 0),
    "portrait": (media_files.portrait, "a.mp4", 0),
    "vp9": (media_files.vp9, "a.webm", 0),
    "hevc": (media_files.hevc, "a.mp4", 0),
    "avi with b-frames": (media_files.b_frames, "a.avi", 0),
}


@pytest.mark.parametrize(("make", "name", "first_number"), SOURCES.values(), ids=SOURCES.keys())
def test_round_trip_of_every_frame_has_no_error(tmp_path, make, name, first_number):
    source, target = make(tmp_path / name), tmp_path / "proxy.mp4"
    times = times_of(source)
    count = times.times_ns.shape[0]
    made = write_proxy(source, target, times, config=ProxyConfig())
    shown = decoded_numbers(target)
    assert made.frame_count == len(shown) == count
    for frame in range(count):
        start, end = labelstudio_frames(times.span_of(frame, frame + 1), times)
        assert start == end == frame + 1
        # The page shows frame `start` at (start - 1) / frameRate, from 0.
        assert shown[start - 1] == frame + first_number
        assert span_of_labelstudio_frames(start, end, times) == times.span_of(frame, frame + 1)


@pytest.mark.parametrize(("make", "name", "_"), SOURCES.values(), ids=SOURCES.keys())
def test_a_proxy_is_what_a_browser_likes(tmp_path, make, name, _):
    source, target = make(tmp_path / name), tmp_path / "proxy.mp4"
    times = times_of(source)
    made = write_proxy(source, target, times, config=ProxyConfig(key_frame_every=7))
    content = target.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert b"x264" not in content
    assert b"Lavf" not in content
    with av.open(str(target)) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width % 2, stream.height % 2) == (0, 0)
        assert (stream.width, stream.height) == (made.width, made.height)
        assert stream.sample_aspect_ratio in (None, 1)
        assert (stream.average_rate, stream.frames) == (made.frame_rate, made.frame_count)
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert [p.pts * stream.time_base * made.frame_rate for p in packets] == list(range(made.frame_count))
        assert [p.pts for p in packets] == [p.dts for p in packets]
        assert [i for i, p in enumerate(packets) if p.is_keyframe] == list(range(0, made.frame_count, 7))


def test_ffmpeg_counts_the_same_frames(tmp_path):
    target = tmp_path / "proxy.mp4"
    source = media_files.variable_rate(tmp_path / "a.mp4", b_frames=3)
    write_proxy(source, target, times_of(source), config=ProxyConfig())
    done = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", target, "-f", "framemd5", "-"],
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    assert len([line for line in done.stdout.splitlines() if not line.startswith(b"#")]) == 40


@pytest.mark.parametrize("start_at", range(0, 60, 13))
def test_every_group_of_pictures_is_closed(tmp_path, start_at):
    target = tmp_path / "proxy.mp4"
    source = media_files.b_frames(tmp_path / "a.mp4")
    write_proxy(source, target, times_of(source), config=ProxyConfig())
    times = times_of(target)
    frames = decode_frames(target, times, first_frame=start_at)
    assert [read_number(f.image_rgb) for f in frames] == list(range(start_at, 60))


@pytest.mark.parametrize(
    ("rate", "expected"), [("23.976", 24), ("25", 25), ("29.97", 30), ("30", 30), ("50", 50), ("0.2", 1)]
)
def test_the_rate_is_the_average_rounded_and_1_at_least(tmp_path, rate, expected):
    path = media_files.constant_rate(tmp_path / "a.mkv", rate=CONSTANT_RATES.get(rate, Fraction(1, 5)), count=12)
    assert proxy_rate(times_of(path)) == expected


def test_tall_pictures_are_scaled_to_the_height(tmp_path):
    source = media_files.constant_rate(tmp_path / "a.mp4", count=6, width=320, height=240)
    target = tmp_path / "proxy.mp4"
    made = write_proxy(source, target, times_of(source), config=ProxyConfig(max_height_px=90))
    assert made == ProxyFile(frame_count=6, frame_rate=25, width=120, height=90)
    assert decoded_numbers(target) == list(range(6))


def test_pixels_come_out_square(sample_clip, tmp_path):
    # 176x144 with pixels of 128:117, as PAL video has them.
    made = write_proxy(sample_clip, tmp_path / "proxy.mp4", times_of(sample_clip), config=ProxyConfig())
    assert (made.frame_count, made.frame_rate, made.width, made.height) == (120, 30, 192, 144)


def test_the_same_source_gives_the_same_bytes(tmp_path, sample_clip):
    times = times_of(sample_clip)
    digests = set()
    for name in ("one.mp4", "two.mp4"):
        write_proxy(sample_clip, tmp_path / name, times, config=ProxyConfig())
        digests.add(sha256_of(tmp_path / name))
    assert len(digests) == 1


def test_the_picture_keeps_its_colours(tmp_path, sample_clip):
    times = times_of(sample_clip)
    write_proxy(sample_clip, tmp_path / "proxy.mp4", times, config=ProxyConfig(quality_crf=10))
    proxy_times = times_of(tmp_path / "proxy.mp4")
    before = next(iter(decode_frames(sample_clip, times))).image_rgb.mean(axis=(0, 1))
    after = next(iter(decode_frames(tmp_path / "proxy.mp4", proxy_times))).image_rgb.mean(axis=(0, 1))
    assert np.abs(before - after).max() < 2


def test_a_damaged_source_has_a_proxy_of_its_frames(tmp_path):
    source = media_files.damaged(tmp_path / "a.mp4")
    times = times_of(source)
    made = write_proxy(source, tmp_path / "proxy.mp4", times, config=ProxyConfig())
    assert made.frame_count == times.times_ns.shape[0] == len(decoded_numbers(tmp_path / "proxy.mp4"))


def test_a_failure_leaves_no_file_and_the_older_one_stands(tmp_path):
    source = media_files.constant_rate(tmp_path / "a.mp4")
    other_times = times_of(media_files.variable_rate(tmp_path / "b.mp4"))
    target = tmp_path / "out" / "proxy.mp4"
    with pytest.raises(ItemError, match="not the one whose times were read"):
        write_proxy(source, target, other_times, config=ProxyConfig())
    assert list(target.parent.iterdir()) == []
    target.write_bytes(b"older")
    with pytest.raises(ItemError):
        write_proxy(source, target, other_times, config=ProxyConfig())
    assert [path.name for path in target.parent.iterdir()] == ["proxy.mp4"]
    assert target.read_bytes() == b"older"


@pytest.mark.parametrize("kib", [8, 100])
def test_a_full_disk_is_told_with_what_is_needed(tmp_path, small_disk, sample_clip, kib):
    disk = small_disk(kib)
    with pytest.raises(StoreFullError, match=r"needs? ") as caught:
        write_proxy(sample_clip, disk / "proxy.mp4", times_of(sample_clip), config=ProxyConfig(quality_crf=1))
    assert "MB" in str(caught.value)
    assert list(disk.iterdir()) == []


def frame_times(gaps_ns):
    starts = np.concatenate([[0], np.cumsum(gaps_ns)]).astype(np.int64)
    return FrameTimes(
        video_id=VIDEO_ID,
        sha256=SHA256,
        time_base=Fraction(1, 1_000_000_000),
        pts=starts[:-1],
        times_ns=starts[:-1],
        flags=np.zeros(len(gaps_ns), dtype=np.uint8),
        end_ns=int(starts[-1]),
    )


@settings(max_examples=200)
@given(st.data())
def test_ranges_and_frame_aligned_spans_are_inverses(data):
    times = frame_times(data.draw(st.lists(st.integers(1, 10**9), min_size=1, max_size=50)))
    count = times.times_ns.shape[0]
    start = data.draw(st.integers(1, count))
    end = data.draw(st.integers(start, count))
    span = span_of_labelstudio_frames(start, end, times)
    assert labelstudio_frames(span, times) == (start, end)
    assert span == times.span_of(start - 1, end)


def test_a_span_between_frames_takes_the_frames_that_start_in_it():
    times = frame_times([40] * 10)
    assert labelstudio_frames(TimeSpan(start_ns=41, end_ns=161), times) == (3, 5)
    assert labelstudio_frames(TimeSpan(start_ns=41, end_ns=42), times) == (3, 3)


@pytest.mark.parametrize(("start", "end"), [(0, 3), (4, 3), (1, 11), (-2, -1)])
def test_a_range_that_the_page_can_not_give_is_refused(start, end):
    with pytest.raises(ItemError, match="frames 1 to 10") as caught:
        span_of_labelstudio_frames(start, end, frame_times([40] * 10))
    assert caught.value.reason is DropReason.INVALID_ANSWER


def test_the_command_starts_without_a_decoder():
    modules = "media.proxies, media.frames, media.store, media.clips, media.probe"
    script = f"import sys, {modules}; sys.exit('av' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
