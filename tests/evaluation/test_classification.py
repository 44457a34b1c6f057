"""Scores of classification: by hand, and what must hold of any answers."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.classification import accuracy_interval, classification_score, top_k_accuracy
from schema.errors import UsageError

TRUTH = ["nod", "nod", "nod", "wave", "wave", "shrug"]
TOLD = ["nod", "nod", "wave", "wave", "wave", "blink"]
LABELS = st.sampled_from(["a", "b", "c", "d"])


def test_rows_are_what_is_there_and_columns_what_was_told():
    score = classification_score(TRUTH, TOLD)
    assert score.classes == ("blink", "nod", "shrug", "wave")
    assert score.confusion.tolist() == [[0, 0, 0, 0], [0, 2, 0, 1], [1, 0, 0, 0], [0, 0, 0, 2]]
    assert score.accuracy == pytest.approx(4 / 6)


def test_each_class_has_its_recall_precision_and_f1():
    score = classification_score(TRUTH, TOLD)
    nod, wave, shrug, blink = (score.by_class[name] for name in ("nod", "wave", "shrug", "blink"))
    assert (nod.count, nod.recall, nod.precision, nod.f1) == (3, pytest.approx(2 / 3), 1, pytest.approx(0.8))
    assert (wave.recall, wave.precision, wave.f1) == (1, pytest.approx(2 / 3), pytest.approx(0.8))
    assert (shrug.recall, shrug.f1, isnan(shrug.precision)) == (0, 0, True)
    assert (blink.count, blink.precision, blink.f1, isnan(blink.recall)) == (0, 0, 0, True)
    assert score.macro_f1 == pytest.approx(0.4)
    assert score.balanced_accuracy == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_the_best_k_hold_the_class_and_ties_go_to_the_earlier():
    scores = np.array([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [0.1, 0.2, 0.7]])
    found = [top_k_accuracy(["a", "b", "b"], scores, ["a", "b", "c"], k=k) for k in (1, 2, 3)]
    assert found == [pytest.approx(1 / 3), 1, 1]
    assert top_k_accuracy(["z"], scores[:1], ["a", "b", "c"], k=3) == 0


def test_lists_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="2 segments, and 1"):
        classification_score(["a", "b"], ["a"])
    with pytest.raises(UsageError, match=r"\(1, 2\), got \(1, 3\)"):
        top_k_accuracy(["a"], np.zeros((1, 3)), ["a", "b"], k=1)


def test_nothing_told_is_no_number():
    score = classification_score([], [])
    assert all(map(isnan, (score.accuracy, score.macro_f1, score.balanced_accuracy)))


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1), st.randoms())
def test_scores_are_shares_and_order_does_not_matter(pairs, random):
    score = classification_score(*zip(*pairs, strict=True))
    random.shuffle(pairs)
    again = classification_score(*zip(*pairs, strict=True))
    assert (score.confusion == again.confusion).all()
    for value in (score.accuracy, score.macro_f1, score.balanced_accuracy):
        assert 0 <= value <= 1
    assert score.accuracy == pytest.approx(np.mean([a == b for a, b in pairs]))


def test_interval_is_over_people_and_not_over_segments():
    truth, told = ["a"] * 400, ["a"] * 200 + ["b"] * 200
    sequences = [f"v{k // 100}/0" for k in range(400)]
    alike = {f"v{k}/0": "one" for k in range(4)}
    assert accuracy_interval(truth, told, sequences, alike, seed=0).low == 0.5
    unlike = accuracy_interval(truth, told, sequences, {}, seed=0)
    assert (unlike.low, unlike.value, unlike.high) == (0, 0.5, 1)
