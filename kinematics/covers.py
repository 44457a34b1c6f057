"""Where faces are, or may be: ellipses that hide them, in every frame of a track."""

import numpy as np

from kinematics.scale import head_widths_px
from kinematics.windows import Floats
from schema.records import PART_SLICES, KeypointSequence, Part, Track

REACH = 0.85
"""Half height of a cover in head widths; a head is about 1.3 head widths tall, from crown to chin."""
UNSURE_REACH = 1.5
"""A head that is not seen in a frame lies between where it was before and after: the cover grows by this."""
BOX_HEAD_SHARE = 0.35
"""Without keypoints the upper part of a person's box is covered: a head takes 1/7 of a standing body's height, and
up to a third of a box that ends at the chest."""


def head_covers(sequence: KeypointSequence, frames: Floats) -> Floats | None:
    """Return ellipses over a person's head, from keypoints.

    Args:
        sequence: The person's keypoints.
        frames: Frames of the video to cover, shape ``(m,)``.

    Returns:
        Middle and half axes ``x, y, rx, ry`` in pixels, shape ``(m, 4)``; None where the head is never seen.
    """
    head = np.concatenate([sequence.keypoints_xy[:, :5], sequence.keypoints_xy[:, PART_SLICES[Part.FACE]]], axis=1)
    seen = np.isfinite(head[..., 0]).sum(axis=1) >= 2
    widths = head_widths_px(sequence)
    seen &= np.isfinite(widths)
    if not seen.any():
        return None
    low, high = np.nanmin(head[seen], axis=1), np.nanmax(head[seen], axis=1)
    middle, extent = (low + high) / 2, (high - low) / 2
    reach = REACH * widths[seen]
    known = sequence.frame_indices[seen].astype(np.float64)
    half = np.maximum(reach[:, None], 1.2 * extent)
    columns = (middle[:, 0], middle[:, 1], half[:, 0], half[:, 1])
    covers = np.stack([np.interp(frames, known, column) for column in columns], axis=1)
    covers[~np.isin(frames, known), 2:] *= UNSURE_REACH
    return np.asarray(covers)


def box_covers(track: Track, frames: Floats) -> Floats:
    """Return ellipses over the upper part of a person's box, shape ``(m, 4)``: ``x, y, rx, ry`` in pixels.

    ``frames`` are frames of the video, shape ``(m,)``; between the track's own the box is interpolated.
    """
    known = track.frame_indices.astype(np.float64)
    x1, y1, x2, y2 = (np.interp(frames, known, track.boxes_xyxy[:, side]) for side in range(4))
    height = BOX_HEAD_SHARE * (y2 - y1)
    return np.stack([(x1 + x2) / 2, y1 + height / 2, (x2 - x1) / 2 * np.sqrt(2), height / 2 * np.sqrt(2)], axis=1)
