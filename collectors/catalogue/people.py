"""The people of a study: its players file in either layout, and who else its results name."""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from collectors.catalogue.spelling import fold, name_spellings, name_words
from collectors.catalogue.vocabulary import words_named
from schema.errors import ConfigError

OWN_COLUMNS = {"person_id", "name"}
SACKMANN_COLUMNS = {"player_id", "name_first", "name_last"}
PARTICLES = words_named("particles")
"""Words that belong to the family name after them."""
_SEXES = {"": "", "m": "m", "male": "m", "man": "m", "f": "f", "female": "f", "w": "f", "woman": "f"}
FAMILY_FIRST = frozenset({"CHN", "KOR", "PRK", "TPE", "HKG", "VIE"})
"""Countries, by the codes of sport, whose people write the family name first: either word may be it in a table."""
Words = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A row of the players file, or somebody whom only the results name."""

    person_id: str
    """Row id in the players file; empty for somebody whom only the results name."""
    name: str
    aliases: tuple[str, ...] = ()
    family_name: str = ""
    """Where the file tells it; else it is worked out from the name."""
    sex: str = ""
    """``m``, ``f`` or empty."""
    country: str = ""
    birth_year: int | None = None
    table_id: str = ""
    """Id in results tables of Sackmann's layout."""


@dataclass(frozen=True, slots=True)
class NameForm:
    """One way to write a person's name: folded given and family words."""

    given: Words
    family: Words
    alias: bool = False
    """A single word that the study says means this person."""
    whole: bool = False
    """The family words say nothing alone: they may be given names."""


def read_players(path: Path) -> list[Person]:
    """Read the players file; one that does not exist names nobody.

    Its columns are ``person_id,name`` and, where wanted, ``aliases`` (separated by ``;``), ``sex``, ``country`` and
    ``birth_year``; or those of Sackmann's players files. Raises ``ConfigError`` naming the file and line: a missing
    column, an empty or repeated id, an empty name, a birth year that is none.
    """
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = set(reader.fieldnames or ())
            if columns >= SACKMANN_COLUMNS:
                people = [_sackmann_person(row) for row in reader]
            elif columns >= OWN_COLUMNS:
                people = [_own_person(row, where=f"{path}, line {reader.line_num}") for row in reader]
            else:
                raise ConfigError(
                    f"{path}: needs the columns person_id and name, got {', '.join(reader.fieldnames or ('nothing',))}"
                )
    except OSError as error:
        raise ConfigError(f"{path}: the players file can't be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path}: the players file can't be read as CSV in UTF-8: {error}") from error
    seen: set[str] = set()
    for person in people:
        if person.person_id in seen:
            raise ConfigError(f"{path}: person_id {person.person_id!r} is given twice")
        seen.add(person.person_id)
    return [person for person in people if person.name]


def _own_person(row: dict[str, str | None], *, where: str) -> Person:
    cell = {name: (value or "").strip() for name, value in row.items() if name and not isinstance(value, list)}
    if not cell["person_id"]:
        raise ConfigError(f"{where}: the person_id is empty; give each person an id that never changes")
    if not cell["name"]:
        raise ConfigError(f"{where}: the name is empty")
    sex = cell.get("sex", "").casefold()
    if sex not in _SEXES:
        raise ConfigError(f"{where}: sex {cell['sex']!r} must be m, f or empty")
    year = cell.get("birth_year", "")
    if year and not re.fullmatch(r"(19|20)\d\d", year):
        raise ConfigError(f"{where}: birth_year {year!r} must be a year such as 1998, or empty")
    return Person(
        person_id=cell["person_id"],
        name=cell["name"],
        aliases=tuple(alias.strip() for alias in cell.get("aliases", "").split(";") if alias.strip()),
        sex=_SEXES[sex],
        country=cell.get("country", ""),
        birth_year=int(year) if year else None,
    )


def _sackmann_person(row: dict[str, str | None]) -> Person:
    cell = {name: (value or "").strip() for name, value in row.items() if name and not isinstance(value, list)}
    born = cell.get("dob", "")[:4]
    return Person(
        person_id=cell["player_id"],
        name=f"{cell['name_first']} {cell['name_last']}".strip(),
        family_name=cell["name_last"],
        country=cell.get("ioc", ""),
        birth_year=int(born) if re.fullmatch(r"(19|20)\d\d", born) and born != "1900" else None,
        table_id=cell["player_id"],
    )


def name_forms(person: Person) -> Iterator[NameForm]:
    """Yield the ways to part a person's names into given and family words."""
    for name, is_alias in ((person.name, False), *((alias, True) for alias in person.aliases)):
        for words in name_spellings(name):
            if len(words) == 1:
                yield NameForm((), words, alias=is_alias)
            else:
                family = () if is_alias else _folded(person.family_name)
                yield from _parted(
                    words, known_family=family, family_first=not family and person.country in FAMILY_FIRST
                )


def _folded(name: str) -> Words:
    return tuple(fold(word) for word in name_words(name))


def _parted(words: Words, *, known_family: Words, family_first: bool) -> Iterator[NameForm]:
    count = len(words)
    if known_family and len(known_family) < count and len(words[-len(known_family) :]) == len(known_family):
        cuts = {count - len(known_family)}
        given, family = words[: count - len(known_family)], words[count - len(known_family) :]
        if len(family) > 1 and family[0] not in PARTICLES:
            yield NameForm(given, family[:1])  # Alejandro Davidovich, of Alejandro Davidovich Fokina
    else:
        last = count - 1
        while last > 1 and words[last - 1] in PARTICLES:
            last -= 1
        cuts = {last}
        if count > 2 and last > 1:
            cuts.add(last - 1)  # Roberto Bautista Agut: two family names
    for cut in cuts:
        yield NameForm(words[:cut], words[cut:])
    if any(len(words) - cut > 1 for cut in cuts):
        joined = "".join(words[min(cuts) :])
        yield NameForm(words[: min(cuts)], (joined,))  # deMinaur
    if count == 2:
        yield NameForm(
            words[1:], words[:1], whole=not family_first
        )  # Zheng Qinwen as Qinwen Zheng: either may be the family name


@dataclass(slots=True)
class People:
    """Everybody who can be meant, found by the words of their names."""

    persons: list[Person] = field(default_factory=list)
    by_family: dict[Words, list[tuple[int, NameForm]]] = field(default_factory=dict)
    """By family words: the person's index and the form that has them."""
    by_name: dict[Words, list[int]] = field(default_factory=dict)
    """By all words of a name, sorted: results write "Zheng Qinwen" and "Qinwen Zheng"."""
    longest_family: int = 1

    @classmethod
    def of(cls, persons: Iterable[Person]) -> "People":
        """Index the people."""
        people = cls()
        for person in persons:
            people.add(person)
        return people

    def add(self, person: Person) -> int:
        """Index one more person and return their index."""
        index = len(self.persons)
        self.persons.append(person)
        for form in dict.fromkeys(name_forms(person)):
            self.by_family.setdefault(form.family, []).append((index, form))
            self.longest_family = max(self.longest_family, len(form.family))
        for name in (person.name, *person.aliases):
            for words in name_spellings(name):
                known = self.by_name.setdefault(tuple(sorted(words)), [])
                if index not in known:
                    known.append(index)
        return index

    def named(self, name: str) -> list[int]:
        """Return the indexes of the people of exactly that name, in any spelling and order."""
        found: dict[int, None] = {}
        for words in islice(name_spellings(name), 64):
            found.update(dict.fromkeys(self.by_name.get(tuple(sorted(words)), ())))
        return list(found)
