"""What was withdrawn is never collected again, by whatever link, list or file it comes; nothing else tells of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows._collection import Campaign
from flows._facts import status_facts
from flows._listing import known_entries
from flows._outcome import ExitStatus, Outcome
from flows._plan import study_videos
from flows._withdraw import withdraw_on_request
from flows._withdrawals import tombstones
from schema.arrow import LISTINGS, OUTCOMES, SOURCES, WITHDRAWALS
from schema.errors import DropReason
from tests.fake_site.plugins import load_extractors
from tests.fake_site.server import FakeSite, Video
from tests.site_study import SiteStudy, links
from tests.traces import traces

load_extractors()
TITLE = "Iga Swiatek after round 1"
WHY = "asked to be left out"
KEPT = ("withdrawals/", "study.toml")


@pytest.fixture
def site() -> Iterator[FakeSite]:
    with FakeSite() as found:
        found.add(Video(id="talk-1", title=TITLE, channel="Centre Court"), into="press")
        found.add(Video(id="talk-2", title="Another after round 1", channel="Grand Stand", clip=1), into="press")
        yield found


def withdraw(nights: SiteStudy, native_id: str = "talk-1") -> str:
    (row,) = {row["video_id"] for row in nights.study.store.read(SOURCES).to_pylist() if row["native_id"] == native_id}
    withdraw_on_request(nights.study, video=row, subject=None, reason=WHY)
    return str(row)


def later(nights: SiteStudy, site: FakeSite, *sources: dict[str, object]) -> SiteStudy:
    """The same study some nights later, with other sources."""
    site.forget()
    study = SiteStudy(nights.root, site, *sources)
    study.clock = nights.clock
    return study


def reasons(outcome: Outcome) -> list[str]:
    return [lost.reason for lost in outcome.dropped]


def test_the_same_link_is_not_asked_any_more(tmp_path: Path, site: FakeSite) -> None:
    nights = SiteStudy(tmp_path / "study", site, *links(site.watch_link("talk-1"), site.watch_link("talk-2")))
    nights.night()
    video_id = withdraw(nights)
    site.forget()
    outcome = nights.night()
    assert site.asked() == []
    assert (reasons(outcome), nights.campaign().due()) == ([], [])
    assert traces(nights.root, [video_id, "talk-1", TITLE, "Centre Court"], but=KEPT) == []
    assert status_facts(nights.study)["withdrawn"] == 1
    assert nights.outcomes() == ["got"], "the other one's"


def test_another_link_is_looked_up_once_and_leaves_nothing_behind(tmp_path: Path, site: FakeSite) -> None:
    nights = SiteStudy(tmp_path / "study", site, *links(site.watch_link("talk-1")))
    nights.night()
    video_id = withdraw(nights)
    again = later(nights, site, *links(f"{site.watch_link('talk-1')}&again=1", site.watch_link("talk-2")))
    outcome = again.night()
    assert reasons(outcome) == [DropReason.WITHDRAWN]
    assert outcome.exit_status(tolerated_drops=0) is ExitStatus.DONE
    assert site.sent_bytes("talk-1") == 0
    assert traces(again.root, [video_id, "talk-1", TITLE], but=KEPT) == []
    (stone,) = tombstones(again.study).values()
    assert len(stone.source_ids or ()) == 2
    assert traces(again.root, stone.source_ids or (), but=KEPT) == []
    site.forget()
    again.night()
    assert site.asked() == [], "nobody asks a second time"
    assert len(study_videos(again.study)) == 1


def test_a_listing_that_shows_it_is_passed_over_without_a_word(tmp_path: Path, site: FakeSite) -> None:
    nights = SiteStudy(tmp_path / "study", site, {"kind": "playlist", "url": site.list_link("press")})
    nights.night()
    video_id = withdraw(nights)
    assert traces(nights.root, [video_id, "talk-1", TITLE], but=KEPT) == []
    before = nights.study.store.read(LISTINGS).num_rows
    site.add(Video(id="talk-3", title="Third after round 1", clip=2), into="press")
    for _ in range(2):
        news = nights.campaign().refresh(full=True)
        nights.clock.sleep(86_400)
    assert (news.new, news.edited, news.vanished, news.back) == (0, 0, 0, 0)
    assert nights.study.store.read(LISTINGS).num_rows == before + 1
    nights.night()
    assert traces(nights.root, [video_id, "talk-1", TITLE], but=KEPT) == []
    assert {entry.location.partition("v=")[2] for entry in known_entries(nights.study)} == {"talk-2", "talk-3"}


def test_a_listed_link_that_was_not_tried_yet_goes_with_it(tmp_path: Path, site: FakeSite) -> None:
    nights = SiteStudy(tmp_path / "study", site, {"kind": "playlist", "url": site.list_link("press")})
    site.add(Video(id="talk-10", title="Tenth", clip=2), into="press")
    nights.campaign().refresh(full=True)
    lister = SiteStudy(nights.root, site, *links(f"{site.watch_link('talk-1')}&pp=1"))
    lister.clock = nights.clock
    lister.night()
    withdraw(lister)
    assert traces(nights.root, ["v=talk-1&", TITLE], but=KEPT) == []
    assert sorted(row["location"].partition("v=")[2] for row in nights.study.store.read(LISTINGS).to_pylist()) == [
        "talk-10",
        "talk-2",
    ], "talk-10 is another video than talk-1"
    back = later(nights, site, {"kind": "playlist", "url": site.list_link("press")})
    back.night()
    assert [request for request in site.asked() if request.key == "talk-1"] == []
    assert site.full_downloads("talk-10") == 1


@pytest.mark.parametrize("as_link", [False, True])
def test_a_file_or_a_site_with_the_same_content_is_refused(tmp_path: Path, site: FakeSite, as_link: bool) -> None:
    nights = SiteStudy(tmp_path / "study", site, *links(site.watch_link("talk-1")))
    nights.night()
    video_id = withdraw(nights)
    if as_link:
        site.add(Video(id="mirror-9", title="A mirror", copy_of="talk-1"), into="press")
        source = links(site.watch_link("mirror-9"))[0]
    else:
        own = tmp_path / "own.mp4"
        own.write_bytes(site.videos["talk-1"].content)
        source = {"kind": "file", "path": str(own)}
    again = later(nights, site, source)
    assert reasons(again.night()) == [DropReason.WITHDRAWN]
    assert study_videos(again.study) == []
    assert list((again.root / "media").iterdir()) == []
    assert [p for p in (again.root / "work").rglob("*") if p.is_file()] == []
    assert traces(again.root, [video_id, "mirror-9", "own.mp4"], but=KEPT) == []
    assert again.night().dropped == []


def test_a_video_that_is_withdrawn_while_it_downloads_is_not_kept(
    tmp_path: Path, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights = SiteStudy(tmp_path / "study", site, *links(site.watch_link("talk-1")))
    nights.night()
    video_id = study_videos(nights.study)[0].video_id
    other = SiteStudy(tmp_path / "other", site, *links(site.watch_link("talk-1")))
    (other.root / "private").mkdir()
    (other.root / "private" / "pseudonym.key").write_bytes((nights.root / "private" / "pseudonym.key").read_bytes())
    checked = Campaign._check_offer

    def withdrawn_after(self: Campaign, *arguments: object) -> None:
        checked(self, *arguments)
        row = dict.fromkeys(WITHDRAWALS.schema.names) | {"video_id": video_id, "cause": "requested", "withdrawn_ns": 1}
        from schema.rows import table_of

        self.study.store.append(WITHDRAWALS, table_of(WITHDRAWALS, [row]))

    monkeypatch.setattr(Campaign, "_check_offer", withdrawn_after)
    campaign = other.campaign()
    outcome = campaign.collect(campaign.due()[0])
    assert reasons(outcome) == [DropReason.WITHDRAWN]
    assert site.full_downloads("talk-1") == 2
    assert not (other.root / "media").exists()
    assert other.study.store.read(SOURCES).num_rows == other.study.store.read(OUTCOMES).num_rows == 0


def test_a_running_collection_notices_that_rows_went(tmp_path: Path, site: FakeSite) -> None:
    nights = SiteStudy(tmp_path / "study", site, *links(site.watch_link("talk-1"), site.watch_link("talk-2")))
    campaign = nights.campaign()
    first, second = campaign.due()
    campaign.collect(first)
    withdraw(nights)
    campaign.collect(second)
    assert campaign.due() == []
    assert nights.outcomes() == ["got"]
    assert [row["native_id"] for row in nights.study.store.read(SOURCES).to_pylist()] == ["talk-2"]
