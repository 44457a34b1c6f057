"""Back ends that read what painted test pictures say, so that the whole chain can be tested without any model.

The language of the pictures (colours survive H.264 with halved chroma; ``tests/synthetic_people.py`` paints them):

* the background is one of ``BACKGROUND_COLORS``; where it changes to another one, a shot begins;
* a rectangle in one of ``PERSON_COLORS`` is a person, one a colour; the rectangle is the person's box;
* a block in the middle of the rectangle says what the right hand does: a grey from ``GREY_AT_REST`` to
  ``GREY_AT_NECK`` is the way it has gone from the lap to the neck, ``SWING_COLOR`` is an arm that swings in the air.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from media.frames import VideoFrame
from perception.shots import marked_cuts
from perception.tracks import FramePeople, Sighting
from schema.matching import Box
from schema.records import KEYPOINT_COUNT, PART_SLICES, Part
from schema.timespan import NS_PER_SECOND

if TYPE_CHECKING:
    from perception.keypoints import BoxedFrame, PersonKeypoints

BACKGROUND_COLORS = ((20, 20, 20), (15, 15, 75), (15, 65, 15), (75, 15, 15))
"""RGB; one a shot."""
PERSON_COLORS = ((220, 40, 40), (40, 200, 40), (60, 80, 230), (220, 200, 40))
"""RGB; one a person."""
GREY_AT_REST, GREY_AT_NECK = 100, 220
SWING_COLOR = (40, 210, 210)
MARKER_XYXY = (0.35, 0.45, 0.65, 0.65)
"""Where the block lies, as shares of the person's box."""

_COLOR_REACH = 60.0
"""RGB distance up to which a pixel has a person's colour: person and background colours lie 120 apart and more."""
_PHASE_STEPS = 16
"""The hand's way is read in sixteenths: a step is 7.5 grey levels, compression moves a block's median by 2 at most."""
_SWINGS_PER_SECOND = 1.5

_Array = npt.NDArray[np.float64]
_Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticShotsConfig:
    """Settings of the synthetic shot detector: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticTrackerConfig:
    """Settings of the synthetic tracker."""

    min_side_px: int = 6
    """Rectangles with a shorter side are taken for noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticKeypointsConfig:
    """Settings of the synthetic keypoint estimator."""

    score: float = 0.9
    """Given to every point that is seen."""


class SyntheticShotDetector:
    """Begins a shot where the background takes another colour."""

    config_type: ClassVar[type] = SyntheticShotsConfig

    def __init__(self, config: SyntheticShotsConfig) -> None:
        self._config = config

    @property
    def weights_digest(self) -> str:
        """Return the version of the language of the pictures."""
        return "synthetic-1"

    def detect_cuts(self, frames: Iterable[VideoFrame]) -> list[int]:
        """Return the indices of frames whose background colour is not that of the frame before."""
        return marked_cuts(self.mark_cuts(frames))

    def mark_cuts(self, frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, bool]]:
        """Yield each frame at once, with whether its background colour is not that of the frame before."""
        before: int | None = None
        for frame in frames:
            color = _background_index(frame.image_rgb)
            yield frame, before is not None and color != before
            before = color


class SyntheticTracker:
    """Sees each coloured rectangle as a person; the colour is the person."""

    config_type: ClassVar[type] = SyntheticTrackerConfig

    def __init__(self, config: SyntheticTrackerConfig) -> None:
        self._config = config

    @property
    def weights_digest(self) -> str:
        """Return the version of the language of the pictures."""
        return "synthetic-1"

    def track(self, frames: Iterable[VideoFrame]) -> Iterator[FramePeople]:
        """Yield the rectangles of every frame; people are numbered by their colour."""
        for frame in frames:
            people = []
            for number in range(len(PERSON_COLORS)):
                box = _rectangle(frame.image_rgb, number, min_side_px=self._config.min_side_px)
                if box is not None:
                    people.append(Sighting(person_number=number, box_xyxy=box, score=1.0))
            yield FramePeople(frame_index=frame.frame_index, people=tuple(people))


class SyntheticKeypointEstimator:
    """Scales a fixed skeleton into the box, with the right hand where the picture says it is."""

    config_type: ClassVar[type] = SyntheticKeypointsConfig

    def __init__(self, config: SyntheticKeypointsConfig) -> None:
        self._config = config

    @property
    def weights_digest(self) -> str:
        """Return the version of the language of the pictures."""
        return "synthetic-1"

    def estimate(self, frames: "Iterable[BoxedFrame]") -> "Iterator[tuple[PersonKeypoints, ...]]":
        """Estimate the people of one run of frames, one at a time."""
        from perception.keypoints import estimate_person_by_person

        return estimate_person_by_person(frames, self.start_track)

    def start_track(self) -> "SyntheticTrackEstimator":
        """Begin a person; nothing is remembered between frames."""
        return SyntheticTrackEstimator(self._config)


class SyntheticTrackEstimator:
    """Reads one person, frame by frame."""

    def __init__(self, config: SyntheticKeypointsConfig) -> None:
        self._config = config

    def estimate(self, image_rgb: _Image, box_xyxy: Box, time_ns: int) -> "PersonKeypoints":
        """Return the skeleton in the box, or nothing seen where the box holds no person's colour."""
        from perception.keypoints import PersonKeypoints, unseen_person

        if not _holds_person(image_rgb, box_xyxy):
            return unseen_person()
        wrist, fingers_degrees = _right_hand_pose(_marker_color(image_rgb, box_xyxy), time_ns)
        places = _skeleton(wrist, fingers_degrees)
        x1, y1, x2, y2 = box_xyxy
        keypoints = (places * (x2 - x1, y2 - y1) + (x1, y1)).astype(np.float32)
        # Comparisons with NaN are false: what the skeleton leaves out is not seen either.
        inside = (keypoints >= 0) & (keypoints < image_rgb.shape[1::-1])
        seen = inside[:, 0] & inside[:, 1]
        keypoints[~seen] = np.nan
        scores = np.where(seen, np.float32(self._config.score), np.float32(0)).astype(np.float32)
        parts_seen = np.array([np.any(seen[PART_SLICES[part]]) for part in Part], dtype=np.bool_)
        return PersonKeypoints(keypoints_xy=keypoints, scores=scores, parts_seen=parts_seen)

    def close(self) -> None:
        """Do nothing: nothing is held."""


def _distances(image_rgb: _Image, color: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """Return how far each pixel is from a colour, shape without the last axis."""
    # channel by channel: numpy's sum over an axis of three takes seven times as long, and the sums are whole numbers
    red, green, blue = (
        np.subtract(image_rgb[..., channel], np.float32(color[channel]), dtype=np.float32) for channel in range(3)
    )
    return np.asarray(np.sqrt(red * red + green * green + blue * blue), dtype=np.float32)


def _background_index(image_rgb: _Image) -> int:
    """Return which background colour the median of the picture's frame of pixels is nearest to."""
    border = np.concatenate([image_rgb[0], image_rgb[-1], image_rgb[:, 0], image_rgb[:, -1]])
    median = np.median(border, axis=0).astype(np.uint8)
    return int(np.argmin([float(_distances(median, color)) for color in BACKGROUND_COLORS]))


def _rectangle(image_rgb: _Image, person_number: int, *, min_side_px: int) -> Box | None:
    """Return the box around the pixels of a person's colour, none where there are too few."""
    is_person = _distances(image_rgb, PERSON_COLORS[person_number]) < _COLOR_REACH
    columns = np.flatnonzero(is_person.sum(axis=0) >= min_side_px)
    rows = np.flatnonzero(is_person.sum(axis=1) >= min_side_px)
    if columns.size < min_side_px or rows.size < min_side_px:
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def _part_of_box(image_rgb: _Image, box_xyxy: Box, shares_xyxy: Box) -> _Image:
    """Return the pixels (n, 3) of a part of a box, none where it lies outside the picture."""
    x1, y1, x2, y2 = box_xyxy
    left, right = (max(round(x1 + share * (x2 - x1)), 0) for share in shares_xyxy[0::2])
    top, bottom = (max(round(y1 + share * (y2 - y1)), 0) for share in shares_xyxy[1::2])
    return image_rgb[top:bottom, left:right].reshape(-1, 3)


def _holds_person(image_rgb: _Image, box_xyxy: Box) -> bool:
    """Tell whether most of the box's upper third, which no marker covers, has a person's colour."""
    pixels = _part_of_box(image_rgb, box_xyxy, (0.1, 0.1, 0.9, 0.35))
    if pixels.size == 0:
        return False
    nearest = np.min([_distances(pixels, color) for color in PERSON_COLORS], axis=0)
    return bool(np.mean(nearest < _COLOR_REACH) > 0.5)


def _marker_color(image_rgb: _Image, box_xyxy: Box) -> _Image:
    """Return the median colour of the marker's middle; the grey of a hand at rest where no pixel of it is there."""
    x1, y1, x2, y2 = MARKER_XYXY
    margin_x, margin_y = (x2 - x1) / 4, (y2 - y1) / 4
    pixels = _part_of_box(image_rgb, box_xyxy, (x1 + margin_x, y1 + margin_y, x2 - margin_x, y2 - margin_y))
    if pixels.size == 0:
        return np.full(3, GREY_AT_REST, dtype=np.uint8)
    return np.asarray(np.median(pixels, axis=0), dtype=np.uint8)


_WRIST_AT_REST, _WRIST_AT_NECK = np.array([0.2, 0.82]), np.array([0.42, 0.47])
_FINGERS_AT_REST, _FINGERS_AT_NECK = 80.0, -56.0
"""Degrees, clockwise from the picture's right: at rest they point down, at the neck up."""


def _right_hand_pose(marker_rgb: _Image, time_ns: int) -> tuple[_Array, float]:
    """Return the right wrist as shares of the box, and where the fingers point."""
    if float(_distances(marker_rgb, SWING_COLOR)) < _COLOR_REACH:
        angle = 2 * math.pi * _SWINGS_PER_SECOND * time_ns / NS_PER_SECOND
        return np.array([0.12, 0.70 + 0.08 * math.sin(angle)]), 100.0
    if int(marker_rgb.max()) - int(marker_rgb.min()) > _COLOR_REACH:
        return _WRIST_AT_REST, _FINGERS_AT_REST
    share = (float(marker_rgb.mean()) - GREY_AT_REST) / (GREY_AT_NECK - GREY_AT_REST)
    phase = round(min(max(share, 0.0), 1.0) * _PHASE_STEPS) / _PHASE_STEPS
    wrist = (1 - phase) * _WRIST_AT_REST + phase * _WRIST_AT_NECK
    return wrist, (1 - phase) * _FINGERS_AT_REST + phase * _FINGERS_AT_NECK


def _skeleton(right_wrist: _Array, fingers_degrees: float) -> _Array:
    """Return the places of the 133 points as shares of the box; knees, ankles and feet are not seen."""
    places = np.full((KEYPOINT_COUNT, 2), np.nan)
    right_elbow = np.array([0.16, 0.66])
    places[0:13] = [
        (0.5, 0.18), (0.54, 0.15), (0.46, 0.15), (0.59, 0.17), (0.41, 0.17), (0.78, 0.42), (0.22, 0.42),
        (0.85, 0.66), tuple(right_elbow), (0.8, 0.82), tuple(right_wrist), (0.65, 0.96), (0.35, 0.96),
    ]  # fmt: skip
    places[PART_SLICES[Part.FACE]] = _face()
    places[PART_SLICES[Part.LEFT_HAND]] = _hand(np.array([0.8, 0.82]), 100.0)
    places[PART_SLICES[Part.RIGHT_HAND]] = _hand(right_wrist, fingers_degrees)
    return places


def _face() -> _Array:
    """Return 68 points in the order of iBUG 300-W: jaw from ear to ear, then brows, nose, eyes and mouth."""

    def around(x: float, y: float, radius_x: float, radius_y: float, degrees: _Array) -> _Array:
        angles = np.radians(degrees)
        return np.stack([x + radius_x * np.cos(angles), y + radius_y * np.sin(angles)], axis=1)

    def line(start: tuple[float, float], end: tuple[float, float], count: int) -> _Array:
        return np.linspace(start, end, count)

    loop = np.arange(0.0, 360.0, 60.0)
    parts = [
        around(0.5, 0.17, 0.09, 0.12, np.linspace(180, 0, 17)),
        line((0.43, 0.13), (0.48, 0.13), 5), line((0.52, 0.13), (0.57, 0.13), 5),
        line((0.5, 0.15), (0.5, 0.19), 4), line((0.48, 0.2), (0.52, 0.2), 5),
        around(0.46, 0.15, 0.015, 0.006, 180 + loop), around(0.54, 0.15, 0.015, 0.006, 180 + loop),
        around(0.5, 0.24, 0.03, 0.012, 180 + np.arange(0.0, 360.0, 30.0)),
        around(0.5, 0.24, 0.02, 0.005, 180 + np.arange(0.0, 360.0, 45.0)),
    ]  # fmt: skip
    return np.concatenate(parts)


def _hand(wrist: _Array, fingers_degrees: float) -> _Array:
    """Return 21 points: the root, then thumb to little finger from the palm to the tip."""
    points = [wrist]
    for spread in (-40.0, -18.0, 0.0, 14.0, 28.0):
        angle = math.radians(fingers_degrees + spread)
        length = 0.10 if spread == -40.0 else 0.14
        direction = np.array([math.cos(angle), math.sin(angle)])
        points += [wrist + direction * length * share for share in (0.45, 0.65, 0.83, 1.0)]
    return np.stack(points)
