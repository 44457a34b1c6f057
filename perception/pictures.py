"""What can be measured of one picture or crop: detail, brightness, change, and the colours of clothes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schema.matching import Box
from schema.people import COLOR_BINS

GREY_SIDE_PX = 640
"""The longer side at which pictures are compared."""
CROP_HEIGHT_PX = 128
"""The height at which a person's detail is measured, so that it does not depend on how near the person is."""
_COMPARED_PX = 64
"""The height at which a person is compared with the sample before: noise averages out, a nod does not."""
_BLUR_PX = 9
"""Width of the blur that the detail is measured against (the paper's own)."""
_HUES, _SATURATIONS, _GREYS = 12, 4, 24
_GREY_SPREAD = np.array([0.2, 0.6, 0.2])
"""How a grey is shared with its neighbours when clothes are compared."""
_GREY_BELOW = 40
"""Saturation (0..255) below which a colour has no hue worth counting."""
_TORSO = (0.25, 0.35, 0.75, 0.75)
"""The part of a person's box that shows the upper clothes, as shares of the box: below the chin, between the arms."""
_SMALLEST_PX = 8

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GreyPicture:
    """A small grey copy of a picture."""

    grey: Image
    """Shape ``(h, w)``, the longer side at most 640."""
    scale: float
    """Its pixels a pixel of the picture."""


def grey_of(image_rgb: Image) -> GreyPicture:
    """Make the small grey copy."""
    import cv2

    height, width = image_rgb.shape[:2]
    scale = min(1.0, GREY_SIDE_PX / max(height, width))
    grey = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return GreyPicture(grey=np.asarray(grey, dtype=np.uint8), scale=scale)


def _inside(box: Box, shape: tuple[int, ...], scale: float = 1.0) -> tuple[int, int, int, int]:
    height, width = shape[:2]
    x1, x2 = (min(max(round(x * scale), 0), width) for x in box[0::2])
    y1, y2 = (min(max(round(y * scale), 0), height) for y in box[1::2])
    return x1, y1, x2, y2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crop:
    """A person's picture in grey, 128 px tall."""

    grey: npt.NDArray[np.float32]
    """Shape ``(128, w)``, 0..255."""

    @classmethod
    def of(cls, image_rgb: Image, box: Box) -> "Crop | None":
        """Cut out a box; None where less than 8 pixels of it lie in the picture either way."""
        import cv2

        x1, y1, x2, y2 = _inside(box, image_rgb.shape)
        if min(x2 - x1, y2 - y1) < _SMALLEST_PX:
            return None
        grey = cv2.cvtColor(np.ascontiguousarray(image_rgb[y1:y2, x1:x2]), cv2.COLOR_RGB2GRAY)
        width = max(_SMALLEST_PX, round((x2 - x1) * CROP_HEIGHT_PX / (y2 - y1)))
        shrinks = y2 - y1 > CROP_HEIGHT_PX
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        small = cv2.resize(grey, (width, CROP_HEIGHT_PX), interpolation=how)
        return cls(grey=np.asarray(small, dtype=np.float32))

    def brightness(self) -> float:
        """Return the median brightness, 0..1."""
        return float(np.median(self.grey)) / 255

    def clipped_share(self) -> float:
        """Return the share of pixels that are black or white."""
        return float(np.mean((self.grey <= 4) | (self.grey >= 251)))


def sharpness_of(crop: Crop) -> float:
    """Return how much of the differences between neighbours a blur takes away, 0 (none: blurred, flat) to 1.

    One minus the blur metric of Crete et al., "The blur effect: perception and estimation with a new no-reference
    perceptual blur metric" (SPIE 2007), of the direction that is more blurred. Contrast plays no part in it.
    """
    return min(_lost_detail(crop.grey, axis) for axis in (0, 1))


def _lost_detail(grey: npt.NDArray[np.float32], axis: int) -> float:
    import cv2

    size = (1, _BLUR_PX) if axis == 0 else (_BLUR_PX, 1)
    blurred = np.asarray(cv2.blur(grey, size, borderType=cv2.BORDER_REFLECT), dtype=np.float32)
    sharp_steps, blurred_steps = np.abs(np.diff(grey, axis=axis)), np.abs(np.diff(blurred, axis=axis))
    total = float(sharp_steps.sum(dtype=np.float64))
    lost = float(np.maximum(sharp_steps - blurred_steps, 0).sum(dtype=np.float64))
    return lost / total if total > 0 else 0.0


def change_between(before: GreyPicture, after: GreyPicture, box: Box) -> float:
    """Return the mean change of brightness within a box, 0..255, at 64 px of height.

    Pictures of different size have nothing in common: 255.
    """
    import cv2

    if before.grey.shape != after.grey.shape:
        return 255.0
    x1, y1, x2, y2 = _inside(box, after.grey.shape, after.scale)
    if min(x2 - x1, y2 - y1) < 1:
        return 255.0
    height = min(_COMPARED_PX, y2 - y1)
    size = (max(1, round((x2 - x1) * height / (y2 - y1))), height)
    then, now = (
        cv2.resize(p.grey[y1:y2, x1:x2], size, interpolation=cv2.INTER_AREA).astype(np.float32) for p in (before, after)
    )
    return float(np.abs(now - then).mean())


def torso_colors(image_rgb: Image, box: Box) -> npt.NDArray[np.float64] | None:
    """Return the colours of a person's upper clothes as shares that sum up to 1, shape ``(72,)``.

    12 hues by 4 saturations, then 24 greys. None where the torso is smaller than 8 pixels either way.
    """
    import cv2

    width, height = box[2] - box[0], box[3] - box[1]
    torso = (
        box[0] + _TORSO[0] * width,
        box[1] + _TORSO[1] * height,
        box[0] + _TORSO[2] * width,
        box[1] + _TORSO[3] * height,
    )
    x1, y1, x2, y2 = _inside(torso, image_rgb.shape)
    if min(x2 - x1, y2 - y1) < _SMALLEST_PX:
        return None
    part = np.ascontiguousarray(image_rgb[y1:y2, x1:x2])
    small = cv2.resize(part, (24, 32), interpolation=cv2.INTER_AREA)
    hsv = cv2.cvtColor(small, cv2.COLOR_RGB2HSV).reshape(-1, 3).astype(np.int64)
    hue, saturation, value = hsv[:, 0], hsv[:, 1], hsv[:, 2]
    # of dark pixels the hue is noise
    is_grey = saturation * value < _GREY_BELOW * 128
    hues = hue * _HUES // 180 * _SATURATIONS + (saturation * _SATURATIONS // 256)
    greys = _HUES * _SATURATIONS + value * _GREYS // 256
    counts = np.bincount(np.where(is_grey, greys, hues), minlength=COLOR_BINS)
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def color_likeness(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> float:
    """Return the Bhattacharyya coefficient of two colour shares, 0 (nothing in common) to 1 (alike).

    Neighbouring bins count half, so that a little more light does not make other clothes.
    """
    a, b = _spread(first), _spread(second)
    return float(np.sqrt(a * b).sum())


def _spread(colors: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    hues = colors[: _HUES * _SATURATIONS].astype(np.float64).reshape(_HUES, _SATURATIONS)
    hues = 0.5 * hues + 0.25 * np.roll(hues, 1, axis=0) + 0.25 * np.roll(hues, -1, axis=0)
    padded = np.pad(hues, ((0, 0), (1, 1)), mode="edge")
    hues = 0.5 * hues + 0.25 * padded[:, :-2] + 0.25 * padded[:, 2:]
    greys = colors[_HUES * _SATURATIONS :].astype(np.float64)
    whole = np.concatenate([hues.ravel(), np.convolve(greys, _GREY_SPREAD, mode="same")])
    return np.asarray(whole / max(whole.sum(), 1e-9), dtype=np.float64)
