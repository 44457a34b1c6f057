"""Strictly increasing frame times from the time stamps that a file gives, good or bad."""

from fractions import Fraction
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from schema.records import TimeFlag
from schema.timespan import NS_PER_SECOND

CROWDED = Fraction(1, 4)
"""Frames without a good time are squeezed before the next good one if each still gets so much of a nominal frame.

Otherwise the clock of the file jumped back (joined recordings), and its later times count from before the jump.
"""
SHUFFLED_FRAMES = 16
"""Stamps that are only out of order, by no more than the most pictures an H.264 decoder holds back, are put in order.

AVI has one stamp a packet, in decoding order: with three b-frames in a row ffmpeg gives 1, 4, 3, 5, 2, 8, 7, 9, 6 ...
"""
FALLBACK_RATE = 25
"""Frames per second where neither time stamps nor header tell: a single frame, or no time stamps at all."""


def nominal_ticks(pts: npt.NDArray[np.int64], missing: npt.NDArray[np.bool_], header_ticks: Fraction) -> Fraction:
    """Return the usual distance of two frames in ticks: the median of the file's, else the header's.

    Args:
        pts: Time stamps in ticks, display order, shape ``(n,)``.
        missing: Where there is none, shape ``(n,)``.
        header_ticks: Ticks from frame to frame by the header, above 0.
    """
    steps = np.diff(pts)[~(missing[1:] | missing[:-1])]
    steps = np.sort(steps[steps > 0])
    return Fraction(int(steps[(steps.shape[0] - 1) // 2])) if steps.size else header_ticks


def good_times(pts: npt.NDArray[np.int64], missing: npt.NDArray[np.bool_], nominal: Fraction) -> npt.NDArray[np.bool_]:
    """Tell which time stamps can be kept: each later than the ones kept before it, with room for those between."""
    good = np.zeros(pts.shape[0], dtype=np.bool_)
    last: int | None = None
    given: list[int] = np.flatnonzero(~missing).tolist()
    for index, following in zip_longest(given, given[1:]):
        after = None if following is None else int(pts[following])
        if last is None or _fits(int(pts[last]), int(pts[index]), after, room_for=index - last, nominal=nominal):
            good[index], last = True, index
    return good


def _fits(last: int, own: int, after: int | None, *, room_for: int, nominal: Fraction) -> bool:
    # One stamp far ahead of its neighbours would otherwise make every later frame "not later than the one before".
    stray = after is not None and last < after < own
    crowded = room_for > 1 and Fraction(own - last, room_for) < nominal * CROWDED
    return own > last and not stray and not crowded


def repair_times(
    pts: npt.NDArray[np.int64], missing: npt.NDArray[np.bool_], *, time_base: Fraction, header_ticks: Fraction
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """Turn time stamps into nanoseconds since the first frame, strictly increasing.

    A frame whose time is missing or not later than the one before is put one nominal frame after it, or closer where
    the next good time leaves less room; stamps in decoding order are sorted. Good times are exact, rounded down to a
    nanosecond.

    Args:
        pts: Time stamps in ticks, display order, shape ``(n,)``, n > 0.
        missing: Where the file gives none, shape ``(n,)``.
        time_base: Seconds a tick.
        header_ticks: Ticks from frame to frame by the header, above 0.

    Returns:
        Time stamps with repaired ones where there were none, times in ns, and ``TimeFlag`` values; each ``(n,)``.
    """
    nominal = nominal_ticks(pts, missing, header_ticks)
    ordered = np.sort(pts)
    if not missing.any() and _is_shuffled(pts, ordered, nominal):
        good, ticks = ordered == pts, list[Fraction | int](ordered.tolist())
    else:
        good = good_times(pts, missing, nominal)
        ticks = _fill_gaps(pts, good, nominal)
    times_ns = np.array(_floor_ns(ticks, time_base), dtype=np.int64)
    # Ticks below a nanosecond, or many frames between two of them, could meet after rounding.
    steps = np.arange(times_ns.shape[0])
    times_ns = np.maximum.accumulate(times_ns - steps) + steps
    flags = np.where(good, TimeFlag.GOOD, np.where(missing, TimeFlag.MISSING, TimeFlag.REPEATED)).astype(np.uint8)
    given = np.where(missing, [int(tick) for tick in ticks], pts).astype(np.int64)
    return given, times_ns, flags


def _is_shuffled(pts: npt.NDArray[np.int64], ordered: npt.NDArray[np.int64], nominal: Fraction) -> bool:
    moved = int(np.abs(pts - ordered).max())
    return bool(np.all(np.diff(ordered) > 0)) and 0 < moved <= SHUFFLED_FRAMES * nominal


def _floor_ns(ticks: list[Fraction | int], time_base: Fraction) -> list[int]:
    """Return each tick's nanoseconds since the first one, rounded down, whatever their size."""
    origin = ticks[0]
    scale = time_base * NS_PER_SECOND
    above, below = scale.numerator, scale.denominator
    # nearly all ticks are whole, and for those fractions take ten times as long
    return [(tick - origin) * above // below for tick in ticks]


def _fill_gaps(pts: npt.NDArray[np.int64], good: npt.NDArray[np.bool_], nominal: Fraction) -> list[Fraction | int]:
    anchors = np.flatnonzero(good).tolist()
    if not anchors:
        return [nominal * index for index in range(pts.shape[0])]
    if len(anchors) == pts.shape[0]:
        return list[Fraction | int](pts.tolist())
    first = anchors[0]
    ticks: list[Fraction | int] = [int(pts[first]) - nominal * (first - index) for index in range(first)]
    for anchor, following in zip(anchors, [*anchors[1:], pts.shape[0]], strict=True):
        own, count = int(pts[anchor]), following - anchor
        room = Fraction(int(pts[following]) - own, count) if following < pts.shape[0] else nominal
        step = min(nominal, room)
        ticks += [own, *(own + step * k for k in range(1, count))]
    return ticks
