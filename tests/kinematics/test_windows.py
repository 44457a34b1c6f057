import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from kinematics.windows import (
    fill_short_gaps,
    frame_ends_ns,
    medians_of_rows,
    seconds_of,
    slow_medians,
    window_means,
)

STEP_NS = 40_000_000


def even_times(count):
    return np.arange(count, dtype=np.int64) * STEP_NS


def test_a_frame_lasts_until_the_next_one_but_not_across_a_hole():
    times = np.array([0, STEP_NS, 2 * STEP_NS, 50 * STEP_NS, 51 * STEP_NS], dtype=np.int64)
    assert frame_ends_ns(times).tolist() == [STEP_NS, 2 * STEP_NS, 6 * STEP_NS, 51 * STEP_NS, 52 * STEP_NS]


def test_a_lone_frame_lasts_one_thirtieth_of_a_second():
    assert frame_ends_ns(np.array([7], dtype=np.int64)).tolist() == [7 + 1_000_000_000 // 30]


def test_slow_medians_follow_a_change_of_size_and_ignore_a_burst_of_nonsense():
    times = seconds_of(even_times(500))
    values = np.where(times < 10, 40.0, 80.0)
    values[100:110] = 900.0
    slow = slow_medians(values, times, block_s=1.5)
    assert slow[100] == pytest.approx(40)
    assert slow[0] == pytest.approx(40)
    assert slow[-1] == pytest.approx(80)


def test_slow_medians_of_nothing_seen_are_unknown():
    assert np.isnan(slow_medians(np.full(5, np.nan), np.arange(5.0), block_s=1.0)).all()


@given(arrays(np.float64, array_shapes(min_dims=2, max_dims=2), elements=st.floats(-9, 9) | st.just(np.nan)))
def test_medians_of_rows_are_those_of_what_is_seen_in_them(values):
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # numpy's, of rows that are all unseen
        expected = np.nanmedian(values, axis=1)
    assert np.array_equal(medians_of_rows(values), expected, equal_nan=True)


def test_short_gaps_are_filled_and_long_ones_are_not():
    times = seconds_of(even_times(100))
    values = np.stack([times, 2 * times], axis=1)
    values[10:20] = np.nan
    values[40:90] = np.nan
    filled = fill_short_gaps(values, times, longest_s=1.0)
    assert filled[10:20] == pytest.approx(np.stack([times, 2 * times], axis=1)[10:20])
    assert np.isnan(filled[45:85]).all()


def test_a_value_holds_for_a_moment_after_it_was_last_seen():
    times = seconds_of(even_times(100))
    values = np.full(100, 3.0)
    values[50:] = np.nan
    filled = fill_short_gaps(values, times, longest_s=1.0)
    assert filled[55] == 3.0
    assert np.isnan(filled[70:]).all()


def test_window_means_skip_what_is_unseen_and_say_how_much_they_saw():
    times = seconds_of(even_times(11))
    values = np.arange(11.0)
    values[5] = np.nan
    means, counts = window_means(values, times, from_s=-0.04, to_s=0.04)
    assert means[5] == pytest.approx(5.0)
    assert counts[5] == 2
    assert means[2] == pytest.approx(2.0)
    assert counts[0] == 2
