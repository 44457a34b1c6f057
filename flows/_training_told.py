"""What is told of the gestures of one followed person, from whatever source: gestures, and the time that was judged."""

from collections import defaultdict
from dataclasses import dataclass, field

from models.inputs.poses import Gesture
from schema.timespan import TimeSpan, united, without

SAME_GESTURE_IOU = 0.7
"""Temporal IoU from which on two gestures of one class are one that two sources tell (as adjudication has it)."""
Place = tuple[str, int]
"""Video id and track number."""


@dataclass(slots=True, kw_only=True)
class Told:
    """What sources tell of one track."""

    gestures: list[Gesture] = field(default_factory=list)
    asked: list[TimeSpan] = field(default_factory=list)
    """What people were asked about and settled, or watched completely."""
    open: list[TimeSpan] = field(default_factory=list)
    """Where people differ, or agreed on a movement that no class names: it is an example of nothing."""

    scripted: int = 0
    """Gestures that only scripts have confirmed."""

    def distinct(self) -> tuple[Gesture, ...]:
        """Return the gestures by time, each once."""
        kept: list[Gesture] = []
        for gesture in sorted(self.gestures):
            same = (g for g in kept if g.class_id == gesture.class_id)
            if not any(g.span.temporal_iou(gesture.span) >= SAME_GESTURE_IOU for g in same):
                kept.append(gesture)
        return tuple(kept)

    def judged(self) -> tuple[TimeSpan, ...]:
        """Return where every gesture is known, by time: what was settled, without what is open."""
        known = without(self.asked, self.open)
        return tuple(united([*known, *(gesture.span for gesture in self.gestures)]))


class AllTold(defaultdict[Place, Told]):
    """What is told, by video and track; asking for a track makes its entry."""

    def __init__(self) -> None:
        """Begin with nothing."""
        super().__init__(Told)
