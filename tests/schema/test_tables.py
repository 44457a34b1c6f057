"""Derived parts are whole or absent; recorded tables only grow, and say what is missing."""

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schema import batches
from schema.answer_rows import annotations_from_rows, annotations_to_rows, tasks_from_rows, tasks_to_rows
from schema.arrow import KEYPOINTS, OUTCOMES, SHOTS, SOURCES, TASKS
from schema.batches import PARSED_ANEW
from schema.errors import DamagedTableError, DropReason, StoreFullError
from schema.files import write_parquet
from schema.layout import StudyLayout
from schema.records import KEYPOINT_COUNT, PART_SLICES, KeypointSequence, Part, VideoId
from schema.rows import (
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


def outcome_rows(*names: str) -> pa.Table:
    rest = dict.fromkeys(OUTCOMES.schema.names) | {"outcome": "got", "detail": "", "attempted_ns": 1}
    return table_of(OUTCOMES, [rest | {"source_id": name} for name in names])


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


def test_several_batches_that_a_power_cut_left_out_of_the_manifest_are_noted_again(store: Store) -> None:
    for name in ("l1", "l2", "l3"):
        store.append(OUTCOMES, outcome_rows(name))
    manifest = store.layout.table(OUTCOMES) / "MANIFEST"
    whole = manifest.read_text()
    for rest in (whole[:40], whole[:78] + "\0" * 78, whole[:78] + "\0" * 77 + "\n"):
        manifest.write_text(rest)
        assert Store(store.layout).read(OUTCOMES)["source_id"].to_pylist() == ["l1", "l2", "l3"]
        assert manifest.read_text() == whole


def test_a_reader_takes_in_what_others_recorded_meanwhile(store: Store) -> None:
    other = Store(store.layout)
    for count in range(1, 6):
        (store if count % 2 else other).append(OUTCOMES, outcome_rows(f"l{count}"))
        for each in (store, other):
            assert each.read(OUTCOMES)["source_id"].to_pylist() == [f"l{n}" for n in range(1, count + 1)]


def test_threads_of_one_process_append_and_read_without_losing_a_row(store: Store) -> None:
    def work(name: str) -> int:
        for i in range(10):
            store.append(OUTCOMES, outcome_rows(f"{name}-{i}"))
            own = [n for n in store.read(OUTCOMES)["source_id"].to_pylist() if n.startswith(name)]
            assert own == [f"{name}-{k}" for k in range(i + 1)]
        return 1

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(work, "abc")) == 3
    assert len(store.read(OUTCOMES)) == len(Store(store.layout).read(OUTCOMES)) == 30


@pytest.fixture
def many_batches(store: Store) -> list[str]:
    names = [f"l{n}" for n in range(PARSED_ANEW + 10)]
    for name in names:
        store.append(OUTCOMES, outcome_rows(name))
    assert Store(store.layout).read(OUTCOMES)["source_id"].to_pylist() == names
    return names


def parsed_file(store: Store) -> Path:
    (path,) = (store.layout.work / "tables").iterdir()
    return path


def test_batches_are_parsed_once_and_not_at_every_start(
    store: Store, many_batches: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(OUTCOMES, outcome_rows("new"))
    parsed: list[int] = []
    parse = batches._parsed
    monkeypatch.setattr(batches, "_parsed", lambda content: parsed.append(len(content)) or parse(content))
    assert Store(store.layout).read(OUTCOMES)["source_id"].to_pylist() == [*many_batches, "new"]
    assert len(parsed) == 2


def test_what_a_long_run_recorded_is_not_parsed_by_the_next_process(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "APPENDED_ANEW", 10)
    assert store.read(OUTCOMES).num_rows == 0
    for number in range(40):
        store.append(OUTCOMES, outcome_rows(f"l{number}"))
    parsed: list[int] = []
    parse = batches._parsed
    monkeypatch.setattr(batches, "_parsed", lambda content: parsed.append(len(content)) or parse(content))
    assert Store(store.layout).read(OUTCOMES)["source_id"].to_pylist() == [f"l{n}" for n in range(40)]
    assert 1 < len(parsed) <= 11


@pytest.mark.parametrize("spoil", ["delete", "alter", "outdate"])
def test_the_file_of_parsed_rows_can_be_lost_without_losing_a_row(
    store: Store, many_batches: list[str], spoil: str
) -> None:
    path = parsed_file(store)
    if spoil == "delete":
        path.unlink()
    elif spoil == "alter":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.rename(path.with_name(path.name.replace(f".{len(many_batches)}.", f".{len(many_batches) - 1}.")))
    assert Store(store.layout).read(OUTCOMES)["source_id"].to_pylist() == many_batches
    assert len(list(path.parent.iterdir())) == 1


def test_a_batch_altered_after_its_rows_were_parsed_is_an_error_all_the_same(
    store: Store, many_batches: list[str]
) -> None:
    assert parsed_file(store).exists()
    batch = store.layout.table(OUTCOMES) / "000007.parquet"
    batch.write_bytes(batch.read_bytes() + b"x")
    with pytest.raises(DamagedTableError, match=r"000007\.parquet was altered"):
        Store(store.layout).read(OUTCOMES)


def test_parsed_rows_of_a_table_with_links_stay_private(store: Store) -> None:
    rest = dict.fromkeys(SOURCES.schema.names) | dict.fromkeys(
        ("source_id", "video_id", "platform", "native_id", "location"), "x"
    )
    for _ in range(PARSED_ANEW + 1):
        store.append(SOURCES, table_of(SOURCES, [rest]))
    assert Store(store.layout).read(SOURCES).num_rows == PARSED_ANEW + 1
    assert [p.name.split(".")[0] for p in (store.layout.private / "work" / "tables").iterdir()] == ["sources"]
    assert not store.layout.work.exists()


def older_outcomes(*names: str) -> pa.Table:
    """Return outcomes as version 0.1 recorded them."""
    return outcome_rows(*names).select(["source_id", "video_id", "outcome", "detail", "attempted_ns"])


def test_batches_of_an_older_version_read_with_nulls_in_later_columns(store: Store) -> None:
    store.append(OUTCOMES, outcome_rows("l1"))
    folder = store.layout.table(OUTCOMES)
    write_parquet(older_outcomes("l2", "l3"), folder / "000002.parquet")
    store.append(OUTCOMES, outcome_rows("l4"))
    rows = Store(store.layout).read(OUTCOMES)
    assert rows.schema == OUTCOMES.schema
    assert rows["source_id"].to_pylist() == ["l1", "l2", "l3", "l4"]
    assert rows["retry_ns"].null_count == rows["rules"].null_count == 4


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda rows: rows.drop_columns(["detail"]), "it lacks the column 'detail'"),
        (lambda rows: rows.append_column("mood", pa.array(["good"])), "'mood', which this version does not know"),
        (
            lambda rows: rows.set_column(4, pa.field("attempted_ns", pa.string(), nullable=False), pa.array(["1"])),
            "a column is of another type",
        ),
    ],
)
def test_a_batch_of_other_columns_is_an_error_that_names_it(
    store: Store, change: Callable[[pa.Table], pa.Table], why: str
) -> None:
    store.append(OUTCOMES, outcome_rows("l1"))
    write_parquet(change(outcome_rows("l2")), store.layout.table(OUTCOMES) / "000002.parquet")
    with pytest.raises(DamagedTableError, match=rf"000002\.parquet does not fit: .*{why}"):
        store.read(OUTCOMES)


def test_words_that_version_0_1_recorded_are_understood() -> None:
    assert DropReason("not_found") is DropReason.REMOVED
    assert DropReason("incomplete") is DropReason.TRUNCATED
    with pytest.raises(ValueError, match="lost"):
        DropReason("lost")


WRITER = """
import sys
from pathlib import Path
from schema.arrow import OUTCOMES
from schema.layout import StudyLayout
from schema.rows import table_of
from schema.tables import Store
store = Store(StudyLayout.at(Path(sys.argv[1])))
rest = {name: None for name in OUTCOMES.schema.names} | {"outcome": "got", "detail": "", "attempted_ns": 1}
for i in range(20):
    store.append(OUTCOMES, table_of(OUTCOMES, [rest | {"source_id": f"{sys.argv[2]}-{i}"}]))
    store.read(OUTCOMES)
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
        interpolated=random.random(count) < 0.5,
    )
    rows = keypoints_to_rows(sequence)
    assert rows.schema.names == KEYPOINTS.schema.names
    (back,) = keypoints_from_rows(rows)
    assert np.array_equal(back.keypoints_xy, xy, equal_nan=True)
    assert np.allclose(back.scores, scores, atol=1e-6)
    assert np.array_equal(back.parts_seen, parts_seen)
    assert np.array_equal(back.interpolated, sequence.interpolated)
