"""The page of "which one is the player?" in the real Label Studio, and in a browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from annotation.answers.player_answers import parse_player_votes
from annotation.pages.player_page import player_answer_result, player_instructions, player_page
from annotation.pages.player_questions import (
    PICTURES_FOLDER,
    QUESTION,
    QuestionDraft,
    make_question_id,
    player_task_document,
)
from annotation.studio.accounts import ensure_scripted_accounts
from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer
from schema.layout import StudyLayout
from schema.people import PersonAnchor
from schema.player_questions import PersonShown, PlayerQuestion, PlayerVote
from tests.factories import BOX, KEY, SHA256, VIDEO_ID
from tests.review_page import VIEWPORT, lineup_page, send_by_keyboard, show_lineup

pytestmark = [pytest.mark.labelstudio, pytest.mark.timeout(300)]


@pytest.fixture
def client(review_server: ReviewServer) -> Iterator[LabelStudioClient]:
    with LabelStudioClient(review_server) as client:
        yield client


def make_project(client: LabelStudioClient, layout: StudyLayout, title: str) -> int:
    return client.ensure_project(
        title=title,
        page=player_page(),
        instructions=player_instructions(),
        answers_per_task=1,
        clips_folder=layout.served / PICTURES_FOLDER,
    )


def draft(letters: str, *, at_ns: int = 0) -> QuestionDraft:
    people = tuple(
        PersonShown(letter=letter, anchors=(PersonAnchor(time_ns=at_ns, box_xyxy=BOX),)) for letter in letters
    )
    question_id = make_question_id(SHA256, people)
    return QuestionDraft(question_id=question_id, sha256=SHA256, moments=(), people=people, letters={})


def put(
    client: LabelStudioClient, layout: StudyLayout, title: str, *drafts: QuestionDraft
) -> dict[int, PlayerQuestion]:
    """Put questions on the page with a picture of the size of a real one; returns them by task number."""
    project = make_project(client, layout, title)
    for one in drafts:
        path: Path = layout.served / one.picture
        Image.new("RGB", (1600, 850), (40, 60, 80)).save(path)
    documents = [player_task_document(one, reason="alike") for one in drafts]
    numbers = client.import_tasks(project, documents, id_field="question_id")
    return {
        numbers[one.question_id]: PlayerQuestion(
            question_id=one.question_id,
            video_id=VIDEO_ID,
            sha256=SHA256,
            people=one.people,
            question=QUESTION,
            reason="alike",
            server_id="server",
            project_number=project,
            task_number=numbers[one.question_id],
        )
        for one in drafts
    }


def votes_on(client: LabelStudioClient, questions: dict[int, PlayerQuestion]) -> list[PlayerVote]:
    project = next(iter(questions.values())).project_number
    scripts = frozenset({"script-1@example.com"})
    parsed = list(
        parse_player_votes(
            client.list_answers(project), questions=questions, pseudonym_key=KEY, scripted_accounts=scripts
        )
    )
    assert all(isinstance(vote, PlayerVote) for vote in parsed), parsed
    return [vote for vote in parsed if isinstance(vote, PlayerVote)]


def test_a_question_is_on_the_page_once_however_often_it_is_pushed(
    client: LabelStudioClient, review_layout: StudyLayout
) -> None:
    first, second = draft("AB"), draft("AB", at_ns=1)
    before = put(client, review_layout, "players once", first)
    after = put(client, review_layout, "players once", first, second)
    assert before.items() <= after.items()
    assert len(after) == 2
    project = make_project(client, review_layout, "players once")
    assert client.list_tasks(project) == {}, "questions are no candidates"


def test_a_script_answers_as_the_page_does(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout
) -> None:
    questions = put(client, review_layout, "players scripted", draft("ABC"))
    (account,) = ensure_scripted_accounts(review_server, count=1)
    (number,) = questions
    client.annotate(number, player_answer_result("B"), account=account)
    (vote,) = votes_on(client, questions)
    assert (vote.chosen, vote.scripted) == (frozenset("B"), True)


@pytest.mark.browser
def test_every_key_answers_and_the_question_is_seen_without_scrolling(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout
) -> None:
    questions = put(client, review_layout, "players by key", *(draft("ABCDEFGH", at_ns=k) for k in range(3)))
    project = next(iter(questions.values())).project_number
    with lineup_page(review_server, project) as page:
        for shown in (page.get_by_text(QUESTION), page.get_by_text("Unsure"), page.get_by_text("Asked because")):
            box = shown.bounding_box()
            assert box is not None
            assert box["y"] + box["height"] < 0.3 * VIEWPORT["height"]
        bottom = page.evaluate("document.querySelector('.who img').getBoundingClientRect().bottom")
        assert bottom < VIEWPORT["height"]
        assert page.locator("input[type=checkbox]:checked").count() == 0, "nothing is preselected"
        assert send_by_keyboard(page, "ah") == 201
        for keys in ("0", "n"):
            show_lineup(page, review_server, project)
            assert send_by_keyboard(page, keys) == 201
    votes = sorted(votes_on(client, questions), key=lambda vote: vote.answered_ns)
    assert [vote.chosen for vote in votes] == [frozenset("AH"), frozenset(), None]
    assert not any(vote.scripted for vote in votes)
    assert all(vote.lead_time_ns > 0 for vote in votes)
