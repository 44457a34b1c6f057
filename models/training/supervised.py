"""Training of a network on labelled windows, with a checkpoint and the same weights for the same seed."""

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from models.config import TrainConfig
from models.inputs.windows import LabelledFrames, Window, WindowSampler
from models.networks.detector import likely_spans, pool_spans
from models.networks.network import SeedNetwork
from models.training.changes import change
from models.training.checkpoint import Checkpoint, capture, restore
from models.training.losses import dense_loss, span_loss
from models.training.pretraining import rate_at
from models.training.progress import Report, TrainProgress, checked
from models.training.targets import dense_targets, span_targets

WARM_UP = 0.3
"""Share of the updates in which the learning rate rises (one-cycle, Smith and Topin 2018)."""
LIKELY_SPANS = 4
"""Spans of each window that the detector takes for gestures at the moment, and that are then looked at as wholes."""
LARGEST_GRADIENT = 1.0
"""Norm that gradients are cut to."""


def train_network(
    network: SeedNetwork,
    sequences: Sequence[LabelledFrames],
    *,
    config: TrainConfig,
    device: torch.device,
    flipped_output: Mapping[int, int],
    checkpoint: Checkpoint | None = None,
    stage: str = "training",
    report: Report,
) -> None:
    """Train a network in place; what chance decides in an update follows from the seed and the update's number alone.

    A training that was killed goes on from its checkpoint to the very same weights on one CPU thread; one that is done
    is read from it.

    Raises ``BadModelError`` where training diverges.
    """
    steps = updates(sum(len(one.gestures) for one in sequences), config=config)
    sampler = WindowSampler(sequences, length=_window_length(network, config), balance=config.balance)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, foreach=True
    )
    network.to(device).train()
    begun = 0
    state = checkpoint.load() if checkpoint else None
    if state:
        restore(state, modules={"network": network}, optimiser=optimiser, generators={})
        begun = state.step
    saved_s = time.monotonic()
    for step in range(begun, steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, steps=steps, greatest=config.learning_rate, warm_up=WARM_UP)
        loss = _update(network, optimiser, sampler, step, config=config, device=device, flipped_output=flipped_output)
        report(TrainProgress(stage=stage, step=step + 1, steps=steps, loss=checked(loss, stage=stage, step=step)))
        is_due = step == steps - 1 or time.monotonic() - saved_s >= config.checkpoint_seconds
        if checkpoint and is_due:
            checkpoint.save(capture(step + 1, modules={"network": network}, optimiser=optimiser, generators={}))
            saved_s = time.monotonic()
    network.eval()


def _update(
    network: SeedNetwork,
    optimiser: torch.optim.Optimizer,
    sampler: WindowSampler,
    step: int,
    *,
    config: TrainConfig,
    device: torch.device,
    flipped_output: Mapping[int, int],
) -> float:
    """Draw windows, change them and learn from them; returns the loss."""
    random = np.random.default_rng((config.seed, step))
    torch.manual_seed(int(random.integers(2**62)))
    windows = change(
        sampler.draw(config.batch, random=random),
        skeleton=network.shape.skeleton,
        config=config.augment,
        flipped_output=flipped_output,
        generator=torch.Generator().manual_seed(int(random.integers(2**62))),
    )
    loss = _loss(network, windows, config=config, random=random, device=device)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT)
    optimiser.step()
    return float(loss.detach())


def updates(gestures: int, *, config: TrainConfig) -> int:
    """Return how many updates so many labelled gestures get."""
    return max(config.steps, math.ceil(gestures * config.windows_per_gesture / config.batch))


def _window_length(network: SeedNetwork, config: TrainConfig) -> int:
    """Return the frames of a window: the nearest multiple of the coarsest scale's step."""
    return max(1, round(config.window_seconds * config.input.rate_hz / network.step)) * network.step


def _loss(
    network: SeedNetwork,
    windows: Sequence[Window],
    *,
    config: TrainConfig,
    random: np.random.Generator,
    device: torch.device,
) -> torch.Tensor:
    def stacked(array_of: Callable[[Window], np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack([array_of(window) for window in windows])).to(device)

    outputs = network.shape.outputs
    features = network.encoder(
        stacked(lambda window: window.positions), stacked(lambda window: window.seen), stacked(lambda w: w.scores)
    )
    dense = dense_targets(
        windows, outputs=outputs, levels=config.network.levels, unjudged_weight=config.unjudged_weight
    )
    found = network.detector(features)
    likely = likely_spans(found, length=features.shape[1], count=LIKELY_SPANS)
    spans = span_targets(
        windows,
        outputs=outputs,
        unjudged_weight=config.unjudged_weight,
        random=random,
        likely=likely.cpu().numpy().tolist(),
    )
    judged = network.detector.judge(pool_spans(features, spans.spans.to(device)))
    return dense_loss(found, [target.to(device) for target in dense]) + span_loss(
        judged, spans.to(device), class_count=outputs.class_count
    )
