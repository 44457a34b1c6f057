"""What a video holds, as lanes of a timeline: shots, people, hands, candidates."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from drawing.colours import FAINT_INK, OUTSIDE, Colour, colours_of, dimmed
from drawing.marks import HAND_COLOURS
from drawing.people import PersonLabel, place_words
from schema.contacts import NOWHERE, SIDES, HandContacts, Touch
from schema.people import Role
from schema.records import Candidate, FrameTimes, Shot
from schema.timespan import TimeSpan

MOST_LANES = 4
"""Candidates of more than four at one time share the last lane: a taller strip would dwarf the picture."""
MOST_PEOPLE = 5
"""More people share lanes, which tell them apart by name."""
MOST_SHARED = 2
"""So many lanes they share at most."""
MOST_HANDS = 2
"""The hands of so many people have lanes of their own: players first, then those who are longest in the picture."""
SEEN_SHARE, NEAR_SHARE = 0.3, 0.6
"""How bright a hand's lane is where the hand is seen and where it is near something; touching is full brightness."""


class Fill(StrEnum):
    """How a block is painted."""

    SOLID = "solid"
    HATCHED = "hatched"
    """Not decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A stretch of a lane."""

    span: TimeSpan
    colour: Colour
    text: str = ""
    """Written inside where it fits."""
    fill: Fill = Fill.SOLID


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One line of a timeline."""

    name: str
    colour: Colour = FAINT_INK
    """Of the name."""
    blocks: tuple[Block, ...]
    """Later ones lie on top."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """When one track is there."""

    label: PersonLabel
    span: TimeSpan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contents:
    """What the lanes are made of."""

    times: FrameTimes
    shots: Sequence[Shot]
    presences: Sequence[Presence]
    hands: Sequence[tuple[PersonLabel, HandContacts]]
    """Contacts of each track, with whom they belong to."""
    candidates: Sequence[Candidate]
    name_of: Callable[[Candidate], str]


def class_or_movement(candidate: Candidate) -> str:
    """Name a candidate by its class id, for callers that have no taxonomy at hand."""
    return (candidate.class_id or "unclassified movement").replace("_", " ")


def lanes_of(spans: Sequence[TimeSpan], *, most: int = MOST_LANES) -> list[int]:
    """Return a lane for each span so that those of one lane do not overlap, as long as the lanes suffice."""
    lanes = [0] * len(spans)
    free_at_ns: list[int] = []
    for index in sorted(range(len(spans)), key=lambda i: (spans[i], i)):
        lane = next((n for n, end_ns in enumerate(free_at_ns) if end_ns <= spans[index].start_ns), len(free_at_ns))
        if lane == len(free_at_ns) and lane < most:
            free_at_ns.append(0)
        lane = min(lane, most - 1)
        free_at_ns[lane] = max(free_at_ns[lane], spans[index].end_ns)
        lanes[index] = lane
    return lanes


def timeline_lanes(contents: Contents) -> tuple[Lane, ...]:
    """Return all lanes from top to bottom; what a video does not have (cuts, people, candidates) has no lane."""
    return (
        *shot_lanes(contents.shots),
        *people_lanes(contents.presences, contents.hands, contents.times),
        *candidate_lanes(contents.candidates, contents.name_of),
    )


def shot_lanes(shots: Sequence[Shot]) -> list[Lane]:
    """Return the lane of the shots, in two greys by turns; none for a video without a cut."""
    if len(shots) < 2:
        return []
    greys = OUTSIDE, dimmed(OUTSIDE, 0.6)
    blocks = (
        Block(span=shot.span, colour=greys[n % 2], text=f"{shot.shot_number + 1}") for n, shot in enumerate(shots)
    )
    return [Lane(name="shots", blocks=tuple(blocks))]


def people_lanes(
    presences: Sequence[Presence], hands: Sequence[tuple[PersonLabel, HandContacts]], times: FrameTimes
) -> list[Lane]:
    """Return a lane for each person, with the hands' below it, players first; the least prominent share lanes."""
    seconds: dict[PersonLabel, float] = {}
    for presence in presences:
        seconds[presence.label] = seconds.get(presence.label, 0.0) + presence.span.seconds
    ranked = sorted(seconds, key=lambda label: (_rank(label.role), -seconds[label], label.name))
    own = ranked if len(ranked) <= MOST_PEOPLE else ranked[: MOST_PEOPLE - 1]
    with_hands = [label for label in own if any(of is label or of == label for of, _ in hands)][:MOST_HANDS]
    lanes: list[Lane] = []
    for label in own:
        blocks = (_presence_block(p, text="") for p in presences if p.label == label)
        lanes.append(Lane(name=label.words, colour=label.colour, blocks=tuple(blocks)))
        if label in with_hands:
            prefix = f"{label.name} " if len(with_hands) > 1 else ""
            tracks = [contacts for of, contacts in hands if of == label]
            lanes += [_hand_lane(tracks, side, times, name=f"{prefix}{SIDES[side]} hand") for side in range(len(SIDES))]
    rest = [presence for presence in presences if presence.label not in own]
    rows = lanes_of([presence.span for presence in rest], most=MOST_SHARED)
    for row in range(max(rows, default=-1) + 1):
        shared = tuple(_presence_block(p, text=p.label.name) for p, at in zip(rest, rows, strict=True) if at == row)
        lanes.append(Lane(name="" if row else f"{len(ranked) - len(own)} more", blocks=shared))
    return lanes


def _rank(role: Role | None) -> int:
    return {Role.PLAYER: 0, Role.UNDECIDED: 1, None: 1, Role.OTHER: 2}[role]


def _presence_block(presence: Presence, *, text: str) -> Block:
    fill = Fill.HATCHED if presence.label.role is Role.UNDECIDED else Fill.SOLID
    return Block(span=presence.span, colour=presence.label.colour, text=text, fill=fill)


def _hand_lane(tracks: Iterable[HandContacts], side: int, times: FrameTimes, *, name: str) -> Lane:
    """Return a hand's lane: dark where it is not seen, brighter where it is seen, near something, touching."""
    colour = HAND_COLOURS[side]
    shades = {
        Touch.AWAY: dimmed(colour, SEEN_SHARE),
        Touch.NEAR: dimmed(colour, NEAR_SHARE),
        Touch.TOUCHING: colour,
    }
    found: dict[Touch, list[Block]] = {touch: [] for touch in shades}
    for contacts in tracks:
        for first, end, touch, place in _stretches(contacts, side):
            if touch != Touch.UNSEEN:
                span = times.span_of(first, end)
                words = "" if place == NOWHERE else place_words(contacts.names[place])
                found[touch].append(Block(span=span, colour=shades[touch], text=words))
    return Lane(name=name, colour=colour, blocks=tuple(block for blocks in found.values() for block in blocks))


def _stretches(contacts: HandContacts, side: int) -> Iterable[tuple[int, int, Touch, int]]:
    """Yield runs of frames of one touch and place: first frame, one past the last, touch, place."""
    touches, places, frames = contacts.touches[:, side], contacts.places[:, side], contacts.frame_indices
    changes = (np.diff(touches) != 0) | (np.diff(places) != 0) | (np.diff(frames) != 1)
    edges: npt.NDArray[np.int64] = np.r_[0, np.flatnonzero(changes) + 1, frames.shape[0]]
    for first, end in pairwise(edges.tolist()):
        yield int(frames[first]), int(frames[end - 1]) + 1, Touch(int(touches[first])), int(places[first])


def candidate_lanes(candidates: Sequence[Candidate], name_of: Callable[[Candidate], str]) -> list[Lane]:
    """Return the lanes of the candidates, each in the colour of its name; one empty lane where there is none."""
    colours = candidate_colours(candidates, name_of)
    rows = lanes_of([candidate.span for candidate in candidates])
    lanes: list[list[Block]] = [[] for _ in range(max(rows, default=0) + 1)]
    for candidate, row in zip(candidates, rows, strict=True):
        name = name_of(candidate)
        lanes[row].append(Block(span=candidate.span, colour=colours[name], text=name))
    return [Lane(name="candidates" if number == 0 else "", blocks=tuple(blocks)) for number, blocks in enumerate(lanes)]


def candidate_colours(candidates: Iterable[Candidate], name_of: Callable[[Candidate], str]) -> Mapping[str, Colour]:
    """Return the colour of each name that candidates have."""
    return colours_of(name_of(candidate) for candidate in candidates)
