from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media.frames import decode_frames, read_frame_times
from media.probe import average_rate, record_of
from media.scan import scan_video
from schema.errors import DropReason, ItemError
from schema.records import VideoFlag, VideoId
from tests import media_files
from tests.media_files import read_number

VIDEO_ID = VideoId("v" + "0" * 20)
SHA256 = "ab" * 32


def probe(path):
    return record_of(path, scan_video(path), video_id=VIDEO_ID, sha256=SHA256)


def times_of(path):
    return read_frame_times(path, video_id=VIDEO_ID, sha256=SHA256)[0]


def test_a_plain_file_is_told_as_it_is(tmp_path):
    path = media_files.constant_rate(tmp_path / "a.mp4", rate=Fraction(24000, 1001), count=48, with_audio=True)
    record = probe(path)
    assert (record.codec, record.pixel_format, record.has_audio) == ("h264", "yuv420p", True)
    assert (record.width, record.height, record.rotation_degrees) == (160, 96, 0)
    assert record.average_rate == Fraction(24000, 1001)
    assert float(record.header_rate) == pytest.approx(23.976, abs=1e-2)
    assert record.frame_count == 48
    assert record.duration_ns == pytest.approx(2_002_000_000, abs=50_000)
    assert record.header_duration_ns == pytest.approx(2_002_000_000, abs=50_000)
    assert record.byte_count == path.stat().st_size
    assert record.flags == ()


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_the_turn_is_clockwise_and_the_size_the_displayed_one(tmp_path, degrees):
    record = probe(media_files.rotated(tmp_path / "a.mp4", degrees=degrees))
    assert record.rotation_degrees == degrees
    assert (record.width, record.height) == (160, 96)


def test_real_and_claimed_rate_differ_at_variable_rate(tmp_path):
    record = probe(media_files.variable_rate(tmp_path / "a.mkv"))
    assert record.average_rate == Fraction(39 * 1000, media_files.variable_pts(40)[0][-1])
    assert record.header_rate == 1000
    assert record.flags == (VideoFlag.VARIABLE_RATE,)


def test_the_average_rate_of_one_frame_is_one_over_its_length(tmp_path):
    path = media_files.constant_rate(tmp_path / "a.mp4", count=1)
    assert average_rate(times_of(path)) == 25


def test_colour_is_told(sample_clip):
    record = probe(sample_clip)
    assert (record.pixel_format, record.color_space) == ("yuv420p", "unspecified")
    assert (record.average_rate, record.frame_count) == (Fraction(30000, 1001), 120)


def write_bytes(content):
    def make(path):
        path.write_bytes(content)
        return path

    return make


BAD_FILES = {
    "no such file": (lambda path: path, "a.mp4", DropReason.MISSING),
    "0 bytes": (write_bytes(b""), "a.mp4", DropReason.EMPTY),
    "random bytes": (write_bytes(np.random.default_rng(0).bytes(200_000)), "a.mp4", DropReason.UNREADABLE),
    "text": (write_bytes(b"Dear reader, this is not a film.\n" * 400), "a.txt", DropReason.UNREADABLE),
    "playlist": (write_bytes(b"#EXTM3U\n#EXTINF:1\n/etc/hostname\n#EXT-X-ENDLIST\n"), "a.m3u8", DropReason.UNREADABLE),
    "folder": (lambda path: path.mkdir() or path, "a.mp4", DropReason.UNREADABLE),
    "without index": (media_files.without_index, "a.mp4", DropReason.UNREADABLE),
    "sound only": (media_files.audio_only, "a.m4a", DropReason.NO_VIDEO),
    "sound with a cover": (media_files.audio_with_cover, "a.mp3", DropReason.NO_VIDEO),
}


@pytest.mark.parametrize(("make", "name", "reason"), BAD_FILES.values(), ids=BAD_FILES.keys())
@pytest.mark.parametrize("read", [probe, times_of], ids=["probe", "times"])
def test_bad_files_have_a_reason_and_keep_their_name_to_themselves(tmp_path, make, name, reason, read):
    path = make(tmp_path / f"Some Player {name}")
    with pytest.raises(ItemError) as caught:
        read(path)
    assert caught.value.reason is reason
    assert caught.value.detail
    assert "Player" not in caught.value.detail
    assert str(tmp_path) not in caught.value.detail


def test_no_random_bytes_pass_for_a_video(tmp_path):
    for seed in range(25):
        path = tmp_path / "a.mp4"
        path.write_bytes(np.random.default_rng(seed).bytes(1 + 997 * seed))
        with pytest.raises(ItemError) as caught:
            probe(path)
        assert caught.value.reason is DropReason.UNREADABLE


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_cut_off_file_is_read_to_its_last_good_frame(tmp_path, name):
    path = media_files.truncated(tmp_path / name, count=100, kept=33)
    record = probe(path)
    assert record.flags == (VideoFlag.TRUNCATED,)
    assert record.frame_count == 33
    assert record.duration_ns == pytest.approx(33 * 40e6, abs=1e6)
    assert record.header_duration_ns == pytest.approx(100 * 40e6, abs=1e6)
    assert [read_number(f.image_rgb) for f in decode_frames(path, times_of(path))] == list(range(33))


def test_a_cut_off_file_with_b_frames_is_read_to_its_last_good_frame(tmp_path):
    path = media_files.truncated(tmp_path / "a.mp4", count=100, kept=48, b_frames=3)
    numbers = [read_number(f.image_rgb) for f in decode_frames(path, times_of(path))]
    assert probe(path).flags[0] is VideoFlag.TRUNCATED
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 48


def test_the_real_clip_cut_off_is_read_to_its_last_good_frame(tmp_path, sample_clip):
    path = tmp_path / "a.mp4"
    content = sample_clip.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    if content.index(b"moov") > len(content) // 2:
        with pytest.raises(ItemError, match="index is missing"):
            probe(path)
    else:
        record = probe(path)
        assert 10 < record.frame_count < 110
        assert record.flags == (VideoFlag.TRUNCATED,)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_after_broken_packets_it_goes_on(tmp_path, suffix):
    path = media_files.damaged(tmp_path / f"a.{suffix}", count=120, broken=(20, 21, 22))
    times, flags = read_frame_times(path, video_id=VIDEO_ID, sha256=SHA256)
    numbers = [read_number(f.image_rgb) for f in decode_frames(path, times)]
    assert VideoFlag.DAMAGED in flags
    assert VideoFlag.TRUNCATED not in flags
    assert numbers[:20] == list(range(20))
    assert numbers[-72:] == list(range(48, 120))
    assert np.all(np.diff(times.times_ns) > 0)


@pytest.fixture(scope="module")
def intact_bytes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("intact")
    return [
        media_files.constant_rate(folder / f"a.{suffix}", count=40, b_frames=2).read_bytes()
        for suffix in ("mp4", "mkv", "ts", "avi", "flv")
    ]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_broken_ends_in_frames_or_in_an_item_error(intact_bytes, tmp_path, data):
    content = bytearray(data.draw(st.sampled_from(intact_bytes)))
    places = st.integers(0, len(content) - 1) | st.integers(0, 600)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=40)):
        content[place] = value
    path = tmp_path / "a.bin"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        times = times_of(path)
    except ItemError:
        return
    assert sum(1 for _ in decode_frames(path, times)) == times.times_ns.shape[0]


SHARED = {
    "datajuicer_video3.mp4": ((362, 640), Fraction(24), 1190, ()),
    "decord_corrupted.mp4": ((1280, 720), Fraction(480, 49), 49, (VideoFlag.DAMAGED, VideoFlag.VARIABLE_RATE)),
    "decord_rot90.mov": ((320, 568), Fraction(30), 3, ()),
    "mmaction2_demo_skeleton.mp4": ((1920, 1080), Fraction(1065, 38), 72, (VideoFlag.VARIABLE_RATE,)),
    "pyfeat_no_face.mp4": ((960, 540), Fraction(24), 95, ()),
    "pyfeat_noface_face.mov": ((960, 540), Fraction(2064384, 77971), 169, (VideoFlag.VARIABLE_RATE,)),
    "pyfeat_WolfgangLanger_Pexels.mp4": ((640, 360), Fraction(24000, 1001), 472, ()),
    "slp_pose_test_video.mp4": ((540, 720), Fraction(359, 12), 58, ()),
}


@pytest.mark.parametrize("name", SHARED)
def test_real_clips_are_told_as_they_are(shared_media, name):
    record = probe(shared_media / "videos" / name)
    assert ((record.width, record.height), record.average_rate, record.frame_count, record.flags) == SHARED[name]


def test_202_of_472_frames_that_the_header_promises(shared_media, tmp_path):
    content = (shared_media / "videos" / "pyfeat_WolfgangLanger_Pexels.mp4").read_bytes()
    path = tmp_path / "a.mp4"
    path.write_bytes(content[: len(content) * 2 // 5])
    if content.index(b"moov") > len(content) * 2 // 5:
        pytest.skip("the clip's index lies at its end")
    record = probe(path)
    assert 100 < record.frame_count < 300
    assert VideoFlag.TRUNCATED in record.flags
    assert VideoFlag.DAMAGED not in record.flags
    assert record.header_duration_ns > 19e9
