"""Validation: every flipped byte and every planted error is found, by the check that is meant for it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from releases.privacy.linter import ForbiddenStrings
from releases.validation.validate import validate_release
from schema.errors import InvalidReleaseError
from tests.releases.release_data import files_of, resign, subject

SEGMENTS = "data/segments-train-00000-of-00001.parquet"
TEST_SEGMENTS = "data/segments-test-00000-of-00001.parquet"
VOTES = "data/votes-train-00000-of-00001.parquet"
VIDEOS = "data/videos-train-00000-of-00001.parquet"
TEST_VIDEOS = "data/videos-test-00000-of-00001.parquet"
SUBJECTS = "data/subjects-train-00000-of-00001.parquet"
WINDOWS = "data/unlabelled-train-00000-of-00001.parquet"
KEYPOINTS = "data/keypoints-test-00000-of-00001.parquet"
Plant = Callable[[Path], object]


def test_a_good_release_has_no_findings(published: Path) -> None:
    assert validate_release(published) == []


def test_a_folder_that_is_no_release_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidReleaseError, match="SHA256SUMS"):
        validate_release(tmp_path)


def test_one_flipped_byte_in_any_file_is_found(release: Path) -> None:
    for name, content in files_of(release).items():
        for position in {0, len(content) // 2, len(content) - 1}:
            for bit in (0x01, 0x20):
                damaged = bytearray(content)
                damaged[position] ^= bit
                (release / name).write_bytes(damaged)
                found = validate_release(release)
                assert found, (name, position)
                assert name == "SHA256SUMS" or {finding.file for finding in found} == {name}
        (release / name).write_bytes(content)
    assert validate_release(release) == []


@pytest.mark.parametrize("name", ["LICENSE", SEGMENTS, "reader.py", KEYPOINTS])
def test_a_missing_a_surplus_and_a_linked_file_are_found(name: str, release: Path) -> None:
    kept = (release / name).read_bytes()
    (release / name).unlink()
    assert [f.file for f in validate_release(release)] == [name]
    (release / name).symlink_to("/etc/hostname")
    assert "it is a link" in str(validate_release(release)[0])
    (release / name).unlink()
    (release / name).write_bytes(kept)
    (release / "data" / "extra.txt").write_text("more")
    assert [f.file for f in validate_release(release)] == ["data/extra.txt"]


def edit(name: str, change: Callable[[dict[str, Any]], dict[str, Any]], *, row: int = 0) -> Plant:
    """Change one row of a table."""

    def plant(release: Path) -> None:
        table = pq.read_table(release / name)
        rows = table.to_pylist()
        rows[row] = rows[row] | change(rows[row])
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), release / name)

    return plant


def copied(from_table: str) -> Plant:
    """Say that the first video of train is a copy of one in another table."""

    def plant(release: Path) -> None:
        other = pq.read_table(release / from_table)["recording_id"][0].as_py()
        edit(VIDEOS, lambda _: {"recording_id": other})(release)

    return plant


def rewrite(name: str, change: Callable[[pa.Table], pa.Table]) -> Plant:
    return lambda release: pq.write_table(change(pq.read_table(release / name)), release / name)


def retext(name: str, old: str, new: str) -> Plant:
    def plant(release: Path) -> None:
        text = (release / name).read_text()
        assert old in text
        (release / name).write_text(text.replace(old, new, 1))

    return plant


def remanifest(**changes: object) -> Plant:
    def plant(release: Path) -> None:
        manifest = json.loads((release / "manifest.json").read_text())
        (release / "manifest.json").write_text(json.dumps(manifest | changes))

    return plant


PLANTED: dict[str, tuple[str, Plant]] = {
    "manifest is not JSON": ("manifest", lambda r: (r / "manifest.json").write_text("{")),
    "another format": ("manifest", remanifest(format="other")),
    "a later schema": ("manifest", remanifest(schema_version=99)),
    "an unknown profile": ("manifest", remanifest(profile="everything")),
    "counts of another release": ("counts", remanifest(counts={})),
    "class counts of another release": ("counts", remanifest(class_counts={})),
    "an unknown licence": ("licence", remanifest(license="WTFPL")),
    "a licence file without licence": ("licence", lambda r: (r / "LICENSE").write_text("All rights reserved")),
    "a citation of another version": ("citation", retext("CITATION.cff", "0.1.0", "0.0.9")),
    "a citation that is not YAML": ("citation", lambda r: (r / "CITATION.cff").write_text("a: [")),
    "a changelog without this version": ("changelog", retext("CHANGELOG.md", "## 0.1.0", "## 0.0.9")),
    "a reader that needs torch": (
        "reader",
        retext("reader.py", "import numpy as np", "import numpy as np\nimport torch"),
    ),
    "a reader that needs pressroom": (
        "reader",
        retext("reader.py", "import re\n", "import re\nfrom schema import arrow\n"),
    ),
    "a reader that is no Python": ("reader", retext("reader.py", "def open_release(", "def open_release[(")),
    "a reader without its function": ("reader", retext("reader.py", "def open_release(", "def open_it(")),
    "no header": ("card", retext("README.md", "---\n", "")),
    "a broken header": ("card", retext("README.md", "license: cc", "license: [cc")),
    "a header of another licence": ("card", retext("README.md", "license: cc-by-nc-4.0", "license: mit")),
    "a config that is missing": ("card", retext("README.md", "config_name: votes", "config_name: voices")),
    "a path that leads nowhere": ("card", retext("README.md", "path: data/votes-val-*", "path: data/votes-dev-*")),
    "a wrong number": ("card", retext("README.md", "| train | 6 |", "| train | 60 |")),
    "a wrong class count": (
        "card",
        retext("README.md", "| folding_arms | Folding arms | 3", "| folding_arms | Folding arms | 30"),
    ),
    "scripts kept quiet": ("card", retext("README.md", "## Scripted answers", "## Answers")),
    "a lost column": ("schema", rewrite(SEGMENTS, lambda t: t.drop_columns("agreement"))),
    "a column of another type": (
        "schema",
        rewrite(VOTES, lambda t: t.set_column(t.column_names.index("revision"), "revision", pa.array(["1"] * len(t)))),
    ),
    "a face point": ("schema", rewrite(KEYPOINTS, lambda t: t.append_column("k030_x", t["k000_x"]))),
    "no Parquet file": ("schema", lambda r: (r / SEGMENTS).write_text("segments")),
    "a lost shard": ("files", lambda r: (r / "data" / "keypoints-train-00001-of-00003.parquet").unlink()),
    "a lost table": ("files", lambda r: (r / VOTES).unlink()),
    "a strange file": ("files", lambda r: (r / "data" / "notes.txt").write_text("hello")),
    "a segment twice": ("keys", rewrite(SEGMENTS, lambda t: pa.concat_tables([t, t.slice(0, 1)]))),
    "a vote twice": ("keys", rewrite(VOTES, lambda t: pa.concat_tables([t, t.slice(0, 1)]))),
    "a video twice": ("keys", rewrite(VIDEOS, lambda t: pa.concat_tables([t, t.slice(0, 1)]))),
    "a frame twice": ("keys", rewrite(KEYPOINTS, lambda t: pa.concat_tables([t.slice(0, 1), t]))),
    "a score without a place": ("keypoints", edit(KEYPOINTS, lambda _: {"k000_x": None})),
    "a place without a score": ("keypoints", edit(KEYPOINTS, lambda _: {"k000_score": 0})),
    "a video without its row": ("joins", rewrite(VIDEOS, lambda t: t.slice(1))),
    "a vote on nothing": ("joins", edit(VOTES, lambda _: {"segment_id": "g-none"})),
    "a row of another split": ("joins", edit(VIDEOS, lambda _: {"split": "test"})),
    "a class with two names": ("joins", edit(SEGMENTS, lambda _: {"class_name": "Waving"})),
    "a span that ends before it starts": ("spans", edit(SEGMENTS, lambda r: {"end_ns": r["start_ns"]})),
    "a span beyond the track": ("spans", edit(SEGMENTS, lambda _: {"end_ns": 10**12})),
    "a span moved by a second": ("spans", edit(SEGMENTS, lambda r: {"start_ns": r["start_ns"] - 300_000_000})),
    "a wrong row": ("spans", edit(SEGMENTS, lambda r: {"keypoints_first_row": r["keypoints_first_row"] + 1})),
    "a wrong row count": ("spans", edit(SEGMENTS, lambda r: {"keypoints_row_count": r["keypoints_row_count"] - 1})),
    "a row that is not there": ("reader", edit(SEGMENTS, lambda _: {"keypoints_first_row": 10**9})),
    "a wrong frame": ("spans", edit(SEGMENTS, lambda r: {"first_frame": r["first_frame"] + 1})),
    "a track without keypoints": ("spans", edit(SEGMENTS, lambda _: {"track_number": 5})),
    "a person in two splits": ("splits", edit(TEST_SEGMENTS, lambda _: {"subject_id": subject(0)})),
    "an unknown person in test": ("unknown_subjects", edit(TEST_SEGMENTS, lambda _: {"subject_id": None})),
    "a lock of other people": ("splits", lambda r: (r / "splits.lock").write_text("")),
    "a damaged lock": ("splits", lambda r: (r / "splits.lock").write_text("everybody train\n")),
    "a window twice": ("keys", rewrite(WINDOWS, lambda t: pa.concat_tables([t, t.slice(0, 1)]))),
    "a window beyond its track": ("spans", edit(WINDOWS, lambda _: {"end_ns": 10**12})),
    "a window of nobody's": ("joins", edit(WINDOWS, lambda _: {"subject_id": "s" + 20 * "f"})),
    "a person twice": ("keys", rewrite(SUBJECTS, lambda t: pa.concat_tables([t, t.slice(0, 1)]))),
    "a person without a row": ("joins", rewrite(SUBJECTS, lambda t: t.slice(1))),
    "a wrong number of segments": ("counts", edit(SUBJECTS, lambda r: {"segment_count": r["segment_count"] + 1})),
    "an attribute that one person has": ("attributes", edit(SUBJECTS, lambda _: {"birth_years": "1990-1999"})),
    "an outcome that is not the video's": ("joins", edit(SEGMENTS, lambda _: {"match_outcome": "loss"})),
    "a copy on the other side": ("splits", copied(TEST_VIDEOS)),
    "one edge alone": ("spans", edit(SEGMENTS, lambda _: {"end_ns": None})),
    "a description of something else": ("descriptions", edit(SEGMENTS, lambda _: {"description": "The person waves."})),
    "a template of something else": (
        "descriptions",
        edit(SEGMENTS, lambda _: {"template_description": "The person waves."}),
    ),
    "a field that is not what was said": ("descriptions", edit(SEGMENTS, lambda _: {"duration_seconds": 7.7})),
    "a writer that there is not": ("descriptions", edit(SEGMENTS, lambda _: {"description_by": "somebody"})),
    "numbers of other descriptions": ("counts", remanifest(descriptions={"by_person": 7})),
    "origins of other segments": ("counts", remanifest(origins={"elsewhere": 3})),
    "a task that it does not suffice for": ("readiness", remanifest(readiness=[])),
    "a task that the card makes up": ("readiness", retext("README.md", "| retrieval | no |", "| retrieval | yes |")),
    "a leak report that can't be read": ("leak_report", lambda r: (r / "leak-report.json").write_text("{")),
    "a leak report of other people": ("leak_report", retext("leak-report.json", '"checked": 8', '"checked": 80')),
    "a leak report that tells of a leak": ("leak_report", retext("leak-report.json", '"found": 0', '"found": 1')),
    "a leak report without a check": ("leak_report", retext("leak-report.json", '"name": "match"', '"name": "other"')),
    "Croissant that is not JSON": ("croissant", lambda r: (r / "croissant.json").write_text("{")),
    "Croissant of another file": ("croissant", retext("croissant.json", '"sha256": "', '"sha256": "0')),
    "Croissant without a column": ("croissant", retext("croissant.json", '"column": "posterior"', '"column": "other"')),
    "Croissant of another version": ("croissant", retext("croissant.json", '"version": "0.1.0"', '"version": "9.9.9"')),
    "a link in a description": ("leaks", edit(SEGMENTS, lambda _: {"description": "see https://example.org/x"})),
    "an address in a document": ("leaks", retext("CHANGELOG.md", "## 0.1.0", "## 0.1.0\nask me@example.org\n## 0.1.0")),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_found_by_its_check(name: str, release: Path) -> None:
    check, plant = PLANTED[name]
    plant(release)
    resign(release)
    found = validate_release(release)
    assert check in {finding.check for finding in found}, found


def test_who_has_the_private_strings_can_look_for_them(published: Path) -> None:
    forbidden = ForbiddenStrings(native_ids=frozenset({subject(0)}))
    found = validate_release(published, forbidden=forbidden)
    assert {finding.check for finding in found} == {"leaks"}
    assert not any(subject(0) in str(finding) for finding in found)


def test_importing_the_reader_from_its_folder_does_not_make_the_release_invalid(release: Path) -> None:
    bytecode = release / "__pycache__" / "reader.cpython-311.pyc"
    bytecode.parent.mkdir()
    bytecode.write_bytes(b"anything")
    assert validate_release(release) == []
    (bytecode.parent / "other.pyc").write_bytes(b"anything")
    assert [finding.check for finding in validate_release(release)] == ["files"]
