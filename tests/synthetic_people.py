"""Paints the pictures that the synthetic back ends read: coloured rectangles that stand for people."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from media.frames import VideoFrame
from perception.backends.synthetic import (
    BACKGROUND_COLORS,
    GREY_AT_NECK,
    GREY_AT_REST,
    MARKER_XYXY,
    PERSON_COLORS,
    SWING_COLOR,
)

NS_PER_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedPerson:
    """One rectangle: colour 0 to 3, its box, and what its right hand does."""

    color: int = 0
    box_xyxy: tuple[int, int, int, int] = (120, 40, 220, 236)
    hand_at_neck: float = 0.0
    """From 0 (in the lap) to 1 (at the neck)."""
    swings: bool = False


def paint(
    people: Sequence[PaintedPerson], *, size: tuple[int, int] = (320, 240), background: int = 0
) -> npt.NDArray[np.uint8]:
    """Paint one RGB picture of ``size`` (width, height)."""
    image = np.empty((size[1], size[0], 3), dtype=np.uint8)
    image[:] = BACKGROUND_COLORS[background]
    for person in people:
        x1, y1, x2, y2 = person.box_xyxy
        _fill(image, (x1, y1, x2, y2), PERSON_COLORS[person.color])
        grey = round(GREY_AT_REST + person.hand_at_neck * (GREY_AT_NECK - GREY_AT_REST))
        shares = MARKER_XYXY
        marker = (
            x1 + shares[0] * (x2 - x1),
            y1 + shares[1] * (y2 - y1),
            x1 + shares[2] * (x2 - x1),
            y1 + shares[3] * (y2 - y1),
        )
        _fill(image, marker, SWING_COLOR if person.swings else (grey, grey, grey))
    return image


def _fill(image: npt.NDArray[np.uint8], box: tuple[float, float, float, float], color: tuple[int, int, int]) -> None:
    x1, y1, x2, y2 = (max(round(v), 0) for v in box)
    image[y1:y2, x1:x2] = color


def hand_way(second: float, touches: Sequence[tuple[float, float]], *, ramp_seconds: float = 0.3) -> float:
    """Return how far the hand is: at the neck during the touches, on its way for a moment before and after them."""
    ways = [1 - max(start - second, second - end, 0.0) / ramp_seconds for start, end in touches]
    return max([0.0, *ways])


def interview_pictures(
    *,
    seconds: float = 6.0,
    frame_rate: int = 10,
    touches: Sequence[tuple[float, float]] = ((2.0, 3.5),),
    person: PaintedPerson | None = None,
    size: tuple[int, int] = (320, 240),
    background: int = 0,
) -> Iterator[npt.NDArray[np.uint8]]:
    """Paint one seated person whose right hand goes to the neck during ``touches`` (seconds)."""
    seated = person or PaintedPerson()
    for k in range(round(seconds * frame_rate)):
        way = hand_way(k / frame_rate, touches)
        moved = PaintedPerson(color=seated.color, box_xyxy=seated.box_xyxy, hand_at_neck=way, swings=seated.swings)
        yield paint([moved], size=size, background=background)


def as_frames(
    pictures: Sequence[npt.NDArray[np.uint8]] | Iterator[npt.NDArray[np.uint8]],
    *,
    time_ns_of: Callable[[int], int] | None = None,
    frame_rate: int = 10,
    first_frame: int = 0,
) -> Iterator[VideoFrame]:
    """Number the pictures and give them times, as decoding does."""
    for k, picture in enumerate(pictures, start=first_frame):
        time_ns = time_ns_of(k) if time_ns_of else k * NS_PER_SECOND // frame_rate
        yield VideoFrame(frame_index=k, time_ns=time_ns, image_rgb=picture)
