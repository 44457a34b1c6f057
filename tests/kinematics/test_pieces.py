from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kinematics.pieces import best_pieces

COLUMNS = "ab"


def cut(letters, *, shortest_s=3.0, most=3, cost_s=0.5):
    """Cut frames of one second that each speak for one label ("-" for none)."""
    shares = np.array([[float(letter == column) for column in COLUMNS] for letter in letters])
    found = best_pieces(shares, np.arange(len(letters) + 1.0), shortest_s=shortest_s, most=most, cost_s=cost_s)
    return [(letters[first:end], COLUMNS[label]) for (first, end), label in found]


def test_a_change_that_stays_is_cut_where_it_happens():
    assert cut("aaaabbbb") == [("aaaa", "a"), ("bbbb", "b")]
    assert cut("aaaabbbbaaa") == [("aaaa", "a"), ("bbbb", "b"), ("aaa", "a")]


def test_what_flickers_or_is_too_short_is_not_cut():
    assert cut("aaabaabaaa") == [("aaabaabaaa", "a")]
    assert cut("aaaaab") == [("aaaaab", "a")]
    assert cut("aaaabbaaaa") == [("aaaabbaaaa", "a")]
    assert cut("ab") == [("ab", "a")]


def test_frames_that_say_nothing_neither_make_nor_hinder_a_piece():
    assert [label for _, label in cut("aaaa----aaaa")] == ["a"]
    assert [label for _, label in cut("aaaa----bbbb")] == ["a", "b"]


def test_more_changes_than_pieces_leave_the_best_few():
    found = cut("aaaabbbbbbaaaaaabbb")
    assert found == [("aaaa", "a"), ("bbbbbb", "b"), ("aaaaaabbb", "a")]
    assert len(cut("aaaabbbb", most=1)) == 1


def worth(pieces, shares, cost_s):
    return sum(shares[first:end, label].sum() for (first, end), label in pieces) - cost_s * (len(pieces) - 1)


def best_by_trying(shares, edges_s, shortest_s, most, cost_s):
    """Try every way to cut into three pieces at most."""
    count = shares.shape[0]
    cuts = [[0, count]] + [[0, k, count] for k in range(1, count)]
    cuts += [[0, j, k, count] for j in range(1, count) for k in range(j + 1, count)]
    values = []
    for places in cuts:
        runs = list(pairwise(places))
        if len(runs) == 1 or all(edges_s[end] - edges_s[first] >= shortest_s - 1e-6 for first, end in runs):
            labels = [int(shares[first:end].sum(axis=0).argmax()) for first, end in runs]
            if len(runs) <= most:
                values.append(worth(list(zip(runs, labels, strict=True)), shares, cost_s))
    return max(values)


@settings(deadline=None)
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 14),
    shortest_s=st.sampled_from([0.1, 0.3, 0.6]),
    most=st.integers(1, 3),
    cost_s=st.sampled_from([0.01, 0.1]),
)
def test_no_other_way_to_cut_is_better(seed, count, shortest_s, most, cost_s):
    rng = np.random.default_rng(seed)
    lasting_s = rng.uniform(0.02, 0.3, count)
    edges_s = np.append(0.0, np.cumsum(lasting_s))
    shares = rng.dirichlet([0.3] * 3, count) * lasting_s[:, None]
    found = best_pieces(shares, edges_s, shortest_s=shortest_s, most=most, cost_s=cost_s)
    assert [first for (first, _), _ in found] == [0, *(end for (_, end), _ in found[:-1])]
    assert found[-1][0][1] == count
    assert len(found) <= most
    if len(found) > 1:
        assert all(edges_s[end] - edges_s[first] >= shortest_s - 1e-6 for (first, end), _ in found)
    assert np.isclose(worth(found, shares, cost_s), best_by_trying(shares, edges_s, shortest_s, most, cost_s))
