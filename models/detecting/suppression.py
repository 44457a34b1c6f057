"""Of spans that tell the same thing the best stays; the others lose what they share with it."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def overlaps(first: Floats, end: Floats, other_first: Floats | float, other_end: Floats | float) -> Floats:
    """Return the temporal IoU of each span with another one, or each with the same, shape ``(n,)``."""
    shared = np.maximum(0.0, np.minimum(end, other_end) - np.maximum(first, other_first))
    hull = np.maximum(end, other_end) - np.minimum(first, other_first)
    return np.asarray(shared / np.maximum(hull, 1e-9))


class Neighbours:
    """Spans by time, and how much each overlaps those near it.

    All at once: one span by one, calling numpy takes longer than what it works out.
    """

    def __init__(self, first: Floats, end: Floats) -> None:
        """Take the spans."""
        self.order: Ints = np.argsort(first, kind="stable")
        """Which span comes at each place in time."""
        begin, until = first[self.order], end[self.order]
        longest = float((until - begin).max(initial=0.0))
        # no span that begins earlier than the longest one reaches, or after the end, can overlap
        low = np.searchsorted(begin, begin - longest)
        high = np.searchsorted(begin, until)
        one = np.repeat(np.arange(len(begin)), high - low)
        edges = np.append(0, np.cumsum(high - low))
        other = np.arange(len(one)) + (low - edges[:-1])[one]
        self._ious = overlaps(begin[other], until[other], begin[one], until[one])
        self._near = [slice(*pair) for pair in zip(low.tolist(), high.tolist(), strict=True)]
        self._edges: list[int] = edges.tolist()

    def of(self, place: int) -> tuple[slice, Floats]:
        """Return the places that the span at a place can overlap, its own too, and its temporal IoU with each."""
        return self._near[place], self._ious[self._edges[place] : self._edges[place + 1]]


def thin(first: Floats, end: Floats, scores: Floats, *, at_iou: float) -> Ints:
    """Return the spans that no better one overlaps so much, best first."""
    neighbours = Neighbours(first, end)
    place_of = np.argsort(neighbours.order)
    is_left = np.ones(len(first), np.bool_)
    kept = []
    for best in np.argsort(-scores, kind="stable"):
        if is_left[place_of[best]]:
            kept.append(best)
            near, ious = neighbours.of(place_of[best])
            is_left[near] &= ious < at_iou
    return np.array(kept, dtype=np.int64)


def soften(first: Floats, end: Floats, scores: Floats, *, sigma: float, least: float) -> tuple[Ints, Floats]:
    """Return spans best first with scores that fall by ``exp(-iou ** 2 / sigma)`` for each better span that overlaps.

    Soft-NMS, Bodla et al., ICCV 2017, equation 3. Spans whose score falls below ``least`` are left out.
    """
    neighbours = Neighbours(first, end)
    left = scores[neighbours.order]
    places: list[int] = []
    softened: list[float] = []
    while left.size and left[best := int(np.argmax(left))] >= least:
        places.append(best)
        softened.append(float(left[best]))
        near, ious = neighbours.of(best)
        left[near] *= np.exp(-(ious**2) / sigma)
        left[best] = -1.0
    return neighbours.order[places], np.array(softened)
