"""A loopback site that misbehaves on request."""

import re
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Event, Thread

import pytest

from tests.media_files import constant_rate

BODY_BYTES = 300_000
PAGE = b"<!DOCTYPE html><html><head><title>A page</title></head><body>No video here.</body></html>"


@cache
def video_bytes(*, seed: int = 1, length: int = BODY_BYTES) -> bytes:
    """A small whole video, its index first, filled up with a box of noise."""
    with TemporaryDirectory() as folder:
        path = constant_rate(Path(folder) / "v.mp4", container_options={"movflags": "faststart"})
        film = path.read_bytes()
    fill = length - len(film)
    return film + fill.to_bytes(4, "big") + b"free" + Random(seed).randbytes(fill - 8)


class FaultSite(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Callable[[Handler], None]] = {}
        self.ranges: list[str] = []
        self.conditions: list[str] = []
        self.stop = Event()

    def handle_error(self, request: object, client_address: object) -> None: ...

    def link(self, path: str, answer: "Callable[[Handler], None]") -> str:
        self.answers[path] = answer
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    server: FaultSite

    def do_GET(self) -> None:
        self.server.ranges.append(self.headers.get("Range", ""))
        self.server.conditions.append(self.headers.get("If-Range", ""))
        try:
            self.server.answers[self.path](self)
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *args: object, **kwargs: object) -> None: ...

    @property
    def first_byte(self) -> int:
        """Where the asked range begins; 0 where the whole is asked for."""
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(asked[1]) if asked else 0

    def head(self, status: int, kind: str, length: int | None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()


def serve(
    handler: Handler,
    content: bytes,
    *,
    end: int | None = None,
    marks: dict[str, str] | None = None,
    ranges: bool = True,
) -> None:
    """Announce a file, or its rest, with the marks of its version, and send it as far as ``end``."""
    first = handler.first_byte if ranges else 0
    extra = {"Content_Range": f"bytes {first}-{len(content) - 1}/{len(content)}"} if first else {}
    handler.head(206 if first else 200, "video/mp4", len(content) - first, **extra, **(marks or {}))
    handler.wfile.write(content[first:end])


def whole(handler: Handler) -> None:
    serve(handler, video_bytes(), ranges=False)


def status(code: int, **headers: str) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.head(code, "text/html", 0, **headers)

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


def noise(handler: Handler) -> None:
    serve(handler, Random(2).randbytes(5000))


def half(handler: Handler) -> None:
    """Announces all, sends half, hangs up; a range is answered by as little as nothing."""
    serve(handler, video_bytes(), end=BODY_BYTES // 2)


def broken_once(handler: Handler) -> None:
    """Announces all, sends half, hangs up; a range is answered in full."""
    serve(handler, video_bytes(), end=None if handler.first_byte else BODY_BYTES // 2)


def cut_film(handler: Handler) -> None:
    """A whole answer with a file that lacks its end."""
    serve(handler, video_bytes()[:1500])


def trickle(handler: Handler) -> None:
    content = video_bytes()
    handler.head(200, "video/mp4", len(content))
    for start in range(0, len(content), 100):
        handler.wfile.write(content[start : start + 100])
        if handler.server.stop.wait(0.1):
            return


def moved(link: str) -> Callable[[Handler], None]:
    """Redirects."""
    return status(302, Location=link)


def text(content: str, kind: str) -> Callable[[Handler], None]:
    def answer(handler: Handler) -> None:
        handler.head(200, kind, len(content.encode()))
        handler.wfile.write(content.encode())

    return answer


class Versions:
    """A file with marks of its version: each answer but the last breaks off after ``end`` bytes of the file."""

    def __init__(self, *versions: tuple[bytes, dict[str, str]], end: int = BODY_BYTES // 2, obeys: bool = True) -> None:
        self.versions = list(versions)
        self.end = end
        self.obeys = obeys
        self.is_broken = True

    def __call__(self, handler: Handler) -> None:
        content, marks = self.versions[0]
        condition = handler.headers.get("If-Range", "")
        holds = not condition or condition in marks.values() or not self.obeys
        serve(handler, content, end=self.end if self.is_broken else None, marks=marks, ranges=holds)


OLD_DATE = formatdate(1_700_000_000, usegmt=True)

ANSWERS = {
    "whole": whole,
    "silence": silence,
    "page": page,
    "page_as_video": page_as_video,
    "empty": empty,
    "half": half,
    "broken_once": broken_once,
    "trickle": trickle,
    "noise": noise,
    "cut_film": cut_film,
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
    return video_bytes()
