"""Keypoint layouts: adapters between the canonical 133 points and what other tools and data sets hold, both ways.

OpenPose's 137, the 35 and 22 joints of iMiGUE and MiGA, COCO's 17, MA-52's 28 and Kinect's 20 and 25 are each a
``Layout``, a table that the same four functions read. MediaPipe's points come in groups, and have functions of their
own (``schema.mediapipe_points``).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schema.records import KEYPOINT_COUNT, PART_SLICES
from schema.skeleton import (
    BODY_LIMBS,
    FACE_LINES,
    FACE_START,
    FINGERTIPS,
    FLIP_PERMUTATION,
    LEFT_HAND_LIMBS,
    LEFT_HAND_START,
    LIMBS,
    RIGHT_HAND_LIMBS,
    RIGHT_HAND_START,
)

Points = npt.NDArray[np.float32]
Limbs = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A set of points computed from the canonical 133."""

    name: str
    sources: tuple[tuple[int, ...], ...]
    """For each point the canonical points whose mean it is."""
    limbs: Limbs
    """Pairs of its own points that are joined; every point can be reached from every other."""
    flip: tuple[int, ...]
    """Permutation that renames a mirrored picture's points; applied twice it is the identity."""


def _layout(name: str, sources: Sequence[int | tuple[int, ...]], limbs: Sequence[tuple[int, int]]) -> Layout:
    """Make a layout whose flip follows from that of the canonical points; the same source twice keeps its order."""
    groups = [(source,) if isinstance(source, int) else source for source in sources]
    before: Counter[frozenset[int]] = Counter()
    numbers: dict[tuple[frozenset[int], int], int] = {}
    for number, group in enumerate(map(frozenset, groups)):
        numbers[group, before[group]] = number
        before[group] += 1
    mirrored = ((frozenset(FLIP_PERMUTATION[k] for k in group), turn) for group, turn in numbers)
    return Layout(
        name=name, sources=tuple(groups), limbs=tuple(limbs), flip=tuple(numbers[group] for group in mirrored)
    )


def _moved(limbs: Limbs, by: int) -> Limbs:
    return tuple((a + by, b + by) for a, b in limbs)


FACE_BRIDGES: Limbs = (
    (0, 17), (16, 26), (21, 27), (22, 27), (27, 39), (27, 42), (30, 33), (33, 51), (48, 60), (54, 64),
)  # fmt: skip
"""Pairs of iBUG's 68 points that join jaw, brows, eyes, nose and lips into one graph: ours, symmetric."""
_NOSE_TIP = 30
_FACE_GRAPH = (*_moved(FACE_LINES, -FACE_START), *FACE_BRIDGES)

WHOLEBODY133 = _layout(
    "wholebody133",
    range(KEYPOINT_COUNT),
    (*LIMBS, *_moved(FACE_BRIDGES, FACE_START), (0, FACE_START + _NOSE_TIP)),
)
"""The canonical points themselves, with the lines of a drawing joined into one graph."""

COCO17 = _layout("coco17", range(17), BODY_LIMBS)
"""The 17 body points of COCO."""

_RIGHT_ARM, _LEFT_ARM, _RIGHT_LEG, _LEFT_LEG = (6, 8, 10), (5, 7, 9), (12, 14, 16), (11, 13, 15)
_NECK, _MID_HIP = (5, 6), (11, 12)
_EYES_AND_EARS = (2, 1, 4, 3)
_RIGHT_TIPS, _LEFT_TIPS = FINGERTIPS["right"], FINGERTIPS["left"]
_BODY_25 = (
    0, _NECK, *_RIGHT_ARM, *_LEFT_ARM, _MID_HIP, *_RIGHT_LEG, *_LEFT_LEG, *_EYES_AND_EARS, 17, 18, 19, 20, 21, 22,
)  # fmt: skip
"""OpenPose's BODY_25; it has no neck and mid-hip of its own in COCO's points: they are means."""
_ARMS_AND_HEAD: Limbs = ((0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7))
_BODY_25_LIMBS: Limbs = (
    *_ARMS_AND_HEAD, (1, 8), (8, 9), (9, 10), (10, 11), (8, 12), (12, 13), (13, 14), (0, 15), (15, 17), (0, 16),
    (16, 18), (14, 19), (19, 20), (14, 21), (11, 22), (22, 23), (11, 24),
)  # fmt: skip
_RIGHT_WRIST, _LEFT_WRIST = 4, 7
"""Joints of BODY_25, COCO18 and iMiGUE alike."""


def _fingers(first_right: int, first_left: int) -> Limbs:
    right = tuple((_RIGHT_WRIST, first_right + k) for k in range(5))
    return (*right, *((_LEFT_WRIST, first_left + k) for k in range(5)))


_OPENPOSE_FACE, _OPENPOSE_LEFT_HAND, _OPENPOSE_RIGHT_HAND = 25, 95, 116
_OPENPOSE_GROUPS = {
    "pose_keypoints_2d": slice(0, 25),
    "face_keypoints_2d": slice(25, 95),
    "hand_left_keypoints_2d": slice(95, 116),
    "hand_right_keypoints_2d": slice(116, 137),
}
OPENPOSE137 = _layout(
    "openpose137",
    (
        *_BODY_25, *range(FACE_START, LEFT_HAND_START), 2, 1, *range(LEFT_HAND_START, RIGHT_HAND_START),
        *range(RIGHT_HAND_START, KEYPOINT_COUNT),
    ),
    (
        *_BODY_25_LIMBS,
        *_moved((*_FACE_GRAPH, (36, 68), (45, 69)), _OPENPOSE_FACE),
        (0, _OPENPOSE_FACE + _NOSE_TIP),
        *_moved(LEFT_HAND_LIMBS, _OPENPOSE_LEFT_HAND - LEFT_HAND_START),
        *_moved(RIGHT_HAND_LIMBS, _OPENPOSE_RIGHT_HAND - RIGHT_HAND_START),
        (_LEFT_WRIST, _OPENPOSE_LEFT_HAND),
        (_RIGHT_WRIST, _OPENPOSE_RIGHT_HAND),
    ),
)  # fmt: skip
"""OpenPose's whole output: BODY_25, 70 face points, left and right hand.

The face's last two points are the pupils, right and left; COCO has none, its eye points stand in for them.
"""

MIGA35 = _layout(
    "miga35", (*_BODY_25, *_RIGHT_TIPS, *_LEFT_TIPS), (*_BODY_25_LIMBS, *_fingers(first_right=25, first_left=30))
)
"""The 35 joints of the iMiGUE and MiGA files, 105 numbers a frame: BODY_25, then right and left fingers.

Which joint of a finger they hold is not published; the tips are assumed.
"""
MIGA35_NAMES: tuple[str, ...] = (
    "Nose", "ShoulderCenter", "ShoulderLeft", "ElbowLeft", "HandLeft", "ShoulderRight", "ElbowRight", "HandRight",
    "HipCenter", "HipLeft", "KneeLeft", "AnkleLeft", "HipRight", "KneeRight", "AnkleRight", "EyeLeft", "EyeRight",
    "EarLeft", "EarRight", "ToeLeft", "SmallToeLeft", "HeelLeft", "ToeRight", "SmallToeRight", "HeelRight",
    *(f"RightFinger{k}" for k in range(1, 6)), *(f"LeftFinger{k}" for k in range(1, 6)),
)  # fmt: skip
"""What the tools of those files call the joints.

Mirrored from the shoulders to the ears: there "Left" is what the picture shows on the left, the person's own right.
Toes, heels and fingers have the person's own side, so "RightFinger1" hangs on "HandLeft".
"""
IMIGUE22_IN_MIGA35: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 18, *range(25, 35))
"""The joint of ``MIGA35`` that each joint of ``IMIGUE22`` is."""

IMIGUE22 = _layout(
    "imigue22",
    (0, _NECK, *_RIGHT_ARM, *_LEFT_ARM, *_EYES_AND_EARS, *_RIGHT_TIPS, *_LEFT_TIPS),
    (*_ARMS_AND_HEAD, (0, 8), (8, 10), (0, 9), (9, 11), *_fingers(first_right=12, first_left=17)),
)
"""The 22 upper-body joints of the iMiGUE and MiGA baselines (BODY_25 order, then right and left finger tips).

Limbs and flip are corrected: the published ``openpose22`` graph mixes 1-based with 0-based joints (its nose has no
edge, its fingers hang on a shoulder and an eye), and the flip pairs in circulation are those of another layout.
"""

MA52_28 = _layout(
    "ma52_28",
    (0, _NECK, *_RIGHT_ARM, *_LEFT_ARM, *_RIGHT_LEG, *_LEFT_LEG, *_EYES_AND_EARS, *_LEFT_TIPS, *_RIGHT_TIPS),
    (
        *_ARMS_AND_HEAD, (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (0, 14), (14, 16), (0, 15), (15, 17),
        *_fingers(first_right=23, first_left=18),
    ),
)  # fmt: skip
"""The 28 points of the MA-52 baselines: OpenPose's COCO18, then left and right fingers.

The flip in circulation (PCAN) swaps the body's sides and leaves the fingers; here they go with their wrists.
"""

OPENPOSE25 = _layout("openpose25", _BODY_25, _BODY_25_LIMBS)
"""OpenPose's BODY_25 alone."""

OPENPOSE18 = _layout("openpose18", MA52_28.sources[:18], tuple(limb for limb in MA52_28.limbs if max(limb) < 18))
"""OpenPose's 18 points of its COCO model."""

_PALMS = {"left": (LEFT_HAND_START, LEFT_HAND_START + 9), "right": (RIGHT_HAND_START, RIGHT_HAND_START + 9)}
"""Root of the hand and of its middle finger."""
KINECT25 = _layout(
    "kinect25",
    (
        _MID_HIP, (*_NECK, *_MID_HIP), (3, 4, *_NECK), (3, 4), *_LEFT_ARM, _PALMS["left"], *_RIGHT_ARM, _PALMS["right"],
        *_LEFT_LEG, 17, *_RIGHT_LEG, 20, _NECK, _LEFT_TIPS[2], _LEFT_TIPS[0], _RIGHT_TIPS[2], _RIGHT_TIPS[0],
    ),
    (
        (0, 1), (1, 20), (20, 2), (2, 3), (20, 4), (4, 5), (5, 6), (6, 7), (7, 21), (6, 22), (20, 8), (8, 9), (9, 10),
        (10, 11), (11, 23), (10, 24), (0, 12), (12, 13), (13, 14), (14, 15), (0, 16), (16, 17), (17, 18), (18, 19),
    ),
)  # fmt: skip
"""The 25 joints of the Kinect v2, as SMG has them: three-dimensional; ``releases.imports.smg`` puts them in a plane.

Its foot stands for the big toe, its hand tip for the tip of the middle finger. Head, neck, spine and palms are no
single points of the 133.
"""

KINECT20 = _layout(
    "kinect20",
    (
        _MID_HIP, (*_NECK, *_MID_HIP), _NECK, (3, 4), *_LEFT_ARM, _PALMS["left"], *_RIGHT_ARM, _PALMS["right"],
        *_LEFT_LEG, 17, *_RIGHT_LEG, 20,
    ),
    (
        (0, 1), (1, 2), (2, 3), (2, 4), (4, 5), (5, 6), (6, 7), (2, 8), (8, 9), (9, 10), (10, 11), (0, 12), (12, 13),
        (13, 14), (14, 15), (0, 16), (16, 17), (17, 18), (18, 19),
    ),
)  # fmt: skip
"""The 20 joints of the Kinect v1, in the order of its SDK (``NUI_SKELETON_POSITION_INDEX``), as UTKinect has them.

As in ``KINECT25`` its foot stands for the big toe, and head, spine and palms are no single points of the 133.
"""

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        WHOLEBODY133,
        COCO17,
        OPENPOSE137,
        MIGA35,
        IMIGUE22,
        MA52_28,
        OPENPOSE25,
        OPENPOSE18,
        KINECT20,
        KINECT25,
    )
}
"""Every layout by its name."""


def points_held(layout: Layout) -> frozenset[int]:
    """Return the canonical points that a layout gives: those that a point of it stands for alone."""
    return frozenset(source[0] for source in layout.sources if len(source) == 1)


def to_layout(keypoints_xy: Points, scores: Points, layout: Layout) -> tuple[Points, Points]:
    """Compute a layout's points from ``(..., 133, 2)`` and ``(..., 133)``.

    A point made of several is their mean with the lowest of their scores, and not seen where one of them is not.
    """
    points = [keypoints_xy[..., list(source), :].mean(axis=-2) for source in layout.sources]
    lowest = [scores[..., list(source)].min(axis=-1) for source in layout.sources]
    return np.stack(points, axis=-2), np.stack(lowest, axis=-1)


def from_layout(points_xy: Points, scores: Points, layout: Layout) -> tuple[Points, Points]:
    """Place a layout's points ``(..., k, 2)`` and ``(..., k)`` into ``(..., 133, 2)`` and ``(..., 133)``.

    A canonical point that the layout does not have is not seen (NaN, score 0). A point that is a mean of others (neck,
    mid-hip) has no place among the 133 and is left out; where two points have one source, the first is taken.
    """
    leading = points_xy.shape[:-2]
    xy = np.full((*leading, KEYPOINT_COUNT, 2), np.nan, np.float32)
    placed = np.zeros((*leading, KEYPOINT_COUNT), np.float32)
    for number in reversed(range(len(layout.sources))):
        if len(layout.sources[number]) == 1:
            xy[..., layout.sources[number][0], :] = points_xy[..., number, :]
            placed[..., layout.sources[number][0]] = scores[..., number]
    return xy, placed


def to_xyc(keypoints_xy: Points, scores: Points, layout: Layout) -> Points:
    """Compute rows of x, y and confidence, shape ``(..., k, 3)``, as COCO, OpenPose, MiGA and MA-52 store them.

    A point that is not seen is three zeros, which is those formats' way to say so.
    """
    points, lowest = to_layout(keypoints_xy, scores, layout)
    values = np.concatenate([points, lowest[..., None]], axis=-1)
    return np.where(lowest[..., None] > 0, values, np.float32(0)).astype(np.float32)


def from_xyc(values: Points, layout: Layout) -> tuple[Points, Points]:
    """Read rows of x, y and confidence ``(..., k, 3)`` into ``(..., 133, 2)`` and ``(..., 133)``.

    Not seen is a point without confidence, one at (0, 0), and one that holds a NaN. Confidences above 1, which
    OpenPose gives at times, become 1.
    """
    if values.shape[-2:] != (len(layout.sources), 3):
        raise ValueError(f"{layout.name} needs rows of shape ({len(layout.sources)}, 3), got {values.shape[-2:]}")
    seen = np.isfinite(values).all(axis=-1) & (values[..., 2] > 0) & np.any(values[..., :2] != 0, axis=-1)
    xy = np.where(seen[..., None], values[..., :2], np.float32(np.nan)).astype(np.float32)
    return from_layout(xy, np.where(seen, np.minimum(values[..., 2], 1), 0).astype(np.float32), layout)


def to_openpose_person(keypoints_xy: Points, scores: Points) -> dict[str, list[float]]:
    """Write one person ``(133, 2)``, ``(133,)`` as an entry of ``people`` in OpenPose's JSON."""
    values = to_xyc(keypoints_xy, scores, OPENPOSE137)
    return {name: [float(v) for v in values[rows].ravel()] for name, rows in _OPENPOSE_GROUPS.items()}


def from_openpose_person(person: Mapping[str, Sequence[float]]) -> tuple[Points, Points]:
    """Read an entry of ``people`` in OpenPose's JSON (BODY_25); a group that is absent or empty is not seen.

    Raises ``ValueError`` where a group has another number of points, such as the 18 of OpenPose's COCO model.
    """
    values = np.zeros((len(OPENPOSE137.sources), 3), np.float32)
    for name, rows in _OPENPOSE_GROUPS.items():
        numbers = person.get(name, ())
        if len(numbers) not in (0, 3 * (rows.stop - rows.start)):
            raise ValueError(f"{name} needs {3 * (rows.stop - rows.start)} numbers, got {len(numbers)}")
        if len(numbers):
            values[rows] = np.asarray(numbers, np.float32).reshape(-1, 3)
    return from_xyc(values, OPENPOSE137)


def parts_seen_of(scores: Points) -> npt.NDArray[np.bool_]:
    """Tell which parts have a seen point, shape ``(..., 5)`` (``Part``), from scores ``(..., 133)``."""
    return np.stack([np.any(scores[..., points] > 0, axis=-1) for _, points in sorted(PART_SLICES.items())], axis=-1)
