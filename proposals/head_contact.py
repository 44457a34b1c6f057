"""Hands at the head and the neck."""

from dataclasses import dataclass

import numpy as np

from kinematics.capsules import Capsules, depths
from kinematics.hands import FINGER_ENDS, SIDES, Hands
from kinematics.head import DECOY, head_capsules
from kinematics.movement import speeds
from kinematics.runs import Run, State, States, find_runs, run_seconds, span_of_run
from kinematics.windows import Bools, Floats, Times, frame_ends_ns, seconds_of
from proposals.config import ContactConfig
from proposals.drafts import WORDS, Draft, hand_words, shorten
from proposals.regions import BOTH_HANDS, finger_votes, leading_votes, merge_hands, region_names, split_by_class
from schema.records import KeypointSequence
from schema.taxonomy import Taxonomy
from schema.timespan import TimeSpan

CHUNK_FRAMES = 512
"""Distances are worked out for so many frames at a time: 22 MB, whatever the length of the track."""
REACH = 2.5
"""A hand whose nearest point is farther than this from the eyes, in head widths, touches neither head nor neck."""
WRIST_REACH = 1.6
"""An unseen hand whose wrist is farther than this from the middle of the face is away: a hand is 1.3 long, and it
must reach the face's edge."""
TOUCHING_S = 0.2
"""A contact touches for at least this long, however long it is near."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Approach:
    """How near one hand is to head and neck, frame by frame."""

    distances: Floats
    """To the nearest region in head widths, 0 inside it, shape ``(n,)``; NaN where the hand or the head is unseen."""
    votes: Floats
    """How many of the ten finger ends are nearest to each region and near it, shape ``(n, regions)``."""
    speeds: Floats
    """Of the hand against the head, head widths a second, shape ``(n,)``; 0 where unknown."""
    states: States


def measure_hand(points: Floats, capsules: Capsules, head_widths: Floats, *, near: float) -> tuple[Floats, Floats]:
    """Return distances (mean of the three nearest points) and votes of one hand's points, shape ``(n, 21, 2)``."""
    names = region_names(capsules.regions)
    counts = np.array([region != DECOY for region in capsules.regions])
    distances = np.full(points.shape[0], np.nan)
    votes = np.zeros((points.shape[0], len(names)))
    eyes = capsules.starts[:, :2].mean(axis=1)
    with np.errstate(invalid="ignore"):
        gap = points - eyes[:, None]
        reach = np.hypot(gap[..., 0], gap[..., 1]) / head_widths[:, None]
        close = np.flatnonzero((reach <= REACH).any(axis=1))
        seen = np.isfinite(reach).any(axis=1)
    distances[seen] = np.inf
    for begin in range(0, close.shape[0], CHUNK_FRAMES):
        rows = close[begin : begin + CHUNK_FRAMES]
        deep = depths(points[rows], capsules, rows, head_widths[rows])
        deep = np.where(np.isfinite(deep), deep, np.inf)
        nearest = np.sort(np.maximum(deep[:, 1:, counts].min(axis=2), 0.0), axis=1)[:, :3]
        distances[rows] = nearest.mean(axis=1)
        votes[rows] = finger_votes(deep[:, FINGER_ENDS, :], capsules.regions, near=near).sum(axis=1)
    return distances, votes


def contact_states(distances: Floats, fast: Bools, away: Bools, config: ContactConfig) -> States:
    """Turn distances into states; an unseen hand is away where its wrist says so, else unknown."""
    states = np.full(distances.shape, State.UNKNOWN, dtype=np.int8)
    with np.errstate(invalid="ignore"):
        states[distances > config.near] = State.AWAY
        states[distances <= config.near] = State.NEAR
        states[(distances <= config.touch) & ~fast] = State.TOUCHING
    states[~np.isfinite(distances) & ~np.isposinf(distances) & away] = State.AWAY
    return states


def find_head_contacts(
    sequence: KeypointSequence, hands: Hands, head_widths: Floats, *, taxonomy: Taxonomy, config: ContactConfig
) -> list[Draft]:
    """Return the contacts of either hand with head or neck; one for both where they come together or in turns.

    A visit in which the hand goes on to a region of another class is cut there (``split_by_class``).
    """
    capsules = head_capsules(sequence, head_widths)
    approaches = [
        measure_approach(
            hands, side, capsules=capsules, head_widths=head_widths, times_ns=sequence.times_ns, config=config
        )
        for side in range(len(SIDES))
    ]
    ends_ns = frame_ends_ns(sequence.times_ns)
    visits: list[tuple[Run, tuple[int, ...]]] = []
    for side, approach in enumerate(approaches):
        visits += [(run, (side,)) for run in _visits(approach, sequence.times_ns, ends_ns, config)]
    names = region_names(capsules.regions)
    drafts = []
    for run, sides in _join_hands(sorted(visits), sequence.times_ns, ends_ns, config):
        rows, taking_part = np.arange(*run), _hands_taking_part(run, sides, approaches)
        times_ns = sequence.times_ns[rows]
        votes = [
            leading_votes(hands.points[rows, side], capsules, rows, head_widths, times_ns, near=config.near)
            for side in taking_part
        ]
        total = _visit_votes(votes, [approaches[side].states[rows] for side in taking_part], names)
        pieces = split_by_class(total, (*names, BOTH_HANDS), times_ns, taxonomy=taxonomy, config=config)
        for number, ((first, end), evidence) in enumerate(pieces, start=1):
            piece = (run[0] + first, run[0] + end)
            at_piece = _hands_taking_part(piece, taking_part, approaches, is_piece=len(pieces) > 1)
            at = {side: approaches[side] for side in at_piece}
            full = span_of_run(piece, sequence.times_ns, ends_ns)
            part = f"; part {number} of {len(pieces)} of one visit" if len(pieces) > 1 else ""
            drafts.append(_draft(piece, at, evidence, full, part=part, config=config))
    return drafts


def _visit_votes(votes: list[Floats], states: list[States], names: tuple[str, ...]) -> Floats:
    """Return the hands' votes while they touch, or while they are near if no finger end votes then."""
    for least in (State.TOUCHING, State.NEAR):
        counted = [np.where((at >= least)[:, None], hand, 0.0) for hand, at in zip(votes, states, strict=True)]
        if np.any(counted):
            break
    return merge_hands(counted, names)


def measure_approach(
    hands: Hands, side: int, *, capsules: Capsules, head_widths: Floats, times_ns: Times, config: ContactConfig
) -> Approach:
    """Measure how near one hand is to head and neck; ``side`` is 0 for the left hand, 1 for the right."""
    points = hands.points[:, side]
    distances, votes = measure_hand(points, capsules, head_widths, near=config.near)
    eyes = capsules.starts[:, :2].mean(axis=1)
    against_head = (points - eyes[:, None]) / head_widths[:, None, None]
    speed = speeds(against_head, seconds_of(times_ns))
    gap = hands.palms[:, side] - eyes
    with np.errstate(invalid="ignore"):
        away = np.hypot(gap[:, 0], gap[:, 1]) > WRIST_REACH * head_widths
    states = contact_states(distances, speed > config.passing_speed, away, config)
    return Approach(distances=distances, votes=votes, speeds=speed, states=states)


def _visits(approach: Approach, times_ns: Times, ends_ns: Times, config: ContactConfig) -> list[Run]:
    runs = find_runs(
        approach.states,
        times_ns,
        shortest_s=config.shortest_s,
        bridge_s=config.bridge_s,
        unknown_bridge_s=config.unknown_bridge_s,
    )
    return [run for run in runs if _well_seen(approach, run, run_seconds(run, times_ns, ends_ns), config)]


def _well_seen(approach: Approach, run: Run, seconds: float, config: ContactConfig) -> bool:
    """Tell whether the hand is near in enough of a run's frames, long enough, at rest, and with enough fingers."""
    states, speed = approach.states[run[0] : run[1]], approach.speeds[run[0] : run[1]]
    near = states >= State.NEAR
    touching_s = float((states == State.TOUCHING).mean()) * seconds
    if near.mean() < config.fewest_seen or touching_s < TOUCHING_S - 1e-6:
        return False
    if _median_known(speed) > config.passing_speed:
        return False
    restless = _median_known(speed[near]) > config.resting_speed
    finger_ends = float(approach.votes[run[0] : run[1]][near].sum(axis=1).mean())
    return finger_ends >= (config.fewest_moving_finger_ends if restless else config.fewest_finger_ends)


def _median_known(speed: Floats) -> float:
    """Return the median of the speeds that are known (above 0), 0 where none is."""
    known = speed[speed > 0]
    return float(np.median(known)) if known.shape[0] else 0.0


def _join_hands(
    visits: list[tuple[Run, tuple[int, ...]]], times_ns: Times, ends_ns: Times, config: ContactConfig
) -> list[tuple[Run, tuple[int, ...]]]:
    """Join visits of the two hands that overlap or follow within the bridge: one question about one gesture."""
    joined: list[tuple[Run, tuple[int, ...]]] = []
    for run, sides in visits:
        if joined:
            last, last_sides = joined[-1]
            last_span, span = (span_of_run(one, times_ns, ends_ns) for one in (last, run))
            if last_span.gap_ns(span) <= config.bridge_s * 1e9:
                both = tuple(sorted({*last_sides, *sides}))
                joined[-1] = ((last[0], max(last[1], run[1])), both)
                continue
        joined.append((run, sides))
    return joined


def _draft(
    run: Run, hands: dict[int, Approach], evidence: str, full: TimeSpan, *, part: str, config: ContactConfig
) -> Draft:
    rows = slice(*run)
    near = np.stack([hand.states[rows] >= State.NEAR for hand in hands.values()])
    distances = [hand.distances[rows][at] for hand, at in zip(hands.values(), near, strict=True)]
    distance = float(np.mean(np.concatenate(distances)))
    seen = float(near.any(axis=0).mean())
    span, more = shorten(full, config.longest_s)
    sides = tuple(SIDES[side] for side in hands)
    reason = f"{hand_words(sides)} within {distance:.1f} head widths of {WORDS[evidence]} for {full.seconds:.1f} s"
    return Draft(
        span=span,
        evidence=evidence,
        proposer="contact",
        sides=sides,
        score=_score(distance, full.seconds, seen, config),
        reason=f"{reason} (seen there in {seen:.0%} of the frames){part}{more}",
    )


def _hands_taking_part(
    run: Run, sides: tuple[int, ...], approaches: list[Approach], *, is_piece: bool = False
) -> tuple[int, ...]:
    """Leave out a hand that is named in few frames and never beside the other one: the estimator swapped the names.

    In a piece of a visit it may be beside the other one too: it comes or goes while the piece begins or ends.
    """
    near = np.stack([approaches[side].states[run[0] : run[1]] >= State.NEAR for side in sides])
    if len(sides) == 1 or (near.all(axis=0).any() and not is_piece):
        return sides
    counts = near.sum(axis=1)
    return (sides[int(np.argmax(counts))],) if counts.min() < 0.5 * counts.max() else sides


def _score(distance: float, seconds: float, seen: float, config: ContactConfig) -> float:
    """Grow with closeness, with length (half of it at half a second) and with how often the hand was seen."""
    closeness = 1.0 - min(distance / config.near, 1.0)
    return round(0.4 * closeness + 0.3 * seconds / (seconds + 0.5) + 0.3 * seen, 4)
