import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.matching import Box, box_iou, match_one_to_one, match_spans
from schema.timespan import TimeSpan
from tests.strategies import boxes, spans

span_lists = st.lists(spans(longest_ns=10**12), max_size=6)


def test_box_iou_of_a_known_pair() -> None:
    assert box_iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)


@pytest.mark.parametrize("other", [(10, 0, 20, 10), (30, 30, 40, 40), (5, 5, 5, 5)])
def test_boxes_that_touch_or_miss_or_have_no_area_share_nothing(other: Box) -> None:
    assert box_iou((0, 0, 10, 10), other) == 0


@given(boxes(), boxes())
def test_box_iou_is_symmetric_and_one_only_for_equal_boxes(first: Box, second: Box) -> None:
    iou = box_iou(first, second)
    assert iou == box_iou(second, first)
    assert 0 <= iou <= 1
    assert (iou == 1) == (first == second)


def test_the_best_sum_wins_over_the_best_single_pair() -> None:
    scores = {("a", "x"): 0.9, ("a", "y"): 0.8, ("b", "x"): 0.8, ("b", "y"): 0.1}
    pairs = match_one_to_one(["a", "b"], ["x", "y"], score=lambda i, j: scores[i, j], at_least=0.5)
    assert pairs == [(0, 1), (1, 0)]


def test_pairs_below_the_threshold_are_never_made() -> None:
    assert match_one_to_one(["a"], ["x"], score=lambda _i, _j: 0.29, at_least=0.3) == []
    assert match_one_to_one(["a"], ["x"], score=lambda _i, _j: 0.3, at_least=0.3) == [(0, 0)]
    assert match_one_to_one(["a"], ["x"], score=lambda _i, _j: 0.0, at_least=0.0) == []


def test_an_empty_list_matches_nothing() -> None:
    assert match_spans([], [TimeSpan(start_ns=0, end_ns=1)], at_least_iou=0.1) == []


@given(span_lists, span_lists)
def test_each_span_is_matched_once_and_well_enough(left: list[TimeSpan], right: list[TimeSpan]) -> None:
    pairs = match_spans(left, right, at_least_iou=0.3)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(left[i].temporal_iou(right[j]) >= 0.3 for i, j in pairs)


@given(span_lists)
def test_a_list_matches_itself_completely(values: list[TimeSpan]) -> None:
    pairs = match_spans(values, values, at_least_iou=0.5)
    assert [values[i] for i, _ in pairs] == values
    assert all(values[i] == values[j] for i, j in pairs)


@given(span_lists, span_lists)
def test_the_total_does_not_depend_on_the_order(left: list[TimeSpan], right: list[TimeSpan]) -> None:
    def total(first: list[TimeSpan], second: list[TimeSpan]) -> float:
        return sum(first[i].temporal_iou(second[j]) for i, j in match_spans(first, second, at_least_iou=0.3))

    assert total(left, right) == pytest.approx(total(left[::-1], right[::-1]))
    assert total(left, right) == pytest.approx(total(right, left))
