"""Leases: one runner at a time works on a (stage, key), and a dead runner's lease is taken over.

A lease is a small file with its owner; the owner touches it while it works. A lease is stale when its owner's process
is gone (same host) or it was not touched for ``STALE_AFTER_S`` (any host). Taking and taking over happen under a file
lock, so two runners never hold the same lease.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock

from schema.layout import StudyLayout

HEARTBEAT_S = 5.0
STALE_AFTER_S = 60.0


def _owner() -> dict[str, object]:
    process = psutil.Process()
    # a process id alone may be used again by another process; its start time tells them apart
    return {
        "host": socket.gethostname(),
        "pid": process.pid,
        "started": process.create_time(),
        "thread": threading.get_ident(),
    }


def _is_stale(lease: Path) -> bool:
    try:
        age_s = time.time() - lease.stat().st_mtime
        owner = json.loads(lease.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return True
    except ValueError:  # the owner was killed inside the write
        return True
    if owner["host"] != socket.gethostname():
        return age_s > STALE_AFTER_S
    try:
        return bool(psutil.Process(owner["pid"]).create_time() != owner["started"])
    except psutil.NoSuchProcess:
        return True


@contextmanager
def lease(layout: StudyLayout, stage: str, key: str) -> Iterator[bool]:
    """Hold the lease on (stage, key) if nobody else does; the value tells whether it is held."""
    folder = layout.leases
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stage}.{key}.lease"
    if not _take(folder, path):
        yield False
        return
    stopped = threading.Event()
    heart = threading.Thread(target=_beat, args=(path, stopped), daemon=True)
    heart.start()
    try:
        yield True
    finally:
        stopped.set()
        heart.join()
        path.unlink(missing_ok=True)


def _take(folder: Path, path: Path) -> bool:
    with FileLock(folder / "leases.lock"):
        if path.exists() and not _is_stale(path):
            return False
        path.write_text(json.dumps(_owner()), encoding="utf-8")
        return True


def _beat(path: Path, stopped: threading.Event) -> None:
    while not stopped.wait(HEARTBEAT_S):
        try:
            os.utime(path)
        except FileNotFoundError:  # the study's folder was removed under the run
            return


@contextmanager
def waited_lease(layout: StudyLayout, stage: str, key: str, *, poll_s: float = 0.5) -> Iterator[None]:
    """Hold the lease on (stage, key), waiting for whoever has it."""
    while True:
        with lease(layout, stage, key) as held:
            if held:
                yield
                return
        time.sleep(poll_s)


def lease_holders(layout: StudyLayout) -> list[str]:
    """List the leases that a living runner holds, as ``stage.key``."""
    if not layout.leases.is_dir():
        return []
    return sorted(p.name.removesuffix(".lease") for p in layout.leases.glob("*.lease") if not _is_stale(p))
