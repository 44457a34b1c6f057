"""Calibration: do things that are said to be likely so often come true?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from evaluation.intervals import LEVEL, ROUNDS, Floats, Interval, bootstrap, people_of
from schema.errors import UsageError

Binning = Literal["width", "mass"]
BINNINGS = ("width", "mass")
BINS = 15
"""As in Guo et al., ICML 2017 (arXiv 1706.04599)."""
Values = npt.ArrayLike


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Statements of about the same probability: a point of a reliability plot."""

    low: float
    """Least probability in it: the bin's edge (width), or that of a statement (mass)."""
    high: float
    count: int
    said: float
    """Mean probability."""
    true: float
    """Share that came true."""


def reliability_bins(
    probabilities: Values, outcomes: Values, *, bins: int = BINS, equal: Binning = "width"
) -> list[ReliabilityBin]:
    """Group statements by probability; bins without a statement are left out.

    Args:
        probabilities: What was said, 0..1, shape ``(n,)``.
        outcomes: What came true, 0 or 1, shape ``(n,)``.
        bins: How many.
        equal: ``width``: bins are equally wide, ``((k - 1) / bins, k / bins]``, 0 in the first one. ``mass``: they hold
            equally many, as nearly as statements of one probability, which stay together, allow.

    Raises:
        UsageError: Arrays that do not fit each other, values outside 0..1, or an unknown way of binning.
    """
    said, true = _checked(probabilities, outcomes)
    places = _places(said, bins, equal)
    found = []
    for place in np.unique(places):
        own = places == place
        edges = (place / bins, (place + 1) / bins) if equal == "width" else (said[own].min(), said[own].max())
        found.append(
            ReliabilityBin(
                low=float(edges[0]),
                high=float(edges[1]),
                count=int(own.sum()),
                said=float(said[own].mean()),
                true=float(true[own].mean()),
            )
        )
    return found


def expected_calibration_error(
    probabilities: Values, outcomes: Values, *, bins: int = BINS, equal: Binning = "width"
) -> float:
    """Return the mean distance of what was said and what came true, over the bins, weighted by their counts.

    Naeini et al., AAAI 2015; NaN without a statement. Arguments and errors as for ``reliability_bins``.
    """
    said, true = _checked(probabilities, outcomes)
    return _calibration_error(said, true, _places(said, bins, equal), np.ones(len(said)))


def brier_score(probabilities: Values, outcomes: Values) -> float:
    """Return the mean squared distance of what was said and what came true (Brier 1950); NaN without a statement.

    Raises ``UsageError`` for arrays that do not fit each other, or values outside 0..1.
    """
    said, true = _checked(probabilities, outcomes)
    return float(np.mean((said - true) ** 2)) if len(said) else float("nan")


def calibration_error_interval(
    probabilities: Values,
    outcomes: Values,
    sequence_ids: Sequence[str],
    subject_of: Mapping[str, str | None],
    *,
    seed: int,
    bins: int = BINS,
    equal: Binning = "width",
    rounds: int = ROUNDS,
    level: float = LEVEL,
) -> Interval:
    """Return the expected calibration error with its interval over people; ``sequence_ids`` by statement.

    The bins are those of everybody, so that rounds differ by who was drawn alone. The error of few statements is biased
    upwards, and so is the interval.
    """
    said, true = _checked(probabilities, outcomes)
    places = _places(said, bins, equal)
    return _interval(
        lambda weights: _calibration_error(said, true, places, weights),
        sequence_ids, subject_of, seed=seed, rounds=rounds, level=level,
    )  # fmt: skip


def brier_score_interval(
    probabilities: Values,
    outcomes: Values,
    sequence_ids: Sequence[str],
    subject_of: Mapping[str, str | None],
    *,
    seed: int,
    rounds: int = ROUNDS,
    level: float = LEVEL,
) -> Interval:
    """Return the Brier score with its interval over people; ``sequence_ids`` by statement."""
    said, true = _checked(probabilities, outcomes)
    squared = (said - true) ** 2

    def score(weights: Floats) -> float:
        return float(weights @ squared / weights.sum()) if weights.sum() else float("nan")

    return _interval(score, sequence_ids, subject_of, seed=seed, rounds=rounds, level=level)


def _interval(
    score: Callable[[Floats], float],
    sequence_ids: Sequence[str],
    subject_of: Mapping[str, str | None],
    *,
    seed: int,
    rounds: int,
    level: float,
) -> Interval:
    people = people_of(sequence_ids, subject_of, everybody={*sequence_ids, *subject_of})
    return bootstrap(
        lambda drawn: score(people.weights(drawn)), len(people.names), seed=seed, rounds=rounds, level=level
    )


def _calibration_error(said: Floats, true: Floats, places: npt.NDArray[np.intp], weights: Floats) -> float:
    total = float(weights.sum())
    if not total:
        return float("nan")
    apart = np.bincount(places, weights=weights * (said - true))
    return float(np.abs(apart).sum() / total)


def _places(said: Floats, bins: int, equal: Binning) -> npt.NDArray[np.intp]:
    """Return the number of each statement's bin."""
    if equal not in BINNINGS:
        raise UsageError(f"equal: {equal!r} must be one of {', '.join(BINNINGS)}")
    if bins < 1:
        raise UsageError(f"{bins} bins; at least 1 is needed")
    if equal == "width":
        return np.searchsorted(np.arange(1, bins) / bins, said, side="left").astype(np.intp)
    # all of one probability go where the first of them belongs
    ranks = np.searchsorted(np.sort(said), said, side="left")
    return (ranks * bins // max(len(said), 1)).astype(np.intp)


def _checked(probabilities: Values, outcomes: Values) -> tuple[Floats, Floats]:
    said, true = np.asarray(probabilities, np.float64), np.asarray(outcomes, np.float64)
    if said.ndim != 1 or said.shape != true.shape:
        raise UsageError(f"probabilities {said.shape} and outcomes {true.shape} must be two equally long lists")
    if not np.all((said >= 0) & (said <= 1)) or not np.all((true == 0) | (true == 1)):
        raise UsageError("probabilities must lie within 0..1, and outcomes be 0 or 1")
    return said, true
