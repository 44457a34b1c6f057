"""The canonical keypoint layout, COCO-WholeBody 133: names, limbs, and the left-right flip.

Source: the COCO-WholeBody annotation format (Jin et al., ECCV 2020, arXiv:2007.11858): body 0-16, feet 17-22, face
23-90 in the order of iBUG 300-W's 68 points, left hand 91-111, right hand 112-132. "Left" is the person's own left.
"""

BODY_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
FEET_NAMES = (
    "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
FACE_NAMES = tuple(f"face_{i}" for i in range(68))
HAND_NAMES = (
    "root",
    *(f"{finger}{joint}" for finger in ("thumb", "forefinger", "middle", "ring", "pinky") for joint in (1, 2, 3, 4)),
)
KEYPOINT_NAMES: tuple[str, ...] = (
    *BODY_NAMES,
    *FEET_NAMES,
    *FACE_NAMES,
    *(f"left_hand_{name}" for name in HAND_NAMES),
    *(f"right_hand_{name}" for name in HAND_NAMES),
)
"""The 133 names by index."""

FACE_START, LEFT_HAND_START, RIGHT_HAND_START = 23, 91, 112
FINGERTIPS = {"left": (95, 99, 103, 107, 111), "right": (116, 120, 124, 128, 132)}

BODY_LIMBS = (
    (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
    (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
)  # fmt: skip
FOOT_LIMBS = ((15, 17), (15, 18), (15, 19), (16, 20), (16, 21), (16, 22))


def _hand_limbs(start: int) -> tuple[tuple[int, int], ...]:
    fingers = (tuple(range(1 + 4 * f, 5 + 4 * f)) for f in range(5))
    return tuple(
        pair
        for finger in fingers
        for pair in zip((start, *(start + k for k in finger)), (start + k for k in finger), strict=False)
    )


def _face_lines() -> tuple[tuple[int, int], ...]:
    runs = ((0, 16, False), (17, 21, False), (22, 26, False), (27, 30, False), (31, 35, False))
    loops = ((36, 41, True), (42, 47, True), (48, 59, True), (60, 67, True))
    lines: list[tuple[int, int]] = []
    for first, last, closed in (*runs, *loops):
        lines += [(FACE_START + i, FACE_START + i + 1) for i in range(first, last)]
        if closed:
            lines.append((FACE_START + last, FACE_START + first))
    return tuple(lines)


LEFT_HAND_LIMBS, RIGHT_HAND_LIMBS = _hand_limbs(LEFT_HAND_START), _hand_limbs(RIGHT_HAND_START)
FACE_LINES = _face_lines()
LIMBS: tuple[tuple[int, int], ...] = (
    *BODY_LIMBS,
    *FOOT_LIMBS,
    *FACE_LINES,
    *LEFT_HAND_LIMBS,
    *RIGHT_HAND_LIMBS,
    (9, LEFT_HAND_START),
    (10, RIGHT_HAND_START),
)
"""Pairs of keypoints that a drawing joins with a line."""

_FACE_FLIP_68 = (
    16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 27, 28, 29, 30,
    35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56,
    55, 64, 63, 62, 61, 60, 67, 66, 65,
)  # fmt: skip


def _flip_permutation() -> tuple[int, ...]:
    swapped = {
        name: name.replace("left", "#").replace("right", "left").replace("#", "right") for name in KEYPOINT_NAMES
    }
    index = {name: i for i, name in enumerate(KEYPOINT_NAMES)}
    flip = [index[swapped[name]] for name in KEYPOINT_NAMES]
    flip[FACE_START : FACE_START + 68] = [FACE_START + i for i in _FACE_FLIP_68]
    return tuple(flip)


FLIP_PERMUTATION = _flip_permutation()
"""``keypoints[FLIP_PERMUTATION]`` renames a mirrored picture's points; applied twice it is the identity."""
