"""The plots of a model's card: for each thing that was measured, one picture."""

from collections.abc import Callable, Sequence

from drawing.model_charts import (
    Bin,
    Mark,
    Panel,
    Row,
    confusion_chart,
    curves_chart,
    line_panels,
    loss_chart,
    names_chart,
    reliability_chart,
)
from models.facts import ModelFacts
from models.metrics import AtOverlap, AtProposals, Curve, DetectionScores, Measured, NameScore, ReliabilityBin

MOST_PRECISION_RECALL = 4
"""Curves in one chart that can still be told apart."""
MOST_STAGES = 3
SERIES: tuple[tuple[str, Callable[[NameScore], Measured | None]], ...] = (
    ("F1 of detection", lambda score: score.f1),
    ("share of cut segments told right", lambda score: score.accuracy),
)
"""What the chart of classes shows of each, in this order."""


def plots_of(facts: ModelFacts) -> dict[str, bytes]:
    """Draw every plot for which there is something to draw; PNG files by their name."""
    drawn = {
        "classes": _classes(facts),
        "groups": _groups(facts),
        "detection": _detection(facts),
        "precision_recall": _precision_recall(facts),
        "confusion": _confusion(facts),
        "reliability": _reliability(facts),
        "losses": _losses(facts),
    }
    return {name: png for name, png in drawn.items() if png is not None}


def _classes(facts: ModelFacts) -> bytes | None:
    counted = sorted(facts.class_counts, key=lambda class_id: (-facts.class_counts[class_id], class_id))
    scores = {score.name: score for score in facts.metrics.classes}
    rows = [
        Row(
            name=facts.taxonomy.by_id(class_id).name,
            examples=facts.class_counts[class_id],
            is_marked=class_id in facts.fallen_back,
            marks=_marks_of(scores.get(class_id)),
        )
        for class_id in counted
        if facts.class_counts[class_id]
    ]
    return _names(rows, threshold=facts.config.fewest_examples) if rows else None


def _groups(facts: ModelFacts) -> bytes | None:
    counts = dict.fromkeys(facts.taxonomy.groups, 0)
    for gesture in facts.taxonomy:
        counts[gesture.group] += facts.class_counts.get(gesture.class_id, 0)
    scores = {score.name: score for score in facts.metrics.groups}
    rows = [
        Row(name=group, examples=count, marks=_marks_of(scores.get(group))) for group, count in counts.items() if count
    ]
    return _names(rows, threshold=None) if rows and scores else None


def _names(rows: Sequence[Row], *, threshold: int | None) -> bytes:
    series = [name for name, _ in SERIES if any(name in row.marks for row in rows)]
    return names_chart(rows, series=series, marked="too few: proposed by the group alone", threshold=threshold)


def _marks_of(score: NameScore | None) -> dict[str, Mark]:
    if score is None:
        return {}
    found = {name: measured_of(score) for name, measured_of in SERIES}
    return {name: _mark(0, measured) for name, measured in found.items() if measured is not None}


def _mark(place: float, measured: Measured) -> Mark:
    return Mark(place=place, value=measured.value, low=measured.low, high=measured.high)


def _detection(facts: ModelFacts) -> bytes | None:
    scores = {"this model": facts.metrics.detection} | {each.name: each.detection for each in facts.metrics.comparisons}
    kept = {name: score for name, score in scores.items() if score is not None}
    panels = [
        _panel(kept, across="overlap with the truth (temporal IoU)", up="mean average precision", of=_by_overlap),
        _panel(kept, across=_proposals_unit(kept), up="average recall", of=_by_proposals, is_log=True),
    ]
    shown = [panel for panel in panels if panel.lines]
    return line_panels(shown) if shown else None


def _panel(
    scores: dict[str, DetectionScores],
    *,
    across: str,
    up: str,
    of: Callable[[DetectionScores], Sequence[Mark]],
    is_log: bool = False,
) -> Panel:
    lines = {name: of(score) for name, score in scores.items()}
    return Panel(across=across, up=up, is_log=is_log, lines={name: marks for name, marks in lines.items() if marks})


def _by_overlap(scores: DetectionScores) -> list[Mark]:
    rows: Sequence[AtOverlap] = sorted(scores.mean_average_precision, key=lambda row: row.overlap)
    return [_mark(row.overlap, row.score) for row in rows]


def _by_proposals(scores: DetectionScores) -> list[Mark]:
    rows: Sequence[AtProposals] = sorted(scores.average_recall, key=lambda row: row.proposals)
    return [_mark(row.proposals, row.score) for row in rows if row.proposals > 0]


def _proposals_unit(scores: dict[str, DetectionScores]) -> str:
    return next((f"best proposals {score.proposals_unit}" for score in scores.values() if score.average_recall), "")


def _precision_recall(facts: ModelFacts) -> bytes | None:
    curves = {curve.name: (curve.across, curve.up) for curve in facts.metrics.precision_recall[:MOST_PRECISION_RECALL]}
    return curves_chart(curves, across="recall", up="precision", f1_lines=True) if curves else None


def _confusion(facts: ModelFacts) -> bytes | None:
    found = facts.metrics.classification.confusion if facts.metrics.classification else None
    if found is None or not found.labels:
        return None
    names = {gesture.class_id: gesture.name for gesture in facts.taxonomy}
    return confusion_chart([names.get(label, label) for label in found.labels], found.counts)


def _reliability(facts: ModelFacts) -> bytes | None:
    found = facts.metrics.calibration
    if found is None or not (found.bins_before or found.bins_after):
        return None
    titles = _with_error("as it comes", found.before), _with_error("calibrated", found.after)
    return reliability_chart(_bins(found.bins_before), _bins(found.bins_after), titles=titles)


def _with_error(title: str, error: Measured | None) -> str:
    return title if error is None else f"{title}: expected calibration error {error.value:.3f}"


def _bins(bins: Sequence[ReliabilityBin]) -> list[Bin]:
    return [
        Bin(low=b.low, high=b.high, count=b.count, mean_score=b.mean_score, share_right=b.share_right) for b in bins
    ]


def _losses(facts: ModelFacts) -> bytes | None:
    """Draw pre-training, training and the folds, each kind in one chart; of more kinds the first three."""
    stages: dict[str, dict[str, tuple[Sequence[float], Sequence[float]]]] = {}
    for curve in facts.metrics.losses:
        stages.setdefault(_stage(curve), {})[curve.name] = (curve.across, curve.up)
    return loss_chart(dict(list(stages.items())[:MOST_STAGES])) if stages else None


def _stage(curve: Curve) -> str:
    if curve.name.startswith("pre-training"):
        return "pre-training"
    return "folds of the cross-validation" if "fold" in curve.name else curve.name
