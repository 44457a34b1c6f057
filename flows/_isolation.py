"""Work on one video in a process of its own, with memory and time limits: a crash there is a row, not the end."""

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from schema.errors import DropReason, RunError

POLL_S = 0.25
REPORT_S = 0.1
"""A frame that is done is told of at most this often: a message costs its reader 65 us, as much as some frames take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one child process may use."""

    memory_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Died:
    """The child was ended by a signal or by its limits."""

    reason: DropReason
    detail: str
    stage: str
    """The stage that it last reported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The child ended in an unforeseen error."""

    stage: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The child did all its work."""


Report = Callable[[str, int, int], None]
"""Called with (stage, frames done, frames in all)."""


def run_isolated(
    entry: str, arguments: tuple[object, ...], *, limits: Limits, log: Path, report: Report
) -> Finished | Died | Failed:
    """Call ``entry`` ("module:function") with ``(report, *arguments)`` in a new process and watch it.

    What the child prints goes to ``log``. A ``RunError`` of the child is raised here again.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(sender, entry, arguments, str(log)), daemon=True)
    process.start()
    sender.close()
    try:
        return _watch(process, receiver, limits=limits, report=report)
    finally:
        if process.is_alive():
            process.kill()
        process.join()
        receiver.close()


def _watch(process: Any, receiver: Connection, *, limits: Limits, report: Report) -> Finished | Died | Failed:  # noqa: ANN401
    stage = "start"
    deadline = time.monotonic() + limits.seconds
    while True:
        try:
            message = receiver.recv() if receiver.poll(POLL_S) else None
        except EOFError:
            process.join()
            return Died(reason=DropReason.CRASHED, detail=_cause(process.exitcode), stage=stage)
        match message:
            case ("progress", str(stage), int(done), int(total)):
                report(stage, done, total)
            case ("finished",):
                return Finished()
            case ("failed", str(text)):
                return Failed(stage=stage, traceback=text)
            case ("refused", RunError() as error):
                raise error
        if time.monotonic() > deadline:
            return Died(reason=DropReason.TIMED_OUT, detail=f"took more than {limits.seconds:.0f} s", stage=stage)
        used_bytes = _resident_bytes(process.pid)
        if used_bytes > limits.memory_bytes:
            detail = f"used {used_bytes / 2**30:.1f} GiB of memory, more than {limits.memory_bytes / 2**30:.1f}"
            return Died(reason=DropReason.OUT_OF_MEMORY, detail=detail, stage=stage)


def _resident_bytes(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _cause(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"ended with status {exit_code} without a word"


def _child(sender: Connection, entry: str, arguments: tuple[object, ...], log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())

    last_stage, last_s = "", 0.0

    def report(stage: str, done: int, total: int) -> None:
        nonlocal last_stage, last_s
        now_s = time.monotonic()
        if stage == last_stage and done < total and now_s - last_s < REPORT_S:
            return
        last_stage, last_s = stage, now_s
        with contextlib.suppress(BrokenPipeError):
            sender.send(("progress", stage, done, total))

    try:
        module, _, function = entry.partition(":")
        getattr(importlib.import_module(module), function)(report, *arguments)
        sender.send(("finished",))
    except RunError as error:
        sender.send(("refused", error))
    except BaseException:  # noqa: BLE001  the parent records whatever ended the child, with its traceback
        sender.send(("failed", traceback.format_exc()))
    finally:
        sender.close()
