"""Listings: only the difference is news, nothing new costs one page, and what broke off proves nothing gone."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unicodedata import category

import pytest
from yt_dlp.utils import OnDemandPagedList

from collectors.base import CollectConfig
from collectors.facts import Facts
from collectors.listing import KNOWN_IN_A_ROW, MOST_REPEATS, Event, Item, Known, Listing, Pages, State, list_source
from collectors.sources import Origin, SourceConfig, read_origins
from collectors.ytdlp.downloader import Downloader
from collectors.ytdlp.listing import YtDlpLister
from schema.errors import DropReason, ItemError
from schema.records import SourceId
from tests.fake_site.faults import HOSTILE_TITLES
from tests.fake_site.plugins import load_extractors
from tests.fake_site.server import FakeSite, Video

KEY = bytes(32)
S = 10**9
load_extractors()


def origin_of(kind: str = "channel", *, url: str = "https://example.org/@club", **more: object) -> Origin:
    place = {"query": url} if kind == "search" else {"url": url}
    (origin,) = read_origins([SourceConfig(kind=kind, **place, **more)], pseudonym_key=KEY)
    return origin


def item(number: int, title: str | None = None, **facts: object) -> Item:
    return Item(link=f"https://example.org/v{number}", facts=Facts(title=title or f"Talk {number}", **facts))


class Shelf:
    """A lister whose pages are given; counts the pages that were asked for."""

    def __init__(self, *sections: list[Item], page_size: int = 30, state: State | None = None) -> None:
        self.sections, self.page_size, self.state = sections, page_size, state or {}
        self.breaks_before: int | None = None
        self.pages = 0

    @contextmanager
    def open(self, origin: Origin, *, state: State) -> Iterator[Pages]:
        yield Pages(sections=(self._read(section) for section in self.sections), state=self.state)

    def _read(self, items: list[Item]) -> Iterator[Item]:
        for place, shown in enumerate(items):
            if place % self.page_size == 0:
                if place == self.breaks_before:
                    raise ItemError(DropReason.NETWORK, "no answer")
                self.pages += 1
            yield shown


class Reader:
    """A study's memory of one origin, as the flow keeps it."""

    def __init__(self, origin: Origin | None = None) -> None:
        self.origin = origin or origin_of()
        self.known: dict[SourceId, Known] = {}
        self.state: State = {}

    def visit(self, lister: object, *, read_all: bool = False) -> Listing:
        listing = list_source(
            self.origin, lister, known=self.known, state=self.state, read_all=read_all, pseudonym_key=KEY
        )
        for news in listing.news:
            number = self.known[news.source_id].number if news.source_id in self.known else len(self.known) + 1
            self.known[news.source_id] = Known(item=news.item, number=number, is_vanished=news.event is Event.VANISHED)
        self.state = listing.state
        return listing


def counts(listing: Listing) -> dict[str, int]:
    return {event.value: n for event in Event if (n := sum(news.event is event for news in listing.news))}


def channel(*numbers: int) -> list[Item]:
    return [item(number) for number in numbers]


def test_nothing_new_costs_one_page_and_news_are_read_to_the_first_known_page() -> None:
    reader = Reader()
    first = Shelf(channel(*range(500, 0, -1)))
    assert counts(reader.visit(first, read_all=True)) == {"new": 500}
    assert first.pages == 17

    same = Shelf(channel(*range(500, 0, -1)))
    listing = reader.visit(same)
    assert (counts(listing), same.pages, listing.is_full, listing.item_count) == ({}, 1, False, KNOWN_IN_A_ROW)

    more = Shelf(channel(*range(545, 0, -1)))
    assert counts(reader.visit(more)) == {"new": 45}
    assert more.pages == 3


def test_a_page_with_one_known_item_among_new_ones_is_no_page_of_known_items() -> None:
    reader = Reader()
    reader.visit(Shelf(channel(*range(100))), read_all=True)
    pinned = Shelf(channel(50, *range(200, 160, -1), *range(100)))
    assert counts(reader.visit(pinned)) == {"new": 40}


def test_a_full_listing_finds_edits_and_what_vanished_and_came_back() -> None:
    reader = Reader()
    reader.visit(Shelf(channel(*range(90, 0, -1))), read_all=True)
    shown = [item(n, title="Retitled" if n == 5 else None) for n in range(90, 0, -1) if n not in (7, 8)]
    assert counts(reader.visit(Shelf(shown))) == {}, "both lie beyond the first page"

    listing = reader.visit(Shelf(shown), read_all=True)
    assert (counts(listing), listing.is_full) == ({"edited": 1, "vanished": 2}, True)
    assert [n.item.facts.title for n in listing.news if n.event is Event.EDITED] == ["Retitled"]
    assert counts(reader.visit(Shelf(shown), read_all=True)) == {}, "nothing vanishes twice"

    listing = reader.visit(Shelf(channel(*range(90, 0, -1))), read_all=True)
    assert counts(listing) == {"edited": 1, "back": 2}


def test_a_listing_that_breaks_off_marks_nothing_vanished_and_keeps_what_it_saw() -> None:
    reader = Reader()
    reader.visit(Shelf(channel(*range(90, 0, -1))), read_all=True)
    broken = Shelf(channel(92, 91, *range(90, 0, -1)))
    broken.breaks_before = 60
    listing = reader.visit(broken, read_all=True)
    assert listing.error is not None
    assert (listing.error.reason, counts(listing), listing.is_full) == (DropReason.NETWORK, {"new": 2}, False)


def test_an_empty_answer_of_a_full_channel_is_a_fault_of_the_site() -> None:
    reader = Reader()
    reader.visit(Shelf(channel(1, 2, 3)), read_all=True)
    listing = reader.visit(Shelf([]), read_all=True)
    assert listing.error is not None
    assert (listing.error.reason, counts(listing)) == (DropReason.TRUNCATED, {})
    assert Reader().visit(Shelf([]), read_all=True).error is None, "an empty channel is none"


@pytest.mark.parametrize("kind", ["search", "feed"])
def test_what_drops_out_of_a_search_or_a_feed_has_not_vanished(kind: str) -> None:
    reader = Reader(origin_of(kind, url="https://example.org/feed"))
    reader.visit(Shelf(channel(*range(15))))
    listing = reader.visit(Shelf(channel(*range(10, 25))))
    assert (counts(listing), listing.is_full) == ({"new": 10}, True)
    assert counts(reader.visit(Shelf([]))) == {}


def test_a_search_is_read_whole_as_its_news_may_be_anywhere() -> None:
    reader = Reader(origin_of("search", limit=60))
    reader.visit(Shelf(channel(*range(60))))
    assert counts(reader.visit(Shelf(channel(*range(59), 99, 100)))) == {"new": 1}, "and to its limit"


def test_a_limit_takes_the_newest_and_proves_nothing_gone() -> None:
    reader = Reader(origin_of(limit=50))
    shelf = Shelf(channel(*range(500, 0, -1)))
    assert counts(reader.visit(shelf, read_all=True)) == {"new": 50}
    assert shelf.pages == 2
    assert counts(reader.visit(Shelf(channel(*range(530, 0, -1))), read_all=True)) == {"new": 30}


def test_a_playlist_that_grows_at_its_end_is_read_to_its_end() -> None:
    reader = Reader(origin_of("playlist"))
    reader.visit(Shelf(channel(*range(200)), state={"announced": 200}), read_all=True)
    same = Shelf(channel(*range(200)), state={"announced": 200})
    reader.visit(same)
    assert same.pages == 1
    longer = Shelf(channel(*range(203)), state={"announced": 203})
    listing = reader.visit(longer)
    assert (counts(listing), listing.is_full) == ({"new": 3}, True)
    on_top = Shelf(channel(300, *range(203)), state={"announced": 204})
    assert counts(reader.visit(on_top)) == {"new": 1}
    assert on_top.pages == 1


def test_each_tab_of_a_channel_is_read_to_its_own_first_known_page() -> None:
    reader = Reader()
    videos, streams = channel(*range(100, 0, -1)), channel(*range(1100, 1000, -1))
    reader.visit(Shelf(videos, streams), read_all=True)
    shelf = Shelf(videos, [item(1101), *streams])
    assert counts(reader.visit(shelf)) == {"new": 1}
    assert shelf.pages == 2


def test_a_listing_that_goes_in_a_circle_ends() -> None:
    def endless() -> Iterator[Item]:
        while True:
            yield from channel(*range(30))

    class Circle(Shelf):
        @contextmanager
        def open(self, origin: Origin, *, state: State) -> Iterator[Pages]:
            yield Pages(sections=iter([endless()]))

    listing = Reader().visit(Circle(), read_all=True)
    assert listing.error is not None
    assert (listing.error.reason, counts(listing)) == (DropReason.UNSUPPORTED, {"new": 30})


def test_items_that_move_on_while_pages_are_read_count_once() -> None:
    shown = [*channel(*range(60)), *channel(*range(40, MOST_REPEATS)), *channel(*range(MOST_REPEATS, 300))]
    assert counts(Reader().visit(Shelf(shown), read_all=True)) == {"new": 300}


def test_what_a_listing_does_not_say_this_time_is_no_edit() -> None:
    reader = Reader()
    full = item(1, channel="Club", duration_ns=5 * S, uploaded_on="2026-05-20", is_live=False)
    reader.visit(Shelf([full]), read_all=True)
    assert counts(reader.visit(Shelf([item(1)]), read_all=True)) == {}
    listing = reader.visit(Shelf([item(1, duration_ns=6 * S)]), read_all=True)
    (news,) = listing.news
    assert news.event is Event.EDITED
    assert news.item.facts == replace(full.facts, duration_ns=6 * S)
    described = item(1, description="words that a listing is not asked for", height_px=720)
    assert counts(reader.visit(Shelf([described]), read_all=True)) == {}


# --- by yt-dlp, from the fake site


@pytest.fixture
def site() -> Iterator[FakeSite]:
    with FakeSite(page_size=30) as found:
        found.fill(100, into="press")
        yield found


@pytest.fixture
def lister(site: FakeSite, tmp_path: Path) -> YtDlpLister:
    config = CollectConfig(allow_private_hosts=(site.address,), retries=0, socket_timeout_s=5)
    return YtDlpLister(config, study_folder=tmp_path)


def pages(site: FakeSite) -> list[tuple[str, int]]:
    asked = [(r.kind, r.page) for r in site.asked()]
    site.forget()
    return asked


def test_ytdlp_reads_a_list_page_by_page_and_stops_early(site: FakeSite, lister: YtDlpLister) -> None:
    reader = Reader(origin_of("playlist", url=site.list_link("press")))
    listing = reader.visit(lister, read_all=True)
    assert (counts(listing), listing.error) == ({"new": 100}, None)
    assert pages(site) == [("list", 1), ("list", 2), ("list", 3), ("list", 4)]
    newest = listing.news[0].item
    assert newest.link == site.watch_link("video-0099")
    assert newest.facts == Facts(
        title="Player 99 after round 2", channel="Centre Court", duration_ns=newest.facts.duration_ns
    )
    assert reader.visit(lister).news == ()
    assert pages(site) == [("list", 1)]
    site.add(*(Video(id=f"new-{n}") for n in range(35)), into="press")
    assert counts(reader.visit(lister)) == {"new": 35}
    assert pages(site) == [("list", 1), ("list", 2)]


def test_ytdlp_follows_a_channels_front_page_to_its_tabs(site: FakeSite, lister: YtDlpLister) -> None:
    reader = Reader(origin_of("channel", url=site.channel_link("press")))
    assert counts(reader.visit(lister, read_all=True)) == {"new": 100}
    assert len([r for r in site.asked() if r.kind == "list" and r.page == 1]) == 2, "the front page and its tab"
    assert site.asked("page") == [], "no video is looked up"


def test_ytdlp_lists_a_search_to_its_limit(site: FakeSite, lister: YtDlpLister) -> None:
    reader = Reader(origin_of("search", url="player after", site="fakesearch", limit=7))
    listing = reader.visit(lister)
    assert (counts(listing), pages(site)) == ({"new": 7}, [("search", 1)])


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("page_404", DropReason.REMOVED),
        ("page_429_after", DropReason.RATE_LIMITED),
        ("page_403", DropReason.REFUSED),
        ("page_500", DropReason.NETWORK),
        ("page_reset", DropReason.NETWORK),
        ("page_captcha", DropReason.BOT_CHECK),
        ("page_to_private", DropReason.FORBIDDEN_ADDRESS),
    ],
)
@pytest.mark.parametrize("page", [1, 3])
def test_ytdlps_errors_on_any_page_are_typed(
    site: FakeSite, lister: YtDlpLister, fault: str, reason: DropReason, page: int
) -> None:
    site.fail_list("press", fault, page=page)
    listing = Reader(origin_of("playlist", url=site.list_link("press"))).visit(lister, read_all=True)
    assert listing.error is not None
    assert (listing.error.reason, len(listing.news)) == (reason, 30 * (page - 1))
    assert listing.error.retry_after_s == (1800 if fault == "page_429_after" else None)
    assert "press" not in listing.error.detail
    assert site.canary_hits == []


@pytest.mark.parametrize("place", ["watch_link", "clip_link"])
def test_a_link_to_a_single_video_is_no_list(site: FakeSite, lister: YtDlpLister, place: str) -> None:
    link = getattr(site, place)("video-0001")
    listing = Reader(origin_of("channel", url=link)).visit(lister)
    assert listing.error is not None
    assert (listing.error.reason, listing.item_count) == (DropReason.UNSUPPORTED, 0)
    assert "kind 'link'" in listing.error.detail


def test_hostile_titles_arrive_as_one_clean_line(site: FakeSite, lister: YtDlpLister) -> None:
    site.add(*(Video(id=f"odd-{n}", title=title) for n, title in enumerate(HOSTILE_TITLES)), into="odd")
    listing = Reader(origin_of("playlist", url=site.list_link("odd"))).visit(lister)
    titles = [news.item.facts.title or "" for news in listing.news]
    assert len(titles) == len(HOSTILE_TITLES)
    assert {sign for title in titles for sign in title if category(sign) in ("Cc", "Cs", "Zl", "Zp")} == set()
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in "".join(titles)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, object]], None]:
    """Make yt-dlp answer any link with these words."""

    def give(words: Mapping[str, object]) -> None:
        monkeypatch.setattr(Downloader, "extract_info", lambda *args, **kwargs: dict(words))

    return give


def test_paged_lists_are_asked_for_no_page_too_many(
    answer: Callable[[Mapping[str, object]], None], lister: YtDlpLister
) -> None:
    asked: list[int] = []

    def page(number: int) -> Iterator[dict[str, object]]:
        asked.append(number)
        for n in range(number * 30, min(number * 30 + 30, 95)):
            yield {"_type": "url", "url": f"https://example.org/{n}", "title": str(n)}

    reader = Reader()
    answer({"_type": "playlist", "entries": OnDemandPagedList(page, 30), "playlist_count": 95})
    listing = reader.visit(lister, read_all=True)
    assert (counts(listing), asked, listing.state) == ({"new": 95}, [0, 1, 2, 3], {"announced": 95})
    asked.clear()
    answer({"_type": "playlist", "entries": OnDemandPagedList(page, 30), "playlist_count": 95})
    assert reader.visit(lister).news == ()
    assert asked == [0]


def test_entries_without_a_link_and_taken_down_ones_are_no_items(
    answer: Callable[[Mapping[str, object]], None], lister: YtDlpLister
) -> None:
    entries = [
        {"_type": "url", "url": "https://youtube.com/watch?v=1", "title": "Talk", "ie_key": "Youtube"},
        None,
        {"_type": "url", "url": "https://youtube.com/watch?v=2", "title": "[Private video]", "ie_key": "Youtube"},
        {"_type": "url", "url": "barely-an-id", "title": "No link", "ie_key": "Youtube"},
        {"_type": "url", "url": "rtmp://example.org/3", "title": "Another scheme"},
        {"url": "https://cdn.example.org/4.mp4", "webpage_url": "https://example.org/4", "title": "In place"},
    ]
    answer({"_type": "playlist", "channel": "Club", "entries": entries})
    listing = Reader().visit(lister)
    assert [n.item.link for n in listing.news] == ["https://youtube.com/watch?v=1", "https://example.org/4"]
    assert {n.item.facts.channel for n in listing.news} == {"Club"}
    (news, _) = Reader(origin_of("playlist")).visit(lister).news
    assert news.item.facts.channel is None, "a playlist's owner is not the channel of its videos"


def test_a_private_video_of_a_known_playlist_has_vanished(
    answer: Callable[[Mapping[str, object]], None], lister: YtDlpLister
) -> None:
    reader = Reader(origin_of("playlist"))
    rows = [{"_type": "url", "url": f"https://youtube.com/watch?v={n}", "title": f"Talk {n}"} for n in range(3)]
    answer({"_type": "playlist", "entries": rows})
    reader.visit(lister, read_all=True)
    answer({"_type": "playlist", "entries": [*rows[:2], {**rows[2], "title": "[Private video]"}]})
    assert counts(reader.visit(lister, read_all=True)) == {"vanished": 1}


def test_an_extractor_that_trips_over_a_later_page_fails_the_listing_alone(
    answer: Callable[[Mapping[str, object]], None], lister: YtDlpLister
) -> None:
    def entries() -> Iterator[dict[str, object]]:
        yield {"_type": "url", "url": "https://example.org/1", "title": "Talk"}
        raise KeyError("secret")

    answer({"_type": "playlist", "entries": entries()})
    listing = Reader().visit(lister, read_all=True)
    assert listing.error is not None
    assert (listing.error.reason, counts(listing)) == (DropReason.UNSUPPORTED, {"new": 1})
    assert "secret" not in listing.error.detail


def test_youtubes_tabs_are_lists_and_its_videos_are_not(monkeypatch: pytest.MonkeyPatch, lister: YtDlpLister) -> None:
    club = "https://www.youtube.com/@club"
    words: dict[str, list[dict[str, object]]] = {
        club: [
            {"_type": "url", "url": f"{club}/videos", "ie_key": "YoutubeTab"},
            {"_type": "url", "url": f"{club}/streams", "ie_key": "YoutubeTab"},
        ],
        **{
            f"{club}/{tab}": [
                {"_type": "url", "url": f"https://www.youtube.com/watch?v={tab}{n}", "ie_key": "Youtube", "title": "T"}
                for n in range(2)
            ]
            for tab in ("videos", "streams")
        },
    }
    asked: list[str] = []

    def extract(self: Downloader, link: str, **kwargs: object) -> dict[str, object]:
        asked.append(link)
        return {"_type": "playlist", "entries": iter(words[link])}

    monkeypatch.setattr(Downloader, "extract_info", extract)
    listing = Reader(origin_of(url=club)).visit(lister)
    assert [news.item.link[-7:] for news in listing.news] == ["videos0", "videos1", "treams0", "treams1"]
    assert asked == [club, f"{club}/videos", f"{club}/streams"]
