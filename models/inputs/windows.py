"""Labelled windows of one length, drawn so that rare classes come often enough."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.inputs.normalise import Bools, Floats32, NormalisedSequence
from models.inputs.poses import Gesture
from schema.timespan import NS_PER_SECOND, TimeSpan

BACKGROUND_SHARE = 0.25
"""Share of the windows that are drawn from judged time by chance, whatever happens in them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedGesture:
    """A gesture in frames of a window, edges as fractions of frames; they may lie outside it."""

    output: int
    """Number of its class among the classes that are told apart; -1: its group alone."""
    group: int
    first: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelledFrames:
    """A normalised sequence with its gestures in frames."""

    frames: NormalisedSequence
    gestures: tuple[PlacedGesture, ...]
    judged: Bools
    """Whether every gesture at the frame is known, shape ``(n,)``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Window:
    """A stretch of a sequence, padded with what nobody saw."""

    positions: Floats32
    """Shape ``(t, p, d)``."""
    seen: Bools
    scores: Floats32
    judged: Bools
    """Shape ``(t,)``."""
    gestures: tuple[PlacedGesture, ...]
    """Those that overlap it."""


def place_labels(
    frames: NormalisedSequence,
    gestures: Sequence[Gesture],
    judged: Sequence[TimeSpan],
    *,
    output_of: dict[str, int],
    group_of: dict[str, int],
) -> LabelledFrames:
    """Put labels into frames; classes that ``output_of`` lacks are told by their group, ``group_of``."""
    is_judged = np.zeros(frames.times_ns.shape[0], np.bool_)
    for span in judged:
        first, end = np.searchsorted(frames.times_ns, [span.start_ns, span.end_ns])
        is_judged[first:end] = True
    placed = tuple(
        PlacedGesture(
            output=output_of.get(gesture.class_id, -1),
            group=group_of[gesture.class_id],
            first=_frame_at(frames, gesture.span.start_ns),
            end=_frame_at(frames, gesture.span.end_ns),
        )
        for gesture in gestures
    )
    return LabelledFrames(frames=frames, gestures=placed, judged=is_judged)


def _frame_at(frames: NormalisedSequence, time_ns: int) -> float:
    return (time_ns - int(frames.times_ns[0])) / NS_PER_SECOND * frames.rate_hz


def class_chances(counts: Counter[int], *, balance: float) -> dict[int, float]:
    """Return the chance that a window is drawn around a gesture of each class: ``count ** (1 - balance)``, sum 1."""
    powers = {kind: count ** (1.0 - balance) for kind, count in sorted(counts.items())}
    whole = sum(powers.values())
    return {kind: power / whole for kind, power in powers.items()}


class WindowSampler:
    """Draws windows: a class by its chance, one of its gestures, and a place for the window around it."""

    def __init__(self, sequences: Sequence[LabelledFrames], *, length: int, balance: float) -> None:
        """Take the sequences and the length in frames."""
        self._sequences, self._length = sequences, length
        self._by_kind: dict[int, list[tuple[int, int]]] = {}
        for row, sequence in enumerate(sequences):
            for number, gesture in enumerate(sequence.gestures):
                kind = gesture.output if gesture.output >= 0 else -1 - gesture.group
                self._by_kind.setdefault(kind, []).append((row, number))
        counts = Counter({kind: len(places) for kind, places in self._by_kind.items()})
        self._chances = class_chances(counts, balance=balance)
        self._judged = np.array([sequence.judged.sum() for sequence in sequences], dtype=np.float64)

    def draw(self, count: int, *, random: np.random.Generator) -> list[Window]:
        """Draw so many windows."""
        return [self._one(random) for _ in range(count)]

    def _one(self, random: np.random.Generator) -> Window:
        length = self._length
        if random.random() < BACKGROUND_SHARE and self._judged.sum() > 0:
            row = int(random.choice(len(self._sequences), p=self._judged / self._judged.sum()))
            middle = float(random.choice(np.flatnonzero(self._sequences[row].judged)))
            return cut_window(self._sequences[row], round(middle - random.uniform(0, length)), length)
        kinds = list(self._chances)
        kind = kinds[int(random.choice(len(kinds), p=list(self._chances.values())))]
        row, number = self._by_kind[kind][int(random.integers(len(self._by_kind[kind])))]
        gesture = self._sequences[row].gestures[number]
        middle = (gesture.first + gesture.end) / 2
        half = min(gesture.end - gesture.first, length) / 2  # of a longer gesture the middle is shown
        first = middle + half - length + random.random() * (length - 2 * half)
        return cut_window(self._sequences[row], round(first), length)


def cut_window(sequence: LabelledFrames, first: int, length: int) -> Window:
    """Cut ``length`` frames from ``first`` on; outside of the sequence nothing is seen and nothing is judged."""
    frames = sequence.frames
    count = frames.times_ns.shape[0]
    low, high = max(first, 0), min(first + length, count)
    inside = slice(low - first, max(high - first, low - first))

    def padded(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        whole = np.zeros((length, *values.shape[1:]), values.dtype)
        whole[inside] = values[low : max(high, low)]
        return whole

    return Window(
        positions=np.asarray(padded(frames.positions), np.float32),
        seen=np.asarray(padded(frames.seen), np.bool_),
        scores=np.asarray(padded(frames.scores), np.float32),
        judged=np.asarray(padded(sequence.judged), np.bool_),
        gestures=tuple(
            PlacedGesture(output=g.output, group=g.group, first=g.first - first, end=g.end - first)
            for g in sequence.gestures
            if g.end > first and g.first < first + length
        ),
    )
