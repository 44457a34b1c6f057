"""What a seed model says of a sequence."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schema.timespan import TimeSpan

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judgement:
    """What a model thinks of a span that somebody else proposed."""

    probability: float
    """Calibrated, 0..1: that there is a gesture in it at all."""
    class_probabilities: Mapping[str, float]
    """Calibrated, 0..1, of each class that the model tells apart; several may hold at once."""
    group_probabilities: Mapping[str, float]
    """The same of the body-part groups."""
    embedding: Vector
    """The encoder's features of the span, shape ``(width,)``: near for what looks alike."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detection:
    """A span in which a model sees a gesture."""

    span: TimeSpan
    class_id: str | None
    """None: an unclassified movement of the group (no class reaches the floor, or has enough examples)."""
    group: str
    """Body-part group."""
    score: float
    """Calibrated, 0..1: that a gesture of this class (of this group, where there is none) is there."""
    embedding: Vector
    """Shape ``(width,)``."""
