"""Hands at the other arm, the other shoulder or each other, and folded arms.

Each is a rule on distances of body points, in head widths, that a hand before the body at rest does not meet: fingers
on the middle line of the other arm, wrists exchanged, or points of both hands that touch.
"""

from dataclasses import dataclass

import numpy as np

from kinematics.capsules import segment_distances
from kinematics.hands import ELBOWS, FINGER_ENDS, SHOULDERS, SIDES, WRISTS, Hands, trusted_points
from kinematics.runs import Run, State, States, find_runs, span_of_run
from kinematics.windows import Bools, Floats, Times, frame_ends_ns
from proposals.config import ContactConfig
from proposals.drafts import WORDS, Draft, shorten
from schema.records import KeypointSequence
from schema.timespan import TimeSpan

FOREARM_SHARE = 0.7
"""A hand beyond this share of the way from elbow to wrist is at the other hand, not at the arm."""
TOUCHING_S = 0.2
"""A contact touches for at least this long, however long it is near."""
WRIST_OFF_AXIS = 0.25
"""In folded arms a wrist lies on top of the other arm or under it: farther from its middle line than fingers are."""
PRIORITY = ("arms_folded", "hand_on_shoulder", "hand_on_arm", "hands_together")
"""Of contacts at the same time the one that says most is kept."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArmContact:
    """One kind of contact, measured frame by frame."""

    evidence: str
    sides: tuple[str, ...]
    subject: str
    """What a reason begins with."""
    distances: Floats
    """Head widths, shape ``(n,)``; NaN where unseen."""
    states: States


def measure_arm_contacts(
    sequence: KeypointSequence, hands: Hands, head_widths: Floats, *, config: ContactConfig
) -> list[ArmContact]:
    """Measure every kind of contact of hands and arms with each other, frame by frame."""
    body = trusted_points(sequence)
    width = np.hypot(*(body[:, 5] - body[:, 6]).T)
    with np.errstate(invalid="ignore"):
        sideways = ~(width >= config.frontal_shoulders * head_widths)
    measured = [_folded(body, head_widths, sideways, config), _together(hands, head_widths, config)]
    for side in range(len(SIDES)):
        measured += _on_other_side(body, hands, side, head_widths=head_widths, sideways=sideways, config=config)
    return measured


def find_arm_contacts(
    sequence: KeypointSequence, hands: Hands, head_widths: Floats, *, config: ContactConfig
) -> list[Draft]:
    """Return contacts of hands and arms with each other; where several hold at once, the one that says most."""
    measured = measure_arm_contacts(sequence, hands, head_widths, config=config)
    return _keep_telling([draft for contact in measured for draft in _drafts(contact, sequence.times_ns, config)])


def _states(distances: Floats, touch: float, near: float, ruled_out: Bools) -> States:
    states = np.full(distances.shape, State.UNKNOWN, dtype=np.int8)
    with np.errstate(invalid="ignore"):
        states[distances > near] = State.AWAY
        states[distances <= near] = State.NEAR
        states[distances <= touch] = State.TOUCHING
    states[ruled_out & np.isfinite(distances)] = State.AWAY
    return states


def _arm_distances(points: Floats, body: Floats, side: int, *, forearm_share: float) -> Floats:
    """Return distances in pixels of points ``(n, p, 2)`` to the middle line of one arm, shape ``(n, p)``."""
    shoulder, elbow, wrist = (body[:, part[side]][:, None] for part in (SHOULDERS, ELBOWS, WRISTS))
    upper = segment_distances(points, shoulder + 0.3 * (elbow - shoulder), elbow)
    lower = segment_distances(points, elbow, elbow + forearm_share * (wrist - elbow))
    return np.asarray(np.fmin(upper, lower))


def _folded(body: Floats, head_widths: Floats, sideways: Bools, config: ContactConfig) -> ArmContact:
    """Measure the farther wrist's distance to the other arm and the states: wrists exchanged, apart, each at an arm."""
    across = body[:, 5] - body[:, 6]
    length = np.sum(across * across, axis=1)
    place = [np.sum((body[:, wrist] - body[:, 6]) * across, axis=1) / length for wrist in WRISTS]
    gap = body[:, WRISTS[0]] - body[:, WRISTS[1]]
    with np.errstate(invalid="ignore"):
        crossed = place[1] - place[0] >= config.crossing
        apart = np.hypot(gap[:, 0], gap[:, 1]) >= config.forearms_apart * head_widths
    reach = [_arm_distances(body[:, [WRISTS[side]]], body, 1 - side, forearm_share=1.0)[:, 0] for side in (0, 1)]
    farther = np.maximum(reach[0], reach[1]) / head_widths
    touch, near = config.arm_touch + WRIST_OFF_AXIS, config.arm_near + WRIST_OFF_AXIS
    return ArmContact(
        evidence="arms_folded",
        sides=SIDES,
        subject="arms folded, each wrist",
        distances=farther,
        states=_states(farther, touch, near, sideways | ~crossed | ~apart),
    )


def _on_other_side(
    body: Floats, hands: Hands, side: int, *, head_widths: Floats, sideways: Bools, config: ContactConfig
) -> list[ArmContact]:
    """Measure one hand against the other arm and the other shoulder: the median of its finger ends."""
    fingers = hands.points[:, side][:, FINGER_ENDS, :]
    other = 1 - side
    arm = np.median(_arm_distances(fingers, body, other, forearm_share=FOREARM_SHARE), axis=1) / head_widths
    joint = body[:, SHOULDERS[other]][:, None]
    shoulder = np.median(np.hypot(*np.moveaxis(fingers - joint, -1, 0)), axis=1) / head_widths
    return [
        ArmContact(
            evidence=evidence,
            sides=(SIDES[side],),
            subject=f"{SIDES[side]} hand",
            distances=distances,
            states=_states(distances, config.arm_touch, config.arm_near, sideways),
        )
        for evidence, distances in (("hand_on_arm", arm), ("hand_on_shoulder", shoulder))
    ]


def _together(hands: Hands, head_widths: Floats, config: ContactConfig) -> ArmContact:
    """Measure the distance between the hands where both are seen: the mean of the three nearest pairs of points."""
    distances = np.full(head_widths.shape, np.nan)
    rows = np.flatnonzero(hands.seen.all(axis=1))
    for begin in range(0, rows.shape[0], 512):
        part = rows[begin : begin + 512]
        gap = hands.points[part, 0][:, :, None] - hands.points[part, 1][:, None]
        far = np.hypot(gap[..., 0], gap[..., 1]).reshape(part.shape[0], -1)
        nearest = np.sort(np.where(np.isfinite(far), far, np.inf), axis=1)[:, :3]
        distances[part] = nearest.mean(axis=1) / head_widths[part]
    nowhere = np.zeros(distances.shape, dtype=np.bool_)
    return ArmContact(
        evidence="hands_together",
        sides=SIDES,
        subject="hands",
        distances=distances,
        states=_states(distances, config.touch, config.near, nowhere),
    )


def _drafts(contact: ArmContact, times_ns: Times, config: ContactConfig) -> list[Draft]:
    runs = find_runs(
        contact.states,
        times_ns,
        shortest_s=config.shortest_arm_s,
        bridge_s=config.bridge_s,
        unknown_bridge_s=config.unknown_bridge_s,
    )
    ends_ns = frame_ends_ns(times_ns)
    return [draft for run in runs if (draft := _draft(contact, run, span_of_run(run, times_ns, ends_ns), config))]


def _draft(contact: ArmContact, run: Run, full: TimeSpan, config: ContactConfig) -> Draft | None:
    states = contact.states[run[0] : run[1]]
    near = states >= State.NEAR
    if near.mean() < config.fewest_seen or (states == State.TOUCHING).mean() * full.seconds < TOUCHING_S:
        return None
    distance, seen = float(contact.distances[run[0] : run[1]][near].mean()), float(near.mean())
    span, more = shorten(full, config.longest_s)
    what = f"within {distance:.1f} head widths of {WORDS[contact.evidence]} for {full.seconds:.1f} s"
    closeness = 1.0 - min(distance / (config.arm_near + WRIST_OFF_AXIS), 1.0)
    score = 0.3 * closeness + 0.3 * full.seconds / (full.seconds + 0.5) + 0.3 * seen
    return Draft(
        span=span,
        evidence=contact.evidence,
        proposer="contact",
        sides=contact.sides,
        score=round(score, 4),
        reason=f"{contact.subject} {what} (seen so in {seen:.0%} of the frames){more}",
    )


def _keep_telling(drafts: list[Draft]) -> list[Draft]:
    """Of drafts that share half of the shorter one's time keep the one that says most, then the longer one."""
    kept: list[Draft] = []
    order = sorted(drafts, key=lambda d: (PRIORITY.index(d.evidence), -d.span.duration_ns, d.span.start_ns, d.reason))
    for draft in order:
        shares = (
            draft.span.overlap_ns(other.span) / min(draft.span.duration_ns, other.span.duration_ns) for other in kept
        )
        if all(share < 0.5 for share in shares):
            kept.append(draft)
    return kept
