"""Contact sheets: a video's timeline, and moments of it side by side, each with its time and what it shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from drawing.colours import BLACK, FAINT_INK, INK, PAPER, Colour, colours_of
from drawing.lanes import Contents, timeline_lanes
from drawing.overlays import draw_people
from drawing.people import Background, DrawnPerson
from drawing.skeletons import SkeletonStyle
from drawing.texts import Picture, put_text, shortened, text_size_px, time_text
from drawing.timelines import Timeline
from drawing.views import CropBox, View
from media.frames import VideoFrame
from schema.timespan import TimeSpan

WIDEST_PX = 1600
GAP_PX, TEXT_PX, TITLE_PX, ACCENT_PX = 16, 17, 26, 3
TAG_PX, LANE_TEXT_PX = 14, 15
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
    note: str = ""
    """More about it, written behind the label."""


def contact_sheet(
    moments: Sequence[Moment],
    *,
    background: Background,
    title: str = "",
    lines: Sequence[str] = (),
    contents: Contents | None = None,
    columns: int | None = None,
    width_px: int = WIDEST_PX,
    style: SkeletonStyle | None = None,
) -> Picture:
    """Draw moments in a grid, in the order given, on a sheet of ``width_px``; returns RGB, shape ``(h, width_px, 3)``.

    Above them come the title, lines of text and, with ``contents``, the timeline of the whole video. ``columns``
    defaults to 4, or fewer for few moments. On ``Background.BLACK`` no pixel of a frame is used. Raises ``ValueError``
    for no moments.
    """
    if not moments:
        raise ValueError("a contact sheet needs one moment at least")
    columns = columns or _columns(len(moments))
    tile_width = (width_px - GAP_PX) // columns - GAP_PX
    tile_height = round(tile_width / _shape([_crop(moment) for moment in moments]))
    names = {moment.label for moment in moments if moment.label}
    if contents is not None:  # a class has one colour in the timeline and below its tile
        names |= {contents.name_of(candidate) for candidate in contents.candidates}
    colours = {"": FAINT_INK, **colours_of(names)}
    tiles = [_tile(moment, (tile_width, tile_height), background, style, colours[moment.label]) for moment in moments]
    head = [_line(title, TITLE_PX, width_px, INK)] if title else []
    head += [_line(line, TEXT_PX, width_px, FAINT_INK) for line in lines]
    if contents is not None:
        head.append(_timeline(contents, width_px))
    grid = np.full((-(-len(tiles) // columns) * (tiles[0].shape[0] + GAP_PX), width_px, 3), PAPER, dtype=np.uint8)
    for number, tile in enumerate(tiles):
        y, x = number // columns * (tile.shape[0] + GAP_PX), GAP_PX + number % columns * (tile_width + GAP_PX)
        grid[y : y + tile.shape[0], x : x + tile_width] = tile
    return np.concatenate([_space(width_px), *head, *([_space(width_px)] if head else []), grid])


def _space(width_px: int) -> Picture:
    return np.full((GAP_PX, width_px, 3), PAPER, dtype=np.uint8)


def _line(text: str, size_px: int, width_px: int, colour: Colour) -> Picture:
    height = text_size_px(text, size_px)[1] + GAP_PX // 4
    line: Picture = np.full((height, width_px, 3), PAPER, dtype=np.uint8)
    put_text(line, shortened(text, size_px, width_px - 2 * GAP_PX), (GAP_PX, 0), size_px=size_px, colour=colour)
    return line


def _timeline(contents: Contents, width_px: int) -> Picture:
    """Draw the whole video's lanes, as wide as the tiles below."""
    span = TimeSpan(start_ns=0, end_ns=contents.times.end_ns)
    cuts_ns = [shot.span.start_ns for shot in contents.shots]
    lanes = timeline_lanes(contents)
    timeline = Timeline(lanes, span, width_px=width_px, size_px=LANE_TEXT_PX, pad_px=GAP_PX, cuts_ns=cuts_ns)
    return np.concatenate([_space(width_px)[: GAP_PX // 2], timeline.picture])


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
    draw_people(canvas, moment.people, view, size_px=TAG_PX, style=style)
    caption_px = text_size_px("0", TEXT_PX)[1] + ACCENT_PX + GAP_PX // 2
    tile = np.full((height + caption_px, width, 3), PAPER, dtype=np.uint8)
    tile[:height] = BLACK
    y, x = (height - view.height) // 2, (width - view.width) // 2
    tile[y : y + view.height, x : x + view.width] = canvas
    tile[height : height + ACCENT_PX] = accent
    left, line = 0, height + ACCENT_PX + GAP_PX // 4
    time = time_text(moment.frame.time_ns)
    for text, colour in ((time, FAINT_INK), (moment.label, INK), (moment.note, FAINT_INK)):
        shown = shortened(text, TEXT_PX, width - left)
        put_text(tile, shown, (left, line), size_px=TEXT_PX, colour=colour)
        left += text_size_px(f"{shown}   ", TEXT_PX)[0] if shown else 0
    return tile
