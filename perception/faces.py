"""Faces, for one question alone: does a person face the camera? Nobody is recognised by theirs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from schema.matching import Box

FACE_FINDERS: dict[str, str] = {
    "mediapipe": "perception.backends.mediapipe.faces:MediapipeFaceFinder",
    "none": "perception.faces:NoFaceFinder",
}
"""Back ends by the name that a study gives, each as ``module:class``; imported when chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFace:
    """A face in a picture."""

    center_xy: tuple[float, float]
    """Pixels of the whole picture."""
    score: float
    turn: float
    """How far the head is turned aside: 0 looks at the camera, about 0.5 and more is a profile."""


class FaceFinder(Protocol):
    """A back end that finds faces."""

    config_type: ClassVar[type]
    """The dataclass that the constructor takes."""

    @property
    def weights_digest(self) -> str:
        """Return a digest of the model files, for the names of derived parts."""
        ...

    def find_faces(self, image_rgb: npt.NDArray[np.uint8], within: Box) -> Sequence[FoundFace] | None:
        """Return the faces in a part of the picture; None: this back end does not look."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class NoFacesConfig:
    """Settings of the back end that looks for no faces: none."""


class NoFaceFinder:
    """Looks for no faces: who faces the camera then plays no part in who is the player."""

    config_type: ClassVar[type] = NoFacesConfig

    def __init__(self, config: NoFacesConfig) -> None:
        self._config = config

    @property
    def weights_digest(self) -> str:
        """Return that there are none."""
        return "none"

    def find_faces(self, image_rgb: npt.NDArray[np.uint8], within: Box) -> Sequence[FoundFace] | None:
        """Return that nothing was looked at."""
        return None
