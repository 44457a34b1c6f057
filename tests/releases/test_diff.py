"""What differs between two releases is told: people, segments, columns, settings."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from releases.diff import ReleaseDiff, diff_lines, diff_releases
from schema.errors import InvalidReleaseError
from schema.records import VerifiedSegment
from tests.releases.release_data import CONFIG, build, make_inputs, segments_of

PEOPLE = (0, 1, 2, 3)


def segments(*, without: int = 0) -> list[VerifiedSegment]:
    return [segment for n in range(without, len(PEOPLE)) for segment in segments_of(n, 2)]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("releases.build.write_stats", lambda folder, *_, **__: (folder / "stats").mkdir())
        folder = tmp_path_factory.mktemp("first")
        return build(folder, make_inputs(video_subjects=PEOPLE, segments=segments()))


def test_a_release_does_not_differ_from_its_copy(first: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(first, tmp_path / "copy"))
    assert diff_releases(first, copy).is_empty
    assert diff_lines(ReleaseDiff()) == ["the same to the byte"]


def test_new_and_withdrawn_people_and_changed_segments_are_told(first: Path, tmp_path: Path) -> None:
    rows = segments(without=1)
    rows[0] = replace(rows[0], posterior=0.5)
    later = build(
        tmp_path,
        make_inputs(video_subjects=PEOPLE, segments=rows, input_digests={"segments": "34" * 6}),
        replace(CONFIG, version="0.2.0"),
    )
    found = diff_releases(first, later)
    assert len(found.segments_removed) == 2
    assert found.segments_added == ()
    assert found.segments_changed == {rows[0].segment_id: ("posterior",)}
    assert found.settings["config.version"] == ("0.1.0", "0.2.0")
    assert found.inputs == ("segments",)
    assert found.rows["segments"] == (8, 6)
    lines = diff_lines(found)
    assert "segments: 0 new, 2 gone" in lines
    assert "segments: posterior differs in 1" in lines
    assert json.loads(json.dumps(found.document()))["inputs"] == ["segments"]


def test_a_subject_that_changed_sides_is_told(first: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(first, tmp_path / "other"))
    lock = (other / "splits.lock").read_text()
    (other / "splits.lock").write_text(lock.replace(" test", " train"))
    found = diff_releases(first, other)
    assert set(found.subjects_moved.values()) == {("test", "train")}
    assert any(line.endswith("moved from test to train") for line in diff_lines(found))


def test_columns_that_came_went_or_changed_are_told(first: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(first, tmp_path / "other"))
    for path in (other / "data").glob("segments-*.parquet"):
        table = pq.read_table(path)
        longer = table.set_column(
            table.column_names.index("answer_count"), "answer_count", table["answer_count"].cast(pa.int64())
        )
        pq.write_table(longer.drop_columns("posterior").append_column("mood", pa.array([""] * len(table))), path)
    found = diff_releases(first, other)
    assert found.columns_added == ("segments.mood",)
    assert found.columns_removed == ("segments.posterior",)
    assert found.columns_changed == ("segments.answer_count",)


def test_a_folder_that_is_no_release_is_told_in_one_line(first: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidReleaseError, match=r"is not a release: its manifest\.json can't be read"):
        diff_releases(first, tmp_path)


def test_another_profile_is_one_line_and_not_two_hundred(first: Path, tmp_path: Path) -> None:
    whole = build(
        tmp_path, make_inputs(video_subjects=PEOPLE, segments=segments()), replace(CONFIG, profile="research")
    )
    lines = diff_lines(diff_releases(first, whole))
    assert "columns of 60 points of keypoints: new" in lines
    assert len(lines) < 40
