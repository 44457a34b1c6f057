"""Which points of a layout a model looks at, and how they hang together."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from schema.layouts import LAYOUTS, Layout
from schema.skeleton import FACE_START, LEFT_HAND_START, RIGHT_HAND_START

_MOUTH = (48, 51, 54, 57, 62, 66)
"""Corners and middles of the lips among iBUG's 68 points: pressed lips have few other witnesses."""
_CHIN = 8
WATCHED = frozenset(
    {
        *range(FACE_START),
        FACE_START + _CHIN,
        *(FACE_START + point for point in _MOUTH),
        *range(LEFT_HAND_START, RIGHT_HAND_START + 21),
    }
)
"""Canonical points that tell of gestures: body and feet where they are in view, chin, lips, both hands."""
_SHOULDERS = (5, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """The points that a model sees, numbered from 0 in the order of the layout."""

    layout: str
    points: tuple[int, ...]
    """Which of the layout's points they are."""
    parents: tuple[int, ...]
    """The point that each one hangs on; the root hangs on itself."""
    flip: tuple[int, ...]
    """Permutation that renames the points of a mirrored picture."""
    parts: dict[str, tuple[int, ...]]
    """Points of body, face, left_hand and right_hand, as far as the layout has them."""
    limbs: dict[str, tuple[int, ...]]
    """Points that move together: head, trunk, arms with their hands, legs."""
    shoulders: tuple[tuple[int, ...], tuple[int, ...]]
    """The layout's points (not this skeleton's numbers) whose mean is the left and the right shoulder."""

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """Pairs (parent, point), without the root's."""
        return tuple((parent, point) for point, parent in enumerate(self.parents) if parent != point)


def watched_points(layout_name: str) -> tuple[int, ...]:
    """Return the points of a layout that are made of watched canonical points alone."""
    layout = LAYOUTS[layout_name]
    return tuple(number for number, source in enumerate(layout.sources) if WATCHED.issuperset(source))


def make_skeleton(layout_name: str, points: Sequence[int]) -> Skeleton:
    """Join chosen points of a layout: each hangs on the nearest chosen one on its way to the shoulders.

    A point whose mirror image is not chosen is left out, so that flipping keeps the set.
    """
    layout = LAYOUTS[layout_name]
    held = set(points)
    chosen = sorted(point for point in held if layout.flip[point] in held)
    number_of = {point: number for number, point in enumerate(chosen)}
    return Skeleton(
        layout=layout_name,
        points=tuple(chosen),
        parents=_parents(layout, number_of),
        flip=tuple(number_of[layout.flip[point]] for point in chosen),
        parts=_grouped(layout, chosen, _part_of),
        limbs=_grouped(layout, chosen, _limb_of),
        shoulders=(_shoulder(layout, _SHOULDERS[0]), _shoulder(layout, _SHOULDERS[1])),
    )


def _shoulder(layout: Layout, canonical: int) -> tuple[int, ...]:
    return tuple(number for number, source in enumerate(layout.sources) if source == (canonical,))[:1]


def _parents(layout: Layout, number_of: dict[int, int]) -> tuple[int, ...]:
    """Walk the layout's graph breadth first from the neck (the left shoulder where it has none)."""
    root = next((n for n, source in enumerate(layout.sources) if set(source) == set(_SHOULDERS)), None)
    start = root if root is not None else (_shoulder(layout, _SHOULDERS[0]) or (0,))[0]
    joined: dict[int, list[int]] = {}
    for first, second in layout.limbs:
        joined.setdefault(first, []).append(second)
        joined.setdefault(second, []).append(first)
    nearest: dict[int, int | None] = {start: number_of.get(start)}
    parents = list(range(len(number_of)))
    queue = deque([start])
    while queue:
        point = queue.popleft()
        for other in sorted(joined.get(point, ())):
            if other in nearest:
                continue
            above = nearest[point]
            mine = number_of.get(other)
            if mine is not None and above is not None:
                parents[mine] = above
            nearest[other] = above if mine is None else mine
            queue.append(other)
    return tuple(parents)


def _grouped(
    layout: Layout, chosen: Sequence[int], name_of: Callable[[tuple[int, ...]], str]
) -> dict[str, tuple[int, ...]]:
    groups: dict[str, list[int]] = {}
    for number, point in enumerate(chosen):
        groups.setdefault(name_of(layout.sources[point]), []).append(number)
    return {name: tuple(numbers) for name, numbers in groups.items()}


def _part_of(source: tuple[int, ...]) -> str:
    first = min(source)
    if first >= RIGHT_HAND_START:
        return "right_hand"
    if first >= LEFT_HAND_START:
        return "left_hand"
    return "face" if first >= FACE_START else "body"


def _limb_of(source: tuple[int, ...]) -> str:
    first = min(source)
    part = _part_of(source)
    if part in ("left_hand", "right_hand"):
        return part.replace("hand", "arm")
    if part == "face" or max(source) <= 4:
        return "head"
    if first in (7, 9):
        return "left_arm"
    if first in (8, 10):
        return "right_arm"
    return "trunk" if first in (5, 6, 11, 12) else "legs"
