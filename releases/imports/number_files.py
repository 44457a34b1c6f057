"""CSV files of numbers, a row a frame: read by Arrow at disk speed, and gone through slowly only to name a fault."""

import csv
import io
import re
from pathlib import Path

import numpy as np

from releases.imports.base import Floats, bad_file, check_frame_count
from schema.errors import DropReason, ItemError

MOST_BYTES = 4 << 30
"""Larger files are no table of half a million frames."""
_COPY_AGAIN = "copy the file again, or leave it out"


def read_number_file(path: Path, *, columns: int, skipped: int = 0) -> Floats:
    """Read a table of numbers, shape ``(rows, columns - skipped)``; NaN where a cell is empty.

    A first line that is no row of numbers, or that numbers the columns as pandas writes it, is a heading. A byte order
    mark, Windows line ends and empty lines are passed over.

    Args:
        path: The file.
        columns: Values that each line must have.
        skipped: So many columns at the left are not read, whatever they hold.

    Raises:
        ItemError: ``EMPTY``, or ``BAD_IMPORT`` with the line and what is wrong in it.
        OSError: The file can't be read.
    """
    from pyarrow import ArrowException

    size = path.stat().st_size
    if size == 0:
        raise ItemError(DropReason.EMPTY, f"the file is empty; {_COPY_AGAIN}")
    if size > MOST_BYTES:
        raise bad_file(f"{size / 2**30:.1f} GiB is too large for a table of skeletons; {_COPY_AGAIN}")
    headings = _heading_lines(path, columns, skipped)
    try:
        values = _read_fast(path, columns, skipped, headings)
    except (ArrowException, ValueError):
        values = _read_slowly(path, columns, skipped, headings)
    if not len(values):
        raise bad_file(f"no frame in it; {_COPY_AGAIN}")
    check_frame_count(len(values))
    return values


def _heading_lines(path: Path, columns: int, skipped: int) -> int:
    with path.open("rb") as file:
        first = file.readline(1 << 20)
    cells = [cell.strip().strip('"') for cell in first.decode("utf-8-sig", "replace").strip().split(",")]
    if len(cells) != columns:
        return 0
    told = [cell for cell in cells[skipped:] if cell]
    words = sum(not _is_number(cell) for cell in told)
    counted = [str(k) for k in range(columns)]
    return int((words == len(told) > 0) or cells[1:] in (counted[1:], counted[:-1]))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _read_fast(path: Path, columns: int, skipped: int, headings: int) -> Floats:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [f"f{k}" for k in range(columns)]
    taken = names[skipped:]
    table = arrow_csv.read_csv(
        path,
        read_options=arrow_csv.ReadOptions(column_names=names, skip_rows=headings, block_size=4 << 20),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(taken, pa.float32()), include_columns=taken, strings_can_be_null=True
        ),
    )
    values = np.empty((table.num_rows, len(taken)), np.float32)
    for number, column in enumerate(table.columns):
        values[:, number] = column.to_numpy()
    return values


def _read_slowly(path: Path, columns: int, skipped: int, headings: int) -> Floats:
    """Read what Arrow would not, such as numbers with spaces around them; raise ``ItemError`` at the first fault."""
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in content[:4096]:
        raise bad_file("it is no UTF-8 text (UTF-16, or not a CSV file); save it as UTF-8 CSV")
    text = content.decode("utf-8-sig", "replace")
    rows: list[list[float]] = []
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            if reader.line_num <= headings or not any(cell.strip() for cell in row):
                continue
            rows.append(_numbers(row, columns, skipped, reader.line_num))
    except csv.Error as error:
        raise bad_file(f"line {reader.line_num}: {error}; {_COPY_AGAIN}") from error
    with np.errstate(over="ignore"):
        return np.array(rows, np.float32).reshape(len(rows), columns - skipped)


def _numbers(row: list[str], columns: int, skipped: int, line: int) -> list[float]:
    if len(row) != columns:
        hint = "; are its values separated by commas?" if len(row) == 1 else f"; {_COPY_AGAIN}"
        raise bad_file(f"line {line} has {len(row)} values where {columns} are needed{hint}")
    found = []
    for number, cell in enumerate(row[skipped:], start=skipped + 1):
        if cell.strip() and not _is_number(cell):
            shown = re.sub(r"[^\x20-\x7e]", "?", cell.strip())[:20]
            raise bad_file(f"line {line}, column {number}: {shown!r} is no number; correct it, or leave the file out")
        found.append(float(cell) if cell.strip() else float("nan"))
    return found
