"""What every tracker promises, whichever library is behind it."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.frames import decode_frames, read_frame_times
from media.sample import sample_clip_path
from perception.backends.loading import load_back_end
from perception.tracks import PERSON_TRACKERS
from schema.matching import box_iou
from schema.records import VideoId
from tests.painted_detector import needs_ultralytics, write_painted_detector
from tests.synthetic_people import PaintedPerson, as_frames, paint


@dataclass(frozen=True)
class Scene:
    """Pictures of two people side by side, of each alone, and of nobody."""

    left: list[np.ndarray]
    right: list[np.ndarray]
    nobody: list[np.ndarray]
    person_width_share: float
    """Least width of a person's box as a share of the picture with that person alone."""

    @property
    def both(self):
        return [np.hstack(pair) for pair in zip(self.left, self.right, strict=True)]


@cache
def real_scene() -> Scene:
    """The sample clip, twice as large; the second person is its mirror image, some seconds later."""
    path = sample_clip_path()
    times, _ = read_frame_times(path, video_id=VideoId("v1"), sha256="0" * 64)
    images = [frame.image_rgb.repeat(2, axis=0).repeat(2, axis=1) for frame in decode_frames(path, times, end_frame=60)]
    noise = np.random.default_rng(3)
    grey = [noise.integers(100, 120, size=images[0].shape).astype(np.uint8) for _ in range(20)]
    return Scene(images[:30], [image[:, ::-1] for image in images[30:]], grey, 0.4)


@cache
def painted_scene() -> Scene:
    left = [paint([PaintedPerson(color=0, box_xyxy=(100 + k, 40, 200 + k, 236))]) for k in range(30)]
    right = [paint([PaintedPerson(color=1, box_xyxy=(60, 30, 180, 236))]) for _ in range(30)]
    return Scene(left, right, [paint([]) for _ in range(20)], 0.3)


@dataclass(frozen=True)
class Case:
    """A back end, the scene that it can see, and its settings."""

    back_end: str
    scene: Callable[[], Scene]
    settings: Callable[[Path], dict[str, Any]] = lambda _: {}
    """From an empty folder."""
    marks: tuple[pytest.MarkDecorator, ...] = ()


def painted_weights(folder: Path, **settings: object) -> dict[str, object]:
    return {"weights": str(write_painted_detector(folder / "painted.onnx"))} | settings


def real_weights(_: Path) -> dict[str, object]:
    weights = Path(__file__).parents[3] / "shared" / "media" / "weights" / "yolo11n_int8_openvino_model"
    if not weights.is_dir():
        pytest.skip("the folder ../shared/media with trained weights is not there")
    return {"weights": str(weights)}


CASES = {
    "mediapipe": Case("mediapipe", real_scene),
    "synthetic": Case("synthetic", painted_scene),
    "ultralytics": Case("ultralytics", painted_scene, painted_weights, (needs_ultralytics,)),
    "ultralytics botsort": Case(
        "ultralytics", painted_scene, partial(painted_weights, tracker="botsort"), (needs_ultralytics,)
    ),
    "ultralytics trained": Case("ultralytics", real_scene, real_weights, (needs_ultralytics,)),
}


def test_every_tracker_is_held_to_the_contract():
    assert {case.back_end for case in CASES.values()} == set(PERSON_TRACKERS)


@pytest.fixture(scope="module", params=[pytest.param(name, marks=case.marks) for name, case in CASES.items()])
def name(request):
    return request.param


@pytest.fixture(scope="module")
def config(name, tmp_path_factory):
    back_end = load_back_end(PERSON_TRACKERS, CASES[name].back_end, key="back_ends.tracks")
    return back_end.config_type(**CASES[name].settings(tmp_path_factory.mktemp("weights")))


@pytest.fixture(scope="module")
def tracker(name, config):
    return load_back_end(PERSON_TRACKERS, CASES[name].back_end, key="back_ends.tracks")(config)


@pytest.fixture
def scene(name):
    return CASES[name].scene()


def boxes_by_person(tracker, pictures, **times):
    """Return {person: [(frame index, box)]}, and the indices of the frames that were looked at."""
    people = defaultdict(list)
    looked_at = []
    for frame_people in tracker.track(as_frames(pictures, **times)):
        looked_at.append(frame_people.frame_index)
        for sighting in frame_people.people:
            assert 0 < sighting.score <= 1
            people[sighting.person_number].append((frame_people.frame_index, sighting.box_xyxy))
    return dict(people), looked_at


def test_one_person_is_one_number_from_the_first_to_the_last_frame(tracker, scene):
    people, looked_at = boxes_by_person(tracker, scene.left, frame_rate=30)
    assert len(people) == 1
    (boxes,) = people.values()
    assert [index for index, _ in boxes] == looked_at
    assert looked_at[0] == 0
    assert looked_at[-1] == len(scene.left) - 1
    assert looked_at == sorted(set(looked_at))


def test_boxes_lie_in_the_picture_and_hold_more_than_a_face(tracker, scene):
    people, _ = boxes_by_person(tracker, scene.left, frame_rate=30)
    height, width = scene.left[0].shape[:2]
    for boxes in people.values():
        for _, (x1, y1, x2, y2) in boxes:
            assert 0 <= x1 < x2 <= width
            assert 0 <= y1 < y2 <= height
            assert x2 - x1 >= scene.person_width_share * width


def test_two_people_side_by_side_never_swap(tracker, scene):
    people, looked_at = boxes_by_person(tracker, scene.both, frame_rate=30)
    middle = scene.left[0].shape[1]
    assert len(people) == 2
    sides = [{(box[0] + box[2]) / 2 < middle for _, box in boxes} for boxes in people.values()]
    assert sorted(sides, key=str) == [{False}, {True}]
    for boxes in people.values():
        assert len(boxes) == len(looked_at)


def test_nobody_is_made_up(tracker, scene):
    people, looked_at = boxes_by_person(tracker, scene.nobody)
    assert people == {}
    assert looked_at


def test_no_frames_give_no_people(tracker):
    assert list(tracker.track([])) == []


def test_nothing_is_remembered_from_one_shot_to_the_next(tracker, scene):
    fresh, _ = boxes_by_person(tracker, scene.right, frame_rate=30)
    boxes_by_person(tracker, scene.left, frame_rate=30)
    after_another, _ = boxes_by_person(tracker, scene.right, frame_rate=30)
    assert fresh == after_another


def test_people_who_come_out_lie_where_they_are(tracker, scene):
    alone, _ = boxes_by_person(tracker, scene.left, frame_rate=30)
    (boxes,) = alone.values()
    for (_, box), (_, next_box) in pairwise(boxes):
        assert box_iou(box, next_box) > 0.5


def test_frame_indices_are_those_of_the_frames(tracker, scene):
    _, looked_at = boxes_by_person(tracker, scene.left, frame_rate=30, first_frame=500)
    assert looked_at[0] == 500
    assert looked_at[-1] == 500 + len(scene.left) - 1


def test_the_digest_stays_the_same(tracker, config):
    assert tracker.weights_digest
    assert tracker.weights_digest == type(tracker)(config).weights_digest
