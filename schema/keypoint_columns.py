"""The 399 keypoint columns and the arrays that they hold: all points of a block of frames at once.

Arrays lie frame by frame in memory, columns point by point. Turning one into the other costs more than decoding the
file when it is done value by value; here a point's x and y are turned as one number, in blocks that fit the cache.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schema.columns import FIXED_POINT_PER_PIXEL, SCORE_STEPS
from schema.records import KEYPOINT_COUNT

_BLOCK_FRAMES = 2048
"""Frames turned at once: a megabyte of positions, which a core's own cache holds."""
_UNSEEN = np.full(2, np.nan, np.float32).view(np.uint64)[0]
"""The bits of a position that is not seen: x and y written as one."""


def keypoint_columns(
    keypoints_xy: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]
) -> tuple[list[pa.Array], bool]:
    """Return the columns x, y and score of each point in turn, rounded to 1/16 px and 1/255.

    Args:
        keypoints_xy: pixel positions, shape ``(n, 133, 2)``.
        scores: shape ``(n, 133)``; 0 where a point is not seen: its position becomes null.

    Returns:
        The columns, and whether positions are int16: they are int32 where one lies beyond 2047 px.
    """
    count = scores.shape[0]
    fits = _fits_int16(keypoints_xy)
    kind = np.int16 if fits else np.int32
    positions = np.empty((KEYPOINT_COUNT, 2, count), kind)
    steps = np.empty((KEYPOINT_COUNT, count), np.uint8)
    for first in range(0, count, _BLOCK_FRAMES):
        block = slice(first, min(first + _BLOCK_FRAMES, count))
        seen = scores[block] > 0
        scaled = np.where(seen[..., None], np.rint(keypoints_xy[block] * np.float32(FIXED_POINT_PER_PIXEL)), 0)
        positions[..., block] = scaled.astype(kind).transpose(1, 2, 0)
        # a seen point keeps a score of at least one step: 0 means "not seen"
        rounded = np.clip(np.rint(scores[block] * SCORE_STEPS), 1, SCORE_STEPS)
        steps[:, block] = np.where(seen, rounded, 0).astype(np.uint8).T
    validity = np.packbits(steps > 0, axis=1, bitorder="little")
    arrow_kind = pa.from_numpy_dtype(kind)
    columns: list[pa.Array] = []
    for point in range(KEYPOINT_COUNT):
        valid = pa.py_buffer(validity[point])
        columns += [
            pa.Array.from_buffers(arrow_kind, count, [valid, pa.py_buffer(positions[point, axis])]) for axis in (0, 1)
        ]
        columns.append(pa.array(steps[point]))
    return columns, fits


def _fits_int16(keypoints_xy: npt.NDArray[np.float32]) -> bool:
    beyond = (np.iinfo(np.int16).max + 0.5) / FIXED_POINT_PER_PIXEL
    return not bool(np.any((keypoints_xy >= beyond) | (keypoints_xy <= -beyond)))


def keypoint_arrays(rows: pa.Table) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Read positions ``(n, 133, 2)``, NaN where a point is not seen, and scores ``(n, 133)`` back from the columns.

    Raises ``ValueError`` where a position is null and its score is not 0, or the other way round: no such table was
    written by ``keypoint_columns``.
    """
    keypoints_xy = np.empty((rows.num_rows, KEYPOINT_COUNT, 2), np.float32)
    scores = np.empty((rows.num_rows, KEYPOINT_COUNT), np.float32)
    places = {name: place for place, name in enumerate(rows.schema.names)}
    order = [places[f"k{k:03d}_{value}"] for k in range(KEYPOINT_COUNT) for value in ("x", "y", "score")]
    first = 0
    for batch in rows.to_batches():
        columns = batch.columns
        end = first + batch.num_rows
        _fill([columns[place] for place in order], keypoints_xy[first:end], scores[first:end])
        first = end
    return keypoints_xy, scores


def _fill(columns: list[pa.Array], keypoints_xy: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]) -> None:
    """Turn the columns of one batch into its rows of the arrays."""
    values = [_values(column) for column in columns]
    for point in range(KEYPOINT_COUNT):
        unseen_count = len(values[3 * point + 2]) - int(np.count_nonzero(values[3 * point + 2]))
        if any(columns[3 * point + axis].null_count != unseen_count for axis in (0, 1)):
            raise ValueError(f"keypoint {point}: a position is null exactly where the score is 0")
    kind = values[0].dtype
    tallest = min(_BLOCK_FRAMES, scores.shape[0])
    pairs = np.empty((KEYPOINT_COUNT, tallest, 2), kind)
    steps = np.empty((KEYPOINT_COUNT, tallest), np.uint8)
    for first in range(0, scores.shape[0], _BLOCK_FRAMES):
        block = slice(first, min(first + _BLOCK_FRAMES, scores.shape[0]))
        height = block.stop - first
        for point in range(KEYPOINT_COUNT):
            pairs[point, :height, 0] = values[3 * point][block]
            pairs[point, :height, 1] = values[3 * point + 1][block]
            steps[point, :height] = values[3 * point + 2][block]
        as_one = pairs[:, :height].view(f"i{2 * kind.itemsize}")[..., 0]
        turned = np.ascontiguousarray(as_one.T).view(kind).reshape(height, KEYPOINT_COUNT, 2)
        np.divide(turned, np.float32(FIXED_POINT_PER_PIXEL), out=keypoints_xy[block], casting="unsafe")
        by_frame = np.ascontiguousarray(steps[:, :height].T)
        np.copyto(keypoints_xy[block].view(np.uint64)[..., 0], _UNSEEN, where=by_frame == 0)
        np.divide(by_frame, np.float32(SCORE_STEPS), out=scores[block])


def _values(column: pa.Array) -> npt.NDArray[np.generic]:
    """Return a column's numbers without a copy; what stands where it is null means nothing."""
    data = column.buffers()[1]
    without_nulls = pa.Array.from_buffers(column.type, len(column), [None, data], offset=column.offset)
    return np.asarray(without_nulls.to_numpy())
