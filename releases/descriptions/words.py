"""The words that fields are told in: places, numbers with their unit, counts."""

from typing import Protocol

PLACE_WORDS = {
    "scalp": "at the top or back of the head",
    "forehead": "at the forehead",
    "eye": "at an eye",
    "nose": "at the nose",
    "mouth": "at the mouth",
    "cheek": "at a cheek",
    "ear": "at an ear",
    "jaw": "at the jaw",
    "neck": "at the neck",
    "throat": "at the throat",
    "chest": "at the chest",
    "face": "at the face",
    "head": "at the head",
    "shoulder": "at the other shoulder",
    "arm": "at the other arm",
    "other_hand": "at the other hand",
    "hip": "at the hip",
    "leg": "at the leg",
}
"""Where a hand is, by ``contact_target``."""
NAMED_BY = {
    "scalp": ("head",), "eye": ("eye", "eyes"), "throat": ("throat",), "arm": ("arm", "arms"),
    "other_hand": ("hands", "fingers", "fingertips"), "leg": ("leg", "foot"),
}  # fmt: skip
"""Words of a phrase that name a place already, where they are not the place's own word."""
COUNTS = (
    "zero", "once", "twice", "three times", "four times", "five times", "six times", "seven times", "eight times",
    "nine times", "ten times", "eleven times", "twelve times",
)  # fmt: skip


class Told(Protocol):
    """The numbers of a description."""

    @property
    def duration_seconds(self) -> float | None:
        """Length."""

    @property
    def speed(self) -> float | None:
        """Shoulder widths a second."""

    @property
    def extent(self) -> float | None:
        """Shoulder widths."""


def times_in_words(count: int) -> str:
    """Return "once", "twice", "three times"; "14 times" above twelve."""
    return COUNTS[count] if count < len(COUNTS) else f"{count} times"


def duration_number(fields: Told) -> str | None:
    """Return the length in seconds with one decimal, None where there is none or it would round to 0.0."""
    return _rounded(fields.duration_seconds, 1)


def speed_number(fields: Told) -> str | None:
    """Return the peak speed with one decimal, None where it is unseen or would round to 0.0."""
    return _rounded(fields.speed, 1)


def extent_number(fields: Told) -> str | None:
    """Return the extent with two decimals, None where it is unseen or would round to 0.00."""
    return _rounded(fields.extent, 2)


def _rounded(value: float | None, decimals: int) -> str | None:
    if value is None or round(value, decimals) <= 0:
        return None
    return f"{value:.{decimals}f}"
