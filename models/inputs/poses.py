"""One person's poses over time, and what is known of the gestures in them: what models are trained on and run over."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from schema.errors import ConfigError
from schema.layouts import LAYOUTS
from schema.records import KeypointSequence
from schema.timespan import TimeSpan

Positions = npt.NDArray[np.float32]
Times = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True, eq=False)
class PoseSequence:
    """One person, followed through one recording, in the plane or in space.

    Raises ``ConfigError`` for an unknown layout or arrays that do not fit each other.
    """

    sequence_id: str
    """Names the recording and the track in messages and results: ``<video id>/<track number>``."""
    subject_id: str | None
    """Who it is; None: unknown. Unknown people are never held out, and never share a fold with others' tests."""
    layout: str
    """Name of the points' layout (``schema.layouts.LAYOUTS``)."""
    times_ns: Times
    """Frame times, increasing, shape ``(n,)``."""
    positions: Positions
    """Shape ``(n, p, d)`` with d 2 (y points down) or 3, in any unit; NaN where a point is not seen."""
    scores: Positions
    """Confidence 0..1 of each point, shape ``(n, p)``; 0 where it is not seen."""

    def __post_init__(self) -> None:
        """Check the arrays against the layout and each other."""
        if self.layout not in LAYOUTS:
            raise ConfigError(f"{self.sequence_id}: no layout {self.layout!r}; there are {', '.join(LAYOUTS)}")
        points = len(LAYOUTS[self.layout].sources)
        frames = self.times_ns.shape[0]
        wanted = (frames, points)
        if self.positions.shape[:2] != wanted or self.positions.ndim != 3 or self.positions.shape[2] not in (2, 3):
            raise ConfigError(
                f"{self.sequence_id}: positions must have the shape ({frames}, {points}, 2 or 3) for the layout "
                f"{self.layout}, got {self.positions.shape}"
            )
        if self.scores.shape != wanted:
            raise ConfigError(f"{self.sequence_id}: scores must have the shape {wanted}, got {self.scores.shape}")
        if frames and np.any(np.diff(self.times_ns) <= 0):
            raise ConfigError(f"{self.sequence_id}: frame times must increase")

    @property
    def dimensions(self) -> int:
        """2 in the plane, 3 in space."""
        return int(self.positions.shape[2])


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Gesture:
    """A gesture that is known to be in a sequence."""

    span: TimeSpan
    class_id: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledSequence:
    """A sequence with everything that people said of it."""

    poses: PoseSequence
    gestures: tuple[Gesture, ...]
    """By time; gestures of different classes may overlap."""
    judged: tuple[TimeSpan, ...]
    """Where every gesture is known, by time: the whole recording of a data set that was labelled throughout, the asked
    candidates and watched windows of a study. Elsewhere nobody looked: the lack of a gesture says little there."""
    origin: str = field(default="study")
    """Where it is from: ``study``, or the name of a release or an imported data set."""


def poses_of_keypoints(sequence: KeypointSequence, *, subject_id: str | None) -> PoseSequence:
    """Take the keypoints of a track as they are, in pixels."""
    return PoseSequence(
        sequence_id=f"{sequence.video_id}/{sequence.track_number}",
        subject_id=subject_id,
        layout="wholebody133",
        times_ns=sequence.times_ns,
        positions=sequence.keypoints_xy.astype(np.float32, copy=False),
        scores=sequence.scores.astype(np.float32, copy=False),
    )
