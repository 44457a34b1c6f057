"""A stand-in for the Hub's HTTP API on loopback: repositories, settings, LFS uploads and commits, kept in memory."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class HubState:
    """What the stand-in was told, in order."""

    token: str
    calls: list[str] = field(default_factory=list)
    settings: dict[str, object] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    card_error: str = ""
    refuse: int = 0
    """Status with which commits are refused."""
    address: str = ""


@contextmanager
def hub(*, token: str = "hf_testing") -> Iterator[HubState]:
    state = HubState(token=token)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(state: HubState) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._serve("GET")

        def do_POST(self) -> None:
            self._serve("POST")

        def do_PUT(self) -> None:
            self._serve("PUT")

        def _serve(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.partition("?")[0]
            state.calls.append(f"{method} {path}")
            if path.startswith("/objects/"):
                state.objects[path.rpartition("/")[2]] = body
                self._answer(200, {})
            elif self.headers.get("authorization") != f"Bearer {state.token}":
                self._answer(401, {"error": "Invalid credentials"})
            else:
                self._answer(*_answers(state, method, path, body))

        def _answer(self, status: int, document: object) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


def _answers(state: HubState, method: str, path: str, body: bytes) -> tuple[int, object]:  # noqa: PLR0911  one a route
    if path == "/api/repos/create":
        state.settings |= json.loads(body)
        return 200, {"url": f"{state.address}/datasets/lab/gestures", "name": "lab/gestures"}
    if path.endswith("/settings"):
        state.settings |= json.loads(body)
        return 200, {}
    if path == "/api/validate-yaml":
        if state.card_error:
            return 400, {"errors": [{"message": state.card_error}], "warnings": []}
        return 200, {"errors": [], "warnings": []}
    if "/preupload/" in path:
        files = json.loads(body)["files"]
        modes = [
            {"path": f["path"], "uploadMode": "lfs" if f["path"].endswith(("parquet", "png")) else "regular"}
            for f in files
        ]
        return 200, {"files": [one | {"shouldIgnore": False, "oid": None} for one in modes]}
    if path.endswith("/info/lfs/objects/batch"):
        objects = json.loads(body)["objects"]
        return 200, {
            "transfer": "basic",
            "objects": [
                one | {"actions": {"upload": {"href": f"{state.address}/objects/{one['oid']}", "header": {}}}}
                for one in objects
            ],
        }
    if "/commit/" in path:
        return _commit(state, body)
    if "/tree/" in path:
        return 200, [{"type": "file", "path": name, "size": 1, "oid": "0"} for name in state.files]
    if method == "GET" and re.fullmatch(r"/api/datasets/[\w.-]+/[\w.-]+(/revision/\w+)?", path):
        siblings = [{"rfilename": name} for name in state.files]
        return 200, {"id": "lab/gestures", "siblings": siblings, "sha": "0" * 40, "private": True, "tags": []}
    return 404, {"error": f"{method} {path}"}


def _commit(state: HubState, body: bytes) -> tuple[int, object]:
    if state.refuse:
        return state.refuse, {"error": "no"}
    for line in body.decode().splitlines():
        item = json.loads(line)
        value = item["value"]
        if item["key"] == "file":
            state.files[value["path"]] = base64.b64decode(value["content"])
        elif item["key"] == "lfsFile":
            content = state.objects[value["oid"]]
            assert sha256(content).hexdigest() == value["oid"]
            state.files[value["path"]] = content
        elif item["key"] == "deletedFile":
            del state.files[value["path"]]
    return 200, {
        "success": True,
        "commitOid": "c" * 40,
        "commitUrl": f"{state.address}/datasets/lab/gestures/commit/{'c' * 40}",
        "hookOutput": "",
    }
