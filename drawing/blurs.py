"""Faces made unrecognisable in a picture."""

import numpy as np
import numpy.typing as npt

from drawing.texts import Picture

CELLS = 5
"""A covered face keeps the colours of 5 x 5 cells: too few to tell a person, or an eye from a brow."""


def blur_ellipses(image_rgb: Picture, ellipses: npt.NDArray[np.float64]) -> Picture:
    """Return the picture with what lies in the ellipses reduced to a few cells of colour, then smoothed.

    ``ellipses`` has shape ``(n, 4)``: middle and half axes ``x, y, rx, ry`` in pixels; one may reach outside.
    """
    picture = image_rgb.copy()
    for x, y, reach_x, reach_y in ellipses.tolist():
        _cover(picture, x, y, max(reach_x, 1.0), max(reach_y, 1.0))
    return picture


def _cover(picture: Picture, x: float, y: float, reach_x: float, reach_y: float) -> None:
    import cv2

    height, width = picture.shape[:2]
    left, right = max(0, int(x - reach_x)), min(width, int(x + reach_x) + 1)
    top, bottom = max(0, int(y - reach_y)), min(height, int(y + reach_y) + 1)
    if left >= right or top >= bottom:
        return
    part = picture[top:bottom, left:right]
    cells = cv2.resize(part, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    smooth = cv2.resize(cells, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
    across = (np.arange(left, right) - x) / reach_x
    down = (np.arange(top, bottom) - y) / reach_y
    inside = across[None, :] ** 2 + down[:, None] ** 2 <= 1
    part[inside] = smooth[inside]
