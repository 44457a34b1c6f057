"""Who is in the study's videos and how their matches ended: the part *identities*, review.csv, changes of subject."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from collectors.catalogue.config import WORD_FILES, MatchesConfig, matching_files
from flows._leases import waited_lease
from flows._listing import known_entries
from flows._outcome import Outcome, record_run
from flows._stages import Part, identities_part
from flows._study import Study, players_of
from releases.inputs import MatchOutcome
from schema.arrow import IDENTITIES, LISTINGS, SOURCES, SUBJECT_CHANGES
from schema.errors import ConfigError
from schema.privacy import make_subject_id
from schema.rows import Row, table_of
from schema.tables import STUDY_KEY, digest_of

if TYPE_CHECKING:
    from collectors.catalogue.identify import Answer, Identity
    from collectors.catalogue.people import Person
    from collectors.catalogue.titles import Occasion

REVIEW_FILE = "review.csv"
"""Below private/: what the matcher asks, and what people answered."""


def read_players(study: Study) -> "list[Person]":
    """Read the study's players; raises ``ConfigError`` for a file that can't be understood."""
    return players_of(study)


def identify(study: Study) -> Outcome:
    """Say who is in each video and how their match ended, ask what is not sure, and record changes of subject.

    Does nothing where the part is current, but for questions that somebody deleted. Raises ``ConfigError`` for a
    players file, results table or review.csv that can't be understood.
    """
    return _identified(study)[0]


def identified_people(study: Study) -> tuple[Outcome, dict[str, str]]:
    """Do what ``identify`` does, and return what ``declared_people`` does, looking at everything once."""
    outcome, part = _identified(study)
    return outcome, _people(study.store.read_part(part.spec, part.key, part.digest).to_pylist())


def _identified(study: Study) -> tuple[Outcome, Part]:
    outcome = Outcome(stage="identify")
    started_ns = time.time_ns()
    with waited_lease(study.layout, "identify", STUDY_KEY):
        part = current_part(study)
        if study.store.has_part(part.spec, part.key, part.digest):
            return outcome, part
        rows, waiting = _make(study)
        facts = {"document": json.dumps(part.document, sort_keys=True)}
        study.store.write_part(part.spec, part.key, part.digest, table_of(IDENTITIES, rows), facts=facts)
        _record_changes(study, rows)
        outcome.done, outcome.rows = 1, len(rows)
        if waiting:
            outcome.notes.append(f"{waiting} videos wait for an answer in private/{REVIEW_FILE}")
        record_run(study, outcome, key=STUDY_KEY, started_ns=started_ns)
    return outcome, part


def identity_rows(study: Study) -> list[Row]:
    """Return the rows of *identities* as they are today: read, or worked out where the part is not current."""
    part = current_part(study)
    if study.store.has_part(part.spec, part.key, part.digest):
        rows: list[Row] = study.store.read_part(part.spec, part.key, part.digest).to_pylist()
        return rows
    return [_row(identity) for identity in _identities(study)]


def declared_people(study: Study) -> dict[str, str]:
    """Return the person of each video, by row id: the study's word, else a person's answer, else the matcher's.

    A video of which nobody knows, or in which there are two people, is not in it.
    """
    return _people(identity_rows(study))


def _people(rows: list[Row]) -> dict[str, str]:
    return {row["video_id"]: row["person_id"] for row in rows if row["person_id"]}


def match_outcomes(study: Study) -> dict[str, MatchOutcome]:
    """Return how the match of each video's player ended, where it is known."""
    return {
        row["video_id"]: MatchOutcome(outcome=row["match_outcome"], licence=row["licence"] or "")
        for row in identity_rows(study)
        if row["match_outcome"]
    }


def current_part(study: Study) -> Part:
    """Return the study's part *identities* as it should be today."""
    listed = {person.person_id for person in read_players(study)}
    inputs = {
        "sources": study.store.recorded_digest(SOURCES),
        "listings": study.store.recorded_digest(LISTINGS),
        "declared": digest_of(_declared(study, listed)),
        "words": digest_of([_digest(path) for path in WORD_FILES]),
        "players": _digest(study.layout.root / study.config.study.players),
        "matches": digest_of([_table_document(study, *numbered) for numbered in enumerate(study.config.matches)]),
        "answers": digest_of({video_id: asdict(answer) for video_id, answer in _answers(study, listed).items()}),
    }
    return identities_part(study, inputs=inputs)


def _table_document(study: Study, number: int, table: MatchesConfig) -> dict[str, object]:
    files = matching_files(table, study_folder=study.layout.root, where=f"matches[{number}].path")
    return asdict(table) | {"files": {path.name: _digest(path) for path in files}}


def _digest(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _review_file(study: Study) -> Path:
    return study.layout.private / REVIEW_FILE


def _answers(study: Study, listed: set[str]) -> "dict[str, Answer]":
    if not _review_file(study).exists():
        return {}
    from collectors.catalogue.review import read_answers

    return read_answers(_review_file(study), person_ids=listed)


def _declared(study: Study, listed: set[str]) -> dict[str, str]:
    """Return the person that the study declares for each video: today's source list, then what was recorded.

    A video that two sources give to two people has none: nobody is guessed.
    """
    today = {entry.source_id: entry.person_id for entry in known_entries(study)}
    people: dict[str, set[str]] = {}
    for row in study.store.read(SOURCES).select(["source_id", "video_id", "person_id"]).to_pylist():
        person = today.get(row["source_id"], row["person_id"])
        if person:
            people.setdefault(row["video_id"], set()).add(person)
    strangers = sorted({person for found in people.values() for person in found} - listed)
    if strangers:
        raise ConfigError(
            f"sources: person {strangers[0]!r} is no person_id of {study.config.study.players}; add a row or correct it"
        )
    return {video_id: next(iter(found)) for video_id, found in sorted(people.items()) if len(found) == 1}


def _identities(study: Study) -> "Iterator[Identity]":
    from collectors.catalogue.identify import Catalogue, Described, identify_videos

    config = study.config.identify
    people = read_players(study)
    listed = {person.person_id for person in people}
    catalogue = Catalogue.read(people, study.config.matches, study_folder=study.layout.root, config=config)
    declared, answers = _declared(study, listed), _answers(study, listed)
    videos = [
        Described(
            video_id=video_id,
            occasion=_occasion(row),
            declared_id=declared.get(video_id),
            answer=answers.get(video_id),
        )
        for video_id, row in sorted(_described(study).items())
    ]
    yield from identify_videos(videos, catalogue=catalogue, config=config)


def _occasion(row: Row) -> "Occasion":
    from collectors.catalogue.titles import Occasion

    return Occasion(
        title=row["title"] or "",
        description=row["description"] or "",
        channel=row["channel"] or "",
        uploaded_on=date.fromisoformat(row["uploaded_on"]) if row["uploaded_on"] else None,
    )


def _described(study: Study) -> dict[str, Row]:
    """Return what the newest source with a title says of each video; a title that was edited since counts."""
    edited = {
        row["source_id"]: row["title"]
        for row in study.store.read(LISTINGS).select(["source_id", "event", "title"]).to_pylist()
        if row["event"] == "edited" and row["title"]
    }
    found: dict[str, Row] = {}
    for row in study.store.read(SOURCES).to_pylist():
        told = row | {"title": edited.get(row["source_id"], row["title"])}
        if told["title"] or row["video_id"] not in found:
            found[row["video_id"]] = told
    return found


def _row(identity: "Identity") -> Row:
    row = asdict(identity) | {"licence": identity.licence or None}
    return {name: row[name] for name in IDENTITIES.schema.names}


def _make(study: Study) -> tuple[list[Row], int]:
    """Work out every row and bring review.csv up to date; return the rows and how many questions wait."""
    from collectors.catalogue.review import Question, write_questions

    names = {person.person_id: person.name for person in read_players(study)}
    told = _described(study)
    rows: list[Row] = []
    questions: list[Question] = []
    for identity in _identities(study):
        rows.append(_row(identity))
        if identity.needs_review:
            source = told[identity.video_id]
            suggested = identity.person_id or identity.suggested_id or ""
            questions.append(
                Question(
                    video_id=identity.video_id,
                    title=source["title"] or "",
                    channel=source["channel"] or "",
                    uploaded_on=source["uploaded_on"] or "",
                    why=identity.evidence,
                    suggested_person_id=suggested,
                    suggested_name=names.get(suggested, ""),
                )
            )
    return rows, write_questions(_review_file(study), questions)


def _record_changes(study: Study, rows: list[Row]) -> None:
    """Note every video whose subject is another one than when it was last noted."""
    noted = {row["video_id"]: row["subject_after"] for row in study.store.read(SUBJECT_CHANGES).to_pylist()}
    changed_ns = time.time_ns()
    changes: list[Row] = []
    for row in rows:
        before = noted.get(row["video_id"])
        after = make_subject_id(study.key, row["person_id"]) if row["person_id"] else None
        if before != after:
            changes.append(
                {
                    "video_id": row["video_id"],
                    "subject_before": before,
                    "subject_after": after,
                    "decided_by": row["decided_by"] or "matcher",
                    "changed_ns": changed_ns,
                }
            )
    study.store.append(SUBJECT_CHANGES, table_of(SUBJECT_CHANGES, changes))
