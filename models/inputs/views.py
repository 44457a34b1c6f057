"""Parts of long lists of sequences, read when they are asked for: a study's keypoints don't fit into memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, overload, runtime_checkable

from models.inputs.poses import Gesture, LabelledSequence, PoseSequence

Item = TypeVar("Item", PoseSequence, LabelledSequence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """What is known of a sequence without reading its points."""

    sequence_id: str
    subject_id: str | None
    gestures: tuple[Gesture, ...] = ()


@runtime_checkable
class KnowsOutlines(Protocol):
    """A list that tells what its sequences are without reading them."""

    @property
    def outlines(self) -> Sequence[Outline]:
        """What is known of each, in order."""


class Chosen(Sequence[Item], Generic[Item]):
    """Some sequences of a list, each read when it is asked for."""

    def __init__(self, items: Sequence[Item], numbers: Iterable[int]) -> None:
        """Take the list, and the numbers of those that count."""
        self._items: Sequence[Item] = items
        self._numbers = tuple(numbers)

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """What is known of each, in order."""
        known = outlines_of(self._items)
        return tuple(known[number] for number in self._numbers)

    def __len__(self) -> int:
        """Count them."""
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> "Chosen[Item]": ...
    def __getitem__(self, place: int | slice) -> "Item | Chosen[Item]":
        """Read one; a slice reads nothing."""
        if isinstance(place, slice):
            return Chosen(self._items, self._numbers[place])
        return self._items[self._numbers[place]]


def outlines_of(items: Sequence[PoseSequence] | Sequence[LabelledSequence]) -> tuple[Outline, ...]:
    """Return what is known of each sequence; reads them only where the list does not know."""
    if isinstance(items, KnowsOutlines):
        return tuple(items.outlines)
    return tuple(_outline(one) for one in items)


def _outline(item: PoseSequence | LabelledSequence) -> Outline:
    poses, gestures = (item, ()) if isinstance(item, PoseSequence) else (item.poses, item.gestures)
    return Outline(sequence_id=poses.sequence_id, subject_id=poses.subject_id, gestures=gestures)


def without_subjects(items: Sequence[Item], subjects: frozenset[str]) -> Chosen[Item]:
    """Leave out the sequences of some people."""
    return Chosen(items, (n for n, one in enumerate(outlines_of(items)) if one.subject_id not in subjects))
