"""Calibration: by hand, and that honest statements score well and dishonest ones badly."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.calibration_scores import (
    brier_score,
    brier_score_interval,
    calibration_error_interval,
    expected_calibration_error,
    reliability_bins,
)
from schema.errors import UsageError

STATEMENTS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def test_bins_of_equal_width_hold_their_upper_edge():
    bins = reliability_bins([0, 0.1, 0.5, 0.55, 1.0], [0, 1, 1, 0, 1], bins=2)
    assert [(b.low, b.high, b.count) for b in bins] == [(0, 0.5, 3), (0.5, 1, 2)]
    assert [b.said for b in bins] == pytest.approx([0.2, 0.775])
    assert [b.true for b in bins] == pytest.approx([2 / 3, 0.5])


def test_bins_of_equal_mass_hold_equally_many_and_keep_equal_statements_together():
    bins = reliability_bins([0.1, 0.2, 0.3, 0.9], [0, 0, 1, 1], bins=2, equal="mass")
    assert [(b.low, b.high, b.count, b.true) for b in bins] == [(0.1, 0.2, 2, 0), (0.3, 0.9, 2, 1)]
    assert [b.count for b in reliability_bins([0.5] * 6, [0, 1] * 3, bins=3, equal="mass")] == [6]


def test_the_error_weighs_bins_by_their_counts():
    said, true = [0.2, 0.2, 0.2, 0.9], [0, 0, 1, 0]
    # |0.2 - 1/3| for three of four, |0.9 - 0| for one
    assert expected_calibration_error(said, true, bins=10) == pytest.approx(0.75 * (1 / 3 - 0.2) + 0.25 * 0.9)
    assert brier_score(said, true) == pytest.approx((2 * 0.04 + 0.64 + 0.81) / 4)


def test_honest_statements_are_calibrated_and_boasts_are_not():
    random = np.random.default_rng(0)
    said = random.random(20_000)
    true = random.random(20_000) < said
    for equal in ("width", "mass"):
        assert expected_calibration_error(said, true, equal=equal) < 0.02
        assert expected_calibration_error(np.sqrt(said), true, equal=equal) == pytest.approx(1 / 6, abs=0.02)
    assert brier_score(said, true) == pytest.approx(1 / 6, abs=0.01)


@given(STATEMENTS, st.integers(1, 20), st.sampled_from(["width", "mass"]))
def test_bins_hold_each_statement_once_and_give_the_error(statements, count, equal):
    said, true = zip(*statements, strict=True)
    bins = reliability_bins(said, true, bins=count, equal=equal)
    assert sum(b.count for b in bins) == len(said)
    assert len(bins) <= count
    error = sum(b.count * abs(b.said - b.true) for b in bins) / len(said)
    assert expected_calibration_error(said, true, bins=count, equal=equal) == pytest.approx(error, abs=1e-9)
    for one in bins:
        assert one.low - 1e-9 <= one.said <= one.high + 1e-9


def test_no_statement_is_no_number():
    assert isnan(expected_calibration_error([], []))
    assert isnan(brier_score([], []))
    assert reliability_bins([], []) == []


def test_what_is_no_probability_is_refused():
    for said, true in (([1.2], [1]), ([0.5], [0.5]), ([0.5, 0.5], [1]), ([float("nan")], [1])):
        with pytest.raises(UsageError):
            brier_score(said, true)
    with pytest.raises(UsageError, match="width, mass"):
        reliability_bins([0.5], [1], equal="count")


def test_intervals_are_over_people():
    said, true = [0.5] * 40, [1, 0] * 20
    sequences = [f"v{k % 2}/0" for k in range(40)]
    error = calibration_error_interval(said, true, sequences, {"v0/0": "a", "v1/0": "b"}, seed=0)
    assert (error.value, error.high) == (0, 0.5), "one of the two alone is always right, the other always wrong"
    together = calibration_error_interval(said, true, sequences, {"v0/0": "a", "v1/0": "a"}, seed=0)
    assert together.high == 0
    brier = brier_score_interval(said, true, sequences, {"v0/0": "a", "v1/0": "b"}, seed=0)
    assert (brier.low, brier.value, brier.high) == (0.25, 0.25, 0.25)
