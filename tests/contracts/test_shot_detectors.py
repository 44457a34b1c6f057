"""What every shot detector promises, whichever library is behind it."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import pytest

from media.frames import decode_frames, read_frame_times
from media.sample import sample_clip_path
from perception.backends.loading import load_back_end
from perception.shots import SHOT_DETECTORS
from schema.records import VideoId
from tests.synthetic_people import PaintedPerson, as_frames, paint


@dataclass(frozen=True)
class Material:
    """Three shots of 15 pictures each that differ, and how each looks under a brief flash."""

    shots: tuple[list[np.ndarray], ...]


@cache
def real_material() -> Material:
    """One clip as it is, mirrored in warmer light, and seen closer: the same person in three like pictures."""
    path = sample_clip_path()
    times, _ = read_frame_times(path, video_id=VideoId("v1"), sha256="0" * 64)
    images = [frame.image_rgb for frame in decode_frames(path, times, end_frame=45)]
    warm = [(image[:, ::-1] * np.array((1.0, 0.9, 0.8))).astype(np.uint8) for image in images[15:30]]
    close = [cv2.resize(image[20:120, 30:150], (176, 144)) for image in images[30:45]]
    return Material((images[:15], warm, close))


@cache
def painted_material() -> Material:
    return Material(
        tuple(
            [
                paint([PaintedPerson(color=c, box_xyxy=(80 + 3 * k, 40, 180 + 3 * k, 230))], background=c)
                for k in range(15)
            ]
            for c in range(3)
        )
    )


MATERIAL = {"scenedetect": real_material, "synthetic": painted_material}


@pytest.fixture(params=sorted(SHOT_DETECTORS))
def name(request):
    return request.param


@pytest.fixture
def detector(name):
    back_end = load_back_end(SHOT_DETECTORS, name, key="back_ends.shots")
    return back_end(back_end.config_type())


@pytest.fixture
def shots(name):
    return MATERIAL[name]().shots


def test_each_cut_is_found_at_its_very_frame(detector, shots):
    pictures = [picture for shot in shots for picture in shot]
    assert detector.detect_cuts(as_frames(pictures)) == [15, 30]


def test_one_shot_has_no_cut_however_the_person_moves(detector, shots):
    for shot in shots:
        assert detector.detect_cuts(as_frames(shot)) == []


def test_cuts_do_not_depend_on_the_times_of_the_frames(detector, shots):
    pictures = [picture for shot in shots for picture in shot]
    uneven_ns = np.cumsum(np.random.default_rng(7).integers(10_000_000, 200_000_000, size=len(pictures)))
    frames = as_frames(pictures, time_ns_of=lambda k: int(uneven_ns[k]))
    assert detector.detect_cuts(frames) == [15, 30]


def test_frame_indices_are_those_of_the_frames_not_positions(detector, shots):
    frames = as_frames([*shots[0], *shots[1]], first_frame=100)
    assert detector.detect_cuts(frames) == [115]


def test_nothing_is_remembered_from_one_video_to_the_next(detector, shots):
    first = detector.detect_cuts(as_frames([*shots[0], *shots[1]]))
    assert detector.detect_cuts(as_frames(shots[2])) == []
    assert detector.detect_cuts(as_frames([*shots[0], *shots[1]])) == first


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_video_of_few_frames_has_no_cut(detector, shots, count):
    assert detector.detect_cuts(as_frames(shots[0][:count])) == []


def test_the_digest_names_the_back_end_and_stays_the_same(detector):
    assert detector.weights_digest
    assert detector.weights_digest == type(detector)(type(detector).config_type()).weights_digest
