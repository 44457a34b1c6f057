"""Edges moved to where the moving part is stillest: people begin and end gestures at rest."""

import numpy as np
import numpy.typing as npt

from models.inputs.normalise import Bools, Floats32
from models.inputs.skeletons import Skeleton

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def part_energies(positions: Floats32, seen: Bools, skeleton: Skeleton, *, inside: slice = slice(None)) -> Floats32:
    """Return the mean squared way of each limb's points between neighbouring frames, shape ``(t, limbs)``.

    In shoulder widths squared, the mean of the ways before and after each frame; NaN where nothing of the limb is seen
    around it: a hand that is lost is not a hand at rest.

    Args:
        positions: Shape ``(t, p, d)``.
        seen: Shape ``(t, p)``.
        skeleton: Which points each limb has.
        inside: The frames that the sequence has; outside nothing moves.
    """
    way = np.square(np.diff(positions, axis=0)).sum(axis=2)
    both = seen[1:] & seen[:-1]
    first, end, _ = inside.indices(len(positions))
    numbers = np.arange(way.shape[0])
    is_outside = (numbers < first) | (numbers + 1 >= end)
    between = np.full((way.shape[0], len(skeleton.limbs)), np.nan)
    for column, points in enumerate(skeleton.limbs.values()):
        chosen = list(points)
        count = both[:, chosen].sum(axis=1)
        is_known = count > 0
        between[is_known, column] = (way[:, chosen] * both[:, chosen]).sum(axis=1)[is_known] / count[is_known]
    between[is_outside] = 0.0
    if not len(between):
        return np.full((1, between.shape[1]), np.nan, np.float32)
    padded = np.concatenate([between[:1], between, between[-1:]])
    before, after = padded[:-1], padded[1:]
    either = np.where(np.isnan(before), after, np.where(np.isnan(after), before, (before + after) / 2))
    return either.astype(np.float32)


def snap(first: Floats, end: Floats, energies: Floats32, *, within: int) -> tuple[Floats, Floats]:
    """Move edges by at most ``within`` frames to the least energy of the limb that moves most in the span.

    Of equal minima the nearest counts; where the limb is not seen an edge is not put. A span never becomes shorter than
    half of its length.

    Args:
        first: first frames, shape ``(n,)``.
        end: end frames, shape ``(n,)``.
        energies: ``part_energies`` of the frames, shape ``(t, limbs)``.
        within: frames; 0 leaves all edges where they are.
    """
    frames, limbs = energies.shape
    if within == 0 or not limbs or not len(first):
        return first, end
    is_known = np.isfinite(energies)
    sums, counts = (
        np.concatenate([np.zeros((1, limbs)), np.cumsum(values, axis=0, dtype=np.float64)])
        for values in (np.where(is_known, energies, 0), is_known)
    )
    low = np.clip(np.floor(first).astype(np.int64), 0, frames - 1)
    high = np.clip(np.ceil(end).astype(np.int64), low + 1, frames)
    inside = (sums[high] - sums[low]) / np.maximum(counts[high] - counts[low], 1)
    usual = np.maximum(sums[-1] / np.maximum(counts[-1], 1), 1e-9)
    limb = (inside / usual).argmax(axis=1)
    steps = np.array(sorted(range(-within, within + 1), key=abs))
    moved = []
    for edge in (first, end):
        places = np.round(edge).astype(np.int64)[:, None] + steps
        around = energies[np.clip(places, 0, frames - 1), limb[:, None]]
        around = np.where((places >= 0) & (places < frames) & np.isfinite(around), around, np.inf)
        stillest = around.argmin(axis=1)
        moved.append(np.where(np.isfinite(around.min(axis=1)), edge + steps[stillest], edge))
    is_short = moved[1] - moved[0] < (end - first) / 2
    return np.where(is_short, first, moved[0]), np.where(is_short, end, moved[1])
