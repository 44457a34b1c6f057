"""Tables on disk: derived parts named by the digest of what made them, and recorded batches that only grow.

A derived part is ``<root>/<table>/<key>.<12 hex>.parquet``; what its stage dropped lies in the file's metadata, so a
part is whole or absent. A recorded table is a folder of numbered batches and a ``MANIFEST`` with their digests.
"""

import errno
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from schema.arrow import TableKind, TableSpec
from schema.errors import DamagedTableError, DropReason, StoreFullError
from schema.layout import StudyLayout
from schema.records import Dropped
from schema.rows import concatenated

DIGEST_HEX_DIGITS = 12
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


def digest_of(document: object) -> str:
    """Digest what a part depends on: any JSON document, keys in any order."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:DIGEST_HEX_DIGITS]


@contextmanager
def written_beside(target: Path) -> Iterator[Path]:
    """Give a file beside ``target`` to write, then put it in place at once; a failure leaves nothing.

    Raises ``StoreFullError`` where the disk is full.
    """
    beside = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(target)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = os.statvfs(target.parent)
            raise StoreFullError(
                f"{target.parent}: the disk is full ({free.f_bavail * free.f_frsize // 2**20} MiB free) while writing "
                f"{target.name}; nothing was damaged: make room and run the same command again"
            ) from error
        raise
    finally:
        beside.unlink(missing_ok=True)


def write_parquet(rows: pa.Table, target: Path, *, metadata: Mapping[bytes, bytes] | None = None) -> None:
    """Write a table the one way that all of pressroom's Parquet files are written; same rows, same bytes."""
    packed = [f.name for f in rows.schema if pa.types.is_integer(f.type) and f.type.bit_width in (16, 32, 64)]
    rows = rows.replace_schema_metadata(dict(metadata or {}))
    with written_beside(target) as beside:
        pq.write_table(
            rows,
            beside,
            compression="zstd",
            use_dictionary=[f.name for f in rows.schema if pa.types.is_string(f.type)],
            column_encoding=dict.fromkeys(packed, "DELTA_BINARY_PACKED"),
            write_statistics=[
                f.name for f in rows.schema if not f.name.startswith("k0") and not f.name.startswith("k1")
            ],
        )


class Store:
    """The tables of one study."""

    def __init__(self, layout: StudyLayout) -> None:
        """Open the tables under the study's root; nothing is read or made yet."""
        self.layout = layout

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
        _remove_unfinished(self.layout.table(spec), key)

    def read_part(self, spec: TableSpec, key: str, digest: str) -> pa.Table:
        """Read a derived part; raises ``DamagedTableError`` where it can't be read."""
        path = self.part_path(spec, key, digest)
        return _reading(path, lambda: _read_parquet(path), remedy="delete the file and run the same command again")

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
        if rows.num_rows == 0:
            return
        folder = self.layout.table(spec)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700 if spec.private else 0o755)
        with self._locked(spec):
            lines = self._healed_manifest(spec)
            batch = folder / f"{len(lines) + 1:06d}.parquet"
            write_parquet(rows, batch)
            _remove_unfinished(folder, "")
            _append_line(folder / "MANIFEST", _manifest_line(batch))
            self._note_begun(spec)

    def read(self, spec: TableSpec) -> pa.Table:
        """Read a recorded table whole, in the order it was recorded; one that was never begun is empty.

        Raises ``DamagedTableError`` naming the batch that is missing or altered.
        """
        folder = self.layout.table(spec)
        if not (folder / "MANIFEST").exists() and spec.name in self._begun():
            raise DamagedTableError(
                f"{folder} lost its MANIFEST: it holds records that can't be made again; restore it from a backup"
            )
        if not folder.is_dir():
            return concatenated(spec, ())
        with self._locked(spec):
            lines = self._healed_manifest(spec)
        return concatenated(spec, (_checked_batch(folder, line) for line in lines))

    def recorded_digest(self, spec: TableSpec) -> str:
        """Digest all that was recorded in a table, from its manifest alone."""
        manifest = self.layout.table(spec) / "MANIFEST"
        return digest_of(manifest.read_text().splitlines() if manifest.exists() else [])

    def _begun(self) -> list[str]:
        register = self.layout.root / "RECORDED"
        return register.read_text(encoding="ascii").split() if register.exists() else []

    def _note_begun(self, spec: TableSpec) -> None:
        # the register outlives the folder: a deleted table is then an error, not an empty table
        if spec.name in self._begun():
            return
        with FileLock(self.layout.leases / "RECORDED.lock"):
            begun = self._begun()
            if spec.name not in begun:
                _replace_text(
                    self.layout.root / "RECORDED", "".join(f"{name}\n" for name in sorted({*begun, spec.name}))
                )

    @contextmanager
    def _locked(self, spec: TableSpec) -> Iterator[None]:
        self.layout.leases.mkdir(parents=True, exist_ok=True)
        with FileLock(self.layout.leases / f"{spec.name}.table.lock"):
            yield

    def _healed_manifest(self, spec: TableSpec) -> list[str]:
        """Read the manifest; a batch whose writer was killed before it could note it is noted now."""
        folder = self.layout.table(spec)
        manifest = folder / "MANIFEST"
        text = manifest.read_text() if manifest.exists() else ""
        if text and not text.endswith("\n"):  # the writer was killed inside the line: the batch is noted again below
            text = text[: text.rfind("\n") + 1]
            _replace_text(manifest, text)
        lines = text.splitlines()
        unnoted = folder / f"{len(lines) + 1:06d}.parquet"
        if unnoted.exists():
            _append_line(manifest, _manifest_line(unnoted))
            lines.append(_manifest_line(unnoted))
        surplus = sorted(p.name for p in folder.glob("[0-9]*.parquet"))[len(lines) :]
        if surplus:
            raise DamagedTableError(f"{manifest}: {surplus[0]} is not listed; restore MANIFEST from a backup")
        return lines


def _remove_unfinished(folder: Path, key: str) -> None:
    """Remove the files that a writer was killed in (``written_beside`` names them)."""
    for path in folder.glob(f".{key}*.tmp"):
        path.unlink(missing_ok=True)


def _read_parquet(path: Path) -> pa.Table:
    # `pq.read_table` goes through pyarrow.dataset, which imports pandas where it is installed: an idle command took
    # 2 s longer
    with pq.ParquetFile(path) as file:
        return file.read()


def _manifest_line(batch: Path) -> str:
    return f"{sha256(batch.read_bytes()).hexdigest()}  {batch.name}"


def _append_line(path: Path, line: str) -> None:
    with path.open("a", encoding="ascii") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def _replace_text(path: Path, text: str) -> None:
    with written_beside(path) as beside:
        beside.write_text(text, encoding="ascii")


def _checked_batch(folder: Path, line: str) -> pa.Table:
    digest, _, name = line.partition("  ")
    batch = folder / name
    if not batch.exists():
        raise DamagedTableError(
            f"{batch} is missing: it holds records that can't be made again; restore it from a backup"
        )
    if sha256(batch.read_bytes()).hexdigest() != digest:
        raise DamagedTableError(f"{batch} was altered: its digest is not the one in MANIFEST; restore it from a backup")
    return _read_parquet(batch)


def _reading(path: Path, read: Callable[[], Read], *, remedy: str) -> Read:
    try:
        return read()
    except (OSError, pa.ArrowException) as error:
        raise DamagedTableError(f"{path} can't be read ({type(error).__name__}); {remedy}") from error
