"""What the review server's and Prefect's databases held of a withdrawn video is gone from their bytes, too."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from annotation.pages.verdict_page import answer_result
from annotation.studio import service
from annotation.studio.accounts import ensure_scripted_accounts
from annotation.studio.database import PASSWORD_VARIABLE
from annotation.studio.service import ReviewServer
from flows._plan import study_videos
from flows._pull import pull
from flows._push import push
from flows._review import review_client
from flows._standing import newest_tasks
from flows._study import Study, open_study
from flows._withdraw import withdraw_on_request
from flows._withdrawn_runs import DATABASE
from schema.answer_rows import tasks_from_rows
from schema.arrow import ANNOTATIONS, TASKS
from schema.records import ReviewTask, Verdict
from tests.answered_study import perceive_here
from tests.postgresql_server import USER, PostgresqlServer, postgresql_programs, postgresql_server
from tests.studies import make_study, paint_video, run_to_candidates, set_keys
from tests.traces import traces

REPOSITORY = Path(__file__).parents[2]
REMARK = "the player scratched the neck while somebody called"
KEPT = ("withdrawals/", "recordings/")
PROPOSE = "import sys; from flows._runner import run_stage; from flows._study import open_study; "
PROPOSE += "assert run_stage(open_study(sys.argv[1]), 'propose').done == 2"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Study, object]]:
    """A study of two videos with questions on a real review server, and its PostgreSQL server or None."""
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        perceive_here(patch)
        database = None
        if request.param == "postgresql":
            programs = postgresql_programs()
            if programs is None:
                pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
            database = stack.enter_context(postgresql_server(programs))
            database.run("createdb", "pressroom")
            patch.setenv(PASSWORD_VARIABLE, database.password)
        root = tmp_path_factory.mktemp(request.param)
        small_study(root)
        if database:
            set_keys(root, server={"database": "postgresql", "postgresql_port": database.port, "postgresql_user": USER})
        study = open_study(root)
        push(study)
        stack.callback(service.stop, study.layout)
        yield study, database


def small_study(root: Path) -> Study:
    """A study of two short videos up to its candidates."""
    for number in range(2):
        paint_video(root / "recordings" / f"v{number}.mp4", color=number, seconds=3, touch_s=(1.0, 2.0))
    make_study(root)
    set_keys(root, annotate={"known_share": 0.0, "blind_share": 0.5})
    study = open_study(root)
    run_to_candidates(study)
    return study


def tasks_of(study: Study, video_id: str) -> list[ReviewTask]:
    found = newest_tasks(tasks_from_rows(study.store.read(TASKS)))
    return [task for task in found if task.anchor.video_id == video_id]


def work_as_a_person(server: ReviewServer, task: ReviewTask) -> None:
    """Open the next task, leave a draft, watch the clip, and export the project, as people do in their browsers."""
    with httpx.Client(
        base_url=server.url, headers={"Authorization": f"Token {server.token}"}, timeout=60, trust_env=False
    ) as http:
        project, draft = task.project_number, {"result": remark(), "lead_time": 1}
        for answer in (
            http.post("/api/dm/actions", params={"id": "next_task", "project": project}, json={}),
            http.post(f"/api/tasks/{task.task_number}/drafts", params={"project": project}, json=draft),
            http.get(http.get(f"/api/tasks/{task.task_number}/").json()["data"]["clip"]),
            http.get(f"/api/projects/{project}/export", params={"exportType": "JSON"}),
            http.post(f"/api/projects/{project}/exports/", json={"title": "all"}),
        ):
            assert answer.is_success, answer.text


def remark() -> list[dict[str, object]]:
    return answer_result(Verdict.ACCEPT, comment=REMARK)


def dumped(database: object) -> str:
    assert isinstance(database, PostgresqlServer)
    return database.run("pg_dump", "pressroom")


@pytest.mark.labelstudio
@pytest.mark.timeout(300)
def test_tasks_go_with_answers_drafts_history_and_exports_and_no_byte_stays(asked: tuple[Study, object]) -> None:
    study, database = asked
    gone, kept = (video.video_id for video in study_videos(study))
    mine, others = tasks_of(study, gone), tasks_of(study, kept)
    assert mine
    assert others
    with review_client(study) as (server, client):
        account = ensure_scripted_accounts(server, count=1)[0]
        for task in (mine[0], others[0]):
            client.annotate(task.task_number, remark(), account=account)
        work_as_a_person(server, mine[0])
    pull(study)
    words = {gone, *(task.candidate_id for task in mine)}
    before = {trace.split(": ")[0] for trace in traces(study.layout.labelstudio, words)}
    assert "server.log" in before
    assert any("export" in name for name in before)
    assert "label_studio.sqlite3" in before or mine[0].candidate_id in dumped(database)
    stray = stray_task(study, mine[0])
    service.stop(study.layout)

    done = withdraw_on_request(study, video=gone, subject=None, reason="asked to be left out")
    assert done.erased.tasks == len(mine) + 1, "with the one that a killed push did not record"
    assert service.running(study.layout) is None, "what did not run before does not run afterwards"
    assert traces(study.layout.root, words, but=KEPT) == []
    assert study.store.read(ANNOTATIONS).num_rows == 1
    if database:
        text = dumped(database)
        assert not any(word in text for word in words)
        assert text.count(REMARK) == 1, "of the other video's answer"
    with review_client(study) as (_, client):
        states = client.task_states(mine[0].project_number)
    assert stray not in states
    assert {task.task_number for task in others if task.project_number == mine[0].project_number} == states.keys()
    assert not any("deleted on the review server" in note for note in pull(study).notes)
    assert len(newest_tasks(tasks_from_rows(study.store.read(TASKS)))) == len(others)


def stray_task(study: Study, like: ReviewTask) -> int:
    """Put a task on the server that no row records, as a push does that is killed before it records it."""
    with review_client(study) as (server, client):
        path = f"{server.url}/api/tasks/{like.task_number}/"
        headers = {"Authorization": f"Token {server.token}"}
        data = httpx.get(path, headers=headers, timeout=60, trust_env=False).json()["data"]
        other_id = "c" + "0" * 20
        document = {"data": data | {"candidate_id": other_id}, "predictions": []}
        return client.import_tasks(like.project_number, [document])[other_id]


@pytest.mark.timeout(240)
def test_prefects_database_forgets_the_videos_runs_and_keeps_the_others(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        perceive_here(patch)
        study = small_study(tmp_path)
    for part in (tmp_path / "candidates").glob("*.parquet"):
        part.unlink()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
    path = os.pathsep.join(filter(None, [str(REPOSITORY), inherited.get("PYTHONPATH")]))
    subprocess.run([sys.executable, "-c", PROPOSE, str(tmp_path)], env=inherited | {"PYTHONPATH": path}, check=True)
    gone, kept = (video.video_id for video in study_videos(study))
    databases = tmp_path / "private" / "prefect"
    (databases / "server.log").write_text(f"a line\nProposing {gone} failed\nanother line about {kept}\n")
    assert any(DATABASE in trace for trace in traces(databases, [gone]))

    done = withdraw_on_request(study, video=gone, subject=None, reason="asked to be left out")
    assert done.erased.server_rows > 3
    assert traces(tmp_path, [gone], but=KEPT) == []
    assert any(DATABASE in trace for trace in traces(databases, [kept]))
    assert (databases / "server.log").read_text() == f"a line\nanother line about {kept}\n"
    with closing(sqlite3.connect(databases / DATABASE)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
