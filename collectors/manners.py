"""Manners: how often a host is asked, and when it is left alone, for all workers and across restarts.

Every host has a token bucket, a number of slots, and a circuit breaker (``collectors.hosts``). What is known of the
hosts lies in one small file that all workers share under a file lock; a slot is a file lock that the system gives back
when its holder is killed.
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random
from threading import Event, Lock
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from collectors.clock import Clock
from collectors.hosts import (
    LONGEST_RETRY_AFTER_S,
    HostBook,
    HostMemory,
    HostState,
    state_of,
    take_turn,
    with_refusal,
    with_success,
)
from schema.errors import ConfigError, DropReason, PutOffError

SLOT_POLL_S = 0.02
"""How often a worker looks whether a slot is free."""
NS_PER_S = 10**9

AT_ONCE = frozenset({DropReason.RATE_LIMITED, DropReason.BOT_CHECK})
"""Outcomes that pause a host at once."""
ANSWERED = frozenset(
    {
        DropReason.REMOVED, DropReason.PRIVATE, DropReason.GEO_BLOCKED, DropReason.AGE_RESTRICTED,
        DropReason.MEMBERS_ONLY, DropReason.NOT_YET, DropReason.NO_USABLE_FORMAT, DropReason.TOO_LONG,
        DropReason.FILTERED,
    }
)  # fmt: skip
"""Outcomes of a host that answers as it should: they end a run of refusals, but do not prove that a pause helped."""

NO_SITE = "(no host)"
"""Key of a link in which no host can be found."""
SAME_SITE = {
    "youtu.be": "youtube.com",
    "youtube-nocookie.com": "youtube.com",
    "player.vimeo.com": "vimeo.com",
    "twitter.com": "x.com",
    "t.co": "x.com",
    "dai.ly": "dailymotion.com",
    "fb.watch": "facebook.com",
}
"""Other names of a site; its servers count requests together."""
SEARCHED = {
    "ytsearch": "youtube.com",
    "bilisearch": "bilibili.com",
    "nicosearch": "nicovideo.jp",
    "scsearch": "soundcloud.com",
}
"""Site of each of yt-dlp's search prefixes; another prefix is its own key."""
_SEARCH = re.compile(r"([a-z]+search)(?:date)?(?:\d+|all)?:")
_PREFIX = re.compile(r"^(www|m|music|mobile)\.(?=[^.]+\.)")
_ODD = re.compile(r"[^a-z0-9.:_-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class MannersConfig:
    """How often each host is asked, and how it is treated when it refuses."""

    videos_per_minute: float = 6.0
    """Most videos (and listings) a minute of one host; 0 is no limit. With the jitter, 10 to 20 s lie between two."""
    burst: int = 2
    """Videos that may follow each other at once after a rest."""
    jitter: float = 1.0
    """Largest part by which each wait is drawn out at random: 1 makes it up to twice as long."""
    seconds_between_requests: float = 0.75
    """Pause between two requests while a video is looked up, drawn out by the jitter too."""
    downloads_at_once: int = 1
    """Videos that are fetched from one host at the same time, by all workers together."""
    pause_minutes: float = 60.0
    """First pause of a host that limits the rate or wants proof of a person; each further one is twice as long."""
    longest_pause_hours: float = 24.0
    """Longest pause, unless a server itself asks for a longer one."""
    refusals_before_pause: int = 5
    """Refusals in a row (such as 403) that pause a host."""
    wait_in_run_s: float = 60.0
    """A pause this short is waited for within a run; through a longer one the host's videos are left for later."""

    def __post_init__(self) -> None:
        """Refuse what is no number of something (``ConfigError``)."""
        _check_numbers(self, "manners")


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfig:
    """Manners toward one host; what is not said is as in ``[manners]``."""

    name: str
    """The host as `pressroom status` names it, such as youtube.com."""
    videos_per_minute: float | None = None
    """As in `[manners]`."""
    burst: int | None = None
    """As in `[manners]`."""
    jitter: float | None = None
    """As in `[manners]`."""
    seconds_between_requests: float | None = None
    """As in `[manners]`."""
    downloads_at_once: int | None = None
    """As in `[manners]`."""
    pause_minutes: float | None = None
    """As in `[manners]`."""
    longest_pause_hours: float | None = None
    """As in `[manners]`."""
    refusals_before_pause: int | None = None
    """As in `[manners]`."""
    wait_in_run_s: float | None = None
    """As in `[manners]`."""

    def __post_init__(self) -> None:
        """Refuse a name that no link could have, and what is no number of something (``ConfigError``)."""
        if "/" in self.name or site_of(f"//{self.name}") == NO_SITE:
            raise ConfigError("hosts: name must be a host alone, such as youtube.com")
        _check_numbers(self, "hosts")

    def applied_to(self, config: MannersConfig) -> MannersConfig:
        """Return the manners toward this host."""
        said = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "name"}
        return replace(config, **{name: value for name, value in said.items() if value is not None})


_AT_LEAST_ONE = frozenset({"burst", "downloads_at_once", "refusals_before_pause"})


def _check_numbers(config: MannersConfig | HostConfig, section: str) -> None:
    for setting in fields(config):
        value = getattr(config, setting.name)
        if isinstance(value, str) or value is None:
            continue
        least = 1 if setting.name in _AT_LEAST_ONE else 0
        if not math.isfinite(value) or value < least:
            raise ConfigError(f"{section}.{setting.name}: at least {least} is needed, got {value}")


def site_of(link: str) -> str:
    """Return the host key of a link: lower case, without port, www. and the like; all of YouTube is youtube.com.

    A search such as ``ytsearchdate20:words`` belongs to the site that is searched. Never raises: a link without a host
    gives ``NO_SITE``.
    """
    try:
        parts = urlsplit(link)
        host = (parts.hostname or "").rstrip(".")
    except ValueError:  # such as a bracket that is not closed
        return NO_SITE
    if not host:
        search = _SEARCH.match(link.lower())
        return SEARCHED.get(search[1], search[1]) if search else NO_SITE
    with suppress(UnicodeError):  # a label that is empty or too long
        host = host.encode("idna").decode()
    host = _ODD.sub("_", _PREFIX.sub("", host.lower()))
    return SAME_SITE.get(host, host)


class Manners:
    """The turns of all hosts. Safe for threads, and for processes that use the same state file."""

    def __init__(
        self,
        state_file: Path,
        *,
        config: MannersConfig,
        hosts: Sequence[HostConfig] = (),
        clock: Clock,
        rng: Random | None = None,
    ) -> None:
        """Take the file that keeps the state; its folder is made when first needed, for slots and locks too."""
        self._book = HostBook(state_file, longest_lead_ns=self._lead_ns)
        self._config = config
        self._hosts = {site_of(f"//{host.name}"): host.applied_to(config) for host in hosts}
        self._clock = clock
        self._rng = rng or Random()
        self._lock = Lock()
        self._request_locks: defaultdict[str, Lock] = defaultdict(Lock)
        self._requested_ns: dict[str, int] = {}

    def config_of(self, host: str) -> MannersConfig:
        """Return the manners toward a host, as ``site_of`` names it."""
        return self._hosts.get(host, self._config)

    @contextmanager
    def turn(self, host: str) -> Iterator[str]:
        """Wait for a slot and for the host's turn, and hold the slot; the value is the host, for ``report``.

        Raises ``PutOffError`` while the host is paused for longer than ``wait_in_run_s``.
        """
        while True:
            self._wait_for_pause(host)
            with self._slot(host) as slot:
                start_ns = self._reserve(host, slot)
                if start_ns is None:
                    continue
                self._sleep_until(start_ns)
                if self._memory(host).is_paused(self._clock.now_ns()):  # another worker was refused meanwhile
                    continue
                yield host
                return

    def report(
        self,
        host: str,
        reason: DropReason | None,
        retry_after_s: float | None = None,
        *,
        of_listing: bool = False,
    ) -> None:
        """Tell how a turn ended; ``None`` is success.

        A listing's success ends a run of refusals but not a trial: sites list on while they refuse videos.
        """
        asked_ns = _retry_after_ns(retry_after_s)
        if reason in AT_ONCE or (asked_ns and reason is not None):
            self._note(host, partial(self._paused, host, reason, asked_ns))
        elif reason is DropReason.REFUSED:
            self._note(host, partial(self._refused, host))
        elif reason is None and not of_listing:
            self._note(host, lambda memory: with_success(memory, self._clock.now_ns()))
        elif reason is None or reason in ANSWERED:
            self._note(host, lambda memory: replace(memory, refusals=0))

    def request_gap(self, host: str) -> None:
        """Wait until the host, named as in a link, may get the next request; one at a time in this process."""
        host = site_of(f"//[{host}]" if host.count(":") > 1 else f"//{host}")
        config = self.config_of(host)
        gap_ns = _ns(config.seconds_between_requests * (1 + config.jitter * self._rng.random()))
        if not gap_ns:
            return
        with self._lock:
            request_lock = self._request_locks[host]
        with request_lock:
            last_ns = self._requested_ns.get(host)
            now_ns = self._clock.now_ns()
            if last_ns is not None and last_ns <= now_ns:  # later only where the clock was put back
                self._sleep_until(last_ns + gap_ns)
            self._requested_ns[host] = self._clock.now_ns()

    def damaged_files(self) -> list[Path]:
        """List the state files that could not be read and were set aside: the pauses in them are forgotten."""
        return self._book.damaged_files()

    def states(self) -> list[HostState]:
        """Return how each remembered host stands, by name."""
        now_ns = self._clock.now_ns()
        return [state_of(host, memory, now_ns) for host, memory in sorted(self._book.memories(now_ns).items())]

    def _wait_for_pause(self, host: str) -> None:
        memory = self._memory(host)
        now_ns = self._clock.now_ns()
        if not memory.is_paused(now_ns):
            return
        if memory.paused_until_ns - now_ns > _ns(self.config_of(host).wait_in_run_s):
            raise PutOffError(host, until_ns=memory.paused_until_ns, why=memory.why)
        self._sleep_until(memory.paused_until_ns)

    @contextmanager
    def _slot(self, host: str) -> Iterator[int]:
        """Hold one of the host's slots; the wait is a real one, for a real download, whatever the clock."""
        name = sha256(host.encode()).hexdigest()[:12]
        while True:
            on_trial = self._memory(host).is_on_trial(self._clock.now_ns())
            for slot in range(1 if on_trial else self.config_of(host).downloads_at_once):
                lock = FileLock(self._book.beside(f"{name}.{slot}.lock"), thread_local=False)
                try:
                    lock.acquire(blocking=False)
                except Timeout:
                    continue
                try:
                    yield slot
                finally:
                    lock.release()
                return
            Event().wait(SLOT_POLL_S)

    def _reserve(self, host: str, slot: int) -> int | None:
        """Return when the turn begins; None where the host was paused or put on trial meanwhile."""
        config = self.config_of(host)
        interval_ns = _interval_ns(config)
        memory = self._memory(host)
        now_ns = self._clock.now_ns()
        if memory.is_paused(now_ns) or (slot > 0 and memory.is_on_trial(now_ns)):
            return None
        if not interval_ns:
            return now_ns
        stretch = 1 + config.jitter * self._rng.random()
        take = partial(take_turn, now_ns=now_ns, interval_ns=interval_ns, burst=config.burst, stretch=stretch)
        return self._book.change(host, now_ns, take)

    def _sleep_until(self, time_ns: int) -> None:
        wait_ns = time_ns - self._clock.now_ns()
        if wait_ns > 0:
            self._clock.sleep(wait_ns / NS_PER_S)

    def _paused(self, host: str, reason: DropReason, retry_after_ns: int, memory: HostMemory) -> HostMemory:
        config = self.config_of(host)
        return with_refusal(
            memory,
            self._clock.now_ns(),
            reason=reason.value,
            first_pause_ns=_ns(config.pause_minutes * 60),
            longest_pause_ns=_ns(config.longest_pause_hours * 3600),
            retry_after_ns=retry_after_ns,
            stretch=self._rng.random(),
        )

    def _refused(self, host: str, memory: HostMemory) -> HostMemory:
        counted = replace(memory, refusals=memory.refusals + 1)
        enough = counted.refusals >= self.config_of(host).refusals_before_pause
        if not enough and not memory.is_on_trial(self._clock.now_ns()):
            return counted
        return self._paused(host, DropReason.REFUSED, 0, counted)

    def _memory(self, host: str) -> HostMemory:
        return self._book.memory(host, self._clock.now_ns())

    def _note(self, host: str, change: Callable[[HostMemory], HostMemory]) -> None:
        memory = self._memory(host)
        if change(memory) != memory:  # a host in good standing costs no write
            self._book.change(host, self._clock.now_ns(), lambda memory: (change(memory), None))

    def _lead_ns(self, host: str) -> int:
        config = self.config_of(host)
        return round((config.burst + config.downloads_at_once) * _interval_ns(config) * (1 + config.jitter))


def _interval_ns(config: MannersConfig) -> int:
    return _ns(60 / config.videos_per_minute) if config.videos_per_minute else 0


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)


def _retry_after_ns(retry_after_s: float | None) -> int:
    if retry_after_s is None or math.isnan(retry_after_s) or retry_after_s <= 0:
        return 0
    return _ns(min(retry_after_s, LONGEST_RETRY_AFTER_S))
