"""Epochs of the reader: every segment once, by chance and yet the same again, and little of the files read."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from releases import reader
from releases.reader import open_release
from tests.releases.release_data import CONFIG

Opened = reader.Release


def orders(release: Opened, count: int = 1, **options: int) -> list[list[int]]:
    return [[row for row, _ in release.shuffled("train", epoch=n, **options)] for n in range(count)]


@pytest.mark.parametrize("table", ["segments", "unlabelled"])
@pytest.mark.parametrize("points", [None, 133])
def test_an_epoch_gives_each_row_of_the_table_once_as_random_access_does(
    published: Path, table: str, points: int | None
) -> None:
    release = open_release(published)
    rows = release.table(table, "train").to_pylist()
    crossing = [r for r in rows if r["keypoints_first_row"] % 96 + r["keypoints_row_count"] > CONFIG.row_group_rows]
    assert crossing, "no row lies in two row groups: the data does not test that"
    seen = []
    for row, keypoints in release.shuffled("train", table=table, seed=3, points=points):
        expected = release.keypoints(rows[row], points=points)
        for name in ("values", "times_ns", "frame_indices", "parts_seen", "interpolated"):
            assert np.array_equal(getattr(keypoints, name), getattr(expected, name), equal_nan=name == "values")
        seen.append(row)
    assert sorted(seen) == list(range(len(rows)))


def test_the_order_depends_on_seed_and_epoch_alone(published: Path) -> None:
    release = open_release(published)
    first = orders(release, 2, seed=5)
    assert first == orders(open_release(published), 2, seed=5)
    assert first == orders(release, 2, seed=5, threads=1) == orders(release, 2, seed=5, threads=7)
    assert first[0] != first[1]
    assert first[0] != orders(release, seed=6)[0]
    assert first[0] != sorted(first[0])


def test_an_epoch_reads_each_row_group_once_and_none_without_a_segment(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[int, int]] = []
    original = reader._Shards.read

    def counted(self: reader._Shards, group: int, kept: np.ndarray | None = None) -> reader._Rows:
        assert kept is not None
        read.append((group, kept.size))
        return original(self, group, kept)

    release = open_release(published)
    segments = release.segments("train").to_pylist()
    wanted = {
        row // CONFIG.row_group_rows
        for s in segments
        for row in range(s["keypoints_first_row"], s["keypoints_first_row"] + s["keypoints_row_count"])
    }
    monkeypatch.setattr(reader._Shards, "read", counted)
    list(release.shuffled("train"))
    assert sorted(group for group, _ in read) == sorted(wanted)
    assert sum(count for _, count in read) == sum(s["keypoints_row_count"] for s in segments)
    groups = release.table("keypoints", "train").num_rows // CONFIG.row_group_rows
    assert len(wanted) <= groups


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
@given(workers=st.integers(1, 9), seed=st.integers(0, 10**6))
def test_workers_share_out_the_segments_without_overlap(published: Path, workers: int, seed: int) -> None:
    release = open_release(published)
    paths, runs = release._paths_of("keypoints", "train"), release._runs("segments", "train")
    shares = [
        [row for row, _ in reader._shuffled(paths, *runs, seeds=(seed, 0), worker=w, worker_count=workers, threads=1)]
        for w in range(workers)
    ]
    assert sorted(row for share in shares for row in share) == list(range(len(runs[0])))


def test_an_epoch_that_is_left_early_leaves_no_thread_behind(published: Path) -> None:
    import threading

    before = threading.active_count()
    epoch = open_release(published).shuffled("train")
    next(epoch)
    epoch.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_only_tables_that_point_to_keypoints_make_an_epoch(published: Path) -> None:
    with pytest.raises(ValueError, match="'votes' points to no keypoints; segments and unlabelled do"):
        next(open_release(published).shuffled("train", table="votes"))
