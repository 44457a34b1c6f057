"""The fields of an annotation as Label Studio's API gives them, each read with care: a form may hold anything."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar

from schema.errors import DropReason, ItemError
from schema.privacy import ID_HEX_DIGITS
from schema.timespan import NS_PER_SECOND

MAX_INT64 = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Asked = TypeVar("Asked")


def make_annotation_id(server_id: str, annotation_number: int, answered_ns: int) -> str:
    """Name one revision of one annotation: an edited answer gets another id, an answer pulled twice does not."""
    message = f"{server_id}\n{annotation_number}\n{answered_ns}"
    return "a" + sha256(message.encode()).hexdigest()[:ID_HEX_DIGITS]


def invalid_answer(detail: str) -> ItemError:
    """Make the error of an answer that the page can't have sent."""
    return ItemError(DropReason.INVALID_ANSWER, detail)


def is_whole_number(value: object) -> bool:
    """Tell whether a value of JSON is a whole number; JSON's true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def asked_of(row: Mapping[str, Any], asked: Mapping[int, Asked]) -> Asked:
    """Return what an annotation answers, by its task's number; raises ``ItemError`` for anything but an answer."""
    if not is_whole_number(row.get("id")) or not 0 <= row["id"] <= MAX_INT64:
        raise invalid_answer("the annotation has no number")
    question = asked.get(row["task"]) if is_whole_number(row.get("task")) else None
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


def items_of(row: Mapping[str, Any], control: str) -> Iterator[Mapping[str, Any]]:
    """Go through what one control of the page sent; raises ``ItemError`` where there is no list of results."""
    result = row.get("result")
    if not isinstance(result, list):
        raise invalid_answer("the annotation holds no result")
    for item in result:
        if isinstance(item, Mapping) and item.get("from_name") == control:
            yield item


def texts_of(row: Mapping[str, Any], control: str, field: str) -> list[str]:
    """Collect what one control of the page holds: ``choices`` of a choice, ``text`` of a text area.

    Raises ``ItemError`` for a result of another form.
    """
    texts: list[str] = []
    for item in items_of(row, control):
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
    answered_ns = (instant - EPOCH) // timedelta(microseconds=1) * 1000
    if not 0 <= answered_ns <= MAX_INT64:
        raise invalid_answer(f"{text!r} is no time at which anybody could have answered")
    return answered_ns


def lead_time_ns_of(row: Mapping[str, Any]) -> int:
    """Return the time that the person took; 0 where the page tells none, as for answers sent by a script.

    A number that can't be one (negative, or too great for the column) counts as none: the answer itself is good.
    """
    seconds = row.get("lead_time")
    if not isinstance(seconds, int | float) or not 0 <= seconds < MAX_INT64 / NS_PER_SECOND:
        return 0
    return round(seconds * NS_PER_SECOND)
