"""How large a person is in the picture, and keypoints freed of place and size."""

import numpy as np

from kinematics.windows import Floats, seconds_of, slow_medians
from schema.records import KeypointSequence

JAW_PER_HEAD_WIDTH = 1.0
"""The face contour spans the head from ear to ear: the unit itself."""
EARS_PER_HEAD_WIDTH = 0.8
"""Ear points lie inside the contour: 0.70-0.91 of it on nine clips of seated and signing people, median 0.80."""
EYES_TO_CHIN_PER_HEAD_WIDTH = 0.84
"""Eye line to chin against the contour: 0.73-0.94 on the same clips, median 0.84. Survives a turned head."""
SHOULDERS_PER_HEAD_WIDTH = 2.5
"""Shoulder points against the contour: 1.8-2.5 on the same clips; the far end, so that this measure only
decides where the face says nothing, or is a stray detection much too small for the shoulders."""
SCALE_BLOCK_S = 1.5
"""A person's size changes slowly: medians of blocks this long follow someone who walks, and no gesture."""
SHOULDER_SCORE = 0.3


def distance_px(sequence: KeypointSequence, first: int, second: int) -> Floats:
    """Return the distance between two keypoints in each frame, shape ``(n,)``; NaN where one is unseen."""
    points = sequence.keypoints_xy
    gap = points[:, first].astype(np.float64) - points[:, second].astype(np.float64)
    return np.hypot(gap[:, 0], gap[:, 1])


def head_measures_px(sequence: KeypointSequence) -> Floats:
    """Return what tells the head width in each frame in pixels, shape ``(4, n)``; NaN where a point is unseen.

    The face contour, the ears, eyes to chin and the shoulders, each turned into head widths.
    """
    points = sequence.keypoints_xy
    eyes = (points[:, 1].astype(np.float64) + points[:, 2].astype(np.float64)) / 2
    shoulders = distance_px(sequence, 5, 6)
    shoulders[(sequence.scores[:, 5] < SHOULDER_SCORE) | (sequence.scores[:, 6] < SHOULDER_SCORE)] = np.nan
    measures = (
        distance_px(sequence, 23, 39) / JAW_PER_HEAD_WIDTH,
        distance_px(sequence, 3, 4) / EARS_PER_HEAD_WIDTH,
        np.hypot(*(eyes - points[:, 31].astype(np.float64)).T) / EYES_TO_CHIN_PER_HEAD_WIDTH,
        shoulders / SHOULDERS_PER_HEAD_WIDTH,
    )
    return np.stack(measures)


def head_widths_px(sequence: KeypointSequence) -> Floats:
    """Return the person's head width in each frame in pixels, shape ``(n,)``; all NaN where nothing tells it.

    The greatest of the slow medians of four measures (``head_measures_px``): a turned head makes the first two shorter
    and never longer, and any of them may be missing.
    """
    times_s = seconds_of(sequence.times_ns)
    slow = np.stack([slow_medians(one, times_s, block_s=SCALE_BLOCK_S) for one in head_measures_px(sequence)])
    widest = np.max(np.where(np.isfinite(slow), slow, 0.0), axis=0)
    return np.where(widest > 0, widest, np.nan)


def origin_and_unit_px(sequence: KeypointSequence) -> tuple[Floats, float] | None:
    """Return the neck, shape ``(2,)``, and the shoulder width in pixels, one for the whole clip.

    Medians over its frames, so that leaning and shrugging stay visible. Without shoulders the origin is the median nose
    and the unit 2.5 head widths; None where nothing tells either.
    """
    necks = (sequence.keypoints_xy[:, 5].astype(np.float64) + sequence.keypoints_xy[:, 6].astype(np.float64)) / 2
    widths = distance_px(sequence, 5, 6)
    both = np.isfinite(widths) & (widths > 0)
    if both.any():
        return np.asarray(np.median(necks[both], axis=0)), float(np.median(widths[both]))
    noses = sequence.keypoints_xy[:, 0].astype(np.float64)
    nose_seen = np.isfinite(noses[:, 0])
    heads = head_widths_px(sequence)
    if not nose_seen.any() or not np.isfinite(heads).any():
        return None
    return np.asarray(np.median(noses[nose_seen], axis=0)), SHOULDERS_PER_HEAD_WIDTH * float(np.nanmedian(heads))


def normalise_positions(sequence: KeypointSequence) -> Floats:
    """Return keypoints with the neck as origin and the shoulder width as unit, shape ``(n, 133, 2)``.

    Origin and unit are one for the whole clip (``origin_and_unit_px``); y still points down. A clip that tells neither
    comes back all NaN.
    """
    points = sequence.keypoints_xy.astype(np.float64)
    frame = origin_and_unit_px(sequence)
    if frame is None:
        return np.full(points.shape, np.nan)
    origin, unit = frame
    return np.asarray((points - origin) / unit)
