"""Pre-training: it learns something, the same seed gives the same weights, and a kill changes nothing."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.config import AugmentConfig, PretrainConfig
from models.networks.encoder import Encoder
from models.training.checkpoint import Checkpoint
from models.training.pretraining import pretrain, rate_at
from models.training.progress import TrainProgress
from models.training.sampling import UnlabelledWindows, collect_windows
from tests.models.windows_data import RATE_HZ, SKELETON, gestures

torch.set_num_threads(1)
pytestmark = pytest.mark.timeout(240)
"""The first optimiser of a process imports torch's compiler: 10 s without compiled files, more on busy cores."""
METHODS = ("masked", "decorrelation")
CONFIG = PretrainConfig(window_seconds=2.5, steps=6, batch=8, fastest=100.0)


def encoder(*, width: int = 16, seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    return Encoder(SKELETON, dimensions=2, rate_hz=RATE_HZ, width=width, layers=3, dropout=0.2)


def windows(count: int = 20, *, seed: int = 0) -> UnlabelledWindows:
    made, _ = gestures(count, seed=seed)
    subjects = [one.subject_id for one in made]
    return collect_windows(made, subject_ids=subjects, skeleton=SKELETON, config=CONFIG, seed=0)


def weights(
    config: PretrainConfig,
    *,
    seed: int = 0,
    checkpoint: Checkpoint | None = None,
    die_after: int | None = None,
    losses: list[float] | None = None,
) -> dict[str, torch.Tensor]:
    """Pre-train a small encoder; with ``die_after`` the process is killed after so many updates."""

    def report(progress: TrainProgress) -> None:
        if losses is not None:
            losses.append(progress.loss)
        if progress.step == die_after:
            os.kill(os.getpid(), signal.SIGKILL)

    one = encoder()
    pretrain(
        one,
        windows(),
        skeleton=SKELETON,
        augment=AugmentConfig(),
        config=config,
        seed=seed,
        checkpoint=checkpoint,
        checkpoint_seconds=0.0,
        report=report,
    )
    return one.state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(method: str) -> None:
    config = replace(CONFIG, method=method)
    before = torch.get_rng_state()
    once = weights(config)
    assert same(once, weights(config))
    assert not same(once, weights(config, seed=1))
    assert not same(once, encoder().state_dict())
    torch.set_rng_state(before)


def test_torch_s_own_chance_is_left_as_it_was() -> None:
    one, given = encoder(), windows()
    before = torch.get_rng_state()
    pretrain(one, given, skeleton=SKELETON, augment=AugmentConfig(), config=CONFIG, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("die_after", [1, 4, 6])
def test_a_killed_training_comes_to_the_very_same_weights(tmp_path: Path, method: str, die_after: int) -> None:
    config = replace(CONFIG, method=method)
    checkpoint = Checkpoint(tmp_path / "pre.safetensors", "windows")
    child = os.fork()
    if child == 0:
        weights(config, checkpoint=checkpoint, die_after=die_after)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    losses: list[float] = []
    assert same(weights(config, checkpoint=checkpoint, losses=losses), weights(config))
    assert len(losses) == 6 - die_after


def test_a_changed_configuration_does_not_go_on_from_the_old_checkpoint(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "pre.safetensors", "windows")
    weights(CONFIG, checkpoint=checkpoint)
    changed = replace(CONFIG, learning_rate=1e-3)
    losses: list[float] = []
    assert same(weights(changed, checkpoint=checkpoint, losses=losses), weights(changed))
    assert len(losses) == 6


@pytest.mark.parametrize("config", [replace(CONFIG, method="none"), replace(CONFIG, steps=0)])
def test_without_a_method_or_updates_the_encoder_stays_as_it_is(config: PretrainConfig) -> None:
    assert same(weights(config), encoder().state_dict())


def test_without_windows_the_encoder_stays_as_it_is() -> None:
    one = encoder()
    nothing = UnlabelledWindows([], [])
    pretrain(one, nothing, skeleton=SKELETON, augment=AugmentConfig(), config=CONFIG, seed=0)
    assert same(one.state_dict(), encoder().state_dict())


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [rate_at(step, steps=100, greatest=1.0) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == rates[5] == 1.0
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] < 0.02


def probe(features: np.ndarray, kinds: np.ndarray, others: np.ndarray, their_kinds: np.ndarray) -> float:
    """Accuracy on others of a linear classifier (ridge regression on one-hot kinds)."""
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-3
    known, asked = (features - mean) / deviation, (others - mean) / deviation
    wanted = np.eye(6)[kinds] - 1 / 6
    coefficients = known.T @ np.linalg.solve(known @ known.T + 0.3 * len(known) * np.eye(len(known)), wanted)
    return float(np.mean((asked @ coefficients).argmax(axis=1) == their_kinds))


def accuracy(one: Encoder) -> float:
    """How well kinds of gesture are told from pooled features, with ten examples of each."""
    one.eval()

    def pooled(count: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
        made, kinds = gestures(count, seed=seed)
        batch = [np.stack([getattr(s, name) for s in made]) for name in ("positions", "seen", "scores")]
        with torch.no_grad():
            found = one(*map(torch.from_numpy, batch))
        return torch.cat([found.mean(dim=1), found.amax(dim=1), found.std(dim=1)], dim=1).numpy(), kinds

    return float(np.mean([probe(*pooled(60, seed=50 + n), *pooled(300, seed=100 + n)) for n in range(5)]))


@pytest.mark.parametrize(("method", "least"), [("masked", 0.1), ("decorrelation", 0.04)])
def test_a_linear_probe_tells_gestures_better_from_what_was_learned(method: str, least: float) -> None:
    given = windows(300, seed=1)
    config = replace(CONFIG, method=method, steps=120, batch=32)
    before, after = [], []
    for seed in range(2):
        before.append(accuracy(encoder(width=32, seed=seed)))
        one = encoder(width=32, seed=seed)
        pretrain(one, given, skeleton=SKELETON, augment=AugmentConfig(), config=config, seed=seed)
        after.append(accuracy(one))
    # 0.52 before; 0.72 after masked motion modelling, 0.62 after decorrelation
    assert np.mean(after) > np.mean(before) + least, (before, after)
