"""Bootstrap intervals: how far a figure would move if other questions had been asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""Sums of tallies, shape ``(replicates, tallies)``, to one figure a replicate, NaN where there is none."""
FEWEST_QUESTIONS = 5
"""With fewer questions a bootstrap interval is mostly too narrow, so none is given."""
LOST_SHARE = 0.05
"""An interval needs this share of the replicates at most to be without a figure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval; without one where there are too few questions."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """Percentile bootstrap by question (Efron 1979): the answers to one question stay together.

    Every figure of a report uses the same replicates, so that two of its figures move together as they would.
    """

    question_count: int
    replicates: int = 1000
    seed: int = 5

    @cached_property
    def weights(self) -> Floats:
        """How often each replicate draws each question, shape ``(replicates, question_count)``."""
        random = np.random.default_rng(self.seed)
        shares = np.full(self.question_count, 1 / self.question_count)
        return random.multinomial(self.question_count, shares, size=self.replicates).astype(np.float64)

    def of_sums(self, questions: Sequence[int], tallies: Floats, statistic: Statistic) -> Estimate | None:
        """Estimate a figure that depends on sums over questions.

        Args:
            questions: The question (from 0) of each row of ``tallies``.
            tallies: Shape ``(rows, tallies)``.
            statistic: The figure; called with the sums over all rows, and with those of every replicate.

        Returns:
            None where the data give no figure.
        """
        if not questions:
            return None
        value = float(statistic(tallies.sum(axis=0, keepdims=True))[0])
        drawn, where = np.unique(np.asarray(questions), return_inverse=True)
        summed = np.zeros((drawn.size, tallies.shape[1]))
        np.add.at(summed, where, tallies)
        return self._estimate(value, drawn.size, lambda: statistic(self.weights[:, drawn] @ summed))

    def of_median(self, questions: Sequence[int], values: Sequence[float]) -> Estimate | None:
        """Estimate a median over values that come several a question; None where there are none."""
        if not values:
            return None
        order = np.argsort(np.asarray(values), kind="stable")
        ordered = np.asarray(values, dtype=np.float64)[order]
        where = np.asarray(questions)[order]

        def medians() -> Floats:
            reached = np.cumsum(self.weights[:, where], axis=1)
            found = ordered[np.argmax(reached * 2 >= reached[:, -1:], axis=1)]
            return np.where(reached[:, -1] > 0, found, np.nan)

        return self._estimate(float(np.median(ordered)), len(set(questions)), medians)

    def _estimate(self, value: float, question_count: int, replicated: Callable[[], Floats]) -> Estimate | None:
        if not np.isfinite(value):
            return None
        if question_count < FEWEST_QUESTIONS:
            return Estimate(value=value)
        figures = replicated()
        if np.isnan(figures).mean() > LOST_SHARE:
            return Estimate(value=value)
        low, high = np.nanpercentile(figures, [2.5, 97.5])
        return Estimate(value=value, low=float(low), high=float(high))


def share_interval(count: int, whole: int) -> Estimate | None:
    """Estimate a share by Wilson's 95 % score interval (Wilson 1927), which holds for few and for extreme shares."""
    if not whole:
        return None
    z = 1.959964
    share = count / whole
    middle = (share + z * z / (2 * whole)) / (1 + z * z / whole)
    reach = z / (1 + z * z / whole) * float(np.sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole)))
    return Estimate(value=share, low=max(0.0, middle - reach), high=min(1.0, middle + reach))


def share_of(sums: Floats) -> Floats:
    """Return a share from sums of a count and of its whole, shape ``(replicates, 2)``; NaN where there is no whole."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[:, 1] > 0, sums[:, 0] / sums[:, 1], np.nan)
