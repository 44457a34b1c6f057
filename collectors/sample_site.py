"""A tiny web server on loopback that offers a few named files, so that a sample is collected as real links are."""

import re
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self
from urllib.parse import quote, unquote, urlsplit

from schema.errors import ServiceError

HOST = "127.0.0.1"
CONTENT_TYPES = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".webm": "video/webm",
    ".mkv": "video/x-matroska",
    ".avi": "video/x-msvideo",
}
BLOCK_BYTES = 1 << 16


class SampleSite:
    """Serves files under the names given, and nothing else, while the ``with`` block lasts.

    Answers GET and HEAD, whole or by one byte range (206, or 416 outside the file). Port 0 takes a free port; raises
    ``ServiceError`` on entry where a given port is taken. ``KeyError`` from ``link`` for a name that is not served.
    """

    def __init__(self, files: Mapping[str, Path], *, port: int = 0) -> None:
        self._files = dict(files)
        self._port = port
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        """Start to serve, in a thread."""
        try:
            self._server = _Server(self._files, self._port)
        except OSError as error:
            raise ServiceError(
                f"the sample site can't listen on {HOST}:{self._port}: {error.strerror}; choose another port"
            ) from error
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and give the port back."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def link(self, name: str) -> str:
        """Return the link of a served file."""
        if self._server is None:
            raise RuntimeError("the sample site has links only inside its `with` block")
        if name not in self._files:
            raise KeyError(name)
        return f"http://{HOST}:{self._server.server_port}/{quote(name)}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, files: Mapping[str, Path], port: int) -> None:
        super().__init__((HOST, port), _Handler)
        self.files = files

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet: a client that hangs up early, as yt-dlp does after its first look, is no fault."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def do_GET(self) -> None:
        """Send the file or the range asked for."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """Send the headers alone."""
        self._answer(with_body=False)

    def log_message(self, *args: object, **kwargs: object) -> None:
        """Write nothing: request lines hold links."""

    def _answer(self, *, with_body: bool) -> None:
        path = self.server.files.get(unquote(urlsplit(self.path).path).removeprefix("/"))
        if path is None or not path.is_file():
            self.send_error(404)
            return
        size = path.stat().st_size
        asked = _byte_range(self.headers.get("Range", ""), size)
        first, end = asked or (0, size)
        if asked and first >= end:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{end - 1}/{size}")
        self.send_header("Content-Type", CONTENT_TYPES.get(path.suffix.lower(), "application/octet-stream"))
        self.send_header("Content-Length", str(end - first))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        if with_body:
            self._send(path, first, end)

    def _send(self, path: Path, first: int, end: int) -> None:
        with path.open("rb") as file:
            file.seek(first)
            while first < end and (block := file.read(min(BLOCK_BYTES, end - first))):
                self.wfile.write(block)
                first += len(block)


def _byte_range(header: str, size: int) -> tuple[int, int] | None:
    """Return ``[first, end)`` of the one range asked for; None, the whole file, for none, several, or a reversed one.

    RFC 9110, section 14.2: a server may ignore a Range header, and must ignore one that it can't read.
    """
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header.strip())
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        return max(size - int(last), 0), size
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size
