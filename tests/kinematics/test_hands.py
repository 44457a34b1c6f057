import dataclasses

import numpy as np

from kinematics.hands import find_hands
from kinematics.scale import head_widths_px
from schema.records import Part
from tests.puppets import MOUTH, Puppet, make_puppet, visiting


def hands_of(sequence):
    return find_hands(sequence, head_widths_px(sequence))


def test_a_hand_of_an_unseen_part_is_not_seen():
    hands = hands_of(make_puppet(Puppet(unseen=(Part.RIGHT_HAND,)))[1])
    assert hands.seen[:, 0].all()
    assert not hands.seen[:, 1].any()
    assert np.isnan(hands.points[:, 1]).all()


def test_a_hand_far_from_its_own_wrist_is_a_stray_detection():
    _, sequence = make_puppet()
    points = sequence.keypoints_xy.copy()
    points[:, 112:133] += (0, -250)
    hands = hands_of(dataclasses.replace(sequence, keypoints_xy=points))
    assert hands.seen[:, 0].all()
    assert not hands.seen[:, 1].any()


def test_one_hand_reported_as_both_is_the_hand_whose_wrist_is_there():
    _, sequence = make_puppet(Puppet(right_tips=visiting(MOUTH, 0, 6), wrists_seen=True))
    points, scores = sequence.keypoints_xy.copy(), sequence.scores.copy()
    points[:, 91:112] = points[:, 112:133] + 2
    points[:, 9], scores[:, 9] = np.nan, 0
    hands = hands_of(dataclasses.replace(sequence, keypoints_xy=points, scores=scores))
    assert hands.seen[:, 1].all()
    assert not hands.seen[:, 0].any()


def test_without_wrists_a_double_is_the_hand_that_is_seen_alone_nearby():
    _, sequence = make_puppet(Puppet(right_tips=visiting(MOUTH, 0, 6), wrists_seen=False))
    points, scores, seen = sequence.keypoints_xy.copy(), sequence.scores.copy(), sequence.parts_seen.copy()
    points[:, 91:112] = points[:, 112:133] + 2
    points[::2, 91:112], scores[::2, 91:112], seen[::2, Part.LEFT_HAND] = np.nan, 0, False
    hands = hands_of(dataclasses.replace(sequence, keypoints_xy=points, scores=scores, parts_seen=seen))
    assert hands.seen[:, 1].all()
    assert not hands.seen[:, 0].any()
