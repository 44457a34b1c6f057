"""Read points out of a SimCC network's answer: one row of classes for x and one for y (arXiv:2107.03332)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from perception.backends.mmpose.crops import CropPlace, CropShape, to_frame
from perception.keypoints import PersonKeypoints
from schema.errors import RunError
from schema.records import PART_SLICES, Part

_Floats = npt.NDArray[np.float32]


def strongest_classes(rows_x: _Floats, rows_y: _Floats) -> tuple[_Floats, _Floats]:
    """Return the strongest class of each point, ``(n, k, 2)``, and its score, ``(n, k)``: the lower of both axes.

    The same as mmpose's ``get_simcc_maximum``, except that points without a positive score keep their place.
    """
    best_x, best_y = rows_x.argmax(axis=-1), rows_y.argmax(axis=-1)
    score_x = np.take_along_axis(rows_x, best_x[..., None], axis=-1)[..., 0]
    score_y = np.take_along_axis(rows_y, best_y[..., None], axis=-1)[..., 0]
    return np.stack([best_x, best_y], axis=-1).astype(np.float32), np.minimum(score_x, score_y)


def people_from_points(
    points_xy: _Floats, scores: _Floats, places: Sequence[CropPlace], *, shape: CropShape, min_score: float
) -> list[PersonKeypoints]:
    """Make people of points in cuts, ``(n, 133, 2)`` in pixels of the network's input, and scores ``(n, 133)``.

    A point counts as seen from ``min_score`` on, with a score above 0, inside the frame; scores above 1 become 1.

    Raises:
        RunError: Scores that are no numbers.
    """
    if not np.isfinite(scores).all():
        raise RunError(
            "keypoints: the network's answer holds values that are no numbers: its weights are damaged, or too large "
            "for the precision that the study sets; try bf16 or fp32"
        )
    frame_points = to_frame(points_xy, places, shape)
    sizes = np.array([place.frame_size_xy for place in places], dtype=np.float32)[:, None]
    inside = ((frame_points >= 0) & (frame_points < sizes)).all(axis=-1)
    seen = inside & (scores >= min_score) & (scores > 0)
    frame_points[~seen] = np.nan
    seen_scores = np.where(seen, np.minimum(scores, np.float32(1)), np.float32(0)).astype(np.float32)
    parts = np.stack([seen[:, PART_SLICES[part]].any(axis=1) for part in Part], axis=1)
    return [
        PersonKeypoints(keypoints_xy=points, scores=row, parts_seen=part_row)
        for points, row, part_row in zip(frame_points, seen_scores, parts, strict=True)
    ]
