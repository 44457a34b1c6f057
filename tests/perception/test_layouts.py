"""Layouts: names meet names, sides meet sides, and mirrored pictures come out right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perception.layouts import (
    COCO17,
    FACE_FROM_MESH,
    IMIGUE22,
    place_face,
    place_hand,
    points_from_pose,
    to_layout,
)
from schema.skeleton import FLIP_PERMUTATION, KEYPOINT_NAMES

RENAMED = {"left_big_toe": "left_foot_index", "right_big_toe": "right_foot_index"}


def numbered(count):
    return np.stack([np.arange(count), np.arange(count) + 0.5], axis=1).astype(np.float32)


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


@pytest.mark.parametrize("layout", [COCO17, IMIGUE22], ids=lambda layout: layout.name)
class TestLayout:
    def test_every_point_hangs_together(self, layout):
        reached = {0}
        for _ in layout.sources:
            reached |= {b for a, b in layout.limbs if a in reached} | {a for a, b in layout.limbs if b in reached}
        assert reached == set(range(len(layout.sources)))

    def test_flip_twice_is_identity_and_keeps_limbs(self, layout):
        assert [layout.flip[k] for k in layout.flip] == list(range(len(layout.flip)))
        limbs = {frozenset(limb) for limb in layout.limbs}
        assert {frozenset(layout.flip[k] for k in limb) for limb in limbs} == limbs

    @given(st.integers(0, 2**32 - 1))
    def test_mirroring_before_or_after_is_the_same(self, layout, seed):
        rng = np.random.default_rng(seed)
        xy, scores = rng.random((3, 133, 2), np.float32), rng.random((3, 133), np.float32)
        mirrored = xy[:, list(FLIP_PERMUTATION)] * np.array((-1, 1), np.float32)
        ours_xy, ours_scores = to_layout(mirrored, scores[:, list(FLIP_PERMUTATION)], layout)
        after_xy, after_scores = to_layout(xy, scores, layout)
        np.testing.assert_allclose(ours_xy, after_xy[:, list(layout.flip)] * (-1, 1), rtol=1e-6)
        np.testing.assert_array_equal(ours_scores, after_scores[:, list(layout.flip)])


def test_neck_is_unseen_where_a_shoulder_is():
    xy, scores = np.ones((133, 2), np.float32), np.full(133, 0.8, np.float32)
    xy[5], scores[5] = np.nan, 0
    points, values = to_layout(xy, scores, IMIGUE22)
    assert np.isnan(points[1]).all()
    assert values[1] == 0
    assert values[2] == pytest.approx(0.8)
