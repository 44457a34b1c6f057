"""A child that crashes, hangs, eats memory or raises is told apart, and never takes its parent along."""

from pathlib import Path

import pytest

from flows._isolation import Died, Failed, Finished, Limits, run_isolated
from schema.errors import DropReason, MissingPartError


def run(entry: str, tmp_path: Path, *, seconds: float = 40.0, memory_bytes: int = 2**33) -> object:
    reports: list[tuple[str, int, int]] = []
    limits = Limits(memory_bytes=memory_bytes, seconds=seconds)
    result = run_isolated(
        f"tests.flows.isolated_work:{entry}",
        ("v1",),
        limits=limits,
        log=tmp_path / "log",
        report=lambda *message: reports.append(message),
    )
    if isinstance(result, Finished):
        assert reports == [("tracks", 1, 2)]
    return result


def test_work_that_finishes_keeps_its_noise_in_the_log(tmp_path: Path) -> None:
    assert run("finish", tmp_path) == Finished()
    assert "noise of a library" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("entry", "stage", "cause"), [("abort", "tracks", "killed by SIGABRT"), ("leave", "shots", "ended with status 7")]
)
def test_a_crash_names_its_signal_and_stage(tmp_path: Path, entry: str, stage: str, cause: str) -> None:
    result = run(entry, tmp_path)
    assert isinstance(result, Died)
    assert (result.reason, result.stage) == (DropReason.CRASHED, stage)
    assert cause in result.detail


def test_an_unforeseen_error_comes_back_with_its_traceback(tmp_path: Path) -> None:
    result = run("raise_unforeseen", tmp_path)
    assert isinstance(result, Failed)
    assert result.stage == "keypoints"
    assert "LookupError: unforeseen in v1" in result.traceback


def test_an_error_that_ends_the_run_is_raised_again(tmp_path: Path) -> None:
    with pytest.raises(MissingPartError, match="put it there"):
        run("refuse", tmp_path)


def test_work_beyond_its_time_is_ended(tmp_path: Path) -> None:
    result = run("sleep", tmp_path, seconds=4.0)
    assert isinstance(result, Died)
    assert result.reason is DropReason.TIMED_OUT


def test_work_beyond_its_memory_is_ended(tmp_path: Path) -> None:
    result = run("eat_memory", tmp_path, memory_bytes=600 * 2**20)
    assert isinstance(result, Died)
    assert result.reason is DropReason.OUT_OF_MEMORY
