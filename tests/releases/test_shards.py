"""Parquet files of a release: cut by counts alone, the same bytes for the same rows, readable by old readers."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releases.config import ReleaseConfig
from releases.tables.columns import keypoints_schema
from releases.tables.shards import ShardWriter
from releases.validation.checks import ROW_GROUP_BYTES

SCHEMA = pa.schema([pa.field("video_id", pa.string()), pa.field("k000_x", pa.int16()), pa.field("seen", pa.bool_())])


def table(count: int, seed: int = 0) -> pa.Table:
    random = np.random.default_rng(seed)
    x = pa.array(random.integers(-9, 999, count), pa.int16(), mask=random.random(count) < 0.3)
    return pa.table([pa.array([f"v{n // 7}" for n in range(count)]), x, random.random(count) < 0.5], schema=SCHEMA)


def write(folder: Path, pieces: Iterable[pa.Table], *, group: int = 10, shard: int = 30) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    with ShardWriter(
        folder, table="keypoints", split="train", schema=SCHEMA, row_group_rows=group, shard_rows=shard
    ) as writer:
        for piece in pieces:
            writer.write(piece)
    return sorted(folder.iterdir())


def test_rows_are_cut_into_row_groups_and_files_by_their_count(tmp_path: Path) -> None:
    rows = table(75)
    paths = write(tmp_path, [rows])
    assert [p.name for p in paths] == [f"keypoints-train-{n:05d}-of-00003.parquet" for n in range(3)]
    groups = [
        [pq.read_metadata(p).row_group(g).num_rows for g in range(pq.read_metadata(p).num_row_groups)] for p in paths
    ]
    assert groups == [[10, 10, 10], [10, 10, 10], [10, 5]]
    assert pa.concat_tables([pq.read_table(p) for p in paths]).to_pylist() == rows.to_pylist()


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 64), max_size=6), count=st.integers(0, 64))
def test_the_bytes_do_not_depend_on_how_rows_are_handed_over(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], count: int
) -> None:
    rows, folder = table(count), tmp_path_factory.mktemp("cut")
    edges = sorted({0, *(min(cut, count) for cut in cuts), count})
    pieces = [rows.slice(a, b - a) for a, b in pairwise(edges)]
    whole, cut = write(folder / "whole", [rows]), write(folder / "cut", pieces)
    assert [(p.name, p.read_bytes()) for p in whole] == [(p.name, p.read_bytes()) for p in cut]


def test_a_table_without_rows_is_one_file_with_its_columns(tmp_path: Path) -> None:
    (path,) = write(tmp_path, [])
    assert pq.read_table(path).schema.names == SCHEMA.names
    assert pq.read_metadata(path).num_rows == 0


def test_a_full_file_is_followed_by_no_empty_one(tmp_path: Path) -> None:
    assert [pq.read_metadata(p).num_rows for p in write(tmp_path, [table(60)])] == [30, 30]


def test_after_an_error_no_file_has_its_final_name(tmp_path: Path) -> None:
    def broken() -> Iterator[pa.Table]:
        yield table(12)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write(tmp_path, broken())
    assert {p.suffix for p in tmp_path.iterdir()} == {".part"}


def test_only_encodings_that_readers_of_2023_know_are_used(tmp_path: Path) -> None:
    """DuckDB reads BYTE_STREAM_SPLIT integers since July 2026 only (duckdb/duckdb pull request 24175)."""
    (path, *_) = write(tmp_path, [table(40)])
    group = pq.read_metadata(path).row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    known = {"PLAIN", "RLE", "RLE_DICTIONARY", "DELTA_BINARY_PACKED"}
    assert {e for column in columns.values() for e in column.encodings} <= known
    assert "DELTA_BINARY_PACKED" in columns["k000_x"].encodings
    assert columns["video_id"].statistics.min == "v0"
    assert not columns["k000_x"].is_stats_set


def test_the_largest_row_groups_stay_below_the_hubs_limit(tmp_path: Path) -> None:
    schema, random = keypoints_schema("research", wide=True), np.random.default_rng(0)
    largest = ReleaseConfig(row_group_rows=65_536, shard_rows=65_536)
    count = 2048
    columns = {
        "video_id": pa.array(["v" + "0" * 20] * count),
        **{
            f.name: pa.array(random.integers(0, 127, count)).cast(f.type) for f in schema if pa.types.is_integer(f.type)
        },
        **{f.name: pa.array(random.random(count) < 0.5) for f in schema if pa.types.is_boolean(f.type)},
        **{f.name: pa.array(random.integers(0, 7680 * 16, count), f.type) for f in schema if f.type == pa.int32()},
    }
    rows = pa.table([columns[name] for name in schema.names], schema=schema)
    sizes = {"row_group_rows": count, "shard_rows": count}
    with ShardWriter(tmp_path, table="keypoints", split="train", schema=schema, **sizes) as writer:
        writer.write(rows)
    (path,) = tmp_path.iterdir()
    # noise is the worst that can be packed; a row group grows with its rows
    bytes_a_row = pq.read_metadata(path).row_group(0).total_byte_size / count
    assert bytes_a_row * largest.row_group_rows < ROW_GROUP_BYTES
    assert ReleaseConfig().row_group_rows * bytes_a_row < ROW_GROUP_BYTES / 5
