import numpy as np
import pytest

from kinematics.capsules import depths, segment_distances
from kinematics.head import head_capsules
from kinematics.scale import head_widths_px
from schema.records import Part
from tests.puppets import MOUTH, NECK_SIDE, Puppet, make_puppet


def nearest_region(place, puppet=None):
    _, sequence = make_puppet(puppet)
    widths = head_widths_px(sequence)
    capsules = head_capsules(sequence, widths)
    far = depths(np.array([[place]]), capsules, np.array([75]), widths[75:76])[0, 0]
    best = int(np.nanargmin(far))
    return capsules.regions[best], float(far[best])


PLACES = [
    (MOUTH, "hand_on_mouth"),
    (NECK_SIDE, "hand_on_neck"),
    ((320.0, 290.0), "hand_on_throat"),
    ((320.0, 172.0), "hand_on_nose"),
    ((337.0, 150.0), "hand_on_eye"),
    ((320.0, 118.0), "hand_on_forehead"),
    ((320.0, 84.0), "hand_on_scalp"),
    ((320.0, 219.0), "hand_on_jaw"),
    ((279.0, 160.0), "hand_on_ear"),
    ((293.0, 180.0), "hand_on_cheek"),
]


@pytest.mark.parametrize(("place", "region"), PLACES)
def test_each_place_belongs_to_its_region(place, region):
    found, far = nearest_region(place)
    assert found == region
    assert far <= 0


@pytest.mark.parametrize("place", [MOUTH, NECK_SIDE, (320.0, 118.0), (320.0, 84.0), (337.0, 150.0)])
def test_regions_stay_where_they_are_when_the_face_is_not_seen(place):
    region = dict(PLACES)[place]
    found, far = nearest_region(place, Puppet(unseen=(Part.FACE,)))
    assert found == region
    assert far <= 0.1


def test_a_chin_on_the_shoulder_line_hides_the_neck():
    _, sequence = make_puppet(Puppet(head_shift=lambda _second: (0.0, 70.0)))
    capsules = head_capsules(sequence, head_widths_px(sequence))
    neck = [k for k, region in enumerate(capsules.regions) if region in {"hand_on_neck", "hand_on_throat"}]
    assert np.isnan(capsules.ends[:, neck]).all()


def test_distance_to_a_segment_and_to_a_segment_without_length():
    start, end = np.array([0.0, 0.0]), np.array([10.0, 0.0])
    assert segment_distances(np.array([5.0, 3.0]), start, end) == pytest.approx(3)
    assert segment_distances(np.array([13.0, 4.0]), start, end) == pytest.approx(5)
    assert segment_distances(np.array([3.0, 4.0]), start, start) == pytest.approx(5)
