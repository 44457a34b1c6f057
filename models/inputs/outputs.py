"""How the outputs of a model are numbered."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.inputs.windows import PlacedGesture


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """How the outputs are numbered: classes, then groups, then "any gesture"."""

    class_count: int
    group_count: int

    @property
    def count(self) -> int:
        """All of them."""
        return self.class_count + self.group_count + 1

    def row(self, gesture: PlacedGesture) -> npt.NDArray[np.float32]:
        """Return the outputs that a gesture sets to 1."""
        row = np.zeros(self.count, np.float32)
        if gesture.output >= 0:
            row[gesture.output] = 1
        row[self.class_count + gesture.group] = 1
        row[-1] = 1
        return row
