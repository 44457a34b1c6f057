"""A painted study of five people and a stranger whose gestures were answered, and what a publisher does with it."""

import os
import subprocess
import sys
from pathlib import Path

import polars
import pytest
import tomlkit

from flows._plan import study_videos
from flows._study import Study, open_study
from schema.answer_rows import annotations_to_rows, tasks_from_rows
from schema.arrow import ANNOTATIONS, SOURCES, TASKS
from schema.records import Annotation, VideoId
from tests.answered_study import ask_and_answer, perceive_here
from tests.factories import make_annotation
from tests.studies import make_study, paint_video, run_to_candidates

PEOPLE = ("p1", "p2", "p3", "p4", "p5")
NAMES = {"p1": "Zoë Quux", "p2": "Anna Blorf", "p3": "Ivo Snark", "p4": "Mia Grault", "p5": "Tom Wibble"}
STRANGER = "stranger"

PUBLISH = """
import sys
from pathlib import Path
from _pytest.monkeypatch import MonkeyPatch
from flows._publication import publish
from flows._study import open_study
from tests.answered_study import perceive_here
from tests.studies import run_to_candidates
perceive_here(MonkeyPatch())
study = open_study(Path(sys.argv[1]))
run_to_candidates(study)
print(*publish(study).notes, sep="\\n")
"""
"""Perceive what is not perceived, and publish, in a process of its own."""


def published_study(root: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Make the study: a video of each person, one touch in each, three people's answers to it."""
    for number, person in enumerate((*PEOPLE, STRANGER)):
        paint_person(root, person, number)
    make_study(root)
    declare(root, PEOPLE)
    perceive_here(monkeypatch)
    study = open_study(root)
    run_to_candidates(study)
    ask_and_answer(study)
    return study


def paint_person(root: Path, person: str, number: int) -> None:
    """Paint a video in which somebody touches the neck once; no two are alike in length."""
    seconds = 3 + 0.2 * number
    paint_video(root / person / f"clip-{number}.mp4", color=number % 4, seconds=seconds, touch_s=(1.0, 1.8))


def declare(root: Path, people: tuple[str, ...], *more: str, columns: str = "", cells: dict[str, str] | None = None):
    """Write who is in which folder into study.toml and players.csv."""
    document = tomlkit.parse((root / "study.toml").read_text())
    sources = tomlkit.aot()
    for person in (*people, STRANGER, *more):
        declared = {} if person in (STRANGER, *more) else {"person": person}
        sources.append(tomlkit.item({"kind": "folder", "path": person} | declared))
    document["sources"] = sources
    (root / "study.toml").write_text(tomlkit.dumps(document))
    rows = [f"{p},{NAMES.get(p, 'Lea Plugh')}{(cells or {}).get(p, '')}\n" for p in people]
    (root / "private" / "players.csv").write_text(f"person_id,name{columns}\n{''.join(rows)}", encoding="utf-8")


def video_of(study: Study, person: str) -> VideoId:
    """Return the video of a person by the folder that it came from."""
    rows = study.store.read(SOURCES).to_pylist()
    (video_id,) = {row["video_id"] for row in rows if Path(row["location"]).parent.name == person}
    return VideoId(video_id)


def touch_task(study: Study, person: str):
    """Return the question about the person's touch that became a segment."""
    video_id = video_of(study, person)
    return next(t for t in tasks_from_rows(study.store.read(TASKS)) if t.anchor.video_id == video_id)


def answer_again(study: Study, person: str, number: int, **changes: object) -> Annotation:
    """Record one more answer to the person's touch."""
    task = touch_task(study, person)
    given = make_annotation(
        9000 + number,
        candidate_id=task.candidate_id,
        anchor=task.anchor,
        class_id=task.class_id,
        proposed_class_id=task.class_id,
        taxonomy=task.taxonomy,
        **changes,
    )
    study.store.append(ANNOTATIONS, annotations_to_rows([given]))
    return given


def publisher(root: Path, code: str = PUBLISH, **environment: str) -> subprocess.Popen[str]:
    """Start a process that publishes the study."""
    return subprocess.Popen(
        [sys.executable, "-c", code, str(root)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def files_of(release: Path) -> dict[str, bytes]:
    """Read every file of a release."""
    return {p.relative_to(release).as_posix(): p.read_bytes() for p in sorted(release.rglob("*")) if p.is_file()}


def table(release: Path, name: str) -> polars.DataFrame:
    """Read one table of all splits, as anybody would."""
    return polars.read_parquet(f"{release}/data/{name}-*.parquet")


def left_in(root: Path) -> list[str]:
    """List what lies in the study's releases folder, hidden things too."""
    return sorted(p.name for p in (root / "releases").iterdir()) if (root / "releases").exists() else []


def video_ids(study: Study) -> list[str]:
    return [video.video_id for video in study_videos(study)]
