import numpy as np
import pytest

from kinematics.covers import UNSURE_REACH, box_covers, head_covers
from kinematics.part_speeds import part_speed
from schema.records import KEYPOINT_COUNT, PART_SLICES, KeypointSequence, Part
from schema.taxonomy import EVIDENCE
from tests.factories import make_keypoints, make_track

HEAD = [*range(5), *range(*PART_SLICES[Part.FACE].indices(KEYPOINT_COUNT))]


def seated(frames: int = 60) -> KeypointSequence:
    """Somebody with a face of 80 x 100 pixels around (200, 100), shoulders 200 pixels wide, who keeps still."""
    sequence = make_keypoints(frame_count=frames)
    angle = np.linspace(0, 2 * np.pi, len(HEAD), endpoint=False)
    points = np.tile(np.array([200.0, 300.0]), (KEYPOINT_COUNT, 1))
    points[HEAD] = np.stack([200 + 40 * np.cos(angle), 100 + 50 * np.sin(angle)], axis=1)
    points[5], points[6] = (100, 200), (300, 200)
    sequence.keypoints_xy[:] = points
    return sequence


def without_head(sequence: KeypointSequence, first: int, end: int) -> KeypointSequence:
    sequence.keypoints_xy[first:end, HEAD] = np.nan
    sequence.scores[first:end, HEAD] = 0
    return sequence


def covered(cover: np.ndarray, points: np.ndarray) -> np.ndarray:
    return np.asarray((((points - cover[:2]) / cover[2:]) ** 2).sum(axis=1) <= 1)


def test_every_point_of_the_head_is_covered_and_the_shoulders_are_not() -> None:
    sequence = seated()
    covers = head_covers(sequence, sequence.frame_indices.astype(np.float64))
    assert covers is not None
    for cover, points in zip(covers, sequence.keypoints_xy, strict=True):
        assert covered(cover, points[HEAD]).all()
        assert not covered(cover, points[[5, 6]]).any()


def test_a_head_that_is_lost_is_covered_by_more_between_where_it_was_and_where_it_is() -> None:
    sequence = seated()
    sequence.keypoints_xy[40:] += (30, 0)
    frames = sequence.frame_indices.astype(np.float64)
    covers = head_covers(without_head(sequence, 20, 40), frames)
    assert covers is not None
    lost, before = covers[30], covers[10]
    assert before[0] < lost[0] < covers[50][0]
    assert lost[2:] == pytest.approx(before[2:] * UNSURE_REACH, rel=0.05)


def test_who_never_shows_a_head_has_none_to_cover_and_the_top_of_the_box_is_taken() -> None:
    sequence = without_head(seated(), 0, 60)
    frames = np.arange(60, dtype=np.float64)
    assert head_covers(sequence, frames) is None
    covers = box_covers(make_track(frame_count=60), frames)
    corners = np.array([[101.0, 51.0], [299.0, 51.0], [200.0, 150.0]])
    assert all(covered(cover, corners).all() for cover in covers)


def test_between_the_frames_of_a_track_its_box_is_interpolated() -> None:
    track = make_track(frame_count=2, frame_indices=np.array([0, 10], dtype=np.int32))
    track.boxes_xyxy[1] += 100
    covers = box_covers(track, np.array([0.0, 5.0, 10.0]))
    assert covers[1] == pytest.approx((covers[0] + covers[2]) / 2)


@pytest.mark.parametrize("evidence", [*EVIDENCE, "something new"])
def test_the_part_that_the_evidence_names_is_fast_when_it_moves(evidence: str) -> None:
    moving = {
        "head": HEAD,
        "mouth": range(71, 91),
        "shoulders": (5, 6),
        "upper body": (5, 6, 11, 12),
        "legs": range(13, 17),
    }
    sequence = seated()
    speed = part_speed(sequence, evidence)
    assert speed is not None
    assert speed.head_widths_per_second.max() < 0.1
    points = moving.get(speed.part, range(7, 11) if speed.part == "arms" else [9, *range(91, 112)])
    sequence.keypoints_xy[30:, list(points)] += np.array([40.0, 0.0], dtype=np.float32)
    moved = part_speed(sequence, evidence)
    assert moved is not None
    assert 25 <= int(moved.head_widths_per_second.argmax()) <= 35
    assert moved.head_widths_per_second.max() > 1


def test_without_a_size_there_is_no_speed() -> None:
    sequence = without_head(seated(), 0, 60)
    sequence.keypoints_xy[:, [5, 6]] = np.nan
    sequence.scores[:, [5, 6]] = 0
    assert part_speed(sequence, "hand_on_neck") is None
