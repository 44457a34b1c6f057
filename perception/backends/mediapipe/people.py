"""Finds people in one picture with the wheel's face and pose models: where they are, and whether they are people."""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perception.backends.mediapipe.graphs import Detector, PoseModel, close_with, digest_of_models, weights_folder
from perception.backends.mediapipe.regions import Points, Region, region_of_pose
from schema.errors import MissingPartError
from schema.matching import Box

Image = npt.NDArray[np.uint8]

FACE_MODEL_FILE = "mediapipe/modules/face_detection/face_detection_full_range_sparse.tflite"
"""The wheel's full-range face detector, relative to where the package is installed."""

# BlazePose's 33 points: 0-10 head (2 and 5 eyes, 7 and 8 ears, 9 and 10 mouth), 11 to 14 shoulders
# and elbows, 23 and 24 hips.
_HEAD = slice(0, 11)
_HEAD_AND_SHOULDERS = slice(0, 13)
_SMALLEST_PART_PX = 16
"""Nobody is searched for in a part of the picture that is smaller."""
_TRUNK = [11, 12, 13, 14, 23, 24]


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """A detected face."""

    box_xyxy: Box
    score: float

    @property
    def center_xy(self) -> tuple[float, float]:
        """The middle of the box."""
        x1, y1, x2, y2 = self.box_xyxy
        return (x1 + x2) / 2, (y1 + y2) / 2

    @property
    def side_px(self) -> float:
        """The longer side of the box."""
        x1, y1, x2, y2 = self.box_xyxy
        return max(x2 - x1, y2 - y1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A place where the pose detector sees a person."""

    region: Region
    score: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Body:
    """One person as the pose model reads it."""

    points_xy: Points
    """BlazePose's 33 points in pixels, shape ``(33, 2)``."""
    scores: npt.NDArray[np.float32]
    """How visible each point is, shape ``(33,)``, 0..1."""
    region: Region
    """Where to look for the same person next."""

    @property
    def head_score(self) -> float:
        """Mean score of the head's points, 0..1."""
        return float(self.scores[_HEAD].mean())

    @property
    def head_xy(self) -> tuple[float, float]:
        """The middle of the head's points."""
        x, y = self.points_xy[_HEAD].mean(axis=0)
        return float(x), float(y)

    @property
    def head_px(self) -> float:
        """About the size of the head with its hair, between width and height, whichever way it is turned."""
        points = self.points_xy
        ears = float(np.hypot(*(points[7] - points[8])))
        eyes_to_mouth = float(np.hypot(*((points[2] + points[5]) / 2 - (points[9] + points[10]) / 2)))
        # Ears are 1.8 times as far apart as eyes and mouth (medians of 7 clips: 1.4 to 1.9); hair and chin add to it.
        return max(ears, 2.6 * eyes_to_mouth)

    def box_in(self, width: int, height: int) -> Box | None:
        """Return the box around what is visible, with room for hair and fingers, cut at the picture's edges.

        None where nothing visible lies in the picture.
        """
        x, y = self.points_xy[:, 0], self.points_xy[:, 1]
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        shown = (self.scores > 0.5) & inside
        if not shown.any():
            return None
        # Below the picture's edge or a table nothing is visible, but the body goes on: without these points the box
        # of a signer ended at the shoulders as long as the hands were down.
        shown[_TRUNK] = True
        margin = 0.4 * self.head_px
        crown = float(self.points_xy[_HEAD, 1].min()) - self.head_px
        x1, x2 = float(x[shown].min()) - margin, float(x[shown].max()) + margin
        y1, y2 = min(float(y[shown].min()) - margin, crown), float(y[shown].max()) + margin
        box = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
        return box if box[2] > box[0] and box[3] > box[1] else None

    def distance_to(self, other: "Body") -> float:
        """Return the mean distance of head and shoulders to another body's, in head sizes of the larger one."""
        ours, theirs = self.points_xy[_HEAD_AND_SHOULDERS], other.points_xy[_HEAD_AND_SHOULDERS]
        apart = float(np.linalg.norm(ours - theirs, axis=1).mean())
        return apart / max(self.head_px, other.head_px, 1.0)

    def holds_face(self, face: Face) -> bool:
        """Tell whether the face is this person's."""
        x, y = self.head_xy
        center_x, center_y = face.center_xy
        return math.hypot(x - center_x, y - center_y) < 0.6 * face.side_px


def same_place(first: Region, second: Region, *, reach: float) -> bool:
    """Tell whether two regions can be one person's: of like size, and centres at most ``reach`` sides apart.

    A side is about 10 head sizes (8 to 14 measured), so 0.1 is one head.
    """
    larger, smaller = max(first.side_px, second.side_px), min(first.side_px, second.side_px)
    apart = math.hypot(first.center_x - second.center_x, first.center_y - second.center_y)
    return apart < reach * larger and larger < 2 * smaller


class PeopleModels:
    """The face detector, the pose detector and the pose model of the wheel; stateless between pictures."""

    def __init__(self, *, min_pose_score: float, min_face_score: float) -> None:
        from mediapipe.python.solutions.face_detection import FaceDetection

        self._poses = Detector("pose", min_score=min_pose_score)
        self._faces: Any = FaceDetection(min_detection_confidence=min_face_score, model_selection=1)
        close_with(self, self._faces)
        self._pose = PoseModel()

    @staticmethod
    def digest() -> str:
        """Hash the model files; raises ``MissingPartError`` for a wheel without them."""
        path = weights_folder() / FACE_MODEL_FILE
        if not path.is_file():
            raise MissingPartError(
                f"mediapipe has no {path.name}: install mediapipe==0.10.21, the last with its models"
            )
        bodies = digest_of_models(("pose_detection", "pose"))
        return hashlib.sha256(bodies.encode() + path.read_bytes()).hexdigest()

    def propose(self, image_rgb: Image, *, within: Box | None = None) -> list[Proposal]:
        """Return where the pose detector sees people in the picture, or in a part of it, best first."""
        part, left, top = _part(image_rgb, within)
        offset = np.array((left, top), dtype=np.float32)
        found = self._poses.run(part) if part.size else []
        return [Proposal(region=region_of_pose(one.points_xy + offset), score=one.score) for one in found]

    def faces(self, image_rgb: Image, *, within: Box | None = None) -> list[Face]:
        """Return the faces in the picture, or in a part of it, best first."""
        part, left, top = _part(image_rgb, within)
        if not part.size:
            return []
        height, width = part.shape[:2]
        found = []
        for one in self._faces.process(part).detections or []:
            box = one.location_data.relative_bounding_box
            x1, y1 = left + box.xmin * width, top + box.ymin * height
            corners = (x1, y1, x1 + box.width * width, y1 + box.height * height)
            found.append(Face(box_xyxy=corners, score=float(one.score[0])))
        return sorted(found, key=lambda face: -face.score)

    def read(self, image_rgb: Image, region: Region) -> Body | None:
        """Read the person in a region; none where the model sees none."""
        pose = self._pose.run(image_rgb, region)
        if pose is None:
            return None
        landmarks, alignment = pose
        return Body(points_xy=landmarks[:, :2], scores=landmarks[:, 2], region=region_of_pose(alignment))


def square_around(center_x: float, center_y: float, side_px: float) -> Box:
    """Return the upright square with that middle and side."""
    half = side_px / 2
    return center_x - half, center_y - half, center_x + half, center_y + half


def _part(image_rgb: Image, within: Box | None) -> tuple[Image, int, int]:
    """Cut a part out of the picture, as far as it lies inside; return it and its corner; empty where it is tiny."""
    if within is None:
        return image_rgb, 0, 0
    height, width = image_rgb.shape[:2]
    left, top = max(round(within[0]), 0), max(round(within[1]), 0)
    right, bottom = min(round(within[2]), width), min(round(within[3]), height)
    if min(right - left, bottom - top) < _SMALLEST_PART_PX:
        return image_rgb[:0, :0], 0, 0
    return np.ascontiguousarray(image_rgb[top:bottom, left:right]), left, top
