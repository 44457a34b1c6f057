"""Files of this machine: hashed, copied under a name of their own, kept although damaged, and never half."""

import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from collectors.base import CollectConfig, Fetched, Missed, SourceEntry, collect_sources
from collectors.local import LocalFileCollector
from schema.errors import DropReason, ItemError, StoreFullError
from schema.privacy import make_source_id
from schema.records import VideoFlag
from tests.collectors.conftest import video_bytes

KEY = bytes(32)
CONFIG = CollectConfig()


def entry_for(path: Path) -> SourceEntry:
    return SourceEntry(source_id=make_source_id(KEY, str(path)), location=str(path), person_id=None)


def collect(path: Path, folder: Path) -> Any:
    (row,) = collect_sources(
        [entry_for(path)], pseudonym_key=KEY, work_folder=folder, already_held=lambda *_: False, config=CONFIG
    )
    return row


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "Steffi_Sampras\n.MP4"
    path.write_bytes(video_bytes())
    return path


def test_a_file_is_copied_whole_under_a_name_of_its_own(film: Path, tmp_path: Path) -> None:
    row = collect(film, tmp_path / "work")

    assert isinstance(row, Fetched)
    digest = sha256(film.read_bytes()).hexdigest()
    assert (row.platform, row.native_id, row.record.sha256, row.format) == ("file", digest, digest, "")
    assert (row.path.name, row.path.read_bytes()) == (f"{row.entry.source_id}.mp4", film.read_bytes())
    assert (row.facts.title, row.received_bytes, row.record.frame_count) == ("Steffi_Sampras .MP4", 0, 40)


def test_a_cut_file_of_one_s_own_is_kept_and_flagged(film: Path, tmp_path: Path) -> None:
    film.write_bytes(video_bytes()[:3000])
    row = collect(film, tmp_path / "work")
    assert isinstance(row, Fetched)
    assert VideoFlag.TRUNCATED in row.record.flags


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: path.unlink(), DropReason.MISSING),
        (lambda path: path.write_bytes(b""), DropReason.EMPTY),
        (lambda path: path.write_bytes(b"no film at all"), DropReason.UNREADABLE),
        (lambda path: (path.unlink(), path.mkdir()), DropReason.MISSING),
    ],
)
def test_a_file_that_is_none_is_missed_without_its_name(film: Path, tmp_path: Path, make: Any, reason: Any) -> None:
    make(film)
    row = collect(film, tmp_path / "work")
    assert isinstance(row, Missed)
    assert (row.dropped.reason, row.byte_count) == (reason, 0)
    assert "Steffi" not in row.dropped.detail
    assert list((tmp_path / "work").iterdir()) == []


def test_a_file_that_can_t_be_read_says_why(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(13, os.strerror(13), str(path))

    monkeypatch.setattr("collectors.local.sha256_of", refuse)
    row = collect(film, tmp_path / "work")
    assert isinstance(row, Missed)
    assert (row.dropped.reason, row.dropped.detail) == (
        DropReason.UNREADABLE, "the file can't be read: Permission denied"
    )  # fmt: skip


def test_a_file_that_changes_between_hash_and_copy_is_not_taken(film: Path, tmp_path: Path) -> None:
    with LocalFileCollector(CONFIG).open(entry_for(film)) as offer:
        film.write_bytes(video_bytes(seed=9))
        with pytest.raises(ItemError) as caught:
            offer.save(tmp_path)
    assert caught.value.reason is DropReason.TRUNCATED


def test_a_full_disk_stops_the_run(film: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    with LocalFileCollector(CONFIG).open(entry_for(film)) as offer:
        (tmp_path / "work" / f"{entry_for(film).source_id}.mp4").symlink_to("/dev/full")
        with pytest.raises(StoreFullError, match="full"):
            offer.save(tmp_path / "work")
