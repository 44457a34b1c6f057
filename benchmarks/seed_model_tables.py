"""The tables of ``seed_model.py``: from what units told of held-out people to means and spreads over seeds."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.seed_model_units import SCRATCH, SEED_MODEL, Unit
from benchmarks.skeleton_sets import SkeletonSet
from evaluation.average_precision import average_precision, average_recall
from evaluation.classification import classification_score
from evaluation.loop import CurvePoint, Found, LoopCurve, cost_ratio, cost_to_reach, spread_of
from evaluation.spans import ClaimedSpan, TrueSpan
from evaluation.spotting import Matching, f1_at, truths_found
from flows._simulation import Strategy
from schema.timespan import NS_PER_SECOND, TimeSpan

Results = Mapping[str, Mapping[str, Any]]
Row = dict[str, str]
IOUS = (0.1, 0.3, 0.5)
PROPOSALS = (5, 10, 20)
"""Proposals a minute at which recall is told."""
THRESHOLDS = 100
"""Scores, evenly spread over those of the claims, of which one is chosen to begin from."""
RECALLS = (0.3, 0.5, 0.6)
"""Recalls whose price is told."""


class _Truth:
    """What is really there."""

    def __init__(self, skeletons: SkeletonSet) -> None:
        self.spans: dict[str, list[TrueSpan]] = {}
        self.minutes: dict[str, float] = {}
        self.subject: dict[str, str] = {}
        for one in skeletons.sequences:
            name = one.poses.sequence_id
            self.spans[name] = [TrueSpan(sequence_id=name, span=g.span, class_id=g.class_id) for g in one.gestures]
            self.minutes[name] = sum(span.duration_ns for span in one.judged) / NS_PER_SECOND / 60
            self.subject[name] = one.poses.subject_id or ""


class _Told:
    """What units of one kind told, taken together."""

    def __init__(self, truth: _Truth, parts: Sequence[Mapping[str, Any]]) -> None:
        self._truth = truth
        self.true_classes = [name for part in parts for name in part["true_classes"]]
        self.told_classes = [name for part in parts for name in part["told_classes"]]
        self.sequence_ids = [name for part in parts for name in part["sequence_ids"]]
        self.claims = [
            ClaimedSpan(sequence_id=name, span=TimeSpan(start_ns=start, end_ns=end), class_id=class_id, score=score)
            for part in parts
            for name, start, end, class_id, score in part["claims"]
        ]
        self.truths = [span for name in self.sequence_ids for span in truth.spans[name]]

    def accuracy(self) -> float:
        return classification_score(self.true_classes, self.told_classes).accuracy

    def macro_f1(self) -> float:
        return classification_score(self.true_classes, self.told_classes).macro_f1

    def mean_precision(self, at_iou: float) -> float:
        return average_precision(self.truths, self.claims, at_iou=at_iou).mean

    def f1(self, matching: Matching) -> float:
        """F1 at 0.3 of claims from a score on that is best for the *other* held-out people."""
        least = dict(zip(self._people, self._thresholds, strict=True))
        kept = [claim for claim in self.claims if claim.score >= least[self._truth.subject[claim.sequence_id]]]
        return f1_at(self.truths, kept, matching=matching).f1

    @cached_property
    def _people(self) -> list[str]:
        return sorted({self._truth.subject[name] for name in self.sequence_ids})

    @cached_property
    def _thresholds(self) -> list[float]:
        """Of each person the score from which on the others' claims have the greatest F1, one to one."""
        scores = np.unique([claim.score for claim in self.claims])
        tried = np.unique(np.quantile(scores, np.linspace(0, 1, THRESHOLDS), method="lower")) if scores.size else []
        true_counts = self._by_person(self.truths)
        found, claimed = [], []
        for score in tried:
            kept = [claim for claim in self.claims if claim.score >= score]
            is_found = truths_found(self.truths, kept)
            found.append(self._by_person([truth for truth, was in zip(self.truths, is_found, strict=True) if was]))
            claimed.append(self._by_person(kept))
        if not found:
            return [0.0] * len(self._people)
        of_others = [np.sum(counts, axis=-1, keepdims=True) - counts for counts in (found, true_counts, claimed)]
        f1 = 2 * of_others[0] / np.maximum(of_others[1] + of_others[2], 1)
        return [float(tried[place]) for place in np.argmax(f1, axis=0)]

    def _by_person(self, spans: Sequence[TrueSpan] | Sequence[ClaimedSpan]) -> npt.NDArray[np.int64]:
        counts = Counter(self._truth.subject[span.sequence_id] for span in spans)
        return np.array([counts[person] for person in self._people])

    def recall(self, proposals: int) -> float:
        return average_recall(self.truths, self.claims, proposals=proposals, minutes_of=self._truth.minutes).mean


def all_tables(skeletons: SkeletonSet, units: Sequence[Unit], results: Results) -> dict[str, list[Row]]:
    """Return every table whose units are done, by its title."""
    told = _grouped(_Truth(skeletons), units, results)
    tables = {
        "Classification of cut segments (held-out people; mean and spread over seeds)": _classification(told),
        "Detection (held-out people; F1 at 0.3 from the score on that suits the others)": _detection(told),
        "The loop (simulated people; a segment is found at temporal IoU 0.5; windows as long as its clips)": _loop(
            units, results
        ),
        "What each choice is worth (one seed, half of the people held out at a time, fewer updates)": _ablations(told),
        "Seconds a unit (one process, one thread)": _seconds(units, results),
    }
    return {title: rows for title, rows in tables.items() if rows}


Key = tuple[str, str, str]
"""Whether it is an ablation, the variant, full or few labels."""


def _grouped(truth: _Truth, units: Sequence[Unit], results: Results) -> dict[Key, list[_Told]]:
    """Return what was told by variant, one entry a seed."""
    parts: dict[tuple[Key, int], list[Mapping[str, Any]]] = defaultdict(list)
    for unit in units:
        result = results.get(unit.name)
        if result is None or unit.kind == "loop":
            continue
        for labels in ("full", "few"):
            if labels in result:
                parts[(unit.part, unit.variant, labels), unit.seed].append(result[labels])
    told: dict[Key, list[_Told]] = defaultdict(list)
    for (key, _), found in sorted(parts.items()):
        told[key].append(_Told(truth, found))
    return told


def _spread(told: Sequence[_Told], figure: Callable[[_Told], float]) -> str:
    spread = spread_of([figure(one) for one in told])
    if math.isnan(spread.mean):
        return "-"
    return f"{spread.mean:.3f} \u00b1 {spread.deviation:.3f}" if spread.count > 1 else f"{spread.mean:.3f}"


def _classification(told: Mapping[Key, list[_Told]]) -> list[Row]:
    rows = []
    for variant, labels in (
        ("linear", "full"),
        (SEED_MODEL, "full"),
        (SCRATCH, "few"),
        (SEED_MODEL, "few"),
    ):
        found = told.get(("main", variant, labels))
        if found:
            rows.append(
                {
                    "model": variant,
                    "labels": "all" if labels == "full" else "a tenth",
                    "accuracy": _spread(found, _Told.accuracy),
                    "macro F1": _spread(found, _Told.macro_f1),
                }
            )
    return rows


def _detection(told: Mapping[Key, list[_Told]]) -> list[Row]:
    rows = []
    for (part, variant, labels), found in sorted(told.items()):
        if part != "main" or (variant == "linear" and labels == "few"):
            continue
        row = {"proposer": variant, "labels": "all" if labels == "full" else "a tenth"}
        for at_iou in IOUS:
            row[f"mAP {at_iou}"] = _spread(found, lambda one, at=at_iou: one.mean_precision(at))
        row["F1"] = _spread(found, lambda one: one.f1("one_to_one"))
        row["F1, starter kit"] = _spread(found, lambda one: one.f1("starter_kit"))
        for proposals in PROPOSALS:
            row[f"recall, {proposals}/min"] = _spread(found, lambda one, n=proposals: one.recall(n))
        if variant == "contact and motion":  # it names no class
            row |= {name: "-" for name in row if name.startswith(("mAP", "F1"))}
            row["labels"] = "none"
        rows.append(row)
    return rows


def _ablations(told: Mapping[Key, list[_Told]]) -> list[Row]:
    return [
        {
            "choice": variant,
            "accuracy": _spread(found, _Told.accuracy),
            "macro F1": _spread(found, _Told.macro_f1),
            "mAP 0.3": _spread(found, lambda one: one.mean_precision(0.3)),
            "mAP 0.5": _spread(found, lambda one: one.mean_precision(0.5)),
        }
        for (part, variant, _), found in told.items()
        if part == "ablation"
    ]


def _loop(units: Sequence[Unit], results: Results) -> list[Row]:
    """Return what each strategy costs to reach a recall, a seed's curves beside each other."""
    curves: dict[str, list[LoopCurve]] = defaultdict(list)
    for unit in units:
        if unit.kind == "loop" and unit.name in results:
            for strategy, document in results[unit.name]["curves"].items():
                curves[strategy].append(_curve(document))
    windows = curves.get(Strategy.WINDOWS, [])
    rows = []
    for strategy, found in curves.items():
        pairs = list(zip(found, windows, strict=True))
        clips = "as the loop's" if strategy == Strategy.WINDOWS else _mean([one.clip_seconds for one in found])
        row = {"strategy": strategy, "seconds a clip": clips}
        for recall in RECALLS:
            row[f"answers to recall {recall}"] = _known([cost_to_reach(one, recall) for one in found], digits=0)
        for recall in RECALLS:
            ratios = [cost_ratio(one, other, recall) for one, other in pairs]
            row[f"of what windows need, {recall}"] = _known(ratios, digits=2)
        minutes = [cost_ratio(one, other, RECALLS[-1], in_minutes=True) for one, other in pairs]
        row[f"minutes of what windows need, {RECALLS[-1]}"] = _known(minutes, digits=2)
        row["recall at the end"] = _mean([one.last_recall for one in found])
        rows.append(row)
    return rows


def _known(values: Sequence[float | None], *, digits: int) -> str:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return f"not reached in {len(values) - len(known)} of {len(values)}"
    spread = spread_of(known)
    return f"{spread.mean:.{digits}f} \u00b1 {spread.deviation:.{digits}f}"


def _mean(values: Sequence[float]) -> str:
    spread = spread_of(values)
    return f"{spread.mean:.2f} \u00b1 {spread.deviation:.2f}" if spread.count > 1 else f"{spread.mean:.2f}"


def _curve(document: Mapping[str, Any]) -> LoopCurve:
    points = tuple(CurvePoint(**{**point, "found": Found(**point["found"])}) for point in document["points"])
    return LoopCurve(**{**document, "points": points, "notes": tuple(document["notes"])})


def _seconds(units: Sequence[Unit], results: Results) -> list[Row]:
    taken: dict[tuple[str, str], list[float]] = defaultdict(list)
    for unit in units:
        if unit.name in results:
            what = f"{unit.kind}, {len(unit.held_out)} held out" if unit.kind == "model" else unit.kind
            taken[what, unit.variant].append(results[unit.name]["seconds"])
    return [
        {"work": what, "variant": variant, "units": str(len(seconds)), "seconds": _mean(seconds)}
        for (what, variant), seconds in taken.items()
    ]


def as_text(tables: Mapping[str, list[Row]]) -> str:
    """Write the tables as Markdown."""
    lines: list[str] = []
    for title, rows in tables.items():
        columns = list(dict.fromkeys(name for row in rows for name in row))
        lines += ["", f"### {title}", "", f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
        lines += [f"| {' | '.join(row.get(name, '') for name in columns)} |" for row in rows]
    return "\n".join(lines[1:])
