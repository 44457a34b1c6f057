"""Match results, in Sackmann's CSV layout or a minimal one, as matches with the days on which they may have been."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from collectors.catalogue.config import MatchesConfig, matching_files
from collectors.catalogue.people import People, Person
from collectors.catalogue.rounds import ROUND_ROBIN, Round, round_in_table
from collectors.catalogue.tournaments import DRAWS, Tournaments
from schema.errors import ConfigError

_SACKMANN = ("tourney_name", "tourney_date", "round", "winner_name", "loser_name", "score")
_MINIMAL = ("date", "tournament", "round", "winner", "loser", "score")
_NOT_PLAYED = re.compile(r"\b(w\s*/?\s*o|walk\s?over|abd|abn|abandoned|unfinished)\b", re.IGNORECASE)
_BROKEN_OFF = re.compile(r"\b(ret|retired|def|default)\b", re.IGNORECASE)
_SET = re.compile(r"(?<![\d-])(\d{1,2})-(\d{1,2})(?![\d-])")
_WEEK = {2: (4, 8), 4: (3, 7), 8: (2, 6), 16: (1, 5), 32: (-1, 4), 64: (-1, 3)}
_LONG = {2: (10, 14), 4: (8, 13), 8: (7, 12), 16: (5, 11), 32: (3, 9), 64: (1, 7), 128: (-1, 6)}
_SLAM = {2: (12, 15), 4: (10, 13), 8: (8, 11), 16: (6, 9), 32: (4, 7), 64: (2, 5), 128: (-1, 3)}
"""Days after tourney_date (the Monday) on which a round is played, first and last, rain included."""
LARGEST_DRAW = 128
_SEASON_GAP_DAYS = 60
"""Matches of an event this far apart belong to two editions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One match, as a results table tells it."""

    row: str
    """File name and line."""
    tournament: str
    """As the table writes it."""
    event: str
    """One word for all names of the tournament (``Tournaments.event_of``)."""
    round: Round | None
    draw_players: int | None
    first_day: date
    last_day: date
    """Equal where the table tells the day; Sackmann's tells the tournament's Monday alone."""
    winner: int
    loser: int
    """Indexes in ``People``; ``UNKNOWN`` where namesakes can't be told apart."""
    score: tuple[tuple[int, int], ...]
    played: bool
    """False for a walkover: nobody won anything on the court."""
    broken_off: bool
    """Ended by a retirement or a default."""
    licence: str

    def won_by(self, person: int) -> bool:
        """Tell whether that person won."""
        return self.winner == person

    def opponent_of(self, person: int) -> int:
        """Return the other side's index."""
        return self.loser if self.winner == person else self.winner


UNKNOWN = -1


@dataclass(slots=True)
class Results:
    """All matches, by person and by event."""

    matches: list[Match] = field(default_factory=list)
    of_person: dict[int, list[Match]] = field(default_factory=dict)
    of_event: dict[str, list[Match]] = field(default_factory=dict)

    def add(self, match: Match) -> None:
        """Take in one match."""
        self.matches.append(match)
        self.of_event.setdefault(match.event, []).append(match)
        for person in (match.winner, match.loser):
            if person != UNKNOWN:
                self.of_person.setdefault(person, []).append(match)

    def edition(self, match: Match) -> list[Match]:
        """Return the matches of the same event in the same season."""
        near = timedelta(days=_SEASON_GAP_DAYS)
        return [m for m in self.of_event[match.event] if abs(m.first_day - match.first_day) < near]

    def draw_players(self, match: Match) -> int | None:
        """Return the size of the draw: as told, or by the first round where the table holds it whole (byes allowed)."""
        if match.draw_players or match.event in DRAWS:
            return match.draw_players or DRAWS[match.event]
        sizes = Counter(m.round.players for m in self.edition(match) if m.round and m.round.players)
        largest = max(sizes, default=0)
        whole = largest >= 16 and sizes[largest] * 4 >= largest
        return largest if whole or largest == LARGEST_DRAW else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    name: str
    table_id: str = ""
    country: str = ""
    birth_year: int | None = None


def read_results(
    tables: Iterable[MatchesConfig], *, study_folder: Path, people: People, tournaments: Tournaments
) -> Results:
    """Read every results table; whom the players file does not know is added to ``people`` without an id.

    Raises ``ConfigError`` naming the table or line: no such file, a missing column, a date that is none.
    """
    results = Results()
    for number, table in enumerate(tables):
        for path in matching_files(table, study_folder=study_folder, where=f"matches[{number}].path"):
            for match in _read_table(path, table, people, tournaments):
                results.add(match)
    for matches in results.of_person.values():
        matches.sort(key=lambda m: (m.first_day, m.last_day))
    return results


def tournament_names(tables: Iterable[MatchesConfig], *, study_folder: Path) -> Iterator[str]:
    """Yield the tournaments that the tables name."""
    for number, table in enumerate(tables):
        column = "tourney_name" if table.layout == "sackmann" else "tournament"
        for path in matching_files(table, study_folder=study_folder, where=f"matches[{number}].path"):
            yield from {row[column] for _, row in _rows(path, table)}


def _rows(path: Path, table: MatchesConfig) -> Iterator[tuple[str, dict[str, str]]]:
    wanted = _SACKMANN if table.layout == "sackmann" else _MINIMAL
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in wanted if name not in (reader.fieldnames or ())]
            if missing:
                raise ConfigError(
                    f"{path}: layout {table.layout!r} needs the column {missing[0]!r}; the columns are "
                    f"{', '.join(reader.fieldnames or ('none',))}"
                )
            for row in reader:
                yield f"{path.name}:{reader.line_num}", {k: (v or "") for k, v in row.items() if isinstance(k, str)}
    except OSError as error:
        raise ConfigError(f"{path}: the results can't be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: the results can't be read as CSV in UTF-8: {error}") from error


def _read_table(path: Path, table: MatchesConfig, people: People, tournaments: Tournaments) -> Iterator[Match]:
    sides = _Sides(people, sex={"atp": "m", "wta": "f"}.get(table.tour.lower(), ""))
    sackmann = table.layout == "sackmann"
    for where, row in _rows(path, table):
        name = row["tourney_name" if sackmann else "tournament"].strip()
        played_on = _day(row["tourney_date" if sackmann else "date"], where=f"{path.parent / where}")
        in_round = round_in_table(row["round"])
        draw = row.get("draw_size", "").strip()
        first, last = (played_on, played_on)
        if sackmann:
            first, last = _days_of(played_on, in_round, level=row.get("tourney_level", ""), draw=draw)
        score = row["score"]
        yield Match(
            row=where,
            tournament=name,
            event=tournaments.event_of(name),
            round=in_round,
            draw_players=int(draw) if draw.isdigit() else None,
            first_day=first,
            last_day=last,
            winner=sides.index_of(_side(row, "winner", played_on) if sackmann else _Side(name=row["winner"])),
            loser=sides.index_of(_side(row, "loser", played_on) if sackmann else _Side(name=row["loser"])),
            score=sets_in(score),
            played=not _NOT_PLAYED.search(score),
            broken_off=bool(_BROKEN_OFF.search(score)),
            licence=table.licence,
        )


def _day(text: str, *, where: str) -> date:
    digits = re.fullmatch(r"(\d{4})-?(\d{2})-?(\d{2})", text.strip())
    try:
        return date(*map(int, digits.groups())) if digits else date.fromisoformat(text.strip())
    except ValueError as error:
        raise ConfigError(f"{where}: {text!r} is no date; write it as YYYY-MM-DD or YYYYMMDD") from error


def _days_of(monday: date, in_round: Round | None, *, level: str, draw: str) -> tuple[date, date]:
    long = draw.isdigit() and int(draw) >= 96
    days = _SLAM if level == "G" else _LONG if long else _WEEK
    whole = (-1, max(last for _, last in days.values()))
    players = in_round.players if in_round and not in_round.qualifying else None
    if in_round and in_round.qualifying:
        first, last = -8, 2
    elif players in (None, ROUND_ROBIN):
        first, last = whole
    else:
        first, last = days.get(players or 0, whole)
    return monday + timedelta(days=first), monday + timedelta(days=last)


def _side(row: dict[str, str], side: str, played_on: date) -> _Side:
    age = row.get(f"{side}_age", "")
    born = played_on.year - int(float(age)) if re.fullmatch(r"\d+(\.\d+)?", age) else None
    return _Side(
        name=row[f"{side}_name"],
        table_id=row.get(f"{side}_id", ""),
        country=row.get(f"{side}_ioc", ""),
        birth_year=born,
    )


def sets_in(score: str) -> tuple[tuple[int, int], ...]:
    """Read the sets of a score, tie-breaks left out: "7-6(4) 6-3" is (7, 6), (6, 3)."""
    plain = re.sub(r"[\[(][\d-]+[\])]", "", score.replace("\u2013", "-").replace("/", "-"))
    return tuple((int(a), int(b)) for a, b in _SET.findall(plain) if max(int(a), int(b)) <= 70)


class _Sides:
    """Finds the people of a results table; remembers who was found."""

    def __init__(self, people: People, *, sex: str) -> None:
        self._people, self._sex = people, sex
        self._found: dict[_Side, int] = {}
        self._listed = frozenset(i for i, person in enumerate(people.persons) if person.person_id)

    def index_of(self, side: _Side) -> int:
        key = _Side(name=side.name, table_id=side.table_id, country=side.country, birth_year=None)
        if key not in self._found:
            self._found[key] = self._find(side)
        return self._found[key]

    def _find(self, side: _Side) -> int:
        same = [i for i in self._people.named(side.name) if self._can_be(self._people.persons[i], side)]
        by_id = [i for i in same if side.table_id and self._people.persons[i].table_id == side.table_id]
        if len(by_id) == 1:
            return by_id[0]
        if len(same) > 1:
            listed = [i for i in same if i in self._listed]
            same = listed or same
        if len(same) == 1:
            return same[0]
        if same:
            return UNKNOWN
        stranger = Person(
            person_id="",
            name=side.name,
            sex=self._sex,
            country=side.country,
            birth_year=side.birth_year,
            table_id=side.table_id,
        )
        return self._people.add(stranger)

    def _can_be(self, person: Person, side: _Side) -> bool:
        """Tell whether sex, birth year and id speak against it; a country may change."""
        if self._sex and person.sex and person.sex != self._sex:
            return False
        if side.birth_year and person.birth_year and abs(side.birth_year - person.birth_year) > 2:
            return False
        return not (person.person_id == "" and side.table_id and person.table_id not in ("", side.table_id))
