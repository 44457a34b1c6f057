"""Regions of the body as capsules (segments with a radius), and distances of points to them."""

from dataclasses import dataclass

import numpy as np

from kinematics.windows import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Capsules:
    """Regions in every frame; several capsules may make one region."""

    starts: Floats
    """One end of each capsule's axis in pixels, shape ``(n, c, 2)``; NaN where the region is not to be seen."""
    ends: Floats
    """The other end, shape ``(n, c, 2)``."""
    radii: Floats
    """Radius of each capsule in head widths, shape ``(c,)``."""
    regions: tuple[str, ...]
    """Name of the region that each capsule belongs to, length ``c``."""


def segment_distances(points: Floats, starts: Floats, ends: Floats) -> Floats:
    """Return distances of points to segments, broadcasting over the leading axes; a last axis of 2 is x, y.

    A segment of no length is its one point. NaN anywhere gives NaN.
    """
    axis, gap = ends - starts, points - starts
    # x and y by themselves: numpy is slow at sums along an axis of two
    axis_x, axis_y, gap_x, gap_y = axis[..., 0], axis[..., 1], gap[..., 0], gap[..., 1]
    length = np.maximum(axis_x * axis_x + axis_y * axis_y, 1e-12)
    along = np.clip((gap_x * axis_x + gap_y * axis_y) / length, 0.0, 1.0)
    return np.asarray(np.hypot(gap_x - along * axis_x, gap_y - along * axis_y))


def depths(points: Floats, capsules: Capsules, frames: np.ndarray, head_widths: Floats) -> Floats:
    """Return signed distances in head widths of points to capsules: below 0 inside.

    Args:
        points: pixel positions, shape ``(m, p, 2)``, one row for each of ``frames``.
        capsules: the regions of the whole sequence.
        frames: which rows of ``capsules`` belong to the points, shape ``(m,)``.
        head_widths: unit in pixels, shape ``(m,)``.

    Returns:
        Shape ``(m, p, c)``; NaN where the point or the region is unseen.
    """
    starts, ends = capsules.starts[frames][:, None], capsules.ends[frames][:, None]
    far = segment_distances(points[:, :, None], starts, ends)
    return np.asarray(far / head_widths[:, None, None] - capsules.radii)
