"""Tables on disk: derived parts named by the digest of what made them, and recorded batches that only grow.

A derived part is ``<root>/<table>/<key>.<12 hex>.parquet``; what its stage dropped lies in the file's metadata, so a
part is whole or absent. A recorded table is a folder of numbered batches and a ``MANIFEST`` with their digests.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from schema.arrow import TableKind, TableSpec
from schema.batches import RecordedTable
from schema.errors import DamagedTableError, DropReason
from schema.files import digest_of, read_parquet, remove_unfinished, write_parquet, written_beside
from schema.layout import StudyLayout
from schema.records import Dropped

__all__ = [
    "STUDY_KEY",
    "PartName",
    "PartSummary",
    "Store",
    "digest_of",
    "write_parquet",
    "written_beside",
]

STUDY_KEY = "study"
"""The key of a part that is made from the whole study."""
_PART_NAME = re.compile(r"(?P<key>[a-z0-9-]+)\.(?P<digest>[0-9a-f]{12})\.parquet")
Read = TypeVar("Read")
_DROPPED = b"pressroom.dropped"
_FACTS = b"pressroom.facts"


@dataclass(frozen=True, slots=True, kw_only=True)
class PartName:
    """What a listing of a derived table tells without opening a file."""

    key: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSummary:
    """What a part's footer tells: how many rows, what was dropped, and the stage's own facts."""

    row_count: int
    dropped: tuple[Dropped, ...]
    facts: dict[str, str]


class Store:
    """The tables of one study."""

    def __init__(self, layout: StudyLayout) -> None:
        """Open the tables under the study's root; nothing is read or made yet."""
        self.layout = layout
        self._tables: dict[str, RecordedTable] = {}
        self._opening = Lock()

    def part_path(self, spec: TableSpec, key: str, digest: str) -> Path:
        """Return where a derived part is, or would be."""
        return self.layout.table(spec) / f"{key}.{digest}.parquet"

    def has_part(self, spec: TableSpec, key: str, digest: str) -> bool:
        """Tell whether the part was made."""
        return self.part_path(spec, key, digest).exists()

    def parts(self, spec: TableSpec) -> list[PartName]:
        """List the derived parts there are, current or not."""
        folder = self.layout.table(spec)
        if not folder.is_dir():
            return []
        found = (_PART_NAME.fullmatch(path.name) for path in sorted(folder.iterdir()))
        return [PartName(key=m["key"], digest=m["digest"]) for m in found if m]

    def write_part(
        self,
        spec: TableSpec,
        key: str,
        digest: str,
        rows: pa.Table,
        *,
        dropped: Sequence[Dropped] = (),
        facts: Mapping[str, str] | None = None,
    ) -> None:
        """Write a derived part whole, and remove the key's parts of other digests and what a killed writer left.

        The caller holds the key's lease, so nobody else is writing there.
        """
        if spec.kind is not TableKind.DERIVED or rows.schema.names != spec.schema.names:
            raise ValueError(f"table {spec.name} takes no such part")
        lost = [{"stage": d.stage, "item_id": d.item_id, "reason": d.reason, "detail": d.detail} for d in dropped]
        metadata = {_DROPPED: json.dumps(lost).encode(), _FACTS: json.dumps(dict(facts or {}), sort_keys=True).encode()}
        write_parquet(rows, self.part_path(spec, key, digest), metadata=metadata)
        for name in self.parts(spec):
            if name.key == key and name.digest != digest:
                self.part_path(spec, key, name.digest).unlink(missing_ok=True)
        remove_unfinished(self.layout.table(spec), key)

    def read_part(self, spec: TableSpec, key: str, digest: str, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a derived part, or some of its columns; raises ``DamagedTableError`` where it can't be read."""
        path = self.part_path(spec, key, digest)
        return _reading(
            path, lambda: read_parquet(path, columns=columns), remedy="delete the file and run the same command again"
        )

    def summary(self, spec: TableSpec, key: str, digest: str) -> PartSummary:
        """Read a part's footer alone."""
        path = self.part_path(spec, key, digest)
        footer = _reading(path, lambda: pq.read_metadata(path), remedy="delete the file and run the same command again")
        metadata = footer.metadata or {}
        dropped = tuple(
            Dropped(stage=d["stage"], item_id=d["item_id"], reason=DropReason(d["reason"]), detail=d["detail"])
            for d in json.loads(metadata.get(_DROPPED, b"[]"))
        )
        facts = json.loads(metadata.get(_FACTS, b"{}"))
        return PartSummary(row_count=footer.num_rows, dropped=dropped, facts=facts)

    def append(self, spec: TableSpec, rows: pa.Table) -> None:
        """Add a batch to a recorded table; no rows, no batch."""
        if spec.kind is not TableKind.RECORDED or rows.schema != spec.schema:
            raise ValueError(f"table {spec.name} takes no such batch")
        if rows.num_rows:
            self._recorded(spec).append(rows)

    def read(self, spec: TableSpec) -> pa.Table:
        """Read a recorded table whole, in the order it was recorded; one that was never begun is empty.

        The first read checks every batch against its digest; later ones take in what was added since, by any process.
        Batches of an older version lack the columns that came later: there they are null.

        Raises ``DamagedTableError`` naming the batch that is missing or altered.
        """
        return self._recorded(spec).read()

    def purge(self, spec: TableSpec, keep: Callable[[pa.Table], pa.Array | pa.ChunkedArray]) -> int:
        """Rewrite a recorded table without the rows that ``keep`` does not mark, for a withdrawal alone.

        Args:
            spec: The table.
            keep: Gives, for rows with the table's columns, a boolean each without nulls: True stays.

        Returns:
            How many rows went; 0 leaves every byte as it is. A kill at any moment leaves the rows from before or those
            from after, and no old bytes once the table is opened again.

        Raises:
            DamagedTableError: A batch is missing or altered.
        """
        if spec.kind is not TableKind.RECORDED:
            raise ValueError(f"table {spec.name} is not recorded")
        return self._recorded(spec).purge(keep)

    def recorded_digest(self, spec: TableSpec) -> str:
        """Digest all that was recorded in a table, from its manifest alone."""
        return self._recorded(spec).digest()

    def recorded_size(self, spec: TableSpec) -> int:
        """Return a number that grows with every batch of a recorded table, without reading anything."""
        return self._recorded(spec).byte_count()

    def _recorded(self, spec: TableSpec) -> RecordedTable:
        with self._opening:
            return self._tables.setdefault(spec.name, RecordedTable(self.layout, spec))


def _reading(path: Path, read: Callable[[], Read], *, remedy: str) -> Read:
    try:
        return read()
    except (OSError, pa.ArrowException) as error:
        raise DamagedTableError(f"{path} can't be read ({type(error).__name__}); {remedy}") from error
