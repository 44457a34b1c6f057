from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.records import PART_SLICES, Part
from tests.factories import make_frame_times, make_keypoints, make_span, make_track

IRREGULAR = np.array([0, 40, 41, 100, 1000], dtype=np.int64)


@pytest.mark.parametrize(
    "changes",
    [
        {"times_ns": np.array([1, 2, 3])},
        {"times_ns": np.array([0, 2, 2])},
        {"times_ns": np.array([0, 3, 2])},
        {"times_ns": np.array([0, 2])},
        {"flags": np.zeros(2, dtype=np.uint8)},
        {"end_ns": 80_000_000},
    ],
)
def test_frame_times_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="frame"):
        make_frame_times(3, **changes)


def test_the_frame_on_screen_is_the_last_that_started() -> None:
    times = make_frame_times(5, times_ns=IRREGULAR, end_ns=1040)
    assert [times.frame_at(t) for t in (0, 39, 40, 41, 99, 999, 1000, 5000)] == [0, 0, 1, 2, 2, 3, 4, 4]


@given(st.integers(0, 3), st.integers(1, 5))
def test_frames_and_spans_are_exact_inverses(first: int, count: int) -> None:
    times = make_frame_times(5, times_ns=IRREGULAR, end_ns=1040)
    end = min(first + count, 5)
    assert times.frames_of(times.span_of(first, end)) == (first, end)


def test_a_span_between_two_frame_starts_holds_one_frame() -> None:
    times = make_frame_times(5)
    first, end = times.frames_of(make_span(0.05, 0.06))
    assert (first, end) == (2, 3)


def test_a_track_gives_the_box_of_the_nearest_frame() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10]], dtype=np.float32)
    track = make_track(frame_count=2, boxes_xyxy=boxes)
    assert track.box_at(19_000_000) == (0, 0, 10, 10)
    assert track.box_at(21_000_000) == (5, 0, 15, 10)


@pytest.mark.parametrize(
    "changes",
    [
        {"scores": np.ones(2, dtype=np.float32)},
        {"boxes_xyxy": np.ones((3, 5), dtype=np.float32)},
        {"frame_indices": np.array([0, 1, 1], dtype=np.int32)},
    ],
)
def test_tracks_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="track"):
        make_track(frame_count=3, **changes)


def test_an_empty_track_is_refused() -> None:
    with pytest.raises(ValueError, match="n > 0"):
        make_track(frame_count=0)


@pytest.mark.parametrize("part", Part)
def test_an_unseen_part_has_no_points_and_the_others_keep_theirs(part: Part) -> None:
    sequence = make_keypoints(frame_count=2, unseen=(part,))
    seen = np.asarray(np.isfinite(sequence.keypoints_xy).all(axis=2))
    assert not seen[:, PART_SLICES[part]].any()
    assert seen.sum() == 2 * (133 - len(range(133)[PART_SLICES[part]]))


def test_a_position_without_a_score_is_refused() -> None:
    scores = make_keypoints(frame_count=2).scores.copy()
    scores[1, 7] = 0
    with pytest.raises(ValueError, match="score is above 0"):
        make_keypoints(frame_count=2, scores=scores)


def test_a_score_without_a_position_is_refused() -> None:
    points = make_keypoints(frame_count=2).keypoints_xy.copy()
    points[0, 100, 1] = np.nan
    with pytest.raises(ValueError, match="score is above 0"):
        make_keypoints(frame_count=2, keypoints_xy=points)


def test_points_of_an_unseen_part_are_refused() -> None:
    parts_seen = np.ones((2, 5), dtype=np.bool_)
    parts_seen[1, Part.LEFT_HAND] = False
    with pytest.raises(ValueError, match="LEFT_HAND"):
        make_keypoints(frame_count=2, parts_seen=parts_seen)
