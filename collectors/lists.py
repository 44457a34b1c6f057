"""Lists of links and paths in files: CSV with a person to each line, or plain text with one place a line."""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from schema.errors import ConfigError

LIST_HEADER = ["location", "person"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One line of a list."""

    where: str
    """Key and line, for messages."""
    location: str
    """A checked link or an absolute path."""
    person: str


def is_link(location: str) -> bool:
    """Tell a link, of whatever scheme, from a path."""
    return "://" in location


def checked_link(where: str, link: str) -> str:
    """Return an http or https link; raises ``ConfigError``, without the link, for anything else."""
    try:
        parts = urlsplit(link)
        good = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good or any(c.isspace() for c in link):
        raise ConfigError(f"{where}: not an http or https link")
    return link


def absolute(path: str, folder: Path) -> str:
    """Return a path as seen from the folder."""
    return os.path.normpath(folder.absolute() / Path(path).expanduser())


def read_list(key: str, path: Path, *, person: str) -> Iterator[Listed]:
    """Read a list: CSV where the file's name ends in .csv or its first line is the header, else plain text.

    In plain text a line is a link or a path, an empty one or one that begins with # is left out, and ``person`` holds
    for all. Raises ``ConfigError`` naming ``key`` and the line, never what stands there.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{key}.path: the list can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{key}.path: the list can't be read: it is not UTF-8 text") from error
    lines = text.splitlines(keepends=True)
    if path.suffix.lower() == ".csv" or (lines and _cells(lines[0]) == LIST_HEADER):
        if person:
            raise ConfigError(f"{key}.person: a CSV list names people by line; write them in its 'person' column")
        yield from _csv_rows(f"{key}.path", lines, path.parent)
        return
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield _listed(f"{key}.path, line {number}", line.strip(), person, path.parent)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split(",")]


def _csv_rows(where: str, lines: list[str], folder: Path) -> Iterator[Listed]:
    rows = csv.reader(lines, strict=True)
    try:
        if [name.strip() for name in next(rows, [])] != LIST_HEADER:
            raise ConfigError(f"{where}: the list's first line must be {','.join(LIST_HEADER)}")
        for row in rows:
            if any(cell.strip() for cell in row):
                yield _csv_row(f"{where}, line {rows.line_num}", row, folder)
    except csv.Error as error:
        raise ConfigError(f"{where}: the list can't be read as CSV: {error}") from error


def _csv_row(where: str, row: list[str], folder: Path) -> Listed:
    if len(row) != len(LIST_HEADER):
        raise ConfigError(
            f"{where}: {len(row)} columns instead of {len(LIST_HEADER)}; quote a location that has commas"
        )
    location, person = (cell.strip() for cell in row)
    if not location:
        raise ConfigError(f"{where}: the location is empty")
    return _listed(where, location, person, folder)


def _listed(where: str, location: str, person: str, folder: Path) -> Listed:
    place = checked_link(where, location) if is_link(location) else absolute(location, folder)
    return Listed(where=where, location=place, person=person)
