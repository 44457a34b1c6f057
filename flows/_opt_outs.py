"""The study's opt-out list, joined to its players: who and what is never collected."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from collectors.base import CollectConfig, SourceEntry
from collectors.facts import Facts
from collectors.opt_outs import NameFinder, OptOuts, read_opt_outs
from collectors.sources import read_origins
from flows._study import Study, players_of
from schema.arrow import LISTINGS
from schema.errors import ConfigError

WORDS = {
    "url": "its link is on the opt-out list",
    "channel": "its channel is on the opt-out list",
    "player": "its player is on the opt-out list",
}
"""What a `Dropped` says of each kind of opt-out; never which link, channel or player."""
Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutList:
    """The list with the row ids and the names of the players on it."""

    opt_outs: OptOuts
    person_ids: frozenset[str]
    """Rows of players.csv that are on it."""
    finder: NameFinder
    places: frozenset[str]
    """``[[sources]]`` that are on it themselves, by where the study lists them."""
    origin_ids: frozenset[str]
    """The same by the ids of the origins."""
    stamp: Stamp
    """What the files looked like when they were read."""

    @property
    def digest(self) -> str:
        """Digest of the list as it stands, with the names that its players have."""
        return sha256(repr([self.opt_outs.digest, sorted(self.person_ids), self.finder.names]).encode()).hexdigest()[
            :12
        ]

    @property
    def names_players(self) -> bool:
        """Whether there are players on it."""
        return bool(self.opt_outs.players)

    def forbids(
        self,
        entry: SourceEntry,
        facts: Facts | None,
        *,
        platform: str = "",
        native_id: str = "",
        certainly: bool = False,
    ) -> str | None:
        """Say why an entry is not collected, None where nothing forbids it.

        Args:
            entry: The entry; ``person_id`` is who is in it, as far as known.
            facts: What the listing or the look-up told.
            platform: The site's name and
            native_id: its id of the video, once it was looked up.
            certainly: A family name in the title is not enough.
        """
        if self.opt_outs.forbids_link(entry.location, platform=platform, native_id=native_id):
            return WORDS["url"]
        if entry.listed_at.partition(", item ")[0] in self.places or (facts and self.opt_outs.forbids_channel(facts)):
            return WORDS["channel"]
        if entry.person_id in self.person_ids:
            return WORDS["player"]
        is_named = self.finder.is_named((facts.title if facts else None) or "", certainly=certainly)
        return WORDS["player"] if is_named else None


def read_opt_out_list(study: Study) -> OptOutList:
    """Read the study's list; a player is named by row id, by name or by alias, and all of theirs count.

    Raises ``ConfigError`` for a list that can't be understood, and for one that the study names and does not have.
    """
    path = _list_file(study)
    if not path.exists() and study.config.collect.opt_outs != CollectConfig().opt_outs:
        raise ConfigError(f"collect.opt_outs: no such file: {study.config.collect.opt_outs}")
    stamp = _stamp(study)
    opt_outs = read_opt_outs(path)
    people = players_of(study) if opt_outs.players else []
    wanted = _spellings(opt_outs.players)
    listed = [
        person
        for person in people
        if person.person_id in opt_outs.players or not wanted.isdisjoint(_spellings((person.name, *person.aliases)))
    ]
    ids = {person.person_id for person in listed}
    known = _spellings(name for person in listed for name in (person.name, *person.aliases))
    strangers = [value for value in opt_outs.players if value not in ids and known.isdisjoint(_spellings([value]))]
    _check_strangers(strangers, opt_outs, path)
    origins = read_origins(study.config.sources, pseudonym_key=study.key) if opt_outs.channels else []
    forbidden = [origin for origin in origins if opt_outs.forbids_place(origin.location)]
    return OptOutList(
        opt_outs=opt_outs,
        person_ids=frozenset(ids),
        finder=NameFinder([(p.name, p.aliases) for p in listed] + [(value, ()) for value in strangers]),
        places=frozenset(origin.listed_at for origin in forbidden),
        origin_ids=frozenset(origin.origin_id for origin in forbidden),
        stamp=stamp,
    )


def renewed(study: Study, known: OptOutList) -> OptOutList:
    """Return the list as it is now: a run takes hours, and somebody may be put on the list meanwhile."""
    return known if _stamp(study) == known.stamp else read_opt_out_list(study)


def sources_of_opted_out_places(study: Study, opt_outs: OptOutList) -> set[str]:
    """Return the sources that were ever listed by a ``[[sources]]`` table that is on the list itself."""
    if not opt_outs.origin_ids:
        return set()
    rows = study.store.read(LISTINGS).select(["origin_id", "source_id"]).to_pylist()
    return {row["source_id"] for row in rows if row["origin_id"] in opt_outs.origin_ids}


def _list_file(study: Study) -> Path:
    return study.layout.root / study.config.collect.opt_outs


def _stamp(study: Study) -> Stamp:
    found = []
    for path in (_list_file(study), study.layout.root / study.config.study.players):
        try:
            state = path.stat()
            found.append((state.st_mtime_ns, state.st_size))
        except OSError:
            found.append((0, 0))
    return tuple(found)


def _spellings(names: Iterable[str]) -> set[tuple[str, ...]]:
    """Return every spelling of the names, without accents and case, whatever the order of their words."""
    from collectors.catalogue.spelling import name_spellings

    return {tuple(sorted(words)) for name in names for words in name_spellings(name)}


def _check_strangers(strangers: list[str], opt_outs: OptOuts, path: Path) -> None:
    """Refuse what looks like a row id and is none: nobody's name has a digit."""
    for value in strangers:
        if any(c.isdigit() for c in value):
            raise ConfigError(
                f"{path.name}, line {opt_outs.players[value]}: no row of the players file has this person_id; "
                "correct it, or write the player's name"
            )
