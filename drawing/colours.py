"""The colours of every picture that pressroom draws, as RGB."""

from collections.abc import Iterable
from typing import TypeAlias

Colour: TypeAlias = tuple[int, int, int]
"""Red, green, blue, each 0..255."""

BLACK: Colour = (0, 0, 0)
PAPER: Colour = (18, 20, 24)
"""Behind tiles and strips."""
RAIL: Colour = (52, 56, 64)
"""A bar or lane with nothing on it."""
INK: Colour = (236, 236, 232)
"""Text, and the playhead."""
FAINT_INK: Colour = (150, 154, 162)
BODY: Colour = (228, 226, 220)
FACE: Colour = (190, 178, 236)
LEFT_LIMB: Colour = (255, 150, 60)
LEFT_HAND: Colour = (255, 209, 102)
RIGHT_LIMB: Colour = (76, 178, 240)
RIGHT_HAND: Colour = (128, 240, 214)
INSIDE: Colour = (120, 220, 130)
"""Within the span that is asked about."""
OUTSIDE: Colour = (122, 128, 140)
"""Before and after that span."""
BRIGHT = 105
"""Luminance (Rec. 709 weights, of 255) from which dark text reads better than bright text."""

LANES: tuple[Colour, ...] = (
    (255, 150, 60),
    (76, 178, 240),
    (120, 220, 130),
    (236, 120, 160),
    (190, 178, 236),
    (255, 209, 102),
)
"""Told apart by people with the common forms of colour blindness when labelled, as they always are here."""


PEOPLE: tuple[Colour, ...] = (
    (240, 108, 156),
    (126, 214, 120),
    (180, 156, 255),
    (206, 222, 70),
    (255, 140, 108),
    (40, 200, 176),
)
"""People of one picture; none is like a left or right limb's, and each person has a letter as well."""


def person_colour(person_number: int) -> Colour:
    """Return the colour of a person, by ``person_number``; beyond six people colours repeat."""
    return PEOPLE[person_number % len(PEOPLE)]


def ink_on(colour: Colour) -> Colour:
    """Return what text on a plate of this colour is written in: dark on bright, bright on dark."""
    red, green, blue = colour
    is_bright = 0.2126 * red + 0.7152 * green + 0.0722 * blue > BRIGHT
    return PAPER if is_bright else INK


def colours_of(names: Iterable[str]) -> dict[str, Colour]:
    """Give each name of one picture a colour of its own, as far as they suffice; the order given does not matter."""
    return {name: LANES[number % len(LANES)] for number, name in enumerate(sorted(set(names)))}


def dimmed(colour: Colour, share: float) -> Colour:
    """Mix a colour with black; ``share`` 1 keeps it, 0 is black."""
    red, green, blue = (round(channel * share) for channel in colour)
    return red, green, blue
