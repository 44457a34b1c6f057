"""Which hands are really seen: unsure detections and one hand reported as both are sorted out."""

from dataclasses import dataclass

import numpy as np

from kinematics.windows import Bools, Floats, seconds_of, window_means
from schema.records import PART_SLICES, KeypointSequence, Part

SIDES = ("left", "right")
"""The order of the two hands in every array here."""
WRISTS, ELBOWS, SHOULDERS = (9, 10), (7, 8), (5, 6)
FINGER_ENDS = (3, 4, 7, 8, 11, 12, 15, 16, 19, 20)
"""The last two joints of each finger among a hand's 21 points."""
LEADING_TIPS = (3, 5)
"""The tips of index and middle finger among ``FINGER_ENDS``."""
FEWEST_POINTS = 8
"""A hand counts as seen with at least this many of its 21 points."""
POINT_SCORE = 0.5
"""From here a body point (wrist, elbow, shoulder) is trusted: MediaPipe gives wrists in the picture 0.6-0.99 and
wrists that it guesses 0.03-0.5 (people walking by with hidden hands)."""
FARTHEST_ROOT = 1.2
"""A hand whose root lies more than this many head widths from a trusted wrist of its side is a stray detection."""
SAME_HAND = 0.25
"""Left and right hand whose points lie this close, in head widths (median), are one hand reported twice."""
LOCAL_S = 2.0
"""Which of the two names the hand really has is decided by the frames so close by."""
PALM_BEYOND_WRIST = 0.35
"""The middle of the hand lies this share of a forearm beyond the wrist."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hands:
    """Both hands of one person, left first."""

    points: Floats
    """Pixel positions, shape ``(n, 2, 21, 2)``; NaN where the hand is not seen."""
    seen: Bools
    """Whether the hand is seen, shape ``(n, 2)``."""
    palms: Floats
    """Where body points say the middle of the hand is, shape ``(n, 2, 2)``; NaN without a trusted wrist."""


def trusted_points(sequence: KeypointSequence) -> Floats:
    """Return body points that are seen with a good score, shape ``(n, 17, 2)``, NaN elsewhere."""
    body = sequence.keypoints_xy[:, PART_SLICES[Part.BODY]].astype(np.float64)
    return np.where((sequence.scores[:, PART_SLICES[Part.BODY]] >= POINT_SCORE)[..., None], body, np.nan)


def find_hands(sequence: KeypointSequence, head_widths: Floats) -> Hands:
    """Return the hands that are seen in each frame, without strays and without doubles."""
    parts = (Part.LEFT_HAND, Part.RIGHT_HAND)
    points = np.stack([sequence.keypoints_xy[:, PART_SLICES[part]] for part in parts], axis=1).astype(np.float64)
    seen = np.isfinite(points[..., 0]).sum(axis=2) >= FEWEST_POINTS
    seen &= np.stack([sequence.parts_seen[:, part] for part in parts], axis=1)
    body = trusted_points(sequence)
    wrists, elbows = body[:, WRISTS, :], body[:, ELBOWS, :]
    gap = points[:, :, 0] - wrists
    with np.errstate(invalid="ignore"):
        seen &= ~(np.hypot(gap[..., 0], gap[..., 1]) > FARTHEST_ROOT * head_widths[:, None])
    seen &= ~_doubles(points, seen, wrists, head_widths, seconds_of(sequence.times_ns))
    palms = np.where(np.isfinite(elbows), wrists + PALM_BEYOND_WRIST * (wrists - elbows), wrists)
    return Hands(points=np.where(seen[:, :, None, None], points, np.nan), seen=seen, palms=palms)


def _lengths(vectors: Floats) -> Floats:
    """Return lengths over the last axis, infinite where unknown."""
    return np.asarray(np.where(np.isfinite(vectors[..., 0]), np.hypot(vectors[..., 0], vectors[..., 1]), np.inf))


def _doubles(points: Floats, seen: Bools, wrists: Floats, head_widths: Floats, times_s: Floats) -> Bools:
    """Tell which detections repeat the other hand, shape ``(n, 2)``: at most one of a pair.

    Two hands that each hang on a wrist of their own are two, however close: folded hands lie upon each other.
    """
    result = np.zeros(seen.shape, dtype=np.bool_)
    both = np.flatnonzero(seen.all(axis=1))
    if both.shape[0] == 0:
        return result
    gap = points[both, 0] - points[both, 1]
    same = both[np.median(_lengths(gap), axis=1) < SAME_HAND * head_widths[both]]
    single = (seen & ~seen.all(axis=1, keepdims=True)).astype(np.float64)
    support = window_means(single, times_s, from_s=-LOCAL_S, to_s=LOCAL_S)[0]
    reach = _lengths(points[:, :, 0] - wrists)
    crosswise = _lengths(points[:, :, 0] - wrists[:, ::-1])
    held: Bools = (reach < crosswise) & np.isfinite(crosswise)
    left_loses = np.where(reach[:, 0] == reach[:, 1], support[:, 0] < support[:, 1], reach[:, 0] > reach[:, 1])
    same = same[~held[same].all(axis=1)]
    result[same, np.where(left_loses[same], 0, 1)] = True
    return result
