"""Text in pictures: anti-aliased, in the typeface that Pillow carries, so that it looks the same everywhere."""

import math
from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from drawing.colours import INK, Colour, ink_on

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

Picture = npt.NDArray[np.uint8]
"""RGB, shape ``(h, w, 3)``."""
SMALLEST_TYPE_PX = 12
"""Smaller letters of Pillow's own typeface run into each other after H.264's chroma subsampling."""
FINER = 4
"""Text is drawn so many times larger and reduced: at its own size letters lie on whole pixels, and words run together.
"""
TYPE_SHARE = 0.021
"""Type size over the square root of the picture's area."""


@lru_cache(maxsize=32)
def _font(size_px: int) -> "FreeTypeFont | ImageFont":
    """Load the typeface, once a size: Pillow unpacks it anew each time."""
    from PIL import ImageFont

    return ImageFont.load_default(size_px)


@lru_cache(maxsize=512)
def _mask(text: str, size_px: int) -> npt.NDArray[np.float32]:
    """Return how much of each pixel the text covers, 0..1, as tall as a line of that size; not to be written to."""
    from PIL import Image, ImageDraw

    width, height = text_size_px(text, size_px)
    image = Image.new("L", (FINER * width, FINER * height))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=_font(FINER * size_px))
    return np.asarray(image.reduce(FINER), dtype=np.float32)[..., None] / np.float32(255)


@lru_cache(maxsize=4096)
def _width_px(text: str, size_px: int) -> int:
    return max(1, math.ceil(_font(FINER * size_px).getlength(text) / FINER) + 1)


def text_size_px(text: str, size_px: int) -> tuple[int, int]:
    """Return width and height in pixels that a line of text takes."""
    return _width_px(text, size_px), round(size_px * 1.3)


def shortened(text: str, size_px: int, width_px: int) -> str:
    """Return the text, cut with an ellipsis where it is wider than ``width_px``; nothing where that has no room."""
    if text_size_px(text, size_px)[0] <= width_px:
        return text

    def cut(length: int) -> str:
        return f"{text[:length].rstrip()}..."

    length = bisect_right(range(1, len(text)), width_px, key=lambda k: text_size_px(cut(k), size_px)[0])
    return cut(length) if length else ""


def type_size_px(width_px: int, height_px: int) -> int:
    """Return the type size of a picture, which grows with it: 13 at 854 x 480, 20 at 1280 x 720, never below 12."""
    return max(SMALLEST_TYPE_PX, round(TYPE_SHARE * math.sqrt(width_px * height_px)))


def put_text(canvas_rgb: Picture, text: str, corner_xy: tuple[int, int], *, size_px: int, colour: Colour = INK) -> None:
    """Write a line with its upper left corner at ``corner_xy``, in place; what lies outside is cut off."""
    x, y = corner_xy
    left, top = max(x, 0), max(y, 0)
    mask = _mask(text, size_px)[top - y :, left - x :]
    area = canvas_rgb[top : top + mask.shape[0], left : left + mask.shape[1]]
    mask = mask[: area.shape[0], : area.shape[1]]
    area[:] = np.rint(area * (1 - mask) + np.asarray(colour, dtype=np.float32) * mask).astype(np.uint8)


def put_label(
    canvas_rgb: Picture, text: str, corner_xy: tuple[int, int], *, size_px: int, colour: Colour = INK
) -> None:
    """Write a line on a darkened plate, so that it can be read on any picture."""
    x, y = corner_xy
    width, height = text_size_px(text, size_px)
    pad = max(2, size_px // 4)
    plate = canvas_rgb[max(y, 0) : max(y + height + pad, 0), max(x, 0) : max(x + width + 2 * pad, 0)]
    plate[:] = plate // 4
    put_text(canvas_rgb, text, (x + pad, y + pad // 2), size_px=size_px, colour=colour)


def put_tag(
    canvas_rgb: Picture, text: str, corner_xy: tuple[int, int], *, size_px: int, fill: Colour, ink: Colour | None = None
) -> None:
    """Write a line on a plate of a colour, in place; what lies outside is cut off (``tag_size_px`` tells its size).

    ``ink`` defaults to what can be read on ``fill``.
    """
    x, y = corner_xy
    width, height = tag_size_px(text, size_px)
    canvas_rgb[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = fill
    put_text(canvas_rgb, text, (x + size_px // 3, y + size_px // 10), size_px=size_px, colour=ink or ink_on(fill))


def tag_size_px(text: str, size_px: int) -> tuple[int, int]:
    """Return width and height in pixels of the plate that ``put_tag`` writes on."""
    width, height = text_size_px(text, size_px)
    return width + 2 * (size_px // 3), height + size_px // 5


def time_text(time_ns: int) -> str:
    """Return a time as minutes, seconds and tenths: ``1:02.3``; tenths are cut, never rounded up."""
    tenths = time_ns // 100_000_000
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"
