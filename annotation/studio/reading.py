"""Answers from the review server, page by page: what is new since the last pull, and what was taken back."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import groupby
from typing import Any, Self

from annotation.studio.connection import as_rows
from annotation.studio.queue import NUMBERS_AT_ONCE, parts, where
from annotation.studio.scores import TaskOrder
from schema.timespan import NS_PER_SECOND

MARGIN = timedelta(minutes=2)
"""A pull reads again what was touched this long before the one before began: an answer carries the time at which the
server began to save it, and appears when that is done, 60 s later at most (the time that one request may take)."""
ANSWER_FIELDS = (
    "id,result,completed_by,updated_by,created_at,updated_at,draft_created_at,lead_time,was_cancelled,ground_truth,"
    "parent_prediction,parent_annotation,last_action,last_created_by,created_username,import_id"
)
"""What is read of an answer. The same names choose the fields of the task around it; naming them makes a page of 1,000
tasks with 3 answers each 5 times faster than all fields."""
CURSOR_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCursor:
    """How far the answers of a project were read; a new one reads all.

    It is to be kept after what it stands for was recorded: then a killed pull goes on where it was, and what comes
    again is told by its ``annotation_id``.
    """

    since: str = ""
    """Tasks touched from this time of the server on are read (ISO 8601); empty: all."""
    began: str = ""
    """Time of the server at which the reading under way began; empty: none is under way."""
    after_task: int = 0
    """Greatest task number that the reading under way has passed."""
    seen: frozenset[int] = field(default_factory=frozenset)
    """Numbers of the answers that there are, as far as they were read."""

    def to_text(self) -> str:
        """Write the cursor as one line of JSON; numbers in a row take the room of two."""
        return json.dumps(
            {
                "version": CURSOR_VERSION,
                "since": self.since,
                "began": self.began,
                "after_task": self.after_task,
                "seen": [[run[0], run[-1]] for run in _runs(self.seen)],
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what ``to_text`` wrote; anything else gives a new cursor, which reads all and loses nothing."""
        try:
            kept = json.loads(text)
            if kept["version"] != CURSOR_VERSION:
                return cls()
            seen = frozenset(n for first, last in kept["seen"] for n in range(int(first), int(last) + 1))
            return cls(
                since=str(kept["since"]), began=str(kept["began"]), after_task=int(kept["after_task"]), seen=seen
            )
        except (ValueError, KeyError, TypeError):
            return cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPage:
    """Answers that came together."""

    rows: tuple[dict[str, Any], ...]
    """Label Studio's annotations as ``parse_annotations`` takes them; skipped tasks are left out."""
    cursor: AnswerCursor
    """To be kept once ``rows`` are recorded."""
    complete: bool
    """The last page: ``cursor.seen`` are exactly the answers that there are. What was recorded and is not among them
    was taken back."""


class AnswerReader(TaskOrder):
    """Calls about answers; see ``annotation.studio.server.LabelStudioClient``."""

    def answer_pages(self, project_number: int, cursor: AnswerCursor) -> Iterator[AnswerPage]:
        """Read what is new since ``cursor``, in pages of up to 500 tasks.

        Tasks touched since then are read with all their answers. Then the server's count is compared with what was
        seen: where it differs, answers were deleted (or arrived without touching their task), and the numbers of all
        are read. Answers that arrive meanwhile come now or with the next call.

        Args:
            project_number: The project.
            cursor: How far it was read; ``AnswerCursor()`` reads all.

        Yields:
            Pages; the last one is ``complete``.
        """
        accounts: dict[int, str] = {}
        now = cursor if cursor.began else replace(cursor, began=self._server_time())
        filters = [where("total_annotations", "greater", "Number", 0), *_touched_since(now.since)]
        for tasks in self._pages_of_tasks(project_number, _fields(ANSWER_FIELDS), *filters, after=now.after_task):
            now = _seen(now, tasks)
            yield AnswerPage(rows=self._rows(tasks, accounts), cursor=now, complete=False)
        rows, seen = self._compare(project_number, now.seen, accounts)
        since = (datetime.fromisoformat(now.began) - MARGIN).isoformat()
        yield AnswerPage(rows=rows, cursor=AnswerCursor(since=since, seen=seen), complete=True)

    def list_answers(self, project_number: int, *, since_ns: int | None = None) -> Iterator[dict[str, Any]]:
        """Go through the answers of a project without a cursor.

        Args:
            project_number: The project.
            since_ns: Greatest ``answered_ns`` recorded so far (Unix time in ns); only tasks touched from an hour
                before it on are read. Answers that come again are told by their ``annotation_id``.

        Yields:
            Label Studio's annotations as in ``AnswerPage.rows``.
        """
        since = ""
        if since_ns is not None:
            since = (datetime.fromtimestamp(max(0, since_ns) // NS_PER_SECOND, tz=UTC) - timedelta(hours=1)).isoformat()
        accounts: dict[int, str] = {}
        filters = [where("total_annotations", "greater", "Number", 0), *_touched_since(since)]
        for tasks in self._pages_of_tasks(project_number, _fields(ANSWER_FIELDS), *filters):
            yield from self._rows(tasks, accounts)

    def answer_count(self, project_number: int) -> int:
        """Return how many answers the project has, skips not counted: one short request."""
        return int(self._count(project_number, {})["total_annotations"])

    def present_answers(self, project_number: int) -> set[int]:
        """Return the numbers of all answers that there are: what was recorded and is not among them was taken back.

        It reads a line for every answer; ``answer_pages`` does so only where the count says that it must.
        """
        return {number for numbers in self._numbers_by_task(project_number).values() for number in numbers}

    def _compare(
        self, project_number: int, seen: frozenset[int], accounts: dict[int, str]
    ) -> tuple[tuple[dict[str, Any], ...], frozenset[int]]:
        """Return answers that there are unseen, and the numbers of all that there are."""
        if self.answer_count(project_number) == len(seen):
            return (), seen
        numbers = self._numbers_by_task(project_number)
        unseen = sorted(task for task, answers in numbers.items() if not seen.issuperset(answers))
        rows = tuple(
            row for some in parts(unseen, NUMBERS_AT_ONCE) for row in self._answers_of(project_number, some, accounts)
        )
        present = {number for answers in numbers.values() for number in answers}
        return rows, frozenset(present | {int(row["id"]) for row in rows})

    def _answers_of(
        self, project_number: int, task_numbers: list[int], accounts: dict[int, str]
    ) -> tuple[dict[str, Any], ...]:
        named = [where("id", "in_list", "List", some) for some in parts(task_numbers, NUMBERS_AT_ONCE)]
        pages = (p for one in named for p in self._pages_of_tasks(project_number, _fields(ANSWER_FIELDS), one))
        return tuple(row for tasks in pages for row in self._rows(tasks, accounts))

    def _numbers_by_task(self, project_number: int) -> dict[int, list[int]]:
        """Return the numbers of the answers of every task that has some."""
        answered = where("total_annotations", "greater", "Number", 0)
        pages = self._pages_of_tasks(project_number, _fields("id,was_cancelled"), answered)
        return {
            int(task["id"]): [int(answer["id"]) for answer in task["annotations"] if not answer["was_cancelled"]]
            for tasks in pages
            for task in tasks
        }

    def _rows(self, tasks: list[dict[str, Any]], accounts: dict[int, str]) -> tuple[dict[str, Any], ...]:
        """Return the answers of some tasks; ``accounts`` are the known e-mail addresses, and grow."""
        answers = [(task, answer) for task in tasks for answer in task["annotations"] if not answer["was_cancelled"]]
        if any(answer["completed_by"] not in accounts for _, answer in answers):
            accounts |= {int(user["id"]): str(user["email"]) for user in as_rows(self._get("/api/users/"))}
        return tuple(
            answer
            | {
                "task": task["id"],
                "completed_by": accounts.get(answer["completed_by"]),
                "completed_by_number": answer["completed_by"],
            }
            for task, answer in answers
        )

    def _server_time(self) -> str:
        """Return the server's own time, to the second below: clocks of two machines differ."""
        response = self._get("/api/version")
        try:
            return parsedate_to_datetime(response.headers["Date"]).astimezone(UTC).isoformat()
        except (KeyError, ValueError):
            return datetime.now(UTC).isoformat(timespec="seconds")


def _seen(cursor: AnswerCursor, tasks: list[dict[str, Any]]) -> AnswerCursor:
    answers = [answer for task in tasks for answer in task["annotations"]]
    live = {int(answer["id"]) for answer in answers if not answer["was_cancelled"]}
    skipped = {int(answer["id"]) for answer in answers if answer["was_cancelled"]}
    return replace(cursor, after_task=int(tasks[-1]["id"]), seen=(cursor.seen - skipped) | live)


def _fields(names: str) -> dict[str, str]:
    # "all" brings the answers along, "review" leaves out what the server would join for the Data Manager's columns.
    return {"fields": "all", "review": "true", "include": f"{names},annotations"}


def _touched_since(instant: str) -> list[Mapping[str, Any]]:
    if not instant:
        return []
    since = datetime.fromisoformat(instant).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return [where("updated_at", "greater_or_equal", "Datetime", since)]


def _runs(numbers: Collection[int]) -> Iterator[list[int]]:
    ordered = enumerate(sorted(numbers))
    for _, run in groupby(ordered, key=lambda item: item[1] - item[0]):
        yield [number for _, number in run]
