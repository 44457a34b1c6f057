"""What the frames of many spans have in common, without going through each span's frames."""

import numpy as np
import numpy.typing as npt

Floats32 = npt.NDArray[np.float32]


class PooledSpans:
    """Means and greatest values of features over any spans of a chunk.

    Means from running sums; greatest values from maxima over stretches of 1, 2, 4, ... frames, two of which cover any
    span (a sparse table).
    """

    def __init__(self, features: Floats32) -> None:
        """Take features of shape ``(t, width)``."""
        self._sums = np.concatenate([np.zeros((1, features.shape[1])), np.cumsum(features, axis=0, dtype=np.float64)])
        self._tables = [features]
        while 2 ** len(self._tables) <= features.shape[0]:
            half = 2 ** (len(self._tables) - 1)
            last = self._tables[-1]
            self._tables.append(np.maximum(last[:-half], last[half:]))

    def of(self, first: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> Floats32:
        """Return what ``models.networks.detector.pool_spans`` returns, shape ``(n, 4 * width + 1)``.

        Args:
            first: first frame of each span, shape ``(n,)``.
            end: frame after its last one, greater than ``first``.
        """
        lengths = end - first
        around = np.maximum(lengths // 2, 1)
        before = self._means(np.maximum(first - around, 0), first)
        after = self._means(end, np.minimum(end + around, self._tables[0].shape[0]))
        greatest = np.empty((len(first), self._tables[0].shape[1]), np.float32)
        stretches = np.floor(np.log2(lengths)).astype(np.int64)
        for level in np.unique(stretches):
            rows = np.flatnonzero(stretches == level)
            table = self._tables[level]
            greatest[rows] = np.maximum(table[first[rows]], table[end[rows] - 2**level])
        parts = (self._means(first, end), greatest, before, after, np.log(lengths)[:, None])
        return np.concatenate(parts, axis=1).astype(np.float32)

    def _means(self, first: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return means over stretches of frames, 0 where there is none."""
        return np.asarray((self._sums[end] - self._sums[first]) / np.maximum(end - first, 1)[:, None])
