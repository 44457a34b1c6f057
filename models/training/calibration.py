"""Logits to probabilities that hold: of what is said with 0.7, seven in ten are so, on people not trained on."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
TO_ALL = 4.0
"""How firmly an output's own temperature and shift are held to those of all outputs together: as much as some dozen
examples say, so that a class of five examples is calibrated as its neighbours are."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """``probability = 1 / (1 + exp(-(logit / temperature + shift)))``, with its own two numbers for each output.

    Temperature scaling (Guo et al., ICML 2017) for outputs that are not exclusive; the shift is ours: training draws
    rare classes more often than they come, and a temperature alone can't take that back.
    """

    temperatures: Floats
    """Shape ``(outputs,)``."""
    shifts: Floats
    """Shape ``(outputs,)``."""

    @classmethod
    def none(cls, outputs: int) -> Self:
        """Leave logits as they are."""
        return cls(temperatures=np.ones(outputs), shifts=np.zeros(outputs))

    def probabilities(self, logits: Floats, outputs: Ints | None = None) -> Floats:
        """Return probabilities; ``outputs`` names the output of each logit, else the last axis goes through them."""
        chosen = slice(None) if outputs is None else outputs
        scaled = logits / self.temperatures[chosen] + self.shifts[chosen]
        return np.asarray(1 / (1 + np.exp(-np.clip(scaled, -60, 60))))


def fit_calibration(logits: Floats, outputs: Ints, truths: npt.NDArray[np.bool_], *, count: int) -> Calibration:
    """Fit temperatures and shifts to what held-out people showed.

    Args:
        logits: one for each claim, shape ``(n,)``.
        outputs: which output claimed it, shape ``(n,)``.
        truths: whether it was so, shape ``(n,)``.
        count: outputs in all; one without a claim gets what all together got.
    """
    if not len(logits):
        return Calibration.none(count)
    together = _fitted(logits, truths, towards=np.zeros(2), firmness=1e-3)
    fitted = np.tile(together, (count, 1))
    for output in np.unique(outputs):
        mine = outputs == output
        fitted[output] = _fitted(logits[mine], truths[mine], towards=together, firmness=TO_ALL)
    return Calibration(temperatures=np.exp(fitted[:, 0]), shifts=fitted[:, 1])


def _fitted(logits: Floats, truths: npt.NDArray[np.bool_], *, towards: Floats, firmness: float) -> Floats:
    """Return the logarithm of a temperature, and a shift: the greatest posterior with normal priors."""

    def cost(numbers: Floats) -> float:
        scaled = logits * np.exp(-numbers[0]) + numbers[1]
        told = np.logaddexp(0, scaled) - truths * scaled
        return float(told.sum() + firmness * np.square(numbers - towards).sum())

    bounds = [(-2.0, 3.0), (-6.0, 6.0)]
    found = minimize(cost, towards.copy(), method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x)
