"""Keypoint layouts: MediaPipe's points -> the canonical 133, and subsets of the 133 that other tools expect."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schema.records import KEYPOINT_COUNT
from schema.skeleton import BODY_LIMBS, FACE_START, FINGERTIPS, LEFT_HAND_START, RIGHT_HAND_START

POSE_POINT_COUNT = 33
FACE_MESH_POINT_COUNT = 468
HAND_POINT_COUNT = 21

BODY_FROM_POSE: tuple[int, ...] = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""BlazePose index of each COCO body point 0-16 (mediapipe ``PoseLandmark`` names both sides the person's own way)."""
FEET_FROM_POSE: dict[int, int] = {17: 31, 19: 29, 20: 32, 22: 30}
"""BlazePose index of the foot points; it has no small toes (18, 21)."""
FACE_FROM_MESH: tuple[int, ...] = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389, 71, 63, 105, 66, 107, 336, 296,
    334, 293, 301, 168, 197, 5, 4, 75, 97, 2, 326, 305, 33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380, 61,
    39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
"""Face-mesh vertex of each of iBUG's 68 points: the list in common use (for example in LatentSync), approximate."""

_POSE_COLUMNS = np.array((*range(17), *FEET_FROM_POSE), dtype=np.intp)
_POSE_ROWS = np.array((*BODY_FROM_POSE, *FEET_FROM_POSE.values()), dtype=np.intp)
_FACE_ROWS = np.array(FACE_FROM_MESH, dtype=np.intp)


def points_from_pose(pose: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Place BlazePose rows ``(33, k)`` into canonical rows ``(133, k)``; NaN where BlazePose has no such point."""
    canonical = np.full((KEYPOINT_COUNT, pose.shape[1]), np.nan, np.float32)
    canonical[_POSE_COLUMNS] = pose[_POSE_ROWS]
    return canonical


def place_face(canonical: npt.NDArray[np.float32], mesh: npt.NDArray[np.float32]) -> None:
    """Write face-mesh rows ``(468, k)`` into the face of canonical rows ``(133, k)``, in place."""
    canonical[FACE_START:LEFT_HAND_START] = mesh[_FACE_ROWS]


def place_hand(canonical: npt.NDArray[np.float32], hand: npt.NDArray[np.float32], *, side: str) -> None:
    """Write hand rows ``(21, k)`` into the person's own ``left`` or ``right`` hand, in place; the order is the same."""
    start = {"left": LEFT_HAND_START, "right": RIGHT_HAND_START}[side]
    canonical[start : start + HAND_POINT_COUNT] = hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A set of points computed from the canonical 133."""

    name: str
    sources: tuple[tuple[int, ...], ...]
    """For each point the canonical points whose mean it is."""
    limbs: tuple[tuple[int, int], ...]
    """Pairs of its own points that are joined."""
    flip: tuple[int, ...]
    """Permutation that renames a mirrored picture's points; applied twice it is the identity."""


COCO17 = Layout(
    name="coco17",
    sources=tuple((i,) for i in range(17)),
    limbs=BODY_LIMBS,
    flip=(0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15),
)
"""The 17 body points of COCO."""

IMIGUE22 = Layout(
    name="imigue22",
    sources=(
        (0,), (5, 6), (6,), (8,), (10,), (5,), (7,), (9,), (2,), (1,), (4,), (3,),
        *((tip,) for tip in FINGERTIPS["right"]),
        *((tip,) for tip in FINGERTIPS["left"]),
    ),
    limbs=(
        (0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (0, 8), (8, 10), (0, 9), (9, 11),
        *((4, tip) for tip in range(12, 17)),
        *((7, tip) for tip in range(17, 22)),
    ),
    flip=(0, 1, 5, 6, 7, 2, 3, 4, 9, 8, 11, 10, 17, 18, 19, 20, 21, 12, 13, 14, 15, 16),
)  # fmt: skip
"""The 22 upper-body joints of the iMiGUE and MiGA baselines (BODY_25 order, then right and left finger tips).

Limbs and flip are corrected: the published ``openpose22`` graph mixes 1-based with 0-based joints (its nose has no
edge, its fingers hang on a shoulder and an eye), and the flip pairs in circulation are those of another layout.
"""


def to_layout(
    keypoints_xy: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], layout: Layout
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Compute a layout's points from ``(..., 133, 2)`` and ``(..., 133)``.

    A point made of several is their mean with the lowest of their scores, and not seen where one of them is not.
    """
    points = [keypoints_xy[..., list(source), :].mean(axis=-2) for source in layout.sources]
    lowest = [scores[..., list(source)].min(axis=-1) for source in layout.sources]
    return np.stack(points, axis=-2), np.stack(lowest, axis=-1)
