"""Label Studio's own environment: its dependencies conflict with pressroom's, so uv builds it a separate one, once."""

import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from schema.errors import MissingPartError

LABEL_STUDIO_VERSION = "1.23.2"
"""The release whose behaviour docs/review.md describes and the tests run against."""
DATABASE_NAME = "label_studio.sqlite3"
MAKING = ".making"
"""Suffix of what is being built beside its final name; left over after a kill, it is removed by the next one."""
LOCK_SECONDS = 1800.0
INSTALL_SECONDS = 1200.0
MIGRATE_SECONDS = 600.0
DETAIL_CHARACTERS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelStudioInstallation:
    """What a review server is started from."""

    program: Path
    """The ``label-studio`` command."""
    empty_database: Path
    """A migrated database without a user, a key or a row of anybody's data: a new study starts from a copy."""


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where things are kept that every study of this account shares."""
    if named := environ.get("PRESSROOM_CACHE"):
        return Path(named).expanduser().absolute()
    if named := environ.get("XDG_CACHE_HOME"):
        return Path(named).expanduser().absolute() / "pressroom"
    return Path(environ.get("HOME") or Path.home()) / ".cache" / "pressroom"


def find_label_studio(environ: Mapping[str, str] = os.environ) -> LabelStudioInstallation | None:
    """Return the installation if it is complete, else None; builds and starts nothing.

    Raises:
        MissingPartError: ``PRESSROOM_LABEL_STUDIO`` names a folder without the right Label Studio.
    """
    found = LabelStudioInstallation(
        program=_environment(environ) / "bin" / "label-studio", empty_database=_database(environ)
    )
    if "PRESSROOM_LABEL_STUDIO" in environ:
        _check_named(Path(environ["PRESSROOM_LABEL_STUDIO"]))
    return found if found.program.is_file() and found.empty_database.is_file() else None


def ensure_label_studio(environ: Mapping[str, str] = os.environ) -> LabelStudioInstallation:
    """Return the installation, building what is missing of it first.

    The environment takes 8 s with warm package caches, the database 60 s on a quiet core; both are built beside their
    final name and renamed, so that a kill leaves no half of one. Two callers at once build it once.

    Raises:
        MissingPartError: It can't be built: no network, no room, or the wrong folder is named.
    """
    if (found := find_label_studio(environ)) is not None:
        return found
    with _only_installer(cache_folder(environ)):
        environment, database = _environment(environ), _database(environ)
        if not (environment / "bin" / "label-studio").is_file():
            _build_environment(environment, environ)
        if not database.is_file():
            _build_database(database, environment / "bin" / "label-studio", environ)
    found = find_label_studio(environ)
    if found is None:
        raise MissingPartError(
            f"{environment}: Label Studio was installed but has no command; delete the folder and run again"
        )
    return found


def quiet_environment(data_folder: Path, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables for any Label Studio command: offline, and with all its files in ``data_folder``.

    Label Studio reads its settings from the environment under common names too (``HOST``, ``DEBUG``, ``USERNAME``,
    ``DATABASE_NAME``), and every command makes a database where no folder is set: nothing else of the caller's
    environment is passed on.
    """
    kept = {name: environ[name] for name in ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ") if name in environ}
    reporting = {f"{side}SENTRY_DSN": "" for side in ("", "FRONTEND_", "LABEL_STUDIO_", "LABEL_STUDIO_FRONTEND_")}
    return (
        kept
        | reporting
        | {
            "HOME": str(data_folder),
            "LABEL_STUDIO_BASE_DATA_DIR": str(data_folder),
            "COLLECT_ANALYTICS": "false",
            "LABEL_STUDIO_LATEST_VERSION_CHECK": "false",
        }
    )


def _environment(environ: Mapping[str, str]) -> Path:
    named = environ.get("PRESSROOM_LABEL_STUDIO")
    return (
        Path(named).expanduser().absolute() if named else cache_folder(environ) / f"label-studio-{LABEL_STUDIO_VERSION}"
    )


def _database(environ: Mapping[str, str]) -> Path:
    return cache_folder(environ) / f"label-studio-{LABEL_STUDIO_VERSION}-empty.sqlite3"


def _check_named(folder: Path) -> None:
    named = f"PRESSROOM_LABEL_STUDIO={folder}"
    if not (folder / "bin" / "label-studio").is_file():
        raise MissingPartError(
            f"{named}: no bin/label-studio there; name an environment with Label Studio, or unset it"
        )
    found = sorted(path.name for path in folder.glob("lib/python*/site-packages/label_studio-*.dist-info"))
    if found != [f"label_studio-{LABEL_STUDIO_VERSION}.dist-info"]:
        versions = ", ".join(name.removesuffix(".dist-info").removeprefix("label_studio-") for name in found) or "none"
        raise MissingPartError(f"{named}: Label Studio {LABEL_STUDIO_VERSION} is needed, found {versions}; unset it")


@contextmanager
def _only_installer(cache: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "label-studio.lock", timeout=LOCK_SECONDS):
            for left in cache.glob(f"*{MAKING}"):
                shutil.rmtree(left, ignore_errors=True)
            yield
    except Timeout as error:
        raise MissingPartError(
            f"{cache}: another installer holds the lock for half an hour; end it and run again"
        ) from error
    except OSError as error:
        raise MissingPartError(
            f"{cache}: Label Studio can't be installed there ({error}); set PRESSROOM_CACHE"
        ) from error


def _beside(target: Path) -> Path:
    return target.with_name(f"{target.name}.{secrets.token_hex(4)}{MAKING}")


def _build_environment(target: Path, environ: Mapping[str, str]) -> None:
    import uv

    beside = _beside(target)
    program, python = uv.find_uv_bin(), beside / "bin" / "python"
    # Relocatable: the commands find their interpreter beside themselves, so that the folder may be renamed.
    make = [program, "venv", "--quiet", "--no-project", "--relocatable", "--python", sys.executable, str(beside)]
    install = [program, "pip", "install", "--quiet", "--python", str(python), f"label-studio=={LABEL_STUDIO_VERSION}"]
    try:
        for command in (make, install):
            _run(
                command,
                environ=environ,
                timeout_seconds=INSTALL_SECONDS,
                doing=f"install Label Studio {LABEL_STUDIO_VERSION}",
            )
        beside.rename(target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _build_database(target: Path, program: Path, environ: Mapping[str, str]) -> None:
    folder = _beside(target)
    folder.mkdir(mode=0o700)
    try:
        _run(
            [str(program), "version"],
            environ=quiet_environment(folder, environ),
            timeout_seconds=MIGRATE_SECONDS,
            doing="prepare Label Studio's database",
        )
        made = folder / DATABASE_NAME
        with closing(sqlite3.connect(made)) as database:
            (people,) = database.execute("SELECT count(*) FROM htx_user").fetchone()
        if people:
            raise MissingPartError(f"{made}: a fresh Label Studio database holds {people} users; it is not shared")
        made.rename(target)
    except sqlite3.Error as error:
        raise MissingPartError(f"{folder}: Label Studio left no usable database ({error}); run again") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], *, environ: Mapping[str, str], timeout_seconds: float, doing: str) -> None:
    advice = "connect to a package index and run again, or set PRESSROOM_LABEL_STUDIO to an environment that has it"
    try:
        done = subprocess.run(
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingPartError(
            f"could not {doing} ({' '.join(str(error).split())[:DETAIL_CHARACTERS]}); {advice}"
        ) from error
    if done.returncode != 0:
        detail = " ".join((done.stderr or done.stdout).split())[-DETAIL_CHARACTERS:]
        raise MissingPartError(f"could not {doing} (exit status {done.returncode}: {detail}); {advice}")
