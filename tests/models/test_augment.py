"""Changes of windows: each does what it says and no more, and labels can follow."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.config import AugmentConfig
from models.inputs.skeletons import make_skeleton
from models.training.augment import Augmented, augment, maskable
from models.training.warps import at_frames
from tests.models.windows_data import SKELETON

torch.set_num_threads(1)
OFF = AugmentConfig(**{field.name: 0.0 for field in fields(AugmentConfig)})
ALL = AugmentConfig(jitter=0.05, resample=0.3, crop=0.4, repeat=0.8, part_mask=0.8)


def batch(*, windows: int = 16, frames: int = 40, dimensions: int = 2, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Smooth movements of points that are not all seen."""
    random = torch.Generator().manual_seed(seed)
    points = len(SKELETON.points)
    positions = torch.randn(windows, frames, points, dimensions, generator=random).cumsum(dim=1) * 0.05
    seen = torch.rand(windows, frames, points, generator=random) > 0.1
    scores = torch.rand(windows, frames, points, generator=random) * seen
    return positions * seen[..., None], seen, scores


def changed(config: AugmentConfig, given: tuple[torch.Tensor, ...] | None = None, *, seed: int = 1) -> Augmented:
    return augment(*(given or batch()), skeleton=SKELETON, config=config, generator=torch.Generator().manual_seed(seed))


def test_with_everything_off_nothing_changes() -> None:
    positions, seen, scores = batch()
    after = changed(OFF)
    assert torch.equal(after.positions, positions)
    assert torch.equal(after.seen, seen)
    assert torch.equal(after.scores, scores)
    assert torch.equal(after.frames, torch.arange(40.0).repeat(16, 1))
    assert after.inside.all()
    assert not after.flipped.any()


@pytest.mark.parametrize("name", [field.name for field in fields(AugmentConfig)])
def test_every_switch_changes_something_and_leaves_what_was_given_alone(name: str) -> None:
    given = batch(dimensions=3)
    before = [one.clone() for one in given]
    after = changed(replace(OFF, **{name: getattr(ALL, name)}), given)
    assert not torch.equal(after.positions, given[0])
    assert all(torch.equal(one, other) for one, other in zip(given, before, strict=True))
    assert (after.frames == torch.arange(40.0)).all() == (name not in {"resample", "repeat"})
    assert after.inside.all() == (name not in {"resample", "crop"})
    assert after.flipped.any() == (name == "flip")


@given(st.integers(0, 2**32), st.sampled_from([2, 3]))
def test_what_is_unseen_is_zero_and_what_is_seen_was_seen(seed: int, dimensions: int) -> None:
    given = batch(windows=4, dimensions=dimensions, seed=seed)
    after = changed(replace(ALL, flip=0.0), given, seed=seed)
    assert not after.positions[~after.seen].any()
    assert not after.scores[~after.seen].any()
    assert not after.seen[~after.inside].any()
    assert bool(((after.frames >= 0) & (after.frames <= 39)).all())
    assert torch.isfinite(after.positions).all()
    before, rows = given[1], torch.arange(4)[:, None]
    near = before[rows, after.frames.floor().long()] | before[rows, after.frames.ceil().long()]
    assert bool((near | ~after.seen).all())


def test_source_times_tell_where_each_frame_is_from() -> None:
    # a point whose place is the frame's number: what it shows is what `frames` says
    ramp = torch.arange(40.0)[None, :, None, None].expand(16, 40, len(SKELETON.points), 2)
    everything = torch.ones(16, 40, len(SKELETON.points), dtype=torch.bool)
    after = changed(replace(OFF, resample=0.3, repeat=0.8, crop=0.3), (ramp, everything, everything.float()))
    shown = after.positions[..., 0][after.inside]
    assert torch.allclose(shown, after.frames[after.inside][:, None].expand_as(shown), atol=1e-4)


def test_a_repeated_motion_goes_there_and_back_and_nothing_jumps() -> None:
    after = changed(replace(OFF, repeat=1.0))
    steps = after.frames.diff(dim=1)
    assert set(steps.unique().tolist()) == {-1.0, 1.0}
    back = (steps < 0).sum(dim=1)
    turns = (steps.diff(dim=1) != 0).sum(dim=1)
    # there, back, there again and on; at the very end of a window a repetition is not played to its own
    assert bool((turns <= 2).all())
    assert int((turns == 2).sum()) > 8
    assert set(back[turns == 2].tolist()) == {4, 5, 6}


def test_the_motion_that_is_repeated_is_where_something_moves() -> None:
    points = len(SKELETON.points)
    still = torch.zeros(64, 60, points, 2)
    still[:, 20:24] = torch.linspace(0, 1, 4)[None, :, None, None]
    still[:, 24:] = 1.0
    everything = torch.ones(64, 60, points, dtype=torch.bool)
    after = changed(replace(OFF, repeat=1.0), (still, everything, everything.float()))
    shown_again = (after.frames.diff(dim=1) < 0).float().argmax(dim=1)
    assert bool(((shown_again > 18) & (shown_again < 32)).all())


def test_cropping_cuts_the_ends_alone() -> None:
    inside = changed(replace(OFF, crop=0.4)).inside
    edges = inside.int().diff(dim=1).abs().sum(dim=1)
    assert bool((edges <= 2).all())
    assert bool((inside.sum(dim=1) >= 0.6 * 40 - 1).all())
    assert bool((inside.sum(dim=1) < 40).any())


def test_parts_go_unseen_as_a_whole_and_for_a_while() -> None:
    points = len(SKELETON.points)
    everything = torch.ones(64, 40, points, dtype=torch.bool)
    given = (torch.ones(64, 40, points, 2), everything, everything.float())
    hidden = ~changed(replace(OFF, part_mask=1.0), given).seen
    groups = {frozenset(points) for points in maskable(SKELETON)}
    found = {frozenset(np.flatnonzero(hidden[n].any(dim=0)).tolist()) for n in range(64)}
    assert found == groups
    assert len(groups) == 3
    assert bool(hidden.any(dim=2).sum(dim=1).ge(9).all())


def test_a_body_without_hands_keeps_its_parts() -> None:
    bare = make_skeleton("coco17", range(11))
    given = (torch.ones(4, 20, 11, 2), torch.ones(4, 20, 11, dtype=torch.bool), torch.ones(4, 20, 11))
    after = augment(
        *given, skeleton=bare, config=replace(OFF, part_mask=1.0), generator=torch.Generator().manual_seed(0)
    )
    assert after.seen.all()


def test_flipping_exchanges_left_and_right_and_twice_is_nothing() -> None:
    positions, seen, scores = batch()
    once = changed(replace(OFF, flip=1.0))
    assert once.flipped.all()
    order = list(SKELETON.flip)
    assert torch.equal(once.positions[..., 0], -positions[:, :, order, 0])
    assert torch.equal(once.positions[..., 1], positions[:, :, order, 1])
    twice = changed(replace(OFF, flip=1.0), (once.positions, once.seen, once.scores))
    assert torch.equal(twice.positions, positions)
    assert torch.equal(twice.scores, scores)
    assert torch.equal(twice.seen, seen)


def test_a_turn_keeps_heights_and_lengths() -> None:
    given = batch(dimensions=3)
    after = changed(replace(OFF, turn_degrees=30.0), given)
    assert torch.allclose(after.positions[..., 1], given[0][..., 1], atol=1e-5)
    assert torch.allclose(after.positions.norm(dim=3), given[0].norm(dim=3), atol=1e-5)
    assert not torch.allclose(after.positions[..., 0], given[0][..., 0], atol=1e-2)
    flat = batch()
    assert torch.equal(changed(replace(OFF, turn_degrees=30.0), flat).positions, flat[0])


def test_resizing_and_shearing_stay_within_their_bounds() -> None:
    ones = torch.ones(200, 4, len(SKELETON.points), 2)
    everything = torch.ones(200, 4, len(SKELETON.points), dtype=torch.bool)
    given = (ones, everything, everything.float())
    for name in ("scale", "shear"):
        sizes = changed(replace(OFF, **{name: 0.1}), given).positions
        assert 0.9 <= float(sizes.min()) < 0.92
        assert 1.08 < float(sizes.max()) <= 1.1001


def test_a_point_between_a_seen_and_an_unseen_frame_is_as_in_the_nearer() -> None:
    positions = torch.tensor([[[[4.0]], [[0.0]]]])
    seen = torch.tensor([[[True], [False]]])
    places, there, _ = at_frames(positions, seen, seen.float(), frames=torch.tensor([[0.4, 0.6]]))
    assert places.flatten().tolist() == [4.0, 0.0]
    assert there.flatten().tolist() == [True, False]


def test_the_same_generator_gives_the_same_windows() -> None:
    one, other, third = changed(ALL), changed(ALL), changed(ALL, seed=2)
    assert torch.equal(one.positions, other.positions)
    assert not torch.equal(one.positions, third.positions)
