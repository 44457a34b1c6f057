"""What a model sees: points, their parents, one origin, one size, one rate, and masks."""

from dataclasses import replace

import numpy as np
import pytest

import models.inputs.normalise as normalising
from models.config import InputConfig
from models.inputs.normalise import normalise, seen_points
from models.inputs.poses import PoseSequence
from models.inputs.skeletons import make_skeleton, watched_points
from models.inputs.views import Outline, outlines_of, without_subjects
from schema.errors import ConfigError
from schema.layouts import LAYOUTS
from tests.made_motions import made_sequence

STEP_NS = 80_000_000


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_every_layout_gives_one_tree_that_a_mirror_maps_onto_itself(layout: str) -> None:
    skeleton = make_skeleton(layout, watched_points(layout))
    roots = [point for point, parent in enumerate(skeleton.parents) if parent == point]
    assert len(roots) == 1
    assert sorted(skeleton.flip) == list(range(len(skeleton.points)))
    assert [skeleton.flip[other] for other in skeleton.flip] == list(range(len(skeleton.points)))
    for start in range(len(skeleton.points)):
        point = start
        for _ in skeleton.points:
            point = skeleton.parents[point]
        assert point == roots[0]
    assert sorted(p for part in skeleton.parts.values() for p in part) == list(range(len(skeleton.points)))
    assert sorted(p for limb in skeleton.limbs.values() for p in limb) == list(range(len(skeleton.points)))


def test_a_finger_hangs_on_the_wrist_when_the_hand_between_is_left_out() -> None:
    skeleton = make_skeleton("wholebody133", [5, 6, 7, 8, 9, 10, 95, 116])
    number = {point: place for place, point in enumerate(skeleton.points)}
    assert skeleton.parents[number[95]] == number[9]
    assert skeleton.parents[number[116]] == number[10]


def test_a_point_without_its_mirror_image_is_left_out() -> None:
    assert make_skeleton("coco17", [0, 5, 6, 9]).points == (0, 5, 6)


def test_place_size_and_frame_rate_of_the_video_do_not_matter() -> None:
    config = InputConfig()
    near = made_sequence("one", seconds=8).poses
    skeleton = make_skeleton("coco17", watched_points("coco17"))
    far = replace(near, positions=(near.positions * 0.5 + 300).astype(np.float32))
    every_second = replace(near, times_ns=near.times_ns[::2], positions=near.positions[::2], scores=near.scores[::2])
    first, second, third = (normalise(one, skeleton, config) for one in (near, far, every_second))
    assert np.allclose(first.positions, second.positions, atol=1e-3)
    assert np.all(np.diff(first.times_ns) == STEP_NS)
    shared = min(len(first.times_ns), len(third.times_ns))
    assert np.abs(first.positions[:shared] - third.positions[:shared]).mean() < 0.02
    shoulders = first.positions[:, skeleton.points.index(5)] - first.positions[:, skeleton.points.index(6)]
    assert np.median(np.linalg.norm(shoulders, axis=1)) == pytest.approx(1.0, abs=0.02)


def test_what_is_not_seen_is_marked_and_short_gaps_are_bridged() -> None:
    poses = made_sequence("one", seconds=8).poses
    positions, scores = poses.positions.copy(), poses.scores.copy()
    wrist = 9
    for frames in (slice(20, 24), slice(60, 120)):
        positions[frames, wrist], scores[frames, wrist] = np.nan, 0
    holed = replace(poses, positions=positions, scores=scores)
    skeleton = make_skeleton("coco17", watched_points("coco17"))
    made = normalise(holed, skeleton, InputConfig())
    seen = made.seen[:, skeleton.points.index(wrist)]
    seconds = (made.times_ns - made.times_ns[0]) / 1e9
    assert seen[seconds < 2.3].all()
    assert not seen[(seconds > 2.5) & (seconds < 4.7)].any()
    assert np.all(made.positions[~made.seen] == 0)
    assert np.all(made.scores[~made.seen] == 0)


def test_a_long_sequence_in_blocks_is_what_it_is_at_once(monkeypatch) -> None:
    poses = made_sequence("one", seconds=20).poses
    scores = poses.scores.copy()
    scores[100:240, 9], scores[300:305, 10] = 0, 0
    holed = replace(poses, scores=scores)
    skeleton = make_skeleton("coco17", watched_points("coco17"))
    whole = normalise(holed, skeleton, InputConfig())
    monkeypatch.setattr(normalising, "BLOCK_FRAMES", 37)
    parts = normalise(holed, skeleton, InputConfig())
    assert np.array_equal(whole.seen, parts.seen)
    assert np.allclose(whole.positions, parts.positions, atol=1e-5)
    assert np.allclose(whole.scores, parts.scores, atol=1e-5)


@pytest.mark.parametrize("block_frames", [7, 37, 64])
def test_a_hole_at_the_edge_of_a_block_stays_a_hole(monkeypatch, block_frames: int) -> None:
    poses = made_sequence("one", seconds=20).poses
    kept = np.ones(len(poses.times_ns), np.bool_)
    kept[60:200] = kept[300:420] = False
    holed = replace(poses, times_ns=poses.times_ns[kept], positions=poses.positions[kept], scores=poses.scores[kept])
    skeleton = make_skeleton("coco17", watched_points("coco17"))
    whole = normalise(holed, skeleton, InputConfig())
    assert not whole.seen.any(axis=1).all()
    monkeypatch.setattr(normalising, "BLOCK_FRAMES", block_frames)
    parts = normalise(holed, skeleton, InputConfig())
    assert np.array_equal(whole.seen, parts.seen)
    assert np.allclose(whole.positions, parts.positions, atol=1e-5)


def test_without_shoulders_nothing_counts_as_seen() -> None:
    poses = made_sequence("one", seconds=4).poses
    positions, scores = poses.positions.copy(), poses.scores.copy()
    positions[:, 5], scores[:, 5] = np.nan, 0
    skeleton = make_skeleton("coco17", watched_points("coco17"))
    made = normalise(replace(poses, positions=positions, scores=scores), skeleton, InputConfig())
    assert not made.seen.any()


def test_points_that_are_hardly_ever_seen_are_left_out() -> None:
    poses = made_sequence("one", seconds=4).poses
    scores = poses.scores.copy()
    scores[:, 13:] = 0
    chosen = seen_points([replace(poses, scores=scores)], watched_points("coco17"), fewest_seen=0.02)
    assert chosen == tuple(range(13))


def test_arrays_that_do_not_fit_the_layout_are_refused() -> None:
    poses = made_sequence("one", seconds=4).poses
    with pytest.raises(ConfigError, match=r"positions must have the shape \(100, 25"):
        replace(poses, layout="kinect25")
    with pytest.raises(ConfigError, match="no layout 'kinect26'"):
        replace(poses, layout="kinect26")
    with pytest.raises(ConfigError, match="frame times must increase"):
        replace(poses, times_ns=poses.times_ns[::-1].copy())


def test_poses_in_space_keep_their_third_axis() -> None:
    flat = made_sequence("one", seconds=4).poses
    deep = np.concatenate([flat.positions, flat.positions[..., :1] * 0 + 7], axis=2)
    poses = PoseSequence(
        sequence_id="a",
        subject_id=None,
        layout="coco17",
        times_ns=flat.times_ns,
        positions=deep,
        scores=flat.scores,
    )
    made = normalise(poses, make_skeleton("coco17", watched_points("coco17")), InputConfig())
    assert made.positions.shape[2] == 3
    assert np.allclose(made.positions[..., 2], 0, atol=1e-4)


def test_leaving_people_out_reads_nothing() -> None:
    class Unread(list):
        outlines = tuple(Outline(sequence_id=str(n), subject_id=one) for n, one in enumerate(("a", None, "b", "a")))

        def __getitem__(self, place):
            raise AssertionError("read")

    rest = without_subjects(Unread([None] * 4), frozenset({"a"}))
    assert [(one.sequence_id, one.subject_id) for one in outlines_of(rest)] == [("1", None), ("2", "b")]
