"""What a person's hands touch, frame by frame: the flags that a preview shows beside the candidates made of them."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

SIDES = ("left", "right")
"""The order of the two hands in every array here; the person's own sides."""
NOWHERE = -1
"""In ``HandContacts.places``: the hand touches nothing."""


class Touch(IntEnum):
    """What one frame says about one hand."""

    UNSEEN = 0
    AWAY = 1
    """Seen, and near nothing."""
    NEAR = 2
    """Close enough to keep a contact going."""
    TOUCHING = 3
    """Close enough to begin one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HandContacts:
    """Both hands of one track."""

    track_number: int
    frame_indices: npt.NDArray[np.int32]
    """Frames of the video, shape ``(n,)``, increasing."""
    touches: npt.NDArray[np.int8]
    """``Touch`` values, shape ``(n, 2)``."""
    places: npt.NDArray[np.int8]
    """Index into ``names`` of what each hand is near or touches, or ``NOWHERE``, shape ``(n, 2)``."""
    tips_xy: npt.NDArray[np.float32]
    """Where each hand's leading finger tips are, pixels, shape ``(n, 2, 2)``; NaN where nobody can tell."""
    names: tuple[str, ...]
    """What can be touched, in the vocabulary of ``schema.taxonomy.EVIDENCE``."""

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together (``ValueError``)."""
        count = self.frame_indices.shape[0]
        shapes = (self.touches.shape, self.places.shape, self.tips_xy.shape)
        wanted = ((count, 2), (count, 2), (count, 2, 2))
        if shapes != wanted:
            raise ValueError(f"hand contacts of {count} frames need {wanted}, got {shapes}")
        if np.any((self.places == NOWHERE) != (self.touches < Touch.NEAR)):
            raise ValueError("a hand has a place exactly where it is near or touches")

    def place_of(self, row: int, side: int) -> str | None:
        """Return the evidence of what a hand is near or touches in one row, or None."""
        place = int(self.places[row, side])
        return None if place == NOWHERE else self.names[place]
