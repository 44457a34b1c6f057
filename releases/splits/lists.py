"""Splits that somebody fixed before: a study's own list, and iMiGUE's published protocols."""

import csv
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from releases.splits.config import SPLITS
from schema.errors import ConfigError

IMIGUE_CROSS_SUBJECT = "imigue-cross-subject"
"""What ``release.splits.lists`` says to mean iMiGUE's own split of its 72 subjects."""
COLUMNS = ("person_id", "split")
_PROTOCOLS = Path(__file__).with_name("imigue.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPerson:
    """One line of a study's list."""

    person_id: str
    """As in players.csv, or a person's name or number in an imported data set."""
    split: str
    line: int
    """Line of the file, from 1: messages name it, and not the person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmotionProtocol:
    """iMiGUE's split for telling won from lost matches: by video, and subjects may be in both."""

    train_videos: tuple[int, ...]
    """Numbers of iMiGUE's videos."""
    test_videos: tuple[int, ...]


def read_split_list(path: Path) -> list[ListedPerson]:
    """Read a list of people and their splits: CSV in UTF-8 with the columns ``person_id`` and ``split``.

    Raises ``ConfigError`` naming the line: a file that can't be read, a missing column, an empty or repeated person,
    an unknown split.
    """
    where = "release.splits.lists"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if lacking:
                raise ConfigError(f"{where}: line 1: the column {lacking[0]} is missing ({','.join(COLUMNS)})")
            rows = [(reader.line_num, row) for row in reader]
    except OSError as error:
        raise ConfigError(f"{where}: the file can't be read: {error.strerror}; correct its path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{where}: the file can't be read as CSV in UTF-8: {error}") from error
    people: dict[str, ListedPerson] = {}
    for line, row in rows:
        person = _listed(row, line=line, where=f"{where}: line {line}")
        if person.person_id in people:
            raise ConfigError(
                f"{where}: line {line} lists the person of line {people[person.person_id].line} again; keep one of them"
            )
        people[person.person_id] = person
    return list(people.values())


def _listed(row: dict[str, str | None], *, line: int, where: str) -> ListedPerson:
    person_id, split = ((row[name] or "").strip() for name in COLUMNS)
    if not person_id:
        raise ConfigError(f"{where}: the person_id is empty")
    if split not in SPLITS:
        raise ConfigError(f"{where}: split {split!r} is none of {', '.join(SPLITS)}")
    return ListedPerson(person_id=person_id, split=split, line=line)


def imigue_cross_subject() -> dict[int, str]:
    """Return the split of iMiGUE's subjects 1 to 72: 37 in train, 35 in test (source: ``imigue.toml``)."""
    published = _protocols()["cross_subject"]
    return {number: split for split in ("train", "test") for number in published[split]}


def imigue_emotion_protocol() -> EmotionProtocol:
    """Return the videos that iMiGUE trains and tests emotion on: 102 and 100 (source: ``imigue.toml``)."""
    published = _protocols()["emotion"]
    return EmotionProtocol(train_videos=tuple(published["train"]), test_videos=tuple(published["test"]))


@lru_cache(maxsize=1)
def _protocols() -> dict[str, Any]:
    return tomllib.loads(_PROTOCOLS.read_text(encoding="utf-8"))
