"""Names of tournaments: what titles, channels and results tables call one and the same event."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collectors.catalogue.spelling import BREAK, fold, name_words
from collectors.catalogue.vocabulary import WORDS, one_of, words_named

_EVENTS: dict[str, dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("tournaments.toml").read_text(encoding="utf-8")
)
DRAWS: dict[str, int] = {event.lower(): said["draw"] for event, said in _EVENTS.items() if "draw" in said}
"""Size of the singles draw, by event, where it never changes."""
_GENERIC = words_named("generic")
_NATIONS = words_named("nations")
_EVENT_WORD = re.compile(rf"(?<![^ ]){one_of(WORDS['events']['named_by'])}(?![^ ])")
_NOT_AN_EVENT = re.compile(rf"(?<![^ ]){one_of(WORDS['events']['not_named_by'])}(?![^ ])")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsNamed:
    """The tournaments that a text names."""

    surely: frozenset[str] = frozenset()
    """Names of events that only these words can mean."""
    perhaps: frozenset[str] = frozenset()
    """Events at a place that is named."""
    unknown: bool = False
    """It names an event that is neither in the results nor in the list above."""
    spans: tuple[tuple[int, int], ...] = ()
    """Where, in the folded text."""

    def allows(self, event: str) -> bool | None:
        """Tell whether a match of that event can be meant; None where no event is named."""
        if self.surely or self.unknown:
            return self.surely == {event}
        return event in self.perhaps if self.perhaps else None


@dataclass(slots=True)
class Tournaments:
    """The names of all events that are known: the list above, the study's further names, and those in its results."""

    _surely: dict[str, str] = field(default_factory=dict)
    _perhaps: dict[str, set[str]] = field(default_factory=dict)
    _tables: dict[str, str] = field(default_factory=dict)
    """Events by the places that results tables call them."""
    _of_table: dict[str, str] = field(default_factory=dict)
    _pattern: re.Pattern[str] | None = None

    @classmethod
    def of(cls, names: Iterable[str], *, also_called: Mapping[str, Iterable[str]]) -> "Tournaments":
        """Take the names in results tables and what else the study calls them."""
        known = cls()
        for event, said in _EVENTS.items():
            places = said.get("places", ())
            known._add(_plain(event), said["names"], (*places, *said.get("towns", ())))
            known._tables.update(dict.fromkeys(places, _plain(event)))
        in_tables = sorted(set(names))
        known._of_table = {name: known._event_of(_plain(name)) for name in in_tables}
        for name in in_tables:
            known._add_from_table(_plain(name), known._of_table[name])
        known._pattern = None
        for name, others in also_called.items():
            known._add(known.event_of(name), [_plain(other) for other in others], ())
        return known

    def event_of(self, name: str) -> str:
        """Return the event that a results table's name means: one for "Rome Masters", "Rome" and "Italian Open"."""
        return self._of_table.get(name) or self._event_of(_plain(name))

    def _event_of(self, plain: str) -> str:
        if plain in self._surely or plain in self._tables:
            return self._surely.get(plain) or self._tables[plain]
        inside = self.named_in(plain).surely
        return next(iter(inside)) if len(inside) == 1 else plain

    def named_in(self, plain: str) -> EventsNamed:
        """Find the events that a folded text names."""
        if self._pattern is None:
            phrases = sorted({*self._surely, *self._perhaps}, key=lambda phrase: (-len(phrase), phrase))
            self._pattern = re.compile(rf"(?<![^ ])(?:{'|'.join(map(re.escape, phrases))})(?![^ ])")
        surely: set[str] = set()
        perhaps: set[str] = set()
        spans: list[tuple[int, int]] = []
        for match in self._pattern.finditer(plain):
            spans.append(match.span())
            if match[0] in self._surely:
                surely.add(self._surely[match[0]])
            perhaps |= self._perhaps.get(match[0], set())
        rest = blanked(plain, spans)
        unknown = bool(_EVENT_WORD.search(_NOT_AN_EVENT.sub(BREAK, rest)))
        return EventsNamed(surely=frozenset(surely), perhaps=frozenset(perhaps), unknown=unknown, spans=tuple(spans))

    def _add(self, event: str, surely: Iterable[str], places: Iterable[str]) -> None:
        self._pattern = None
        if event not in places:
            self._surely.setdefault(event, event)
        for phrase in surely:
            self._surely[phrase] = event
        for place in places:
            self._perhaps.setdefault(place, set()).add(event)

    def _add_from_table(self, plain: str, event: str) -> None:
        if event != plain or plain in self._surely:
            return
        telling = [word for word in plain.split() if word not in _GENERIC]
        if len(telling) == len(plain.split()):  # a bare place: other events are held there too
            self._perhaps.setdefault(plain, set()).add(event)
            return
        self._surely[plain] = event
        if telling and not _NATIONS.issuperset(telling):
            self._perhaps.setdefault(" ".join(telling), set()).add(event)


def _plain(name: str) -> str:
    return " ".join(fold(word) for word in name_words(name))


def blanked(plain: str, spans: Iterable[tuple[int, int]]) -> str:
    """Replace names in a folded text by a word that says nothing, of the same length, so that positions stay."""
    for start, end in spans:
        plain = plain[:start] + "_" * (end - start) + plain[end:]
    return plain
