"""Curves of a campaign: what counts as found, and what a recall costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.loop import (
    CurvePoint,
    Found,
    LoopCurve,
    cost_ratio,
    cost_to_reach,
    measure_found,
    recall_at,
    spread_of,
)
from evaluation.spans import ClaimedSpan, TrueSpan
from schema.timespan import TimeSpan
from tests.evaluation.span_strategies import claims, truths

GROUPS = {"nod": "head", "wave": "arms"}


def true(start: int, end: int, class_id: str = "nod", name: str = "a/0") -> TrueSpan:
    return TrueSpan(sequence_id=name, span=TimeSpan(start_ns=start, end_ns=end), class_id=class_id)


def claim(start: int, end: int, class_id: str | None = "nod", name: str = "a/0") -> ClaimedSpan:
    return ClaimedSpan(sequence_id=name, span=TimeSpan(start_ns=start, end_ns=end), class_id=class_id, score=1.0)


def curve(*steps: tuple[int, int], true_count: int = 10, seconds_each: float = 6.0) -> LoopCurve:
    """A campaign by its (answers, found) pairs."""
    points = tuple(
        CurvePoint(
            round_number=0,
            questions=answers,
            accepted=found,
            answers=answers,
            seconds=answers * seconds_each,
            found=Found(found=found, found_leniently=found, named=found, segments=found, by_group={}),
        )
        for answers, found in steps
    )
    return LoopCurve(strategy="made up", seed=0, true_count=true_count, true_by_group={}, points=points)


def test_a_segment_is_found_by_overlap_whatever_class_was_given_to_it() -> None:
    found = measure_found([true(0, 10), true(20, 30)], [claim(0, 8, "wave"), claim(20, 24)], group_of=GROUPS)
    assert (found.found, found.found_leniently, found.named) == (1, 2, 0)
    assert found.by_group == {"head": 1}


def test_a_segment_verified_twice_is_found_once_and_lowers_the_precision() -> None:
    found = measure_found([true(0, 10)], [claim(0, 10), claim(0, 9)], group_of=GROUPS)
    assert (found.found, found.segments, found.precision) == (1, 2, 0.5)


def test_a_segment_of_another_recording_finds_nothing() -> None:
    assert measure_found([true(0, 10)], [claim(0, 10, name="b/0")], group_of=GROUPS).found == 0


@given(truths(), claims())
def test_no_more_is_found_than_there_is_or_was_claimed_and_leniently_never_less(there, said) -> None:
    found = measure_found(there, said, group_of=GROUPS)
    assert found.found <= found.found_leniently <= min(len(there), len(said))
    assert found.named <= found.found == sum(found.by_group.values())


def test_what_a_recall_costs_lies_between_the_points_by_proportion() -> None:
    campaign = curve((10, 2), (20, 6))
    assert cost_to_reach(campaign, 0.4) == pytest.approx(15)
    assert cost_to_reach(campaign, 0.4, in_minutes=True) == pytest.approx(1.5)
    assert recall_at(campaign, 15) == pytest.approx(0.4)
    assert cost_to_reach(campaign, 0.7) is None
    assert recall_at(campaign, 1000) == pytest.approx(0.6)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 3)), min_size=1, max_size=8), st.floats(0.01, 1.0))
def test_a_reached_recall_costs_what_reaches_it(steps, recall) -> None:
    answers, found, pairs = 0, 0, []
    for more, hits in steps:
        answers, found = answers + more, min(10, found + hits)
        pairs.append((answers, found))
    campaign = curve(*pairs)
    cost = cost_to_reach(campaign, recall)
    if cost is None:
        assert campaign.last_recall < recall
    else:
        assert recall_at(campaign, cost) == pytest.approx(recall)


def test_half_the_answers_are_a_ratio_of_one_half_and_what_is_never_reached_has_none() -> None:
    quick, slow = curve((10, 8)), curve((20, 8))
    assert cost_ratio(quick, slow, 0.8) == pytest.approx(0.5)
    assert cost_ratio(quick, slow, 0.9) is None


def test_one_repetition_has_no_spread() -> None:
    assert (spread_of([3.0]).deviation, spread_of([2.0, 4.0]).mean) == (0.0, 3.0)
