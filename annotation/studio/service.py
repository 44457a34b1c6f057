"""The review server of one study: Label Studio in the background, bound to loopback, found again after any kill."""

import json
import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from annotation.studio.database import (
    Database,
    copy_empty_database,
    credentials_path,
    database_of,
    has_database,
    postgresql_environment,
)
from annotation.studio.installation import LabelStudioInstallation, quiet_environment
from annotation.studio.ports import HOST, choose_port, listening_ports, port_of
from schema.errors import ServiceError
from schema.layout import StudyLayout

if TYPE_CHECKING:
    import psutil

REVIEWER = "reviewer@example.com"
"""The account that a person signs in with: of a domain that is reserved for examples, so that no mail ever leaves."""
POLL_SECONDS = 0.25
QUICK_LOOK_SECONDS = 5.0
STOP_SECONDS = 15.0
LOCK_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewServerConfig:
    """How the review server is started and asked."""

    port: int = 0
    """Port on loopback; 0 takes a free one and keeps it for the next start."""
    start_timeout_seconds: float = 300.0
    """A first start was seen to take 105 s on loaded cores where no prepared database was at hand."""
    request_timeout_seconds: float = 60.0
    """How long one call may take."""
    retry_seconds: float = 90.0
    """How long a server that does not answer, or answers 500, is asked again before a command ends."""
    public_url: str = ""
    """Address under which a proxy shows the server to people elsewhere, "https://review.example.org"; empty: none."""
    database: Database = "sqlite"
    """sqlite, or postgresql for more than a few people at once (docs/review-server.md)."""
    postgresql_host: str = "127.0.0.1"
    """Machine of the PostgreSQL server, or the folder of its socket."""
    postgresql_port: int = 5432
    """Its port."""
    postgresql_name: str = "pressroom"
    """The database; each study needs its own."""
    postgresql_user: str = "pressroom"
    """The database's owner. The password stands in the environment: PRESSROOM_POSTGRESQL_PASSWORD."""

    def __post_init__(self) -> None:
        """Refuse an address that no browser could open (``ValueError``)."""
        if self.public_url and not re.fullmatch(r"https?://[A-Za-z0-9.:-]+", self.public_url):
            raise ValueError(f'public_url must be like "https://review.example.org", got {self.public_url!r}')


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewServer:
    """A review server that answered, and was checked to be this study's."""

    url: str
    port: int
    pid: int
    server_id: str
    """Made with the data folder: task numbers mean something only together with it."""
    user: str
    password: str = field(repr=False)
    token: str = field(repr=False)
    data_folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Credentials:
    server_id: str
    user: str
    password: str = field(repr=False)
    token: str = field(repr=False)


def start(layout: StudyLayout, installation: LabelStudioInstallation, *, config: ReviewServerConfig) -> ReviewServer:
    """Start the study's review server, or return the one that runs already.

    It runs in a session of its own: it outlives the command, and a command that was killed while it started finds it
    again. Only the study's ``served`` folder is served. The log is ``server.log`` in the server's data folder.

    Raises:
        ServiceError: The port is taken, the server ends or does not answer in time, or the data folder lost its
            credentials.
    """
    folder = layout.labelstudio
    with _only_starter(folder):
        process = _find_process(folder)
        if process is not None and database_of(folder) != config.database:
            raise ServiceError(
                f"the review server runs on {database_of(folder)}, the study says {config.database}; "
                "stop it with `pressroom down` and run the command again"
            )
        credentials = _prepare(folder, installation, config.database)
        if process is None:
            port = choose_port(folder, config.port)
            _launch(layout, installation, credentials, port, config)
        server = _wait_until_ours(folder, credentials, timeout_seconds=config.start_timeout_seconds)
        return server if config.database == "sqlite" else _of_this_database(server, folder)


def running(layout: StudyLayout) -> ReviewServer | None:
    """Return the study's review server if it runs and answers, else None; takes 5 s at most."""
    process = _find_process(layout.labelstudio)
    kept = credentials_path(layout.labelstudio, database_of(layout.labelstudio))
    if process is None or not kept.is_file():
        return None
    credentials = _read_credentials(kept)
    port = port_of(process)
    ours = port in listening_ports(process) and _is_ours(port, credentials)
    return _server(layout.labelstudio, credentials, process) if ours else None


def stop(layout: StudyLayout) -> bool:
    """End the study's review server; returns False where none ran.

    Raises:
        ServiceError: The process does not end.
    """
    import psutil

    process = _find_process(layout.labelstudio)
    if process is None:
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            process.send_signal(number)
            process.wait(timeout=STOP_SECONDS)
        except psutil.NoSuchProcess:
            return True
        except psutil.TimeoutExpired:
            continue
        return True
    raise ServiceError(f"Label Studio (process {process.pid}) does not end; end it by hand and run again")


@contextmanager
def _only_starter(folder: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with FileLock(folder / "start.lock", timeout=LOCK_SECONDS):
            yield
    except Timeout as error:
        raise ServiceError(f"{folder.name}: another command starts the review server for 10 minutes; end it") from error


def _prepare(folder: Path, installation: LabelStudioInstallation, database: Database) -> _Credentials:
    """Give a new data folder its credentials, then its database; keep those of an old one.

    The credentials go first, and a folder without a database gets new ones: a server id never stands for two
    databases, whose task numbers would be mixed up.
    """
    path = credentials_path(folder, database)
    if has_database(folder, database):
        return _read_credentials(path)
    credentials = {
        "server_id": secrets.token_hex(8),
        "user": REVIEWER,
        "password": secrets.token_urlsafe(12),
        "token": secrets.token_hex(20),
    }
    write_private(path, json.dumps(credentials, indent=1))
    if database == "sqlite":
        copy_empty_database(folder, installation)
    return _Credentials(**credentials)


def _of_this_database(server: ReviewServer, folder: Path) -> ReviewServer:
    """Return the server with the id of the database that it really uses, which somebody may have made anew.

    A database is told by the time at which Label Studio made its organization in it.
    """
    import httpx

    path = credentials_path(folder, "postgresql")
    try:
        answer = httpx.get(
            f"{server.url}/api/organizations/",
            headers={"Authorization": f"Token {server.token}"},
            timeout=QUICK_LOOK_SECONDS,
            trust_env=False,
        )
        born = str(answer.raise_for_status().json()[0]["created_at"])
    except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
        raise ServiceError(
            f"Label Studio does not tell since when its database is there ({error}); run again"
        ) from error
    kept = json.loads(path.read_text(encoding="utf-8"))
    if kept.get("born", born) != born:
        kept["server_id"] = secrets.token_hex(8)
    if kept.get("born") != born:
        write_private(path, json.dumps(kept | {"born": born}, indent=1))
    return replace(server, server_id=kept["server_id"])


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, beside and renamed."""
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)


def _read_credentials(path: Path) -> _Credentials:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return _Credentials(**{name: values[name] for name in ("server_id", "user", "password", "token")})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ServiceError(f"{path}: the review server's credentials can't be read ({error}); restore them") from error


def _launch(
    layout: StudyLayout,
    installation: LabelStudioInstallation,
    credentials: _Credentials,
    port: int,
    config: ReviewServerConfig,
) -> None:
    folder = layout.labelstudio
    environment = _server_environment(layout, credentials, config)
    layout.served.mkdir(parents=True, exist_ok=True)
    write_private(folder / "server.json", json.dumps({"port": port, "database": config.database}))
    # The shell leaves at once, so that the server is nobody's child: it outlives a killed command, and no command
    # has to reap it. The data folder in its arguments is how it is found again.
    script = '>>server.log 2>&1 </dev/null "$@" &'
    server = [str(installation.program), "start", "--no-browser", "--internal-host", HOST, "--port", str(port)]
    try:
        subprocess.run(
            ["/bin/sh", "-c", script, "sh", *server, "--data-dir", str(folder)],
            env=environment, cwd=folder, umask=0o077, start_new_session=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError) as error:
        raise ServiceError(f"Label Studio can't be started ({error}); see {folder / 'server.log'}") from error


def _server_environment(layout: StudyLayout, credentials: _Credentials, config: ReviewServerConfig) -> dict[str, str]:
    hosts, public = f"{HOST},localhost", {}
    if config.public_url:
        hosts += f",{urlsplit(config.public_url).hostname}"
        public = {"CSRF_TRUSTED_ORIGINS": config.public_url}
        if config.public_url.startswith("https:"):
            public |= {"LABEL_STUDIO_SESSION_COOKIE_SECURE": "true", "LABEL_STUDIO_CSRF_COOKIE_SECURE": "1"}
    own = {
        "LABEL_STUDIO_USERNAME": credentials.user,
        "LABEL_STUDIO_PASSWORD": credentials.password,
        "LABEL_STUDIO_USER_TOKEN": credentials.token,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
        "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(layout.served),
        "LABEL_STUDIO_ALLOWED_HOSTS": hosts,
        "LABEL_STUDIO_CORS_ALLOW_ALL_ORIGINS": "false",
    }
    database = {}
    if config.database == "postgresql":
        database = postgresql_environment(
            host=config.postgresql_host,
            port=config.postgresql_port,
            name=config.postgresql_name,
            user=config.postgresql_user,
        )
    return quiet_environment(layout.labelstudio) | own | public | database


def _find_process(folder: Path) -> "psutil.Process | None":
    """Return the server process of this data folder: read from the process table, so no stale number can mislead."""
    import psutil

    for process in psutil.process_iter(["cmdline", "uids"]):
        arguments = process.info["cmdline"] or []
        uids = process.info["uids"]
        if (
            arguments[-2:] == ["--data-dir", str(folder)]
            and "--internal-host" in arguments
            and uids
            and uids.real == os.getuid()
        ):
            return process
    return None


def _server(folder: Path, credentials: _Credentials, process: "psutil.Process") -> ReviewServer:
    port = port_of(process)
    return ReviewServer(
        url=f"http://{HOST}:{port}",
        port=port,
        pid=process.pid,
        server_id=credentials.server_id,
        user=credentials.user,
        password=credentials.password,
        token=credentials.token,
        data_folder=folder,
    )


def _wait_until_ours(folder: Path, credentials: _Credentials, *, timeout_seconds: float) -> ReviewServer:
    log = folder / "server.log"
    deadline = time.monotonic() + timeout_seconds
    appeared = False
    while time.monotonic() < deadline:
        process = _find_process(folder)
        if process is None and (appeared or time.monotonic() > deadline - timeout_seconds + QUICK_LOOK_SECONDS):
            raise ServiceError(f"Label Studio ended while it started: {_last_line(log)}; see {log}")
        if process is not None:
            appeared = True
            port, heard = port_of(process), listening_ports(process)
            # Label Studio moves to the next port without a word when another program takes its own meanwhile.
            if heard and port not in heard:
                process.kill()
                raise ServiceError(
                    f"port {port} on {HOST} was taken by another program; end it, or set another port in study.toml"
                )
            if heard and _is_ours(port, credentials):
                note = {"port": port, "pid": process.pid, "database": database_of(folder)}
                write_private(folder / "server.json", json.dumps(note))
                return _server(folder, credentials, process)
        time.sleep(POLL_SECONDS)
    raise ServiceError(f"Label Studio does not answer after {timeout_seconds:.0f} s: {_last_line(log)}; see {log}")


def _is_ours(port: int, credentials: _Credentials) -> bool:
    """Tell whether the server on that port takes this study's token and knows its user."""
    import httpx

    try:
        answer = httpx.get(
            f"http://{HOST}:{port}/api/current-user/whoami",
            headers={"Authorization": f"Token {credentials.token}"},
            timeout=QUICK_LOOK_SECONDS,
            trust_env=False,
        )
        return answer.is_success and answer.json().get("email") == credentials.user
    except (httpx.HTTPError, ValueError, AttributeError):
        return False


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        lines = []
    return next((line.strip()[:200] for line in reversed(lines) if line.strip()), "no log")
