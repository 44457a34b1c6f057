"""The window page: its labelling config, and in the real Label Studio and a browser what a person draws on it."""

import base64
import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, ViewportSize

from annotation.answers.parse import parse_annotations
from annotation.pages.window_page import (
    window_document,
    window_instructions,
    window_page,
    window_result,
)
from annotation.studio.accounts import ensure_scripted_accounts
from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer
from schema.layout import StudyLayout
from schema.questions import Mark, QuestionKind
from schema.records import Annotation, CandidateId, ReviewTask, Verdict
from schema.taxonomy import Taxonomy, load_taxonomy, taxonomy_names
from schema.timespan import TimeSpan
from tests.factories import ARMS, KEY, NECK, make_frame_times, make_task
from tests.media_files import constant_rate, read_number
from tests.review_page import (
    FRAME_PX,
    LABELS_PX,
    LARGE_VIEWPORT,
    VIEWPORT,
    drag_on_timeline,
    sent_by_keyboard,
    signed_in,
)

TAXONOMIES = [load_taxonomy(name) for name in taxonomy_names()]
IMIGUE = load_taxonomy("imigue32")
CLIP_FRAMES, FIRST_FRAME = 60, 100
RATES = {"25": Fraction(25), "29.97": Fraction(30000, 1001), "10": Fraction(10)}
SHOWN_NUMBER = """() => {
    const video = document.querySelector('video'), canvas = document.createElement('canvas');
    canvas.width = video.videoWidth; canvas.height = video.videoHeight;
    canvas.getContext('2d').drawImage(video, 0, 0);
    return canvas.toDataURL('image/png').split(',')[1];
}"""


def labels_of(taxonomy: Taxonomy) -> list[dict[str, str]]:
    return [label.attrib for label in ElementTree.fromstring(window_page(taxonomy)).iter("Label")]


def mark(first: int, end: int, class_id: str | None = NECK) -> Mark:
    """Frames of the source video, the end not included."""
    span = TimeSpan(start_ns=first * 40_000_000, end_ns=end * 40_000_000)
    return Mark(span=span, class_id=class_id, first_frame=first, end_frame=end)


def window_task(number: int = 1, kind: QuestionKind = QuestionKind.AUDIT) -> ReviewTask:
    clip = {"clip_first_frame": FIRST_FRAME, "clip_end_frame": FIRST_FRAME + CLIP_FRAMES}
    return make_task(kind=kind, class_id=None, task_number=number, **clip)


def parse(rows: Any, *numbers: int) -> list[Annotation]:
    parsed = parse_annotations(
        rows,
        tasks={number: window_task(number) for number in numbers},
        taxonomy=IMIGUE,
        pseudonym_key=KEY,
        scripted_accounts=frozenset({"script-1@example.com"}),
        frame_times_of=lambda _: make_frame_times(),
    )
    answers = []
    for answer in parsed:
        assert isinstance(answer, Annotation), answer
        answers.append(answer)
    return sorted(answers, key=lambda answer: answer.answer_number or 0)


@pytest.mark.parametrize("taxonomy", TAXONOMIES, ids=lambda taxonomy: taxonomy.name)
def test_every_class_can_be_drawn_and_is_answered_with_its_id(taxonomy: Taxonomy) -> None:
    labels = labels_of(taxonomy)
    classes = {(gesture.class_id, gesture.name) for gesture in taxonomy}
    assert {(label["alias"], label["value"]) for label in labels} - classes == {
        ("unclassified", "Another micro-gesture")
    }
    assert len(labels) == len({label["value"] for label in labels}) == len(classes) + 1


@pytest.mark.parametrize("taxonomy", TAXONOMIES, ids=lambda taxonomy: taxonomy.name)
def test_no_stray_key_picks_a_class_and_nothing_is_preselected(taxonomy: Taxonomy) -> None:
    keys = [label["hotkey"] for label in labels_of(taxonomy)]
    assert len(set(keys)) == len(keys)
    assert not any(key.isascii() for key in keys)
    page = ElementTree.fromstring(window_page(taxonomy))
    assert not [element for element in page.iter() if "selected" in element.attrib]


def test_a_group_has_one_colour_of_its_own() -> None:
    boxes = ElementTree.fromstring(window_page(IMIGUE)).iterfind(".//View[@className='group']")
    colours = [{label.attrib["background"] for label in box.iter("Label")} for box in boxes]
    assert all(len(found) == 1 for found in colours)
    assert len(set.union(*colours)) == len(IMIGUE.groups) + 1


def test_a_blind_question_names_no_class() -> None:
    document = window_document("b1", clip="clips/a b.mp4", frame_rate=Fraction(30000, 1001))
    assert document["predictions"] == []
    assert document["data"]["video"] == "/data/local-files/?d=clips/a%20b.mp4"
    assert float(document["data"]["frame_rate"]) == pytest.approx(29.97003, abs=1e-5)
    text = repr(document)
    assert not [gesture.name for gesture in IMIGUE if gesture.name in text or gesture.class_id in text]


def test_suggestions_are_shown_in_frames_of_the_clip() -> None:
    document = window_document(
        "w1",
        clip="clips/a.mp4",
        frame_rate=25,
        clip_first_frame=100,
        suggestions=[mark(110, 121), mark(130, 140, None)],
    )
    (prediction,) = document["predictions"]
    values = [item["value"] for item in prediction["result"]]
    assert values == [
        {"ranges": [{"start": 11, "end": 21}], "timelinelabels": [NECK]},
        {"ranges": [{"start": 31, "end": 40}], "timelinelabels": ["unclassified"]},
    ]


@pytest.mark.parametrize("clip", ["/etc/passwd", "clips/../private/key", "other/a.mp4", "clips"])
def test_only_clips_can_be_asked_about(clip: str) -> None:
    with pytest.raises(ValueError, match="lies below clips/"):
        window_document("w1", clip=clip, frame_rate=25)


@pytest.mark.parametrize(
    ("verdict", "marks", "words"),
    [
        (Verdict.MARKED, [], "marks belong to marked"),
        (Verdict.NOTHING, [mark(1, 2)], "marks belong to marked"),
        (Verdict.ACCEPT, [], "no answer to a window"),
    ],
)
def test_a_script_can_not_answer_what_the_page_can_not(verdict: Verdict, marks: list[Mark], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        window_result(verdict, marks=marks)


@pytest.mark.parametrize(
    ("verdict", "marks"),
    [
        (Verdict.MARKED, [mark(110, 121), mark(130, 131, ARMS), mark(150, 160, None)]),
        (Verdict.NOTHING, []),
        (Verdict.UNSURE, []),
    ],
)
def test_a_scripted_answer_is_read_like_a_persons(verdict: Verdict, marks: list[Mark]) -> None:
    result = window_result(verdict, marks=marks, clip_first_frame=FIRST_FRAME, comment="twice")
    row = {"id": 1, "task": 1, "completed_by": "a@example.com", "updated_at": "2026-03-01T10:00:00Z", "result": result}
    (answer,) = parse([row], 1)
    assert (answer.verdict, answer.marks, answer.comment) == (verdict, tuple(marks), "twice")


def test_the_instructions_name_every_key_and_class() -> None:
    text = window_instructions(IMIGUE)
    assert all(f"<b>{key}</b>" in text for key in ("f", "0", "n", "Ctrl+Enter", "Ctrl+Alt+Space", "Backspace"))
    assert all(gesture.name in text for gesture in IMIGUE)


@pytest.fixture
def client(review_server: ReviewServer) -> Iterator[LabelStudioClient]:
    with LabelStudioClient(review_server) as client:
        yield client


@pytest.fixture(scope="session")
def clips(review_layout: StudyLayout) -> dict[str, Path]:
    folder = review_layout.served / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    made = {name: folder / f"window-{name}.mp4" for name in RATES}
    for name, path in made.items():
        constant_rate(path, rate=RATES[name], count=CLIP_FRAMES, width=640, height=352)
    return made


def put(
    client: LabelStudioClient, layout: StudyLayout, title: str, names: list[str], suggestions: tuple[Mark, ...] = ()
) -> tuple[int, list[int]]:
    """Put a window a clip on the page; returns the project and the tasks."""
    project = client.ensure_project(
        title=title,
        page=window_page(IMIGUE),
        instructions=window_instructions(IMIGUE),
        clips_folder=layout.served / "clips",
        show_predictions=bool(suggestions),
    )
    documents = [
        window_document(
            CandidateId(f"w{number:020d}"),
            clip=f"clips/window-{name}.mp4",
            frame_rate=RATES[name],
            clip_first_frame=FIRST_FRAME,
            suggestions=suggestions,
        )
        for number, name in enumerate(names)
    ]
    return project, list(client.import_tasks(project, documents).values())


def open_next(page: Page, server: ReviewServer, project: int) -> None:
    page.goto(f"{server.url}/projects/{project}/data?labeling=1")
    page.wait_for_function("document.querySelector('video')?.readyState >= 2")
    page.wait_for_selector(".lsf-timeline-frames__background")
    page.wait_for_selector("text=of 60")


def shown_frame(page: Page) -> int:
    """Read the number of the frame that the person sees, from its pixels."""
    picture = Image.open(io.BytesIO(base64.b64decode(page.evaluate(SHOWN_NUMBER)))).convert("RGB")
    return read_number(np.asarray(picture))


def take_class(page: Page, typed: str) -> None:
    """Search a class and take the first that is found."""
    page.keyboard.press("f")
    page.keyboard.type(typed)
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")


def draw(page: Page, *, start: int, end: int) -> None:
    """Draw on the free row of the timeline from one frame of the clip to another, counted from 0, both included."""
    left = box_of(page.locator(".lsf-timeline-frames__scroll"))["x"] + LABELS_PX
    row = box_of(page.locator(".lsf-timeline-frames [data-id=new]"))
    y = row["y"] + row["height"] / 2
    page.mouse.move(left + (start + 0.5) * FRAME_PX, y)
    page.mouse.down()
    page.mouse.move(left + (end + 0.5) * FRAME_PX, y, steps=4)
    page.mouse.up()


def box_of(found: Locator) -> dict[str, float]:
    box = found.bounding_box()
    assert box is not None
    return dict(box)


@pytest.mark.labelstudio
@pytest.mark.browser
@pytest.mark.timeout(300)
def test_what_is_drawn_and_dragged_comes_back_to_the_frames_that_were_seen(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout, clips: dict[str, Path]
) -> None:
    project, tasks = put(client, review_layout, "windows of three rates", list(clips))
    seen = []
    with signed_in(review_server) as page:
        for _ in clips:
            open_next(page, review_server, project)
            take_class(page, "scratching neck")
            draw(page, start=20, end=30)
            drag_on_timeline(page, 0, start=21, end=11)  # its first frame: this helper counts as the page does
            page.wait_for_timeout(200)
            first = shown_frame(page)
            drag_on_timeline(page, 0, start=31, end=44)
            page.wait_for_timeout(200)
            seen.append((first, shown_frame(page)))
            assert sent_by_keyboard(page, []).status == 201
    answers = parse(client.list_answers(project), *tasks)
    assert seen == [(10, 43)] * 3
    assert [answer.marks for answer in answers] == [(mark(110, 144),)] * 3
    assert not any(answer.flag or answer.scripted or answer.suggestion_shown for answer in answers)
    assert all(answer.lead_time_ns > 0 for answer in answers)


@pytest.mark.labelstudio
@pytest.mark.browser
@pytest.mark.timeout(300)
@pytest.mark.parametrize("viewport", [VIEWPORT, LARGE_VIEWPORT], ids=["1366", "1920"])
def test_nothing_needed_lies_below_the_fold(
    client: LabelStudioClient,
    review_server: ReviewServer,
    review_layout: StudyLayout,
    clips: dict[str, Path],
    viewport: ViewportSize,
) -> None:
    project, _ = put(client, review_layout, "windows at a glance", ["25"])
    with signed_in(review_server, viewport) as page:
        open_next(page, review_server, project)
        for first, typed in enumerate(("turtle", "folding", "jaw")):
            take_class(page, typed)
            draw(page, start=first, end=first + 15)
            page.keyboard.press("Escape")
        drawn = page.locator(".lsf-timeline-frames [data-id]").evaluate_all(
            "rows => rows.map(row => [row.innerText.split('\\n')[0], row.dataset.start, row.dataset.end])"
        )
        assert drawn == [["touching_jaw", "3", "18"], ["folding_arms", "2", "17"], ["turtle_neck", "1", "16"]]
        bottoms = {
            what: (box := box_of(page.locator(what).last))["y"] + box["height"]
            for what in (".lsf-timeline", ".window .classes", ".window .comment")
        }
        submit = box_of(page.get_by_role("button", name="Submit").first)
        assert max(bottoms.values()) <= submit["y"], bottoms
        assert page.locator("input[type=radio]:checked").count() == 0
        hidden = page.evaluate(
            "() => [...document.querySelectorAll('.classes .lsf-label')].filter(label => {"
            " const box = label.getBoundingClientRect(), room = label.closest('.classes').getBoundingClientRect();"
            " return box.bottom > room.bottom || box.right > room.right + 1 }).length"
        )
        assert hidden == 0, "every class of iMiGUE is seen without scrolling"


@pytest.mark.labelstudio
@pytest.mark.browser
@pytest.mark.timeout(300)
def test_suggestions_can_be_dragged_deleted_and_denied(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout, clips: dict[str, Path]
) -> None:
    suggestions = (mark(110, 121), mark(140, 151, ARMS))
    project, tasks = put(client, review_layout, "windows with suggestions", ["25", "25", "25"], suggestions)
    with signed_in(review_server) as page:
        open_next(page, review_server, project)
        assert page.locator("[data-start='11'][data-end='21']").count() == 1
        drag_on_timeline(page, 1, start=21, end=26)  # the newest span stands first
        assert sent_by_keyboard(page, []).status == 201
        open_next(page, review_server, project)
        for _ in suggestions:
            page.locator(".lsf-keypoints__lifespan").first.click()
            page.keyboard.press("Backspace")
        assert sent_by_keyboard(page, "0").status == 201
        open_next(page, review_server, project)
        assert sent_by_keyboard(page, "n").status == 201
    moved, denied, unsure = parse(client.list_answers(project), *tasks)
    assert moved.marks == (mark(110, 126), mark(140, 151, ARMS))
    assert (denied.verdict, denied.marks) == (Verdict.NOTHING, ())
    assert (unsure.verdict, unsure.marks) == (Verdict.UNSURE, ())
    assert all(answer.suggestion_shown for answer in (moved, denied, unsure))


@pytest.mark.labelstudio
@pytest.mark.timeout(300)
def test_an_answer_in_anothers_name_is_flagged(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout, clips: dict[str, Path]
) -> None:
    project, tasks = put(client, review_layout, "windows of others", ["25", "25", "25"])
    first, second = ensure_scripted_accounts(review_server, count=2)
    nothing = {"result": window_result(Verdict.NOTHING)}

    def send(method: str, path: str, **fields: Any) -> int:
        answer = httpx.request(
            method,
            review_server.url + path,
            headers={"Authorization": f"Token {first.token}"},
            json=nothing | fields,
            timeout=60,
            trust_env=False,
        )
        return int(answer.raise_for_status().json()["id"])

    send("POST", f"/api/tasks/{tasks[0]}/annotations/")
    forged = {"completed_by": second.user_number, "updated_by": second.user_number}
    send("POST", f"/api/tasks/{tasks[1]}/annotations/", **forged)
    theirs = client.annotate(tasks[2], window_result(Verdict.NOTHING), account=second)
    before = parse(client.list_answers(project), *tasks)
    send("PATCH", f"/api/annotations/{theirs}/")
    after = parse(client.list_answers(project), *tasks)
    assert [bool(answer.flag) for answer in before] == [False, True, False]
    assert [bool(answer.flag) for answer in after] == [False, True, True]
