"""Matching of spans and boxes: temporal IoU, box IoU, and the one-to-one assignment of two lists."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from schema.timespan import TimeSpan

Left = TypeVar("Left")
Right = TypeVar("Right")
Box = tuple[float, float, float, float]
"""A pixel box ``(x1, y1, x2, y2)``."""


def box_iou(first_xyxy: Box, second_xyxy: Box) -> float:
    """Return intersection over union of two pixel boxes, 0 where one has no area."""
    width = min(first_xyxy[2], second_xyxy[2]) - max(first_xyxy[0], second_xyxy[0])
    height = min(first_xyxy[3], second_xyxy[3]) - max(first_xyxy[1], second_xyxy[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    area = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (first_xyxy, second_xyxy))
    return shared / (area - shared)


def match_one_to_one(
    left: Sequence[Left], right: Sequence[Right], *, score: Callable[[Left, Right], float], at_least: float
) -> list[tuple[int, int]]:
    """Pair items of two lists so that the summed score is greatest; each item is used once at most.

    Only pairs that score ``at_least`` (and more than 0) may be paired. The pairs come back by left index. The
    assignment is the Hungarian method (scipy's ``linear_sum_assignment``), so it does not depend on the order of
    the lists except between exact ties.
    """
    if not left or not right:
        return []
    from scipy.optimize import linear_sum_assignment

    scores: npt.NDArray[np.float64] = np.array([[score(a, b) for b in right] for a in left], dtype=np.float64)
    allowed = (scores >= at_least) & (scores > 0)
    rows, columns = linear_sum_assignment(np.where(allowed, scores, 0.0), maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if allowed[i, j]]


def match_spans(left: Sequence[TimeSpan], right: Sequence[TimeSpan], *, at_least_iou: float) -> list[tuple[int, int]]:
    """Pair two lists of spans one to one by temporal IoU."""
    return match_one_to_one(left, right, score=TimeSpan.temporal_iou, at_least=at_least_iou)
