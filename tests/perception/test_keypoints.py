"""The keypoint stage, with an estimator that only counts."""

import numpy as np
import pytest

from media.frames import VideoFrame
from perception.keypoints import (
    KeypointsConfig,
    PersonKeypoints,
    estimate_keypoints,
    estimate_person_by_person,
    unseen_person,
)
from schema.errors import DamagedTableError, DropReason
from schema.records import Dropped, KeypointSequence, Part, Track, VideoId

FRAME_NS = 40_000_000


def track_of(number, frames, *, x=0.0):
    indices = np.array(list(frames), np.int32)
    count = indices.shape[0]
    return Track(
        video_id=VideoId("v1"),
        track_number=number,
        shot_number=0,
        frame_indices=indices,
        times_ns=indices.astype(np.int64) * FRAME_NS,
        boxes_xyxy=np.tile(np.array([[x, 0, x + 10, 20]], np.float32), (count, 1)),
        scores=np.ones(count, np.float32),
    )


def seen_person(x, y, *, points=17):
    keypoints = np.full((133, 2), np.nan, np.float32)
    keypoints[:points] = (x, y)
    scores = np.zeros(133, np.float32)
    scores[:points] = 0.9
    return PersonKeypoints(keypoints_xy=keypoints, scores=scores, parts_seen=np.arange(5) == Part.BODY)


class CountingEstimator:
    """Puts every point at (box's left, number in the picture's corner) and keeps count of open tracks."""

    config_type = int
    weights_digest = "0"

    def __init__(self, *, seen=lambda frame: True, points=17):
        self.seen, self.points = seen, points
        self.open = 0
        self.most_open = 0
        self.calls = []

    def estimate(self, frames):
        return estimate_person_by_person(frames, self.start_track)

    def start_track(self):
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        return CountingTrack(self)


class CountingTrack:
    def __init__(self, owner):
        self.owner = owner
        self.closed = False

    def estimate(self, image_rgb, box_xyxy, time_ns):
        frame = int(image_rgb[0, 0, 0])
        self.owner.calls.append((frame, time_ns))
        if not self.owner.seen(frame):
            return unseen_person()
        return seen_person(box_xyxy[0], frame, points=self.owner.points)

    def close(self):
        assert not self.closed
        self.closed = True
        self.owner.open -= 1


class Film:
    """Gives numbered pictures, and remembers which were asked for."""

    def __init__(self, frame_count=200):
        self.frame_count = frame_count
        self.decoded = []

    def frames(self, first, end, only):
        for k in sorted(only.intersection(range(first, min(end, self.frame_count)))):
            self.decoded.append(k)
            image = np.full((4, 4, 3), k, np.uint8)
            yield VideoFrame(frame_index=k, time_ns=k * FRAME_NS, image_rgb=image)


def run(tracks, *, estimator=None, film=None, config=None):
    return list(
        estimate_keypoints(
            tracks,
            frames_of=(film or Film()).frames,
            estimator=estimator or CountingEstimator(),
            config=config or KeypointsConfig(),
        )
    )


def test_each_frame_is_decoded_once_and_gaps_not_at_all():
    film, estimator = Film(), CountingEstimator()
    tracks = [track_of(0, range(5, 20)), track_of(1, range(10, 30), x=50), track_of(2, range(100, 103))]
    out = run(tracks, estimator=estimator, film=film)
    assert film.decoded == [*range(5, 30), *range(100, 103)]
    assert [s.track_number for s in out] == [0, 1, 2]
    assert estimator.most_open == 2
    assert estimator.open == 0


def test_every_track_gets_its_own_frames_boxes_and_times():
    out = sorted(run([track_of(0, (3, 4, 9)), track_of(1, (4, 5), x=50)]), key=lambda s: s.track_number)
    for sequence, frames, x in zip(out, ((3, 4, 9), (4, 5)), (0, 50), strict=True):
        assert isinstance(sequence, KeypointSequence)
        assert sequence.frame_indices.tolist() == list(frames)
        assert sequence.times_ns.tolist() == [k * FRAME_NS for k in frames]
        assert sequence.keypoints_xy[:, 0].tolist() == [[x, k] for k in frames]


def test_frames_without_a_body_are_rows_all_the_same():
    (sequence,) = run([track_of(0, range(10))], estimator=CountingEstimator(seen=lambda k: k % 2 == 0))
    assert sequence.frame_indices.shape == (10,)
    assert sequence.parts_seen[:, Part.BODY].tolist() == [True, False] * 5
    assert np.isnan(sequence.keypoints_xy[1::2]).all()


def test_body_that_is_hardly_ever_seen_is_dropped_with_the_count():
    (dropped,) = run([track_of(7, range(100))], estimator=CountingEstimator(seen=lambda k: k < 9))
    assert isinstance(dropped, Dropped)
    assert dropped.reason == DropReason.NO_KEYPOINTS
    assert dropped.item_id == "v1/track7"
    assert "9 of 100" in dropped.detail


def test_a_few_stray_points_are_no_body():
    (dropped,) = run([track_of(0, range(10))], estimator=CountingEstimator(points=4))
    assert isinstance(dropped, Dropped)


def test_kept_and_dropped_are_the_inputs():
    tracks = [track_of(k, range(10 * k, 10 * k + 10)) for k in range(6)]
    out = run(tracks, estimator=CountingEstimator(seen=lambda k: (k // 10) % 2 == 0))
    assert [type(one) for one in out] == [KeypointSequence, Dropped] * 3


def test_no_tracks_decode_nothing():
    film = Film()
    assert run([], film=film) == []
    assert film.decoded == []


def test_a_file_that_lost_frames_is_told_and_nothing_stays_open():
    estimator = CountingEstimator()
    with pytest.raises(DamagedTableError, match=r"v1: track 0 names frame 8"):
        run([track_of(0, range(5, 12))], estimator=estimator, film=Film(frame_count=8))
    assert estimator.open == 0


def test_an_estimator_that_fails_leaves_nothing_open():
    estimator = CountingEstimator(seen=lambda k: 1 / (7 - k))
    with pytest.raises(ZeroDivisionError):
        run([track_of(0, range(10)), track_of(1, range(10))], estimator=estimator)
    assert estimator.open == 0


def test_arrays_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="133"):
        PersonKeypoints(
            keypoints_xy=np.zeros((17, 2), np.float32),
            scores=np.zeros(17, np.float32),
            parts_seen=np.zeros(5, np.bool_),
        )
