"""What a stage's run came to: what was done, dropped and failed, and the exit status that says so."""

import time
from dataclasses import dataclass, field
from enum import IntEnum

import pyarrow as pa

from flows._study import Study
from schema.arrow import RUNS
from schema.errors import DropReason
from schema.records import Dropped
from schema.rows import table_of


class ExitStatus(IntEnum):
    """What the command's exit status means."""

    DONE = 0
    DROPPED = 1
    """More sources or videos were dropped than the study tolerates."""
    WRONG_CALL = 2
    FAILED = 3
    """Something unforeseen, or a service, stopped part of the run or all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A key that an unforeseen error ended; it is tried again at the next run."""

    stage: str
    key: str
    traceback: str

    @property
    def cause(self) -> str:
        """The last line of the traceback."""
        return self.traceback.strip().splitlines()[-1] if self.traceback.strip() else "unknown"


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a stage did over all of its keys."""

    stage: str
    done: int = 0
    """Keys that were worked on and finished."""
    rows: int = 0
    dropped: list[Dropped] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    """Keys that another runner has in hand."""
    notes: list[str] = field(default_factory=list)
    byte_count: int = 0
    """Bytes that were downloaded."""
    paused: dict[str, int] = field(default_factory=dict)
    """Hosts that may not be asked now, and until when: Unix time in ns."""
    next_retry_ns: int | None = None
    """When the first source that waits may be tried again, Unix time in ns."""
    seconds: float = 0.0

    def add(self, other: "Outcome") -> None:
        """Take in what happened to another key of the same stage."""
        self.done += other.done
        self.rows += other.rows
        self.dropped += other.dropped
        self.failures += other.failures
        self.busy += other.busy
        self.notes += other.notes
        self.byte_count += other.byte_count
        self.paused |= other.paused
        self.next_retry_ns = other.next_retry_ns or self.next_retry_ns

    def exit_status(self, *, tolerated_drops: int) -> ExitStatus:
        """Say how the command should end; drops below the level of a video are data, not trouble."""
        if self.failures:
            return ExitStatus.FAILED
        lost = {
            d.item_id
            for d in self.dropped
            if d.stage in _COUNTED_STAGES and d.reason not in EXPECTED and "/" not in d.item_id
        }
        return ExitStatus.DROPPED if len(lost) > tolerated_drops else ExitStatus.DONE


EXPECTED = frozenset(
    {
        DropReason.FILTERED,
        DropReason.TOO_LONG,
        DropReason.OPTED_OUT,
        DropReason.NOT_YET,
        DropReason.DUPLICATE,
        DropReason.WITHDRAWN,
        DropReason.DISPOSED,
    }
)
"""Reasons that the study asked for, or that pass by themselves: counted, and no trouble."""
_COUNTED_STAGES = frozenset(
    {"collect", "recheck", "frames", "shots", "tracks", "quality", "players", "keypoints", "visibility", "proxies"}
)


def record_run(study: Study, outcome: Outcome, *, key: str, started_ns: int) -> None:
    """Write the outcome into the run ledger: the one table that holds wall times."""
    verdict = "failed" if outcome.failures else "done"
    row = {
        "run_id": f"{outcome.stage}-{started_ns}",
        "stage": outcome.stage,
        "key": key,
        "outcome": verdict,
        "started_ns": started_ns,
        "duration_ns": time.time_ns() - started_ns,
        "row_count": outcome.rows,
        "detail": "\n".join(f.traceback for f in outcome.failures),
    }
    study.store.append(RUNS, table_of(RUNS, [row]))


def last_seconds(runs: pa.Table) -> dict[str, float]:
    """Return the summed seconds that each stage has taken, by stage."""
    spent: dict[str, float] = {}
    for row in runs.select(["stage", "duration_ns"]).to_pylist():
        spent[row["stage"]] = spent.get(row["stage"], 0.0) + row["duration_ns"] / 1e9
    return spent
