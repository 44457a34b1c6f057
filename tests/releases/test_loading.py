"""A release as strangers load it, without a line of ours: datasets, polars, duckdb, pandas."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from releases.tables.columns import TABLES
from releases.validation.checks import ROW_GROUP_BYTES

SPLITS = ("train", "val", "test")
SOME_COLUMNS = ["video_id", "frame_index", "time_ns", "k000_x", "k005_y", "k112_x", "k112_score", "right_hand_seen"]


def expected(release: Path, table: str, split: str) -> pa.Table:
    paths = sorted((release / "data").glob(f"{table}-{split}-*.parquet"))
    assert paths
    # one file at a time, and no schema metadata: the values are what is compared
    return pa.concat_tables([pq.ParquetFile(path).read() for path in paths]).replace_schema_metadata(None)


def test_the_release_under_test_has_several_files_row_groups_and_nulls(published: Path) -> None:
    assert len(list((published / "data").glob("keypoints-train-*.parquet"))) > 2
    path = next(iter(sorted((published / "data").glob("keypoints-train-*.parquet"))))
    assert pq.read_metadata(path).num_row_groups > 1
    keypoints = expected(published, "keypoints", "train")
    assert 0 < keypoints["k112_x"].null_count < keypoints.num_rows
    assert expected(published, "segments", "train")["class_id"].null_count > 0


HUB_PROGRAM = """
import sys
import pyarrow as pa, pyarrow.parquet as pq
import datasets
from datasets import load_dataset
release, folder, tables = sys.argv[1], sys.argv[2], sys.argv[3:]
datasets.disable_progress_bars()
assert sorted(datasets.get_dataset_config_names(release)) == sorted(tables)
for table in tables:
    loaded = load_dataset(release) if table == tables[0] else load_dataset(release, table)
    streamed = load_dataset(release, table, streaming=True)
    assert list(loaded) == list(streamed)
    for split, rows in loaded.items():
        found = rows.with_format("arrow")[:] if len(rows) else rows.data.table
        pq.write_table(pa.table(found), f"{folder}/{table}-{split}.parquet")
        if table != "keypoints":
            assert list(streamed[split]) == rows.to_list(), (table, split)
        else:
            assert next(iter(streamed[split])) == rows[0]
            assert sum(batch.num_rows for batch in streamed[split].with_format("arrow").iter(50)) == len(rows)
"""


def test_the_datasets_library_loads_segments_by_default_and_each_table_by_name(published: Path, tmp_path: Path) -> None:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", HUB_PROGRAM, str(published), str(tmp_path), *TABLES],
        env=environment, capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for table in TABLES:
        for split in SPLITS:
            found = pq.read_table(tmp_path / f"{table}-{split}.parquet").replace_schema_metadata(None)
            assert found.to_pylist() == expected(published, table, split).to_pylist(), (table, split)


@pytest.mark.parametrize("table", TABLES)
def test_polars_reads_and_scans_each_table(published: Path, table: str) -> None:
    for split in SPLITS:
        pattern = published / "data" / f"{table}-{split}-*.parquet"
        rows = pl.from_arrow(expected(published, table, split))
        assert pl.read_parquet(pattern).equals(rows)
        assert pl.scan_parquet(pattern).tail(7).collect().equals(rows.tail(7))


@pytest.mark.parametrize("table", TABLES)
def test_duckdb_reads_each_table(published: Path, table: str) -> None:
    for split in SPLITS:
        pattern = published / "data" / f"{table}-{split}-*.parquet"
        with duckdb.connect() as connection:
            found = connection.sql(f"SELECT * FROM read_parquet('{pattern}', file_row_number = false)").to_arrow_table()
        rows = expected(published, table, split)
        assert found.column_names == rows.column_names
        assert found.to_pylist() == rows.to_pylist()


def test_duckdb_joins_segments_to_their_keypoints(published: Path) -> None:
    data = published / "data"
    with duckdb.connect() as connection:
        counts = connection.sql(f"""
            SELECT s.segment_id, s.keypoints_row_count, count(*), min(k.frame_index), s.first_frame
            FROM read_parquet('{data}/segments-train-*.parquet') AS s
            JOIN read_parquet('{data}/keypoints-train-*.parquet') AS k
              USING (video_id, track_number)
            WHERE k.frame_index >= s.first_frame AND k.frame_index < s.end_frame GROUP BY ALL
        """).fetchall()
    assert len(counts) == expected(published, "segments", "train").num_rows
    assert all(row[1] == row[2] and row[3] == row[4] for row in counts)


@pytest.mark.parametrize("table", TABLES)
def test_pandas_reads_each_table_and_nulls_stay_null(published: Path, table: str) -> None:
    for split in SPLITS:
        paths = sorted((published / "data").glob(f"{table}-{split}-*.parquet"))
        found = pd.concat([pd.read_parquet(path, dtype_backend="pyarrow") for path in paths], ignore_index=True)
        rows = expected(published, table, split)
        assert list(found.columns) == rows.column_names
        assert pa.Table.from_pandas(found, preserve_index=False).to_pylist() == rows.to_pylist()
    if table == "keypoints":
        plain = pd.read_parquet(paths[0], columns=SOME_COLUMNS)
        assert plain["k112_x"].isna().tolist() == (plain["k112_score"] == 0).tolist()


def test_the_numbers_of_a_segment_are_its_rows_by_any_reader(published: Path) -> None:
    segments = pl.read_parquet(published / "data" / "segments-train-*.parquet")
    keypoints = pl.read_parquet(published / "data" / "keypoints-train-*.parquet")
    for segment in segments.iter_rows(named=True):
        rows = keypoints.slice(segment["keypoints_first_row"], segment["keypoints_row_count"])
        assert set(rows["video_id"]) == {segment["video_id"]}
        assert set(rows["track_number"]) == {segment["track_number"]}
        assert rows["frame_index"].to_list() == list(range(segment["first_frame"], segment["end_frame"]))
        x = rows.select(pl.col("k005_x") / 16)["k005_x"].to_numpy()
        assert np.isnan(x).all() or (x[~np.isnan(x)] >= 0).all()


def test_no_row_group_is_too_large_for_the_hubs_viewer(published: Path) -> None:
    for path in (published / "data").iterdir():
        footer = pq.read_metadata(path)
        for group in range(footer.num_row_groups):
            assert footer.row_group(group).total_byte_size < ROW_GROUP_BYTES
