"""Draws the 133 keypoints of one person as a skeleton: what is not seen is not drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drawing.colours import (
    BLACK,
    BODY,
    FACE,
    LEFT_HAND,
    LEFT_LIMB,
    RIGHT_HAND,
    RIGHT_LIMB,
    Colour,
)
from schema.records import KEYPOINT_COUNT, PART_SLICES, Part
from schema.skeleton import (
    BODY_LIMBS,
    FACE_LINES,
    FACE_START,
    FOOT_LIMBS,
    KEYPOINT_NAMES,
    LEFT_HAND_LIMBS,
    LEFT_HAND_START,
    RIGHT_HAND_LIMBS,
    RIGHT_HAND_START,
)

SUBPIXEL_BITS = 4
"""OpenCV draws at sixteenths of a pixel: rounded to whole ones, a still person's skeleton jumps."""
LARGEST_SIZE = 0.45
"""Lines grow no more beyond a shoulder width of 0.45 picture heights: in a close-up they would hide the face."""
Limb = tuple[int, int]

_HEAD_POINTS = range(5)
_HEAD_LIMBS = tuple(limb for limb in BODY_LIMBS if min(limb) in _HEAD_POINTS)
_TRUNK_LIMBS = tuple(limb for limb in BODY_LIMBS if min(limb) not in _HEAD_POINTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkeletonStyle:
    """How a skeleton looks."""

    min_score: float = 0.0
    """Points with a lower score are not drawn; a score of 0 is "not seen" and never drawn."""
    body_width: float = 0.025
    """Width of body lines, in shoulder widths of the person (see ``person_size_px``)."""
    hand_width: float = 0.013
    """Width of finger lines, in shoulder widths."""
    face_width: float = 0.007
    """Width of face lines, in shoulder widths."""
    outline: bool = True
    """Draw a dark rim, which keeps lines apart from each other and from a bright picture."""


@dataclass(frozen=True, slots=True)
class _Layer:
    limbs: tuple[Limb, ...]
    width: float
    colour: Colour | None
    """None: by the side of the body that the limb belongs to."""


def draw_skeleton(
    canvas_rgb: npt.NDArray[np.uint8],
    keypoints_xy: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    *,
    style: SkeletonStyle | None = None,
) -> None:
    """Draw one person's keypoints onto the canvas, in place.

    ``canvas_rgb`` has shape ``(h, w, 3)``; ``keypoints_xy`` ``(133, 2)`` is in its pixels and may lie outside;
    ``scores`` has shape ``(133,)``. A line needs both its ends. Raises ``ValueError`` for other shapes.
    """
    if keypoints_xy.shape != (KEYPOINT_COUNT, 2) or scores.shape != (KEYPOINT_COUNT,):
        raise ValueError(f"a skeleton needs (133, 2) and (133,), got {keypoints_xy.shape} and {scores.shape}")
    style = style or SkeletonStyle()
    seen = np.isfinite(keypoints_xy).all(axis=1) & (scores > 0) & (scores >= style.min_score)
    if not seen.any():
        return
    unit_px = min(person_size_px(keypoints_xy, seen), LARGEST_SIZE * canvas_rgb.shape[0])
    for layer in _layers(style, face_seen=bool(seen[PART_SLICES[Part.FACE]].any())):
        limbs = [limb for limb in layer.limbs if seen[list(limb)].all()]
        width_px = max(1, round(layer.width * unit_px))
        if style.outline and width_px > 1:  # the rim of a thin line, three pixels, would hide the line
            rim_px = width_px + 2 * max(1, round(width_px / 4))
            _draw_lines(canvas_rgb, keypoints_xy, ((limb, BLACK) for limb in limbs), rim_px)
        _draw_lines(canvas_rgb, keypoints_xy, ((limb, layer.colour or _side_colour(limb)) for limb in limbs), width_px)


def person_size_px(keypoints_xy: npt.NDArray[np.float32], seen: npt.NDArray[np.bool_]) -> float:
    """Estimate the shoulder width in pixels, also for a person from the side or with the face alone in the picture.

    The largest of what is seen: shoulder to shoulder, and twice ear to ear (a head is about 0.4 shoulder widths
    wide); else 0.4 of the diagonal around all seen points.
    """

    def apart(first: int, second: int) -> float:
        if not (seen[first] and seen[second]):
            return 0.0
        return float(np.linalg.norm(keypoints_xy[first] - keypoints_xy[second]))

    size = max(apart(5, 6), 2.0 * apart(3, 4))
    if size > 0:
        return size
    points = keypoints_xy[seen]
    return 0.4 * float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))


def _layers(style: SkeletonStyle, *, face_seen: bool) -> Sequence[_Layer]:
    """Return what is drawn, from back to front; the face's own lines take the place of the five head points'."""
    head = _Layer(FACE_LINES, style.face_width, FACE) if face_seen else _Layer(_HEAD_LIMBS, style.hand_width, BODY)
    wrists = ((9, LEFT_HAND_START), (10, RIGHT_HAND_START))
    return (
        _Layer(FOOT_LIMBS, style.hand_width, None),
        _Layer(_TRUNK_LIMBS, style.body_width, None),
        head,
        _Layer((*wrists, *LEFT_HAND_LIMBS, *RIGHT_HAND_LIMBS), style.hand_width, None),
    )


def _side_colour(limb: Limb) -> Colour:
    """Colour a limb by the person's own side; one that joins the sides, or shoulder and hip, is the trunk's."""
    first, second = limb
    if FACE_START <= first < LEFT_HAND_START:
        return FACE
    if first >= LEFT_HAND_START or second >= LEFT_HAND_START:
        return LEFT_HAND if LEFT_HAND_START <= second < RIGHT_HAND_START else RIGHT_HAND
    names = KEYPOINT_NAMES[first], KEYPOINT_NAMES[second]
    if {name.partition("_")[2] for name in names} == {"shoulder", "hip"} or min(limb) in _HEAD_POINTS:
        return BODY
    if all(name.startswith("left") for name in names):
        return LEFT_LIMB
    return RIGHT_LIMB if all(name.startswith("right") for name in names) else BODY


def _draw_lines(
    canvas_rgb: npt.NDArray[np.uint8],
    keypoints_xy: npt.NDArray[np.float32],
    lines: Iterable[tuple[Limb, Colour]],
    width_px: int,
) -> None:
    import cv2

    for (first, second), colour in lines:
        ends = np.rint(keypoints_xy[[first, second]] * (1 << SUBPIXEL_BITS)).astype(np.int32)
        start, end = (tuple(int(v) for v in point) for point in ends)
        cv2.line(canvas_rgb, start, end, colour, width_px, cv2.LINE_AA, SUBPIXEL_BITS)
