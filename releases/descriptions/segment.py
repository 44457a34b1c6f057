"""One segment measured: which part moves, which side does it, where a hand is, and how it moves there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from kinematics.hands import ELBOWS, SIDES, WRISTS, find_hands, trusted_points
from kinematics.scale import head_measures_px
from kinematics.windows import Floats, seconds_of
from releases.descriptions.contact import HEAD_AND_NECK, Scene, Touching, find_touching, finger_ends, medians_of_known
from releases.descriptions.movement import (
    FEWEST_FRAMES,
    FEWEST_SEEN,
    STILL,
    UNKNOWN,
    Movement,
    measure_movement,
    trembling,
)
from releases.descriptions.parts import BODY, PLURALS, Wanted
from schema.records import KeypointSequence
from schema.skeleton import FACE_START
from schema.timespan import NS_PER_SECOND

Rows = npt.NDArray[np.int64]
MARGIN_S = 1.5
"""Frames this long around a segment tell the person's size, the trembling, and which hand is which."""
MOST_LOOKED_AT = 24
"""Contacts are looked for in so many frames of a segment, evenly spread."""
MUCH_MORE = 2.0
"""One side alone does it where its number is this many times the other's."""
QUIET_FACTOR = 3.0
"""A part trembles at most so many times as much as head or shoulders: a hand that moves all the time, seen in few
frames a second, looks like noise to itself."""
STEADY_SHARE = 0.8
"""A point takes part in a mean where it is seen in this share of the frames, so that no change of points is a move."""
STILL_FACE = tuple(range(FACE_START + 27, FACE_START + 48))
"""Face points of nose and eyes: they move with the head and not with the mouth."""
LOWER_LIP = tuple(FACE_START + number for number in (55, 56, 57, 58, 59, 65, 66, 67))
ARRIVED, ARRIVED_STEP, ARRIVED_SHARE = 1.25, 1.5, 0.8
"""At the ends of a contact those frames are left out in which the hand still comes or leaves already: it is farther
from its middle place, or goes farther in a frame, than this many times what holds in ``ARRIVED_SHARE`` of the
frames."""
HEAD, SHOULDERS, LEGS = (0, 1, 2, 3, 4), (5, 6), ((13, 15), (14, 16))
"""Body points; those of a leg are knee and ankle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was measured of a segment."""

    body_part: str
    side: str | None
    contact_target: str | None
    movement: Movement


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surroundings:
    """A segment with the frames around it."""

    rows: Rows
    """Rows of the frames around that are the segment's."""
    looked_at: Rows
    """Rows that contacts are looked for in."""
    scene: Scene
    """Those rows."""
    sequence: KeypointSequence
    """All frames around."""
    body: Floats
    """Their trusted body points, shape ``(n, 17, 2)``."""
    ends: tuple[Floats, Floats]
    """Their finger ends, left and right, shape ``(n, 10, 2)``."""
    times_s: Floats
    origin_px: Floats
    unit_px: float
    quiet: float
    """Trembling of the quieter of head and shoulders, shoulder widths; NaN where neither is seen."""

    @classmethod
    def of(cls, track: KeypointSequence, first: int, end: int, *, origin_px: Floats, unit_px: float) -> Self:
        """Cut rows ``[first, end)`` of a track out, with ``MARGIN_S`` before and after them."""
        margin_ns = round(MARGIN_S * NS_PER_SECOND)
        low = int(np.searchsorted(track.times_ns, track.times_ns[first] - margin_ns))
        high = int(np.searchsorted(track.times_ns, track.times_ns[end - 1] + margin_ns, side="right"))
        sequence, rows = _cut(track, slice(low, high)), np.arange(first - low, end - low)
        looked_at = rows[np.unique(np.linspace(0, rows.shape[0] - 1, min(rows.shape[0], MOST_LOOKED_AT)).astype(int))]
        thin, body = _cut(sequence, looked_at), trusted_points(sequence)
        width = _head_width(thin)
        hands = find_hands(sequence, np.full(body.shape[0], width))
        ends = finger_ends(sequence, hands, 0), finger_ends(sequence, hands, 1)
        noises = [trembling(steady_mean(body[:, part]) / unit_px) for part in (HEAD[:3], SHOULDERS)]
        return cls(
            rows=rows,
            looked_at=looked_at,
            scene=Scene(
                sequence=thin,
                head_widths=np.full(looked_at.shape[0], width),
                body=body[looked_at],
                ends=(ends[0][looked_at], ends[1][looked_at]),
                palms=hands.palms[looked_at],
            ),
            sequence=sequence,
            body=body,
            ends=ends,
            times_s=seconds_of(sequence.times_ns),
            origin_px=origin_px,
            unit_px=unit_px,
            quiet=min((noise for noise in noises if np.isfinite(noise)), default=float("nan")),
        )

    def touching(self, wanted: Wanted) -> dict[str, Touching]:
        """Return what each hand touches, by side."""
        found = find_touching(self.scene, wanted)
        return {side: one for side, one in zip(SIDES, found, strict=True) if one is not None}

    def rows_of(self, one: Touching) -> Rows:
        """Return the rows of a contact, up to the frames looked at in which it is none."""
        before, after = one.first - 1, one.last + 1
        first = self.looked_at[before] + 1 if before >= 0 else self.rows[0]
        end = self.looked_at[after] if after < self.looked_at.shape[0] else self.rows[-1] + 1
        return np.arange(first, end)

    def movement_of(self, points_px: Floats, rows: Rows | None = None) -> Movement:
        """Measure the movement of a part from its place in every frame around, shape ``(n, 2)``.

        ``rows`` are those of a contact; None takes the whole segment.
        """
        way = (points_px - self.origin_px) / self.unit_px
        noise = trembling(way)
        if self.quiet > 0:
            noise = min(noise, QUIET_FACTOR * self.quiet)
        at = self.rows if rows is None else _arrived(way, rows)
        return measure_movement(way[at], self.times_s[at], noise=noise)

    def hand_movement(self, side: int, rows: Rows | None = None) -> Movement:
        """Measure a hand by its finger ends where they are seen in most of the rows, else by its wrist."""
        at = self.rows if rows is None else rows
        seen = np.any(np.isfinite(self.ends[side][..., 0]), axis=1)
        if seen[at].mean() >= FEWEST_SEEN:
            return self.movement_of(steady_mean(self.ends[side]), rows)
        return self.movement_of(self.body[:, WRISTS[side]], rows)

    def arm_movement(self, side: int, rows: Rows | None = None) -> Movement:
        """Measure an arm by the middle of its elbow and wrist."""
        return self.movement_of(steady_mean(self.body[:, (ELBOWS[side], WRISTS[side])]), rows)


def measure_segment(around: Surroundings, wanted: Wanted) -> Measured:
    """Measure the part that class or evidence speak of; without them the one that moves most above its trembling."""
    touching = around.touching(wanted)
    if wanted.part == BODY:
        return _most_moving(around, wanted, touching)
    if wanted.is_limb:
        return _limb(around, wanted, touching)
    return _carried(around, wanted, touching)


def _carried(around: Surroundings, wanted: Wanted, touching: dict[str, Touching]) -> Measured:
    """Measure head, mouth, shoulders, torso or legs; a hand may rest somewhere meanwhile."""
    points, body = around.sequence.keypoints_xy, around.body
    places: Sequence[Floats]
    if wanted.part == "mouth":
        face = points[:, STILL_FACE].astype(np.float64)
        places = [points[:, LOWER_LIP].astype(np.float64).mean(axis=1) - face.mean(axis=1)]
    elif wanted.part == "head":
        places = [_head(points, body)]
    elif wanted.part == "leg":
        places = [steady_mean(body[:, joints]) for joints in LEGS]
    else:
        places = [body[:, joint] for joint in SHOULDERS]
    moves = [around.movement_of(place) for place in places]
    side = _moving_side(moves) if wanted.part in ("shoulders", "leg") else None
    resting = max(touching.values(), key=lambda one: one.share, default=None)
    return Measured(
        body_part=_named(wanted, side),
        side=side,
        contact_target=None if resting is None else resting.target,
        movement=max(moves, key=_how_much),
    )


def _limb(around: Surroundings, wanted: Wanted, touching: dict[str, Touching]) -> Measured:
    """Measure a hand or an arm: the sides that touch what the class speaks of, else those that move."""
    at = _of_class(touching, wanted)
    sides = [] if wanted.moves else _touching_sides(at, wanted)
    measure = around.arm_movement if wanted.part == "arm" else around.hand_movement
    if not sides:
        moves = [measure(number, None) for number in (0, 1)]
        side = _moving_side(moves)
        movement = max(moves, key=_how_much) if side else _resting(moves)
        resting = at.get(side or "")
        target = None if resting is None else resting.target
        return Measured(body_part=_named(wanted, side), side=side, contact_target=target, movement=movement)
    moves = [measure(SIDES.index(one), around.rows_of(at[one])) for one in sides]
    side = "both" if len(sides) > 1 else sides[0]
    target = max((at[one] for one in sides), key=lambda one: one.share).target
    return Measured(
        body_part=_named(wanted, side), side=side, contact_target=target, movement=max(moves, key=_how_much)
    )


def _most_moving(around: Surroundings, wanted: Wanted, touching: dict[str, Touching]) -> Measured:
    """Measure every part and return the one that moves most above its trembling."""
    measured = [_carried(around, _wanting(part), touching) for part in ("head", "torso")]
    measured.append(_limb(around, _wanting("hand"), touching))
    best = max(measured, key=lambda one: _how_much(one.movement))
    if best.movement.word in (STILL, UNKNOWN):
        return Measured(body_part=BODY, side=None, contact_target=None, movement=Movement())
    return best


def _wanting(part: str) -> Wanted:
    return Wanted(part=part, plural=False, two_handed=False, targets=frozenset())


def _of_class(touching: dict[str, Touching], wanted: Wanted) -> dict[str, Touching]:
    """Leave out contacts elsewhere than where the class puts a hand: what it speaks of was not seen then.

    Places of head and neck lie close together, so that any of them goes with a class that names one.
    """
    if not wanted.targets:
        return touching
    at_head = bool(wanted.targets & HEAD_AND_NECK)
    return {
        side: one
        for side, one in touching.items()
        if one.target in wanted.targets or (at_head and one.target in HEAD_AND_NECK)
    }


def _touching_sides(at: dict[str, Touching], wanted: Wanted) -> list[str]:
    """Return the sides that touch: both where it takes two, or where they touch the same for about as long."""
    if len(at) < 2:
        return list(at)
    named = [side for side in at if at[side].target in wanted.targets]
    if len(named) == 1 and not wanted.two_handed:
        return named
    shares = [one.share for one in at.values()]
    alike = len({one.target for one in at.values()}) == 1 and max(shares) < MUCH_MORE * min(shares)
    if wanted.two_handed or alike:
        return list(at)
    return [max(at, key=lambda side: at[side].share)]


def _moving_side(moves: Sequence[Movement]) -> str | None:
    """Return the side that moves, left first in ``moves``; None where none is seen to."""
    moving = [side for side, one in zip(SIDES, moves, strict=True) if one.word not in (STILL, UNKNOWN)]
    if len(moving) < 2:
        return moving[0] if moving else None
    left, right = (one.extent or 0.0 for one in moves)
    if max(left, right) < MUCH_MORE * min(left, right):
        return "both"
    return "left" if left > right else "right"


def _resting(moves: Sequence[Movement]) -> Movement:
    """Return what is known where no side is seen to move: nothing, unless both were seen to be still."""
    return moves[0] if all(one.word == STILL for one in moves) else Movement()


def _how_much(movement: Movement) -> float:
    return movement.prominence


def _named(wanted: Wanted, side: str | None) -> str:
    if wanted.part not in PLURALS:
        return wanted.part
    plural = side == "both" or (side is None and wanted.plural)
    return PLURALS[wanted.part] if plural else wanted.part


def _head_width(sequence: KeypointSequence) -> float:
    """Return the greatest of the medians of what tells the head width in pixels, NaN where nothing does."""
    medians = medians_of_known(head_measures_px(sequence))
    return float(max(medians[np.isfinite(medians)], default=np.nan)) or float("nan")


def _arrived(way: Floats, rows: Rows) -> Rows:
    """Leave out the first and last rows of a contact in which the hand is not at its place (``ARRIVED``)."""
    rows = rows[np.isfinite(way[rows, 0])]
    if rows.shape[0] < FEWEST_FRAMES:
        return rows
    far = np.hypot(*(way[rows] - np.median(way[rows], axis=0)).T)
    steps = np.hypot(*np.diff(way[rows], axis=0).T)
    near = far <= ARRIVED * _usual(far)
    slow = steps <= ARRIVED_STEP * _usual(steps)
    first, last = np.flatnonzero(near[:-1] & slow), np.flatnonzero(near[1:] & slow) + 1
    return rows if first.shape[0] == 0 else np.arange(rows[first[0]], rows[last[-1]] + 1)


def _usual(values: Floats) -> float:
    """Return the value that ``ARRIVED_SHARE`` of them don't exceed."""
    return float(np.sort(values)[int(ARRIVED_SHARE * (values.shape[0] - 1))])


def _head(points: npt.NDArray[np.float32], body: Floats) -> Floats:
    """Return the middle of eyes and nose, of 21 face points if the face is seen (``proposals.motion`` says why)."""
    face = points[:, STILL_FACE].astype(np.float64).mean(axis=1)
    return face if np.isfinite(face[:, 0]).mean() >= STEADY_SHARE else steady_mean(body[:, HEAD])


def steady_mean(points: Floats) -> Floats:
    """Return the mean of the points that are seen throughout, shape ``(n, 2)`` of ``(n, p, 2)``; NaN without them.

    "Throughout" is ``STEADY_SHARE`` of the frames in which any of them is seen. A frame that lacks one of them is
    unseen.
    """
    seen = np.isfinite(points[..., 0])
    frames = seen.any(axis=1)
    if not frames.any():
        return np.full((points.shape[0], 2), np.nan)
    steady = seen[frames].mean(axis=0) >= STEADY_SHARE
    return np.asarray(points[:, steady].mean(axis=1)) if steady.any() else np.full((points.shape[0], 2), np.nan)


def _cut(track: KeypointSequence, rows: slice | Rows) -> KeypointSequence:
    return KeypointSequence(
        video_id=track.video_id,
        track_number=track.track_number,
        frame_indices=track.frame_indices[rows],
        times_ns=track.times_ns[rows],
        keypoints_xy=track.keypoints_xy[rows],
        scores=track.scores[rows],
        parts_seen=track.parts_seen[rows],
        interpolated=track.interpolated[rows],
    )
