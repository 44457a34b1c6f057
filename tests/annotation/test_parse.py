from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.parse import make_annotation_id, parse_annotations
from schema.errors import DropReason
from schema.privacy import make_annotator_id
from schema.records import Annotation, Dropped, ReviewTask, Verdict
from schema.taxonomy import load_taxonomy
from tests.factories import ARMS, KEY, NECK, make_task

ACCOUNT, SCRIPT = "anna@example.com", "script-1@example.com"
IMIGUE = load_taxonomy("imigue32")


def choice(name: str, *values: str) -> dict[str, Any]:
    return {
        "id": name,
        "type": "choices",
        "from_name": name,
        "to_name": "player",
        "value": {"choices": list(values)},
    }


def comment(*lines: str) -> dict[str, Any]:
    return {"type": "textarea", "from_name": "comment", "to_name": "player", "value": {"text": list(lines)}}


def make_row(*result: dict[str, Any], **changes: Any) -> dict[str, Any]:
    row = {
        "id": 17,
        "task": 1,
        "completed_by": ACCOUNT,
        "created_at": "2026-03-01T10:00:00.000000Z",
        "updated_at": "2026-03-01T10:00:05.123456Z",
        "lead_time": 3.25,
        "was_cancelled": False,
        "result": list(result),
    }
    return row | changes


def parse(*rows: Mapping[str, Any], task: ReviewTask | None = None) -> list[Annotation | Dropped]:
    tasks = {1: make_task() if task is None else task}
    return list(
        parse_annotations(rows, tasks=tasks, taxonomy=IMIGUE, pseudonym_key=KEY, scripted_accounts=frozenset({SCRIPT}))
    )


def parse_one(row: Mapping[str, Any], *, task: ReviewTask | None = None) -> Annotation:
    (answer,) = parse(row, task=task)
    assert isinstance(answer, Annotation)
    return answer


def test_an_accept_keeps_what_was_asked_and_judged() -> None:
    task = make_task()
    answer = parse_one(make_row(choice("verdict", "accept"), comment("two hands", "long")))
    assert answer == Annotation(
        annotation_id=make_annotation_id("server", 17, 1_772_359_205_123_456_000),
        candidate_id=task.candidate_id,
        anchor=task.anchor,
        taxonomy="imigue32",
        question=task.question,
        proposed_class_id=NECK,
        annotator_id=make_annotator_id(KEY, ACCOUNT),
        scripted=False,
        verdict=Verdict.ACCEPT,
        class_id=NECK,
        comment="two hands\nlong",
        answered_ns=1_772_359_205_123_456_000,
        lead_time_ns=3_250_000_000,
    )


@pytest.mark.parametrize("verdict", [Verdict.REJECT, Verdict.UNSURE])
def test_reject_and_unsure_give_no_class(verdict: Verdict) -> None:
    answer = parse_one(make_row(choice("verdict", verdict)))
    assert (answer.verdict, answer.class_id, answer.proposed_class_id) == (verdict, None, NECK)


def test_relabel_gives_the_chosen_class() -> None:
    answer = parse_one(make_row(choice("gesture", ARMS), choice("verdict", "relabel")))
    assert (answer.verdict, answer.class_id) == (Verdict.RELABEL, ARMS)


def test_a_class_left_behind_by_a_change_of_mind_does_not_count() -> None:
    answer = parse_one(make_row(choice("verdict", "accept"), choice("gesture", ARMS)))
    assert (answer.verdict, answer.class_id) == (Verdict.ACCEPT, NECK)


def test_accepting_an_unclassified_movement_gives_no_class() -> None:
    answer = parse_one(make_row(choice("verdict", "accept")), task=make_task(class_id=None))
    assert (answer.verdict, answer.class_id) == (Verdict.ACCEPT, None)


def test_a_task_of_an_earlier_taxonomy_is_read_with_that_one() -> None:
    task = make_task(taxonomy="ma52", class_id="nodding")
    row = make_row(choice("verdict", "relabel"), choice("gesture", "crossing_arms"))
    assert parse_one(row, task=task).class_id == "crossing_arms"


def test_scripts_are_marked_and_accounts_are_hashed() -> None:
    answer = parse_one(make_row(choice("verdict", "accept"), completed_by=SCRIPT))
    assert answer.scripted
    assert "script-1" not in repr(answer)


def test_an_edit_is_a_new_answer_and_a_second_pull_is_not() -> None:
    row = make_row(choice("verdict", "accept"))
    edited = row | {"updated_at": "2026-03-01T10:00:09.000000Z"}
    other_spelling = row | {"updated_at": "2026-03-01T12:00:05.123456+02:00"}
    first, second, third, fourth = (parse_one(r).annotation_id for r in (row, row, edited, other_spelling))
    assert first == second == fourth != third


@pytest.mark.parametrize("lead_time", [None, -3, float("nan"), 1e300, "long"])
def test_a_lead_time_that_the_page_does_not_tell_is_zero(lead_time: Any) -> None:
    assert parse_one(make_row(choice("verdict", "accept"), lead_time=lead_time)).lead_time_ns == 0


ACCEPT = choice("verdict", "accept")


@pytest.mark.parametrize(
    ("row", "detail"),
    [
        (make_row(), "0 verdicts are chosen"),
        (make_row(comment("only words")), "0 verdicts are chosen"),
        (make_row(choice("verdict", "accept", "reject")), "2 verdicts are chosen"),
        (make_row(ACCEPT, choice("verdict", "reject")), "2 verdicts are chosen"),
        (make_row(choice("verdict", "maybe")), "'maybe' is no verdict; there are accept, reject, relabel, unsure"),
        (make_row(choice("verdict", "relabel")), "relabel with 0 classes"),
        (make_row(choice("verdict", "relabel"), choice("gesture", NECK, ARMS)), "relabel with 2 classes"),
        (make_row(choice("verdict", "relabel"), choice("gesture", "folding_arm")), "nearest is 'folding_arms'"),
        (make_row(ACCEPT, was_cancelled=True), "skipped"),
        (make_row(ACCEPT, task=2), "task 2 is none that pressroom put on the page"),
        (make_row(ACCEPT, task=None), "task None"),
        (make_row(ACCEPT, id=None), "no number"),
        (make_row(ACCEPT, completed_by=4), "who answered"),
        (make_row(ACCEPT, updated_at="yesterday"), "'yesterday' is no time with a zone"),
        (make_row(ACCEPT, updated_at="2026-03-01T10:00:05"), "no time with a zone"),
        (make_row(result=None), "no result"),
        (make_row({"from_name": "verdict", "value": None}), "verdict holds no list of choices"),
        (make_row({"from_name": "verdict", "value": {"choices": [3]}}), "verdict holds no list of choices"),
        (make_row({"from_name": "verdict", "value": {"labels": ["accept"]}}), "verdict holds no list of choices"),
    ],
)
def test_what_the_page_can_not_send_is_dropped_in_one_line(row: dict[str, Any], detail: str) -> None:
    (dropped,) = parse(row)
    assert isinstance(dropped, Dropped)
    assert (dropped.reason, dropped.item_id) == (DropReason.INVALID_ANSWER, "17" if row["id"] else "None")
    assert detail in dropped.detail
    assert "\n" not in dropped.detail
    assert ACCOUNT not in dropped.detail


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(Verdict),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("from_name", "value", "choices", "text")), inner, max_size=3)
    ),
    max_leaves=12,
)
damaged_rows = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(("id", "task", "completed_by", "updated_at", "lead_time", "result"), json_values),
).map(lambda changes: make_row(choice("verdict", "accept")) | changes)


@given(st.lists(damaged_rows, max_size=5))
def test_every_row_comes_out_as_an_answer_or_a_reason(rows: list[dict[str, Any]]) -> None:
    assert len(parse(*rows)) == len(rows)
