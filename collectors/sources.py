"""The study's source list: ``[[sources]]`` tables of study.toml -> source entries, and origins that list entries."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, assert_never, cast

from collectors.base import VIDEO_SUFFIXES, SourceEntry
from collectors.filters import FilterKeys, Filters, check_filters, filters_of
from collectors.lists import Listed, absolute, checked_link, is_link, read_list
from schema.errors import ConfigError
from schema.privacy import make_origin_id, make_source_id
from schema.records import SourceId

OriginKind = Literal["channel", "playlist", "search", "feed"]
ORIGIN_KINDS: tuple[OriginKind, ...] = ("channel", "playlist", "search", "feed")
"""The kinds of source that are asked again and again what they hold."""
NEEDED_KEY = {"link": "url", "file": "path", "folder": "path", "list": "path", "search": "query"} | dict.fromkeys(
    ("channel", "playlist", "feed"), "url"
)
"""The key that says where, for each kind."""
SEARCH_SITES = {"youtube": "ytsearch", "bilibili": "bilisearch", "niconico": "nicosearchdate", "soundcloud": "scsearch"}
"""yt-dlp's search prefix for the sites that have a plain name; `yt-dlp --list-extractors` names the others.

YouTube's is by relevance: it no longer sorts a search by date, and yt-dlp has dropped ``ytsearchdate``.
"""
SEARCH_LIMIT = 20
"""Results of a search that states no limit: what YouTube sends in one answer."""
MOST_ITEMS = 100_000
"""No source may list more: one that pages without end would never be listed to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceConfig(FilterKeys):
    """One ``[[sources]]`` table of study.toml: a place, who is in its videos, and which of them are wanted."""

    kind: Literal["link", "file", "folder", "list", "channel", "playlist", "search", "feed"]
    """A link, a video file, a folder (each video file in it), a list of places, or what lists videos on the web."""
    url: str = ""
    """The link, for ``link``, ``channel``, ``playlist`` and ``feed`` (RSS or Atom): http or https."""
    path: str = ""
    """The file or folder, for ``file``, ``folder`` and ``list``: absolute, or relative to the folder of study.toml."""
    query: str = ""
    """The words to look for, for ``search``."""
    site: str = "youtube"
    """Where to search: youtube, bilibili, niconico, soundcloud, or another search prefix of yt-dlp."""
    limit: int = 0
    """Newest items that a channel or playlist lists, or results of a search; 0 is all of them, and 20 of a search."""
    person: str = ""
    """Row id in players.csv of the person in the video; empty is unknown. A CSV list names people by line instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Something on the web that lists videos, as often as it is asked."""

    origin_id: str
    kind: OriginKind
    location: str
    """A link; of a search its prefix and query. Private: not for logs, details or file names."""
    limit: int
    """Items to list at most; 0 is all."""
    filters: Filters
    person_id: str | None
    """Row of players.csv that the study declares for all its videos."""
    listed_at: str
    """Where the study lists it, such as ``sources[2]``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    listed: Listed
    filters: Filters


def read_sources(sources: Sequence[SourceConfig], *, study_folder: Path, pseudonym_key: bytes) -> list[SourceEntry]:
    """Read what the source list names itself (links, files, folders, lists), each place once, in the order given.

    A path's source id is made from the path relative to ``study_folder``, so that a study moved together with its
    videos keeps its ids. Raises ``ConfigError``: a missing or superfluous key, a bad filter, a link that is not http
    or https, an unreadable list or folder, one place with two people. Messages name keys and lines, never links or
    paths.
    """
    entries: dict[SourceId, SourceEntry] = {}
    for place in _places(sources, study_folder):
        where, location = place.listed.where, place.listed.location
        listed = location if is_link(location) else Path(os.path.relpath(location, study_folder)).as_posix()
        source_id = make_source_id(pseudonym_key, listed)
        earlier = entries.get(source_id)
        person = _one_person(where, earlier.person_id if earlier else None, place.listed.person)
        entries[source_id] = SourceEntry(
            source_id=source_id,
            location=location,
            person_id=person,
            listed_at=earlier.listed_at if earlier else where,
            filters=filters_of(earlier.filters, place.filters) if earlier else place.filters,
        )
    return list(entries.values())


def read_origins(sources: Sequence[SourceConfig], *, pseudonym_key: bytes) -> list[Origin]:
    """Read the channels, playlists, searches and feeds of the source list, each once, in the order given.

    Raises ``ConfigError`` for a missing or superfluous key, a bad filter or link, one origin with two people.
    """
    origins: dict[str, Origin] = {}
    for number, source in enumerate(sources):
        key = f"sources[{number}]"
        check_source(key, source)
        if source.kind not in ORIGIN_KINDS:
            continue
        origin = _origin(key, source, pseudonym_key)
        earlier = origins.get(origin.origin_id)
        if earlier is not None:
            origin = replace(
                earlier,
                limit=max(earlier.limit, origin.limit) if earlier.limit and origin.limit else 0,
                filters=filters_of(earlier.filters, origin.filters),
                person_id=_one_person(key, earlier.person_id, source.person),
            )
        origins[origin.origin_id] = origin
    return list(origins.values())


def _origin(key: str, source: SourceConfig, pseudonym_key: bytes) -> Origin:
    if source.kind == "search":
        location = f"{SEARCH_SITES.get(source.site, source.site)}:{source.query.strip()}"
    else:
        location = source.url.strip()
    return Origin(
        origin_id=make_origin_id(pseudonym_key, location),
        kind=cast(OriginKind, source.kind),
        location=location,
        limit=source.limit or (SEARCH_LIMIT if source.kind == "search" else 0),
        filters=filters_of(source),
        person_id=source.person.strip() or None,
        listed_at=key,
    )


def _one_person(where: str, earlier: str | None, person: str) -> str | None:
    person = person.strip()
    if earlier and person and earlier != person:
        raise ConfigError(f"{where}: the same video is listed before with another person; correct one of the two")
    return person or earlier or None


def _places(sources: Sequence[SourceConfig], study_folder: Path) -> Iterator[_Place]:
    """Yield each video that a table of a static kind names."""
    for number, source in enumerate(sources):
        key = f"sources[{number}]"
        check_source(key, source)
        path = Path(absolute(source.path, study_folder))
        found: Iterable[Listed] = ()
        match source.kind:
            case "link":
                found = [_named(f"{key}.url", source.url.strip(), source)]
            case "file":
                found = [_named(f"{key}.path", str(path), source)]
            case "folder":
                videos = _videos_in(f"{key}.path", path)
                of_all = f"of {len(videos)} by name"
                found = [_named(f"{key}.path, file {n} {of_all}", v, source) for n, v in enumerate(videos, start=1)]
            case "list":
                found = read_list(key, path, person=source.person)
            case "channel" | "playlist" | "search" | "feed":
                continue
            case _:
                assert_never(source.kind)
        filters = filters_of(source)
        yield from (_Place(listed=listed, filters=filters) for listed in found)


def _named(where: str, location: str, source: SourceConfig) -> Listed:
    return Listed(where=where, location=location, person=source.person)


def check_source(key: str, source: SourceConfig) -> None:
    """Raise ``ConfigError`` for a key that the source's kind lacks or does not take, or for a bad filter."""
    needed = NEEDED_KEY[source.kind]
    if not getattr(source, needed).strip():
        raise ConfigError(f"{key}.{needed}: missing; a source of kind {source.kind!r} needs it")
    for other in ("url", "path", "query"):
        if other != needed and getattr(source, other):
            raise ConfigError(f"{key}.{other}: a source of kind {source.kind!r} takes {needed!r} instead")
    if source.kind == "search" and not re.fullmatch(r"[a-z]+", source.site):
        raise ConfigError(f"{key}.site: must be a site's name in small letters, such as {' or '.join(SEARCH_SITES)}")
    if source.kind != "search" and source.site != "youtube":
        raise ConfigError(f"{key}.site: only a source of kind 'search' takes it")
    if source.limit and source.kind not in ("channel", "playlist", "search"):
        raise ConfigError(f"{key}.limit: only a channel, a playlist or a search takes it")
    if not 0 <= source.limit <= MOST_ITEMS:
        raise ConfigError(f"{key}.limit: must be between 0 and {MOST_ITEMS}, got {source.limit}")
    if source.kind == "list" and source.person and source.path.strip().lower().endswith(".csv"):
        raise ConfigError(f"{key}.person: a list names people by line; write them in its 'person' column")
    if needed == "url":
        checked_link(f"{key}.url", source.url.strip())
    check_filters(key, source)


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
