"""Whole-body keypoints with the models of the mediapipe wheel: pose, face mesh and hands, each in its own region.

The models are run one by one on regions that are chosen here, not as the wheel's Holistic graph: that follows one
person in the whole picture, invents points outside it, and looks for a hand in one place only.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from perception.backends.mediapipe.graphs import (
    MODEL_FILES,
    Detector,
    PoseModel,
    TensorModel,
    digest_of_models,
)
from perception.backends.mediapipe.hands import Hand, HandFinder, HandModels, HandsConfig
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
from perception.keypoints import BoxedFrame, PersonKeypoints, estimate_person_by_person, unseen_person
from perception.layouts import place_face, place_hand, points_from_pose
from schema.matching import Box
from schema.records import PART_SLICES

_NOSE, _SHOULDERS = 0, (11, 12)
_NOSE_AND_EYES = (0, 1, 2)
"""Canonical points."""
_PLACES_IN_POSE = (0, 2, 5, 9, 10)
"""BlazePose's nose, left and right eye, left and right corner of the mouth."""
_PLACES_IN_MESH = ((4,), (362, 263), (33, 133), (291,), (61,))
"""Mesh vertices whose means are the same five places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediapipeKeypointsConfig:
    """When a body point, a face or a hand counts as seen.

    There is no smoothing of points over time: it hides micro-movements (measured at ``Region.eased_to``).
    """

    box_padding: float = 0.2
    """How far beyond the person's box the models may see, as a share of the box's longer side."""
    min_detection_score: float = 0.5
    """Score that the pose detector must give to begin a person, or to find a lost one again."""
    min_body_score: float = 0.5
    """Visibility times presence from which a body or foot point is seen; hips behind a table score 0.1 to 0.2."""
    min_face_score: float = 0.8
    """Face presence that the mesh must report: real faces give 0.98 and more, pixelated ones 0.0 to 0.6."""
    max_face_shift: float = 0.6
    """How far the mesh may lie from the pose's eyes, mouth and nose, as a share of their spread: a mesh that slid
    down to the collar in a fast turn still reported a presence of 1.0."""
    min_face_px: float = 24.0
    """Side of the face's region below which no mesh is looked for."""
    forget_after_ns: int = 500_000_000
    """A gap in the track after which nothing is followed from before it."""
    hands: HandsConfig = field(default_factory=HandsConfig)
    """When a hand counts as found."""


class _Models:
    """The loaded models: they keep nothing between frames, so all tracks share them."""

    def __init__(self, config: MediapipeKeypointsConfig) -> None:
        self.people = Detector("pose", min_score=config.min_detection_score)
        self.pose = PoseModel()
        self.face = TensorModel("face", side=192, outputs=2)
        self.hands = HandModels(config.hands)


class MediapipeKeypointEstimator:
    """Estimates whole-body keypoints on a CPU, with the models inside the wheel: nothing is downloaded."""

    config_type: ClassVar[type] = MediapipeKeypointsConfig

    def __init__(self, config: MediapipeKeypointsConfig) -> None:
        self._config = config
        self._models: _Models | None = None

    @property
    def weights_digest(self) -> str:
        """Return the digest of the six model files."""
        return digest_of_models(tuple(sorted(MODEL_FILES)))

    def estimate(self, frames: Iterable[BoxedFrame]) -> Iterator[tuple[PersonKeypoints, ...]]:
        """Estimate the people of one run of frames, one at a time."""
        return estimate_person_by_person(frames, self.start_track)

    def start_track(self) -> "MediapipeTrackEstimator":
        """Begin a person; the first call loads the models (about a second)."""
        if self._models is None:
            self._models = _Models(self._config)
        return MediapipeTrackEstimator(self._models, self._config)


class MediapipeTrackEstimator:
    """Follows one person: remembers where pose, face and hands were in the frame before, in a few numbers."""

    def __init__(self, models: _Models, config: MediapipeKeypointsConfig) -> None:
        self._models = models
        self._config = config
        self._last_time_ns: int | None = None
        self._forget()

    def _forget(self) -> None:
        self._pose_region: Region | None = None
        self._face_region: Region | None = None
        self._hands = HandFinder(self._models.hands)

    def close(self) -> None:
        """Forget the person; the models belong to the estimator."""
        self._forget()

    def estimate(self, image_rgb: npt.NDArray[np.uint8], box_xyxy: Box, time_ns: int) -> PersonKeypoints:
        """Return the keypoints of the person in the box; points outside the picture are not seen."""
        if self._last_time_ns is not None and time_ns - self._last_time_ns > self._config.forget_after_ns:
            self._forget()
        self._last_time_ns = time_ns
        view = View.around(image_rgb, box_xyxy, padding=self._config.box_padding)
        pose = self._find_pose(view, box_xyxy)
        if pose is None:
            self._forget()
            return unseen_person()
        face = self._find_face(view, pose)
        hands = self._hands.find(view, pose, time_ns)
        return self._compose(view, pose=pose, face=face, hands=hands)

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

    def _find_face(self, view: View, pose: PosePoints) -> tuple[Points, float] | None:
        """Follow the face mesh, or look for it where the pose has the face; return its points and presence."""
        from_pose = region_of_face_in_pose(pose.points_xy)
        regions = [region for region in (self._face_region, from_pose) if region is not None]
        self._face_region = None
        if from_pose.side_px < self._config.min_face_px:
            return None
        for region in regions:
            tensor, logit = self._models.face.run(view.pixels_rgb, view.within(region))
            presence = 1.0 / (1.0 + math.exp(-min(max(float(logit[0]), -30.0), 30.0)))
            mesh = self._models.face.points_of(tensor, region, values=3)
            if presence >= self._config.min_face_score and self._is_on_face(mesh, pose):
                self._face_region = region.eased_to(region_of_face_mesh(mesh))
                return mesh, presence
        return None

    def _is_on_face(self, mesh: Points, pose: PosePoints) -> bool:
        places = pose.points_xy[list(_PLACES_IN_POSE)]
        spread_px = distance_px(places, places.mean(axis=0))
        return distance_px(_places_in_mesh(mesh), places) <= self._config.max_face_shift * spread_px

    def _compose(
        self, view: View, *, pose: PosePoints, face: tuple[Points, float] | None, hands: dict[str, Hand]
    ) -> PersonKeypoints:
        canonical = points_from_pose(np.column_stack([pose.points_xy, pose.scores]))
        canonical[~(canonical[:, 2] >= self._config.min_body_score)] = np.nan
        if face is not None:
            mesh, presence = face
            place_face(canonical, _with_score(mesh, presence))
            # The mesh shakes a quarter as much as the pose's nose and eyes (imigue_folding-arms, still: 0.4 of 1.7 px).
            canonical[list(_NOSE_AND_EYES), :2] = _places_in_mesh(mesh)[:3]
        elif pose.faces_away:
            # BlazePose gives nose and eyes a visibility of 1.0 at the back of a head too (intel_one-by-one).
            canonical[list(_NOSE_AND_EYES)] = np.nan
        for side, hand in hands.items():
            place_hand(canonical, _with_score(hand.points_xy, hand.presence), side=side)
        seen = view.in_picture(canonical[:, :2]) & (canonical[:, 2] > 0)
        canonical[~seen] = np.nan
        parts_seen = [bool(seen[points].any()) for _, points in sorted(PART_SLICES.items())]
        return PersonKeypoints(
            keypoints_xy=np.ascontiguousarray(canonical[:, :2]),
            scores=np.clip(np.nan_to_num(canonical[:, 2]), 0.0, 1.0),
            parts_seen=np.array(parts_seen, np.bool_),
        )


def _places_in_mesh(mesh: Points) -> Points:
    return np.stack([mean_of(*mesh[list(vertices)]) for vertices in _PLACES_IN_MESH])


def _with_score(points: Points, score: float) -> npt.NDArray[np.float32]:
    return np.column_stack([points, np.full(points.shape[0], score, np.float32)])


def _is_in_box(pose: PosePoints, box_xyxy: Box) -> bool:
    """Tell whether the nose or the middle of the shoulders lies in the box: the pose is that of the tracked person."""
    x1, y1, x2, y2 = box_xyxy
    shoulders = pose.points_xy[list(_SHOULDERS)].mean(axis=0)
    return any(x1 <= float(x) <= x2 and y1 <= float(y) <= y2 for x, y in (pose.points_xy[_NOSE], shoulders))
