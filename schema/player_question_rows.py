"""Rows of *player_questions* and *player_answers*, and back: one row for each box that was shown."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import pyarrow as pa

from schema.arrow import PLAYER_ANSWERS, PLAYER_QUESTIONS
from schema.people import PersonAnchor
from schema.player_questions import PersonShown, PlayerQuestion, PlayerVote
from schema.records import VideoId
from schema.rows import BOX_COLUMNS, Row, table_of

PLAYER, OTHER, UNSURE = "player", "other", "unsure"


def player_questions_to_rows(questions: Iterable[PlayerQuestion]) -> pa.Table:
    """Turn questions into rows of *player_questions*."""
    return table_of(PLAYER_QUESTIONS, (row for question in questions for row in _question_rows(question)))


def _question_rows(question: PlayerQuestion) -> Iterator[Row]:
    told = {
        "question_id": question.question_id,
        "video_id": question.video_id,
        "sha256": question.sha256,
        "question": question.question,
        "reason": question.reason,
        "server_id": question.server_id,
        "project_number": question.project_number,
        "task_number": question.task_number,
    }
    for person, shown in _shown_rows(question.people):
        yield told | {"letter": person.letter} | shown


def _shown_rows(people: Sequence[PersonShown]) -> Iterator[tuple[PersonShown, Row]]:
    for person in people:
        for anchor in person.anchors:
            box = dict(zip(BOX_COLUMNS, anchor.box_xyxy, strict=True))
            yield person, {"time_ns": anchor.time_ns, **box}


def player_questions_from_rows(table: pa.Table) -> list[PlayerQuestion]:
    """Read questions back, in the order they were recorded."""
    return [_question(rows) for rows in _runs(table, "question_id", "server_id", "task_number")]


def _runs(table: pa.Table, *keys: str) -> Iterator[list[Row]]:
    """Group rows of one thing: they were recorded together, one after the other."""
    for _, rows in groupby(table.to_pylist(), key=lambda row: [row[key] for key in keys]):
        yield list(rows)


def _question(rows: list[Row]) -> PlayerQuestion:
    first = rows[0]
    return PlayerQuestion(
        question_id=first["question_id"],
        video_id=VideoId(first["video_id"]),
        sha256=first["sha256"],
        people=_people(rows),
        question=first["question"],
        reason=first["reason"],
        server_id=first["server_id"],
        project_number=first["project_number"],
        task_number=first["task_number"],
    )


def _people(rows: list[Row]) -> tuple[PersonShown, ...]:
    return tuple(
        PersonShown(letter=letter, anchors=tuple(map(_anchor, shown)))
        for letter, shown in groupby(rows, key=lambda row: str(row["letter"]))
    )


def _anchor(row: Row) -> PersonAnchor:
    x1, y1, x2, y2 = (row[name] for name in BOX_COLUMNS)
    return PersonAnchor(time_ns=row["time_ns"], box_xyxy=(x1, y1, x2, y2))


def player_votes_to_rows(votes: Iterable[PlayerVote]) -> pa.Table:
    """Turn reviewers' answers into rows of *player_answers*."""
    return table_of(PLAYER_ANSWERS, (row for vote in votes for row in _vote_rows(vote)))


def _vote_rows(vote: PlayerVote) -> Iterator[Row]:
    told = {
        "answer_id": vote.vote_id,
        "question_id": vote.question_id,
        "video_id": vote.video_id,
        "sha256": vote.sha256,
        "annotator_id": vote.annotator_id,
        "scripted": vote.scripted,
        "answered_ns": vote.answered_ns,
        "lead_time_ns": vote.lead_time_ns,
    }
    for person, shown in _shown_rows(vote.people):
        yield told | {"letter": person.letter, "answer": _answer(vote, person)} | shown


def _answer(vote: PlayerVote, person: PersonShown) -> str:
    if vote.chosen is None:
        return UNSURE
    return PLAYER if person.letter in vote.chosen else OTHER


def player_votes_from_rows(table: pa.Table) -> list[PlayerVote]:
    """Read reviewers' answers back, in the order they were recorded."""
    return [_vote(rows) for rows in _runs(table, "answer_id")]


def _vote(rows: list[Row]) -> PlayerVote:
    first = rows[0]
    unsure = first["answer"] == UNSURE
    return PlayerVote(
        vote_id=first["answer_id"],
        question_id=first["question_id"],
        video_id=VideoId(first["video_id"]),
        sha256=first["sha256"],
        people=_people(rows),
        chosen=None if unsure else frozenset(row["letter"] for row in rows if row["answer"] == PLAYER),
        annotator_id=first["annotator_id"],
        scripted=first["scripted"],
        answered_ns=first["answered_ns"],
        lead_time_ns=first["lead_time_ns"],
    )
