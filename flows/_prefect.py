"""Where Prefect is: the user's server, the one that ``pressroom up`` keeps alive, or an ephemeral one.

Prefect reads its settings when it is imported, so ``connect`` sets them in the environment before that.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from schema.errors import ServiceError
from schema.layout import StudyLayout
from schema.tables import written_beside

START_TIMEOUT_S = 180.0
QUIET = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    "PREFECT_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    # the ledger and the parts are the results; Prefect keeps none
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    # a task that waits for its host's turn looks again this often: Prefect's own 10 s leave the host idle
    "PREFECT_SERVER_TASKS_TAG_CONCURRENCY_SLOT_WAIT_SECONDS": "1",
    # a pull every ten minutes is 52,000 runs a year; Prefect deletes old ones (after 90 days) only when it is told to
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefectServer:
    """A Prefect server of this study that runs in the background."""

    pid: int
    started: float
    """When the process began, Unix seconds: tells it from a later process with the same id."""
    port: int

    @property
    def url(self) -> str:
        """The address of the page; the API is below ``/api``."""
        return f"http://127.0.0.1:{self.port}"


def _state_file(layout: StudyLayout) -> Path:
    return layout.prefect / "server.json"


def running_prefect(layout: StudyLayout) -> PrefectServer | None:
    """Return the study's Prefect server if its process lives and it answers."""
    try:
        server = PrefectServer(**json.loads(_state_file(layout).read_text(encoding="utf-8")))
        if psutil.Process(server.pid).create_time() != server.started:
            return None
    except (FileNotFoundError, ValueError, TypeError, psutil.NoSuchProcess):
        return None
    return server if _answers(server.url) else None


def _answers(url: str) -> bool:
    import httpx

    try:
        return httpx.get(f"{url}/api/health", timeout=5.0).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def start_prefect(layout: StudyLayout) -> PrefectServer:
    """Start the study's Prefect server in the background unless it runs; returns when it answers.

    Raises ``ServiceError`` where it does not come up; its log lies beside its database.
    """
    running = running_prefect(layout)
    if running:
        return running
    layout.prefect.mkdir(parents=True, exist_ok=True, mode=0o700)
    port = _free_port()
    log_path = layout.prefect / "server.log"
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | QUIET | {"PREFECT_HOME": str(layout.prefect), "PREFECT_SERVER_UI_API_URL": "/api"},
        )
    server = PrefectServer(pid=process.pid, started=psutil.Process(process.pid).create_time(), port=port)
    with written_beside(_state_file(layout)) as beside:
        beside.write_text(json.dumps(asdict(server)), encoding="utf-8")
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _answers(server.url):
        if process.poll() is not None:
            raise ServiceError(
                f"the Prefect server ended with status {process.returncode} while starting; see {log_path}"
            )
        if time.monotonic() > deadline:
            process.kill()
            raise ServiceError(f"the Prefect server did not answer within {START_TIMEOUT_S:.0f} s; see {log_path}")
        time.sleep(0.3)
    return server


def stop_prefect(layout: StudyLayout) -> bool:
    """Stop the study's Prefect server; tells whether one ran."""
    try:
        server = PrefectServer(**json.loads(_state_file(layout).read_text(encoding="utf-8")))
        process = psutil.Process(server.pid)
        if process.create_time() != server.started:
            return False
    except (FileNotFoundError, ValueError, TypeError, psutil.NoSuchProcess):
        return False
    family = [process, *process.children(recursive=True)]
    for member in family:
        member.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=10)
    for member in alive:
        member.kill()
    _state_file(layout).unlink(missing_ok=True)
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def connect(layout: StudyLayout, *, environ: Mapping[str, str] = os.environ) -> None:
    """Point Prefect, which must not have been imported yet, at the server to use."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("PREFECT_HOME", str(layout.prefect))
    if "PREFECT_API_URL" in environ:
        return
    server = running_prefect(layout)
    if server:
        os.environ["PREFECT_API_URL"] = f"{server.url}/api"
