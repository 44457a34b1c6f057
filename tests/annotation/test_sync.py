"""Push and pull against the real Label Studio: nothing is lost and nothing is doubled, whatever fails in between."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx
import psutil
import pytest

from annotation.studio import service
from annotation.studio.queue import Opening
from annotation.studio.reading import AnswerCursor, AnswerPage
from annotation.studio.server import NEXT_FIRST, LabelStudioClient
from schema.errors import ServiceError
from tests.faulty_proxy import Fault, FaultyProxy, faulty_proxy
from tests.synced_server import Reviewing, reviewing

__all__ = ["reviewing"]
pytestmark = [pytest.mark.labelstudio, pytest.mark.timeout(300)]
PAGE = """<View><HyperText name="player" value="$html"/><Choices name="verdict" toName="player">
<Choice value="accept"/><Choice value="reject"/></Choices></View>"""
IMPORT = "/import"


@pytest.fixture
def client(reviewing: Reviewing) -> Iterator[LabelStudioClient]:
    with LabelStudioClient(reviewing.server, retry_seconds=60) as client:
        yield client


@pytest.fixture
def proxy(reviewing: Reviewing) -> Iterator[FaultyProxy]:
    with faulty_proxy(reviewing.server.url) as proxy:
        yield proxy


@pytest.fixture
def shaken(reviewing: Reviewing, proxy: FaultyProxy) -> Iterator[LabelStudioClient]:
    """A client whose requests go through the faulty proxy."""
    with LabelStudioClient(replace(reviewing.server, url=proxy.url), timeout_seconds=5, retry_seconds=60) as client:
        yield client


def make_project(client: LabelStudioClient, reviewing: Reviewing, title: str) -> int:
    return client.ensure_project(
        title=title, page=PAGE, instructions="", clips_folder=reviewing.layout.served / "clips"
    )


def documents(count: int, *, first: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "data": {"candidate_id": f"c{first + i:020d}", "html": "<video></video>"},
            "predictions": [{"result": [], "score": (first + i) % 10 / 10, "model_version": "rules 1"}],
        }
        for i in range(count)
    ]


def verdict(word: str) -> list[dict[str, Any]]:
    return [{"from_name": "verdict", "to_name": "player", "type": "choices", "value": {"choices": [word]}}]


def answer(client: LabelStudioClient, reviewing: Reviewing, tasks: list[int], *, people: int = 1) -> set[int]:
    return {
        client.annotate(task, verdict("accept"), account=account)
        for task in tasks
        for account in reviewing.accounts[:people]
    }


def read_all(client: LabelStudioClient, project: int, cursor: AnswerCursor) -> tuple[list[AnswerPage], set[int]]:
    pages = list(client.answer_pages(project, cursor))
    assert [page.complete for page in pages] == [False] * (len(pages) - 1) + [True]
    return pages, {row["id"] for page in pages for row in page.rows}


def ask(reviewing: Reviewing, method: str, path: str, **body: Any) -> None:
    """Do what a person does in the browser."""
    headers = {"Authorization": f"Token {reviewing.server.token}"}
    url = f"{reviewing.server.url}{path}"
    httpx.request(method, url, headers=headers, json=body or None, timeout=60, trust_env=False).raise_for_status()


def kill(reviewing: Reviewing) -> None:
    server = service.running(reviewing.layout)
    assert server is not None
    process = psutil.Process(server.pid)
    process.kill()
    process.wait()


def test_a_push_that_loses_its_answer_is_neither_repeated_nor_left_out(
    shaken: LabelStudioClient, proxy: FaultyProxy, reviewing: Reviewing
) -> None:
    project = make_project(shaken, reviewing, "lost answers")
    proxy.plan("POST", IMPORT, Fault.ANSWER_LOST, Fault.REFUSED, Fault.WRONG_ANSWER, Fault.CUT)
    numbers = shaken.import_tasks(project, documents(1200))
    assert len(set(numbers.values())) == 1200
    assert list(numbers.values()) == sorted(numbers.values()), "asked in the order in which they were given"
    assert not proxy.planned
    assert numbers == shaken.list_tasks(project) == shaken.import_tasks(project, documents(1200))
    assert len(shaken.task_states(project)) == 1200


def test_a_server_killed_in_the_middle_of_a_push_holds_every_task_once(
    client: LabelStudioClient, reviewing: Reviewing
) -> None:
    project = make_project(client, reviewing, "killed in a push")
    with ThreadPoolExecutor() as threads:
        pushed = threads.submit(client.import_tasks, project, documents(1500))
        time.sleep(0.7)
        kill(reviewing)
        reviewing.restart()
        numbers = pushed.result()
    assert len(client.task_states(project)) == len(set(numbers.values())) == 1500


def test_a_server_killed_in_the_middle_of_a_pull_gives_every_answer_once(
    client: LabelStudioClient, reviewing: Reviewing, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(client, reviewing, "killed in a pull")
    monkeypatch.setattr("annotation.studio.queue.PAGE_SIZE", 3)
    tasks = list(client.import_tasks(project, documents(6)).values())
    given = answer(client, reviewing, tasks)
    pages = client.answer_pages(project, AnswerCursor())
    first = next(pages)
    kill(reviewing)
    with ThreadPoolExecutor() as threads:
        rest = threads.submit(list, pages)
        reviewing.restart()
        found = [row["id"] for page in [first, *rest.result()] for row in page.rows]
    assert sorted(found) == sorted(given)


def test_a_minute_of_errors_and_broken_pages_loses_nothing(
    shaken: LabelStudioClient, proxy: FaultyProxy, reviewing: Reviewing
) -> None:
    project = make_project(shaken, reviewing, "errors")
    tasks = list(shaken.import_tasks(project, documents(5)).values())
    given = answer(shaken, reviewing, tasks, people=2)
    proxy.plan("GET", "/api/tasks/", Fault.CUT, Fault.WRONG_ANSWER, Fault.SILENT)
    proxy.plan("PATCH", f"/api/tasks/{tasks[0]}/", Fault.ANSWER_LOST, Fault.REFUSED)
    _, found = read_all(shaken, project, AnswerCursor())
    assert found == given
    assert shaken.set_overlap(tasks[0], 5, open=True)
    assert not proxy.planned
    proxy.down = True
    threading.Timer(3, setattr, (proxy, "down", False)).start()
    assert shaken.present_answers(project) == given


def test_a_scripted_answer_whose_receipt_is_lost_is_given_once(
    shaken: LabelStudioClient, proxy: FaultyProxy, reviewing: Reviewing
) -> None:
    project = make_project(shaken, reviewing, "lost receipts")
    (task,) = shaken.import_tasks(project, documents(1)).values()
    proxy.plan("POST", "/annotations/", Fault.ANSWER_LOST)
    given = answer(shaken, reviewing, [task])
    assert shaken.present_answers(project) == given


def test_a_server_that_stays_away_ends_in_one_line(reviewing: Reviewing, proxy: FaultyProxy) -> None:
    proxy.down = True
    with LabelStudioClient(replace(reviewing.server, url=proxy.url), retry_seconds=1) as client:
        for call in (
            lambda: client.list_tasks(1),
            lambda: client.import_tasks(1, documents(1)),
            lambda: client.close_task(1),
        ):
            begun = time.monotonic()
            with pytest.raises(ServiceError, match=r"answers (GET|POST|PATCH) /api/\S+ with 502") as caught:
                call()
            assert "\n" not in str(caught.value)
            assert reviewing.server.token not in str(caught.value)
            assert time.monotonic() - begun < 30


def test_two_pushes_and_two_pulls_at_once_agree(client: LabelStudioClient, reviewing: Reviewing) -> None:
    project = make_project(client, reviewing, "two at once")
    client.import_tasks(project, documents(10))
    with ThreadPoolExecutor() as threads:
        pushes = [threads.submit(client.import_tasks, project, documents(60)) for _ in range(2)]
        for push in pushes:
            push.result()
    numbers = client.import_tasks(project, documents(60))
    still_open = {number for number, state in client.task_states(project).items() if state.open}
    assert still_open == set(numbers.values()), "of a question's two tasks one is open"
    assert all(state.predictions == 1 for state in client.task_states(project, numbers=numbers.values()).values())
    given = answer(client, reviewing, list(numbers.values())[:4])
    with ThreadPoolExecutor() as threads:
        pulls = [threads.submit(read_all, client, project, AnswerCursor()) for _ in range(2)]
        assert [pull.result()[1] for pull in pulls] == [given, given]


def test_a_later_pull_reads_only_what_is_new(client: LabelStudioClient, reviewing: Reviewing) -> None:
    project = make_project(client, reviewing, "news")
    tasks = list(client.import_tasks(project, documents(30)).values())
    given = answer(client, reviewing, tasks[:10])
    pages, _ = read_all(client, project, AnswerCursor())
    cursor = replace(pages[-1].cursor, since="2100-01-01T00:00:00+00:00")
    assert cursor.seen == given
    assert read_all(client, project, cursor)[1] == set(), "nothing was touched since"
    (edited,) = answer(client, reviewing, tasks[:1])
    cursor = pages[-1].cursor
    ask(reviewing, "PATCH", f"/api/annotations/{edited}/", result=verdict("reject"))
    new = answer(client, reviewing, tasks[20:22])
    pages, found = read_all(client, project, cursor)
    assert {edited, *new} <= found
    rows = {row["id"]: row for page in pages for row in page.rows}
    assert rows[edited]["result"] == verdict("reject")
    assert rows[edited]["completed_by"] == reviewing.accounts[0].email
    assert pages[-1].cursor.seen == given | new


def test_deleted_and_late_answers_are_noticed_without_a_trace_on_their_task(
    client: LabelStudioClient, reviewing: Reviewing
) -> None:
    project = make_project(client, reviewing, "taken back")
    tasks = list(client.import_tasks(project, documents(5)).values())
    given = answer(client, reviewing, tasks, people=2)
    pages, _ = read_all(client, project, AnswerCursor())
    gone = min(given)
    ask(reviewing, "DELETE", f"/api/annotations/{gone}/")
    long_after = replace(pages[-1].cursor, since="2100-01-01T00:00:00+00:00")
    pages, found = read_all(client, project, long_after)
    assert found == set()
    assert pages[-1].cursor.seen == given - {gone} == client.present_answers(project)
    late = answer(client, reviewing, tasks[:1], people=3) - given
    pages, found = read_all(client, project, replace(pages[-1].cursor, since="2100-01-01T00:00:00+00:00"))
    assert late <= found
    assert pages[-1].cursor.seen == (given - {gone}) | late


def test_a_killed_pull_goes_on_after_its_last_page(
    client: LabelStudioClient, reviewing: Reviewing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotation.studio.queue.PAGE_SIZE", 2)
    project = make_project(client, reviewing, "resumed")
    tasks = list(client.import_tasks(project, documents(8)).values())
    shown = tasks[::2]
    numbers = answer(client, reviewing, shown)
    first = next(client.answer_pages(project, AnswerCursor()))
    kept = AnswerCursor.from_text(first.cursor.to_text())
    assert kept == first.cursor
    pages, found = read_all(client, project, kept)
    assert len(first.rows) == len(found) == 2, "what was read is not read again"
    assert found | {row["id"] for row in first.rows} == numbers
    assert pages[-1].cursor.seen == numbers


def test_pages_do_not_shift_when_tasks_vanish_meanwhile(
    client: LabelStudioClient, reviewing: Reviewing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotation.studio.queue.PAGE_SIZE", 3)
    project = make_project(client, reviewing, "shifting pages")
    tasks = list(client.import_tasks(project, documents(9)).values())
    given = {task: answer(client, reviewing, [task]) for task in tasks}
    pages = client.answer_pages(project, AnswerCursor())
    found = {row["id"] for row in next(pages).rows}
    for task in tasks[:3]:
        ask(reviewing, "DELETE", f"/api/tasks/{task}/")
    last = list(pages)
    found |= {row["id"] for page in last for row in page.rows}
    assert found >= {number for task in tasks[3:] for number in given[task]}
    assert last[-1].cursor.seen == {number for task in tasks[3:] for number in given[task]}
    assert client.missing_tasks(project, tasks) == set(tasks[:3])
    again = client.import_tasks(project, documents(9))
    assert set(tasks[3:]) < set(again.values()), "a task deleted by hand is made again when it is pushed again"


def test_a_task_gets_as_many_answers_as_it_is_told(client: LabelStudioClient, reviewing: Reviewing) -> None:
    project = make_project(client, reviewing, "overlap")
    first, second, third = client.import_tasks(project, documents(3)).values()
    once = Opening(answers=1, open=True)
    assert client.set_overlaps(project, {first: Opening(answers=2, open=True), second: once, 10**8: once}) == {10**8}
    answer(client, reviewing, [first, second])
    states = client.task_states(project, numbers=[first, second, third])
    assert [(s.answers, s.wanted, s.open) for s in states.values()] == [(1, 2, True), (1, 1, False), (0, 1, True)]
    answer(client, reviewing, [first], people=2)
    assert not client.task_states(project, numbers=[first])[first].open
    assert client.set_overlap(first, 3, open=True)
    assert client.close_tasks([third]) == set()
    assert set(client.task_states(project, only_open=True)) == {first}
    make_project(client, reviewing, "overlap")
    client.import_tasks(project, documents(5))
    assert client.task_states(project, numbers=[first])[first].wanted == 3, "later pushes leave it"


def test_the_stream_follows_the_order_of_import_and_the_view_the_scores(
    client: LabelStudioClient, reviewing: Reviewing
) -> None:
    project = make_project(client, reviewing, "order")
    tasks = list(client.import_tasks(project, documents(30)).values())
    headers = {"Authorization": f"Token {reviewing.accounts[0].token}"}
    with httpx.Client(base_url=reviewing.server.url, headers=headers, timeout=60, trust_env=False) as http:
        served = http.get(f"/api/projects/{project}/next").raise_for_status().json()["id"]
        assert served == tasks[0]
        for scores in ({task: i / 100 for i, task in enumerate(tasks)}, {tasks[4]: 0.9}):
            client.set_scores(project, scores | {10**8: 0.5})
        views = http.get("/api/dm/views/", params={"project": project}).raise_for_status().json()
        (view,) = [view["id"] for view in views if view["data"]["title"] == NEXT_FIRST]
        client.annotate(tasks[29], verdict("accept"), account=reviewing.accounts[1])
        shown = http.get("/api/tasks/", params={"view": view, "page_size": 3}).raise_for_status().json()["tasks"]
    assert [task["id"] for task in shown] == [tasks[4], tasks[28], tasks[27]]
    assert all(task["total_predictions"] == 1 for task in shown)


def test_scores_survive_a_lost_answer(
    shaken: LabelStudioClient, proxy: FaultyProxy, reviewing: Reviewing, client: LabelStudioClient
) -> None:
    project = make_project(shaken, reviewing, "lost scores")
    tasks = list(shaken.import_tasks(project, documents(30)).values())
    proxy.plan("POST", "/dm/actions/", Fault.ANSWER_LOST)
    proxy.plan("POST", "/import/predictions", Fault.REFUSED, Fault.ANSWER_LOST)
    shaken.set_scores(project, dict.fromkeys(tasks, 0.25))
    assert not proxy.planned
    rows = client._get("/api/predictions/", {"project": project}).json()
    assert sorted(row["task"] for row in rows) == sorted(tasks)
    assert {row["score"] for row in rows} == {0.25}


def test_only_an_unanswered_task_is_changed(
    client: LabelStudioClient, reviewing: Reviewing, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(client, reviewing, "changed")
    fresh, answered, raced = client.import_tasks(project, documents(3)).values()
    answer(client, reviewing, [answered])
    new = {"candidate_id": documents(1)[0]["data"]["candidate_id"], "html": "other"}
    assert client.update_task(fresh, new)
    assert not client.update_task(answered, new)
    assert not client.update_task(10**8, new)
    patch = LabelStudioClient._set

    def answered_meanwhile(self: LabelStudioClient, path: str, body: object, **options: Any) -> httpx.Response:
        monkeypatch.setattr(LabelStudioClient, "_set", patch)
        answer(client, reviewing, [raced])
        return patch(self, path, body, **options)

    monkeypatch.setattr(LabelStudioClient, "_set", answered_meanwhile)
    assert not client.update_task(raced, new)
    shown = {number: client._get(f"/api/tasks/{number}/").json()["data"] for number in (fresh, answered, raced)}
    assert shown[fresh] == new
    assert [shown[answered], shown[raced]] == [document["data"] for document in documents(3)[1:]]
