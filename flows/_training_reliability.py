"""Whether a seed model's scores hold, and how its claims trade precision for recall; and how it names cut segments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.calibration_scores import calibration_error_interval, reliability_bins
from evaluation.classification import ClassificationScore, accuracy_interval, classification_score
from evaluation.intervals import Interval
from evaluation.spans import ClaimedSpan, TrueSpan
from evaluation.spotting import IOU, blocks
from models.metrics import CalibrationScores, ClassificationScores, Confusion, Curve, Measured, ReliabilityBin
from models.training.cross_validation import CrossValidation

ABOUT = "the scores of detections, right where they lie on a gesture of their class (overlap above 0.3)"
CURVE_POINTS = 100
Bools = npt.NDArray[np.bool_]


def right_claims(truths: Sequence[TrueSpan], claims: Sequence[ClaimedSpan]) -> Bools:
    """Tell which claims are right, shape ``(len(claims),)``.

    By score each claim takes the free gesture of its sequence and class that it lies on best: of several claims of one
    gesture one is right.
    """
    right = np.zeros(len(claims), np.bool_)
    scores = np.array([claim.score for claim in claims])
    for block in blocks(truths, claims):
        free = block.iou.copy()
        for column in np.argsort(-scores[block.claims], kind="stable"):
            best = int(free[:, column].argmax())
            if free[best, column] > IOU:
                right[block.claims[column]] = True
                free[best] = 0
    return right


def calibration_scores(
    truths: Sequence[TrueSpan],
    *,
    before: Sequence[ClaimedSpan],
    after: Sequence[ClaimedSpan],
    subject_of: Mapping[str, str | None],
    seed: int,
) -> CalibrationScores | None:
    """Compare scores without temperatures and with those that were fitted on other people; None without a claim."""
    if not before or not after:
        return None
    errors, bins = [], []
    for claims in (before, after):
        said, true = np.array([claim.score for claim in claims]), right_claims(truths, claims)
        names = [claim.sequence_id for claim in claims]
        errors.append(calibration_error_interval(said, true, names, subject_of, seed=seed))
        bins.append(
            tuple(
                ReliabilityBin(low=b.low, high=b.high, count=b.count, mean_score=b.said, share_right=b.true)
                for b in reliability_bins(said, true)
            )
        )
    return CalibrationScores(
        before=measured(errors[0]),
        after=measured(errors[1]),
        bins_before=bins[0],
        bins_after=bins[1],
        about=ABOUT,
    )


def precision_recall(truths: Sequence[TrueSpan], claims: Sequence[ClaimedSpan]) -> tuple[Curve, ...]:
    """Return the precision at each recall, all classes together, from the surest claim on."""
    if not truths or not claims:
        return ()
    order = np.argsort(-np.array([claim.score for claim in claims]), kind="stable")
    found = np.cumsum(right_claims(truths, claims)[order])
    kept = np.unique(np.linspace(0, len(order) - 1, CURVE_POINTS).round().astype(np.int64))
    recall, precision = found[kept] / len(truths), found[kept] / (kept + 1)
    return (Curve(name=f"overlap {IOU:g}", across=tuple(recall.tolist()), up=tuple(precision.tolist())),)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSegments:
    """Cut segments of held-out people: what they are and what the model of their fold called them."""

    truth: list[str]
    told: list[str]
    sequence_ids: list[str]

    def scored(self) -> ClassificationScore:
        """Compare the two."""
        return classification_score(self.truth, self.told)

    def in_groups(self, group_of: Mapping[str, str]) -> "NamedSegments":
        """Call every class by its body-part group."""
        return NamedSegments(
            truth=[group_of[name] for name in self.truth],
            told=[group_of[name] for name in self.told],
            sequence_ids=self.sequence_ids,
        )


def named_segments(held_out: CrossValidation) -> NamedSegments:
    """Give each true segment the likeliest of the classes that the model tells apart; none where it tells none."""
    named = NamedSegments(truth=[], told=[], sequence_ids=[])
    classes = held_out.vocabulary.classes
    chances = held_out.class_probabilities() if classes else {}
    for one in held_out.held_out if classes else ():
        for gesture, row in zip(one.gestures, chances[one.sequence_id], strict=True):
            named.truth.append(gesture.class_id)
            named.told.append(classes[int(row.argmax())])
            named.sequence_ids.append(one.sequence_id)
    return named


def classification_scores(
    named: NamedSegments, *, subject_of: Mapping[str, str | None], order: Sequence[str], seed: int
) -> ClassificationScores | None:
    """Score the names of cut segments; a class with too few examples to be told apart counts as told wrong."""
    if not named.truth:
        return None
    scored = named.scored()
    accuracy = accuracy_interval(named.truth, named.told, named.sequence_ids, subject_of, seed=seed)
    labels = [name for name in order if name in scored.classes]
    places = [scored.classes.index(name) for name in labels]
    counts = scored.confusion[np.ix_(places, places)]
    return ClassificationScores(
        segments=scored.count,
        accuracy=measured(accuracy),
        macro_f1=Measured(value=scored.macro_f1),
        confusion=Confusion(labels=tuple(labels), counts=tuple(map(tuple, counts.tolist()))),
    )


def measured(interval: Interval) -> Measured | None:
    """Return a figure; None where there was nothing to count."""
    if not np.isfinite(interval.value):
        return None
    if not (np.isfinite(interval.low) and np.isfinite(interval.high)):
        return Measured(value=interval.value)
    return Measured(value=interval.value, low=interval.low, high=interval.high)
