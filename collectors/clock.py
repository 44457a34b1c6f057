"""Time as collection sees it: the wall clock and waiting, so that a year of nights can be tried in seconds."""

import time
from typing import Protocol


class Clock(Protocol):
    """What collection asks for the time and for waiting."""

    def now_ns(self) -> int:
        """Return Unix time in ns."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_ns(self) -> int:
        """Return Unix time in ns."""
        return time.time_ns()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)
