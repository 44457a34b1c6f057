"""The calls about the queue of a review server that does not exist: nothing is missing, and everything is taken."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from annotation.studio.queue import Opening, TaskState
from annotation.studio.reading import AnswerCursor, AnswerPage


class QuietQueue:
    """What push and pull tell the server beside questions and answers; a stand-in of tests is made of it."""

    def task_states(self, project_number: int, **_: object) -> dict[int, TaskState]:
        return {}

    def set_overlaps(self, project_number: int, wanted: Mapping[int, Opening]) -> set[int]:
        return set()

    def set_scores(self, project_number: int, scores: Mapping[int, float]) -> None:
        return None

    def missing_tasks(self, project_number: int, recorded: Collection[int]) -> set[int]:
        return set()

    def list_answers(self, project_number: int, *, since_ns: int | None = None) -> Iterator[dict[str, Any]]:
        return iter(())

    def answer_pages(self, project_number: int, cursor: AnswerCursor) -> Iterator[AnswerPage]:
        rows = tuple(self.list_answers(project_number))
        yield AnswerPage(rows=rows, cursor=AnswerCursor(seen=frozenset(row["id"] for row in rows)), complete=True)

    def close_tasks(self, task_numbers: Collection[int]) -> set[int]:
        return set()
