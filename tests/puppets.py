"""A person made of 133 points whose hands go where a test sends them: what proposals are tested on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from kinematics.stretches import Stretch, stretches_of
from schema.records import PART_SLICES, KeypointSequence, Part, Track, VideoId
from schema.skeleton import FLIP_PERMUTATION
from schema.timespan import NS_PER_SECOND

Place = tuple[float, float]
Way = Callable[[float], Place]
VIDEO_ID = VideoId("v" + "0" * 20)
HEAD_WIDTH = 80.0
"""Pixels; the puppet sits in a picture of 640x480 with the middle of its eyes at (320, 150)."""
LAP = {"left": (380.0, 440.0), "right": (260.0, 440.0)}
NECK_SIDE: Place = (285.0, 235.0)
"""The puppet's right side of the neck, between jaw and shoulder."""
MOUTH: Place = (320.0, 192.0)
WIDTH = 640.0


def resting(side: str) -> Way:
    """Keep a hand in the lap."""
    return lambda _second: LAP[side]


def visiting(place: Place, start_s: float, end_s: float, *, side: str = "right", ramp_s: float = 0.3) -> Way:
    """Send a hand's finger tips from the lap to a place and back."""

    def way(second: float) -> Place:
        share = min(max(1 - max(start_s - second, second - end_s, 0.0) / ramp_s, 0.0), 1.0)
        home = LAP[side]
        return home[0] + share * (place[0] - home[0]), home[1] + share * (place[1] - home[1])

    return way


@dataclass(frozen=True, kw_only=True)
class Puppet:
    """What to make."""

    seconds: float = 6.0
    frame_rate: float = 25.0
    left_tips: Way = field(default_factory=lambda: resting("left"))
    right_tips: Way = field(default_factory=lambda: resting("right"))
    left_wrist: Way | None = None
    """Where the wrist is; by default 60 px below the finger tips."""
    right_wrist: Way | None = None
    head_shift: Way = lambda _second: (0.0, 0.0)
    body_shift: Way = lambda _second: (0.0, 0.0)
    unseen: tuple[Part, ...] = ()
    wrists_seen: bool = True
    jitter_px: float = 0.4
    seed: int = 0


def make_puppet(
    puppet: Puppet | None = None, *, track_number: int = 0, start_s: float = 0.0
) -> tuple[Track, KeypointSequence]:
    """Make the track and the keypoints of one puppet."""
    puppet = puppet or Puppet()
    count = round(puppet.seconds * puppet.frame_rate)
    seconds = np.arange(count) / puppet.frame_rate
    points = np.stack([_points(puppet, float(second)) for second in seconds])
    points += np.random.default_rng(puppet.seed).normal(0, puppet.jitter_px, points.shape)
    seen = np.ones((count, len(Part)), dtype=np.bool_)
    scores = np.full((count, 133), 0.9, dtype=np.float32)
    for part in (*puppet.unseen, Part.FEET):
        seen[:, part] = False
        scores[:, PART_SLICES[part]] = 0
    scores[:, 11:17] = 0
    if not puppet.wrists_seen:
        scores[:, [9, 10]] = 0
    points[scores == 0] = np.nan
    times_ns = np.round((seconds + start_s) * NS_PER_SECOND).astype(np.int64)
    frames = np.arange(count, dtype=np.int32) + round(start_s * puppet.frame_rate)
    track = Track(
        video_id=VIDEO_ID,
        track_number=track_number,
        shot_number=0,
        frame_indices=frames,
        times_ns=times_ns,
        boxes_xyxy=np.tile(np.array([180, 60, 460, 470], dtype=np.float32), (count, 1)),
        scores=np.ones(count, dtype=np.float32),
    )
    return track, KeypointSequence(
        video_id=VIDEO_ID,
        track_number=track_number,
        frame_indices=frames,
        times_ns=times_ns,
        keypoints_xy=points.astype(np.float32),
        scores=scores,
        parts_seen=seen,
        interpolated=np.zeros(count, dtype=np.bool_),
    )


def _points(puppet: Puppet, second: float) -> npt.NDArray[np.float64]:
    points = np.zeros((133, 2))
    head = np.array([320.0, 150.0]) + puppet.head_shift(second)
    points[:5] = head + np.array([(0, 26), (17, 0), (-17, 0), (33, 8), (-33, 8)])
    points[5], points[6] = (420, 290), (220, 290)
    points[7], points[8] = (440, 400), (200, 400)
    points[23:91] = head + _face()
    for side, wrist, hand, sign in (("left", 9, 91, 1.0), ("right", 10, 112, -1.0)):
        way = puppet.left_tips if side == "left" else puppet.right_tips
        wrist_way = puppet.left_wrist if side == "left" else puppet.right_wrist
        tips = np.array(way(second))
        points[wrist] = wrist_way(second) if wrist_way else tips + np.array([sign * 10.0, 60.0])
        points[hand : hand + 21] = _hand(points[wrist], tips, sign)
    return points + np.array(puppet.body_shift(second))


def _face() -> npt.NDArray[np.float64]:
    angles = np.linspace(np.pi, 0, 17)
    jaw = np.stack([40 * np.cos(angles), 8 + 62 * np.sin(angles)], axis=1)

    def ring(
        x: float, y: float, rx: float, ry: float, count: int, *, from_left: bool = True
    ) -> npt.NDArray[np.float64]:
        turn = np.linspace(np.pi, -np.pi, count, endpoint=False)
        return np.stack([x + rx * np.cos(turn), y - ry * np.sin(turn)], axis=1)

    brows = np.array([(-30 + 5 * k, -10) for k in range(5)] + [(10 + 5 * k, -10) for k in range(5)], dtype=np.float64)
    bridge = np.array([(0, 2 + 8 * k) for k in range(4)], dtype=np.float64)
    nostrils = np.array([(-10 + 5 * k, 30) for k in range(5)], dtype=np.float64)
    eyes = np.concatenate([ring(-17, 0, 9, 4, 6), ring(17, 0, 9, 4, 6)])
    lips = np.concatenate([ring(0, 44, 16, 7, 12), ring(0, 44, 12, 3, 8)])
    return np.concatenate([jaw, brows, bridge, nostrils, eyes, lips])


def _hand(wrist: npt.NDArray[np.float64], tips: npt.NDArray[np.float64], sign: float) -> npt.NDArray[np.float64]:
    points = [wrist]
    along = tips - wrist
    across = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-6)
    for finger in range(5):
        spread = sign * (finger - 2) * 5.0
        points += [wrist + along * (0.4 + 0.2 * joint) + across * spread for joint in range(4)]
    return np.stack(points)


def in_stretches(person: tuple[Track, KeypointSequence]) -> tuple[Track, Iterator[Stretch]]:
    """Give a person to the proposers as they are read from a table: stretch by stretch."""
    track, sequence = person
    return track, stretches_of(sequence.times_ns, lambda first, end: part_of(sequence, first, end))


def part_of(sequence: KeypointSequence, first: int, end: int) -> KeypointSequence:
    """Cut frames out of a sequence."""
    names = ("frame_indices", "times_ns", "keypoints_xy", "scores", "parts_seen", "interpolated")
    return replace(sequence, **{name: getattr(sequence, name)[first:end] for name in names})


def mirrored(person: tuple[Track, KeypointSequence], width: float = WIDTH) -> tuple[Track, KeypointSequence]:
    """Mirror the picture: left becomes right."""
    track, keypoints = person
    flip = list(FLIP_PERMUTATION)
    points = keypoints.keypoints_xy[:, flip].copy()
    points[..., 0] = width - points[..., 0]
    boxes = track.boxes_xyxy.copy()
    boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    return replace(track, boxes_xyxy=boxes), replace(
        keypoints,
        keypoints_xy=points,
        scores=keypoints.scores[:, flip],
        parts_seen=keypoints.parts_seen[:, [0, 1, 2, 4, 3]],
    )


def moved(person: tuple[Track, KeypointSequence], *, scale: float, shift: Place) -> tuple[Track, KeypointSequence]:
    """Show the same person larger or smaller, elsewhere in the picture."""
    track, keypoints = person
    points = (keypoints.keypoints_xy * scale + np.array(shift)).astype(np.float32)
    boxes = (track.boxes_xyxy * scale + np.array([*shift, *shift])).astype(np.float32)
    return replace(track, boxes_xyxy=boxes), replace(keypoints, keypoints_xy=points)
