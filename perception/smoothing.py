"""Smooth keypoints over time, as a separate step: KeypointSequence -> KeypointSequence; the raw ones are kept.

Each point is replaced by the value at its own frame of a polynomial fitted to the frames around it (Savitzky and Golay,
Analytical Chemistry 36, 1964): zero phase, so nothing is moved in time, and peaks are flattened far less than by a
mean. Frames are taken with their own times, as variable frame rates need; at even rates the result is that of
``scipy.signal.savgol_filter``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from schema.errors import ConfigError
from schema.records import PART_SLICES, KeypointSequence, Part
from schema.timespan import NS_PER_SECOND

STAGE = "smoothed"
Floats = npt.NDArray[np.float64]
_GAP_STEPS = 1.75
"""A step of more usual steps than this is a hole in the track: nothing is smoothed across it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothingConfig:
    """Whether keypoints are smoothed, and over how much time; what that costs small movements is in docs/perceive.md.

    A window holds the frames within its length, an odd number of them. Where that is no more than the polynomial has
    coefficients (at 10 frames/s with the defaults), the fit goes through every point and nothing is changed.
    """

    method: Literal["none", "savitzky_golay"] = "none"
    """``none``: the table *smoothed* is not made."""
    order: int = 2
    """Order of the polynomial."""
    body_seconds: float = 0.24
    """Window of the 17 body points; 0 leaves them as they are."""
    feet_seconds: float = 0.24
    """Window of the 6 foot points."""
    face_seconds: float = 0.24
    """Window of the 68 face points."""
    hands_seconds: float = 0.24
    """Window of the 42 hand points."""

    def __post_init__(self) -> None:
        """Refuse orders and windows that mean nothing (``ConfigError``)."""
        if self.order not in range(1, 6):
            raise ConfigError(f"smoothing.order: 1 to 5 is possible, got {self.order}")
        for name in ("body_seconds", "feet_seconds", "face_seconds", "hands_seconds"):
            if not 0 <= getattr(self, name) <= 5:
                raise ConfigError(f"smoothing.{name}: 0 to 5 seconds are possible, got {getattr(self, name)}")

    def window_seconds(self, part: Part) -> float:
        """Return the window of a part's points."""
        hands = self.hands_seconds
        windows = {Part.BODY: self.body_seconds, Part.FEET: self.feet_seconds, Part.FACE: self.face_seconds}
        return windows.get(part, hands)


def smooth_sequences(sequences: Iterable[KeypointSequence], *, config: SmoothingConfig) -> Iterator[KeypointSequence]:
    """Smooth the tracks of one video; which points are seen, their scores and their times stay as they are."""
    for sequence in sequences:
        yield sequence if config.method == "none" else _smoothed(sequence, config)


def _smoothed(sequence: KeypointSequence, config: SmoothingConfig) -> KeypointSequence:
    points = sequence.keypoints_xy.astype(np.float64)
    for part, columns in PART_SLICES.items():
        points[:, columns] = smooth_points(
            points[:, columns], sequence.times_ns, window_s=config.window_seconds(part), order=config.order
        )
    return replace(sequence, keypoints_xy=points.astype(np.float32))


def smooth_points(points_xy: Floats, times_ns: npt.NDArray[np.int64], *, window_s: float, order: int) -> Floats:
    """Smooth positions ``(n, k, 2)`` within the runs of frames in which each point is seen; NaN stays NaN.

    A smoothed point stays within the range of its own run, so that none leaves the picture.
    """
    steps = np.diff(times_ns)
    if not steps.size:
        return points_xy
    usual_ns = float(np.median(steps))
    length = 2 * int(window_s * NS_PER_SECOND / usual_ns / 2 + 1e-6) + 1
    if length <= order + 1:
        return points_xy
    smoothed = points_xy.copy()
    seen = np.isfinite(points_xy).all(axis=2)
    holes = np.r_[True, steps > _GAP_STEPS * usual_ns]
    masks, groups = np.unique(seen, axis=1, return_inverse=True)
    for number, mask in enumerate(masks.T):
        columns = np.flatnonzero(groups == number)
        starts = mask & (np.r_[True, ~mask[:-1]] | holes)
        for rows in np.split(np.arange(mask.shape[0]), np.flatnonzero(starts | ~mask)):
            run = rows[mask[rows]]
            if run.shape[0] > order + 1:
                place = np.ix_(run, columns)
                smoothed[place] = _fitted(
                    points_xy[place], times_ns[run], length=min(length, run.shape[0]), order=order
                )
    return smoothed


def _fitted(points_xy: Floats, times_ns: npt.NDArray[np.int64], *, length: int, order: int) -> Floats:
    """Fit a polynomial to the ``length`` frames around each frame (at the ends: the first or last ones)."""
    count = times_ns.shape[0]
    first = np.clip(np.arange(count) - length // 2, 0, count - length)
    around = first[:, None] + np.arange(length)
    apart = (times_ns[around] - times_ns[:, None]) / float(times_ns[-1] - times_ns[0]) * count
    # the fit's value at its own frame is the constant term: the first row of the design matrix's pseudo-inverse
    weights = np.linalg.pinv(apart[:, :, None] ** np.arange(order + 1))[:, 0]
    fitted = np.zeros(points_xy.shape)
    for place in range(length):
        fitted += weights[:, place, None, None] * points_xy[around[:, place]]
    return np.clip(fitted, points_xy.min(axis=0), points_xy.max(axis=0))
