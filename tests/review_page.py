"""The reviewing page in a real browser, logged in and with a clip that plays."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from annotation.service import ReviewServer

VIEWPORT = {"width": 1366, "height": 768}


@contextmanager
def _signed_in(server: ReviewServer) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page(viewport=VIEWPORT)
        page.goto(f"{server.url}/user/login/")
        page.fill("input[name=email]", server.user)
        page.fill("input[name=password]", server.password)
        page.click("button[type=submit]")
        yield page
        browser.close()


@contextmanager
def playing_page(server: ReviewServer, project_number: int) -> Iterator[Page]:
    """Log in as the study's reviewer, open the next task, and wait until its clip moves."""
    with _signed_in(server) as page:
        page.goto(f"{server.url}/projects/{project_number}/data?labeling=1")
        page.wait_for_function("document.querySelector('video')?.readyState >= 2")
        started = page.evaluate("document.querySelector('video').currentTime")
        page.wait_for_function("started => document.querySelector('video').currentTime !== started", arg=started)
        yield page


def send_by_keyboard(page: Page, keys: str) -> int:
    """Press the keys of an answer and send; returns the status of the server's answer."""
    for one in keys:
        page.keyboard.press(one)
    with page.expect_response(lambda got: got.request.method == "POST" and "/annotations" in got.url) as sent:
        page.keyboard.press("Control+Enter")
    return sent.value.status


@contextmanager
def lineup_page(server: ReviewServer, project_number: int) -> Iterator[Page]:
    """Log in as the study's reviewer, and open the next "which one is the player?"."""
    with _signed_in(server) as page:
        show_lineup(page, server, project_number)
        yield page


def show_lineup(page: Page, server: ReviewServer, project_number: int) -> None:
    """Open the next "which one is the player?", and wait until its picture and its choices are there."""
    page.goto(f"{server.url}/projects/{project_number}/data?labeling=1")
    page.wait_for_function("document.querySelector('.who img')?.naturalWidth > 0")
    page.wait_for_selector("text=Nobody shown")
