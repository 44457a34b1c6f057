"""Who words a description: a reviewer's edit, a model's recorded answer, and nobody when the endpoint is dead."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from annotation.describe import describe
from flows._rewrites import person_descriptions, rewriter, unanswered_rewrites
from flows._study import Study, open_study
from releases.tables.columns import SEGMENTS
from schema.answer_rows import annotations_to_rows, annotators_to_rows, tasks_to_rows
from schema.arrow import ANNOTATIONS, ANNOTATORS, REWRITES, TASKS
from schema.questions import Annotator, QuestionKind, Role
from schema.records import Annotation, Verdict
from schema.taxonomy import load_taxonomy
from tests.factories import ARMS, NECK, make_annotation, make_task
from tests.releases.description_fields import neck_fields, row_of
from tests.studies import make_study, set_keys

GESTURE = load_taxonomy("imigue32").by_id(NECK)
GOOD = "With the right hand, the person touches or scratches the neck for 1.4 s."
SECRET = "sk-secret-0123456789"
VARIABLE = "PRESSROOM_DESCRIPTIONS_KEY"


@dataclass
class StandIn:
    """A local server in place of a model; ``answer`` is told the request's body and handles the connection."""

    answer: Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]
    requests: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    port: int = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


def says(text: str | None) -> Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]:
    return lambda handler, _: send(handler, 200, {"choices": [{"message": {"role": "assistant", "content": text}}]})


def send(handler: BaseHTTPRequestHandler, status: int, document: object) -> None:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    model = StandIn(answer=says(GOOD))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            model.requests.append((self.path, dict(self.headers), body))
            model.answer(self, body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    model.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield model
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def study(tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.delenv(VARIABLE, raising=False)
    make_study(tmp_path / "study")
    return asking(tmp_path / "study", stand_in.endpoint)


def asking(root: Path, endpoint: str, *, timeout_seconds: float = 5.0) -> Study:
    keys = {"endpoint": endpoint, "model": "tiny", "timeout_seconds": timeout_seconds}
    set_keys(root, release={"descriptions": keys})
    return open_study(root)


def row(number: int) -> dict[str, Any]:
    return row_of(GESTURE, neck_fields(extent=0.1 + 0.01 * number), segment_id=f"g{number}")


def test_a_good_answer_is_taken_recorded_and_never_asked_for_again(study: Study, stand_in: StandIn):
    ask = rewriter(study)
    assert ask is not None
    assert (ask(row(0)).text, ask(row(0)).text) == (GOOD, GOOD)
    assert len(stand_in.requests) == 1
    path, headers, body = stand_in.requests[0]
    assert path == "/v1/chat/completions"
    assert "Authorization" not in headers
    assert body["model"] == "tiny"
    (recorded,) = study.store.read(REWRITES).to_pylist()
    assert (recorded["text"], recorded["raw_answer"], recorded["model"]) == (GOOD, GOOD, "tiny")
    assert json.loads(recorded["prompt"]) == body
    later = rewriter(open_study(study.layout.root))
    assert later is not None
    assert later(row(0)).text == GOOD
    assert len(stand_in.requests) == 1
    assert ask.notes() == ["descriptions: of 1 new answers of the model 0 say more than the fields"]
    assert later.notes() == []


def test_an_answer_that_adds_a_fact_is_recorded_and_refused(study: Study, stand_in: StandIn):
    stand_in.answer = says("The person anxiously touches or scratches the neck.")
    ask = rewriter(study)
    assert ask is not None
    found = ask(row(0))
    assert (found.text, found.refused) == ("", True)
    (recorded,) = study.store.read(REWRITES).to_pylist()
    assert (recorded["text"], recorded["refused"]) == ("", True)
    assert "anxiously" in recorded["why"]
    assert "anxiously" in recorded["raw_answer"]
    assert ask(row(0)).refused
    assert (len(stand_in.requests), ask.unanswered) == (1, 0)


@pytest.mark.parametrize("content", [None, "", "   "])
def test_an_empty_answer_is_refused(study: Study, stand_in: StandIn, content: str | None):
    stand_in.answer = says(content)
    ask = rewriter(study)
    assert ask is not None
    assert ask(row(0)).refused
    assert not ask.stopped


def closes(handler: BaseHTTPRequestHandler, _: object) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def hangs(handler: BaseHTTPRequestHandler, _: object) -> None:
    time.sleep(3)


def drips(handler: BaseHTTPRequestHandler, _: object) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    with suppress(OSError):  # the one who asked has left
        for _second in range(100):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)


def breaks_off(handler: BaseHTTPRequestHandler, _: object) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda h, _: send(h, 500, {"error": "boom"}), "it answers 500"),
        (lambda h, _: send(h, 429, {}), "it answers 429"),
        (lambda h, _: send(h, 404, {}), "it answers 404"),
        (lambda h, _: send(h, 302, {}), "it answers 302"),
        (lambda h, _: send(h, 200, b"<html>Welcome</html>"), "something else than a chat completion"),
        (lambda h, _: send(h, 200, b"\xff\xfe\x00garbage"), "something else than a chat completion"),
        (lambda h, _: send(h, 200, {"choices": []}), "something else than a chat completion"),
        (lambda h, _: send(h, 200, [1]), "something else than a chat completion"),
        (lambda h, _: send(h, 200, {"choices": [{"message": {"content": 3}}]}), "something else than a chat"),
        (lambda h, _: send(h, 200, b"[" * 100_000), "something else than a chat completion"),
        (lambda h, _: send(h, 200, b" " * 1_100_000), "too long"),
        (closes, "it can't be reached"),
        (breaks_off, "it can't be reached"),
    ],
)
def test_the_first_failure_ends_the_asking_and_costs_nothing(
    study: Study, stand_in: StandIn, answer: Callable[..., None], told: str
):
    stand_in.answer = answer
    ask = rewriter(study)
    assert ask is not None
    assert [ask(row(number)).text for number in range(3)] == ["", "", ""]
    assert (len(stand_in.requests), ask.unanswered, ask.asked) == (1, 3, 0)
    (note,) = ask.notes()
    assert told in note
    assert "3 descriptions keep the template's words" in note
    assert study.store.read(REWRITES).num_rows == 0


@pytest.mark.parametrize("answer", [hangs, drips])
def test_an_endpoint_that_hangs_is_left_after_the_time_out(
    study: Study, stand_in: StandIn, answer: Callable[..., None]
):
    stand_in.answer = answer
    ask = rewriter(asking(study.layout.root, stand_in.endpoint, timeout_seconds=0.3))
    assert ask is not None
    begun = time.monotonic()
    assert [ask(row(number)).text for number in range(3)] == ["", "", ""]
    assert time.monotonic() - begun < 2.5
    assert "within 0.3 s" in ask.notes()[0]


def test_an_endpoint_that_is_not_there_is_told_and_costs_nothing(study: Study):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ask = rewriter(asking(study.layout.root, f"http://127.0.0.1:{port}/v1"))
    assert ask is not None
    assert ask(row(0)).text == ""
    assert "it can't be reached" in ask.notes()[0]


def test_answers_before_a_failure_stay(study: Study, stand_in: StandIn):
    def second_fails(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        says(GOOD)(handler, body) if len(stand_in.requests) == 1 else send(handler, 503, {})

    stand_in.answer = second_fails
    ask = rewriter(study)
    assert ask is not None
    assert [ask(row(number)).text for number in range(3)] == [GOOD, "", ""]
    assert study.store.read(REWRITES).num_rows == 1
    stand_in.answer = says(GOOD)
    again = rewriter(study)
    assert again is not None
    assert [again(row(number)).text for number in range(3)] == [GOOD] * 3
    assert (again.asked, again.unanswered) == (2, 0)


def test_a_bad_key_is_told_in_one_line_and_never_shown(
    study: Study, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(VARIABLE, SECRET)
    stand_in.answer = lambda handler, _: send(handler, 401, {"error": SECRET})
    ask = rewriter(study)
    assert ask is not None
    ask(row(0))
    assert stand_in.requests[0][1]["Authorization"] == f"Bearer {SECRET}"
    (note,) = ask.notes()
    assert "refuses the key (401)" in note
    assert VARIABLE in note
    assert SECRET not in note + repr(ask)
    stand_in.answer = says(GOOD)
    good = rewriter(study)
    assert good is not None
    assert good(row(0)).text == GOOD
    kept = [path.read_bytes() for path in study.layout.root.rglob("*") if path.is_file()]
    assert not any(SECRET.encode() in content for content in kept)


def test_a_key_that_no_header_can_hold_is_told_and_never_shown(study: Study, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, "schl\u00fcssel\nzwei")
    ask = rewriter(study)
    assert ask is not None
    assert ask(row(0)).text == ""
    assert "schl" not in ask.notes()[0]


def test_without_an_endpoint_nobody_is_asked(tmp_path: Path):
    study = make_study(tmp_path / "study")
    assert rewriter(study) is None
    assert unanswered_rewrites(study, tmp_path / "no-release") == 0


def released(folder: Path, rows: list[dict[str, Any]]) -> Path:
    names = [name for name in SEGMENTS.names if name in rows[0]]
    schema = pa.schema([SEGMENTS.field(name) for name in names])
    (folder / "data").mkdir(parents=True)
    for split, part in (("train", rows[:2]), ("val", rows[2:])):
        table = pa.Table.from_pylist([{name: one[name] for name in names} for one in part], schema=schema)
        pq.write_table(table, folder / "data" / f"segments-{split}-00000-of-00001.parquet")
    return folder


def test_segments_of_a_release_that_keep_the_template_are_asked_again(study: Study, stand_in: StandIn, tmp_path: Path):
    rows = [row(number) for number in range(4)]
    folder = released(tmp_path / "release", [*rows[:3], rows[3] | {"description_by": "person"}])
    stand_in.answer = lambda handler, _: send(handler, 500, {})
    assert unanswered_rewrites(study, folder) == 0
    stand_in.answer = says(GOOD)
    assert unanswered_rewrites(study, folder) == 3
    assert len(stand_in.requests) == 1 + 3
    building = rewriter(study)
    assert building is not None
    assert [building(one).text for one in rows[:3]] == [GOOD] * 3, "what a build measures is asked in the same words"
    assert len(stand_in.requests) == 4


def test_refused_answers_make_no_release_again(study: Study, stand_in: StandIn, tmp_path: Path):
    folder = released(tmp_path / "release", [row(number) for number in range(3)])
    stand_in.answer = says("The person is happy.")
    asking_ = rewriter(study)
    assert unanswered_rewrites(study, folder, asking=asking_) == 0
    assert unanswered_rewrites(study, folder) == 0
    assert len(stand_in.requests) == 3
    assert asking_ is not None
    assert "of 3 new answers of the model 3 say more" in asking_.notes()[0]


CANDIDATE = make_task().candidate_id
SEGMENT = f"g{CANDIDATE[1:]}"
FILLED_IN = describe(GESTURE, make_task().anchor.span, evidence="hand_on_neck")


def answered(root: Path, *answers: Annotation, experts: tuple[str, ...] = (), **task: Any) -> dict[str, str]:
    study = make_study(root / "study")
    study.store.append(TASKS, tasks_to_rows([make_task(**task)]))
    study.store.append(ANNOTATIONS, annotations_to_rows(list(answers)))
    people = [
        Annotator(annotator_id=one, name="N", account=f"{one}@x", role=Role.EXPERT, active=True, added_ns=1)
        for one in experts
    ]
    study.store.append(ANNOTATORS, annotators_to_rows(people))
    return person_descriptions(study)


def test_an_untouched_sentence_is_no_edit(tmp_path: Path):
    answers = (make_annotation(1, description=FILLED_IN), make_annotation(2, description=f" {FILLED_IN}\n"),
               make_annotation(3, description=None), make_annotation(4, description=" "))  # fmt: skip
    assert answered(tmp_path, *answers) == {}


def test_the_newest_edit_wins(tmp_path: Path):
    answers = (
        make_annotation(1, description="He scratches the nape."),
        make_annotation(2, description="Fingers run along\nthe collar."),
        make_annotation(3, description=FILLED_IN),
    )
    assert answered(tmp_path, *answers) == {SEGMENT: "Fingers run along the collar."}


def test_an_experts_edit_goes_before_newer_ones(tmp_path: Path):
    expert = make_annotation(1, description="The nape is scratched.")
    answers = (expert, make_annotation(2, description="Fingers run along the collar."))
    assert answered(tmp_path, *answers, experts=(expert.annotator_id,)) == {SEGMENT: "The nape is scratched."}


def test_an_experts_question_is_about_its_candidate(tmp_path: Path):
    candidate = "c" + "7" * 20
    answer = make_annotation(1, description="The nape is scratched.", kind=QuestionKind.EXPERT, about=candidate)
    found = answered(tmp_path, answer, experts=(answer.annotator_id,), kind=QuestionKind.EXPERT, about=candidate)
    assert found == {f"g{'7' * 20}": "The nape is scratched."}


@pytest.mark.parametrize(
    "changes",
    [
        {"scripted": True},
        {"deleted": True},
        {"flag": "another session"},
        {"verdict": Verdict.REJECT, "class_id": None},
        {"verdict": Verdict.UNSURE, "class_id": None},
        {"taxonomy": "smg17"},
    ],
)
def test_edits_that_stand_for_no_gesture_or_nobody_are_left_out(tmp_path: Path, changes: dict[str, Any]):
    answers = (make_annotation(1, description="Edited.", **changes), make_annotation(2), make_annotation(3))
    assert answered(tmp_path, *answers) == {}


def test_words_about_another_class_than_was_settled_are_left_out(tmp_path: Path):
    other = make_annotation(9, description="The arms are folded.", verdict=Verdict.RELABEL, class_id=ARMS)
    assert answered(tmp_path, *(make_annotation(number) for number in range(1, 4)), other) == {}


def test_an_edit_that_was_taken_back_by_its_author_is_left_out(tmp_path: Path):
    first = make_annotation(1, description="Edited.", answer_number=5)
    second = make_annotation(2, description=FILLED_IN, answer_number=5, annotator_id=first.annotator_id)
    assert answered(tmp_path, first, second) == {}
