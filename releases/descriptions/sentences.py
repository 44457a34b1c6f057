"""One or two plain sentences made of a segment's class and its measured fields."""

import re
from collections.abc import Sequence
from hashlib import sha256

from releases.descriptions.fields import DescriptionFields
from releases.descriptions.parts import targets_of, wanted_of
from releases.descriptions.words import (
    NAMED_BY,
    PLACE_WORDS,
    duration_number,
    extent_number,
    speed_number,
    times_in_words,
)
from schema.taxonomy import GestureClass

STAYING = frozenset({"touches", "covers", "folds", "crosses", "holds", "puts", "lays", "rests", "clenches", "laces"})
"""First words of phrases that a hand which does not move goes with; "rubs an eye" and a still hand contradict."""
PART_WORDS = {"torso": "upper body"}
_SUBJECTS = {"hand": ("a hand", "hand", "hands"), "arm": ("an arm", "arm", "arms"), "leg": ("a leg", "leg", "legs")}
_LIMB = re.compile(r"\b(?:hands?|fingers?|fingertips|fist|nails|arms?)\b")


def template_description(gesture: GestureClass | None, fields: DescriptionFields, *, variety_key: str) -> str:
    """Say what happens in a segment: what is done, with which hand, where and for how long; then how it moves.

    Only what was measured is told: no side and no place that was not seen, no number that is not in the fields. A place
    that contradicts the class is left out; so is stillness where the class is a movement.

    Args:
        gesture: The class that people agreed on; None is a movement that no class names.
        fields: What was measured.
        variety_key: Chooses among wordings by its hash; the same key gives the same words (the segment's id).

    Returns:
        Such as "The person touches or scratches the neck with the right hand for 1.4 s. It moves back and forth three
        times, within 0.12 shoulder widths."
    """
    choice = _Choice(variety_key)
    number = duration_number(fields)
    lasting = f"for {number} s" if number else ""
    done = _what_is_done(gesture, fields)
    if lasting and choice.of(3) == 0:
        first = f"For {number} s the person {done}."
    elif lasting:
        first = f"The person {done}{'' if ',' not in done else ','} {lasting}."
    else:
        first = f"The person {done}."
    second = _how_it_moves(gesture, fields, choice)
    return f"{first} {second}".strip()


class _Choice:
    """Successive choices by the digest of a key."""

    def __init__(self, key: str) -> None:
        self._left = int.from_bytes(sha256(key.encode()).digest()[:8], "big")

    def of(self, count: int) -> int:
        self._left, chosen = divmod(self._left, count)
        return chosen

    def among(self, options: Sequence[str]) -> str:
        return options[self.of(len(options))]


def _what_is_done(gesture: GestureClass | None, fields: DescriptionFields) -> str:
    if gesture is None:
        return _unclassified(fields)
    phrase, limb = _with_side(gesture.phrase, fields)
    place = _place(gesture, fields)
    if limb:
        return f"{phrase} with {limb}{f' {place}' if place else ''}"
    if place and fields.body_part in ("hand", "hands"):
        return f"{phrase}, with {'the hands' if fields.body_part == 'hands' else 'a hand'} {place}"
    return phrase


def _unclassified(fields: DescriptionFields) -> str:
    name = _name(fields)
    if name is None:
        return "makes an unclassified movement"
    if fields.contact_target and fields.body_part in ("hand", "hands"):
        return f"has {name} {PLACE_WORDS[fields.contact_target]}, as an unclassified gesture"
    return f"makes an unclassified movement of {name}"


def _with_side(phrase: str, fields: DescriptionFields) -> tuple[str, str | None]:
    """Put the side into a phrase that says "a hand"; else return what to add after "with"."""
    part = fields.body_part.removesuffix("s") if fields.body_part != "shoulders" else fields.body_part
    if fields.side is None or part not in _SUBJECTS:
        return phrase, None
    some, one, several = _SUBJECTS[part]
    name = f"both {several}" if fields.side == "both" else f"the {fields.side} {one}"
    if re.search(rf"\b{some}\b", phrase) and not (part == "arm" and fields.contact_target):
        return re.sub(rf"\b{some}\b", name, phrase, count=1), None
    if part != "hand" or _names_own_limb(phrase):
        return phrase, None
    return phrase, name


def _names_own_limb(phrase: str) -> bool:
    """Tell whether a phrase speaks of the limb that does it; an arm that is touched or held is another one."""
    return bool(_LIMB.search(phrase)) and not re.search(r"(?:touches|scratches|rubs|holds) an arm\b", phrase)


def _place(gesture: GestureClass, fields: DescriptionFields) -> str | None:
    """Return where the hand is, unless the phrase says so or the class puts it elsewhere."""
    target = fields.contact_target
    if target is None or fields.body_part not in ("hand", "hands"):
        return None
    named = set(re.findall(r"\w+", gesture.phrase)) & {target, *NAMED_BY.get(target, ())}
    allowed = targets_of(gesture.evidence)
    coarse = target in ("face", "head")
    if named or coarse or (allowed and target not in allowed) or (target == "other_hand" and fields.side == "both"):
        return None
    return PLACE_WORDS[target]


def _name(fields: DescriptionFields) -> str | None:
    """Return what moves with its side, as in "the right hand"; None where nothing tells which part."""
    part = PART_WORDS.get(fields.body_part, fields.body_part)
    if part == "body":
        return None
    if fields.side == "both":
        return f"both {part}"
    if fields.side is None:
        return f"the {part}" if part not in _SUBJECTS else f"{'an' if part == 'arm' else 'a'} {part}"
    return f"the {fields.side} {part.removesuffix('s')}"


def _how_it_moves(gesture: GestureClass | None, fields: DescriptionFields, choice: _Choice) -> str:
    """Return the second sentence, or nothing where movement is unseen or goes without saying."""
    name = _name(fields)
    if name is None or fields.movement == "unknown":
        return ""
    several = name.startswith("both") or fields.body_part in ("shoulders", "hands", "arms", "legs")
    several = several and fields.side not in ("left", "right")
    subject = name[0].upper() + name[1:]
    if fields.movement == "still":
        stays = gesture is not None and gesture.phrase.split()[0] in STAYING
        stays = stays and fields.contact_target in wanted_of(gesture, "").targets
        return f"{subject} {'stay' if several else 'stays'} still there." if stays else ""
    verbs = ("move", "go") if several else ("moves", "goes")
    verb = verbs[0] if fields.movement == "irregular" else choice.among(verbs)
    return f"{subject} {verb} {_manner(fields, choice)}{_numbers(fields, choice)}."


def _manner(fields: DescriptionFields, choice: _Choice) -> str:
    if fields.movement == "once":
        return choice.among(("once, one way", "one way only"))
    if fields.movement == "irregular":
        return choice.among(("unevenly", "without rhythm"))
    count = times_in_words(fields.repetitions or 0)
    return f"{choice.among(('back and forth', 'there and back'))} {count}"


def _numbers(fields: DescriptionFields, choice: _Choice) -> str:
    extent, speed = extent_number(fields), speed_number(fields)
    within = choice.among((f", within {extent} shoulder widths", f", across {extent} shoulder widths"))
    faster = choice.among(("at up to {} shoulder widths a second", "reaching {} shoulder widths a second"))
    if extent and speed:
        return f"{within}, {faster.format(speed)}"
    return within if extent else f", {faster.format(speed)}" if speed else ""
