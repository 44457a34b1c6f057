"""A campaign of 300 videos, a third of them with faults, killed five times: the right outcomes, none twice or lost."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

import pytest

from flows._collection import Campaign
from flows._study import Study, open_study
from media.store import MediaStore
from schema.arrow import LISTINGS, OUTCOMES, SOURCES, VIDEOS
from schema.errors import DropReason
from tests.fake_site.campaign import (
    Ban,
    Blow,
    CampaignClock,
    Killer,
    Script,
    make_campaign_study,
    write_script,
)
from tests.fake_site.faults import GOT
from tests.fake_site.server import FakeSite

ROOT = Path(__file__).parents[2]
ADDRESSES = ("127.0.0.1", "127.0.0.3", "127.0.0.4")
MOST_STARTS = 12


@pytest.fixture
def script() -> Iterator[Script]:
    with ExitStack() as stack:
        first, second, third = (stack.enter_context(FakeSite(address=a, page_size=30)) for a in ADDRESSES)
        yield write_script((first, second, third))


def blows() -> list[Blow]:
    return [
        Blow(kind="list", moment="asked", count=3),
        Blow(kind="media", moment="half", count=20),
        Blow(kind="media", moment="sent", count=25, delay_s=0.03),
        Blow(kind="page", moment="asked", count=60),
        Blow(kind="table", moment="private/sources", count=120),
    ]


def run_to_the_end(root: Path, script: Script, killer: Killer) -> list[int]:
    """Start the collecting process again whenever it was killed; returns the statuses."""
    statuses: list[int] = []
    while len(statuses) < MOST_STARTS and (not statuses or statuses[-1] < 0):
        with (root / "errors.txt").open("ab") as errors:
            killer.process = subprocess.Popen(
                [sys.executable, "-m", "tests.fake_site.campaign", str(root)], cwd=ROOT, stderr=errors, stdout=errors
            )
            statuses.append(killer.process.wait())
        if len(statuses) == 2:
            script.publish_late()
    return statuses


def newest_outcomes(study: Study) -> dict[str, str]:
    """Return the newest outcome by video id; a video is known by its link alone."""
    links = {row["source_id"]: row["location"] for row in study.store.read(LISTINGS).to_pylist()}
    links |= {entry.source_id: entry.location for entry in Campaign(study).entries().values()}
    newest = {row["source_id"]: row["outcome"] for row in study.store.read(OUTCOMES).to_pylist()}
    found = Counter(links[source_id].rpartition("v=")[2] for source_id in newest)
    assert [video_id for video_id, count in found.items() if count > 1] == []
    return {links[source_id].rpartition("v=")[2]: outcome for source_id, outcome in newest.items()}


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_a_campaign_with_faults_and_kills_ends_right(tmp_path: Path, script: Script) -> None:
    root = tmp_path / "study"
    make_campaign_study(root, script)
    ban = Ban(clock_file=root / "clock", after_pages=40)
    script.sites[2].gatekeeper = ban
    killer = Killer(root, script.sites, blows())

    statuses = run_to_the_end(root, script, killer)
    killer.stop()

    told = (root / "errors.txt").read_text()
    assert statuses == [-9] * 5 + [0], told + (root / "nights.jsonl").read_text()[-3000:]
    assert len(killer.fallen) == 5
    assert told == ""

    study = open_study(root)
    assert_each_ended_right(study, script)
    assert_none_twice(study, script, set().union(*(blow.in_hand for blow in killer.fallen)))
    assert_nothing_astray(study, script, ban)


def assert_each_ended_right(study: Study, script: Script) -> None:
    found = newest_outcomes(study)
    wrong = {v: (found.get(v), wanted) for v, wanted in script.expected.items() if found.get(v) != wanted}
    assert wrong == {}
    assert found.keys() == script.expected.keys()
    clock = CampaignClock(study.layout.root / "clock")
    assert Campaign(study, clock=clock).due() == []


def assert_none_twice(study: Study, script: Script, in_hand: set[str]) -> None:
    sources = study.store.read(SOURCES).to_pylist()
    videos = {row["video_id"]: row for row in study.store.read(VIDEOS).to_pylist()}
    got = [row["source_id"] for row in study.store.read(OUTCOMES).to_pylist() if row["outcome"] == GOT]
    wanted = {video_id for video_id, outcome in script.expected.items() if outcome == GOT}
    assert len(got) == len(set(got)) == len(wanted)
    found = Counter(row["native_id"] for row in sources)
    assert [native_id for native_id, count in found.items() if count > 1] == []
    assert found.keys() == wanted
    assert len(videos) == study.store.read(VIDEOS).num_rows == len(wanted)
    for row in sources:
        content = script.site_of(row["native_id"]).videos[row["native_id"]].content
        held = MediaStore(study.layout).path_of(videos[row["video_id"]]["sha256"])
        is_one_file = all(
            fault.name != "hls" for fault in script.site_of(row["native_id"]).videos[row["native_id"]].faults
        )
        if is_one_file:
            assert sha256(content).hexdigest() == videos[row["video_id"]]["sha256"]
        assert sha256(held.read_bytes()).hexdigest() == videos[row["video_id"]]["sha256"]
    downloads = {video_id: script.site_of(video_id).full_downloads(video_id) for video_id in wanted}
    twice = {video_id for video_id, count in downloads.items() if count > 1}
    assert twice <= in_hand, [script.site_of(v).asked("media", v) for v in twice - in_hand]
    assert max(downloads.values()) <= 2
    assert {video_id for video_id in wanted - script.faulty if downloads[video_id] == 0} <= in_hand  # it was taken up


def assert_nothing_astray(study: Study, script: Script, ban: Ban) -> None:
    for site in script.sites:
        assert site.canary_hits == []
        assert site.asked("thumbnail") == []
    assert ban.begun_ns is not None
    assert ban.refused <= 2  # the one that began it, and one that was on its way
    names = [path.relative_to(study.layout.root).as_posix() for path in study.layout.root.rglob("*")]
    assert [name for name in names if not re.fullmatch(r"[A-Za-z0-9_./-]+", name) or "site0-" in name] == []
    assert list(study.layout.leases.glob("*.tmp")) == []
    details = {row["detail"] for row in study.store.read(OUTCOMES).to_pylist()}
    assert not any(re.search("site[0-9]-|Player|127[.]0", detail) for detail in details)
    reasons = {row["outcome"] for row in study.store.read(OUTCOMES).to_pylist()}
    assert reasons >= {DropReason.RATE_LIMITED, DropReason.BOT_CHECK, DropReason.NOT_YET, DropReason.NETWORK}
