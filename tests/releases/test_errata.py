"""errata.jsonl tells the users of a release what was withdrawn of it, each thing once."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from releases.errata import ERRATA_FILE, Erratum, append_errata, held_of, read_errata
from schema.errors import InvalidReleaseError

LINE = Erratum(
    release="clubs",
    version="1.0.0",
    noted_on=date(2026, 7, 1),
    category="requested",
    segment_ids=("g1", "g2"),
    video_ids=("v1",),
)


def test_a_line_comes_back_as_it_was_written_and_is_not_written_twice(tmp_path: Path):
    assert append_errata(tmp_path, [LINE]) == [LINE]
    text = (tmp_path / ERRATA_FILE).read_text()
    assert read_errata(tmp_path / ERRATA_FILE) == [LINE]
    assert append_errata(tmp_path, [replace(LINE, noted_on=date(2026, 8, 2))]) == []
    assert (tmp_path / ERRATA_FILE).read_text() == text


def test_a_line_tells_machines_and_people_which_rows_to_drop(tmp_path: Path):
    append_errata(tmp_path, [LINE])
    told = json.loads((tmp_path / ERRATA_FILE).read_text())
    assert (told["segments"], told["videos"]) == (2, 1)
    assert told["segment_ids"] == ["g1", "g2"]
    assert told["text"].startswith("2 segments of 1 videos were withdrawn (it was asked for): drop the rows")


def test_only_what_no_line_of_the_same_release_names_is_added(tmp_path: Path):
    append_errata(tmp_path, [LINE])
    more = replace(LINE, segment_ids=("g1", "g2", "g3"), video_ids=("v1", "v2"), category="vanished")
    (added,) = append_errata(tmp_path, [more])
    assert (added.segment_ids, added.video_ids) == (("g3",), ("v2",))
    other = replace(LINE, version="1.1.0")
    assert append_errata(tmp_path, [other, LINE]) == [other]
    assert read_errata(tmp_path / ERRATA_FILE) == [LINE, added, other]


def test_no_file_says_nothing(tmp_path: Path):
    assert read_errata(tmp_path / ERRATA_FILE) == []
    assert append_errata(tmp_path, []) == []
    assert not (tmp_path / ERRATA_FILE).exists()


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"release": "x"}', "null"]
    + [json.dumps(json.loads('{"release":"a","version":"1.0.0","noted_on":"2026-01-01"}') | more)
       for more in (
           {"category": "requested", "segment_ids": "g1", "video_ids": []},
           {"category": "whim", "segment_ids": [], "video_ids": []},
           {"category": "requested", "segment_ids": [1], "video_ids": []},
       )],
)  # fmt: skip
def test_a_line_that_is_none_is_named_and_the_file_stays(tmp_path: Path, text: str):
    append_errata(tmp_path, [LINE])
    path = tmp_path / ERRATA_FILE
    path.write_text(path.read_text() + text + "\n")
    before = path.read_bytes()
    with pytest.raises(InvalidReleaseError, match=r"^errata\.jsonl, line 2: [^\n]+; restore the file$"):
        append_errata(tmp_path, [replace(LINE, version="2.0.0")])
    assert path.read_bytes() == before


@pytest.mark.parametrize("layout", ["{table}-train-00000-of-00001.parquet", "{table}/train-00000.parquet"])
def test_what_a_release_holds_of_a_video_is_read_from_its_tables(tmp_path: Path, layout: str):
    def write(table: str, **columns: list[str]) -> None:
        path = tmp_path / "data" / layout.format(table=table)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)

    write("segments", segment_id=["g1", "g2", "g3"], video_id=["v1", "v2", "v1"])
    write("videos", video_id=["v1", "v2"])
    write("unlabelled", video_id=["v3"])
    write("keypoints", frame=["never read"])
    held = held_of(tmp_path, ["v1", "v3", "v9"])
    assert held.segments == {"g1": "v1", "g3": "v1"}
    assert held.video_ids == {"v1", "v3"}


def test_a_release_that_cannot_be_read_is_named(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "videos-train-00000-of-00001.parquet").write_bytes(b"no table")
    with pytest.raises(InvalidReleaseError, match=r"videos-train.*can't be read.*restore it from a backup"):
        held_of(tmp_path, ["v1"])
