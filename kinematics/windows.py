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
    counts = np.diff(np.append(starts, blocks.shape[0]))
    centres = np.array([float(np.mean(part)) for part in np.split(times_s[good], starts[1:])])
    ordered = values[good][np.lexsort((values[good], blocks))]
    medians = (ordered[starts + (counts - 1) // 2] + ordered[starts + counts // 2]) / 2
    if medians.shape[0] >= 3:
        padded = np.r_[medians[0], medians, medians[-1]]
        medians = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    return np.asarray(np.interp(times_s, centres, medians))


def medians_of_rows(values: Floats) -> Floats:
    """Return the median of each row without its NaN, shape ``(n,)``; NaN where all are.

    What ``numpy.nanmedian`` returns, which is slow along short rows.
    """
    ordered = np.sort(values, axis=1)  # NaN last
    counts = values.shape[1] - np.isnan(values).sum(axis=1)
    rows = np.arange(values.shape[0])
    return np.asarray((ordered[rows, (counts - 1) // 2] + ordered[rows, counts // 2]) / 2)


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


def window_means(
    values: Floats | npt.NDArray[np.float32], times_s: Floats, *, from_s: float, to_s: float
) -> tuple[Floats, Floats]:
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
    shape = (values.shape[0] + 1, *values.shape[1:])
    sums, counts = np.zeros(shape), np.zeros(shape, np.int32)
    np.subtract(values, anchor, out=sums[1:], where=good)
    np.cumsum(sums, axis=0, out=sums)
    np.cumsum(good, axis=0, out=counts[1:])
    first = np.searchsorted(times_s, times_s + from_s - 1e-6, side="left")
    end = np.maximum(np.searchsorted(times_s, times_s + to_s + 1e-6, side="right"), first)
    number = (counts[end] - counts[first]).astype(np.float64)
    # in place: memory for a long track takes longer to get than the work takes
    means = sums[end]
    means -= sums[first]
    means /= np.maximum(number, 1)
    means += anchor
    means[number == 0] = np.nan
    return means, number
