"""How fast clips follow each other for a person at the verdict page, in a real browser.

    python benchmarks/review_page.py [--clips 20]

Starts Label Studio for this alone, puts clips of four seconds on its verdict page, and answers them by keyboard alone
in Debian's chromium at 1366x768: accept and reject in turn, each with a verdict key and Ctrl+Enter. Prints the seconds
from Ctrl+Enter until the next clip moves.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

from annotation.pages.tasks import slow_name, task_document
from annotation.pages.verdict_page import instructions, verdict_page
from annotation.studio import service
from annotation.studio.installation import ensure_label_studio
from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer, ReviewServerConfig
from media.clips import write_clip, write_slow_copy
from schema.layout import StudyLayout
from schema.records import Candidate, CandidateId, VideoId
from schema.taxonomy import Taxonomy, load_taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan

RATE = 25
FRAMES = 100
ASKED = (25, 75)
PLAYS = "other => { const v = document.querySelector('video'); return v && v.src !== other && v.currentTime > 0 }"


def pictures(number: int) -> Iterator[np.ndarray]:
    """Paint a clip of noise as large as a review clip: a picture that is hard to compress."""
    random = np.random.default_rng(number)
    still = random.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    for k in range(FRAMES):
        yield np.roll(still, 4 * k, axis=1)


def document(layout: StudyLayout, taxonomy: Taxonomy, number: int) -> dict[str, Any]:
    """Make one clip with its slow copy, and the task that shows it."""
    clip = f"clips/c{number:020d}-1.mp4"
    path = layout.served / clip
    path.parent.mkdir(parents=True, exist_ok=True)
    write_clip(pictures(number), path, frame_rate=RATE)
    write_slow_copy(path, layout.served / slow_name(clip))
    candidate = Candidate(
        candidate_id=CandidateId(f"c{number:020d}"),
        video_id=VideoId("v" + "0" * 20),
        track_number=0,
        span=TimeSpan(start_ns=NS_PER_SECOND, end_ns=3 * NS_PER_SECOND),
        box_xyxy=(0.0, 0.0, 640.0, 480.0),
        class_id="touching_or_scratching_neck",
        evidence="hand_on_neck",
        proposer="contact",
        score=0.5,
        reason="right hand within 0.2 head widths of the neck for 2.0 s",
    )
    return task_document(candidate, taxonomy=taxonomy, clip=clip, asked_in_clip=ASKED, frame_rate=RATE)


def put(layout: StudyLayout, server: ReviewServer, count: int) -> int:
    """Put the clips on the page; returns the project."""
    taxonomy = load_taxonomy("imigue32")
    with LabelStudioClient(server) as client:
        project = client.ensure_project(
            title="review page",
            page=verdict_page(taxonomy),
            instructions=instructions(taxonomy),
            clips_folder=layout.served / "clips",
            show_predictions=True,
        )
        client.import_tasks(project, [document(layout, taxonomy, number) for number in range(count)])
    return project


def answer_all(page: Page, server: ReviewServer, project: int, count: int) -> list[float]:
    """Answer by keyboard; returns the seconds until each next clip moved."""
    page.goto(f"{server.url}/user/login/")
    page.fill("input[name=email]", server.user)
    page.fill("input[name=password]", server.password)
    page.click("button[type=submit]")
    page.goto(f"{server.url}/projects/{project}/data?labeling=1")
    page.wait_for_function(PLAYS, arg="")
    seconds = []
    for number in range(count - 1):
        shown = page.evaluate("document.querySelector('video').src")
        page.keyboard.press("ar"[number % 2])
        begun = time.perf_counter()
        page.keyboard.press("Control+Enter")
        page.wait_for_function(PLAYS, arg=shown)
        seconds.append(time.perf_counter() - begun)
    return seconds


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=20)
    count = parser.parse_args().clips
    folder = Path(tempfile.mkdtemp())
    layout = StudyLayout.at(folder)
    server = service.start(layout, ensure_label_studio(), config=ReviewServerConfig())
    try:
        project = put(layout, server, count)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-background-networking"]
            )
            page = browser.new_page(viewport={"width": 1366, "height": 768})
            seconds = answer_all(page, server, project, count)
            browser.close()
    finally:
        service.stop(layout)
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{len(seconds)} clips answered by keyboard; until the next one moved:")
    print(f"median {median(seconds):.2f} s, shortest {min(seconds):.2f} s, longest {max(seconds):.2f} s")


if __name__ == "__main__":
    main()
