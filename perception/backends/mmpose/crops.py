"""Cut people out of frames the way mmpose does, and carry the points that are found back into the frame.

The geometry is that of mmpose 1.3.2: ``GetBBoxCenterScale``, ``TopdownAffine`` without rotation, and
``TopdownPoseEstimator.add_pred_to_datasample``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schema.matching import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class CropShape:
    """What a network takes."""

    width_px: int
    height_px: int
    padding: float
    """How many times wider and higher than the person's box the cut is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFacts:
    """How cuts become a network's input, and its classes become pixels of the cut."""

    shape: CropShape
    mean_rgb: tuple[float, ...]
    """Subtracted from the pixels, 0..255."""
    std_rgb: tuple[float, ...]
    """Divides what remains."""
    split_ratio: float
    """Classes for each pixel of the cut."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CropPlace:
    """Where in a frame a cut lies."""

    center_xy: npt.NDArray[np.float64]
    """Centre of the box, pixels, shape ``(2,)``."""
    size_xy: npt.NDArray[np.float64]
    """Width and height of the cut, pixels of the frame, shape ``(2,)``; in the proportions of the network's input."""
    frame_size_xy: tuple[int, int]
    """Width and height of the frame."""


def place_crop(box_xyxy: Box, shape: CropShape, *, frame_size_xy: tuple[int, int]) -> CropPlace:
    """Return where to cut: around the box, padded, and widened or heightened to the network's proportions."""
    box = np.array(box_xyxy)
    width, height = (box[2:] - box[:2]) * shape.padding
    proportion = shape.width_px / shape.height_px
    size = (width, width / proportion) if width > height * proportion else (height * proportion, height)
    return CropPlace(center_xy=(box[2:] + box[:2]) * 0.5, size_xy=np.array(size), frame_size_xy=frame_size_xy)


def cut_crop(image_rgb: npt.NDArray[np.uint8], place: CropPlace, out: npt.NDArray[np.uint8]) -> None:
    """Write the cut into ``out``, shape ``(height_px, width_px, 3)``; black beyond the frame's edges."""
    import cv2

    height, width = out.shape[:2]
    matrix = _matrix(place, width, height)
    cv2.warpAffine(np.ascontiguousarray(image_rgb), matrix, (width, height), dst=out, flags=cv2.INTER_LINEAR)


def _matrix(place: CropPlace, width: int, height: int) -> npt.NDArray[np.float64]:
    """Return mmpose's affine matrix to the last bit: OpenCV rounds positions to 1/32 px, so a last bit is seen."""
    import cv2

    # mmpose's get_warp_matrix: the centre, the middle of the left edge, and that edge turned by 90 degrees.
    left = np.array([place.size_xy[0] * -0.5, 0.0])
    source = np.zeros((3, 2), np.float32)
    source[0] = place.center_xy
    source[1] = place.center_xy + left
    source[2] = _third_point(source[0], source[1])
    target = np.zeros((3, 2), np.float32)
    target[0] = [width * 0.5, height * 0.5]
    target[1] = np.array([width * 0.5, height * 0.5]) + np.array([width * -0.5, 0.0])
    target[2] = _third_point(target[0], target[1])
    return np.asarray(cv2.getAffineTransform(source, target), dtype=np.float64)


def _third_point(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    direction = a - b
    return np.asarray(b + np.array([-direction[1], direction[0]], np.float32), np.float32)


def to_frame(
    points_xy: npt.NDArray[np.float32], places: Sequence[CropPlace], shape: CropShape
) -> npt.NDArray[np.float32]:
    """Carry points from cuts, ``(n, k, 2)`` in pixels of the network's input, into the frames of their places."""
    centers = np.array([place.center_xy for place in places])[:, None]
    sizes = np.array([place.size_xy for place in places])[:, None]
    shares = points_xy / np.array([shape.width_px, shape.height_px])
    return np.asarray(shares * sizes + centers - 0.5 * sizes, np.float32)
