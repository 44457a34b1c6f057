"""The reader: one file beside the data, exact, lazy, and usable without pressroom."""

import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe, get_context
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releases import reader
from releases.reader import CACHED_ROW_GROUPS, open_release
from releases.tables.columns import FACE_POINTS_KEPT, SCHEMA_VERSION
from schema.records import Part
from schema.rows import keypoints_from_rows
from tests.releases.release_data import CONFIG, FRAMES, build, keypoints_of, make_inputs, video


def test_a_segment_reads_exactly_as_it_was_recorded(published: Path) -> None:
    release = open_release(published)
    assert release.splits == ("train", "val", "test")
    assert list(release.point_numbers) == [*range(23), *FACE_POINTS_KEPT, *range(91, 133)]
    assert [Part[name.upper()] for name in release.part_names] == list(Part)
    # the profile moves the points of the head: tests/releases/test_faces.py
    held = [place for place, number in enumerate(release.point_numbers) if 5 <= number < 23 or number >= 91]
    numbers = release.point_numbers[held]
    read_frames = 0
    for split in release.splits:
        for segment in release.segments(split).to_pylist():
            given = next(s for s in keypoints_from_rows(keypoints_of(segment["video_id"])) if s.track_number == 0)
            rows = slice(segment["first_frame"], segment["end_frame"])
            keypoints = release.keypoints(segment)
            assert keypoints.values.dtype == np.float32
            values = keypoints.values[:, held]
            assert np.array_equal(values[..., :2], given.keypoints_xy[rows][:, numbers], equal_nan=True)
            assert np.array_equal(values[..., 2], given.scores[rows][:, numbers])
            assert np.array_equal(keypoints.parts_seen, given.parts_seen[rows])
            assert np.array_equal(keypoints.interpolated, given.interpolated[rows])
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
    original = reader._Shards.read

    def counted(self: reader._Shards, group: int, *kept: object) -> object:
        read_groups.append(group)
        return original(self, group, *kept)  # type: ignore[arg-type]

    monkeypatch.setattr(reader._Shards, "read", counted)
    release = open_release(published)
    release.keypoint_rows("train", CONFIG.row_group_rows - 1, 2)
    release.keypoint_rows("train", 0, 5)
    assert read_groups == [0, 1]
    for group in range(5):
        release.keypoint_rows("train", group * CONFIG.row_group_rows, 1)
    assert read_groups == [0, 1, 2, 3, 4]
    assert len(release._cache) == CACHED_ROW_GROUPS


def test_all_133_points_are_given_on_demand_with_nothing_where_the_profile_leaves_one_out(published: Path) -> None:
    release = open_release(published)
    for table in (release.segments("train"), release.unlabelled("train")):
        row = table.to_pylist()[0]
        whole, held = release.keypoints(row, points=133).values, release.keypoints(row).values
        assert whole.shape == (row["keypoints_row_count"], 133, 3)
        assert np.array_equal(whole[:, release.point_numbers], held, equal_nan=True)
        left_out = np.delete(whole, release.point_numbers, axis=1)
        assert np.isnan(left_out[..., :2]).all()
        assert (left_out[..., 2] == 0).all()
    with pytest.raises(ValueError, match="points: 17 must be 133"):
        release.keypoints(row, points=17)


def test_a_segment_of_another_release_is_refused_in_one_line(published: Path) -> None:
    release = open_release(published)
    one, *_, other = release.segments("train").to_pylist()
    places = {name: other[name] for name in ("keypoints_first_row", "keypoints_row_count", "first_frame", "end_frame")}
    for strange in (one | {"keypoints_first_row": one["keypoints_first_row"] + 1}, one | places):
        with pytest.raises(IndexError, match=rf"^{one['segment_id']} is of another release[^\n]*$"):
            release.keypoints(strange)


def test_tables_of_another_version_are_refused_in_one_line(release: Path) -> None:
    manifest = release / "manifest.json"
    manifest.write_text(manifest.read_text().replace(f'"schema_version": {SCHEMA_VERSION}', '"schema_version": 2'))
    with pytest.raises(ValueError, match=r"^[^\n]*tables are of version 2, not 3: use its reader.py$"):
        open_release(release)
    manifest.unlink()
    assert open_release(release).splits == ("train", "val", "test")


def test_a_score_without_a_position_is_no_keypoint(release: Path) -> None:
    path = release / "data" / "keypoints-test-00000-of-00001.parquet"
    rows = pq.read_table(path)
    place = rows.schema.get_field_index("k005_x")
    pq.write_table(rows.set_column(place, rows.schema.field(place), pa.nulls(rows.num_rows, pa.int16())), path)
    with pytest.raises(ValueError, match=f"{path.name}: k005 has a score without a position"):
        open_release(release).keypoint_rows("test", 0, 1)


def test_threads_may_share_a_release(published: Path) -> None:
    release, alone = open_release(published), open_release(published)
    segments = release.segments("train").to_pylist()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(release.keypoints, segments * 5))
    for segment, keypoints in zip(segments * 5, found, strict=True):
        assert np.array_equal(keypoints.values, alone.keypoints(segment).values, equal_nan=True)


def test_a_forked_process_reads_though_a_thread_of_its_parent_was_reading(published: Path) -> None:
    release = open_release(published)
    segment = release.segments("train").to_pylist()[0]
    expected = release.keypoints(segment).values
    with release._lock:  # as if another thread were reading when the process forks
        here, there = Pipe(duplex=False)
        child = get_context("fork").Process(target=lambda: there.send(release.keypoints(segment).values))
        child.start()
        assert here.poll(20)
    assert np.array_equal(here.recv(), expected, equal_nan=True)
    child.join()


def test_other_tables_and_wrong_requests(published: Path, tmp_path: Path) -> None:
    release = open_release(published)
    assert release.votes("val").num_rows == 4
    assert release.subjects("val")["split"].to_pylist() == ["val"]
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
    assert (done.stdout, done.stderr) == ("(15, 73, 3)\n", "")
    assert (release / "reader.py").read_bytes() == Path(reader.__file__).read_bytes()
