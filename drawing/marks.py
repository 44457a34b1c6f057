"""Marks over a picture: people's boxes and names, what hands touch, and cuts."""

from collections.abc import Sequence
from math import isfinite

import numpy as np

from drawing.colours import BLACK, INK, LEFT_HAND, PAPER, RIGHT_HAND, Colour
from drawing.people import DrawnPerson, HandFlag, PersonLabel
from drawing.texts import Picture, put_tag, tag_size_px
from drawing.views import CropBox, View
from schema.people import Role

HAND_COLOURS: tuple[Colour, Colour] = (LEFT_HAND, RIGHT_HAND)
"""By side, as the skeleton's hands."""
CORNER_SHARE = 0.16
"""Length of a box's corners over its shorter side."""
DASH = 0.6
"""Length of a dash, and of the gap after it, in type sizes."""
TIP_RADIUS = 0.42
"""Of the mark at a hand's finger tips, in type sizes."""
TICK_SHARE = 0.03
"""Length of a cut's ticks over the picture's height."""


def label_of(person: DrawnPerson) -> PersonLabel:
    """Return what a person is called."""
    return person.label or PersonLabel.of_track(person.track_number)


class Plates:
    """Where text already is in a picture: later text goes elsewhere."""

    def __init__(self) -> None:
        """Begin with a picture without text."""
        self._taken: list[CropBox] = []

    def put(
        self,
        canvas_rgb: Picture,
        text: str,
        places_xy: Sequence[tuple[int, int]],
        *,
        size_px: int,
        fill: Colour,
        ink: Colour | None = None,
    ) -> None:
        """Write a tag at the first of some places (upper left corners) that is free, else at the last, in place.

        Tags that would leave the picture are moved in. The rest is as in ``drawing.texts.put_tag``.
        """
        width, height = tag_size_px(text, size_px)
        tall, wide = canvas_rgb.shape[:2]
        corners = [(max(0, min(x, wide - width)), max(0, min(y, tall - height))) for x, y in places_xy]
        plates = [(x, y, x + width, y + height) for x, y in corners]
        plate = next(
            (plate for plate in plates if not any(_overlap(plate, other) for other in self._taken)), plates[-1]
        )
        self._taken.append(plate)
        put_tag(canvas_rgb, text, plate[:2], size_px=size_px, fill=fill, ink=ink)


def _overlap(first: CropBox, second: CropBox) -> bool:
    return first[0] < second[2] and second[0] < first[2] and first[1] < second[3] and second[1] < first[3]


def draw_box(canvas_rgb: Picture, box_xyxy: CropBox, label: PersonLabel, *, size_px: int) -> None:
    """Draw a person's box, in place: corners for a player, dashes for an undecided person, else a line."""
    import cv2

    x1, y1, x2, y2 = box_xyxy
    width_px = max(1, round(size_px / 9))
    if label.role is Role.PLAYER:
        _corners(canvas_rgb, box_xyxy, label.colour, width_px=2 * width_px)
    elif label.role is Role.UNDECIDED:
        _dashes(canvas_rgb, box_xyxy, label.colour, width_px=width_px, dash_px=max(3, round(DASH * size_px)))
    else:
        cv2.rectangle(canvas_rgb, (x1, y1), (x2, y2), label.colour, width_px)


def draw_name(canvas_rgb: Picture, box_xyxy: CropBox, label: PersonLabel, *, size_px: int, plates: Plates) -> None:
    """Write name, role and confidence at a corner of a person's box, in place; above it where there is room."""
    x1, y1, x2, y2 = box_xyxy
    tag = label.words_with_confidence
    width, height = tag_size_px(tag, size_px)
    above = y1 - height if y1 >= height else y1
    places = [(x1, above), (x2 - width, above), (x1, y1), (x1, y2 - height), (x2 - width, y2 - height), (x1, above)]
    plates.put(canvas_rgb, tag, places, size_px=size_px, fill=label.colour)


def _corners(canvas_rgb: Picture, box_xyxy: CropBox, colour: Colour, *, width_px: int) -> None:
    import cv2

    x1, y1, x2, y2 = box_xyxy
    length = round(CORNER_SHARE * min(x2 - x1, y2 - y1))
    for x, inward_x in ((x1, length), (x2, -length)):
        for y, inward_y in ((y1, length), (y2, -length)):
            ends = np.array([[x + inward_x, y], [x, y], [x, y + inward_y]], dtype=np.int32)
            cv2.polylines(canvas_rgb, [ends], isClosed=False, color=BLACK, thickness=width_px + 2)
            cv2.polylines(canvas_rgb, [ends], isClosed=False, color=colour, thickness=width_px)


def _dashes(canvas_rgb: Picture, box_xyxy: CropBox, colour: Colour, *, width_px: int, dash_px: int) -> None:
    x1, y1, x2, y2 = box_xyxy
    columns = np.arange(x1, x2 + 1)
    rows = np.arange(y1, y2 + 1)
    shown_columns = columns[(columns - x1) // dash_px % 2 == 0]
    shown_rows = rows[(rows - y1) // dash_px % 2 == 0]
    for k in range(width_px):
        for y in {min(y1 + k, y2), max(y2 - k, y1)}:
            canvas_rgb[y, shown_columns] = colour
        for x in {min(x1 + k, x2), max(x2 - k, x1)}:
            canvas_rgb[shown_rows, x] = colour


def draw_tips(canvas_rgb: Picture, flags: Sequence[HandFlag], view: View, *, size_px: int) -> None:
    """Mark the finger tips of hands in contact, in place: a disc where they touch, a ring where they are near."""
    import cv2

    radius = max(3, round(TIP_RADIUS * size_px))
    for flag in flags:
        if not all(isfinite(v) for v in flag.tip_xy):
            continue
        (x, y) = view.points(np.array([flag.tip_xy], dtype=np.float32))[0].tolist()
        colour = HAND_COLOURS[flag.side]
        cv2.circle(canvas_rgb, (round(x), round(y)), radius + 2, BLACK, 2, cv2.LINE_AA)
        cv2.circle(canvas_rgb, (round(x), round(y)), radius, colour, -1 if flag.touching else 2, cv2.LINE_AA)


def draw_flags(canvas_rgb: Picture, people: Sequence[DrawnPerson], *, size_px: int, plates: Plates) -> None:
    """List what hands touch in the upper right corner, in place: on the hand's colour, or in it where only near."""
    gap, (tall, wide) = max(2, size_px // 4), canvas_rgb.shape[:2]
    several = sum(bool(person.flags) for person in people) > 1
    for person in people:
        for flag in person.flags:
            text = f"{label_of(person).name}  {flag.words}" if several else flag.words
            text = text if flag.touching else f"{text} (near)"
            width, height = tag_size_px(text, size_px)
            hand = HAND_COLOURS[flag.side]
            fill, ink = (hand, None) if flag.touching else (PAPER, hand)
            places = [(wide - gap - width, top) for top in range(gap, max(tall - height, gap + 1), height + gap)]
            plates.put(canvas_rgb, text, places, size_px=size_px, fill=fill, ink=ink)


def draw_cut(canvas_rgb: Picture, text: str, *, size_px: int) -> None:
    """Mark that a new shot began, in place: ticks at the middle of the upper and lower edge, and a tag."""
    height, width = canvas_rgb.shape[:2]
    length, half, middle = max(4, round(TICK_SHARE * height)), max(1, size_px // 8), width // 2
    for colour, rim in ((BLACK, 1), (INK, 0)):
        columns = slice(middle - half - rim, middle + half + rim)
        canvas_rgb[: length + rim, columns] = colour
        canvas_rgb[height - length - rim :, columns] = colour
    tag_width, _ = tag_size_px(text, size_px)
    put_tag(canvas_rgb, text, (middle - tag_width // 2, length), size_px=size_px, fill=PAPER)
