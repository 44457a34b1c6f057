"""Which windows of a recording are worth training on without labels, and which of them are drawn.

The rule is pressroom's own: iMiGUE-3K's abstract names "a novel data sampling strategy to obtain high-quality samples"
and does not say which. A window counts when the points that tell are seen well and something moves as fast as
micro-gestures do; of one person at most so many are drawn, by a seeded hash.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from kinematics.movement import displacements, jitter_floor
from kinematics.windows import Floats, Times
from schema.timespan import NS_PER_SECOND

SPEED_OVER_S = 0.2
"""Over so long a speed is measured, between means over half of it."""
TELLING = 2.5
"""Times its jitter that a part must move to count: noise alone does in ``exp(-2.5^2 / 2)`` = 4 % of the frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowBounds:
    """Which windows count."""

    window_seconds: float
    """Length of a window."""
    min_quality: float
    """Mean score of the points that tell from which on a window counts, unseen ones as 0, 0..1."""
    slowest: float
    """Median speed of the fastest part from which on something moves, shoulder widths a second."""
    fastest: float
    """Above this speed it is walking about, no micro-gesture."""

    @property
    def length_ns(self) -> int:
        """The length in nanoseconds."""
        return round(self.window_seconds * NS_PER_SECOND)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodWindow:
    """A window that counts."""

    start_ns: int
    end_ns: int
    rows: slice
    """Its rows within the track."""
    quality: float
    """Mean score of the points that tell, 0..1."""
    movement: float
    """Median speed of the fastest part above its jitter, shoulder widths a second."""


def good_windows(
    times_ns: Times,
    *,
    quality: Floats,
    speeds: Floats,
    bounds: WindowBounds,
    labelled_ns: Iterable[tuple[int, int]] = (),
    step_ns: int | None = None,
) -> list[GoodWindow]:
    """List the windows of a track that count, in the gaps between its segments, in order of time.

    Args:
        times_ns: Frame times, shape ``(n,)``.
        quality: Mean score of the points that tell in each frame, shape ``(n,)``.
        speeds: Speed of the fastest part in each frame (``fastest_speeds``), shape ``(n,)``.
        bounds: Length and bounds.
        labelled_ns: Spans of its segments, ns.
        step_ns: From one window's start to the next one's; by default they lie side by side.
    """
    if times_ns.shape[0] < 2:
        return []
    length_ns = bounds.length_ns
    found: list[GoodWindow] = []
    gaps = _starts(
        int(times_ns[0]), int(times_ns[-1]), sorted(labelled_ns), length_ns=length_ns, step_ns=step_ns or length_ns
    )
    for start_ns in gaps:
        first, end = (int(row) for row in np.searchsorted(times_ns, [start_ns, start_ns + length_ns]))
        if not _is_whole(times_ns[first:end], length_ns=length_ns):
            continue
        good, movement = float(quality[first:end].mean()), float(np.median(speeds[first:end]))
        if good >= bounds.min_quality and bounds.slowest <= movement <= bounds.fastest:
            window = GoodWindow(
                start_ns=start_ns,
                end_ns=start_ns + length_ns,
                rows=slice(first, end),
                quality=good,
                movement=movement,
            )
            found.append(window)
    return found


def fastest_speeds(
    positions: Floats, times_s: Floats, *, parts: Iterable[Sequence[int]], over_s: float = SPEED_OVER_S
) -> Floats:
    """Return the speed of the fastest part in each frame, less what its jitter alone would show.

    Shape ``(n,)``, the positions' unit a second; 0 where no part is seen. Jitter and movement add up as variances:
    ``sqrt(d^2 - (g * s)^2) / t`` with the distance d that the part moves in t seconds, the noise gain g of that
    measure and the jitter's standard deviation s (``kinematics.movement``), where d exceeds ``TELLING`` times g * s.

    Args:
        positions: shape ``(n, p, d)`` with d 2 or 3, NaN where unseen.
        times_s: frame times, shape ``(n,)``.
        parts: the points of each part that is looked at.
        over_s: time over which a speed is measured, between means over half of it.
    """
    fastest = np.zeros(times_s.shape[0])
    for points in parts:
        part = positions[:, list(points)]
        far, gain = displacements(part, times_s, over_s=over_s, smooth_s=over_s / 2)
        noise = gain * jitter_floor(part, times_s)
        beyond = np.where(far > TELLING * noise, far**2 - noise**2, 0.0)
        fastest = np.maximum(fastest, np.sqrt(np.maximum(beyond, 0.0)) / over_s)
    return fastest


def quotas(videos_of_subject: Mapping[str, Iterable[str]], *, most_per_subject: int) -> dict[str, int]:
    """Share out each subject's windows evenly among the subject's videos; returns windows by video.

    A video that two subjects share gets the sum of both shares.
    """
    shares: dict[str, int] = {}
    for videos in videos_of_subject.values():
        ordered = sorted(set(videos))
        for place, video_id in enumerate(ordered):
            share = most_per_subject // len(ordered) + (place < most_per_subject % len(ordered))
            shares[video_id] = shares.get(video_id, 0) + share
    return shares


def drawing_order(seed: int, place: str) -> str:
    """Return what decides whether the window at a place is drawn: of too many, those with the smallest are."""
    return sha256(f"{seed} {place}".encode()).hexdigest()


def _starts(
    first_ns: int, last_ns: int, labelled_ns: list[tuple[int, int]], *, length_ns: int, step_ns: int
) -> Iterable[int]:
    free_from = first_ns
    for start_ns, end_ns in [*labelled_ns, (last_ns, last_ns)]:
        while free_from + length_ns <= start_ns:
            yield free_from
            free_from += step_ns
        free_from = max(free_from, end_ns)


def _is_whole(times_ns: Times, *, length_ns: int) -> bool:
    """Tell whether a window holds frames throughout: no hole of more than a quarter of its length."""
    if times_ns.shape[0] < 2:
        return False
    covered = int(times_ns[-1] - times_ns[0])
    return bool(np.max(np.diff(times_ns)) <= length_ns / 4 and covered >= 3 * length_ns / 4)
