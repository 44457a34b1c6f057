"""The accuracy benchmark's measures: COCO's own formula and sigmas, and jitter that means what it says."""

import runpy
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks.keypoint_accuracy import SIGMAS, Marked, Stretch, jitter, nod_kept, oks
from schema.records import PART_SLICES, Part

HAND = PART_SLICES[Part.RIGHT_HAND]


def marked_person(*, area=10_000.0):
    points = np.zeros((133, 3))
    points[:, :2] = np.random.default_rng(0).uniform(0, 300, (133, 2))
    points[HAND, 2] = 2
    return Marked(
        image_rgb=np.zeros((300, 300, 3), np.uint8),
        box_xyxy=(0.0, 0.0, 300.0, 300.0),
        area=area,
        points=points,
        reach_px=dict.fromkeys(Part, 15.0),
    )


def test_similarity_falls_with_distance_as_coco_says_and_is_0_where_nothing_is_found():
    person = marked_person()
    found = person.points[:, :2].astype(np.float32)
    assert oks(found, person, HAND) == pytest.approx(np.ones(21))
    found[113, 0] += 100 * 2 * 0.022  # the root of the area times twice the sigma of the first thumb joint
    found[114] = np.nan
    similar = oks(found, person, HAND)
    assert similar[1] == pytest.approx(np.exp(-0.5), abs=1e-3)
    assert similar[2] == 0
    assert oks(found, person, PART_SLICES[Part.FACE]).size == 0, "no face point is marked"


def test_sigmas_are_those_of_mmpose():
    spec = find_spec("mmpose")
    if spec is None or spec.origin is None:
        pytest.skip("mmpose is not installed")
    config = Path(spec.origin).parent / ".mim" / "configs" / "_base_" / "datasets" / "coco_wholebody.py"
    assert SIGMAS.tolist() == runpy.run_path(str(config))["dataset_info"]["sigmas"]


def trembling(*, step_px, count=60):
    """A person 200 px across the shoulders whose points jump to and fro."""
    points = np.tile(np.random.default_rng(0).uniform(0, 300, (133, 2)), (count, 1, 1))
    points[:, 5], points[:, 6] = (300, 100), (100, 100)
    points[1::2, HAND, 0] += step_px
    return Stretch(name="made", points_xy=points, times_ns=np.arange(count) * 33_333_333, first=10)


def test_jitter_is_in_thousandths_of_the_shoulder_width():
    stretch = trembling(step_px=1.0)
    assert np.median(jitter(stretch, Part.RIGHT_HAND)) == pytest.approx(5.0)
    assert np.median(jitter(stretch, Part.FACE)) == 0
    assert np.median(jitter(stretch.smoothed(0.24), Part.RIGHT_HAND)) < 2.5


def test_slow_nods_survive_smoothing_and_quick_ones_do_not():
    stretch = trembling(step_px=0.0)
    assert nod_kept(stretch, 0.0, 3.0) == pytest.approx(1.0)
    assert nod_kept(stretch, 0.24, 2.0) > 0.97
    assert nod_kept(stretch, 0.4, 5.0) < 0.3
