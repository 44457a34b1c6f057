import dataclasses

import numpy as np

from proposals.config import ProposalsConfig
from proposals.propose import find_drafts
from schema.taxonomy import load_taxonomy
from schema.timespan import TimeSpan
from tests.puppets import MOUTH, Puppet, make_puppet, mirrored, visiting

IMIGUE = load_taxonomy("imigue32")


def movements(puppet):
    drafts = find_drafts(make_puppet(puppet)[1], taxonomy=IMIGUE, config=ProposalsConfig())
    return [draft for draft in drafts if draft.proposer == "motion"]


def nodding(second):
    return (0.0, 8.0 * np.sin((second - 2) * 2 * np.pi * 1.5)) if 2 <= second < 4 else (0.0, 0.0)


def leaning(second):
    return (30.0 * np.clip(second - 2, 0, 1), 0.0)


def test_someone_still_moves_nothing():
    assert movements(Puppet()) == []
    assert movements(Puppet(jitter_px=2.0)) == []


def test_a_nod_is_one_movement_of_the_head():
    found = movements(Puppet(head_shift=nodding))
    assert {draft.evidence for draft in found} == {"moving_head"}
    assert found[0].span.temporal_iou(TimeSpan(start_ns=2_000_000_000, end_ns=4_000_000_000)) >= 0.6
    assert "head moved 0." in found[0].reason
    assert "times its own jitter" in found[0].reason


def test_a_lean_is_one_movement_of_the_upper_body_and_not_of_all_it_carries():
    found = movements(Puppet(body_shift=leaning))
    assert [draft.evidence for draft in found] == ["moving_torso"]


def test_a_movement_smaller_than_the_trembling_does_not_stand_out():
    small = Puppet(head_shift=lambda second: (0.25 * nodding(second)[0], 0.25 * nodding(second)[1]), jitter_px=6.0)
    assert movements(small) == []


def test_the_way_of_a_hand_to_its_contact_is_no_candidate_of_its_own():
    assert movements(Puppet(right_tips=visiting(MOUTH, 2.0, 3.5))) == []


def test_a_change_of_size_is_no_movement():
    track, sequence = make_puppet(Puppet(jitter_px=0.0))
    growth = np.linspace(1.0, 1.3, 150)[:, None, None]
    grown = dataclasses.replace(sequence, keypoints_xy=(sequence.keypoints_xy * growth).astype(np.float32))
    found = [
        draft
        for draft in find_drafts(grown, taxonomy=IMIGUE, config=ProposalsConfig())
        if draft.evidence != "moving_torso"
    ]
    assert all(draft.score < 0.3 for draft in found)
    assert track.times_ns.shape == (150,)


def test_movements_keep_their_spans_in_a_mirror():
    person = make_puppet(Puppet(head_shift=nodding, right_tips=visiting((200.0, 250.0), 4.5, 5.0)))
    plain, flipped = (
        find_drafts(someone[1], taxonomy=IMIGUE, config=ProposalsConfig()) for someone in (person, mirrored(person))
    )
    assert [draft.span for draft in plain] == [draft.span for draft in flipped]
    swapped = [d.reason.replace("right", "#").replace("left", "right").replace("#", "left") for d in flipped]
    assert [draft.reason for draft in plain] == swapped


def test_someone_who_never_rests_gives_movements_of_bounded_length():
    swaying = Puppet(seconds=30, frame_rate=10, body_shift=lambda second: (40 * np.sin(second * 4), 0.0))
    found = movements(swaying)
    assert len(found) >= 3
    assert all(draft.span.seconds <= ProposalsConfig().motion.longest_s for draft in found)


def test_someone_who_walks_through_the_picture_makes_no_gesture():
    assert movements(Puppet(body_shift=lambda second: (300.0 * second, 0.0))) == []


def test_a_cut_that_nobody_saw_is_no_movement():
    assert movements(Puppet(body_shift=lambda second: (400.0, 30.0) if second >= 3 else (0.0, 0.0))) == []
