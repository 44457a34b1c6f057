"""A PostgreSQL server for tests, where Debian's package is installed: on a free port, with a data folder of its own."""

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

USER = "pressroom"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresqlServer:
    """Where it listens, and who may use it."""

    port: int
    password: str
    programs: Path

    def run(self, program: str, *arguments: str) -> str:
        """Run one of PostgreSQL's own programs on the server, and return what it prints."""
        place = ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER]
        environment = os.environ | {"PGPASSWORD": self.password}
        done = subprocess.run(
            [str(self.programs / program), *place, *arguments],
            env=environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout


def postgresql_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, or None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(place) for place in [shutil.which("initdb")] if place
    ]
    return found[-1].parent if found else None


@contextmanager
def postgresql_server(programs: Path) -> Iterator[PostgresqlServer]:
    """Run a server. It refuses to run as root: then it runs as the account that Debian's package makes."""
    folder = Path(tempfile.mkdtemp(prefix="pressroom-postgresql-"))
    password = secrets.token_hex(8)
    prefix: list[str] = []
    if os.getuid() == 0:
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (folder / "password").write_text(password)
    (folder / "password").chmod(0o644)  # read by another account; the folder is closed to others
    data, log = str(folder / "data"), str(folder / "log")

    def run(program: str, *arguments: str) -> None:
        command = [*prefix, str(programs / program), "-D", data, *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)

    try:
        run("initdb", "-A", "scram-sha-256", "-U", USER, f"--pwfile={folder / 'password'}", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses=127.0.0.1 -p {port} -k {folder} -c fsync=off"
        run("pg_ctl", "-w", "-l", log, "-o", options, "start")
        try:
            yield PostgresqlServer(port=port, password=password, programs=programs)
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
