"""A part of the picture at a chosen size, and the same for keypoints and boxes."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from drawing.people import Background
from drawing.texts import Picture
from schema.matching import Box

CropBox = tuple[int, int, int, int]
"""Whole pixels ``(x1, y1, x2, y2)`` within the picture, the end not included."""


def even(length_px: float) -> int:
    """Round to an even number of pixels, 2 at least: H.264 with 4:2:0 colour has no odd sizes."""
    return max(2, 2 * round(length_px / 2))


def person_crop(boxes_xyxy: npt.NDArray[np.float32], *, width: int, height: int, margin: float = 0.08) -> CropBox:
    """Return one crop that holds all of the boxes, with a margin (share of the larger side), within the picture.

    ``boxes_xyxy`` has shape ``(n, 4)`` and holds a person's boxes over a clip: a crop that followed them frame by
    frame would turn every movement of the person into one of the camera. Raises ``ValueError`` for no box, or where
    all lie outside the picture.
    """
    if boxes_xyxy.shape[0] == 0:
        raise ValueError("a crop needs one box at least")
    x1, y1 = (float(v) for v in boxes_xyxy[:, :2].min(axis=0))
    x2, y2 = (float(v) for v in boxes_xyxy[:, 2:].max(axis=0))
    pad = margin * max(x2 - x1, y2 - y1)
    crop = (
        max(0, int(np.floor(x1 - pad))),
        max(0, int(np.floor(y1 - pad))),
        min(width, int(np.ceil(x2 + pad))),
        min(height, int(np.ceil(y2 + pad))),
    )
    if crop[0] >= crop[2] or crop[1] >= crop[3]:
        raise ValueError(f"the boxes lie outside the picture of {width} x {height}")
    return crop


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Shows ``crop`` of a picture at ``width`` x ``height`` pixels."""

    crop: CropBox
    width: int
    height: int

    @classmethod
    def fitting(cls, crop: CropBox, *, max_width: int, max_height: int) -> Self:
        """Make the largest view within the given size that keeps the crop's shape; small crops are enlarged."""
        wide, tall = crop[2] - crop[0], crop[3] - crop[1]
        scale = min(max_width / wide, max_height / tall)
        return cls(crop=crop, width=min(even(wide * scale), max_width), height=min(even(tall * scale), max_height))

    def canvas(self, image_rgb: Picture, background: Background) -> Picture:
        """Return the crop of the picture at the view's size, or black: then the picture is not looked at."""
        if background is Background.BLACK:
            return np.zeros((self.height, self.width, 3), dtype=np.uint8)
        import cv2

        x1, y1, x2, y2 = self.crop
        part = np.ascontiguousarray(image_rgb[y1:y2, x1:x2])
        how = cv2.INTER_AREA if self.height < part.shape[0] else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(part, (self.width, self.height), interpolation=how), dtype=np.uint8)

    def points(self, keypoints_xy: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Move points ``(n, 2)`` of the picture to the view; NaN stays NaN."""
        x1, y1, x2, y2 = self.crop
        scale = np.array([self.width / (x2 - x1), self.height / (y2 - y1)], dtype=np.float32)
        return (keypoints_xy - np.array([x1, y1], dtype=np.float32)) * scale

    def box(self, box_xyxy: Box) -> CropBox:
        """Move a box of the picture to the view, in whole pixels, clipped to it."""
        corners = self.points(np.array(box_xyxy, dtype=np.float32).reshape(2, 2))
        (x1, y1), (x2, y2) = np.rint(np.clip(corners, 0, [self.width - 1, self.height - 1])).astype(int).tolist()
        return x1, y1, x2, y2
