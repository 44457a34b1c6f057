"""Which part of the body a segment is about, and where its class puts a hand: told by the words of class and evidence.

Nothing here looks at a keypoint. Rules go by the evidence that a class names, then by its group and its phrase, so that
a taxonomy of one's own needs no list of its own.
"""

import re
from dataclasses import dataclass

from schema.taxonomy import EVIDENCE, GestureClass

BODY = "body"
"""Nothing tells which part."""
PLURALS = {"hand": "hands", "arm": "arms", "leg": "legs"}
"""Parts that there are two of."""
TWO_HANDED = ("hands_together", "hands_on_face", "arms_folded")
"""Evidence that both hands or arms make by nature."""
_MOVING = re.compile(r"moving_(?P<part>\w+)")
_TOUCHING = re.compile(r"hands?_on_(?P<target>\w+)")
_TARGETS = {"hands_together": "other_hand", "arms_folded": "arm"}
_LEGS, _ARMS, _HANDS = (
    re.compile(rf"\b(?:{words})\b")
    for words in ("legs?|knees?|foot|feet|toes", "arms?", "hands?|fingers?|fingertips|fist|nails")
)
_HEAD_PARTS = (("mouth", re.compile(r"\b(?:lips?|mouth|cheeks)\b")),)
_BODY_PARTS = (("shoulders", re.compile(r"\bshoulders?\b")),)
_PLURAL = re.compile(r"\b(?:hands|arms|legs|knees|fingers|fingertips)\b")
_TOUCHED = (("hip", re.compile(r"\bhips?\b")), ("chest", re.compile(r"\bchest\b")), ("leg", _LEGS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be measured of a segment."""

    part: str
    """head, mouth, shoulders, torso, arm, hand, leg, or ``BODY``."""
    plural: bool
    """Class or evidence speak of both hands, arms or legs."""
    two_handed: bool
    """Both sides make it by nature."""
    targets: frozenset[str]
    """Where class or evidence put a hand; empty where they don't say."""

    moves: bool = False
    """Class or evidence speak of a movement: the side that moves does it, wherever the other one rests."""

    @property
    def is_limb(self) -> bool:
        """Whether it is done with a hand or an arm."""
        return self.part in ("hand", "arm")


def wanted_of(gesture: GestureClass | None, evidence: str) -> Wanted:
    """Return the part and the targets that a class speaks of; without a class those of the measured evidence."""
    if gesture is None:
        known = (evidence,) if evidence in EVIDENCE else ()
        return _wanted(_part_of_evidence(known[0]) if known else BODY, known, "")
    part = _part_of_evidence(gesture.evidence[0]) if gesture.evidence else _part_of_words(gesture)
    return _wanted(part, gesture.evidence, gesture.phrase)


def targets_of(evidence: tuple[str, ...]) -> frozenset[str]:
    """Return the contact targets that pieces of evidence name."""
    found = {_TARGETS[one] for one in evidence if one in _TARGETS}
    return frozenset(found | {match["target"] for one in evidence if (match := _TOUCHING.fullmatch(one))})


def _wanted(part: str, evidence: tuple[str, ...], phrase: str) -> Wanted:
    targets = set(targets_of(evidence))
    if part == "hand" and not targets:
        targets |= {target for target, words in _TOUCHED if words.search(phrase)}
    two_handed = bool(evidence) and all(one in TWO_HANDED for one in evidence)
    return Wanted(
        part=part,
        plural=part in PLURALS and (two_handed or bool(_PLURAL.search(phrase))),
        two_handed=two_handed,
        targets=frozenset(targets),
        moves=any(_MOVING.fullmatch(one) for one in evidence),
    )


def _part_of_evidence(evidence: str) -> str:
    if match := _MOVING.fullmatch(evidence):
        return match["part"]
    return "arm" if evidence == "arms_folded" else "hand"


def _part_of_words(gesture: GestureClass) -> str:
    """Return the part by the class's group ("Body-Hand") and the words of its phrase."""
    group, phrase = gesture.group.lower(), gesture.phrase
    if group.startswith(("lower", "leg")) and not group.endswith("hand"):
        return "leg"
    if group == "head":
        return next((part for part, words in _HEAD_PARTS if words.search(phrase)), "head")
    if group == "body":
        return next((part for part, words in _BODY_PARTS if words.search(phrase)), "torso")
    if _ARMS.search(phrase) and not _HANDS.search(phrase):
        return "arm"
    return "hand" if "hand" in group or "limb" in group or _HANDS.search(phrase) or group == "illustrative" else BODY
