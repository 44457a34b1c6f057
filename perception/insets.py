"""Find pictures within the picture: split screens, insets, posters and screens, by straight edges that never move."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import numpy.typing as npt

from perception.pictures import GreyPicture
from schema.matching import Box

_STEP = 10.0
"""Grey levels that both sides of an edge differ by."""
_SHARPER = 3.0
"""How many times more than four pixels beside it: joined pictures change within two pixels, shadows do not."""
_SEEN_SHARE = 0.7
"""Share of an inner edge that must be seen: here and there both sides are of one brightness."""
_SHORTEST = 0.2
"""Of the picture's side: a smaller frame holds no person worth looking at."""
_FLAT = 12.0
"""Grey levels around the median within which nearly all of a bar or border lies."""
_FLAT_SHARE = 0.95
_MIDDLE = (1 / 3, 2 / 3)
"""Where a single edge may part the picture in two: nearer to the border it is a door frame or a floor."""
_MOST_LINES = 10
"""The strongest lines each way that are combined into frames."""
_APART_PX = 4

_Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Lines:
    """Straight edges one way: columns of a picture (or of a picture on its side)."""

    places: list[int]
    """Columns, the picture's two borders among them."""
    seen: npt.NDArray[np.int64]
    """Edge pixels above each row, shape ``(h + 1, w + 1)``."""

    def share(self, place: int, start: int, end: int) -> float:
        """Return which share of a column's edge is seen between two rows; a border counts as seen."""
        if place in (self.places[0], self.places[-1]):
            return 1.0
        return float(self.seen[end, place] - self.seen[start, place]) / max(end - start, 1)


class InnerFrames:
    """Averages the sampled pictures of one shot, in which moving things fade, and looks for straight edges."""

    def __init__(self) -> None:
        self._sum: _Array | None = None
        self._count = 0
        self._scale = 1.0

    def look(self, picture: GreyPicture) -> None:
        """Take in one picture."""
        if self._sum is None or self._sum.shape != picture.grey.shape:
            self._sum, self._count = np.zeros(picture.grey.shape, np.float32), 0
        self._sum += picture.grey
        self._count += 1
        self._scale = picture.scale

    def found(self) -> list[Box]:
        """Return the inner frames, pixels of the full picture; empty where the shot is one plain picture."""
        if self._sum is None or not self._count:
            return []
        mean = np.asarray(self._sum / self._count, dtype=np.float32)
        return [
            (x1 / self._scale, y1 / self._scale, x2 / self._scale, y2 / self._scale) for x1, y1, x2, y2 in _frames(mean)
        ]


def _lines(picture: _Array) -> _Lines:
    """Return the columns at which the picture changes at once over a good part of its height."""
    height, width = picture.shape
    steps = np.zeros((height, width + 1), np.float32)
    steps[:, 1:-1] = np.abs(np.diff(picture, axis=1))
    near = np.maximum(steps, np.maximum(np.roll(steps, 1, axis=1), np.roll(steps, -1, axis=1)))
    beside = np.maximum(np.roll(steps, _APART_PX, axis=1), np.roll(steps, -_APART_PX, axis=1))
    edges = (near >= _STEP) & (near >= _SHARPER * beside)
    edges[:, : _APART_PX + 1] = edges[:, -_APART_PX - 1 :] = False
    counts = edges.sum(axis=0)
    order = np.argsort(-counts, kind="stable")
    places: list[int] = []
    for place in order[:200].tolist():
        if len(places) == _MOST_LINES or counts[place] < _SHORTEST * _SEEN_SHARE * height:
            break
        if all(abs(place - other) > _APART_PX for other in places):
            places.append(place)
    seen = np.concatenate([np.zeros((1, width + 1), np.int64), np.cumsum(edges, axis=0)])
    return _Lines(places=sorted([0, *places, width]), seen=seen)


def _frames(picture: _Array) -> Iterator[tuple[int, int, int, int]]:
    height, width = picture.shape
    columns, rows = _lines(picture), _lines(np.ascontiguousarray(picture.T))
    for (x1, x2), (y1, y2) in product(combinations(columns.places, 2), combinations(rows.places, 2)):
        inner_sides = (x1 > 0) + (x2 < width) + (y1 > 0) + (y2 < height)
        if not inner_sides or x2 - x1 < _SHORTEST * width or y2 - y1 < _SHORTEST * height:
            continue
        if inner_sides == 1 and not _parts_in_two((x1, y1, x2, y2), width, height):
            continue
        shares = (columns.share(x, y1, y2) for x in (x1, x2)), (rows.share(y, x1, x2) for y in (y1, y2))
        if all(share >= _SEEN_SHARE for side in shares for share in side) and _joins_pictures(
            picture, (x1, y1, x2, y2)
        ):
            yield x1, y1, x2, y2


def _parts_in_two(frame: tuple[int, int, int, int], width: int, height: int) -> bool:
    x1, y1, x2, y2 = frame
    place = max(x1 % width, x2 % width) / width or max(y1 % height, y2 % height) / height
    return _MIDDLE[0] <= place <= _MIDDLE[1]


def _joins_pictures(picture: _Array, frame: tuple[int, int, int, int]) -> bool:
    """Tell whether there is a picture on both sides of the frame, not the bars around another shape of picture."""
    x1, y1, x2, y2 = frame
    outside = np.ones(picture.shape, np.bool_)
    outside[y1:y2, x1:x2] = False
    return not _is_flat(picture[outside]) and not _is_flat(picture[y1:y2, x1:x2])


def _is_flat(part: _Array) -> bool:
    return float(np.mean(np.abs(part - np.median(part)) <= _FLAT)) >= _FLAT_SHARE
