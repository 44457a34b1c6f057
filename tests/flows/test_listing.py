"""Listings of a study: recorded once, asked politely, and read back as source entries."""

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import tomlkit

from collectors.filters import passed_over
from collectors.manners import Manners, MannersConfig, site_of
from collectors.sources import read_origins
from flows._config import StudyConfig, check_settings
from flows._listing import ListingNews, known_entries, refresh_listings
from flows._study import Study, open_study
from schema.arrow import LISTINGS, VISITS
from schema.errors import DropReason, StoreFullError
from schema.privacy import make_source_id
from schema.rows import table_of
from tests.fake_site.plugins import load_extractors
from tests.fake_site.server import FakeSite, Video

S = 10**9
HOUR = 3600 * S
DAY = 24 * HOUR
load_extractors()


class FakeClock:
    def __init__(self) -> None:
        self.time_ns = 1_800_000_000 * S

    def now_ns(self) -> int:
        return self.time_ns

    def sleep(self, seconds: float) -> None:
        self.time_ns += round(seconds * S)


class Nights:
    """A study, a clock and manners, night after night."""

    def __init__(self, folder: Path, *sources: dict[str, object], **collect: object) -> None:
        folder.mkdir(exist_ok=True)
        document = {"study": {"name": "club"}, "collect": {"retries": 0, **collect}, "sources": list(sources)}
        (folder / "study.toml").write_text(tomlkit.dumps(document))
        self.clock = FakeClock()
        self.study: Study = open_study(folder)
        self.manners = Manners(
            self.study.layout.private / "hosts.json",
            config=MannersConfig(videos_per_minute=0, seconds_between_requests=0),
            clock=self.clock,
            rng=Random(1),
        )

    def night(self, *, full: bool = False, days: float = 1) -> ListingNews:
        self.clock.time_ns += round(days * DAY)
        return refresh_listings(self.study, full=full, clock=self.clock, manners=self.manners)

    def titles(self) -> list[str | None]:
        return [entry.facts.title if entry.facts else None for entry in known_entries(self.study)]


@pytest.fixture
def site() -> Iterator[FakeSite]:
    with FakeSite(page_size=30) as found:
        found.fill(100, into="press")
        yield found


def allowed(site: FakeSite, folder: Path, *sources: dict[str, object], **collect: object) -> Nights:
    return Nights(folder, *sources, allow_private_hosts=[site.address], **collect)


def playlist(site: FakeSite, name: str = "press", **more: object) -> dict[str, object]:
    return {"kind": "playlist", "url": site.list_link(name), **more}


def found(news: ListingNews) -> tuple[int, int, int, int]:
    return news.new, news.edited, news.vanished, news.back


def test_a_week_of_nights(site: FakeSite, tmp_path: Path) -> None:
    nights = allowed(site, tmp_path, playlist(site), {"kind": "feed", "url": site.feed_link("press", "atom")})
    news = nights.night()
    assert (found(news), news.listed) == ((115, 0, 0, 0), 2)
    entries = known_entries(nights.study)
    assert len(entries) == 100, "what both list is one entry"
    assert (entries[0].location, entries[0].listed_at) == (site.watch_link("video-0099"), "sources[0], item 1")
    assert entries[0].facts is not None
    assert (entries[0].facts.title, entries[0].is_link) == ("Player 99 after round 2", True)

    site.videos["video-0001"].title = "Corrected"
    site.remove("video-0002")
    for night in range(6):
        site.forget()
        site.add(Video(id=f"new-{night}"), into="press")
        assert found(nights.night()) == (2, 0, 0, 0)
        assert [(r.kind, r.page) for r in site.asked()] == [("list", 1), ("feed", 1)]
    site.forget()
    assert found(nights.night()) == (0, 1, 1, 0), "a week later every page is read"
    assert [r.page for r in site.asked("list")] == [1, 2, 3, 4]
    assert "Corrected" in nights.titles()
    assert len(nights.titles()) == 106, "what vanished stays known"

    visits = nights.study.store.read(VISITS).to_pylist()
    assert [(v["is_full"], v["item_count"], v["new_count"]) for v in visits[:2]] == [(True, 100, 100), (True, 15, 15)]
    assert {v["outcome"] for v in visits} == {"listed"}


def test_nothing_new_writes_no_items_and_asks_one_page_each(site: FakeSite, tmp_path: Path) -> None:
    nights = allowed(site, tmp_path, playlist(site), {"kind": "channel", "url": site.list_link("press") + "&x=1"})
    nights.night()
    before = nights.study.store.recorded_digest(LISTINGS)
    site.forget()
    assert found(nights.night()) == (0, 0, 0, 0)
    assert len(site.asked()) == 2
    assert nights.study.store.recorded_digest(LISTINGS) == before


def test_a_source_is_not_listed_twice_within_minutes_unless_all_is_asked_for(site: FakeSite, tmp_path: Path) -> None:
    nights = allowed(site, tmp_path, playlist(site), relist_minutes=10)
    nights.night()
    site.forget()
    assert nights.night(days=9 / 1440).listed == 0
    assert site.asked() == []
    assert nights.night(days=2 / 1440).listed == 1
    assert nights.night(days=0, full=True).listed == 1
    assert [r.page for r in site.asked()] == [1, 1, 2, 3, 4]


def test_a_clock_put_back_does_not_keep_a_source_from_being_listed(site: FakeSite, tmp_path: Path) -> None:
    nights = allowed(site, tmp_path, playlist(site))
    nights.night()
    assert nights.night(days=-300).listed == 1


def test_a_listing_that_breaks_off_is_read_whole_the_next_night(site: FakeSite, tmp_path: Path) -> None:
    nights = allowed(site, tmp_path, playlist(site))
    site.fail_list("press", "page_500", page=3, times=1)
    news = nights.night()
    (lost,) = news.failed
    (origin,) = read_origins(nights.study.config.sources, pseudonym_key=nights.study.key)
    assert (found(news), news.listed) == ((60, 0, 0, 0), 0)
    assert (lost.stage, lost.item_id, lost.reason) == ("collect", origin.origin_id, DropReason.NETWORK)
    assert lost.detail == "sources[0]: the server answered 500"
    assert found(nights.night()) == (40, 0, 0, 0)

    # also between two full ones: page 1 is then known, and what is new lies behind it
    site.add(*(Video(id=f"new-{n}") for n in range(70)), into="press")
    site.fail_list("press", "page_reset", page=2, times=1)
    assert found(nights.night()) == (30, 0, 0, 0)
    assert found(nights.night()) == (40, 0, 0, 0)


def test_items_recorded_by_a_killed_run_do_not_hide_those_behind_them(site: FakeSite, tmp_path: Path) -> None:
    nights = allowed(site, tmp_path, playlist(site))
    nights.night()
    site.add(*(Video(id=f"new-{n}") for n in range(60)), into="press")
    (origin,) = read_origins(nights.study.config.sources, pseudonym_key=nights.study.key)
    newest = [site.watch_link(v) for v in site.lists["press"][:30]]
    rows = [
        {
            "origin_id": origin.origin_id,
            "source_id": make_source_id(nights.study.key, link),
            "event": "new",
            "location": link,
            **dict.fromkeys(("title", "channel", "uploaded_on", "duration_ns", "is_live")),
            "listed_ns": nights.clock.time_ns + HOUR,
        }
        for link in newest
    ]
    nights.study.store.append(LISTINGS, table_of(LISTINGS, rows))
    assert nights.night().new == 30


def test_one_failing_source_does_not_keep_the_others_and_a_ban_pauses_its_host_alone(
    site: FakeSite, tmp_path: Path
) -> None:
    with FakeSite(address="127.0.0.3") as other:
        other.fill(5, into="press")
        nights = Nights(
            tmp_path,
            playlist(site, "nowhere"),
            playlist(site),
            playlist(site, "third"),
            playlist(other),
            allow_private_hosts=[site.address, other.address],
        )
        site.fail_list("press", "page_429_after")
        news = nights.night()
    assert [lost.reason for lost in news.failed] == [DropReason.REMOVED, DropReason.RATE_LIMITED]
    assert [error.host for error in news.paused] == [site_of(site.link)]
    assert (news.new, news.listed) == (5, 1)
    assert [r.key for r in site.asked()] == ["nowhere", "press"], "nothing is asked of a paused host"
    outcomes = [v["outcome"] for v in nights.study.store.read(VISITS).to_pylist()]
    assert outcomes == ["removed", "rate_limited", "listed"]


def test_a_listing_that_works_does_not_end_a_hosts_trial(site: FakeSite, tmp_path: Path) -> None:
    nights = allowed(site, tmp_path, playlist(site))
    nights.manners.report(site_of(site.link), DropReason.BOT_CHECK)
    assert nights.night().listed == 1
    (state,) = nights.manners.states()
    assert state.on_trial, "sites list on while they refuse videos"


def test_what_was_listed_is_recorded_when_the_run_ends_half_way(
    site: FakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights = allowed(site, tmp_path, playlist(site), playlist(site, "second"))
    site.make_list("second", ["video-0001"])
    turn = nights.manners.turn
    turns: list[str] = []

    def second_fails(host: str) -> object:
        turns.append(host)
        if len(turns) == 2:
            raise StoreFullError("the disk is full")
        return turn(host)

    monkeypatch.setattr(nights.manners, "turn", second_fails)
    with pytest.raises(StoreFullError):
        nights.night()
    assert len(known_entries(nights.study)) == 100


def test_a_video_of_two_sources_is_wanted_where_one_takes_it(site: FakeSite, tmp_path: Path) -> None:
    link = {"kind": "link", "url": site.watch_link("video-0003")}
    nights = allowed(
        site,
        tmp_path,
        link,
        playlist(site, include=["round 1"]),
        playlist(site, "second", max_seconds=1),
    )
    site.make_list("second", ["video-0000", "video-0001", "video-0003"])
    nights.night()
    entries = {entry.location.rpartition("-")[2]: entry for entry in known_entries(nights.study)}
    assert len(entries) == 100

    def verdict(number: str) -> DropReason | None:
        entry = entries[number]
        assert entry.facts is not None
        told = passed_over(entry.facts, entry.filters)
        return told[0] if told else None

    assert verdict("0000") is None, "round 1"
    assert verdict("0001") is DropReason.FILTERED, "neither source takes it"
    assert verdict("0003") is None, "the study names it itself, without a filter"
    assert entries["0003"].listed_at == "sources[0].url"


def test_the_persons_of_two_channels_leave_a_video_to_nobody(site: FakeSite, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        f"location,person\n{site.watch_link('video-0003')},p9\n{site.watch_link('video-0004')},\n"
    )
    nights = allowed(
        site,
        tmp_path,
        {"kind": "list", "path": "list.csv"},
        playlist(site, "one", person="p1"),
        playlist(site, "two", person="p2"),
    )
    site.make_list("one", [f"video-000{n}" for n in (1, 2, 3, 4)])
    site.make_list("two", [f"video-000{n}" for n in (2, 3, 5)])
    nights.night()
    people = {entry.location[-1]: entry.person_id for entry in known_entries(nights.study)}
    assert people == {"1": "p1", "2": None, "3": "p9", "4": "p1", "5": "p2"}


def test_a_broadcast_that_was_on_air_when_listed_is_looked_up_again(site: FakeSite, tmp_path: Path) -> None:
    nights = allowed(site, tmp_path, playlist(site, "live"))
    site.add(Video(id="talk", title="Live talk"), into="live")
    site.fail("talk", "live")
    nights.night()
    (row,) = nights.study.store.read(LISTINGS).to_pylist()
    (entry,) = known_entries(nights.study)
    assert row["is_live"] is True
    assert entry.facts is not None
    assert passed_over(entry.facts, entry.filters) is None


def test_a_source_that_left_the_study_lists_nothing_and_keeps_its_records(site: FakeSite, tmp_path: Path) -> None:
    nights = allowed(site, tmp_path, playlist(site))
    nights.night()
    gone = allowed(site, tmp_path, {"kind": "link", "url": "https://example.org/v"})
    assert [entry.location for entry in known_entries(gone.study)] == ["https://example.org/v"]
    assert found(gone.night()) == (0, 0, 0, 0)
    back = allowed(site, tmp_path, playlist(site))
    assert len(known_entries(back.study)) == 100


def test_links_and_titles_stay_in_private(site: FakeSite, tmp_path: Path) -> None:
    nights = allowed(site, tmp_path, playlist(site))
    nights.night()
    public = [p for p in tmp_path.rglob("*") if p.is_file() and "private" not in p.relative_to(tmp_path).parts]
    assert not [p for p in public if p.name != "study.toml" and b"watch?v=" in p.read_bytes()]
    assert nights.study.store.read(LISTINGS).num_rows == 100


def test_every_example_of_the_page_is_a_valid_study_file() -> None:
    page = (Path(__file__).parents[2] / "docs" / "collect.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    assert len(examples) >= 4
    for example in examples:
        config = check_settings({"study": {"name": "x"}, **tomlkit.parse(example).unwrap()}, StudyConfig, prefix="")
        read_origins(config.sources, pseudonym_key=bytes(32))
