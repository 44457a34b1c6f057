"""Where one video lies in another, and how fast it plays there: from a few shared moments to the whole overlap."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from collectors.fingerprints import Floats

SLOWEST, FASTEST = 0.93, 1.07
"""Playing speeds that are looked for; 25 frames/s for 24 are 1.042."""
LOCAL_HALF_SAMPLES = 40
"""Half of the time around the shared moments that must agree first: 8 s."""
LEAST_LOCAL_CORRELATION = 0.5
"""Copies reach 0.65 and more around their shared moments, strangers 0.5 in one of some thousand encounters."""
VOTE_SAMPLES = 10
"""Distances in time within 2 s count as one: at 1.05 times the speed they drift by so much in 40 s."""
_TRIED = 3
"""Distances in time that are tried, those with most shared moments first."""
GLANCES = np.array([-1.5, -0.75, 0.0, 0.75, 1.5])
GLANCE_SPEEDS = np.array([0.95, 1.0, 1.05])
LEAST_GLANCE_CORRELATION = 0.35
_FEWEST_SAMPLES = 20
"""An overlap of less than 4 s always agrees somewhere."""
_FLOOR = np.array([0.3, 0.005, 0.005], dtype=np.float32)
"""Squared variation below it, summed over the overlap, is no agreement; energy and the two centres."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Sample ``t`` of the second video shows what the first shows at ``offset + speed * t``."""

    offset: float
    """Samples."""
    speed: float
    """How fast the second plays against the first."""
    correlation: float
    """Agreement of the two motions over the whole overlap, -1..1."""

    def positions(self, count: int) -> npt.NDArray[np.float64]:
        """Return where in the first video the samples ``0 .. count`` of the second lie."""
        return np.asarray(self.offset + self.speed * np.arange(count), dtype=np.float64)


def align(first: Floats, second: Floats, hits: npt.NDArray[np.int32]) -> Alignment | None:
    """Find how the second video lies in the first; None where their motions do not agree around the shared moments.

    Args:
        first: Steady motion of the first video, shape ``(n, 3)``.
        second: The second's.
        hits: Samples of the first and the second that were alike, shape ``(k, 2)``.
    """
    for pivot, at in _guesses(hits):
        # one encounter in hundreds is a copy: most must be dismissed for little
        glance = _best(first, second, pivot, places=at + GLANCES, speeds=GLANCE_SPEEDS, half=LOCAL_HALF_SAMPLES, step=2)
        if glance.correlation < LEAST_GLANCE_CORRELATION:
            continue
        places, speeds = at + np.arange(-3.0, 4.0), np.linspace(SLOWEST, FASTEST, 9)
        local = _best(first, second, pivot, places=places, speeds=speeds, half=LOCAL_HALF_SAMPLES)
        if local.correlation >= LEAST_LOCAL_CORRELATION:
            return _extended(first, second, local)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Guess:
    pivot: int
    at: float
    """Where the second's sample ``pivot`` lies in the first."""
    speed: float
    correlation: float


def _guesses(hits: npt.NDArray[np.int32]) -> Iterator[tuple[int, float]]:
    """Yield pairs of samples that were alike, from the middle of the distances in time at which most were."""
    pool = hits[np.argsort(hits[:, 0] - hits[:, 1], kind="stable")]
    for _ in range(_TRIED):
        if pool.shape[0] == 0:
            return
        distances = pool[:, 0] - pool[:, 1]
        ends = np.searchsorted(distances, distances + VOTE_SAMPLES, side="right")
        begin = int((ends - np.arange(ends.size)).argmax())
        chosen = pool[begin : ends[begin]]
        middle = chosen[np.argsort(chosen[:, 1], kind="stable")[chosen.shape[0] // 2]]
        yield int(middle[1]), float(middle[0])
        pool = np.concatenate([pool[:begin], pool[ends[begin] :]])


def _extended(first: Floats, second: Floats, guess: _Guess) -> Alignment:
    """Widen the time that must agree to the whole overlap, doubling it, while place and speed get finer."""
    longest = max(guess.pivot, second.shape[0] - guess.pivot)
    half = LOCAL_HALF_SAMPLES
    while True:
        finest = 1.0 / half
        speeds = np.clip(guess.speed + finest * np.linspace(-1.5, 1.5, 7), SLOWEST, FASTEST)
        places = guess.at + np.linspace(-1, 1, 5)
        guess = _best(first, second, guess.pivot, places=places, speeds=speeds, half=half)
        if half >= longest:
            break
        half = min(2 * half, longest)
    speeds = np.clip(guess.speed + finest * np.linspace(-0.4, 0.4, 5), SLOWEST, FASTEST)
    places = guess.at + np.linspace(-0.4, 0.4, 5)
    guess = _best(first, second, guess.pivot, places=places, speeds=speeds, half=half)
    return Alignment(offset=guess.at - guess.speed * guess.pivot, speed=guess.speed, correlation=guess.correlation)


def _best(
    first: Floats,
    second: Floats,
    pivot: int,
    *,
    places: npt.NDArray[np.float64],
    speeds: npt.NDArray[np.float64],
    half: int,
    step: int = 1,
) -> _Guess:
    """Try every place with every speed over the time around ``pivot``, all at once, at every ``step``-th sample."""
    low, high = max(0, pivot - half), min(second.shape[0], pivot + half + 1)
    place, speed = (grid.ravel() for grid in np.meshgrid(places, speeds, indexing="ij"))
    positions = place[:, None] + speed[:, None] * np.arange(low - pivot, high - pivot, step)[None]
    inside = (positions >= 0) & (positions <= first.shape[0] - 1)
    below = np.clip(positions.astype(np.int64), 0, max(first.shape[0] - 2, 0))
    share = (positions - below).astype(np.float32)[..., None]
    one = (first[below] * (1 - share) + first[np.minimum(below + 1, first.shape[0] - 1)] * share) * inside[..., None]
    other = second[low:high:step][None] * inside[..., None]
    products = (one * other).sum(axis=1)
    sizes = np.sqrt(((one**2).sum(axis=1) + _FLOOR) * ((other**2).sum(axis=1) + _FLOOR))
    correlations = (products / sizes).mean(axis=1)
    correlations[inside.sum(axis=1) * step < min(_FEWEST_SAMPLES, high - low)] = -1
    chosen = int(correlations.argmax())
    return _Guess(
        pivot=pivot, at=float(place[chosen]), speed=float(speed[chosen]), correlation=float(correlations[chosen])
    )
