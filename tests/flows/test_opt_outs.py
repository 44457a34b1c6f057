"""Whoever is on the opt-out list is never collected, and leaves the study at the next collection."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows._facts import plan_facts, status_facts
from flows._opt_outs import read_opt_out_list
from flows._outcome import ExitStatus
from flows._plan import current_candidates, study_videos, to_perceive, to_propose, to_push
from flows._preview import preview_video
from flows._publication import adjudicate, publish, published_release
from flows._report import tell_outcome
from flows._withdrawals import DONE, begin, tombstones
from schema.arrow import DUPLICATES, OUTCOMES, SOURCES
from schema.errors import ConfigError, DropReason, UsageError
from schema.rows import table_of
from tests.answered_study import answered_study
from tests.fake_site.plugins import load_extractors
from tests.fake_site.server import FakeSite, Video
from tests.site_study import SiteStudy, links
from tests.traces import traces

load_extractors()
PLAYERS = "person_id,name,aliases\np1,Iga Świątek,Igusia\np2,Venus Williams,\n"


@pytest.fixture
def site() -> Iterator[FakeSite]:
    with FakeSite() as found:
        found.add(Video(id="talk-1", title="Swiatek after round 1", channel="Centre Court"), into="press")
        found.add(Video(id="talk-2", title="Venus Williams after round 1", channel="Grand Stand", clip=1), into="press")
        yield found


def both(root: Path, site: FakeSite, **collect: object) -> SiteStudy:
    nights = SiteStudy(root, site, *links(site.watch_link("talk-1"), site.watch_link("talk-2")), **collect)
    nights.write("players.csv", PLAYERS)
    return nights


@pytest.mark.parametrize(
    "row",
    [
        "url,{site}/watch?v=talk-1",
        "url,{site}/watch?utm_source=mail&v=talk-1&si=x#t=3",
        "url,http://localhost.example/any/talk-1?fakesite",
        "channel,centre  COURT",
        "channel,{site}/@Centre%20Court/videos",
        "player,p1",
        "player,iga swiatek",
        "player,IGUSIA",
    ],
)
def test_an_opt_out_is_never_downloaded_until_it_is_lifted(
    tmp_path: Path, site: FakeSite, capfd: pytest.CaptureFixture[str], row: str
) -> None:
    nights = both(tmp_path / "study", site)
    if "fakesite" in row:  # the same id on a site of the same name
        row = "url,http://fakesite.example/any/talk-1"
    nights.write("opt-outs.csv", f"kind,value\n{row.format(site=site.link)}\n")
    outcome = nights.night()
    assert sorted(nights.outcomes()) == ["got", "opted_out"]
    assert site.sent_bytes("talk-1") == 0
    assert outcome.exit_status(tolerated_drops=0) is ExitStatus.DONE
    tell_outcome(outcome, nights.study)
    told = "".join(capfd.readouterr()) + json.dumps(nights.study.store.read(OUTCOMES).to_pylist())
    assert not any(word in told for word in ("talk", "Centre", "wiatek", "Igusia", site.link))

    asked = len(site.asked())
    nights.night()
    assert len(site.asked()) == asked, "what is on the list is not asked again"

    nights.write("opt-outs.csv", "kind,value\n")
    nights.night()
    assert nights.outcomes() == ["got", "got"]
    assert site.full_downloads("talk-1") == 1


def test_a_declared_person_is_enough(tmp_path: Path, site: FakeSite) -> None:
    site.videos["talk-1"].title = "After round 1"
    nights = SiteStudy(tmp_path / "study", site, *links(site.watch_link("talk-1"), person="p1"))
    nights.write("players.csv", PLAYERS)
    nights.write("opt-outs.csv", "kind,value\nplayer,p1\n")
    nights.night()
    assert nights.outcomes() == ["opted_out"]
    assert site.asked() == []


def test_a_channel_that_the_study_names_is_left_alone_by_that_link(tmp_path: Path, site: FakeSite) -> None:
    nights = SiteStudy(tmp_path / "study", site, {"kind": "playlist", "url": site.list_link("press")})
    nights.night()
    assert nights.outcomes() == ["got", "got"]
    site.add(Video(id="talk-3", title="New", clip=2), into="press")
    nights.write("opt-outs.csv", f"kind,value\nchannel,{site.list_link('press')}\n")
    nights.night()
    assert nights.outcomes()[-1] == "opted_out"
    assert study_videos(nights.study) == []


def test_somebody_who_opts_out_during_a_run_is_not_downloaded(tmp_path: Path, site: FakeSite) -> None:
    nights = both(tmp_path / "study", site)
    campaign = nights.campaign()
    first, second = campaign.due()
    campaign.collect(first)
    nights.write("opt-outs.csv", "kind,value\nplayer,Venus Williams\n")
    campaign.collect(second)
    assert nights.outcomes() == ["got", "opted_out"]
    assert site.sent_bytes("talk-2") == 0


@pytest.mark.parametrize("row", ["url,{site}/watch?v=talk-1&t=3", "channel,centre court", "player,p1"])
def test_what_is_there_is_withdrawn_and_never_comes_back(tmp_path: Path, site: FakeSite, row: str) -> None:
    nights = both(tmp_path / "study", site)
    site.videos["talk-1"].title = "Iga Swiatek after round 1"
    nights.night()
    before = {video.video_id for video in study_videos(nights.study)}
    nights.write("opt-outs.csv", f"kind,value\n{row.format(site=site.link)}\n")
    assert plan_facts(nights.study)["videos_to_withdraw"] == 1
    outcome = nights.night()
    assert "1 videos withdrawn by the opt-out list" in outcome.notes
    (gone,) = tombstones(nights.study).values()
    assert (gone.cause, gone.state) == ("opted_out", DONE)
    assert {video.video_id for video in study_videos(nights.study)} == before - {gone.video_id}
    lists = ("withdrawals/", "study.toml", "private/opt-outs.csv", "private/players.csv")
    assert traces(nights.root, [gone.video_id, "talk-1", "Iga Swiatek after", "Centre Court"], but=lists) == []
    assert status_facts(nights.study)["withdrawn"] == 1
    assert plan_facts(nights.study)["videos_to_withdraw"] == 0
    assert nights.night().notes == []

    # under another link, once the list was emptied: a withdrawal is final
    site.forget()
    sources = links(site.watch_link("talk-1"), f"{site.watch_link('talk-1')}&again=1")
    lifted = SiteStudy(nights.root, site, *sources)
    lifted.clock = nights.clock
    lifted.write("opt-outs.csv", "kind,value\n")
    assert [lost.reason for lost in lifted.night().dropped] == [DropReason.WITHDRAWN]
    assert site.sent_bytes("talk-1") == 0
    assert {video.video_id for video in study_videos(lifted.study)} == before - {gone.video_id}


def test_a_copy_goes_with_its_original(tmp_path: Path, site: FakeSite) -> None:
    nights = both(tmp_path / "study", site)
    nights.night()
    study = nights.study
    ids = {row["native_id"]: row["video_id"] for row in study.store.read(SOURCES).to_pylist()}
    row = {"video_id": ids["talk-2"], "kept_video_id": ids["talk-1"], "link": "copy", "score": 1.0, "offset_ns": 0}
    study.store.write_part(DUPLICATES, "study", "0" * 12, table_of(DUPLICATES, [row | {"speed": 1.0}]))
    nights.write("opt-outs.csv", f"kind,value\nurl,{site.watch_link('talk-1')}\n")
    nights.night()
    assert study_videos(nights.study) == []


def test_a_family_name_that_two_players_have_keeps_out_but_does_not_withdraw(tmp_path: Path, site: FakeSite) -> None:
    site.videos["talk-1"].title = "Williams speaks about the weather"
    site.add(Video(id="talk-3", title="Williams again", clip=2), into="press")
    nights = SiteStudy(tmp_path / "study", site, *links(site.watch_link("talk-1")))
    nights.write("players.csv", f"{PLAYERS}p3,Serena Williams,\n")
    nights.night()
    nights.write("opt-outs.csv", "kind,value\nplayer,p3\n")
    wider = SiteStudy(nights.root, site, *links(site.watch_link("talk-1"), site.watch_link("talk-3")))
    wider.clock = nights.clock
    wider.night()
    assert wider.outcomes() == ["got", "opted_out"]
    assert len(study_videos(wider.study)) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind,value\nplayer,p99\n", "opt-outs.csv, line 2: no row of the players file has this person_id"),
        ("kind,value\nchannle,x\n", "opt-outs.csv, line 2: needs a kind"),
        ("who\nx\n", "opt-outs.csv: the opt-out list's first line must begin with kind,value"),
    ],
)
def test_a_bad_list_stops_collection_with_one_line(tmp_path: Path, site: FakeSite, text: str, said: str) -> None:
    nights = both(tmp_path / "study", site)
    nights.write("opt-outs.csv", text)
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        nights.night()
    assert site.asked() == []


def test_a_list_that_the_study_names_and_does_not_have_is_an_error(tmp_path: Path, site: FakeSite) -> None:
    nights = both(tmp_path / "study", site, opt_outs="private/opt_outs.csv")
    with pytest.raises(ConfigError, match=r"collect\.opt_outs: no such file: private/opt_outs\.csv"):
        read_opt_out_list(nights.study)


def test_a_withdrawn_video_is_in_no_later_stage_and_not_in_the_next_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "study"
    study = answered_study(root, monkeypatch)
    publish(study)
    first = published_release(study)
    assert first is not None
    gone, kept = (video.video_id for video in study_videos(study))
    begin(study, [gone], cause="opted_out")
    videos = study_videos(study)
    assert [video.video_id for video in videos] == [kept]
    assert {video.video_id for video, _ in current_candidates(study, videos)} == {kept}
    assert (to_perceive(study, videos), to_propose(study, videos), to_push(study)) == ([], [], [])
    assert status_facts(study)["video_ids"] == [kept]
    assert gone not in json.dumps(plan_facts(study))

    adjudicate(study)
    outcome = publish(study)
    reasons = {lost.reason for lost in outcome.dropped}
    assert DropReason.WITHDRAWN in reasons, "answers to its questions are counted as such"
    second = published_release(study)
    assert second not in (None, first)
    for path in sorted((second / "data").rglob("*.parquet")):
        assert gone not in str(pq.read_table(path).to_pydict()), path.name
    assert gone in "".join(str(pq.read_table(p).to_pydict()) for p in first.rglob("*.parquet")), "a release stays"
    with pytest.raises(UsageError, match="no video"):
        preview_video(study, gone, background="black")
