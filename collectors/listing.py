"""What a channel, playlist, search or feed holds, compared with what it held before: only the difference is news."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from collectors.base import CollectConfig
from collectors.facts import Facts
from collectors.sources import MOST_ITEMS, Origin
from schema.errors import DropReason, ItemError
from schema.privacy import make_source_id
from schema.records import SourceId

KNOWN_IN_A_ROW = 20
"""After so many known items the newest are read. No page of the large sites is shorter (YouTube 30, its lists 100,
Twitch and Vimeo 100), so that a source without news costs one request."""
MOST_REPEATS = 200
"""A listing that repeats itself for so long goes in a circle; when something is added meanwhile, one item moves on."""
VANISHING_KINDS = frozenset({"channel", "playlist"})
"""Kinds that list all they have; from a search or a feed items drop out by themselves."""
ANNOUNCED = "announced"
"""Key of the state under which a playlist's own count of its items is kept."""
LISTED_FACTS = ("title", "channel", "uploaded_on", "duration_ns", "is_live")
"""What is kept of a listing's words about an item."""

State = Mapping[str, str | int]
"""What a lister wants back at its next visit."""


class Event(StrEnum):
    """What is new about an item."""

    NEW = "new"
    EDITED = "edited"
    VANISHED = "vanished"
    BACK = "back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A video as a listing shows it."""

    link: str
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An item that was listed before."""

    item: Item
    number: int
    """Its place among all items of its origin, in the order in which they were first seen, from 1."""
    is_vanished: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A difference to the last listing."""

    event: Event
    source_id: SourceId
    item: Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """An opened listing; nothing is asked of the site before it is needed."""

    sections: Iterator[Iterator[Item]]
    """Its parts, such as a channel's tabs, each with the newest items first. Reading may raise ``ItemError``."""
    state: State = field(default_factory=dict)
    """What to give back to the lister at the next visit."""
    is_unchanged: bool = False
    """The site says that nothing has changed; the sections are empty."""


class Lister(Protocol):
    """A way to list origins."""

    def open(self, origin: Origin, *, state: State) -> AbstractContextManager[Pages]:
        """Begin to list; raises ``ItemError``. ``state`` is that of the last visit; empty asks for all anew."""
        ...


LISTERS = {"feed": "collectors.feeds:FeedLister"} | dict.fromkeys(
    ("channel", "playlist", "search"), "collectors.ytdlp.listing:YtDlpLister"
)
"""The lister for each kind of origin; loaded when first used."""


def lister_for(
    origin: Origin, config: CollectConfig, *, study_folder: Path, on_request: Callable[[str], None] | None
) -> Lister:
    """Return the lister for an origin's kind; ``on_request`` is called with the host before each request."""
    module, name = LISTERS[origin.kind].split(":")
    return cast(Lister, getattr(import_module(module), name)(config, study_folder=study_folder, on_request=on_request))


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one visit found."""

    news: tuple[News, ...]
    is_full: bool
    """Everything was read."""
    item_count: int
    """Items seen."""
    state: State
    error: ItemError | None
    """Why it could not be read, or broke off; what was read before counts, and nothing counts as vanished."""


def list_source(
    origin: Origin,
    lister: Lister,
    *,
    known: Mapping[SourceId, Known],
    state: State,
    read_all: bool,
    pseudonym_key: bytes,
    withdrawn: Collection[str] = (),
) -> Listing:
    """List an origin: to its end, or up to the first page of known items.

    A search or a feed is always read to its end. A playlist grows where its owner wants: it is read to its end, too,
    when the number of items that it announces is not explained by the new ones found before.

    Args:
        origin: What to list.
        lister: What can list it.
        known: Its items so far.
        state: What the lister said at the last visit.
        read_all: Whether to read to the end: that finds edited titles and what vanished.
        pseudonym_key: The study's key, for the items' ids.
        withdrawn: Items that are never told of: they count as known.
    """
    reading = _Reading(
        origin, known, pseudonym_key, read_all=read_all or origin.kind in ("search", "feed"), withdrawn=withdrawn
    )
    pages: Pages | None = None
    try:
        with lister.open(origin, state={} if read_all else state) as pages:
            reading.expect_growth(state.get(ANNOUNCED), pages.state.get(ANNOUNCED))
            for section in pages.sections:
                reading.read(section)
        if not pages.is_unchanged:
            reading.finish()
    except ItemError as error:
        return Listing(news=reading.news, is_full=False, item_count=reading.item_count, state=dict(state), error=error)
    is_full = reading.is_full and not pages.is_unchanged
    return Listing(
        news=reading.news, is_full=is_full, item_count=reading.item_count, state=dict(pages.state), error=None
    )


class _Reading:
    """One visit in progress."""

    def __init__(
        self,
        origin: Origin,
        known: Mapping[SourceId, Known],
        pseudonym_key: bytes,
        *,
        read_all: bool,
        withdrawn: Collection[str],
    ) -> None:
        self.is_full = True
        self._origin = origin
        self._known = known
        self._key = pseudonym_key
        self._withdrawn = withdrawn
        self._read_all = read_all
        self._growth: int | None = None
        self._is_cut = False
        self._seen: set[SourceId] = set()
        self._news: list[News] = []

    @property
    def news(self) -> tuple[News, ...]:
        return tuple(self._news)

    @property
    def item_count(self) -> int:
        return len(self._seen)

    def expect_growth(self, before: str | int | None, now: str | int | None) -> None:
        if isinstance(before, int) and isinstance(now, int):
            self._growth = now - before

    def read(self, items: Iterator[Item]) -> None:
        """Read a section until its end, its limit or a page of known items; raises ``ItemError``."""
        known_in_a_row, repeats, taken = 0, 0, 0
        for item in items:
            source_id = make_source_id(self._key, item.link)
            if source_id in self._seen:
                repeats += 1
                if repeats >= MOST_REPEATS:
                    raise ItemError(DropReason.UNSUPPORTED, "the listing goes in a circle")
                continue
            repeats, taken = 0, taken + 1
            known_in_a_row = 0 if self._take(source_id, item) else known_in_a_row + 1
            if taken == self._origin.limit:
                self._is_cut = True
                return
            if known_in_a_row >= KNOWN_IN_A_ROW and self._is_enough():
                self.is_full = False
                return

    def finish(self) -> None:
        """Note what a listing that was read to its end no longer shows; raises ``ItemError`` where it shows nothing."""
        if not self.is_full or self._is_cut or self._origin.kind not in VANISHING_KINDS:
            return
        gone = {i: k for i, k in self._known.items() if not k.is_vanished and i not in self._seen}
        if gone and not self._seen:
            # far more often a page that the site failed to fill than a channel that took down every video
            raise ItemError(DropReason.TRUNCATED, "the listing came back empty, though it held items before")
        self._news += [News(event=Event.VANISHED, source_id=i, item=k.item) for i, k in gone.items()]

    def _is_enough(self) -> bool:
        if self._growth is not None and self._growth != self._count_of_new():
            self._read_all = True
        return not self._read_all

    def _count_of_new(self) -> int:
        return sum(news.event in (Event.NEW, Event.BACK) for news in self._news)

    def _take(self, source_id: SourceId, item: Item) -> bool:
        """Note an item; tells whether it was not there at the last visit."""
        if len(self._seen) >= MOST_ITEMS:
            raise ItemError(DropReason.UNSUPPORTED, f"the listing has more than {MOST_ITEMS} items")
        self._seen.add(source_id)
        if source_id in self._withdrawn:
            return False
        before = self._known.get(source_id)
        if before is None:
            self._news.append(News(event=Event.NEW, source_id=source_id, item=item))
            return True
        merged = Item(link=item.link, facts=_merged(before.item.facts, item.facts))
        if before.is_vanished:
            self._news.append(News(event=Event.BACK, source_id=source_id, item=merged))
        elif merged.facts != _merged(before.item.facts, Facts()):
            self._news.append(News(event=Event.EDITED, source_id=source_id, item=merged))
        return before.is_vanished


def _merged(before: Facts, now: Facts) -> Facts:
    """Take what is said now, and what was said before where it says nothing now: a listing does not always tell all."""
    listed = {name: getattr(now, name) for name in LISTED_FACTS}
    kept = {name: getattr(before, name) if value is None else value for name, value in listed.items()}
    return Facts(**kept)
