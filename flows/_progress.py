"""Progress of long work: bars in a terminal, plain lines elsewhere; found by context, not passed through Prefect."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TextIO

LINE_EVERY_S = 10.0


class Progress(Protocol):
    """Takes what the stages report."""

    def __call__(self, stage: str, key: str, done: int, total: int) -> None:
        """Take note of ``done`` of ``total`` frames of one video in one stage."""


def _silent(stage: str, key: str, done: int, total: int) -> None:
    """Show nothing."""


_CURRENT: ContextVar[Progress] = ContextVar("pressroom_progress", default=_silent)


def current_progress() -> Progress:
    """Return the progress display of this context; one that shows nothing unless ``showing`` is open."""
    return _CURRENT.get()


@contextmanager
def showing(stream: TextIO = sys.stderr) -> Iterator[None]:
    """Show what is reported inside the block: bars in a terminal, a line now and then elsewhere."""
    if stream.isatty():
        with _bars() as display:
            yield from _with(display)
    else:
        yield from _with(_Lines(stream))


def _with(display: Progress) -> Iterator[None]:
    token = _CURRENT.set(display)
    try:
        yield
    finally:
        _CURRENT.reset(token)


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich import progress as rich

    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, transient=True) as bars:
        known: dict[tuple[str, str], rich.TaskID] = {}

        def show(stage: str, key: str, done: int, total: int) -> None:
            if (stage, key) not in known:
                known[stage, key] = bars.add_task(f"{stage:<10} {key[:9]}", total=total)
            bars.update(known[stage, key], completed=done, total=total, visible=done < total)

        yield show


class _Lines:
    """One line when a stage begins a video, and one every ten seconds while it works on it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.last: dict[tuple[str, str], float] = {}

    def __call__(self, stage: str, key: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self.last.get((stage, key), -LINE_EVERY_S) >= LINE_EVERY_S:
            self.last[stage, key] = now
            self.stream.write(f"{stage}: {key}: {done} of {total} frames\n")
            self.stream.flush()
