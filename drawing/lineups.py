"""Line-ups: moments of a video with every person boxed and lettered, and everybody once more below."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from drawing.colours import BLACK, FAINT_INK, INK, PAPER, Colour, person_colour
from drawing.people import LETTERS, Background
from drawing.texts import Picture, put_label, put_tag, put_text, tag_size_px, text_size_px, time_text
from drawing.views import CropBox, View, person_crop
from media.frames import VideoFrame
from schema.matching import Box

WIDTH_PX = 1600
GAP_PX, TIME_PX, LETTER_PX, NAME_PX, LINE_PX = 12, 18, 30, 34, 3
GRID_PX = 620
"""Height of all the moments together: with the portraits the sheet is half as tall as wide, as a screen is."""
PORTRAIT_PX = 190
"""Height of a portrait: everybody on one row, none larger than in the moments by much."""
WIDEST_PORTRAIT = 1.5
"""A portrait's width over its height, at most; where many people share the row, less."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LineupMoment:
    """One frame of a line-up."""

    frame: VideoFrame
    people: tuple[tuple[str, Box], ...]
    """Letters and boxes of those who are in it."""


def draw_lineup(moments: Sequence[LineupMoment], *, width_px: int = WIDTH_PX) -> Picture:
    """Draw moments in a grid, in the order given, and a portrait of each lettered person in a row below.

    A letter is one of ``drawing.people.LETTERS`` and has the colour that previews give it. A portrait is cut from the
    moment that shows the person largest.
    Returns RGB, shape ``(h, width_px, 3)``. Raises ``ValueError`` for no moments.
    """
    if not moments:
        raise ValueError("a line-up needs one moment at least")
    letters = sorted({letter for moment in moments for letter, _ in moment.people})
    colours = {letter: person_colour(LETTERS.index(letter)) for letter in letters}
    columns = _columns(moments, width_px)
    size = _tile_width(columns, width_px), GRID_PX // -(-len(moments) // columns)
    grid = _grid([_tile(moment, size, colours) for moment in moments], columns, width_px)
    portraits = _portraits(moments, colours, width_px)
    return np.concatenate([grid, portraits])


def _columns(moments: Sequence[LineupMoment], width_px: int) -> int:
    """Return the number of columns that shows the moments largest: one row of a phone's films, three of others."""
    height, width = moments[0].frame.image_rgb.shape[:2]

    def scale(columns: int) -> float:
        rows = -(-len(moments) // columns)
        return float(min(_tile_width(columns, width_px) / width, GRID_PX / rows / height))

    return max(range(1, len(moments) + 1), key=scale)


def _tile_width(columns: int, width_px: int) -> int:
    return (width_px - GAP_PX) // columns - GAP_PX


def _tile(moment: LineupMoment, size: tuple[int, int], colours: Mapping[str, Colour]) -> Picture:
    width, height = size
    tall, wide = moment.frame.image_rgb.shape[:2]
    view = View.fitting((0, 0, wide, tall), max_width=width, max_height=height)
    canvas = view.canvas(moment.frame.image_rgb, Background.PICTURE)
    time = time_text(moment.frame.time_ns)
    line_px = text_size_px(time, TIME_PX)[1] + TIME_PX // 4
    put_label(canvas, time, (0, view.height - line_px), size_px=TIME_PX, colour=INK)
    _draw_boxes(canvas, [(letter, view.box(box)) for letter, box in moment.people], colours)
    return canvas


def _draw_boxes(canvas: Picture, boxes: Iterable[tuple[str, CropBox]], colours: Mapping[str, Colour]) -> None:
    """Draw boxes, and above all of them their letters, none over another."""
    import cv2

    boxes = list(boxes)
    for letter, (x1, y1, x2, y2) in boxes:
        cv2.rectangle(canvas, (x1, y1), (x2, y2), BLACK, LINE_PX + 2, cv2.LINE_AA)
        cv2.rectangle(canvas, (x1, y1), (x2, y2), colours[letter], LINE_PX, cv2.LINE_AA)
    taken: list[CropBox] = []
    for letter, box in boxes:
        plate = _free_plate(letter, box, canvas, taken)
        taken.append(plate)
        put_tag(canvas, letter, plate[:2], size_px=LETTER_PX, fill=colours[letter])


def _free_plate(letter: str, box: CropBox, canvas: Picture, taken: Sequence[CropBox]) -> CropBox:
    """Return where a letter goes: above its box, else below or inside it, where it covers no other letter."""
    width, height = tag_size_px(letter, LETTER_PX)
    tall, wide = canvas.shape[:2]
    x1, y1, x2, y2 = box
    right, inner_y = x2 - width, y2 - height
    corners = ((x1, y1 - height), (right, y1 - height), (x1, y2), (right, y2))
    inside = ((x1, y1), (right, y1), (x1, inner_y), (right, inner_y))
    plates = [(x, y, x + width, y + height) for x, y in (*corners, *inside)]
    free = [
        plate for plate in plates if _within(plate, wide, tall) and not any(_overlap(plate, other) for other in taken)
    ]
    return free[0] if free else plates[len(corners)]


def _within(plate: CropBox, width: int, height: int) -> bool:
    return plate[0] >= 0 and plate[1] >= 0 and plate[2] <= width and plate[3] <= height


def _overlap(first: CropBox, second: CropBox) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def _grid(tiles: Sequence[Picture], columns: int, width_px: int) -> Picture:
    """Lay tiles out in rows, each row in the middle of the sheet."""
    height, width = max(tile.shape[0] for tile in tiles), max(tile.shape[1] for tile in tiles)
    rows = -(-len(tiles) // columns)
    sheet = np.full((GAP_PX + rows * (height + GAP_PX), width_px, 3), PAPER, dtype=np.uint8)
    for row in range(rows):
        shown = tiles[row * columns : (row + 1) * columns]
        x = (width_px - len(shown) * (width + GAP_PX) + GAP_PX) // 2
        y = GAP_PX + row * (height + GAP_PX)
        for number, tile in enumerate(shown):
            left = x + number * (width + GAP_PX)
            sheet[y : y + tile.shape[0], left : left + tile.shape[1]] = tile
    return sheet


def _portraits(moments: Sequence[LineupMoment], colours: Mapping[str, Colour], width_px: int) -> Picture:
    """Draw a row of portraits with their letters; without anybody it is a line that says so."""
    row = np.full((PORTRAIT_PX + GAP_PX, width_px, 3), PAPER, dtype=np.uint8)
    if not colours:
        put_text(row, "nobody is boxed", (GAP_PX, GAP_PX), size_px=NAME_PX, colour=FAINT_INK)
        return row
    slot_px = (width_px - GAP_PX) // len(colours)
    name_px = text_size_px("W", NAME_PX)[0] + GAP_PX
    widest = min(slot_px - name_px - 2 * GAP_PX, round(PORTRAIT_PX * WIDEST_PORTRAIT))
    pictures = {letter: _portrait(letter, moments, widest) for letter in colours}
    taken_px = sum(name_px + picture.shape[1] + 2 * GAP_PX for picture in pictures.values()) - 2 * GAP_PX
    x = (width_px - taken_px) // 2
    for letter, picture in pictures.items():
        put_text(row, letter, (x, 0), size_px=NAME_PX, colour=colours[letter])
        x += name_px
        row[: picture.shape[0], x : x + picture.shape[1]] = picture
        row[: picture.shape[0], x - LINE_PX - 1 : x - 1] = colours[letter]
        x += picture.shape[1] + 2 * GAP_PX
    return row


def _portrait(letter: str, moments: Sequence[LineupMoment], widest_px: int) -> Picture:
    shown = [(box, moment.frame.image_rgb) for moment in moments for name, box in moment.people if name == letter]
    box, image = max(shown, key=lambda one: (one[0][2] - one[0][0]) * (one[0][3] - one[0][1]))
    height, width = image.shape[:2]
    crop = person_crop(np.array([box], dtype=np.float32), width=width, height=height)
    return View.fitting(crop, max_width=widest_px, max_height=PORTRAIT_PX).canvas(image, Background.PICTURE)
