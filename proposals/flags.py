"""What each hand is near or touches in every frame: the proposers' own measurements, before spans are made of them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kinematics.capsules import Capsules
from kinematics.hands import FINGER_ENDS, LEADING_TIPS, SIDES, Hands, find_hands
from kinematics.head import DECOY, head_capsules
from kinematics.runs import State, States
from kinematics.scale import head_widths_px
from kinematics.windows import Floats, Times
from proposals.arm_contact import PRIORITY, ArmContact, measure_arm_contacts
from proposals.config import ContactConfig
from proposals.head_contact import measure_approach
from proposals.regions import leading_votes, region_names
from schema.contacts import NOWHERE, HandContacts, Touch
from schema.records import KeypointSequence

Codes = npt.NDArray[np.int8]
Places = npt.NDArray[np.int64]


def flag_contacts(sequence: KeypointSequence, *, config: ContactConfig, at_chest: bool = False) -> HandContacts:
    """Return what both hands of one person are near or touch, frame by frame.

    The distances and thresholds are those of the proposers; what makes a candidate of them comes later (bridged gaps,
    shortest length, share of frames). Contacts with head and neck go before those with arms and the other hand.

    Args:
        sequence: keypoints of one track.
        config: thresholds.
        at_chest: count the upper chest, where hands also rest.
    """
    head_widths = head_widths_px(sequence)
    hands = find_hands(sequence, head_widths)
    touches = np.where(hands.seen, np.int8(Touch.AWAY), np.int8(Touch.UNSEEN))
    places = np.full(touches.shape, NOWHERE, dtype=np.int8)
    names: tuple[str, ...] = ()
    if np.isfinite(head_widths).any():
        capsules = head_capsules(sequence, head_widths)
        regions = region_names(capsules.regions)
        names = (*regions, *PRIORITY)
        left_out = NOWHERE if at_chest else regions.index(DECOY)
        arms = measure_arm_contacts(sequence, hands, head_widths, config=config)
        for side in range(len(SIDES)):
            states, chosen = _at_head(
                hands, side, capsules=capsules, head_widths=head_widths, times_ns=sequence.times_ns, config=config
            )
            _raise(touches[:, side], places[:, side], np.where(chosen == left_out, State.AWAY, states), chosen)
            _raise_arms(touches[:, side], places[:, side], [a for a in arms if SIDES[side] in a.sides], names)
    return HandContacts(
        track_number=sequence.track_number,
        frame_indices=sequence.frame_indices,
        touches=touches,
        places=places,
        tips_xy=_tips(hands).astype(np.float32),
        names=names,
    )


def _at_head(
    hands: Hands, side: int, *, capsules: Capsules, head_widths: Floats, times_ns: Times, config: ContactConfig
) -> tuple[States, Places]:
    """Return one hand's states, and the region that most of its leading finger tips are at; no votes, no contact."""
    approach = measure_approach(
        hands, side, capsules=capsules, head_widths=head_widths, times_ns=times_ns, config=config
    )
    rows = np.flatnonzero(approach.states >= State.NEAR)
    chosen = np.full(times_ns.shape, NOWHERE)
    if rows.shape[0]:
        votes = leading_votes(hands.points[rows, side], capsules, rows, head_widths, times_ns[rows], near=config.near)
        chosen[rows] = np.where(votes.any(axis=1), votes.argmax(axis=1), NOWHERE)
    return np.where(chosen == NOWHERE, np.int8(State.AWAY), approach.states), chosen


def _raise(touches: Codes, places: Codes, states: States, chosen: Places) -> None:
    """Set the frames in which the states are closer than what was found before, in place."""
    level = np.select([states == State.TOUCHING, states == State.NEAR], [Touch.TOUCHING, Touch.NEAR], Touch.UNSEEN)
    closer = level > np.maximum(touches, Touch.AWAY)
    touches[closer] = level[closer]
    places[closer] = chosen[closer]


def _raise_arms(touches: Codes, places: Codes, arms: Sequence[ArmContact], names: Sequence[str]) -> None:
    """Do the same for one hand's contacts with arms and the other hand; of equally close ones what says most counts."""
    for contact in sorted(arms, key=lambda arm: PRIORITY.index(arm.evidence)):
        _raise(touches, places, contact.states, np.full(places.shape, names.index(contact.evidence)))


def _tips(hands: Hands) -> Floats:
    """Return the middle of the tips of index and middle finger, else where the wrists say that the hand is."""
    ends = hands.points[:, :, FINGER_ENDS][:, :, LEADING_TIPS]
    tips = ends.mean(axis=2)
    return np.asarray(np.where(np.isfinite(tips), tips, hands.palms))
