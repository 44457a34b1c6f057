"""How fast the part of the body moves that a candidate is about: the curve below a review clip."""

from dataclasses import dataclass

import numpy as np

from kinematics.movement import speeds
from kinematics.scale import head_widths_px
from kinematics.windows import Floats, seconds_of
from schema.records import KEYPOINT_COUNT, KeypointSequence
from schema.skeleton import FACE_START, LEFT_HAND_START, RIGHT_HAND_START

HEAD, MOUTH, SHOULDERS, TRUNK = "head", "mouth", "shoulders", "upper body"
ARMS, HANDS, LEGS = "arms", "hands", "legs"
_POINTS: dict[str, tuple[tuple[int, ...], ...]] = {
    HEAD: (tuple(range(5)),),
    MOUTH: (tuple(range(FACE_START + 48, FACE_START + 68)),),
    SHOULDERS: ((5, 6),),
    TRUNK: ((5, 6, 11, 12),),
    ARMS: ((7, 9), (8, 10)),
    LEGS: ((13, 15), (14, 16)),
    HANDS: ((9, *range(LEFT_HAND_START, RIGHT_HAND_START)), (10, *range(RIGHT_HAND_START, KEYPOINT_COUNT))),
}
"""Keypoints of each part (COCO-WholeBody); of two sides the faster one counts."""
_PART_OF = {
    "moving_head": HEAD,
    "moving_mouth": MOUTH,
    "moving_shoulders": SHOULDERS,
    "moving_torso": TRUNK,
    "moving_arm": ARMS,
    "moving_leg": LEGS,
}
_NOSE = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PartSpeed:
    """The speed of one part of the body over a track."""

    part: str
    """In a word or two: "hands"."""
    head_widths_per_second: Floats
    """Shape ``(n,)``, one a frame of the sequence; 0 where too little is seen."""


def part_speed(sequence: KeypointSequence, evidence: str) -> PartSpeed | None:
    """Return how fast the part moves that the evidence names (a key of ``schema.taxonomy.EVIDENCE``).

    Everything that a hand does is told by the hands, wrist and fingers; a mouth moves against the nose, so that a
    turn of the head is no speech. None where nothing tells the person's size.
    """
    widths = head_widths_px(sequence)
    if not np.isfinite(widths).any():
        return None
    part = _PART_OF.get(evidence, HANDS)
    points = sequence.keypoints_xy.astype(np.float64)
    if part == MOUTH:
        points = points - points[:, _NOSE, None]
    times_s = seconds_of(sequence.times_ns)
    sides = [speeds(points[:, list(numbers)], times_s) for numbers in _POINTS[part]]
    return PartSpeed(part=part, head_widths_per_second=np.max(sides, axis=0) / np.nanmedian(widths))
