from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kinematics.runs import State, find_runs, runs_of, span_of_run
from kinematics.windows import frame_ends_ns

STEP_NS = 100_000_000


def runs(letters, **changes):
    states = np.array([{"-": -1, "?": 0, "n": 1, "T": 2}[letter] for letter in letters], dtype=np.int8)
    times = np.arange(len(letters), dtype=np.int64) * STEP_NS
    limits = {"shortest_s": 0.3, "bridge_s": 0.2, "unknown_bridge_s": 0.5} | changes
    return find_runs(states, times, **limits)


def test_a_contact_begins_where_it_touches_and_goes_on_while_it_is_near():
    assert runs("--nTTTnn--") == [(2, 8)]


def test_being_near_without_touching_is_no_contact():
    assert runs("--nnnnnn--") == []


def test_a_short_contact_is_left_out():
    assert runs("---TT----") == []


def test_a_short_gap_is_bridged_and_a_long_one_is_not():
    assert runs("TTT--TTT") == [(0, 8)]
    assert runs("TTT---TTT") == [(0, 3), (6, 9)]


def test_a_gap_in_which_nothing_is_seen_is_bridged_for_longer():
    assert runs("TTT?????TTT") == [(0, 11)]
    assert runs("TTT??-??TTT") == [(0, 3), (8, 11)]


def test_what_is_unseen_at_the_ends_belongs_to_no_contact():
    assert runs("????TTT????") == [(4, 7)]


@given(st.lists(st.sampled_from([-1, 0, 1, 2]), min_size=1, max_size=60))
def test_runs_are_ordered_apart_and_each_touches(states):
    array = np.array(states, dtype=np.int8)
    times = np.arange(len(states), dtype=np.int64) * STEP_NS
    found = find_runs(array, times, shortest_s=0.1, bridge_s=0.2, unknown_bridge_s=0.3)
    assert all(first < end for first, end in found)
    assert all(before[1] < after[0] for before, after in pairwise(found))
    for first, end in found:
        assert (array[first:end] == State.TOUCHING).any()
        assert array[first] >= State.NEAR
        assert array[end - 1] >= State.NEAR
        span = span_of_run((first, end), times, frame_ends_ns(times))
        assert span.start_ns == times[first]
        assert span.end_ns > times[end - 1]


def test_runs_of_a_mask():
    assert runs_of(np.array([True, False, True, True])) == [(0, 1), (2, 4)]
    assert runs_of(np.zeros(3, dtype=np.bool_)) == []
