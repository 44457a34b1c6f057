"""Runs of frames in which something holds: hysteresis, bridged gaps, shortest length."""

from enum import IntEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from kinematics.windows import Bools, Times, frame_ends_ns
from schema.timespan import NS_PER_SECOND, TimeSpan

Run = tuple[int, int]
"""First frame and one past the last frame, as rows of the sequence."""


class State(IntEnum):
    """What one frame says about a contact."""

    AWAY = -1
    UNKNOWN = 0
    """Nothing is seen that could tell."""
    NEAR = 1
    """Close enough to keep a contact going."""
    TOUCHING = 2
    """Close enough to begin one."""


States = npt.NDArray[np.int8]


def runs_of(mask: Bools) -> list[Run]:
    """Return the maximal runs of true frames, in order."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False].astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def span_of_run(run: Run, times_ns: Times, ends_ns: Times) -> TimeSpan:
    """Return the time during which the frames of a run are shown; ``ends_ns`` are the ``frame_ends_ns`` of them all."""
    first, end = run
    return TimeSpan(start_ns=int(times_ns[first]), end_ns=int(ends_ns[end - 1]))


def run_seconds(run: Run, times_ns: Times, ends_ns: Times) -> float:
    """Return the length of a run in seconds."""
    return float(ends_ns[run[1] - 1] - times_ns[run[0]]) / NS_PER_SECOND


def close_gaps(mask: Bools, times_ns: Times, ends_ns: Times, *, longest_s: float, among: Bools | None = None) -> Bools:
    """Set the false frames between two true ones where they last ``longest_s`` at most.

    With ``among`` only gaps whose every frame it holds are closed.
    """
    closed = mask.copy()
    true_runs = runs_of(mask)
    for (_, first), (end, _) in pairwise(true_runs):
        short = (times_ns[end] - ends_ns[first - 1]) / NS_PER_SECOND <= longest_s
        if short and (among is None or among[first:end].all()):
            closed[first:end] = True
    return closed


def find_runs(
    states: States, times_ns: Times, *, shortest_s: float, bridge_s: float, unknown_bridge_s: float
) -> list[Run]:
    """Return the runs of a contact: it begins where it touches, goes on while it is near.

    Args:
        states: ``State`` values, shape ``(n,)``.
        times_ns: frame times, shape ``(n,)``.
        shortest_s: shorter runs are left out.
        bridge_s: gaps up to this long between two runs are bridged whatever is seen in them.
        unknown_bridge_s: gaps up to this long are bridged when nothing in them says that the contact ended.
    """
    ends_ns = frame_ends_ns(times_ns)
    near = states >= State.NEAR
    near = close_gaps(near, times_ns, ends_ns, longest_s=unknown_bridge_s, among=states != State.AWAY)
    holding = np.zeros(near.shape, dtype=np.bool_)
    for first, end in runs_of(near):
        holding[first:end] = bool((states[first:end] == State.TOUCHING).any())
    holding = close_gaps(holding, times_ns, ends_ns, longest_s=bridge_s)
    return [run for run in runs_of(holding) if run_seconds(run, times_ns, ends_ns) >= shortest_s - 1e-6]
