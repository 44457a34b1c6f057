"""What is installed, what is missing or wrong, and what to do about it."""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from annotation.studio.installation import LABEL_STUDIO_VERSION, find_label_studio
from collectors.base import CollectConfig
from collectors.clock import Clock, SystemClock
from schema.errors import ConfigError, DamagedTableError, MissingPartError, RunError

if TYPE_CHECKING:
    from flows._study import Study

NEEDED = (
    "av", "mediapipe", "prefect", "label-studio-sdk", "yt-dlp", "yt-dlp-ejs", "pyarrow", "scenedetect-headless",
    "feedparser", "rapidfuzz",
)  # fmt: skip
OPTIONAL = {
    "torch": "uv sync --extra train",
    "safetensors": "uv sync --extra train",
    "ultralytics-opencv-headless": "uv sync --extra track (AGPL-3.0)",
    "mmpose": "uv sync --extra pose",
}
INSTALL = "make install"
UPDATE_YTDLP = "uv lock --upgrade-package yt-dlp --upgrade-package yt-dlp-ejs && make install"
SET_CLOCK = "set the clock, for example: timedatectl set-ntp true"
BACK_END_PAGE = "docs/back-ends.md says what each one needs"
OLD_AFTER_DAYS = 60
"""Sites change: yt-dlp is released about once a month, and fixes for YouTube come with it."""
CLOCK_TOLERANCE_S = 120
"""Two machines that share a study may differ by so much."""
OTHERS_MAY_READ = 0o077


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    optional: bool = False
    """It may be absent."""
    warning: bool = False
    """It works, yet something should be done."""
    detail: str
    remedy: str = ""
    """What to do; empty where nothing is to be done."""


def examine(study: Path | None, *, clock: Clock | None = None) -> list[Finding]:
    """Look at the machine, and at a study's files, disk and hosts where one is named.

    Nothing is changed and no site is asked; the JavaScript runtime and the encoder are tried. Raises ``ConfigError``
    where the study file itself is wrong.
    """
    clock = clock or SystemClock()
    findings = [*_packages(), _training(), *_programs()]
    if find_spec("yt_dlp"):
        findings += _downloader(clock.now_ns())
    if find_spec("av"):
        findings.append(_ffmpeg())
    if find_spec("mediapipe"):
        findings += _back_ends()
    return [*findings, *(_study(study, clock) if study else ())]


def _packages() -> Iterator[Finding]:
    for name in NEEDED:
        yield _package(name, remedy=INSTALL)
    for name, remedy in OPTIONAL.items():
        found = _package(name, remedy=remedy)
        yield Finding(what=found.what, good=True, optional=True, detail=found.detail, remedy=found.remedy)


def _package(name: str, *, remedy: str) -> Finding:
    try:
        return Finding(what=name, good=True, detail=version(name))
    except PackageNotFoundError:
        return Finding(what=name, good=False, detail="not installed", remedy=remedy)


def _training() -> Finding:
    """Tell whether seed models can be trained and run here."""
    from flows._train import require_training

    what = "training of seed models"
    try:
        require_training()
    except MissingPartError as error:
        return Finding(what=what, good=True, optional=True, detail=str(error), remedy="uv sync --extra train")
    return Finding(what=what, good=True, optional=True, detail=f"possible, torch {version('torch')}")


def _programs() -> Iterator[Finding]:
    server = find_label_studio()
    yield Finding(
        what=f"Label Studio {LABEL_STUDIO_VERSION}",
        good=True,
        optional=True,
        detail=str(server.program) if server else "not installed yet",
        remedy="" if server else "pressroom up installs it into an environment of its own",
    )
    is_right = sys.version_info[:2] in ((3, 11), (3, 12))
    remedy = "" if is_right else "Python 3.11 or 3.12, then make install"
    yield Finding(what="Python", good=is_right, detail=sys.version.split()[0], remedy=remedy)


def _downloader(now_ns: int) -> Iterator[Finding]:
    """Look at what downloads videos, and at the clock, which can't be before the day that yt-dlp was released."""
    from collectors.ytdlp.health import examine_runtime, examine_scripts, release_date

    released, today = release_date(), datetime.fromtimestamp(now_ns / 1e9, UTC).date()
    age_days = (today - released).days
    is_old = age_days > OLD_AFTER_DAYS
    yield Finding(
        what="age of yt-dlp",
        good=True,
        warning=is_old,
        detail=f"{max(0, age_days)} days, released {released}",
        remedy=UPDATE_YTDLP if is_old else "",
    )
    is_late_enough = age_days >= -1  # a day: zones
    detail = f"{today} UTC" if is_late_enough else f"{today} UTC, before yt-dlp's release on {released}"
    yield Finding(what="clock", good=is_late_enough, detail=detail, remedy="" if is_late_enough else SET_CLOCK)
    for what, health, remedy in (
        ("scripts of yt-dlp-ejs", examine_scripts(), UPDATE_YTDLP),
        ("deno", examine_runtime(CollectConfig()), INSTALL),
    ):
        detail = f"{health.detail}: {health.problem}" if health.problem else health.detail
        yield Finding(what=what, good=not health.problem, detail=detail, remedy=remedy if health.problem else "")


def _ffmpeg() -> Finding:
    from media.health import ffmpeg_version, find_ffmpeg_problem

    problem = find_ffmpeg_problem()
    detail = f"{ffmpeg_version()} in PyAV: {problem or 'libx264 encodes, h264, hevc, vp9 and av1 decode'}"
    return Finding(what="ffmpeg", good=not problem, detail=detail, remedy=INSTALL if problem else "")


def _back_ends() -> Iterator[Finding]:
    """Tell of each back end whether it could run as it is when a study only names it: its packages and its weights."""
    from flows._backends import BACK_ENDS, back_end_document
    from flows._config import BackEndsSection

    for stage, table in BACK_ENDS.items():
        for name in table:
            what = f"back end {stage} {name}"
            named: dict[str, Any] = {stage: name}
            try:
                back_end_document(replace(BackEndsSection(), **named), stage)
            except RunError as error:
                yield Finding(what=what, good=True, optional=True, detail=str(error), remedy=BACK_END_PAGE)
            else:
                yield Finding(what=what, good=True, optional=True, detail="can run")


def _study(location: Path, clock: Clock) -> Iterator[Finding]:
    from flows._study import open_study

    try:
        study = open_study(location)
    except MissingPartError as error:
        yield Finding(what="back ends of the study", good=False, detail=str(error), remedy=BACK_END_PAGE)
        return
    told = ", ".join(f"{stage} {words}" for stage, words in study.told_back_ends.items())
    yield Finding(what="back ends of the study", good=True, detail=told)
    yield Finding(what="study.toml", good=True, detail=f"{study.config.study.name}, {study.taxonomy.title}")
    yield _disk(study)
    yield _newest_record(study, clock.now_ns())
    yield from _hosts(study, clock)
    yield _opt_out_list(study)
    yield from _cookies(study)
    yield _players(study)
    yield from _matches(study)


def _disk(study: "Study") -> Finding:
    free_gigabytes = shutil.disk_usage(study.layout.root).free / 1e9
    kept = study.config.collect.keep_free_gigabytes
    is_enough = free_gigabytes >= kept
    return Finding(
        what="free disk",
        good=is_enough,
        detail=f"{free_gigabytes:.1f} GB, {kept:g} GB are kept free",
        remedy="" if is_enough else "make room, or lower collect.keep_free_gigabytes: nothing is collected until then",
    )


def _newest_record(study: "Study", now_ns: int) -> Finding:
    """Compare the clock with what was recorded: with an older one, waits and schedules go wrong."""
    from schema.arrow import AVAILABILITY, OUTCOMES, VISITS

    columns = ((OUTCOMES, "attempted_ns"), (VISITS, "listed_ns"), (AVAILABILITY, "checked_ns"))
    try:
        newest_ns = max(max(study.store.read(spec)[name].to_pylist(), default=0) for spec, name in columns)
    except DamagedTableError as error:
        return Finding(what="records", good=False, detail=str(error), remedy="restore them from a backup")
    ahead_s = (newest_ns - now_ns) / 1e9
    is_good = ahead_s <= CLOCK_TOLERANCE_S
    detail = f"newest: {_local_time(newest_ns)}" if newest_ns else "none yet"
    return Finding(
        what="clock and records",
        good=is_good,
        detail=detail if is_good else f"{detail}, which is still to come by this clock",
        remedy="" if is_good else SET_CLOCK,
    )


def _hosts(study: "Study", clock: Clock) -> Iterator[Finding]:
    from flows._hosts import open_manners

    manners = open_manners(study, clock=clock)
    for file in manners.damaged_files():
        yield Finding(
            what="state of the hosts",
            good=True,
            warning=True,
            detail=f"{file.name} could not be read: the pauses in it are forgotten",
            remedy="delete that file of the folder private/",
        )
    for state in manners.states():
        if state.paused_until_ns is not None:
            yield Finding(
                what=state.host,
                good=True,
                warning=True,
                detail=f"paused until {_local_time(state.paused_until_ns)}: {state.why} ({state.reason})",
                remedy="wait; if it comes again, ask less often: [[hosts]] in study.toml",
            )
        elif state.on_trial:
            detail = f"on trial, one video at a time, after {state.pauses} pause(s): {state.why} ({state.reason})"
            yield Finding(what=state.host, good=True, detail=detail)


def _opt_out_list(study: "Study") -> Finding:
    from flows._opt_outs import read_opt_out_list

    what, path = "opt-outs", study.layout.root / study.config.collect.opt_outs
    try:
        counts = read_opt_out_list(study).opt_outs.counts
    except ConfigError as error:
        return Finding(what=what, good=False, detail=str(error), remedy="correct that file: nothing is collected")
    if not path.exists():
        return Finding(what=what, good=True, detail="no list")
    detail = f"{counts['url']} links, {counts['channel']} channels, {counts['player']} players"
    return _private_file(what, path, detail=detail, key="collect.opt_outs")


def _cookies(study: "Study") -> Iterator[Finding]:
    """Try the cookies file and the proxy as collection does; no message tells a line of it."""
    from collectors.ytdlp.downloader import open_downloader

    config = study.config.collect
    try:
        with open_downloader(config, study_folder=study.layout.root) as downloader:
            count = len(list(downloader.cookiejar))
    except ConfigError as error:
        yield Finding(what="proxy and cookies", good=False, detail=str(error), remedy="correct that setting or file")
        return
    if config.cookies_file:
        path = study.layout.root / Path(config.cookies_file).expanduser()
        yield _private_file("cookies", path, detail=f"{count} cookies", key="collect.cookies_file")


def _private_file(what: str, path: Path, *, detail: str, key: str) -> Finding:
    mode = path.stat().st_mode & 0o777
    if not mode & OTHERS_MAY_READ:
        return Finding(what=what, good=True, detail=detail)
    return Finding(
        what=what,
        good=True,
        warning=True,
        detail=f"{detail}; other accounts of this machine have access (mode {mode:o})",
        remedy=f"chmod 600 on the file of {key}",
    )


def _players(study: "Study") -> Finding:
    from flows._study import read_people

    try:
        count = len(read_people(study))
    except (ConfigError, OSError, UnicodeDecodeError) as error:
        detail = str(error) if isinstance(error, ConfigError) else f"can't be read: {type(error).__name__}"
        return Finding(what="players", good=False, detail=detail, remedy="correct the file of study.players")
    return Finding(what="players", good=True, detail=f"{count} people")


def _matches(study: "Study") -> Iterator[Finding]:
    for number, matches in enumerate(study.config.matches):
        what = f"matches[{number}]"
        place = Path(matches.path).expanduser()
        base = Path(place.anchor) if place.is_absolute() else study.layout.root
        pattern = place.relative_to(place.anchor) if place.is_absolute() else place
        files = sorted(path for path in base.glob(str(pattern)) if path.is_file())
        unreadable = [path for path in files if not _has_text(path)]
        if files and not unreadable:
            yield Finding(what=what, good=True, detail=f"{len(files)} file(s)")
            continue
        detail = f"{len(unreadable)} of {len(files)} file(s) can't be read" if files else "no such file"
        yield Finding(what=what, good=False, detail=detail, remedy=f"correct {what}.path in study.toml, or the file")


def _has_text(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8-sig") as file:
            return bool(file.readline().strip())
    except (OSError, UnicodeDecodeError):
        return False


def _local_time(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9).astimezone().strftime("%Y-%m-%d %H:%M %Z")


def tell_findings(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print what was found, a line each."""
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
        return
    for finding in findings:
        remedy = f"   -> {finding.remedy}" if finding.remedy else ""
        typer.echo(f"{_mark(finding):<8}  {finding.what:<28} {finding.detail}{remedy}")


def _mark(finding: Finding) -> str:
    if not finding.good:
        return "PROBLEM"
    if finding.warning:
        return "warning"
    return "optional" if finding.optional and finding.remedy else "ok"
