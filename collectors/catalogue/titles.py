"""Reading a title: occasion, tournament, round, years, score and people, without knowing any result yet."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from collectors.catalogue.finding import MentionFinder
from collectors.catalogue.mentions import Mention, Role
from collectors.catalogue.people import People
from collectors.catalogue.results import sets_in
from collectors.catalogue.rounds import RoundMention, rounds_in
from collectors.catalogue.spelling import Text
from collectors.catalogue.tournaments import EventsNamed, Tournaments, blanked
from collectors.catalogue.vocabulary import OPPONENT, PATTERNS, SILENT, SPOKEN_BY, Kind, is_known, kinds_in

_YEAR = re.compile(r"(?<![\d.:/-])(?:19[7-9]\d|20[0-4]\d)(?![\d:/-]\d|\d)")
_DESCRIPTION_LETTERS = 400
"""What follows the first lines of a description is about the channel, and names everybody."""

_TOLD_BY_DESCRIPTION = frozenset(
    {
        Kind.CONFERENCE,
        Kind.AFTER,
        Kind.BEFORE,
        Kind.PRACTICE,
        Kind.DOUBLES,
        Kind.WITHDRAWAL,
        Kind.EXHIBITION,
        Kind.OTHER_DRAW,
        Kind.OTHER_SPEAKER,
        Kind.OTHER_SPORT,
        Kind.RETIREMENT,
    }
)
"""What the first line of a description is believed: mostly what forbids an outcome; all else there is chatter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What is known about a video without looking at it."""

    title: str
    description: str = ""
    channel: str = ""
    uploaded_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a title says."""

    kinds: frozenset[Kind]
    mentions: tuple[Mention, ...]
    events: EventsNamed
    """Tournaments of the title; where it names none, those of the description's first line, then the channel."""
    rounds: tuple[RoundMention, ...]
    years: frozenset[int]
    sets: tuple[tuple[int, int], ...]
    unknown_opponent: bool
    """Words lead to an opponent whom neither the study nor its results know."""
    unknown_speaker: bool
    """Somebody whom nobody knows is named as the speaker: "press conference with Volandri"."""
    in_description: tuple[Mention, ...]
    """People of the description's first line."""

    @property
    def speakers(self) -> tuple[Mention, ...]:
        """The people who may be speaking."""
        return tuple(m for m in self.mentions if m.role is Role.SPEAKER)

    @property
    def opponents(self) -> tuple[Mention, ...]:
        """The people on the other side of the net."""
        return tuple(m for m in self.mentions if m.role in (Role.OPPONENT, Role.WINNER))

    @property
    def silent(self) -> tuple[Kind, ...]:
        """What says that there is no match outcome, most telling first."""
        return tuple(kind for kind in Kind if kind in self.kinds & SILENT)


class TitleReader:
    """Reads titles; prepared once for many."""

    def __init__(self, people: People, tournaments: Tournaments, occasions: Sequence[Occasion]) -> None:
        """Prepare for these titles."""
        self._tournaments = tournaments
        self._titles = {occasion: Text(occasion.title) for occasion in dict.fromkeys(occasions)}
        self._leads = {occasion: Text(_first_lines(occasion.description)) for occasion in self._titles}
        self._finder = MentionFinder(people, [*self._titles.values(), *self._leads.values()])

    def read(self, occasion: Occasion) -> Reading:
        """Read one of the titles that the reader was prepared for."""
        title, lead = self._titles[occasion], self._leads[occasion]
        events, mentions, plain = self._names(title)
        lead_events, lead_mentions, lead_plain = self._names(lead)
        kinds = kinds_in(plain) | kinds_in(lead_plain) & _TOLD_BY_DESCRIPTION
        rounds = rounds_in(plain) or rounds_in(lead_plain)
        if not events.surely and not events.unknown:
            channel = self._tournaments.named_in(Text(occasion.channel).plain)
            events = _best_events(events, lead_events, channel)
        return Reading(
            kinds=kinds,
            mentions=tuple(mentions),
            events=events,
            rounds=tuple(rounds),
            years=frozenset(map(int, _YEAR.findall(_outside_quotes(title)))),
            sets=sets_in(title.raw),
            unknown_opponent=_leads_to_nobody(title, mentions, OPPONENT),
            unknown_speaker=_leads_to_nobody(title, mentions, SPOKEN_BY) or _nobody_leads(title, mentions, plain),
            in_description=tuple(lead_mentions),
        )

    def _names(self, text: Text) -> tuple[EventsNamed, list[Mention], str]:
        events = self._tournaments.named_in(text.plain)
        taken = frozenset(
            index for start, end in events.spans for index in range(text.word_at(start), text.word_at(end - 1) + 1)
        )
        mentions = self._finder.mentions_in(text, taken=taken)
        named = frozenset(index for m in mentions for index in range(m.start, m.end))
        events = _without(events, text, named)
        spans = [*events.spans, *((text.start_of(m.start), text.end_of(m.end - 1)) for m in mentions)]
        return events, mentions, blanked(text.plain, spans)


def _first_lines(description: str) -> str:
    lines = [line.strip() for line in description.splitlines() if line.strip()]
    first = lines[0] if lines else ""
    sentence = re.split(r"(?<=[.!?])\s+(?=[A-Z\u00c0-\u00de])", re.sub(r"https?://\S+", " ", first))[0]
    return sentence[:_DESCRIPTION_LETTERS]


def _without(events: EventsNamed, text: Text, named: frozenset[int]) -> EventsNamed:
    """Take out places that are somebody's name: Naomi Osaka is not at Osaka."""
    spans = tuple(span for span in events.spans if text.word_at(span[0]) not in named)
    if len(spans) == len(events.spans):
        return events
    return EventsNamed(surely=events.surely, perhaps=frozenset(), unknown=events.unknown, spans=spans)


def _best_events(title: EventsNamed, lead: EventsNamed, channel: EventsNamed) -> EventsNamed:
    """Choose the best that is said of the tournament; a place in the title must not contradict a channel's event."""
    for other in (lead, channel):
        if len(other.surely) == 1 and (not title.perhaps or other.surely <= title.perhaps):
            return EventsNamed(surely=other.surely, spans=title.spans)
    if title.perhaps:
        return title
    return EventsNamed(perhaps=lead.perhaps or channel.perhaps, spans=title.spans)


def _outside_quotes(title: Text) -> str:
    return " ".join(word.text for word in title.words if not word.quoted)


def _nobody_leads(title: Text, mentions: Iterable[Mention], plain: str) -> bool:
    """Tell whether the name of somebody unknown leads to the conference: "Juan Carlos Ferrero press conference"."""
    named = {index for m in mentions for index in range(m.start, m.end)}
    for match in PATTERNS[Kind.CONFERENCE].finditer(plain):
        at = title.word_at(match.start())
        begin = at
        while begin > 0 and not title.words[begin].after_break:
            begin -= 1
        if begin == at or named.intersection(range(begin, at)) or not title.has_case:
            continue
        last = title.words[at - 1]
        at_name = plain[title.start_of(at - 1)] == "_"
        if last.capital and not is_known(last.plain) and not at_name and last.plain.isalpha():
            return True
    return False


def _leads_to_nobody(title: Text, mentions: Iterable[Mention], pattern: re.Pattern[str]) -> bool:
    """Tell whether words such as "win over" lead to a name that nobody of the study or its results has."""
    named = {index for m in mentions for index in range(m.start, m.end)}
    for index, word in enumerate(title.words[1:], start=1):
        if index in named or word.quoted or word.after_break or is_known(word.plain) or not word.capital:
            continue
        lead = " ".join(w.plain for w in title.words[max(index - 3, 0) : index])
        if pattern.search(lead):
            return True
    return False
