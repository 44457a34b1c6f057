"""What the command prints names the thing without telling a name."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomlkit

from collectors.base import SourceEntry
from collectors.facts import Facts
from flows import _facts, _inventory
from flows._collection import list_sources
from flows._facts import plan_facts, status_facts
from flows._forecast import BYTES_PER_SECOND_UNMEASURED, bytes_to_get
from flows._inventory import take_inventory
from flows._outcome import Failure, Outcome
from flows._plan import study_videos
from flows._report import tell_outcome, tell_plan, tell_status
from flows._study import Study, open_study
from schema.errors import DropReason
from schema.records import Dropped, SourceId
from schema.tables import Store
from tests.answered_study import answered_study
from tests.factories import make_video
from tests.fake_site.plugins import load_extractors
from tests.fake_site.server import FakeSite, Video
from tests.site_study import SiteStudy, links
from tests.studies import make_study, set_keys

load_extractors()


def test_a_dropped_source_is_told_by_where_the_study_lists_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_study(tmp_path / "study")
    sources = tmp_path / "study" / "private" / "sources.csv"
    sources.write_text("location,person\nSerena-Quigley.mp4,p1\nhttps://example.org/watch?v=dQw4w9WgXcQ,p1\n")
    file = tmp_path / "study" / "study.toml"
    folder_of_recordings = tomlkit.parse(file.read_text())
    folder_of_recordings["sources"] = [{"kind": "list", "path": "private/sources.csv"}]
    file.write_text(tomlkit.dumps(folder_of_recordings))
    study = open_study(tmp_path / "study")
    first, second = list_sources(study)
    lost = Dropped(stage="collect", item_id=first.source_id, reason=DropReason.MISSING, detail="no such file")
    failure = Failure(stage="collect", key=second.source_id, traceback="LookupError")
    tell_outcome(Outcome(stage="collect", dropped=[lost], failures=[failure]), study)
    printed = capsys.readouterr().err.splitlines()
    assert printed[0] == "  sources[0].path, line 2: dropped by collect: missing: no such file"
    assert printed[1].startswith("  sources[0].path, line 3: collect failed: LookupError; the traceback is in")


@pytest.fixture
def site() -> Iterator[FakeSite]:
    with FakeSite() as found:
        for number, fault in enumerate((None, "private", "removed", "page_429_after")):
            found.add(Video(id=f"secret-{number}", title="Serena Quigley", channel="Centre Court", clip=number))
            if fault:
                found.fail(f"secret-{number}", fault)
        yield found


def test_plan_and_status_tell_outcomes_next_retry_paused_hosts_and_the_disk(
    tmp_path: Path, site: FakeSite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nights = SiteStudy(tmp_path / "study", site, *links(*(site.watch_link(f"secret-{n}") for n in range(4))))
    nights.night()
    campaign = _facts.Campaign
    monkeypatch.setattr(_facts, "Campaign", lambda study: campaign(study, clock=nights.clock))
    study = nights.study
    for facts in (plan_facts(study), status_facts(study)):
        assert facts["sources"] == {"got": 1, "private": 1, "rate_limited": 1, "removed": 1}
        (state,) = facts["hosts_paused"].values()
        assert state["why"] == "it says that too much was asked of it"
        assert state["until"] == facts["next_retry"]
        assert facts["gigabytes_left"] <= facts["gigabytes_free"]
    told = {}
    for tell in (tell_plan, tell_status):
        for as_json in (False, True):
            tell(study, as_json=as_json)
            told[(tell.__name__, as_json)] = capsys.readouterr().out
    for (name, as_json), text in told.items():
        assert not any(word in text for word in ("secret", "Serena", "Centre", str(tmp_path), "watch"))
        if as_json:
            assert json.loads(text)["hosts_paused"]["127.0.0.1"]["why"].startswith("it says")
        else:
            assert "got 1, private 1, rate_limited 1, removed 1" in text, name
            assert "127.0.0.1 until 20" in text
            assert "gigabytes to download" in text


def test_a_study_without_anything_has_nothing_to_tell(
    tmp_path: Path, site: FakeSite, capsys: pytest.CaptureFixture[str]
) -> None:
    study = SiteStudy(tmp_path / "study", site).study
    tell_status(study, as_json=False)
    tell_plan(study, as_json=False)
    out = capsys.readouterr().out
    assert out.count("next retry") == out.count("hosts paused") == 2
    assert all(line.endswith("none") for line in out.splitlines() if line.startswith(("next retry", "hosts paused")))


def entry(location: str, seconds: float | None = None) -> SourceEntry:
    facts = Facts(duration_ns=round(seconds * 1e9)) if seconds is not None else None
    return SourceEntry(source_id=SourceId("l0"), location=location, person_id=None, facts=facts)


def test_bytes_to_get_are_announced_seconds_times_the_measured_rate(tmp_path: Path) -> None:
    link = "https://example.org/a"
    assert bytes_to_get([entry(link, 100)], []) == 100 * BYTES_PER_SECOND_UNMEASURED
    held = [make_video(byte_count=1_000_000), make_video(byte_count=3_000_000)]  # ten seconds each
    assert bytes_to_get([entry(link, 100)], held) == 20_000_000
    assert bytes_to_get([entry(link), entry(link, 100)], held) == 22_000_000, "one of unknown length is a usual one"
    own = tmp_path / "own.mp4"
    own.write_bytes(b"x" * 500)
    assert bytes_to_get([entry(str(own)), entry(str(tmp_path / "gone.mp4"))], held) == 500


def test_what_parts_hold_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study: Study = answered_study(tmp_path / "study", monkeypatch)
    first = status_facts(study)
    assert (first["tracks"], first["waiting"]["push"]) == (2, 0)
    assert first["candidates"] > 0

    def no_reading(*_: object, **__: object) -> None:
        raise AssertionError("a part was read again")

    with monkeypatch.context() as blind:
        blind.setattr(Store, "summary", no_reading)
        again = status_facts(open_study(study.layout.root))
    changing = {"seconds", "gigabytes", "gigabytes_free", "gigabytes_left"}
    assert {k: v for k, v in again.items() if k not in changing} == {
        k: v for k, v in first.items() if k not in changing
    }
    remembered = study.layout.work / "tables" / _inventory.FILE
    for damage in ("", "[]", '{"tracks/x": {"rows": 1}}', "\x00"):
        remembered.write_text(damage)
        assert take_inventory(study, study_videos(study)).tracks == 2
    set_keys(study.layout.root, proposals={"max_per_track_minute": 5.0})
    assert take_inventory(open_study(study.layout.root), study_videos(study)).rows["candidates"] == 0
