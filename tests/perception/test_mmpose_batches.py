"""People in batches: each answer reaches its frame, reading goes on while the network works, memory is bounded."""

import threading

import numpy as np
import pytest

from media.frames import VideoFrame
from perception.backends.mmpose.batches import FRAMES_AHEAD, estimate_in_batches
from perception.backends.mmpose.crops import CropShape
from perception.keypoints import BoxedFrame
from schema.errors import RunError

SIDE = 32
WAIT_S = 20


class Colours:
    """A network whose score is the brightness of the cut's middle, and whose points all lie there."""

    shape = CropShape(width_px=SIDE, height_px=SIDE, padding=1.0)

    def __init__(self, batch_size=4):
        self.batch_size = batch_size
        self.asked = []
        self.gate = None

    def new_batch(self):
        return np.zeros((self.batch_size, SIDE, SIDE, 3), np.uint8)

    def find(self, crops_rgb):
        if self.gate is not None:
            assert self.gate.wait(WAIT_S)
        self.asked.append(crops_rgb.shape[0])
        scores = np.repeat(crops_rgb[:, SIDE // 2, SIDE // 2, :1].astype(np.float32) / 255, 133, axis=1)
        return np.full((len(crops_rgb), 133, 2), SIDE / 2, np.float32), scores


def frame(index, people):
    """A frame with people of the given brightness, side by side."""
    image = np.zeros((40, 400, 3), np.uint8)
    boxes = []
    for k, brightness in enumerate(people):
        image[:, 40 * k : 40 * k + 40] = brightness
        boxes.append((40.0 * k, 0.0, 40.0 * k + 40, 40.0))
    video_frame = VideoFrame(frame_index=index, time_ns=index, image_rgb=image)
    return BoxedFrame(frame=video_frame, track_numbers=tuple(range(len(boxes))), boxes_xyxy=tuple(boxes))


def brightness_of(answers):
    return [[round(float(person.scores[0]) * 255) for person in people] for people in answers]


def estimate(frames, network):
    return estimate_in_batches(frames, network=network, crop_threads=2, min_score=0.0)


def test_every_answer_reaches_its_frame_and_person():
    random = np.random.default_rng(0)
    people = [[int(v) for v in random.integers(1, 256, random.integers(0, 10))] for _ in range(150)]
    network = Colours()
    answers = list(estimate((frame(k, some) for k, some in enumerate(people)), network))
    assert brightness_of(answers) == people
    assert set(network.asked) == {4}, "the network always takes a whole batch"
    assert len(network.asked) == -(-sum(map(len, people)) // 4)
    centres = [float(person.keypoints_xy[0, 0]) for answer in answers for person in answer]
    assert centres == [40 * k + 20 for some in people for k in range(len(some))]


def test_reading_goes_on_while_the_network_works():
    network = Colours()
    network.gate = threading.Event()
    read_on = threading.Event()

    def frames():
        for k in range(40):
            if k == 8:
                read_on.set()
            yield frame(k, [k + 1])

    worker = threading.Thread(target=lambda: results.extend(estimate(frames(), network)))
    results = []
    worker.start()
    try:
        assert read_on.wait(WAIT_S), "two batches are read while the first is worked on"
    finally:
        network.gate.set()
        worker.join()
    assert brightness_of(results) == [[k + 1] for k in range(40)]


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_reading_ahead_is_bounded(batch_size):
    network = Colours(batch_size)
    taken = 0

    def frames():
        nonlocal taken
        for k in range(600):
            taken += 1
            yield frame(k, [50] if k % 3 else [])

    ahead = 0
    for done, _ in enumerate(estimate(frames(), network), start=1):
        ahead = max(ahead, taken - done)
    assert ahead < FRAMES_AHEAD


def test_person_before_a_long_gap_is_answered():
    """One person, and then nobody for longer than may be read ahead: the batch is asked half empty."""
    frames = [frame(0, [200]), *(frame(k, []) for k in range(1, 300))]
    assert brightness_of(estimate(iter(frames), Colours())) == [[200], *([] for _ in range(299))]


def test_answer_that_is_no_number_ends_the_run():
    network = Colours()
    network.find = lambda crops: (np.zeros((4, 133, 2), np.float32), np.full((4, 133), np.nan, np.float32))
    with pytest.raises(RunError, match="try bf16 or fp32"):
        list(estimate([frame(0, [9])], network))


def test_error_of_the_network_reaches_the_caller_and_ends_the_threads():
    network = Colours()

    def fails(_):
        raise RuntimeError("out of memory")

    network.find = fails
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="out of memory"):
        list(estimate((frame(k, [9]) for k in range(500)), network))
    assert threading.active_count() == before
