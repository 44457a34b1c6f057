"""A loopback site that misbehaves on request."""

import re
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Event, Thread

import pytest

BODY = Random(1).randbytes(300_000)
PAGE = b"<!DOCTYPE html><html><head><title>A page</title></head><body>No video here.</body></html>"


class FaultSite(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Callable[[Handler], None]] = {}
        self.ranges: list[str] = []
        self.stop = Event()

    def handle_error(self, request: object, client_address: object) -> None: ...

    def link(self, path: str, answer: "Callable[[Handler], None]") -> str:
        self.answers[path] = answer
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    server: FaultSite

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range", ""))
        self.server.answers[self.path](self)

    def log_message(self, *args: object, **kwargs: object) -> None: ...

    def head(self, status: int, kind: str, length: int | None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()


def whole(handler: Handler) -> None:
    handler.head(200, "video/mp4", len(BODY))
    handler.wfile.write(BODY)


def status(code: int) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.head(code, "text/html", 0)

    return answer


def silence(handler: Handler) -> None:
    handler.server.stop.wait(20)


def page(handler: Handler) -> None:
    handler.head(200, "text/html", len(PAGE))
    handler.wfile.write(PAGE)


def page_as_video(handler: Handler) -> None:
    handler.head(200, "video/mp4", len(PAGE))
    handler.wfile.write(PAGE)


def empty(handler: Handler) -> None:
    handler.head(200, "video/mp4", 0)


def half(handler: Handler) -> None:
    """Announces all, sends half, hangs up; a range is answered by as little as nothing."""
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    first = int(asked[1]) if asked else 0
    extra = {"Content_Range": f"bytes {first}-{len(BODY) - 1}/{len(BODY)}"} if asked else {}
    handler.head(206 if asked else 200, "video/mp4", len(BODY) - first, **extra)
    handler.wfile.write(BODY[first : len(BODY) // 2])


def broken_once(handler: Handler) -> None:
    """Announces all, sends half, hangs up; a range is answered in full."""
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    if asked is None:
        half(handler)
        return
    first = int(asked[1])
    span = f"bytes {first}-{len(BODY) - 1}/{len(BODY)}"
    handler.head(206, "video/mp4", len(BODY) - first, Content_Range=span)
    handler.wfile.write(BODY[first:])


def trickle(handler: Handler) -> None:
    handler.head(200, "video/mp4", len(BODY))
    for start in range(0, len(BODY), 3000):
        handler.wfile.write(BODY[start : start + 3000])
        if handler.server.stop.wait(0.1):
            return


ANSWERS = {
    "whole": whole,
    "silence": silence,
    "page": page,
    "page_as_video": page_as_video,
    "empty": empty,
    "half": half,
    "broken_once": broken_once,
    "trickle": trickle,
    **{str(code): status(code) for code in (401, 403, 404, 410, 429, 451, 500, 503)},
}


@pytest.fixture
def site() -> Iterator[FaultSite]:
    server = FaultSite()
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.stop.set()
    time.sleep(0.02)
    server.shutdown()
    server.server_close()


@pytest.fixture
def fault_link(site: FaultSite) -> Callable[..., str]:
    def link(answer: str, path: str = "/clip.mp4") -> str:
        return site.link(path, ANSWERS[answer])

    return link


@pytest.fixture
def body() -> bytes:
    return BODY
