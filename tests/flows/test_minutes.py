"""What a round has cost and may still cost, by answers that were edited and taken back, and windows that are put."""

from pathlib import Path

import pytest

from flows._minutes import AUDIT, SHOWN, draw_lacking, minutes_left, price_of
from flows._standing import read_standing
from flows._study import Study, open_study
from proposals.audit import Cell, draw_windows
from schema.answer_rows import annotations_to_rows, tasks_to_rows
from schema.arrow import ANNOTATIONS, ROUNDS, TASKS
from schema.questions import QuestionKind
from schema.records import Annotation, CandidateId, ReviewTask, VideoId
from schema.rows import table_of
from schema.timespan import NS_PER_SECOND, TimeSpan
from tests.factories import BOX, make_anchor, make_annotation, make_span, make_task
from tests.studies import make_study, set_keys

BEGUN_NS = 1_750_000_000 * NS_PER_SECOND


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """A study without videos whose round may take ten minutes."""
    root = tmp_path / "study"
    (root / "recordings").mkdir(parents=True)
    make_study(root)
    set_keys(root, annotate={"round_minutes": 10.0, "known_share": 0.0, "blind_share": 0.0})
    return open_study(root)


def ask(study: Study, count: int, **changes: object) -> list[ReviewTask]:
    """Record questions as put on a server that does not exist."""
    tasks = [
        make_task(
            candidate_id=CandidateId(f"c{number:020d}"),
            anchor=make_anchor(span=make_span(10.0 * number, 10.0 * number + 6)),
            task_number=number,
            **changes,
        )
        for number in range(1, count + 1)
    ]
    study.store.append(TASKS, tasks_to_rows(tasks))
    return tasks


def revision(task: ReviewTask, seconds: float, *, number: int = 0, after_s: float = 0, **changes: object) -> Annotation:
    """One person's answer to a question, as it was some time after the round began."""
    answered_ns = BEGUN_NS + round(after_s * NS_PER_SECOND)
    return make_annotation(
        100 * task.task_number + number,
        **{
            "candidate_id": task.candidate_id,
            "anchor": task.anchor,
            "kind": task.kind,
            "annotator_id": "r" + "1" * 20,
            "answer_number": task.task_number,
            "lead_time_ns": round(seconds * NS_PER_SECOND),
            "answered_ns": answered_ns,
        }
        | changes,
    )


def left(study: Study, *answers: Annotation, windows: int = 0) -> float | None:
    study.store.append(ANNOTATIONS, annotations_to_rows(list(answers)))
    return minutes_left(study, read_standing(study), windows=windows)


def test_an_edited_answer_is_one_persons_and_took_as_long_as_its_newest_revision_says(study: Study) -> None:
    tasks = ask(study, 3)
    answers = [revision(t, s, number=n, after_s=n) for t in tasks for n, s in ((1, 8.0), (2, 12.0))]
    spent_s, lacking_s = 3 * 12.0, 3 * 12.0
    assert left(study, *answers) == pytest.approx(10 - (spent_s + lacking_s) / 60)
    assert price_of(read_standing(study), study.config.annotate).seconds[SHOWN] == 12.0


def test_an_answer_that_was_taken_back_is_lacking_again_and_its_time_was_spent(study: Study) -> None:
    (task,) = ask(study, 1)
    taken_back = revision(task, 5.0, number=2, after_s=1, deleted=True)
    spent_s, lacking_s = 5.0, 2 * 8.0
    assert left(study, revision(task, 5.0, number=1), taken_back) == pytest.approx(10 - (spent_s + lacking_s) / 60)


def test_an_edit_costs_this_round_what_it_took_longer_than_in_the_last(study: Study) -> None:
    study.store.append(ROUNDS, table_of(ROUNDS, [{"round_number": 1, "model": "", "begun_ns": BEGUN_NS}]))
    (task,) = ask(study, 1)
    before, after = revision(task, 8.0, number=1, after_s=-60), revision(task, 12.0, number=2, after_s=60)
    spent_s, lacking_s = 4.0, 12.0
    assert left(study, before, after) == pytest.approx(10 - (spent_s + lacking_s) / 60)


def test_windows_cost_the_answers_that_they_lack_and_those_that_are_put_now(study: Study) -> None:
    (window,) = ask(study, 1, kind=QuestionKind.AUDIT, class_id=None)
    twice = [revision(window, s, number=n, after_s=n) for n, s in ((1, 20.0), (2, 30.0))]
    open_s, put_s = 30.0, 4 * 2 * 30.0
    assert left(study, *twice, windows=4) == pytest.approx(10 - (30.0 + open_s + put_s) / 60)
    assert price_of(read_standing(study), study.config.annotate).seconds[AUDIT] == 30.0


def cells(video: str, count: int, *, free: float = 1.0) -> list[Cell]:
    """Windows of 10 to 20 seconds, one after the other."""
    made, start_ns = [], 0
    for number in range(count):
        end_ns = start_ns + (10 + number % 11) * NS_PER_SECOND
        span = TimeSpan(start_ns=start_ns, end_ns=end_ns)
        free_ns = round(free * span.duration_ns)
        made.append(Cell(video_id=VideoId(video), track_number=0, span=span, box_xyxy=BOX, free_ns=free_ns))
        start_ns = end_ns
    return made


def test_the_first_draw_is_the_whole_one() -> None:
    given, key = cells("v" + "1" * 20, 100), bytes(32)
    drawn = draw_lacking(given, key=key, minutes=10.0, lacking_s=600.0, asked=())
    assert drawn == draw_windows(given, key=key, minutes=10.0)


def test_windows_that_can_never_be_drawn_are_not_waited_for() -> None:
    given, key = cells("v" + "1" * 20, 5), bytes(32)
    drawn = draw_lacking(given, key=key, minutes=10.0, lacking_s=600.0, asked=())
    assert len(drawn) == 5
    asked = {window.window_id for window in drawn}
    assert draw_lacking(given, key=key, minutes=10.0, lacking_s=540.0, asked=asked) == []
    assert draw_lacking([], key=key, minutes=10.0, lacking_s=600.0, asked=()) == []


def test_new_videos_are_put_what_is_lacking_with_the_chances_of_just_that() -> None:
    old, new = cells("v" + "1" * 20, 100), cells("v" + "2" * 20, 300, free=0.5)
    stands_for, minutes = [], []
    for number in range(40):
        key = number.to_bytes(32, "big")
        first = draw_windows(old, key=key, minutes=30.0)
        asked_s = sum(window.span.seconds for window in first)
        asked = {window.window_id for window in first}
        second = draw_lacking([*old, *new], key=key, minutes=30.0, lacking_s=1800 - asked_s, asked=asked)
        assert not asked & {window.window_id for window in second}
        minutes.append((asked_s + sum(window.span.seconds for window in second)) / 60)
        stands_for.append(sum(1 / w.sampled_share for w in second if w.video_id == new[0].video_id))
    assert max(minutes) < 32.0, "a full draw would make it 40 and more"
    assert sum(stands_for) / len(stands_for) == pytest.approx(len(new), rel=0.1), "each window for 1 / share others"
