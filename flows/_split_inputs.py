"""What the splits of a release go by: lists of people, matches, copies, events, and what is declared of the people."""

from collections import defaultdict
from collections.abc import Iterable

from flows._identity import identity_rows, read_players
from flows._study import Study
from flows._withdrawals import COPY
from releases.inputs import SubjectAttributes
from releases.splits.lists import IMIGUE_CROSS_SUBJECT, imigue_cross_subject, read_split_list
from schema.arrow import DUPLICATES, IMPORTED_SOURCES, IMPORTED_VIDEOS, IMPORTS
from schema.errors import ConfigError
from schema.privacy import make_match_id, make_subject_id
from schema.rows import Row
from schema.tables import STUDY_KEY

_IMIGUE = ("miga", "imigue")
"""A format, or part of a data set's name, that says: its subjects bear iMiGUE's numbers."""


def fixed_splits(study: Study) -> dict[str, str]:
    """Return the splits that the study file gives people, by subject id.

    People are named as in players.csv or, if they come from an imported data set, as there; where several data sets
    have a person of that name, as ``ORIGIN:NAME``. With ``leave_out`` everybody else is in train.

    Raises ``ConfigError`` for a list that can't be understood or names somebody who is not in the study, by its line.
    """
    config = study.config.release.splits
    if config.leave_out:
        return _leave_out(study, config.leave_out)
    if config.lists == IMIGUE_CROSS_SUBJECT:
        return _imigue(study)
    if not config.lists:
        return {}
    subjects = _subjects_by_name(study)
    listed = read_split_list(study.layout.root / config.lists)
    found = {
        _only_subject(subjects.get(person.person_id, set()), f"release.splits.lists: line {person.line}"): person.split
        for person in listed
    }
    if len(found) < len(listed):
        raise ConfigError("release.splits.lists: one person is listed under two names; keep one of the lines")
    return found


def _leave_out(study: Study, names: Iterable[str]) -> dict[str, str]:
    subjects = _subjects_by_name(study)
    splits = {subject: "train" for found in subjects.values() for subject in sorted(found)}
    for number, name in enumerate(names):
        splits[_only_subject(subjects.get(name, set()), f"release.splits.leave_out[{number}]")] = "test"
    return splits


def _only_subject(found: set[str], where: str) -> str:
    if not found:
        raise ConfigError(f"{where}: no person of players.csv or of an imported data set is called so; correct the id")
    if len(found) > 1:
        raise ConfigError(f"{where}: several imported data sets have a person of this id; write ORIGIN:ID")
    return min(found)


def _subjects_by_name(study: Study) -> dict[str, set[str]]:
    """Return whom a list can mean by each name; the people of players.csv go before those of imported data sets."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in _imported_people(study):
        found[row["native_subject"]].add(row["subject_id"])
        found[f"{row['origin']}:{row['native_subject']}"].add(row["subject_id"])
    return dict(found) | {p.person_id: {make_subject_id(study.key, p.person_id)} for p in read_players(study)}


def _imported_people(study: Study) -> list[Row]:
    """List the known people of the data sets as they were imported last: native_subject, subject_id, origin, format."""
    newest = {row["origin"]: row for row in study.store.read(IMPORTS).to_pylist()}
    imports = {row["import_id"]: row for row in newest.values()}
    columns = ["import_id", "video_id", "subject_id"]
    subject_of = {
        (row["import_id"], row["video_id"]): row["subject_id"]
        for row in study.store.read(IMPORTED_VIDEOS).select(columns).to_pylist()
    }
    people = []
    for row in study.store.read(IMPORTED_SOURCES).to_pylist():
        subject = subject_of.get((row["import_id"], row["video_id"]))
        if row["import_id"] in imports and row["native_subject"] and subject:
            facts = imports[row["import_id"]]
            people.append(
                {
                    "native_subject": row["native_subject"],
                    "subject_id": subject,
                    "origin": facts["origin"],
                    "format": facts["format"],
                }
            )
    return people


def _imigue(study: Study) -> dict[str, str]:
    """Return iMiGUE's own split of those whose ids are its numbers: of players.csv, or of an import of iMiGUE."""
    published = imigue_cross_subject()
    named: dict[str, str] = {make_subject_id(study.key, p.person_id): p.person_id for p in read_players(study)}
    for row in _imported_people(study):
        if row["format"] == _IMIGUE[0] or any(word in row["origin"].casefold() for word in _IMIGUE):
            named[row["subject_id"]] = row["native_subject"]
    numbers = {subject: int(name) for subject, name in named.items() if name.isascii() and name.isdecimal()}
    found = {subject: published[number] for subject, number in numbers.items() if number in published}
    if not found:
        raise ConfigError(
            f"release.splits.lists: {IMIGUE_CROSS_SUBJECT} is for people with the ids 1 to 72, in players.csv or in an "
            "import of iMiGUE, and there is nobody with such an id"
        )
    return found


def matches_of(study: Study) -> dict[str, str]:
    """Return the match before each press conference, by video id, as a keyed hash; unknown ones are not in it."""
    return {
        row["video_id"]: make_match_id(study.key, row["match_row"])
        for row in identity_rows(study)
        if row["match_row"] is not None
    }


def copies_and_events(study: Study) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the pairs of videos that are copies, the poorer one first, and those that show one event.

    As they were last compared; each list is sorted.
    """
    names = [name for name in study.store.parts(DUPLICATES) if name.key == STUDY_KEY]
    rows = [row for name in names for row in study.store.read_part(DUPLICATES, name.key, name.digest).to_pylist()]
    copies = {(row["video_id"], row["kept_video_id"]) for row in rows if row["link"] == COPY}
    events = {(row["video_id"], row["kept_video_id"]) for row in rows if row["link"] != COPY}
    return sorted(copies), sorted(events)


def subject_attributes(study: Study) -> dict[str, SubjectAttributes]:
    """Return what players.csv declares of each person, by subject id."""
    return {
        make_subject_id(study.key, person.person_id): SubjectAttributes(sex=person.sex, birth_year=person.birth_year)
        for person in read_players(study)
    }
