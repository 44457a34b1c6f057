"""Finds faces with the wheel's full-range face detector, and tells how far each head is turned."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from perception.backends.mediapipe.graphs import close_with, weights_folder
from perception.backends.mediapipe.people import FACE_MODEL_FILE
from perception.faces import FoundFace
from schema.errors import MissingPartError
from schema.matching import Box

_RIGHT_EYE, _LEFT_EYE, _NOSE = 0, 1, 2
"""Places among the six key points that the detector gives."""
_SMALLEST_PART_PX = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class MediapipeFacesConfig:
    """Settings of the mediapipe face finder."""

    min_score: float = 0.5
    """Detector's score that a face needs, 0..1."""


class MediapipeFaceFinder:
    """The full-range detector of the wheel; stateless between pictures, loaded at the first one."""

    config_type: ClassVar[type] = MediapipeFacesConfig

    def __init__(self, config: MediapipeFacesConfig) -> None:
        self._config = config
        self._detector: Any = None

    @property
    def weights_digest(self) -> str:
        """Hash the model file; raises ``MissingPartError`` for a wheel without it."""
        path = weights_folder() / FACE_MODEL_FILE
        if not path.is_file():
            raise MissingPartError(
                f"mediapipe has no {path.name}: install mediapipe==0.10.21, the last with its models"
            )
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def find_faces(self, image_rgb: npt.NDArray[np.uint8], within: Box) -> Sequence[FoundFace]:
        """Return the faces in a part of the picture, best first; none where the part is tiny."""
        height, width = image_rgb.shape[:2]
        left, top = max(round(within[0]), 0), max(round(within[1]), 0)
        right, bottom = min(round(within[2]), width), min(round(within[3]), height)
        if min(right - left, bottom - top) < _SMALLEST_PART_PX:
            return []
        part = np.ascontiguousarray(image_rgb[top:bottom, left:right])
        found = []
        self._load()
        for one in self._detector.process(part).detections or []:
            points = np.array([(k.x, k.y) for k in one.location_data.relative_keypoints], dtype=np.float64)
            points = points * (right - left, bottom - top) + (left, top)
            box = one.location_data.relative_bounding_box
            center = (
                left + (box.xmin + box.width / 2) * (right - left),
                top + (box.ymin + box.height / 2) * (bottom - top),
            )
            found.append(FoundFace(center_xy=center, score=float(one.score[0]), turn=_turn_of(points)))
        return sorted(found, key=lambda face: -face.score)

    def _load(self) -> None:
        if self._detector is None:
            from mediapipe.python.solutions.face_detection import FaceDetection

            self._detector = FaceDetection(min_detection_confidence=self._config.min_score, model_selection=1)
            close_with(self, self._detector)


def _turn_of(points_xy: npt.NDArray[np.float64]) -> float:
    """Return how far the nose lies aside of the middle between the eyes, along the line of the eyes, in eye distances.

    A head that turns by ``a`` moves the nose's tip, half an eye distance before the eyes, by about ``tan(a) / 2``.
    """
    eyes = points_xy[_LEFT_EYE] - points_xy[_RIGHT_EYE]
    apart = float(np.hypot(*eyes))
    if apart < 1.0:
        return 1.0
    nose = points_xy[_NOSE] - (points_xy[_LEFT_EYE] + points_xy[_RIGHT_EYE]) / 2
    return abs(float(nose @ eyes)) / apart**2
