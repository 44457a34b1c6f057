"""The reviewing page in a real browser, logged in and with a clip that plays."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Response, ViewportSize, sync_playwright

from annotation.studio.service import ReviewServer

VIEWPORT: ViewportSize = {"width": 1366, "height": 768}
LARGE_VIEWPORT: ViewportSize = {"width": 1920, "height": 1080}
FRAME_PX = 16
"""Width of one frame on Label Studio's timeline."""
LABELS_PX = 150
"""Width of the names that stand before the timeline."""


@contextmanager
def signed_in(server: ReviewServer, viewport: ViewportSize = VIEWPORT) -> Iterator[Page]:
    """Open a browser and log in as the study's reviewer."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page(viewport=viewport)
        page.goto(f"{server.url}/user/login/")
        page.fill("input[name=email]", server.user)
        page.fill("input[name=password]", server.password)
        page.click("button[type=submit]")
        yield page
        browser.close()


@contextmanager
def playing_page(server: ReviewServer, project_number: int) -> Iterator[Page]:
    """Log in as the study's reviewer, open the next task, and wait until its clip moves."""
    with signed_in(server) as page:
        show_next(page, server, project_number)
        yield page


def show_next(page: Page, server: ReviewServer, project_number: int) -> str:
    """Open the next task, and wait until its clip moves; returns the clip's address."""
    page.goto(f"{server.url}/projects/{project_number}/data?labeling=1")
    return wait_until_playing(page)


def wait_until_playing(page: Page, *, other_than: str = "") -> str:
    """Wait until a clip moves (not the one at the address ``other_than``); returns its address."""
    page.wait_for_function(
        "other => { const v = document.querySelector('video'); return v && v.src !== other && v.currentTime > 0 }",
        arg=other_than,
    )
    return str(page.evaluate("document.querySelector('video').src"))


def send_by_keyboard(page: Page, keys: Iterable[str]) -> int:
    """Press the keys of an answer and send; returns the status of the server's answer."""
    return sent_by_keyboard(page, keys).status


def sent_by_keyboard(page: Page, keys: Iterable[str]) -> Response:
    """Press the keys of an answer and send; returns the server's answer."""
    for one in keys:
        page.keyboard.press(one)
    with page.expect_response(lambda got: got.request.method == "POST" and "/annotations" in got.url) as sent:
        page.keyboard.press("Control+Enter")
    return sent.value


def drag_on_timeline(page: Page, row: int, *, start: int, end: int) -> None:
    """Drag on a row of the timeline from one frame to another; rows count from 0, frames from 1."""
    line = page.locator(".lsf-timeline-frames [data-id]").nth(row)
    scroll, box = page.locator(".lsf-timeline-frames__scroll").bounding_box(), line.bounding_box()
    assert scroll is not None
    assert box is not None

    def x(frame: int) -> float:
        return scroll["x"] + LABELS_PX + (frame - 0.5) * FRAME_PX

    y = box["y"] + box["height"] / 2
    page.mouse.move(x(start), y)
    page.mouse.down()
    page.mouse.move(x(end), y, steps=4)
    page.mouse.up()


@contextmanager
def lineup_page(server: ReviewServer, project_number: int) -> Iterator[Page]:
    """Log in as the study's reviewer, and open the next "which one is the player?"."""
    with signed_in(server) as page:
        show_lineup(page, server, project_number)
        yield page


def show_lineup(page: Page, server: ReviewServer, project_number: int) -> None:
    """Open the next "which one is the player?", and wait until its picture and its choices are there."""
    page.goto(f"{server.url}/projects/{project_number}/data?labeling=1")
    page.wait_for_function("document.querySelector('.who img')?.naturalWidth > 0")
    page.wait_for_selector("text=Nobody shown")
