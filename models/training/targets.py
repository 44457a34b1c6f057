"""What the detector should say of a window: of every place of every scale, and of spans in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.inputs.outputs import Outputs
from models.inputs.windows import Window

CENTRE_RADIUS = 1.5
"""Places so many steps of their scale from the middle of a gesture stand for it (ActionFormer, arXiv 2202.07925)."""
STEPS_AT_SCALE = 4
"""A scale is for gestures that reach up to so many of its steps from the place; the coarsest is for all longer ones."""
LIKE = 0.5
"""From this temporal IoU on a span shows the gesture."""
UNLIKE = 0.3
"""Below it a span shows none; between the two it teaches nothing."""
SPANS_PER_GESTURE = 2
RANDOM_SPANS = 3
"""Spans drawn by chance in each window."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DenseTargets:
    """Targets of one scale."""

    classes: Tensor
    """0 or 1, shape ``(B, places, outputs)``."""
    weights: Tensor
    """What each place counts, shape ``(B, places)``."""
    reaches: Tensor
    """Frames back and on, shape ``(B, places, 2)``; 0 where no gesture is."""
    holds: Tensor
    """Whether a gesture is to be placed from here, bool, shape ``(B, places)``."""

    def to(self, device: torch.device) -> "DenseTargets":
        """Move them."""
        moved = {name: getattr(self, name).to(device) for name in ("classes", "weights", "reaches", "holds")}
        return DenseTargets(**moved)


def dense_targets(
    windows: Sequence[Window], *, outputs: Outputs, levels: int, unjudged_weight: float
) -> list[DenseTargets]:
    """Return the targets of every scale; place ``i`` of scale ``k`` lies at frame ``i * 2 ** (k + 1)``.

    Frames that nobody judged count ``unjudged_weight`` as background.
    """
    made = []
    for level in range(levels):
        step = 2 ** (level + 1)
        length = windows[0].judged.shape[0]
        places = np.arange(0, length, step)
        low = 0 if level == 0 else STEPS_AT_SCALE * step / 2
        high = STEPS_AT_SCALE * step if level < levels - 1 else np.inf
        classes = np.zeros((len(windows), len(places), outputs.count), np.float32)
        reaches = np.zeros((len(windows), len(places), 2), np.float32)
        weights = np.empty((len(windows), len(places)), np.float32)
        shortest = np.full((len(windows), len(places)), np.inf)
        for number, window in enumerate(windows):
            weights[number] = np.where(window.judged[places], 1.0, unjudged_weight)
            for gesture in window.gestures:
                back, on = places - gesture.first, gesture.end - places
                far = np.maximum(back, on)
                is_near = np.abs(back - on) / 2 <= CENTRE_RADIUS * step
                here = is_near & (back >= 0) & (on >= 0) & (far >= low) & (far < high)
                row = outputs.row(gesture)
                classes[number][here] = np.maximum(classes[number][here], row)
                weights[number][here] = 1
                first = here & (gesture.end - gesture.first < shortest[number])
                reaches[number][first] = np.stack([back, on], axis=1)[first]
                shortest[number][first] = gesture.end - gesture.first
        made.append(
            DenseTargets(
                classes=torch.from_numpy(classes),
                weights=torch.from_numpy(weights),
                reaches=torch.from_numpy(reaches),
                holds=torch.from_numpy(np.isfinite(shortest)),
            )
        )
    return made


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpanTargets:
    """Spans in a batch of windows and what they show."""

    spans: Tensor
    """Window, first frame, end frame (not included), shape ``(n, 3)``."""
    classes: Tensor
    """0 or 1, shape ``(n, outputs)``."""
    weights: Tensor
    """What each output of each span counts, shape ``(n, outputs)``."""

    def to(self, device: torch.device) -> "SpanTargets":
        """Move them."""
        return SpanTargets(
            spans=self.spans.to(device), classes=self.classes.to(device), weights=self.weights.to(device)
        )


def span_targets(
    windows: Sequence[Window],
    *,
    outputs: Outputs,
    unjudged_weight: float,
    random: np.random.Generator,
    likely: Sequence[Sequence[tuple[float, float]]] = (),
) -> SpanTargets:
    """Draw spans near gestures and by chance, add what the detector takes for gestures, and say what they show.

    ``likely`` are the spans that its places tell of each window at the moment: from them the look at whole spans learns
    what it will have to refuse. A span shows a gesture from a temporal IoU of 0.5 on; one between 0.3 and 0.5 says
    nothing of the gesture's class, its group and "any".
    """
    spans: list[tuple[int, int, int]] = []
    rows, weights = [], []
    for number, window in enumerate(windows):
        length = window.judged.shape[0]
        for first, end in [*_drawn(window, random), *(likely[number] if likely else ())]:
            low, high = max(0, min(round(first), length - 1)), min(length, max(round(end), round(first) + 1))
            if high <= low:
                continue
            row, weight = _shown(window, low, high, outputs, unjudged_weight)
            spans.append((number, low, high))
            rows.append(row)
            weights.append(weight)
    shape = (len(spans), outputs.count)
    return SpanTargets(
        spans=torch.tensor(spans, dtype=torch.long).reshape(-1, 3),
        classes=torch.from_numpy(np.stack(rows) if rows else np.zeros(shape, np.float32)),
        weights=torch.from_numpy(np.stack(weights) if weights else np.zeros(shape, np.float32)),
    )


def _drawn(window: Window, random: np.random.Generator) -> list[tuple[float, float]]:
    length = window.judged.shape[0]
    drawn = []
    for gesture in window.gestures:
        duration = gesture.end - gesture.first
        for spread in (0.1, 0.4)[:SPANS_PER_GESTURE]:
            moves = random.normal(0, spread * duration, 2)
            drawn.append((gesture.first + moves[0], gesture.end + moves[1]))
    for _ in range(RANDOM_SPANS):
        duration = float(np.exp(random.uniform(np.log(3), np.log(length))))
        first = random.uniform(0, length - duration)
        drawn.append((first, first + duration))
    return drawn


def _shown(
    window: Window, first: int, end: int, outputs: Outputs, unjudged_weight: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    row = np.zeros(outputs.count, np.float32)
    judged = float(window.judged[first:end].mean())
    weight = np.full(outputs.count, unjudged_weight + (1 - unjudged_weight) * judged, np.float32)
    for gesture in window.gestures:
        shared = min(end, gesture.end) - max(first, gesture.first)
        iou = shared / (max(end, gesture.end) - min(first, gesture.first))
        told = outputs.row(gesture)
        if iou >= LIKE:
            row = np.maximum(row, told)
            weight[told > 0] = 1
        elif iou > UNLIKE:
            weight[(told > 0) & (row == 0)] = 0
    return row, weight
