"""Contact sheets: moments of a video side by side, each with its time and what it shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from drawing.colours import BLACK, FAINT_INK, INK, PAPER, Colour, colours_of
from drawing.people import Background, DrawnPerson
from drawing.skeletons import SkeletonStyle, draw_skeleton
from drawing.texts import Picture, put_text, shortened, text_size_px, time_text
from drawing.views import CropBox, View
from media.frames import VideoFrame

WIDEST_PX = 1600
GAP_PX, TEXT_PX, TITLE_PX, ACCENT_PX = 16, 17, 26, 3
TALLEST, FLATTEST = 0.75, 16 / 9
"""Limits of a tile's width over its height; a picture of another shape gets black beside or above it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moment:
    """One tile of a sheet."""

    frame: VideoFrame
    people: tuple[DrawnPerson, ...]
    crop_xyxy: CropBox | None = None
    """The part to show; None is the whole picture."""
    label: str = ""
    """What it shows, such as the class; also picks the accent's colour."""


def contact_sheet(
    moments: Sequence[Moment],
    *,
    background: Background,
    title: str = "",
    columns: int | None = None,
    width_px: int = WIDEST_PX,
    style: SkeletonStyle | None = None,
) -> Picture:
    """Draw moments in a grid, in the order given, on a sheet of ``width_px``; returns RGB, shape ``(h, width_px, 3)``.

    ``columns`` defaults to 4, or fewer for few moments. On ``Background.BLACK`` no pixel of a frame is used. Raises
    ``ValueError`` for no moments.
    """
    if not moments:
        raise ValueError("a contact sheet needs one moment at least")
    columns = columns or _columns(len(moments))
    tile_width = (width_px - GAP_PX) // columns - GAP_PX
    tile_height = round(tile_width / _shape([_crop(moment) for moment in moments]))
    size = tile_width, tile_height
    colours = {"": FAINT_INK, **colours_of(moment.label for moment in moments if moment.label)}
    tiles = [_tile(moment, size, background, style, colours[moment.label]) for moment in moments]
    top = GAP_PX + (text_size_px(title, TITLE_PX)[1] + GAP_PX if title else 0)
    row_height = tiles[0].shape[0] + GAP_PX
    sheet = np.full((top + -(-len(tiles) // columns) * row_height, width_px, 3), PAPER, dtype=np.uint8)
    put_text(sheet, shortened(title, TITLE_PX, width_px - 2 * GAP_PX), (GAP_PX, GAP_PX), size_px=TITLE_PX)
    for number, tile in enumerate(tiles):
        y, x = top + number // columns * row_height, GAP_PX + number % columns * (tile_width + GAP_PX)
        sheet[y : y + tile.shape[0], x : x + tile_width] = tile
    return sheet


def _columns(count: int) -> int:
    """Return 4 columns, or the number that leaves no lonely tile in the last row of a small sheet."""
    return {1: 1, 2: 2, 3: 3, 5: 3, 6: 3, 9: 3}.get(count, 4)


def _crop(moment: Moment) -> CropBox:
    height, width = moment.frame.image_rgb.shape[:2]
    return moment.crop_xyxy or (0, 0, width, height)


def _shape(crops: Sequence[CropBox]) -> float:
    return min(max(median((x2 - x1) / (y2 - y1) for x1, y1, x2, y2 in crops), TALLEST), FLATTEST)


def _tile(
    moment: Moment, size: tuple[int, int], background: Background, style: SkeletonStyle | None, accent: Colour
) -> Picture:
    width, height = size
    view = View.fitting(_crop(moment), max_width=width, max_height=height)
    canvas = view.canvas(moment.frame.image_rgb, background)
    for person in moment.people:
        if person.keypoints_xy is not None and person.scores is not None:
            draw_skeleton(canvas, view.points(person.keypoints_xy), person.scores, style=style)
    caption_px = text_size_px("0", TEXT_PX)[1] + ACCENT_PX + GAP_PX // 2
    tile = np.full((height + caption_px, width, 3), PAPER, dtype=np.uint8)
    tile[:height] = BLACK
    y, x = (height - view.height) // 2, (width - view.width) // 2
    tile[y : y + view.height, x : x + view.width] = canvas
    tile[height : height + ACCENT_PX] = accent
    time = time_text(moment.frame.time_ns)
    line = height + ACCENT_PX + GAP_PX // 4
    put_text(tile, time, (0, line), size_px=TEXT_PX, colour=FAINT_INK)
    left = text_size_px(f"{time}   ", TEXT_PX)[0]
    put_text(tile, shortened(moment.label, TEXT_PX, width - left), (left, line), size_px=TEXT_PX, colour=INK)
    return tile
