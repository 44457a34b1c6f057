import resource
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media.frames import decode_frames, read_frame_times
from schema.errors import DropReason, ItemError
from schema.records import TimeFlag, VideoFlag, VideoId
from tests import media_files
from tests.media_files import read_number

VIDEO_ID = VideoId("v" + "0" * 20)
SHA256 = "ab" * 32


def times_of(path):
    return read_frame_times(path, video_id=VIDEO_ID, sha256=SHA256)[0]


def numbers_of(path, times=None, **how):
    return [read_number(f.image_rgb) for f in decode_frames(path, times or times_of(path), **how)]


@pytest.mark.parametrize("rate", media_files.CONSTANT_RATES.values(), ids=media_files.CONSTANT_RATES.keys())
def test_times_at_constant_rates_are_floored_multiples_of_a_frame(tmp_path, rate):
    times, flags = read_frame_times(
        media_files.constant_rate(tmp_path / "a.mp4", rate=rate, b_frames=2), video_id=VIDEO_ID, sha256=SHA256
    )
    assert times.times_ns.tolist() == [int(k * 1_000_000_000 / rate) for k in range(40)]
    assert set(times.flags.tolist()) == {TimeFlag.GOOD}
    assert flags == frozenset()
    assert (times.video_id, times.sha256) == (VIDEO_ID, SHA256)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_times_at_variable_rate_are_the_files_own(tmp_path, suffix):
    path = media_files.variable_rate(tmp_path / f"a.{suffix}", b_frames=2)
    times, flags = read_frame_times(path, video_id=VIDEO_ID, sha256=SHA256)
    assert times.times_ns.tolist() == [ms * 1_000_000 for ms in media_files.variable_pts(40)[0]]
    assert flags == {VideoFlag.VARIABLE_RATE}
    assert numbers_of(path, times) == list(range(40))


def test_milliseconds_of_matroska_are_not_a_variable_rate(tmp_path):
    path = media_files.constant_rate(tmp_path / "a.mkv", rate=Fraction(30000, 1001), count=100)
    assert read_frame_times(path, video_id=VIDEO_ID, sha256=SHA256)[1] == frozenset()


def test_the_origin_of_a_delayed_start_is_the_first_displayed_frame(tmp_path):
    path = media_files.delayed_start(tmp_path / "a.mp4", frames=50)
    times = times_of(path)
    assert times.pts[0] * times.time_base == 2
    assert times.times_ns[:2].tolist() == [0, 40_000_000]
    assert numbers_of(path, times) == list(range(30))


@pytest.mark.parametrize("b_frames", [0, 3])
def test_what_an_edit_list_removes_is_not_displayed(tmp_path, b_frames):
    path = media_files.edit_list(tmp_path / "a.mp4", hidden=5, b_frames=b_frames)
    times = times_of(path)
    assert times.times_ns[:2].tolist() == [0, 40_000_000]
    assert numbers_of(path, times) == list(range(5, 40))
    assert numbers_of(path, times, first_frame=3, end_frame=9) == list(range(8, 14))


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_frames_come_upright(tmp_path, degrees):
    path = media_files.rotated(tmp_path / "a.mp4", degrees=degrees)
    first = next(iter(decode_frames(path, times_of(path))))
    assert first.image_rgb.shape == (media_files.HEIGHT, media_files.WIDTH, 3)
    assert first.image_rgb.flags.c_contiguous
    assert numbers_of(path) == list(range(20))


@pytest.mark.parametrize(
    ("maker", "name", "shape"),
    [
        (media_files.vp9, "a.webm", (97, 161)),
        (media_files.hevc, "a.mp4", (96, 160)),
        (media_files.odd_sides, "a.mp4", (97, 161)),
        (media_files.portrait, "a.mp4", (160, 96)),
        (media_files.ten_per_second, "a.mp4", (96, 160)),
    ],
    ids=["vp9", "hevc", "odd", "portrait", "10 fps"],
)
def test_unusual_files_decode_frame_by_frame(tmp_path, maker, name, shape):
    path = maker(tmp_path / name)
    times = times_of(path)
    frames = list(decode_frames(path, times))
    assert [read_number(f.image_rgb) for f in frames] == list(range(len(times.times_ns)))
    assert frames[0].image_rgb.shape == (*shape, 3)
    assert [f.frame_index for f in frames] == list(range(len(frames)))
    assert [f.time_ns for f in frames] == times.times_ns.tolist()


@pytest.mark.parametrize(("longest", "shape"), [(80, (48, 80)), (160, (96, 160)), (1000, (96, 160)), (None, (96, 160))])
def test_pictures_are_scaled_down_and_never_up(tmp_path, longest, shape):
    path = media_files.constant_rate(tmp_path / "a.mp4", count=5)
    frames = list(decode_frames(path, times_of(path), max_side_px=longest))
    assert {f.image_rgb.shape for f in frames} == {(*shape, 3)}
    assert [read_number(f.image_rgb) for f in frames] == list(range(5))


OPEN_GOP = {"x264-params": "open-gop=1:bframes=4:b-adapt=0:keyint=12:min-keyint=1:scenecut=0"}
CONTAINERS = {
    "b.mp4": {"b_frames": 3},
    "b.ts": {"b_frames": 3},
    "b.mkv": {"b_frames": 3},
    "b.avi": {"b_frames": 3},
    "open-gop.mp4": {"codec_options": OPEN_GOP},
    "open-gop.ts": {"codec_options": OPEN_GOP},
    "intra-refresh.mp4": {"codec_options": {"x264-params": "intra-refresh=1:bframes=0:keyint=12"}},
}


@pytest.fixture(scope="module", params=CONTAINERS)
def whole_decode(request, tmp_path_factory):
    path = media_files.constant_rate(
        tmp_path_factory.mktemp("ranges") / request.param, count=150, **CONTAINERS[request.param]
    )
    times = times_of(path)
    return path, times, [f.image_rgb for f in decode_frames(path, times)]


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ends=st.tuples(st.integers(0, 150), st.integers(0, 150)))
def test_any_range_gives_the_frames_of_a_whole_decode(whole_decode, ends):
    path, times, whole = whole_decode
    first, end = sorted(ends)
    frames = list(decode_frames(path, times, first_frame=first, end_frame=end))
    assert [f.frame_index for f in frames] == list(range(first, end))
    assert all(np.array_equal(f.image_rgb, whole[f.frame_index]) for f in frames)


def test_any_range_of_a_damaged_file_gives_the_frames_of_a_whole_decode(tmp_path):
    path = media_files.damaged(tmp_path / "a.mp4", broken=(3, 30, 31, 47), b_frames=3)
    times = times_of(path)
    whole = [f.image_rgb for f in decode_frames(path, times)]
    for first in range(0, len(whole), 5):
        frames = list(decode_frames(path, times, first_frame=first))
        assert len(frames) == len(whole) - first
        assert all(np.array_equal(f.image_rgb, whole[f.frame_index]) for f in frames)


def test_chosen_frames_are_those_of_a_whole_decode(tmp_path):
    path = media_files.constant_rate(tmp_path / "a.mp4", b_frames=2)
    times = times_of(path)
    chosen = list(decode_frames(path, times, first_frame=4, end_frame=35, only=frozenset({2, 4, 17, 34, 38})))
    assert [read_number(frame.image_rgb) for frame in chosen] == [4, 17, 34]
    assert [frame.frame_index for frame in chosen] == [4, 17, 34]
    assert [frame.time_ns for frame in chosen] == times.times_ns[[4, 17, 34]].tolist()
    assert list(decode_frames(path, times, only=frozenset())) == []


@pytest.mark.parametrize(("first", "end"), [(-1, 5), (5, 3), (0, 41), (41, None)])
def test_a_range_outside_the_video_is_refused(tmp_path, first, end):
    path = media_files.constant_rate(tmp_path / "a.mp4")
    with pytest.raises(ValueError, match="of a video with 40"):
        list(decode_frames(path, times_of(path), first_frame=first, end_frame=end))


@pytest.mark.parametrize("first", [0, 20])
def test_times_of_another_file_are_told_from_this_ones(tmp_path, first):
    times = times_of(media_files.constant_rate(tmp_path / "a.mp4", count=40))
    other = media_files.variable_rate(tmp_path / "b.mp4", count=40)
    with pytest.raises(ItemError, match="not the one whose times were read") as caught:
        list(decode_frames(other, times, first_frame=first))
    assert caught.value.reason is DropReason.UNREADABLE


def test_decoding_stops_when_the_reader_stops(tmp_path):
    path = media_files.constant_rate(tmp_path / "a.mp4")
    frames = decode_frames(path, times_of(path))
    assert read_number(next(frames).image_rgb) == 0
    frames.close()


def test_memory_does_not_grow_with_the_length(tmp_path):
    def peak_mib_after(count):
        path = media_files.constant_rate(tmp_path / f"{count}.mp4", count=count, width=320, height=192)
        times = times_of(path)
        assert sum(1 for _ in decode_frames(path, times)) == count
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    peak_mib_after(30)
    short = peak_mib_after(60)
    # 600 more pictures of 184 kB would be 105 MiB.
    assert peak_mib_after(660) - short < 30


def test_the_sample_clip_holds_120_frames_at_29_97(sample_clip):
    times = times_of(sample_clip)
    assert times.times_ns.tolist() == [k * 1001 * 1_000_000_000 // 30000 for k in range(120)]
    assert times.end_ns == 4_004_000_000
