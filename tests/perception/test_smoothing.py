"""Smoothing: jitter goes, small movements stay, nothing moves in time, and nothing is made up."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import savgol_filter

from perception.smoothing import SmoothingConfig, smooth_points, smooth_sequences
from schema.errors import ConfigError
from schema.records import PART_SLICES, Part
from tests.factories import make_keypoints

ON = SmoothingConfig(method="savitzky_golay")
FRAME_NS = 40_000_000


def times_at(rate, count):
    return np.rint(np.arange(count) * 1e9 / rate).astype(np.int64)


def column(values):
    """Give one point whose x is ``values``."""
    return np.stack([np.asarray(values, float), np.zeros(len(values))], axis=1)[:, None]


def smoothed(sequence, config=ON):
    (result,) = smooth_sequences([sequence], config=config)
    return result


def test_even_frames_give_what_scipy_gives():
    points = np.random.default_rng(1).normal(size=(60, 3, 2)).cumsum(axis=0)
    ours = smooth_points(points, times_at(25, 60), window_s=0.28, order=2)
    theirs = savgol_filter(points, 7, 2, axis=0, mode="interp")
    np.testing.assert_allclose(ours, np.clip(theirs, points.min(axis=0), points.max(axis=0)), atol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_steady_motion_is_kept_whatever_the_frames_times(seed):
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.integers(28, 45, size=40)).astype(np.int64) * 1_000_000
    seconds = times / 1e9
    points = column(100 + 30 * seconds - 12 * seconds**2)
    np.testing.assert_allclose(smooth_points(points, times, window_s=0.3, order=2), points, atol=1e-7)


def test_a_nod_keeps_its_height_and_its_time_while_jitter_falls():
    times = times_at(25, 100)
    nod = 6 * np.sin(2 * np.pi * 2 * times / 1e9)
    noise = np.random.default_rng(2).normal(scale=0.5, size=100)
    ours = smooth_points(column(nod + noise), times, window_s=0.24, order=2)[:, 0, 0]
    clean = smooth_points(column(nod), times, window_s=0.24, order=2)[:, 0, 0]
    assert np.ptp(clean[10:-10]) > 0.95 * np.ptp(nod)
    assert np.std(ours - clean) < 0.75 * np.std(noise)
    lags = [float(np.dot(clean[10:-10], np.roll(nod, lag)[10:-10])) for lag in (-1, 0, 1)]
    assert lags[1] > max(lags[0], lags[2])


def test_reversed_time_gives_the_reversed_result():
    points = np.random.default_rng(3).normal(size=(30, 2, 2))
    times = times_at(25, 30)
    there = smooth_points(points, times, window_s=0.24, order=2)
    back = smooth_points(points[::-1], times, window_s=0.24, order=2)
    np.testing.assert_allclose(there, back[::-1], atol=1e-9)


def test_nothing_is_smoothed_across_frames_in_which_a_point_is_unseen():
    points = column([0.0] * 10 + [np.nan] * 3 + [50.0] * 10)
    points[10:13] = np.nan
    ours = smooth_points(points, times_at(25, 23), window_s=0.24, order=2)
    np.testing.assert_allclose(ours, points, atol=1e-9)


def test_nothing_is_smoothed_across_a_hole_in_the_track():
    times = np.r_[np.arange(10), np.arange(30, 40)] * FRAME_NS
    points = column([0.0] * 10 + [50.0] * 10)
    np.testing.assert_allclose(smooth_points(points, times, window_s=0.24, order=2), points, atol=1e-9)


def test_a_point_never_leaves_the_range_it_was_seen_in():
    points = column([0.0, 0.0, 0.0, 40.0, 40.0, 40.0, 0.0, 0.0, 0.0])
    ours = smooth_points(points, times_at(25, 9), window_s=0.24, order=2)
    assert ours.min() >= 0
    assert ours.max() <= 40


def test_too_few_frames_for_the_window_are_left_alone():
    points = column(np.random.default_rng(4).normal(size=40))
    assert np.array_equal(smooth_points(points, times_at(10, 40), window_s=0.24, order=2), points)
    short = column([0.0, 5.0, 1.0])
    assert np.array_equal(smooth_points(short, times_at(25, 3), window_s=0.24, order=2), short)
    assert np.array_equal(smooth_points(short[:1], times_at(25, 1), window_s=0.24, order=2), short[:1])


def test_only_positions_change_and_only_those_that_are_seen():
    raw = make_keypoints(frame_count=50, unseen=(Part.LEFT_HAND,))
    result = smoothed(raw)
    for field in fields(raw):
        same = np.array_equal(getattr(raw, field.name), getattr(result, field.name), equal_nan="xy" in field.name)
        assert same == (field.name != "keypoints_xy"), field.name
    assert np.array_equal(np.isnan(raw.keypoints_xy), np.isnan(result.keypoints_xy))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("body_seconds", {Part.BODY}),
        ("feet_seconds", {Part.FEET}),
        ("face_seconds", {Part.FACE}),
        ("hands_seconds", {Part.LEFT_HAND, Part.RIGHT_HAND}),
    ],
)
def test_each_part_has_its_own_window(name, parts):
    raw = make_keypoints(frame_count=40)
    result = smoothed(raw, replace(ON, **{name: 0.0}))
    kept = {
        part
        for part, points in PART_SLICES.items()
        if np.array_equal(raw.keypoints_xy[:, points], result.keypoints_xy[:, points])
    }
    assert kept == parts


def test_nothing_is_done_unless_asked_for():
    raw = make_keypoints(frame_count=20)
    assert smoothed(raw, SmoothingConfig()) is raw


@pytest.mark.parametrize("wrong", [{"order": 0}, {"order": 6}, {"face_seconds": -0.1}, {"hands_seconds": 60.0}])
def test_senseless_settings_are_refused(wrong):
    with pytest.raises(ConfigError, match=f"smoothing.{next(iter(wrong))}"):
        SmoothingConfig(**wrong)
