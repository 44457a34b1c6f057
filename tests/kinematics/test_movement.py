import numpy as np
import pytest

from kinematics.movement import displacements, jitter_floor, speeds

TIMES = np.arange(250) / 25


def noisy(sigma, path=None, points=4):
    path = np.zeros((250, 2)) if path is None else path
    return path[:, None] + np.random.default_rng(1).normal(0, sigma, (250, points, 2))


@pytest.mark.parametrize("sigma", [0.5, 3.0])
def test_jitter_is_the_noise_and_not_the_movement(sigma):
    path = np.stack([np.where(TIMES > 5, 40 * (TIMES - 5), 0), np.zeros(250)], axis=1)
    assert np.median(jitter_floor(noisy(sigma, path), TIMES)) == pytest.approx(sigma, rel=0.15)


def test_still_noise_is_not_a_displacement_beyond_its_gain():
    far, gain = displacements(noisy(1.0), TIMES, over_s=0.4, smooth_s=0.2)
    assert (far <= 5 * gain).all()


def test_displacement_is_the_way_between_the_two_means():
    path = np.stack([10 * TIMES, np.zeros(250)], axis=1)
    far, _ = displacements(noisy(0.0, path), TIMES, over_s=0.4, smooth_s=0.2)
    assert far[100] == pytest.approx(4.0, abs=0.05)
    assert speeds(noisy(0.0, path), TIMES)[100] == pytest.approx(10, rel=0.02)


def test_one_stray_point_moves_nothing():
    positions = noisy(0.0, points=5)
    positions[120:, 0] += 100
    assert displacements(positions, TIMES, over_s=0.4, smooth_s=0.2)[0].max() == pytest.approx(0, abs=1e-9)


def test_what_is_unseen_does_not_move():
    far, _ = displacements(np.full((250, 3, 2), np.nan), TIMES, over_s=0.4, smooth_s=0.2)
    assert not far.any()
    assert not jitter_floor(np.full((250, 3, 2), np.nan), TIMES).any()
    assert jitter_floor(np.zeros((2, 1, 2)), TIMES[:2]).tolist() == [0, 0]
