"""Time windows over irregular frames: slow medians, running means, and short gaps filled in."""

import numpy as np
import numpy.typing as npt

from schema.timespan import NS_PER_SECOND

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Times = npt.NDArray[np.int64]

USUAL_STEP_NS = NS_PER_SECOND // 30
"""How long a lone frame is taken to be shown."""


def seconds_of(times_ns: Times) -> Floats:
    """Return frame times in seconds since the first of them, shape ``(n,)``."""
    return np.asarray((times_ns - times_ns[0]) / NS_PER_SECOND, dtype=np.float64)


def frame_ends_ns(times_ns: Times) -> Times:
    """Return when each frame stops being shown, shape ``(n,)``.

    A frame ends where the next one starts, but no later than four usual steps on: across a hole in the track the
    person was not seen. The last frame lasts one usual step (the median).
    """
    if times_ns.shape[0] == 1:
        return times_ns + USUAL_STEP_NS
    steps = np.diff(times_ns)
    usual = max(int(np.median(steps)), 1)
    return np.asarray(times_ns + np.append(np.minimum(steps, 4 * usual), usual), dtype=np.int64)


def slow_medians(values: Floats, times_s: Floats, *, block_s: float) -> Floats:
    """Return the slowly varying median of a measure that may be NaN in places, shape ``(n,)``.

    Medians of blocks of ``block_s`` seconds are smoothed by a median of three and interpolated; a measure that is
    never seen comes back all NaN. Local, so that one half of a track never sets the scale of the other half.
    """
    good = np.isfinite(values)
    if not good.any():
        return np.full(values.shape, np.nan)
    blocks = ((times_s[good] - times_s[0]) // block_s).astype(np.int64)
    starts = np.flatnonzero(np.r_[True, np.diff(blocks) > 0])
    groups = np.split(values[good], starts[1:])
    centres = np.array([float(np.mean(part)) for part in np.split(times_s[good], starts[1:])])
    medians = np.array([float(np.median(part)) for part in groups])
    if medians.shape[0] >= 3:
        padded = np.r_[medians[0], medians, medians[-1]]
        medians = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    return np.asarray(np.interp(times_s, centres, medians))


def fill_short_gaps(values: Floats, times_s: Floats, *, longest_s: float) -> Floats:
    """Interpolate NaN gaps of at most ``longest_s`` seconds along the first axis; longer ones stay NaN.

    Before the first and after the last seen frame the nearest value holds for half of ``longest_s``.
    """
    flat = values.reshape(values.shape[0], -1)
    filled = flat.copy()
    for column in range(flat.shape[1]):
        good = np.flatnonzero(np.isfinite(flat[:, column]))
        if good.shape[0] in {0, flat.shape[0]}:
            continue
        filled[:, column] = np.interp(times_s, times_s[good], flat[good, column])
        after = np.searchsorted(good, np.arange(flat.shape[0]), side="left")
        before_s = times_s[good[np.maximum(np.searchsorted(good, np.arange(flat.shape[0]), side="right") - 1, 0)]]
        after_s = times_s[good[np.minimum(after, good.shape[0] - 1)]]
        inside = (np.arange(flat.shape[0]) > good[0]) & (np.arange(flat.shape[0]) < good[-1])
        far = np.where(inside, after_s - before_s > longest_s, np.abs(times_s - after_s) > longest_s / 2)
        filled[far & ~np.isfinite(flat[:, column]), column] = np.nan
    return filled.reshape(values.shape)


def window_means(values: Floats, times_s: Floats, *, from_s: float, to_s: float) -> tuple[Floats, Floats]:
    """Return the mean of the finite values in ``[t + from_s, t + to_s]`` around each frame, and how many there are.

    Args:
        values: shape ``(n, ...)``, NaN where unseen.
        times_s: increasing, shape ``(n,)``.
        from_s: start of the window relative to the frame, seconds.
        to_s: end of the window (included) relative to the frame, seconds.

    Returns:
        Means and counts, both of the shape of ``values``; NaN and 0 where the window holds no finite value.
    """
    good = np.isfinite(values)
    anchor = np.where(good, values, 0.0).sum(axis=0) / np.maximum(good.sum(axis=0), 1)
    safe = np.where(good, values - anchor, 0.0)
    zero = np.zeros((1, *values.shape[1:]))
    sums = np.concatenate([zero, np.cumsum(safe, axis=0)])
    counts = np.concatenate([zero, np.cumsum(good, axis=0)])
    first = np.searchsorted(times_s, times_s + from_s - 1e-6, side="left")
    end = np.maximum(np.searchsorted(times_s, times_s + to_s + 1e-6, side="right"), first)
    number = counts[end] - counts[first]
    means = np.where(number > 0, (sums[end] - sums[first]) / np.maximum(number, 1), np.nan)
    return means + anchor, number
