"""What is remembered of one host: its token bucket and its circuit breaker, as pure functions of the time.

The bucket is the generic cell rate algorithm: one number, the time at which it is full again, instead of a count and a
date. The breaker is closed (``pauses`` is 0), paused (until ``paused_until_ns``) or on trial (the pause is over and one
turn at a time is given, until the host gives a video).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from schema.errors import DropReason
from schema.tables import written_beside

Told = TypeVar("Told")

PAUSE_GROWTH = 2.0
"""How much longer each further pause is than the one before."""
PAUSE_JITTER = 0.1
"""Largest part by which a pause is drawn out, so that several studies do not come back at the same second."""
LONGEST_RETRY_AFTER_S = 7 * 86400.0
"""A server's Retry-After is obeyed up to a week: a date in the year 9999 must not end a source for ever."""

WORDS = {
    DropReason.RATE_LIMITED: "it says that too much was asked of it",
    DropReason.BOT_CHECK: "it wants proof that a person asks",
    DropReason.REFUSED: "it refused several requests in a row",
}
"""Why a host is paused; of any other outcome: ``ASKED_TO_WAIT``."""
ASKED_TO_WAIT = "its server asked to wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMemory:
    """What is known of one host; the defaults are those of a host that was never asked."""

    full_ns: int = 0
    """When the bucket is full again, Unix time in ns."""
    refusals: int = 0
    """Refusals in a row that have not led to a pause yet."""
    pauses: int = 0
    """Pauses since the host last gave a video; 0: the breaker is closed."""
    pause_ns: int = 0
    """Length of the newest pause."""
    paused_until_ns: int = 0
    """End of the newest pause, Unix time in ns."""
    reason: str = ""
    """Outcome that led to the newest pause."""

    def is_paused(self, now_ns: int) -> bool:
        """Tell whether nothing may be asked of the host."""
        return self.paused_until_ns > now_ns

    def is_on_trial(self, now_ns: int) -> bool:
        """Tell whether the pause is over, but the host has given nothing since."""
        return self.pauses > 0 and not self.is_paused(now_ns)

    @property
    def why(self) -> str:
        """Why the host is, or was last, paused, in words; empty in good standing."""
        return WORDS.get(DropReason(self.reason), ASKED_TO_WAIT) if self.pauses and self.reason else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """How a host stands with the study; for ``pressroom status``."""

    host: str
    paused_until_ns: int | None
    """Unix time in ns; None: it is not paused."""
    on_trial: bool
    """Its pause is over and it has given nothing since: one video at a time is tried."""
    reason: DropReason | None
    """Outcome that led to the pause."""
    why: str
    """The same in words; empty for a host in good standing."""
    refusals: int
    """Refusals in a row so far."""
    pauses: int
    """Pauses since it last gave a video."""

    def is_paused(self, now_ns: int) -> bool:
        """Tell whether nothing may be asked of the host."""
        return self.paused_until_ns is not None and self.paused_until_ns > now_ns


def state_of(host: str, memory: HostMemory, now_ns: int) -> HostState:
    """Tell how a host stands."""
    return HostState(
        host=host,
        paused_until_ns=memory.paused_until_ns if memory.is_paused(now_ns) else None,
        on_trial=memory.is_on_trial(now_ns),
        reason=DropReason(memory.reason) if memory.reason else None,
        why=memory.why,
        refusals=memory.refusals,
        pauses=memory.pauses,
    )


def read_memory(document: object) -> HostMemory:
    """Read what ``HostBook`` wrote; raises ``ValueError`` for anything else."""
    if not isinstance(document, Mapping) or not all(isinstance(key, str) for key in document):
        raise ValueError("a host's memory is a table")
    plain = asdict(HostMemory())
    for key, value in document.items():
        if key not in plain or type(value) is not type(plain[key]) or (isinstance(value, int) and value < 0):
            raise ValueError(f"a host's memory has no such {key!r}")
    memory = HostMemory(**document)
    if memory.reason:
        DropReason(memory.reason)
    return memory


def healed(memory: HostMemory, now_ns: int, *, longest_lead_ns: int) -> HostMemory:
    """Cut waits that only a clock put back can have made: none is longer than it was when it began.

    ``longest_lead_ns`` is the furthest that the bucket can run ahead of the clock.
    """
    return replace(
        memory,
        full_ns=min(memory.full_ns, now_ns + longest_lead_ns),
        paused_until_ns=min(memory.paused_until_ns, now_ns + memory.pause_ns),
    )


def take_turn(
    memory: HostMemory, *, now_ns: int, interval_ns: int, burst: int, stretch: float
) -> tuple[HostMemory, int]:
    """Reserve the next turn; returns when it begins, Unix time in ns.

    No window of time T ever holds more than ``burst + T / interval_ns`` turns. ``stretch`` >= 1 draws the wait after
    this turn out.
    """
    start_ns = max(now_ns, memory.full_ns - (burst - 1) * interval_ns)
    cost_ns = max(interval_ns, round(interval_ns * stretch))
    return replace(memory, full_ns=max(start_ns, memory.full_ns) + cost_ns), start_ns


def with_refusal(
    memory: HostMemory,
    now_ns: int,
    *,
    reason: str,
    first_pause_ns: int,
    longest_pause_ns: int,
    retry_after_ns: int,
    stretch: float,
) -> HostMemory:
    """Pause the host, each time for longer, and at least for what its server asked.

    A refusal that was under way when the host was paused makes the pause no longer, unless its server asks for it.
    ``retry_after_ns`` is that, 0 where it asked nothing; the first pause is then exactly so long. ``stretch`` in [0, 1]
    says how much of the jitter a pause gets.
    """
    if memory.is_paused(now_ns):
        until_ns = max(memory.paused_until_ns, now_ns + retry_after_ns)
        return replace(memory, paused_until_ns=until_ns, pause_ns=max(memory.pause_ns, until_ns - now_ns))
    grown_ns = round(PAUSE_GROWTH * memory.pause_ns) if memory.pauses else 0
    own_ns = grown_ns if retry_after_ns else max(first_pause_ns, grown_ns)
    own_ns = min(longest_pause_ns, round(own_ns * (1 + PAUSE_JITTER * stretch)))
    pause_ns = max(retry_after_ns, own_ns)
    return replace(
        memory,
        refusals=0,
        pauses=memory.pauses + 1,
        pause_ns=pause_ns,
        paused_until_ns=now_ns + pause_ns,
        reason=reason,
    )


def with_success(memory: HostMemory, now_ns: int) -> HostMemory:
    """Forget all refusals; a pause that another worker's refusal began meanwhile stays."""
    if memory.is_paused(now_ns):
        return memory
    return replace(memory, refusals=0, pauses=0, pause_ns=0, paused_until_ns=0, reason="")


class HostBook:
    """The memories of all hosts in one JSON file, shared by threads and processes."""

    def __init__(self, file: Path, *, longest_lead_ns: Callable[[str], int]) -> None:
        """Take the file; ``longest_lead_ns`` tells for each host how far its bucket can run ahead of the clock."""
        self._file = file
        self._longest_lead_ns = longest_lead_ns

    def beside(self, name: str) -> Path:
        """Return a path beside the file, in a folder that is there."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        return self._file.with_name(f"{self._file.stem}.{name}")

    def memories(self, now_ns: int) -> dict[str, HostMemory]:
        """Read all hosts, without a lock: the file is only ever replaced. A damaged one tells nothing."""
        try:
            written = _read_memories(self._file)
        except ValueError:
            return {}
        known = self._healed(written, now_ns)
        if known != written:  # a wait that is cut must begin to pass: cut anew at each look, it would never end
            with self._locked():
                known = self._healed(_read_memories(self._file), now_ns)
                self._write(known, now_ns)
        return known

    def memory(self, host: str, now_ns: int) -> HostMemory:
        """Return what is known of a host."""
        return self.memories(now_ns).get(host, HostMemory())

    def change(self, host: str, now_ns: int, change: Callable[[HostMemory], tuple[HostMemory, Told]]) -> Told:
        """Change what is known of a host, one caller at a time; returns what ``change`` tells beside.

        A damaged file is set aside first. Raises ``StoreFullError`` where the disk is full.
        """
        with self._locked():
            self._set_aside_damaged(now_ns)
            memories = self._healed(_read_memories(self._file), now_ns)
            memories[host], told = change(memories.get(host, HostMemory()))
            self._write(memories, now_ns)
        return told

    def damaged_files(self) -> list[Path]:
        """List the files that could not be read and were set aside."""
        return sorted(self._file.parent.glob(f"{self._file.stem}.damaged-*"))

    def _locked(self) -> FileLock:
        return FileLock(self.beside("lock"))

    def _healed(self, memories: dict[str, HostMemory], now_ns: int) -> dict[str, HostMemory]:
        return {host: healed(m, now_ns, longest_lead_ns=self._longest_lead_ns(host)) for host, m in memories.items()}

    def _write(self, memories: dict[str, HostMemory], now_ns: int) -> None:
        document = {host: asdict(m) for host, m in sorted(memories.items()) if not _is_blank(m, now_ns)}
        with written_beside(self._file) as beside:
            beside.write_text(json.dumps(document, indent=1), encoding="utf-8")

    def _set_aside_damaged(self, now_ns: int) -> None:
        try:
            _read_memories(self._file)
        except ValueError:
            self._file.replace(self.beside(f"damaged-{now_ns}"))


def _read_memories(file: Path) -> dict[str, HostMemory]:
    try:
        document = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    if not isinstance(document, dict):
        raise ValueError("the hosts are a table")
    return {host: read_memory(memory) for host, memory in document.items()}


def _is_blank(memory: HostMemory, now_ns: int) -> bool:
    return memory.full_ns <= now_ns and replace(memory, full_ns=0) == HostMemory()
