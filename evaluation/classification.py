"""Classification of cut segments: accuracy, F1, recall and precision of each class, the best k, confusions.

MA-52's paper (arXiv 2403.05234) calls accuracy the micro F1, and averages F1 over the classes for the macro F1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.intervals import LEVEL, ROUNDS, Floats, Integers, Interval, bootstrap, people_of
from schema.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScore:
    """How one class is told; NaN where there is nothing to divide by."""

    count: int
    """Segments that are of it."""
    recall: float
    """Share of them that were told so."""
    precision: float
    """Share of what was told so that is of it."""
    f1: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassificationScore:
    """How segments are told apart."""

    classes: tuple[str, ...]
    """Those that are there or were told, sorted."""
    confusion: Integers
    """Segments by their class (rows) and by what was told (columns), shape ``(k, k)``."""

    @property
    def count(self) -> int:
        """How many segments were told."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of the segments that were told right (micro F1); NaN without a segment."""
        return int(np.trace(self.confusion)) / self.count if self.count else float("nan")

    @property
    def by_class(self) -> dict[str, ClassScore]:
        """The scores of each class, by its id."""
        right = np.diag(self.confusion)
        there, told = self.confusion.sum(axis=1), self.confusion.sum(axis=0)
        recall, precision, f1 = _shares(right, there), _shares(right, told), _shares(2 * right, there + told)
        return {
            class_id: ClassScore(
                count=int(there[k]), recall=float(recall[k]), precision=float(precision[k]), f1=float(f1[k])
            )
            for k, class_id in enumerate(self.classes)
        }

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the classes that are there or were told."""
        return _mean([score.f1 for score in self.by_class.values()])

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the classes that are there: rare ones count as much as frequent ones."""
        return _mean([score.recall for score in self.by_class.values() if score.count])


def _shares(counts: Integers, of: Integers) -> Floats:
    shares: Floats = np.divide(counts, of, out=np.full(len(of), np.nan), where=of > 0)
    return shares


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def classification_score(truth: Sequence[str], told: Sequence[str]) -> ClassificationScore:
    """Compare the classes of segments with what was told of them.

    Raises ``UsageError`` where they are not equally many.
    """
    if len(truth) != len(told):
        raise UsageError(f"{len(truth)} segments, and {len(told)} were told")
    classes = tuple(sorted({*truth, *told}))
    places = {class_id: k for k, class_id in enumerate(classes)}
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(confusion, ([places[one] for one in truth], [places[one] for one in told]), 1)
    return ClassificationScore(classes=classes, confusion=confusion)


def top_k_accuracy(truth: Sequence[str], scores: npt.NDArray[np.floating], classes: Sequence[str], *, k: int) -> float:
    """Return the share of segments whose class is among the k of the greatest scores; NaN without a segment.

    Of equal scores the earlier class comes first. A class that is none of ``classes`` is never among them.

    Args:
        truth: Class of each segment.
        scores: Shape ``(len(truth), len(classes))``.
        classes: Class ids of the columns.
        k: How many count.

    Raises:
        UsageError: The scores have another shape.
    """
    if scores.shape != (len(truth), len(classes)):
        raise UsageError(f"scores must have the shape ({len(truth)}, {len(classes)}), got {scores.shape}")
    if not truth:
        return float("nan")
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    places = {class_id: place for place, class_id in enumerate(classes)}
    return float(np.mean([places.get(one, -1) in row for one, row in zip(truth, best.tolist(), strict=True)]))


def accuracy_interval(
    truth: Sequence[str],
    told: Sequence[str],
    sequence_ids: Sequence[str],
    subject_of: Mapping[str, str | None],
    *,
    seed: int,
    rounds: int = ROUNDS,
    level: float = LEVEL,
) -> Interval:
    """Return the accuracy with its interval over people (``intervals.bootstrap``); ``sequence_ids`` by segment."""
    right = np.array([a == b for a, b in zip(truth, told, strict=True)], np.float64)
    people = people_of(sequence_ids, subject_of, everybody={*sequence_ids, *subject_of})

    def score(drawn: Floats) -> float:
        weights = people.weights(drawn)
        return float(weights @ right / weights.sum()) if weights.sum() else float("nan")

    return bootstrap(score, len(people.names), seed=seed, rounds=rounds, level=level)
