"""Spotting: are the gestures that are there found, in time and by name? F1, recall, and what may be counted as one.

Two ways of matching. ``one_to_one``: within a sequence and a class, the most pairs of a truth and a claim whose
temporal IoU is above the threshold; nothing is used twice. ``starter_kit``: as the MiGA challenges' kit does it (its
``THDutils.py``, ``tester_SMG``): for each truth in order the first claim of its class whose overlap is above 0.3, and
then the claim *stays*, because the result of ``numpy.delete`` is thrown away. So one claim can find several truths, and
the kit's precision can pass 1. It is here to compare with published figures.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from evaluation.intervals import LEVEL, ROUNDS, Floats, Interval, bootstrap, people_of
from evaluation.spans import ClaimedSpan, TrueSpan
from schema.errors import UsageError
from schema.timespan import TimeSpan

Matching = Literal["one_to_one", "starter_kit"]
Span = TypeVar("Span", TrueSpan, ClaimedSpan)
MATCHINGS = ("one_to_one", "starter_kit")
ANY_CLASS = "gesture"
"""What every class is called where classes do not count."""
STARTER_KIT_EPSILON = 1e-7
"""The kit's F1 is ``2 P R / (P + R + 1e-7)``."""
IOU = 0.3
"""MiGA's threshold: a match overlaps by more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpottingScore:
    """What was found of what is there; NaN where there is nothing to divide by."""

    found: int
    """Truths that a claim was matched with."""
    truth_count: int
    claim_count: int
    matching: Matching = "one_to_one"

    @property
    def recall(self) -> float:
        """Share of the truths that were found."""
        return _share(self.found, self.truth_count)

    @property
    def precision(self) -> float:
        """Share of the claims that are right; with the starter kit's matching it can pass 1."""
        return _share(self.found, self.claim_count)

    @property
    def f1(self) -> float:
        """Harmonic mean of the two: 0 where either side has nothing, NaN where both have."""
        return f1_of(self.found, self.truth_count, self.claim_count, self.matching)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """How many of some truths were found, whatever they were called."""

    found: int
    truth_count: int

    @property
    def recall(self) -> float:
        """Share of the truths that were found; NaN where there are none."""
        return _share(self.found, self.truth_count)


def f1_of(found: float, truth_count: float, claim_count: float, matching: Matching = "one_to_one") -> float:
    """Compute F1 from counts, which may be weighted; NaN where there are neither truths nor claims."""
    if not truth_count or not claim_count:
        return 0.0 if truth_count or claim_count else float("nan")
    if matching == "one_to_one":
        return 2 * found / (truth_count + claim_count)
    precision, recall = found / claim_count, found / truth_count
    return 2 * precision * recall / (precision + recall + STARTER_KIT_EPSILON)


def _share(count: float, of: float) -> float:
    return count / of if of else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Truths and claims that may be matched with each other: of one sequence, and of one class."""

    truths: npt.NDArray[np.intp]
    """Their places in the caller's list, in order, shape ``(m,)``."""
    claims: npt.NDArray[np.intp]
    """The same, shape ``(n,)``."""
    iou: Floats
    """Temporal IoU of each truth with each claim, shape ``(m, n)``; 0 where they do not meet."""


def blocks(truths: Sequence[TrueSpan], claims: Sequence[ClaimedSpan]) -> Iterator[Block]:
    """Go through what may be matched: blocks that have both truths and claims, in the order of sequence and class."""
    true_places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, truth in enumerate(truths):
        true_places[truth.sequence_id, truth.class_id].append(place)
    claim_places: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, claim in enumerate(claims):
        if claim.class_id is not None:
            claim_places[claim.sequence_id, claim.class_id].append(place)
    true_edges, claim_edges = edges_ns(truths), edges_ns(claims)
    for key in sorted(true_places.keys() & claim_places.keys()):
        rows, columns = np.array(true_places[key], np.intp), np.array(claim_places[key], np.intp)
        iou = pairwise_iou(true_edges[rows], claim_edges[columns])
        yield Block(truths=rows, claims=columns, iou=iou)


def edges_ns(spans: Sequence[TrueSpan] | Sequence[ClaimedSpan]) -> npt.NDArray[np.int64]:
    """Return start and end of each span, ns, shape ``(n, 2)``."""
    return np.array([(one.span.start_ns, one.span.end_ns) for one in spans], np.int64).reshape(-1, 2)


def pairwise_iou(left_ns: npt.NDArray[np.int64], right_ns: npt.NDArray[np.int64]) -> Floats:
    """Return the temporal IoU of spans ``(m, 2)`` with spans ``(n, 2)``, shape ``(m, n)``.

    Where two spans overlap this is MiGA's ``alpha = (min(e, e') - max(b, b')) / (max(e, e') - min(b, b'))``.
    """
    shared = np.minimum(left_ns[:, None, 1], right_ns[None, :, 1]) - np.maximum(
        left_ns[:, None, 0], right_ns[None, :, 0]
    )
    shared = np.maximum(shared, 0)
    lengths = np.diff(left_ns)[:, :1] + np.diff(right_ns)[:, 0][None]
    iou: Floats = shared / (lengths - shared)
    return iou


def match_claims(
    truths: Sequence[TrueSpan], claims: Sequence[ClaimedSpan], *, at_iou: float = IOU
) -> list[tuple[int, int]]:
    """Pair truths and claims one to one: the most pairs, and among those the greatest sum of temporal IoU.

    Only a truth and a claim of one sequence and one class whose IoU is above ``at_iou`` may be a pair.

    Returns:
        Places of truth and claim, by the truth's place.
    """
    from scipy.optimize import linear_sum_assignment

    pairs: list[tuple[int, int]] = []
    for block in blocks(truths, claims):
        allowed = block.iou > at_iou
        if allowed.sum(axis=0).max() <= 1 and allowed.sum(axis=1).max() <= 1:
            rows, columns = np.nonzero(allowed)
        else:
            # a pair more outweighs every sum of IoU
            worth = np.where(allowed, min(allowed.shape) + block.iou, 0.0)
            rows, columns = linear_sum_assignment(worth, maximize=True)
            kept = allowed[rows, columns]
            rows, columns = rows[kept], columns[kept]
        pairs += zip(block.truths[rows].tolist(), block.claims[columns].tolist(), strict=True)
    return sorted(pairs)


def truths_found(
    truths: Sequence[TrueSpan], claims: Sequence[ClaimedSpan], *, at_iou: float = IOU, matching: Matching = "one_to_one"
) -> npt.NDArray[np.bool_]:
    """Tell which truths are found, shape ``(len(truths),)``.

    Raises ``UsageError`` for an unknown matching or a threshold outside 0..1.
    """
    if matching not in MATCHINGS:
        raise UsageError(f"matching {matching!r} must be one of {', '.join(MATCHINGS)}")
    if not 0 <= at_iou < 1:
        raise UsageError(f"a temporal IoU must be at least 0 and below 1, got {at_iou}")
    found = np.zeros(len(truths), np.bool_)
    if matching == "one_to_one":
        for truth, _ in match_claims(truths, claims, at_iou=at_iou):
            found[truth] = True
        return found
    for block in blocks(truths, claims):
        found[block.truths] = (block.iou > at_iou).any(axis=1)
    return found


def f1_at(
    truths: Sequence[TrueSpan], claims: Sequence[ClaimedSpan], *, at_iou: float = IOU, matching: Matching = "one_to_one"
) -> SpottingScore:
    """Score claims as the MiGA challenges do: counts are summed over all sequences and classes.

    A claim without a class matches nothing and counts as wrong; see ``unclassed`` and ``in_groups``.

    Raises ``UsageError`` for an unknown matching or a threshold outside 0..1.
    """
    found = truths_found(truths, claims, at_iou=at_iou, matching=matching)
    return SpottingScore(found=int(found.sum()), truth_count=len(truths), claim_count=len(claims), matching=matching)


def best_threshold(
    truths: Sequence[TrueSpan], claims: Sequence[ClaimedSpan], *, at_iou: float = IOU, most_tried: int = 100
) -> float:
    """Return the score from which on claims give the greatest F1 (one to one); 0 where there is nothing to choose by.

    To be used on people who were held out; of equal thresholds the lowest is taken.
    """
    scores = np.unique([claim.score for claim in claims])
    if not truths or not scores.size:
        return 0.0
    tried = np.unique(np.quantile(scores, np.linspace(0, 1, most_tried), method="lower"))
    f1 = [f1_at(truths, [claim for claim in claims if claim.score >= score], at_iou=at_iou).f1 for score in tried]
    return float(tried[int(np.argmax(f1))])


def f1_by_class(
    truths: Sequence[TrueSpan], claims: Sequence[ClaimedSpan], *, at_iou: float = IOU, matching: Matching = "one_to_one"
) -> dict[str, SpottingScore]:
    """Score each class that is there or is claimed, by its id; claims without a class are of none."""
    found = truths_found(truths, claims, at_iou=at_iou, matching=matching)
    there = Counter(truth.class_id for truth in truths)
    right = Counter(truth.class_id for truth, was_found in zip(truths, found.tolist(), strict=True) if was_found)
    claimed = Counter(claim.class_id for claim in claims if claim.class_id is not None)
    return {
        class_id: SpottingScore(
            found=right[class_id], truth_count=there[class_id], claim_count=claimed[class_id], matching=matching
        )
        for class_id in sorted(there.keys() | claimed.keys())
    }


def recall_by_class(
    truths: Sequence[TrueSpan],
    claims: Sequence[ClaimedSpan],
    *,
    at_iou: float = IOU,
    group_of: Mapping[str, str] | None = None,
) -> dict[str, Recall]:
    """Tell of each class (of each group, with ``group_of``) how much was found, whatever it was called.

    A claim may find several truths: two gestures at once are seen by whoever looks at one proposal of that time.

    Raises ``UsageError`` for a class that has no group, or a threshold outside 0..1.
    """
    found = truths_found(_renamed(truths), _renamed(claims), at_iou=at_iou, matching="starter_kit")
    names = [truth.class_id if group_of is None else _group(group_of, truth.class_id) for truth in truths]
    there = Counter(names)
    right = Counter(name for name, was_found in zip(names, found.tolist(), strict=True) if was_found)
    return {name: Recall(found=right[name], truth_count=there[name]) for name in sorted(there)}


def unclassed(truths: Sequence[TrueSpan], claims: Sequence[ClaimedSpan]) -> tuple[list[TrueSpan], list[ClaimedSpan]]:
    """Call every class the same, for scores that ask only whether a gesture was found.

    What has one span under several names becomes one truth, and one claim with the greatest score.
    """
    return list(dict.fromkeys(_renamed(truths))), _once(_renamed(claims))


def in_groups(
    truths: Sequence[TrueSpan], claims: Sequence[ClaimedSpan], group_of: Mapping[str, str]
) -> tuple[list[TrueSpan], list[ClaimedSpan]]:
    """Call every class by its body-part group; one span under several names of a group becomes one.

    Raises ``UsageError`` for a class that has no group.
    """
    grouped = [replace(truth, class_id=_group(group_of, truth.class_id)) for truth in truths]
    renamed = [
        replace(claim, class_id=claim.group or (None if claim.class_id is None else _group(group_of, claim.class_id)))
        for claim in claims
    ]
    return list(dict.fromkeys(grouped)), _once(renamed)


def _group(group_of: Mapping[str, str], class_id: str) -> str:
    if class_id not in group_of:
        raise UsageError(f"class {class_id!r} has no body-part group: its taxonomy is another one")
    return group_of[class_id]


def _renamed(spans: Sequence[Span]) -> list[Span]:
    return [replace(one, class_id=ANY_CLASS) for one in spans]


def _once(claims: Iterable[ClaimedSpan]) -> list[ClaimedSpan]:
    best: dict[tuple[str, TimeSpan, str | None], ClaimedSpan] = {}
    for claim in claims:
        key = claim.sequence_id, claim.span, claim.class_id
        if key not in best or claim.score > best[key].score:
            best[key] = claim
    return list(best.values())


def f1_interval(
    truths: Sequence[TrueSpan],
    claims: Sequence[ClaimedSpan],
    subject_of: Mapping[str, str | None],
    *,
    seed: int,
    at_iou: float = IOU,
    matching: Matching = "one_to_one",
    of: Callable[[float, float, float, Matching], float] = f1_of,
    rounds: int = ROUNDS,
    level: float = LEVEL,
) -> Interval:
    """Return F1 with its interval over people.

    Args:
        truths: What is there.
        claims: What is claimed.
        subject_of: The person of each sequence; all sequences that were judged, those without a gesture too.
        seed: The same seed gives the same interval.
        at_iou: Matches overlap by more.
        matching: How truths and claims are matched.
        of: Makes the score from the counts of found, truths and claims: ``recall_of`` for recall.
        rounds: How often everybody is drawn.
        level: Share of the scores that lies in the interval.
    """
    found = truths_found(truths, claims, at_iou=at_iou, matching=matching)
    true_ids, claim_ids = [t.sequence_id for t in truths], [c.sequence_id for c in claims]
    everybody = {*subject_of, *true_ids, *claim_ids}
    people = people_of(true_ids, subject_of, everybody=everybody)
    size = len(people.names)
    right = np.bincount(people.numbers, weights=found, minlength=size)
    there = np.bincount(people.numbers, minlength=size)
    claimed = np.bincount(people_of(claim_ids, subject_of, everybody=everybody).numbers, minlength=size)

    def score(weights: Floats) -> float:
        return of(float(weights @ right), float(weights @ there), float(weights @ claimed), matching)

    return bootstrap(score, size, seed=seed, rounds=rounds, level=level)


def recall_of(found: float, truth_count: float, claim_count: float, matching: Matching = "one_to_one") -> float:
    """Compute recall from counts, for ``f1_interval``."""
    del claim_count, matching
    return _share(found, truth_count)


def precision_of(found: float, truth_count: float, claim_count: float, matching: Matching = "one_to_one") -> float:
    """Compute precision from counts, for ``f1_interval``."""
    del truth_count, matching
    return _share(found, claim_count)
