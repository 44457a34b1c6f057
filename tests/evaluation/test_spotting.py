"""F1 and recall of spotting: by hand, against brute force, and what must hold of any claims."""

from itertools import permutations
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.spans import ClaimedSpan, TrueSpan
from evaluation.spotting import (
    f1_at,
    f1_by_class,
    f1_interval,
    in_groups,
    match_claims,
    recall_by_class,
    recall_of,
    unclassed,
)
from schema.errors import UsageError
from schema.timespan import TimeSpan
from tests.evaluation.span_strategies import claims, truths

IOUS = st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.75])
GROUPS = {"nod": "head", "shake": "head", "wave": "hand"}


def true(start, end, class_id="nod", sequence_id="a/0"):
    return TrueSpan(sequence_id=sequence_id, span=TimeSpan(start_ns=start, end_ns=end), class_id=class_id)


def claim(start, end, class_id="nod", *, sequence_id="a/0", score=0.5, group=None):
    span = TimeSpan(start_ns=start, end_ns=end)
    return ClaimedSpan(sequence_id=sequence_id, span=span, class_id=class_id, score=score, group=group)


def perfect(there):
    return [ClaimedSpan(sequence_id=t.sequence_id, span=t.span, class_id=t.class_id, score=0.9) for t in there]


def most_pairs(there, claimed, at_iou):
    """Try every assignment."""
    few, many = sorted((there, claimed), key=len)

    def allowed(one, other):
        same = one.sequence_id == other.sequence_id and one.class_id == other.class_id
        return same and one.span.temporal_iou(other.span) > at_iou

    return max((sum(map(allowed, few, chosen)) for chosen in permutations(many, len(few))), default=0)


def kit_score(there, claimed, at_iou):
    """Go through truths and claims as the starter kit does."""
    found = 0
    for one in there:
        for other in claimed:
            if one.sequence_id != other.sequence_id or one.class_id != other.class_id:
                continue
            (b, e), (b2, e2) = ((s.span.start_ns, s.span.end_ns) for s in (one, other))
            if (min(e, e2) - max(b, b2)) / (max(e, e2) - min(b, b2)) > at_iou:
                found += 1
                break
    precision, recall = found / len(claimed), found / len(there)
    return precision, recall, 2 * precision * recall / (precision + recall + 1e-7)


class TestByHand:
    def test_an_overlap_of_exactly_the_threshold_is_no_match(self):
        there = [true(0, 10)]
        assert f1_at(there, [claim(0, 3)]).found == 0
        assert f1_at(there, [claim(0, 4)]).found == 1
        assert f1_at(there, [claim(0, 3)], matching="starter_kit").found == 0

    def test_a_class_a_sequence_and_a_missing_class_must_not_match(self):
        there = [true(0, 10)]
        wrong = [claim(0, 10, "wave"), claim(0, 10, sequence_id="b/0"), claim(0, 10, None)]
        score = f1_at(there, wrong)
        assert (score.found, score.recall, score.precision, score.f1) == (0, 0, 0, 0)
        assert (score.truth_count, score.claim_count) == (1, 3)

    def test_counts_are_summed_over_sequences_and_classes(self):
        there = [true(0, 10), true(20, 30, "wave"), true(0, 10, sequence_id="b/0")]
        claimed = [claim(0, 9), claim(20, 24, "wave"), claim(50, 60), claim(5, 25, sequence_id="b/0")]
        score = f1_at(there, claimed)
        assert score.found == 2, "IoU 0.9 and 0.4; 0.2 is too little"
        assert score.recall == pytest.approx(2 / 3)
        assert score.precision == pytest.approx(2 / 4)
        assert score.f1 == pytest.approx(4 / 7)

    def test_the_starter_kit_lets_one_claim_find_two_truths(self):
        there, claimed = [true(0, 10), true(10, 20)], [claim(0, 20)]
        strict, kit = f1_at(there, claimed), f1_at(there, claimed, matching="starter_kit")
        assert (strict.found, strict.precision, strict.recall) == (1, 1, 0.5)
        assert (kit.found, kit.precision, kit.recall) == (2, 2, 1)
        assert kit.f1 == pytest.approx(4 / (3 + 1e-7), abs=1e-12)

    def test_two_claims_of_one_truth_are_one_right_and_one_wrong_in_both(self):
        there, claimed = [true(0, 10)], [claim(0, 9), claim(1, 10)]
        assert f1_at(there, claimed).precision == 0.5
        assert f1_at(there, claimed, matching="starter_kit").precision == 0.5

    def test_a_good_pair_does_not_cost_a_second_one(self):
        there = [true(0, 10), true(8, 20)]
        claimed = [claim(0, 13), claim(0, 5)]
        assert match_claims(there, claimed, at_iou=0.2) == [(0, 1), (1, 0)]

    def test_nothing_to_divide_by_is_no_number(self):
        assert isnan(f1_at([], []).f1)
        assert isnan(f1_at([], [claim(0, 1)]).recall)
        assert isnan(f1_at([true(0, 1)], []).precision)
        assert f1_at([true(0, 1)], []).f1 == f1_at([], [claim(0, 1)]).f1 == 0

    def test_an_unknown_matching_and_a_threshold_that_is_none_are_refused(self):
        with pytest.raises(UsageError, match="one_to_one, starter_kit"):
            f1_at([], [], matching="hungarian")
        with pytest.raises(UsageError, match="got 30"):
            f1_at([], [], at_iou=30)


class TestAnyClaims:
    @given(truths(), claims(most=5), IOUS)
    def test_one_to_one_is_the_largest_assignment(self, there, claimed, at_iou):
        assert f1_at(there, claimed, at_iou=at_iou).found == most_pairs(there, claimed, at_iou)

    @given(truths(), claims(), IOUS)
    def test_pairs_use_nothing_twice_and_are_allowed(self, there, claimed, at_iou):
        pairs = match_claims(there, claimed, at_iou=at_iou)
        for side in zip(*pairs, strict=True):
            assert len(set(side)) == len(side)
        for one, other in ((there[a], claimed[b]) for a, b in pairs):
            assert (one.sequence_id, one.class_id) == (other.sequence_id, other.class_id)
            assert one.span.temporal_iou(other.span) > at_iou

    @given(truths().filter(bool), claims().filter(bool), IOUS)
    def test_the_starter_kit_is_what_its_loop_gives_and_never_less(self, there, claimed, at_iou):
        score = f1_at(there, claimed, at_iou=at_iou, matching="starter_kit")
        assert (score.precision, score.recall, score.f1) == pytest.approx(kit_score(there, claimed, at_iou))
        assert score.found >= f1_at(there, claimed, at_iou=at_iou).found
        assert score.recall <= 1

    @given(truths(), claims(), IOUS, st.randoms())
    def test_order_does_not_matter(self, there, claimed, at_iou, random):
        before = [f1_at(there, claimed, at_iou=at_iou, matching=m) for m in ("one_to_one", "starter_kit")]
        random.shuffle(there)
        random.shuffle(claimed)
        assert [f1_at(there, claimed, at_iou=at_iou, matching=m) for m in ("one_to_one", "starter_kit")] == before

    @given(truths().filter(bool), claims().filter(bool), IOUS)
    def test_scores_lie_between_0_and_1(self, there, claimed, at_iou):
        score = f1_at(there, claimed, at_iou=at_iou)
        assert 0 <= score.recall <= 1
        assert 0 <= score.precision <= 1
        assert min(score.recall, score.precision) <= score.f1 <= max(score.recall, score.precision)

    @given(truths().filter(bool), IOUS)
    def test_claiming_what_is_there_scores_1(self, there, at_iou):
        score = f1_at(there, perfect(there), at_iou=at_iou)
        assert score.recall == score.precision == score.f1 == 1

    @given(truths(), claims(), IOUS)
    def test_classes_add_up_to_the_whole(self, there, claimed, at_iou):
        whole = f1_at(there, claimed, at_iou=at_iou)
        parts = f1_by_class(there, claimed, at_iou=at_iou).values()
        assert sum(p.found for p in parts) == whole.found
        assert sum(p.truth_count for p in parts) == whole.truth_count
        assert sum(p.claim_count for p in parts) == sum(c.class_id is not None for c in claimed)

    @given(truths(), claims(), IOUS)
    def test_forgetting_names_finds_as_much_or_more(self, there, claimed, at_iou):
        named = f1_by_class(there, claimed, at_iou=at_iou)
        for class_id, recall in recall_by_class(there, claimed, at_iou=at_iou).items():
            assert named[class_id].found <= recall.found <= recall.truth_count == named[class_id].truth_count

    @given(truths().filter(bool), IOUS)
    def test_claiming_what_is_there_scores_1_without_names_too(self, there, at_iou):
        for renamed in (in_groups(there, perfect(there), GROUPS), unclassed(there, perfect(there))):
            assert f1_at(*renamed, at_iou=at_iou).f1 == 1


def test_recall_without_names_is_told_for_each_class_and_group():
    there = [true(0, 10), true(20, 30, "shake"), true(40, 50, "wave"), true(60, 70, "wave")]
    claimed = [claim(0, 10, "wave"), claim(20, 30, None, group="hand"), claim(40, 50, "wave")]
    by_class = recall_by_class(there, claimed)
    assert {name: score.recall for name, score in by_class.items()} == {"nod": 1, "shake": 1, "wave": 0.5}
    by_group = recall_by_class(there, claimed, group_of=GROUPS)
    assert {name: (score.found, score.truth_count) for name, score in by_group.items()} == {
        "hand": (1, 2),
        "head": (2, 2),
    }


def test_groups_take_the_group_of_a_claim_without_a_class_and_join_doubles():
    there = [true(0, 10), true(20, 30, "wave")]
    claimed = [claim(0, 10, "nod", score=0.3), claim(0, 10, "shake", score=0.7), claim(20, 30, None, group="hand")]
    _, grouped = in_groups(there, claimed, GROUPS)
    assert [(c.class_id, c.score) for c in grouped] == [("head", 0.7), ("hand", 0.5)]
    assert f1_at(*in_groups(there, claimed, GROUPS)).f1 == 1
    with pytest.raises(UsageError, match="'nod' has no body-part group"):
        in_groups(there, claimed, {"wave": "hand"})


class TestInterval:
    there = tuple(true(0, 10, sequence_id=f"v{k}/0") for k in range(12))
    claimed = tuple(claim(0, 10, sequence_id=f"v{k}/0") for k in range(0, 12, 2))

    def test_people_who_are_alike_leave_no_doubt(self):
        subject_of = {f"v{k}/0": f"p{k // 2}" for k in range(12)}
        interval = f1_interval(self.there, self.claimed, subject_of, seed=0, of=recall_of)
        assert (interval.low, interval.value, interval.high) == (0.5, 0.5, 0.5), "each has one found and one missed"

    def test_people_who_differ_leave_much_and_the_seed_says_how_they_are_drawn(self):
        subject_of = {f"v{k}/0": f"p{k % 2}" for k in range(12)}
        interval = f1_interval(self.there, self.claimed, subject_of, seed=0, of=recall_of)
        assert (interval.low, interval.value, interval.high) == (0, 0.5, 1)

    def test_a_sequence_of_nobody_known_is_a_person_and_the_seed_says_who_is_drawn(self):
        there = [true(0, 10, sequence_id=f"v{k}/0") for k in range(40)]
        claimed = [claim(0, 10, sequence_id=f"v{k}/0") for k in range(0, 40, 2)]
        alone = f1_interval(there, claimed, {}, seed=3, of=recall_of)
        assert 0.3 < alone.low < alone.value == 0.5 < alone.high < 0.7, "0.5 +- 2 x 0.079"
        assert alone == f1_interval(there[::-1], claimed[::-1], {}, seed=3, of=recall_of)
        assert f1_interval(there, claimed, {}, seed=3, of=recall_of, rounds=30) != f1_interval(
            there, claimed, {}, seed=4, of=recall_of, rounds=30
        )
