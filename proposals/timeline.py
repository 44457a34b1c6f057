"""Finding what is near in time without looking at everything: a track may last for hours."""

from bisect import bisect_left
from collections.abc import Sequence

from schema.timespan import TimeSpan


class Timeline:
    """Spans that are looked up by time."""

    def __init__(self, spans: Sequence[TimeSpan]) -> None:
        """Take the spans; they keep their places."""
        self._order = sorted(range(len(spans)), key=lambda n: (spans[n].start_ns, n))
        self._starts_ns = [spans[n].start_ns for n in self._order]
        self._longest_ns = max((span.duration_ns for span in spans), default=0)

    def around(self, span: TimeSpan, *, margin_ns: int = 0) -> list[int]:
        """Return the places, in order, of all spans that overlap it or are so near, and of some that are not."""
        first = bisect_left(self._starts_ns, span.start_ns - self._longest_ns - margin_ns)
        return sorted(self._order[first : bisect_left(self._starts_ns, span.end_ns + margin_ns)])
