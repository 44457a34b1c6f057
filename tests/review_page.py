"""The reviewing page in a real browser, logged in and with a clip that plays."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from annotation.service import ReviewServer

VIEWPORT = {"width": 1366, "height": 768}


@contextmanager
def playing_page(server: ReviewServer, project_number: int) -> Iterator[Page]:
    """Log in as the study's reviewer, open the next task, and wait until its clip moves."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page(viewport=VIEWPORT)
        page.goto(f"{server.url}/user/login/")
        page.fill("input[name=email]", server.user)
        page.fill("input[name=password]", server.password)
        page.click("button[type=submit]")
        page.goto(f"{server.url}/projects/{project_number}/data?labeling=1")
        page.wait_for_function("document.querySelector('video')?.readyState >= 2")
        started = page.evaluate("document.querySelector('video').currentTime")
        page.wait_for_function("started => document.querySelector('video').currentTime !== started", arg=started)
        yield page
        browser.close()


def send_by_keyboard(page: Page, key: str) -> int:
    """Press the verdict's key and send; returns the status of the server's answer."""
    page.keyboard.press(key)
    with page.expect_response(lambda got: got.request.method == "POST" and "/annotations" in got.url) as sent:
        page.keyboard.press("Control+Enter")
    return sent.value.status
