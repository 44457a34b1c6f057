"""The review server's client: projects, tasks and answers through its API. The one importer of label_studio_sdk."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from annotation.accounts import ScriptedAccount
from annotation.service import ReviewServer
from schema.errors import ServiceError
from schema.timespan import NS_PER_SECOND

IMPORT_BATCH = 500
"""Tasks a request: 5,000 of them took 11 s in batches of 500 to 1,000."""
PAGE_SIZE = 200
MARGIN_NS = 3600 * NS_PER_SECOND
"""Answers this much older than the newest recorded one are listed again: one that was being saved while a pull went
through the pages is older than others of that pull."""
DETAIL_CHARACTERS = 300
CANDIDATE_FIELD = "candidate_id"
"""Field of a task's data that holds the candidate's id."""
Decoded = TypeVar("Decoded", bound=dict[str, Any] | list[dict[str, Any]])


class LabelStudioClient:
    """A connection to one study's review server, with the study's own token.

    Every method raises ``ServiceError`` in one line when the server does not answer, or answers with a refusal.
    """

    def __init__(self, server: ReviewServer, *, timeout_seconds: float = 60.0) -> None:
        """Connect to ``server``; nothing is sent yet."""
        self._url = server.url
        self._http = httpx.Client(
            base_url=server.url,
            headers={"Authorization": f"Token {server.token}"},
            timeout=timeout_seconds,
            trust_env=False,  # a proxy of the environment must not see the token, nor stand before loopback
        )

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def ensure_project(
        self, *, title: str, page: str, instructions: str, answers_per_task: int, clips_folder: Path
    ) -> int:
        """Find the project by its title or make it, bring its settings up to date, and return its number.

        Args:
            title: At least three characters, 50 at most; of several projects with that title the oldest is taken.
            page: The labelling config.
            instructions: HTML shown under "Instructions".
            answers_per_task: A task leaves the queue when this many people answered it.
            clips_folder: Folder of the clips, below the folder that the server serves.
        """
        settings = {
            "label_config": page,
            "expert_instruction": instructions,
            "maximum_annotations": answers_per_task,
            "overlap_cohort_percentage": 100,
            "sampling": "Uncertainty sampling",
            "show_collab_predictions": False,
            "show_annotation_history": False,
            "show_skip_button": True,
            "enable_empty_annotation": False,
        }
        rows = self._pages("/api/projects/", {"include": "id,title"})
        numbers = sorted(int(row["id"]) for row in rows if row["title"] == title)
        if numbers:
            number = numbers[0]
            _object(self._send("PATCH", f"/api/projects/{number}/", json_body=settings))
        else:
            number = int(_object(self._send("POST", "/api/projects/", json_body={"title": title} | settings))["id"])
        self._ensure_storage(number, clips_folder)
        return number

    def import_tasks(
        self, project_number: int, documents: Iterable[dict[str, Any]], *, id_field: str = CANDIDATE_FIELD
    ) -> dict[str, int]:
        """Put the tasks on the server that are not there yet, and return the task number of every id given.

        The server checks no prediction and imports a task as often as it is sent: each is checked against the page
        before, those that are there are left out, and what arrived is counted and read back.

        Args:
            project_number: The project.
            documents: Tasks as Label Studio imports them.
            id_field: Field of a task's data that tells what it asks.

        Raises:
            ServiceError: A prediction does not fit the page (nothing is sent then), or the server holds something
                else than what was sent.
        """
        wanted = {str(document["data"][id_field]): document for document in documents}
        there = self.list_tasks(project_number, id_field=id_field)
        missing = [document for asked_id, document in wanted.items() if asked_id not in there]
        self._check_predictions(project_number, missing)
        for first in range(0, len(missing), IMPORT_BATCH):
            batch = missing[first : first + IMPORT_BATCH]
            answer = _object(self._send("POST", f"/api/projects/{project_number}/import", json_body=batch))
            sent = (len(batch), sum(len(document["predictions"]) for document in batch))
            held = (answer.get("task_count"), answer.get("prediction_count"))
            if held != sent:
                raise ServiceError(f"Label Studio took {held} of {sent} tasks and predictions; run the command again")
        there = self.list_tasks(project_number, id_field=id_field) if missing else there
        lost = sorted(wanted.keys() - there.keys())
        if lost:
            raise ServiceError(
                f"Label Studio does not hold {len(lost)} of {len(wanted)} tasks ({lost[0]} ...); run the command again"
            )
        return {asked_id: there[asked_id] for asked_id in wanted}

    def list_tasks(self, project_number: int, *, id_field: str = CANDIDATE_FIELD) -> dict[str, int]:
        """Return the task number of every id in a project; of an id's several tasks the first."""
        numbers: dict[str, int] = {}
        for task in self._tasks(project_number, {"fields": "task_only"}, {"ordering": ["tasks:id"]}):
            asked_id = task["data"].get(id_field)
            if isinstance(asked_id, str):
                numbers.setdefault(asked_id, int(task["id"]))
        return numbers

    def list_answers(self, project_number: int, *, since_ns: int | None = None) -> Iterator[dict[str, Any]]:
        """Go through the answers of a project, page by page.

        Args:
            project_number: The project.
            since_ns: Greatest ``answered_ns`` recorded so far (Unix time in ns); only tasks touched from an hour
                before it on are read. So a pull asks for what is new, and one that was killed goes on; answers that
                come again are told by their ``annotation_id``.

        Yields:
            Label Studio's annotations as ``annotation.parse.parse_annotations`` takes them: ``completed_by`` holds
            the account's e-mail address. Skipped tasks are left out: a skip is no answer.
        """
        items: list[dict[str, Any]] = [_filter("total_annotations", "greater", "Number", 0)]
        if since_ns is not None:
            instant = datetime.fromtimestamp(max(0, since_ns - MARGIN_NS) // NS_PER_SECOND, tz=UTC)
            since = instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            items.append(_filter("updated_at", "greater_or_equal", "Datetime", since))
        query = {"filters": {"conjunction": "and", "items": items}, "ordering": ["tasks:id"]}
        accounts: dict[int, str] = {}
        for task in self._tasks(project_number, {"fields": "all"}, query):
            for annotation in task["annotations"]:
                if annotation.get("was_cancelled"):
                    continue
                person = annotation.get("completed_by")
                if person not in accounts:
                    accounts = {int(user["id"]): str(user["email"]) for user in _rows(self._send("GET", "/api/users/"))}
                yield annotation | {"task": task["id"], "completed_by": accounts.get(person)}

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
        for annotation in _rows(self._send("GET", path, headers=headers)):
            if annotation.get("completed_by") == account.user_number:
                return int(annotation["id"])
        body = {"result": list(result), "lead_time": lead_time_seconds}
        return int(_object(self._send("POST", path, headers=headers, json_body=body))["id"])

    def _ensure_storage(self, project_number: int, clips_folder: Path) -> None:
        """Let the project serve its clips: without a storage row of its own every clip answers 404."""
        clips_folder.mkdir(parents=True, exist_ok=True)
        row = {"project": project_number, "path": str(clips_folder), "use_blob_urls": True, "title": "clips"}
        rows = _rows(self._send("GET", "/api/storages/localfiles", params={"project": project_number}))
        if not rows:
            _object(self._send("POST", "/api/storages/localfiles", json_body=row))
        elif rows[0]["path"] != row["path"]:
            _object(self._send("PATCH", f"/api/storages/localfiles/{rows[0]['id']}", json_body=row))

    def _check_predictions(self, project_number: int, documents: Sequence[dict[str, Any]]) -> None:
        if not documents:
            return
        from label_studio_sdk.label_interface.interface import LabelInterface

        page = LabelInterface(_object(self._send("GET", f"/api/projects/{project_number}/"))["label_config"])
        validate: Callable[..., list[str]] = page.validate_prediction
        for document in documents:
            for prediction in document["predictions"]:
                wrong = validate(prediction, return_errors=True)
                if wrong:
                    raise ServiceError(
                        f"{document['data']['candidate_id']}: its prediction does not fit the page: {wrong[0]}"
                    )

    def _tasks(self, project_number: int, fields: dict[str, Any], query: dict[str, Any]) -> Iterator[dict[str, Any]]:
        params = fields | {"project": project_number, "page_size": PAGE_SIZE, "query": json.dumps(query)}
        seen = page = 0
        while True:
            page += 1
            response = self._send("GET", "/api/tasks/", params=params | {"page": page}, accept=404)
            if response.status_code == 404:  # a task was deleted meanwhile, and the last page with it
                return
            answer = _object(response)
            yield from answer["tasks"]
            seen += len(answer["tasks"])
            if seen >= answer["total"] or not answer["tasks"]:
                return

    def _pages(self, path: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        page = 0
        while True:
            page += 1
            answer = _object(self._send("GET", path, params=params | {"page": page, "page_size": PAGE_SIZE}))
            yield from answer["results"]
            if not answer["next"]:
                return

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        json_body: object = None,
        headers: dict[str, str] | None = None,
        accept: int | None = None,
    ) -> httpx.Response:
        """Send one request; a refusal other than the status ``accept`` raises ``ServiceError``."""
        try:
            response = self._http.request(method, path, params=params, json=json_body, headers=headers)
        except httpx.HTTPError as error:
            raise ServiceError(
                f"Label Studio at {self._url} does not answer ({_one_line(str(error)) or type(error).__name__}); "
                "start it with `pressroom up` and run the command again"
            ) from error
        if not response.is_success and response.status_code != accept:
            raise ServiceError(
                f"Label Studio at {self._url} answers {method} {path} with {response.status_code}: {_refusal(response)}"
            )
        return response


def _object(response: httpx.Response) -> dict[str, Any]:
    return _decode(response, dict)


def _rows(response: httpx.Response) -> list[dict[str, Any]]:
    return _decode(response, list)


def _decode(response: httpx.Response, kind: type[Decoded]) -> Decoded:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, kind):
        raise ServiceError(
            f"Label Studio answers {response.request.url.path} with something else than it should; "
            "look whether another program has its port"
        )
    return answer


def _filter(column: str, operator: str, kind: str, value: object) -> dict[str, Any]:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def _refusal(response: httpx.Response) -> str:
    try:
        answer = response.json()
        return _one_line(json.dumps(answer.get("validation_errors") or answer.get("detail") or answer))
    except (ValueError, AttributeError):
        return _one_line(response.reason_phrase)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:DETAIL_CHARACTERS]
