"""A study under ``pressroom serve``: a process of its own, its Prefect server, and what that server tells of it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
from playwright.sync_api import Page, sync_playwright

from flows._prefect import running_prefect, stop_prefect
from schema.layout import StudyLayout

REPOSITORY = Path(__file__).parents[1]
SERVE = (
    "import sys; from flows._serve import serve; from flows._study import open_study; serve(open_study(sys.argv[1]))"
)
VIEWPORT = {"width": 1680, "height": 900}
ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class Served:
    """The serving process and its Prefect server."""

    def __init__(self, root: Path) -> None:
        self.root = root
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
        path = os.pathsep.join(filter(None, [str(REPOSITORY), inherited.get("PYTHONPATH")]))
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(root)],
            env=inherited | {"PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = ""

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.said.append(line.rstrip("\n"))

    def wait_until_ready(self) -> None:
        """Wait until every deployment is registered and none is paused."""
        self.wait_for(lambda: bool(self.said) or self.process.poll() is not None, "the first words")
        assert self.said, self.process.returncode
        assert self.said[0].startswith("Prefect "), self.said
        self.url = self.said[0].split()[1].removesuffix("/deployments")
        self.wait_for(lambda: len([d for d in self.deployments().values() if not d["paused"]]) == 8, "deployments")

    def wait_for(self, is_so: Callable[[], bool], what: str, *, limit_s: float = 120.0) -> None:
        deadline = time.monotonic() + limit_s
        while not is_so():
            assert time.monotonic() < deadline, f"waited in vain for {what}; it said {self.said}"
            time.sleep(0.3)

    def ask(self, path: str, **document: object) -> Any:
        """Post to Prefect's API; a server on SQLite that is busy with writing answers 503 now and then."""
        for _ in range(40):
            try:
                answer = httpx.post(f"{self.url}/api{path}", json=document, timeout=60)
            except httpx.ConnectError as error:
                self._reader.join(10)
                raise AssertionError(f"Prefect's server is gone; serve said {self.said}") from error
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(0.5)
        answer.raise_for_status()
        return answer.json()

    def deployments(self) -> dict[str, dict[str, Any]]:
        """Every deployment by its flow's name."""
        found = self.ask("/deployments/filter")
        return {deployment["entrypoint"].rpartition(".")[2].removesuffix("_flow"): deployment for deployment in found}

    def start_run(self, stage: str, **parameters: object) -> str:
        """Start a deployment as Prefect's page does; returns the run's id."""
        deployment = self.deployments()[stage]
        return str(self.ask(f"/deployments/{deployment['id']}/create_flow_run", parameters=parameters)["id"])

    def state_of(self, run_id: str) -> dict[str, Any]:
        (run,) = self.ask("/flow_runs/filter", flow_runs={"id": {"any_": [run_id]}})
        return dict(run["state"])

    def wait_for_state(self, run_id: str, *types: str) -> dict[str, Any]:
        self.wait_for(lambda: self.state_of(run_id)["type"] in types, " or ".join(types))
        return self.state_of(run_id)

    def summary_of(self, run_id: str) -> dict[str, tuple[str, str]]:
        """The artifact of a run: (count, more) by what it counts."""
        found = [a for a in self.ask("/artifacts/filter") if a["key"] and a["flow_run_id"] == run_id]
        (artifact,) = found
        return {row["what"]: (row["count"], row["more"]) for row in json.loads(artifact["data"])}

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """End the process with a signal; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(60)
        self._reader.join(20)
        if self.process.stdout:
            self.process.stdout.close()
        return status


@contextmanager
def serving(root: Path) -> Iterator[Served]:
    """Serve a study; at the end nothing of it runs any more."""
    served = Served(root)
    try:
        served.wait_until_ready()
        yield served
    finally:
        served.end(signal.SIGINT)
        stop_prefect(StudyLayout.at(root))


def engines_of(root: Path) -> list[psutil.Process]:
    """Processes that run a flow of the study: their environment names its Prefect folder."""
    found = []
    for process in psutil.process_iter():
        try:
            is_engine = "prefect.engine" in process.cmdline()
            if is_engine and process.environ().get("PREFECT_HOME", "").startswith(str(root)):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def is_server_up(root: Path) -> bool:
    return running_prefect(StudyLayout.at(root)) is not None


@contextmanager
def prefect_page() -> Iterator[Page]:
    """A browser's page for Prefect's own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser.new_page(viewport=VIEWPORT, color_scheme="light")
        browser.close()
