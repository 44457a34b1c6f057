"""The ledger of people's time: what is counted, over what, and the blind share beside it."""

from dataclasses import replace

import pytest

from annotation.answers.opinions import NO_GESTURE
from annotation.reporting.effort import Effort, EffortRow, measure_effort
from annotation.reporting.judgements import standing_judgements
from schema.questions import Mark, QuestionKind
from schema.records import Annotation, CandidateId, Verdict
from schema.taxonomy import load_taxonomy
from schema.timespan import NS_PER_SECOND
from tests.factories import ARMS, NECK, make_annotation, make_span

TAXONOMY = load_taxonomy("imigue32")
REJECT = {"verdict": Verdict.REJECT, "class_id": None}


def given(person: int, question: int, seconds: float, **changes: object) -> Annotation:
    answer = make_annotation(
        100 * question + person,
        candidate_id=CandidateId(f"c{question:020d}"),
        annotator_id=f"r{person}",
        lead_time_ns=round(seconds * NS_PER_SECOND),
        proposer="contact",
        page_version="verdict-00000001",
    )
    return replace(answer, **changes)


def blind(person: int, question: int, seconds: float, class_id: str | None) -> Annotation:
    mark = Mark(span=make_span(), class_id=class_id, first_frame=50, end_frame=87)
    return given(
        person,
        question,
        seconds,
        candidate_id=CandidateId(f"b{question:020d}"),
        about=f"c{question:020d}",
        kind=QuestionKind.BLIND,
        verdict=Verdict.MARKED if class_id else Verdict.NOTHING,
        class_id=None,
        proposed_class_id=None,
        marks=(mark,) if class_id else (),
        page_version="window-00000001",
    )


def ledger(answers: list[Annotation], settled: dict[int, str], found: dict[str, int] | None = None) -> Effort:
    outcomes = {f"c{question:020d}": outcome for question, outcome in settled.items()}
    return measure_effort(standing_judgements(answers, taxonomy=TAXONOMY), settled=outcomes, found=found or {})


def price(row: EffortRow) -> float:
    assert row.seconds_per_segment is not None
    return row.seconds_per_segment.value


def test_the_time_of_rejected_candidates_is_part_of_the_price():
    answers = [given(1, 0, 4), given(2, 0, 6), given(1, 1, 5, **REJECT), given(2, 1, 5, **REJECT), given(1, 2, 3)]
    found = ledger(answers, {0: NECK, 1: NO_GESTURE})
    assert price(found.overall) == pytest.approx(23)
    row = found.overall
    assert (row.answer_count, row.question_count, row.accepted_count, row.median_seconds) == (5, 3, 1, 5)
    assert row.hours == pytest.approx(23 / 3600)


def test_time_is_split_by_the_proposed_class_the_page_and_the_proposer():
    other = {"proposed_class_id": ARMS, "class_id": ARMS, "proposer": "seed-2", "page_version": "verdict-00000002"}
    answers = [given(1, 0, 4), given(1, 1, 10, **other), given(2, 1, 8, **other)]
    found = ledger(answers, {0: NECK, 1: NECK})
    assert {row.name: price(row) for row in found.by_class} == {NECK: 4, ARMS: 18}
    assert {row.name: price(row) for row in found.by_page} == {
        "verdict, verdict-00000001": 4,
        "verdict, verdict-00000002": 18,
    }
    assert {row.name: price(row) for row in found.by_proposer} == {"contact": 4, "seed-2": 18}


def test_an_experts_time_goes_to_the_candidate():
    expert = given(3, 9, 30, kind=QuestionKind.EXPERT, about=f"c{0:020d}", candidate_id=CandidateId("x" + "0" * 20))
    found = ledger([given(1, 0, 4), given(2, 0, 6, **REJECT), expert], {0: NECK})
    (row,) = found.by_class
    assert (row.question_count, price(row)) == (1, 40)


def test_hidden_items_cost_and_find_nothing():
    hidden = given(1, 5, 7, kind=QuestionKind.KNOWN, about=f"c{0:020d}")
    found = ledger([given(1, 0, 4), hidden], {0: NECK})
    assert price(found.overall) == 11
    pages = {row.name.partition(",")[0]: row for row in found.by_page}
    assert pages["known"].seconds_per_segment is None
    assert [row.name for row in found.by_class] == [NECK]
    assert price(found.by_class[0]) == 4


def test_gestures_found_in_windows_are_segments_too():
    window = given(1, 7, 60, candidate_id=CandidateId("w1"), kind=QuestionKind.AUDIT, verdict=Verdict.NOTHING)
    found = ledger([window, given(1, 0, 4)], {0: NECK}, {"w1": 2})
    assert price(found.overall) == pytest.approx(64 / 3)


def test_a_break_is_not_work():
    answers = [*(given(1, n, 4) for n in range(9)), given(1, 9, 3600)]
    found = ledger(answers, {})
    assert found.capped_count == 1
    assert found.overall.hours * 3600 == pytest.approx(9 * 4 + 40)


def test_answers_without_a_time_are_told_and_do_not_count():
    found = ledger([given(1, 0, 0), given(2, 0, 4)], {0: NECK})
    assert (found.untimed_count, found.overall.answer_count) == (1, 1)
    nothing = ledger([given(1, 0, 0)], {0: NECK}).overall
    assert (nothing.seconds_per_segment, nothing.median_seconds) == (None, 0)


def test_the_blind_share_is_the_control():
    """Shown: 4 answers, 3 of them right, 16 s; blind: 2 answers, 1 right, 30 s; the third was asked one way alone."""
    answers = [
        given(1, 0, 4), given(2, 0, 4), blind(3, 0, 12, NECK),
        given(1, 1, 4), given(2, 1, 4, **REJECT), blind(3, 1, 18, NECK),
        given(1, 2, 400),
    ]  # fmt: skip
    control = ledger(answers, {0: NECK, 1: NO_GESTURE, 2: NECK}).blind
    assert control is not None
    estimates = [control.shown_seconds, control.blind_seconds, control.ratio, control.shown_right]
    estimates.append(control.blind_right)
    values = [estimate.value for estimate in estimates if estimate is not None]
    assert control.candidate_count == 2
    assert values == pytest.approx([16 / 3, 30, 30 / (16 / 3), 3 / 4, 1 / 2])


def test_without_a_blind_share_there_is_no_control():
    assert ledger([given(1, 0, 4)], {0: NECK}).blind is None
    assert ledger([given(1, 0, 4), blind(2, 0, 9, NECK)], {}).blind is None
