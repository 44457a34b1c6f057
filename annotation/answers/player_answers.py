"""Answers to "which one is the player?": Label Studio's JSON becomes votes, and votes become answers about a file."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from annotation.answers.answer_fields import (
    account_of,
    answered_ns_of,
    asked_of,
    invalid_answer,
    lead_time_ns_of,
    make_annotation_id,
    texts_of,
)
from annotation.answers.parse import STAGE
from annotation.pages.player_page import PLAYER_CONTROL
from annotation.pages.player_questions import NOBODY, UNSURE
from schema.errors import ItemError
from schema.people import PersonAnchor, PlayerAnswer
from schema.player_questions import PlayerQuestion, PlayerVote
from schema.privacy import make_annotator_id
from schema.records import Dropped


def parse_player_votes(
    rows: Iterable[Mapping[str, Any]],
    *,
    questions: Mapping[int, PlayerQuestion],
    pseudonym_key: bytes,
    scripted_accounts: frozenset[str],
) -> Iterator[PlayerVote | Dropped]:
    """Turn annotations of one review server into votes; what says nothing, or two things at once, is dropped.

    Args:
        rows: Label Studio's annotations, as ``annotation.answers.parse.parse_annotations`` takes them.
        questions: The recorded questions of that server by task number.
        pseudonym_key: The study's key; accounts leave this function only as keyed hashes.
        scripted_accounts: Accounts that scripts answer with.

    Yields:
        One ``PlayerVote`` or ``Dropped`` (``INVALID_ANSWER``, ``item_id`` is the annotation's number) a row.
    """
    for row in rows:
        try:
            question = asked_of(row, questions)
            account = account_of(row)
            answered_ns = answered_ns_of(row)
            yield PlayerVote(
                vote_id=make_annotation_id(question.server_id, int(row["id"]), answered_ns),
                question_id=question.question_id,
                video_id=question.video_id,
                sha256=question.sha256,
                people=question.people,
                chosen=_chosen_of(row, question),
                annotator_id=make_annotator_id(pseudonym_key, account),
                scripted=account in scripted_accounts,
                answered_ns=answered_ns,
                lead_time_ns=lead_time_ns_of(row),
            )
        except ItemError as error:
            yield Dropped(stage=STAGE, item_id=str(row.get("id", "?")), reason=error.reason, detail=error.detail)


def _chosen_of(row: Mapping[str, Any], question: PlayerQuestion) -> frozenset[str] | None:
    """Return the chosen letters; none for "nobody shown", None for "unsure"."""
    chosen = set(texts_of(row, PLAYER_CONTROL, "choices"))
    if not chosen:
        raise invalid_answer("nothing is chosen")
    unknown = sorted(chosen - {NOBODY, UNSURE} - {person.letter for person in question.people})
    if unknown:
        raise invalid_answer(f"{unknown[0]!r} is nobody who was shown")
    alone = chosen & {NOBODY, UNSURE}
    if alone and len(chosen) > 1:
        raise invalid_answer(f"{' and '.join(sorted(chosen))} can't be answered together; change the answer")
    return None if UNSURE in chosen else frozenset(chosen - alone)


def answers_from_votes(votes: Iterable[PlayerVote]) -> list[PlayerAnswer]:
    """Return what each reviewer answers about one video file, in order of time; independent of the votes' order.

    Of each reviewer the newest vote on each question counts; once a person has voted on a question, scripts don't;
    "unsure" says nothing. What a reviewer says to several questions about the file is one answer.

    Args:
        votes: Votes on questions about one file.

    Returns:
        One answer a reviewer; ``answer_id`` and time are those of the newest counted vote.
    """
    by_question: defaultdict[str, list[PlayerVote]] = defaultdict(list)
    for vote in sorted(votes, key=lambda vote: (vote.answered_ns, vote.vote_id)):
        by_question[vote.question_id].append(vote)
    by_reviewer: defaultdict[str, list[PlayerVote]] = defaultdict(list)
    for given in by_question.values():
        for vote in _counted(given):
            by_reviewer[vote.annotator_id].append(vote)
    return sorted(map(_answer, by_reviewer.values()), key=lambda answer: (answer.answered_ns, answer.answer_id))


def _counted(votes: Sequence[PlayerVote]) -> list[PlayerVote]:
    """Return the votes on one question that count, of votes in order of time."""
    newest = {vote.annotator_id: vote for vote in votes}.values()
    by_people = [vote for vote in newest if not vote.scripted]
    return [vote for vote in by_people or newest if vote.chosen is not None]


def _answer(votes: Sequence[PlayerVote]) -> PlayerAnswer:
    newest = max(votes, key=lambda vote: (vote.answered_ns, vote.vote_id))
    return PlayerAnswer(
        answer_id=newest.vote_id,
        video_id=newest.video_id,
        sha256=newest.sha256,
        players=tuple(_anchors(votes, are_players=True)),
        others=tuple(_anchors(votes, are_players=False)),
        annotator_id=newest.annotator_id,
        scripted=newest.scripted,
        answered_ns=newest.answered_ns,
    )


def _anchors(votes: Sequence[PlayerVote], *, are_players: bool) -> Iterator[PersonAnchor]:
    for vote in votes:
        for person in vote.people:
            if (person.letter in (vote.chosen or ())) == are_players:
                yield from person.anchors
