"""``pressroom report rounds``: what the recorded tables tell of each round, without a model or a server."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from annotation.reporting.recall import AuditedGesture
from annotation.reporting.rounds import AskedItem, RoundSource, measure_rounds
from flows._cli import app
from flows._study import Study
from schema.answer_rows import annotations_to_rows, tasks_to_rows
from schema.arrow import ANNOTATIONS, ROUNDS, TASKS
from schema.questions import AuditWindow, Mark, QuestionKind
from schema.records import Annotation, CandidateId, ReviewTask, Verdict
from schema.rows import table_of
from schema.taxonomy import load_taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan
from tests.factories import ARMS, NECK, make_anchor, make_annotation, make_span, make_task
from tests.studies import make_study, set_keys

MODEL = "seed-1@0123456789ab"
HEAD = "touching_or_scratching_head"
FIRST_ROUND_RIGHT, SECOND_ROUND_RIGHT = 8, 16
ASKED_EACH = 20
WINDOWS = 12


def _empty_study(root: Path) -> Study:
    (root / "recordings").mkdir(parents=True)
    (root / "recordings" / "one.mp4").touch()
    return make_study(root)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Twenty questions a round: 8 right ones of the first, 16 of the second; twelve audited windows."""
    made = _empty_study(tmp_path / "study")
    row = {"round_number": 1, "model": MODEL, "begun_ns": 1_750_000_000 * NS_PER_SECOND}
    made.store.append(ROUNDS, table_of(ROUNDS, [row]))
    asked = [*_round(0, right=FIRST_ROUND_RIGHT, proposer="motion"), *_round(1, SECOND_ROUND_RIGHT, proposer=MODEL)]
    tasks = [task for task, _ in asked] + [_window(n) for n in range(WINDOWS)]
    answers = [answer for task, right in asked for answer in _verdicts(task, right)]
    answers += [answer for n in range(WINDOWS) for answer in _marks(_window(n))]
    made.store.append(TASKS, tasks_to_rows(tasks))
    made.store.append(ANNOTATIONS, annotations_to_rows([_numbered(a, n) for n, a in enumerate(answers)]))
    return made


def _round(number: int, right: int, *, proposer: str) -> list[tuple[ReviewTask, bool]]:
    """Ask ``ASKED_EACH`` candidates, one every ten seconds; round 1 asks about the ten seconds after round 0's."""
    made = []
    for place in range(ASKED_EACH):
        start_s = 10.0 * (ASKED_EACH * number + place + 1)
        task = make_task(
            candidate_id=CandidateId(f"c{number}{place:019d}"),
            anchor=make_anchor(span=make_span(start_s, start_s + 2)),
            class_id=NECK if place % 2 else HEAD,
            proposer=proposer,
            task_number=100 * number + place + 1,
            round_number=number,
        )
        made.append((task, place < right))
    return made


def _window(number: int) -> ReviewTask:
    """An audit window around the first right candidates: six of round 0, then six of round 1."""
    start_s = 10.0 * (number + 1 if number < WINDOWS // 2 else ASKED_EACH + number + 1)
    return make_task(
        candidate_id=CandidateId(f"w{number:020d}"),
        anchor=make_anchor(span=make_span(start_s - 2, start_s + 4)),
        class_id=None,
        proposer="chance",
        score=0.5,
        kind=QuestionKind.AUDIT,
        task_number=1000 + number,
    )


def _verdicts(task: ReviewTask, right: bool) -> list[Annotation]:
    return [
        make_annotation(
            1,
            candidate_id=task.candidate_id,
            anchor=task.anchor,
            verdict=Verdict.ACCEPT if right else Verdict.REJECT,
            class_id=task.class_id if right else None,
            proposed_class_id=task.class_id,
            annotator_id=f"r{person:020d}",
            lead_time_ns=5 * NS_PER_SECOND,
            proposer=task.proposer,
        )
        for person in range(3)
    ]


def _marks(window: ReviewTask) -> list[Annotation]:
    span = window.anchor.span
    seen = TimeSpan(start_ns=span.end_ns - 4 * NS_PER_SECOND, end_ns=span.end_ns - 2 * NS_PER_SECOND)
    return [
        make_annotation(
            1,
            candidate_id=window.candidate_id,
            anchor=window.anchor,
            verdict=Verdict.MARKED,
            class_id=None,
            proposed_class_id=None,
            annotator_id=f"r{person:020d}",
            kind=QuestionKind.AUDIT,
            marks=(Mark(span=seen, class_id=ARMS, first_frame=1, end_frame=2),),
            suggestion_shown=False,
        )
        for person in range(2)
    ]


def _numbered(answer: Annotation, number: int) -> Annotation:
    return replace(answer, annotation_id=f"a{number:020d}", answer_number=number)


def _told(study: Study) -> dict[str, object]:
    result = CliRunner().invoke(app, ["report", "rounds", str(study.layout.root), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_each_round_is_told_with_its_precision_price_and_recall(study: Study) -> None:
    first, second = _told(study)["rounds"]
    assert (first["model"], second["model"]) == ("", MODEL)
    assert (first["overall"]["accepted"], second["overall"]["accepted"]) == (FIRST_ROUND_RIGHT, SECOND_ROUND_RIGHT)
    assert first["overall"]["precision"]["value"] == pytest.approx(FIRST_ROUND_RIGHT / ASKED_EACH)
    assert first["overall"]["seconds_per_segment"]["value"] == pytest.approx(ASKED_EACH * 15 / FIRST_ROUND_RIGHT)
    assert [part["name"] for part in second["by_proposer"]] == [MODEL]
    assert (first["recall"][0]["found_count"], second["recall"][0]["found_count"]) == (WINDOWS // 2, WINDOWS)


def test_a_round_is_put_beside_the_one_before_with_intervals(study: Study) -> None:
    first, second = _told(study)["rounds"]
    assert first["overall"]["precision_change"] is None
    change = second["overall"]["precision_change"]
    assert change["value"] == pytest.approx(0.4)
    assert 0 < change["low"] < 0.4 < change["high"]
    assert second["overall"]["seconds_change"]["value"] == pytest.approx(300 / 16 - 300 / 8)
    assert second["recall_change"]["all"]["value"] == pytest.approx(0.5)


def test_groups_that_were_asked_are_told_beside_the_same_group_of_the_round_before(study: Study) -> None:
    second = _told(study)["rounds"][1]
    names = {part["name"]: part for part in second["by_group"]}
    assert {part["asked"] for part in names.values()} == {ASKED_EACH // 2}
    assert all(part["precision_change"] for part in names.values())


def test_the_page_names_the_model_and_says_what_may_be_chance(study: Study) -> None:
    result = CliRunner().invoke(app, ["report", "rounds", str(study.layout.root)])
    assert result.exit_code == 0, result.output
    assert "| 1 | seed-1, contact, motion | 20 | 20 | 16 | 80%" in result.stdout
    page = (study.layout.reports / "rounds.html").read_text()
    assert MODEL in page
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_what_was_asked_in_another_taxonomy_is_left_out(study: Study) -> None:
    set_keys(study.layout.root, study={"taxonomy": "smg17"})
    first, second = _told(study)["rounds"]
    assert (first["overall"]["asked"], second["overall"]["asked"]) == (0, 0)
    assert (first["recall"], _told(study)["proposed today"]) == ([], None), "no window was searched for these classes"
    class_id = load_taxonomy("smg17").classes[0].class_id
    task = make_task(
        candidate_id=CandidateId("c" + "9" * 20), taxonomy="smg17", class_id=class_id, round_number=1, task_number=5000
    )
    answers = [_numbered(replace(a, taxonomy="smg17"), 5000 + n) for n, a in enumerate(_verdicts(task, right=True))]
    study.store.append(TASKS, tasks_to_rows([task]))
    study.store.append(ANNOTATIONS, annotations_to_rows(answers))
    assert [row["overall"]["accepted"] for row in _told(study)["rounds"]] == [0, 1]


def test_a_study_that_asked_nothing_is_told_so_in_one_round(tmp_path: Path) -> None:
    study = _empty_study(tmp_path / "study")
    (only,) = _told(study)["rounds"]
    assert (only["overall"]["asked"], only["overall"]["precision"], only["recall"]) == (0, None, [])
    assert "Nothing was asked" in (study.layout.reports / "rounds.html").read_text()


def _item(number: int, round_number: int, *, outcome: bool | None) -> AskedItem:
    return AskedItem(
        item_id=f"c{number}",
        round_number=round_number,
        proposer="motion",
        group="Body",
        outcome=outcome,
        answers=2,
        seconds=10.0,
    )


def test_open_questions_cost_time_and_say_nothing_of_precision() -> None:
    source = RoundSource(round_number=0, model="", begun_on="", gestures=None)
    items = [_item(n, 0, outcome=n < 5) for n in range(10)] + [_item(10 + n, 0, outcome=None) for n in range(10)]
    (row,) = measure_rounds([source], items, windows=(), groups=("Body",))
    assert (row.overall.asked, row.overall.settled) == (20, 10)
    assert row.overall.precision is not None
    assert row.overall.precision.value == pytest.approx(0.5)
    assert row.overall.seconds_per_segment is not None
    assert row.overall.seconds_per_segment.value == pytest.approx(40.0)


def _gestures(windows: Sequence[AuditWindow], found: Sequence[bool]) -> list[AuditedGesture]:
    return [
        AuditedGesture(window=window, group="Body", class_id=None, span=window.span, found=is_found)
        for window, is_found in zip(windows, found, strict=True)
    ]


def test_a_gain_of_recall_over_the_same_gestures_is_surer_than_either_recall() -> None:
    windows = [
        AuditWindow(
            window_id=f"w{n}",
            video_id=f"v{n}",
            track_number=0,
            span=make_span(0, 10),
            box_xyxy=(0, 0, 1, 1),
            sampled_share=0.5,
        )
        for n in range(20)
    ]
    before, after = [n < 10 for n in range(20)], [n < 14 for n in range(20)]
    rounds = [
        RoundSource(round_number=n, model="", begun_on="", gestures=_gestures(windows, found))
        for n, found in enumerate((before, after))
    ]
    rows = measure_rounds(rounds, [], windows=windows, groups=("Body",))
    change, recall = rows[1].recall_change["all"], rows[1].recall[0]
    assert change.value == pytest.approx(0.2)
    assert change.low is not None
    assert change.high is not None
    assert change.low > 0
    assert change.high - change.low < recall.high - recall.low
