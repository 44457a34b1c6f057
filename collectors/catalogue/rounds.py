"""Rounds of a tournament, from titles in many languages and from results tables."""

import re
from dataclasses import dataclass

from collectors.catalogue.vocabulary import WORDS, one_of

ROUND_ROBIN = 0
"""Stands for the group stage, which has no number of players left."""


@dataclass(frozen=True, slots=True)
class Round:
    """A round as it is written: by the players left in it, or by its number."""

    players: int | None = None
    """128, 64 ... 8 for the quarter-final, 4, 2; ``ROUND_ROBIN`` for the group stage."""
    number: int | None = None
    """1 for the first round, where that is all that is said."""
    qualifying: bool = False


@dataclass(frozen=True, slots=True)
class RoundMention:
    """A round that a title names."""

    round: Round
    reached: bool
    """The player got there ("through to the semi-finals"): the match was one round earlier, and won."""
    perhaps_reached: bool
    """It may be either ("en semifinales")."""


_NUMBERS = (1, 2, 3, 4, 5)
_PLAYERS = (ROUND_ROBIN, 4, 8, 16, 32, 64, 2)
"""The final last: its word is part of many others."""
_SIZES = r"128|64|32|16"
_WORDS = WORDS["rounds"]
_ROUND = one_of(_WORDS["word"])
_HEADS = one_of(
    [
        *(rf"(?P<n{number}>{one_of(_WORDS[f'number_{number}'])}) {_ROUND}" for number in _NUMBERS),
        *(rf"{_ROUND} (?P<m{number}>{number})" for number in _NUMBERS),
        *(rf"(?P<r{number}>r{number}|{number}r|rd{number})" for number in _NUMBERS),
        rf"round of (?P<of>{_SIZES})",
        rf"r(?P<size>{_SIZES})",
        *(rf"(?P<w{players}>{one_of(_WORDS[f'players_{players}'])})" for players in _PLAYERS),
    ]
)
_REACHED = rf"{one_of(_WORDS['reached'])}(?: [^| ]+){{0,4}}? "
_PERHAPS = r"(?:in|en|im|na|w|ve|v|em|aux|a la|ai|alle|в) (?:the |de |a |il |la )?"
_NOT_THE_FINAL = rf"(?! {one_of(_WORDS['not_the_final'])}(?![^ ]))"
_MENTION = re.compile(
    rf"(?<![^ ])(?P<reached>{_REACHED})?(?P<perhaps>{_PERHAPS})?{_HEADS}(?![^ ])(?(w2){_NOT_THE_FINAL}|)"
)
_CODES = {"f": 2, "sf": 4, "qf": 8, "rr": ROUND_ROBIN, "br": 4, "final": 2, "the final": 2}


def rounds_in(plain: str) -> list[RoundMention]:
    """Find the rounds that a folded title names, in its order."""
    return [
        RoundMention(
            round=_round_of(match),
            reached=match["reached"] is not None,
            perhaps_reached=match["reached"] is None and match["perhaps"] is not None,
        )
        for match in _MENTION.finditer(plain)
    ]


def _round_of(match: re.Match[str]) -> Round:
    named = {name: value for name, value in match.groupdict().items() if value and name not in ("reached", "perhaps")}
    name, value = next(iter(named.items()))
    if name in ("of", "size"):
        return Round(players=int(value))
    if name.startswith("w"):
        return Round(players=int(name[1:]))
    return Round(number=int(name[1:]))


def round_in_table(text: str) -> Round | None:
    """Read a round as a results table writes it: R64, QF, Q2, "Second Round"; None where it is something else."""
    folded = " ".join(re.findall(r"[^\W_]+", text.casefold()))
    if folded in _CODES:
        return Round(players=_CODES[folded])
    coded = re.fullmatch(rf"r(?:ound of )?({_SIZES})|q(\d)", folded)
    if coded:
        return Round(players=int(coded[1])) if coded[1] else Round(number=int(coded[2]), qualifying=True)
    found = rounds_in(folded)
    qualifying = "qualif" in folded
    return Round(players=found[0].round.players, number=found[0].round.number, qualifying=qualifying) if found else None


def with_players(given: Round, *, draw_players: int | None) -> Round:
    """Turn "third round" into the number of players left, where the size of the draw is known (byes count)."""
    if given.number is None or given.qualifying or draw_players is None:
        return given
    first = 1 << (draw_players - 1).bit_length()
    players = first >> (given.number - 1)
    return Round(players=players) if players >= 2 else given


def may_be(title: RoundMention, table: Round | None, *, draw_players: int | None, won: bool) -> bool | None:
    """Tell whether a match of that round fits what the title says; None where it can't be told.

    Args:
        title: The round as the title names it.
        table: The round of the match; None is unknown.
        draw_players: Size of the draw; None is unknown.
        won: Whether the speaker won the match: nobody reaches a round by losing.
    """
    if table is None:
        return None
    if table.qualifying or title.round.qualifying:
        return table == title.round
    said, played = with_players(title.round, draw_players=draw_players), with_players(table, draw_players=draw_players)
    same = _same(said, played)
    earlier = won and _same_after(said, played)
    if title.reached:
        return earlier if said.players != ROUND_ROBIN else same
    if title.perhaps_reached:
        known = [fits for fits in (same, earlier) if fits is not None]
        return any(known) if known else None
    return same


def _same(said: Round, played: Round) -> bool | None:
    if said.players is not None and played.players is not None:
        return said.players == played.players
    if said.number is not None and played.number is not None:
        return said.number == played.number
    # in a draw of 32 and more the first two rounds come before the quarter-final; what else agrees depends on the draw
    number, players = (said.number, played.players) if said.number is not None else (played.number, said.players)
    return False if number is not None and players in (2, 4, 8) and number < 3 else None


def _same_after(said: Round, played: Round) -> bool | None:
    if said.players is not None and played.players is not None:
        if played.players == ROUND_ROBIN:
            return said.players == 4
        return said.players * 2 == played.players
    if said.number is not None and played.number is not None:
        return said.number == played.number + 1
    return None
