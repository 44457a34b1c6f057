"""What the review server holds of withdrawn videos: tasks with all that was answered, traces of them, exports."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from annotation.studio import service
from annotation.studio.database import database_of, has_database
from annotation.studio.erasure import erase_traces, export_files
from annotation.studio.installation import ensure_label_studio
from annotation.studio.queue import CANDIDATE_FIELD
from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer
from flows._doomed import Doomed
from flows._erasure import Erased, erase_log_lines
from flows._player_review import QUESTION_FIELD
from flows._review import review_client
from flows._rewording import settle_rewording, wording_lease
from flows._study import Study
from schema.arrow import PLAYER_QUESTIONS, TASKS, TableSpec
from schema.rows import Row

LOG = "server.log"
"""Names the clips that browsers asked for, and with them the questions."""
WAYS = ((TASKS, "candidate_id", CANDIDATE_FIELD), (PLAYER_QUESTIONS, "question_id", QUESTION_FIELD))
"""Tables of questions, the column of their ids, and the field of a task's data that holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A recorded question about a withdrawn video."""

    question_id: str
    server_id: str
    project: int
    task: int


def erase_questions(study: Study, doomed: Doomed, erased: Erased) -> None:
    """Delete the tasks about the videos, and what the review server keeps besides; it is started for it if need be.

    A server that did not run before is stopped again. Nothing happens where the study has never asked anything.

    Raises ``ServiceError`` where the server can't be started or does not answer, ``MissingPartError`` where it can't be
    installed.
    """
    folder = study.layout.labelstudio
    asked = list(_asked(study, doomed))
    if not has_database(folder, database_of(folder)) or not (asked or _recorded_projects(study)):
        return
    was_running = service.running(study.layout) is not None
    try:
        with review_client(study) as (server, client):
            with wording_lease(study):  # a killed push may have left a note with the questions' ids
                settle_rewording(study, server=server, client=client)
            _erase_from_server(study, doomed, erased, asked=asked, server=server, client=client)
    finally:
        if not was_running:
            service.stop(study.layout)
    erase_log_lines(folder / LOG, doomed, erased)


def _asked(study: Study, doomed: Doomed) -> Iterator[_Asked]:
    for spec, column, _ in WAYS:
        for row in _places(study, spec, column):
            if row[column] in doomed.question_ids:
                yield _Asked(
                    question_id=row[column],
                    server_id=row["server_id"],
                    project=row["project_number"],
                    task=row["task_number"],
                )


def _places(study: Study, spec: TableSpec, column: str) -> list[Row]:
    rows: list[Row] = study.store.read(spec).select([column, "server_id", "project_number", "task_number"]).to_pylist()
    return rows


def _recorded_projects(study: Study) -> bool:
    return any(study.store.read(spec).num_rows for spec, _, _ in WAYS)


def _erase_from_server(
    study: Study,
    doomed: Doomed,
    erased: Erased,
    *,
    asked: Iterable[_Asked],
    server: ReviewServer,
    client: LabelStudioClient,
) -> None:
    here = [one for one in asked if one.server_id == server.server_id]
    elsewhere = {one.question_id for one in asked} - {one.question_id for one in here}
    numbers = {one.task for one in here} | set(_unrecorded(study, doomed, server=server, client=client))
    erased.tasks += client.delete_tasks(sorted(numbers))
    words = {one.question_id for one in here} | doomed.question_ids
    traces = erase_traces(
        server.data_folder,
        ensure_label_studio(),
        config=study.config.server,
        task_numbers=numbers,
        words=words,
    )
    erased.server_rows += traces.row_count
    erased.stays += [
        f"Label Studio's table {table}: {count} rows name a question" for table, count in traces.left.items()
    ]
    if elsewhere:
        erased.stays.append(
            f"{len(elsewhere)} questions were asked on a review server that the study no longer uses: "
            "delete them, or its database, there"
        )
    for path in export_files(server.data_folder, projects={one.project for one in here}, words=words):
        erased.delete(path, kind="exports")


def _unrecorded(study: Study, doomed: Doomed, *, server: ReviewServer, client: LabelStudioClient) -> Iterator[int]:
    """Yield tasks about the videos that a killed push did not record, and unanswered ones that nobody recorded.

    Whose they are nobody knows; the next push asks again what is still to be asked.
    """
    for spec, column, field in WAYS:
        rows = [row for row in _places(study, spec, column) if row["server_id"] == server.server_id]
        recorded = {row["task_number"] for row in rows}
        for project in sorted({row["project_number"] for row in rows}):
            for state in client.task_states(project, id_field=field).values():
                is_stray = state.asked_id and state.answers == 0 and state.number not in recorded
                if state.asked_id in doomed.question_ids or is_stray:
                    yield state.number
