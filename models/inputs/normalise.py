"""Poses put to one origin, one size and one frame rate, with what was not seen marked.

Origin and size are one for the whole sequence, never one a frame: the movements are small, and a neck that trembles
would make everything tremble (FIELD: normalise by shoulder width and neck origin per clip).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kinematics.windows import window_means
from models.config import InputConfig
from models.inputs.poses import PoseSequence, Times
from models.inputs.skeletons import Skeleton
from schema.timespan import NS_PER_SECOND

Floats32 = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
SMOOTHED_FROM = 0.75
"""Frames that come closer than this share of the wanted step are averaged first: no jitter is folded in."""
BLOCK_FRAMES = 2048
"""Frames that are put in place together: memory beside the result does not grow with the sequence."""
FARTHEST = 20.0
"""Shoulder widths from the neck beyond which a point is a stray."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalisedSequence:
    """What a model sees of a sequence: frames at ``times_ns``, equally far from each other."""

    sequence_id: str
    subject_id: str | None
    rate_hz: float
    times_ns: Times
    """Shape ``(n,)``."""
    positions: Floats32
    """Neck as origin, shoulder width as unit, shape ``(n, p, d)``; 0 where unseen."""
    seen: Bools
    """Shape ``(n, p)``."""
    scores: Floats32
    """Shape ``(n, p)``; 0 where unseen."""

    def frames_of(self, start_ns: int, end_ns: int) -> slice:
        """Return the frames in a span; at least one, the nearest, where it lies between two."""
        first, end = (int(frame) for frame in np.searchsorted(self.times_ns, [start_ns, end_ns]))
        if first == end:
            first = min(max(0, first - 1), max(0, len(self.times_ns) - 1))
            end = first + 1
        return slice(first, end)


def seen_points(sequences: Iterable[PoseSequence], points: Sequence[int], *, fewest_seen: float) -> tuple[int, ...]:
    """Return those of the points that are seen in at least a share of all frames of the sequences."""
    counts = np.zeros(len(points))
    frames = 0
    for poses in sequences:
        counts += (poses.scores[:, list(points)] > 0).sum(axis=0)
        frames += poses.scores.shape[0]
    return tuple(point for point, count in zip(points, counts, strict=True) if count >= fewest_seen * max(frames, 1))


def origin_and_unit(poses: PoseSequence, skeleton: Skeleton) -> tuple[Floats32, float] | None:
    """Return the neck, shape ``(d,)``, and the shoulder width of a sequence, medians over its frames.

    None where the shoulders are never seen together.
    """
    left, right = skeleton.shoulders
    if not left or not right:
        return None
    left_xy, right_xy = poses.positions[:, left[0]], poses.positions[:, right[0]]
    widths = np.linalg.norm(left_xy - right_xy, axis=1)
    both = np.isfinite(widths) & (widths > 0)
    if not both.any():
        return None
    neck = np.median((left_xy[both] + right_xy[both]) / 2, axis=0)
    return neck.astype(np.float32), float(np.median(widths[both]))


def normalise(poses: PoseSequence, skeleton: Skeleton, config: InputConfig) -> NormalisedSequence:
    """Put a sequence to the neck as origin, the shoulder width as unit, and ``config.rate_hz``.

    A point between two frames lies on the line between them, if they are at most ``config.longest_gap_s`` apart. Where
    the shoulders are never seen together no point counts as seen. Long sequences are taken block by block.
    """
    times_s = (poses.times_ns - poses.times_ns[0]) / NS_PER_SECOND
    step_s = 1 / config.rate_hz
    grid_s = np.arange(0.0, times_s[-1] + step_s / 2, step_s)
    shape = (len(grid_s), len(skeleton.points))
    positions = np.zeros((*shape, poses.dimensions), np.float32)
    scores, seen = np.zeros(shape, np.float32), np.zeros(shape, np.bool_)
    frame = origin_and_unit(poses, skeleton)
    is_dense = times_s.shape[0] > 2 and float(np.median(np.diff(times_s))) < SMOOTHED_FROM * step_s
    for first in range(0, len(grid_s) if frame else 0, BLOCK_FRAMES):
        block = slice(first, first + BLOCK_FRAMES)
        reach_s = config.longest_gap_s + step_s
        edges_s = (grid_s[block][0] - reach_s, grid_s[block][-1] + reach_s)
        rows = slice(*(int(row) for row in np.searchsorted(times_s, edges_s)))
        if frame is None or rows.start == rows.stop:
            continue
        given = _chosen(poses, rows, skeleton, origin=frame[0], unit=frame[1])
        if is_dense:
            given = _smoothed(given, times_s[rows], step_s=step_s)
        positions[block], scores[block], seen[block] = _placed(
            *given, times_s=times_s[rows], grid_s=grid_s[block], longest_gap_s=config.longest_gap_s
        )
    return NormalisedSequence(
        sequence_id=poses.sequence_id,
        subject_id=poses.subject_id,
        rate_hz=config.rate_hz,
        times_ns=poses.times_ns[0] + np.round(grid_s * NS_PER_SECOND).astype(np.int64),
        positions=positions,
        seen=seen,
        scores=scores,
    )


def _chosen(
    poses: PoseSequence, rows: slice, skeleton: Skeleton, *, origin: Floats32, unit: float
) -> tuple[Floats32, Floats32, Bools]:
    """Return positions, scores and what is seen of the chosen points, in shoulder widths from the neck.

    Positions are NaN where a point is not seen.
    """
    points = list(skeleton.points)
    positions = (poses.positions[rows].take(points, axis=1) - origin) / np.float32(unit)
    given = poses.scores[rows].take(points, axis=1)
    seen = given > 0
    with np.errstate(invalid="ignore"):
        for axis in range(poses.dimensions):  # one by one: numpy is slow at reducing an axis of two or three
            seen &= np.abs(positions[..., axis]) < FARTHEST
    positions[~seen] = np.nan
    return positions.astype(np.float32, copy=False), np.where(seen, given, 0).astype(np.float32, copy=False), seen


def _smoothed(
    given: tuple[Floats32, Floats32, Bools], times_s: npt.NDArray[np.float64], *, step_s: float
) -> tuple[Floats32, Floats32, Bools]:
    """Average positions over a step around each frame; a point that is not seen stays so, whatever its position."""
    positions, scores, seen = given
    means, _ = window_means(positions, times_s, from_s=-step_s / 2, to_s=step_s / 2)
    return means.astype(np.float32), scores, seen


def _placed(
    positions: Floats32,
    scores: Floats32,
    seen: Bools,
    *,
    times_s: npt.NDArray[np.float64],
    grid_s: npt.NDArray[np.float64],
    longest_gap_s: float,
) -> tuple[Floats32, Floats32, Bools]:
    """Interpolate each point between its nearest seen frames around each time of the grid."""
    count = times_s.shape[0]
    numbers = np.arange(count)[:, None]
    before = np.maximum.accumulate(np.where(seen, numbers, -1), axis=0)
    after = np.minimum.accumulate(np.where(seen, numbers, count)[::-1], axis=0)[::-1]
    at = np.searchsorted(times_s, grid_s + 1e-6, side="right") - 1
    left = before[at]
    # a grid time on a frame needs none after it
    exact = np.abs(times_s[at] - grid_s) < 1e-6
    right = np.where(exact[:, None], after[at], after[np.minimum(at + 1, count - 1)])
    known = (left >= 0) & (right < count) & (at >= 0)[:, None]  # nothing lies before the first frame
    known &= exact[:, None] | (at + 1 < count)[:, None]
    left, right = np.where(known, left, 0), np.where(known, right, 0)
    span_s = times_s[right] - times_s[left]
    known &= span_s <= longest_gap_s + 1e-6
    share = np.clip((grid_s[:, None] - times_s[left]) / np.maximum(span_s, 1e-9), 0.0, 1.0).astype(np.float32)
    columns = np.arange(positions.shape[1])
    low, high = positions[left, columns], positions[right, columns]
    placed = np.where(known[..., None], low + (high - low) * share[..., None], 0).astype(np.float32)
    low_scores, high_scores = scores[left, columns], scores[right, columns]
    placed_scores = np.where(known, low_scores + (high_scores - low_scores) * share, 0).astype(np.float32)
    return placed, placed_scores, known
