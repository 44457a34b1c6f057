"""The baseline that a model has to beat: a linear classifier of pooled positions, slid over the sequence.

A span becomes one row of numbers: mean, spread, first, last and their difference of each normalised point, its mean
speed, and how often it was seen. Ridge regression on the classes (one-hot; for detection background is one of them) has
a closed form, so that the same sequences give the same model. Detection scores windows of a few lengths and keeps the
best of those that overlap. Our own design, made as simple as a baseline should be.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from evaluation.intervals import Floats, Integers
from evaluation.spans import ClaimedSpan, TrueSpan
from evaluation.spotting import best_threshold, pairwise_iou
from models.config import InputConfig
from models.inputs.normalise import NormalisedSequence, normalise, origin_and_unit, seen_points
from models.inputs.poses import Gesture, LabelledSequence, PoseSequence
from models.inputs.skeletons import Skeleton, make_skeleton, watched_points
from schema.errors import UsageError
from schema.timespan import NS_PER_SECOND, TimeSpan

BACKGROUND = -1
"""Number of a window in which there is no gesture."""
DOUBTFUL = -2
"""Number of a window that is neither: nothing is learned from it."""
LEAST_SPREAD = 1e-3
"""Shoulder widths; numbers that vary less are not blown up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlidingConfig:
    """Settings of the baseline: chosen on UTKinect itself, people held out, so that there it looks its best."""

    input: InputConfig = field(default_factory=InputConfig)
    length_quantiles: tuple[float, ...] = (0.05, 0.25, 0.5, 0.75, 0.95)
    """Windows are as long as these quantiles of the gestures' lengths."""
    stride: float = 0.25
    """Windows begin this share of their length after each other."""
    positive_iou: float = 0.5
    """A window that overlaps a gesture by at least this is of its class."""
    negative_iou: float = 0.3
    """A judged window that overlaps every gesture by less is background."""
    ridge: float = 100.0
    """Weight of the squared coefficients beside the squared errors; numbers are standardised first."""
    suppress_iou: float = 0.15
    """Of two claims of one class that overlap by more the better one is kept."""
    most_per_minute: float = 30.0
    """Claims kept for each minute of a sequence, as ``DetectConfig`` keeps detections."""
    least: float = 0.02
    """Claims of a lower score are left out."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Linear:
    """A fitted ridge regression."""

    centre: Floats
    """Mean of each number in training, shape ``(f,)``."""
    scale: Floats
    """Spread of each number in training, shape ``(f,)``."""
    weights: Floats
    """Shape ``(f, k)``."""
    bias: Floats
    """Shape ``(k,)``."""

    def scores(self, rows: Floats) -> Floats:
        """Return shares of the classes, shape ``(n, k)``: outputs below 0 are 0, and a row adds up to 1."""
        outputs = np.maximum((rows - self.centre) / self.scale @ self.weights + self.bias, 1e-9)
        shares: Floats = outputs / outputs.sum(axis=1, keepdims=True)
        return shares


def fit_ridge(rows: Floats, targets: Floats, *, ridge: float) -> Linear:
    """Solve ``min |X W + b - Y|^2 + ridge |W|^2`` on standardised rows ``(n, f)`` and targets ``(n, k)``.

    Of the two equal closed forms (Hoerl and Kennard 1970) the one with the smaller matrix is solved.
    """
    centre, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), LEAST_SPREAD)
    x, bias = (rows - centre) / scale, targets.mean(axis=0)
    y = targets - bias
    if x.shape[0] < x.shape[1]:
        weights = x.T @ np.linalg.solve(x @ x.T + ridge * np.eye(x.shape[0]), y)
    else:
        weights = np.linalg.solve(x.T @ x + ridge * np.eye(x.shape[1]), x.T @ y)
    return Linear(centre=centre, scale=scale, weights=weights, bias=bias)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearModel:
    """What ``fit_linear`` learned."""

    classes: tuple[str, ...]
    """Sorted class ids, in the order of all scores."""
    skeleton: Skeleton
    config: SlidingConfig
    lengths_s: tuple[float, ...]
    """Lengths of the windows."""
    classifier: Linear
    """Tells the classes of cut segments apart."""
    detector: Linear
    """Tells them from each other and from background, which comes last."""
    claims_from: float = 0.0
    """Score from which on a claim counts where claims are not ranked, as in F1."""

    def classify(self, poses: PoseSequence, spans: Sequence[TimeSpan]) -> tuple[list[str], Floats]:
        """Return the likeliest class of each span, and the shares of all, shape ``(n, len(classes))``.

        Raises ``UsageError`` for poses of another layout.
        """
        if not spans:
            return [], np.zeros((0, len(self.classes)))
        sequence = self._normalised(poses)
        scores = self.classifier.scores(pooled(sequence, _frames_of(sequence, spans)))
        return [self.classes[number] for number in scores.argmax(axis=1)], scores

    def detect(self, poses: PoseSequence) -> list[ClaimedSpan]:
        """Return what it sees in a sequence, by time; the best of overlapping windows, at most so many a minute.

        Raises ``UsageError`` for poses of another layout.
        """
        if not poses.times_ns.shape[0]:
            return []
        sequence = self._normalised(poses)
        frames = _windows(len(sequence.times_ns), self.lengths_s, sequence.rate_hz, self.config.stride)
        if not len(frames):
            return []
        edges_ns = _edges_ns(sequence, frames)
        scores = self.detector.scores(pooled(sequence, frames))
        found: list[tuple[float, int, int]] = []
        for number in range(len(self.classes)):
            own = scores[:, number]
            kept = _suppressed(edges_ns, own, at_iou=self.config.suppress_iou, least=self.config.least)
            found += [(float(own[window]), int(window), number) for window in kept]
        minutes = len(sequence.times_ns) / sequence.rate_hz / 60
        most = max(1, round(self.config.most_per_minute * minutes))
        best = sorted(found, key=lambda one: (-one[0], one[1], one[2]))[:most]
        claims = [
            ClaimedSpan(
                sequence_id=poses.sequence_id,
                span=TimeSpan(start_ns=int(edges_ns[window, 0]), end_ns=int(edges_ns[window, 1])),
                class_id=self.classes[number],
                score=score,
            )
            for score, window, number in best
        ]
        return sorted(claims, key=lambda claim: (claim.span, -claim.score))

    def _normalised(self, poses: PoseSequence) -> NormalisedSequence:
        if poses.layout != self.skeleton.layout:
            raise UsageError(
                f"{poses.sequence_id}: points of {poses.layout}, and the model knows {self.skeleton.layout}"
            )
        return normalise(poses, self.skeleton, self.config.input)


def fit_linear(labelled: Sequence[LabelledSequence], *, config: SlidingConfig | None = None) -> LinearModel:
    """Fit the classifier of cut segments and the detector.

    The score from which on a claim counts is the one that is best for F1 where each half of the people is judged by a
    model of the other half; of one person alone, by its own.

    Sequences that never show both shoulders at once, which tell place and size, are left out.

    Raises ``UsageError`` where there is no gesture, or sequences are of several layouts, or in the plane and in space.
    """
    config = config or SlidingConfig()
    layouts = sorted({one.poses.layout for one in labelled})
    if len(layouts) > 1:
        raise UsageError(f"sequences of several layouts, {', '.join(layouts)}: learn from one at a time")
    if len({one.poses.dimensions for one in labelled}) > 1:
        raise UsageError("some sequences are in the plane and some in space: learn from one kind at a time")
    labelled = _placeable(labelled)
    model = _fitted(labelled, config)
    people = sorted({_person(one) for one in labelled})
    halves = [[one for one in labelled if _person(one) in some] for some in (people[::2], people[1::2])]
    if not all(any(one.gestures for one in half) for half in halves):
        return replace(model, claims_from=_best_threshold(model, labelled, [], []))
    truths: list[TrueSpan] = []
    claims: list[ClaimedSpan] = []
    for learned, judged in (halves, halves[::-1]):
        threshold = _best_threshold(_fitted(learned, config), judged, truths, claims)
    return replace(model, claims_from=threshold)


def _placeable(labelled: Sequence[LabelledSequence]) -> list[LabelledSequence]:
    """Return the sequences that can be put to one place and size.

    Raises ``UsageError`` where none of them holds a gesture.
    """
    if not any(one.gestures for one in labelled):
        raise UsageError("no labelled gesture to learn from")
    skeleton = make_skeleton(labelled[0].poses.layout, watched_points(labelled[0].poses.layout))
    placeable = [one for one in labelled if _is_placeable(one.poses, skeleton)]
    if not any(one.gestures for one in placeable):
        raise UsageError(
            f"{len(labelled) - len(placeable)} of {len(labelled)} sequences never show both shoulders at once, which "
            "tell place and size, and the others hold no gesture: there is nothing to learn from"
        )
    return placeable


def _is_placeable(poses: PoseSequence, skeleton: Skeleton) -> bool:
    return bool(poses.times_ns.shape[0]) and origin_and_unit(poses, skeleton) is not None


def _person(one: LabelledSequence) -> str:
    return one.poses.subject_id or one.poses.sequence_id


def _best_threshold(
    model: LinearModel, judged: Sequence[LabelledSequence], truths: list[TrueSpan], claims: list[ClaimedSpan]
) -> float:
    """Add what is there and what the model claims to both lists, and return the best score to claim from."""
    for one in judged:
        truths += true_spans(one)
        claims += [claim for claim in model.detect(one.poses) if _is_judged(claim, one)]
    return best_threshold(truths, claims)


def true_spans(one: LabelledSequence) -> list[TrueSpan]:
    """Return the gestures of a sequence as what is there."""
    return [TrueSpan(sequence_id=one.poses.sequence_id, span=g.span, class_id=g.class_id) for g in one.gestures]


def _is_judged(claim: ClaimedSpan, one: LabelledSequence) -> bool:
    return any(span.contains(claim.span.middle_ns) for span in one.judged)


def _fitted(labelled: Sequence[LabelledSequence], config: SlidingConfig) -> LinearModel:
    gestures = [gesture for one in labelled for gesture in one.gestures]
    layout = labelled[0].poses.layout
    watched = watched_points(layout)
    points = seen_points([one.poses for one in labelled], watched, fewest_seen=config.input.fewest_seen)
    skeleton = make_skeleton(layout, points)
    if not skeleton.points:
        raise UsageError(f"{layout}: no point is seen in {config.input.fewest_seen:.0%} of the frames")
    classes = tuple(sorted({gesture.class_id for gesture in gestures}))
    lengths_s = np.unique(np.quantile([gesture.span.seconds for gesture in gestures], config.length_quantiles))
    cuts: list[tuple[Floats, Integers]] = []
    windows: list[tuple[Floats, Integers]] = []
    for one in labelled:
        sequence = normalise(one.poses, skeleton, config.input)
        own = np.array([classes.index(gesture.class_id) for gesture in one.gestures], np.int64)
        cuts.append((pooled(sequence, _frames_of(sequence, [gesture.span for gesture in one.gestures])), own))
        frames = _windows(len(sequence.times_ns), lengths_s, sequence.rate_hz, config.stride)
        told = _told(_edges_ns(sequence, frames), one, own, config)
        windows.append((pooled(sequence, frames[told != DOUBTFUL]), told[told != DOUBTFUL]))
    return LinearModel(
        classes=classes,
        skeleton=skeleton,
        config=config,
        lengths_s=tuple(float(length) for length in lengths_s),
        classifier=_ridge_of(cuts, len(classes), config.ridge),
        # the gestures themselves are windows too
        detector=_ridge_of([*cuts, *windows], len(classes) + 1, config.ridge),
    )


def _ridge_of(parts: Sequence[tuple[Floats, Integers]], size: int, ridge: float) -> Linear:
    """Fit rows and their numbers; ``BACKGROUND``, -1, is the last of the columns."""
    rows, numbers = np.concatenate([rows for rows, _ in parts]), np.concatenate([told for _, told in parts])
    return fit_ridge(rows, np.eye(size)[numbers], ridge=ridge)


def pooled(sequence: NormalisedSequence, frames: Integers) -> Floats:
    """Pool windows of frames ``(n, 2)`` (first, end) into rows, shape ``(n, p * (5 d + 2))``.

    Positions are taken from the middle of all points that are seen in the window, so that where a person stands says
    nothing. A point that is not seen gives 0 everywhere. Sums run once over the sequence, whatever the windows.
    """
    seen = sequence.seen.astype(np.float64)
    positions = sequence.positions.astype(np.float64)
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=-1) * seen[1:] * seen[:-1]
    first, end = frames[:, 0], frames[:, 1]
    counts = _summed(seen, first, end)
    sums = _summed(positions, first, end)
    known = np.maximum(counts, 1)[..., None]
    middle = sums.sum(axis=1, keepdims=True) / np.maximum(counts.sum(axis=1), 1)[:, None, None]
    means = sums / known
    spread = np.sqrt(np.maximum(_summed(positions**2, first, end) / known - means**2, 0))
    moved = _summed(steps, first, end - 1) / np.maximum(_summed(seen[1:] * seen[:-1], first, end - 1), 1)
    starts, ends = positions[first] - middle, positions[end - 1] - middle
    both = (seen[first] * seen[end - 1])[..., None]
    parts = [
        (means - middle) * (counts > 0)[..., None],
        spread,
        starts * seen[first][..., None],
        ends * seen[end - 1][..., None],
        (ends - starts) * both,
        moved[..., None] * sequence.rate_hz,
        (counts / np.maximum(end - first, 1)[:, None])[..., None],
    ]
    points, axes = sequence.positions.shape[1:]
    # told in numbers: of no window numpy could not tell how long a row is
    return np.concatenate(parts, axis=-1).reshape(len(frames), points * (5 * axes + 2))


def _summed(values: Floats, first: Integers, end: Integers) -> Floats:
    """Sum rows ``first`` to ``end`` (not included) of values ``(t, ...)``, shape ``(n, ...)``."""
    sums = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    total: Floats = sums[end] - sums[first]
    return total


def _windows(frame_count: int, lengths_s: Sequence[float] | Floats, rate_hz: float, stride: float) -> Integers:
    """Return first and end frame of the windows of all lengths, shape ``(n, 2)``; none is longer than the sequence."""
    found: list[Integers] = [np.zeros((0, 2), np.int64)]
    for length in sorted({max(2, round(length_s * rate_hz)) for length_s in lengths_s}):
        starts = np.arange(0, frame_count - length + 1, max(1, round(stride * length)), dtype=np.int64)
        found.append(np.stack([starts, starts + length], axis=1))
    return np.concatenate(found)


def _frames_of(sequence: NormalisedSequence, spans: Sequence[TimeSpan]) -> Integers:
    slices = [sequence.frames_of(span.start_ns, span.end_ns) for span in spans]
    return np.array([(one.start, one.stop) for one in slices], np.int64).reshape(-1, 2)


def _edges_ns(sequence: NormalisedSequence, frames: Integers) -> npt.NDArray[np.int64]:
    step_ns = round(NS_PER_SECOND / sequence.rate_hz)
    return np.stack([sequence.times_ns[frames[:, 0]], sequence.times_ns[frames[:, 1] - 1] + step_ns], axis=1)


def _told(edges_ns: Integers, labelled: LabelledSequence, numbers: Integers, config: SlidingConfig) -> Integers:
    """Return what each window is: the number of a class, ``BACKGROUND`` or ``DOUBTFUL``, shape ``(n,)``."""
    told = np.full(len(edges_ns), DOUBTFUL, np.int64)
    judged = np.array([(span.start_ns, span.end_ns) for span in labelled.judged], np.int64).reshape(-1, 2)
    slack_ns = round(NS_PER_SECOND / config.input.rate_hz)
    inside = (edges_ns[:, None, 0] >= judged[None, :, 0] - slack_ns) & (
        edges_ns[:, None, 1] <= judged[None, :, 1] + slack_ns
    )
    iou = pairwise_iou(edges_ns, _gesture_edges_ns(labelled.gestures))
    best = iou.max(axis=1, initial=0.0)
    told[inside.any(axis=1) & (best < config.negative_iou)] = BACKGROUND
    positive = best >= config.positive_iou
    if positive.any():
        told[positive] = numbers[iou[positive].argmax(axis=1)]
    return told


def _gesture_edges_ns(gestures: Sequence[Gesture]) -> Integers:
    return np.array([(one.span.start_ns, one.span.end_ns) for one in gestures], np.int64).reshape(-1, 2)


def _suppressed(edges_ns: Integers, scores: Floats, *, at_iou: float, least: float) -> list[int]:
    """Return windows by score, without those that overlap a better one by more than ``at_iou``."""
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] >= least]
    kept: list[int] = []
    while order.size:
        kept.append(int(order[0]))
        iou = pairwise_iou(edges_ns[order[:1]], edges_ns[order])[0]
        order = order[1:][iou[1:] <= at_iou]
    return kept
