"""Average precision of ranked claims, and average recall at so many proposals.

Average precision follows ActivityNet's evaluation (``eval_detection.py``, which ActionFormer and those after it use for
THUMOS14 too): the claims of a class come by their score over the whole set, each takes the free truth of its sequence
that it overlaps most, if the IoU is *at least* the threshold, and precision is interpolated: at each recall the best
that comes later.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import numpy.typing as npt

from evaluation.intervals import LEVEL, ROUNDS, Floats, Interval, bootstrap, people_of
from evaluation.spans import ClaimedSpan, TrueSpan
from evaluation.spotting import ANY_CLASS, blocks, unclassed
from schema.errors import UsageError

Bools = npt.NDArray[np.bool_]
IOUS = (0.1, 0.3, 0.5)
RECALL_IOUS = (0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class AveragePrecision:
    """Average precision at one threshold."""

    at_iou: float
    by_class: Mapping[str, float]
    """0..1, of each class that is there; classes without a truth are left out."""

    @property
    def mean(self) -> float:
        """Mean over the classes (mAP); NaN where nothing is there."""
        return float(np.mean(list(self.by_class.values()))) if self.by_class else float("nan")


def average_precision(truths: Sequence[TrueSpan], claims: Sequence[ClaimedSpan], *, at_iou: float) -> AveragePrecision:
    """Compute the average precision of each class, and their mean (mAP), at one threshold.

    Raises ``UsageError`` for a threshold outside 0..1.
    """
    ranked = _ranked(truths, claims, at_iou)
    return AveragePrecision(at_iou=at_iou, by_class={name: one.value() for name, one in ranked.items()})


def average_precisions(
    truths: Sequence[TrueSpan], claims: Sequence[ClaimedSpan], *, at_ious: Sequence[float] = IOUS
) -> dict[float, AveragePrecision]:
    """Compute the average precision at each threshold."""
    return {at_iou: average_precision(truths, claims, at_iou=at_iou) for at_iou in at_ious}


def mean_average_precision_interval(
    truths: Sequence[TrueSpan],
    claims: Sequence[ClaimedSpan],
    subject_of: Mapping[str, str | None],
    *,
    at_iou: float,
    seed: int,
    rounds: int = ROUNDS,
    level: float = LEVEL,
) -> Interval:
    """Return mAP with its interval over people (``intervals.bootstrap``); one that none of the drawn shows is out."""
    everybody = {*subject_of, *(t.sequence_id for t in truths), *(c.sequence_id for c in claims)}
    size = len(people_of((), subject_of, everybody=everybody).names)
    by_person = [
        _by_person(
            one,
            people_of((truths[k].sequence_id for k in one.truths), subject_of, everybody=everybody).numbers,
            people_of((claims[k].sequence_id for k in one.claims), subject_of, everybody=everybody).numbers,
            size,
        )
        for one in _ranked(truths, claims, at_iou).values()
    ]

    def score(weights: Floats) -> float:
        values = [one.value(weights) for one in by_person]
        known = [value for value in values if np.isfinite(value)]
        return float(np.mean(known)) if known else float("nan")

    return bootstrap(score, size, seed=seed, rounds=rounds, level=level)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Ranked:
    """The claims of a class by score, and which are right."""

    truths: list[int]
    claims: list[int]
    """By score; the same score by sequence and time, so that the order of the caller's list says nothing."""
    right: Bools
    """Whether each of the claims found a truth."""

    def value(self) -> float:
        """Return the average precision."""
        places = np.flatnonzero(self.right)
        found = np.arange(1, len(places) + 1, dtype=np.float64)
        return _average(found, (places + 1).astype(np.float64), total=float(len(self.truths)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _ByPerson:
    """The same where some people count more often than others: a thousand draws need not go through every claim."""

    truths: Floats
    """Of each person, shape ``(p,)``."""
    right: npt.NDArray[np.int64]
    """Whose each right claim is, by score, shape ``(r,)``."""
    claims: Floats
    """Claims of each person up to each right one, itself among them, shape ``(r, p)``."""

    def value(self, weights: Floats) -> float:
        """Return the average precision where person k counts ``weights[k]`` times; NaN without a truth."""
        return _average(np.cumsum(weights[self.right]), self.claims @ weights, total=float(self.truths @ weights))


def _by_person(
    ranked: _Ranked, truth_people: npt.NDArray[np.int64], claim_people: npt.NDArray[np.int64], size: int
) -> _ByPerson:
    places = np.flatnonzero(ranked.right)
    claims = np.zeros((len(places) + 1, size))
    np.add.at(claims, (np.searchsorted(places, np.arange(len(claim_people))), claim_people), 1)
    return _ByPerson(
        truths=np.bincount(truth_people, minlength=size).astype(np.float64),
        right=claim_people[places],
        claims=np.cumsum(claims[:-1], axis=0),
    )


def _average(found: Floats, counted: Floats, *, total: float) -> float:
    """Return the area under the interpolated curve; NaN without a truth.

    Args:
        found: Truths that are found up to each right claim, by score.
        counted: Claims up to each right one. Precision falls from one to the next, so that no other place matters.
        total: Truths in all.
    """
    if not total:
        return float("nan")
    precision = np.divide(found, counted, out=np.zeros_like(found), where=counted > 0)
    best_later = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(found / total, prepend=0.0) * best_later))


def _ranked(truths: Sequence[TrueSpan], claims: Sequence[ClaimedSpan], at_iou: float) -> dict[str, _Ranked]:
    if not 0 < at_iou <= 1:
        raise UsageError(f"a temporal IoU must be above 0 and at most 1, got {at_iou}")
    right = np.zeros(len(claims), np.bool_)
    for block in blocks(truths, claims):
        places = block.claims.tolist()
        order = sorted(range(len(places)), key=lambda k: _rank(claims[places[k]]))
        right[block.claims[order]] = _taken(block.iou[:, order], at_iou)
    true_places, claim_places = defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    for place, truth in enumerate(truths):
        true_places[truth.class_id].append(place)
    for place, claim in enumerate(claims):
        if claim.class_id in true_places:
            claim_places[str(claim.class_id)].append(place)
    found = {}
    for class_id in sorted(true_places):
        places = sorted(claim_places[class_id], key=lambda k: _rank(claims[k]))
        found[class_id] = _Ranked(truths=true_places[class_id], claims=places, right=right[places])
    return found


def _rank(claim: ClaimedSpan) -> tuple[float, str, int, int]:
    return -claim.score, claim.sequence_id, claim.span.start_ns, claim.span.end_ns


def _taken(iou: Floats, at_iou: float) -> Bools:
    """Tell which claims find a free truth, from IoU ``(m, n)`` with the claims by score; shape ``(n,)``."""
    free = iou.copy()
    right = np.zeros(iou.shape[1], np.bool_)
    for claim in np.flatnonzero(iou.max(axis=0) >= at_iou):
        best = int(free[:, claim].argmax())
        if free[best, claim] >= at_iou:
            right[claim] = True
            free[best] = 0.0
    return right


@dataclass(frozen=True, slots=True, kw_only=True)
class AverageRecall:
    """Recall of the best proposals, whatever class they claim."""

    by_iou: Mapping[float, float]
    """Share of the truths that a proposal overlaps by at least the threshold, at each threshold."""
    proposal_count: int
    """Proposals that were counted."""

    @property
    def mean(self) -> float:
        """Mean over the thresholds."""
        return float(np.mean(list(self.by_iou.values())))


def average_recall(
    truths: Sequence[TrueSpan],
    claims: Sequence[ClaimedSpan],
    *,
    proposals: float,
    minutes_of: Mapping[str, float] | None = None,
    at_ious: Sequence[float] = RECALL_IOUS,
) -> AverageRecall:
    """Compute the recall of the ``proposals`` best of each sequence, or of each minute, over all truths.

    As in ActivityNet's proposal task a proposal may find several truths: they are shown to a person, who sees all that
    is in them. Proposals of one span under several names are one.

    Args:
        truths: What is there.
        claims: What is proposed.
        proposals: How many of each sequence; of each minute, where ``minutes_of`` is given.
        minutes_of: Length of each sequence in minutes; the number is rounded up.
        at_ious: Thresholds.

    Raises:
        UsageError: A sequence whose length is not told.
    """
    _, claims = unclassed((), claims)
    kept_of: dict[str, list[ClaimedSpan]] = defaultdict(list)
    for claim in claims:
        kept_of[claim.sequence_id].append(claim)
    kept: list[ClaimedSpan] = []
    for sequence_id, own in sorted(kept_of.items()):
        kept += sorted(own, key=_rank)[: _budget(sequence_id, proposals, minutes_of)]
    best = np.zeros(len(truths))
    for block in blocks([replace(truth, class_id=ANY_CLASS) for truth in truths], kept):
        best[block.truths] = block.iou.max(axis=1)
    recalls = {at_iou: float(np.mean(best >= at_iou)) if len(best) else float("nan") for at_iou in at_ious}
    return AverageRecall(by_iou=recalls, proposal_count=len(kept))


def _budget(sequence_id: str, proposals: float, minutes_of: Mapping[str, float] | None) -> int:
    if minutes_of is None:
        return int(proposals)
    if sequence_id not in minutes_of:
        raise UsageError(f"{sequence_id}: its length in minutes is not told")
    # an exact product must not become one more by its last bit
    return ceil(proposals * minutes_of[sequence_id] - 1e-9)
