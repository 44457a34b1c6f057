"""Dense decorrelation: the losses, the streams and their balance."""

import pytest
import torch
from torch import Tensor, nn

from models.config import AugmentConfig
from models.training.augment import Augmented
from models.training.decorrelation import Decorrelation, decorrelated, nearest, shared_moments, split
from tests.models.windows_data import SKELETON

torch.set_num_threads(1)
POINTS = len(SKELETON.points)


def view(frames: Tensor, *, inside: Tensor | None = None) -> Augmented:
    there = torch.ones(frames.shape, dtype=torch.bool) if inside is None else inside
    seen = there[..., None].expand(*frames.shape, POINTS)
    return Augmented(
        positions=torch.zeros(*frames.shape, POINTS, 2),
        seen=seen,
        scores=seen.float(),
        frames=frames,
        inside=there,
        flipped=torch.zeros(frames.shape[0], dtype=torch.bool),
    )


def test_views_that_agree_with_free_and_lively_channels_cost_little_and_everything_else_costs_more() -> None:
    good = torch.randn(4096, 16, generator=torch.Generator().manual_seed(0)) * 1.2
    best = float(decorrelated(good, good))
    assert best < 0.2
    assert float(decorrelated(good, good.flip(0))) > best + 5
    dead = good.clone()
    dead[:, :8] = 0
    assert float(decorrelated(dead, dead)) > best + 2
    alike = good.clone()
    alike[:, 8:] = good[:, :8]
    assert float(decorrelated(alike, alike)) > best + 1


def test_the_temporal_stream_is_compared_at_the_same_moments() -> None:
    straight = view(torch.arange(32.0)[None])
    fast = view((torch.arange(32.0) * 1.25).clamp(max=31)[None], inside=(torch.arange(32.0) * 1.25 <= 31)[None])
    moments, known = shared_moments(straight, fast)
    assert known.all()
    # features that are nothing but the frame's own time: both views must come to the same up to their means
    first = split(straight.frames[..., None], straight, moments)
    second = split(fast.frames[..., None], fast, moments)
    unlike = (first[0][:, None] + first[1]) - (second[0][:, None] + second[1])
    assert float(unlike.abs().max()) <= 0.625
    assert float(first[1].mean().abs()) < 1.0


def test_moments_that_one_view_does_not_show_are_not_compared() -> None:
    frames = torch.arange(32.0)[None].repeat(2, 1)
    half = torch.ones(2, 32, dtype=torch.bool)
    half[1, 16:] = False
    moments, known = shared_moments(view(frames), view(frames, inside=half))
    assert known[0].all()
    assert torch.equal(known[1], moments <= 16)
    assert nearest(view(frames, inside=half), moments)[0][1].max() < 16


def test_the_spatial_stream_does_not_know_the_order_of_frames() -> None:
    frames = torch.arange(32.0)[None]
    features = torch.randn(1, 32, 8, generator=torch.Generator().manual_seed(0))
    moments = torch.arange(2, 32, 4)
    forwards, backwards = split(features, view(frames), moments), split(features.flip(1), view(frames), moments)
    assert torch.allclose(forwards[0], backwards[0], atol=1e-6)
    assert not torch.allclose(forwards[1], backwards[1], atol=0.1)


def test_the_gate_shares_each_channel_out_and_learns() -> None:
    torch.manual_seed(0)
    method = Decorrelation(SKELETON, width=8, augment=AugmentConfig())
    encoder = Tiny(8)
    loss = method(encoder, *windows(), generator=torch.Generator().manual_seed(0))
    loss.backward()
    assert method.gate is not None
    assert method.gate.weight.grad is not None
    assert float(method.gate.weight.grad.abs().sum()) > 0
    shares = method.shares(torch.randn(4, 8), torch.randn(4, 8))
    assert bool(((shares > 0) & (shares < 1)).all())


def test_every_loss_reaches_the_one_encoder() -> None:
    for balanced in (True, False):
        torch.manual_seed(0)
        method, encoder = Decorrelation(SKELETON, width=8, augment=AugmentConfig(), balanced=balanced), Tiny(8)
        method(encoder, *windows(), generator=torch.Generator().manual_seed(0)).backward()
        assert float(encoder.entry.weight.grad.abs().sum()) > 0
        assert (method.gate is not None) == balanced


def test_left_and_right_are_exchanged_in_both_views_or_in_neither() -> None:
    alone = AugmentConfig(
        jitter=0, shear=0, scale=0, turn_degrees=0, resample=0, crop=0, repeat=0, part_mask=0, flip=0.5
    )
    method = Decorrelation(SKELETON, width=8, augment=alone)
    positions, seen, scores = windows()
    first, second = method._views(positions, seen, scores, generator=torch.Generator().manual_seed(0))
    assert torch.equal(first.positions, second.positions)
    kept = (first.positions == positions).flatten(1).all(dim=1)
    assert 0 < int(kept.sum()) < 16


def test_windows_of_which_nothing_is_seen_do_no_harm() -> None:
    torch.manual_seed(0)
    method, encoder = Decorrelation(SKELETON, width=8, augment=AugmentConfig(crop=0.9)), Tiny(8)
    positions, seen, scores = windows()
    seen = seen & False
    loss = method(encoder, positions * 0, seen, scores * 0, generator=torch.Generator().manual_seed(0))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(encoder.entry.weight.grad).all()


class Tiny(nn.Module):
    """An encoder of one layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.entry = nn.Linear(POINTS * 2, width)

    def forward(self, positions: Tensor, seen: Tensor, scores: Tensor) -> Tensor:
        return torch.relu(self.entry(positions.flatten(2)))


def windows() -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(3)
    positions = torch.randn(16, 32, POINTS, 2, generator=random).cumsum(dim=1) * 0.1
    seen = torch.ones(16, 32, POINTS, dtype=torch.bool)
    return positions, seen, seen.float()


@pytest.mark.parametrize("length", [8, 13])
def test_short_pieces_are_compared_too(length: int) -> None:
    method, encoder = Decorrelation(SKELETON, width=8, augment=AugmentConfig()), Tiny(8)
    short = tuple(one[:, :length] for one in windows())
    assert torch.isfinite(method(encoder, *short, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("count", [2, 3])
def test_a_batch_that_shares_hardly_a_moment_does_no_harm(count: int) -> None:
    method, encoder = Decorrelation(SKELETON, width=8, augment=AugmentConfig(crop=0.9, resample=0.9)), Tiny(8)
    few = tuple(one[:count, :16] for one in windows())
    for seed in range(30):
        loss = method(encoder, *few, generator=torch.Generator().manual_seed(seed))
        loss.backward()
        assert torch.isfinite(loss)
    assert torch.isfinite(encoder.entry.weight.grad).all()
