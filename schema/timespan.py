"""Time: half-open spans of integer nanoseconds, and the frame times of one video file."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

NS_PER_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class TimeSpan:
    """A half-open span ``[start_ns, end_ns)``; the origin is the first displayed frame of the video."""

    start_ns: int
    end_ns: int

    def __post_init__(self) -> None:
        """Refuse an empty, reversed or negative span (``ValueError``)."""
        if not 0 <= self.start_ns < self.end_ns:
            raise ValueError(f"a span needs 0 <= start_ns < end_ns, got {self.start_ns} and {self.end_ns}")

    @property
    def duration_ns(self) -> int:
        """Length in nanoseconds, always positive."""
        return self.end_ns - self.start_ns

    @property
    def middle_ns(self) -> int:
        """The instant half-way, rounded down."""
        return (self.start_ns + self.end_ns) // 2

    @property
    def seconds(self) -> float:
        """Length in seconds, for messages and plots."""
        return self.duration_ns / NS_PER_SECOND

    def contains(self, instant_ns: int) -> bool:
        """Tell whether the instant lies in the span (its end does not)."""
        return self.start_ns <= instant_ns < self.end_ns

    def overlap_ns(self, other: Self) -> int:
        """Return the shared length in nanoseconds, 0 when the spans do not meet."""
        return max(0, min(self.end_ns, other.end_ns) - max(self.start_ns, other.start_ns))

    def gap_ns(self, other: Self) -> int:
        """Return the length between two spans, 0 when they touch or overlap."""
        return max(0, max(self.start_ns, other.start_ns) - min(self.end_ns, other.end_ns))

    def hull(self, other: Self) -> "TimeSpan":
        """Return the shortest span that holds both."""
        return TimeSpan(start_ns=min(self.start_ns, other.start_ns), end_ns=max(self.end_ns, other.end_ns))

    def temporal_iou(self, other: Self) -> float:
        """Return intersection over union of the two spans, in 0..1."""
        shared_ns = self.overlap_ns(other)
        return shared_ns / (self.duration_ns + other.duration_ns - shared_ns)


def ticks_to_ns(ticks: int, time_base: Fraction) -> int:
    """Convert a count of ``time_base`` ticks to nanoseconds, rounded down, without a float on the way."""
    return ticks * time_base.numerator * NS_PER_SECOND // time_base.denominator


def united(spans: Iterable[TimeSpan]) -> list[TimeSpan]:
    """Return the time that the spans cover as spans that neither overlap nor touch, by time."""
    found: list[TimeSpan] = []
    for span in sorted(spans):
        if found and span.start_ns <= found[-1].end_ns:
            found[-1] = found[-1].hull(span)
        else:
            found.append(span)
    return found


def without(spans: Iterable[TimeSpan], holes: Iterable[TimeSpan]) -> list[TimeSpan]:
    """Return the time that the spans cover and the holes do not, by time."""
    left = united(spans)
    for hole in united(holes):
        pieces = [edges for span in left for edges in _cut(span, hole)]
        left = [TimeSpan(start_ns=start, end_ns=end) for start, end in pieces if start < end]
    return left


def _cut(span: TimeSpan, hole: TimeSpan) -> tuple[tuple[int, int], ...]:
    if not span.overlap_ns(hole):
        return ((span.start_ns, span.end_ns),)
    return (span.start_ns, hole.start_ns), (hole.end_ns, span.end_ns)
