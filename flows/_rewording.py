"""Questions that are worded anew while they are open: the server and the study never tell two wordings for long.

The review server's task and the row of *tasks* can't change in one step, and answers are read with the row. So what is
about to change is noted beside the server first, and whoever comes after a kill makes the rows follow what people see.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer
from flows._leases import waited_lease
from flows._standing import newest_tasks
from flows._study import Study
from flows._withdrawals import withdrawn_videos
from schema.answer_rows import tasks_from_rows, tasks_to_rows
from schema.arrow import TASKS
from schema.errors import DamagedTableError
from schema.files import replace_text
from schema.records import ReviewTask
from schema.tables import STUDY_KEY

NOTE_FILE = "rewording.json"
"""Below the review server's data folder, beside which it means nothing; ids and words, no names or links."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewording:
    """An open question and its new words."""

    task: ReviewTask
    """The row of *tasks* that it gets."""
    data: dict[str, Any]
    """What the server's task is to show."""
    result: list[dict[str, Any]]
    """The regions of its prediction."""


@contextmanager
def wording_lease(study: Study) -> Iterator[None]:
    """Keep the words of all questions as they are, or be the only one to change them.

    Taken within the lease of a push, a pull or a withdrawal and never around one, so that none waits for another in a
    circle.
    """
    with waited_lease(study.layout, "wording", STUDY_KEY):
        yield


def reword(study: Study, rewordings: Sequence[Rewording], *, client: LabelStudioClient) -> int:
    """Word questions of one server anew and record it; one that somebody has answered meanwhile stays as it is.

    The clips must lie ready: a pull waits as long as this takes. Returns how many were worded anew.

    Raises:
        ServiceError: The server does not answer; ``settle_rewording`` is to be called before the next answer is read.
    """
    if not rewordings:
        return 0
    with wording_lease(study):
        replace_text(_note(study), _to_text(rewordings))
        done = []
        for one in rewordings:
            if client.update_task(one.task.task_number, one.data):
                client.set_shown(one.task.task_number, one.result)
                done.append(one.task)
        study.store.append(TASKS, tasks_to_rows(done))
        _note(study).unlink()
    return len(done)


def is_rewording_left(study: Study) -> bool:
    """Tell whether somebody was killed while questions were worded anew."""
    return _note(study).exists()


def settle_rewording(study: Study, *, server: ReviewServer, client: LabelStudioClient) -> int:
    """Record what a killed push worded anew, answered since or not: that is what people see; returns how many rows.

    Questions that it did not reach are left as they are, for the next push. To be called under ``wording_lease``; a
    second call changes nothing.

    Raises:
        DamagedTableError: The note can't be read.
        ServiceError: The server does not answer; the note stays.
    """
    if not is_rewording_left(study):
        return 0
    noted = [one for one in _from_note(_note(study)) if one.task.server_id == server.server_id]
    withdrawn = withdrawn_videos(study)
    shown = [one for one in _shown(noted, client) if one.task.anchor.video_id not in withdrawn]
    for one in shown:
        client.set_shown(one.task.task_number, one.result)
    recorded = newest_tasks(tasks_from_rows(study.store.read(TASKS)))
    new = [one.task for one in shown if one.task not in recorded]
    study.store.append(TASKS, tasks_to_rows(new))
    _note(study).unlink()
    return len(new)


def _shown(noted: Sequence[Rewording], client: LabelStudioClient) -> Iterator[Rewording]:
    """Yield those whose new words the server has."""
    by_project: defaultdict[int, list[Rewording]] = defaultdict(list)
    for one in noted:
        by_project[one.task.project_number].append(one)
    for project, some in sorted(by_project.items()):
        data = client.task_data(project, [one.task.task_number for one in some])
        yield from (one for one in some if data.get(one.task.task_number) == one.data)


def _note(study: Study) -> Path:
    return study.layout.labelstudio / NOTE_FILE


def _to_text(rewordings: Sequence[Rewording]) -> str:
    rows = tasks_to_rows(one.task for one in rewordings).to_pylist()
    noted = [{"row": row, "data": one.data, "result": one.result} for row, one in zip(rows, rewordings, strict=True)]
    return json.dumps(noted)


def _from_note(path: Path) -> list[Rewording]:
    try:
        noted = json.loads(path.read_text(encoding="ascii"))
        # not `table_of`: the note may be of a version that recorded less
        tasks = tasks_from_rows(pa.Table.from_pylist([one["row"] for one in noted], schema=TASKS.schema))
        return [
            Rewording(task=task, data=one["data"], result=one["result"]) for task, one in zip(tasks, noted, strict=True)
        ]
    except (ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise DamagedTableError(
            f"{path} can't be read ({type(error).__name__}): it told which questions a killed push was wording anew; "
            "delete it, and open questions may differ from what the table tasks says of them until they are reworded"
        ) from error
