"""People in a title: the words that are their names, and the roles that the words around give them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise

from collectors.catalogue.spelling import BREAK, Text, Word
from collectors.catalogue.vocabulary import (
    ABOUT,
    AFTER_WORDS,
    BEATEN_BY,
    JOINS,
    OPPONENT,
    PATTERNS,
    RELATED,
    SKIPPED,
    SPOKEN_BY,
    THINGS,
    Kind,
    is_known,
)


class Role(StrEnum):
    """What a person in a title does there."""

    SPEAKER = "speaker"
    OPPONENT = "opponent"
    WINNER = "opponent who won"
    TOPIC = "talked about"
    RELATIVE = "somebody else's player"
    THING = "part of a thing's name"
    NARRATED = "one side of a match that is told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A person's name in a title."""

    start: int
    end: int
    """Words of the title, half-open."""
    scores: dict[int, float]
    """By index in ``People``: how well the words fit each person of that name."""
    role: Role = Role.SPEAKER
    joined: bool = False
    """Somebody whom the index does not know stands beside it with "and"."""
    led: bool = False
    """A word that may be an unknown person's name begins the same part: "Brad Gilbert talks Coco Gauff's win"."""

    @property
    def best(self) -> float:
        """The best score."""
        return max(self.scores.values())


def beside_a_name(text: Text, start: int, end: int, taken: frozenset[int]) -> bool:
    """Tell whether a word that may be somebody's name stands directly beside: "Paul Annacone" is no Paul."""
    if start > 0 and not text.words[start].after_break and may_be_name(text, start - 1, taken):
        return True
    return (
        end < len(text.words)
        and not text.words[end].after_break
        and not text.words[end - 1].possessive
        and may_be_name(text, end, taken)
    )


def may_be_name(text: Text, index: int, taken: frozenset[int]) -> bool:
    """Tell whether a word may be part of somebody's name: written with a capital, and no word of the vocabulary."""
    word = text.words[index]
    if index in taken or word.quoted or is_known(word.plain) or word.plain in SKIPPED | JOINS | AFTER_WORDS:
        return False
    return word.capital or not text.has_case


def with_roles(text: Text, found: list[Mention], taken: frozenset[int]) -> list[Mention]:
    """Say of each mention of a title, in its order, what the person does there."""
    placed: list[Mention] = []
    for number, mention in enumerate(found):
        before = placed[-1] if placed else None
        behind = found[number + 1] if number + 1 < len(found) else None
        role = _role(text, mention, before)
        joined = _is_joined(text, mention, before, behind)
        led = _is_led(text, mention, found, taken)
        placed.append(replace(mention, role=role, joined=joined, led=led))
    return _narrated(text, placed)


def _role(text: Text, mention: Mention, before: Mention | None) -> Role:
    words = text.words
    if mention.end < len(words) and not words[mention.end].after_break and words[mention.end].plain in THINGS:
        return Role.THING
    lead = _lead(text, mention.start)
    for pattern, role in _ROLES:
        if pattern.search(lead):
            return role
    if before and before.end == mention.start - 1 and words[before.end].plain in JOINS:
        return before.role
    return Role.TOPIC if ABOUT.search(lead) else Role.SPEAKER


_ROLES = (
    (RELATED, Role.RELATIVE),
    (SPOKEN_BY, Role.SPEAKER),
    (BEATEN_BY, Role.WINNER),
    (OPPONENT, Role.OPPONENT),
)
"""What the words that lead to a name make of it, the first that fits."""


def _lead(text: Text, start: int) -> str:
    """Return the words of the same part that lead to a name, without those that only describe the person."""
    begin = start
    while begin > 0 and (not text.words[begin].after_break or text.words[begin].in_brackets):
        begin -= 1
        if text.words[begin].after_break and text.words[begin].in_brackets:
            break
    plain = [word.plain for word in text.words[begin:start]]
    while len(plain) > 1 and (plain[-1] in SKIPPED or plain[-1].isdigit()):
        plain.pop()
    return " ".join(plain[-7:])


def _is_led(text: Text, mention: Mention, found: Sequence[Mention], taken: frozenset[int]) -> bool:
    """Tell whether a strange name stands before it in the same part, and no word says that this person speaks."""
    if not text.has_case or SPOKEN_BY.search(_lead(text, mention.start)):
        return False
    follows = " ".join(word.plain for word in text.words[mention.end : mention.end + 4])
    if PATTERNS[Kind.CONFERENCE].match(follows):
        return False
    named = {index for m in found for index in range(m.start, m.end)}
    index = mention.start
    while index > 0 and not text.words[index].after_break:
        index -= 1
        if index not in named and may_be_name(text, index, taken):
            return True
    return False


def _is_joined(text: Text, mention: Mention, before: Mention | None, behind: Mention | None) -> bool:
    words = text.words
    left, right = mention.start - 1, mention.end
    if left > 0 and words[left].plain in JOINS and not (before and before.end == left) and not words[left].after_break:
        return may_be_name(text, left - 1, frozenset()) and words[left].plain != "a"
    if right + 1 < len(words) and words[right].plain in JOINS and not (behind and behind.start == right + 1):
        return may_be_name(text, right + 1, frozenset()) and words[right].plain != "a"
    return False


def _narrated(text: Text, mentions: list[Mention]) -> list[Mention]:
    """Mark "A beats B" and "A vs B": the match is told, and either may be the speaker."""
    told = list(mentions)
    for number, (one, other) in enumerate(pairwise(mentions)):
        if one.role is not Role.SPEAKER or other.role not in (Role.OPPONENT, Role.WINNER):
            continue
        between, apart = _between(text, one.end, other.start)
        leads_on = any(word.plain in AFTER_WORDS for word in between) or _names_occasion(between)
        leads_on = leads_on or not _tells_result(between[0].plain if between else "")
        if not apart and not leads_on and not text.words[one.end - 1].possessive:
            told[number] = replace(one, role=Role.NARRATED)
    return told


def _between(text: Text, start: int, end: int) -> tuple[list[Word], bool]:
    """Return the words between two names, and whether punctuation holds the names apart; "(ITA)" and "[1]" do not."""
    between: list[Word] = []
    apart = tagged = False
    for word in text.words[start : end + 1]:
        if word.in_brackets and len(word.text) <= 3 and (word.text.isupper() or word.text.isdigit()):
            tagged = True
            continue
        apart = apart or (word.after_break and not tagged)
        tagged = False
        between.append(word)
    return between[:-1], apart


def _tells_result(word: str) -> bool:
    return any(PATTERNS[kind].fullmatch(word) for kind in (Kind.WON, Kind.LOST)) or bool(OPPONENT.fullmatch(word))


def _names_occasion(between: Sequence[Word]) -> bool:
    plain = f" {' '.join(word.plain for word in between)} "
    return (
        any(word in plain for word in (" press", " conf", " interview", " prensa ", " stampa ", " presse "))
        or BREAK in plain
    )
