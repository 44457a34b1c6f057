"""What a study remembers of its collection: how each source's newest attempts ended, and which videos it holds."""

from dataclasses import dataclass

from collectors.policy import retry_ns
from flows._study import Study
from flows._withdrawals import withdrawn_sources
from schema.arrow import OUTCOMES, SOURCES, VIDEOS, WITHDRAWALS, TableSpec
from schema.errors import DropReason
from schema.rows import Row

GOT = "got"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How the newest attempt at a source ended."""

    outcome: str
    """`got`, or a drop reason."""
    attempted_ns: int
    retry_ns: int | None
    """When it is tried again, Unix time in ns; None: never."""
    rules: str | None
    """Digest of the filters and opt-outs that passed it over."""
    in_a_row: int
    """How many attempts in a row ended so."""


class Memory:
    """The recorded tables of collection, folded; ``refresh`` takes in what any runner recorded since."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._rows_read: dict[str, int] = {}
        self._withdrawn = 0
        self.attempts: dict[str, Attempt] = {}
        """The newest attempt by source id."""
        self.held_by: dict[tuple[str, str], str] = {}
        """The source id that first gave the video of (platform, native id)."""
        self.given: set[tuple[str, str]] = set()
        """Every (source id, video id) that was recorded."""
        self.video_ids_by_sha256: dict[str, str] = {}
        self.video_ids: set[str] = set()
        """The videos that were verified and kept."""
        self.withdrawn: frozenset[str] = frozenset()
        """Sources that are known to lead to withdrawn videos."""
        self.refresh()

    def refresh(self) -> None:
        """Read the rows that were added since the last call; all of them anew where a withdrawal took some out."""
        withdrawn = self._study.store.read(WITHDRAWALS).num_rows  # it grows before rows go, and after
        if withdrawn != self._withdrawn:
            self._withdrawn, self.withdrawn = withdrawn, withdrawn_sources(self._study)
            for known in (self._rows_read, self.attempts, self.held_by, self.video_ids_by_sha256):
                known.clear()
            self.given.clear()
            self.video_ids.clear()
        for row in self._new_rows(OUTCOMES, ["source_id", "outcome", "attempted_ns", "retry_ns", "rules"]):
            self.attempts[row["source_id"]] = _attempt(row, self.attempts.get(row["source_id"]))
        for row in self._new_rows(SOURCES, ["platform", "native_id", "source_id", "video_id"]):
            self.given.add((row["source_id"], row["video_id"]))
            self.held_by.setdefault((row["platform"], row["native_id"]), row["source_id"])
        for row in self._new_rows(VIDEOS, ["video_id", "sha256"]):
            self.video_ids_by_sha256.setdefault(row["sha256"], row["video_id"])
            self.video_ids.add(row["video_id"])

    def _new_rows(self, spec: TableSpec, columns: list[str]) -> list[Row]:
        table = self._study.store.read(spec)
        known = self._rows_read.get(spec.name, 0)
        self._rows_read[spec.name] = table.num_rows
        rows: list[Row] = table.select(columns).slice(known).to_pylist()
        return rows


def _attempt(row: Row, before: Attempt | None) -> Attempt:
    # DropReason knows the words that the first version wrote
    outcome = row["outcome"] if row["outcome"] == GOT else DropReason(row["outcome"])
    in_a_row = before.in_a_row + 1 if before is not None and before.outcome == outcome else 1
    waits = row["retry_ns"]
    if waits is None and isinstance(outcome, DropReason):  # the first version did not write it
        waits = retry_ns(outcome, attempted_ns=row["attempted_ns"], attempts_in_a_row=in_a_row)
    return Attempt(
        outcome=str(outcome), attempted_ns=row["attempted_ns"], retry_ns=waits, rules=row["rules"], in_a_row=in_a_row
    )
