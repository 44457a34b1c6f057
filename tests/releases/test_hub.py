"""Pushing to the Hub: private and gated before any data, one revision a release, refusals in one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.releases.hub_stand_in import HubState, hub
from tests.releases.release_data import files_of

PUSH = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from releases.hub import push_release
from schema.errors import PipelineError
try:
    told = push_release(Path(sys.argv[1]), sys.argv[2], endpoint=sys.argv[3], public="--public" in sys.argv)
    print(json.dumps(asdict(told)))
except PipelineError as error:
    print(type(error).__name__, error)
"""
"""In a process of its own: the Hub's package reads its settings from the environment when it is imported."""


def push(release: Path, state: HubState, *more: str, repository: str = "lab/gestures", token: str | None = None) -> str:
    environment = os.environ | {
        "HF_HUB_DISABLE_XET": "1",
        "HF_ENDPOINT": state.address,
        "HF_HOME": str(release.parent / "hf"),
        "HF_TOKEN": state.token if token is None else token,
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", PUSH, str(release), repository, state.address, *more],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_release_goes_to_a_private_gated_repository_whole(release: Path) -> None:
    with hub() as state:
        told = json.loads(push(release, state))
        assert told["commit"] == "c" * 40
        assert state.settings["visibility"] == "private"
        assert state.settings["gated"] == "manual"
        assert state.files == files_of(release)
        before_data = state.calls[: next(n for n, call in enumerate(state.calls) if call.startswith("PUT /objects"))]
        assert any(call.endswith("/settings") for call in before_data), "gated before any data is sent"


def test_public_is_said_aloud_and_stays_gated(release: Path) -> None:
    with hub() as state:
        assert json.loads(push(release, state, "--public"))["public"]
        assert state.settings["gated"] == "manual"
        assert state.settings["visibility"] == "public"
        assert state.calls.index("POST /api/datasets/lab/gestures/commit/main") < len(state.calls) - 1


def test_what_the_release_no_longer_holds_is_deleted_from_the_revision(release: Path) -> None:
    with hub() as state:
        state.files["data/segments-old-00000-of-00001.parquet"] = b"old"
        push(release, state)
        assert state.files == files_of(release)


def test_refusals_are_one_line(release: Path) -> None:
    with hub() as state:
        assert push(release, state, token="hf_wrong").startswith("RunError lab/gestures: the Hub answered 401")
        assert push(release, state, token="").startswith("UsageError no access token")
        assert push(release, state, repository="gestures").startswith("UsageError 'gestures' is no repository")
        state.refuse = 403
        assert "403 (the token may not write there)" in push(release, state)
        assert state.files == {}


def test_an_invalid_release_is_not_sent(release: Path) -> None:
    (release / "LICENSE").write_text("mine")
    with hub() as state:
        assert push(release, state).startswith("InvalidReleaseError")
        assert state.calls == []


def test_a_hub_that_is_not_there_is_told(release: Path) -> None:
    with hub() as state:
        pass
    assert "can't be reached" in push(release, state)
