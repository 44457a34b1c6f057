"""Progress of long work: bars in a terminal, plain lines elsewhere; found by context, not passed through Prefect."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TextIO

from schema.privacy import ID_HEX_DIGITS

LINE_EVERY_S = 10.0
UNITS: dict[str, str] = {"import": "recordings", "train": "steps", "simulate": "seconds of work"}
"""What a stage counts, where that is not frames."""

ID_LENGTH = 1 + ID_HEX_DIGITS
"""Keys of this length are ids, of which the first digits suffice to tell them apart."""


class Progress(Protocol):
    """Takes what the stages report."""

    def __call__(self, stage: str, key: str, done: int, total: int, note: str = "") -> None:
        """Take note of ``done`` of ``total`` frames (``UNITS``) of one video in one stage; ``note`` is shown beside."""


def _silent(stage: str, key: str, done: int, total: int, note: str = "") -> None:
    """Show nothing."""


_CURRENT: ContextVar[Progress] = ContextVar("pressroom_progress", default=_silent)


def current_progress() -> Progress:
    """Return the progress display of this context; one that shows nothing unless ``showing`` is open."""
    return _CURRENT.get()


@contextmanager
def showing(stream: TextIO | None = None) -> Iterator[None]:
    """Show what is reported inside the block: bars in a terminal, a line now and then elsewhere.

    ``stream`` is standard error if not given.
    """
    stream = stream or sys.stderr
    if stream.isatty():
        with _bars(stream) as display:
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
def _bars(stream: TextIO) -> Iterator[Progress]:
    from rich import progress as rich
    from rich.console import Console
    from rich.text import Text

    class FrameRate(rich.ProgressColumn):
        """Frames a second over the last half minute."""

        def render(self, task: rich.Task) -> Text:
            stage = task.description.partition(" ")[0]
            return Text(rate_text(task.speed, unit=UNITS.get(stage, "frames")))

    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        FrameRate(),
        rich.TimeRemainingColumn(elapsed_when_finished=True),
        rich.TextColumn("{task.fields[note]}"),
    )
    with rich.Progress(*columns, console=Console(file=stream), transient=True) as bars:
        known: dict[tuple[str, str], rich.TaskID] = {}

        def show(stage: str, key: str, done: int, total: int, note: str = "") -> None:
            if (stage, key) not in known:
                name = f"{stage:<10} {key[:9] if len(key) == ID_LENGTH else key}"
                known[stage, key] = bars.add_task(name, total=total, completed=done, note=note)
            bars.update(known[stage, key], completed=done, total=total, visible=done < total, note=note)

        yield show


@dataclass(slots=True, kw_only=True)
class _Shown:
    """What the last line about a stage and video said."""

    at_s: float
    done: int


class _Lines:
    """One line when a stage begins a video, and one every ten seconds while it works on it.

    Frames a second are those since the line before, and the time left is what the rest takes at that rate: the first
    seconds, in which a model is loaded, do not count for long.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.last: dict[tuple[str, str], _Shown] = {}

    def __call__(self, stage: str, key: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        last = self.last.get((stage, key))
        if last is not None and now - last.at_s < LINE_EVERY_S:
            return
        self.last[stage, key] = _Shown(at_s=now, done=done)
        unit = UNITS.get(stage, "frames")
        pace = pace_text(done - last.done, now - last.at_s, left=total - done, unit=unit) if last is not None else ""
        self.stream.write(f"{stage}: {key}: {done} of {total} {unit}{pace}{f', {note}' if note else ''}\n")
        self.stream.flush()


def rate_text(frames_per_second: float | None, *, unit: str = "frames") -> str:
    """Say how fast it goes: whole frames from ten a second on; nothing where it is not known yet."""
    if not frames_per_second:
        return ""
    return f"{frames_per_second:.{0 if frames_per_second >= 10 else 1}f} {unit}/s"


def pace_text(done: int, seconds: float, *, left: int, unit: str = "frames") -> str:
    """Say how fast ``done`` frames in so many seconds are, and how long ``left`` more will take at that rate."""
    if done <= 0:
        return ""
    left_s = round(left * seconds / done)
    return f", {rate_text(done / seconds, unit=unit)}, {timedelta(seconds=left_s)} left"
