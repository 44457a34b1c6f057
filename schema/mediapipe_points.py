"""MediaPipe's points and the canonical 133, both ways: 33 of a pose, 468 of a face, 21 of each hand."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schema.records import KEYPOINT_COUNT
from schema.skeleton import FACE_START, LEFT_HAND_START, RIGHT_HAND_START

Points = npt.NDArray[np.float32]

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


def points_from_pose(pose: Points) -> Points:
    """Place BlazePose rows ``(33, k)`` into canonical rows ``(133, k)``; NaN where BlazePose has no such point."""
    canonical = np.full((KEYPOINT_COUNT, pose.shape[1]), np.nan, np.float32)
    canonical[_POSE_COLUMNS] = pose[_POSE_ROWS]
    return canonical


def place_face(canonical: Points, mesh: Points) -> None:
    """Write face-mesh rows ``(468, k)`` into the face of canonical rows ``(133, k)``, in place."""
    canonical[FACE_START:LEFT_HAND_START] = mesh[_FACE_ROWS]


def place_hand(canonical: Points, hand: Points, *, side: str) -> None:
    """Write hand rows ``(21, k)`` into the person's own ``left`` or ``right`` hand, in place; the order is the same."""
    start = {"left": LEFT_HAND_START, "right": RIGHT_HAND_START}[side]
    canonical[start : start + HAND_POINT_COUNT] = hand


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MediapipePoints:
    """One person as MediaPipe Holistic gives them: a group is there as a whole or not at all.

    Positions are shares of the picture's width and height, y down. Only the pose has a measure of confidence.
    """

    pose: Points | None
    """x, y and visibility, shape ``(33, 3)``; NaN and 0 where ``to_mediapipe`` had no such point."""
    face: Points | None
    """x and y, shape ``(468, 2)`` (with refined irises 478: the first 468 are the same)."""
    left_hand: Points | None
    """x and y, shape ``(21, 2)``; the person's own left."""
    right_hand: Points | None

    @classmethod
    def of_result(cls, result: object) -> "MediapipePoints":
        """Read what ``mediapipe.solutions.holistic.Holistic.process`` returns."""
        groups = {name: getattr(result, f"{name}_landmarks") for name in ("pose", "face", "left_hand", "right_hand")}
        values = {
            name: np.array([(p.x, p.y, p.visibility) for p in group.landmark], np.float32) if group else None
            for name, group in groups.items()
        }
        return cls(**{name: rows if rows is None or name == "pose" else rows[:, :2] for name, rows in values.items()})


def from_mediapipe(
    points: MediapipePoints, *, width: int, height: int, min_visibility: float = 0.5
) -> tuple[Points, Points]:
    """Return pixel positions ``(133, 2)`` and scores ``(133,)`` of a person given by MediaPipe Holistic.

    MediaPipe gives every point of a group a position, also outside the picture: a point there, or of a visibility
    below ``min_visibility``, is not seen. Face and hands have no confidence of their own; their points score 1.
    """
    canonical = np.full((KEYPOINT_COUNT, 3), np.nan, np.float32)
    if points.pose is not None:
        canonical = points_from_pose(points.pose)
    if points.face is not None:
        place_face(canonical, _scored(points.face))
    for side, hand in (("left", points.left_hand), ("right", points.right_hand)):
        if hand is not None:
            place_hand(canonical, _scored(hand), side=side)
    x, y, score = canonical.T
    seen = (x >= 0) & (x < 1) & (y >= 0) & (y < 1) & (score >= min_visibility) & (score > 0)
    xy = np.where(seen[:, None], canonical[:, :2] * np.array((width, height), np.float32), np.float32(np.nan))
    return xy, np.where(seen, np.minimum(score, 1), 0).astype(np.float32)


def to_mediapipe(keypoints_xy: Points, scores: Points, *, width: int, height: int) -> MediapipePoints:
    """Return one person's ``(133, 2)`` and ``(133,)`` as MediaPipe Holistic would give them.

    The 12 pose points and 400 mesh vertices that the 133 do not have are NaN; a group without any point is None. The
    scores of face and hands have no place there and are lost.
    """
    shares = np.where(scores[:, None] > 0, keypoints_xy / np.array((width, height), np.float32), np.float32(np.nan))
    pose = np.full((POSE_POINT_COUNT, 3), np.nan, np.float32)
    pose[:, 2] = 0
    pose[_POSE_ROWS] = np.column_stack([shares, scores])[_POSE_COLUMNS]
    face = np.full((FACE_MESH_POINT_COUNT, 2), np.nan, np.float32)
    face[_FACE_ROWS] = shares[FACE_START:LEFT_HAND_START]
    hands = (shares[start : start + HAND_POINT_COUNT] for start in (LEFT_HAND_START, RIGHT_HAND_START))
    groups = (group if np.isfinite(group).all(axis=1).any() else None for group in (face, *hands))
    found_face, left_hand, right_hand = groups
    return MediapipePoints(
        pose=pose if pose[:, 2].any() else None, face=found_face, left_hand=left_hand, right_hand=right_hand
    )


def _scored(points: Points) -> Points:
    return np.column_stack([points[:, :2], np.ones(points.shape[0], np.float32)])
