"""Push and pull on the real review server: what is deleted, changed, withdrawn or taken back there."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from annotation.pages.verdict_page import answer_result
from annotation.studio import service
from annotation.studio.accounts import ensure_scripted_accounts
from annotation.studio.server import LabelStudioClient
from flows import _push
from flows._clips import clip_files
from flows._plan import current_candidates, study_videos
from flows._pull import pull
from flows._push import push
from flows._review import review_client
from flows._standing import newest_tasks
from flows._study import Study
from flows._withdraw import withdraw_by_policy
from schema.answer_rows import annotations_from_rows, tasks_from_rows
from schema.arrow import ANNOTATIONS, TASKS
from schema.records import ReviewTask, Verdict
from schema.timespan import NS_PER_SECOND, TimeSpan
from tests.answered_study import perceive_here
from tests.verification import crowd_study

pytestmark = [pytest.mark.labelstudio, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """A study of one video with its questions on the page; the tests follow each other on it."""
    with pytest.MonkeyPatch.context() as patch:
        perceive_here(patch)
        study = crowd_study(tmp_path_factory.mktemp("pushed"), videos=1, known_share=0.0, blind_share=0.0)
    push(study)
    yield study
    service.stop(study.layout)


def asked(study: Study) -> list[ReviewTask]:
    return newest_tasks(tasks_from_rows(study.store.read(TASKS)))


def call(study: Study, method: str, path: str) -> httpx.Response:
    """Do by hand what a member of the project can do."""
    with review_client(study) as (server, _):
        headers = {"Authorization": f"Token {server.token}"}
        return httpx.request(method, server.url + path, headers=headers, timeout=60, trust_env=False)


def test_every_candidate_is_asked_once_in_the_order_of_the_stream(study: Study) -> None:
    tasks = asked(study)
    assert len(tasks) == len({task.candidate_id for task in tasks}) >= 10
    assert push(study).rows == 0
    with review_client(study) as (_, client):
        states = client.task_states(tasks[0].project_number)
    assert {state.wanted for state in states.values()} == {study.config.annotate.first_answers}
    assert [states[task.task_number].asked_id for task in tasks] == [task.candidate_id for task in tasks]


def test_a_task_that_was_deleted_by_hand_is_told_and_asked_again_on_request(study: Study) -> None:
    lost = asked(study)[0]
    assert call(study, "DELETE", f"/api/tasks/{lost.task_number}/").is_success
    assert any("deleted on the review server: 1" in note for note in pull(study).notes)
    assert push(study).rows == 0, "not without being asked to"
    assert push(study, recreate=True).rows == 1
    again = next(task for task in asked(study) if task.candidate_id == lost.candidate_id)
    assert again.task_number != lost.task_number
    assert not any("deleted" in note for note in pull(study).notes)
    assert push(study, recreate=True).rows == 0


def test_an_answer_that_is_deleted_is_recorded_as_taken_back_and_somebody_is_asked_again(study: Study) -> None:
    task = asked(study)[1]
    with review_client(study) as (server, client):
        accounts = ensure_scripted_accounts(server, count=2)
        numbers = [client.annotate(task.task_number, answer_result(Verdict.ACCEPT), account=a) for a in accounts]
    assert pull(study).rows == 2
    assert pull(study).rows == 0
    assert call(study, "DELETE", f"/api/annotations/{numbers[0]}/").is_success
    assert pull(study).rows == 1
    recorded = annotations_from_rows(study.store.read(ANNOTATIONS))
    assert [answer.deleted for answer in recorded] == [False, False, True]
    with review_client(study) as (_, client):
        assert client.task_states(task.project_number, only_open=True)[task.task_number].answers == 1


def test_an_open_question_follows_its_candidate_and_an_answered_one_stays(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, open_task = asked(study)[1], asked(study)[2]
    with review_client(study) as (server, client):
        account = ensure_scripted_accounts(server, count=2)[1]
        client.annotate(answered.task_number, answer_result(Verdict.ACCEPT), account=account)
    pull(study)
    today = current_candidates(study, study_videos(study))

    def moved(*_: object) -> list[object]:
        return [
            (
                video,
                replace(one, span=TimeSpan(start_ns=one.span.start_ns, end_ns=one.span.end_ns + NS_PER_SECOND // 5)),
            )
            if one.candidate_id in (answered.candidate_id, open_task.candidate_id)
            else (video, one)
            for video, one in today
        ]

    before = call(study, "GET", f"/api/tasks/{open_task.task_number}/").json()
    untouched = call(study, "GET", f"/api/tasks/{answered.task_number}/").json()["data"]
    monkeypatch.setattr(_push, "current_candidates", moved)
    assert push(study).rows == 1
    after = call(study, "GET", f"/api/tasks/{open_task.task_number}/").json()
    assert after["data"]["clip"] != before["data"]["clip"]
    shown = [row["predictions"][0]["result"][0]["value"]["ranges"][0] for row in (before, after)]
    assert shown[1]["end"] == shown[0]["end"] + 2, "0.2 s at 10 frames per second"
    assert call(study, "GET", f"/api/tasks/{answered.task_number}/").json()["data"] == untouched
    assert push(study).rows == 0


def test_what_a_killed_push_worded_anew_is_recorded_by_the_next_pull(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, other = asked(study)[3], asked(study)[4]
    today = current_candidates(study, study_videos(study))
    meant = {reached.candidate_id, other.candidate_id}

    def changed(*_: object) -> list[object]:
        return [(video, replace(one, reason="anew") if one.candidate_id in meant else one) for video, one in today]

    update_task = LabelStudioClient.update_task

    def killed(client: LabelStudioClient, number: int, data: dict[str, object]) -> bool:
        if number == other.task_number:
            raise KeyboardInterrupt
        return update_task(client, number, data)

    monkeypatch.setattr(_push, "current_candidates", changed)
    with monkeypatch.context() as patch:
        patch.setattr(LabelStudioClient, "update_task", killed)
        with pytest.raises(KeyboardInterrupt):
            push(study)
    assert {reached, other} < set(asked(study))
    with review_client(study) as (server, client):
        client.annotate(
            reached.task_number, answer_result(Verdict.ACCEPT), account=ensure_scripted_accounts(server, count=1)[0]
        )
    pull(study)
    newest = {task.candidate_id: task for task in asked(study)}
    assert newest[reached.candidate_id] == replace(reached, reason="anew")
    assert newest[other.candidate_id] == other
    assert push(study).rows == 1


def test_questions_about_a_withdrawn_video_are_deleted_and_their_clips_too(study: Study) -> None:
    tasks = asked(study)
    assert all(clip_files(study, task.candidate_id) for task in tasks)
    withdraw_by_policy(study, [tasks[0].anchor.video_id], cause="opted_out")
    assert not any(clip_files(study, task.candidate_id) for task in tasks)
    with review_client(study) as (_, client):
        assert client.task_states(tasks[0].project_number) == {}
    pull(study)
    assert push(study).rows == 0
