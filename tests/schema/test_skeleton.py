import numpy as np
import pytest

from schema.records import KEYPOINT_COUNT, PART_SLICES, Part
from schema.skeleton import (
    FINGERTIPS,
    FLIP_PERMUTATION,
    KEYPOINT_NAMES,
    LEFT_HAND_LIMBS,
    LIMBS,
    RIGHT_HAND_LIMBS,
)


def test_every_keypoint_has_one_name() -> None:
    assert len(KEYPOINT_NAMES) == len(set(KEYPOINT_NAMES)) == KEYPOINT_COUNT


@pytest.mark.parametrize(
    ("index", "name"),
    [
        (0, "nose"),
        (9, "left_wrist"),
        (10, "right_wrist"),
        (16, "right_ankle"),
        (17, "left_big_toe"),
        (22, "right_heel"),
        (23, "face_0"),
        (90, "face_67"),
        (91, "left_hand_root"),
        (95, "left_hand_thumb4"),
        (132, "right_hand_pinky4"),
    ],
)
def test_names_are_where_coco_wholebody_has_them(index: int, name: str) -> None:
    assert KEYPOINT_NAMES[index] == name


def test_parts_cover_every_keypoint_once() -> None:
    points = [k for part in Part for k in range(KEYPOINT_COUNT)[PART_SLICES[part]]]
    assert points == list(range(KEYPOINT_COUNT))


def test_flipping_twice_changes_nothing() -> None:
    flip = np.array(FLIP_PERMUTATION)
    assert (flip[flip] == np.arange(KEYPOINT_COUNT)).all()


def test_a_flip_exchanges_left_and_right_and_stays_in_the_part() -> None:
    for index, other in enumerate(FLIP_PERMUTATION):
        name, flipped = KEYPOINT_NAMES[index], KEYPOINT_NAMES[other]
        assert flipped == name.replace("left", "#").replace("right", "left").replace("#", "right") or "face" in name
    face = range(KEYPOINT_COUNT)[PART_SLICES[Part.FACE]]
    assert sorted(FLIP_PERMUTATION[k] for k in face) == list(face)


def test_the_middle_of_the_face_stays_in_place() -> None:
    middle = {8, 27, 28, 29, 30, 33, 51, 57, 62, 66}
    assert {k for k in range(68) if FLIP_PERMUTATION[23 + k] == 23 + k} == middle


def test_a_flip_maps_limbs_onto_limbs() -> None:
    limbs = {frozenset(pair) for pair in LIMBS}
    assert {frozenset(FLIP_PERMUTATION[k] for k in pair) for pair in LIMBS} == limbs


def test_limbs_join_different_points_that_exist() -> None:
    assert all(a != b and 0 <= a < KEYPOINT_COUNT and 0 <= b < KEYPOINT_COUNT for a, b in LIMBS)
    assert {k for pair in LIMBS for k in pair} == set(range(KEYPOINT_COUNT))


def test_hand_limbs_form_five_chains_from_the_root() -> None:
    for limbs, start, side in ((LEFT_HAND_LIMBS, 91, "left"), (RIGHT_HAND_LIMBS, 112, "right")):
        assert len(limbs) == 20
        assert [b for a, b in limbs if a == start] == [start + 1 + 4 * f for f in range(5)]
        ends = {b for _, b in limbs} - {a for a, _ in limbs}
        assert ends == set(FINGERTIPS[side])
