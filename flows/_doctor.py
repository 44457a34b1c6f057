"""What is installed, what is missing and how to get it."""

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import typer

from annotation.installation import LABEL_STUDIO_VERSION, find_label_studio

NEEDED = ("av", "mediapipe", "prefect", "label-studio-sdk", "yt-dlp", "yt-dlp-ejs", "pyarrow", "scenedetect-headless")
OPTIONAL = {
    "torch": "uv sync --extra train",
    "ultralytics-opencv-headless": "uv sync --extra track (AGPL-3.0)",
    "mmpose": "uv sync --extra pose",
}
LOW_DISK_BYTES = 5 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    optional: bool = False
    detail: str
    remedy: str = ""


def examine(study: Path | None) -> list[Finding]:
    """Look at the machine, and at a study's file and disk where one is named; nothing is started."""
    return [*_packages(), *_programs(), *(_study(study) if study else ())]


def _packages() -> Iterator[Finding]:
    for name in NEEDED:
        yield _package(name, remedy="make install")
    for name, remedy in OPTIONAL.items():
        found = _package(name, remedy=remedy)
        yield Finding(what=found.what, good=True, optional=True, detail=found.detail, remedy=found.remedy)


def _package(name: str, *, remedy: str) -> Finding:
    try:
        return Finding(what=name, good=True, detail=version(name))
    except PackageNotFoundError:
        return Finding(what=name, good=False, detail="not installed", remedy=remedy)


def _programs() -> Iterator[Finding]:
    has_deno = find_spec("deno") is not None or shutil.which("deno") is not None
    yield Finding(
        what="deno", good=has_deno, detail="for YouTube links" if has_deno else "not found", remedy="make install"
    )
    server = find_label_studio()
    yield Finding(
        what=f"Label Studio {LABEL_STUDIO_VERSION}",
        good=True,
        optional=True,
        detail=str(server.program) if server else "not installed yet",
        remedy="" if server else "pressroom up installs it into an environment of its own",
    )
    yield Finding(what="Python", good=sys.version_info[:2] in ((3, 11), (3, 12)), detail=sys.version.split()[0])


def _study(location: Path) -> Iterator[Finding]:
    from flows._study import open_study

    study = open_study(location)
    yield Finding(what="study.toml", good=True, detail=f"{study.config.study.name}, {study.taxonomy.title}")
    free = shutil.disk_usage(study.layout.root).free
    yield Finding(
        what="free disk",
        good=free > LOW_DISK_BYTES,
        detail=f"{free / 1e9:.1f} GB",
        remedy="make room before a long run",
    )


def tell_findings(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print what was found, a line each."""
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
        return
    for finding in findings:
        absent = "optional" if finding.optional else "MISSING "
        mark = "ok      " if finding.good and not (finding.optional and finding.remedy) else absent
        remedy = f"   -> {finding.remedy}" if finding.remedy and (not finding.good or finding.optional) else ""
        typer.echo(f"{mark}  {finding.what:<28} {finding.detail}{remedy}")
