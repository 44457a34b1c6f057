"""Who of the people in a video is the player: what was measured, what was decided, what people answered."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from schema.matching import Box
from schema.records import Part, VideoId

COLOR_BINS = 72
"""Bins of ``Quality.colors``: 12 hues by 4 saturations and, for what has no hue, 24 greys."""


class Role(StrEnum):
    """What a person is to the study."""

    PLAYER = "player"
    OTHER = "other"
    """A moderator, an interpreter, somebody passing, a poster."""
    UNDECIDED = "undecided"
    """Neither is clear enough: a person is asked."""


class DecidedBy(StrEnum):
    """What a role rests on."""

    EVIDENCE = "evidence"
    ANSWER = "answer"
    """A person's answer to "which one is the player?"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAnchor:
    """One person at one moment of a video file: it means the same after people are followed anew."""

    time_ns: int
    """Since the first displayed frame."""
    box_xyxy: Box
    """The person's box, pixels of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayerAnswer:
    """One answer of one person to "which one is the player?"; of a person's answers to one video the newest counts."""

    answer_id: str
    video_id: VideoId
    sha256: str
    """Digest of the video file that the anchors belong to."""
    players: tuple[PersonAnchor, ...]
    """Moments of those who were named as players; empty: nobody shown is the player."""
    others: tuple[PersonAnchor, ...]
    """Moments of those who were shown and not named."""
    annotator_id: str
    """``r`` + keyed hash of the account."""
    scripted: bool
    """Answered by a script, not by a person."""
    answered_ns: int
    """Unix time of the answer in nanoseconds, as the server tells it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quality:
    """How well a track, or a shot as a whole, is shown; shares are 0..1."""

    video_id: VideoId
    shot_number: int
    track_number: int | None
    """None: the shot as a whole."""
    sample_count: int
    height_px: float
    height_share: float
    sharpness: float
    frozen_share: float
    hidden_share: float
    cut_share: float
    inset_share: float
    brightness: float
    clipped_share: float
    facing_share: float | None
    """None where no face finder was at hand, or nothing was looked at."""
    colors: npt.NDArray[np.uint8] | None
    """Colours of the torso, shape ``(72,)``, shares in 1/255; None where the person is too small."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRole:
    """What was decided of one track, and the evidence."""

    video_id: VideoId
    track_number: int
    shot_number: int
    person_number: int
    """Tracks of one person share it; 0 is the person who looks most like the player."""
    role: Role
    confidence: float
    """In the role, 0..1; 1 where a person answered."""
    decided_by: DecidedBy
    score: float
    """How much the person looks like the player, 0..1."""
    seconds: float
    time_share: float
    size: float
    center_distance: float
    travel: float
    facing_share: float | None
    frozen_share: float
    kept: bool
    """Whether the track goes on: keypoints are estimated of kept tracks alone."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """In which share of its frames each part of a track's person was seen."""

    video_id: VideoId
    track_number: int
    frame_count: int
    part_shares: tuple[float, ...]
    """By ``Part``, 0..1."""
    hands_share: float
    """One hand at least."""
    both_hands_share: float

    def __post_init__(self) -> None:
        """Refuse shares that are not one a part (``ValueError``)."""
        if len(self.part_shares) != len(Part):
            raise ValueError(f"{len(Part)} shares are needed, got {len(self.part_shares)}")
