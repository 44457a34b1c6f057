"""How far a training has come."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from schema.errors import BadModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainProgress:
    """One report of a running training."""

    stage: str
    """``reading``, ``pre-training``, ``training``, ``fold 2 of 3``."""
    step: int
    """Updates that are done, or sequences that are read, 1 after the first."""
    steps: int
    """How many there are in all."""
    loss: float | None = None
    """Loss of the newest update; what it means differs from stage to stage. None: nothing was learned yet."""

    @property
    def note(self) -> str:
        """What to show beside the bar."""
        return "" if self.loss is None else f"loss {self.loss:.3f}"


Report = Callable[[TrainProgress], None]


def checked(loss: float, *, stage: str, step: int) -> float:
    """Return the loss of an update; raises ``BadModelError`` where it is no number, before anything is saved."""
    if not math.isfinite(loss):
        raise BadModelError(
            f"{stage}: training diverged at update {step + 1}, its loss is {loss}; train with a smaller learning_rate"
        )
    return loss


def report_nothing(progress: TrainProgress) -> None:
    """Take a report and leave it."""
    del progress
