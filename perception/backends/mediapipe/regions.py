"""Turned squares in the picture that the landmark models look at, and how they follow from points."""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
"""Pixels, shape ``(n, 2)``."""

# The alignment rules and scales below are those of the wheel's own graphs (pose_detection_to_roi,
# hand_landmark_landmarks_to_roi, palm_detection_detection_to_roi, face_landmark_landmarks_to_roi,
# hand_landmarks_from_pose_to_recrop_roi): the models were trained on squares cut like this.
POSE_SCALE = 1.25
HAND_SCALE, HAND_SHIFT = 2.0, -0.1
PALM_SCALE, PALM_SHIFT = 2.6, -0.5
ROUGH_HAND_SCALE = 2.7
FACE_SCALE = 1.5
HAND_AHEAD, HAND_SQUARE = 0.25, 0.9
"""Shoulder widths from the wrist to the middle of the hand, and the side of a square around a hand."""
FULL_CHANGE = 0.1
"""Share of a region's side (or turn in radians) that counts as a movement and is followed at once."""
LEAST_SHARE = 0.05
"""Share of a smaller change that is followed in one frame."""
_PALM_AND_KNUCKLES = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
"""Hand points whose extent sets the hand's region: finger tips would make it jump."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A square of the picture, turned clockwise."""

    center_x: float
    center_y: float
    side_px: float
    angle_rad: float

    def to_image(self, points: Points) -> Points:
        """Turn points of the square's own frame (-0.5..0.5, shape ``(n, 2)``) into picture pixels."""
        cos, sin = math.cos(self.angle_rad), math.sin(self.angle_rad)
        x = self.center_x + self.side_px * (points[:, 0] * cos - points[:, 1] * sin)
        y = self.center_y + self.side_px * (points[:, 0] * sin + points[:, 1] * cos)
        return np.stack([x, y], axis=1).astype(np.float32)

    def moved(self, x_px: float, y_px: float) -> "Region":
        """Return the region with its centre moved."""
        return replace(self, center_x=self.center_x + x_px, center_y=self.center_y + y_px)

    def eased_to(self, new: "Region") -> "Region":
        """Return a region on the way to a new one: almost none of a trembling, all of a movement.

        Where a model looks shakes what it finds. Easing the regions, never the points, took the trembling of still
        shoulders from 1.2 to 0.8 px on imigue_folding-arms, 3.2 to 1.6 on imigue_scratching-neck and 1.4 to 0.4 on
        ma52_B1_nodding. Mediapipe's smoothing of the points (0.1 px) shrank the nods of the last to six tenths
        (16.5 to 9.9 px) and would hide what is looked for.
        """
        turn = math.remainder(new.angle_rad - self.angle_rad, 2 * math.pi)
        apart_px = max(abs(new.center_x - self.center_x), abs(new.center_y - self.center_y))
        change = max(apart_px / self.side_px, abs(new.side_px / self.side_px - 1.0), abs(turn)) / FULL_CHANGE
        share = min(max(change, LEAST_SHARE), 1.0)
        return Region(
            center_x=self.center_x + share * (new.center_x - self.center_x),
            center_y=self.center_y + share * (new.center_y - self.center_y),
            side_px=self.side_px + share * (new.side_px - self.side_px),
            angle_rad=self.angle_rad + share * turn,
        )


def _angle(start: Points, end: Points, *, target_rad: float) -> float:
    """Return the clockwise turn that brings the line start -> end to the target (counter-clockwise from x)."""
    angle = target_rad - math.atan2(-(float(end[1]) - float(start[1])), float(end[0]) - float(start[0]))
    return angle - 2 * math.pi * math.floor((angle + math.pi) / (2 * math.pi))


def _region_around(points: Points, *, angle_rad: float, scale: float, shift_y: float) -> Region:
    """Return the square around points in a turned frame, scaled, and shifted by a share of its unscaled height."""
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    along_x = points[:, 0] * cos + points[:, 1] * sin
    along_y = -points[:, 0] * sin + points[:, 1] * cos
    width, height = float(np.ptp(along_x)), float(np.ptp(along_y))
    middle_x = (float(along_x.min()) + float(along_x.max())) / 2
    middle_y = (float(along_y.min()) + float(along_y.max())) / 2 + height * shift_y
    return Region(
        center_x=middle_x * cos - middle_y * sin,
        center_y=middle_x * sin + middle_y * cos,
        side_px=max(width, height) * scale,
        angle_rad=angle_rad,
    )


def mean_of(*points: Points) -> Points:
    """Return the mean of points, or of rows of points, as float32."""
    mean: Points = np.mean(points, axis=0, dtype=np.float32)
    return mean


def _square(center: Points, side_px: float, *, angle_rad: float, scale: float, shift_y: float) -> Region:
    """Return a square around a point, scaled, and moved along its own height by a share of its unscaled side."""
    shift_px = shift_y * side_px
    return Region(
        center_x=float(center[0]) - shift_px * math.sin(angle_rad),
        center_y=float(center[1]) + shift_px * math.cos(angle_rad),
        side_px=side_px * scale,
        angle_rad=angle_rad,
    )


def distance_px(one: Points, other: Points) -> float:
    """Return the distance of two points, or the mean distance of two rows of points."""
    return float(np.sqrt(((one - other) ** 2).sum(axis=-1)).mean())


def region_of_pose(alignment: Points) -> Region:
    """Return the person's region from the hip centre and the point that tells size and direction."""
    center, edge = alignment[0], alignment[1]
    angle_rad = _angle(center, edge, target_rad=math.pi / 2)
    return _square(center, 2 * distance_px(center, edge), angle_rad=angle_rad, scale=POSE_SCALE, shift_y=0.0)


def region_of_hand(hand: Points) -> Region:
    """Return the region in which to look for a hand whose 21 points are known from the frame before."""
    toward = mean_of(hand[5], hand[9], hand[9], hand[13])
    angle_rad = _angle(hand[0], toward, target_rad=math.pi / 2)
    return _region_around(hand[list(_PALM_AND_KNUCKLES)], angle_rad=angle_rad, scale=HAND_SCALE, shift_y=HAND_SHIFT)


def region_of_palm(palm: Points, corners: Points) -> Region:
    """Return a hand's region from a palm detection: its points (wrist first, middle knuckle third) and box corners."""
    angle_rad = _angle(palm[0], palm[2], target_rad=math.pi / 2)
    side_px = float(np.ptp(corners, axis=0).max())
    return _square(corners.mean(axis=0), side_px, angle_rad=angle_rad, scale=PALM_SCALE, shift_y=PALM_SHIFT)


def region_of_face_mesh(mesh: Points) -> Region:
    """Return the region in which to look for a face whose mesh is known from the frame before."""
    angle_rad = _angle(mesh[33], mesh[263], target_rad=0.0)
    left_top, right_bottom = mesh.min(axis=0), mesh.max(axis=0)
    side_px = float((right_bottom - left_top).max())
    return _square(mean_of(left_top, right_bottom), side_px, angle_rad=angle_rad, scale=FACE_SCALE, shift_y=0.0)


def region_of_face_in_pose(pose_xy: Points) -> Region:
    """Return the region in which to look for a face first, from BlazePose's eyes, ears and mouth."""
    eyes, mouth = mean_of(pose_xy[2], pose_xy[5]), mean_of(pose_xy[9], pose_xy[10])
    # Ears are a face's width apart when seen from the front; from the side, eyes to mouth tells the size.
    across_px = max(distance_px(pose_xy[7], pose_xy[8]), 1.6 * distance_px(pose_xy[2], pose_xy[5]))
    side_px = max(across_px, 3.0 * distance_px(mouth, eyes))
    angle_rad = _angle(pose_xy[5], pose_xy[2], target_rad=0.0)
    return _square(mean_of(eyes, mouth), side_px, angle_rad=angle_rad, scale=FACE_SCALE, shift_y=0.0)


def region_of_hand_in_pose(wrist: Points, index: Points, pinky: Points) -> Region:
    """Return the rough region of a hand from BlazePose's wrist, index and pinky."""
    middle = mean_of(index, index, pinky)
    angle_rad = _angle(wrist, middle, target_rad=math.pi / 2)
    return _square(middle, 2 * distance_px(middle, wrist), angle_rad=angle_rad, scale=ROUGH_HAND_SCALE, shift_y=-0.1)


def region_of_recrop(alignment: Points) -> Region:
    """Return the refined region of a hand from the recrop model's centre and edge points."""
    center, edge = alignment[0], alignment[1]
    angle_rad = _angle(center, edge, target_rad=-math.pi / 2)
    return _square(center, 2 * distance_px(center, edge), angle_rad=angle_rad, scale=1.0, shift_y=-0.1)


def region_ahead_of_forearm(wrist: Points, forearm: Points, shoulders_px: float) -> Region:
    """Return where the forearm (the step from elbow to wrist) leads: a square that an ordinary hand fills half."""
    length_px = max(float(np.hypot(float(forearm[0]), float(forearm[1]))), 1.0)
    ahead = wrist + forearm * (HAND_AHEAD * shoulders_px / length_px)
    angle_rad = math.atan2(float(forearm[0]), -float(forearm[1]))
    return Region(
        center_x=float(ahead[0]),
        center_y=float(ahead[1]),
        side_px=HAND_SQUARE * shoulders_px,
        angle_rad=angle_rad,
    )
