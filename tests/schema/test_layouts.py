"""Layouts: names meet names, sides meet sides, mirrored pictures come out right, and what goes out comes back."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schema.layouts import (
    COCO17,
    IMIGUE22,
    IMIGUE22_IN_MIGA35,
    KINECT20,
    KINECT25,
    LAYOUTS,
    MA52_28,
    MIGA35,
    MIGA35_NAMES,
    OPENPOSE137,
    from_layout,
    from_openpose_person,
    from_xyc,
    parts_seen_of,
    to_layout,
    to_openpose_person,
    to_xyc,
)
from schema.mediapipe_points import (
    FACE_FROM_MESH,
    MediapipePoints,
    from_mediapipe,
    place_face,
    place_hand,
    points_from_pose,
    to_mediapipe,
)
from schema.records import Part
from schema.skeleton import FLIP_PERMUTATION, KEYPOINT_NAMES

RENAMED = {"left_big_toe": "left_foot_index", "right_big_toe": "right_foot_index"}
SIZE = {"width": 640, "height": 480}


def numbered(count):
    return np.stack([np.arange(count), np.arange(count) + 0.5], axis=1).astype(np.float32)


def random_people(seed, *, frames=3, seen_share=0.7):
    """Give positions within ``SIZE`` and scores, some points unseen."""
    rng = np.random.default_rng(seed)
    seen = rng.random((frames, 133)) < seen_share
    xy = (rng.random((frames, 133, 2)) * (639, 479)).astype(np.float32)
    xy[~seen] = np.nan
    return xy, np.where(seen, rng.uniform(0.5, 1, seen.shape), 0).astype(np.float32)


def names_of(layout):
    """Name a layout's points by their sources."""
    return ["+".join(KEYPOINT_NAMES[k] for k in source) for source in layout.sources]


def test_body_and_feet_take_the_pose_points_of_the_same_name():
    from mediapipe.python.solutions.pose import PoseLandmark

    canonical = points_from_pose(numbered(33))
    for index in range(23):
        name = KEYPOINT_NAMES[index]
        if "small_toe" in name:
            assert np.isnan(canonical[index]).all()
        else:
            expected = PoseLandmark[RENAMED.get(name, name).upper()]
            assert canonical[index].tolist() == [expected, expected + 0.5], name
    assert np.isnan(canonical[23:]).all()


@pytest.mark.parametrize(("side", "start"), [("left", 91), ("right", 112)])
def test_hand_goes_to_its_own_side_in_order(side, start):
    from mediapipe.python.solutions.hands import HandLandmark

    canonical = np.full((133, 2), np.nan, np.float32)
    place_hand(canonical, numbered(21), side=side)
    assert np.isfinite(canonical).all(axis=1).nonzero()[0].tolist() == list(range(start, start + 21))
    assert canonical[KEYPOINT_NAMES.index(f"{side}_hand_root"), 0] == HandLandmark.WRIST
    assert canonical[KEYPOINT_NAMES.index(f"{side}_hand_thumb4"), 0] == HandLandmark.THUMB_TIP
    assert canonical[KEYPOINT_NAMES.index(f"{side}_hand_pinky1"), 0] == HandLandmark.PINKY_MCP


def test_unknown_side_is_refused():
    with pytest.raises(KeyError):
        place_hand(np.zeros((133, 2), np.float32), numbered(21), side="both")


def test_face_takes_distinct_vertices_in_the_order_of_the_68_points():
    from mediapipe.python.solutions.face_mesh_connections import FACEMESH_LEFT_EYE, FACEMESH_LIPS, FACEMESH_RIGHT_EYE

    canonical = np.full((133, 2), np.nan, np.float32)
    place_face(canonical, numbered(468))
    assert len(set(FACE_FROM_MESH)) == 68
    assert canonical[23:91, 0].astype(int).tolist() == list(FACE_FROM_MESH)
    for edges, points in ((FACEMESH_RIGHT_EYE, (36, 42)), (FACEMESH_LEFT_EYE, (42, 48)), (FACEMESH_LIPS, (48, 68))):
        assert set(FACE_FROM_MESH[slice(*points)]) <= {v for edge in edges for v in edge}


class TestMediapipe:
    @given(st.integers(0, 2**32 - 1), st.sets(st.sampled_from(["body", "face", "left_hand", "right_hand"])))
    def test_what_both_have_comes_back(self, seed, unseen):
        xy, scores = (array[0] for array in random_people(seed, seen_share=1))
        parts = {
            "body": slice(0, 23),
            "face": slice(23, 91),
            "left_hand": slice(91, 112),
            "right_hand": slice(112, 133),
        }
        for part in unseen:
            xy[parts[part]], scores[parts[part]] = np.nan, 0
        points = to_mediapipe(xy, scores, **SIZE)
        found = {
            "body": points.pose,
            "face": points.face,
            "left_hand": points.left_hand,
            "right_hand": points.right_hand,
        }
        assert {name for name, group in found.items() if group is None} == unseen
        back_xy, back_scores = from_mediapipe(points, **SIZE)
        xy[[18, 21]], scores[[18, 21]] = np.nan, 0
        np.testing.assert_allclose(back_xy, xy, atol=1e-3)
        np.testing.assert_allclose(back_scores[:23], scores[:23], atol=1e-6)
        assert ((back_scores > 0) == (scores > 0)).all()

    def test_a_result_of_holistic_is_read(self):
        from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmark, NormalizedLandmarkList

        def group(count):
            return NormalizedLandmarkList(
                landmark=[NormalizedLandmark(x=k / 500, y=k / 1000, visibility=k / 32) for k in range(count)]
            )

        result = SimpleNamespace(
            pose_landmarks=group(33),
            face_landmarks=group(478),
            left_hand_landmarks=None,
            right_hand_landmarks=group(21),
        )
        xy, scores = from_mediapipe(MediapipePoints.of_result(result), **SIZE)
        assert xy[15] == pytest.approx((27 / 500 * 640, 27 / 1000 * 480))
        assert scores[15] == pytest.approx(27 / 32)
        assert np.isnan(xy[5]).all(), "the left shoulder's visibility is 11/32"
        assert xy[113] == pytest.approx((1 / 500 * 640, 1 / 1000 * 480))
        assert parts_seen_of(scores).tolist() == [True, True, True, False, True]

    @pytest.mark.parametrize(("x", "y"), [(-0.01, 0.5), (1.0, 0.5), (0.5, 1.2), (0.5, -3.0)])
    def test_points_made_up_outside_the_picture_are_not_seen(self, x, y):
        pose = np.full((33, 3), 0.5, np.float32)
        pose[:, 2] = 0.99
        pose[15, :2] = x, y
        hand = np.full((21, 2), 0.5, np.float32)
        hand[8] = x, y
        points = MediapipePoints(pose=pose, face=None, left_hand=hand, right_hand=None)
        xy, scores = from_mediapipe(points, **SIZE)
        assert scores[9] == scores[99] == 0
        assert np.isnan(xy[[9, 99]]).all()
        assert (scores[[0, 8, 91]] > 0).all()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
class TestLayout:
    def test_every_point_hangs_together(self, layout):
        reached = {0}
        for _ in layout.sources:
            reached |= {b for a, b in layout.limbs if a in reached} | {a for a, b in layout.limbs if b in reached}
        assert reached == set(range(len(layout.sources)))
        assert len({frozenset(limb) for limb in layout.limbs}) == len(layout.limbs)

    def test_flip_twice_is_identity_and_keeps_limbs(self, layout):
        assert [layout.flip[k] for k in layout.flip] == list(range(len(layout.flip)))
        assert len(layout.flip) == len(layout.sources)
        limbs = {frozenset(limb) for limb in layout.limbs}
        assert {frozenset(layout.flip[k] for k in limb) for limb in limbs} == limbs

    @given(st.integers(0, 2**32 - 1))
    def test_mirroring_before_or_after_is_the_same(self, layout, seed):
        xy, scores = random_people(seed)
        mirrored = xy[:, list(FLIP_PERMUTATION)] * np.array((-1, 1), np.float32)
        ours_xy, ours_scores = to_layout(mirrored, scores[:, list(FLIP_PERMUTATION)], layout)
        after_xy, after_scores = to_layout(xy, scores, layout)
        np.testing.assert_allclose(ours_xy, after_xy[:, list(layout.flip)] * (-1, 1), rtol=1e-6)
        np.testing.assert_array_equal(ours_scores, after_scores[:, list(layout.flip)])

    @given(st.integers(0, 2**32 - 1))
    def test_shared_points_come_back_as_they_were_and_the_rest_is_unseen(self, layout, seed):
        xy, scores = random_people(seed)
        shared = sorted({source[0] for source in layout.sources if len(source) == 1})
        others = [k for k in range(133) if k not in shared]
        for back_xy, back_scores in (
            from_layout(*to_layout(xy, scores, layout), layout),
            from_xyc(to_xyc(xy, scores, layout), layout),
        ):
            np.testing.assert_array_equal(back_xy[:, shared], xy[:, shared])
            np.testing.assert_array_equal(back_scores[:, shared], scores[:, shared])
            assert np.isnan(back_xy[:, others]).all()
            assert not back_scores[:, others].any()

    def test_unseen_is_three_zeros_and_zeros_are_unseen(self, layout):
        unseen = np.full((133, 2), np.nan, np.float32), np.zeros(133, np.float32)
        values = to_xyc(*unseen, layout)
        assert values.shape == (len(layout.sources), 3)
        assert not values.any()
        values[:, 2] = 0.9
        assert not from_xyc(values, layout)[1].any(), "(0, 0) with a score is not a place"
        values[:] = (5, 0, 0.9)
        values[0] = (np.nan, 3, 0.9)
        xy, scores = from_xyc(values, layout)
        assert scores[0] == 0
        assert scores[5] == pytest.approx(0.9), "every layout has the shoulders"
        assert xy[5].tolist() == [5, 0]

    def test_rows_of_another_format_are_refused(self, layout):
        with pytest.raises(ValueError, match=layout.name):
            from_xyc(np.zeros((2, len(layout.sources) + 1, 3), np.float32), layout)


def test_graph_and_flip_of_the_22_joints_are_the_corrected_ones():
    body = [(0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (0, 8), (8, 10), (0, 9), (9, 11)]
    fingers = [(4, k) for k in range(12, 17)] + [(7, k) for k in range(17, 22)]
    assert sorted(IMIGUE22.limbs) == sorted(body + fingers)
    assert IMIGUE22.flip == (0, 1, 5, 6, 7, 2, 3, 4, 9, 8, 11, 10, 17, 18, 19, 20, 21, 12, 13, 14, 15, 16)
    assert COCO17.flip == (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)


def test_the_22_joints_are_the_same_points_among_the_35():
    assert tuple(MIGA35.sources[k] for k in IMIGUE22_IN_MIGA35) == IMIGUE22.sources


def test_names_of_the_35_joints_are_mirrored_above_the_feet_only():
    assert len(MIGA35_NAMES) == len(set(MIGA35_NAMES)) == len(MIGA35.sources) == 35
    for theirs, ours in zip(MIGA35_NAMES, names_of(MIGA35), strict=True):
        if theirs in {"Nose", "ShoulderCenter", "HipCenter"}:
            continue
        same_side = any(part in theirs for part in ("Finger", "Toe", "Heel"))
        side = "left" if ("Left" in theirs) == same_side else "right"
        assert ours.startswith(side), (theirs, ours)
    ours = dict(zip(MIGA35_NAMES, names_of(MIGA35), strict=True))
    assert ours["HandLeft"] == "right_wrist"
    assert ours["EyeLeft"] == "right_eye"
    assert ours["RightFinger2"] == "right_hand_forefinger4"
    assert ours["ShoulderCenter"] == "left_shoulder+right_shoulder"


def test_kinect_has_its_joints_where_its_documentation_has_them():
    names = names_of(KINECT25)
    assert [names[k] for k in (4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18)] == [
        *("left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist"),
        *("left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle"),
    ]
    assert names[20:25] == [
        "left_shoulder+right_shoulder", "left_hand_middle4", "left_hand_thumb4", "right_hand_middle4",
        "right_hand_thumb4",
    ]  # fmt: skip


def test_the_older_kinect_has_its_joints_where_its_documentation_has_them():
    names = names_of(KINECT20)
    assert [names[k] for k in (4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18)] == [
        *("left_shoulder", "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist"),
        *("left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle"),
    ]
    assert names[2] == "left_shoulder+right_shoulder"
    assert KINECT20.flip == (0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15)


def test_skeletons_of_the_older_kinect_hold_together_along_its_limbs():
    folder = Path(__file__).parents[3] / "shared" / "media" / "skeletons" / "UTKinect" / "joints"
    if not folder.is_dir():
        pytest.skip("the skeletons of UTKinect are not in ../shared/media")
    rows = np.concatenate([np.loadtxt(file) for file in sorted(folder.glob("joints_s0[12]*.txt"))])
    joints = rows[:, 1:].reshape(-1, 20, 3)
    lengths = np.stack([np.linalg.norm(joints[:, a] - joints[:, b], axis=-1) for a, b in KINECT20.limbs])
    assert np.median(lengths, axis=1).max() < 0.6, "metres: no limb jumps to a joint that is not its neighbour"
    assert lengths.std(axis=1).max() < 0.08, "metres: limbs keep their length"
    across = joints[:, KINECT20.sources.index((12,))] - joints[:, KINECT20.sources.index((11,))]
    ahead = np.cross(joints[:, 2] - joints[:, 0], across)
    toes = joints[:, 15] - joints[:, 14] + joints[:, 19] - joints[:, 18]
    assert np.mean(np.sum(ahead * toes, axis=-1) > 0) > 0.8, "left is the person's own: the toes point ahead"


def test_openpose_has_its_points_where_its_documentation_has_them():
    names = names_of(OPENPOSE137)
    assert [names[k] for k in (0, 2, 4, 7, 9, 14, 15, 18)] == [
        "nose", "right_shoulder", "right_wrist", "left_wrist", "right_hip", "left_ankle", "right_eye", "left_ear",
    ]  # fmt: skip
    assert names[19:25] == [
        "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
    ]  # fmt: skip
    assert [names[k] for k in (25, 92, 93, 94)] == ["face_0", "face_67", "right_eye", "left_eye"]
    assert [names[k] for k in (95, 99, 116, 136)] == [
        "left_hand_root", "left_hand_thumb4", "right_hand_root", "right_hand_pinky4",
    ]  # fmt: skip


def test_fingers_of_ma52_hang_on_their_own_wrist():
    names = names_of(MA52_28)
    assert names[14:18] == ["right_eye", "left_eye", "right_ear", "left_ear"]
    for wrist, finger in [limb for limb in MA52_28.limbs if max(limb) >= 18]:
        assert names[wrist].split("_")[0] == names[finger].split("_")[0]
        assert names[wrist].endswith("wrist")


class TestOpenposeJson:
    def test_a_person_survives_the_file(self):
        (xy,), (scores,) = random_people(3, frames=1)
        person = json.loads(json.dumps(to_openpose_person(xy, scores)))
        assert {name: len(numbers) for name, numbers in person.items()} == {
            "pose_keypoints_2d": 75, "face_keypoints_2d": 210, "hand_left_keypoints_2d": 63,
            "hand_right_keypoints_2d": 63,
        }  # fmt: skip
        back_xy, back_scores = from_openpose_person(person)
        np.testing.assert_array_equal(back_xy, xy)
        np.testing.assert_array_equal(back_scores, scores)

    def test_a_group_that_was_not_asked_for_is_unseen(self):
        (xy,), (scores,) = random_people(4, frames=1, seen_share=1)
        person = to_openpose_person(xy, scores) | {"face_keypoints_2d": []}
        del person["hand_left_keypoints_2d"]
        seen = parts_seen_of(from_openpose_person(person)[1])
        assert [part for part in Part if not seen[part]] == [Part.FACE, Part.LEFT_HAND]

    def test_confidence_above_one_is_one(self):
        (xy,), (scores,) = random_people(5, frames=1, seen_share=1)
        person = to_openpose_person(xy, scores)
        person["pose_keypoints_2d"][2] = 1.04
        assert from_openpose_person(person)[1][0] == 1

    def test_another_body_model_is_refused(self):
        with pytest.raises(ValueError, match="pose_keypoints_2d needs 75 numbers, got 54"):
            from_openpose_person({"pose_keypoints_2d": [1.0] * 54})


def test_neck_is_unseen_where_a_shoulder_is():
    xy, scores = np.ones((133, 2), np.float32), np.full(133, 0.8, np.float32)
    xy[5], scores[5] = np.nan, 0
    points, values = to_layout(xy, scores, IMIGUE22)
    assert np.isnan(points[1]).all()
    assert values[1] == 0
    assert values[2] == pytest.approx(0.8)


def test_openpose_neck_and_mid_hip_lie_between_their_sides():
    (xy,), (scores,) = random_people(6, frames=1, seen_share=1)
    points, lowest = to_layout(xy, scores, OPENPOSE137)
    np.testing.assert_allclose(points[1], (xy[5] + xy[6]) / 2)
    np.testing.assert_allclose(points[8], (xy[11] + xy[12]) / 2)
    assert lowest[8] == min(scores[11], scores[12])
