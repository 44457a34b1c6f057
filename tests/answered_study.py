"""A painted study whose candidates were asked and answered, without a process of its own or a review server."""

from pathlib import Path

import pytest

from flows import _videos
from flows._isolation import Finished
from flows._perception import perceive
from flows._plan import to_push
from flows._study import Study
from schema.answer_rows import annotations_to_rows, tasks_to_rows
from schema.arrow import ANNOTATIONS, TASKS
from schema.records import Anchor, Verdict
from tests.factories import make_annotation, make_task
from tests.studies import make_study, paint_video, run_to_candidates


def answered_study(root: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Make a study of two videos with candidates, questions on the page, and three answers to each."""
    for number in range(2):
        paint_video(root / "recordings" / f"v{number}.mp4", color=number, seconds=3, touch_s=(1.0, 2.0))
    study = make_study(root)

    perceive_here(monkeypatch)
    run_to_candidates(study)
    ask_and_answer(study)
    return study


def perceive_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Perceive without a process of its own, which takes seconds to start."""

    def perceived(entry: str, arguments: tuple[str, str], *, report: object, **_: object) -> Finished:
        perceive(report, *arguments)
        return Finished()

    monkeypatch.setattr(_videos, "run_isolated", perceived)


def ask_and_answer(study: Study) -> None:
    """Record a question for each candidate, and three people who accept it."""
    tasks = []
    for number, (video, candidate) in enumerate(to_push(study), start=1):
        anchor = Anchor(video_id=video.video_id, sha256=video.sha256, span=candidate.span, box_xyxy=candidate.box_xyxy)
        tasks.append(
            make_task(
                candidate_id=candidate.candidate_id, anchor=anchor, class_id=candidate.class_id, task_number=number
            )
        )
    study.store.append(TASKS, tasks_to_rows(tasks))
    answers = [
        make_annotation(
            10 * number + person,
            candidate_id=task.candidate_id,
            anchor=task.anchor,
            verdict=Verdict.ACCEPT,
            class_id=task.class_id,
            proposed_class_id=task.class_id,
            annotator_id=f"r{person:020d}",
        )
        for number, task in enumerate(tasks, start=1)
        for person in range(3)
    ]
    study.store.append(ANNOTATIONS, annotations_to_rows(answers))
