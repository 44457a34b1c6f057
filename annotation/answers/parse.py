"""Read the answers that people gave on the pages: Label Studio's JSON becomes ``Annotation`` rows."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import replace
from functools import lru_cache
from typing import Any

from annotation.answers.answer_fields import (
    account_of,
    answered_ns_of,
    asked_of,
    lead_time_ns_of,
    make_annotation_id,
    texts_of,
)
from annotation.answers.claims import contradiction_of
from annotation.answers.revisions import age_key
from annotation.answers.verdicts import judgement_of
from schema.errors import ItemError
from schema.privacy import make_annotator_id
from schema.questions import QuestionKind
from schema.records import Annotation, Dropped, FrameTimes, ReviewTask, VideoId
from schema.taxonomy import Taxonomy, load_taxonomy

STAGE = "pull"
COMMENT_CONTROL = "comment"
DESCRIPTION_CONTROL = "description"
RAW_FIELDS = ("result", "lead_time", "created_at", "updated_at", "updated_by", "parent_prediction")
"""What is kept of an answer as it was given: not the account."""
VIDEOS_IN_MEMORY = 16
"""Frame times that are held at a time: an hour of video takes some megabytes."""


def parse_annotations(
    rows: Iterable[Mapping[str, Any]],
    *,
    tasks: Mapping[int, ReviewTask],
    taxonomy: Taxonomy,
    pseudonym_key: bytes,
    scripted_accounts: frozenset[str],
    frame_times_of: Callable[[VideoId], FrameTimes],
    first_annotators: Mapping[int, str] | None = None,
) -> Iterator[Annotation | Dropped]:
    """Turn annotations of one review server into answers; what the page can't have sent is dropped.

    Args:
        rows: Label Studio's annotations as the API gives them: ``id``, ``task`` (number), ``completed_by`` (here the
            account's e-mail address, not its number), ``created_at``, ``updated_at`` (ISO 8601 with a zone),
            ``lead_time`` (seconds), ``was_cancelled`` and ``result``; ``updated_by``, ``created_username``,
            ``last_created_by`` and ``parent_prediction`` as they are.
        tasks: The recorded questions of that server by task number.
        taxonomy: The study's taxonomy; a task that was asked in another one is read with that one.
        pseudonym_key: The study's key; accounts leave this function only as keyed hashes.
        scripted_accounts: Accounts that scripts answer with.
        frame_times_of: Frame times of a video, asked where a span was moved or drawn. It may raise ``ItemError``
            where the study no longer holds the video.
        first_annotators: ``annotator_id`` under which each ``answer_number`` of that server was recorded first: an
            answer that changed hands since is flagged.

    Yields:
        One ``Annotation`` or ``Dropped`` (``INVALID_ANSWER`` or ``ORPHANED``, ``item_id`` is the annotation's number)
        a row.

    Raises:
        ConfigError: A task names a taxonomy that pressroom does not ship.
    """
    times_of = lru_cache(maxsize=VIDEOS_IN_MEMORY)(frame_times_of)
    for row in rows:
        try:
            task = asked_of(row, tasks)
            account = account_of(row)
            yield _annotation(
                row,
                task,
                taxonomy=taxonomy if task.taxonomy == taxonomy.name else load_taxonomy(task.taxonomy),
                annotator_id=make_annotator_id(pseudonym_key, account),
                scripted=account in scripted_accounts,
                frame_times_of=times_of,
                first_annotators=first_annotators or {},
            )
        except ItemError as error:
            yield Dropped(stage=STAGE, item_id=str(row.get("id", "?")), reason=error.reason, detail=error.detail)


def _annotation(
    row: Mapping[str, Any],
    task: ReviewTask,
    *,
    taxonomy: Taxonomy,
    annotator_id: str,
    scripted: bool,
    frame_times_of: Callable[[VideoId], FrameTimes],
    first_annotators: Mapping[int, str],
) -> Annotation:
    judgement = judgement_of(row, task, taxonomy=taxonomy, frame_times_of=frame_times_of)
    number, answered_ns = int(row["id"]), answered_ns_of(row)
    described = texts_of(row, DESCRIPTION_CONTROL, "text")
    first_annotator_id = first_annotators.get(number)
    return Annotation(
        annotation_id=make_annotation_id(task.server_id, number, answered_ns),
        candidate_id=task.candidate_id,
        anchor=task.anchor,
        taxonomy=task.taxonomy,
        question=task.question,
        proposed_class_id=task.class_id,
        annotator_id=annotator_id,
        scripted=scripted,
        verdict=judgement.verdict,
        class_id=judgement.class_id,
        comment="\n".join(texts_of(row, COMMENT_CONTROL, "text")),
        answered_ns=answered_ns,
        lead_time_ns=lead_time_ns_of(row),
        kind=task.kind,
        about=task.about,
        answered_span=judgement.answered_span,
        marks=judgement.marks,
        description="\n".join(described) if described else None,
        proposer=task.proposer,
        suggestion_shown=_saw_suggestion(row, task),
        page_version=task.page_version,
        answer_number=number,
        flag=contradiction_of(row, annotator_id=annotator_id, first_annotator_id=first_annotator_id),
        raw=raw_of(row),
    )


def _saw_suggestion(row: Mapping[str, Any], task: ReviewTask) -> bool:
    """Tell whether a class or a span was on the page: in an audit, where the answer began as a copy of a prediction."""
    begun_from_prediction = row.get("parent_prediction") is not None
    return task.kind.shows_suggestion or (task.kind is QuestionKind.AUDIT and begun_from_prediction)


def raw_of(row: Mapping[str, Any]) -> str:
    """Keep an answer as the server gave it, in compact JSON, without the account that gave it."""
    kept = {name: row[name] for name in RAW_FIELDS if name in row}
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=False, sort_keys=True)


def missing_answers(
    recorded: Iterable[Annotation], present: Set[int], *, server_id: str, deleted_ns: int
) -> Iterator[Annotation]:
    """Yield the revisions that take back what is no longer on a review server.

    An answer that was taken back and is there again gets a revision that restores it: none is lost because a listing
    was incomplete once.

    Args:
        recorded: All answers of the study, of any server; the order does not matter.
        present: Numbers of all annotations there are now, in every project of that server that the study recorded.
        server_id: The server that was asked; answers of another one are passed over.
        deleted_ns: When it was asked, Unix time in ns.
    """
    newest: dict[int, Annotation] = {}
    for annotation in recorded:
        number = annotation.answer_number
        if number is None or annotation.annotation_id != make_annotation_id(server_id, number, annotation.answered_ns):
            continue
        if number not in newest or age_key(annotation) > age_key(newest[number]):
            newest[number] = annotation
    for number, annotation in sorted(newest.items()):
        is_gone = number not in present
        if is_gone != annotation.deleted:
            revised_ns = max(deleted_ns, annotation.answered_ns + 1)
            revision = make_annotation_id(server_id, number, revised_ns)
            yield replace(annotation, annotation_id=revision, answered_ns=revised_ns, deleted=is_gone)
