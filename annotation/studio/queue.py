"""Tasks on the review server: which are there, how many answers each still wants, and in which order they are asked."""

import json
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from annotation.studio.connection import Connection, as_object
from schema.errors import ServiceError

PAGE_SIZE = 500
"""Tasks a request."""
NUMBERS_AT_ONCE = 800
IDS_AT_ONCE = 150
"""Numbers or ids that one request names: they stand in its address, for which servers allow some 8,000 characters."""
CONNECTIONS = 4
CANDIDATE_FIELD = "candidate_id"
"""Field of a task's data that holds the question's id."""
STATE_FIELDS = "id,data,overlap,is_labeled,total_annotations,total_predictions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How many answers a task shall get, and whether the queue serves it."""

    answers: int
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """A task as the review server has it."""

    number: int
    asked_id: str
    """What it asks: the id in its data; empty where there is none."""
    answers: int
    """Answers that it has, skips not counted."""
    predictions: int
    """Predictions that it has."""
    wanted: int
    """Answers after which the server takes it out of the queue (``overlap``)."""
    open: bool
    """Whether the queue serves it."""

    def has(self, opening: Opening) -> bool:
        """Tell whether it has the answers that it shall get."""
        return self.answers >= opening.answers


class TaskQueue(Connection):
    """Calls about tasks; see ``annotation.studio.server.LabelStudioClient``."""

    def list_tasks(self, project_number: int, *, id_field: str = CANDIDATE_FIELD) -> dict[str, int]:
        """Return the task number of every id in a project; of an id's several tasks the first."""
        numbers: dict[str, int] = {}
        for state in self.task_states(project_number, id_field=id_field).values():
            if state.asked_id:
                numbers.setdefault(state.asked_id, state.number)
        return numbers

    def task_states(
        self,
        project_number: int,
        *,
        numbers: Collection[int] | None = None,
        only_open: bool = False,
        id_field: str = CANDIDATE_FIELD,
    ) -> dict[int, TaskState]:
        """Return the state of the tasks that are there, by number and in the order in which they are asked.

        Args:
            project_number: The project.
            numbers: Only these; those that are not there are left out. None: all of the project.
            only_open: Of all of the project only those that the queue serves.
            id_field: Field of a task's data that tells what it asks.
        """
        if numbers is None:
            filters = [where("is_labeled", "equal", "Boolean", False)] if only_open else []
            rows = self._pages_of_tasks(project_number, {"include": STATE_FIELDS}, *filters)
            return {state.number: state for state in (_state(row, id_field) for page in rows for row in page)}
        named = self._named_tasks(project_number, "id", numbers)
        return {state.number: state for state in (_state(row, id_field) for row in named)}

    def task_data(self, project_number: int, numbers: Collection[int]) -> dict[int, dict[str, Any]]:
        """Return what tasks show, by number; those that are gone are left out."""
        return {int(row["id"]): row["data"] for row in self._named_tasks(project_number, "id", numbers)}

    def missing_tasks(self, project_number: int, recorded: Collection[int]) -> set[int]:
        """Return which of the recorded task numbers are not on the server any more: deleted by hand."""
        gone: set[int] = set()
        for some in parts(sorted(recorded), NUMBERS_AT_ONCE):
            query = matching(where("id", "in_list", "List", some))
            if self._count(project_number, query)["total"] < len(some):
                there = {int(row["id"]) for row in self._named_tasks(project_number, "id", some)}
                gone |= set(some) - there
        return gone

    def set_overlap(self, task_number: int, answers: int, *, open: bool) -> bool:
        """Set how many answers a task shall get, and whether the queue serves it; returns False where it is gone.

        The server itself closes an open task that reaches ``answers``; to ask once more, raise it and open again.
        """
        body = {"overlap": answers, "is_labeled": not open}
        response = self._set(f"/api/tasks/{task_number}/", body, accept=404)
        if response.status_code == 404:
            return False
        row = as_object(response)
        if (row.get("overlap"), row.get("is_labeled")) != (answers, not open):
            raise ServiceError(f"Label Studio did not take the number of answers of task {task_number}; run again")
        return True

    def set_overlaps(self, project_number: int, wanted: Mapping[int, Opening]) -> set[int]:
        """Do ``set_overlap`` for those of many tasks that differ; returns the numbers of those that are gone.

        A task that has its answers already is left closed. It takes one request a task, 0.07 s each.
        """
        there = self.task_states(project_number, numbers=wanted)
        differing: dict[int, Opening] = {}
        for number, state in there.items():
            opening = Opening(
                answers=wanted[number].answers, open=wanted[number].open and not state.has(wanted[number])
            )
            if (state.wanted, state.open) != (opening.answers, opening.open):
                differing[number] = opening
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            found = threads.map(lambda n: self.set_overlap(n, differing[n].answers, open=differing[n].open), differing)
            gone = {number for number, is_there in zip(differing, found, strict=True) if not is_there}
        return gone | (wanted.keys() - there.keys())

    def close_task(self, task_number: int) -> bool:
        """Take a task out of the queue, with the answers it has; returns False where it is gone."""
        return self._set(f"/api/tasks/{task_number}/", {"is_labeled": True}, accept=404).status_code != 404

    def close_tasks(self, task_numbers: Collection[int]) -> set[int]:
        """Do ``close_task`` for many tasks; returns the numbers of those that are gone."""
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            there = threads.map(self.close_task, task_numbers)
            return {number for number, found in zip(task_numbers, there, strict=True) if not found}

    def delete_task(self, task_number: int) -> bool:
        """Delete a task with its answers, drafts and predictions; returns False where it is gone."""
        return self._delete(f"/api/tasks/{task_number}/", accept=404).status_code != 404

    def delete_tasks(self, task_numbers: Collection[int]) -> int:
        """Do ``delete_task`` for many tasks; returns how many were there."""
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            return sum(threads.map(self.delete_task, task_numbers))

    def update_task(self, task_number: int, data: Mapping[str, Any]) -> bool:
        """Replace what an unanswered task shows; returns False, having changed nothing, where it is answered or gone.

        Somebody who has the task open still sees the old question. When such an answer arrives while this is done,
        the old question is put back.
        """
        path = f"/api/tasks/{task_number}/"
        before = self._get(path, accept=404)
        if before.status_code == 404 or _is_answered(row := as_object(before)):
            return False
        if row["data"] == data:
            return True
        if self._set(path, {"data": dict(data)}, accept=404).status_code == 404:
            return False
        after = self._get(path, accept=404)
        if after.status_code == 404:
            return False
        if _is_answered(as_object(after)):
            self._set(path, {"data": row["data"]}, accept=404)
            return False
        return True

    def _tasks_asking(self, project_number: int, asked_ids: Collection[str], id_field: str) -> dict[str, int]:
        """Return the task numbers of those ids that are there.

        Of an id's several tasks, which only an import whose answer was lost can have made, the one with answers is
        it, else the first; the others are closed.
        """
        total = self._count(project_number, {})["total"]
        states: list[TaskState]
        if total == 0:
            return {}
        if 2 * len(asked_ids) > total:
            states = list(self.task_states(project_number, id_field=id_field).values())
        else:
            rows = self._named_tasks(project_number, f"data.{id_field}", asked_ids)
            states = [_state(row, id_field) for row in rows]
        wanted, chosen = set(asked_ids), dict[str, TaskState]()
        for state in sorted(states, key=lambda state: (state.answers == 0, state.number)):
            if state.asked_id in wanted and state.asked_id not in chosen:
                chosen[state.asked_id] = state
            elif state.asked_id in wanted and state.open:
                self.close_task(state.number)
        return {asked_id: state.number for asked_id, state in chosen.items()}

    def _named_tasks(self, project_number: int, column: str, values: Collection[Any]) -> Iterator[dict[str, Any]]:
        for some in parts(sorted(values), NUMBERS_AT_ONCE if column == "id" else IDS_AT_ONCE):
            query = json.dumps(matching(where(column, "in_list", "List", some)))
            shape = {"include": STATE_FIELDS, "resolve_uri": "false", "page_size": 2 * NUMBERS_AT_ONCE}
            answer = as_object(self._get("/api/tasks/", {"project": project_number, "query": query} | shape))
            yield from answer["tasks"]

    def _count(self, project_number: int, query: Mapping[str, Any]) -> dict[str, int]:
        """Return ``total``, ``total_annotations`` (skips left out) and ``total_predictions`` of the matching tasks."""
        params = {"include": "id", "page_size": 1, "query": json.dumps(query)}
        return as_object(self._get("/api/tasks/", {"project": project_number} | params))

    def _pages_of_tasks(
        self, project_number: int, fields: Mapping[str, Any], *filters: Mapping[str, Any], after: int = 0
    ) -> Iterator[list[dict[str, Any]]]:
        """Go through the tasks of a project by their number, page by page.

        A page begins after the last number of the one before, so that none is left out when tasks are deleted
        meanwhile: numbered pages would shift.
        """
        while True:
            query = matching(*filters, where("id", "greater", "Number", after)) | {"ordering": ["tasks:id"]}
            paging = {"resolve_uri": "false", "page_size": PAGE_SIZE, "query": json.dumps(query)}
            answer = as_object(self._get("/api/tasks/", {"project": project_number, **fields, **paging}))
            rows: list[dict[str, Any]] = answer["tasks"]
            if not rows:
                return
            yield rows
            if len(rows) < PAGE_SIZE:
                return
            after = int(rows[-1]["id"])


def _state(row: Mapping[str, Any], id_field: str) -> TaskState:
    asked_id = row["data"].get(id_field) if isinstance(row.get("data"), Mapping) else None
    return TaskState(
        number=int(row["id"]),
        asked_id=asked_id if isinstance(asked_id, str) else "",
        answers=int(row["total_annotations"]),
        predictions=int(row["total_predictions"]),
        wanted=int(row["overlap"]),
        open=not row["is_labeled"],
    )


def _is_answered(row: Mapping[str, Any]) -> bool:
    return bool(row.get("annotations") or row.get("total_annotations") or row.get("drafts"))


def parts(values: list[Any], size: int) -> Iterator[list[Any]]:
    """Cut ids or numbers into lists that one request can name."""
    return (values[first : first + size] for first in range(0, len(values), size))


def matching(*filters: Mapping[str, Any]) -> dict[str, Any]:
    """Build the query for tasks that fit all of the filters."""
    return {"filters": {"conjunction": "and", "items": list(filters)}}


def where(column: str, operator: str, kind: str, value: object) -> dict[str, Any]:
    """Build one filter of the Data Manager's query language."""
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
