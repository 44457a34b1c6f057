"""A long track in stretches that are looked at one after another, so that memory does not grow with the video."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from kinematics.windows import Times
from schema.records import KeypointSequence
from schema.timespan import NS_PER_SECOND, TimeSpan

LONGEST_NS = 600 * NS_PER_SECOND
"""A track that is longer is looked at in equal stretches of at most this length."""
MARGIN_NS = 30 * NS_PER_SECOND
"""Each stretch also sees so much before and after it: longer than a contact is asked about (20 s), so that what lies
across an edge is seen whole from both sides."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stretch:
    """A part of a track with what lies around it."""

    sequence: KeypointSequence
    """Its frames, and those of the margins."""
    core: TimeSpan
    """What it answers for: things whose middle lies here. The cores of a track follow each other."""


def stretches_of(times_ns: Times, read: Callable[[int, int], KeypointSequence]) -> Iterator[Stretch]:
    """Part a track; a track of ten minutes or less is one stretch.

    Args:
        times_ns: Frame times of the track, increasing, shape ``(n,)``, n at least 1.
        read: Reads the frames from one number to before another, counted in the track; called once a stretch, when the
            one before it is no longer needed.

    Yields:
        Stretches by time. One in which the track has no frame (a hole) is left out.
    """
    first_ns, end_ns = int(times_ns[0]), int(times_ns[-1]) + 1
    count = -(-(end_ns - first_ns) // LONGEST_NS)
    edges_ns = [first_ns + (end_ns - first_ns) * number // count for number in range(count)]
    edges_ns.append(end_ns + LONGEST_NS)  # how long the last frame is shown is for others to say
    for low_ns, high_ns in pairwise(edges_ns):
        low, high = np.searchsorted(times_ns, [low_ns, high_ns])
        if low == high:
            continue
        first, end = np.searchsorted(times_ns, [low_ns - MARGIN_NS, high_ns + MARGIN_NS])
        yield Stretch(sequence=read(int(first), int(end)), core=TimeSpan(start_ns=low_ns, end_ns=high_ns))
