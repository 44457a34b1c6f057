"""Rows leave a recorded table whole and for good, whatever moment the process is killed at."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema import batches
from schema.arrow import AVAILABILITY, SOURCES
from schema.errors import DamagedTableError
from schema.layout import StudyLayout
from schema.rows import table_of
from schema.tables import Store
from tests.kills import killed_at


def row(video_id: str, number: int = 0) -> dict[str, object]:
    return {"source_id": f"l{video_id}", "video_id": video_id, "state": "public", "checked_ns": number}


def filled(root: Path, *batch_rows: str, marks: str = "") -> Store:
    """A table of one batch for each string; each letter is a row about a video of that name."""
    store = Store(StudyLayout.at(root))
    for number, letters in enumerate(batch_rows):
        rows = [row(f"{marks}{letter}", 10 * number + place) for place, letter in enumerate(letters)]
        store.append(AVAILABILITY, table_of(AVAILABILITY, rows))
    return store


def not_about(*gone: str) -> Callable[[pa.Table], pa.Array]:
    return lambda rows: pc.invert(pc.is_in(rows["video_id"].combine_chunks(), value_set=pa.array(gone, pa.string())))


def letters(root: Path) -> str:
    """What a new process reads."""
    return "".join(Store(StudyLayout.at(root)).read(AVAILABILITY)["video_id"].to_pylist())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("abc", min_size=1, max_size=4), min_size=1, max_size=6), st.sets(st.sampled_from("abc")))
def test_what_is_kept_keeps_its_order_and_the_table_goes_on_growing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], gone: set[str]
) -> None:
    root = tmp_path_factory.mktemp("purged")
    store = filled(root, *rows)
    other = Store(StudyLayout.at(root))
    other.read(AVAILABILITY)
    kept = "".join(letter for letter in "".join(rows) if letter not in gone)
    assert store.purge(AVAILABILITY, not_about(*gone)) == len("".join(rows)) - len(kept)
    other.append(AVAILABILITY, table_of(AVAILABILITY, [row("z")]))
    for each in (store, other):
        assert "".join(each.read(AVAILABILITY)["video_id"].to_pylist()) == kept + "z"
    assert letters(root) == kept + "z"


def test_a_purge_that_finds_nothing_leaves_every_byte(tmp_path: Path) -> None:
    store = filled(tmp_path, "ab", "b")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "availability").iterdir()}
    assert store.purge(AVAILABILITY, not_about("c")) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "availability").iterdir()} == before
    assert store.purge(SOURCES, not_about("c")) == 0, "a table that was never begun"


def test_batches_without_such_rows_are_not_rewritten(tmp_path: Path) -> None:
    store = filled(tmp_path, "aa", "ab", "cc")
    store.purge(AVAILABILITY, not_about("b"))
    assert sorted(p.name for p in (tmp_path / "availability").glob("*.parquet")) == [
        "000001.parquet",
        "000002.r1.parquet",
        "000003.parquet",
    ]
    store.purge(AVAILABILITY, not_about("a"))
    assert {p.name for p in (tmp_path / "availability").glob("00000[12]*")} == {
        "000001.r1.parquet",
        "000002.r2.parquet",
    }


def test_no_byte_of_what_went_stays_also_in_the_parsed_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "PARSED_ANEW", 1)
    store = filled(tmp_path, *"abcab", marks="nameless-")
    Store(StudyLayout.at(tmp_path)).read(AVAILABILITY)
    assert list((tmp_path / "work" / "tables").glob("availability.*")), "the test is about this file"
    (tmp_path / "work" / "tables" / ".availability.77.fresh").write_bytes(b"nameless-a")
    store.purge(AVAILABILITY, not_about("nameless-a"))
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"nameless-a" not in path.read_bytes(), path
    assert letters(tmp_path) == "nameless-bnameless-cnameless-b"


@pytest.mark.parametrize("rows", [("ab", "b", "ca"), ("a",), ("a", "a")])
def test_a_purge_that_is_killed_at_any_moment_leaves_the_old_rows_or_the_new_and_is_finished(
    tmp_path: Path, rows: tuple[str, ...]
) -> None:
    whole = "".join(rows)
    kept = whole.replace("a", "")
    for moment in range(1, 40):
        root = tmp_path / str(moment)
        filled(root, *rows)
        if not killed_at(moment, partial(purging, root)):
            break
        assert letters(root) in (whole, kept), moment
        Store(StudyLayout.at(root)).purge(AVAILABILITY, not_about("a"))
        assert letters(root) == kept
        assert len(list((root / "availability").glob("*.parquet"))) == len(rows), "no other revision stays"
        assert not list((root / "availability").glob(".*"))
    else:
        pytest.fail("a purge has fewer moments")
    assert moment > 5


def purging(root: Path) -> Callable[[], object]:
    store = Store(StudyLayout.at(root))
    store.read(AVAILABILITY)
    return lambda: store.purge(AVAILABILITY, not_about("a"))


def test_a_batch_that_nobody_listed_is_still_damage(tmp_path: Path) -> None:
    filled(tmp_path, "ab", "b").purge(AVAILABILITY, not_about("b"))
    folder = tmp_path / "availability"
    (folder / "000004.parquet").write_bytes((folder / "000001.r1.parquet").read_bytes())
    with pytest.raises(DamagedTableError, match=r"000004\.parquet is not listed"):
        letters(tmp_path)


def test_a_lost_revision_is_told_and_the_batch_before_it_is_not_deleted_for_it(tmp_path: Path) -> None:
    filled(tmp_path, "ab").purge(AVAILABILITY, not_about("b"))
    folder = tmp_path / "availability"
    (folder / "000001.r1.parquet").rename(folder / "000001.parquet")
    with pytest.raises(DamagedTableError, match=r"000001\.r1\.parquet is missing"):
        letters(tmp_path)
    assert (folder / "000001.parquet").exists()
