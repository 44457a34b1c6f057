"""What several people's answers to the same questions have in common: pairs, edges and frames of each question.

Every figure of agreement is made from sums of these tallies, so its bootstrap interval is one product of matrices.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from annotation.answers.opinions import NO_GESTURE
from annotation.reporting.judgements import Compared, Judgement
from annotation.reporting.resampling import Floats
from schema.matching import match_spans
from schema.timespan import TimeSpan

NS_PER_MS = 1_000_000
GRID_NS = 40 * NS_PER_MS
"""One frame at 25 frames per second, whatever the video's own rate: alpha needs a common unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTally:
    """What two people saw of one class in one question."""

    question: int
    """From 0, in the order of the compared questions."""
    annotators: tuple[str, str]
    outcome: str
    matched: int
    """Spans of the one that lie one to one on spans of the other."""
    spans: int
    """Spans of both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTally:
    """How far apart the edges of one matched pair of spans are."""

    question: int
    annotators: tuple[str, str]
    outcome: str
    onset_ms: float
    offset_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SameTally:
    """Whether two people gave one question the same answer, edges aside."""

    question: int
    annotators: tuple[str, str]
    outcomes: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTally:
    """The frames of one question, as each of its people labelled them."""

    rater_count: int
    frame_count: int
    labels: Mapping[tuple[str, ...], int]
    """Labelled frames, all people together, by the classes seen at once."""
    agreeing: float
    """Sum of the coincidence matrix's diagonal."""
    by_outcome: Mapping[str, npt.NDArray[np.bool_]]
    """Of each class seen by somebody: who sees it in which frame, shape ``(rater_count, frame_count)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallies:
    """All tallies of some compared questions."""

    questions: tuple[Compared, ...]
    pairs: tuple[PairTally, ...]
    edges: tuple[EdgeTally, ...]
    same: tuple[SameTally, ...]
    frames: tuple[FrameTally, ...]
    """One a question."""


def tally(questions: Sequence[Compared], *, at_iou: float = 0.5, grid_ns: int = GRID_NS) -> Tallies:
    """Compare every two people in every question.

    Spans are matched one to one within a class, from a temporal IoU of ``at_iou`` on.
    """
    pairs: list[PairTally] = []
    edges: list[EdgeTally] = []
    same: list[SameTally] = []
    for number, question in enumerate(questions):
        for one, other in combinations(question.judgements, 2):
            who = one.annotation.annotator_id, other.annotation.annotator_id
            same.append(SameTally(question=number, annotators=who, outcomes=(one.outcome, other.outcome)))
            for outcome in sorted({seen.outcome for seen in (*one.spans, *other.spans)}):
                left, right = _spans_of(one, outcome), _spans_of(other, outcome)
                matched = match_spans(left, right, at_least_iou=at_iou)
                pairs.append(
                    PairTally(
                        question=number,
                        annotators=who,
                        outcome=outcome,
                        matched=len(matched),
                        spans=len(left) + len(right),
                    )
                )
                edges += [_edge(number, who, outcome, left[i], right[j]) for i, j in matched]
    frames = tuple(_frames(question, grid_ns) for question in questions)
    return Tallies(questions=tuple(questions), pairs=tuple(pairs), edges=tuple(edges), same=tuple(same), frames=frames)


def _spans_of(judgement: Judgement, outcome: str) -> list[TimeSpan]:
    return [seen.span for seen in judgement.spans if seen.outcome == outcome]


def _edge(question: int, annotators: tuple[str, str], outcome: str, left: TimeSpan, right: TimeSpan) -> EdgeTally:
    return EdgeTally(
        question=question,
        annotators=annotators,
        outcome=outcome,
        onset_ms=abs(left.start_ns - right.start_ns) / NS_PER_MS,
        offset_ms=abs(left.end_ns - right.end_ns) / NS_PER_MS,
    )


def _frames(question: Compared, grid_ns: int) -> FrameTally:
    """Lay a grid over what everybody saw; a frame has the classes whose spans hold its middle."""
    count = max(1, -(-question.window.duration_ns // grid_ns))
    middles = question.window.start_ns + np.arange(count, dtype=np.int64) * grid_ns + grid_ns // 2
    raters = len(question.judgements)
    by_outcome = _covered(question.judgements, middles)
    outcomes = sorted(by_outcome)
    labelled = np.zeros((raters, count), dtype=np.object_)  # Python integers: a bit a class, however many classes
    for bit, outcome in enumerate(outcomes):
        labelled += by_outcome[outcome].astype(np.object_) << bit
    labels: dict[tuple[str, ...], int] = {}
    agreeing = 0.0
    for code in sorted(set(labelled.ravel().tolist())):
        alike = np.sum(labelled == code, axis=0)
        names = tuple(name for bit, name in enumerate(outcomes) if code >> bit & 1) or (NO_GESTURE,)
        labels[names] = int(alike.sum())
        agreeing += float((alike * (alike - 1)).sum()) / (raters - 1)
    return FrameTally(rater_count=raters, frame_count=count, labels=labels, agreeing=agreeing, by_outcome=by_outcome)


def _covered(judgements: Sequence[Judgement], middles: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.bool_]]:
    """Return of each class who sees it in which frame, shape ``(people, frames)``."""
    found: dict[str, npt.NDArray[np.bool_]] = {}
    for rater, judgement in enumerate(judgements):
        for seen in judgement.spans:
            rows = found.setdefault(seen.outcome, np.zeros((len(judgements), middles.size), dtype=np.bool_))
            rows[rater] |= (middles >= seen.span.start_ns) & (middles < seen.span.end_ns)
    return found


def nominal_tallies(frames: Sequence[FrameTally]) -> Floats:
    """Return what alpha over all classes needs of each question, shape ``(questions, 1 + labels)``.

    The first column is the coincidence matrix's diagonal, the others are its margins. A frame's label is the set of
    classes that a person sees there, so that two classes at once are a label of their own.
    """
    labels = sorted({label for tallied in frames for label in tallied.labels})
    columns = {label: 1 + number for number, label in enumerate(labels)}
    tallies = np.zeros((len(frames), 1 + len(labels)))
    for row, tallied in enumerate(frames):
        tallies[row, 0] = tallied.agreeing
        for label, count in tallied.labels.items():
            tallies[row, columns[label]] = count
    return tallies


def binary_tallies(frames: Sequence[FrameTally], outcomes: frozenset[str]) -> Floats:
    """Return what alpha of "one of these classes, or none of them" needs of each question, shape ``(questions, 3)``."""
    return np.array([_binary_row(tallied, outcomes) for tallied in frames], dtype=np.float64).reshape(-1, 3)


def _binary_row(tallied: FrameTally, outcomes: frozenset[str]) -> tuple[float, float, float]:
    seen = [rows for outcome, rows in tallied.by_outcome.items() if outcome in outcomes]
    raters, frames = tallied.rater_count, tallied.frame_count
    if not seen:
        return raters * frames, 0, raters * frames
    yes = np.logical_or.reduce(seen).sum(axis=0)
    no = raters - yes
    agreeing = float((yes * (yes - 1) + no * (no - 1)).sum()) / (raters - 1)
    return agreeing, float(yes.sum()), float(no.sum())


def alpha_of(sums: Floats) -> Floats:
    """Return Krippendorff's alpha for nominal data from sums of tallies (Krippendorff 2011, section A, equation 4).

    ``1 - (n - 1) (n - sum_c o_cc) / (n^2 - sum_c n_c^2)``; NaN where only one label was ever given. The library
    ``krippendorff`` gives the same (the tests compare them), but builds a matrix of labels by labels for every frame:
    4 GB for 5,000 clips and 32 classes, and no way to weigh the frames of a bootstrap.

    Args:
        sums: Diagonal of the coincidence matrix, then its margins; shape ``(replicates, 1 + labels)``.
    """
    margins = sums[:, 1:]
    total = margins.sum(axis=1)
    by_chance = total**2 - (margins**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        alphas = 1 - (total - 1) * (total - sums[:, 0]) / by_chance
    return np.where(by_chance > 0, alphas, np.nan)


def f1_of(sums: Floats) -> Floats:
    """Return F1 from sums of matched spans and of all spans, shape ``(replicates, 2)``; NaN where there are none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(sums[:, 1] > 0, 2 * sums[:, 0] / sums[:, 1], np.nan)
