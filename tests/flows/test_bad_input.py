"""Bad input: each fault has its typed outcome and one clear line, and never stops the videos beside it."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import pytest

from flows import _videos
from flows._collection import GOT, Campaign, collect_source, list_sources, newest_attempts, to_collect
from flows._isolation import Finished, Limits, Report
from flows._outcome import ExitStatus, Outcome
from flows._perception import perceive
from flows._plan import current_candidates, study_videos, to_perceive, to_propose
from flows._stages import video_parts
from flows._study import Study, open_study
from schema.arrow import FRAMES, OUTCOMES, VIDEOS
from schema.errors import DropReason
from schema.records import VideoFlag, VideoRecord
from tests import media_files
from tests.collectors.conftest import ANSWERS, FaultSite, Handler
from tests.media_files import audio_only, constant_rate, damaged, truncated, variable_rate, without_index
from tests.studies import digests, make_study, run_to_candidates, set_keys
from tests.synthetic_people import PaintedPerson, hand_way, paint

FRAMES_IN_ALL, FRAMES_KEPT = 60, 45
TOUCH_FRAMES = (15, 32)
Dropped = DropReason
TEN = Fraction(10)
LEFT_OUT = {
    "absent": Dropped.MISSING,
    "hollow": Dropped.EMPTY,
    "noisy": Dropped.UNREADABLE,
    "songlike": Dropped.NO_VIDEO,
    "headless": Dropped.UNREADABLE,
}
"""What is dropped when it is collected, by the name of the file."""
UNPEOPLED = {"deserted": Dropped.NO_PERSON, "glimpsed": Dropped.TOO_SHORT}
"""What is dropped when people are looked for."""
PROCESSED = ("cutoff", "scratched", "upright", "tilted", "wandering", "weblike", "uneven", "flawless")


def painted(number: int, *, width: int = 320, height: int = 240) -> np.ndarray:
    """Paint frame ``number`` of an interview in any size: the hand is at the neck during ``TOUCH_FRAMES``."""
    way = hand_way(float(number), (TOUCH_FRAMES,), ramp_seconds=3)
    box = (round(0.3 * width), round(0.15 * height), round(0.7 * width), round(0.98 * height))
    return paint([PaintedPerson(box_xyxy=box, hand_at_neck=way)], size=(width, height))


def glimpsed(number: int, *, width: int = 320, height: int = 240) -> np.ndarray:
    people = [PaintedPerson()] if 20 <= number < 23 else []
    return paint(people, size=(width, height))


def deserted(number: int, *, width: int = 320, height: int = 240) -> np.ndarray:
    return paint([], size=(width, height))


def write_recordings(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Write one file of each kind; the makers of ``media_files`` paint people instead of numbers."""
    folder.mkdir(parents=True)
    wide: dict[str, object] = {"rate": TEN, "count": FRAMES_IN_ALL, "width": 320, "height": 240}
    patch.setattr(media_files, "draw_number", painted)
    (folder / "hollow.mp4").touch()
    (folder / "noisy.mp4").write_bytes(Random(3).randbytes(20_000))
    audio_only(folder / "songlike.mp4")
    without_index(folder / "headless.mp4")
    truncated(folder / "cutoff.mp4", kept=FRAMES_KEPT, **wide)
    damaged(folder / "scratched.mp4", broken=(50, 51), **wide)
    constant_rate(folder / "upright.mp4", rate=TEN, count=FRAMES_IN_ALL, width=240, height=320)
    constant_rate(folder / "tilted.mp4", rotation_degrees=90, **wide)
    variable_rate(folder / "wandering.mkv", count=FRAMES_IN_ALL, width=320, height=240)
    fast = {"deadline": "realtime", "cpu-used": "8"}
    constant_rate(folder / "weblike.webm", codec="libvpx-vp9", codec_options=fast, **wide)
    constant_rate(folder / "uneven.mp4", rate=TEN, count=50, width=321, height=241, pixel_format="yuv444p")
    constant_rate(folder / "flawless.mp4", **(wide | {"count": 58}))
    for name, painter in (("deserted", deserted), ("glimpsed", glimpsed)):
        patch.setattr(media_files, "draw_number", painter)
        constant_rate(folder / f"{name}.mp4", **(wide | {"count": 40}))


def perceived_here(entry: str, arguments: tuple[str, str], *, limits: Limits, log: Path, report: Report) -> Finished:
    """Perceive without a process of its own, which takes seconds to start."""
    perceive(report, *arguments)
    return Finished()


@dataclass(frozen=True)
class LateClock:
    """A clock that stands still, later than now; nobody waits."""

    time_ns: int

    def now_ns(self) -> int:
        return self.time_ns

    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True)
class Faulty:
    """A study with one recording of each kind, run to its candidates."""

    root: Path
    outcomes: dict[str, Outcome]

    @property
    def study(self) -> Study:
        return open_study(self.root)

    def source_id(self, name: str) -> str:
        return next(e.source_id for e in list_sources(self.study) if Path(e.location).stem == name)

    def video(self, name: str) -> VideoRecord:
        rows = {r["source_id"]: r["video_id"] for r in self.study.store.read(OUTCOMES).to_pylist()}
        return next(v for v in study_videos(self.study) if v.video_id == rows[self.source_id(name)])


@pytest.fixture(autouse=True, scope="module")
def _perceiving_here() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_videos, "run_isolated", perceived_here)
        yield


def use_list(root: Path, locations: list[str]) -> None:
    """Make the study's sources a list of locations; paths are relative to ``private/``."""
    text = (root / "study.toml").read_text()
    text = text.replace('kind = "folder"\npath = "recordings"\nperson = "p1"', 'kind = "list"\npath = "private/l.csv"')
    (root / "study.toml").write_text(text)
    (root / "private" / "l.csv").write_text("\n".join(["location,person", *(f"{x},p1" for x in locations)]) + "\n")


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Faulty:
    root = tmp_path_factory.mktemp("faulty") / "study"
    with pytest.MonkeyPatch.context() as patch:
        write_recordings(root / "recordings", patch)
    make_study(root)
    names = sorted(path.name for path in (root / "recordings").iterdir())
    use_list(root, ["../recordings/absent.mp4", *(f"../recordings/{name}" for name in names)])
    return Faulty(root=root, outcomes=run_to_candidates(open_study(root)))


@pytest.fixture
def copied(faulty: Faulty, tmp_path: Path) -> Path:
    """A copy of that study to change."""
    return Path(shutil.copytree(faulty.root, tmp_path / "study"))


def test_what_is_no_video_is_dropped_for_its_own_reason(faulty: Faulty) -> None:
    attempts = newest_attempts(faulty.study)
    found = {name: attempts[faulty.source_id(name)].outcome for name in (*LEFT_OUT, *UNPEOPLED, *PROCESSED)}
    assert found == LEFT_OUT | dict.fromkeys((*UNPEOPLED, *PROCESSED), GOT)
    told = {lost.item_id: lost.reason for lost in faulty.outcomes["collect"].dropped}
    assert told == {faulty.source_id(name): reason for name, reason in LEFT_OUT.items()}
    assert not list((faulty.root / "work").iterdir())


def test_what_shows_nobody_for_long_enough_is_dropped_by_its_video_id(faulty: Faulty) -> None:
    told = {d.item_id: d.reason for d in faulty.outcomes["perceive"].dropped if "/" not in d.item_id}
    assert told == {faulty.video(name).video_id: reason for name, reason in UNPEOPLED.items()}


@pytest.mark.parametrize("name", PROCESSED)
def test_everything_else_is_processed_to_its_candidates(faulty: Faulty, name: str) -> None:
    video = faulty.video(name)
    found = [c for _, c in current_candidates(faulty.study, [video]) if c.proposer == "contact"]
    assert [c.class_id for c in found] == ["touching_or_scratching_neck"]


def test_trouble_ends_the_command_with_the_status_for_drops(faulty: Faulty) -> None:
    for stage in ("collect", "perceive"):
        assert faulty.outcomes[stage].exit_status(tolerated_drops=0) is ExitStatus.DROPPED
        assert not faulty.outcomes[stage].failures
    assert faulty.outcomes["collect"].exit_status(tolerated_drops=len(LEFT_OUT)) is ExitStatus.DONE
    assert faulty.outcomes["propose"].exit_status(tolerated_drops=0) is ExitStatus.DONE


def test_a_damaged_file_is_flagged_and_processed_to_its_last_good_frame(faulty: Faulty) -> None:
    cutoff, scratched = faulty.video("cutoff"), faulty.video("scratched")
    assert VideoFlag.TRUNCATED in cutoff.flags
    assert cutoff.frame_count == FRAMES_KEPT
    assert cutoff.header_duration_ns > cutoff.duration_ns
    assert VideoFlag.DAMAGED in scratched.flags
    flawed = {VideoFlag.TRUNCATED, VideoFlag.DAMAGED}
    frames = {}
    for video in (cutoff, scratched):
        part = video_parts(faulty.study, video)[FRAMES.name]
        frames[video.video_id] = faulty.study.store.read_part(FRAMES, part.key, part.digest).num_rows
    assert frames[cutoff.video_id] == FRAMES_KEPT
    # collection counts packets, and two of the scratched ones give no picture
    assert scratched.frame_count - 2 <= frames[scratched.video_id] <= scratched.frame_count
    for name in set(PROCESSED) - {"cutoff", "scratched"}:
        assert not flawed & set(faulty.video(name).flags), name


def test_the_picture_is_upright_whatever_the_file_asks_for(faulty: Faulty) -> None:
    assert (faulty.video("tilted").rotation_degrees, faulty.video("flawless").rotation_degrees) == (90, 0)
    sizes = {name: (faulty.video(name).width, faulty.video(name).height) for name in ("tilted", "upright", "uneven")}
    assert sizes == {"tilted": (320, 240), "upright": (240, 320), "uneven": (321, 241)}
    assert VideoFlag.VARIABLE_RATE in faulty.video("wandering").flags
    assert VideoFlag.VARIABLE_RATE not in faulty.video("flawless").flags


def test_no_detail_holds_a_path_or_a_file_name(faulty: Faulty) -> None:
    details = [lost.detail for outcome in faulty.outcomes.values() for lost in outcome.dropped]
    details += faulty.study.store.read(OUTCOMES)["detail"].to_pylist()
    assert len(details) > len(LEFT_OUT) + len(UNPEOPLED)
    private = ["recordings", "/", ".mp4", ".mkv", ".webm", *LEFT_OUT, *UNPEOPLED, *PROCESSED]
    for detail in details:
        assert "\n" not in detail
        assert not [word for word in private if word in detail.lower()], detail


def test_a_second_run_tries_nothing_that_cannot_have_changed(faulty: Faulty) -> None:
    before = digests(faulty.root), digests(faulty.root, ("outcomes", "videos"))
    study = open_study(faulty.root)
    assert to_collect(study) == []
    assert to_perceive(study, study_videos(study)) == to_propose(study, study_videos(study)) == []
    outcomes = run_to_candidates(study)
    assert [(o.done, o.dropped) for o in outcomes.values()] == [(0, [])] * 3
    assert (digests(faulty.root), digests(faulty.root, ("outcomes", "videos"))) == before


@pytest.mark.parametrize("name", LEFT_OUT)
@pytest.mark.parametrize("older", [False, True], ids=["written anew", "moved there"])
def test_a_file_that_was_replaced_by_a_good_one_is_taken(copied: Path, name: str, older: bool) -> None:
    good = copied / "good.mp4"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(media_files, "draw_number", painted)
        constant_rate(good, rate=TEN, count=20, width=320, height=240)
    if older:  # recorded long before the broken copy of it was listed
        os.utime(good, (1_500_000_000, 1_500_000_000))
    target = copied / "recordings" / f"{name}.mp4"
    good.replace(target)
    study = open_study(copied)
    entry = next(e for e in list_sources(study) if Path(e.location) == target)
    assert entry in to_collect(study)
    assert collect_source(study, entry).done == 1
    assert newest_attempts(study)[entry.source_id].outcome == GOT
    assert study.store.read(VIDEOS).num_rows == len(UNPEOPLED) + len(PROCESSED) + 1


Answer = Callable[[Handler], None]


def audio(content: bytes) -> Answer:
    def answer(handler: Handler) -> None:
        handler.head(200, "video/mp4", len(content))
        handler.wfile.write(content)

    return answer


@pytest.fixture(scope="module")
def site() -> Iterator[FaultSite]:
    server = FaultSite()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()


def link_study(root: Path, link: str) -> Study:
    make_study(root)
    use_list(root, [link])
    quick = {"socket_timeout_s": 1.0, "retries": 1, "retry_pause_s": 0.01, "download_limit_s": 20.0}
    set_keys(root, collect=quick)
    return open_study(root)


@pytest.mark.parametrize(
    ("answer", "reason", "again"),
    [
        ("404", Dropped.REMOVED, False),
        ("403", Dropped.REFUSED, True),
        ("503", Dropped.NETWORK, True),
        ("silence", Dropped.NETWORK, True),
        ("half", Dropped.TRUNCATED, True),
        ("empty", Dropped.EMPTY, True),
        ("page", Dropped.UNSUPPORTED, True),
        ("sound", Dropped.NO_VIDEO, False),
    ],
)
def test_a_link_that_fails_is_dropped_with_its_reason_and_tried_again_where_that_makes_sense(
    site: FaultSite, tmp_path: Path, answer: str, reason: DropReason, again: bool
) -> None:
    sound = audio(audio_only(tmp_path / "sound.mp4").read_bytes())
    study = link_study(tmp_path / "study", site.link(f"/{answer}/clip.mp4", {**ANSWERS, "sound": sound}[answer]))
    (entry,) = to_collect(study)
    (lost,) = collect_source(study, entry).dropped
    assert (lost.item_id, lost.reason) == (entry.source_id, reason)
    (row,) = study.store.read(OUTCOMES).to_pylist()
    assert (row["outcome"], row["video_id"]) == (reason, None)
    assert "http" not in row["detail"]
    assert "clip" not in row["detail"]
    # a part is gone on with at once, everything else later
    assert to_collect(study) == ([entry] if reason is Dropped.TRUNCATED else [])
    attempt = newest_attempts(study)[entry.source_id]
    assert (attempt.retry_ns is not None) is again
    assert reason is Dropped.TRUNCATED or not list((tmp_path / "study" / "work").glob("*.part"))


def test_a_link_that_recovers_is_taken_at_the_next_run(site: FaultSite, tmp_path: Path) -> None:
    link = site.link("/later/clip.mp4", ANSWERS["half"])
    study = link_study(tmp_path / "study", link)
    (entry,) = to_collect(study)
    assert [lost.reason for lost in collect_source(study, entry).dropped] == [Dropped.TRUNCATED]
    film = constant_rate(tmp_path / "film.mp4").read_bytes()
    site.link("/later/clip.mp4", audio(film))
    tomorrow = Campaign(study, clock=LateClock(newest_attempts(study)[entry.source_id].retry_ns or 0))
    assert tomorrow.due() == [entry]
    assert tomorrow.collect(entry).done == 1
    assert [r["outcome"] for r in study.store.read(OUTCOMES).to_pylist()] == [Dropped.TRUNCATED, GOT]
    assert [v.byte_count for v in study_videos(study)] == [len(film)]
    assert to_collect(study) == []
