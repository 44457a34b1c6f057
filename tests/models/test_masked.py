"""Masked motion modelling: what is hidden, what is told, and what it costs to be wrong."""

import pytest
import torch
from torch import Tensor, nn

from models.config import AugmentConfig
from models.inputs.skeletons import make_skeleton
from models.training.masked import MaskedMotion, groups_of, hide, jitter_of, patch_motion, patch_scale, steps
from tests.models.windows_data import SKELETON

torch.set_num_threads(1)
OFF = AugmentConfig(jitter=0, shear=0, scale=0, turn_degrees=0, resample=0, crop=0, repeat=0, part_mask=0, flip=0)
POINTS = len(SKELETON.points)


def trembling(*, windows: int = 8, frames: int = 64, deviation: float = 0.02, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(windows, frames, POINTS, 2, generator=random) * deviation


def everything(positions: Tensor) -> Tensor:
    return torch.ones(positions.shape[:3], dtype=torch.bool)


def motion_of(positions: Tensor) -> Tensor:
    seen = everything(positions)
    ways, known = steps(positions, seen)
    return patch_motion(ways, known, jitter_of(positions, seen), members=groups_of(SKELETON))[0]


def test_hands_and_face_are_hidden_whole_and_body_points_alone() -> None:
    skeleton = make_skeleton("wholebody133", (0, 5, 6, 9, 10, 71, 77, *range(91, 133)))
    sizes = sorted(groups_of(skeleton).sum(dim=1).tolist())
    assert sizes == [1, 1, 1, 1, 1, 2, 21, 21]
    assert groups_of(skeleton).sum(dim=0).tolist() == [1.0] * len(skeleton.points)


def test_the_jitter_is_that_of_the_estimator_and_not_of_the_movement() -> None:
    noisy = trembling(frames=256)
    seen = everything(noisy)
    assert float(jitter_of(noisy, seen).mean()) == pytest.approx(0.02, rel=0.25)
    moving = noisy + torch.linspace(0, 20, 256)[None, :, None, None]
    assert torch.allclose(jitter_of(moving, seen), jitter_of(noisy, seen), rtol=0.2, atol=0.004)


def test_jitter_alone_counts_as_no_motion_and_a_movement_beyond_it_does() -> None:
    noisy = trembling(windows=32)
    calm = motion_of(noisy)
    assert float((calm > 0).float().mean()) < 0.1
    moving = noisy.clone()
    moving[:, 32:36, 12:17, 0] += torch.linspace(0, 0.6, 4)[:, None]
    moving[:, 36:, 12:17, 0] += 0.6
    found = motion_of(moving)
    group = int(groups_of(SKELETON)[:, 12].argmax())
    assert float(found[:, 8, group].min()) > float(calm.max())


def test_what_moves_is_hidden_sooner() -> None:
    motion = torch.zeros(200, 10, 4)
    motion[:, 3, 2] = 1.0
    hidden = hide(
        motion,
        torch.ones(motion.shape, dtype=torch.bool),
        share=0.5,
        temperature=0.4,
        generator=torch.Generator().manual_seed(0),
    )
    assert bool((hidden.flatten(1).sum(dim=1) == 20).all())
    shares = hidden.float().mean(dim=0)
    assert float(shares[3, 2]) > 0.9
    assert float(shares[0].mean()) == pytest.approx(0.49, abs=0.06)


def test_unseen_patches_are_never_hidden_and_do_not_count() -> None:
    there = torch.zeros(4, 10, 4, dtype=torch.bool)
    there[:, :2] = True
    generator = torch.Generator().manual_seed(0)
    hidden = hide(torch.ones(4, 10, 4), there, share=0.5, temperature=0.4, generator=generator)
    assert not hidden[~there].any()
    assert hidden.flatten(1).sum(dim=1).tolist() == [4, 4, 4, 4]


class Listener(nn.Module):
    """Remembers what it is shown, and tells nothing."""

    width = 8
    shown: tuple[Tensor, Tensor, Tensor]

    def forward(self, positions: Tensor, seen: Tensor, scores: Tensor) -> Tensor:
        self.shown = (positions, seen, scores)
        return torch.zeros(*positions.shape[:2], self.width)


def loss_of(positions: Tensor, seen: Tensor, scores: Tensor) -> tuple[Tensor, Listener]:
    torch.manual_seed(0)
    method, listener = MaskedMotion(SKELETON, width=8, dimensions=2, augment=OFF), Listener()
    nn.init.zeros_(method.decoder[-1].weight)
    nn.init.zeros_(method.decoder[-1].bias)
    with torch.no_grad():
        return method(listener, positions, seen, scores, generator=torch.Generator().manual_seed(0)), listener


def test_hidden_patches_are_unseen_to_the_encoder() -> None:
    positions = trembling() + 1.0
    _, listener = loss_of(positions, everything(positions), torch.ones(positions.shape[:3]))
    shown, seen, scores = listener.shown
    assert float(seen.float().mean()) == pytest.approx(0.85, abs=0.05)
    assert not shown[~seen].any()
    assert not scores[~seen].any()
    assert bool((shown[seen] != 0).all())
    whole = seen.view(seen.shape[0], -1, 4, POINTS)
    assert torch.equal(whole.any(dim=2), whole.all(dim=2))


def test_nothing_unseen_enters_the_loss() -> None:
    positions = trembling()
    seen = everything(positions)
    seen[:, 10:30, 3] = False
    scores = seen.float()
    loss, _ = loss_of(positions * seen[..., None], seen, scores)
    wild = torch.where(seen[..., None], positions, 1000.0)
    again, _ = loss_of(wild * seen[..., None], seen, scores)
    assert float(loss) == float(again)
    assert float(loss) > 0
    nothing, _ = loss_of(positions * 0, seen & False, scores * 0)
    assert float(nothing) == 0


def test_points_that_are_less_sure_count_less() -> None:
    # the right hand moves evenly, everything else rests: with its scores at 0 there is nothing left to be wrong about
    positions = torch.zeros(8, 64, POINTS, 2)
    positions[:, :, 12:17, 0] = torch.linspace(0, 6, 64)[:, None]
    seen, scores = everything(positions), torch.ones(8, 64, POINTS)
    sure, _ = loss_of(positions, seen, scores)
    scores[:, :, 12:17] = 0
    unsure, _ = loss_of(positions, seen, scores)
    assert float(sure) > 0.1
    assert float(unsure) == 0


def test_targets_are_about_as_large_wherever_something_moves_and_small_where_nothing_does() -> None:
    noisy = trembling()
    seen = everything(noisy)
    fast = noisy + 2 * torch.sin(torch.arange(64.0))[None, :, None, None]
    for positions, low, high in ((noisy, 0.1, 0.4), (fast, 0.4, 1.0)):
        ways, known = steps(positions, seen)
        scaled = ways / patch_scale(ways, known, jitter_of(positions, seen))[..., None]
        assert low < float(scaled[:, :-1].square().mean()) < high
