"""Manners: the rate, the slots, the breaker, and what survives a restart."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from threading import Event, Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.hosts import HostMemory, healed, take_turn, with_refusal, with_success
from collectors.manners import HostConfig, Manners, MannersConfig, site_of
from schema.errors import ConfigError, DropReason, PutOffError

START_NS = 1_800_000_000 * 10**9
S = 10**9
HOST = "video.example"
UNLIMITED = MannersConfig(videos_per_minute=0, seconds_between_requests=0, jitter=0)


class FakeClock:
    """A clock that only waiting, and the test, moves on."""

    def __init__(self) -> None:
        self.time_ns = START_NS
        self.slept_s: list[float] = []
        self._lock = Lock()

    def now_ns(self) -> int:
        return self.time_ns

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept_s.append(seconds)
            self.time_ns += round(seconds * S)

    def pass_s(self, seconds: float) -> None:
        self.time_ns += round(seconds * S)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def manners_in(folder: Path, clock: FakeClock, config: MannersConfig = UNLIMITED, **more: object) -> Manners:
    return Manners(folder / "hosts.json", config=config, clock=clock, rng=Random(1), **more)


def try_turn(manners: Manners, reason: DropReason | None, retry_after_s: float | None = None) -> None:
    with manners.turn(HOST):
        manners.report(HOST, reason, retry_after_s)


def pause_s(manners: Manners, clock: FakeClock) -> float:
    """How long the host is paused from now on."""
    (state,) = manners.states()
    assert state.paused_until_ns is not None
    return (state.paused_until_ns - clock.now_ns()) / S


# --- the rate


@given(
    gaps_ns=st.lists(st.integers(0, 90 * S), min_size=1, max_size=60),
    stretches=st.lists(st.floats(1, 3), min_size=60, max_size=60),
    interval_ns=st.integers(1, 60 * S),
    burst=st.integers(1, 9),
)
def test_no_window_of_time_ever_holds_more_turns_than_the_bucket_allows(
    gaps_ns: list[int], stretches: list[float], interval_ns: int, burst: int
):
    memory, now_ns, starts = HostMemory(), START_NS, []
    for gap_ns, stretch in zip(gaps_ns, stretches, strict=False):
        now_ns += gap_ns
        memory, start_ns = take_turn(memory, now_ns=now_ns, interval_ns=interval_ns, burst=burst, stretch=stretch)
        assert start_ns >= now_ns
        starts.append(start_ns)
    for first, earlier in enumerate(starts):
        for last in range(first, len(starts)):
            assert (last - first + 1 - burst) * interval_ns <= starts[last] - earlier


@given(gaps_ns=st.lists(st.integers(0, 90 * S), min_size=1, max_size=60), burst=st.integers(1, 9))
def test_whoever_asks_no_faster_than_the_rate_never_waits(gaps_ns: list[int], burst: int):
    memory, now_ns = HostMemory(), START_NS
    for gap_ns in gaps_ns:
        now_ns += 10 * S + gap_ns
        memory, start_ns = take_turn(memory, now_ns=now_ns, interval_ns=10 * S, burst=burst, stretch=1)
        assert start_ns == now_ns


def test_videos_of_one_host_keep_their_distance_and_other_hosts_do_not_wait(tmp_path: Path, clock: FakeClock):
    manners = manners_in(tmp_path, clock, MannersConfig(videos_per_minute=6, burst=1, jitter=1))
    starts = []
    for _ in range(20):
        with manners.turn(HOST):
            starts.append(clock.now_ns())
    waits_s = [(b - a) / S for a, b in pairwise(starts)]
    assert all(10 <= wait_s <= 20 for wait_s in waits_s)
    assert max(waits_s) - min(waits_s) > 3, "a robot's even step"
    before_ns = clock.now_ns()
    with manners.turn("elsewhere.example"):
        assert clock.now_ns() == before_ns


def test_a_burst_is_served_at_once_after_a_rest(tmp_path: Path, clock: FakeClock):
    manners = manners_in(tmp_path, clock, MannersConfig(videos_per_minute=1, burst=3, jitter=0))
    for _ in range(4):
        with manners.turn(HOST):
            pass
    assert clock.slept_s == [pytest.approx(60)]


def test_the_rate_is_remembered_by_the_next_run(tmp_path: Path, clock: FakeClock):
    config = MannersConfig(videos_per_minute=1, burst=1, jitter=0)
    with manners_in(tmp_path, clock, config).turn(HOST):
        clock.pass_s(20)
    with manners_in(tmp_path, clock, config).turn(HOST):
        assert clock.slept_s == [pytest.approx(40)]


def test_a_host_has_its_own_rate(tmp_path: Path, clock: FakeClock):
    slow = HostConfig(name="www.Video.example", videos_per_minute=1, burst=1, jitter=0)
    manners = manners_in(tmp_path, clock, hosts=[slow])
    for _ in range(3):
        with manners.turn(HOST), manners.turn("quick.example"):
            pass
    assert clock.slept_s == [pytest.approx(60), pytest.approx(60)]
    assert manners.config_of(HOST).pause_minutes == UNLIMITED.pause_minutes


def test_manners_without_limits_write_nothing(tmp_path: Path, clock: FakeClock):
    manners = manners_in(tmp_path, clock)
    for _ in range(3):
        try_turn(manners, None)
        try_turn(manners, DropReason.REMOVED)
    assert not (tmp_path / "hosts.json").exists()
    assert clock.slept_s == []


def test_requests_of_one_host_keep_their_gap(tmp_path: Path, clock: FakeClock):
    manners = manners_in(tmp_path, clock, replace(UNLIMITED, seconds_between_requests=2, jitter=0.5))
    asked_ns = []
    for _ in range(9):
        manners.request_gap(HOST)
        asked_ns.append(clock.now_ns())
        clock.pass_s(0.25)
    assert all(2 <= (after - before) / S <= 3 for before, after in pairwise(asked_ns))
    before_ns = clock.now_ns()
    manners.request_gap("elsewhere.example")
    assert clock.now_ns() == before_ns
    manners.request_gap("::1")
    manners.request_gap("www.Video.example")
    assert clock.now_ns() > before_ns, "the same host by another name"


# --- the breaker


@given(
    reports=st.lists(
        st.tuples(st.sampled_from([None, 3.0, 900.0]), st.floats(0, 1), st.integers(0, 3 * 86400)), max_size=30
    ),
    first_s=st.integers(1, 7200),
    longest_s=st.integers(7200, 200_000),
)
def test_waits_grow_are_bounded_and_never_shorter_than_asked(
    reports: list[tuple[float | None, float, int]], first_s: int, longest_s: int
):
    memory, now_ns, last_ns = HostMemory(), START_NS, 0
    for retry_after_s, stretch, rest_s in reports:
        asked_ns = round((retry_after_s or 0) * S)
        memory = with_refusal(
            memory,
            now_ns,
            reason="rate_limited",
            first_pause_ns=first_s * S,
            longest_pause_ns=longest_s * S,
            retry_after_ns=asked_ns,
            stretch=stretch,
        )
        pause_ns = memory.paused_until_ns - now_ns
        assert pause_ns == memory.pause_ns
        assert asked_ns <= pause_ns <= longest_s * S
        assert pause_ns >= min(longest_s * S, 2 * last_ns)
        last_ns = pause_ns
        now_ns = memory.paused_until_ns + rest_s * S
        assert memory.is_on_trial(now_ns)
    assert with_success(memory, now_ns) == HostMemory()


@pytest.mark.parametrize("reason", [DropReason.RATE_LIMITED, DropReason.BOT_CHECK])
def test_a_refusal_pauses_the_host_for_everybody_and_says_why(tmp_path: Path, clock: FakeClock, reason: DropReason):
    manners, other_worker = manners_in(tmp_path, clock), manners_in(tmp_path, clock)
    try_turn(manners, reason)
    with pytest.raises(PutOffError) as put_off, other_worker.turn(HOST):
        pytest.fail("a paused host was asked")
    assert 3600 <= (put_off.value.until_ns - clock.now_ns()) / S <= 3960
    assert put_off.value.host == HOST
    (state,) = other_worker.states()
    assert (state.host, state.reason, state.on_trial, state.pauses) == (HOST, reason, False, 1)
    assert state.is_paused(clock.now_ns())
    assert not state.is_paused(put_off.value.until_ns)
    assert state.why == put_off.value.why
    assert len(state.why) > 10
    with other_worker.turn("elsewhere.example"):
        pass
    assert clock.slept_s == []


def test_only_a_run_of_refusals_pauses_a_host(tmp_path: Path, clock: FakeClock):
    manners = manners_in(tmp_path, clock, replace(UNLIMITED, refusals_before_pause=3))
    for reason in (DropReason.REFUSED, DropReason.REFUSED, DropReason.REMOVED, DropReason.REFUSED, DropReason.REFUSED):
        try_turn(manners, reason)
    try_turn(manners, None)
    for _ in range(2):
        try_turn(manners, DropReason.REFUSED)
    for reason in (DropReason.NETWORK, DropReason.TRUNCATED, DropReason.FORBIDDEN_ADDRESS, DropReason.UNSUPPORTED):
        try_turn(manners, reason)  # says nothing about refusals
    try_turn(manners, DropReason.REFUSED)
    with pytest.raises(PutOffError), manners.turn(HOST):
        pass


def test_after_the_pause_one_trial_decides(tmp_path: Path, clock: FakeClock):
    manners = manners_in(tmp_path, clock)
    try_turn(manners, DropReason.BOT_CHECK)
    first_s = pause_s(manners, clock)
    clock.pass_s(first_s)
    assert manners.states()[0].on_trial
    try_turn(manners, DropReason.REFUSED)
    second_s = pause_s(manners, clock)
    assert 2 * first_s <= second_s <= 2.2 * first_s
    clock.pass_s(second_s)
    try_turn(manners, None)
    assert manners.states() == []
    try_turn(manners, DropReason.BOT_CHECK)
    assert pause_s(manners, clock) < 1.2 * first_s, "a video resets the growth"


def test_a_listing_a_gone_video_and_a_broken_line_do_not_end_a_trial(tmp_path: Path, clock: FakeClock):
    manners = manners_in(tmp_path, clock)
    try_turn(manners, DropReason.BOT_CHECK)
    first_s = pause_s(manners, clock)
    clock.pass_s(first_s)
    with manners.turn(HOST):
        manners.report(HOST, None, of_listing=True)
    try_turn(manners, DropReason.REMOVED)
    try_turn(manners, DropReason.NETWORK)
    assert manners.states()[0].on_trial
    try_turn(manners, DropReason.BOT_CHECK)
    assert pause_s(manners, clock) >= 2 * first_s


def test_retry_after_is_obeyed_to_the_second_and_then_grows(tmp_path: Path, clock: FakeClock):
    manners = manners_in(tmp_path, clock, replace(UNLIMITED, wait_in_run_s=0))
    try_turn(manners, DropReason.RATE_LIMITED, 300)
    assert pause_s(manners, clock) == 300
    clock.pass_s(300)
    try_turn(manners, DropReason.NETWORK, 5)  # 503
    assert 600 <= pause_s(manners, clock) <= 660
    clock.pass_s(660)
    try_turn(manners, DropReason.RATE_LIMITED, 3 * 86400)
    assert pause_s(manners, clock) == 3 * 86400, "longer than longest_pause_hours, for the server says so"


@pytest.mark.parametrize(("asked_s", "longest_s"), [(0.0, 3960), (-5.0, 3960), (float("nan"), 3960), (1e18, 7 * 86400)])
def test_an_absurd_retry_after_neither_frees_nor_buries_a_host(
    tmp_path: Path, clock: FakeClock, asked_s: float, longest_s: float
):
    manners = manners_in(tmp_path, clock)
    try_turn(manners, DropReason.RATE_LIMITED, asked_s)
    assert 3600 <= pause_s(manners, clock) <= longest_s


def test_a_short_pause_is_waited_for_within_the_run(tmp_path: Path, clock: FakeClock):
    manners = manners_in(tmp_path, clock, replace(UNLIMITED, wait_in_run_s=30))
    try_turn(manners, DropReason.RATE_LIMITED, 30)
    try_turn(manners, None)
    assert clock.slept_s == [pytest.approx(30)]
    assert manners.states() == []


def test_refusals_that_were_under_way_do_not_add_up(tmp_path: Path, clock: FakeClock):
    manners = manners_in(tmp_path, clock, replace(UNLIMITED, downloads_at_once=3))
    with manners.turn(HOST), manners.turn(HOST), manners.turn(HOST):
        for _ in range(3):
            manners.report(HOST, DropReason.RATE_LIMITED)
    assert pause_s(manners, clock) <= 3960
    manners.report(HOST, None)  # begun before the pause, ended within it
    assert manners.states()[0].paused_until_ns is not None
    manners.report(HOST, DropReason.RATE_LIMITED, 90_000)
    assert pause_s(manners, clock) == 90_000


def test_a_turn_that_waits_for_its_time_is_put_off_when_another_is_refused_meanwhile(tmp_path: Path, clock: FakeClock):
    config = MannersConfig(videos_per_minute=1, burst=1, jitter=0, downloads_at_once=2)
    manners = manners_in(tmp_path, clock, config)

    class Meddler(FakeClock):
        def sleep(self, seconds: float) -> None:
            manners.report(HOST, DropReason.BOT_CHECK)
            super().sleep(seconds)

    with manners.turn(HOST), pytest.raises(PutOffError), manners_in(tmp_path, Meddler(), config).turn(HOST):
        pytest.fail("a paused host was asked")


# --- restarts, damage, clocks


@given(
    script=st.lists(
        st.tuples(
            st.sampled_from(["a.example", "b.example"]),
            st.sampled_from([None, DropReason.REFUSED, DropReason.BOT_CHECK, DropReason.REMOVED]),
            st.sampled_from([None, 7.5]),
            st.integers(0, 20_000),
        ),
        max_size=15,
    )
)
def test_what_a_restart_reads_back_is_what_was_known(
    tmp_path_factory: pytest.TempPathFactory, script: list[tuple[str, DropReason | None, float | None, int]]
):
    clock, folder = FakeClock(), tmp_path_factory.mktemp("state")
    manners = manners_in(folder, clock)
    for host, reason, retry_after_s, rest_s in script:
        manners.report(host, reason, retry_after_s)
        assert manners_in(folder, clock).states() == manners.states()
        clock.pass_s(rest_s)
    assert manners_in(folder, clock).states() == manners.states()


@pytest.mark.parametrize(
    "damage",
    [
        b"", b"{", b"\xff\xfe", b"[]", b'{"video.example": 3}', b'{"video.example": {"pauses": "many"}}',
        b'{"video.example": {"pauses": -1}}', b'{"video.example": {"unheard_of": 1}}',
        b'{"video.example": {"reason": "no such"}}', b'{"video.example": {"pauses": true}}',
    ],
)  # fmt: skip
def test_a_damaged_state_file_is_set_aside_and_told(tmp_path: Path, clock: FakeClock, damage: bytes):
    manners = manners_in(tmp_path, clock)
    (tmp_path / "hosts.json").write_bytes(damage)
    assert manners.states() == []
    try_turn(manners, DropReason.BOT_CHECK)
    assert [path.read_bytes() for path in manners.damaged_files()] == [damage]
    assert [state.pauses for state in manners.states()] == [1]


def test_a_clock_that_was_ahead_does_not_freeze_a_host(tmp_path: Path, clock: FakeClock):
    manners = manners_in(tmp_path, clock, MannersConfig(videos_per_minute=6, burst=1, jitter=0))
    clock.pass_s(400 * 86400)
    try_turn(manners, DropReason.BOT_CHECK)
    manners.request_gap(HOST)
    clock.pass_s(-400 * 86400)
    assert 3600 <= pause_s(manners, clock) <= 3960
    clock.pass_s(3960)
    before_ns = clock.now_ns()
    with manners.turn(HOST):
        manners.request_gap(HOST)
    assert (clock.now_ns() - before_ns) / S <= 30


@given(memory_s=st.integers(0, 10**9), pause_s=st.integers(0, 10**6), now_s=st.integers(0, 10**9))
def test_no_wait_is_ever_longer_than_when_it_began(memory_s: int, pause_s: int, now_s: int):
    memory = HostMemory(full_ns=memory_s * S, paused_until_ns=memory_s * S, pause_ns=pause_s * S, pauses=1)
    cut = healed(memory, now_s * S, longest_lead_ns=60 * S)
    assert cut.paused_until_ns <= (now_s + pause_s) * S
    assert cut.full_ns <= (now_s + 60) * S
    assert healed(cut, now_s * S, longest_lead_ns=60 * S) == cut


def test_hosts_in_good_standing_are_forgotten(tmp_path: Path, clock: FakeClock):
    manners = manners_in(tmp_path, clock, MannersConfig(videos_per_minute=60, burst=1))
    for number in range(20):
        with manners.turn(f"{number}.example"):
            clock.pass_s(10)
    assert len(json.loads((tmp_path / "hosts.json").read_text())) <= 1


# --- many workers


@contextmanager
def counted(running: list[int], lock: Lock) -> Iterator[None]:
    with lock:
        running[0] += 1
        running[1] = max(running)
    yield
    with lock:
        running[0] -= 1


@pytest.mark.parametrize("at_once", [1, 3])
def test_threads_share_the_slots_of_a_host(tmp_path: Path, clock: FakeClock, at_once: int):
    manners = manners_in(tmp_path, clock, replace(UNLIMITED, downloads_at_once=at_once))
    running, lock = [0, 0], Lock()

    def work(_: int) -> None:
        with manners.turn(HOST), counted(running, lock):
            time.sleep(0.02)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    assert running == [0, at_once]


def test_on_trial_only_one_worker_asks(tmp_path: Path, clock: FakeClock):
    manners = manners_in(tmp_path, clock, replace(UNLIMITED, downloads_at_once=4, wait_in_run_s=0))
    try_turn(manners, DropReason.BOT_CHECK)
    clock.pass_s(4000)
    running, lock, begun = [0, 0], Lock(), []

    def work(number: int) -> str:
        try:
            with manners.turn(HOST), counted(running, lock):
                begun.append(number)
                time.sleep(0.05)
                manners.report(HOST, DropReason.BOT_CHECK)
        except PutOffError:
            return "put off"
        return "asked"

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(work, range(4)))
    assert sorted(told) == ["asked", "put off", "put off", "put off"]
    assert running == [0, 1]


HOLDER = """
import sys, time
from pathlib import Path
from random import Random
from collectors.clock import SystemClock
from collectors.manners import Manners, MannersConfig
from schema.errors import DropReason

config = MannersConfig(videos_per_minute=0)
manners = Manners(Path(sys.argv[1]), config=config, clock=SystemClock(), rng=Random())
manners.report("refusing.example", DropReason.RATE_LIMITED, 1800)
with manners.turn("video.example"):
    print("holds", flush=True)
    time.sleep(50)
"""


def test_a_killed_worker_leaves_its_slot_and_what_it_learnt(tmp_path: Path):
    clock = FakeClock()
    clock.time_ns = time.time_ns()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "hosts.json")],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert holder.stdout is not None
    with holder, holder.stdout:
        assert holder.stdout.readline() == b"holds\n"
        manners, got, pool = manners_in(tmp_path, clock), Event(), ThreadPoolExecutor(1)

        def work() -> None:
            with manners.turn(HOST):
                got.set()

        with pool:
            waiting = pool.submit(work)
            assert not got.wait(0.5), "the slot of another process was taken"
            os.kill(holder.pid, signal.SIGKILL)
            waiting.result(timeout=20)
    assert [(state.host, state.pauses) for state in manners.states()] == [("refusing.example", 1)]
    with pytest.raises(PutOffError), manners.turn("refusing.example"):
        pass


def test_a_turn_that_fails_frees_its_slot(tmp_path: Path, clock: FakeClock):
    manners = manners_in(tmp_path, clock)
    with pytest.raises(KeyboardInterrupt), manners.turn(HOST):
        raise KeyboardInterrupt
    with manners.turn(HOST):
        pass


# --- names and settings


@pytest.mark.parametrize(
    ("link", "site"),
    [
        ("https://www.youtube.com/watch?v=x", "youtube.com"),
        ("https://m.youtube.com/watch?v=x", "youtube.com"),
        ("https://music.youtube.com/watch?v=x", "youtube.com"),
        ("https://youtu.be/x", "youtube.com"),
        ("https://www.youtube-nocookie.com/embed/x", "youtube.com"),
        ("HTTPS://YouTube.COM.:443/x", "youtube.com"),
        ("ytsearchdate20:press conference", "youtube.com"),
        ("ytsearch:x", "youtube.com"),
        ("scsearch5:x", "soundcloud.com"),
        ("nicosearchdate3:x", "nicovideo.jp"),
        ("GVSearch:x", "gvsearch"),
        ("https://player.vimeo.com/video/1", "vimeo.com"),
        ("https://twitter.com/a/status/1", "x.com"),
        ("http://user:secret@127.0.0.1:8080/x", "127.0.0.1"),
        ("http://[::1]:8080/x", "::1"),
        ("http://localhost/x", "localhost"),
        ("https://m.com/x", "m.com"),
        ("https://www.com/x", "www.com"),
        ("https://www.bücher.example/x", "xn--bcher-kva.example"),
        ("https://xn--bcher-kva.example/x", "xn--bcher-kva.example"),
        ("https://" + "a" * 70 + ".example/x", "a" * 70 + ".example"),
        ("http://a\x1b[31mb.example/", "(no host)"),
        ("http://a\x1bb.example/", "a_b.example"),
        ("https:///x", "(no host)"),
        ("http://[::1/x", "(no host)"),
        ("/data/film.mp4", "(no host)"),
        ("", "(no host)"),
    ],
)
def test_a_site_has_one_name(link: str, site: str):
    assert site_of(link) == site


@given(st.text())
def test_any_text_has_a_site_that_a_terminal_can_show(text: str):
    for link in (text, f"https://{text}", f"https://{text}.example/"):
        assert site_of(link).isprintable()


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"burst": 0}, "manners.burst"),
        ({"downloads_at_once": 0}, "manners.downloads_at_once"),
        ({"refusals_before_pause": 0}, "manners.refusals_before_pause"),
        ({"videos_per_minute": -1.0}, "manners.videos_per_minute"),
        ({"jitter": float("nan")}, "manners.jitter"),
        ({"pause_minutes": float("inf")}, "manners.pause_minutes"),
    ],
)
def test_a_setting_that_is_no_number_of_something_is_refused(settings: dict[str, float], key: str):
    with pytest.raises(ConfigError, match=key):
        MannersConfig(**settings)
    with pytest.raises(ConfigError, match=key.replace("manners", "hosts")):
        HostConfig(name=HOST, **settings)


@pytest.mark.parametrize("name", ["https://youtube.com", "youtube.com/watch", ""])
def test_a_host_is_named_without_a_link(name: str):
    with pytest.raises(ConfigError, match="hosts: name"):
        HostConfig(name=name)
