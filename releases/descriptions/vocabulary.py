"""What a description may speak of: the facts of a segment in plain words, and the words that don't go beyond them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from releases.descriptions.fields import DescriptionFields
from releases.descriptions.words import PLACE_WORDS, duration_number, extent_number, speed_number
from schema.taxonomy import GestureClass

FUNCTION_WORDS = (
    "a an the this that it its person is are was and or of to in on at with by for from while during as then there "
    "over across within between about up reaching most total times time second seconds s shoulder width widths wide "
    "per lasts lasting last long length takes take which who each being made makes do does movement motion moves "
    "gesture part body speed extent span way range"
)
"""Words that add no fact. Negations, adverbs of manner, "left", "right", and body parts are none of them."""
MOVEMENT_WORDS = {
    "still": "still stays stay rests rest resting motionless",
    "once": "once one way only single goes go",
    "back_and_forth": "back forth there once goes go returns return cycle",
    "repeated": "back forth there repeated repeatedly repeats repeat goes go cycles rhythmically regular regularly",
    "irregular": "unevenly uneven irregular irregularly without rhythm goes go",
    "unknown": "",
}
PART_WORDS = {
    "torso": "upper body torso", "hand": "hand", "hands": "hands hand", "arm": "arm", "arms": "arms arm",
    "leg": "leg", "legs": "legs leg", "shoulders": "shoulders shoulder",
}  # fmt: skip
UNCLASSIFIED = "unclassified movement"
PLURALS = frozenset({"hands", "arms", "legs", "eyes", "ears", "cheeks", "shoulders", "knees", "feet", "heads", "both"})
"""Words whose number is a fact: they must stand in the sources as they are."""
_STEM = re.compile(r"(?:ing|ed|es|s|e)$")
_CHOICE = re.compile(r"(?P<first>[a-z]+) or (?:(?:a|an|the) )?(?P<second>[a-z]+)")


def facts_of(row: Mapping[str, Any]) -> dict[str, str]:
    """Return what is known of a segment, in words with units; what is not known is left out."""
    fields = DescriptionFields.from_row(row)
    duration, speed, extent = duration_number(fields), speed_number(fields), extent_number(fields)
    told = {
        "class": row["class_name"] or UNCLASSIFIED,
        "group": row["group"],
        "sentence": row["template_description"],
        "body part": fields.body_part.replace("torso", "upper body"),
        "side (the person's own)": fields.side,
        "place of the hand": PLACE_WORDS.get(fields.contact_target or ""),
        "movement": None if fields.movement == "unknown" else fields.movement.replace("_", " "),
        "repetitions": None if fields.repetitions is None else str(fields.repetitions),
        "peak speed": f"{speed} shoulder widths a second" if speed else None,
        "extent": f"{extent} shoulder widths" if extent else None,
        "duration": f"{duration} s" if duration else None,
        "at the same time": ", ".join(one.replace("_", " ") for one in fields.co_occurring.split()),
    }
    return {name: value for name, value in told.items() if value}


def strange_words(words: Sequence[str], row: Mapping[str, Any], gesture: GestureClass | None) -> list[str]:
    """Return the words that are not in a segment's facts, by their stem, nor function words; each once."""
    sources = _source_words(row, gesture)
    stems = {stem_of(word) for word in sources}
    known = (word in sources or (word not in PLURALS and stem_of(word) in stems) for word in words)
    return list(dict.fromkeys(word for word, is_known in zip(words, known, strict=True) if not is_known))


def _source_words(row: Mapping[str, Any], gesture: GestureClass | None) -> frozenset[str]:
    fields = DescriptionFields.from_row(row)
    texts = [
        FUNCTION_WORDS,
        row["template_description"],
        row["class_name"] or UNCLASSIFIED,
        PART_WORDS.get(fields.body_part, fields.body_part),
        "both two" if fields.side == "both" else f"{fields.side} one" if fields.side else "",
        PLACE_WORDS.get(fields.contact_target or "", ""),
        MOVEMENT_WORDS[fields.movement],
        fields.co_occurring.replace("_", " "),
        "" if gesture is None else gesture.phrase,
    ]
    return frozenset(word for text in texts for word in re.findall(r"[a-z]+", text.lower()))


def stem_of(word: str) -> str:
    """Return a word without its ending, so that "touching" and "touches" are one; short words stay as they are."""
    if len(word) <= 3:
        return word
    stem = _STEM.sub("", word)
    stem = stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] else stem
    return stem if len(stem) >= 3 else word


def unsettled_choices(words: Sequence[str], gesture: GestureClass) -> list[str]:
    """Return the choices that a class leaves open ("touches or scratches") and the words settle: one side is missing.

    Both may be missing, and both may be there with "or" between them.
    """
    stems = {stem_of(word) for word in words}
    settled = []
    for match in _CHOICE.finditer(gesture.phrase):
        there = [stem_of(match[name]) in stems for name in ("first", "second")]
        if any(there) and not (all(there) and "or" in words):
            settled.append(match[0])
    return settled
