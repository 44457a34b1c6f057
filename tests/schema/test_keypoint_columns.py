"""Keypoint columns: any cut of the table gives the same arrays, and other tools read them as they are."""

from dataclasses import replace

import numpy as np
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schema.arrow import KEYPOINTS, SMOOTHED
from schema.files import read_parquet, write_parquet
from schema.keypoint_columns import keypoint_arrays, keypoint_columns
from schema.records import Part
from schema.rows import concatenated, keypoints_from_rows, keypoints_to_rows
from tests.factories import make_keypoints


def walking(frame_count=3000, **changes):
    """Give a person who moves a little from frame to frame, and whose hands come and go."""
    raw = make_keypoints(frame_count=frame_count, **changes)
    steps = np.random.default_rng(1).normal(scale=0.5, size=raw.keypoints_xy.shape).cumsum(axis=0)
    xy = (300 + np.abs(steps)).astype(np.float32)
    parts, scores = raw.parts_seen.copy(), raw.scores.copy()
    parts[::7, Part.LEFT_HAND] = False
    xy[::7, 91:112], scores[::7, 91:112] = np.nan, 0
    return replace(raw, keypoints_xy=np.rint(xy * 16) / np.float32(16), parts_seen=parts, scores=scores)


def test_a_table_in_pieces_gives_the_same_arrays():
    whole = walking()
    rows = keypoints_to_rows(whole)
    pieces = pa.concat_tables([rows.slice(0, 1), rows.slice(1, 1500), rows.slice(1501)])
    for first, end in ((0, 3000), (5, 1502), (1024, 1025)):
        xy, scores = keypoint_arrays(pieces.slice(first, end - first))
        np.testing.assert_array_equal(xy, whole.keypoints_xy[first:end])
        np.testing.assert_allclose(scores, whole.scores[first:end], atol=0.5 / 255)
        assert xy.flags.c_contiguous


def test_tracks_come_back_by_number_however_their_rows_lie():
    people = [walking(40, seed=k, track_number=k) for k in (2, 0, 1)]
    rows = [keypoints_to_rows(person) for person in people]
    mixed = pa.concat_tables([table.slice(first, 20) for first in (0, 20) for table in rows])
    for table in (pa.concat_tables(rows), mixed):
        back = keypoints_from_rows(table)
        assert [sequence.track_number for sequence in back] == [0, 1, 2]
        for sequence in back:
            (given,) = (person for person in people if person.track_number == sequence.track_number)
            np.testing.assert_array_equal(sequence.keypoints_xy, given.keypoints_xy)
            np.testing.assert_array_equal(sequence.frame_indices, given.frame_indices)


def test_a_table_without_rows_holds_nobody():
    assert keypoints_from_rows(concatenated(KEYPOINTS, [])) == []


@pytest.mark.parametrize(("widest_px", "kind"), [(2047.9375, pa.int16()), (2047.97, pa.int32()), (7680.0, pa.int32())])
def test_large_pictures_get_wider_columns(widest_px, kind):
    xy, scores = np.full((2, 133, 2), 5, np.float32), np.ones((2, 133), np.float32)
    xy[1, 7, 0] = widest_px
    columns, fits = keypoint_columns(xy, scores)
    assert fits == (kind == pa.int16())
    assert columns[0].type == kind
    assert columns[21][1].as_py() == round(widest_px * 16)


def test_a_position_without_a_score_is_refused():
    rows = keypoints_to_rows(walking(20))
    broken = rows.set_column(
        rows.schema.get_field_index("k005_score"), rows.schema.field("k005_score"), pa.array(np.zeros(20, np.uint8))
    )
    with pytest.raises(ValueError, match="keypoint 5"):
        keypoint_arrays(broken)


class TestFile:
    @pytest.fixture
    def person(self):
        return walking()

    @pytest.fixture
    def path(self, person, tmp_path):
        path = tmp_path / "part.parquet"
        write_parquet(keypoints_to_rows(person), path)
        return path

    def test_polars_reads_it_as_it_is(self, person, path):
        frame = polars.read_parquet(path)
        for point in (0, 95, 132):
            x = frame[f"k{point:03d}_x"]
            assert x.dtype == polars.Int16
            assert (x.is_null().to_numpy() == (person.scores[:, point] == 0)).all()
            np.testing.assert_array_equal(x.cast(polars.Float64).to_numpy() / 16, person.keypoints_xy[:, point, 0])

    def test_duckdb_reads_it_as_it_is(self, person, path):
        duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
        question = f"SELECT count(k095_x), sum(k095_x), max(k095_score) FROM read_parquet('{path}')"
        with duckdb.connect() as connection:
            (found,) = connection.execute(question).fetchall()
        x = person.keypoints_xy[:, 95, 0] * 16
        assert found == (int(np.isfinite(x).sum()), int(np.nansum(x.astype(np.float64))), 204)

    def test_it_is_small_and_packed_as_parquet_itself_packs(self, person, path):
        raw_bytes = person.scores.shape[0] * 133 * 3 * 4
        assert path.stat().st_size < 0.3 * raw_bytes
        footer = pq.read_metadata(path)
        assert footer.num_row_groups == 1
        by_name = {(c := footer.row_group(0).column(k)).path_in_schema: c for k in range(footer.num_columns)}
        for name in ("k000_x", "k132_y", "time_ns", "frame_index"):
            assert "DELTA_BINARY_PACKED" in by_name[name].encodings

    def test_it_comes_back_as_it_was(self, person, path):
        (back,) = keypoints_from_rows(read_parquet(path))
        np.testing.assert_array_equal(back.keypoints_xy, person.keypoints_xy)
        np.testing.assert_array_equal(back.parts_seen, person.parts_seen)
        np.testing.assert_array_equal(keypoints_to_rows(back)["k100_score"], keypoints_to_rows(person)["k100_score"])


def test_smoothed_keypoints_have_the_same_columns():
    assert SMOOTHED.schema.equals(KEYPOINTS.schema, check_metadata=True)
