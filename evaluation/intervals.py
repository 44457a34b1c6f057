"""Intervals: how far a score might be off because it was measured on these people and not on others."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
ROUNDS = 1000
LEVEL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A score, and where it lies when other people of the same kind are drawn."""

    value: float
    """The score of everybody as they are; NaN where there is nothing to count."""
    low: float
    high: float

    def __str__(self) -> str:
        """Write it as a report does."""
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class People:
    """The people behind some rows: those who are drawn again and again."""

    names: tuple[str, ...]
    """Sorted."""
    numbers: Integers
    """For each row the place of its person in ``names``, shape ``(n,)``."""

    def weights(self, drawn: Floats) -> Floats:
        """Return how often each row counts, shape ``(n,)``, where person k was drawn ``drawn[k]`` times."""
        return drawn[self.numbers]


def people_of(sequence_ids: Iterable[str], subject_of: Mapping[str, str | None], *, everybody: Iterable[str]) -> People:
    """Find out whose the rows are; a sequence of an unknown person stands for a person of its own.

    Args:
        sequence_ids: The sequence of each row.
        subject_of: The person of each sequence.
        everybody: All sequences, those without a row too: people without one may be drawn.
    """

    def name(sequence_id: str) -> str:
        subject = subject_of.get(sequence_id)
        return f"person {subject}" if subject is not None else f"sequence {sequence_id}"

    rows = [name(sequence_id) for sequence_id in sequence_ids]
    names = tuple(sorted({*rows, *(name(sequence_id) for sequence_id in everybody)}))
    places = {name: number for number, name in enumerate(names)}
    return People(names=names, numbers=np.array([places[row] for row in rows], np.int64))


def bootstrap(
    score: Callable[[Floats], float], person_count: int, *, seed: int, rounds: int = ROUNDS, level: float = LEVEL
) -> Interval:
    """Draw people with replacement and return the middle ``level`` of the scores (percentile bootstrap, Efron 1979).

    People are drawn, not segments: what one person does is alike, and intervals over segments would be too narrow.

    Args:
        score: Computes the score where person k counts ``weights[k]`` times; NaN where there is nothing to count, and
            such rounds are left out.
        person_count: How many people there are.
        seed: The same seed draws the same people.
        rounds: How often everybody is drawn.
        level: Share of the scores that lies in the interval.
    """
    value = score(np.ones(person_count))
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(person_count, np.full(person_count, 1 / max(person_count, 1)), size=rounds)
    scores = np.array([score(weights) for weights in drawn.astype(np.float64)])
    scores = scores[np.isfinite(scores)]
    if not scores.size:
        return Interval(value=value, low=float("nan"), high=float("nan"))
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value=value, low=float(low), high=float(high))
