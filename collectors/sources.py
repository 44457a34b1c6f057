"""The study's source list: ``[[sources]]`` tables of study.toml -> source entries."""

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never
from urllib.parse import urlsplit

from collectors.base import VIDEO_SUFFIXES, SourceEntry
from schema.errors import ConfigError
from schema.privacy import make_source_id
from schema.records import SourceId

LIST_HEADER = ["location", "person"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig:
    """One ``[[sources]]`` table of study.toml."""

    kind: Literal["link", "file", "folder", "list"]
    """A link, a video file, a folder (each video file in it), or a CSV file with the header ``location,person``."""
    url: str = ""
    """The link, for ``link``: http or https."""
    path: str = ""
    """The file or folder, for the other kinds: absolute, or relative to the folder of study.toml."""
    person: str = ""
    """Row id in players.csv of the person in the video; empty is unknown. A list names people by line instead."""


def read_sources(sources: Sequence[SourceConfig], *, study_folder: Path, pseudonym_key: bytes) -> list[SourceEntry]:
    """Read the source list, each place once, in the order given.

    A path's source id is made from the path relative to ``study_folder``, so that a study moved together with its
    videos keeps its ids. Raises ``ConfigError``: a missing or superfluous key, a link that is not http or https, an
    unreadable list or folder, one place with two people. The messages name keys and lines, never links or paths.
    """
    entries: dict[SourceId, SourceEntry] = {}
    for where, location, person in _places(sources, study_folder):
        listed = location if _is_link(location) else Path(os.path.relpath(location, study_folder)).as_posix()
        source_id = make_source_id(pseudonym_key, listed)
        earlier = entries.get(source_id)
        if earlier is not None and earlier.person_id and person and earlier.person_id != person:
            raise ConfigError(f"{where}: the same video is listed before with another person; correct one of the two")
        person_id = person or (earlier.person_id if earlier else None) or None
        listed_at = earlier.listed_at if earlier else where
        entries[source_id] = SourceEntry(
            source_id=source_id, location=location, person_id=person_id, listed_at=listed_at
        )
    return list(entries.values())


def _places(sources: Iterable[SourceConfig], study_folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (key or line for messages, link or absolute path, person) of each video."""
    for number, source in enumerate(sources):
        key = f"sources[{number}]"
        _check_keys(key, source)
        person = source.person.strip()
        match source.kind:
            case "link":
                yield f"{key}.url", _checked_link(f"{key}.url", source.url.strip()), person
            case "file":
                yield f"{key}.path", _absolute(source.path, study_folder), person
            case "folder":
                videos = _videos_in(f"{key}.path", Path(_absolute(source.path, study_folder)))
                for place, path in enumerate(videos, start=1):
                    yield f"{key}.path, file {place} of {len(videos)} by name", path, person
            case "list":
                yield from _listed(f"{key}.path", Path(_absolute(source.path, study_folder)))
            case _:
                assert_never(source.kind)


def _check_keys(key: str, source: SourceConfig) -> None:
    needed, unused = ("url", source.path) if source.kind == "link" else ("path", source.url)
    if not getattr(source, needed).strip():
        raise ConfigError(f"{key}.{needed}: missing; a source of kind {source.kind!r} needs it")
    if unused:
        other = "path" if needed == "url" else "url"
        raise ConfigError(f"{key}.{other}: a source of kind {source.kind!r} takes {needed!r} instead")
    if source.kind == "list" and source.person:
        raise ConfigError(f"{key}.person: a list names people by line; write them in its 'person' column")


def _is_link(location: str) -> bool:
    return "://" in location


def _checked_link(where: str, link: str) -> str:
    try:
        parts = urlsplit(link)
        good = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good or any(c.isspace() for c in link):
        raise ConfigError(f"{where}: not an http or https link")
    return link


def _absolute(path: str, folder: Path) -> str:
    return os.path.normpath(folder.absolute() / Path(path).expanduser())


def _videos_in(where: str, folder: Path) -> list[str]:
    try:
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise ConfigError(f"{where}: the folder can't be read: {error.strerror}") from error
    videos = [name for name in names if Path(name).suffix.lower() in VIDEO_SUFFIXES and not name.startswith(".")]
    if not videos:
        endings = ", ".join(sorted(VIDEO_SUFFIXES))
        raise ConfigError(f"{where}: the folder holds no video file; names must end in one of {endings}")
    return [str(folder / name) for name in videos]


def _listed(where: str, path: Path) -> Iterator[tuple[str, str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            header = [name.strip() for name in next(rows, [])]
            if header != LIST_HEADER:
                raise ConfigError(f"{where}: the list's first line must be {','.join(LIST_HEADER)}")
            for row in rows:
                if any(cell.strip() for cell in row):
                    yield _list_row(f"{where}, line {rows.line_num}", row, path.parent)
    except OSError as error:
        raise ConfigError(f"{where}: the list can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: the list can't be read: it is not UTF-8 text") from error
    except csv.Error as error:
        raise ConfigError(f"{where}: the list can't be read as CSV: {error}") from error


def _list_row(where: str, row: list[str], folder: Path) -> tuple[str, str, str]:
    if len(row) != len(LIST_HEADER):
        raise ConfigError(
            f"{where}: {len(row)} columns instead of {len(LIST_HEADER)}; quote a location that has commas"
        )
    location, person = (cell.strip() for cell in row)
    if not location:
        raise ConfigError(f"{where}: the location is empty")
    if _is_link(location):
        return where, _checked_link(where, location), person
    return where, _absolute(location, folder), person
