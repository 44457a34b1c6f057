"""A whole campaign: 300 videos on three sites, what is wrong with them, and the program that collects them for a year.

Run as a program it is one life of a collecting process: nights follow each other on an injected clock, until nothing
waits any more. Killed at any moment it may be started again.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from threading import Event, Lock, Thread
from typing import Any

import tomlkit

from tests.fake_site.faults import GOT, HOSTILE_TITLES, KINDS
from tests.fake_site.server import FakeSite, Request, Video

NS_PER_S = 10**9
HOUR_S = 3600.0
NIGHT_S = 6 * HOUR_S
"""Shortest time between two runs."""
LONGEST_S = 500 * 24 * HOUR_S
"""A campaign that still waits for something after this long is stuck."""
WORKERS = 4
VIDEOS_PER_SITE = 100
LATE_VIDEOS = 10
"""Videos that are published while the campaign goes on."""
BAN_S = 2 * HOUR_S

FOR_GOOD = (
    "page_404", "page_410", "page_451", "media_404", "media_410", "private", "geo", "age", "members", "login",
    "removed", "terminated", "drm", "pictures_only", "page_403", "media_403", "page_to_private", "media_to_private",
    "hls_to_private", "hls_segment_to_private", "hls_key_to_private", "hls_drm", "hls_manifest_404", "html",
    "html_as_video", "empty", "sound_only", "garbage", "short_length", "cut_file", "lying_page", "lying_file",
)  # fmt: skip
"""Faults that never pass: the video ends in their outcome."""
PASSING = {
    "page_429": 1, "page_429_after": 1, "page_429_date": 1, "media_429": 1, "media_429_after": 1, "bot_check": 1,
    "captcha": 1, "page_captcha": 1, "rate_limited": 1, "page_401": 1, "page_403": 2, "media_403": 2, "page_500": 1,
    "page_503_after": 1, "page_reset": 1, "page_silence": 1, "page_loop": 20, "media_500": 1, "media_503": 2,
    "media_503_after": 1, "media_silence": 2, "media_reset": 4, "media_loop": 20, "cut_body": 4, "long_length": 2,
    "trickle": 1, "upcoming": 1, "premiere": 1, "live": 2, "private": 1, "age": 2, "geo": 1, "empty": 1, "garbage": 1,
    "html": 1, "cut_file": 2, "hls": None, "no_ranges": None, "no_length": None, "moved": None,
}  # fmt: skip
"""Faults that pass after so many requests, or do no harm (None): the video is got."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is to be collected, and how each video should end."""

    sites: tuple[FakeSite, ...]
    expected: dict[str, str]
    """Outcome by video id."""
    faulty: frozenset[str]
    late: tuple[Video, ...]
    """Videos that are not yet published."""

    def publish_late(self) -> None:
        """Publish the rest, and correct a title."""
        self.sites[0].add(*self.late, into="press")
        self.sites[0].videos["site0-0001"].title = "Corrected title"

    def site_of(self, video_id: str) -> FakeSite:
        """Return where a video lies."""
        return self.sites[int(video_id[4])]


def write_script(sites: tuple[FakeSite, FakeSite, FakeSite]) -> Script:
    """Fill three sites with a hundred videos each, and break a third of them, each way in turn."""
    ways = [(name, None) for name in FOR_GOOD] + list(PASSING.items())
    expected: dict[str, str] = {}
    faulty: set[str] = set()
    late: list[Video] = []
    for number in range(len(sites) * VIDEOS_PER_SITE):
        place, index = divmod(number, VIDEOS_PER_SITE)
        title = HOSTILE_TITLES[number // 3 % len(HOSTILE_TITLES)] if number % 3 == 1 else f"Player {number} talks"
        video = Video(id=f"site{place}-{index:04}", title=title, clip=number % 4)
        expected[video.id] = GOT
        if place == 0 and index >= VIDEOS_PER_SITE - LATE_VIDEOS:
            late.append(video)
            sites[0].videos[video.id] = video
        else:
            sites[place].add(video, into="press")
        if number % 3 == 0:
            turn = number // 3
            name, times = ways[turn % len(ways)]
            is_for_good = turn % len(ways) < len(FOR_GOOD)
            sites[place].fail(video.id, name, times)
            faulty.add(video.id)
            expected[video.id] = str(KINDS[name].outcome) if is_for_good else GOT
    for video in late:
        del sites[0].videos[video.id]
    return Script(sites=sites, expected=expected, faulty=frozenset(faulty), late=tuple(late))


def make_campaign_study(root: Path, script: Script) -> None:
    """Make a study that lists the sites in every way there is, some videos several times over."""
    from flows._init import init_study

    init_study(root, name="campaign")
    first, second, third = script.sites
    (root / "links.txt").write_text(
        f"# read twice\n{first.watch_link('site0-0001')}\n{first.watch_link('site0-0002')}\n"
    )
    document = tomlkit.parse((root / "study.toml").read_text())
    document["sources"] = [
        {"kind": "playlist", "url": first.list_link("press")},
        {"kind": "channel", "url": second.channel_link("press")},
        {"kind": "playlist", "url": third.list_link("press")},
        {"kind": "feed", "url": third.feed_link("press")},
        {"kind": "search", "site": "fakesearch", "query": "player", "limit": 30},
        {"kind": "list", "path": "links.txt"},
        {"kind": "link", "url": second.watch_link("site1-0001")},
    ]
    document["collect"] = {
        "allow_private_hosts": [site.address for site in script.sites],
        "socket_timeout_s": 1.0,
        "retries": 1,
        "retry_pause_s": 0.0,
        "download_limit_s": 4.0,
        "keep_free_gigabytes": 0.1,
    }
    (root / "study.toml").write_text(tomlkit.dumps(document))


class CampaignClock:
    """A clock on which waiting takes no time; it goes on where it stood after its process was killed."""

    def __init__(self, file: Path) -> None:
        """Take the file that keeps how far it runs ahead."""
        self._file = file
        self._lock = Lock()
        self._ahead_ns = read_ahead_ns(file)

    def now_ns(self) -> int:
        """Return Unix time in ns."""
        return time.time_ns() + self._ahead_ns

    def sleep(self, seconds: float) -> None:
        """Go ahead instead of waiting; a breath is real, so that loops that wait for each other do not spin."""
        self.go_ahead(round(seconds * NS_PER_S))
        time.sleep(min(seconds, 0.005))

    def go_ahead(self, by_ns: int) -> None:
        """Go ahead, and remember it."""
        with self._lock:
            self._ahead_ns += by_ns
            beside = self._file.with_suffix(".tmp")
            beside.write_text(str(self._ahead_ns))
            os.replace(beside, self._file)


def read_ahead_ns(file: Path) -> int:
    """Return how far the campaign's clock runs ahead of the machine's."""
    return int(file.read_text()) if file.exists() else 0


@dataclass(slots=True, kw_only=True)
class Ban:
    """A site that had enough: after some pages it refuses everything for two hours of the campaign's time."""

    clock_file: Path
    after_pages: int
    begun_ns: int | None = None
    refused: int = 0
    pages: int = 0
    _lock: Any = field(default_factory=Lock)

    def __call__(self, request: Request) -> str | None:
        """Judge a request."""
        now_ns = time.time_ns() + read_ahead_ns(self.clock_file)
        with self._lock:
            self.pages += request.kind == "page"
            if self.begun_ns is None and self.pages > self.after_pages:
                self.begun_ns = now_ns
            if self.begun_ns is not None and now_ns < self.begun_ns + round(BAN_S * NS_PER_S):
                self.refused += 1
                return "page_429"
        return None


@dataclass(slots=True, kw_only=True)
class Blow:
    """When to kill: at the ``count``-th request of a kind, or once a table of the study has as many files."""

    kind: str
    """Kind of a request, or ``table``."""
    moment: str
    """``asked``, ``half`` or ``sent``; the folder of the table."""
    count: int
    delay_s: float = 0.0
    in_hand: set[str] = field(default_factory=set)
    """The videos that were worked on when it fell: the last of each site, as one at a time is fetched from each."""


class Killer:
    """Kills the campaign's processes, one blow after the other."""

    def __init__(self, root: Path, sites: tuple[FakeSite, ...], blows: list[Blow]) -> None:
        """Take what to watch; the blows fall in order."""
        self.waiting, self.fallen = list(blows), list[Blow]()
        self.process: Any = None
        self._root, self._sites = root, sites
        self._lock = Lock()
        self._stop = Event()
        for site in sites:
            site.watchers.append(self._watch)
        Thread(target=self._watch_tables, daemon=True).start()

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()

    def _watch(self, request: Request, moment: str) -> None:
        with self._lock:
            blow = self.waiting[0] if self.waiting else None
            if blow is None or (blow.kind, blow.moment) != (request.kind, moment):
                return
            blow.count -= 1
            if blow.count > 0:
                return
            self.waiting.pop(0)
        self._strike(blow)

    def _watch_tables(self) -> None:
        while not self._stop.wait(0.001):
            blow = self.waiting[0] if self.waiting else None
            if blow is None or blow.kind != "table":
                continue
            folder = self._root / blow.moment
            if folder.is_dir() and sum(1 for entry in os.scandir(folder) if ".tmp" not in entry.name) >= blow.count:
                with self._lock:
                    self.waiting.pop(0)
                self._strike(blow)

    def _strike(self, blow: Blow) -> None:
        time.sleep(blow.delay_s)
        victim = self.process
        victim.kill()
        while victim.poll() is None:
            time.sleep(0.002)
        # one that is being verified, and the next one of its host
        blow.in_hand = {page.key for site in self._sites for page in site.asked("page")[-2:]}
        self.fallen.append(blow)


def nights(
    campaign_of: Callable[[], Any], clock: CampaignClock, say: Callable[[dict[str, Any]], None]
) -> Iterator[Any]:
    """Yield a fresh campaign for each night, until nothing waits; raises ``TimeoutError`` for one without an end."""
    first_ns = clock.now_ns()
    while True:
        campaign = campaign_of()
        yield campaign
        now_ns = clock.now_ns()
        ends = [state.paused_until_ns for state in campaign.manners.states() if state.is_paused(now_ns)]
        waits = [at_ns for at_ns in (campaign.next_retry_ns(), *ends) if at_ns is not None]
        say({"now_h": (now_ns - first_ns) / NS_PER_S / HOUR_S, "waits": len(waits), "due": len(campaign.due())})
        if not waits and not campaign.due():
            return
        if now_ns - first_ns > LONGEST_S * NS_PER_S:
            raise TimeoutError("the campaign does not end")
        clock.go_ahead(max(round(NIGHT_S * NS_PER_S), min(waits, default=now_ns) - now_ns))


def main(root: Path) -> int:
    """Collect until nothing waits; returns 3 where something unforeseen went wrong."""
    from flows._collection import Campaign, batches
    from flows._study import open_study
    from tests.fake_site.plugins import load_extractors

    load_extractors()
    clock = CampaignClock(root / "clock")
    log = (root / "nights.jsonl").open("a")

    def say(words: dict[str, Any]) -> None:
        log.write(json.dumps({"pid": os.getpid(), **words}) + "\n")
        log.flush()

    study = open_study(root)
    with ThreadPoolExecutor(WORKERS) as workers:
        for campaign in nights(lambda: Campaign(study, clock=clock, rng=Random(1)), clock, say):
            news = campaign.refresh()
            say({"news": str(news)[:300]})
            campaign.pass_over()
            for batch in batches(campaign, size=40):
                for outcome in workers.map(campaign.collect, batch):
                    for failure in outcome.failures:
                        say({"failure": failure.traceback})
                        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
