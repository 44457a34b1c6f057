"""Made-up people whose movements differ in what moves how, for tests of training without labels."""

import numpy as np

from models.inputs.normalise import NormalisedSequence
from models.inputs.skeletons import Skeleton, make_skeleton, watched_points

RATE_HZ = 12.5
STEP_NS = 80_000_000
SKELETON: Skeleton = make_skeleton("imigue22", watched_points("imigue22"))
"""22 points: body and finger tips of both hands."""


def sequence(
    positions: np.ndarray, *, number: int = 0, subject: str | None = None, seen: np.ndarray | None = None
) -> NormalisedSequence:
    """Positions ``(n, p, d)`` as a normalised sequence, all seen unless told otherwise."""
    there = np.ones(positions.shape[:2], np.bool_) if seen is None else seen
    return NormalisedSequence(
        sequence_id=f"made-up {number}",
        subject_id=subject,
        rate_hz=RATE_HZ,
        times_ns=np.arange(positions.shape[0], dtype=np.int64) * STEP_NS,
        positions=np.where(there[..., None], positions, 0).astype(np.float32),
        seen=there,
        scores=there.astype(np.float32),
    )


def gesture(kind: int, random: np.random.Generator, *, frames: int = 40, dimensions: int = 2) -> np.ndarray:
    """One of six small movements by somebody who sits as people do: wherever, trembling, at a pace of their own.

    Two hands times three ways to move: up and down, in a circle, up and down in short bursts.
    """
    points = len(SKELETON.points)
    rest = np.random.default_rng(7).normal(0, 0.7, (points, dimensions)) + random.normal(0, 0.15, (points, dimensions))
    positions = np.repeat(rest[None], frames, axis=0) + random.normal(0, 0.02, (frames, points, dimensions))
    sway = np.cumsum(random.normal(0, 0.01, (frames, 1, dimensions)), axis=0)
    phase = 2 * np.pi * (random.uniform(0.6, 1.2) * np.arange(frames) / RATE_HZ + random.uniform())
    across, along = np.zeros(frames), np.sin(phase)
    if kind // 2 == 1:
        across = np.cos(phase)
    if kind // 2 == 2:
        along = along * (np.sin(phase / 3) > 0)
    hand = range(12, 17) if kind % 2 else range(17, 22)
    way = random.uniform(0.1, 0.25) * np.stack([across, along, *[np.zeros(frames)] * (dimensions - 2)], axis=1)
    positions[:, list(hand)] += way[:, None]
    return (positions + sway).astype(np.float32)


def gestures(count: int, *, seed: int, frames: int = 40) -> tuple[list[NormalisedSequence], np.ndarray]:
    """So many sequences of one gesture each, and their kinds 0..5."""
    random = np.random.default_rng(seed)
    kinds = random.integers(6, size=count)
    made = [
        sequence(gesture(int(kind), random, frames=frames), number=number, subject=str(number % 10))
        for number, kind in enumerate(kinds)
    ]
    return made, kinds
