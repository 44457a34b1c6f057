"""RSS and Atom feeds as listings: read by feedparser, fetched only when they have changed."""

import io
from calendar import timegm
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from time import struct_time
from typing import Any
from urllib.parse import urlsplit

from collectors.base import VIDEO_SUFFIXES, CollectConfig
from collectors.facts import Facts, clean_text
from collectors.listing import Item, Pages, State
from collectors.sources import Origin
from schema.errors import DropReason, ItemError

NS_PER_S = 1_000_000_000
CONDITIONS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}
"""A header of an answer, and the one that gives it back (RFC 9110, section 13)."""
ACCEPTED = "application/atom+xml, application/rss+xml;q=0.9, application/xml;q=0.8, */*;q=0.1"
NOT_MODIFIED = 304
PARSER_FAULTS = (AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What feedparser raises for some broken feeds, such as a namespace with a control character in it."""


class FeedLister:
    """Lists RSS and Atom feeds; see ``collectors.listing.Lister``."""

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
        """Fetch the feed, unless it is the same as at the last visit; raises ``ItemError``."""
        from collectors.ytdlp.downloader import open_downloader

        headers = {CONDITIONS[name]: str(value) for name, value in state.items() if name in CONDITIONS}
        with (
            open_downloader(self._config, study_folder=self._study_folder, on_request=self._on_request) as downloader,
            downloader.time_limit(self._config.download_limit_s),
        ):
            page = downloader.fetch_page(origin.location, {"Accept": ACCEPTED, **headers})
        if page.status == NOT_MODIFIED:
            yield Pages(sections=iter(()), state=state, is_unchanged=True)
            return
        items = read_feed(page.body, link=origin.location, content_type=str(page.headers.get("Content-Type", "")))
        kept = {name: str(page.headers[name]) for name in CONDITIONS if page.headers.get(name)}
        yield Pages(sections=iter([iter(items)]), state=kept)


def read_feed(body: bytes, *, link: str, content_type: str = "") -> list[Item]:
    """Read the items of a feed that have a link, in its order; raises ``ItemError`` for what is no feed.

    An item's link is the video file that it encloses, or else its page.
    """
    import feedparser

    headers = {"content-location": link, "content-type": content_type}
    # a bare string or bytes would be opened as a link or a file where it looks like one
    try:
        feed = feedparser.parse(io.BytesIO(body), response_headers=headers, sanitize_html=False)
    except PARSER_FAULTS as error:
        raise ItemError(DropReason.UNSUPPORTED, f"the feed can't be read ({type(error).__name__})") from None
    if not feed.get("version"):
        raise ItemError(DropReason.UNSUPPORTED, "the link leads to no RSS or Atom feed")
    channel = _text(feed.get("feed", {}).get("title"))
    return [
        _item(entry, address, channel) for entry in feed.get("entries", ()) if (address := _link(entry)) is not None
    ]


def _link(entry: Mapping[str, Any]) -> str | None:
    files = [(row.get("href"), row.get("type")) for row in entry.get("enclosures", ())]
    files += [(row.get("url"), row.get("type")) for row in entry.get("media_content", ())]
    videos = [address for address, kind in files if _is_link(address) and _is_video(address, kind)]
    page = entry.get("link")
    return videos[0] if videos else page if _is_link(page) else None


def _is_link(address: object) -> bool:
    return isinstance(address, str) and address.lower().startswith(("http://", "https://"))


def _is_video(address: str, kind: object) -> bool:
    if kind:
        return str(kind).lower().startswith("video/")
    try:
        return PurePosixPath(urlsplit(address).path).suffix.lower() in VIDEO_SUFFIXES
    except ValueError:  # such as a bracket that is not closed
        return False


def _item(entry: Mapping[str, Any], link: str, channel: str | None) -> Item:
    media = entry.get("media_content") or [{}]
    return Item(
        link=link,
        facts=Facts(
            title=_text(entry.get("title")),
            channel=_text(entry.get("author")) or channel,
            uploaded_on=_day(entry.get("published_parsed")),
            duration_ns=_length_ns(media[0].get("duration") or entry.get("itunes_duration")),
        ),
    )


def _text(value: object) -> str | None:
    return clean_text(value) or None if isinstance(value, str) else None


def _day(moment: struct_time | None) -> str | None:
    try:
        return datetime.fromtimestamp(timegm(moment), UTC).date().isoformat() if moment else None
    except (ValueError, OverflowError, OSError):  # a year that no calendar has
        return None


def _length_ns(text: object) -> int | None:
    """Read seconds, or hours, minutes and seconds with colons between them; None for anything else, or for 0."""
    try:
        parts = [float(part) for part in str(text).split(":")]
    except ValueError:
        return None
    seconds = sum(part * 60**power for power, part in enumerate(reversed(parts)))
    return round(seconds * NS_PER_S) if 0 < seconds < 10**7 and len(parts) <= 3 else None
