"""What is asked next, without a review server: the stream, experts first, the blind share and random windows."""

from dataclasses import replace
from pathlib import Path

import pytest

from flows._clips import ReviewClip
from flows._facts import plan_facts
from flows._minutes import SECONDS_PER_ANSWER, minutes_left
from flows._plan import current_candidates, study_videos
from flows._push import review_task
from flows._questions import QuestionPlan, Waiting, count_windows, plan_questions
from flows._standing import read_standing
from flows._study import Study, open_study
from schema.answer_rows import annotations_to_rows, annotators_to_rows, tasks_to_rows
from schema.arrow import ANNOTATIONS, ANNOTATORS, TASKS
from schema.questions import Annotator, QuestionKind, Role
from schema.records import ReviewTask, Verdict
from tests.answered_study import perceive_here
from tests.factories import make_annotation
from tests.studies import set_keys
from tests.verification import crowd_study

EXPERT_ID = "r" + "9" * 20
CLIP = ReviewClip(
    path=Path("clip.mp4"), first_frame=0, end_frame=30, asked_first_frame=5, asked_end_frame=20, frame_rate=10
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        perceive_here(patch)
        return crowd_study(tmp_path_factory.mktemp("questions"), videos=1).layout.root


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Study:
    """A copy of the study, of which nothing was asked yet."""
    import shutil

    root = tmp_path / "study"
    shutil.copytree(made, root)
    return open_study(root)


def planned(study: Study) -> QuestionPlan:
    return plan_questions(study, read_standing(study))


def record(study: Study, waiting: list[Waiting], *, first: int = 1) -> list[ReviewTask]:
    """Record questions as put on a server that does not exist."""
    tasks = [
        review_task(study, one, clip=CLIP, server_id="server", place=(1, number))
        for number, one in enumerate(waiting, start=first)
    ]
    study.store.append(TASKS, tasks_to_rows(tasks))
    return tasks


def add_expert(study: Study) -> None:
    expert = Annotator(
        annotator_id=EXPERT_ID, name="Ada", account="ada@example.org", role=Role.EXPERT, active=True, added_ns=1
    )
    study.store.append(ANNOTATORS, annotators_to_rows([expert]))


def answer_as_expert(study: Study, tasks: list[ReviewTask], verdicts: list[Verdict]) -> None:
    answers = [
        make_annotation(
            number,
            candidate_id=task.candidate_id,
            anchor=task.anchor,
            kind=task.kind,
            about=task.about,
            annotator_id=EXPERT_ID,
            verdict=verdict,
            proposed_class_id=task.class_id,
            class_id=task.class_id if verdict is Verdict.ACCEPT else None,
            answer_number=number,
        )
        for number, (task, verdict) in enumerate(zip(tasks, verdicts, strict=True), start=1)
    ]
    study.store.append(ANNOTATIONS, annotations_to_rows(answers))


def test_every_candidate_is_asked_once(study: Study) -> None:
    plan = planned(study)
    candidates = {candidate.candidate_id for _, candidate in current_candidates(study, study_videos(study))}
    assert {waiting.shown.candidate_id for waiting in plan.stream} == candidates
    assert (plan.expert, plan.audit, plan.held_count) == ([], [], 0)
    record(study, plan.stream + plan.blind)
    assert len(planned(study)) == 0


def test_no_more_is_open_than_the_study_says(study: Study) -> None:
    set_keys(study.layout.root, annotate={"queue_size": 4, "blind_share": 0.0})
    study = open_study(study.layout.root)
    first = planned(study)
    assert len(first.stream) == 4
    record(study, first.stream)
    assert len(planned(study)) == 0, "four are open: nothing is asked until one is settled"


def test_the_crowd_waits_for_the_expert_once_and_an_unsure_expert_holds_up_nobody(study: Study) -> None:
    add_expert(study)
    first = planned(study)
    asked = len(current_candidates(study, study_videos(study)))
    assert first.stream == []
    assert len(first.expert) == asked // 4
    assert first.held_count == asked - len(first.expert)
    tasks = record(study, first.expert)
    assert len(planned(study)) == 0, "the expert has not answered yet"
    answer_as_expert(study, tasks, [Verdict.UNSURE, *[Verdict.ACCEPT] * (len(tasks) - 1)])
    then = planned(study)
    verdicts = [waiting for waiting in then.stream if waiting.kind is QuestionKind.VERDICT]
    hidden = [waiting for waiting in then.stream if waiting.kind is QuestionKind.KNOWN]
    assert len(verdicts) + len(then.expert) == first.held_count
    assert {w.about for w in hidden} <= {task.about for task in tasks[1:]}, "an unsure expert knows no truth"
    assert hidden
    assert {answer.question_id for answer in then.known} == {w.shown.candidate_id for w in hidden}


def test_the_blind_share_shows_no_id_of_the_candidate(study: Study) -> None:
    set_keys(study.layout.root, annotate={"blind_share": 0.5})
    study = open_study(study.layout.root)
    plan = planned(study)
    verdicts = {waiting.shown.candidate_id for waiting in plan.stream}
    assert plan.blind
    assert {waiting.about for waiting in plan.blind} <= verdicts
    assert not {waiting.shown.candidate_id for waiting in plan.blind} & verdicts
    assert not any(waiting.kind.shows_suggestion for waiting in plan.blind)


def test_windows_are_drawn_until_the_minutes_are_asked(study: Study) -> None:
    set_keys(study.layout.root, annotate={"audit_minutes": 0.3, "audit_window_seconds": 6.0})
    study = open_study(study.layout.root)
    plan = planned(study)
    assert len(plan.audit) == 3
    assert all(0 < waiting.shown.score <= 1 for waiting in plan.audit), "the chance of being drawn"
    record(study, plan.audit)
    assert planned(study).audit == []


def test_a_round_waits_for_no_window_that_can_never_be_drawn(study: Study) -> None:
    set_keys(
        study.layout.root,
        annotate={"audit_minutes": 30.0, "audit_window_seconds": 6.0, "round_minutes": 8.0, "blind_share": 0.0},
    )
    study = open_study(study.layout.root)
    plan = planned(study)
    put_s = len(plan.audit) * 2 * (6.0 + SECONDS_PER_ANSWER)
    standing = read_standing(study)
    assert count_windows(study, standing) == len(plan.audit) > 0
    assert minutes_left(study, standing, windows=len(plan.audit)) == pytest.approx(8.0 - put_s / 60)
    assert plan_facts(study)["round_minutes_left"] == round(8.0 - put_s / 60, 1)
    record(study, plan.audit)
    assert planned(study).audit == [], "the whole video is asked, and 30 minutes there never are"
    assert planned(study).stream


def test_what_people_did_not_settle_goes_to_an_expert(study: Study) -> None:
    plan = planned(study)
    (task,) = record(study, plan.stream[:1])
    verdicts = [Verdict.ACCEPT, Verdict.REJECT, Verdict.ACCEPT, Verdict.REJECT, Verdict.UNSURE]
    answers = [
        make_annotation(
            number,
            candidate_id=task.candidate_id,
            anchor=task.anchor,
            verdict=verdict,
            proposed_class_id=task.class_id,
            class_id=task.class_id if verdict is Verdict.ACCEPT else None,
            answer_number=number,
        )
        for number, verdict in enumerate(verdicts, start=1)
    ]
    study.store.append(ANNOTATIONS, annotations_to_rows(answers))
    (waiting,) = planned(study).expert
    assert waiting.about == task.candidate_id
    record(study, [replace(waiting)], first=50)
    assert planned(study).expert == []
