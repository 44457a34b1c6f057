"""Is it still public? Dated answers, what counts as vanished, and what the study's policy makes of it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import _availability
from flows._availability import recheck, sources_to_check, vanished_videos
from flows._facts import plan_facts, status_facts
from flows._outcome import ExitStatus
from flows._plan import study_videos
from flows._report import tell_outcome
from flows._withdrawals import DONE, tombstones
from schema.arrow import AVAILABILITY, SOURCES, WITHDRAWALS
from schema.errors import DropReason
from tests.fake_site.plugins import load_extractors
from tests.fake_site.server import FakeSite, Video
from tests.site_study import DAY_S, S, SiteStudy, links
from tests.traces import traces

load_extractors()


@pytest.fixture
def site() -> Iterator[FakeSite]:
    with FakeSite() as found:
        for number in range(4):
            found.add(Video(id=f"talk-{number}", title=f"Talk {number}", clip=number))
        yield found


def collected(root: Path, site: FakeSite, **collect: object) -> SiteStudy:
    nights = SiteStudy(root, site, *links(*(site.watch_link(f"talk-{n}") for n in range(4))), **collect)
    nights.night()
    assert nights.outcomes() == ["got"] * 4
    site.forget()
    return nights


def states(nights: SiteStudy) -> list[str]:
    """Every recorded answer in its order, with the video's number."""
    ids = {row["source_id"]: row["native_id"] for row in nights.study.store.read(SOURCES).to_pylist()}
    rows = nights.study.store.read(AVAILABILITY).to_pylist()
    return [f"{ids[row['source_id']]} {row['state']}" for row in rows]


def test_what_vanished_is_dated_and_marked_and_no_trouble(
    tmp_path: Path, site: FakeSite, capfd: pytest.CaptureFixture[str]
) -> None:
    nights = collected(tmp_path / "study", site)
    site.remove("talk-0")
    site.fail("talk-1", "private")
    site.fail("talk-2", "members")
    outcome = nights.recheck()
    assert states(nights) == ["talk-0 removed", "talk-1 private", "talk-2 members_only", "talk-3 public"]
    checked_ns = nights.study.store.read(AVAILABILITY)["checked_ns"].to_pylist()
    assert all(0 <= nights.clock.time_ns - time_ns < DAY_S * S for time_ns in checked_ns)
    assert outcome.exit_status(tolerated_drops=0) is ExitStatus.DONE
    assert site.asked("media") == [], "nothing is downloaded"
    tell_outcome(outcome, nights.study)
    told = "".join(capfd.readouterr())
    assert "recheck: 4 done, 1 members_only, 1 private, 1 public, 1 removed" in told
    assert "3 videos are no longer public, and stay in the study" in told
    assert "talk" not in told
    assert len(vanished_videos(nights.study)) == status_facts(nights.study)["vanished"] == 3
    assert len(study_videos(nights.study)) == 4
    assert nights.study.store.read(WITHDRAWALS).num_rows == 0


@pytest.mark.parametrize("fault", ["page_500", "page_reset", "page_403", "geo", "age", "bot_check", "page_429"])
def test_an_answer_that_does_not_tell_leaves_the_last_one_standing(tmp_path: Path, site: FakeSite, fault: str) -> None:
    nights = collected(tmp_path / "study", site, on_vanished="withdraw")
    site.remove("talk-0")
    nights.recheck()
    gone = vanished_videos(nights.study)
    assert len(gone) == 1
    site.videos["talk-0"].is_removed = False
    for number in range(4):
        site.fail(f"talk-{number}", fault)
    outcome = nights.recheck(days=7)
    assert vanished_videos(nights.study) == gone
    assert outcome.exit_status(tolerated_drops=0) is ExitStatus.DROPPED, "it could not do what it should"
    assert nights.study.store.read(WITHDRAWALS).num_rows == 0
    assert len(sources_to_check(nights.study, now_ns=nights.clock.time_ns)) == 4, "asked again by the next one"


def test_a_video_that_is_back_is_public(tmp_path: Path, site: FakeSite) -> None:
    nights = collected(tmp_path / "study", site, on_vanished="withdraw")
    site.remove("talk-0")
    nights.recheck()
    site.videos["talk-0"].is_removed = False
    nights.recheck(days=7)
    assert vanished_videos(nights.study) == set()
    site.remove("talk-0")
    outcome = nights.recheck(days=7)
    assert nights.study.store.read(WITHDRAWALS).num_rows == 0, "two answers in a row withdraw"
    assert outcome.notes[-1] == "1 videos are withdrawn once another recheck finds them gone"


def test_withdrawing_takes_two_rechecks(tmp_path: Path, site: FakeSite) -> None:
    nights = collected(tmp_path / "study", site, on_vanished="withdraw")
    site.remove("talk-0")
    nights.recheck()
    assert len(study_videos(nights.study)) == 4
    assert nights.recheck(days=0.1).done == 0, "what just answered is not asked again"
    assert len(study_videos(nights.study)) == 4
    outcome = nights.recheck(days=7)
    assert "1 videos withdrawn" in outcome.notes
    (stone,) = tombstones(nights.study).values()
    assert (stone.cause, stone.state) == ("vanished", DONE)
    assert len(study_videos(nights.study)) == len(list((nights.root / "media").iterdir())) == 3
    assert traces(nights.root, [stone.video_id, "talk-0", "Talk 0"], but=("withdrawals/", "study.toml")) == []
    site.forget()
    assert nights.recheck(days=7).done == 3
    assert site.asked("page", "talk-0") == [], "a withdrawn video is nobody's concern any more"
    nights.night()
    assert len(study_videos(nights.study)) == 3


def test_a_video_with_another_public_source_has_not_vanished(tmp_path: Path, site: FakeSite) -> None:
    site.add(Video(id="again", copy_of="talk-0"))
    nights = SiteStudy(tmp_path / "study", site, *links(site.watch_link("talk-0"), site.watch_link("again")))
    nights.night()
    assert len(study_videos(nights.study)) == 1
    site.remove("talk-0")
    outcome = nights.recheck()
    assert sorted(states(nights)) == ["again public", "talk-0 removed"]
    assert vanished_videos(nights.study) == set()
    assert not any("no longer public" in note for note in outcome.notes)
    site.remove("again")
    nights.recheck(days=7)
    assert len(vanished_videos(nights.study)) == 1


def test_a_paused_host_is_left_alone_and_asked_later(tmp_path: Path, site: FakeSite) -> None:
    nights = collected(tmp_path / "study", site)
    site.fail("talk-1", "page_429_after", times=1)
    outcome = nights.recheck()
    assert len(site.asked("page")) == 2
    assert set(outcome.paused) == {"127.0.0.1"}
    assert "2 left for later" in outcome.notes
    nights.recheck(days=0.01)
    assert len(site.asked("page")) == 2, "the pause holds for the next recheck, too"
    again = nights.recheck(days=0.5)
    assert states(nights)[-3:] == ["talk-1 public", "talk-2 public", "talk-3 public"]
    assert (again.done, again.paused) == (3, {})


def test_a_recheck_that_was_killed_goes_on(tmp_path: Path, site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    nights = collected(tmp_path / "study", site)
    monkeypatch.setattr(_availability, "BATCH", 2)
    child = os.fork()
    if child == 0:
        site.watchers.clear()
        count = 0
        ask = _availability._ask

        def ask_three(*arguments: object) -> object:
            nonlocal count
            count += 1
            if count == 4:
                os.kill(os.getpid(), signal.SIGKILL)
            return ask(*arguments)

        _availability._ask = ask_three
        recheck(nights.campaign())
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert states(nights) == ["talk-0 public", "talk-1 public"]
    assert plan_facts(nights.study)["sources_to_recheck"] == 4  # the machine's clock is not the test's
    assert nights.recheck(days=0.01).done == 2
    assert len(states(nights)) == 4


def test_a_recheck_that_is_stopped_keeps_what_it_heard(
    tmp_path: Path, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights = collected(tmp_path / "study", site)
    ask, asked = _availability._ask, []

    def stopped(*arguments: object) -> object:
        asked.append(arguments)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return ask(*arguments)

    monkeypatch.setattr(_availability, "_ask", stopped)
    with pytest.raises(KeyboardInterrupt):
        nights.recheck()
    assert len(states(nights)) == 2


def test_an_error_nobody_foresaw_fails_its_source_alone(
    tmp_path: Path, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    nights = collected(tmp_path / "study", site)
    ask = _availability._ask

    def broken(campaign: object, entry: object) -> object:
        if "talk-1" in entry.location:
            raise LookupError(entry.location)
        return ask(campaign, entry)

    monkeypatch.setattr(_availability, "_ask", broken)
    outcome = nights.recheck()
    assert [failure.cause for failure in outcome.failures] == ["LookupError"]
    assert outcome.done == 3
    assert outcome.exit_status(tolerated_drops=0) is ExitStatus.FAILED


def test_files_of_ones_own_do_not_vanish(tmp_path: Path, site: FakeSite) -> None:
    own = tmp_path / "own.mp4"
    own.write_bytes(site.videos["talk-0"].content)
    nights = SiteStudy(tmp_path / "study", site, *links(site.watch_link("talk-0")), {"kind": "file", "path": str(own)})
    nights.night()
    assert len(study_videos(nights.study)) == 1
    site.remove("talk-0")
    nights.recheck()
    assert states(nights) == ["talk-0 removed"]
    assert vanished_videos(nights.study) == set()
    assert DropReason.REMOVED in nights.study.store.read(AVAILABILITY)["state"].to_pylist()
