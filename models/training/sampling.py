"""Which windows a model is pre-trained on: the rule of ``kinematics.unlabelled_windows``, for any layout.

1. Quality: the mean score of the points of head, arms and hands, as far as the model sees them, unseen ones as 0.
2. Movement: the fastest of head, shoulders and the two hands, above its own jitter, median over the window.
3. Windows overlap by half. A sequence shorter than a window is one window, if it lasts ``SHORTEST_S``.
4. Of one person at most so many, shared out evenly over the person's sequences; which ones a seeded hash decides.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from kinematics.unlabelled_windows import (
    GoodWindow,
    WindowBounds,
    drawing_order,
    fastest_speeds,
    good_windows,
    quotas,
)
from kinematics.windows import Floats, seconds_of
from models.config import PretrainConfig
from models.inputs.normalise import NormalisedSequence
from models.inputs.skeletons import Skeleton
from schema.layouts import LAYOUTS
from schema.records import PART_SLICES, Part
from schema.timespan import NS_PER_SECOND

SHORTEST_S = 1.0
"""A sequence shorter than a window is taken whole if it lasts as long; less holds too few frames to learn from."""
SPEED_OVER_FRAMES = 3
"""Speeds are measured over so many frames (0.24 s at 12.5 frames/s), between the means of two frames to each side."""
_LEFT_HAND, _RIGHT_HAND = (
    frozenset({wrist, *range(PART_SLICES[part].start, PART_SLICES[part].stop)})
    for wrist, part in ((9, Part.LEFT_HAND), (10, Part.RIGHT_HAND))
)
MOVING: tuple[frozenset[int], ...] = (frozenset(range(5)), frozenset({5, 6}), _LEFT_HAND, _RIGHT_HAND)
"""Canonical points whose movement counts: head, shoulders, each wrist with its hand."""
TELLING_POINTS = frozenset(range(11)) | _LEFT_HAND | _RIGHT_HAND
"""Canonical points whose scores count: nose to wrists, both hands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledWindow:
    """A window that was drawn."""

    sequence: int
    """Number of its sequence among those that were given."""
    frames: slice
    quality: float
    movement: float


def collect_windows(
    sequences: Iterable[NormalisedSequence | None],
    *,
    subject_ids: Sequence[str | None],
    skeleton: Skeleton,
    config: PretrainConfig,
    seed: int,
) -> "UnlabelledWindows":
    """Draw the windows to pre-train on and keep their frames alone; sequences are taken one at a time.

    A sequence of an unknown person counts as a person of its own. Of more than ``config.most_windows`` those with the
    smallest hash stay.

    Args:
        sequences: all of them, in order; None for one that can't be used.
        subject_ids: who is in each.
        skeleton: names the points.
        config: bounds and numbers.
        seed: of the hash.
    """
    numbers_of: dict[str, list[str]] = defaultdict(list)
    for number, subject_id in enumerate(subject_ids):
        unknown = f"sequence {number}"
        numbers_of[unknown if subject_id is None else f"subject {subject_id}"].append(str(number))
    shares = quotas(numbers_of, most_per_subject=config.most_per_subject)
    kept: list[tuple[str, int, int, NormalisedSequence, SampledWindow]] = []
    for number, sequence in enumerate(sequences):
        if sequence is None:
            continue
        found = _good(sequence, skeleton=skeleton, config=config)
        order = {w.start_ns: drawing_order(seed, f"{sequence.sequence_id} {w.start_ns}") for w in found}
        for window in sorted(found, key=lambda one: order[one.start_ns])[: shares[str(number)]]:
            told = SampledWindow(sequence=number, frames=window.rows, quality=window.quality, movement=window.movement)
            kept.append((order[window.start_ns], number, window.start_ns, _cut(sequence, window.rows), told))
        if len(kept) > 2 * config.most_windows:
            kept = sorted(kept, key=lambda one: one[:3])[: config.most_windows]
    kept = sorted(sorted(kept, key=lambda one: one[:3])[: config.most_windows], key=lambda one: one[1:3])
    return UnlabelledWindows([one[3] for one in kept], [one[4] for one in kept])


def _cut(sequence: NormalisedSequence, frames: slice) -> NormalisedSequence:
    return replace(
        sequence,
        times_ns=sequence.times_ns[frames].copy(),
        positions=sequence.positions[frames].copy(),
        seen=sequence.seen[frames].copy(),
        scores=sequence.scores[frames].copy(),
    )


class UnlabelledWindows:
    """Drawn windows with their frames."""

    def __init__(self, pieces: Sequence[NormalisedSequence], windows: Sequence[SampledWindow]) -> None:
        """Take the frames of each window, and where they were."""
        self._pieces = tuple(pieces)
        self.windows = tuple(windows)
        self.longest = max((len(piece.times_ns) for piece in self._pieces), default=0)

    @property
    def dimensions(self) -> int:
        """2 in the plane, 3 in space."""
        return int(self._pieces[0].positions.shape[2])

    def __len__(self) -> int:
        """Return how many windows there are."""
        return len(self.windows)

    def cut(self, numbers: Iterable[int], offsets: Iterable[float], *, length: int) -> tuple[Tensor, Tensor, Tensor]:
        """Cut pieces of ``length`` frames out of windows; where a window is shorter, nothing is seen after its end.

        Args:
            numbers: which windows.
            offsets: where in each the piece lies, 0 at its start to 1 at its end.
            length: frames of a piece.

        Returns:
            Positions ``(B, T, P, D)``, seen ``(B, T, P)`` and scores ``(B, T, P)``.
        """
        pieces = [self._piece(number, offset, length) for number, offset in zip(numbers, offsets, strict=True)]
        positions, seen, scores = (np.stack(arrays) for arrays in zip(*pieces, strict=True))
        return torch.from_numpy(positions), torch.from_numpy(seen), torch.from_numpy(scores)

    def _piece(self, number: int, offset: float, length: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        whole = self._pieces[number]
        count = len(whole.times_ns)
        start = round(offset * max(0, count - length))
        rows = slice(start, min(start + length, count))
        lacking = length - (rows.stop - rows.start)
        arrays = (whole.positions[rows], whole.seen[rows], whole.scores[rows])
        if not lacking:
            return arrays
        positions, seen, scores = (np.pad(a, [(0, lacking), *[(0, 0)] * (a.ndim - 1)]) for a in arrays)
        return positions, seen, scores


def _good(sequence: NormalisedSequence, *, skeleton: Skeleton, config: PretrainConfig) -> list[GoodWindow]:
    if sequence.times_ns.shape[0] < 2:
        return []
    bounds = WindowBounds(
        window_seconds=config.window_seconds,
        min_quality=config.min_quality,
        slowest=config.slowest,
        fastest=config.fastest,
    )
    lasts_ns = int(sequence.times_ns[-1] - sequence.times_ns[0])
    if SHORTEST_S * NS_PER_SECOND <= lasts_ns < bounds.length_ns:
        bounds = replace(bounds, window_seconds=lasts_ns / NS_PER_SECOND)
    return good_windows(
        sequence.times_ns,
        quality=_quality(sequence, skeleton),
        speeds=_speeds(sequence, skeleton),
        bounds=bounds,
        step_ns=bounds.length_ns // 2,
    )


def _quality(sequence: NormalisedSequence, skeleton: Skeleton) -> Floats:
    points = _points_of(skeleton, TELLING_POINTS)
    if not points:
        return np.zeros(sequence.scores.shape[0])
    return np.asarray(sequence.scores[:, points].mean(axis=1, dtype=np.float64))


def _speeds(sequence: NormalisedSequence, skeleton: Skeleton) -> Floats:
    positions = np.where(sequence.seen[..., None], sequence.positions, np.nan).astype(np.float64)
    parts = [points for group in MOVING if (points := _points_of(skeleton, group))]
    return fastest_speeds(
        positions, seconds_of(sequence.times_ns), parts=parts, over_s=SPEED_OVER_FRAMES / sequence.rate_hz
    )


def _points_of(skeleton: Skeleton, canonical: frozenset[int]) -> list[int]:
    """Return the skeleton's points that are made of nothing but these canonical ones."""
    sources = LAYOUTS[skeleton.layout].sources
    return [number for number, point in enumerate(skeleton.points) if canonical.issuperset(sources[point])]
