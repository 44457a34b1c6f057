"""Who is drawn where in a frame, and what they are called."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
import numpy.typing as npt

from drawing.colours import FAINT_INK, Colour, person_colour
from schema.contacts import SIDES, HandContacts, Touch
from schema.matching import Box
from schema.people import Role
from schema.records import KeypointSequence, Track

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Background(StrEnum):
    """What a skeleton is drawn on."""

    PICTURE = "picture"
    """The frame itself: personal data."""
    BLACK = "black"
    """Nothing: no pixel of the frame is in the result."""


def person_letter(person_number: int) -> str:
    """Return the letter that a person goes by: A for 0, Z for 25, AA for 26."""
    letter = LETTERS[person_number % len(LETTERS)]
    return letter if person_number < len(LETTERS) else person_letter(person_number // len(LETTERS) - 1) + letter


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLabel:
    """What a person is called in a picture; the tracks of one person share it."""

    name: str
    """A letter, or a track number where nobody decided which tracks are one person."""
    colour: Colour
    role: Role | None = None
    """None: not decided yet."""
    confidence: float = 0.0
    """In the role, 0..1."""

    @classmethod
    def of_person(cls, person_number: int, *, role: Role, confidence: float) -> Self:
        """Name a person by letter."""
        colour = FAINT_INK if role is Role.OTHER else person_colour(person_number)
        return cls(name=person_letter(person_number), colour=colour, role=role, confidence=confidence)

    @classmethod
    def of_track(cls, track_number: int) -> Self:
        """Name a track by its number."""
        return cls(name=f"track {track_number}", colour=person_colour(track_number))

    @property
    def words(self) -> str:
        """Say name and role: "A player"."""
        return f"{self.name} {self.role}" if self.role else self.name

    @property
    def words_with_confidence(self) -> str:
        """Say name, role and how sure it is: "A player 92 %"."""
        return f"{self.words} {self.confidence:.0%}" if self.role else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class HandFlag:
    """A hand that is near something or touches it, in one frame."""

    side: int
    """Of ``schema.contacts.SIDES``."""
    touching: bool
    """False: near, which keeps a contact going and does not begin one."""
    evidence: str
    """In the vocabulary of ``schema.taxonomy.EVIDENCE``."""
    tip_xy: tuple[float, float]
    """Where the leading finger tips are, pixels; NaN where nobody can tell."""

    @property
    def words(self) -> str:
        """Say which hand is where: "left hand: neck"."""
        return f"{SIDES[self.side]} hand: {place_words(self.evidence)}"


_PLACES = {
    "hand_on_arm": "other arm",
    "hand_on_shoulder": "other shoulder",
    "hands_together": "other hand",
    "arms_folded": "arms folded",
}


def place_words(evidence: str) -> str:
    """Name in a word or two what a hand touches."""
    return _PLACES.get(evidence) or evidence.removeprefix("hand_on_").removeprefix("hands_on_").replace("_", " ")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnPerson:
    """One person in one frame."""

    track_number: int
    box_xyxy: Box | None
    keypoints_xy: npt.NDArray[np.float32] | None
    """Shape ``(133, 2)``, NaN where not seen; None where no keypoints were estimated."""
    scores: npt.NDArray[np.float32] | None
    """Shape ``(133,)``."""
    label: PersonLabel | None = None
    """None: by the track's number."""
    flags: tuple[HandFlag, ...] = ()
    """What the hands are near or touch."""


def people_by_frame(
    tracks: Iterable[Track],
    sequences: Iterable[KeypointSequence],
    *,
    labels: Mapping[int, PersonLabel] | None = None,
    contacts: Iterable[HandContacts] = (),
) -> Mapping[int, Sequence[DrawnPerson]]:
    """Join tracks, keypoints and contacts to the people of each frame; frames without anybody are absent.

    All are joined by track number, ``labels`` too: a track that has none there goes by its number.
    """
    boxes: dict[tuple[int, int], Box] = {}
    points: dict[tuple[int, int], tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = {}
    for track in tracks:
        for frame, box in zip(track.frame_indices.tolist(), track.boxes_xyxy.tolist(), strict=True):
            boxes[frame, track.track_number] = (box[0], box[1], box[2], box[3])
    for sequence in sequences:
        for row, frame in enumerate(sequence.frame_indices.tolist()):
            points[frame, sequence.track_number] = (sequence.keypoints_xy[row], sequence.scores[row])
    flags = {key: found for hands in contacts for key, found in _flags(hands)}
    people: dict[int, list[DrawnPerson]] = defaultdict(list)
    for frame, number in sorted({*boxes, *points}):
        keypoints_xy, scores = points.get((frame, number), (None, None))
        people[frame].append(
            DrawnPerson(
                track_number=number,
                box_xyxy=boxes.get((frame, number)),
                keypoints_xy=keypoints_xy,
                scores=scores,
                label=(labels or {}).get(number),
                flags=flags.get((frame, number), ()),
            )
        )
    return dict(people)


def _flags(hands: HandContacts) -> Iterable[tuple[tuple[int, int], tuple[HandFlag, ...]]]:
    for row in np.flatnonzero((hands.touches >= Touch.NEAR).any(axis=1)).tolist():
        found = tuple(
            HandFlag(
                side=side,
                touching=bool(hands.touches[row, side] == Touch.TOUCHING),
                evidence=evidence,
                tip_xy=(float(hands.tips_xy[row, side, 0]), float(hands.tips_xy[row, side, 1])),
            )
            for side in range(len(SIDES))
            if (evidence := hands.place_of(row, side)) is not None
        )
        yield (int(hands.frame_indices[row]), hands.track_number), found
