from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.answers.consensus import Settlement, Skill, consensus_span, settle
from annotation.answers.opinions import NO_GESTURE, UNCLASSIFIED, Opinion, items_of
from annotation.answers.simulate import answer, make_campaign, make_crew
from schema.errors import ConfigError
from schema.questions import KnownAnswer, Mark, QuestionKind
from schema.records import Annotation, CandidateId, ReviewTask, Verdict
from schema.taxonomy import load_taxonomy
from schema.timespan import TimeSpan
from tests.factories import ARMS, CANDIDATE_ID, NECK, make_anchor, make_annotation, make_span, make_task
from tests.strategies import annotations

IMIGUE = load_taxonomy("imigue32")
BLIND_ID, AUDIT_ID, KNOWN_ID = CandidateId("b1"), CandidateId("w1"), CandidateId("c-known")
AUDIT_TASK = make_task(candidate_id=AUDIT_ID, kind=QuestionKind.AUDIT, class_id=None, task_number=9)
OTHER = "touching_ears"


def settled(
    answers: Iterable[Annotation],
    *,
    tasks: Sequence[ReviewTask] = (),
    known: Sequence[KnownAnswer] = (),
    experts: Iterable[str] = (),
) -> Settlement:
    return settle(
        tasks=tasks or [make_task()],
        annotations=answers,
        known=known,
        experts=frozenset(experts),
        taxonomy=IMIGUE,
    )


def reject(number: int, **changes: Any) -> Annotation:
    return make_annotation(number, **{"verdict": Verdict.REJECT, "class_id": None} | changes)


def window(number: int, *marks: tuple[float, float, str | None], question: CandidateId = AUDIT_ID) -> Annotation:
    """Draw spans (seconds, class) in an audit window of 8 s, or in the blind window around the candidate."""
    blind = question == BLIND_ID
    return make_annotation(
        number,
        candidate_id=question,
        kind=QuestionKind.BLIND if blind else QuestionKind.AUDIT,
        about=CANDIDATE_ID if blind else "",
        anchor=make_anchor() if blind else make_anchor(span=make_span(0, 8)),
        verdict=Verdict.MARKED if marks else Verdict.NOTHING,
        class_id=None,
        proposed_class_id=None,
        suggestion_shown=False,
        marks=tuple(
            Mark(span=make_span(start_s, end_s), class_id=class_id, first_frame=0, end_frame=1)
            for start_s, end_s, class_id in marks
        ),
    )


def test_two_who_agree_settle_it_and_two_who_differ_do_not() -> None:
    agreed = settled([make_annotation(1), make_annotation(2)]).items[CANDIDATE_ID]
    assert (agreed.outcome, agreed.answer_count, agreed.agreement) == (NECK, 2, 1.0)
    assert agreed.posterior > 0.95
    disputed = settled([make_annotation(1), reject(2)]).items[CANDIDATE_ID]
    assert disputed.posterior < 0.6
    assert disputed.agreement == 0.5


def test_adjusting_edges_and_naming_a_class_say_that_the_gesture_is_there() -> None:
    adjust = make_annotation(1, verdict=Verdict.ADJUST, answered_span=make_span(2.2, 3.5))
    relabel = make_annotation(2, verdict=Verdict.RELABEL, class_id=ARMS)
    one = settled([adjust, make_annotation(3)]).items[CANDIDATE_ID]
    assert (one.outcome, one.agreement) == (NECK, 1.0)
    both = settled([adjust, relabel]).items[CANDIDATE_ID]
    assert both.existence > 0.98
    assert both.posterior < 0.9


def test_an_answer_that_was_edited_counts_as_it_is_now_and_one_that_was_taken_back_does_not() -> None:
    first = make_annotation(1, answer_number=7)
    edited = reject(2, answer_number=7, annotator_id=first.annotator_id)
    assert settled([edited, first]).items[CANDIDATE_ID].outcome == NO_GESTURE
    gone = replace(edited, annotation_id="a-gone", deleted=True, answered_ns=edited.answered_ns + 1)
    nothing = settled([first, edited, gone]).items[CANDIDATE_ID]
    assert (nothing.outcome, nothing.answer_count, nothing.posterior, nothing.span) == ("", 0, 0.0, None)
    second = make_annotation(3, answer_number=8, annotator_id=first.annotator_id)
    assert settled([second, first, edited, gone]).items[CANDIDATE_ID].outcome == NECK


def test_an_answer_whose_author_is_in_doubt_does_not_count() -> None:
    forged = [make_annotation(n, flag="sent by another account") for n in (2, 3, 4)]
    assert settled([reject(1), *forged]).items[CANDIDATE_ID].outcome == NO_GESTURE
    assert settled([reject(1), *forged]).items[CANDIDATE_ID].answer_count == 1


def test_unsure_is_no_opinion_but_an_answer_that_was_given() -> None:
    unsure = make_annotation(2, verdict=Verdict.UNSURE, class_id=None)
    item = settled([make_annotation(1), unsure]).items[CANDIDATE_ID]
    assert (item.answer_count, item.unsure_count, item.verdict_answers, item.verdict_unsure) == (1, 1, 2, 1)


def test_the_questions_about_a_candidate_add_up_and_the_overlap_counts_its_own_alone() -> None:
    expert = reject(9, candidate_id=CandidateId("x1"), kind=QuestionKind.EXPERT, about=CANDIDATE_ID)
    answers = [make_annotation(1), window(2, (2.1, 3.4, NECK), question=BLIND_ID), expert]
    item = settled(answers).items[CANDIDATE_ID]
    assert (item.answer_count, item.verdict_answers, item.outcome) == (3, 1, NECK)
    assert settled(answers).of(make_task(candidate_id=BLIND_ID, about=CANDIDATE_ID)) == item
    decided = settled(answers, experts=[expert.annotator_id]).items[CANDIDATE_ID]
    assert (decided.outcome, decided.posterior, decided.expert_answered) == (NO_GESTURE, 1.0, True)
    assert decided.agreement == pytest.approx(1 / 3)


def test_a_blind_answer_counts_by_the_mark_that_is_the_candidate() -> None:
    beside = window(1, (4.0, 5.0, ARMS), (2.1, 3.4, NECK), question=BLIND_ID)
    result = settled([beside, window(2, (2.0, 3.3, NECK), question=BLIND_ID)])
    assert result.items[CANDIDATE_ID].outcome == NECK
    (other,) = (item for item_id, item in result.items.items() if item_id != CANDIDATE_ID)
    assert [(o.annotator_id[-1], o.outcome) for o in other.opinions] == [("1", ARMS), ("2", NO_GESTURE)]
    elsewhere = settled([window(1, (3.3, 5.0, NECK), question=BLIND_ID)])
    assert elsewhere.items[CANDIDATE_ID].outcome == NO_GESTURE


def groups(answers: Iterable[Annotation]) -> list[list[str]]:
    """Return who drew what together, of an audit window."""
    items = items_of(answers, tasks=[AUDIT_TASK], experts=frozenset(), taxonomy=IMIGUE)
    said = ([f"{o.annotator_id[-1]} {o.outcome}" for o in i.opinions if o.outcome != NO_GESTURE] for i in items)
    return sorted(said)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([(1, 2, NECK)], [(1.4, 2.4, NECK)], [[f"1 {NECK}", f"2 {NECK}"]]),  # IoU 0.43
        ([(1, 2, NECK)], [(1.6, 2.6, NECK)], [[f"1 {NECK}"], [f"2 {NECK}"]]),  # 0.25
        ([(1, 2, NECK)], [(1.1, 2, OTHER)], [[f"1 {NECK}", f"2 {OTHER}"]]),  # 0.9: one gesture, its class in dispute
        ([(1, 2, NECK)], [(1.4, 2.4, OTHER)], [[f"1 {NECK}"], [f"2 {OTHER}"]]),
        ([(1, 2, NECK), (1, 2, ARMS)], [(1, 2, ARMS)], [[f"1 {ARMS}", f"2 {ARMS}"], [f"1 {NECK}"]]),
        ([(1, 2, None)], [(1, 2, None)], [[f"1 {UNCLASSIFIED}", f"2 {UNCLASSIFIED}"]]),
        ([(1, 2, NECK), (2.1, 3, NECK)], [(1, 3, NECK)], [[f"1 {NECK}", f"2 {NECK}"], [f"1 {NECK}"]]),
    ],
    ids=["same class", "too far apart", "class in dispute", "two gestures", "at once", "unclassified", "one or two"],
)
def test_marks_of_several_people_are_grouped_by_what_they_show(
    first: list[Any], second: list[Any], expected: list[list[str]]
) -> None:
    answers = [window(1, *first), window(2, *second)]
    assert groups(answers) == groups(reversed(answers)) == sorted(expected)


def test_who_saw_the_window_and_drew_nothing_there_says_that_nothing_is_there() -> None:
    answers = [window(1, (1, 2, NECK)), window(2), window(3, (5, 6, ARMS))]
    items = settled(answers, tasks=[AUDIT_TASK]).items.values()
    assert [(item.answer_count, item.agreement) for item in items] == [(3, pytest.approx(2 / 3))] * 2
    agreed = settled([window(n, (1, 2, NECK)) for n in (1, 2, 3)], tasks=[AUDIT_TASK])
    (item,) = agreed.items.values()
    assert (item.outcome, item.span) == (NECK, make_span(1, 2))
    assert item.posterior > 0.95


def test_a_gesture_that_people_drew_keeps_its_id_when_others_draw_it_too() -> None:
    (alone,) = settled([window(1, (1, 2, NECK))], tasks=[AUDIT_TASK]).items
    (together,) = settled([window(2, (1.1, 2, NECK)), window(1, (1, 2, NECK))], tasks=[AUDIT_TASK]).items
    assert alone == together
    assert alone.startswith("m")


def known_item(number: int, *, exists: bool) -> tuple[CandidateId, KnownAnswer]:
    question_id = CandidateId(f"c-known{number}")
    truth = KnownAnswer(
        question_id=question_id,
        variant="exact" if exists else "negative",
        exists=exists,
        class_id=NECK if exists else None,
        span=make_span(),
        source="study",
    )
    return question_id, truth


def test_hidden_known_items_teach_skills_and_are_no_candidates() -> None:
    known = [known_item(number, exists=number % 2 == 0) for number in range(20)]
    answers = []
    for number, (question_id, truth) in enumerate(known):
        asked = {"candidate_id": question_id, "kind": QuestionKind.KNOWN}
        careless, good = f"r{1:020d}", f"r{2:020d}"
        answers.append(make_annotation(100 + number, annotator_id=careless, **asked))
        right = make_annotation if truth.exists else reject
        answers.append(right(200 + number, annotator_id=good, **asked))
    answers += [make_annotation(1), reject(2)]
    result = settled(answers, known=[truth for _, truth in known])
    assert list(result.items) == [CANDIDATE_ID]
    careless, good = (result.skills[f"r{n:020d}"] for n in (1, 2))
    assert careless.refuses < 0.5 < good.refuses
    assert careless.weight < 0.4 < good.weight
    assert (good.answer_count, good.known_count) == (21, 20)
    assert result.items[CANDIDATE_ID].outcome == NO_GESTURE
    assert result.items[CANDIDATE_ID].posterior > 0.75
    lost = settled(answers, known=[])
    assert list(lost.items) == [CANDIDATE_ID]
    assert lost.skills[f"r{1:020d}"].known_count == 0


def test_a_class_that_left_the_taxonomy_stops_the_run() -> None:
    with pytest.raises(ConfigError, match="no class 'gone'"):
        settled([make_annotation(1, class_id="gone")])


def opinion(number: int, span: TimeSpan, *, moved: bool = True) -> Opinion:
    return Opinion(
        item_id=CANDIDATE_ID,
        annotator_id=f"r{number}",
        outcome=NECK,
        proposed=NECK,
        span=span,
        moved=moved,
        expert=False,
        answer=make_annotation(number),
    )


def skill(annotator_id: str, *, refuses: float) -> Skill:
    return Skill(
        annotator_id=annotator_id, sees=1.0, refuses=refuses, keeps=1.0, finds=1.0, answer_count=9, known_count=0
    )


def test_edges_are_weighted_medians_that_one_answer_far_off_does_not_move() -> None:
    given_spans = [make_span(2.0, 3.0), make_span(2.04, 3.04), make_span(0.0, 9.0)]
    assert consensus_span([opinion(n, span) for n, span in enumerate(given_spans)], skills={}) == make_span(2.0, 3.04)


def test_edges_weigh_as_much_as_who_gave_them_and_less_where_nobody_touched_them() -> None:
    careless, good = opinion(0, make_span(1, 2)), opinion(1, make_span(1.2, 2.2))
    skills = {"r0": skill("r0", refuses=0.1), "r1": skill("r1", refuses=0.9)}
    assert consensus_span([careless, replace(careless, answer=make_annotation(5)), good], skills=skills) == good.span
    left = opinion(3, make_span(1, 2), moved=False)
    assert consensus_span([left, good], skills={}) == good.span
    assert consensus_span([left, left, left, good], skills={}) == left.span


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50), st.booleans(), st.floats(0, 1)), min_size=1, max_size=8)
)
def test_edges_are_never_reversed_and_always_somebodys(rows: list[tuple[int, int, bool, float]]) -> None:
    opinions = [
        opinion(number, TimeSpan(start_ns=start, end_ns=start + length), moved=moved)
        for number, (start, length, moved, _) in enumerate(rows)
    ]
    skills = {f"r{number}": skill(f"r{number}", refuses=row[3]) for number, row in enumerate(rows)}
    span = consensus_span(opinions, skills=skills)
    assert span.start_ns in {one.span.start_ns for one in opinions}
    assert span.end_ns in {one.span.end_ns for one in opinions}
    assert span == consensus_span(opinions[::-1], skills=skills)


@given(st.lists(annotations(), max_size=15), st.data())
@settings(max_examples=60)
def test_the_order_and_repetition_of_rows_change_nothing(rows: list[Annotation], data: st.DataObject) -> None:
    tasks = [make_task(candidate_id=CandidateId(f"c{n}"), task_number=n) for n in range(3)]
    shuffled = data.draw(st.permutations(rows + rows[:3]))
    assert settled(rows, tasks=tasks) == settled(shuffled, tasks=data.draw(st.permutations(tasks)))


def test_simulated_truth_comes_back_and_the_careless_are_found_out() -> None:
    random = np.random.default_rng(5)
    crew = make_crew(8, careless=1, accepting=1, random=random)
    classes = [gesture.class_id for gesture in IMIGUE]
    shares = {class_id: 1 / (rank + 1) for rank, class_id in enumerate(classes)}
    campaign = make_campaign(300, taxonomy=IMIGUE, class_shares=shares, random=random, known_count=15)
    answers = [
        answer(crew[who], task, campaign.truths[task.candidate_id], number=8 * n + who, classes=classes, random=random)
        for n, task in enumerate(campaign.tasks)
        for who in random.permutation(8)[: 4 if task.kind is QuestionKind.VERDICT else 8].tolist()
    ]
    result = settled(answers, tasks=campaign.tasks, known=campaign.known)
    truths = {i: campaign.truths[i] for i in result.items}
    right = [
        item.outcome == (truths[i].class_id if truths[i].exists else NO_GESTURE) for i, item in result.items.items()
    ]
    assert np.mean(right) > 0.85
    sure = [is_right for is_right, item in zip(right, result.items.values(), strict=True) if item.posterior > 0.95]
    assert np.mean(sure) > 0.95
    assert len(sure) > 150
    ranked = sorted(result.skills.values(), key=lambda one: one.weight)
    assert {one.annotator_id for one in ranked[:2]} == {one.annotator_id for one in crew[-2:]}
