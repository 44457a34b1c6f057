"""Which one is the player? From two people who are alike, by way of the review page, to keypoints of one of them."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from annotation.pages.player_page import player_answer_result
from annotation.studio import service
from annotation.studio.accounts import ScriptedAccount
from annotation.studio.service import ReviewServer
from flows import _pull, _push, _reviewers
from flows._duplicates import find_study_duplicates, fingerprint_video, to_fingerprint
from flows._plan import disposed_videos, held_back, study_videos, to_perceive, to_propose, to_push
from flows._player_questions import question_picture, to_ask
from flows._pull import pull
from flows._push import push
from flows._retention import apply_retention
from flows._reviewers import answer_questions_by_script
from flows._runner import STAGES
from flows._study import Study, open_study
from flows._videos import perceive_video, propose_video, read_video_part
from media.clips import write_clip
from perception.backends.synthetic import SyntheticKeypointEstimator
from schema.answer_rows import tasks_from_rows
from schema.arrow import KEYPOINTS, PLAYER_ANSWERS, PLAYER_QUESTIONS, PLAYERS, TASKS
from schema.errors import DropReason, ServiceError
from schema.people import DecidedBy, Role, TrackRole
from schema.people_rows import roles_from_rows
from schema.player_question_rows import player_questions_from_rows
from schema.player_questions import PlayerQuestion
from tests.answered_study import perceive_here
from tests.quiet_queue import QuietQueue
from tests.review_page import lineup_page, send_by_keyboard
from tests.studies import make_study, run_to_candidates, set_keys
from tests.synthetic_people import PaintedPerson, hand_way, paint

LEFT, RIGHT = (20, 40, 120, 236), (200, 40, 300, 236)


@dataclass
class Page(QuietQueue):
    """Stands for the review server and its client: keeps tasks, and answers that a test gives."""

    tasks: dict[str, int] = field(default_factory=dict)
    answers: list[dict[str, Any]] = field(default_factory=list)
    server_id: ClassVar[str] = "server"

    def ensure_project(self, *, title: str, **_: object) -> int:
        return 2 if "player" in title else 1

    def import_tasks(
        self, project_number: int, documents: Iterable[dict[str, Any]], *, id_field: str = "candidate_id"
    ) -> dict[str, int]:
        ids = [document["data"][id_field] for document in documents]
        return {one: self.tasks.setdefault(one, 100 * project_number + len(self.tasks)) for one in ids}

    def list_answers(self, project_number: int, *, since_ns: int | None = None) -> Iterator[dict[str, Any]]:
        return (row for row in self.answers if row["task"] // 100 == project_number)

    def annotate(self, task_number: int, result: list[dict[str, Any]], *, account: ScriptedAccount) -> int:
        self.put(task_number, result, account=account.email)
        return len(self.answers)

    def answer(self, question: PlayerQuestion, chosen: str | None, *, account: str = "reviewer@example.com") -> None:
        """Answer as the page would."""
        self.put(question.task_number, player_answer_result(chosen), account=account)

    def put(self, task_number: int, result: list[dict[str, Any]], *, account: str) -> None:
        """Keep an answer; the clock goes on by a second with every one."""
        second = len(self.answers)
        row = {"id": second, "task": task_number, "completed_by": account, "result": result}
        self.answers.append(row | {"updated_at": f"2026-03-01T10:00:{second:02d}Z"})


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    page = Page()

    @contextmanager
    def review_client(_: Study) -> Iterator[tuple[Page, Page]]:
        yield page, page

    def accounts(_: object, *, count: int) -> list[ScriptedAccount]:
        emails = [f"script-{number}@example.com" for number in range(1, count + 1)]
        return [ScriptedAccount(email=email, password="", token="", user_number=0) for email in emails]

    for module in (_pull, _push, _reviewers):
        monkeypatch.setattr(module, "review_client", review_client)
    monkeypatch.setattr(_reviewers, "ensure_scripted_accounts", accounts)
    return page


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of two people who sit side by side, alike in all that is measured; each touches the neck once."""
    root = tmp_path_factory.mktemp("made")
    paint_two(root / "recordings" / "two.mp4")
    with pytest.MonkeyPatch.context() as patched:
        perceive_here(patched)
        run_to_candidates(make_study(root))
    return root


@pytest.fixture
def study(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    perceive_here(monkeypatch)
    return open_study(shutil.copytree(made, tmp_path / "study"))


def redo(study: Study) -> None:
    """Perceive and propose what is not current."""
    for video in to_perceive(study, study_videos(study)):
        perceive_video(study, video, lambda *_: None)
    for video in to_propose(study, study_videos(study)):
        propose_video(study, video)


def paint_two(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)

    def pictures() -> Iterator[np.ndarray]:
        for k in range(40):
            ways = hand_way(k / 10, [(0.8, 1.8)]), hand_way(k / 10, [(2.2, 3.2)])
            people = [
                PaintedPerson(color=color, box_xyxy=box, hand_at_neck=way)
                for color, box, way in zip((0, 1), (LEFT, RIGHT), ways, strict=True)
            ]
            yield paint(people)

    write_clip(pictures(), path, frame_rate=10)


def asked_in(study: Study) -> list[PlayerQuestion]:
    return player_questions_from_rows(study.store.read(PLAYER_QUESTIONS))


def roles_in(study: Study) -> list[TrackRole]:
    (video,) = study_videos(study)
    return roles_from_rows(read_video_part(study, video, PLAYERS))


def letter_at(question: PlayerQuestion, box: tuple[int, ...]) -> str:
    """The letter of the person who sits at a place."""
    middle = (box[0] + box[2]) / 2
    return next(p.letter for p in question.people if p.anchors[0].box_xyxy[0] < middle < p.anchors[0].box_xyxy[2])


def dropped_as_other(study: Study) -> int:
    (video,) = study_videos(study)
    part = next(name for name in study.store.parts(PLAYERS) if name.key == video.video_id)
    lost = study.store.summary(PLAYERS, part.key, part.digest).dropped
    return sum(one.reason is DropReason.NOT_THE_PLAYER and "/track" in one.item_id for one in lost)


def tracks_with_keypoints(study: Study) -> set[int]:
    (video,) = study_videos(study)
    return set(read_video_part(study, video, KEYPOINTS)["track_number"].to_pylist())


def test_two_who_are_alike_are_asked_about_once_and_their_candidates_wait(study: Study, page: Page) -> None:
    assert {role.role for role in roles_in(study)} == {Role.UNDECIDED}
    assert to_push(study) == []
    assert held_back(study) >= 2
    assert STAGES["push"].waiting(study, None) == 1
    outcome = push(study)
    assert outcome.rows == 1
    (question,) = asked_in(study)
    assert [person.letter for person in question.people] == ["A", "B"]
    with Image.open(question_picture(study, question.question_id)) as picture:
        assert picture.width == 1600
    assert (push(study).rows, to_ask(study), STAGES["push"].waiting(study, None)) == (0, [], 0)


def test_the_picture_names_no_video_and_shows_both(study: Study, page: Page) -> None:
    push(study)
    (question,) = asked_in(study)
    path = question_picture(study, question.question_id)
    (video,) = study_videos(study)
    assert video.video_id not in path.name
    assert video.video_id.encode() not in path.read_bytes()
    boxes = {p.letter: {round(a.box_xyxy[0] / 50) for a in p.anchors} for p in question.people}
    assert sorted(map(sorted, boxes.values())) == [[0], [4]]


def test_the_answer_keeps_one_and_drops_the_other(study: Study, page: Page) -> None:
    push(study)
    (question,) = asked_in(study)
    page.answer(question, letter_at(question, RIGHT))
    outcome = pull(study)
    assert outcome.rows == 1
    assert any("who is the player: 1" in note for note in outcome.notes)
    assert len(to_perceive(study, study_videos(study))) == 1, "the plan sees the answer"
    redo(study)
    player, other = sorted(roles_in(study), key=lambda role: role.role is not Role.PLAYER)
    assert (player.role, player.decided_by, other.role) == (Role.PLAYER, DecidedBy.ANSWER, Role.OTHER)
    assert dropped_as_other(study) == 1
    assert tracks_with_keypoints(study) == {player.track_number}
    (candidate,) = {candidate.box_xyxy[0] > 160 for _, candidate in to_push(study)}
    assert candidate, "the candidates are those of the person on the right"
    assert held_back(study) == 0
    push(study)
    assert len(tasks_from_rows(study.store.read(TASKS))) == len(page.tasks) - 1


def test_an_answer_costs_no_keypoints_that_are_there(study: Study, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def estimate(*_: object) -> None:
        raise AssertionError("estimated anew")

    push(study)
    page.answer(asked_in(study)[0], "A")
    pull(study)
    monkeypatch.setattr(SyntheticKeypointEstimator, "estimate", estimate)
    redo(study)
    assert len(tracks_with_keypoints(study)) == 1


def test_nobody_shown_drops_everybody(study: Study, page: Page) -> None:
    push(study)
    page.answer(asked_in(study)[0], "")
    pull(study)
    redo(study)
    assert dropped_as_other(study) == 2
    assert to_push(study) == []
    assert to_ask(study) == []


def test_unsure_is_no_answer_and_is_not_asked_again(study: Study, page: Page) -> None:
    push(study)
    page.answer(asked_in(study)[0], None)
    assert pull(study).rows == 1
    assert to_perceive(study, study_videos(study)) == []
    assert held_back(study) >= 2
    assert to_ask(study) == []
    page.answer(asked_in(study)[0], "A")
    pull(study)
    assert len(to_perceive(study, study_videos(study))) == 1


def test_an_answer_is_pulled_once(study: Study, page: Page) -> None:
    push(study)
    page.answer(asked_in(study)[0], "A")
    assert pull(study).rows == 1
    before = study.store.read(PLAYER_ANSWERS)
    assert pull(study).rows == 0
    assert study.store.read(PLAYER_ANSWERS).equals(before)


def test_people_who_are_followed_anew_are_not_asked_about_again_and_keep_their_answer(study: Study, page: Page) -> None:
    push(study)
    set_keys(study.layout.root, back_ends={"tracks_settings": {"min_side_px": 8}})
    followed_anew = open_study(study.layout.root)
    redo(followed_anew)
    assert to_ask(followed_anew) == []
    (question,) = asked_in(followed_anew)
    page.answer(question, letter_at(question, LEFT))
    pull(followed_anew)
    set_keys(study.layout.root, back_ends={"tracks_settings": {"min_side_px": 7}})
    again = open_study(study.layout.root)
    redo(again)
    assert sorted(role.role for role in roles_in(again)) == [Role.OTHER, Role.PLAYER]
    assert to_ask(again) == []


def test_with_two_answers_needed_one_is_not_enough(study: Study, page: Page) -> None:
    set_keys(study.layout.root, players={"answers_needed": 2})
    careful = open_study(study.layout.root)
    redo(careful)
    push(careful)
    (question,) = asked_in(careful)
    page.answer(question, "A")
    pull(careful)
    redo(careful)
    assert {role.role for role in roles_in(careful)} == {Role.UNDECIDED}
    page.answer(question, "A", account="second@example.com")
    pull(careful)
    redo(careful)
    assert sorted(role.role for role in roles_in(careful)) == [Role.OTHER, Role.PLAYER]


def test_scripts_answer_what_nobody_did_and_a_person_overrules_them(study: Study, page: Page) -> None:
    assert answer_questions_by_script(study) == 0, "nothing is asked"
    push(study)
    assert answer_questions_by_script(study) == 1
    pull(study)
    redo(study)
    assert sorted(role.role for role in roles_in(study)) == [Role.OTHER, Role.PLAYER]
    assert answer_questions_by_script(study) == 0
    (question,) = asked_in(study)
    page.answer(question, "AB")
    pull(study)
    redo(study)
    assert {role.role for role in roles_in(study)} == {Role.PLAYER}


def test_a_study_that_does_not_ask_proposes_both(study: Study, page: Page) -> None:
    set_keys(study.layout.root, players={"ask": False})
    unasking = open_study(study.layout.root)
    assert to_ask(unasking) == []
    assert len(to_push(unasking)) >= 2


def test_a_push_that_was_killed_before_it_recorded_asks_once(
    study: Study, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise ServiceError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(study.store, "append", killed)
        with pytest.raises(ServiceError):
            push(study)
    assert len(page.tasks) == 1
    push(study)
    assert len(page.tasks) == len(asked_in(study)) == 1


def test_a_file_is_kept_until_its_player_is_known_and_then_the_picture_goes_too(study: Study, page: Page) -> None:
    set_keys(study.layout.root, collect={"retain": "features_only"})
    study = open_study(study.layout.root)
    for video in to_fingerprint(study):
        fingerprint_video(study, video)
    find_study_duplicates(study)
    push(study)
    (question,) = asked_in(study)
    assert apply_retention(study) == 0
    page.answer(question, "A")
    pull(study)
    redo(study)
    push(study)
    assert question_picture(study, question.question_id).exists()
    assert apply_retention(study) > 0
    assert disposed_videos(study) == {question.video_id}
    assert not question_picture(study, question.question_id).exists()


@pytest.fixture
def review(study: Study, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], ReviewServer]]:
    """The study's own real review server, started by the first push."""

    def running() -> ReviewServer:
        server = service.running(study.layout)
        assert server is not None
        return server

    yield running
    service.stop(study.layout)


@pytest.mark.labelstudio
@pytest.mark.browser
@pytest.mark.timeout(300)
def test_a_person_says_who_is_the_player_and_the_other_is_dropped(
    study: Study, review: Callable[[], ReviewServer]
) -> None:
    push(study)
    (question,) = asked_in(study)
    with lineup_page(review(), question.project_number) as page:
        assert page.get_by_role("heading", name="Which one is the player?").is_visible()
        assert send_by_keyboard(page, letter_at(question, LEFT).lower()) == 201
    assert pull(study).rows == 1
    redo(study)
    assert sorted((role.role, role.decided_by) for role in roles_in(study)) == [
        (Role.OTHER, DecidedBy.ANSWER),
        (Role.PLAYER, DecidedBy.ANSWER),
    ]
    assert dropped_as_other(study) == 1
    assert all(candidate.box_xyxy[0] < 160 for _, candidate in to_push(study))
    assert answer_questions_by_script(study) == 0, "scripts leave alone what a person has answered"
    assert push(study).rows >= 1
    assert _reviewers.answer_by_script(study) >= 0
