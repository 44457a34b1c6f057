"""The reader: one file beside the data, exact, lazy, and usable without pressroom."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releases.reader import CACHED_ROW_GROUPS, open_release
from schema.records import Part
from schema.rows import keypoints_from_rows
from tests.releases.release_data import CONFIG, FRAMES, build, keypoints_of, make_inputs, video


def test_a_segment_reads_exactly_as_it_was_recorded(published: Path) -> None:
    release = open_release(published)
    assert release.splits == ("train", "val", "test")
    assert list(release.point_numbers) == [*range(23), *range(91, 133)]
    parts = [Part[name.upper()] for name in release.part_names]
    assert parts == [Part.BODY, Part.FEET, Part.LEFT_HAND, Part.RIGHT_HAND]
    read_frames = 0
    for split in release.splits:
        for segment in release.segments(split).to_pylist():
            given = next(s for s in keypoints_from_rows(keypoints_of(segment["video_id"])) if s.track_number == 0)
            rows = slice(segment["first_frame"], segment["end_frame"])
            keypoints = release.keypoints(segment)
            assert keypoints.values.dtype == np.float32
            assert np.array_equal(
                keypoints.values[..., :2], given.keypoints_xy[rows][:, release.point_numbers], equal_nan=True
            )
            assert np.array_equal(keypoints.values[..., 2], given.scores[rows][:, release.point_numbers])
            assert np.array_equal(keypoints.parts_seen, given.parts_seen[rows][:, parts])
            assert np.array_equal(keypoints.times_ns, given.times_ns[rows])
            assert np.array_equal(keypoints.frame_indices, given.frame_indices[rows])
            read_frames += keypoints.frame_indices.size
    assert read_frames == 15 * 15


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(st.integers(0, 6 * FRAMES - 1), st.integers(1, 6 * FRAMES))
def test_any_run_of_rows_is_the_slice_of_the_whole(published: Path, first: int, count: int) -> None:
    release = open_release(published)
    count = min(count, 6 * FRAMES - first)
    frames = release.table("keypoints", "train")["frame_index"].to_numpy()
    assert np.array_equal(release.keypoint_rows("train", first, count).frame_indices, frames[first : first + count])


def test_random_access_reads_only_the_row_groups_it_needs(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_groups: list[int] = []
    original = pq.ParquetFile.read_row_group

    def counted(self: pq.ParquetFile, i: int, **kwargs: object) -> object:
        read_groups.append(i)
        return original(self, i, **kwargs)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    release = open_release(published)
    release.keypoint_rows("train", CONFIG.row_group_rows - 1, 2)
    release.keypoint_rows("train", 0, 5)
    assert read_groups == [0, 1]
    for group in range(5):
        release.keypoint_rows("train", group * CONFIG.row_group_rows, 1)
    assert len(release._cache) == CACHED_ROW_GROUPS


def test_other_tables_and_wrong_requests(published: Path, tmp_path: Path) -> None:
    release = open_release(published)
    assert release.votes("val").num_rows == 4
    assert release.videos("test")["video_id"].to_pylist() == [video(2)]
    with pytest.raises(KeyError, match="dev"):
        release.segments("dev")
    for first, count in ((-1, 3), (0, 0), (6 * FRAMES, 1)):
        with pytest.raises(IndexError):
            release.keypoint_rows("train", first, count)
    with pytest.raises(FileNotFoundError, match="not a release"):
        open_release(tmp_path)


def test_a_missing_file_is_told_when_the_release_is_opened(release: Path) -> None:
    (release / "data" / "keypoints-train-00001-of-00003.parquet").unlink()
    with pytest.raises(FileNotFoundError, match="2 of 3"):
        open_release(release)


def test_a_loader_in_another_process_opens_the_files_itself(published: Path) -> None:
    release = open_release(published)
    segment = release.segments("train").to_pylist()[0]
    copy = pickle.loads(pickle.dumps(release))
    assert np.array_equal(copy.keypoints(segment).values, release.keypoints(segment).values, equal_nan=True)


def test_the_copy_in_the_release_works_without_pressroom(tmp_path: Path) -> None:
    release = build(tmp_path, make_inputs(video_subjects=[1]))
    program = (
        f"import sys; sys.path[:0] = [{str(release)!r}]\n"
        "from reader import open_release\n"
        f"release = open_release({str(release)!r})\n"
        "print(release.keypoints(release.segments('train').to_pylist()[0]).values.shape)\n"
        "assert not {'releases', 'schema'} & sys.modules.keys()\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.stdout, done.stderr) == ("(15, 65, 3)\n", "")
    source = (release / "reader.py").read_text().splitlines()
    assert len(source) < 250
