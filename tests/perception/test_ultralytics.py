"""The ultralytics back end on painted people, with weights that the tests write themselves."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perception.backends.ultralytics.config import UltralyticsTrackerConfig
from perception.backends.ultralytics.tracker import UltralyticsTracker
from perception.tracks import FramePeople, TracksConfig, track_people
from schema.errors import ConfigError, MissingPartError
from schema.records import Shot, Track, VideoId
from schema.timespan import TimeSpan
from tests.painted_detector import needs_ultralytics, write_painted_detector
from tests.synthetic_people import PaintedPerson, as_frames, paint

pytestmark = needs_ultralytics
FRAMES_A_SECOND = 10
COUNT = 24


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_painted_detector(tmp_path_factory.mktemp("weights") / "painted.onnx")


@pytest.fixture
def tracker_with(weights: Path) -> Callable[..., UltralyticsTracker]:
    def make(**settings: Any) -> UltralyticsTracker:
        return UltralyticsTracker(UltralyticsTrackerConfig(**({"weights": str(weights)} | settings)))

    return make


def walker(k: int) -> PaintedPerson:
    return PaintedPerson(color=0, box_xyxy=(40 + 4 * k, 40, 120 + 4 * k, 236))


WALK = [paint([walker(k)]) for k in range(COUNT)]


def looks(tracker: UltralyticsTracker, pictures: Sequence[np.ndarray] = WALK) -> list[FramePeople]:
    return list(tracker.track(as_frames(pictures, frame_rate=FRAMES_A_SECOND)))


def tracks_of(tracker: UltralyticsTracker, pictures: Sequence[np.ndarray], *cuts: int) -> Iterator[Track]:
    """Follow the people through shots that begin at the cuts."""
    frames = list(as_frames(pictures, frame_rate=FRAMES_A_SECOND))
    edges = [0, *cuts, len(frames)]
    shots = [
        Shot(
            video_id=VideoId("v"),
            shot_number=number,
            first_frame=first,
            end_frame=end,
            span=TimeSpan(start_ns=first * 10**8, end_ns=end * 10**8),
        )
        for number, (first, end) in enumerate(pairwise(edges))
    ]
    tracks = track_people(
        shots, frames_of=lambda s: frames[s.first_frame : s.end_frame], tracker=tracker, config=TracksConfig()
    )
    return (track for track in tracks if isinstance(track, Track))


def test_boxes_are_those_of_the_detector_in_pixels_of_the_whole_picture(tracker_with):
    wide = [np.pad(picture, ((0, 0), (400, 0), (0, 0)), mode="edge") for picture in WALK]
    found = looks(tracker_with(), wide)
    for k, look in enumerate(found):
        (person,) = look.people
        true = np.array(walker(k).box_xyxy) + np.array((400, 0, 400, 0))
        assert np.abs(np.array(person.box_xyxy) - true).max() <= 3, "a pixel of the scaled picture is 2.25 of this one"


@pytest.mark.parametrize("tracker", ["bytetrack", "botsort"])
def test_the_result_does_not_depend_on_how_many_frames_are_detected_together(tracker_with, tracker):
    one_by_one, by_five, by_all = (looks(tracker_with(tracker=tracker, batch_frames=n)) for n in (1, 5, 64))
    assert one_by_one == by_five == by_all
    assert all(len(look.people) == 1 for look in one_by_one)


def test_a_stride_looks_at_every_so_many_frames_and_the_last_and_the_rest_is_interpolated(tracker_with):
    tracker = tracker_with(detection_stride=5)
    assert [look.frame_index for look in looks(tracker)] == [0, 5, 10, 15, 20, 23]
    (track,) = tracks_of(tracker, WALK)
    assert track.frame_indices.tolist() == list(range(COUNT))
    assert [index for index, score in enumerate(track.scores) if score > 0] == [0, 5, 10, 15, 20, 23]
    true = np.array([walker(k).box_xyxy for k in range(COUNT)])
    assert np.abs(track.boxes_xyxy - true).max() <= 1, "a walk at one pace is interpolated exactly"


def test_somebody_at_the_same_place_after_a_cut_is_somebody_else(tracker_with):
    still = [paint([PaintedPerson()], background=k // 12) for k in range(COUNT)]
    tracks = list(tracks_of(tracker_with(), still, 12))
    assert [(t.shot_number, t.frame_indices[0], t.frame_indices[-1]) for t in tracks] == [(0, 0, 11), (1, 12, 23)]


@pytest.mark.parametrize(("gap_frames", "people"), [(6, 1), (14, 2)])
def test_somebody_hidden_for_less_than_the_buffer_comes_back_as_the_same(tracker_with, gap_frames, people):
    here, nobody = paint([PaintedPerson()]), paint([])
    found = looks(tracker_with(track_buffer_seconds=1.0), [here] * 8 + [nobody] * gap_frames + [here] * 8)
    assert len({person.person_number for look in found for person in look.people}) == people


def test_who_was_never_surely_a_person_is_left_out_and_the_others_are_kept_from_their_first_frame(tmp_path):
    unsure = write_painted_detector(tmp_path / "unsure.onnx", score=0.4)
    settings = {"weights": str(unsure)}
    assert all(not look.people for look in looks(UltralyticsTracker(UltralyticsTrackerConfig(**settings))))
    found = looks(UltralyticsTracker(UltralyticsTrackerConfig(**settings, sure_score=0.3)))
    assert [len(look.people) for look in found] == [1] * COUNT


def test_other_classes_are_left_out(tmp_path):
    cups = write_painted_detector(tmp_path / "cups.onnx", names=("cup", "person"))
    assert all(not look.people for look in looks(UltralyticsTracker(UltralyticsTrackerConfig(weights=str(cups)))))
    cup = UltralyticsTrackerConfig(weights=str(cups), person_class="cup")
    assert all(look.people for look in looks(UltralyticsTracker(cup)))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"person_class": "player"}, "person_class: painted.onnx knows no 'player', but person"),
        ({"device": "cuda:99"}, "device: 'cuda:99' is none of the"),
        ({"half": True}, "half: painted.onnx can't run in half precision on 'cpu'"),
        ({"detection_stride": 0}, "detection_stride: at least 1 is needed, got 0"),
        ({"iou": 1.5}, "iou: a share from 0 to 1 is needed, got 1.5"),
    ],
)
def test_what_the_weights_or_the_machine_cannot_do_is_told_in_one_line(tracker_with, settings, says):
    with pytest.raises(ConfigError) as raised:
        looks(tracker_with(**settings))
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_missing_weights_tell_where_they_go_and_where_they_come_from(monkeypatch, tmp_path):
    monkeypatch.setenv("PRESSROOM_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingPartError) as raised:
        _ = UltralyticsTracker(UltralyticsTrackerConfig()).weights_digest
    line = str(raised.value)
    assert str(tmp_path / "yolo11n.pt") in line
    assert "github.com/ultralytics/assets" in line
    assert "AGPL-3.0" in line
    assert "\n" not in line


def test_the_digest_is_that_of_the_content_wherever_it_lies(tracker_with, weights, tmp_path):
    copy = tmp_path / "copy.onnx"
    copy.write_bytes(weights.read_bytes())
    before = tracker_with().weights_digest
    assert tracker_with(weights=str(copy)).weights_digest == before
    copy.write_bytes(weights.read_bytes() + b"\0")
    assert tracker_with(weights=str(copy)).weights_digest != before


def test_the_digest_needs_neither_torch_nor_the_library():
    script = (
        "import sys\n"
        "from perception.backends.loading import load_back_end\n"
        "from perception.tracks import PERSON_TRACKERS\n"
        "from schema.errors import MissingPartError\n"
        "for name in PERSON_TRACKERS:\n"
        "    back_end = load_back_end(PERSON_TRACKERS, name, key='k')\n"
        "    try:\n"
        "        back_end(back_end.config_type()).weights_digest\n"
        "    except MissingPartError:\n"
        "        pass\n"
        "print(sorted({'torch', 'ultralytics', 'openvino', 'mediapipe'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class Malicious:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return (open_for_writing, (str(self.path),))


def open_for_writing(path: str) -> None:
    Path(path).touch()


def test_a_strangers_pickle_is_refused_in_one_line_and_nothing_in_it_is_run(tmp_path):
    import torch

    proof = tmp_path / "executed"
    for name, write in (
        ("zipped.pt", torch.save),
        ("plain.pt", lambda what, path: path.write_bytes(pickle.dumps(what, protocol=2))),
    ):
        write({"model": Malicious(proof)}, tmp_path / name)
        with pytest.raises(MissingPartError, match=f"can't load {name}") as raised:
            looks(UltralyticsTracker(UltralyticsTrackerConfig(weights=str(tmp_path / name))))
        assert "\n" not in str(raised.value)
    assert not proof.exists()


def test_a_checkpoint_as_ultralytics_writes_it_is_loaded(tmp_path):
    import torch
    from ultralytics.nn.tasks import DetectionModel

    model = DetectionModel("yolo11n.yaml", nc=1, verbose=False)
    model.names = {0: "person"}
    torch.save({"model": model.half(), "train_args": {"imgsz": 640}, "version": "8.4.190"}, tmp_path / "own.pt")
    found = looks(
        UltralyticsTracker(UltralyticsTrackerConfig(weights=str(tmp_path / "own.pt"), image_size=64)), WALK[:2]
    )
    assert [look.frame_index for look in found] == [0, 1]


@pytest.mark.parametrize("name", ["damaged.onnx", "empty_openvino_model", "picture.jpg"])
def test_a_file_that_is_no_detector_is_refused_in_one_line(tmp_path, name):
    if "." in name:
        (tmp_path / name).write_bytes(b"no network")
    else:
        (tmp_path / name).mkdir()
    with pytest.raises(MissingPartError, match=f"can't load {name}") as raised:
        looks(UltralyticsTracker(UltralyticsTrackerConfig(weights=str(tmp_path / name))))
    assert "\n" not in str(raised.value)


def test_the_sizes_of_an_export_are_not_changed_without_a_word(shared_media):
    config = UltralyticsTrackerConfig(
        weights=str(shared_media / "weights" / "yolo11n_int8_openvino_model"), image_size=320
    )
    with pytest.raises(ConfigError, match="image_size: yolo11n_int8_openvino_model was exported for 640, got 320"):
        looks(UltralyticsTracker(config))
