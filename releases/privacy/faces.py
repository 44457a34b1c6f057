"""Faces without their shape: one template head for everybody, moved as the person's own head and face move.

Of each track the person's own neutral face is worked out (the median shape) and taken away; what is left of a frame is
where the head is, how it is tilted, turned and nodded, and by how much each point lies off the neutral face. The
template head is put there, of a size that follows from the shoulders, and its points are moved by those deviations,
rounded to ``DEVIATION_STEP`` head widths. ``benchmarks/reidentification.py`` measures what that hides.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from kinematics.scale import SCALE_BLOCK_S
from kinematics.windows import seconds_of, slow_medians
from releases.tables.columns import FACE_POINTS_KEPT
from schema.columns import FIXED_POINT_PER_PIXEL, SCORE_STEPS
from schema.records import KEYPOINT_COUNT, PART_SLICES, Part

Floats = npt.NDArray[np.float64]
Planes = npt.NDArray[np.complex128]
"""Positions and directions in the picture as complex numbers, x + iy; a rotation is a multiplication."""
Bools = npt.NDArray[np.bool_]

DEVIATION_STEP = 1 / 32
"""Deviations of single points from the neutral face are rounded to multiples of so many head widths: a nearest
neighbour finds nobody by them, as with 1/16, and the lips of real clips keep most of their movement (correlation 0.8
against 0.2: ``python benchmarks/reidentification.py``)."""
TURN_STEP = 1 / 16
"""Turns and nods are rounded to multiples of this, the sine of the angle: 3.6 degrees."""
TILT_STEP = np.pi / 12
"""A tilt that is held all the time is rounded to 15 degrees; tilting the head stays as it is."""
SCORE_STEP = 0.25
"""Scores of the points are rounded to quarters: how well an ear or a lip is found says something of hair and beard."""
SHOULDERS_PER_HEAD_WIDTH = 2.2
"""Shoulder points against the face contour: 1.6 to 2.5, median 2.15, on eight clips of people who sit, sign and talk.
The template head is this fraction of the shoulders for everybody: the size of a head is a person's own too."""
LARGEST_RESIZING = 4 / 3
"""A person seen from the side has narrow shoulders: the template is at most so much smaller or larger than the head."""
LARGEST_TURN = 0.7
"""Sine of the largest turn or nod away from the neutral that is drawn; beyond it face points are guesses."""
HEAD_POINTS = (0, 1, 2, 3, 4)
"""Nose, left eye, right eye, left ear, right ear: the body's points tell the shape of the face too."""
REDRAWN = (*HEAD_POINTS, *FACE_POINTS_KEPT)
"""The 13 points of ``identity-free`` that are re-drawn."""
_CENTRE_Y = 0.25
"""The template's origin lies so many head widths below the middle of the eyes: at the tip of the nose."""
_TEMPLATE: dict[int, tuple[float, float, float, float]] = {
    0: (0.0, 0.25, 0.3, 1.0),  # nose
    1: (0.25, 0.0, 0.0, 1.0),  # eyes
    2: (-0.25, 0.0, 0.0, 1.0),
    3: (0.45, 0.1, -0.5, 1.0),  # ears
    4: (-0.45, 0.1, -0.5, 1.0),
    23: (-0.5, -0.05, -0.4, 1.0),  # upper ends of the contour
    39: (0.5, -0.05, -0.4, 1.0),
    31: (0.0, 0.85, 0.1, 0.01),  # chin
    42: (-0.3, -0.2, 0.1, 0.01),  # brows
    47: (0.3, -0.2, 0.1, 0.01),
    50: (0.0, -0.05, 0.1, 1.0),  # root of the nose
    53: (0.0, 0.25, 0.3, 1.0),  # tip of the nose
    59: (-0.35, 0.0, -0.05, 1.0),  # corners of the eyes
    62: (-0.15, 0.0, 0.0, 1.0),
    65: (0.15, 0.0, 0.0, 1.0),
    68: (0.35, 0.0, -0.05, 1.0),
    71: (-0.2, 0.45, 0.15, 0.01),  # mouth: right corner, top, left corner, bottom
    74: (0.0, 0.4, 0.2, 0.01),
    77: (0.2, 0.45, 0.15, 0.01),
    80: (0.0, 0.6, 0.2, 0.01),
}
"""x to the person's left, y to the chin, both from the middle of the eyes, and depth towards the camera, in head widths
(face contour, ear to ear); and what the point counts for where the head is: bones fully, skin only where no bone is
seen. Positions are medians over eight clips, depths those of an average head, all rounded to 0.05."""
_POINTS = tuple(_TEMPLATE)
_SHAPE = np.array([[complex(x, y - _CENTRE_Y)] for x, y, _, _ in _TEMPLATE.values()])
_DEPTH = np.array([[depth] for _, _, depth, _ in _TEMPLATE.values()])
_WEIGHT = np.array([[weight] for _, _, _, weight in _TEMPLATE.values()])
_OUT = np.array([_POINTS.index(point) for point in REDRAWN])
_BLOCK_FRAMES = 1024
"""Frames placed at once: arrays of twenty points that fit a core's cache."""
_LEAST_DEPTH = 0.02
"""Added to the spread of the seen points' depths: few points of one depth tell no turn."""
_LEAST_LEVER = 1e-3
"""With the seen points nearer to each other than this, head widths squared, turn and tilt can't be told apart."""


def neutral_faces(rows: pa.Table) -> pa.Table:
    """Re-draw the face and head points of one video's keypoints so that a face's shape is gone and its movement stays.

    A point that was not seen stays unseen; of the 68 face points only ``FACE_POINTS_KEPT`` stay seen. Positions keep
    their type, int16 or int32 sixteenths of a pixel. Tracks are treated one by one, so that what one track holds never
    changes another.

    Args:
        rows: Rows of ``schema.arrow.KEYPOINTS`` of one video, ordered by track and frame.

    Returns:
        The same rows and columns.
    """
    points = np.stack([_positions(rows, point) for point in _POINTS])
    shoulders = np.abs(_positions(rows, 5) - _positions(rows, 6))
    drawn = np.full((len(REDRAWN), rows.num_rows), np.nan, np.complex128)
    times_ns = rows["time_ns"].to_numpy()
    for track in _tracks(rows):
        drawn[:, track] = _neutral_track(points[:, track], shoulders[track], seconds_of(times_ns[track]))
    return _with_points(rows, drawn)


def _positions(rows: pa.Table, point: int) -> Planes:
    """Read a point's positions in pixels, shape ``(n,)``, NaN where it is not seen."""
    positions = np.empty(rows.num_rows, np.complex128)
    positions.real, positions.imag = (rows[f"k{point:03d}_{axis}"].to_numpy() for axis in ("x", "y"))
    positions /= FIXED_POINT_PER_PIXEL
    return positions


def _tracks(rows: pa.Table) -> Iterator[slice]:
    numbers = rows["track_number"].to_numpy()
    if numbers.shape[0]:
        bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), numbers.shape[0]]
        yield from (slice(first, end) for first, end in pairwise(bounds))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Placed:
    """Where a head is in each frame, and what of its points that does not explain."""

    origins: Planes
    """The template's origin, pixels, shape ``(n,)``; NaN where no point is seen."""
    tilts: Floats
    """Angle in the picture, radians, shape ``(n,)``."""
    turns: Planes
    """Turn + i nod away from the neutral, sines, shape ``(n,)``."""
    rest: Planes
    """What is left of each point, head widths in the head's own frame, shape ``(p, n)``; NaN where unseen."""


def _neutral_track(points: Planes, shoulders: Floats, times_s: Floats) -> Planes:
    """Return the re-drawn points ``(13, n)`` of one track's points ``(p, n)``, in pixels."""
    seen = np.isfinite(points)
    if not seen.any():
        return np.full((len(REDRAWN), points.shape[1]), np.nan, np.complex128)
    sizes = _head_sizes(points, seen, times_s)
    first = _place(points, seen, sizes, _SHAPE, turning=False)
    neutral = _SHAPE + _medians(first.rest)[:, None]
    placed = _place(points, seen, sizes, neutral, turning=True)
    turns = _rounded(_clipped(placed.turns, LARGEST_TURN), TURN_STEP)
    head = _SHAPE[_OUT] + turns * _DEPTH[_OUT] + _rounded(placed.rest[_OUT], DEVIATION_STEP)
    usual = _usual_angle(placed.tilts[seen.sum(axis=0) > 1])
    tilts = placed.tilts - usual + np.rint(usual / TILT_STEP) * TILT_STEP
    return np.asarray(placed.origins + sizes * _resizing(shoulders, sizes) * np.exp(1j * tilts) * head)


def _head_sizes(points: Planes, seen: Bools, times_s: Floats) -> Floats:
    """Return the head width in pixels, slow, shape ``(n,)``: the spread of the seen points against the template's."""
    weights = seen / np.maximum(seen.sum(axis=0), 1)
    spread = _spread(np.where(seen, points, 0), weights)
    expected = _spread(_SHAPE, weights)
    told = (expected > 1e-6) & (spread > 0)
    ratios = np.sqrt(spread / np.where(told, expected, 1.0))
    sizes = slow_medians(np.where(told, ratios, np.nan), times_s, block_s=SCALE_BLOCK_S)
    return np.where(np.isfinite(sizes), sizes, 1.0)  # a lone point has no shape: any size leaves it where it is


def _spread(points: Planes, weights: Floats) -> Floats:
    return np.asarray((weights * _squared(points - (points * weights).sum(axis=0))).sum(axis=0))


def _squared(vectors: Planes) -> Floats:
    return np.asarray(vectors.real**2 + vectors.imag**2)


def _place(points: Planes, seen: Bools, sizes: Floats, shape: Planes, *, turning: bool) -> _Placed:
    """Find where a head of a shape ``(p, 1)`` is in each frame, block by block."""
    blocks = [slice(first, first + _BLOCK_FRAMES) for first in range(0, sizes.shape[0], _BLOCK_FRAMES)]
    placed = [_place_block(points[:, b], seen[:, b], sizes[b], shape, turning=turning) for b in blocks]
    return _Placed(
        origins=np.concatenate([one.origins for one in placed]),
        tilts=np.concatenate([one.tilts for one in placed]),
        turns=np.concatenate([one.turns for one in placed]),
        rest=np.concatenate([one.rest for one in placed], axis=1),
    )


def _place_block(points: Planes, seen: Bools, sizes: Floats, shape: Planes, *, turning: bool) -> _Placed:
    """Place a head of a shape by weighted least squares over the seen points of each frame.

    The tilt is that of the best rigid fit; with ``turning`` it is then solved together with turn and nod, which move
    a point by its depth: ``point = origin + size * exp(i tilt) * (shape + turn * depth)``, linear in small angles.
    """
    weights = seen * _WEIGHT
    weights = weights / np.maximum(weights.sum(axis=0), 1e-9)
    scaled = np.where(seen, points, 0) / sizes
    middles = (scaled * weights).sum(axis=0)
    offsets = scaled - middles
    shape_middles = (weights * shape).sum(axis=0)
    arms = shape - shape_middles
    tilts = np.angle((weights * np.conj(arms) * offsets).sum(axis=0))
    rest = offsets * np.exp(-1j * tilts) - arms
    turns = np.zeros(sizes.shape[0], np.complex128)
    if turning:
        mean_depths = (weights * _DEPTH).sum(axis=0)
        more, turns = _turns(rest, arms, weights, _DEPTH - mean_depths)
        tilts = tilts + more
        rest = offsets * np.exp(-1j * tilts) - arms - turns * (_DEPTH - mean_depths)
        shape_middles = shape_middles + turns * mean_depths
    origins = sizes * (middles - shape_middles * np.exp(1j * tilts))
    return _Placed(
        origins=np.where(seen.any(axis=0), origins, np.nan),
        tilts=tilts,
        turns=turns,
        rest=np.where(seen, rest, np.nan),
    )


def _turns(rest: Planes, arms: Planes, weights: Floats, depths: Floats) -> tuple[Floats, Planes]:
    """Solve what a rigid fit leaves for a further tilt and for turn + i nod: the normal equations, written out.

    Args:
        rest: What is left of each point, shape ``(p, n)``.
        arms: The shape around its middle.
        weights: Adding up to 1 in each frame.
        depths: The points' depths around their mean.
    """
    by_depth = weights * depths
    spread = (by_depth * depths).sum(axis=0) + _LEAST_DEPTH
    shared = (by_depth * arms).sum(axis=0) / spread
    pull = (by_depth * rest).sum(axis=0)
    twist = (weights * np.conj(arms) * rest).sum(axis=0).imag + (shared * np.conj(pull)).imag
    lever = (weights * _squared(arms)).sum(axis=0) - spread * _squared(shared)
    tilts = np.where(lever > _LEAST_LEVER, twist / np.maximum(lever, _LEAST_LEVER), 0.0)
    return tilts, np.asarray(pull / spread - 1j * tilts * shared)


def _medians(values: Planes) -> Planes:
    """Return the median of each row's x and y over the frames that have it, 0 where none has."""
    told = [row[np.isfinite(row)] for row in values]
    return np.array([complex(np.median(row.real), np.median(row.imag)) if row.size else 0j for row in told])


def _usual_angle(angles: Floats) -> float:
    if not angles.size:
        return 0.0
    return float(np.arctan2(np.median(np.sin(angles)), np.median(np.cos(angles))))


def _rounded(values: Planes, step: float) -> Planes:
    return np.asarray(np.rint(values / step) * step)


def _clipped(values: Planes, most: float) -> Planes:
    return np.asarray(np.clip(values.real, -most, most) + 1j * np.clip(values.imag, -most, most))


def _resizing(shoulders: Floats, sizes: Floats) -> float:
    """Return what makes the head's size follow from the shoulders, 1 where both were never seen."""
    both = np.isfinite(shoulders) & (shoulders > 0)
    if not both.any():
        return 1.0
    ratio = float(np.median(shoulders[both] / sizes[both])) / SHOULDERS_PER_HEAD_WIDTH
    return min(max(ratio, 1 / LARGEST_RESIZING), LARGEST_RESIZING)


def _with_points(rows: pa.Table, drawn: Planes) -> pa.Table:
    """Put the drawn points into the columns, and nothing into those of the other face points."""
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    kind = rows.schema.field("k000_x").type
    nothing, zero = pa.nulls(rows.num_rows, kind), pa.array(np.zeros(rows.num_rows, np.uint8))
    for point in range(*PART_SLICES[Part.FACE].indices(KEYPOINT_COUNT)):
        columns |= {f"k{point:03d}_x": nothing, f"k{point:03d}_y": nothing, f"k{point:03d}_score": zero}
    bounds = np.iinfo(kind.to_pandas_dtype())
    for point, positions in zip(REDRAWN, drawn, strict=True):
        unseen = ~np.isfinite(positions)
        scaled = np.where(unseen, 0, np.rint(positions * FIXED_POINT_PER_PIXEL))
        for name, values in (("x", scaled.real), ("y", scaled.imag)):
            whole = np.clip(values, bounds.min, bounds.max).astype(bounds.dtype)
            columns[f"k{point:03d}_{name}"] = pa.array(whole, mask=unseen)
        scores = _coarse_scores(rows[f"k{point:03d}_score"].to_numpy())
        columns[f"k{point:03d}_score"] = pa.array(np.where(unseen, 0, scores).astype(np.uint8))
    return pa.Table.from_arrays(list(columns.values()), schema=rows.schema)


def _coarse_scores(scores: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Round scores up to quarters: a point that was seen never gets the score of an unseen one."""
    step = SCORE_STEP * SCORE_STEPS
    return np.asarray(np.floor(np.maximum(np.ceil(scores / step), 1) * step))
