from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.timespan import TimeSpan, ticks_to_ns, united, without
from tests.strategies import spans


@pytest.mark.parametrize(("start_ns", "end_ns"), [(5, 5), (6, 5), (-1, 5)])
def test_empty_reversed_and_negative_spans_are_refused(start_ns: int, end_ns: int) -> None:
    with pytest.raises(ValueError, match="a span needs"):
        TimeSpan(start_ns=start_ns, end_ns=end_ns)


def test_the_end_is_not_in_the_span() -> None:
    span = TimeSpan(start_ns=10, end_ns=20)
    assert [span.contains(t) for t in (9, 10, 19, 20)] == [False, True, True, False]


def test_touching_spans_share_nothing_and_have_no_gap() -> None:
    first, second = TimeSpan(start_ns=0, end_ns=10), TimeSpan(start_ns=10, end_ns=20)
    assert (first.overlap_ns(second), first.gap_ns(second), first.temporal_iou(second)) == (0, 0, 0.0)


def test_iou_of_a_known_pair() -> None:
    assert TimeSpan(start_ns=0, end_ns=10).temporal_iou(TimeSpan(start_ns=5, end_ns=15)) == pytest.approx(1 / 3)


@given(spans(), spans())
def test_overlap_gap_and_hull_add_up(first: TimeSpan, second: TimeSpan) -> None:
    hull = first.hull(second)
    shared, gap = first.overlap_ns(second), first.gap_ns(second)
    assert hull.duration_ns == first.duration_ns + second.duration_ns - shared + gap
    assert shared == 0 or gap == 0


@given(spans(), spans())
def test_iou_is_symmetric_and_one_only_for_equal_spans(first: TimeSpan, second: TimeSpan) -> None:
    iou = first.temporal_iou(second)
    assert iou == second.temporal_iou(first)
    assert 0 <= iou <= 1
    # Two hours are 7.2e12 ns, well within a float's 53 bits: 1.0 can't come of rounding.
    assert (iou == 1) == (first == second)


@given(spans())
def test_the_middle_is_in_the_span(span: TimeSpan) -> None:
    assert span.contains(span.middle_ns)


@given(st.integers(0, 10**12), st.sampled_from([Fraction(1, 90_000), Fraction(1001, 30_000), Fraction(1, 12_800)]))
def test_ticks_are_rounded_down_and_exact(ticks: int, time_base: Fraction) -> None:
    time_ns = ticks_to_ns(ticks, time_base)
    assert 0 <= ticks * time_base * 10**9 - time_ns < 1


def test_ntsc_frames_do_not_drift() -> None:
    assert ticks_to_ns(30_000, Fraction(1001, 30_000)) == 1001 * 10**9


def instants(spans_of: list[TimeSpan]) -> set[int]:
    return {edge + shift for span in spans_of for edge in (span.start_ns, span.end_ns) for shift in (-1, 0, 1)}


@given(st.lists(spans(), max_size=5), st.lists(spans(), max_size=5))
def test_what_is_left_is_covered_and_in_no_hole(covered: list[TimeSpan], holes: list[TimeSpan]) -> None:
    left = without(covered, holes)
    for instant in instants([*covered, *holes]):
        wanted = any(s.contains(instant) for s in covered) and not any(s.contains(instant) for s in holes)
        assert any(s.contains(instant) for s in left) == wanted


@given(st.lists(spans(), max_size=6))
def test_united_spans_are_apart_and_by_time(given_spans: list[TimeSpan]) -> None:
    whole = united(given_spans)
    assert all(first.end_ns < second.start_ns for first, second in pairwise(whole))
    assert without(whole, []) == whole
    assert without(whole, given_spans) == []
