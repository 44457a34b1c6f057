"""Flags of hands in contact: where the puppet's hand goes, when it goes there, and nothing where it does not."""

import numpy as np
import pytest

from proposals.config import ContactConfig, ProposalsConfig
from proposals.flags import flag_contacts
from proposals.propose import propose_candidates
from schema.contacts import SIDES, Touch
from schema.records import Candidate, Part
from schema.taxonomy import load_taxonomy
from tests.puppets import MOUTH, NECK_SIDE, Puppet, in_stretches, make_puppet, mirrored, visiting


def test_a_visit_is_flagged_while_it_lasts_on_the_hand_that_makes_it() -> None:
    _, sequence = make_puppet(Puppet(right_tips=visiting(NECK_SIDE, 2.0, 4.0)))
    hands = flag_contacts(sequence, config=ContactConfig())
    seconds = sequence.times_ns / 1e9
    touching = hands.touches == Touch.TOUCHING
    assert touching[(seconds > 2.1) & (seconds < 3.9), 1].all()
    assert not touching[(seconds < 1.6) | (seconds > 4.4), 1].any()
    assert not touching[:, 0].any()
    rows = np.flatnonzero(touching[:, 1])
    assert {hands.place_of(int(row), 1) for row in rows} == {"hand_on_neck"}
    middle = int(rows[rows.shape[0] // 2])
    assert np.hypot(*(hands.tips_xy[middle, 1] - np.array(NECK_SIDE))) < 25
    assert hands.place_of(0, 0) is None


def test_the_mirror_image_is_flagged_on_the_other_hand() -> None:
    person = make_puppet(Puppet(right_tips=visiting(MOUTH, 2.0, 4.0)))
    flags = [flag_contacts(sequence, config=ContactConfig()) for _, sequence in (person, mirrored(person))]
    np.testing.assert_array_equal(flags[0].touches, flags[1].touches[:, ::-1])


def test_a_candidate_lies_where_flags_are() -> None:
    track, sequence = make_puppet(Puppet(left_tips=visiting(MOUTH, 1.0, 3.0)))
    taxonomy = load_taxonomy("imigue32")
    found = propose_candidates(
        [in_stretches((track, sequence))], sha256="ab", taxonomy=taxonomy, config=ProposalsConfig()
    )
    contacts = [item for item in found if isinstance(item, Candidate) and item.proposer == "contact"]
    assert contacts
    hands = flag_contacts(sequence, config=ContactConfig())
    inside = np.array([any(c.span.contains(int(t)) for c in contacts) for t in sequence.times_ns])
    flagged = (hands.touches >= Touch.NEAR).any(axis=1)
    assert flagged[inside].mean() > 0.9
    assert flagged[~inside].mean() < 0.1


@pytest.mark.parametrize("side", [0, 1])
def test_an_unseen_hand_is_neither_away_nor_in_contact(side: int) -> None:
    part = (Part.LEFT_HAND, Part.RIGHT_HAND)[side]
    _, sequence = make_puppet(Puppet(unseen=(part,)))
    hands = flag_contacts(sequence, config=ContactConfig())
    assert (hands.touches[:, side] == Touch.UNSEEN).all(), SIDES[side]
    assert (hands.touches[:, 1 - side] == Touch.AWAY).all()


def test_without_head_and_shoulders_nothing_is_flagged() -> None:
    _, sequence = make_puppet(Puppet(seconds=1.0))
    points, scores = sequence.keypoints_xy.copy(), sequence.scores.copy()
    points[:, :91], scores[:, :91] = np.nan, 0
    parts = np.tile(np.array([False, False, False, True, True]), (points.shape[0], 1))
    bare = type(sequence)(
        video_id=sequence.video_id,
        track_number=0,
        frame_indices=sequence.frame_indices,
        times_ns=sequence.times_ns,
        keypoints_xy=points,
        scores=scores,
        parts_seen=parts,
        interpolated=sequence.interpolated,
    )
    assert (flag_contacts(bare, config=ContactConfig()).touches < Touch.NEAR).all()
