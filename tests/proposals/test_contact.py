import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proposals.config import ProposalsConfig
from proposals.propose import find_drafts
from schema.records import Part
from schema.taxonomy import load_taxonomy
from schema.timespan import TimeSpan
from tests.puppets import HEAD_WIDTH, MOUTH, NECK_SIDE, Puppet, make_puppet, mirrored, moved, visiting

CONFIG = ProposalsConfig()
TRUE_SPAN = TimeSpan(start_ns=2_000_000_000, end_ns=3_500_000_000)
AT_NECK = Puppet(right_tips=visiting(NECK_SIDE, 2.0, 3.5))
AT_MOUTH = Puppet(right_tips=visiting(MOUTH, 2.0, 3.5))
FOLDED = Puppet(
    left_tips=visiting((215.0, 370.0), 2.0, 5.0, side="left"),
    left_wrist=visiting((255.0, 385.0), 2.0, 5.0, side="left"),
    right_tips=visiting((425.0, 370.0), 2.0, 5.0),
    right_wrist=visiting((385.0, 385.0), 2.0, 5.0),
)


def contacts(person, *, taxonomy="imigue32"):
    drafts = find_drafts(person[1], taxonomy=load_taxonomy(taxonomy), config=CONFIG)
    return [draft for draft in drafts if draft.proposer == "contact"]


def spans(drafts):
    return [draft.span for draft in drafts]


@pytest.mark.parametrize(
    ("puppet", "allowed"),
    [(AT_NECK, {"hand_on_neck"}), (AT_MOUTH, {"hand_on_mouth", "hand_on_nose"})],
)
@pytest.mark.parametrize("frame_rate", [10.0, 23.976, 50.0])
def test_a_hand_that_visits_is_one_contact_there_and_then(puppet, allowed, frame_rate):
    found = contacts(make_puppet(dataclasses.replace(puppet, frame_rate=frame_rate)))
    assert len(found) == 1
    assert found[0].evidence in allowed
    assert found[0].span.temporal_iou(TRUE_SPAN) >= 0.7
    assert found[0].sides == ("right",)


def test_the_reason_names_side_place_distance_and_length():
    reason = contacts(make_puppet(AT_NECK))[0].reason
    assert reason.startswith("right hand within 0.")
    assert "head widths of the neck for 1." in reason


def test_hands_in_the_lap_and_in_front_of_the_body_touch_nothing():
    assert contacts(make_puppet()) == []
    before_the_body = Puppet(
        left_tips=visiting((370.0, 350.0), 1.0, 5.0, side="left"), right_tips=visiting((270.0, 350.0), 1.0, 5.0)
    )
    assert contacts(make_puppet(before_the_body)) == []


@pytest.mark.parametrize("puppet", [AT_NECK, AT_MOUTH])
def test_an_unseen_hand_never_touches(puppet):
    unseen = dataclasses.replace(puppet, unseen=(Part.RIGHT_HAND,))
    assert contacts(make_puppet(unseen)) == []
    assert contacts(make_puppet(dataclasses.replace(unseen, wrists_seen=False))) == []


def test_a_hand_that_passes_the_face_does_not_touch_it():
    assert contacts(make_puppet(dataclasses.replace(AT_MOUTH, right_tips=visiting(MOUTH, 2.0, 2.1, ramp_s=0.2)))) == []


def test_a_hand_that_waves_beside_the_face_does_not_touch_it():
    def waving(second):
        return 240.0 + 45.0 * np.sin(second * 2 * np.pi * 2), 190.0

    assert contacts(make_puppet(Puppet(right_tips=waving))) == []


def test_a_contact_goes_on_where_the_hand_is_lost_and_nothing_says_it_left():
    track, sequence = make_puppet(dataclasses.replace(AT_MOUTH, right_tips=visiting(MOUTH, 1.0, 5.0)))
    points, scores, seen = sequence.keypoints_xy.copy(), sequence.scores.copy(), sequence.parts_seen.copy()
    lost = slice(60, 90)
    points[lost, 112:133], scores[lost, 112:133], seen[lost, Part.RIGHT_HAND] = np.nan, 0, False
    lossy = dataclasses.replace(sequence, keypoints_xy=points, scores=scores, parts_seen=seen)
    assert len(contacts((track, lossy))) == 1


def test_folded_arms_are_one_contact_and_need_no_hands():
    for unseen in ((), (Part.LEFT_HAND, Part.RIGHT_HAND)):
        found = contacts(make_puppet(dataclasses.replace(FOLDED, unseen=unseen)))
        assert [draft.evidence for draft in found] == ["arms_folded"]
        assert found[0].span.temporal_iou(TimeSpan(start_ns=2_000_000_000, end_ns=5_000_000_000)) >= 0.7


def test_someone_who_stands_sideways_folds_no_arms():
    track, sequence = make_puppet(FOLDED)
    points = sequence.keypoints_xy.copy()
    points[:, 5:11, 0] = 320 + 0.3 * (points[:, 5:11, 0] - 320)
    assert contacts((track, dataclasses.replace(sequence, keypoints_xy=points))) == []


def test_hands_that_meet_are_together():
    meeting = Puppet(
        left_tips=visiting((322.0, 420.0), 2.0, 4.0, side="left"), right_tips=visiting((318.0, 420.0), 2.0, 4.0)
    )
    found = contacts(make_puppet(meeting))
    assert [draft.evidence for draft in found] == ["hands_together"]
    assert found[0].sides == ("left", "right")


ON_ARMREST = {"left_tips": lambda _second: (425.0, 520.0), "left_wrist": lambda _second: (430.0, 480.0)}
AT_ARM = Puppet(
    right_tips=visiting((440.0, 425.0), 2.0, 3.5), right_wrist=visiting((375.0, 425.0), 2.0, 3.5), **ON_ARMREST
)
AT_SHOULDER = Puppet(right_tips=visiting((420.0, 290.0), 2.0, 3.5), right_wrist=visiting((365.0, 335.0), 2.0, 3.5))


@pytest.mark.parametrize(("puppet", "evidence"), [(AT_ARM, "hand_on_arm"), (AT_SHOULDER, "hand_on_shoulder")])
@pytest.mark.parametrize("jitter_px", [0.4, 0.03 * HEAD_WIDTH])
def test_a_hand_that_rests_on_the_other_arm_or_shoulder_is_exactly_that_contact(puppet, evidence, jitter_px):
    person = make_puppet(dataclasses.replace(puppet, jitter_px=jitter_px))
    for someone, side in ((person, "right"), (mirrored(person), "left")):
        found = contacts(someone)
        assert [(draft.evidence, draft.sides) for draft in found] == [(evidence, (side,))]
        assert found[0].span.temporal_iou(TRUE_SPAN) >= 0.7
        assert found[0].reason.startswith(f"{side} hand within 0.")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ({"tips": (380.0, 440.0)}, {"tips": (260.0, 440.0)}),
        ({"tips": (350.0, 420.0), "wrist": (385.0, 440.0)}, {"tips": (290.0, 420.0), "wrist": (255.0, 440.0)}),
        ({"tips": (345.0, 390.0), "wrist": (400.0, 395.0)}, {"tips": (295.0, 420.0), "wrist": (240.0, 425.0)}),
    ],
    ids=["lap", "table", "one hand farther up"],
)
def test_hands_that_rest_before_the_torso_touch_nothing(left, right):
    def still(place):
        return None if place is None else lambda _second: place

    resting = Puppet(
        left_tips=still(left["tips"]),
        left_wrist=still(left.get("wrist")),
        right_tips=still(right["tips"]),
        right_wrist=still(right.get("wrist")),
    )
    for taxonomy in ("imigue32", "ma52", "smg17"):
        assert contacts(make_puppet(resting), taxonomy=taxonomy) == []


def test_both_hands_over_the_face_are_one_contact():
    both = Puppet(
        left_tips=visiting((345.0, 170.0), 2.0, 4.0, side="left"), right_tips=visiting((295.0, 170.0), 2.0, 4.0)
    )
    found = [draft for draft in contacts(make_puppet(both)) if draft.evidence != "hands_together"]
    assert [draft.evidence for draft in found] == ["hands_on_face"]
    assert found[0].reason.startswith("both hands")


def test_a_hand_flat_on_the_chest_is_not_at_the_throat():
    flat = Puppet(right_tips=visiting((345.0, 322.0), 2.0, 4.0), right_wrist=visiting((270.0, 345.0), 2.0, 4.0))
    assert contacts(make_puppet(flat)) == []
    assert {draft.evidence for draft in contacts(make_puppet(flat), taxonomy="ma52")} <= {"hand_on_chest"}


def test_of_a_very_long_contact_the_beginning_is_asked_about():
    found = contacts(make_puppet(Puppet(seconds=40, frame_rate=10, right_tips=visiting(MOUTH, 2.0, 38.0))))
    assert len(found) == 1
    assert found[0].span.seconds == pytest.approx(CONFIG.contact.longest_s)
    assert "it goes on for 36 s" in found[0].reason


@pytest.mark.parametrize("puppet", [AT_NECK, AT_MOUTH, FOLDED])
def test_a_mirror_swaps_the_sides_and_keeps_the_spans(puppet):
    person = make_puppet(puppet)
    plain, flipped = contacts(person), contacts(mirrored(person))
    assert spans(plain) == spans(flipped)
    swap = {"left": "right", "right": "left"}
    assert [tuple(sorted(swap[side] for side in draft.sides)) for draft in plain] == [draft.sides for draft in flipped]
    assert [draft.evidence for draft in plain] == [draft.evidence for draft in flipped]


@settings(max_examples=15, deadline=None)
@given(
    scale=st.floats(0.3, 4.0),
    across=st.floats(-200, 900),
    down=st.floats(-200, 900),
    puppet=st.sampled_from([AT_NECK, AT_MOUTH, FOLDED]),
)
def test_place_and_size_in_the_picture_change_nothing(scale, across, down, puppet):
    person = make_puppet(puppet)
    assert spans(contacts(person)) == spans(contacts(moved(person, scale=scale, shift=(across, down))))


@settings(max_examples=15, deadline=None)
@given(share=st.floats(0.0, 0.05), seed=st.integers(0, 1000))
def test_trembling_points_do_not_hide_or_invent_a_contact(share, seed):
    trembling = dataclasses.replace(AT_NECK, jitter_px=share * HEAD_WIDTH, seed=seed)
    found = contacts(make_puppet(trembling))
    assert len(found) == 1
    assert found[0].span.temporal_iou(TRUE_SPAN) >= 0.6
