"""Which match a title speaks of: the matches that its date allows, then everything that speaks against them."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date, timedelta

from collectors.catalogue.config import IdentifyConfig
from collectors.catalogue.mentions import Role
from collectors.catalogue.results import Match, Results
from collectors.catalogue.rounds import ROUND_ROBIN, may_be
from collectors.catalogue.titles import Reading
from collectors.catalogue.vocabulary import Kind

WIN, LOSS = "win", "loss"
_NEAR_DAYS_BEFORE, _NEAR_DAYS_AFTER = 4, 12
"""Somebody plays "around" a day who has a match from four days before it to twelve after: media days come early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the results say of a title."""

    outcome: str | None
    match: Match | None
    """The match, where it is one; None where several have the same outcome."""
    ask: bool
    """A person could find out more."""
    why: str
    considered: tuple[Match, ...] = ()
    """The matches that were possible by date."""


def plays_around(
    person: int, reading: Reading, day: date | None, results: Results, *, against: Collection[int] = ()
) -> bool:
    """Tell whether the results show the person at the tournament, or anywhere, around that day.

    Args:
        person: Index in ``People``.
        reading: The title.
        day: Day of the upload; None is unknown.
        results: All matches.
        against: Only matches against one of these people count; empty is anybody.
    """
    return any(
        reading.events.allows(match.event) is not False
        and _is_near(match, reading, day)
        and (not against or match.opponent_of(person) in against)
        for match in results.of_person.get(person, ())
    )


def _is_near(match: Match, reading: Reading, day: date | None) -> bool:
    if day is None:
        named = reading.events.allows(match.event) is True
        return named and bool({match.first_day.year, match.last_day.year} & reading.years)
    early, late = timedelta(days=_NEAR_DAYS_BEFORE), timedelta(days=_NEAR_DAYS_AFTER)
    return match.first_day - late <= day <= match.last_day + early


def choose_match(
    person: int | None, reading: Reading, day: date | None, results: Results, *, config: IdentifyConfig
) -> Choice:
    """Find the match that a conference of this person was held after, and its outcome.

    A match counts if the day of the upload allows it and nothing in the title contradicts it. An outcome is given
    where all matches that are left agree on it, and where the title says enough to exclude an occasion without a match.
    """
    if person is None:
        return Choice(outcome=None, match=None, ask=False, why="nobody is known to be in it")
    silent = reading.silent
    if silent:
        return Choice(outcome=None, match=None, ask=False, why=f"the title speaks of {silent[0]}")
    if not reading.kinds & {Kind.CONFERENCE, Kind.SPEECH, Kind.AFTER}:
        return Choice(outcome=None, match=None, ask=False, why="the title names no press conference")
    possible = _possible(person, reading, day, results, config)
    if not possible:
        return Choice(outcome=None, match=None, ask=False, why="the results hold no match that fits the day")
    return _Weighing(person, reading, day, results, possible).choice()


def _possible(
    person: int, reading: Reading, day: date | None, results: Results, config: IdentifyConfig
) -> tuple[Match, ...]:
    late = timedelta(days=config.days_after_match)
    found = []
    for match in results.of_person.get(person, ()):
        if _is_near(match, reading, None) if day is None else match.first_day <= day <= match.last_day + late:
            found.append(match)
    return tuple(found)


class _Weighing:
    """The evidence for and against the matches that a date allows."""

    def __init__(
        self, person: int, reading: Reading, day: date | None, results: Results, possible: tuple[Match, ...]
    ) -> None:
        self.person, self.reading, self.day, self.results, self.possible = person, reading, day, results, possible
        self.told: list[str] = []
        """What the title says of the match itself."""

    def choice(self) -> Choice:
        left = list(self.possible)
        for name, fits in self._checks():
            kept = [match for match in left if fits(match)]
            if not kept:
                return self._ask(f"no match of those days has {name}")
            left = kept
        left = self._final(left)
        outcomes = {self._outcome(match) for match in left}
        if outcomes == {None}:
            return Choice(
                outcome=None, match=None, ask=False, why="a walkover: nothing was played", considered=self.possible
            )
        if len(outcomes) > 1:
            return self._ask(f"{len(left)} matches fit, and they ended differently")
        doubt = self._doubt(left)
        if doubt:
            return self._ask(doubt)
        match = left[0] if len(left) == 1 else None
        why = ", ".join(self.told) or "the only matches of those days"
        return Choice(outcome=outcomes.pop(), match=match, ask=False, why=why, considered=self.possible)

    def _final(self, left: list[Match]) -> list[Match]:
        """Take the final alone where the title calls the speaker its winner or loser, and they were just that."""
        kinds = self.reading.kinds
        champion = Kind.CHAMPION in kinds and Kind.NO_CHAMPION not in kinds
        if champion == (Kind.FINALIST in kinds):
            return left
        wanted = WIN if champion else LOSS
        finals = [m for m in left if m.round and m.round.players == 2 and self._outcome(m) == wanted]
        if len(finals) == 1:
            self.told.append("the word for the final's winner or loser")
        return finals if len(finals) == 1 else left

    def _ask(self, why: str) -> Choice:
        return Choice(outcome=None, match=None, ask=True, why=why, considered=self.possible)

    def _outcome(self, match: Match) -> str | None:
        if not match.played:
            return None
        return WIN if match.won_by(self.person) else LOSS

    def _checks(self) -> list[tuple[str, Callable[[Match], bool]]]:
        reading = self.reading
        checks: list[tuple[str, Callable[[Match], bool]]] = []
        if reading.events.surely or reading.events.perhaps or reading.events.unknown:
            checks.append(("that tournament", lambda m: reading.events.allows(m.event) is True))
        if reading.years:
            checks.append(("that year", lambda m: reading.years <= {m.first_day.year, m.last_day.year}))
        if reading.opponents or reading.unknown_opponent:
            checks.append(("that opponent", self._has_opponent))
            self.told.append("the opponent")
        if reading.rounds:
            checks.append(("that round", self._has_round))
        if len(reading.sets) >= 2:
            checks.append(("that score", lambda m: reading.sets in _turned(m.score)))
            self.told.append("the score")
        if Kind.RETIREMENT in reading.kinds:
            checks.append(("a retirement", lambda m: m.broken_off))
            self.told.append("the retirement")
        if self._says is not None:
            checks.append((f"a {self._says}", lambda m: self._outcome(m) == self._says))
            self.told.append(f"the word for a {self._says}")
        return checks

    def _has_opponent(self, match: Match) -> bool:
        if self.reading.unknown_opponent:
            return False
        opponent = match.opponent_of(self.person)
        for mention in self.reading.opponents:
            if opponent not in mention.scores:
                return False
            if mention.role is Role.WINNER and match.won_by(self.person):
                return False
        return True

    def _has_round(self, match: Match) -> bool:
        draw = self.results.draw_players(match)
        fits = [
            may_be(said, match.round, draw_players=draw, won=match.won_by(self.person)) for said in self.reading.rounds
        ]
        if Kind.QUALIFYING in self.reading.kinds and not (match.round and match.round.qualifying):
            return False
        if any(fit is True for fit in fits) and "the round" not in self.told:
            self.told.append("the round")
        return all(fit is not False for fit in fits)

    @property
    def _says(self) -> str | None:
        """The outcome in the title's own words, where it can only be the speaker's."""
        won, lost = Kind.WON in self.reading.kinds, Kind.LOST in self.reading.kinds
        others = any(m.role not in (Role.SPEAKER, Role.OPPONENT, Role.WINNER) for m in self.reading.mentions)
        if won == lost or others:
            return None
        return WIN if won else LOSS

    def _doubt(self, left: list[Match]) -> str | None:
        """Say why the occasion may be another than a conference after one of these matches."""
        kinds = self.reading.kinds
        named = self.reading.events.allows(left[-1].event) is True
        if self.told and (named or kinds & {Kind.CONFERENCE, Kind.AFTER}):
            return None if self._is_dated(left) else "the upload's date is not known, and the year or event is not told"
        after = Kind.AFTER in kinds
        doubts = (
            (not after and Kind.CONFERENCE not in kinds, "it may be an interview on another day"),
            (self.day is None, "neither a day nor a round is known"),
            (
                not named and not after and not self._same_day(left),
                "no tournament is named, and the match was not today",
            ),
            (not self._results_reach(left), "the results may not reach that day"),
            (not after and self._may_look_ahead(left), "it may look ahead to the next match"),
            (not after and self._may_come_before(left), "it may have been held before the first match"),
        )
        return next((why for holds, why in doubts if holds), None)

    def _is_dated(self, left: list[Match]) -> bool:
        return self.day is not None or len(left) == 1

    def _same_day(self, left: list[Match]) -> bool:
        return all(match.first_day == match.last_day == self.day for match in left)

    def _results_reach(self, left: list[Match]) -> bool:
        last = left[-1]
        beaten = self._outcome(last) == LOSS and (last.round is None or last.round.players != ROUND_ROBIN)
        edition = self.results.edition(last)
        finished = any(m.round is not None and m.round.players == 2 and not m.round.qualifying for m in edition)
        return beaten or finished or max(m.last_day for m in edition) >= (self.day or last.last_day)

    def _may_look_ahead(self, left: list[Match]) -> bool:
        """Tell whether the next match was to come, and none was on that very day: finalists talk on the eve, too."""
        if self.day is None or self._same_day(left[-1:]):
            return False
        mine = [m for m in self.results.edition(left[-1]) if self.person in (m.winner, m.loser)]
        return any(m.last_day > self.day for m in mine if m.played and m not in left)

    def _may_come_before(self, left: list[Match]) -> bool:
        """Tell whether a media day is as likely: the table tells no days, and the first match may be to come."""
        mine = [m for m in self.results.of_person[self.person] if m.event == left[0].event]
        first = min((m for m in mine if m in self.results.edition(left[0])), key=lambda m: m.last_day)
        return self.day is not None and first.first_day != first.last_day and self.day < first.last_day


def _turned(score: tuple[tuple[int, int], ...]) -> set[tuple[tuple[int, int], ...]]:
    return {score, tuple((b, a) for a, b in score)}
