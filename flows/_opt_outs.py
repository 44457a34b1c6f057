"""The study's opt-out list, joined to its players: who and what is never collected."""

from dataclasses import dataclass

from collectors.base import SourceEntry
from collectors.facts import Facts
from collectors.opt_outs import OptOuts, plain_words, read_opt_outs
from flows._identity import read_players
from flows._study import Study

WORDS = {
    "url": "its link is on the opt-out list",
    "channel": "its channel is on the opt-out list",
    "player": "its player is on the opt-out list",
}
"""What a `Dropped` says of each kind of opt-out; never which link, channel or player."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutList:
    """The list with the row ids and the names of the players on it."""

    opt_outs: OptOuts
    names: frozenset[str]
    """Names and aliases of the players on the list."""

    @property
    def digest(self) -> str:
        """Digest of the list as it stands."""
        return self.opt_outs.digest

    def forbids(self, entry: SourceEntry, facts: Facts | None) -> str | None:
        """Say why an entry is not collected, None where nothing forbids it."""
        kind = self.opt_outs.forbid(location=entry.location, person_id=entry.person_id, facts=facts, names=self.names)
        return WORDS[kind] if kind else None


def read_opt_out_list(study: Study) -> OptOutList:
    """Read the study's list; a player is named by row id, by name or by alias, and all of theirs count.

    Raises ``ConfigError`` for a list that can't be understood.
    """
    opt_outs = read_opt_outs(study.layout.root / study.config.collect.opt_outs)
    listed = {plain_words(value) for value in opt_outs.players}
    ids, names = set(opt_outs.players), set()
    for person in read_players(study) if listed else ():
        called = {person.name, *person.aliases}
        if person.person_id in opt_outs.players or listed & {plain_words(name) for name in called}:
            ids.add(person.person_id)
            names |= called
    # a value that is no row id is a name, whether or not players.csv has it
    row_ids = {person.person_id for person in read_players(study)} if listed else set()
    names |= opt_outs.players - row_ids
    players = frozenset(ids)
    return OptOutList(
        opt_outs=OptOuts(links=opt_outs.links, channels=opt_outs.channels, players=players), names=frozenset(names)
    )
