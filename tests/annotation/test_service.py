import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from annotation.studio import service
from annotation.studio.database import PASSWORD_VARIABLE
from annotation.studio.installation import LabelStudioInstallation
from annotation.studio.service import ReviewServerConfig
from schema.errors import ServiceError, UsageError
from schema.layout import StudyLayout

# Behaves as Label Studio 1.23.2 does where the service looks: it takes a token, and may move to another port.
PROGRAM = f"""#!{sys.executable}
import http.server, json, os, sys, time
time.sleep(float(os.environ["HOME"] and DELAY))
if ENDS:
    sys.exit("database is broken")
arguments = sys.argv
port = int(arguments[arguments.index("--port") + 1]) + MOVES
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ours = self.headers["Authorization"] == "Token " + os.environ["LABEL_STUDIO_USER_TOKEN"]
        self.send_response(200 if ours else 401)
        self.end_headers()
        answer = {{"email": os.environ["LABEL_STUDIO_USERNAME"]}}
        if self.path == "/api/organizations/":
            answer = [{{"created_at": open(os.path.join(os.path.dirname(arguments[0]), "born")).read()}}]
        self.wfile.write(json.dumps(answer).encode())
http.server.ThreadingHTTPServer((arguments[arguments.index("--internal-host") + 1], port), Handler).serve_forever()
"""
CONFIG = ReviewServerConfig(start_timeout_seconds=30)


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[StudyLayout]:
    layout = StudyLayout.at(tmp_path / "study")
    yield layout
    service.stop(layout)


def install(tmp_path: Path, *, delay: float = 0.0, ends: bool = False, moves: int = 0) -> LabelStudioInstallation:
    program = tmp_path / "label-studio"
    program.write_text(PROGRAM.replace("DELAY", str(delay)).replace("ENDS", str(ends)).replace("MOVES", str(moves)))
    program.chmod(0o755)
    database = tmp_path / "empty.sqlite3"
    database.write_bytes(b"empty")
    return LabelStudioInstallation(program=program, empty_database=database)


def test_starting_twice_is_starting_once(layout: StudyLayout, tmp_path: Path) -> None:
    installation = install(tmp_path)
    server = service.start(layout, installation, config=CONFIG)
    assert service.start(layout, installation, config=CONFIG) == server == service.running(layout)
    assert service.stop(layout) is True
    assert service.running(layout) is None
    assert service.stop(layout) is False


def test_a_restart_keeps_port_and_credentials(layout: StudyLayout, tmp_path: Path) -> None:
    installation = install(tmp_path)
    before = service.start(layout, installation, config=CONFIG)
    service.stop(layout)
    after = service.start(layout, installation, config=CONFIG)
    assert after.pid != before.pid
    assert (after.url, after.token, after.server_id) == (before.url, before.token, before.server_id)


def test_a_server_killed_hard_is_started_again(layout: StudyLayout, tmp_path: Path) -> None:
    installation = install(tmp_path)
    before = service.start(layout, installation, config=CONFIG)
    os.kill(before.pid, signal.SIGKILL)
    assert service.running(layout) is None
    assert service.start(layout, installation, config=CONFIG).pid != before.pid


def test_a_stale_state_file_misleads_nobody(layout: StudyLayout, tmp_path: Path) -> None:
    installation = install(tmp_path)
    layout.labelstudio.mkdir(parents=True)
    (layout.labelstudio / "server.json").write_text(json.dumps({"pid": os.getpid(), "port": 1}))
    assert service.running(layout) is None
    assert service.stop(layout) is False
    assert service.start(layout, installation, config=CONFIG).pid != os.getpid()


def test_it_outlives_a_command_killed_while_it_starts(layout: StudyLayout, tmp_path: Path) -> None:
    installation = install(tmp_path, delay=2.0)
    code = (
        "from annotation.studio import service; from annotation.studio.installation import LabelStudioInstallation;"
        "from schema.layout import StudyLayout; from pathlib import Path;"
        f"service.start(StudyLayout.at({str(layout.root)!r}), LabelStudioInstallation("
        f"program=Path({str(installation.program)!r}), empty_database=Path({str(installation.empty_database)!r})),"
        "config=service.ReviewServerConfig())"
    )
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as command:
        deadline = time.monotonic() + 30
        while service._find_process(layout.labelstudio) is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process = service._find_process(layout.labelstudio)
        os.killpg(command.pid, signal.SIGKILL)
    assert process is not None
    assert service.start(layout, installation, config=CONFIG).pid == process.pid


def test_it_listens_on_loopback_only_and_writes_for_its_owner_only(layout: StudyLayout, tmp_path: Path) -> None:
    server = service.start(layout, install(tmp_path), config=CONFIG)
    connections = psutil.Process(server.pid).net_connections(kind="inet")
    assert {connection.laddr.ip for connection in connections} == {"127.0.0.1"}
    folder = layout.labelstudio
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("credentials.json", "server.json", "server.log", "label_studio.sqlite3"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name


def test_secrets_are_in_no_representation(layout: StudyLayout, tmp_path: Path) -> None:
    server = service.start(layout, install(tmp_path), config=CONFIG)
    assert server.token not in repr(server)
    assert server.password not in repr(server)
    arguments = psutil.Process(server.pid).cmdline()
    assert server.token not in arguments
    assert server.password not in arguments


def test_a_taken_port_is_told_in_one_line(layout: StudyLayout, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ServiceError, match=rf"port {port} on 127.0.0.1 is taken") as caught:
            service.start(layout, install(tmp_path), config=ReviewServerConfig(port=port))
    assert "\n" not in str(caught.value)
    assert service._find_process(layout.labelstudio) is None


def test_a_server_that_moved_to_another_port_is_ended(layout: StudyLayout, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="was taken by another program"):
        service.start(layout, install(tmp_path, moves=1), config=CONFIG)
    assert service.running(layout) is None


def test_a_server_that_ends_at_once_tells_its_last_line(layout: StudyLayout, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="ended while it started: database is broken") as caught:
        service.start(layout, install(tmp_path, delay=0.5, ends=True), config=CONFIG)
    assert "\n" not in str(caught.value)


def test_a_server_that_never_answers_is_given_up(layout: StudyLayout, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="does not answer after 1 s"):
        service.start(layout, install(tmp_path, delay=20), config=ReviewServerConfig(start_timeout_seconds=1))


def test_a_program_that_is_gone_is_told_in_one_line(layout: StudyLayout, tmp_path: Path) -> None:
    installation = install(tmp_path)
    installation.program.unlink()
    with pytest.raises(ServiceError, match="ended while it started"):
        service.start(layout, installation, config=CONFIG)


def test_lost_credentials_are_told_not_replaced(layout: StudyLayout, tmp_path: Path) -> None:
    installation = install(tmp_path)
    service.start(layout, installation, config=CONFIG)
    service.stop(layout)
    (layout.labelstudio / "credentials.json").unlink()
    with pytest.raises(ServiceError, match="credentials"):
        service.start(layout, installation, config=CONFIG)


def test_a_server_on_another_database_is_not_taken_for_the_study_s(layout: StudyLayout, tmp_path: Path) -> None:
    installation = install(tmp_path)
    service.start(layout, installation, config=CONFIG)
    with pytest.raises(ServiceError, match="runs on sqlite, the study says postgresql"):
        service.start(layout, installation, config=replace(CONFIG, database="postgresql"))


def test_postgresql_without_its_password_is_told_before_anything_starts(
    layout: StudyLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    with pytest.raises(UsageError, match=PASSWORD_VARIABLE):
        service.start(layout, install(tmp_path), config=replace(CONFIG, database="postgresql"))
    assert service.running(layout) is None


def test_a_postgresql_database_made_anew_is_another_server(
    layout: StudyLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    installation, config = install(tmp_path), replace(CONFIG, database="postgresql")
    (tmp_path / "born").write_text("2026-01-01T00:00:00Z")
    first = service.start(layout, installation, config=config)
    assert psutil.Process(first.pid).environ()["POSTGRE_PASSWORD"] == "secret"
    assert service.start(layout, installation, config=config) == first == service.running(layout)
    service.stop(layout)
    (tmp_path / "born").write_text("2026-02-02T00:00:00Z")
    second = service.start(layout, installation, config=config)
    assert second.server_id != first.server_id
    assert service.running(layout) == second
    service.stop(layout)
    assert service.start(layout, installation, config=CONFIG).server_id not in (first.server_id, second.server_id)
    assert all(b"secret" not in path.read_bytes() for path in layout.labelstudio.iterdir() if path.is_file())


def test_a_public_address_is_taken_by_the_server_alone(layout: StudyLayout, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="public_url"):
        ReviewServerConfig(public_url="review.example.org/page")
    config = replace(CONFIG, public_url="https://review.example.org")
    server = service.start(layout, install(tmp_path), config=config)
    told = psutil.Process(server.pid).environ()
    assert told["LABEL_STUDIO_ALLOWED_HOSTS"].split(",")[-1] == "review.example.org"
    assert told["CSRF_TRUSTED_ORIGINS"] == "https://review.example.org"
    assert "*" not in told["LABEL_STUDIO_ALLOWED_HOSTS"]


def test_a_new_database_is_another_server(layout: StudyLayout, tmp_path: Path) -> None:
    installation = install(tmp_path)
    before = service.start(layout, installation, config=CONFIG)
    service.stop(layout)
    (layout.labelstudio / "label_studio.sqlite3").unlink()
    assert service.start(layout, installation, config=CONFIG).server_id != before.server_id


def test_two_studies_have_two_servers(layout: StudyLayout, tmp_path: Path) -> None:
    installation = install(tmp_path)
    other = StudyLayout.at(tmp_path / "study2")
    try:
        first, second = (service.start(each, installation, config=CONFIG) for each in (layout, other))
        assert len({(server.pid, server.port, server.token, server.server_id) for server in (first, second)}) == 2
        service.stop(other)
        assert service.running(layout) == first
    finally:
        service.stop(other)
