"""Names, links, native ids and file names stay in ``private/``: nothing else that a study makes or tells holds one."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from collectors.base import Fetched, SourceEntry
from collectors.sample_site import SampleSite
from flows import _collection, _push, _videos
from flows._collection import GOT, collect_source, newest_attempts, to_collect
from flows._isolation import Finished, Limits, Report
from flows._outcome import ExitStatus
from flows._perception import perceive
from flows._plan import study_videos
from flows._preview import preview_video
from flows._publication import publish
from flows._report import tell_explanation, tell_outcome, tell_plan, tell_status
from flows._study import Study, open_study
from schema.answer_rows import annotations_to_rows, tasks_from_rows
from schema.arrow import ANNOTATIONS, CANDIDATES, RUNS, TASKS
from schema.errors import DropReason
from schema.records import Verdict
from tests.factories import make_annotation
from tests.quiet_queue import QuietQueue
from tests.studies import digests, make_study, paint_video, run_to_candidates, set_keys

NATIVE_ID = "dQw4w9WgXcQ"
SECRETS = (NATIVE_ID, "Serena-Quigley-Wimbledon", "Serena", "Quigley", "Wimbledon", "Centre Court")
PRIVATE_ON_PURPOSE = (("private", "sources"), ("private", "runs"))
"""Tables that may hold locations and the words of errors."""
REPOSITORY = Path(__file__).parents[2]
RUNNER = """
import sys
from pathlib import Path
import typer
from flows import _videos
from flows._cli import _run
from flows._plan import study_videos
propose = _videos.propose_video
def propose_but_one(study, video):
    if video == study_videos(study)[0]:
        raise LookupError("unforeseen")
    return propose(study, video)
if __name__ == "__main__":
    _videos.propose_video = propose_but_one
    try:
        _run(Path(sys.argv[1]), "collect", "perceive", "propose")
    except typer.Exit as end:
        sys.exit(end.exit_code)
"""


def secrets_in(content: bytes | str) -> list[str]:
    """List the private strings in a text or a file's bytes, however they are written."""
    text = content if isinstance(content, str) else content.decode("latin-1")
    return [secret for secret in SECRETS if secret.lower() in text.lower()]


def told_by(path: Path) -> Iterator[str]:
    """Yield what a file says: its bytes, and for a Parquet file what is packed in them."""
    yield path.read_bytes().decode("latin-1")
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            yield str(file.metadata.metadata)
            yield str(file.read().to_pydict())


def leaks_in(root: Path) -> list[str]:
    """Search a whole study, but for what its user wrote and the tables that are private on purpose."""
    mine = {root / "study.toml", root / "private" / "players.csv", root / "private" / "sources.csv"}
    found = []
    for path in sorted(root.rglob("*")):
        place = path.relative_to(root)
        if place.parts[0] == "recordings":
            continue
        found += [f"the path {place} holds {secret}" for secret in secrets_in(str(place))]
        if path in mine or not path.is_file() or place.parts[:2] in PRIVATE_ON_PURPOSE:
            continue
        found += [f"{place} holds {secret}" for text in told_by(path) for secret in secrets_in(text)]
    return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SampleSite]:
    """A site with one video whose address holds its native id."""
    film = paint_video(tmp_path / "film.mp4", color=1, seconds=3, touch_s=(1.0, 2.0))
    with SampleSite({f"watch/{NATIVE_ID}.mp4": film}) as server:
        yield server


def private_study(root: Path, site: SampleSite) -> Study:
    """Make a study of a file named after a player, a link with a native id, and one of each that fails."""
    recordings = root / "recordings"
    paint_video(recordings / "Serena-Quigley-Wimbledon.mp4", seconds=3, touch_s=(1.0, 2.0))
    (recordings / "Serena-Quigley-Wimbledon-2.mp4").write_bytes(b"no video")
    make_study(root)
    link = site.link(f"watch/{NATIVE_ID}.mp4")
    locations = [
        *(f"../recordings/Serena-Quigley-Wimbledon{x}.mp4" for x in ("", "-2", "-3")),
        link,
        link.replace(NATIVE_ID, f"{NATIVE_ID}-gone"),
    ]
    text = (root / "study.toml").read_text()
    listed = 'kind = "list"\npath = "private/sources.csv"'
    (root / "study.toml").write_text(text.replace('kind = "folder"\npath = "recordings"\nperson = "p1"', listed))
    (root / "private" / "sources.csv").write_text(
        "location,person\n" + "".join(f"{location},p1\n" for location in locations)
    )
    (root / "private" / "players.csv").write_text("person_id,name\np1,Serena Quigley\np2,Centre Court\n")
    set_keys(root, collect={"retries": 0, "retry_pause_s": 0.01})
    return open_study(root)


def assert_collected(study: Study) -> None:
    outcomes = sorted(attempt.outcome for attempt in newest_attempts(study).values())
    assert outcomes == sorted([GOT, GOT, DropReason.UNREADABLE, DropReason.MISSING, DropReason.REMOVED])


def perceived_here(entry: str, arguments: tuple[str, str], *, limits: Limits, log: Path, report: Report) -> Finished:
    """Perceive without a process of its own, which takes seconds to start."""
    perceive(report, *arguments)
    return Finished()


class SilentPage(QuietQueue):
    """Stands for the review server: takes tasks, numbers them and keeps what it was told."""

    def __init__(self) -> None:
        self.documents: list[dict[str, Any]] = []

    def ensure_project(self, **_: object) -> int:
        return 1

    def import_tasks(self, project: int, documents: list[dict[str, Any]]) -> dict[str, int]:
        self.documents += documents
        return {document["data"]["candidate_id"]: number for number, document in enumerate(documents, start=1)}


def ask_and_answer(study: Study) -> SilentPage:
    """Put every candidate on a page, and let one person accept each of them."""
    page = SilentPage()

    @contextmanager
    def review_client(_: Study) -> Iterator[tuple[SimpleNamespace, SilentPage]]:
        yield SimpleNamespace(server_id="server"), page

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_push, "review_client", review_client)
        _push.push(study)
    answers = [
        make_annotation(
            number,
            candidate_id=task.candidate_id,
            anchor=task.anchor,
            question=task.question,
            proposed_class_id=task.class_id,
            verdict=Verdict.ACCEPT,
            class_id=task.class_id,
        )
        for number, task in enumerate(tasks_from_rows(study.store.read(TASKS)), start=1)
    ]
    study.store.append(ANNOTATIONS, annotations_to_rows(answers))
    return page


def test_nothing_a_study_makes_or_tells_holds_a_name_or_an_address(
    tmp_path: Path,
    site: SampleSite,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(_videos, "run_isolated", perceived_here)
    caplog.set_level(logging.DEBUG)
    root = tmp_path / "study"
    study = private_study(root, site)
    for outcome in run_to_candidates(study).values():
        tell_outcome(outcome, study)
    assert_collected(study)
    page = ask_and_answer(study)
    assert len(page.documents) >= 2
    tell_outcome(publish(study), study)
    for as_json in (False, True):
        tell_status(study, as_json=as_json)
        tell_plan(study, as_json=as_json)
        tell_explanation(study, study_videos(study)[0].video_id, as_json=as_json)
    preview_video(study, study_videos(study)[0].video_id, background="black")

    told = capfd.readouterr()
    assert "1 dropped (missing)" in told.out
    assert secrets_in(told.out + told.err + caplog.text) == []
    assert secrets_in(json.dumps(page.documents)) == []
    assert leaks_in(root) == []
    for folder in ("media", "served", "releases", "previews", "proxies", "candidates", "tasks"):
        assert [p for p in (root / folder).rglob("*") if p.is_file()], f"{folder} was not searched"


def test_the_search_finds_what_it_looks_for(tmp_path: Path, site: SampleSite) -> None:
    root = tmp_path / "study"
    study = private_study(root, site)
    for name in ("media/serena.mp4", "runs/x.log"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("serena-quigley-WIMBLEDON")
    for entry in to_collect(study):
        collect_source(study, entry)
    (root / "private" / "sources").rename(root / "published-sources")
    found = leaks_in(root)
    assert "the path media/serena.mp4 holds Serena" in found
    assert "runs/x.log holds Serena-Quigley-Wimbledon" in found
    assert any(leak.startswith("published-sources/") and leak.endswith(NATIVE_ID) for leak in found)


def test_an_error_nobody_foresaw_tells_its_words_in_private_alone(
    tmp_path: Path, site: SampleSite, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "study"
    study = private_study(root, site)

    def collect_badly(entries: list[SourceEntry], **_: object) -> Iterator[Fetched]:
        raise OSError(36, "File name too long", entries[0].location)

    monkeypatch.setattr(_collection, "collect_sources", collect_badly)
    entry = to_collect(study)[0]
    outcome = collect_source(study, entry)
    tell_outcome(outcome, study)
    assert [(f.key, f.cause) for f in outcome.failures] == [(entry.source_id, "OSError")]
    assert outcome.exit_status(tolerated_drops=0) is ExitStatus.FAILED
    assert secrets_in("".join(capfd.readouterr())) == secrets_in(str(outcome.failures)) == []
    (run,) = study.store.read(RUNS).to_pylist()
    assert entry.location in run["detail"]
    assert entry in to_collect(study)  # it is tried again


@pytest.mark.timeout(300)
def test_neither_prefect_nor_the_command_learns_a_name_or_an_address(tmp_path: Path, site: SampleSite) -> None:
    root = tmp_path / "study"
    study = private_study(root, site)
    script = tmp_path / "runner.py"
    script.write_text(RUNNER)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    done = subprocess.run(
        [sys.executable, str(script), str(root)],
        env=environment | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitStatus.FAILED, done.stdout + done.stderr
    assert_collected(study)
    assert "collect: 2 done" in done.stdout
    assert len(digests(root, (CANDIDATES.name,))) == 1
    assert "propose failed: LookupError: unforeseen; the traceback is in the table runs" in done.stderr
    (failed,) = [r for r in study.store.read(RUNS).to_pylist() if r["outcome"] == "failed"]
    assert (failed["stage"], failed["key"]) == ("propose", study_videos(study)[0].video_id)
    assert "propose_but_one" in failed["detail"]
    assert secrets_in(done.stdout + done.stderr) == []
    database = b"".join(path.read_bytes() for path in sorted((root / "private" / "prefect").glob("prefect.db*")))
    for known in ("collect l", str(root), "collect-summary"):
        assert known.encode() in database, "another database was searched than the one that Prefect wrote"
    assert leaks_in(root) == []
