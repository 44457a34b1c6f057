"""What every keypoint estimator promises, whichever library is behind it."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from media.frames import VideoFrame, decode_frames, read_frame_times
from media.sample import sample_clip_path
from perception.backends.loading import load_back_end
from perception.keypoints import KEYPOINT_ESTIMATORS, BoxedFrame
from schema.records import PART_SLICES, Part, VideoId
from tests.pose_networks import (
    mmpose_that_sees_paintings,
    onnx_that_sees_paintings,
    openvino_that_sees_paintings,
)
from tests.synthetic_people import PaintedPerson, paint

FRAME_NS = 33_366_667


@dataclass(frozen=True)
class Scene:
    """Pictures in which the back end at hand sees one person, and the person's box."""

    images_rgb: list[np.ndarray]
    box_xyxy: tuple[float, float, float, float]


@cache
def real_scene() -> Scene:
    path = sample_clip_path()
    times, _ = read_frame_times(path, video_id=VideoId("v1"), sha256="0" * 64)
    images = [frame.image_rgb for frame in decode_frames(path, times, end_frame=8)]
    return Scene(images, (20.0, 5.0, 170.0, 144.0))


@cache
def painted_scene() -> Scene:
    boxes = [(100 + 2 * k, 40, 200 + 2 * k, 236) for k in range(8)]
    return Scene([paint([PaintedPerson(box_xyxy=box)]) for box in boxes], (100.0, 40.0, 214.0, 236.0))


SCENES = {
    "mediapipe": real_scene,
    "mmpose": painted_scene,
    "onnx": painted_scene,
    "synthetic": painted_scene,
}
SETTINGS = {
    "mmpose": mmpose_that_sees_paintings,
    "onnx": onnx_that_sees_paintings,
    "onnx in openvino": openvino_that_sees_paintings,
}
"""Of the back ends that have no weights of their own: small networks whose last layer is fitted to the scene."""


def back_end_of(name):
    return name.partition(" in ")[0]


@cache
def estimator_named(name):
    back_end = load_back_end(KEYPOINT_ESTIMATORS, back_end_of(name), key="keypoints.estimator")
    return back_end(SETTINGS.get(name, back_end.config_type)())


@pytest.fixture(params=sorted(KEYPOINT_ESTIMATORS.keys() | SETTINGS.keys()))
def name(request):
    if request.param == "onnx in openvino":
        pytest.importorskip("openvino")
    return request.param


@pytest.fixture
def estimator(name):
    return estimator_named(name)


@pytest.fixture
def scene(name):
    return SCENES[back_end_of(name)]()


def boxed(images, *boxes):
    """Frames in which the tracks 0, 1, ... have these boxes."""
    for k, image in enumerate(images):
        frame = VideoFrame(frame_index=k, time_ns=k * FRAME_NS, image_rgb=image)
        yield BoxedFrame(frame=frame, track_numbers=tuple(range(len(boxes))), boxes_xyxy=boxes)


def estimates(estimator, scene, images=None):
    images = scene.images_rgb if images is None else images
    return [person for (person,) in estimator.estimate(boxed(images, scene.box_xyxy))]


def as_bytes(people):
    return b"".join(p.keypoints_xy.tobytes() + p.scores.tobytes() + p.parts_seen.tobytes() for p in people)


def check_person(person, image_rgb):
    height, width = image_rgb.shape[:2]
    seen = np.isfinite(person.keypoints_xy).all(axis=1)
    assert person.keypoints_xy.dtype == np.float32
    assert person.scores.dtype == np.float32
    assert person.parts_seen.dtype == np.bool_
    assert np.array_equal(seen, person.scores > 0)
    assert np.isnan(person.keypoints_xy[~seen]).all()
    assert (person.scores <= 1).all()
    assert (person.keypoints_xy[seen] >= 0).all()
    assert (person.keypoints_xy[seen] < (width, height)).all()
    for part in Part:
        assert person.parts_seen[part] == seen[PART_SLICES[part]].any()


def test_every_backend_has_a_scene():
    assert SCENES.keys() == KEYPOINT_ESTIMATORS.keys()


def test_person_is_seen_with_points_in_the_picture_only(estimator, scene):
    for person, image in zip(estimates(estimator, scene), scene.images_rgb, strict=True):
        check_person(person, image)
        assert person.parts_seen[Part.BODY]
        nose, left_shoulder, right_shoulder = person.keypoints_xy[[0, 5, 6]]
        assert nose[1] < left_shoulder[1]
        assert left_shoulder[0] > right_shoulder[0], "left is the person's own left"


def test_same_pictures_give_the_same_bytes(estimator, scene):
    assert as_bytes(estimates(estimator, scene)) == as_bytes(estimates(estimator, scene))


def test_people_of_one_frame_do_not_share_state(estimator, scene):
    x1, y1, x2, y2 = scene.box_xyxy
    other_box = (x1 + 9, y1 + 4, x2 + 3, y2)
    alone = as_bytes(estimates(estimator, scene))
    both = list(estimator.estimate(boxed(scene.images_rgb, other_box, scene.box_xyxy)))
    assert [len(people) for people in both] == [2] * len(scene.images_rgb)
    assert as_bytes(person for _, person in both) == alone


def test_people_come_and_go(estimator, scene):
    frames = list(boxed(scene.images_rgb, scene.box_xyxy))
    gone = [BoxedFrame(frame=boxed_frame.frame, track_numbers=(), boxes_xyxy=()) for boxed_frame in frames[:2]]
    out = list(estimator.estimate([*gone, *frames[2:]]))
    assert [len(people) for people in out] == [0, 0] + [1] * (len(frames) - 2)
    assert as_bytes(people[0] for people in out[2:]) == as_bytes(estimates(estimator, scene, scene.images_rgb[2:]))


def test_nothing_is_remembered_from_one_call_to_the_next(estimator, scene):
    fresh = as_bytes(estimates(estimator, scene))
    estimates(estimator, scene, scene.images_rgb[::-1])
    assert as_bytes(estimates(estimator, scene)) == fresh


def test_frames_are_read_ahead_within_bounds(estimator, scene):
    taken = 0

    def counted():
        nonlocal taken
        for boxed_frame in boxed(scene.images_rgb * 40, scene.box_xyxy):
            taken += 1
            yield boxed_frame

    people = estimator.estimate(counted())
    next(people)
    assert taken <= 128
    people.close()


def test_no_frames_give_no_people(estimator):
    assert list(estimator.estimate([])) == []


def test_picture_is_left_as_it_was(estimator, scene):
    image = scene.images_rgb[0].copy()
    estimates(estimator, scene, [image])
    assert np.array_equal(image, scene.images_rgb[0])


def test_read_only_and_strided_pictures_are_taken(estimator, scene):
    image = scene.images_rgb[0]
    strided = np.ascontiguousarray(image[:, ::-1])[:, ::-1]
    strided.flags.writeable = False
    assert as_bytes(estimates(estimator, scene, [strided])) == as_bytes(estimates(estimator, scene, [image]))


def test_nobody_in_the_box_is_nothing_seen(estimator, scene):
    empty = np.full_like(scene.images_rgb[0], 20)
    (person,) = estimates(estimator, scene, [empty])
    assert not person.parts_seen.any()
    assert np.isnan(person.keypoints_xy).all()
    assert not person.scores.any()


@pytest.mark.parametrize(
    "box", [(-40.0, -30.0, 60.0, 90.0), (0.0, 0.0, 3.0, 3.0), (150.4, 100.6, 500.0, 400.0), (30.0, 20.0, 30.5, 140.0)]
)
def test_odd_boxes_break_nothing(estimator, scene, box):
    images = scene.images_rgb[:2]
    for (person,), image in zip(estimator.estimate(boxed(images, box)), images, strict=True):
        check_person(person, image)


def test_weights_digest_is_stable(name, estimator):
    assert estimator.weights_digest
    assert estimator.weights_digest == estimator_named.__wrapped__(name).weights_digest
