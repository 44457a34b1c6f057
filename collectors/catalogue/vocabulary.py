"""What titles say beside names, as patterns over folded words, in the languages that press rooms write in.

The words themselves are in words.toml. A language has words for a conference there only if it has those for "before",
"training" and "doubles", too: a title whose warnings can't be read must not count as a conference after a match.
"""

import re
import tomllib
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from collectors.catalogue.spelling import BREAK

WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
"""The content of words.toml."""


class Kind(StrEnum):
    """What a title tells about the occasion."""

    CONFERENCE = "press conference"
    SPEECH = "interview or words to the press"
    AFTER = "after a match"
    BEFORE = "before a match or a tournament"
    PRACTICE = "practice"
    DOUBLES = "doubles"
    EXHIBITION = "exhibition"
    CEREMONY = "ceremony"
    WITHDRAWAL = "withdrawal or walkover"
    RETIREMENT = "retirement"
    OTHER_TOPIC = "something else than a match"
    FOOTAGE = "footage of play, or a collection"
    OTHER_DRAW = "juniors, legends, wheelchair or teams"
    OTHER_SPEAKER = "somebody who is no player, or not this one"
    OTHER_SPORT = "another sport"
    LOOKING_BACK = "an occasion long ago"
    QUALIFYING = "qualifying"
    CHAMPION = "a tournament's winner"
    NO_CHAMPION = "the winner of another time"
    FINALIST = "the loser of a final"
    WON = "a win"
    LOST = "a loss"


SILENT = frozenset(
    {
        Kind.BEFORE,
        Kind.PRACTICE,
        Kind.DOUBLES,
        Kind.EXHIBITION,
        Kind.CEREMONY,
        Kind.WITHDRAWAL,
        Kind.OTHER_TOPIC,
        Kind.FOOTAGE,
        Kind.OTHER_DRAW,
        Kind.OTHER_SPEAKER,
        Kind.OTHER_SPORT,
        Kind.LOOKING_BACK,
    }
)
"""Occasions that have no match outcome, or none that is the speaker's."""


def one_of(patterns: Iterable[str]) -> str:
    """Join patterns to one group."""
    return f"(?:{'|'.join(patterns)})"


PATTERNS: dict[Kind, re.Pattern[str]] = {
    kind: re.compile(rf"(?<![^ ]){one_of(WORDS['kinds'][kind.name])}(?![^ ])") for kind in Kind
}
"""Each matches whole words of ``Text.plain``."""


def _lead(*names: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^ ]){one_of(pattern for name in names for pattern in WORDS['leads'][name])}$")


OPPONENT = _lead("opponent")
"""Before a name, at the end of the words that lead to it: the name is the other side of the net."""
BEATEN_BY = _lead("winner")
"""The same, where the name is the winner's."""
ABOUT = _lead("topic")
"""Before a name: it is what the speaker talks about."""
RELATED = _lead("relative")
"""Before a name: somebody who belongs to that player."""
SPOKEN_BY = re.compile(
    rf"(?<![^ ]){one_of((*WORDS['kinds']['CONFERENCE'], *WORDS['kinds']['SPEECH']))}"
    rf"(?: (?:completa|complete|integrale?|post ?\w+|full))* {one_of(WORDS['leads']['speaker'])}$"
)
"""Before a name: it is the speaker's, though "di" or "su" elsewhere lead to what is talked about."""


def words_named(name: str) -> frozenset[str]:
    """Return a set of folded words of words.toml."""
    return frozenset(WORDS["words"][name].split())


AFTER_WORDS = words_named("after")
"""What comes between a speaker and the match that they speak about."""
THINGS = words_named("things")
"""After a name: the name is part of a thing's name, or of somebody else's."""
JOINS = words_named("joins")
"""Between two names: both are in the picture, or both are a pair."""
SKIPPED = words_named("skipped")
"""Between a marker and the name that it marks."""
KNOWN_WORDS = words_named("known")
"""Words that are no part of a name when they stand beside one."""


def kinds_in(plain: str) -> frozenset[Kind]:
    """Return what a folded title tells."""
    return frozenset(kind for kind, pattern in PATTERNS.items() if pattern.search(plain))


@cache
def is_known(word: str) -> bool:
    """Tell whether a folded word is one of the vocabulary, a number or a break: no part of a name."""
    if word in KNOWN_WORDS or word == BREAK or not word.isalpha():
        return True
    return any(pattern.fullmatch(word) for pattern in PATTERNS.values())
