"""Find a person's pose and face in the frame: follow them from the frame before, or look for them anew."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perception.backends.mediapipe.graphs import Detector, PoseModel, TensorModel
from perception.backends.mediapipe.regions import (
    Points,
    Region,
    distance_px,
    mean_of,
    region_of_face_in_pose,
    region_of_face_mesh,
    region_of_pose,
)
from perception.backends.mediapipe.views import PosePoints, View, read_pose
from schema.matching import Box

_NOSE, _SHOULDERS = 0, (11, 12)
_PLACES_IN_POSE = (0, 2, 5, 9, 10)
"""BlazePose's nose, left and right eye, left and right corner of the mouth."""
_PLACES_IN_MESH = ((4,), (362, 263), (33, 133), (291,), (61,))
"""Mesh vertices whose means are the same five places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyConfig:
    """When a pose and a face count as found."""

    box_padding: float = 0.2
    """How far beyond the person's box the models may see, as a share of the box's longer side."""
    min_detection_score: float = 0.5
    """Score that the pose detector must give to begin a person, or to find a lost one again."""
    min_face_score: float = 0.8
    """Face presence that the mesh must report: real faces give 0.98 and more, pixelated ones 0.0 to 0.6."""
    max_face_shift: float = 0.6
    """How far the mesh may lie from the pose's eyes, mouth and nose, as a share of their spread: a mesh that slid
    down to the collar in a fast turn still reported a presence of 1.0."""
    min_face_px: float = 24.0
    """Side of the face's region below which no mesh is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceMesh:
    """A face that was found."""

    points_xy: Points
    """The 468 points, pixels of the whole picture, shape ``(468, 2)``."""
    presence: float
    """The model's belief that it is a face, 0..1."""

    @property
    def places(self) -> Points:
        """Return nose, left eye, right eye and the corners of the mouth, shape ``(5, 2)``."""
        return np.stack([mean_of(*self.points_xy[list(vertices)]) for vertices in _PLACES_IN_MESH])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Body:
    """What was found of one person in one frame, hands aside."""

    view: View
    pose: PosePoints
    face: FaceMesh | None


class BodyModels:
    """The loaded models of pose and face: they keep nothing between frames, so all people share them."""

    def __init__(self, config: BodyConfig) -> None:
        self.config = config
        self.people = Detector("pose", min_score=config.min_detection_score)
        self.pose = PoseModel()
        self.face = TensorModel("face", side=192, outputs=2)


class BodyFinder:
    """Follows one person's pose and face: remembers where they were in the frame before, in a few numbers."""

    def __init__(self, models: BodyModels) -> None:
        self._models = models
        self._config = models.config
        self._pose_region: Region | None = None
        self._face_region: Region | None = None

    def find(self, image_rgb: npt.NDArray[np.uint8], box_xyxy: Box) -> Body | None:
        """Return the person in the box, or None where the models see nobody there."""
        view = View.around(image_rgb, box_xyxy, padding=self._config.box_padding)
        pose = self._find_pose(view, box_xyxy)
        return None if pose is None else Body(view=view, pose=pose, face=self._find_face(view, pose))

    def _find_pose(self, view: View, box_xyxy: Box) -> PosePoints | None:
        """Follow the pose; where it is lost or has slipped to somebody else, detect the person anew."""
        if self._pose_region is not None:
            pose = read_pose(self._models.pose, view, self._pose_region)
            if pose is not None and _is_in_box(pose, box_xyxy):
                self._pose_region = self._pose_region.eased_to(region_of_pose(pose.alignment_xy))
                return pose
        for found in self._models.people.run(view.pixels_rgb):
            pose = read_pose(self._models.pose, view, region_of_pose(found.points_xy + view.origin))
            if pose is not None and _is_in_box(pose, box_xyxy):
                self._pose_region = region_of_pose(pose.alignment_xy)
                return pose
        return None

    def _find_face(self, view: View, pose: PosePoints) -> FaceMesh | None:
        """Follow the face mesh, or look for it where the pose has the face."""
        from_pose = region_of_face_in_pose(pose.points_xy)
        regions = [region for region in (self._face_region, from_pose) if region is not None]
        self._face_region = None
        if from_pose.side_px < self._config.min_face_px:
            return None
        for region in regions:
            tensor, logit = self._models.face.run(view.pixels_rgb, view.within(region))
            presence = 1.0 / (1.0 + math.exp(-min(max(float(logit[0]), -30.0), 30.0)))
            mesh = FaceMesh(points_xy=self._models.face.points_of(tensor, region, values=3), presence=presence)
            if presence >= self._config.min_face_score and self._is_on_face(mesh, pose):
                self._face_region = region.eased_to(region_of_face_mesh(mesh.points_xy))
                return mesh
        return None

    def _is_on_face(self, mesh: FaceMesh, pose: PosePoints) -> bool:
        places = pose.points_xy[list(_PLACES_IN_POSE)]
        spread_px = distance_px(places, places.mean(axis=0))
        return distance_px(mesh.places, places) <= self._config.max_face_shift * spread_px


def _is_in_box(pose: PosePoints, box_xyxy: Box) -> bool:
    """Tell whether the nose or the middle of the shoulders lies in the box: the pose is that of the tracked person."""
    x1, y1, x2, y2 = box_xyxy
    shoulders = pose.points_xy[list(_SHOULDERS)].mean(axis=0)
    return any(x1 <= float(x) <= x2 and y1 <= float(y) <= y2 for x, y in (pose.points_xy[_NOSE], shoulders))
