"""The order of the open tasks on the review server: the scores of their predictions, changed many at a time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from annotation.studio.connection import as_rows
from annotation.studio.queue import CONNECTIONS, TaskQueue

FEW = 20
"""Up to so many predictions are changed one by one: 0.06 s each, while 500 made anew take 3 s."""
ORDER = "order"
"""``model_version`` of a prediction that is there for the order alone."""


@dataclass(frozen=True, slots=True)
class _Changes:
    """What is to be done so that the tasks have their scores."""

    by_prediction: dict[int, float] = field(default_factory=dict)
    """New scores of predictions, by the prediction's number."""
    by_task: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Predictions without a result that are made anew, by the task's number."""
    predictions: dict[int, int] = field(default_factory=dict)
    """Number of the prediction that each of those tasks has; none for a task that lost its own."""

    def __bool__(self) -> bool:
        return bool(self.by_prediction or self.by_task)


class TaskOrder(TaskQueue):
    """Calls about the order; see ``annotation.studio.server.LabelStudioClient``."""

    def set_scores(self, project_number: int, scores: Mapping[int, float]) -> None:
        """Give tasks a new place in the order, by task number: the view "Next first" begins with the greatest score.

        Tasks that are gone, and those that have the score, are passed over. A task keeps one prediction; one with a
        result, which people may be working from, is changed and never made anew.
        """
        changes = _Changes()

        def already() -> bool | None:
            nonlocal changes
            changes = self._changes(project_number, scores)
            return None if changes else True

        def make() -> bool:
            self._apply(project_number, changes)
            return True

        self._made_once(make, already)

    def set_shown(self, task_number: int, result: Sequence[Mapping[str, Any]]) -> None:
        """Replace the regions that a task's prediction shows: those of a question that was worded anew."""
        for row in as_rows(self._get("/api/predictions/", {"task": task_number})):
            if row["result"] != list(result):
                self._set(f"/api/predictions/{row['id']}/", {"result": list(result)}, accept=404)

    def _changes(self, project_number: int, scores: Mapping[int, float]) -> _Changes:
        held: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in as_rows(self._get("/api/predictions/", {"project": project_number})):
            held[int(row["task"])].append(row)
        changes = _Changes()
        for task, score in scores.items():
            rows = held.get(task, [])
            if len(rows) == 1 and not rows[0]["result"]:
                if rows[0]["score"] != score:
                    changes.by_task[task] = _prediction(task, score, rows[0]["model_version"])
                    changes.predictions[task] = int(rows[0]["id"])
            else:
                changes.by_prediction.update({int(row["id"]): score for row in rows if row["score"] != score})
        bare = [task for task in scores if task not in held]
        for task in self.task_states(project_number, numbers=bare):
            changes.by_task[task] = _prediction(task, scores[task], ORDER)
        return changes

    def _apply(self, project_number: int, changes: _Changes) -> None:
        one_by_one, anew = dict(changes.by_prediction), changes.by_task
        if len(changes.predictions) <= FEW:
            one_by_one |= {number: anew[task]["score"] for task, number in changes.predictions.items()}
            anew = {task: row for task, row in anew.items() if task not in changes.predictions}
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            for _ in threads.map(lambda item: self._set_score(*item), one_by_one.items()):
                pass
        replaced = [task for task in anew if task in changes.predictions]
        if replaced:
            selected = {"selectedItems": {"all": False, "included": replaced}}
            action = {"project": project_number, "id": "delete_tasks_predictions"}
            self._make("/api/dm/actions/", selected, params=action)
        if anew:
            self._make(f"/api/projects/{project_number}/import/predictions", list(anew.values()))

    def _set_score(self, prediction_number: int, score: float) -> None:
        self._set(f"/api/predictions/{prediction_number}/", {"score": score}, accept=404)


def _prediction(task: int, score: float, model_version: str) -> dict[str, Any]:
    return {"task": task, "result": [], "score": score, "model_version": model_version}
