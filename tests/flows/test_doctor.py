"""The doctor finds what would stop a night's collection, and says what to do about it."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from random import Random

import pytest
import tomlkit
from typer.testing import CliRunner

import collectors.ytdlp.health
from collectors.clock import SystemClock
from collectors.ytdlp.health import release_date
from flows._cli import app
from flows._doctor import Finding, examine, tell_findings
from flows._hosts import open_manners
from flows._study import Study, open_study
from schema.arrow import OUTCOMES
from schema.errors import DropReason
from schema.rows import table_of
from tests.studies import make_study, set_keys

DAY_NS = 86_400 * 10**9


class SetClock(SystemClock):
    def __init__(self, day: str = "") -> None:
        self.time_ns = time.time_ns() if not day else int(datetime.fromisoformat(day).timestamp() * 1e9)

    def now_ns(self) -> int:
        return self.time_ns


@pytest.fixture
def study(tmp_path: Path) -> Study:
    (tmp_path / "recordings").mkdir()
    return make_study(tmp_path)


def found(study: Study | None, what: str, *, clock: SystemClock | None = None) -> Finding:
    return next(f for f in examine(study.layout.root if study else None, clock=clock) if f.what == what)


def of_study(study: Study, *, clock: SystemClock | None = None) -> dict[str, Finding]:
    findings = examine(study.layout.root, clock=clock)
    return {finding.what: finding for finding in findings}


def is_told(finding: Finding) -> bool:
    """Not good, or not quite, and it says what to do."""
    return (not finding.good or finding.warning) and bool(finding.remedy)


def test_this_machine_and_a_new_study_are_good(study: Study):
    findings = of_study(study)
    assert [f for f in findings.values() if not f.good] == []
    assert findings["players"].detail == "1 people"
    assert findings["opt-outs"].detail == "no list"
    assert findings["clock and records"].detail == "none yet"
    assert version("yt-dlp-ejs") in findings["scripts of yt-dlp-ejs"].detail
    assert "runs yt-dlp's scripts" in findings["deno"].detail
    assert "libx264 encodes" in findings["ffmpeg"].detail


def test_every_bad_finding_has_a_remedy_and_is_printed_with_it(capsys: pytest.CaptureFixture[str]):
    bad = Finding(what="this", good=False, detail="is broken", remedy="mend it")
    late = Finding(what="that", good=True, warning=True, detail="is old", remedy="renew it")
    fine = Finding(what="other", good=True, detail="1.0")
    tell_findings([bad, late, fine], as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["PROBLEM", "warning", "ok"]
    assert ["-> mend it" in lines[0], "-> renew it" in lines[1], "->" in lines[2]] == [True, True, False]
    tell_findings([bad], as_json=True)
    assert json.loads(capsys.readouterr().out)[0]["remedy"] == "mend it"


# --- the downloader


@pytest.mark.parametrize(("age_days", "warned"), [(0, False), (60, False), (61, True), (900, True)])
def test_an_old_ytdlp_is_warned_of(age_days: int, warned: bool):
    clock = SetClock(f"{release_date()}T12:00:00+00:00")
    clock.time_ns += age_days * DAY_NS
    finding = found(None, "age of yt-dlp", clock=clock)
    assert (finding.good, finding.warning) == (True, warned)
    assert ("--upgrade-package yt-dlp" in finding.remedy) == warned
    assert f"{age_days} days" in finding.detail


def test_a_clock_before_the_release_of_ytdlp_is_wrong():
    finding = found(None, "clock", clock=SetClock("2001-02-03T04:05:06+00:00"))
    assert not finding.good
    assert "2001-02-03" in finding.detail
    assert "set the clock" in finding.remedy


@pytest.mark.parametrize(
    ("installed", "problem"), [("0.8.7", ""), ("0.9.0", "ignores this one"), ("1.8.0", "ignores this one")]
)
def test_scripts_of_another_version_are_found(monkeypatch: pytest.MonkeyPatch, installed: str, problem: str):
    from yt_dlp.extractor.youtube.jsc._builtin import vendor

    monkeypatch.setattr(vendor, "VERSION", "0.8.0")
    monkeypatch.setattr(collectors.ytdlp.health, "version", lambda _: installed)
    finding = found(None, "scripts of yt-dlp-ejs")
    assert finding.good == (not problem)
    assert problem in finding.detail
    assert is_told(finding) == bool(problem)


def test_altered_scripts_are_found(monkeypatch: pytest.MonkeyPatch):
    scripts = {"lib.min.js": "var lib = {};", "core.min.js": "function jsc() {}"}
    monkeypatch.setattr(collectors.ytdlp.health, "_scripts", lambda: scripts)
    finding = found(None, "scripts of yt-dlp-ejs")
    assert not finding.good
    assert "digest" in finding.detail


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 3", "exit status 3"),
        ("cat > /dev/null; echo undefined", "exit status 0"),
        ("cat > /dev/null; sleep 30", "does not answer"),
    ],
)
def test_a_runtime_that_does_not_run_the_scripts_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, words: str
):
    fake = tmp_path / "deno"
    fake.write_text(f'#!/bin/sh\n[ "$1" = --version ] && {{ echo deno 2.9.9; exit 0; }}\n{script}\n')
    fake.chmod(0o700)
    monkeypatch.setattr("collectors.ytdlp.downloader.get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(collectors.ytdlp.health, "RUNTIME_LIMIT_S", 0.5)
    finding = found(None, "deno")
    assert not finding.good
    assert words in finding.detail
    assert finding.remedy


@pytest.mark.parametrize(("answer", "words"), [("echo deno 1.46.0", "wants 2."), ("exit 1", "not found")])
def test_a_runtime_that_is_too_old_or_none_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, words: str
):
    fake = tmp_path / "deno"
    fake.write_text(f"#!/bin/sh\n{answer}\n")
    fake.chmod(0o700)
    monkeypatch.setattr("collectors.ytdlp.downloader.get_path", lambda _: str(tmp_path))
    finding = found(None, "deno")
    assert not finding.good
    assert words in finding.detail


def test_an_encoder_that_fails_is_found(monkeypatch: pytest.MonkeyPatch):
    import media.health

    monkeypatch.setattr(media.health, "DECODERS", ("h264", "no_such_decoder"))
    finding = found(None, "ffmpeg")
    assert not finding.good
    assert "no_such_decoder" in finding.detail
    assert finding.remedy


# --- the study


def test_a_disk_below_what_is_kept_free_is_found(study: Study):
    set_keys(study.layout.root, collect={"keep_free_gigabytes": 1e6})
    finding = found(study, "free disk")
    assert is_told(finding)
    assert "collect.keep_free_gigabytes" in finding.remedy


def test_records_from_the_future_are_found(study: Study):
    clock = SetClock()
    row = {"source_id": "l1", "outcome": "removed", "detail": "", "attempted_ns": clock.now_ns()}
    study.store.append(OUTCOMES, table_of(OUTCOMES, [dict.fromkeys(OUTCOMES.schema.names) | row]))
    assert found(study, "clock and records", clock=clock).good
    clock.time_ns -= DAY_NS
    finding = found(study, "clock and records", clock=clock)
    assert is_told(finding)
    assert not finding.good


def test_hosts_are_told_with_their_breakers(study: Study):
    clock = SetClock()
    manners = open_manners(study, clock=clock, rng=Random(1))
    manners.report("refusing.example", DropReason.BOT_CHECK)
    manners.report("waiting.example", DropReason.RATE_LIMITED, 60)
    manners.report("fine.example", None)
    clock.time_ns += 120 * 10**9
    findings = of_study(study, clock=clock)
    assert is_told(findings["refusing.example"])
    assert "paused until 20" in findings["refusing.example"].detail
    assert "bot_check" in findings["refusing.example"].detail
    assert "on trial" in findings["waiting.example"].detail
    assert "fine.example" not in findings


def test_a_state_file_that_was_set_aside_is_told(study: Study):
    (study.layout.private / "hosts.json").write_text("{")
    open_manners(study, clock=SystemClock()).report("refusing.example", DropReason.BOT_CHECK)
    assert is_told(found(study, "state of the hosts"))


def write_cookies(study: Study, text: str, *, mode: int = 0o600) -> None:
    path = study.layout.private / "cookies.txt"
    path.write_text(text)
    path.chmod(mode)
    set_keys(study.layout.root, collect={"cookies_file": "private/cookies.txt"})


COOKIES = "# Netscape HTTP Cookie File\n.video.example\tTRUE\t/\tTRUE\t4102444800\tsession\tswordfish\n"


def test_cookies_are_read_and_never_told(study: Study):
    write_cookies(study, COOKIES)
    finding = found(study, "cookies")
    assert (finding.good, finding.warning, finding.detail) == (True, False, "1 cookies")
    assert (study.layout.private / "cookies.txt").read_text() == COOKIES
    write_cookies(study, COOKIES, mode=0o644)
    finding = found(study, "cookies")
    assert is_told(finding)
    assert "chmod 600" in finding.remedy
    write_cookies(study, COOKIES + "swordfish and nothing else\n")
    finding = found(study, "proxy and cookies")
    assert is_told(finding)
    assert "swordfish" not in str(finding)


def test_a_cookies_file_that_is_not_there_is_found(study: Study):
    set_keys(study.layout.root, collect={"cookies_file": "private/nowhere.txt"})
    assert is_told(found(study, "proxy and cookies"))


def test_the_opt_out_list_is_read(study: Study):
    path = study.layout.private / "opt-outs.csv"
    path.write_text("kind,value\nurl,https://video.example/1\nplayer,A Name\n")
    path.chmod(0o600)
    assert found(study, "opt-outs").detail == "1 links, 0 channels, 1 players"
    path.chmod(0o640)
    assert is_told(found(study, "opt-outs"))
    path.write_text("who,what\n")
    assert is_told(found(study, "opt-outs"))


@pytest.mark.parametrize("damage", ["nothing,of,this\n", "person_id,name\np1,A\np1,B\n", b"\xff\xfe\x00"])
def test_a_players_file_that_cannot_be_read_is_found(study: Study, damage: str | bytes):
    path = study.layout.private / "players.csv"
    path.write_bytes(damage if isinstance(damage, bytes) else damage.encode())
    finding = found(study, "players")
    assert is_told(finding)
    assert not finding.good


def add_matches(root: Path, path: str) -> None:
    document = tomlkit.parse((root / "study.toml").read_text())
    rows = document.setdefault("matches", tomlkit.aot())
    rows.append(tomlkit.item({"path": path}))
    (root / "study.toml").write_text(tomlkit.dumps(document))


def test_match_files_are_looked_for(study: Study):
    for year in (2024, 2025):
        (study.layout.private / f"matches_{year}.csv").write_text("date,tournament,round,winner,loser,score\n")
    (study.layout.private / "empty.csv").touch()
    add_matches(study.layout.root, "private/matches_20??.csv")
    add_matches(study.layout.root, str(study.layout.private / "matches_2024.csv"))
    add_matches(study.layout.root, "private/nowhere.csv")
    add_matches(study.layout.root, "private/empty.csv")
    findings = of_study(study)
    assert [findings[f"matches[{n}]"].good for n in range(4)] == [True, True, False, False]
    assert findings["matches[0]"].detail == "2 file(s)"
    assert is_told(findings["matches[2]"])
    assert is_told(findings["matches[3]"])


# --- the command


@pytest.fixture
def ask(study: Study) -> Callable[..., tuple[int, str]]:
    def pressroom(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["doctor", str(study.layout.root), *arguments])
        return result.exit_code, result.stdout

    return pressroom


def test_the_command_ends_with_status_3_where_something_must_be_done(study: Study, ask: Callable[..., tuple[int, str]]):
    assert ask()[0] == 0
    set_keys(study.layout.root, collect={"keep_free_gigabytes": 1e6})
    status, text = ask("--json")
    assert status == 3
    assert [f["what"] for f in json.loads(text) if not f["good"]] == ["free disk"]


def test_no_finding_tells_where_things_are_or_who_is_in_them(study: Study, ask: Callable[..., tuple[int, str]]):
    write_cookies(study, COOKIES, mode=0o644)
    (study.layout.private / "opt-outs.csv").write_text("kind,value\nurl,https://video.example/secret\nplayer,Painted\n")
    add_matches(study.layout.root, "private/nowhere.csv")
    status, text = ask()
    assert status == 3
    for secret in ("swordfish", "secret", "Painted Player", str(study.layout.root)):
        assert secret not in text


def test_nothing_is_changed(study: Study):
    before = {path: path.stat().st_mtime_ns for path in study.layout.root.rglob("*")}
    examine(study.layout.root)
    open_study(study.layout.root)
    assert {path: path.stat().st_mtime_ns for path in study.layout.root.rglob("*")} == before
