"""What a loop of asking and learning finds for the answers that it takes: curves, and how they are compared.

Our own design: the papers on crowd-sourced micro-gestures report no such curves. A true segment counts as found when a
verified segment covers it, whoever proposed it (temporal IoU, one to one, whatever the class), so that random windows
and proposals are measured alike.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from evaluation.spans import ClaimedSpan, TrueSpan
from schema.matching import match_one_to_one

LENIENT_IOU, STRICT_IOU = 0.3, 0.5
"""Temporal IoU from which on a verified segment is a true one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Verified segments beside the truth."""

    found: int
    """True segments that a verified one covers at ``STRICT_IOU``."""
    found_leniently: int
    """The same at ``LENIENT_IOU``."""
    named: int
    """Those of ``found`` whose verified segment has the right class."""
    segments: int
    """Verified segments."""
    by_group: Mapping[str, int]
    """``found`` by the body-part group of the true class."""

    @property
    def precision(self) -> float | None:
        """Share of the verified segments that are a true one, each once; None where there are none."""
        return self.found / self.segments if self.segments else None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Where a campaign stands after some questions."""

    round_number: int
    """From 0; the round whose questions were asked last."""
    questions: int
    """Questions asked so far, windows among them."""
    accepted: int
    """Those that gave a segment: what people did not refuse."""
    answers: int
    """One person's answers to one question each."""
    seconds: float
    """Time that people spent, all together."""
    found: Found


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopCurve:
    """A simulated campaign from its first answer to its last."""

    strategy: str
    seed: int
    true_count: int
    """Segments that there are."""
    true_by_group: Mapping[str, int]
    points: tuple[CurvePoint, ...]
    """In order; nothing is known before the first."""
    clip_seconds: float = 0.0
    """Mean length of what the questions about candidates showed: what random windows of one's own are compared at."""
    notes: tuple[str, ...] = ()
    """What a reader must know, such as a proposer that could not work on these skeletons."""

    def recall(self, point: CurvePoint, *, at_iou: float = STRICT_IOU) -> float:
        """Return the share of the true segments that are found at a point; ``at_iou`` is one of the two above."""
        count = point.found.found if at_iou == STRICT_IOU else point.found.found_leniently
        return count / self.true_count if self.true_count else 0.0

    @property
    def last_recall(self) -> float:
        """The recall that the campaign ends with."""
        return self.recall(self.points[-1]) if self.points else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A mean over repetitions and its spread."""

    mean: float
    deviation: float
    """Standard deviation (n - 1); 0 where there is one repetition."""
    count: int


def measure_found(truths: Iterable[TrueSpan], claimed: Iterable[ClaimedSpan], *, group_of: Mapping[str, str]) -> Found:
    """Compare verified segments with the truth, recording by recording, one to one with the greatest summed IoU.

    Args:
        truths: Every true segment.
        claimed: Every verified segment; a segment verified twice counts twice, and the second time as wrong.
        group_of: Body-part group by class id.
    """
    there: defaultdict[str, list[TrueSpan]] = defaultdict(list)
    said: defaultdict[str, list[ClaimedSpan]] = defaultdict(list)
    for truth in truths:
        there[truth.sequence_id].append(truth)
    for claim in claimed:
        said[claim.sequence_id].append(claim)
    pairs = [pair for name in there for pair in _paired(there[name], said[name], at_least=STRICT_IOU)]
    lenient = sum(len(_paired(there[name], said[name], at_least=LENIENT_IOU)) for name in there)
    return Found(
        found=len(pairs),
        found_leniently=lenient,
        named=sum(truth.class_id == claim.class_id for truth, claim in pairs),
        segments=sum(map(len, said.values())),
        by_group=dict(sorted(Counter(group_of[truth.class_id] for truth, _ in pairs).items())),
    )


def _paired(
    truths: Sequence[TrueSpan], claimed: Sequence[ClaimedSpan], *, at_least: float
) -> list[tuple[TrueSpan, ClaimedSpan]]:
    matched = match_one_to_one(truths, claimed, score=lambda t, c: t.span.temporal_iou(c.span), at_least=at_least)
    return [(truths[left], claimed[right]) for left, right in matched]


def cost_of(point: CurvePoint, *, in_minutes: bool) -> float:
    """Return what was spent up to a point: answers, or minutes of people's time."""
    return point.seconds / 60 if in_minutes else float(point.answers)


def recall_at(curve: LoopCurve, cost: float, *, in_minutes: bool = False, at_iou: float = STRICT_IOU) -> float:
    """Return the recall that so many answers (or minutes) reach, between two points by proportion.

    A campaign that ended earlier keeps what it found.
    """
    before_cost, before = 0.0, 0.0
    for point in curve.points:
        spent, reached = cost_of(point, in_minutes=in_minutes), curve.recall(point, at_iou=at_iou)
        if spent >= cost:
            share = (cost - before_cost) / (spent - before_cost) if spent > before_cost else 1.0
            return before + share * (reached - before)
        before_cost, before = spent, reached
    return before


def cost_to_reach(
    curve: LoopCurve, recall: float, *, in_minutes: bool = False, at_iou: float = STRICT_IOU
) -> float | None:
    """Return the answers (or minutes) after which a recall is reached first; None where it never is."""
    before_cost, before = 0.0, 0.0
    for point in curve.points:
        spent, reached = cost_of(point, in_minutes=in_minutes), curve.recall(point, at_iou=at_iou)
        if reached >= recall:
            share = (recall - before) / (reached - before) if reached > before else 1.0
            return before_cost + share * (spent - before_cost)
        before_cost, before = spent, reached
    return None


def cost_ratio(
    curve: LoopCurve, reference: LoopCurve, recall: float, *, in_minutes: bool = False, at_iou: float = STRICT_IOU
) -> float | None:
    """Return what a curve costs to reach a recall as a share of what the reference costs; None where either never does.

    0.5 means that half the answers are enough.
    """
    cost = cost_to_reach(curve, recall, in_minutes=in_minutes, at_iou=at_iou)
    other = cost_to_reach(reference, recall, in_minutes=in_minutes, at_iou=at_iou)
    return None if cost is None or not other else cost / other


def spread_of(values: Sequence[float]) -> Spread:
    """Return mean and standard deviation of at least one value."""
    return Spread(mean=fmean(values), deviation=stdev(values) if len(values) > 1 else 0.0, count=len(values))
