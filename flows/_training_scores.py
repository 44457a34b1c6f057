"""What cross-validation found, in the figures of a model's card: people whom the model of their fold did not know."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.average_precision import (
    IOUS,
    average_precision,
    average_recall,
    mean_average_precision_interval,
)
from evaluation.intervals import LEVEL, ROUNDS
from evaluation.spans import ClaimedSpan, TrueSpan
from evaluation.spotting import (
    IOU,
    f1_by_class,
    f1_interval,
    in_groups,
    precision_of,
    recall_of,
)
from flows._training_data import TrainingData
from flows._training_reliability import (
    NamedSegments,
    calibration_scores,
    classification_scores,
    measured,
    named_segments,
    precision_recall,
)
from models.config import TrainConfig
from models.detections import Detection
from models.metrics import AtOverlap, AtProposals, DetectionScores, Measured, ModelMetrics, NameScore
from models.training.cross_validation import CrossValidation, is_judged
from schema.timespan import NS_PER_SECOND

PROPOSALS_A_MINUTE = (2.0, 5.0, 10.0)
"""Proposals that people may be shown of each minute."""
WHOLE = 0.99
"""Share of the recordings from which on they count as judged from end to end."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Claims:
    """What is there and what is claimed, where people looked."""

    truths: list[TrueSpan]
    ranked: list[ClaimedSpan]
    """Every claim of a class, however unlikely."""
    uncalibrated: list[ClaimedSpan]
    """The same without temperatures."""
    handed_out: list[ClaimedSpan]
    """Claims as the model hands them out: from its floor on, groups where no class is named."""
    subject_of: dict[str, str | None]
    minutes_of: dict[str, float]
    """Judged minutes of each sequence."""


def make_metrics(held_out: CrossValidation, data: TrainingData, *, config: TrainConfig) -> ModelMetrics:
    """Score what the folds said of the people whom they held out; nothing is measured where nobody was.

    Claims count where people looked: elsewhere nobody knows whether they are right.
    """
    sequences = held_out.held_out
    if not sequences:
        return ModelMetrics(notes=("Nobody could be held out, so that nothing is measured or calibrated.",))
    claims = make_claims(held_out, floor=config.detect.floor)
    group_of = held_out.vocabulary.group_of
    named, order = named_segments(held_out), list(group_of)
    return ModelMetrics(
        folds=tuple(fold.subjects for fold in held_out.folds),
        seeds=(config.seed,),
        sequences=len(sequences),
        gestures=len(claims.truths),
        minutes=sum(claims.minutes_of.values()),
        confidence=LEVEL,
        intervals=f"bootstrap over people, {ROUNDS} times",
        detection=detection_scores(claims, seed=config.seed),
        classification=classification_scores(named, subject_of=claims.subject_of, order=order, seed=config.seed),
        classes=class_scores(claims, named, order=order),
        groups=group_scores(claims, named, group_of),
        calibration=calibration_scores(
            claims.truths,
            before=claims.uncalibrated,
            after=claims.ranked,
            subject_of=claims.subject_of,
            seed=config.seed,
        ),
        precision_recall=precision_recall(claims.truths, claims.ranked),
        notes=_notes(held_out, data),
    )


def make_claims(held_out: CrossValidation, *, floor: float) -> Claims:
    """Put truths and detections side by side, those in judged time alone."""
    judged = {one.sequence_id: one.judged for one in held_out.held_out}

    def claimed(told: Mapping[str, Sequence[Detection]]) -> list[ClaimedSpan]:
        return [
            ClaimedSpan(sequence_id=name, span=d.span, class_id=d.class_id, score=d.score, group=d.group)
            for name, detections in told.items()
            for d in detections
            if is_judged(d.span, judged[name])
        ]

    return Claims(
        truths=[
            TrueSpan(sequence_id=one.sequence_id, span=gesture.span, class_id=gesture.class_id)
            for one in held_out.held_out
            for gesture in one.gestures
        ],
        ranked=claimed(held_out.classed()),
        uncalibrated=claimed(held_out.classed(calibrated=False)),
        handed_out=claimed(held_out.detections(floor=floor)),
        subject_of={one.sequence_id: one.subject_id for one in held_out.held_out},
        minutes_of={
            one.sequence_id: sum(span.duration_ns for span in one.judged) / NS_PER_SECOND / 60
            for one in held_out.held_out
        },
    )


def detection_scores(claims: Claims, *, seed: int) -> DetectionScores:
    """Score spans: mAP and average recall of all claims by score, F1 of those that are handed out with a class."""
    named = [claim for claim in claims.handed_out if claim.class_id is not None]
    people, truths = claims.subject_of, claims.truths
    return DetectionScores(
        mean_average_precision=tuple(
            AtOverlap(overlap=iou, score=score)
            for iou in IOUS
            if (
                score := measured(mean_average_precision_interval(truths, claims.ranked, people, at_iou=iou, seed=seed))
            )
        ),
        f1_strict=measured(f1_interval(truths, named, people, seed=seed)),
        f1_starter_kit=measured(f1_interval(truths, named, people, seed=seed, matching="starter_kit")),
        precision=measured(f1_interval(truths, named, people, seed=seed, of=precision_of)),
        recall=measured(f1_interval(truths, named, people, seed=seed, of=recall_of)),
        average_recall=tuple(
            AtProposals(proposals=count, score=Measured(value=recall))
            for count in PROPOSALS_A_MINUTE
            if math.isfinite(recall := _average_recall(claims, count))
        ),
    )


def _average_recall(claims: Claims, proposals: float) -> float:
    return average_recall(claims.truths, claims.ranked, proposals=proposals, minutes_of=claims.minutes_of).mean


def class_scores(claims: Claims, named: NamedSegments, *, order: Sequence[str]) -> tuple[NameScore, ...]:
    """Score each class that is there, in the order of the taxonomy."""
    handed_out = [claim for claim in claims.handed_out if claim.class_id is not None]
    return _name_scores((claims.truths, handed_out, claims.ranked), named, order=order)


def group_scores(claims: Claims, named: NamedSegments, group_of: Mapping[str, str]) -> tuple[NameScore, ...]:
    """Score each body-part group that is there: a claim of any of its classes, or of the group alone."""
    truths, handed_out = in_groups(claims.truths, claims.handed_out, group_of)
    order = list(dict.fromkeys(group_of.values()))
    return _name_scores((truths, handed_out, handed_out), named.in_groups(group_of), order=order)


def _name_scores(
    spans: tuple[list[TrueSpan], list[ClaimedSpan], list[ClaimedSpan]], named: NamedSegments, *, order: Sequence[str]
) -> tuple[NameScore, ...]:
    """Score by name from truths, claims that are handed out, and all claims."""
    truths, claims, ranked = spans
    scores = f1_by_class(truths, claims)
    precisions = average_precision(truths, ranked, at_iou=IOU).by_class
    cut = named.scored().by_class
    return tuple(
        NameScore(
            name=name,
            examples=scores[name].truth_count,
            f1=_number(scores[name].f1),
            average_precision=_number(precisions.get(name, math.nan)),
            recall=_number(scores[name].recall),
            accuracy=_number(cut[name].recall) if name in cut else None,
        )
        for name in order
        if name in scores and scores[name].truth_count
    )


def _number(value: float) -> Measured | None:
    return Measured(value=value) if math.isfinite(value) else None


def _notes(held_out: CrossValidation, data: TrainingData) -> tuple[str, ...]:
    notes = ["Measured on people whom the model of their fold has not seen; the model itself has learned from all."]
    if held_out.vocabulary.fallen_back:
        notes.append(
            f"{len(held_out.vocabulary.fallen_back)} classes have too few examples and are proposed by their group "
            "alone: in the figures of classes their gestures count as not found."
        )
    lengths = {one.sequence_id: one.span.duration_ns for one in data.labelled.known}
    looked_at = sum(span.duration_ns for one in held_out.held_out for span in one.judged)
    whole = sum(lengths[one.sequence_id] for one in held_out.held_out)
    if looked_at < WHOLE * whole:
        notes.append(
            f"People looked at {looked_at / whole:.0%} of the recordings: only claims there are counted, and recall is "
            "that of the gestures that were proposed or seen in audit windows."
        )
    return tuple(notes)
