"""The real Label Studio 1.23.2: what it does not check or promise itself is checked here from the outside."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from annotation.answers.parse import parse_annotations
from annotation.pages.tasks import question_for, task_document
from annotation.pages.verdict_page import answer_result, instructions, verdict_page
from annotation.studio import service
from annotation.studio.accounts import ScriptedAccount, ensure_scripted_accounts, is_scripted
from annotation.studio.installation import ensure_label_studio
from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer, ReviewServerConfig
from schema.errors import ServiceError
from schema.layout import StudyLayout
from schema.records import Annotation, CandidateId, Verdict
from schema.taxonomy import load_taxonomy, taxonomy_names
from tests.factories import ARMS, KEY, make_candidate, make_frame_times, make_task
from tests.media_files import constant_rate
from tests.review_page import VIEWPORT, playing_page, send_by_keyboard

pytestmark = [pytest.mark.labelstudio, pytest.mark.timeout(300)]
IMIGUE = load_taxonomy("imigue32")
CLIP = "clips/clip.mp4"


@pytest.fixture(scope="session")
def clip(review_layout: StudyLayout) -> Path:
    path = review_layout.served / CLIP
    path.parent.mkdir(parents=True, exist_ok=True)
    return constant_rate(path, count=75, width=320, height=240)


@pytest.fixture
def client(review_server: ReviewServer) -> Iterator[LabelStudioClient]:
    with LabelStudioClient(review_server, retry_seconds=1) as client:
        yield client


@pytest.fixture(scope="session")
def accounts(review_server: ReviewServer) -> list[ScriptedAccount]:
    return ensure_scripted_accounts(review_server, count=3)


def make_project(client: LabelStudioClient, layout: StudyLayout, title: str, *, taxonomy: str = "imigue32") -> int:
    chosen = load_taxonomy(taxonomy)
    return client.ensure_project(
        title=title,
        page=verdict_page(chosen),
        instructions=instructions(chosen),
        answers_per_task=3,
        clips_folder=layout.served / "clips",
    )


def documents(count: int, *, first: int = 0) -> list[dict[str, Any]]:
    return [
        task_document(
            make_candidate(candidate_id=CandidateId(f"c{first + i:020d}"), score=(first + i) % 10 / 10),
            taxonomy=IMIGUE,
            clip=CLIP,
            asked_in_clip=(25, 50),
            frame_rate=25,
        )
        for i in range(count)
    ]


def parse(rows: Iterator[dict[str, Any]], numbers: dict[CandidateId, int]) -> list[Annotation]:
    tasks = {
        number: make_task(candidate_id=candidate_id, task_number=number) for candidate_id, number in numbers.items()
    }
    scripts = frozenset(f"script-{n}@example.com" for n in (1, 2, 3))
    parsed = parse_annotations(
        rows,
        tasks=tasks,
        taxonomy=IMIGUE,
        pseudonym_key=KEY,
        scripted_accounts=scripts,
        frame_times_of=lambda _: make_frame_times(),
    )
    answers = []
    for answer in parsed:
        assert isinstance(answer, Annotation), answer
        answers.append(answer)
    return answers


def test_it_is_found_again_and_started_once(review_server: ReviewServer, review_layout: StudyLayout) -> None:
    assert service.running(review_layout) == review_server
    assert service.start(review_layout, ensure_label_studio(), config=ReviewServerConfig()) == review_server


def test_only_clips_are_served_and_only_to_members(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout, clip: Path
) -> None:
    make_project(client, review_layout, "served files")
    (review_layout.served / "loose.txt").write_text("not a clip")
    member = {"Authorization": f"Token {review_server.token}"}

    def ask(file: str, **headers: str) -> httpx.Response:
        url = f"{review_server.url}/data/local-files/"
        return httpx.get(url, params={"d": file}, headers=headers, timeout=60, trust_env=False)

    assert ask(CLIP, **member).status_code == 200
    assert ask(CLIP, **member, Range="bytes=0-99").status_code == 206
    assert ask(CLIP).status_code == 401
    assert ask("loose.txt", **member).status_code == 404
    for file in ("../private/label-studio/credentials.json", "clips/../../private/label-studio/credentials.json"):
        answer = ask(file, **member)
        assert answer.is_error
        assert review_server.password not in answer.text
    assert (
        httpx.get(review_server.url, headers={"Host": "rebound.example"}, timeout=60, trust_env=False).status_code
        == 400
    )


@pytest.mark.parametrize("name", taxonomy_names())
def test_the_page_of_every_taxonomy_is_taken(client: LabelStudioClient, review_layout: StudyLayout, name: str) -> None:
    number = make_project(client, review_layout, f"page {name}", taxonomy=name)
    assert make_project(client, review_layout, f"page {name}", taxonomy=name) == number


def test_a_push_is_idempotent_also_after_a_half_one(client: LabelStudioClient, review_layout: StudyLayout) -> None:
    project = make_project(client, review_layout, "push")
    half = client.import_tasks(project, documents(30))
    whole = client.import_tasks(project, documents(250))
    assert client.import_tasks(project, documents(250)) == whole == client.list_tasks(project)
    assert len(set(whole.values())) == 250
    assert half.items() <= whole.items()


def test_a_prediction_that_does_not_fit_is_refused_before_anything_is_sent(
    client: LabelStudioClient, review_layout: StudyLayout
) -> None:
    project = make_project(client, review_layout, "refused")
    good, bad, worse = documents(3)
    bad["predictions"][0]["result"] = [
        {"from_name": "nobody", "to_name": "player", "type": "choices", "value": {"choices": ["accept"]}}
    ]
    with pytest.raises(ServiceError, match="does not fit the page"):
        client.import_tasks(project, [good, bad])
    worse["predictions"][0]["score"] = 3.5
    with pytest.raises(ServiceError, match=r"does not fit the page: .*3\.5"):
        client.import_tasks(project, [good, worse])
    assert client.list_tasks(project) == {}


def test_scripted_answers_arrive_once_and_say_that_they_are_scripted(
    client: LabelStudioClient, review_layout: StudyLayout, accounts: list[ScriptedAccount]
) -> None:
    project = make_project(client, review_layout, "answers")
    numbers = client.import_tasks(project, documents(3))
    given = {
        number: [
            client.annotate(number, answer_result(verdict, class_id=class_id), account=account, lead_time_seconds=1.5)
            for account, verdict, class_id in zip(
                accounts, (Verdict.ACCEPT, Verdict.RELABEL, Verdict.UNSURE), (None, ARMS, None), strict=True
            )
        ]
        for number in list(numbers.values())[:2]
    }
    first = next(iter(given))
    again = client.annotate(first, answer_result(Verdict.REJECT), account=accounts[0])
    assert again == given[first][0], "an account answers a task once"
    answers = parse(client.list_answers(project), numbers)
    assert len({answer.annotation_id for answer in answers}) == len(answers) == 6
    assert all(answer.scripted and answer.lead_time_ns == 1_500_000_000 for answer in answers)
    assert sorted(answer.verdict for answer in answers) == sorted([Verdict.ACCEPT, Verdict.RELABEL, Verdict.UNSURE] * 2)
    assert {answer.class_id for answer in answers if answer.verdict is Verdict.RELABEL} == {ARMS}
    assert len({answer.annotator_id for answer in answers}) == 3


def test_a_later_pull_reads_what_is_new_and_an_edited_answer_is_new(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout, accounts: list[ScriptedAccount]
) -> None:
    project = make_project(client, review_layout, "later")
    numbers = client.import_tasks(project, documents(2))
    first, second = numbers.values()
    number = client.annotate(first, answer_result(Verdict.ACCEPT), account=accounts[0])
    (before,) = parse(client.list_answers(project), numbers)
    httpx.patch(
        f"{review_server.url}/api/annotations/{number}/",
        headers={"Authorization": f"Token {accounts[0].token}"},
        json={"result": answer_result(Verdict.REJECT)},
        timeout=60,
        trust_env=False,
    ).raise_for_status()
    client.annotate(second, answer_result(Verdict.ACCEPT), account=accounts[0])
    after = parse(client.list_answers(project, since_ns=before.answered_ns), numbers)
    assert [answer.verdict for answer in after] == [Verdict.REJECT, Verdict.ACCEPT]
    assert before.annotation_id not in {answer.annotation_id for answer in after}
    assert list(client.list_answers(project, since_ns=time.time_ns() + 7200 * 10**9)) == []


def test_scripted_accounts_are_kept_and_plainly_named(
    review_server: ReviewServer, accounts: list[ScriptedAccount]
) -> None:
    assert ensure_scripted_accounts(review_server, count=3) == accounts
    kept = review_server.data_folder / "scripted-accounts.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.write_text(kept.read_text().replace(accounts[1].token, ""))
    assert ensure_scripted_accounts(review_server, count=3) == accounts, "killed between sign-up and note"
    assert all(is_scripted(account.email) for account in accounts)
    assert not is_scripted(review_server.user)


@pytest.mark.browser
def test_a_person_sees_the_clip_playing_and_answers_with_two_keys(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout, clip: Path
) -> None:
    project = make_project(client, review_layout, "a person")
    numbers = client.import_tasks(project, documents(2))
    with playing_page(review_server, project) as page:
        question = page.get_by_text(question_for(make_candidate(), IMIGUE))
        for shown in (
            question,
            page.get_by_text("Proposed because: right hand"),
            page.get_by_text("Accept", exact=False).first,
        ):
            box = shown.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] < VIEWPORT["height"], "visible without scrolling"
        assert page.locator("input[type=radio]:checked").count() == 0, "nothing is preselected"
        page.keyboard.press("1")  # no class has a key: this must pick nothing
        assert send_by_keyboard(page, "a") == 201
    (answer,) = parse(client.list_answers(project), numbers)
    assert (answer.verdict, answer.scripted) == (Verdict.ACCEPT, False)
    assert answer.lead_time_ns > 0


def test_stopped_in_the_middle_it_fails_in_one_line_and_goes_on_after_a_start(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout
) -> None:
    project = make_project(client, review_layout, "stopped")
    before = client.import_tasks(project, documents(2))
    assert service.stop(review_layout)
    for call in (
        lambda: client.import_tasks(project, documents(4)),
        lambda: list(client.list_answers(project)),
        lambda: ensure_scripted_accounts(review_server, count=4),
    ):
        with pytest.raises(ServiceError) as caught:
            call()
        assert "\n" not in str(caught.value)
        assert review_server.token not in str(caught.value)
    again = service.start(review_layout, ensure_label_studio(), config=ReviewServerConfig())
    assert again.url == review_server.url
    after = client.import_tasks(project, documents(4))
    assert before.items() <= after.items()
    assert len(after) == 4
