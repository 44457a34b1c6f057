"""How one part of the body moves: its way, its speed, and how often it goes back and forth, less its own trembling."""

from dataclasses import dataclass
from itertools import pairwise
from math import floor, log, sqrt
from statistics import NormalDist

import numpy as np

from kinematics.movement import MAD_TO_SIGMA, SECOND_DIFFERENCE_GAIN
from kinematics.windows import Floats, window_means

UNKNOWN, STILL, ONCE, BACK_AND_FORTH, REPEATED, IRREGULAR = (
    "unknown", "still", "once", "back_and_forth", "repeated", "irregular",
)  # fmt: skip
FEWEST_SEEN = 0.5
"""A part that is seen in a smaller share of the frames has no speed, no extent and no repetitions."""
FEWEST_FRAMES = 3
LONGEST_GAP_S = 0.5
"""Unseen for longer, a part may have gone back and forth: its repetitions are not told."""
SMOOTH_S = 0.04
"""Positions are means over this long before and after: 3 frames at 25 frames/s, 5 at 60, the frame itself at 10."""
LAG_S = 0.04
"""Speed is the way from this long before a frame to as long after it; at 10 frames/s a frame before and after."""
LONGEST_STEP_S = 0.3
"""Speed across a longer hole in the track is no speed."""
LEAST_SWING = 0.012
"""Shoulder widths, about 5 mm: a labelled nod measures 0.016 (``MotionConfig.least`` in head widths)."""
JITTER_FACTOR = 5.0
"""A swing is at least so many times the part's trembling from frame to frame: the range of a second of noise."""
TELLING_WAY = 0.4
"""The telling swing is the one at which this share of the whole way is made, longest swings first: of a nod that ends
where it began (half a swing, a whole one, half a swing) the whole one."""
TELLING_SHARE = 0.4
"""Turns back by less than this share of the telling swing are part of a swing, not swings of their own."""
LAST_CYCLE = 0.45
"""A cycle counts once this share of it is done: the first and last swing of a span are often cut."""
WAY_BACK = 0.5
"""One swing is a cycle once it is followed by this share of another."""
IRREGULAR_SPREAD = 0.6
"""From this standard deviation of the swings' lengths or times on, as a share of their mean, there is no rhythm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What a part does; what was not seen is None, never 0."""

    word: str = UNKNOWN
    """still, once, back_and_forth, repeated, irregular or unknown."""
    repetitions: int | None = None
    speed: float | None = None
    """Shoulder widths a second."""
    extent: float | None = None
    """Shoulder widths."""
    prominence: float = 0.0
    """Extent in multiples of the smallest swing that counts: tells moving parts apart."""


def trembling(way: Floats) -> float:
    """Return the standard deviation of a part's frame-to-frame noise, NaN where it is seen too little.

    ``MAD_TO_SIGMA / sqrt(SECOND_DIFFERENCE_GAIN)`` times the median absolute second difference of ``way``, shape
    ``(n, 2)``, in whose unit it is; ``kinematics.movement.jitter_floor`` says why.
    """
    rough = np.abs(way[1:-1] - (way[:-2] + way[2:]) / 2)
    known = rough[np.isfinite(rough)]
    if known.shape[0] == 0:
        return float("nan")
    return float(np.median(known)) * MAD_TO_SIGMA / sqrt(SECOND_DIFFERENCE_GAIN)


def measure_movement(way: Floats, times_s: Floats, *, noise: float) -> Movement:
    """Measure what a part does on its way.

    With ``S`` the positions' means over ``SMOOTH_S`` before and after, ``k`` frames each, the noise of ``S`` is
    ``s = noise / sqrt(k)``. From squares of measured lengths the squares of what noise alone would show are taken:

    - extent: diagonal of the box around ``S``, each side less the range of as many normal numbers of deviation ``s``;
    - speed: the greatest ``|S(t + LAG_S) - S(t - LAG_S)| / dt``, less ``s sqrt(2) / dt * sqrt(2 ln n)``, the largest of
      ``n`` Rayleigh numbers;
    - swings: the stretches between turning points along a principal axis (of the two the one with the longer way) that
      are ``max(LEAST_SWING, JITTER_FACTOR * noise)`` long at least. With the telling swing ``w`` (``TELLING_WAY``),
      turns by less than ``TELLING_SHARE * w`` are then joined. With ``q = sum(min(1, swing / w))`` there are
      ``floor(q / 2 + 1 - LAST_CYCLE)`` repetitions, and none where ``q < 1 + WAY_BACK``.

    Args:
        way: The part's place in shoulder widths, shape ``(n, 2)``, NaN where unseen.
        times_s: Frame times, shape ``(n,)``.
        noise: The part's trembling, shoulder widths (``trembling``); NaN: none known.
    """
    seen = np.isfinite(way[:, 0])
    if seen.sum() < FEWEST_FRAMES or seen.mean() < FEWEST_SEEN:
        return Movement()
    noise = noise if np.isfinite(noise) else 0.0
    means, counts = window_means(way, times_s, from_s=-SMOOTH_S, to_s=SMOOTH_S)
    path, seconds = means[seen], times_s[seen]
    still = noise / sqrt(float(np.median(counts[seen, 0])))
    least = max(LEAST_SWING, JITTER_FACTOR * noise)
    extent = _extent(path, still)
    gaps_s = (*np.diff(seconds), seconds[0] - times_s[0], times_s[-1] - seconds[-1])
    word, repetitions = (UNKNOWN, None) if max(gaps_s) > LONGEST_GAP_S else _swings(path, seconds, least)
    return Movement(
        word=word,
        repetitions=repetitions,
        speed=_peak_speed(path, seconds, still),
        extent=extent,
        prominence=extent / least,
    )


def _extent(path: Floats, noise: float) -> float:
    count = path.shape[0]
    normal_range = 2 * NormalDist().inv_cdf((count - 0.375) / (count + 0.25))  # Blom's normal score of the largest
    sides = path.max(axis=0) - path.min(axis=0)
    return float(np.sqrt(np.maximum(sides**2 - (normal_range * noise) ** 2, 0.0).sum()))


def _peak_speed(path: Floats, seconds: Floats, noise: float) -> float | None:
    lag = max(1, round(LAG_S / float(np.median(np.diff(seconds)))))
    if path.shape[0] <= 2 * lag:
        return None
    lasting_s = seconds[2 * lag :] - seconds[: -2 * lag]
    near = lasting_s <= max(LONGEST_STEP_S, 2 * LAG_S)
    if not near.any():
        return None
    step = (path[2 * lag :] - path[: -2 * lag])[near] / lasting_s[near, None]
    peak = float(np.hypot(step[:, 0], step[:, 1]).max())
    of_noise = noise * sqrt(2) / float(np.median(lasting_s[near])) * sqrt(2 * log(max(int(near.sum()), 2)))
    return sqrt(max(peak**2 - of_noise**2, 0.0))


def _swings(path: Floats, seconds: Floats, least: float) -> tuple[str, int]:
    """Return the word and the repetitions of a way that is seen throughout."""
    centred = path - path.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    ways = [centred @ axes[:, 1], centred @ axes[:, 0]]
    turns = [turning_points(values, least) for values in ways]
    travelled = [float(np.abs(np.diff(values[at])).sum()) for values, at in zip(ways, turns, strict=True)]
    chosen = int(travelled[1] > travelled[0])
    values, at = ways[chosen], turns[chosen]
    if len(at) < 2:
        return STILL, 0
    telling = _telling_swing(np.abs(np.diff(values[at])))
    at = turning_points(values, max(least, TELLING_SHARE * telling))
    swings = np.abs(np.diff(values[at]))
    done = float(np.minimum(swings / telling, 1.0).sum())
    repetitions = floor(done / 2 + 1 - LAST_CYCLE) if done >= 1 + WAY_BACK else 0
    if repetitions < 2:
        return (ONCE, BACK_AND_FORTH)[repetitions], repetitions
    if swings.shape[0] < 4:
        return REPEATED, repetitions
    inner, lasting_s = swings[1:-1], np.diff(seconds[at])[1:-1]
    spread = max(float(inner.std() / inner.mean()), float(lasting_s.std() / lasting_s.mean()))
    return (IRREGULAR if spread > IRREGULAR_SPREAD else REPEATED), repetitions


def _telling_swing(swings: Floats) -> float:
    ordered = np.sort(swings)[::-1]
    return float(ordered[int(np.searchsorted(np.cumsum(ordered), TELLING_WAY * ordered.sum()))])


def turning_points(values: Floats, least: float) -> list[int]:
    """Return where values turn, ends included: each stretch between two of them is ``least`` long at least.

    None where nothing goes that far.
    """
    slopes = np.sign(np.diff(values))
    corners = [0, *(np.flatnonzero(slopes[1:] != slopes[:-1]) + 1).tolist(), values.shape[0] - 1]
    turns: list[int] = []
    low = high = extreme = 0
    direction = 0
    for _, at in pairwise(corners):
        value = float(values[at])
        if direction == 0:
            low, high = (at if value < values[low] else low), (at if value > values[high] else high)
            if values[high] - values[low] >= least:
                direction = 1 if high > low else -1
                turns, extreme = [min(low, high)], max(low, high)
        elif direction * (value - values[extreme]) > 0:
            extreme = at
        elif direction * (values[extreme] - value) >= least:
            turns.append(extreme)
            direction, extreme = -direction, at
    return [*turns, extreme] if direction else []
