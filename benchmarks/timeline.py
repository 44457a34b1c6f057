"""A record of what goes on in the threads of one process, for benchmarks: which part of the wall time is whose."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TypeVar

Item = TypeVar("Item")
KINDS = ("model", "decode", "wait", "cuts", "table")
"""In order of rank: while two things go on in two threads, the moment counts for the first of them."""
REST = "rest"


class Timeline:
    """Spans of time with their kind, from any thread."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float, str]] = []

    @contextmanager
    def during(self, kind: str) -> Iterator[None]:
        """Record the block."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._spans.append((begin, time.perf_counter(), kind))

    def timed(self, kind: str, function: Callable[..., Item]) -> Callable[..., Item]:
        """Record every call of a function."""

        @wraps(function)
        def call(*arguments: object, **named: object) -> Item:
            with self.during(kind):
                return function(*arguments, **named)

        return call

    def items(self, kind: str, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the same items, and record how long each was in the making."""
        iterator = iter(items)
        while True:
            with self.during(kind):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def shares(self, begin: float, end: float) -> dict[str, float]:
        """Return which part of the time between two moments had which kind; ``REST`` is where nothing was recorded."""
        changes = sorted(
            [(max(a, begin), 1, kind) for a, b, kind in self._spans if b > begin and a < end]
            + [(min(b, end), -1, kind) for a, b, kind in self._spans if b > begin and a < end]
        )
        going_on = dict.fromkeys(KINDS, 0)
        seconds = dict.fromkeys((*KINDS, REST), 0.0)
        since = begin
        for moment, change, kind in (*changes, (end, 0, KINDS[0])):
            at_work = next((k for k in KINDS if going_on[k]), REST)
            seconds[at_work] += moment - since
            since = moment
            going_on[kind] += change
        return {kind: value / (end - begin) for kind, value in seconds.items()}
