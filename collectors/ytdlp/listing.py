"""Channels, playlists and searches, listed by yt-dlp: flat, page by page, and no page before it is needed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, cast

from yt_dlp.utils import PagedList, YoutubeDLError

from collectors.base import CollectConfig
from collectors.listing import ANNOUNCED, Item, Pages, State
from collectors.sources import Origin
from collectors.ytdlp.downloader import Downloader, open_downloader
from collectors.ytdlp.errors import item_error
from collectors.ytdlp.formats import facts_of
from schema.errors import DropReason, ItemError

DEEPEST = 3
"""A channel's front page lists its tabs, a tab may list playlists, a playlist lists videos."""
MOST_REDIRECTS = 5
"""How often one link may stand for another before a listing begins: yt-dlp itself needs two."""
LIST_NAMES = frozenset({"channel", "list", "playlist", "tab", "user"})
"""How the names of extractors end (``youtube:tab``) that list, where they do not declare it."""
TAKEN_DOWN = frozenset({"[Private video]", "[Deleted video]"})
"""Titles under which YouTube keeps a place in a playlist for a video that nobody can see."""
EXTRACTOR_FAULTS = (LookupError, TypeError, ValueError, AttributeError)
"""What an extractor raises when a site has changed: yt-dlp types it on the first page alone."""

Words = Mapping[str, Any]
"""What yt-dlp tells about a list or an item."""


class YtDlpLister:
    """Lists channels, playlists and searches; see ``collectors.listing.Lister``."""

    def __init__(
        self,
        config: CollectConfig,
        *,
        study_folder: Path | None = None,
        on_request: Callable[[str], None] | None = None,
    ) -> None:
        self._config = config
        self._study_folder = study_folder
        self._on_request = on_request

    @contextmanager
    def open(self, origin: Origin, *, state: State) -> Iterator[Pages]:
        """Ask for the first page; raises ``ItemError``, also where the link leads to a single video."""
        # `download_limit_s` holds for a listing, too: a server that sends a byte now and then never times out
        with (
            open_downloader(self._config, study_folder=self._study_folder, on_request=self._on_request) as downloader,
            downloader.time_limit(self._config.download_limit_s),
        ):
            tree = _Tree(downloader, origin)
            first = tree.opened(_link_of(origin), None)
            announced = first.get("playlist_count")
            yield Pages(
                sections=tree.sections(first, depth=1),
                state={ANNOUNCED: announced} if isinstance(announced, int) else {},
            )


def _link_of(origin: Origin) -> str:
    if origin.kind != "search":
        return origin.location
    prefix, _, query = origin.location.partition(":")
    return f"{prefix}{origin.limit}:{query}"


class _Tree:
    """A list of videos, and of lists of videos."""

    def __init__(self, downloader: Downloader, origin: Origin) -> None:
        self._downloader = downloader
        self._is_channel = origin.kind == "channel"

    def opened(self, link: str, extractor: str | None) -> Words:
        """Ask for the first page of a list; raises ``ItemError``."""
        for _ in range(MOST_REDIRECTS):
            try:
                found = self._downloader.extract_info(link, download=False, process=False, ie_key=extractor)
            except YoutubeDLError as error:
                raise item_error(self._downloader, error) from None  # the chain holds the link
            words = cast(Words, found or {})
            if words.get("_type") not in ("url", "url_transparent"):
                break
            link, extractor = str(words["url"]), words.get("ie_key")
        if words.get("entries") is None:
            raise ItemError(DropReason.UNSUPPORTED, "the link leads to no list of videos; a single one is kind 'link'")
        return words

    def sections(self, words: Words, *, depth: int) -> Iterator[Iterator[Item]]:
        """Yield the list's own videos, then the videos of each list in it; raises ``ItemError``."""
        inner: list[Words] = []
        yield self._videos(words, inner)
        if depth == DEEPEST:
            return
        for entry in inner:
            is_here = entry.get("entries") is not None
            opened = entry if is_here else self.opened(str(entry["url"]), entry.get("ie_key"))
            yield from self.sections(opened, depth=depth + 1)

    def _videos(self, words: Words, inner: list[Words]) -> Iterator[Item]:
        channel = facts_of(words).channel if self._is_channel else None
        for entry in self._entries(words):
            if self._is_list(entry):
                inner.append(entry)
            elif (item := _item(entry, channel)) is not None:
                yield item

    def _entries(self, words: Words) -> Iterator[Words]:
        """Go through a list's entries, page by page; raises ``ItemError``."""
        entries = _one_by_one(words["entries"])
        while True:
            try:
                entry = next(entries)
            except StopIteration:
                return
            except YoutubeDLError as error:
                raise item_error(self._downloader, error) from None
            except EXTRACTOR_FAULTS as error:
                raise ItemError(
                    DropReason.UNSUPPORTED, f"yt-dlp can't read a page of the list ({type(error).__name__})"
                ) from None
            if entry:  # an extractor may leave a hole
                yield entry

    def _is_list(self, entry: Words) -> bool:
        if entry.get("_type") in ("playlist", "multi_video"):
            return True
        key = entry.get("ie_key")
        if entry.get("_type") not in ("url", "url_transparent") or not key or entry.get("duration"):
            return False
        extractor = self._downloader.get_info_extractor(key)
        kind = extractor._RETURN_TYPE  # what yt-dlp's own `is_single_video` looks at
        name = str(extractor.IE_NAME).rpartition(":")[2]
        return kind == "playlist" or (kind != "video" and name in LIST_NAMES)


def _one_by_one(entries: Iterable[Words | None] | PagedList) -> Iterator[Words | None]:
    """Go through entries without asking for a page too many."""
    if not isinstance(entries, PagedList):
        yield from entries
        return
    for number in count():
        found = entries.getslice(number, number + 1)
        if not found:
            return
        yield found[0]


def _item(entry: Words, channel: str | None) -> Item | None:
    """Return an entry as an item; None where it has no link of its own, or nobody can see it."""
    links = (entry.get("webpage_url"), entry.get("url"))
    link = next((text for text in links if isinstance(text, str) and text.startswith(("http://", "https://"))), None)
    facts = facts_of(entry)
    if link is None or facts.title in TAKEN_DOWN:
        return None
    return Item(link=link, facts=replace(facts, channel=facts.channel or channel))
