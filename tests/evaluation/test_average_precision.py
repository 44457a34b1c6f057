"""Average precision and average recall: by hand, against a second way to compute them, and what must always hold."""

from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.average_precision import (
    average_precision,
    average_precisions,
    average_recall,
    mean_average_precision_interval,
)
from evaluation.spans import ClaimedSpan, TrueSpan
from schema.errors import UsageError
from schema.timespan import TimeSpan
from tests.evaluation.span_strategies import CLASSES, claims, truths

IOUS = st.sampled_from([0.1, 0.3, 0.5, 1.0])


def true(start, end, class_id="nod", sequence_id="a/0"):
    return TrueSpan(sequence_id=sequence_id, span=TimeSpan(start_ns=start, end_ns=end), class_id=class_id)


def claim(start, end, score, class_id="nod", sequence_id="a/0"):
    span = TimeSpan(start_ns=start, end_ns=end)
    return ClaimedSpan(sequence_id=sequence_id, span=span, class_id=class_id, score=score)


def precision_of_one_class(there, claimed, at_iou):
    """Walk down the ranking as ActivityNet's script does, with lists."""
    free, curve, right = list(there), [], 0
    for number, one in enumerate(sorted(claimed, key=lambda c: (-c.score, c.sequence_id, c.span)), start=1):
        near = [t for t in free if t.sequence_id == one.sequence_id and t.span.temporal_iou(one.span) >= at_iou]
        if near:
            free.remove(max(near, key=lambda t: t.span.temporal_iou(one.span)))
            right += 1
        curve.append((right / len(there), right / number))
    area, before = 0.0, 0.0
    for place, (recall, _) in enumerate(curve):
        area += (recall - before) * max(precision for _, precision in curve[place:])
        before = recall
    return area


def test_precision_is_interpolated_over_the_ranking_of_the_whole_set():
    there = [true(0, 10), true(0, 10, sequence_id="b/0"), true(50, 60)]
    claimed = [
        claim(0, 10, 0.9),
        claim(20, 30, 0.8),
        claim(0, 10, 0.7, sequence_id="b/0"),
        claim(1, 10, 0.6),
    ]
    # recall 1/3 at precision 1, recall 2/3 at 2/3; the third truth is never found
    assert average_precision(there, claimed, at_iou=0.5).by_class == {"nod": pytest.approx((1 + 2 / 3) / 3)}


def test_an_overlap_of_exactly_the_threshold_counts_here():
    assert average_precision([true(0, 10)], [claim(0, 5, 1)], at_iou=0.5).mean == 1


def test_the_better_of_two_truths_is_taken_and_the_other_stays_free():
    there, claimed = [true(0, 10), true(4, 14)], [claim(4, 13, 0.9), claim(0, 9, 0.8)]
    assert average_precision(there, claimed, at_iou=0.3).mean == 1


def test_classes_without_a_truth_are_left_out_and_unclaimed_ones_are_0():
    there, claimed = [true(0, 10), true(0, 10, "wave")], [claim(0, 10, 0.5), claim(0, 10, 0.9, "shrug")]
    found = average_precision(there, claimed, at_iou=0.3)
    assert found.by_class == {"nod": 1, "wave": 0}
    assert found.mean == 0.5
    assert isnan(average_precision([], claimed, at_iou=0.3).mean)


def test_a_threshold_that_is_none_is_refused():
    with pytest.raises(UsageError, match="at most 1, got 50"):
        average_precision([], [], at_iou=50)


@given(truths(), claims(), IOUS)
def test_it_is_what_walking_down_the_ranking_gives(there, claimed, at_iou):
    found = average_precision(there, claimed, at_iou=at_iou).by_class
    assert found.keys() == {t.class_id for t in there}
    for class_id in CLASSES:
        own = [t for t in there if t.class_id == class_id], [c for c in claimed if c.class_id == class_id]
        if own[0]:
            assert found[class_id] == pytest.approx(precision_of_one_class(*own, at_iou))
            assert 0 <= found[class_id] <= 1 + 1e-12


@given(truths(), claims(), IOUS, st.randoms())
def test_order_does_not_matter(there, claimed, at_iou, random):
    before = average_precision(there, claimed, at_iou=at_iou), average_recall(there, claimed, proposals=2)
    random.shuffle(claimed)
    assert (
        average_precision(there, claimed, at_iou=at_iou),
        average_recall(there, claimed, proposals=2),
    ) == before or (isnan(before[1].mean))


@given(truths().filter(bool))
def test_claiming_what_is_there_scores_1(there):
    claimed = [claim(t.span.start_ns, t.span.end_ns, 0.5, t.class_id, t.sequence_id) for t in there]
    assert [found.mean for found in average_precisions(there, claimed).values()] == pytest.approx([1, 1, 1])
    assert average_recall(there, claimed, proposals=len(there)).mean == 1


@given(truths().filter(bool), claims(), st.integers(1, 4))
def test_more_proposals_never_find_less(there, claimed, count):
    few, more = (average_recall(there, claimed, proposals=n) for n in (count, count + 1))
    assert all(few.by_iou[at] <= more.by_iou[at] for at in few.by_iou)
    assert list(few.by_iou.values()) == sorted(few.by_iou.values(), reverse=True)
    assert few.proposal_count <= 2 * count, "there are two sequences"


class TestAverageRecall:
    there = (true(0, 10), true(20, 30, "wave"), true(0, 10, sequence_id="b/0"))
    claimed = (
        claim(0, 10, 0.9, "wave"),
        claim(0, 10, 0.8, "nod"),
        claim(20, 24, 0.7),
        claim(0, 2, 0.6, sequence_id="b/0"),
    )

    def test_names_do_not_matter_and_one_span_takes_one_place(self):
        recall = average_recall(self.there, self.claimed, proposals=2, at_ious=(0.1, 0.3, 0.5))
        assert recall.proposal_count == 3
        assert recall.by_iou == {0.1: pytest.approx(1), 0.3: pytest.approx(2 / 3), 0.5: pytest.approx(1 / 3)}
        assert recall.mean == pytest.approx(2 / 3)

    def test_the_number_may_be_told_a_minute(self):
        minutes = {"a/0": 0.5, "b/0": 2.0}
        recall = average_recall(self.there, self.claimed, proposals=2, minutes_of=minutes, at_ious=(0.1,))
        assert recall.proposal_count == 2
        assert recall.by_iou[0.1] == pytest.approx(2 / 3), "half a minute has one proposal: the better one"
        with pytest.raises(UsageError, match="b/0"):
            average_recall(self.there, self.claimed, proposals=2, minutes_of={"a/0": 1})


def test_interval_of_the_mean_counts_each_drawn_person_as_often_as_drawn():
    there = [true(0, 10, "nod", f"{person}/0") for person in "abcdef"]
    claimed = [claim(0, 10, 0.9, "nod", f"{person}/0") for person in "abc"]
    subject_of = {f"{person}/0": person for person in "abcdef"}
    interval = mean_average_precision_interval(there, claimed, subject_of, at_iou=0.5, seed=0)
    assert interval.value == average_precision(there, claimed, at_iou=0.5).mean == 0.5
    assert 0.05 < interval.low < 0.3
    assert 0.7 < interval.high < 0.95
    assert interval == mean_average_precision_interval(there[::-1], claimed, subject_of, at_iou=0.5, seed=0)
