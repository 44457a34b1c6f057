"""Marks that several people drew in one window become gestures that they drew together."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import combinations

from schema.privacy import ID_HEX_DIGITS
from schema.questions import Mark
from schema.records import Annotation

SAME_CLASS_IOU = 0.3
"""Temporal IoU from which on marks of one class are one gesture."""
OTHER_CLASS_IOU = 0.5
"""Temporal IoU from which on marks of two classes are one gesture whose class is in dispute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkedBy:
    """One mark and the answer that it is of."""

    answer: Annotation
    mark: Mark

    @property
    def key(self) -> tuple[int, str, int, int, str]:
        """Order marks by age and place, whatever order they come in."""
        span = self.mark.span
        answer = self.answer
        return answer.answered_ns, answer.annotation_id, span.start_ns, span.end_ns, self.mark.class_id or ""


def group_marks(drawn: Sequence[MarkedBy]) -> list[dict[str, MarkedBy]]:
    """Group the marks of one window by what they show; a person has one mark in a group.

    The likest pairs are joined first: those of one class from a temporal IoU of ``SAME_CLASS_IOU`` on, then those of
    two classes from ``OTHER_CLASS_IOU`` on. Marks of one person are never joined: who draws two spans sees two
    gestures.

    Returns:
        Each group's marks by ``annotator_id``.
    """
    marks = sorted(drawn, key=lambda one: one.key)
    group_of = {index: {one.answer.annotator_id: one} for index, one in enumerate(marks)}
    pairs = []
    for left, right in combinations(range(len(marks)), 2):
        overlap = marks[left].mark.span.temporal_iou(marks[right].mark.span)
        differs = marks[left].mark.class_id != marks[right].mark.class_id
        if overlap >= (OTHER_CLASS_IOU if differs else SAME_CLASS_IOU):
            pairs.append((differs, -overlap, left, right))
    for _, _, left, right in sorted(pairs):
        first, second = group_of[left], group_of[right]
        if first is not second and not first.keys() & second.keys():
            first |= second
            group_of |= {index: first for index, group in group_of.items() if group is second}
    groups = {id(group): group for group in group_of.values()}
    return list(groups.values())


def make_item_id(group: dict[str, MarkedBy]) -> str:
    """Name a gesture that people drew by its oldest mark: marks that are added later don't change the name."""
    oldest = min(group.values(), key=lambda one: one.key)
    span = oldest.mark.span
    asked, annotator_id = oldest.answer.candidate_id, oldest.answer.annotator_id
    message = f"{asked}\n{annotator_id}\n{span.start_ns}\n{span.end_ns}\n{oldest.mark.class_id}"
    return "m" + sha256(message.encode()).hexdigest()[:ID_HEX_DIGITS]
