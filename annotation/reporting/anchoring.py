"""How much the proposed class and edges sway people: the same candidates, asked with and without them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotation.answers.revisions import standing_answers
from schema.questions import QuestionKind
from schema.records import Annotation, Verdict
from schema.timespan import NS_PER_SECOND, TimeSpan

SAME_GESTURE_IOU = 0.3
"""Temporal IoU from which on a blind mark is about the candidate (FIELD notes 7.4)."""
ROUNDS = 2000
"""Bootstrap samples: the ends of an interval of 95 % move by less than a hundredth from seed to seed."""
FEWEST = 2
"""Candidates answered both ways from which on there is an interval at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A mean with the proposal shown, without it, and what showing it adds, with a bootstrap interval of 95 %."""

    shown: float
    blind: float
    effect: float
    """``shown`` minus ``blind``, over the same candidates."""
    low: float
    high: float
    candidate_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchoring:
    """What the blind share says; each part is None where fewer than two candidates were answered both ways."""

    existence: Difference | None
    """Share of answers that see a gesture where one is proposed."""
    proposed_class: Difference | None
    """Share of answers that give the proposed class."""
    edge_distance_ms: Difference | None
    """Mean distance of the given edges from the proposed ones, milliseconds, of answers that see a gesture there: a
    negative effect is edges left as they were shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What one answer says of the proposal."""

    sees: float
    agrees: float
    distance_ms: float | None


def anchoring_effect(annotations: Iterable[Annotation], *, seed: int = 0) -> Anchoring:
    """Compare verdicts on candidates with blind answers about the same ones.

    Each candidate counts once: the mean of its answers with the proposal, and the mean of those without. The interval
    is a percentile bootstrap over candidates, which keeps both ways of a candidate together. Each annotator's standing
    answer counts, "unsure" ones don't, nor does a blind answer of somebody who had judged the candidate before and so
    knew its class. Of a blind window the mark counts that overlaps the proposal best.

    Args:
        annotations: All answers of the study; other kinds are passed over.
        seed: Of the bootstrap; the result does not depend on the order of the answers.
    """
    shown: defaultdict[str, list[Annotation]] = defaultdict(list)
    blind: defaultdict[str, list[Annotation]] = defaultdict(list)
    saw: set[tuple[str, str]] = set()
    for annotation in standing_answers(annotations):
        if annotation.verdict is Verdict.UNSURE:
            continue
        if annotation.kind is QuestionKind.VERDICT:
            shown[annotation.candidate_id].append(annotation)
            saw.add((annotation.annotator_id, annotation.candidate_id))
        elif annotation.kind is QuestionKind.BLIND and (annotation.annotator_id, annotation.about) not in saw:
            blind[annotation.about].append(annotation)
    pairs = [
        ([_of_verdict(a) for a in shown[candidate_id]], [_of_blind(a, shown[candidate_id][0]) for a in answers])
        for candidate_id, answers in sorted(blind.items())
        if candidate_id in shown
    ]
    return Anchoring(
        existence=_difference([(_mean(r.sees for r in s), _mean(r.sees for r in b)) for s, b in pairs], seed),
        proposed_class=_difference([(_mean(r.agrees for r in s), _mean(r.agrees for r in b)) for s, b in pairs], seed),
        edge_distance_ms=_difference(
            [(_mean(r.distance_ms for r in s), _mean(r.distance_ms for r in b)) for s, b in pairs], seed
        ),
    )


def _of_verdict(answer: Annotation) -> _Reading:
    sees = answer.verdict is not Verdict.REJECT
    return _Reading(
        sees=float(sees),
        agrees=float(sees and answer.class_id == answer.proposed_class_id),
        distance_ms=_distance_ms(answer.judged_span, answer.anchor.span) if sees else None,
    )


def _of_blind(answer: Annotation, proposal: Annotation) -> _Reading:
    span = proposal.anchor.span
    near = [mark for mark in answer.marks if mark.span.temporal_iou(span) >= SAME_GESTURE_IOU]
    if not near:
        return _Reading(sees=0.0, agrees=0.0, distance_ms=None)
    best = max(near, key=lambda mark: (mark.span.temporal_iou(span), mark.class_id or "", mark.span))
    return _Reading(
        sees=1.0,
        agrees=float(best.class_id == proposal.proposed_class_id),
        distance_ms=_distance_ms(best.span, span),
    )


def _distance_ms(given: TimeSpan, proposed: TimeSpan) -> float:
    both_ns = abs(given.start_ns - proposed.start_ns) + abs(given.end_ns - proposed.end_ns)
    return both_ns / 2 / NS_PER_SECOND * 1000


def _mean(values: Iterable[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return sum(told) / len(told) if told else None


def _difference(pairs: Sequence[tuple[float | None, float | None]], seed: int) -> Difference | None:
    told = [(s, b) for s, b in pairs if s is not None and b is not None]
    if len(told) < FEWEST:
        return None
    values: npt.NDArray[np.float64] = np.array(told, dtype=np.float64)
    effects = values[:, 0] - values[:, 1]
    random = np.random.default_rng(seed)
    drawn = random.integers(0, len(told), size=(ROUNDS, len(told)))
    low, high = np.quantile(effects[drawn].mean(axis=1), (0.025, 0.975))
    return Difference(
        shown=float(values[:, 0].mean()),
        blind=float(values[:, 1].mean()),
        effect=float(effects.mean()),
        low=float(low),
        high=float(high),
        candidate_count=len(told),
    )
