"""Derived parts are whole or absent; recorded tables only grow, and say what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema.arrow import KEYPOINTS, OUTCOMES, SHOTS, TASKS
from schema.errors import DamagedTableError, StoreFullError
from schema.layout import StudyLayout
from schema.records import KEYPOINT_COUNT, PART_SLICES, KeypointSequence, Part, VideoId
from schema.rows import (
    annotations_from_rows,
    annotations_to_rows,
    candidates_from_rows,
    candidates_to_rows,
    frame_times_from_rows,
    frame_times_to_rows,
    keypoints_from_rows,
    keypoints_to_rows,
    segments_from_rows,
    segments_to_rows,
    shots_from_rows,
    shots_to_rows,
    table_of,
    tasks_from_rows,
    tasks_to_rows,
    track_to_rows,
    tracks_from_rows,
    videos_from_rows,
    videos_to_rows,
)
from schema.tables import Store, digest_of
from tests.factories import (
    make_annotation,
    make_candidate,
    make_dropped,
    make_frame_times,
    make_segment,
    make_shot,
    make_task,
    make_track,
    make_video,
)

DIGEST = "0123456789ab"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(StudyLayout.at(tmp_path))


def outcome_rows(*names: str) -> object:
    rows = [{"source_id": name, "video_id": None, "outcome": "got", "detail": "", "attempted_ns": 1} for name in names]
    return table_of(OUTCOMES, rows)


def test_a_part_comes_back_with_its_drops_and_facts(store: Store) -> None:
    lost = make_dropped()
    store.write_part(SHOTS, "v1", DIGEST, shots_to_rows([make_shot()]), dropped=[lost], facts={"document": "{}"})
    assert shots_from_rows(store.read_part(SHOTS, "v1", DIGEST)) == [make_shot()]
    summary = store.summary(SHOTS, "v1", DIGEST)
    assert (summary.row_count, summary.dropped, summary.facts) == (1, (lost,), {"document": "{}"})


def test_a_new_digest_replaces_the_old_part_and_leaves_other_keys_alone(store: Store) -> None:
    rows = shots_to_rows([make_shot()])
    store.write_part(SHOTS, "v1", DIGEST, rows)
    store.write_part(SHOTS, "v2", DIGEST, rows)
    store.write_part(SHOTS, "v1", "ba9876543210", rows)
    assert [(p.key, p.digest) for p in store.parts(SHOTS)] == [("v1", "ba9876543210"), ("v2", DIGEST)]


def test_what_a_killed_writer_left_is_removed_by_the_next_one(store: Store) -> None:
    folder = store.layout.table(SHOTS)
    folder.mkdir()
    for key in ("v1", "v2"):
        (folder / f".{key}.{DIGEST}.parquet.4711.00000000.tmp").write_bytes(b"")
    store.write_part(SHOTS, "v1", DIGEST, shots_to_rows([make_shot()]))
    assert sorted(path.name for path in folder.iterdir()) == [
        f".v2.{DIGEST}.parquet.4711.00000000.tmp",
        f"v1.{DIGEST}.parquet",
    ]


def test_the_same_rows_give_the_same_bytes(store: Store, tmp_path: Path) -> None:
    other = Store(StudyLayout.at(tmp_path / "other"))
    for each in (store, other):
        each.write_part(SHOTS, "v1", DIGEST, shots_to_rows([make_shot()]), facts={"b": "1", "a": "2"})
    assert store.part_path(SHOTS, "v1", DIGEST).read_bytes() == other.part_path(SHOTS, "v1", DIGEST).read_bytes()


def test_a_damaged_part_names_itself_and_the_remedy(store: Store) -> None:
    store.write_part(SHOTS, "v1", DIGEST, shots_to_rows([make_shot()]))
    path = store.part_path(SHOTS, "v1", DIGEST)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedTableError, match="delete the file and run the same command again"):
        store.read_part(SHOTS, "v1", DIGEST)


def test_batches_come_back_in_order_and_change_the_digest(store: Store) -> None:
    before = store.recorded_digest(OUTCOMES)
    store.append(OUTCOMES, outcome_rows("l1"))
    store.append(OUTCOMES, outcome_rows("l2", "l3"))
    assert store.read(OUTCOMES)["source_id"].to_pylist() == ["l1", "l2", "l3"]
    assert store.recorded_digest(OUTCOMES) != before


def test_a_table_that_was_never_begun_is_empty(store: Store) -> None:
    assert store.read(TASKS).num_rows == 0


@pytest.mark.parametrize("victim", ["000001.parquet", "000002.parquet", "MANIFEST", ""])
def test_a_lost_batch_manifest_or_table_is_an_error_that_names_what_to_restore(store: Store, victim: str) -> None:
    store.append(OUTCOMES, outcome_rows("l1"))
    store.append(OUTCOMES, outcome_rows("l2"))
    folder = store.layout.table(OUTCOMES)
    if victim:
        (folder / victim).unlink()
    else:
        folder.rename(folder.with_name("gone"))
    with pytest.raises(DamagedTableError, match="restore") as caught:
        store.read(OUTCOMES)
    assert (victim or "outcomes") in str(caught.value)


def test_an_altered_batch_is_an_error(store: Store) -> None:
    store.append(OUTCOMES, outcome_rows("l1"))
    batch = store.layout.table(OUTCOMES) / "000001.parquet"
    batch.write_bytes(batch.read_bytes() + b"x")
    with pytest.raises(DamagedTableError, match=r"000001\.parquet was altered"):
        store.read(OUTCOMES)


def test_a_batch_whose_writer_died_before_the_manifest_is_not_lost(store: Store) -> None:
    store.append(OUTCOMES, outcome_rows("l1"))
    store.append(OUTCOMES, outcome_rows("l2"))
    manifest = store.layout.table(OUTCOMES) / "MANIFEST"
    lines = manifest.read_text().splitlines(keepends=True)
    for rest in (lines[0], lines[0] + lines[1][:10]):
        manifest.write_text(rest)
        assert store.read(OUTCOMES)["source_id"].to_pylist() == ["l1", "l2"]
        store.append(OUTCOMES, outcome_rows("l3"))
        assert store.read(OUTCOMES)["source_id"].to_pylist()[-1] == "l3"
        (store.layout.table(OUTCOMES) / "000003.parquet").unlink()


WRITER = """
import sys
from pathlib import Path
from schema.arrow import OUTCOMES
from schema.layout import StudyLayout
from schema.rows import table_of
from schema.tables import Store
store = Store(StudyLayout.at(Path(sys.argv[1])))
for i in range(20):
    store.append(OUTCOMES, table_of(OUTCOMES, [{"source_id": f"{sys.argv[2]}-{i}", "video_id": None, "outcome": "got",
                                               "detail": "", "attempted_ns": 1}]))
"""


def test_two_processes_append_without_losing_a_row(store: Store, tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), name], cwd=Path(__file__).parents[2])
        for name in "ab"
    ]
    assert [w.wait(timeout=50) for w in writers] == [0, 0]
    found = store.read(OUTCOMES)["source_id"].to_pylist()
    assert sorted(found) == sorted(f"{name}-{i}" for name in "ab" for i in range(20))


def test_a_full_disk_leaves_no_damaged_part_and_goes_on_after_room_is_made(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(pq, "write_table", full)
        with pytest.raises(StoreFullError, match=r"the disk is full.*make room and run the same command again"):
            store.write_part(SHOTS, "v1", DIGEST, shots_to_rows([make_shot()]))
    assert os.listdir(store.layout.table(SHOTS)) == []
    store.write_part(SHOTS, "v1", DIGEST, shots_to_rows([make_shot()]))
    assert store.has_part(SHOTS, "v1", DIGEST)


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})


def test_every_record_survives_its_table() -> None:
    assert videos_from_rows(videos_to_rows([make_video()])) == [make_video()]
    assert tasks_from_rows(tasks_to_rows([make_task()])) == [make_task()]
    assert annotations_from_rows(annotations_to_rows([make_annotation()])) == [make_annotation()]
    assert candidates_from_rows(candidates_to_rows([make_candidate()])) == [make_candidate()]
    assert segments_from_rows(segments_to_rows([make_segment()])) == [make_segment()]
    times = make_frame_times()
    again = frame_times_from_rows(frame_times_to_rows(times), video_id=times.video_id)
    assert (again.time_base, again.end_ns, again.sha256) == (times.time_base, times.end_ns, times.sha256)
    assert np.array_equal(again.times_ns, times.times_ns)
    assert np.array_equal(again.pts, times.pts)
    track = make_track()
    (back,) = tracks_from_rows(track_to_rows(track))
    assert np.array_equal(back.boxes_xyxy, track.boxes_xyxy)
    assert np.array_equal(back.frame_indices, track.frame_indices)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), widest_px=st.sampled_from([600, 2000, 4000]))
def test_keypoints_survive_their_table_exactly_at_a_sixteenth_of_a_pixel(seed: int, widest_px: int) -> None:
    random = np.random.default_rng(seed)
    count = 7
    parts_seen = random.random((count, len(Part))) < 0.7
    seen = random.random((count, KEYPOINT_COUNT)) < 0.8
    for part, points in PART_SLICES.items():
        seen[:, points] &= parts_seen[:, part, None]
    xy = np.rint(random.uniform(0, widest_px, (count, KEYPOINT_COUNT, 2)) * 16).astype(np.float32) / np.float32(16)
    xy[~seen] = np.nan
    scores = np.where(seen, random.integers(1, 256, seen.shape) / 255, 0).astype(np.float32)
    sequence = KeypointSequence(
        video_id=VideoId("v1"),
        track_number=3,
        frame_indices=np.arange(count, dtype=np.int32),
        times_ns=np.arange(count, dtype=np.int64) * 40_000_000,
        keypoints_xy=xy,
        scores=scores,
        parts_seen=parts_seen,
    )
    rows = keypoints_to_rows(sequence)
    assert rows.schema.names == KEYPOINTS.schema.names
    (back,) = keypoints_from_rows(rows)
    assert np.array_equal(back.keypoints_xy, xy, equal_nan=True)
    assert np.allclose(back.scores, scores, atol=1e-6)
    assert np.array_equal(back.parts_seen, parts_seen)
