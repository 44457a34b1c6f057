"""Push and pull of 5,000 questions and 15,000 answers on the real Label Studio, beside what one would do without us.

    python benchmarks/labelstudio.py [--tasks 5000] [--postgresql HOST:PORT/NAME --user USER]

The server is started for this alone, on SQLite in a temporary folder, or on the named PostgreSQL database, which must
be empty (password in PRESSROOM_POSTGRESQL_PASSWORD). The answers come in with the tasks, three for each; one percent of
the tasks is answered once more for the pull of news. Before the pulls it waits for two minutes, because a pull reads
again what was touched shortly before the one before.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

from annotation.studio import service
from annotation.studio.accounts import ScriptedAccount, ensure_scripted_accounts
from annotation.studio.installation import ensure_label_studio
from annotation.studio.queue import Opening
from annotation.studio.reading import MARGIN, AnswerCursor
from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer, ReviewServerConfig
from schema.layout import StudyLayout

PAGE = """<View><HyperText name="player" value="$html"/><Choices name="verdict" toName="player">
<Choice value="accept"/><Choice value="reject"/></Choices></View>"""
ACCEPT = [{"from_name": "verdict", "to_name": "player", "type": "choices", "value": {"choices": ["accept"]}}]
PEOPLE = 3
OPEN = 500
Result = TypeVar("Result")


def measure(what: str, work: Callable[[], Result], *, asked: str = "") -> Result:
    """Do something, and print how long it took."""
    begun = time.perf_counter()
    result = work()
    print(f"{what:<72} {time.perf_counter() - begun:8.2f} s  {asked}", flush=True)
    return result


def document(number: int) -> dict[str, Any]:
    """Make a task of the size that a candidate's has."""
    words = "Both forearms are crossed in front of the chest, and the hands hold the upper arms. " * 4
    return {
        "data": {
            "candidate_id": f"c{number:020d}",
            "html": "<video></video>",
            "definition": words,
            "question": words[:90],
        },
        "predictions": [{"result": [], "score": number % 1000 / 1000, "model_version": "rules 1"}],
    }


def project_of(client: LabelStudioClient, folder: Path, title: str) -> int:
    """Make a project."""
    return client.ensure_project(title=title, page=PAGE, instructions="", clips_folder=folder)


def fill(server: ReviewServer, project: int, count: int, accounts: list[ScriptedAccount]) -> None:
    """Import answered tasks, as no push does: 15,000 answers one by one would take half an hour."""
    headers = {"Authorization": f"Token {server.token}"}
    answers = [{"result": ACCEPT, "completed_by": {"email": a.email}, "lead_time": 4.2} for a in accounts]
    with httpx.Client(base_url=server.url, headers=headers, timeout=300, trust_env=False) as http:
        for first in range(0, count, OPEN):
            rows = [document(n) | {"annotations": answers} for n in range(first, min(first + OPEN, count))]
            http.post(f"/api/projects/{project}/import", json=rows).raise_for_status()


def page_all(server: ReviewServer, project: int) -> int:
    """Read all answers as the API's documentation says: numbered pages with all fields."""
    headers, found, page = {"Authorization": f"Token {server.token}"}, 0, 1
    with httpx.Client(base_url=server.url, headers=headers, timeout=600, trust_env=False) as http:
        while True:
            asked: dict[str, int | str] = {"project": project, "fields": "all", "page": page, "page_size": 200}
            answer = http.get("/api/tasks/", params=asked)
            if answer.status_code == httpx.codes.NOT_FOUND:
                return found
            tasks = answer.raise_for_status().json()["tasks"]
            found, page = found + sum(len(task["annotations"]) for task in tasks), page + 1


def export(server: ReviewServer, project: int) -> int:
    """Read all answers as the Export button does."""
    headers = {"Authorization": f"Token {server.token}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=600, trust_env=False) as http:
        tasks = http.get(f"/api/projects/{project}/export", params={"exportType": "JSON"}).raise_for_status().json()
    return sum(len(task["annotations"]) for task in tasks)


def read(client: LabelStudioClient, project: int, cursor: AnswerCursor) -> tuple[int, AnswerCursor]:
    """Pull; returns how many answers came, and the cursor for the next pull."""
    pages = list(client.answer_pages(project, cursor))
    return sum(len(page.rows) for page in pages), pages[-1].cursor


def bench_push(client: LabelStudioClient, folder: Path, count: int) -> None:
    """Measure the push and the upkeep of the queue."""
    project = project_of(client, folder, "push")
    documents = [document(n) for n in range(count)]
    numbers = measure(f"push of {count} tasks with predictions", lambda: client.import_tasks(project, documents),
                      asked="(at most 20 s)")  # fmt: skip
    measure("the same push again", lambda: client.import_tasks(project, documents))
    measure("a push of 200 that are there", lambda: client.import_tasks(project, documents[:200]))
    some = list(numbers.values())[:OPEN]
    measure(f"new scores for {len(some)} open tasks", lambda: client.set_scores(project, dict.fromkeys(some, 0.5)))
    openings = {number: Opening(answers=2, open=True) for number in some[:100]}
    measure(f"number of answers of {len(openings)} tasks", lambda: client.set_overlaps(project, openings))
    measure("the same again", lambda: client.set_overlaps(project, openings))
    measure(f"state of all {count} tasks", lambda: client.task_states(project))
    measure("which recorded tasks are gone", lambda: client.missing_tasks(project, numbers.values()))


def bench_pull(server: ReviewServer, client: LabelStudioClient, folder: Path, count: int) -> None:
    """Measure the pulls."""
    accounts = ensure_scripted_accounts(server, count=PEOPLE + 1)
    project = project_of(client, folder, "pull")
    fill(server, project, count, accounts[:PEOPLE])
    time.sleep(MARGIN.total_seconds() + 5)
    found, cursor = measure(f"full pull: {count} tasks, {PEOPLE * count} answers",
                            lambda: read(client, project, AnswerCursor()), asked="(at most 30 s)")  # fmt: skip
    assert found == PEOPLE * count
    tasks = sorted(client.task_states(project))
    for number in tasks[:: max(1, len(tasks) // max(1, count // 100))]:
        client.annotate(number, ACCEPT, account=accounts[PEOPLE])
    found, cursor = measure("pull of 1 % news", lambda: read(client, project, cursor), asked="(at most 3 s)")
    print(f"    {found} answers on the tasks that were touched")
    found, cursor = measure("pull of the same again, within two minutes", lambda: read(client, project, cursor))
    headers = {"Authorization": f"Token {server.token}"}
    httpx.delete(f"{server.url}/api/annotations/{min(cursor.seen)}/", headers=headers, trust_env=False)
    measure("pull after somebody deleted an answer", lambda: read(client, project, cursor))
    measure("numbers of all answers", lambda: client.present_answers(project))
    measure("beside: the Export button's JSON", lambda: export(server, project))
    measure("beside: numbered pages of 200 tasks with all fields", lambda: page_all(server, project))


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--postgresql", default="", help="HOST:PORT/NAME of an empty database")
    parser.add_argument("--user", default="pressroom")
    given = parser.parse_args()
    config = ReviewServerConfig()
    if given.postgresql:
        place, _, name = given.postgresql.partition("/")
        host, _, port = place.rpartition(":")
        config = ReviewServerConfig(
            database="postgresql", postgresql_host=host, postgresql_port=int(port), postgresql_name=name,
            postgresql_user=given.user,
        )  # fmt: skip
    folder = Path(tempfile.mkdtemp(prefix="pressroom-bench-"))
    layout = StudyLayout.at(folder / "study")
    try:
        server = service.start(layout, ensure_label_studio(), config=config)
        with LabelStudioClient(server, timeout_seconds=300) as client:
            bench_push(client, layout.served / "clips", given.tasks)
            bench_pull(server, client, layout.served / "clips", given.tasks)
    finally:
        service.stop(layout)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
