"""Edges moved to where the moving part is stillest: people begin and end gestures at rest."""

import numpy as np
import numpy.typing as npt

from models.inputs.normalise import Bools, Floats32
from models.inputs.skeletons import Skeleton

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def part_energies(positions: Floats32, seen: Bools, skeleton: Skeleton) -> Floats32:
    """Return the mean squared way of each limb's points between neighbouring frames, shape ``(t, limbs)``.

    In shoulder widths squared, the mean of the ways before and after each frame; 0 where nothing of the limb is seen.
    """
    way = np.square(np.diff(positions, axis=0)).sum(axis=2)
    both = seen[1:] & seen[:-1]
    columns = []
    for points in skeleton.limbs.values():
        chosen = list(points)
        count = np.maximum(both[:, chosen].sum(axis=1), 1)
        columns.append((way[:, chosen] * both[:, chosen]).sum(axis=1) / count)
    between = np.stack(columns, axis=1) if columns else np.zeros((way.shape[0], 0), np.float32)
    padded = np.concatenate([between[:1], between, between[-1:]]) if len(between) else np.zeros((1, len(columns)))
    return ((padded[1:] + padded[:-1]) / 2).astype(np.float32)


def snap(first: Floats, end: Floats, energies: Floats32, *, within: int) -> tuple[Floats, Floats]:
    """Move edges by at most ``within`` frames to the least energy of the limb that moves most in the span.

    Of equal minima the nearest counts. A span never becomes shorter than half of its length.

    Args:
        first: first frames, shape ``(n,)``.
        end: end frames, shape ``(n,)``.
        energies: ``part_energies`` of the frames, shape ``(t, limbs)``.
        within: frames; 0 leaves all edges where they are.
    """
    frames, limbs = energies.shape
    if within == 0 or not limbs or not len(first):
        return first, end
    sums = np.concatenate([np.zeros((1, limbs)), np.cumsum(energies, axis=0, dtype=np.float64)])
    low = np.clip(np.floor(first).astype(np.int64), 0, frames - 1)
    high = np.clip(np.ceil(end).astype(np.int64), low + 1, frames)
    inside = (sums[high] - sums[low]) / (high - low)[:, None]
    usual = np.maximum(energies.mean(axis=0), 1e-9)
    limb = (inside / usual).argmax(axis=1)
    steps = np.array(sorted(range(-within, within + 1), key=abs))
    moved = []
    for edge in (first, end):
        places = np.round(edge).astype(np.int64)[:, None] + steps
        valid = (places >= 0) & (places < frames)
        around = np.where(valid, energies[np.clip(places, 0, frames - 1), limb[:, None]], np.inf)
        stillest = around.argmin(axis=1)
        moved.append(np.where(np.isfinite(around.min(axis=1)), edge + steps[stillest], edge))
    is_short = moved[1] - moved[0] < (end - first) / 2
    return np.where(is_short, first, moved[0]), np.where(is_short, end, moved[1])
