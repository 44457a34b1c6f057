"""A study that collects from the fake site without Prefect, on a clock that needs no waiting."""

import gc
from pathlib import Path
from random import Random

import tomlkit

from flows._availability import recheck
from flows._collection import Campaign, batches
from flows._gathering import settle, take_news
from flows._outcome import Outcome
from flows._study import Study, open_study
from schema.arrow import OUTCOMES
from tests.fake_site.server import FakeSite

S = 10**9
DAY_S = 86_400.0


class FakeClock:
    """A clock on which waiting takes no time."""

    def __init__(self) -> None:
        self.time_ns = 1_800_000_000 * S

    def now_ns(self) -> int:
        return self.time_ns

    def sleep(self, seconds: float) -> None:
        self.time_ns += round(seconds * S)


class SiteStudy:
    """A study, and what it does on one night after the other."""

    def __init__(self, root: Path, site: FakeSite, *sources: dict[str, object], **collect: object) -> None:
        root.mkdir(parents=True, exist_ok=True)
        settings = {
            "allow_private_hosts": [site.address],
            "keep_free_gigabytes": 0.1,
            "retries": 0,
            "socket_timeout_s": 5.0,
        }
        document = {
            "study": {"name": "club"},
            "collect": settings | collect,
            "manners": {"videos_per_minute": 0.0, "seconds_between_requests": 0.0},
            "back_ends": dict.fromkeys(("shots", "tracks", "keypoints"), "synthetic") | {"faces": "none"},
            "sources": list(sources),
        }
        (root / "study.toml").write_text(tomlkit.dumps(document))
        self.root, self.site, self.clock = root, site, FakeClock()

    @property
    def study(self) -> Study:
        """The study as a new process sees it."""
        return open_study(self.root)

    def write(self, name: str, text: str) -> None:
        """Write a file below private/."""
        (self.root / "private").mkdir(exist_ok=True)
        (self.root / "private" / name).write_text(text, encoding="utf-8")

    def campaign(self) -> Campaign:
        """Begin a run."""
        return Campaign(self.study, clock=self.clock, rng=Random(1))

    def night(self, *, days: float = 1.0) -> Outcome:
        """Collect what is due, so many days later."""
        self.clock.sleep(days * DAY_S)
        campaign = self.campaign()
        outcome = take_news(campaign)
        for entries in batches(campaign, size=100):
            for entry in entries:
                outcome.add(campaign.collect(entry))
        outcome.add(settle(campaign))
        gc.collect()
        return outcome

    def recheck(self, *, days: float = 1.0) -> Outcome:
        """Ask for all videos whether they are public, so many days later."""
        self.clock.sleep(days * DAY_S)
        return recheck(self.campaign())

    def outcomes(self) -> list[str]:
        """How the newest attempt at each source ended, in the order of the first attempts."""
        rows = self.study.store.read(OUTCOMES).to_pylist()
        return list({row["source_id"]: row["outcome"] for row in rows}.values())


def links(*places: str, **more: object) -> list[dict[str, object]]:
    """List links as sources."""
    return [{"kind": "link", "url": place, **more} for place in places]
