"""The review server's client: projects, tasks and answers through its API. The one importer of label_studio_sdk."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from annotation.studio.accounts import ScriptedAccount
from annotation.studio.connection import as_object, as_rows
from annotation.studio.queue import CANDIDATE_FIELD, matching, where
from annotation.studio.reading import AnswerReader
from schema.errors import ServiceError

IMPORT_BATCH = 500
"""Tasks a request: 5,000 of them took 11 s in batches of 500 to 1,000."""
PROJECTS_PAGE = 200
NEXT_FIRST = "Next first"
"""Title of the view that lists the open tasks in their newest order."""


class LabelStudioClient(AnswerReader):
    """A connection to one study's review server, with the study's own token.

    Every method raises ``ServiceError`` in one line when the server does not answer for a while (see
    ``annotation.studio.connection``), or answers with a refusal. All of them can be repeated after any failure.
    """

    def ensure_project(
        self,
        *,
        title: str,
        page: str,
        instructions: str,
        clips_folder: Path,
        answers_per_task: int = 1,
        show_predictions: bool = False,
    ) -> int:
        """Find the project by its title or make it, bring its settings up to date, and return its number.

        With ``answers_per_task`` 1 the queue follows the order in which tasks were imported, and ``set_overlap`` says
        how many answers each gets. With more, tasks that others have begun come first, at random: that is how the
        server's own overlap works. Settings that are right already are not sent: changing ``answers_per_task`` sets
        the number of every task of the project.

        Args:
            title: At least three characters, 50 at most; of several projects with that title the oldest is taken.
            page: The labelling config.
            instructions: HTML shown under "Instructions".
            clips_folder: Folder of the clips, below the folder that the server serves.
            answers_per_task: A new task leaves the queue when this many people answered it.
            show_predictions: Whether people see the tasks' predictions and begin from them.
        """
        settings = {
            "label_config": page,
            "expert_instruction": instructions,
            "maximum_annotations": answers_per_task,
            "overlap_cohort_percentage": 100,
            "sampling": "Sequential sampling",
            "show_collab_predictions": show_predictions,
            "show_annotation_history": False,
            "show_skip_button": True,
            "enable_empty_annotation": False,
        }
        project = self._made_once(
            lambda: as_object(self._make("/api/projects/", {"title": title} | settings)),
            lambda: self._project_titled(title),
        )
        number = int(project["id"])
        there = as_object(self._get(f"/api/projects/{number}/"))
        changed = {name: value for name, value in settings.items() if there.get(name) != value}
        if changed:
            self._set(f"/api/projects/{number}/", changed)
        self._ensure_storage(number, clips_folder)
        self._ensure_view(number)
        return number

    def import_tasks(
        self, project_number: int, documents: Iterable[dict[str, Any]], *, id_field: str = CANDIDATE_FIELD
    ) -> dict[str, int]:
        """Put the tasks on the server that are not there yet, and return the task number of every id given.

        The server checks no prediction and imports a task as often as it is sent: each is checked against the page
        before, those that are there are left out, and what arrived is counted and read back. When the answer to a
        batch is lost, the server is asked what it holds before anything is sent again.

        Args:
            project_number: The project.
            documents: Tasks as Label Studio imports them, in the order in which they are to be asked.
            id_field: Field of a task's data that tells what it asks.

        Raises:
            ServiceError: A prediction does not fit the page (nothing is sent then), or the server holds something
                else than what was sent.
        """
        wanted = {str(document["data"][id_field]): document for document in documents}
        numbers = self._tasks_asking(project_number, wanted, id_field) if wanted else {}
        missing = [document for asked_id, document in wanted.items() if asked_id not in numbers]
        self._check_predictions(project_number, missing, id_field)
        for first in range(0, len(missing), IMPORT_BATCH):
            numbers |= self._import_batch(project_number, missing[first : first + IMPORT_BATCH], id_field)
        return {asked_id: numbers[asked_id] for asked_id in wanted}

    def annotate(
        self,
        task_number: int,
        result: Sequence[dict[str, Any]],
        *,
        account: ScriptedAccount,
        lead_time_seconds: float = 0.0,
    ) -> int:
        """Answer a task as a scripted reviewer and return the annotation's number; an account answers a task once."""
        headers = {"Authorization": f"Token {account.token}"}
        path = f"/api/tasks/{task_number}/annotations/"
        body = {"result": list(result), "lead_time": lead_time_seconds}

        def already() -> dict[str, Any] | None:
            answers = as_rows(self._get(path))
            return next((answer for answer in answers if answer.get("completed_by") == account.user_number), None)

        made = self._made_once(lambda: as_object(self._make(path, body, headers=headers)), already)
        return int(made["id"])

    def _project_titled(self, title: str) -> dict[str, Any] | None:
        found = [row for row in self._projects() if row["title"] == title]
        return min(found, key=lambda row: int(row["id"]), default=None)

    def _projects(self) -> Iterator[dict[str, Any]]:
        page = 0
        while True:
            page += 1
            asked = {"include": "id,title", "page": page, "page_size": PROJECTS_PAGE}
            answer = as_object(self._get("/api/projects/", asked))
            yield from answer["results"]
            if not answer["next"]:
                return

    def _ensure_storage(self, project_number: int, clips_folder: Path) -> None:
        """Let the project serve its clips: without a storage row of its own every clip answers 404."""
        clips_folder.mkdir(parents=True, exist_ok=True)
        row = {"project": project_number, "path": str(clips_folder), "use_blob_urls": True, "title": "clips"}

        def already() -> dict[str, Any] | None:
            rows = as_rows(self._get("/api/storages/localfiles", {"project": project_number}))
            return rows[0] if rows else None

        there = self._made_once(lambda: as_object(self._make("/api/storages/localfiles", row)), already)
        if there["path"] != row["path"]:
            self._set(f"/api/storages/localfiles/{there['id']}", row)

    def _ensure_view(self, project_number: int) -> None:
        """List the open tasks in their newest order: "Label Tasks As Displayed" follows it."""
        still_open = matching(where("completed_at", "empty", "Datetime", True))
        data = {"title": NEXT_FIRST, "ordering": ["-tasks:predictions_score"]} | still_open

        def already() -> dict[str, Any] | None:
            rows = as_rows(self._get("/api/dm/views/", {"project": project_number}))
            return next((row for row in rows if row["data"].get("title") == NEXT_FIRST), None)

        body = {"project": project_number, "data": data}
        self._made_once(lambda: as_object(self._make("/api/dm/views/", body)), already)

    def _import_batch(self, project_number: int, batch: list[dict[str, Any]], id_field: str) -> dict[str, int]:
        """Import up to 500 tasks, all or none of them, and return the number of each."""
        ids = [str(document["data"][id_field]) for document in batch]

        def already() -> dict[str, int] | None:
            there = self._tasks_asking(project_number, ids, id_field)
            if there and len(there) < len(ids):
                raise ServiceError(f"Label Studio took {len(there)} of {len(ids)} tasks; run the command again")
            return there or None

        def make() -> dict[str, int]:
            path = f"/api/projects/{project_number}/import"
            answer = as_object(self._make(path, batch, params={"return_task_ids": "true"}))
            if len(answer.get("task_ids") or ()) != len(ids):
                raise ServiceError(
                    f"Label Studio took {answer.get('task_count')} of {len(ids)} tasks; run the command again"
                )
            return dict(zip(ids, map(int, answer["task_ids"]), strict=True))

        numbers = self._made_once(make, already, look_first=False)
        self._read_back(project_number, {numbers[one]: row for one, row in zip(ids, batch, strict=True)}, id_field)
        return numbers

    def _read_back(self, project_number: int, sent: Mapping[int, dict[str, Any]], id_field: str) -> None:
        """Compare what the server holds with what was imported: the counts, and the ids at both ends and between.

        Of two imports at once the server loses the predictions of one without a word (SQLite): they are sent again.
        """
        ordered = sorted(sent)
        span = matching(where("id", "in", "Number", {"min": ordered[0], "max": ordered[-1]}))
        held = self._count(project_number, span)
        if held["total"] < len(sent):
            raise ServiceError(f"Label Studio holds {held['total']} of {len(sent)} new tasks; run the command again")
        looked_at = {*ordered[:: max(1, len(ordered) // 4)], ordered[-1]}
        states = self.task_states(project_number, numbers=looked_at, id_field=id_field)
        if any(
            number not in states or states[number].asked_id != sent[number]["data"][id_field] for number in looked_at
        ):
            raise ServiceError("Label Studio numbers the new tasks in another order than they were sent; run again")
        if held["total_predictions"] < sum(len(row.get("predictions", ())) for row in sent.values()):
            self._send_predictions(project_number, sent, id_field)

    def _send_predictions(self, project_number: int, sent: Mapping[int, dict[str, Any]], id_field: str) -> None:
        """Give the predictions of their documents to those tasks that have none."""

        def already() -> bool | None:
            states = self.task_states(project_number, numbers=sent, id_field=id_field)
            bare.clear()
            bare.extend(n for n, state in states.items() if not state.predictions and sent[n].get("predictions"))
            return None if bare else True

        def make() -> bool:
            rows = [{"task": n} | prediction for n in bare for prediction in sent[n]["predictions"]]
            self._make(f"/api/projects/{project_number}/import/predictions", rows)
            return True

        bare: list[int] = []
        self._made_once(make, already)

    def _check_predictions(self, project_number: int, documents: Sequence[dict[str, Any]], id_field: str) -> None:
        if not documents:
            return
        from label_studio_sdk.label_interface.interface import LabelInterface

        page = LabelInterface(as_object(self._get(f"/api/projects/{project_number}/"))["label_config"])
        validate: Callable[..., list[str]] = page.validate_prediction
        for document in documents:
            for prediction in document.get("predictions", ()):
                wrong = validate(prediction, return_errors=True)
                if wrong:
                    raise ServiceError(
                        f"{document['data'][id_field]}: its prediction does not fit the page: {wrong[0]}"
                    )
