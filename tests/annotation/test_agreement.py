"""Agreement: the figures of published worked examples and of the library, and which answers they are made from."""

from dataclasses import replace

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annotation.answers.opinions import UNCLASSIFIED
from annotation.reporting.agreement import Agreement, measure_agreement, said_instead
from annotation.reporting.agreement_tallies import GRID_NS, alpha_of, binary_tallies, f1_of, nominal_tallies, tally
from annotation.reporting.judgements import Compared, compared_questions, standing_judgements, week_of
from annotation.reporting.resampling import Estimate, Resampling, share_interval, share_of
from schema.questions import Mark, QuestionKind
from schema.records import Annotation, CandidateId, Verdict
from schema.taxonomy import load_taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan
from tests.factories import ARMS, NECK, make_anchor, make_annotation, make_span

TAXONOMY = load_taxonomy("imigue32")
CLASSES = [gesture.class_id for gesture in TAXONOMY]
TURTLE = "turtle_neck"
WEEK_NS = 7 * 24 * 3600 * NS_PER_SECOND


def window_answer(
    person: str, question: str, seen: list[tuple[str | None, int, int]], *, frames: int = 1, second: int = 0
) -> Annotation:
    """What a person drew in an audit window of some frames: class, first frame, one past the last."""
    marks = tuple(
        Mark(class_id=class_id, span=frame_span(first, end), first_frame=first, end_frame=end)
        for class_id, first, end in seen
    )
    return make_annotation(
        annotation_id=f"{question}{person}",
        candidate_id=CandidateId(f"w{question}"),
        annotator_id=f"r{person}",
        anchor=make_anchor(span=frame_span(0, frames)),
        kind=QuestionKind.AUDIT,
        verdict=Verdict.MARKED if marks else Verdict.NOTHING,
        class_id=None,
        marks=marks,
        answered_ns=(1_700_000_000 + second) * NS_PER_SECOND,
    )


def frame_span(first: int, end: int) -> TimeSpan:
    return TimeSpan(start_ns=first * GRID_NS, end_ns=end * GRID_NS)


def verdict(person: int, question: int = 0, **changes: object) -> Annotation:
    """A person's answer to a candidate, accept unless said otherwise; later people answer later."""
    given = make_annotation(
        100 * question + person, candidate_id=CandidateId(f"c{question:020d}"), annotator_id=f"r{person:020d}"
    )
    return replace(given, **changes)


def compared(answers: list[Annotation], *, answers_each: int = 9) -> list[Compared]:
    judgements = standing_judgements(answers, taxonomy=TAXONOMY)
    return compared_questions(judgements, answers_each=answers_each, context_seconds=1)


def agreement(answers: list[Annotation], *, answers_each: int = 9) -> Agreement:
    return measure_agreement(compared(answers, answers_each=answers_each), taxonomy=TAXONOMY)


def value(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.value


def interval(estimate: Estimate | None) -> tuple[float, float]:
    assert estimate is not None
    assert None not in (estimate.low, estimate.high)
    return estimate.low, estimate.high


def coded(rows: list[str]) -> list[Annotation]:
    """Values that observers gave to units, as marks that fill windows of one frame; a dot is a missing value."""
    return [
        window_answer(str(person), f"{unit:03d}", [(CLASSES[int(value)], 0, 1)] if value != "0" else [])
        for person, row in enumerate(rows)
        for unit, value in enumerate(row.split())
        if value != "."
    ]


def test_alpha_is_that_of_krippendorffs_example_with_many_observers_and_missing_values():
    """Krippendorff, "Computing Krippendorff's Alpha-Reliability" (2011), section C: nominal alpha is 0.743."""
    rows = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    assert value(agreement(coded(rows)).overall.alpha) == pytest.approx(0.743, abs=0.0005)


def test_alpha_of_a_class_is_that_of_krippendorffs_binary_example():
    """The same paper, section A: two observers, ten units, alpha is 0.095."""
    rows = ["0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"]
    (row,) = agreement(coded(rows)).by_class
    assert (row.name, round(value(row.alpha), 3)) == (CLASSES[1], 0.095)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_alpha_is_the_librarys_on_random_spans(seed: int):
    random = np.random.default_rng(seed)
    people, frames = int(random.integers(2, 5)), 40
    answers, values = [], []
    for question in range(3):
        grid = np.zeros((people, frames), dtype=np.int64)
        for person in range(people):
            first, end = sorted(random.choice(frames + 1, size=2, replace=False).tolist())
            number = int(random.integers(1, 4))
            seen = [(CLASSES[number], first, end)] if random.random() < 0.8 else []
            grid[person, first:end] = number if seen else 0
            answers.append(window_answer(str(person), f"{question}", seen, frames=frames))
        values.append(grid)
    together = np.concatenate(values, axis=1)
    counts = np.stack([(together == value).sum(axis=0) for value in range(4)], axis=1)
    frames_of = tally(compared(answers)).frames
    if (counts.sum(axis=0) > 0).sum() < 2:
        assert np.isnan(alpha_of(nominal_tallies(frames_of).sum(axis=0, keepdims=True)))
        return
    expected = krippendorff.alpha(value_counts=counts, level_of_measurement="nominal")
    assert alpha_of(nominal_tallies(frames_of).sum(axis=0, keepdims=True))[0] == pytest.approx(expected)
    one = np.stack([counts[:, 1], counts.sum(axis=1) - counts[:, 1]], axis=1)
    if one.sum(axis=0).min() > 0:
        expected = krippendorff.alpha(value_counts=one, level_of_measurement="nominal")
        found = binary_tallies(frames_of, frozenset({CLASSES[1]})).sum(axis=0, keepdims=True)
        assert alpha_of(found)[0] == pytest.approx(expected)


def test_two_classes_at_once_are_neither_of_the_two():
    both = window_answer("a", "1", [(NECK, 0, 2), (ARMS, 0, 2)], frames=4)
    one = window_answer("b", "1", [(NECK, 0, 2)], frames=4)
    (frames,) = tally(compared([both, one])).frames
    assert frames.labels == {("no gesture",): 4, (ARMS, NECK): 2, (NECK,): 2}
    assert frames.agreeing == 4


def test_f1_counts_spans_that_lie_on_each_other_within_a_class():
    """By hand: A sees neck 0-10 and arms 20-30, B neck 1-10, neck 40-50 and arms 27-37: one match of five spans."""
    first = window_answer("a", "1", [(NECK, 0, 10), (ARMS, 20, 30)], frames=60)
    second = window_answer("b", "1", [(NECK, 1, 10), (NECK, 40, 50), (ARMS, 27, 37)], frames=60)
    found = agreement([first, second])
    assert (value(found.overall.f1), found.overall.span_count) == (2 / 5, 5)
    by_class = {row.name: row for row in found.by_class}
    assert value(by_class[NECK].f1) == 2 / 3
    assert value(by_class[ARMS].f1) == 0
    assert value(by_class[NECK].onset_ms) == 40
    assert value(by_class[NECK].offset_ms) == 0
    assert by_class[ARMS].onset_ms is None


def test_edges_that_a_person_moved_are_that_persons():
    moved = verdict(2, verdict=Verdict.ADJUST, answered_span=make_span(2.1, 3.2))
    row = agreement([verdict(1), moved]).overall
    assert value(row.onset_ms) == pytest.approx(100)
    assert value(row.offset_ms) == pytest.approx(300)


def test_answers_that_were_asked_for_because_others_disagreed_do_not_count():
    answers = [verdict(1), verdict(2), *(verdict(n, verdict=Verdict.REJECT, class_id=None) for n in (3, 4, 5))]
    first = agreement(answers, answers_each=2).overall
    assert value(first.same) == 1
    everyone = agreement(answers, answers_each=5).overall
    assert value(everyone.same) == pytest.approx(4 / 10)


@pytest.mark.parametrize("kind", [QuestionKind.KNOWN, QuestionKind.EXPERT])
def test_questions_that_were_made_to_divide_people_do_not_count(kind: QuestionKind):
    assert compared([verdict(1, kind=kind), verdict(2, kind=kind)]) == []


@pytest.mark.parametrize(
    "left",
    [
        {"verdict": Verdict.UNSURE, "class_id": None},
        {"deleted": True},
        {"flag": "changed by another account"},
        {"scripted": True},
        {"taxonomy": "smg17"},
    ],
    ids=str,
)
def test_answers_that_say_nothing_do_not_count(left: dict[str, object]):
    assert len(compared([verdict(1), verdict(2), verdict(3, question=1)])) == 1
    assert compared([verdict(1), verdict(2, **left), verdict(3, question=1)]) == []


def test_scripts_count_while_there_is_nobody_else():
    assert len(compared([verdict(1, scripted=True), verdict(2, scripted=True)])) == 1


def test_an_edited_answer_counts_as_it_is_now_and_as_early_as_it_was():
    first = verdict(1, answer_number=7, lead_time_ns=9)
    edited = replace(
        first, annotation_id="a9", verdict=Verdict.REJECT, class_id=None, answered_ns=first.answered_ns + WEEK_NS,
        lead_time_ns=5,
    )  # fmt: skip
    (judgement,) = standing_judgements([edited, first], taxonomy=TAXONOMY)
    assert (judgement.outcome, judgement.first_answered_ns, judgement.spent_ns) == (
        "no gesture",
        first.answered_ns,
        9,
    )
    taken_back = replace(edited, annotation_id="b0", deleted=True, answered_ns=edited.answered_ns + 1)
    assert standing_judgements([first, taken_back, edited], taxonomy=TAXONOMY) == []


def test_figures_are_split_by_page_group_person_and_week():
    later = [
        verdict(n, question=1, answered_ns=verdict(n).answered_ns + WEEK_NS, verdict=v, class_id=c)
        for n, v, c in ((1, Verdict.RELABEL, TURTLE), (3, Verdict.REJECT, None))
    ]
    windows = [window_answer("x", "1", []), window_answer("y", "1", [])]
    found = agreement([verdict(1), verdict(2), *later, *windows])
    assert [(row.name, row.question_count) for row in found.by_page] == [
        ("with a suggestion", 2),
        ("without a suggestion", 1),
    ]
    assert [(row.name, value(row.f1)) for row in found.by_week] == [("2023-W46", 1.0), ("2023-W47", 0.0)]
    groups = {TAXONOMY.by_id(class_id).group: value for class_id, value in ((NECK, 1.0), (TURTLE, 0.0))}
    assert {row.name: value(row.f1) for row in found.by_group} == groups
    people = {row.name[-1]: row.f1.value if row.f1 else None for row in found.by_annotator}
    assert people == {"1": 2 / 3, "2": 1.0, "3": 0.0, "x": None, "y": None}


def test_confusion_tells_who_saw_what_instead():
    swapped = [
        verdict(n, question=q, verdict=Verdict.RELABEL, class_id=ARMS) if n == 2 else verdict(n, question=q)
        for q in range(3)
        for n in (1, 2)
    ]
    rejected = [verdict(1, question=5), verdict(2, question=5, verdict=Verdict.REJECT, class_id=None)]
    confusion = agreement([*swapped, *rejected]).confusion
    assert confusion.outcomes == (ARMS, "no gesture", NECK)
    assert confusion.counts == ((0, 0, 3), (0, 0, 1), (3, 1, 0))
    assert confusion.pairs()[0] == (ARMS, NECK, 3, 7)


def test_slips_are_told_against_what_was_settled():
    answers = [verdict(1), verdict(2, verdict=Verdict.REJECT, class_id=None), verdict(1, question=1)]
    hidden = verdict(2, question=2, kind=QuestionKind.KNOWN, about="c" + "0" * 20)
    judgements = standing_judgements([*answers, hidden], taxonomy=TAXONOMY)
    found = said_instead(judgements, {"c" + "0" * 20: NECK})
    assert {who[-1]: dict(counts) for who, counts in found.items()} == {
        "1": {(NECK, NECK): 1},
        "2": {(NECK, "no gesture"): 1},
    }


def test_movements_without_a_class_are_a_row_of_their_own():
    answers = [verdict(n, proposed_class_id=None, class_id=None) for n in (1, 2)]
    (row,) = agreement(answers).by_class
    assert (row.name, value(row.f1)) == (UNCLASSIFIED, 1.0)


def test_nothing_compared_is_no_figure():
    found = agreement([verdict(1)])
    assert (found.overall.f1, found.overall.alpha, found.overall.question_count) == (None, None, 0)
    assert found.by_class == ()


def test_the_order_of_the_answers_does_not_matter():
    random = np.random.default_rng(3)
    outcomes = [(Verdict.ACCEPT, NECK), (Verdict.REJECT, None), (Verdict.RELABEL, ARMS)]
    answers = [
        verdict(person, question=q, verdict=v, class_id=c)
        for q in range(12)
        for person, (v, c) in enumerate(outcomes[int(i)] for i in random.integers(3, size=3))
    ]
    shuffled = [answers[int(i)] for i in random.permutation(len(answers))]
    assert agreement(answers) == agreement(shuffled)


def test_intervals_cover_the_truth_as_often_as_they_say():
    """F1 of accepts that are matched with probability 0.7, by question: 95 % of the intervals hold it, give or take."""
    random = np.random.default_rng(11)
    covered = 0
    for seed in range(200):
        matched = random.random(60) < 0.7
        tallies = np.stack([matched, np.full(60, 2.0)], axis=1)
        found = Resampling(question_count=60, replicates=400, seed=seed).of_sums(range(60), tallies, f1_of)
        low, high = interval(found)
        covered += low <= 0.7 <= high
    assert 0.9 <= covered / 200 <= 0.985


def test_a_question_with_many_pairs_is_drawn_as_one():
    """Ten pairs of one question move together: the interval is as wide as that of one pair a question."""
    single = np.array([[n % 2, 1] for n in range(20)], dtype=float)
    questions = list(range(20))
    draw = Resampling(question_count=20)
    once = draw.of_sums(questions, single, share_of)
    tenfold = draw.of_sums([q for q in questions for _ in range(10)], np.repeat(single, 10, axis=0), share_of)
    assert once == tenfold


def test_too_few_questions_have_no_interval():
    draw = Resampling(question_count=4)
    found = draw.of_sums(range(4), np.array([[1.0, 1.0]] * 4), share_of)
    assert found == Estimate(value=1.0)
    assert draw.of_median([], []) is None


def test_medians_and_their_intervals():
    draw = Resampling(question_count=101)
    found = draw.of_median(range(101), [float(n) for n in range(101)])
    assert value(found) == 50
    # Binomial ranks of the median of 101: 40.5 and 60.5 (Conover 1980, 3.2).
    assert interval(found) == (pytest.approx(40, abs=2), pytest.approx(60, abs=2))


@pytest.mark.parametrize(("count", "whole"), [(0, 5), (3, 10), (10, 10), (81, 263)])
def test_shares_have_wilsons_interval(count: int, whole: int):
    from scipy.stats import binomtest

    expected = binomtest(count, whole).proportion_ci(method="wilson")
    assert interval(share_interval(count, whole)) == (
        pytest.approx(expected.low, abs=1e-6),
        pytest.approx(expected.high, abs=1e-6),
    )
    assert share_interval(0, 0) is None


def test_weeks_are_iso_weeks():
    assert week_of(1_704_067_200 * NS_PER_SECOND) == "2024-W01"
    assert week_of((1_704_067_200 - 1) * NS_PER_SECOND) == "2023-W52"
