"""The verdict page in a real browser: what is seen, answered by keyboard and dragged is what is pulled."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from annotation.answers.parse import parse_annotations
from annotation.pages.tasks import question_for, slow_name, task_document
from annotation.pages.verdict_page import instructions, page_version, verdict_page
from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer
from media.clips import write_slow_copy
from schema.layout import StudyLayout
from schema.records import Annotation, CandidateId, FrameTimes, ReviewTask, Verdict
from schema.taxonomy import load_taxonomy
from schema.timespan import TimeSpan
from tests.factories import ARMS, KEY, NECK, make_anchor, make_candidate, make_frame_times, make_task
from tests.media_files import constant_rate
from tests.review_page import (
    LARGE_VIEWPORT,
    VIEWPORT,
    drag_on_timeline,
    sent_by_keyboard,
    show_next,
    signed_in,
    wait_until_playing,
)

pytestmark = [pytest.mark.labelstudio, pytest.mark.browser, pytest.mark.timeout(300)]
IMIGUE = load_taxonomy("imigue32")
CLIP_FIRST_FRAME, CLIP_FRAMES = 40, 75
ASKED = (25, 60)
"""Frames of the clip that are asked about; one past the last is the second."""
RATES = {25: 40_000_000, 30: 33_366_666, 10: 100_000_000}
"""Frames a second at which a clip plays, and the true nanoseconds between its source's frames (29.97 plays as 30)."""


@dataclass
class Asked:
    """The tasks of one project, and the frame times of the videos that they are about."""

    project: int
    tasks: dict[int, ReviewTask]
    times: dict[str, FrameTimes]


@pytest.fixture(scope="session")
def client(review_server: ReviewServer) -> Iterator[LabelStudioClient]:
    with LabelStudioClient(review_server) as client:
        yield client


@pytest.fixture(scope="module")
def page(review_server: ReviewServer) -> Iterator[Page]:
    with signed_in(review_server) as page:
        yield page


def frame_times(rate: int) -> FrameTimes:
    return make_frame_times(frame_count=200, frame_ns=RATES[rate], video_id=f"v{rate:020d}")


def put(client: LabelStudioClient, layout: StudyLayout, title: str, rates: list[int]) -> Asked:
    """Put one question a rate on a project of its own, each with a clip of its own, of two proposers in turn."""
    page = verdict_page(IMIGUE)
    project = client.ensure_project(
        title=title,
        page=page,
        instructions=instructions(IMIGUE),
        clips_folder=layout.served / "clips",
        answers_per_task=1,
        show_predictions=True,
    )
    tasks, documents = {}, []
    for number, rate in enumerate(rates):
        clip = f"clips/{title.replace(' ', '-')}-{number}.mp4"
        path = layout.served / clip
        path.parent.mkdir(parents=True, exist_ok=True)
        constant_rate(path, rate=Fraction(rate), count=CLIP_FRAMES, width=320, height=240)
        write_slow_copy(path, layout.served / slow_name(clip))
        times = frame_times(rate)
        span = times.span_of(CLIP_FIRST_FRAME + ASKED[0], CLIP_FIRST_FRAME + ASKED[1])
        candidate = make_candidate(
            candidate_id=CandidateId(f"c{number:020d}"), span=span, proposer=("contact", "motion")[number % 2]
        )
        documents.append(task_document(candidate, taxonomy=IMIGUE, clip=clip, asked_in_clip=ASKED, frame_rate=rate))
        tasks[candidate.candidate_id] = make_task(
            candidate_id=candidate.candidate_id,
            anchor=make_anchor(video_id=times.video_id, span=span),
            clip_first_frame=CLIP_FIRST_FRAME,
            clip_end_frame=CLIP_FIRST_FRAME + CLIP_FRAMES,
            page_version=page_version("verdict", page),
        )
    numbers = client.import_tasks(project, documents)
    return Asked(
        project=project,
        tasks={numbers[candidate_id]: task for candidate_id, task in tasks.items()},
        times={times.video_id: times for times in map(frame_times, rates)},
    )


def pulled(client: LabelStudioClient, asked: Asked) -> list[Annotation]:
    """Read the answers as a pull does, in the order in which they were given."""
    answers = parse_annotations(
        client.list_answers(asked.project),
        tasks=asked.tasks,
        taxonomy=IMIGUE,
        pseudonym_key=KEY,
        scripted_accounts=frozenset(),
        frame_times_of=asked.times.__getitem__,
    )
    kept = []
    for answer in answers:
        assert isinstance(answer, Annotation), answer
        kept.append(answer)
    return sorted(kept, key=lambda answer: answer.answered_ns)


def source_span(asked: Asked, answer: Annotation, first: int, end: int) -> TimeSpan:
    """Return the time of frames of the clip in the source."""
    times = asked.times[answer.anchor.video_id]
    return times.span_of(CLIP_FIRST_FRAME + first, CLIP_FIRST_FRAME + end)


def assert_in_view(page: Page, selector: str) -> None:
    """The element is there, in the window and above the bar with Submit."""
    box = page.locator(selector).first.bounding_box()
    bar = page.locator(".lsf-bottombar").bounding_box()
    window = page.viewport_size
    assert box is not None, selector
    assert bar is not None
    assert window is not None
    assert box["width"] > 0, selector
    assert box["height"] > 0, selector
    assert box["x"] >= 0, selector
    assert box["x"] + box["width"] <= window["width"], selector
    assert box["y"] + box["height"] <= bar["y"] + 1, f"{selector} lies below the fold"


def test_every_verdict_is_given_by_keyboard_and_pulled_as_it_was_given(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout, page: Page
) -> None:
    asked = put(client, review_layout, "by keyboard", [25] * 6)
    relabel = ["e", "f", *"fold", "Tab", "Space"]
    shown = show_next(page, review_server, asked.project)
    seconds = []
    for keys in (["a"], ["r"], relabel, ["n"], ["1", "s", "r", "a"]):
        assert page.locator("input[type=radio]:checked").count() == 0, "nothing is preselected"
        assert sent_by_keyboard(page, keys).status == 201
        started = time.monotonic()
        shown = wait_until_playing(page, other_than=shown)
        seconds.append(time.monotonic() - started)
    answers = pulled(client, asked)
    given = [(answer.verdict, answer.class_id, answer.answered_span) for answer in answers]
    assert given == [
        (Verdict.ACCEPT, NECK, None),
        (Verdict.REJECT, None, None),
        (Verdict.RELABEL, ARMS, None),
        (Verdict.UNSURE, None, None),
        (Verdict.ACCEPT, NECK, None),
    ]
    assert {answer.page_version for answer in answers} == {page_version("verdict", verdict_page(IMIGUE))}
    assert min(seconds) < 5, f"the next clip plays after {seconds} s"


@pytest.mark.parametrize("rate", RATES)
def test_edges_that_are_dragged_come_back_to_the_exact_source_frames(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout, page: Page, rate: int
) -> None:
    asked = put(client, review_layout, f"edges at {rate}", [rate])
    show_next(page, review_server, asked.project)
    page.keyboard.press("d")
    drag_on_timeline(page, 0, start=ASKED[0] + 1, end=12)
    drag_on_timeline(page, 0, start=ASKED[1], end=64)
    assert sent_by_keyboard(page, []).status == 201
    (adjusted,) = pulled(client, asked)
    assert (adjusted.verdict, adjusted.class_id) == (Verdict.ADJUST, NECK)
    assert adjusted.answered_span == source_span(asked, adjusted, 11, 64)


def test_edges_count_with_adjust_and_where_they_were_asked_for_with_relabel(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout, page: Page
) -> None:
    asked = put(client, review_layout, "edges and class", [25] * 2)
    shown = show_next(page, review_server, asked.project)
    for key in ("e", "f", *"fold", "Tab", "Space", "m"):
        page.keyboard.press(key)
    drag_on_timeline(page, 0, start=ASKED[1], end=33)
    assert sent_by_keyboard(page, []).status == 201
    wait_until_playing(page, other_than=shown)
    page.keyboard.press("d")
    drag_on_timeline(page, 0, start=ASKED[1], end=33)
    assert sent_by_keyboard(page, ["a"]).status == 201
    relabelled, accepted = pulled(client, asked)
    assert (relabelled.verdict, relabelled.class_id) == (Verdict.RELABEL, ARMS)
    assert relabelled.answered_span == source_span(asked, relabelled, ASKED[0], 33)
    assert (accepted.verdict, accepted.answered_span) == (Verdict.ACCEPT, None), "who goes back has moved nothing"


def test_the_sentence_is_there_and_is_kept_as_it_is_left(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout, page: Page
) -> None:
    asked = put(client, review_layout, "described", [25] * 2)
    shown = show_next(page, review_server, asked.project)
    sentence = page.locator(".review .description input")
    assert sentence.input_value() == "The person touches or scratches the neck for 1.4 s."
    sentence.fill("The person rubs the neck with two fingers.")
    page.locator(".review .question").click()
    assert sent_by_keyboard(page, ["a"]).status == 201
    wait_until_playing(page, other_than=shown)
    assert sent_by_keyboard(page, ["a"]).status == 201
    changed, left = pulled(client, asked)
    assert changed.description == "The person rubs the neck with two fingers."
    assert left.description == "The person touches or scratches the neck for 1.4 s."


def playing(page: Page) -> list[str]:
    """Return the addresses of the clips that are seen and move."""
    page.wait_for_timeout(300)
    videos = "[...document.querySelectorAll('.clip video')].filter(v => v.checkVisibility() && !v.paused)"
    return [unquote(str(source)) for source in page.evaluate(f"{videos}.map(v => v.src)")]


def test_half_speed_is_a_key_away_and_back(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout, page: Page
) -> None:
    asked = put(client, review_layout, "half speed", [25])
    show_next(page, review_server, asked.project)
    (full,) = playing(page)
    page.keyboard.press("s")
    (slow,) = playing(page)
    lengths = page.evaluate("[...document.querySelectorAll('.clip video')].map(v => v.duration)")
    page.keyboard.press("s")
    assert playing(page) == [full]
    assert slow == full.removesuffix(".mp4") + "-slow.mp4"
    assert lengths[1] == pytest.approx(2 * lengths[0], rel=0.01)


ALWAYS = (".question", ".definition", ".is_not", ".reason", ".verdict", ".description", ".comment")


def test_nothing_that_is_needed_lies_below_the_fold(
    client: LabelStudioClient, review_server: ReviewServer, review_layout: StudyLayout, page: Page
) -> None:
    asked = put(client, review_layout, "seen whole", [25])
    for viewport in (LARGE_VIEWPORT, VIEWPORT):
        page.set_viewport_size(viewport)
        show_next(page, review_server, asked.project)
        assert page.locator(".review .question").inner_text() == question_for(make_candidate(), IMIGUE)
        for part in (*ALWAYS, ".speed", ".clip video.full"):
            assert_in_view(page, f".review {part}")
        page.keyboard.press("e")
        for part in (*ALWAYS, ".speed", ".clip video.full", ".classes", ".classes .group:last-child label"):
            assert_in_view(page, f".review {part}")
        classes = page.locator(".review .classes")
        assert classes.evaluate("list => list.scrollHeight <= list.clientHeight + 1"), "all classes at once"
        for key in ("m", "d"):
            page.keyboard.press(key)
            for part in (*ALWAYS, ".lsf-video__main", ".lsf-timeline", ".lsf-timeline-frames [data-id]"):
                assert_in_view(page, f".review {part}")
        canvas = page.locator(".review .lsf-video__main canvas").first.screenshot()
        drawn = np.asarray(Image.open(BytesIO(canvas)).convert("L"))
        assert np.mean(drawn > 60) > 0.5, "the picture fills the canvas"
