"""How far parts of the body move, and how much of that is the estimator's own trembling."""

import numpy as np

from kinematics.windows import Floats, medians_of_rows, slow_medians, window_means

MAD_TO_SIGMA = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""
SECOND_DIFFERENCE_GAIN = 1.5
"""``x[t] - (x[t-1] + x[t+1]) / 2`` of independent noise has 1.5 times its variance."""
JITTER_BLOCK_S = 8.0
"""Jitter is measured locally: light, distance and sharpness change within a video."""


def jitter_floor(positions: Floats, times_s: Floats) -> Floats:
    """Return the standard deviation of frame-to-frame noise of one part, shape ``(n,)``, in the positions' unit.

    The median absolute second difference over time, pooled over the part's points and axes: smooth movement cancels
    in it, and movement in fewer than half of the frames does not change a median.

    Args:
        positions: shape ``(n, p, d)`` with d 2 or 3, NaN where unseen.
        times_s: frame times, shape ``(n,)``.
    """
    if positions.shape[0] < 3:
        return np.zeros(positions.shape[0])
    rough = np.abs(positions[1:-1] - (positions[:-2] + positions[2:]) / 2)
    rough = rough.reshape(rough.shape[0], -1)
    seen = np.isfinite(rough)
    middle = np.full(positions.shape[0], np.nan)
    rows = np.flatnonzero(seen.any(axis=1))
    if rows.shape[0]:
        middle[rows + 1] = medians_of_rows(rough[rows])
    slow = slow_medians(middle, times_s, block_s=JITTER_BLOCK_S)
    return np.asarray(np.nan_to_num(slow) * MAD_TO_SIGMA / np.sqrt(SECOND_DIFFERENCE_GAIN))


def displacements(positions: Floats, times_s: Floats, *, over_s: float, smooth_s: float) -> tuple[Floats, Floats]:
    """Return how far a part moves around each frame, and how far noise of standard deviation 1 would seem to.

    The mean over ``smooth_s`` half of ``over_s`` after the frame, less that before it; the median over the part's
    points, so that one stray point moves nothing. Windows with fewer than half of the usual frames say nothing: an
    estimator that has just found a person is still settling.

    Args:
        positions: shape ``(n, p, d)`` with d 2 or 3, NaN where unseen.
        times_s: frame times, shape ``(n,)``.
        over_s: time between the two means, seconds.
        smooth_s: length of each mean's window, seconds.

    Returns:
        Distances in the positions' unit and noise gains, both of shape ``(n,)``; distance 0 where too little is seen.
    """
    half = smooth_s / 2
    late, late_count = window_means(positions, times_s, from_s=over_s / 2 - half, to_s=over_s / 2 + half)
    early, early_count = window_means(positions, times_s, from_s=-over_s / 2 - half, to_s=-over_s / 2 + half)
    fewest = np.minimum(late_count, early_count)
    usual = np.median(fewest[fewest > 0]) if (fewest > 0).any() else 1.0
    step = np.where(fewest >= usual / 2, late - early, np.nan)
    far = np.hypot.reduce(step, axis=-1)
    seen = np.isfinite(far).any(axis=1)
    distance = np.zeros(far.shape[0])
    distance[seen] = medians_of_rows(far[seen])
    return distance, np.sqrt(2.0 / np.maximum(fewest[..., 0].max(axis=1, initial=0.0), 1.0))


def speeds(positions: Floats, times_s: Floats, *, over_s: float = 0.2) -> Floats:
    """Return the speed of one part in the positions' unit a second, shape ``(n,)``; 0 where too little is seen."""
    return displacements(positions, times_s, over_s=over_s, smooth_s=over_s / 2)[0] / over_s
