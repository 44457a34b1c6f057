"""A proxy before the real review server that fails on demand: what a network and a server under strain do."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


class Fault(StrEnum):
    """What happens to a request."""

    REFUSED = "refused"
    """It never reaches the server; the proxy answers 502."""
    ANSWER_LOST = "answer lost"
    """The server carries it out; the connection closes without an answer."""
    WRONG_ANSWER = "wrong answer"
    """The server carries it out; the proxy answers 500."""
    CUT = "cut"
    """The answer breaks off in the middle."""
    SILENT = "silent"
    """The server carries it out; the answer comes too late."""


@dataclass(slots=True)
class FaultyProxy:
    """Where it listens, what it does next, and what it saw."""

    url: str
    planned: list[tuple[str, str, Fault]] = field(default_factory=list)
    """(method, part of the path, fault): each strikes once, in this order among those that fit."""
    seen: Counter[str] = field(default_factory=Counter)
    """Requests by method and path."""
    down: bool = False
    """Answer 503 to everything."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    late: threading.Event = field(default_factory=threading.Event)
    """Set at the end, so that nobody waits for an answer that comes too late."""

    def plan(self, method: str, path: str, *faults: Fault) -> None:
        """Let the next requests that fit fail."""
        self.planned += [(method, path, fault) for fault in faults]

    def fault_of(self, method: str, path: str) -> Fault | None:
        """Count a request, and return what happens to it."""
        with self.lock:
            self.seen[f"{method} {path.partition('?')[0]}"] += 1
            if self.down:
                return Fault.REFUSED
            fits = (i for i, (asked, part, _) in enumerate(self.planned) if asked == method and part in path)
            found = next(fits, None)
            return None if found is None else self.planned.pop(found)[2]


@contextmanager
def faulty_proxy(target: str) -> Iterator[FaultyProxy]:
    """Run a proxy before ``target`` on a free port of loopback."""
    proxy = FaultyProxy(url="")
    with (
        httpx.Client(base_url=target, timeout=60, trust_env=False) as onward,
        ThreadingHTTPServer(("127.0.0.1", 0), _handler(proxy, onward)) as server,
    ):
        server.daemon_threads = True
        proxy.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield proxy
        proxy.late.set()
        server.shutdown()
        thread.join()


def _handler(proxy: FaultyProxy, onward: httpx.Client) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = proxy.fault_of(self.command, self.path)
            if fault is Fault.REFUSED:
                self._answer(502, b"{}")
                return
            kept = {k: v for k, v in self.headers.items() if k.lower() in ("authorization", "content-type", "cookie")}
            try:
                response = onward.request(self.command, self.path, content=body, headers=kept)
            except httpx.HTTPError:
                self._answer(502, b"{}")
                return
            if fault is Fault.WRONG_ANSWER:
                self._answer(500, b"{}")
            elif fault is Fault.ANSWER_LOST:
                self._hang_up()
            elif fault is Fault.CUT:
                self._answer(response.status_code, response.content, sent=len(response.content) // 2)
                self._hang_up()
            else:
                if fault is Fault.SILENT:
                    proxy.late.wait(30)
                self._answer(response.status_code, response.content)

        def _answer(self, status: int, content: bytes, *, sent: int | None = None) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[:sent])
            except OSError:  # the client gave up waiting
                self.close_connection = True

        def _hang_up(self) -> None:
            self.close_connection = True
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    for method in ("GET", "POST", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.handle_request)
    return Handler
