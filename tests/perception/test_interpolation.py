"""Looking at some frames only: which ones, and that what lies between is told apart and is where it should be."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perception.interpolation import rows_to_look_at
from perception.keypoints import KeypointsConfig, PersonKeypoints, estimate_keypoints
from schema.errors import ConfigError, DamagedTableError
from schema.records import Dropped, KeypointSequence, Part
from tests.perception.test_keypoints import CountingEstimator, Film, seen_person, track_of


def run(tracks, estimator, *, stride, film=None):
    film = film or Film(frame_count=1000)
    config = KeypointsConfig(stride=stride)
    return list(estimate_keypoints(tracks, frames_of=film.frames, estimator=estimator, config=config))


class GlidingEstimator:
    """A person who moves evenly: 3 px to the right and 1 px down a frame; parts are seen as told."""

    config_type = int
    weights_digest = "0"

    def __init__(self, *, hidden=frozenset(), score=lambda frame: 0.9):
        self.hidden, self.score = hidden, score
        self.frames = []

    def estimate(self, frames):
        for boxed in frames:
            k = boxed.frame.frame_index
            self.frames.append(k)
            yield tuple(self.person(k) for _ in boxed.track_numbers)

    def person(self, k):
        plain = seen_person(3.0 * k, k)
        scores = plain.scores * np.float32(self.score(k) / 0.9)
        points = plain.keypoints_xy.copy()
        if k not in self.hidden:
            points[91:112], scores[91:112] = (3.0 * k, k), np.float32(self.score(k))
        seen = np.array([True, False, False, k not in self.hidden, False])
        return PersonKeypoints(keypoints_xy=points, scores=scores, parts_seen=seen)


@given(
    indices=st.sets(st.integers(0, 200), min_size=1).map(sorted),
    stride=st.integers(1, 12),
)
def test_every_frame_lies_between_two_looks_that_are_near_and_on_its_side_of_every_hole(indices, stride):
    track = track_of(0, indices)
    looked = rows_to_look_at(track, stride=stride)
    for row, index in enumerate(indices):
        if looked[row]:
            continue
        before = max(r for r in range(row) if looked[r])
        after = min(r for r in range(row, len(indices)) if looked[r])
        assert indices[after] - indices[before] == after - before <= stride
        assert index % stride
    assert stride > 1 or looked.all()


@pytest.mark.parametrize("stride", [2, 3, 7])
def test_even_movement_is_filled_in_exactly_and_marked(stride):
    estimator = GlidingEstimator()
    (plain,) = run([track_of(0, range(5, 60))], GlidingEstimator(), stride=1)
    (filled,) = run([track_of(0, range(5, 60))], estimator, stride=stride)
    looked = [k for k in range(5, 60) if k % stride == 0 or k in (5, 59)]
    assert estimator.frames == looked
    assert filled.frame_indices.tolist() == list(range(5, 60))
    assert filled.frame_indices[~filled.interpolated].tolist() == looked
    assert not plain.interpolated.any()
    np.testing.assert_allclose(filled.keypoints_xy, plain.keypoints_xy, atol=1e-4)
    assert np.array_equal(filled.times_ns, plain.times_ns)
    assert np.array_equal(filled.parts_seen, plain.parts_seen)


def test_looked_at_frames_are_as_they_were_to_the_last_bit():
    random = np.random.default_rng(4).normal(300, 50, size=(60, 2)).astype(np.float32)

    class Trembling(GlidingEstimator):
        def person(self, k):
            person = super().person(k)
            return replace(person, keypoints_xy=person.keypoints_xy + random[k])

    (plain,) = run([track_of(0, range(60))], Trembling(), stride=1)
    (filled,) = run([track_of(0, range(60))], Trembling(), stride=4)
    looked = ~filled.interpolated
    assert np.array_equal(filled.keypoints_xy[looked], plain.keypoints_xy[looked], equal_nan=True)
    assert np.array_equal(filled.scores[looked], plain.scores[looked])


def test_points_between_are_placed_by_time_not_by_count():
    track = track_of(0, range(0, 4))
    uneven = replace(track, times_ns=np.array([0, 10, 20, 100], np.int64))
    (filled,) = run([uneven], GlidingEstimator(), stride=3)
    assert filled.interpolated.tolist() == [False, True, True, False]
    np.testing.assert_allclose(filled.keypoints_xy[:, 0, 0], [0.0, 0.9, 1.8, 9.0], atol=1e-5)


def test_a_part_is_seen_between_two_looks_only_where_both_saw_it():
    hidden = {20, 21, 22, 23}
    (filled,) = run([track_of(0, range(40))], GlidingEstimator(hidden=hidden), stride=5)
    seen = filled.parts_seen[:, Part.LEFT_HAND]
    assert [k for k in range(40) if not seen[k]] == list(range(16, 25))
    assert np.isfinite(filled.keypoints_xy[:, 0]).all()


def test_scores_between_are_the_lower_of_both():
    (filled,) = run([track_of(0, range(11))], GlidingEstimator(score=lambda k: 0.8 if k % 10 else 0.4), stride=5)
    assert filled.scores[:, 0].round(3).tolist() == pytest.approx([0.4] * 5 + [0.8] + [0.4] * 5)


def test_nothing_is_filled_in_across_a_hole():
    estimator = GlidingEstimator()
    (filled,) = run([track_of(0, [*range(0, 11), *range(50, 58)])], estimator, stride=4)
    assert estimator.frames == [0, 4, 8, 10, 50, 52, 56, 57]
    np.testing.assert_allclose(filled.keypoints_xy[:, 0, 0], 3.0 * filled.frame_indices, atol=1e-4)


def test_people_in_the_picture_together_are_looked_at_together():
    film, estimator = Film(), CountingEstimator()
    sequences = run([track_of(0, range(3, 30)), track_of(1, range(10, 24), x=50)], estimator, stride=4, film=film)
    looked = {s.track_number: s.frame_indices[~s.interpolated].tolist() for s in sequences}
    assert looked == {0: [3, 4, 8, 12, 16, 20, 24, 28, 29], 1: [10, 12, 16, 20, 23]}


def test_a_person_is_judged_by_the_frames_that_were_looked_at():
    """A body seen in one look of ten: interpolation must not make it a body seen in a fifth of the frames."""
    seen = [k for k in range(100) if k < 10]
    (dropped,) = run([track_of(0, range(100))], CountingEstimator(seen=lambda k: k in seen[:1]), stride=5)
    assert isinstance(dropped, Dropped)
    assert "1 of 21" in dropped.detail


def test_a_file_that_lost_a_frame_is_told_with_a_stride_too():
    with pytest.raises(DamagedTableError, match=r"track 0 names frame 8"):
        run([track_of(0, range(5, 12))], CountingEstimator(), stride=4, film=Film(frame_count=8))


@pytest.mark.parametrize("stride", [0, -2])
def test_a_stride_that_looks_at_nothing_is_refused(stride):
    with pytest.raises(ConfigError, match=r"keypoints\.stride"):
        KeypointsConfig(stride=stride)


def test_rows_of_a_table_keep_what_was_interpolated():
    from schema.rows import keypoints_from_rows, keypoints_to_rows

    (filled,) = run([track_of(0, range(20))], GlidingEstimator(), stride=3)
    (back,) = keypoints_from_rows(keypoints_to_rows(filled))
    assert isinstance(filled, KeypointSequence)
    assert np.array_equal(back.interpolated, filled.interpolated)
