"""Sequences that are read when they are needed: all frames of a large study do not fit the memory."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.inputs.poses import Gesture, LabelledSequence, PoseSequence, poses_of_keypoints
from models.inputs.views import Outline
from schema.rows import keypoints_from_rows
from schema.timespan import TimeSpan

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownSequence:
    """One person followed through one recording: everything but the points, which ``read`` gives."""

    sequence_id: str
    """``<video id>/<track number>``."""
    video_id: str
    subject_id: str | None
    origin: str
    """``study``, or the name of a data set or release."""
    span: TimeSpan
    """From its first frame to the end of its last one."""
    frame_count: int
    content: str
    """Digest of what the points are read from."""
    read: Callable[[], PoseSequence]
    gestures: tuple[Gesture, ...] = ()
    judged: tuple[TimeSpan, ...] = ()
    scripted_count: int = 0
    """Gestures that only scripts have confirmed."""

    @property
    def is_labelled(self) -> bool:
        """Whether anybody said anything of it."""
        return bool(self.gestures or self.judged)

    def poses(self) -> PoseSequence:
        """Read the points."""
        return self.read()

    def labelled(self) -> LabelledSequence:
        """Read the points, and put what is known beside them."""
        return LabelledSequence(poses=self.read(), gestures=self.gestures, judged=self.judged, origin=self.origin)

    def document(self) -> list[object]:
        """Return what training depends on, for a digest."""
        gestures = [[g.span.start_ns, g.span.end_ns, g.class_id] for g in self.gestures]
        judged = [[span.start_ns, span.end_ns] for span in self.judged]
        known: list[object] = [self.sequence_id, self.subject_id, self.origin, self.frame_count, self.content]
        return [*known, gestures, judged]


class LazySequences(Sequence[Item], Generic[Item]):
    """A sequence of sequences, each read anew whenever it is asked for; going through them in order reads least."""

    def __init__(self, known: Iterable[KnownSequence], make: Callable[[KnownSequence], Item]) -> None:
        """Take what is known of each, and how it is made of that."""
        self._known = tuple(known)
        self._make: Callable[[KnownSequence], Item] = make
        self._places = {one.sequence_id: place for place, one in enumerate(self._known)}

    @property
    def sequence_ids(self) -> tuple[str, ...]:
        """Name the sequences, in their order, without reading them."""
        return tuple(self._places)

    @property
    def outlines(self) -> tuple[Outline, ...]:
        """What is known of the sequences, in their order, without reading them."""
        return tuple(
            Outline(sequence_id=one.sequence_id, subject_id=one.subject_id, gestures=one.gestures)
            for one in self._known
        )

    @property
    def known(self) -> tuple[KnownSequence, ...]:
        """Return everything but the points."""
        return self._known

    def read(self, sequence_id: str) -> Item:
        """Read one by its id; raises ``KeyError`` for an unknown one."""
        return self[self._places[sequence_id]]

    def __len__(self) -> int:
        """Count them."""
        return len(self._known)

    @overload
    def __getitem__(self, place: int) -> Item: ...
    @overload
    def __getitem__(self, place: slice) -> "LazySequences[Item]": ...
    def __getitem__(self, place: int | slice) -> "Item | LazySequences[Item]":
        """Read one by its place; a slice reads nothing."""
        if isinstance(place, slice):
            return LazySequences(self._known[place], self._make)
        return self._make(self._known[place])


class KeypointParts:
    """Reads poses from rows of *keypoints*; the rows of the recording that was read last are kept."""

    def __init__(self, rows_of: Callable[[str], pa.Table]) -> None:
        """Take what gives the rows of a recording."""
        self._rows_of = lru_cache(maxsize=1)(rows_of)

    def poses(self, video_id: str, track_number: int, subject_id: str | None) -> PoseSequence:
        """Read one track."""
        rows = self._rows_of(video_id)
        (sequence,) = keypoints_from_rows(rows.filter(pc.equal(rows["track_number"], track_number)))
        return poses_of_keypoints(sequence, subject_id=subject_id)


def extents(rows: pa.Table) -> dict[int, tuple[TimeSpan, int]]:
    """Return the time that each track takes, its last frame included, and its frames, by track number.

    Args:
        rows: The columns ``track_number`` and ``time_ns`` of *keypoints* of one recording.
    """
    numbers, times_ns = rows["track_number"].to_numpy(), rows["time_ns"].to_numpy()
    found = {}
    for number in np.unique(numbers).tolist():
        found[int(number)] = (extent_of(times_ns[numbers == number]), int(np.count_nonzero(numbers == number)))
    return found


def extent_of(times_ns: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> TimeSpan:
    """Return the time that frames take: the last one is shown for as long as the one before it."""
    first, last = int(times_ns.min()), int(times_ns.max())
    shown_ns = int(np.diff(np.sort(times_ns)[-2:]).sum()) or 1
    return TimeSpan(start_ns=first, end_ns=last + shown_ns)
