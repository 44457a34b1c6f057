"""Files written the one way that pressroom writes them: beside their place, whole, and the same rows the same bytes."""

import errno
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schema.errors import StoreFullError

DIGEST_HEX_DIGITS = 12


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


def writer_options(schema: pa.Schema) -> dict[str, Any]:
    """Return how a table of that schema is written, as ``python benchmarks/keypoint_storage.py`` found it best.

    Integers are packed differences: a point moves little from frame to frame. Bytes (scores) are few different values,
    so they have a dictionary. Then zstd at its lowest level takes off a little more. A part is one row group: each
    further one costs a header for each of 399 columns.
    """
    packed = [f.name for f in schema if pa.types.is_integer(f.type) and f.type.bit_width in (16, 32, 64)]
    return {
        "compression": "zstd",
        "use_dictionary": [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_uint8(f.type)],
        "column_encoding": dict.fromkeys(packed, "DELTA_BINARY_PACKED"),
        "write_statistics": [f.name for f in schema if not f.name.startswith("k0") and not f.name.startswith("k1")],
    }


def write_parquet(rows: pa.Table, target: Path, *, metadata: Mapping[bytes, bytes] | None = None) -> None:
    """Write a table the one way that all of pressroom's Parquet files are written; same rows, same bytes."""
    rows = rows.replace_schema_metadata(dict(metadata or {}))
    with written_beside(target) as beside:
        pq.write_table(rows, beside, **writer_options(rows.schema))


def read_parquet(path: Path, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file, or some of its columns; raises ``OSError`` or ``pa.ArrowException`` where it can't."""
    # `pq.read_table` goes through pyarrow.dataset, which imports pandas where it is installed: an idle command took
    # 2 s longer
    with pq.ParquetFile(path) as file:
        return file.read(columns=list(columns) if columns is not None else None)


def replace_text(path: Path, text: str) -> None:
    """Replace a small text file at once."""
    with written_beside(path) as beside:
        beside.write_text(text, encoding="ascii")


def remove_unfinished(folder: Path, key: str) -> None:
    """Remove the files of a key that a writer was killed in (``written_beside`` names them)."""
    for path in folder.glob(f".{key}*.tmp"):
        path.unlink(missing_ok=True)
