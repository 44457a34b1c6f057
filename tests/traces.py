"""What of some words is left anywhere below a folder: in bytes as they lie, and in Parquet files as they are read."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq


def traces(root: Path, words: Iterable[str], *, but: Iterable[str] = ()) -> list[str]:
    """List ``file: word`` for each word that a file or its name holds; ``but`` are beginnings of paths not to look at.

    Compressed pages of Parquet hide their words from a search for bytes, so that every value is read.
    """
    wanted, passed = sorted(words), tuple(but)
    found = []
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        name = path.relative_to(root).as_posix()
        if not name.startswith(passed or ("\0",)):
            whole = b"\n".join((name.encode(), *_contents(path)))
            found += [f"{name}: {word}" for word in wanted if word.encode() in whole]
    return found


def _contents(path: Path) -> Iterator[bytes]:
    yield path.read_bytes()
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            yield str(file.schema_arrow.metadata).encode()
            yield str(file.read().to_pydict()).encode()
