"""What is known of one person in one frame: the cut-out of the picture, and the pose in it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perception.backends.mediapipe.graphs import PoseModel
from perception.backends.mediapipe.regions import Points, Region, distance_px, mean_of
from schema.matching import Box


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class View:
    """A cut-out of the picture, which remembers where it lies and how large the whole is."""

    pixels_rgb: npt.NDArray[np.uint8]
    left: int
    top: int
    picture_width: int
    picture_height: int

    @classmethod
    def around(cls, image_rgb: npt.NDArray[np.uint8], box_xyxy: Box, *, padding: float) -> "View":
        """Cut out a box, widened on each side by a share of its longer side, as far as the picture goes."""
        height, width = image_rgb.shape[:2]
        x1, y1, x2, y2 = box_xyxy
        margin = padding * max(x2 - x1, y2 - y1)
        left, top = max(int(x1 - margin), 0), max(int(y1 - margin), 0)
        right, bottom = min(int(x2 + margin) + 1, width), min(int(y2 + margin) + 1, height)
        return cls(
            pixels_rgb=np.ascontiguousarray(image_rgb[top:bottom, left:right]),
            left=left,
            top=top,
            picture_width=width,
            picture_height=height,
        )

    @property
    def origin(self) -> Points:
        """Return the cut-out's corner in the picture, shape ``(2,)``."""
        return np.array((self.left, self.top), np.float32)

    @property
    def side_px(self) -> int:
        """Return the shorter side of the cut-out."""
        return int(min(self.pixels_rgb.shape[:2]))

    def square(self, center: Points, side_px: float) -> "View":
        """Cut an upright square out of the cut-out, as far as it goes."""
        height, width = self.pixels_rgb.shape[:2]
        x, y = float(center[0]) - self.left, float(center[1]) - self.top
        left, right = (min(max(int(x + d * side_px / 2), 0), width) for d in (-1, 1))
        top, bottom = (min(max(int(y + d * side_px / 2), 0), height) for d in (-1, 1))
        return View(
            pixels_rgb=np.ascontiguousarray(self.pixels_rgb[top:bottom, left:right]),
            left=self.left + left,
            top=self.top + top,
            picture_width=self.picture_width,
            picture_height=self.picture_height,
        )

    def in_picture(self, points: Points) -> npt.NDArray[np.bool_]:
        """Tell which points lie in the whole picture, shape ``(n,)``."""
        x, y = points[:, 0], points[:, 1]
        inside: npt.NDArray[np.bool_] = (x >= 0) & (x < self.picture_width) & (y >= 0) & (y < self.picture_height)
        return inside

    def beyond_picture_px(self, point: Points) -> float:
        """Return how far a point lies outside the whole picture, 0 or less for one inside."""
        x, y = float(point[0]), float(point[1])
        return max(-x, x - self.picture_width, -y, y - self.picture_height)

    def within(self, region: Region) -> Region:
        """Return a region of the picture in pixels of the cut-out."""
        return region.moved(-self.left, -self.top)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PosePoints:
    """A person's BlazePose, in pixels of the whole picture."""

    points_xy: Points
    """The 33 points, shape ``(33, 2)``."""
    scores: npt.NDArray[np.float32]
    """Visibility times presence, shape ``(33,)``, 0..1."""
    alignment_xy: Points
    """Hip centre and the point that tells the person's size and direction, shape ``(2, 2)``."""

    @property
    def shoulders_px(self) -> float:
        """Return the shoulder width as seen from the front, also where the person is turned."""
        points = self.points_xy
        eyes, mouth = mean_of(points[2], points[5]), mean_of(points[9], points[10])
        # Turned shoulders look narrow; eyes to mouth is about 7 cm, shoulder joints are about 32 cm apart.
        return max(distance_px(points[11], points[12]), 4.5 * distance_px(eyes, mouth), 1.0)

    @property
    def faces_away(self) -> bool:
        """Tell whether the person is seen from behind: the left eye lies on the left, as the head stands."""
        points = self.points_xy
        across_x, across_y = (float(v) for v in points[2] - points[5])
        down_x, down_y = (float(v) for v in mean_of(points[9], points[10]) - mean_of(points[2], points[5]))
        return across_x * down_y - across_y * down_x < 0


def read_pose(model: PoseModel, view: View, region: Region) -> PosePoints | None:
    """Return the pose of the person in a region of the picture, or None where the model sees nobody."""
    result = model.run(view.pixels_rgb, view.within(region))
    if result is None:
        return None
    rows, alignment = result
    # A point can be visible by its looks and yet not be there (presence): both must hold.
    return PosePoints(
        points_xy=rows[:, :2] + view.origin, scores=rows[:, 2] * rows[:, 3], alignment_xy=alignment + view.origin
    )
