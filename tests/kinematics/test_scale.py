import numpy as np
import pytest

from kinematics.scale import head_widths_px, normalise_positions
from schema.records import Part
from tests.puppets import HEAD_WIDTH, Puppet, make_puppet, moved


def test_head_width_is_that_of_the_face_and_survives_a_hidden_face():
    _, seen = make_puppet()
    _, hidden = make_puppet(Puppet(unseen=(Part.FACE,)))
    assert head_widths_px(seen) == pytest.approx(np.full(150, HEAD_WIDTH), rel=0.08)
    assert head_widths_px(hidden) == pytest.approx(np.full(150, HEAD_WIDTH), rel=0.2)


def test_head_width_is_unknown_where_neither_head_nor_shoulders_are_seen():
    _, sequence = make_puppet(Puppet(unseen=(Part.FACE, Part.BODY)))
    assert np.isnan(head_widths_px(sequence)).all()


@pytest.mark.parametrize("scale", [0.25, 3.0])
def test_head_width_grows_with_the_picture(scale):
    person = make_puppet()
    _, larger = moved(person, scale=scale, shift=(10, -20))
    assert head_widths_px(larger) == pytest.approx(scale * head_widths_px(person[1]), rel=1e-4)


def test_normalised_positions_have_the_neck_as_origin_and_the_shoulders_as_unit():
    positions = normalise_positions(make_puppet()[1])
    assert np.nanmedian(positions[:, 5], axis=0) == pytest.approx((0.5, 0), abs=0.01)
    assert np.nanmedian(positions[:, 6], axis=0) == pytest.approx((-0.5, 0), abs=0.01)


def test_normalising_keeps_a_lean_visible_and_forgets_place_and_size():
    person = make_puppet(Puppet(body_shift=lambda second: (20 * second, 0.0)))
    positions = normalise_positions(person[1])
    other = normalise_positions(moved(person, scale=2.0, shift=(-100, 50))[1])
    assert positions[-1, 5, 0] - positions[0, 5, 0] == pytest.approx(0.6, abs=0.03)
    assert other[:, :11] == pytest.approx(positions[:, :11], abs=1e-3)


def test_nothing_seen_normalises_to_nothing():
    assert np.isnan(normalise_positions(make_puppet(Puppet(unseen=(Part.FACE, Part.BODY)))[1])).all()
