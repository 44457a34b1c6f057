"""People made of numbers, in COCO's 17 points, who nod, raise an arm and lean: each gesture a class, from a seed."""

from dataclasses import replace

import numpy as np

from models.config import AugmentConfig, NetworkConfig, PretrainConfig, TrainConfig
from models.inputs.poses import Gesture, LabelledSequence, PoseSequence
from schema.taxonomy import Taxonomy, parse_taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan

RATE = 25
REST = np.array(
    [
        *[(0, -0.6), (0.08, -0.68), (-0.08, -0.68), (0.16, -0.62), (-0.16, -0.62), (0.5, 0), (-0.5, 0), (0.7, 0.5)],
        *[(-0.7, 0.5), (0.5, 0.9), (-0.5, 0.9), (0.3, 1.2), (-0.3, 1.2), (0.3, 2), (-0.3, 2), (0.3, 2.8), (-0.3, 2.8)],
    ],
    np.float64,
)
"""A standing person, shoulder widths from the neck, y down."""
HEAD, LEFT_HAND, ABOVE_HIPS = range(5), [9], range(11)
CLASSES = ("nodding", "raising", "leaning")
TINY = TrainConfig(
    steps=100,
    batch=8,
    window_seconds=5.12,
    learning_rate=4e-3,
    fewest_examples=3,
    folds=2,
    augment=AugmentConfig(repeat=0.0),
    pretrain=PretrainConfig(method="none"),
    network=NetworkConfig(width=32, layers=3, levels=4, dropout=0.1),
)
"""Trains in some seconds."""


def made_taxonomy() -> Taxonomy:
    """Three classes in two groups."""
    groups = {"nodding": "head", "raising": "arms", "leaning": "arms"}
    rows = [
        {
            "class_id": name,
            "number": number,
            "name": name,
            "group": groups[name],
            "definition": f"{name}, made up",
            "question": f"Is this {name}?",
            "phrase": name,
        }
        for number, name in enumerate(CLASSES)
    ]
    return parse_taxonomy({"name": "made", "title": "Made up", "source": "none", "classes": rows})


def made_sequence(
    subject: str, *, seconds: float = 40.0, seed: int = 0, layout_scale: float = 100.0
) -> LabelledSequence:
    """One person in pixels; a gesture of 0.8 to 2 s about every three seconds, judged throughout."""
    random = np.random.default_rng((seed, *subject.encode()))
    count = round(seconds * RATE)
    times_ns = np.arange(count, dtype=np.int64) * (NS_PER_SECOND // RATE)
    points = np.repeat(REST[None], count, axis=0) + random.normal(0, 0.01, (count, len(REST), 2))
    gestures = []
    at = random.uniform(0.5, 2)
    while at + 2.2 < seconds:
        length = random.uniform(0.8, 2)
        name = CLASSES[int(random.integers(len(CLASSES)))]
        frames = slice(round(at * RATE), round((at + length) * RATE))
        points[frames] += _motion(name, frames.stop - frames.start)
        span = TimeSpan(start_ns=int(times_ns[frames.start]), end_ns=int(times_ns[frames.stop]))
        gestures.append(Gesture(span=span, class_id=name))
        at += length + random.uniform(0.8, 2)
    whole = TimeSpan(start_ns=0, end_ns=int(times_ns[-1]) + NS_PER_SECOND // RATE)
    poses = PoseSequence(
        sequence_id=f"{subject}/1",
        subject_id=subject,
        layout="coco17",
        times_ns=times_ns,
        positions=(points * layout_scale + random.uniform(200, 400, 2)).astype(np.float32),
        scores=np.full((count, len(REST)), 0.9, np.float32),
    )
    return LabelledSequence(poses=poses, gestures=tuple(gestures), judged=(whole,))


def _motion(name: str, frames: int) -> np.ndarray:
    along = np.sin(np.linspace(0, np.pi, frames))[:, None]
    way = np.zeros((frames, len(REST), 2))
    if name == "nodding":
        way[:, HEAD, 1] = 0.15 * np.abs(np.sin(np.linspace(0, 2 * np.pi, frames)))[:, None]
    elif name == "raising":
        way[:, LEFT_HAND, 1] = -0.7 * along
    else:
        way[:, ABOVE_HIPS, 0] = 0.25 * along
    return way


def made_people(count: int, *, seconds: float = 40.0, seed: int = 0) -> list[LabelledSequence]:
    """Several people."""
    return [made_sequence(f"person{number}", seconds=seconds, seed=seed) for number in range(count)]


def without_labels(sequence: LabelledSequence) -> LabelledSequence:
    """The same recording, of which nobody said anything."""
    return replace(sequence, gestures=(), judged=())
