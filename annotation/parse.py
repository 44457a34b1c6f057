"""Read the answers that people gave on the reviewing page: Label Studio's JSON becomes ``Annotation`` rows."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar

from schema.errors import ConfigError, DropReason, ItemError
from schema.privacy import ID_HEX_DIGITS, make_annotator_id
from schema.records import Annotation, Dropped, ReviewTask, Verdict
from schema.taxonomy import Taxonomy, load_taxonomy
from schema.timespan import NS_PER_SECOND

STAGE = "pull"
MAX_INT64 = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Asked = TypeVar("Asked")


def parse_annotations(
    rows: Iterable[Mapping[str, Any]],
    *,
    tasks: Mapping[int, ReviewTask],
    taxonomy: Taxonomy,
    pseudonym_key: bytes,
    scripted_accounts: frozenset[str],
) -> Iterator[Annotation | Dropped]:
    """Turn annotations of one review server into answers; what the page can't have sent is dropped.

    Args:
        rows: Label Studio's annotations as the API gives them: ``id``, ``task`` (number), ``completed_by`` (here the
            account's e-mail address, not its number), ``created_at``, ``updated_at`` (ISO 8601 with a zone),
            ``lead_time`` (seconds), ``was_cancelled`` and ``result``.
        tasks: The recorded questions of that server by task number.
        taxonomy: The study's taxonomy; a task that was asked in another one is read with that one.
        pseudonym_key: The study's key; accounts leave this function only as keyed hashes.
        scripted_accounts: Accounts that scripts answer with.

    Yields:
        One ``Annotation`` or ``Dropped`` (``INVALID_ANSWER``, ``item_id`` is the annotation's number) a row.

    Raises:
        ConfigError: A task names a taxonomy that pressroom does not ship.
    """
    for row in rows:
        try:
            task = asked_of(row, tasks)
            asked_in = taxonomy if task.taxonomy == taxonomy.name else load_taxonomy(task.taxonomy)
            account = account_of(row)
            verdict, class_id = _judgement_of(row, task, asked_in)
            answered_ns = answered_ns_of(row)
            yield Annotation(
                annotation_id=make_annotation_id(task.server_id, int(row["id"]), answered_ns),
                candidate_id=task.candidate_id,
                anchor=task.anchor,
                taxonomy=task.taxonomy,
                question=task.question,
                proposed_class_id=task.class_id,
                annotator_id=make_annotator_id(pseudonym_key, account),
                scripted=account in scripted_accounts,
                verdict=verdict,
                class_id=class_id,
                comment="\n".join(texts_of(row, "comment", "text")),
                answered_ns=answered_ns,
                lead_time_ns=lead_time_ns_of(row),
            )
        except ItemError as error:
            yield Dropped(stage=STAGE, item_id=str(row.get("id", "?")), reason=error.reason, detail=error.detail)


def make_annotation_id(server_id: str, annotation_number: int, answered_ns: int) -> str:
    """Name one revision of one annotation: an edited answer gets another id, an answer pulled twice does not."""
    message = f"{server_id}\n{annotation_number}\n{answered_ns}"
    return "a" + sha256(message.encode()).hexdigest()[:ID_HEX_DIGITS]


def invalid_answer(detail: str) -> ItemError:
    """Make the error of an answer that the page can't have sent."""
    return ItemError(DropReason.INVALID_ANSWER, detail)


def asked_of(row: Mapping[str, Any], asked: Mapping[int, Asked]) -> Asked:
    """Return what an annotation answers, by its task's number; raises ``ItemError`` for anything but an answer."""
    if not isinstance(row.get("id"), int):
        raise invalid_answer("the annotation has no number")
    question = asked.get(row["task"]) if isinstance(row.get("task"), int) else None
    if question is None:
        raise invalid_answer(f"task {row.get('task')!r} is none that pressroom put on the page")
    if row.get("was_cancelled"):
        raise invalid_answer("the task was skipped")
    return question


def account_of(row: Mapping[str, Any]) -> str:
    """Return the account that answered; raises ``ItemError`` where the server does not tell."""
    account = row.get("completed_by")
    if not isinstance(account, str) or not account:
        raise invalid_answer("the server does not tell who answered")
    return account


def _judgement_of(row: Mapping[str, Any], task: ReviewTask, taxonomy: Taxonomy) -> tuple[Verdict, str | None]:
    """Return the verdict and the class that it gives.

    The class choice counts only with "relabel": a person who opens the list, picks a class and then goes back to
    "accept" has accepted.
    """
    chosen = texts_of(row, "verdict", "choices")
    if len(chosen) != 1:
        raise invalid_answer(f"{len(chosen)} verdicts are chosen, not one")
    try:
        verdict = Verdict(chosen[0])
    except ValueError:
        raise invalid_answer(f"{chosen[0]!r} is no verdict; there are {', '.join(Verdict)}") from None
    if verdict is Verdict.ACCEPT:
        return verdict, task.class_id
    if verdict is not Verdict.RELABEL:
        return verdict, None
    classes = texts_of(row, "gesture", "choices")
    if len(classes) != 1:
        raise invalid_answer(f"relabel with {len(classes)} classes chosen, not one")
    try:
        return verdict, taxonomy.by_id(classes[0]).class_id
    except ConfigError as error:
        raise invalid_answer(str(error)) from error


def texts_of(row: Mapping[str, Any], control: str, field: str) -> list[str]:
    """Collect what one control of the page holds: ``choices`` of a choice, ``text`` of a text area.

    Raises ``ItemError`` for a result of another form.
    """
    result = row.get("result")
    if not isinstance(result, list):
        raise invalid_answer("the annotation holds no result")
    texts: list[str] = []
    for item in result:
        if not isinstance(item, Mapping) or item.get("from_name") != control:
            continue
        value = item.get("value")
        found = value.get(field) if isinstance(value, Mapping) else None
        found = [found] if isinstance(found, str) else found  # a text area sends a list, or a string from the API
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise invalid_answer(f"{control} holds no list of {field}")
        texts += found
    return texts


def answered_ns_of(row: Mapping[str, Any]) -> int:
    """Return when the answer was given or last changed, Unix time in ns; raises ``ItemError`` where there is none."""
    text = row.get("updated_at") or row.get("created_at")
    try:
        instant = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise invalid_answer(f"{text!r} is no time with a zone")
    return (instant - EPOCH) // timedelta(microseconds=1) * 1000


def lead_time_ns_of(row: Mapping[str, Any]) -> int:
    """Return the time that the person took; 0 where the page tells none, as for answers sent by a script.

    A number that can't be one (negative, or too great for the column) counts as none: the answer itself is good.
    """
    seconds = row.get("lead_time")
    if not isinstance(seconds, int | float) or not 0 <= seconds < MAX_INT64 / NS_PER_SECOND:
        return 0
    return round(seconds * NS_PER_SECOND)
