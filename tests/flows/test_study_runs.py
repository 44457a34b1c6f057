"""A study's run: redone only where something changed, whole after any kill, and never stopped by one bad video."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows._outcome import ExitStatus
from flows._plan import current_candidates, explain, study_videos, to_perceive, to_propose
from flows._study import open_study
from schema.arrow import RUNS
from schema.errors import DamagedTableError, DropReason
from tests.studies import RECORDED, digests, make_study, paint_video, run_to_candidates, set_keys

RUNNER = """
import sys
from flows._study import open_study
from tests.studies import run_to_candidates
if __name__ == "__main__":
    run_to_candidates(open_study(sys.argv[1]))
"""
REPOSITORY = Path(__file__).parents[2]
OF_PEOPLE = frozenset({"quality", "players", "keypoints", "visibility", "candidates"})


def start_run(root: Path) -> subprocess.Popen[bytes]:
    script = root.parent / "runner.py"
    script.write_text(RUNNER)
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen([sys.executable, str(script), str(root)], env=environment, start_new_session=True)


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two painted videos, run to its candidates."""
    root = tmp_path_factory.mktemp("painted") / "study"
    for number in range(2):
        paint_video(root / "recordings" / f"v{number}.mp4", color=number, touch_s=(1.5 + number, 3.0 + number))
    run_to_candidates(make_study(root))
    return root


@pytest.fixture
def root(painted: Path, tmp_path: Path) -> Path:
    """A copy of that study to change."""
    return Path(shutil.copytree(painted, tmp_path / "study"))


def test_the_painted_touches_become_candidates(painted: Path) -> None:
    study = open_study(painted)
    found = [c for _, c in current_candidates(study, study_videos(study)) if c.proposer == "contact"]
    assert [c.class_id for c in found] == ["touching_or_scratching_neck"] * 2
    starts_s = sorted(c.span.start_ns / 1e9 for c in found)
    assert starts_s == pytest.approx([1.5, 2.5], abs=0.35)


def test_a_second_run_does_nothing(root: Path) -> None:
    before = digests(root), digests(root, RECORDED)
    outcomes = run_to_candidates(open_study(root))
    assert [o.done for o in outcomes.values()] == [0, 0, 0]
    assert (digests(root), digests(root, RECORDED)) == before


@pytest.mark.parametrize(
    ("section", "setting", "redone"),
    [
        ("shots", {"min_seconds": 0.3}, {"shots", "tracks", *OF_PEOPLE}),
        ("tracks", {"min_seconds": 0.6}, {"tracks", *OF_PEOPLE}),
        ("quality", {"sampling": {"per_second": 2.0}}, OF_PEOPLE),
        ("quality", {"min_sharpness": 0.2}, OF_PEOPLE - {"quality"}),
        ("quality", {"min_hands_share": 0.1}, {"candidates"}),
        ("players", {"min_confidence": 0.9}, OF_PEOPLE - {"quality"}),
        ("players", {"ask": False}, set()),
        ("keypoints", {"min_body_share": 0.2}, {"keypoints", "visibility", "candidates"}),
        ("proposals", {"max_per_track_minute": 5.0}, {"candidates"}),
        ("proxies", {"key_frame_every": 10}, {"proxies"}),
        ("annotate", {"context_seconds": 2.0}, set()),
    ],
)
def test_a_changed_setting_redoes_its_stage_and_later_ones_only(
    root: Path, section: str, setting: dict[str, object], redone: set[str]
) -> None:
    set_keys(root, **{section: setting})
    study = open_study(root)
    videos = study_videos(study)
    for video in videos:
        rows = explain(study, video.video_id)
        assert {row.table for row in rows if not row.current} == redone
        if redone:
            assert str(next(iter(setting))) in " ".join(row.why for row in rows)
    assert len(to_perceive(study, videos)) == (2 if redone - {"candidates"} else 0)


def test_candidates_are_proposed_from_smoothed_keypoints_and_raw_ones_stay(root: Path) -> None:
    raw = digests(root, ("keypoints",))
    set_keys(root, smoothing={"method": "savitzky_golay", "body_seconds": 0.4})
    study = open_study(root)
    (why,) = (row.why for row in explain(study, study_videos(study)[0].video_id) if row.table == "candidates")
    assert "inputs.smoothed was None" in why
    run_to_candidates(study)
    assert digests(root, ("keypoints",)) == raw
    for path in (root / "keypoints").glob("*.parquet"):
        (smoothed,) = (root / "smoothed").glob(f"{path.name.split('.')[0]}.*.parquet")
        kept, made = (pq.read_table(file) for file in (path, smoothed))
        assert kept.schema.names == made.schema.names
        assert kept["k010_score"] == made["k010_score"]
        assert kept["k010_x"] != made["k010_x"]


def test_each_derived_part_can_be_deleted_and_comes_back_the_same(root: Path) -> None:
    before = digests(root)
    for path in before:
        (root / path).unlink()
    run_to_candidates(open_study(root))
    assert digests(root) == before


def test_one_deleted_part_is_the_only_one_remade(root: Path) -> None:
    victim = next((root / "tracks").glob("*.parquet"))
    content, others = victim.read_bytes(), {p: p.stat().st_mtime_ns for p in (root / "keypoints").glob("*")}
    victim.unlink()
    run_to_candidates(open_study(root))
    assert victim.read_bytes() == content
    assert {p: p.stat().st_mtime_ns for p in (root / "keypoints").glob("*")} == others


def test_redoing_everything_leaves_recorded_tables_untouched(root: Path) -> None:
    before = digests(root, RECORDED)
    set_keys(root, shots={"min_seconds": 0.3}, proposals={"max_per_track_minute": 5.0})
    run_to_candidates(open_study(root))
    assert digests(root, RECORDED) == before


def test_a_lost_recorded_table_is_an_error_that_names_it(root: Path) -> None:
    shutil.rmtree(root / "videos")
    with pytest.raises(DamagedTableError, match="videos lost its MANIFEST"):
        study_videos(open_study(root))


def test_a_lost_key_is_never_replaced(root: Path) -> None:
    (root / "private" / "pseudonym.key").unlink()
    with pytest.raises(DamagedTableError, match="restore it from a backup"):
        open_study(root)


@pytest.mark.timeout(240)
def test_a_run_killed_at_any_moment_ends_in_the_same_bytes(painted: Path, tmp_path: Path) -> None:
    root = tmp_path / "study"
    shutil.copytree(painted / "recordings", root / "recordings")
    make_study(root)
    shutil.copy(painted / "private" / "pseudonym.key", root / "private" / "pseudonym.key")
    for delay_s in (1.5, 2.5, 3.5, 4.5, 6.0):
        process = start_run(root)
        time.sleep(delay_s)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    run_to_candidates(open_study(root))
    assert digests(root) == digests(painted)
    assert not list(root.glob("*/.*.tmp"))


@pytest.mark.timeout(240)
def test_two_runs_at_once_share_six_videos_and_do_none_twice(tmp_path: Path) -> None:
    root = tmp_path / "study"
    for number in range(6):
        touch_s = (1.0 + 0.3 * number, 3.0)
        paint_video(root / "recordings" / f"v{number}.mp4", color=number % 3, touch_s=touch_s, seconds=4)
    make_study(root)
    runs = [start_run(root) for _ in range(2)]
    assert [run.wait(timeout=200) for run in runs] == [0, 0]
    run_to_candidates(open_study(root))
    study = open_study(root)
    videos = study_videos(study)
    assert len(videos) == 6
    assert not to_perceive(study, videos)
    assert not to_propose(study, videos)
    perceived = [r["key"] for r in study.store.read(RUNS).to_pylist() if r["stage"] == "perceive"]
    assert sorted(perceived) == sorted(v.video_id for v in videos)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("tracker", "status"), [("AbortingTracker", ExitStatus.DROPPED), ("RaisingTracker", ExitStatus.FAILED)]
)
def test_a_back_end_that_dies_on_one_video_does_not_stop_the_others(
    tmp_path: Path, tracker: str, status: ExitStatus
) -> None:
    for number, color in enumerate((0, 3, 1)):
        paint_video(tmp_path / "study" / "recordings" / f"v{number}.mp4", color=color, seconds=4)
    study = make_study(tmp_path / "study", tracks=f"tests.faulty_back_ends:{tracker}")
    outcomes = run_to_candidates(study)
    outcome = outcomes["perceive"]
    assert outcome.exit_status(tolerated_drops=0) is status
    assert len({c.video_id for _, c in current_candidates(study, study_videos(study))}) == 2
    if status is ExitStatus.DROPPED:
        (lost,) = outcome.dropped
        assert (lost.stage, lost.reason) == ("tracks", DropReason.CRASHED)
        assert "SIGABRT" in lost.detail
        assert not to_perceive(study, study_videos(study))
    else:
        (failure,) = outcome.failures
        assert failure.cause == "LookupError: unforeseen"
        assert "LookupError" in "".join(study.store.read(RUNS)["detail"].to_pylist())
        assert [v.video_id for v in to_perceive(study, study_videos(study))] == [failure.key]
