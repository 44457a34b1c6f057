"""What every keypoint estimator promises, whichever library is behind it."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from media.frames import decode_frames, read_frame_times
from media.sample import sample_clip_path
from perception.backends.loading import load_back_end
from perception.keypoints import KEYPOINT_ESTIMATORS
from schema.records import PART_SLICES, Part, VideoId
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


SCENES = {"mediapipe": real_scene, "synthetic": painted_scene}


@cache
def estimator_named(name):
    back_end = load_back_end(KEYPOINT_ESTIMATORS, name, key="keypoints.estimator")
    return back_end(back_end.config_type())


@pytest.fixture(params=sorted(KEYPOINT_ESTIMATORS))
def name(request):
    return request.param


@pytest.fixture
def estimator(name):
    return estimator_named(name)


@pytest.fixture
def scene(name):
    return SCENES[name]()


def estimates(estimator, scene, images=None):
    track = estimator.start_track()
    images = scene.images_rgb if images is None else images
    people = [track.estimate(image, scene.box_xyxy, k * FRAME_NS) for k, image in enumerate(images)]
    track.close()
    return people


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


def test_tracks_that_run_side_by_side_do_not_share_state(estimator, scene):
    forward, backward = scene.images_rgb, scene.images_rgb[::-1]
    alone = as_bytes(estimates(estimator, scene, forward)), as_bytes(estimates(estimator, scene, backward))
    one, other = estimator.start_track(), estimator.start_track()
    mixed = [
        (one.estimate(a, scene.box_xyxy, k * FRAME_NS), other.estimate(b, scene.box_xyxy, k * FRAME_NS))
        for k, (a, b) in enumerate(zip(forward, backward, strict=True))
    ]
    one.close()
    other.close()
    assert (as_bytes(a for a, _ in mixed), as_bytes(b for _, b in mixed)) == alone


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
    track = estimator.start_track()
    for k, image in enumerate(scene.images_rgb[:2]):
        check_person(track.estimate(image, box, k * FRAME_NS), image)
    track.close()


def test_track_closes_twice_and_others_go_on(estimator, scene):
    first = estimator.start_track()
    first.estimate(scene.images_rgb[0], scene.box_xyxy, 0)
    second = estimator.start_track()
    first.close()
    first.close()
    assert second.estimate(scene.images_rgb[0], scene.box_xyxy, 0).parts_seen[Part.BODY]
    second.close()


def test_weights_digest_is_stable(name, estimator):
    assert estimator.weights_digest
    assert estimator.weights_digest == estimator_named.__wrapped__(name).weights_digest
