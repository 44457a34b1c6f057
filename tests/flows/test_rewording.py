"""Open questions that are worded anew, with a stand-in for the review server: kills in between, and answers after."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from annotation.pages.verdict_page import answer_result
from annotation.studio.queue import TaskState
from annotation.studio.reading import AnswerCursor, AnswerPage
from flows import _pull, _push, _rounds
from flows._clips import ClipWish, ReviewClip
from flows._leases import lease, lease_holders
from flows._plan import current_candidates, study_videos
from flows._pull import pull
from flows._push import changed_questions, count_waiting, push
from flows._rewording import NOTE_FILE, is_rewording_left, settle_rewording, wording_lease
from flows._rounds import choose_model, rounds_of_questions
from flows._standing import newest_tasks, read_standing
from flows._study import Study, open_study
from flows._withdrawals import begin
from media.store import MediaStore
from schema.answer_rows import annotations_from_rows, tasks_from_rows
from schema.arrow import ANNOTATIONS, DISPOSALS, TASKS
from schema.errors import DamagedTableError
from schema.records import Candidate, ReviewTask, Verdict, VideoRecord
from schema.rows import table_of
from schema.tables import STUDY_KEY
from tests.answered_study import perceive_here
from tests.seed_stand_in import StandIn, write_stand_in
from tests.verification import crowd_study

SERVER = SimpleNamespace(server_id="server")
PROJECT = 1
NEW_CLASS, NEW_REASON = "touching_jaw", "another reason"


@dataclass(slots=True)
class StandInServer:
    """What the review server holds of a project, and the calls of its client that push and pull make."""

    data: dict[int, dict[str, Any]] = field(default_factory=dict)
    shown: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    answers: list[dict[str, Any]] = field(default_factory=list)
    last_number: int = 0
    before_update: Callable[[int], None] = lambda _: None

    def answer(self, number: int) -> None:
        """Let somebody accept what a task shows."""
        given = {
            "id": 1000 + number,
            "task": number,
            "completed_by": "ada@example.org",
            "created_at": "2026-01-02T03:04:05.000000Z",
            "updated_at": "2026-01-02T03:04:05.000000Z",
            "lead_time": 4.0,
            "was_cancelled": False,
            "result": answer_result(Verdict.ACCEPT),
        }
        self.answers.append(given)

    def import_tasks(self, project: int, documents: list[dict[str, Any]]) -> dict[str, int]:
        numbers = {}
        for document in documents:
            self.last_number += 1
            numbers[document["data"]["candidate_id"]] = self.last_number
            self.data[self.last_number] = document["data"]
            self.shown[self.last_number] = document["predictions"][0]["result"]
        return numbers

    def update_task(self, number: int, data: dict[str, Any]) -> bool:
        self.before_update(number)
        if number not in self.data or any(one["task"] == number for one in self.answers):
            return False
        self.data[number] = data
        return True

    def set_shown(self, number: int, result: list[dict[str, Any]]) -> None:
        self.shown[number] = result

    def task_data(self, project: int, numbers: list[int]) -> dict[int, dict[str, Any]]:
        return {number: self.data[number] for number in numbers if number in self.data}

    def answer_pages(self, project: int, cursor: AnswerCursor) -> Iterator[AnswerPage]:
        seen = frozenset(one["id"] for one in self.answers)
        yield AnswerPage(rows=tuple(self.answers), cursor=AnswerCursor(seen=seen), complete=True)

    def list_answers(self, project: int, *, since_ns: int | None = None) -> list[dict[str, Any]]:
        return []

    def missing_tasks(self, project: int, recorded: set[int]) -> set[int]:
        return set(recorded) - self.data.keys()

    def task_states(self, project: int, **_: object) -> dict[int, TaskState]:
        return {}

    def set_overlaps(self, project: int, wanted: object) -> None:
        pass

    def set_scores(self, project: int, scores: object) -> None:
        pass


class StandInClips:
    """Clips that nobody draws; their names tell what they would show."""

    def __init__(self, study: Study, video: VideoRecord) -> None:
        pass

    def write(self, wish: ClipWish) -> ReviewClip:
        return ReviewClip(
            path=Path(f"{wish.question_id}-{wish.span.end_ns}.mp4"),
            first_frame=0,
            end_frame=30,
            asked_first_frame=5,
            asked_end_frame=20,
            frame_rate=10,
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        perceive_here(patch)
        folder = tmp_path_factory.mktemp("worded")
        return crowd_study(folder, videos=1, known_share=0.0, blind_share=0.0).layout.root


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> StandInServer:
    """A server that push and pull open in place of the review server."""
    there = StandInServer()

    @contextmanager
    def opened(_: Study) -> Iterator[tuple[object, StandInServer]]:
        yield SERVER, there

    monkeypatch.setattr(_push, "review_client", opened)
    monkeypatch.setattr(_pull, "review_client", opened)
    monkeypatch.setattr(_push, "ensure_study_project", lambda *_: PROJECT)
    monkeypatch.setattr(_push, "VideoClips", StandInClips)
    return there


@pytest.fixture
def study(made: Path, tmp_path: Path, server: StandInServer) -> Study:
    """A copy of a study whose questions are on that server."""
    study = open_study(shutil.copytree(made, tmp_path / "study"))
    push(study)
    return study


def asked(study: Study) -> dict[int, ReviewTask]:
    return {task.task_number: task for task in newest_tasks(tasks_from_rows(study.store.read(TASKS)))}


def row_count(study: Study) -> int:
    return study.store.read(TASKS).num_rows


def propose_otherwise(study: Study, monkeypatch: pytest.MonkeyPatch, *numbers: int) -> None:
    """Let today's candidates of these questions have another class, and another reason."""
    meant, today = {asked(study)[n].candidate_id for n in numbers}, current_candidates(study, study_videos(study))

    def changed(*_: object) -> list[tuple[VideoRecord, Candidate]]:
        return [
            (video, replace(one, class_id=NEW_CLASS, reason=NEW_REASON) if one.candidate_id in meant else one)
            for video, one in today
        ]

    monkeypatch.setattr(_push, "current_candidates", changed)


def kill_at(server: StandInServer, number: int) -> None:
    def killed(updated: int) -> None:
        if updated == number:
            server.before_update = lambda _: None
            raise KeyboardInterrupt

    server.before_update = killed


def killed_push(study: Study, server: StandInServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Word the first two questions anew, and be killed before the second."""
    propose_otherwise(study, monkeypatch, 1, 2)
    kill_at(server, 2)
    with pytest.raises(KeyboardInterrupt):
        push(study)


def settle(study: Study, server: StandInServer) -> int:
    with wording_lease(study):
        return settle_rewording(study, server=SERVER, client=server)


def test_an_answer_after_a_killed_push_is_recorded_with_the_words_that_were_seen(
    study: Study, server: StandInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = asked(study)
    killed_push(study, server, monkeypatch)
    assert asked(study) == before, "the study was not told yet"
    server.answer(1)
    server.answer(2)
    assert pull(study).rows == 2
    new, old = sorted(annotations_from_rows(study.store.read(ANNOTATIONS)), key=lambda one: one.answer_number)
    assert (new.proposed_class_id, new.class_id) == (NEW_CLASS, NEW_CLASS)
    assert new.question == server.data[1]["question"] == study.taxonomy.by_id(NEW_CLASS).question
    assert (old.question, old.proposed_class_id) == (before[2].question, before[2].class_id)
    assert old.question == server.data[2]["question"] != new.question
    assert not is_rewording_left(study)


def test_settling_twice_changes_nothing_and_the_next_push_words_what_was_not_reached(
    study: Study, server: StandInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, rows = asked(study), row_count(study)
    killed_push(study, server, monkeypatch)
    note = (study.layout.labelstudio / NOTE_FILE).read_text()
    assert settle(study, server) == 1
    (study.layout.labelstudio / NOTE_FILE).write_text(note)  # as a kill before the last step leaves it
    assert settle(study, server) == 0
    assert settle(study, server) == 0
    assert row_count(study) == rows + 1
    assert (asked(study)[1].class_id, asked(study)[2]) == (NEW_CLASS, before[2])
    assert push(study).rows == 1
    assert server.data[2]["reason"] == f"Proposed because: {NEW_REASON}"
    assert asked(study)[2].class_id == NEW_CLASS
    assert row_count(study) == rows + 2
    assert push(study).rows == 0


def test_a_push_begins_with_what_the_killed_one_left(
    study: Study, server: StandInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_push(study, server, monkeypatch)
    server.shown[1] = []  # killed between the words and the edges
    assert count_waiting(study) >= 1
    assert push(study).rows == 1, "the first question was worded anew already"
    assert {asked(study)[n].class_id for n in (1, 2)} == {NEW_CLASS}
    assert server.shown[1] != []
    assert count_waiting(study) == 0


def test_a_kill_before_the_row_is_recorded_loses_no_wording(
    study: Study, server: StandInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    propose_otherwise(study, monkeypatch, 1, 2)

    def killed(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        append = type(study.store).append
        patch.setattr(type(study.store), "append", lambda *a: killed(a) if a[1] is TASKS else append(*a))
        with pytest.raises(KeyboardInterrupt):
            push(study)
    server.answer(2)
    assert pull(study).rows == 1
    assert {asked(study)[n].class_id for n in (1, 2)} == {NEW_CLASS}


def test_what_was_withdrawn_or_deleted_meanwhile_is_not_recorded_again(
    study: Study, server: StandInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = row_count(study)
    killed_push(study, server, monkeypatch)
    note = (study.layout.labelstudio / NOTE_FILE).read_text()
    first = server.data.pop(1)
    assert settle(study, server) == 0
    server.data[1] = first
    (study.layout.labelstudio / NOTE_FILE).write_text(note)
    begin(study, [asked(study)[1].anchor.video_id], cause="requested")
    assert settle(study, server) == 0
    assert (row_count(study), is_rewording_left(study)) == (rows, False)


def test_an_answered_question_keeps_its_words_and_a_batch_is_recorded_before_the_next(
    study: Study, server: StandInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_push, "REWORDED_AT_ONCE", 2)
    before = asked(study)
    server.answer(1)
    propose_otherwise(study, monkeypatch, 1, 2, 3, 4)
    kill_at(server, 4)
    with pytest.raises(KeyboardInterrupt):
        push(study)
    after = asked(study)
    assert [after[n] == before[n] for n in (1, 2, 3)] == [True, False, True], "the second batch is noted alone"
    assert settle(study, server) == 1
    assert asked(study)[3].class_id == NEW_CLASS


def test_no_answer_is_read_while_questions_are_worded_anew(
    study: Study, server: StandInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []
    pages = server.answer_pages
    monkeypatch.setattr(
        StandInServer, "answer_pages", lambda *a: held.append(("pull", lease_holders(study.layout))) or pages(*a[1:])
    )
    server.before_update = lambda _: held.append(("push", lease_holders(study.layout)))
    propose_otherwise(study, monkeypatch, 1)
    push(study)
    pull(study)
    assert held == [(stage, [f"{stage}.{STUDY_KEY}", f"wording.{STUDY_KEY}"]) for stage in ("push", "pull")]
    with lease(study.layout, "wording", STUDY_KEY) as free:
        assert free


def test_a_note_that_cannot_be_read_is_named(study: Study, server: StandInServer) -> None:
    study.layout.labelstudio.mkdir(parents=True)
    (study.layout.labelstudio / NOTE_FILE).write_text('[{"row"')
    with pytest.raises(DamagedTableError, match=r"rewording\.json can't be read.*delete it"):
        pull(study)


def test_a_question_whose_video_file_is_gone_stays_as_it_was_asked(
    study: Study, server: StandInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    propose_otherwise(study, monkeypatch, 1)
    assert [task.task_number for task, _ in changed_questions(study, read_standing(study))] == [1]
    (video,) = study_videos(study)
    gone = {
        "video_id": video.video_id,
        "sha256": video.sha256,
        "byte_count": video.byte_count,
        "rule": "features_only",
        "disposed_ns": 1,
    }
    study.store.append(DISPOSALS, table_of(DISPOSALS, [gone]))
    MediaStore(study.layout).remove(video.sha256)
    assert changed_questions(study, read_standing(study)) == []
    before = dict(server.data)
    assert push(study).rows == 0
    assert server.data == before


def test_what_is_put_again_keeps_its_round_and_what_is_worded_anew_gets_the_current_one(
    study: Study, server: StandInServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = asked(study)[1].candidate_id, asked(study)[2].candidate_id
    propose_otherwise(study, monkeypatch, 2)
    write_stand_in(study.layout.models, "seed-1")
    monkeypatch.setattr(_rounds, "_read", lambda folder, identity: StandIn(identity=identity))
    _rounds._loaded.clear()
    choose_model(study, "seed-1")
    del server.data[1]
    assert push(study, recreate=True).rows == 2
    newest = {task.candidate_id: task for task in asked(study).values()}
    assert newest[first].task_number == server.last_number, "put again"
    assert (newest[first].round_number, newest[second].round_number) == (0, 1)
    rounds = rounds_of_questions(study)
    assert (rounds[first], rounds[second]) == (0, 1)
