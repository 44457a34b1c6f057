"""A fetched file is what was announced, whole and decodable at both ends, or it is refused; own files are described."""

from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media import verify
from media.boxes import is_cut_off
from media.probe import record_of
from media.scan import scan_video
from media.verify import check_video
from schema.errors import DropReason, ItemError
from schema.records import VideoFlag, VideoId, VideoRecord
from tests import media_files

VIDEO_ID = VideoId("v" + "0" * 20)
SHA256 = "ab" * 32
SECOND = 1_000_000_000


def check(path: Path, *, announced_s: float | None = None, is_download: bool = True) -> VideoRecord:
    announced_ns = None if announced_s is None else round(announced_s * SECOND)
    return check_video(
        path,
        video_id=VIDEO_ID,
        sha256=SHA256,
        announced_duration_ns=announced_ns,
        tolerance_s=2.0,
        is_download=is_download,
    )


def differences(path: Path) -> list[str]:
    """Name the fields that a whole decode tells otherwise."""
    ours, whole = check(path), record_of(path, scan_video(path), video_id=VIDEO_ID, sha256=SHA256)
    return [f.name for f in fields(ours) if getattr(ours, f.name) != getattr(whole, f.name)]


def vp8_with_hidden_pictures(path: Path) -> Path:
    """Write VP8 that holds reference pictures which are never shown."""
    options = {"auto-alt-ref": "1", "lag-in-frames": "16", "arnr-maxframes": "5", "b": "100k"}
    return media_files.constant_rate(path, count=200, codec="libvpx", codec_options=options)


def open_groups(path: Path) -> Path:
    options = {"x264-params": "open-gop=1:scenecut=0:b-adapt=0:keyint=24"}
    return media_files.constant_rate(path, count=200, b_frames=3, codec_options=options)


def intra_refresh(path: Path) -> Path:
    """Write a file that ends 4 pictures after a recovery point: they show nothing by themselves."""
    options = {"x264-params": "intra-refresh=1:keyint=24"}
    return media_files.constant_rate(path, count=200, codec_options=options)


WHOLE_FILES = {
    "constant.mp4": media_files.constant_rate,
    "wandering.mkv": media_files.variable_rate,
    "b.mp4": media_files.b_frames,
    "b.mkv": media_files.b_frames,
    "b.ts": media_files.b_frames,
    "b.avi": media_files.b_frames,
    "b.flv": media_files.b_frames,
    "edit.mp4": media_files.edit_list,
    "late.mp4": media_files.delayed_start,
    "turned.mp4": media_files.rotated,
    "odd.mp4": media_files.odd_sides,
    "vp9.webm": media_files.vp9,
    "hevc.mp4": media_files.hevc,
    "vp8.webm": vp8_with_hidden_pictures,
    "open.mp4": open_groups,
    "refresh.mp4": intra_refresh,
}


@pytest.mark.parametrize("name", WHOLE_FILES)
def test_a_whole_file_is_told_as_a_whole_decode_tells_it(tmp_path: Path, name: str) -> None:
    assert differences(WHOLE_FILES[name](tmp_path / name)) == []


def test_an_edit_list_hides_pictures_from_the_count(tmp_path: Path) -> None:
    record = check(media_files.edit_list(tmp_path / "a.mp4", hidden=30, count=90, b_frames=3))
    assert (record.frame_count, record.average_rate) == (60, Fraction(25))


def test_only_the_two_ends_are_decoded(tmp_path: Path) -> None:
    path = media_files.damaged(tmp_path / "a.mp4", count=120, broken=(50, 51, 52))
    record = check(path)
    assert record.frame_count == 120
    assert record.flags == ()


@pytest.mark.parametrize("held_bytes", [0, 1 << 30])
def test_a_group_too_long_to_hold_is_decoded_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_bytes: int
) -> None:
    monkeypatch.setattr(verify, "HELD_BYTES", held_bytes)
    assert differences(media_files.b_frames(tmp_path / "a.mp4")) == []
    cut = media_files.damaged(tmp_path / "b.mp4", count=60, broken=(57, 58, 59))
    with pytest.raises(ItemError, match="the last group of pictures"):
        check(cut)


def index_in_front(path: Path, *, count: int = 100) -> bytearray:
    media_files.constant_rate(path, count=count, container_options={"movflags": "+faststart"}, with_audio=True)
    return bytearray(path.read_bytes())


def test_a_download_cut_anywhere_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    content = index_in_front(path)
    for kept in (*range(40, len(content), len(content) // 23), len(content) - 1):
        path.write_bytes(content[:kept])
        with pytest.raises(ItemError) as caught:
            check(path)
        assert caught.value.reason is DropReason.TRUNCATED, kept


def test_a_download_without_its_index_is_truncated_and_an_own_file_unreadable(tmp_path: Path) -> None:
    path = media_files.without_index(tmp_path / "a.mp4")
    with pytest.raises(ItemError, match="breaks off before its index") as caught:
        check(path)
    assert caught.value.reason is DropReason.TRUNCATED
    with pytest.raises(ItemError) as caught:
        check(path, is_download=False)
    assert caught.value.reason is DropReason.UNREADABLE


@pytest.mark.parametrize("zeros", [0.5, 0.1, 0.02])
def test_a_download_whose_end_was_never_written_is_truncated(tmp_path: Path, zeros: float) -> None:
    path = tmp_path / "a.mp4"
    media_files.constant_rate(path, count=100, container_options={"movflags": "+faststart"})
    content = bytearray(path.read_bytes())
    lost = round(len(content) * zeros)
    content[-lost:] = bytes(lost)
    path.write_bytes(content)
    with pytest.raises(ItemError, match="the last group of pictures") as caught:
        check(path)
    assert caught.value.reason is DropReason.TRUNCATED
    assert VideoFlag.DAMAGED in check(path, is_download=False).flags


def test_a_fragmented_download_cut_between_two_fragments_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    media_files.constant_rate(path, count=100, container_options={"movflags": "dash+global_sidx+frag_keyframe"})
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"moof", 0, len(content) // 2) - 4])
    assert not is_cut_off(path)
    with pytest.raises(ItemError, match=r"before its header says") as caught:
        check(path)
    assert caught.value.reason is DropReason.TRUNCATED


@pytest.mark.parametrize(("announced_s", "is_taken"), [(4.0, True), (5.9, True), (6.1, False), (400.0, False)])
def test_a_file_shorter_than_announced_is_truncated(tmp_path: Path, announced_s: float, is_taken: bool) -> None:
    path = media_files.constant_rate(tmp_path / "a.ts", count=100)
    if is_taken:
        assert check(path, announced_s=announced_s).frame_count == 100
        return
    with pytest.raises(ItemError, match=rf"lasts 4\.0 s, and {announced_s} s were announced") as caught:
        check(path, announced_s=announced_s)
    assert caught.value.reason is DropReason.TRUNCATED


def test_a_header_that_lies_about_the_length_is_caught(tmp_path: Path) -> None:
    path = media_files.constant_rate(tmp_path / "a.mkv", count=100)
    content = bytearray(path.read_bytes())
    place = content.index(b"\x44\x89\x88") + 3  # Matroska's Duration, a float of 8 bytes, in milliseconds
    content[place : place + 8] = np.array([60_000.0], dtype=">f8").tobytes()
    path.write_bytes(content)
    with pytest.raises(ItemError, match=r"ends after 4\.0 s, 56\.0 s before its header says"):
        check(path, announced_s=4.0)
    assert check(path, is_download=False).flags == (VideoFlag.TRUNCATED,)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_an_own_file_that_is_cut_off_is_described_and_flagged(tmp_path: Path, name: str) -> None:
    path = media_files.truncated(tmp_path / name, count=100, kept=33)
    record = check(path, is_download=False)
    assert record.flags == (VideoFlag.TRUNCATED,)
    assert record.frame_count == 33
    assert record.header_duration_ns == pytest.approx(100 * 40e6, abs=1e6)


def test_a_download_without_a_first_picture_is_truncated(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    content = bytearray(media_files.constant_rate(path, count=60, gop=12).read_bytes())
    with av.open(str(path)) as container:
        starts = [packet.pos for packet in container.demux(video=0) if packet.size]
    content[starts[0] : starts[12]] = bytes(starts[12] - starts[0])
    path.write_bytes(content)
    with pytest.raises(ItemError) as caught:
        check(path)
    assert caught.value.reason is DropReason.TRUNCATED
    assert VideoFlag.DAMAGED in check(path, is_download=False).flags


def write_bytes(content: bytes):
    def make(path: Path) -> Path:
        path.write_bytes(content)
        return path

    return make


BAD_FILES = {
    "no such file": (lambda path: path, "a.mp4", DropReason.MISSING),
    "0 bytes": (write_bytes(b""), "a.mp4", DropReason.EMPTY),
    "random bytes": (write_bytes(np.random.default_rng(0).bytes(200_000)), "a.mp4", DropReason.UNREADABLE),
    "page": (write_bytes(b"<!doctype html><title>Sign in</title>" * 400), "a.mp4", DropReason.UNREADABLE),
    "playlist": (write_bytes(b"#EXTM3U\n#EXTINF:1\n/etc/hostname\n#EXT-X-ENDLIST\n"), "a.m3u8", DropReason.UNREADABLE),
    "sound only": (media_files.audio_only, "a.m4a", DropReason.NO_VIDEO),
    "sound with a cover": (media_files.audio_with_cover, "a.mp3", DropReason.NO_VIDEO),
}


@pytest.mark.parametrize("is_download", [True, False])
@pytest.mark.parametrize(("make", "name", "reason"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_files_have_a_reason_and_keep_their_name_to_themselves(tmp_path, make, name, reason, is_download) -> None:
    path = make(tmp_path / f"Some Player {name}")
    with pytest.raises(ItemError) as caught:
        check(path, is_download=is_download)
    assert caught.value.reason is reason
    assert "Player" not in caught.value.detail
    assert str(tmp_path) not in caught.value.detail


@pytest.fixture(scope="module")
def intact_bytes(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("intact")
    return [
        media_files.constant_rate(folder / f"a.{suffix}", count=40, b_frames=2).read_bytes()
        for suffix in ("mp4", "mkv", "ts", "avi", "flv")
    ]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_broken_ends_in_a_record_or_in_an_item_error(intact_bytes, tmp_path, data) -> None:
    content = bytearray(data.draw(st.sampled_from(intact_bytes)))
    places = st.integers(0, len(content) - 1) | st.integers(0, 600)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=40)):
        content[place] = value
    path = tmp_path / "a.bin"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    for is_download in (True, False):
        try:
            record = check(path, announced_s=1.6, is_download=is_download)
        except ItemError:
            continue
        assert record.frame_count > 0
        assert record.duration_ns > 0


FLAWED = frozenset({"decord_corrupted.mp4"})


def test_real_clips_are_told_as_a_whole_decode_tells_them(shared_media: Path) -> None:
    told = {p.name: differences(p) for p in sorted((shared_media / "videos").iterdir()) if p.name not in FLAWED}
    assert len(told) > 10
    assert {name: found for name, found in told.items() if found} == {}


def test_a_real_clip_cut_to_two_fifths_is_truncated(shared_media: Path, tmp_path: Path) -> None:
    content = (shared_media / "videos" / "pyfeat_WolfgangLanger_Pexels.mp4").read_bytes()
    path = tmp_path / "a.mp4"
    path.write_bytes(content[: len(content) * 2 // 5])
    with pytest.raises(ItemError) as caught:
        check(path, announced_s=19.7)
    assert caught.value.reason is DropReason.TRUNCATED
