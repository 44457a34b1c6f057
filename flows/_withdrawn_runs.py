"""What Prefect keeps of withdrawn videos: runs that are named by their ids, with events, logs and artifacts."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from flows._doomed import Doomed
from flows._erasure import Erased, erase_log_lines
from flows._prefect import running_prefect
from flows._study import Study
from schema.errors import ServiceError

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient

DATABASE = "prefect.db"
BUSY_SECONDS = 60.0
PAGE = 200
"""Rows that are asked of a server together; Prefect's gives at most 200."""


def erase_runs(study: Study, doomed: Doomed, erased: Erased) -> None:
    """Delete the rows of the study's own Prefect database that name the videos, and compact it.

    A server at ``PREFECT_API_URL`` that is not the study's own is asked to delete flow runs and artifacts; it keeps its
    events until they are old, which is told.

    Raises ``ServiceError`` where the database is busy for a minute, or the server does not answer.
    """
    homes = {study.layout.prefect, Path(os.environ.get("PREFECT_HOME") or study.layout.prefect)}
    for home in sorted(homes):
        if (home / DATABASE).is_file():
            _erase_from_database(home / DATABASE, doomed, erased)
        erase_log_lines(home / "server.log", doomed, erased)
    if _is_elsewhere(study):
        _erase_from_server(doomed, erased)


def _is_elsewhere(study: Study) -> bool:
    address = os.environ.get("PREFECT_API_URL")
    if not address:
        return False
    own = running_prefect(study.layout)
    return own is None or address.rstrip("/") != f"{own.url}/api"


def _erase_from_database(path: Path, doomed: Doomed, erased: Erased) -> None:
    """Delete every row that holds one of the ids in any column: names, parameters, payloads of events, artifacts."""
    words = doomed.id_pattern
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)) as database:
            database.create_function("names_it", 1, lambda value: _holds(value, words), deterministic=True)
            database.execute("PRAGMA foreign_keys = ON")  # states go with their runs
            gone = sum(_delete_rows(database, table, columns) for table, columns in _tables(database))
            if gone:
                erased.server_rows += gone
            database.execute("VACUUM")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise ServiceError(
            f"Prefect's database can't be cleared ({error}); stop `pressroom serve` and `pressroom down`, and run the "
            "command again"
        ) from error


def _holds(value: object, words: re.Pattern[str]) -> bool:
    text = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value or "")
    return words.search(text) is not None


def _tables(database: sqlite3.Connection) -> Iterator[tuple[str, list[str]]]:
    for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        if not name.startswith("sqlite_"):
            yield name, [row[1] for row in database.execute(f'PRAGMA table_info("{name}")')]


def _delete_rows(database: sqlite3.Connection, table: str, columns: list[str]) -> int:
    condition = " OR ".join(f'names_it("{column}")' for column in columns)
    return database.execute(f'DELETE FROM "{table}" WHERE {condition}').rowcount


def _erase_from_server(doomed: Doomed, erased: Erased) -> None:
    import httpx
    from prefect import runtime
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectException

    try:
        with get_client(sync_client=True) as client:
            flow_runs = set(_flow_runs_naming(client, doomed.video_ids | doomed.source_ids))
            for run_id in sorted(flow_runs, key=str):
                if str(run_id) != str(runtime.flow_run.id):
                    client.delete_flow_run(run_id)
                    erased.server_rows += 1
            for artifact_id in list(_artifacts_naming(client, doomed)):
                client.delete_artifact(artifact_id)
                erased.server_rows += 1
    except (httpx.HTTPError, PrefectException) as error:
        raise ServiceError(
            f"the Prefect server at PREFECT_API_URL does not answer ({type(error).__name__}); start it, and run again"
        ) from error
    erased.stays.append(
        "the Prefect server at PREFECT_API_URL keeps events that name the videos' ids until they are old"
    )


def _flow_runs_naming(client: "SyncPrefectClient", ids: frozenset[str]) -> "Iterator[UUID]":
    from prefect.client.schemas.filters import TaskRunFilter, TaskRunFilterName

    for one in sorted(ids):
        wanted = TaskRunFilter(name=TaskRunFilterName(like_=one))
        offset = 0
        while runs := client.read_task_runs(task_run_filter=wanted, limit=PAGE, offset=offset):
            offset += len(runs)
            yield from (run.flow_run_id for run in runs if run.flow_run_id)


def _artifacts_naming(client: "SyncPrefectClient", doomed: Doomed) -> "Iterator[UUID]":
    words, offset = doomed.id_pattern, 0
    while artifacts := client.read_artifacts(limit=PAGE, offset=offset):
        offset += len(artifacts)
        yield from (one.id for one in artifacts if words.search(str(one.data)))
