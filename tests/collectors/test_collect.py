"""The collect stage: kept + dropped = inputs, and when a dropped entry is tried again."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.base import AlreadyHeld, CollectConfig, Fetched, SourceEntry, collect_sources, try_again
from schema.errors import DropReason
from schema.privacy import make_source_id
from schema.records import Dropped

KEY = bytes(32)
CONFIG = CollectConfig()


def entry_for(location: Path | str) -> SourceEntry:
    return SourceEntry(source_id=make_source_id(KEY, str(location)), location=str(location), person_id="p1")


@settings(max_examples=25, deadline=None)
@given(contents=st.lists(st.one_of(st.none(), st.binary(max_size=8)), max_size=6))
def test_every_entry_comes_out_once_in_order(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes | None]
) -> None:
    root: Path = tmp_path_factory.mktemp("collect")
    entries = [entry_for(root / f"{i}.mp4") for i in range(len(contents))]
    for entry, content in zip(entries, contents, strict=True):
        if content is not None:
            Path(entry.location).write_bytes(content)
    held: set[tuple[str, str]] = set()
    rows = []
    for row in collect_sources(
        entries, pseudonym_key=KEY, work_folder=root / "work", already_held=lambda *key: key in held, config=CONFIG
    ):
        rows.append(row)
        if isinstance(row, Fetched):
            held.add((row.platform, row.native_id))
            assert row.path.read_bytes() == Path(row.entry.location).read_bytes()

    ids = [row.item_id if isinstance(row, Dropped) else row.entry.source_id for row in rows]
    assert ids == [entry.source_id for entry in entries]
    fetched = [row for row in rows if isinstance(row, Fetched)]
    assert len({row.video_id for row in fetched}) == len(fetched) == len({c for c in contents if c})
    for row, content in zip(rows, contents, strict=True):
        if isinstance(row, Dropped):
            assert row.reason is (DropReason.MISSING if content is None else DropReason.EMPTY)
        else:
            assert isinstance(row, Fetched | AlreadyHeld)


def test_a_copied_file_has_no_name_of_its_own(tmp_path: Path) -> None:
    video = tmp_path / "Steffi_Sampras_dQw4w9WgXcQ.Steffi"
    video.write_bytes(b"film")

    (row,) = collect_sources(
        [entry_for(video)],
        pseudonym_key=KEY,
        work_folder=tmp_path / "work",
        already_held=lambda *_: False,
        config=CONFIG,
    )

    assert isinstance(row, Fetched)
    assert row.path.name == f"{row.entry.source_id}.video"
    assert (row.platform, row.native_id, row.title) == ("file", row.sha256, video.name)
    assert video.exists()


def test_a_dropped_entry_is_tried_again_where_that_makes_sense(tmp_path: Path) -> None:
    link, late = entry_for("https://example.org/a.mp4"), entry_for(tmp_path / "late.mp4")
    again = {reason for reason in DropReason if try_again(link, reason)}
    assert again == {DropReason.NETWORK, DropReason.INCOMPLETE, DropReason.REFUSED}

    assert not try_again(late, DropReason.MISSING)
    Path(late.location).touch()
    assert not try_again(late, DropReason.EMPTY)
    Path(late.location).write_bytes(b"film")
    assert try_again(late, DropReason.MISSING)
    assert try_again(late, DropReason.EMPTY)
