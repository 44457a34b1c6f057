"""Whether two aligned videos show the same movements at the same places: the evidence for a copy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collectors.alignment import FASTEST, SLOWEST, Alignment
from collectors.fingerprints import GRID, RATE_HZ, STEPS_PER_GREY_LEVEL, Floats

NOISE_GREY_LEVELS = 0.5
"""Movement of so many grey levels counts half; below it is what encoders make."""
STEADY_SAMPLES = 5
"""Every second counts alike: without it one person entering where another entered is most of the agreement."""
FRAMING_SAMPLES = 200
"""The liveliest samples, by which the framing is found."""
SCALES = (1.0, 0.95, 1 / 0.95, 0.9, 1 / 0.9, 0.85, 1 / 0.85, 0.8, 1 / 0.8)
"""How much of the first picture's width and height the second shows; the steps after it reach to 0.7 and 1.4."""
_STEPS = (0.04, 0.02, 0.01)
_TIME_STEPS = (0.5, 0.2)
_LEAST_GAIN = 1e-3
ROUNDS = 2
"""Time and framing are corrected in turn so many times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """The part of the first picture that the second shows, in parts of the first's width and height."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How well two videos agree where they overlap."""

    score: float
    """Correlation of the movements, every second alike, -1..1."""
    overlap_s: float
    """Time of the second video that lies within the first, s."""
    lively_s: float
    """Part of it in which both move, s: where nothing moves, nothing is known."""
    alignment: Alignment
    """How the second lies in the first, corrected by the pictures."""
    framing: Framing


def compare(first: npt.NDArray[np.int8], second: npt.NDArray[np.int8], alignment: Alignment) -> Likeness | None:
    """Compare the movement pictures of two videos; None where they do not overlap.

    Args:
        first: Movement of the first video, shape ``(n, GRID, GRID)``.
        second: The second's.
        alignment: How the second lies in the first.
    """
    found = _overlap(first, second, alignment)
    if found is None:
        return None
    framing = _framing(*found)
    for _ in range(ROUNDS):
        alignment = _retimed(first, second, alignment, framing)
        one, other = _overlap(first, second, alignment) or found
        framing = _adjusted(framing, _agreement(one, other))
    lively = np.minimum(_sizes(one), _sizes(other)) > NOISE_GREY_LEVELS
    return Likeness(
        score=_score(one, other, framing),
        overlap_s=one.shape[0] / RATE_HZ,
        lively_s=float(np.count_nonzero(lively)) / RATE_HZ,
        alignment=alignment,
        framing=framing,
    )


def _retimed(
    first: npt.NDArray[np.int8], second: npt.NDArray[np.int8], alignment: Alignment, framing: Framing
) -> Alignment:
    """Move and stretch the second video by fractions of a sample as long as the movements agree better."""

    def agreement(tried: Alignment) -> float:
        moved = _overlap(first, second, tried)
        return -1.0 if moved is None else _score(*moved, framing)

    best, score = alignment, agreement(alignment)
    middle, half = second.shape[0] / 2, max(second.shape[0] / 2, 1.0)
    for step in _TIME_STEPS:
        improved = True
        while improved:
            improved = False
            for shift, stretch in ((step, 0.0), (-step, 0.0), (0.0, step / half), (0.0, -step / half)):
                speed = min(max(best.speed + stretch, SLOWEST), FASTEST)
                offset = best.offset + shift - (speed - best.speed) * middle
                tried = Alignment(offset=offset, speed=speed, correlation=best.correlation)
                if (tried_score := agreement(tried)) > score + _LEAST_GAIN:
                    best, score, improved = tried, tried_score, True
    return best


def _overlap(
    first: npt.NDArray[np.int8], second: npt.NDArray[np.int8], alignment: Alignment
) -> tuple[Floats, Floats] | None:
    """Return both movements where they overlap, in grey levels, sample by sample of the second."""
    positions = alignment.positions(second.shape[0])
    inside = np.flatnonzero((positions >= 0) & (positions <= first.shape[0] - 1))
    if inside.size < 2 or first.shape[0] < 2:
        return None
    below = np.minimum(positions[inside].astype(np.int64), first.shape[0] - 2)
    share = (positions[inside] - below).astype(np.float32)[:, None, None]
    one = (first[below] * (1 - share) + first[below + 1] * share) / np.float32(STEPS_PER_GREY_LEVEL)
    other = second[inside] / np.float32(STEPS_PER_GREY_LEVEL)
    return np.asarray(one, dtype=np.float32), np.asarray(other, dtype=np.float32)


def _sizes(movement: Floats) -> Floats:
    """Return the root mean square of each sample within a second, grey levels."""
    from scipy.ndimage import uniform_filter1d

    squares = (movement**2).mean(axis=(1, 2))
    return np.asarray(
        np.sqrt(np.maximum(uniform_filter1d(squares, STEADY_SAMPLES, mode="nearest"), 0)), dtype=np.float32
    )


def _evened(movement: Floats) -> Floats:
    return np.asarray(movement / np.sqrt(_sizes(movement) ** 2 + NOISE_GREY_LEVELS**2)[:, None, None], dtype=np.float32)


def _score(one: Floats, other: Floats, framing: Framing) -> float:
    reframed = _reframed(one, other, framing)
    return -1.0 if reframed is None else _correlation(_evened(reframed[0]), _evened(reframed[1]))


def _correlation(one: Floats, other: Floats) -> float:
    size = float(np.sqrt(np.vdot(one, one) * np.vdot(other, other)))
    return float(np.vdot(one, other)) / size if size > 0 else 0.0


def _reframed(one: Floats, other: Floats, framing: Framing) -> tuple[Floats, Floats] | None:
    """Return both movements at the points of the first that the second covers; None where these are too few."""
    rows, row_inside = _sampling(framing.top, framing.bottom)
    columns, column_inside = _sampling(framing.left, framing.right)
    if min(np.count_nonzero(row_inside), np.count_nonzero(column_inside)) < GRID // 2:
        return None
    seen = np.asarray(rows[row_inside] @ other @ columns[column_inside].T, dtype=np.float32)
    return one[:, row_inside][:, :, column_inside], seen


def _sampling(begin: float, end: float) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return what turns the second's points into the first's along one axis, and which of the first's it covers."""
    places = ((np.arange(GRID) + 0.5) / GRID - begin) / (end - begin) * GRID - 0.5
    inside = (places > -0.25) & (places < GRID - 0.75)
    places = np.clip(places, 0, GRID - 1)
    below = np.minimum(places.astype(np.int64), GRID - 2)
    share = (places - below).astype(np.float32)
    matrix = np.zeros((GRID, GRID), dtype=np.float32)
    matrix[np.arange(GRID), below] = 1 - share
    matrix[np.arange(GRID), below + 1] += share
    return matrix, inside


def _framing(one: Floats, other: Floats) -> Framing:
    """Find which part of the first picture the second shows: a coarse search, then steps of each side."""
    agreement = _agreement(one, other)
    return _adjusted(max(_whole_framings(), key=agreement), agreement)


def _agreement(one: Floats, other: Floats) -> Callable[[Framing], float]:
    """Return what tells how well the liveliest samples agree under a framing."""
    one, other = _evened(one), _evened(other)
    liveliest = np.sort(np.argsort(-(one**2).sum(axis=(1, 2)) - (other**2).sum(axis=(1, 2)))[:FRAMING_SAMPLES])
    one, other = one[liveliest], other[liveliest]

    def agreement(framing: Framing) -> float:
        reframed = _reframed(one, other, framing)
        return -1.0 if reframed is None else _correlation(*reframed)

    return agreement


def _adjusted(framing: Framing, agreement: Callable[[Framing], float]) -> Framing:
    """Move one side of the framing at a time as long as the movements agree better."""
    best, score = framing, agreement(framing)
    for step in _STEPS:
        improved = True
        while improved:
            nearest = max(_steps_from(best, step), key=agreement)
            nearest_score = agreement(nearest)
            improved = nearest_score > score + _LEAST_GAIN
            if improved:
                best, score = nearest, nearest_score
    return best


def _whole_framings() -> Iterator[Framing]:
    for scale in SCALES:
        places = np.linspace(min(0.0, 1 - scale), max(0.0, 1 - scale), 1 if scale == 1 else 5)
        for left in places:
            for top in places:
                yield Framing(left=float(left), top=float(top), right=float(left + scale), bottom=float(top + scale))


def _steps_from(framing: Framing, step: float) -> Iterator[Framing]:
    sides = (framing.left, framing.top, framing.right, framing.bottom)
    for number in range(4):
        for change in (-step, step):
            left, top, right, bottom = (side + change * (at == number) for at, side in enumerate(sides))
            yield Framing(left=left, top=top, right=right, bottom=bottom)
