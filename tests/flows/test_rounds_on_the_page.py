"""Two rounds on the real review server: the second model words what is open anew, and what was answered stays."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from annotation.pages.verdict_page import answer_result
from annotation.studio import service
from annotation.studio.accounts import ensure_scripted_accounts
from flows import _rounds
from flows._plan import study_videos, to_propose
from flows._pull import pull
from flows._push import push
from flows._review import review_client
from flows._rounds import choose_model
from flows._standing import newest_tasks
from flows._study import Study
from flows._videos import propose_video
from schema.answer_rows import annotations_from_rows, tasks_from_rows
from schema.arrow import ANNOTATIONS, TASKS
from schema.records import ReviewTask, Verdict
from tests.answered_study import perceive_here
from tests.seed_stand_in import StandIn, seen, write_stand_in
from tests.verification import crowd_study

pytestmark = [pytest.mark.labelstudio, pytest.mark.timeout(300)]
FIRST, SECOND = seen(28.0, 29.0, "biting_nails", score=0.71), seen(28.1, 29.0, "touching_jaw", score=0.93)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """A study in its first round with a model; the tests follow each other on it."""
    with pytest.MonkeyPatch.context() as patch:
        perceive_here(patch)
        detections = {"seed-1": FIRST, "seed-2": SECOND}
        patch.setattr(
            _rounds,
            "_read",
            lambda folder, identity: StandIn(identity=identity, detections=[detections[folder.name]], likely_s=(0, 9)),
        )
        root = tmp_path_factory.mktemp("rounds")
        study = crowd_study(root, videos=1, known_share=0.0, blind_share=0.0)
        for number, name in enumerate(detections):
            write_stand_in(study.layout.models, name, seed=number)
        _rounds._loaded.clear()
        next_round(study, "seed-1")
        yield study
        service.stop(study.layout)
        _rounds._loaded.clear()


def next_round(study: Study, name: str) -> str:
    """Choose a model, propose with it and push; returns its name and digest."""
    identity = choose_model(study, name).model
    for video in to_propose(study, study_videos(study)):
        propose_video(study, video)
    push(study)
    return identity


def asked(study: Study) -> list[ReviewTask]:
    return newest_tasks(tasks_from_rows(study.store.read(TASKS)))


def learned(study: Study) -> ReviewTask:
    return next(task for task in asked(study) if task.proposer.startswith("seed-"))


def shown(study: Study, number: int) -> dict[str, Any]:
    with review_client(study) as (server, _):
        headers = {"Authorization": f"Token {server.token}"}
        path = f"{server.url}/api/tasks/{number}/"
        return dict(httpx.get(path, headers=headers, timeout=60, trust_env=False).raise_for_status().json())


def places(study: Study) -> dict[int, float]:
    """The score of each open task: the view "Next first" begins with the greatest."""
    return {task.task_number: shown(study, task.task_number)["predictions"][0]["score"] for task in asked(study)}


def test_the_models_proposals_stand_beside_the_contacts_with_their_own_score(study: Study) -> None:
    tasks = asked(study)
    assert {task.proposer.partition("@")[0] for task in tasks} >= {"contact", "seed-1"}
    task = learned(study)
    page = shown(study, task.task_number)
    assert page["data"]["proposer"] == task.proposer
    assert page["data"]["score"] == 0.71
    assert "Biting nails" in page["data"]["reason"]
    (region,) = page["predictions"][0]["result"]
    assert region["meta"] == {"text": [f"{task.proposer} 0.71"]}


def test_the_next_model_words_and_orders_anew_what_nobody_has_answered(study: Study) -> None:
    task = learned(study)
    answered = next(one for one in asked(study) if one.proposer == "contact")
    with review_client(study) as (server, client):
        account = ensure_scripted_accounts(server, count=1)[0]
        client.annotate(answered.task_number, answer_result(Verdict.ACCEPT), account=account)
    pull(study)
    before, order = shown(study, answered.task_number), places(study)
    identity = next_round(study, "seed-2")
    page = shown(study, task.task_number)
    assert page["data"]["class_name"].startswith("Touching jaw")
    assert (page["data"]["proposer"], page["data"]["score"]) == (identity, 0.93)
    (region,) = page["predictions"][0]["result"]
    assert region["meta"] == {"text": [f"{identity} 0.93"]}
    assert shown(study, answered.task_number)["data"] == before["data"]
    row = next(one for one in asked(study) if one.candidate_id == task.candidate_id)
    assert (row.task_number, row.proposer, row.class_id, row.round_number) == (
        task.task_number,
        identity,
        "touching_jaw",
        2,
    )
    assert places(study) != order
    assert push(study).rows == 0
    assert len({one.candidate_id for one in asked(study)}) == len(order), "nothing is asked twice"


def test_every_vote_names_the_proposer_of_what_was_shown(study: Study) -> None:
    task = learned(study)
    with review_client(study) as (server, client):
        account = ensure_scripted_accounts(server, count=1)[0]
        region = shown(study, task.task_number)["predictions"][0]["result"]
        client.annotate(task.task_number, [*answer_result(Verdict.ACCEPT), *region], account=account)
    assert pull(study).rows == 1
    votes = annotations_from_rows(study.store.read(ANNOTATIONS))
    assert [vote.proposer.partition("@")[0] for vote in votes] == ["contact", "seed-2"]
    assert votes[1].class_id == "touching_jaw"
    assert task.proposer in votes[1].raw
