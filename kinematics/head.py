"""Where the regions of head and neck are in each frame, from face points where they are seen, else from eyes and nose.

The stand-in for an unseen face is a template in head widths around the middle of the eyes (x to the person's left, y to
the crown). Its numbers are medians of the face points in that frame over ten clips of people who sit, stand, sign and
talk, rounded to 0.05; only forehead and crown, which no keypoint marks, are set by hand. A nose beside the middle line
shifts nose, mouth and chin with it (a turned head).
"""

import numpy as np

from kinematics.capsules import Capsules
from kinematics.windows import Floats, fill_short_gaps, seconds_of
from schema.records import KeypointSequence
from schema.skeleton import FACE_START

HEAD_GAP_S = 1.0
"""A hand before the face hides it; the head is taken to have moved evenly over gaps up to this long."""
CHIN_CLEARANCE = 0.1
"""With the chin less than this many head widths above the line of the shoulders the neck is not to be seen."""
DECOY = "hand_on_chest"
"""The upper chest: a hand that lies there reaches the throat with its thumb. It counts where the fingers are, and never
begins a contact: hands before the chest at rest look the same."""


def _face(points: Floats, *numbers: int) -> Floats:
    """Average face points given by their iBUG number."""
    return np.asarray(points[:, [FACE_START + i for i in numbers]].mean(axis=1))


def _unit(vectors: Floats) -> Floats:
    lengths = np.hypot(vectors[..., 0], vectors[..., 1])[..., None]
    return np.asarray(vectors / np.where(lengths > 1e-9, lengths, np.nan))


def _first_seen(*options: Floats) -> Floats:
    chosen = options[0]
    for option in options[1:]:
        chosen = np.where(np.isfinite(chosen), chosen, option)
    return chosen


class HeadFrame:
    """The upright frame of the head: middle of the eyes, direction to the person's left, direction to the crown."""

    def __init__(self, sequence: KeypointSequence, head_widths: Floats) -> None:
        """Find the frame in every picture of the sequence; ``head_widths`` in pixels, shape ``(n,)``."""
        self.points = sequence.keypoints_xy.astype(np.float64)
        self.times_s = seconds_of(sequence.times_ns)
        self.head_widths = head_widths
        self.right_eye = _first_seen(_face(self.points, *range(36, 42)), self.points[:, 2])
        self.left_eye = _first_seen(_face(self.points, *range(42, 48)), self.points[:, 1])
        self.middle = self._filled((self.right_eye + self.left_eye) / 2)
        across = self.left_eye - self.right_eye
        level = np.stack([across[:, 1], -across[:, 0]], axis=1)
        below = _first_seen(self.points[:, 0], (self.points[:, 5] + self.points[:, 6]) / 2)
        upward = np.sum(level * (self.middle - below), axis=1)[:, None]
        level = np.where(upward < 0, -level, level)
        self.up = _unit(self._filled(_unit(_first_seen(self.middle - self.points[:, FACE_START + 8], level))))
        left = np.stack([-self.up[:, 1], self.up[:, 0]], axis=1)
        facing = self._filled(np.sum(left * across, axis=1)[:, None])
        self.left = np.where(facing < 0, -left, left)
        nose = _first_seen(_face(self.points, 30), self.points[:, 0])
        turned = np.sum((nose - self.middle) * self.left, axis=1) / head_widths
        self.turn = self._filled(np.nan_to_num(np.clip(turned, -0.4, 0.4))[:, None])[:, 0]

    def _filled(self, values: Floats) -> Floats:
        return fill_short_gaps(values, self.times_s, longest_s=HEAD_GAP_S)

    def at(self, left: float, up: float, *, turning: float = 0.0) -> Floats:
        """Return a point of the template in pixels, shape ``(n, 2)``; ``turning`` is its share of the nose's shift."""
        sideways = (left + turning * self.turn)[:, None] * self.left
        return np.asarray(self.middle + self.head_widths[:, None] * (sideways + up * self.up))

    def face_or(self, numbers: tuple[int, ...], left: float, up: float, *, turning: float = 1.0) -> Floats:
        """Return the mean of face points (iBUG numbers), or the template's point where the face is unseen."""
        return _first_seen(self._filled(_face(self.points, *numbers)), self.at(left, up, turning=turning))


def head_capsules(sequence: KeypointSequence, head_widths: Floats) -> Capsules:
    """Return the regions of head, neck and throat in every frame, named by the evidence that a hand there is.

    Args:
        sequence: keypoints of one track.
        head_widths: the person's head width in pixels, shape ``(n,)``.
    """
    frame = HeadFrame(sequence, head_widths)
    parts = [*_upper_regions(frame), *_lower_regions(frame), *_neck_regions(frame, sequence)]
    return Capsules(
        starts=np.stack([start for _, _, start, _ in parts], axis=1),
        ends=np.stack([end for _, _, _, end in parts], axis=1),
        radii=np.array([radius for _, radius, _, _ in parts]),
        regions=tuple(region for region, _, _, _ in parts),
    )


Region = tuple[str, float, Floats, Floats]
"""Evidence, radius in head widths, and the two ends of the axis in pixels."""


def _upper_regions(frame: HeadFrame) -> list[Region]:
    return [
        ("hand_on_eye", 0.09, frame.face_or((36,), -0.3, 0.0), frame.face_or((39,), -0.12, 0.0)),
        ("hand_on_eye", 0.09, frame.face_or((42,), 0.12, 0.0), frame.face_or((45,), 0.3, 0.0)),
        ("hand_on_forehead", 0.18, frame.at(-0.25, 0.4, turning=0.7), frame.at(0.25, 0.4, turning=0.7)),
        ("hand_on_scalp", 0.2, frame.at(-0.3, 0.8), frame.at(0.3, 0.8)),
        ("hand_on_scalp", 0.12, frame.at(-0.5, 0.3), frame.at(-0.42, 0.65)),
        ("hand_on_scalp", 0.12, frame.at(0.5, 0.3), frame.at(0.42, 0.65)),
        ("hand_on_ear", 0.1, frame.face_or((0,), -0.45, 0.05, turning=0), frame.face_or((2,), -0.45, -0.25, turning=0)),
        ("hand_on_ear", 0.1, frame.face_or((16,), 0.45, 0.05, turning=0), frame.face_or((14,), 0.45, -0.25, turning=0)),
    ]


def _lower_regions(frame: HeadFrame) -> list[Region]:
    jaw = [frame.face_or((4,), -0.35, -0.55, turning=0.3), frame.face_or((6,), -0.2, -0.7)]
    jaw += [frame.face_or((8,), 0.0, -0.75), frame.face_or((10,), 0.2, -0.7)]
    jaw.append(frame.face_or((12,), 0.35, -0.55, turning=0.3))
    return [
        ("hand_on_nose", 0.09, frame.face_or((28,), 0.0, -0.05), frame.face_or((33,), 0.0, -0.3)),
        ("hand_on_mouth", 0.11, frame.face_or((48,), -0.15, -0.45), frame.face_or((54,), 0.15, -0.45)),
        ("hand_on_cheek", 0.12, frame.face_or((2, 41), -0.35, -0.15), frame.face_or((4, 48), -0.25, -0.5)),
        ("hand_on_cheek", 0.12, frame.face_or((14, 46), 0.35, -0.15), frame.face_or((12, 54), 0.25, -0.5)),
        *(("hand_on_jaw", 0.08, jaw[k], jaw[k + 1]) for k in range(4)),
    ]


def _neck_regions(frame: HeadFrame, sequence: KeypointSequence) -> list[Region]:
    points = frame.points
    shoulders = fill_short_gaps((points[:, 5] + points[:, 6]) / 2, frame.times_s, longest_s=HEAD_GAP_S)
    chin = frame.face_or((8,), 0.0, -0.75)
    rise = np.sum((chin - shoulders) * frame.up, axis=1) / frame.head_widths
    base = np.where((rise > CHIN_CLEARANCE)[:, None], shoulders, np.nan)
    side = frame.head_widths[:, None] * frame.left
    lift = frame.head_widths[:, None] * frame.up
    right_jaw = frame.face_or((4,), -0.35, -0.55, turning=0.3) - 0.1 * lift
    left_jaw = frame.face_or((12,), 0.35, -0.55, turning=0.3) - 0.1 * lift
    return [
        ("hand_on_neck", 0.12, right_jaw, base - 0.38 * side + 0.15 * lift),
        ("hand_on_neck", 0.12, left_jaw, base + 0.38 * side + 0.15 * lift),
        ("hand_on_neck", 0.2, chin + 0.2 * (base - chin), chin + 0.65 * (base - chin)),
        ("hand_on_throat", 0.16, base, base + 0.05 * lift),
        ("hand_on_chest", 0.3, base - 0.6 * side - 0.45 * lift, base + 0.6 * side - 0.45 * lift),
    ]
