"""One runner at a time, and a dead runner's lease is taken over."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows._leases import STALE_AFTER_S, lease, lease_holders, waited_lease
from schema.layout import StudyLayout

HOLDER = """
import sys, time
from flows._leases import lease
from schema.layout import StudyLayout
with lease(StudyLayout.at(sys.argv[1]), "perceive", "v1") as held:
    print(held, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def layout(tmp_path: Path) -> StudyLayout:
    return StudyLayout.at(tmp_path)


def start_holder(layout: StudyLayout) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(layout.root)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


def test_a_lease_is_held_once_and_free_again_afterwards(layout: StudyLayout) -> None:
    with lease(layout, "perceive", "v1") as first:
        with lease(layout, "perceive", "v1") as second, lease(layout, "perceive", "v2") as other_key:
            assert (first, second, other_key) == (True, False, True)
        with lease(layout, "propose", "v1") as other_stage:
            assert other_stage
        assert lease_holders(layout) == ["perceive.v1"]
    with lease(layout, "perceive", "v1") as again:
        assert again


def test_the_lease_of_a_killed_runner_is_taken_over_at_once(layout: StudyLayout) -> None:
    holder = start_holder(layout)
    with holder:
        with lease(layout, "perceive", "v1") as held:
            assert not held
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with lease(layout, "perceive", "v1") as held:
            assert held


def test_a_lease_of_another_host_is_stale_after_a_minute_without_a_heartbeat(layout: StudyLayout) -> None:
    path = layout.leases / "perceive.v1.lease"
    layout.leases.mkdir()
    path.write_text('{"host": "elsewhere", "pid": 1, "started": 0.0, "thread": 1}')
    with lease(layout, "perceive", "v1") as held:
        assert not held
    long_ago = time.time() - STALE_AFTER_S - 1
    os.utime(path, (long_ago, long_ago))
    with lease(layout, "perceive", "v1") as held:
        assert held


def test_a_lease_that_was_cut_short_by_a_kill_is_stale(layout: StudyLayout) -> None:
    layout.leases.mkdir()
    (layout.leases / "perceive.v1.lease").write_text('{"host": "el')
    with lease(layout, "perceive", "v1") as held:
        assert held


def test_waiting_for_a_lease_ends_when_its_holder_dies(layout: StudyLayout) -> None:
    with start_holder(layout) as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with waited_lease(layout, "perceive", "v1"):
            assert lease_holders(layout) == ["perceive.v1"]
