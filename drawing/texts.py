"""Text in pictures: anti-aliased, in the typeface that Pillow carries, so that it looks the same everywhere."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from drawing.colours import INK, Colour

Picture = npt.NDArray[np.uint8]
"""RGB, shape ``(h, w, 3)``."""


@lru_cache(maxsize=512)
def _mask(text: str, size_px: int) -> npt.NDArray[np.float32]:
    """Return how much of each pixel the text covers, 0..1, as tall as a line of that size; not to be written to."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size_px)
    width = max(1, round(font.getlength(text)) + 1)
    image = Image.new("L", (width, round(size_px * 1.3)))
    ImageDraw.Draw(image).text((0, 0), text, fill=255, font=font)
    return np.asarray(image, dtype=np.float32)[..., None] / np.float32(255)


def text_size_px(text: str, size_px: int) -> tuple[int, int]:
    """Return width and height in pixels that a line of text takes."""
    height, width = _mask(text, size_px).shape[:2]
    return width, height


def shortened(text: str, size_px: int, width_px: int) -> str:
    """Return the text, cut with an ellipsis where it is wider than ``width_px``."""
    if text_size_px(text, size_px)[0] <= width_px:
        return text
    kept = text
    while kept and text_size_px(f"{kept.rstrip()}...", size_px)[0] > width_px:
        kept = kept[:-1]
    return f"{kept.rstrip()}..." if kept else ""


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


def time_text(time_ns: int) -> str:
    """Return a time as minutes, seconds and tenths: ``1:02.3``; tenths are cut, never rounded up."""
    tenths = time_ns // 100_000_000
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"
