"""One recorded table on disk: numbered batches that only grow, and a ``MANIFEST`` with their digests.

A withdrawal alone rewrites: of each batch that holds rows of a withdrawn video a revision without them takes its place
(``000007.r1.parquet`` for ``000007.parquet``, also where no row is left), and the old bytes are deleted.

A study that collects every night for a year records tens of thousands of small batches. Every process checks each
batch against its digest when it first reads the table, which is cheap; parsing them all is not (0.7 ms each), so that
the rows read so far are kept in one file under ``work/tables``. That file may be deleted at will.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from threading import RLock

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from filelock import FileLock

from schema.columns import TableSpec
from schema.errors import DamagedTableError, StoreFullError
from schema.files import DIGEST_HEX_DIGITS, digest_of, remove_unfinished, replace_text, write_parquet
from schema.layout import StudyLayout
from schema.rows import concatenated, conformed

PARSED_ANEW = 64
"""A reader that had to parse more batches than this (50 ms) writes the file of parsed rows anew."""
APPENDED_ANEW = 256
"""A writer that knows the rows does so after so many batches, so that the next process has no more to parse (0.2 s)."""
CHUNKS = 64
"""So many pieces are joined in memory before their rows are copied into one."""
LOCK_POLL_S = 0.005
"""How often a lock that another process holds for some milliseconds is tried."""
_BATCH = re.compile(r"(?P<number>\d{6,})(\.r(?P<revision>\d+))?\.parquet")
_LINE = re.compile(rf"(?P<digest>[0-9a-f]{{64}})  (?P<name>{_BATCH.pattern})")
_PARSED = re.compile(r"(?P<table>[a-z_]+)\.(?P<count>\d+)\.(?P<lines>[0-9a-f]{12})\.(?P<content>[0-9a-f]{12})\.parquet")


class RecordedTable:
    """A recorded table; its methods may be called from several threads, and beside other processes."""

    def __init__(self, layout: StudyLayout, spec: TableSpec) -> None:
        """Say which table; nothing is read or made yet."""
        self._layout = layout
        self._spec = spec
        self._folder = layout.table(spec)
        self._manifest = self._folder / "MANIFEST"
        self._guard = RLock()
        self._lines: list[str] | None = None
        """The manifest as it was when ``_stamp`` was taken."""
        self._stamp: tuple[int, int, int] | None = None
        self._rows: pa.Table | None = None
        self._rows_of = 0
        """So many batches are in ``_rows``."""
        self._parsed = _ParsedRows(layout, spec)
        self._parsed_of = 0
        """So many batches are in the file of parsed rows."""

    def append(self, rows: pa.Table) -> None:
        """Add a batch of one row or more with the table's exact columns."""
        with self._locked():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700 if self._spec.private else 0o755)
            lines = self._healed_lines()
            batch = self._folder / _batch_name(len(lines))
            write_parquet(rows, batch)
            self._note(batch)
            self._note_begun()
            if self._rows is not None and self._rows_of == len(lines) - 1:
                known = self._remember(concatenated(self._spec, [self._rows, rows]), len(lines))
                if len(lines) - self._parsed_of > APPENDED_ANEW:
                    self._write_parsed(lines, known)

    def read(self) -> pa.Table:
        """Return all rows in the order they were recorded; ``Store.read`` says what it raises."""
        with self._guard:
            if self._rows is not None and self._is_current() and self._rows_of == len(self._lines or ()):
                return self._rows
            if not self._manifest.exists() and self._spec.name in self._begun():
                raise DamagedTableError(
                    f"{self._folder} lost its MANIFEST: it holds records that can't be made again; restore it from a "
                    "backup"
                )
            if not self._folder.is_dir():
                return self._remember(concatenated(self._spec, ()), 0)
            with self._locked():
                return self._read(self._healed_lines())

    def purge(self, keep: Callable[[pa.Table], pa.Array | pa.ChunkedArray]) -> int:
        """Rewrite the batches that hold rows which ``keep`` does not mark; returns how many rows went.

        The manifest is replaced at once, when every revision is there: killed before, the table is as it was and the
        next process deletes the revisions; killed after, it deletes the old batches. Rows keep their order.
        """
        if self.read().num_rows == 0:
            return 0
        with self._locked():
            before = self._healed_lines()
            if _all_kept(keep, self._read(before)):
                return 0
            self._parsed.remove()
            lines, gone = [], 0
            for line in before:
                kept, lost = _revised(self._spec, self._folder, line, keep)
                lines.append(kept)
                gone += lost
            replace_text(self._manifest, "".join(f"{line}\n" for line in lines))
            self._lines, self._stamp, self._rows, self._parsed_of = None, None, None, 0
            self._healed_lines()  # deletes the old batches
        return gone

    def digest(self) -> str:
        """Digest all that was recorded, from the manifest alone."""
        return digest_of(self._manifest.read_text().splitlines() if self._manifest.exists() else [])

    def byte_count(self) -> int:
        """Return the size of the manifest, which grows with every batch: a quick look whether something was added."""
        return self._manifest.stat().st_size if self._manifest.exists() else 0

    def _read(self, lines: Sequence[str]) -> pa.Table:
        if self._rows is None:
            self._parsed_of, rows = self._parsed.read(lines)
            for line in lines[: self._parsed_of]:
                _checked_bytes(self._folder, line)
            rows = self._with_batches(rows, lines[self._parsed_of :])
            if len(lines) - self._parsed_of > PARSED_ANEW:
                self._write_parsed(lines, rows)
        else:
            rows = self._with_batches(self._rows, lines[self._rows_of :])
        return self._remember(rows, len(lines))

    def _write_parsed(self, lines: Sequence[str], rows: pa.Table) -> None:
        self._parsed.write(lines, rows)
        self._parsed_of = len(lines)

    def _with_batches(self, rows: pa.Table, lines: Sequence[str]) -> pa.Table:
        return concatenated(self._spec, [rows, *(_batch(self._spec, self._folder, line) for line in lines)])

    def _remember(self, rows: pa.Table, batch_count: int) -> pa.Table:
        if max((column.num_chunks for column in rows.columns), default=0) > CHUNKS:
            rows = rows.combine_chunks()
        self._rows, self._rows_of = rows, batch_count
        return rows

    def _is_current(self) -> bool:
        """Tell whether nothing was recorded since the manifest was read."""
        return self._lines is not None and self._stamp == _stamp(self._manifest) and not self._unnoted().exists()

    def _unnoted(self) -> Path:
        return self._folder / _batch_name(len(self._lines or ()))

    def _healed_lines(self) -> list[str]:
        """Read the manifest; batches whose writer was killed before it could note them are noted now."""
        if self._lines is None or self._stamp != _stamp(self._manifest):
            before, self._lines = self._lines, self._read_manifest()
            if before is not None and self._lines[: len(before)] != before:
                self._rows = None
        while self._unnoted().exists():
            self._note(self._unnoted())
        if self._stamp is None:  # once a process: it lists the folder
            remove_unfinished(self._folder, "")
            self._remove_unlisted(self._lines)
            self._parsed.remove_other(self._lines)
        self._stamp = _stamp(self._manifest)
        return self._lines

    def _remove_unlisted(self, lines: Sequence[str]) -> None:
        """Finish a purge that was killed: of the revisions of a batch the manifest lists the one that counts."""
        listed = {int(_number(line)): line.partition("  ")[2] for line in lines}
        for path in sorted(self._folder.glob("[0-9]*.parquet")):
            match = _BATCH.fullmatch(path.name)
            counts = listed.get(int(match["number"])) if match else None
            if counts is None:
                raise DamagedTableError(f"{self._manifest}: {path.name} is not listed; restore MANIFEST from a backup")
            if path.name != counts and (self._folder / counts).exists():
                path.unlink(missing_ok=True)

    def _read_manifest(self) -> list[str]:
        text = self._manifest.read_text(encoding="ascii", errors="replace") if self._manifest.exists() else ""
        lines = text.splitlines()
        # the writer was stopped inside the last line: its batch is noted again
        if lines and not (text.endswith("\n") and _LINE.fullmatch(lines[-1])):
            lines.pop()
            replace_text(self._manifest, "".join(f"{line}\n" for line in lines))
        return lines

    def _note(self, batch: Path) -> None:
        """Add a batch to the manifest.

        The line need not reach the disk before a power cut: the batch did, and is noted again.
        """
        line = f"{sha256(batch.read_bytes()).hexdigest()}  {batch.name}"
        with self._manifest.open("a", encoding="ascii") as file:
            file.write(line + "\n")
        if self._lines is not None:
            self._lines.append(line)
        self._stamp = _stamp(self._manifest) if self._stamp is not None else None

    def _begun(self) -> list[str]:
        register = self._layout.root / "RECORDED"
        return register.read_text(encoding="ascii").split() if register.exists() else []

    def _note_begun(self) -> None:
        # the register outlives the folder: a deleted table is then an error, not an empty table
        if self._spec.name in self._begun():
            return
        with FileLock(self._layout.leases / "RECORDED.lock"):
            begun = self._begun()
            if self._spec.name not in begun:
                names = sorted({*begun, self._spec.name})
                replace_text(self._layout.root / "RECORDED", "".join(f"{name}\n" for name in names))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._layout.leases.mkdir(parents=True, exist_ok=True)
        lock = self._layout.leases / f"{self._spec.name}.table.lock"
        with self._guard, FileLock(lock, poll_interval=LOCK_POLL_S):
            yield


class _ParsedRows:
    """The file that keeps the rows of a table's first batches: ``<table>.<batches>.<manifest>.<content>.parquet``."""

    def __init__(self, layout: StudyLayout, spec: TableSpec) -> None:
        self._folder = (layout.private if spec.private else layout.root) / "work" / "tables"
        self._spec = spec

    def read(self, lines: Sequence[str]) -> tuple[int, pa.Table]:
        """Return how many of the manifest's first batches it holds, and their rows; none where it is not to be had."""
        for count, path, match in self._files():
            if count <= len(lines) and digest_of(list(lines[:count])) == match["lines"]:
                content = path.read_bytes()
                if not sha256(content).hexdigest().startswith(match["content"]):
                    continue
                with suppress(ValueError):  # of a version with other columns: its batches tell what is to be done
                    return count, conformed(self._spec, _parsed(content))
        return 0, concatenated(self._spec, ())

    def write(self, lines: Sequence[str], rows: pa.Table) -> None:
        """Keep the rows of all these batches, instead of what was kept before."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700 if self._spec.private else 0o755)
        fresh = self._folder / f".{self._spec.name}.{os.getpid()}.fresh"
        try:
            write_parquet(rows, fresh)
        except StoreFullError:  # nothing is lost but time at the next start
            return
        content = sha256(fresh.read_bytes()).hexdigest()[:DIGEST_HEX_DIGITS]
        for _, path, _ in self._files():
            path.unlink(missing_ok=True)
        fresh.replace(self._folder / f"{self._spec.name}.{len(lines)}.{digest_of(list(lines))}.{content}.parquet")

    def remove(self) -> None:
        """Delete the table's file, and what a killed writer left of one; the caller holds the table's lock."""
        self.remove_other(())

    def remove_other(self, lines: Sequence[str]) -> None:
        """Delete files that hold no longer what the manifest lists: their rows may have been withdrawn."""
        for count, path, match in self._files():
            if not 0 < count <= len(lines) or digest_of(list(lines[:count])) != match["lines"]:
                path.unlink(missing_ok=True)
        if not lines:
            for path in self._folder.glob(f".{self._spec.name}.*"):
                path.unlink(missing_ok=True)

    def _files(self) -> list[tuple[int, Path, re.Match[str]]]:
        """List the files of the table, the one with the most batches first."""
        names = os.listdir(self._folder) if self._folder.is_dir() else []
        matches = [m for m in map(_PARSED.fullmatch, names) if m and m["table"] == self._spec.name]
        found = [(int(m["count"]), self._folder / m.string, m) for m in matches]
        return sorted(found, key=lambda each: each[0], reverse=True)


def _batch_name(index: int) -> str:
    return f"{index + 1:06d}.parquet"


def _number(line: str) -> str:
    """Return the number of a manifest line's batch: its revisions share it."""
    return line.partition("  ")[2].partition(".")[0]


def _stamp(path: Path) -> tuple[int, int, int]:
    """Tell one state of a file from another: inode, size and time of change; zeros where there is none."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return 0, 0, 0
    return state.st_ino, state.st_size, state.st_mtime_ns


def _checked_bytes(folder: Path, line: str) -> bytes:
    digest, _, name = line.partition("  ")
    batch = f"{folder}/{name}"
    try:
        with open(batch, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        raise DamagedTableError(
            f"{batch} is missing: it holds records that can't be made again; restore it from a backup"
        ) from None
    if sha256(content).hexdigest() != digest:
        raise DamagedTableError(f"{batch} was altered: its digest is not the one in MANIFEST; restore it from a backup")
    return content


def _batch(spec: TableSpec, folder: Path, line: str) -> pa.Table:
    content = _checked_bytes(folder, line)
    try:
        return conformed(spec, _parsed(content))
    except ValueError as error:
        name = line.partition("  ")[2]
        raise DamagedTableError(
            f"{folder / name} does not fit: {error}; use the version of pressroom that wrote it, or a newer one"
        ) from None


def _all_kept(keep: Callable[[pa.Table], pa.Array | pa.ChunkedArray], rows: pa.Table) -> bool:
    return bool(pc.all(keep(rows), min_count=0).as_py())


def _revised(
    spec: TableSpec, folder: Path, line: str, keep: Callable[[pa.Table], pa.Array | pa.ChunkedArray]
) -> tuple[str, int]:
    """Write a batch anew without the rows that go; returns its line in the manifest and how many rows went."""
    rows = _batch(spec, folder, line)
    if _all_kept(keep, rows):
        return line, 0
    kept = rows.filter(keep(rows))
    match = _BATCH.fullmatch(line.partition("  ")[2])
    revision = folder / f"{_number(line)}.r{int((match and match['revision']) or 0) + 1}.parquet"
    write_parquet(kept, revision)
    return f"{sha256(revision.read_bytes()).hexdigest()}  {revision.name}", rows.num_rows - kept.num_rows


def _parsed(content: bytes) -> pa.Table:
    with pq.ParquetFile(pa.BufferReader(content)) as file:
        return file.read(use_threads=False)
