"""Pre-training of an encoder on windows without labels.

AdamW, a linear warm-up and a cosine to a hundredth of the greatest learning rate. Every update looks at short pieces
of the windows (``piece_frames`` of the methods): half the frames cost half the time.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict

import torch
from torch import Tensor, nn

from models.config import AugmentConfig, PretrainConfig
from models.inputs.skeletons import Skeleton
from models.training.checkpoint import Checkpoint, capture, restore
from models.training.decorrelation import Decorrelation
from models.training.masked import MaskedMotion
from models.training.progress import Report, TrainProgress, checked, report_nothing
from models.training.sampling import UnlabelledWindows
from schema.files import digest_of

STAGE = "pre-training"
WARM_UP = 0.05
"""Share of the updates in which the learning rate rises (MAMP: 20 of 400 epochs)."""
LAST_RATE = 0.01
"""The learning rate at the end, as a share of the greatest."""
WEIGHT_DECAY = 0.05
"""Of AdamW (MAMP)."""
LONGEST_GRADIENT = 5.0
"""Gradients are shortened to this norm: one odd window must not undo what was learned."""
SETTLING = 8
"""Batches of whole windows that the running means are taken anew from at the end."""


def pretrain(
    encoder: nn.Module,
    windows: UnlabelledWindows,
    *,
    skeleton: Skeleton,
    augment: AugmentConfig,
    config: PretrainConfig,
    seed: int,
    checkpoint: Checkpoint | None = None,
    checkpoint_seconds: float = 30.0,
    stage: str = STAGE,
    report: Report = report_nothing,
) -> None:
    """Train an encoder in place; without windows, or with the method "none", it stays as it is.

    The same seed gives the same weights on one CPU thread, also after a kill: the checkpoint holds all that the next
    updates depend on, and the finished state, so that a later stage that is killed does not repeat this one. torch's
    own generator is left as it was.

    Args:
        encoder: ``(positions, seen, scores) -> features``, with the attribute ``width``; on the device to train on.
        windows: what was drawn.
        skeleton: names the points.
        augment: changes of windows.
        config: method, updates, batch and learning rate.
        seed: of the heads' first weights and of all chance.
        checkpoint: where a killed training goes on from; its key must tell the windows and the encoder's first weights,
            configuration and seed are added to it.
        checkpoint_seconds: time between two savings.
        stage: what progress calls it.
        report: told after every update.

    Raises:
        BadModelError: The checkpoint can't be read, or is that of another network.
        StoreFullError: The disk is full.
    """
    if not len(windows) or config.method == "none" or not config.steps:
        return
    if checkpoint:
        added = digest_of([asdict(config), asdict(augment), seed])
        checkpoint = Checkpoint(checkpoint.path, f"{checkpoint.key} {added}")
    device = next(encoder.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        training = _Training(encoder, windows, skeleton=skeleton, augment=augment, config=config, seed=seed)
        training.run(checkpoint=checkpoint, checkpoint_seconds=checkpoint_seconds, stage=stage, report=report)


def rate_at(step: int, *, steps: int, greatest: float, warm_up: float = WARM_UP) -> float:
    """Return the learning rate of an update, counted from 0: a straight rise, then a cosine down."""
    rising = max(1, round(steps * warm_up))
    if step < rising:
        return greatest * (step + 1) / rising
    share = (step - rising) / max(1, steps - rising)
    return greatest * (LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * share)) / 2)


class _Training:
    """All that a pre-training consists of."""

    def __init__(
        self,
        encoder: nn.Module,
        windows: UnlabelledWindows,
        *,
        skeleton: Skeleton,
        augment: AugmentConfig,
        config: PretrainConfig,
        seed: int,
    ) -> None:
        self.encoder, self.windows, self.config = encoder, windows, config
        self.device = next(encoder.parameters()).device
        self.method = _method(encoder, windows, skeleton=skeleton, augment=augment, config=config).to(self.device)
        weights = [*encoder.parameters(), *self.method.parameters()]
        self.optimiser = torch.optim.AdamW(weights, lr=config.learning_rate, weight_decay=WEIGHT_DECAY, fused=True)
        self.generators = {
            "windows": torch.Generator().manual_seed(seed),
            "views": torch.Generator(device=self.device).manual_seed(seed + 1),
        }
        self.modules: dict[str, nn.Module] = {"encoder": encoder, "method": self.method}

    def run(self, *, checkpoint: Checkpoint | None, checkpoint_seconds: float, stage: str, report: Report) -> None:
        steps = self.config.steps
        state = checkpoint.load() if checkpoint else None
        done = state.step if state else 0
        if state:
            # one that is finished draws no more: it may have been made on a GPU, whose generators no CPU can take
            generators = self.generators if done < steps else {}
            restore(state, modules=self.modules, optimiser=self.optimiser, generators=generators)
        saved_s = time.monotonic()
        self._begin()
        for step in range(done, steps):
            loss = checked(self._update(step), stage=stage, step=step)
            if step == steps - 1:
                self._settle()
            if checkpoint and (step == steps - 1 or time.monotonic() - saved_s >= checkpoint_seconds):
                self._save(checkpoint, step + 1)
                saved_s = time.monotonic()
            report(TrainProgress(stage=stage, step=step + 1, steps=steps, loss=loss))
        self.encoder.eval()

    def _begin(self) -> None:
        """Drop nothing out: what is hidden and changed is chance enough, and dropping costs a tenth of the time."""
        self.encoder.train()
        for module in self.encoder.modules():
            if isinstance(module, nn.Dropout):
                module.eval()

    def _save(self, checkpoint: Checkpoint, step: int) -> None:
        checkpoint.save(capture(step, modules=self.modules, optimiser=self.optimiser, generators=self.generators))

    def _update(self, step: int) -> float:
        rate = rate_at(step, steps=self.config.steps, greatest=self.config.learning_rate)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        batch = self._batch(min(self.method.piece_frames, self.windows.longest))
        loss = self.method(self.encoder, *batch, generator=self.generators["views"])
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.encoder.parameters(), LONGEST_GRADIENT)
        self.optimiser.step()
        return float(loss.detach())

    def _batch(self, length: int) -> tuple[Tensor, Tensor, Tensor]:
        chance = self.generators["windows"]
        numbers = torch.randint(len(self.windows), (self.config.batch,), generator=chance).tolist()
        offsets = torch.rand(self.config.batch, generator=chance).tolist()
        positions, seen, scores = self.windows.cut(numbers, offsets, length=length)
        return positions.to(self.device), seen.to(self.device), scores.to(self.device)

    @torch.no_grad()
    def _settle(self) -> None:
        """Take the running means of batch norms from whole windows: training hid and bent what they saw."""
        self.encoder.eval()
        norms = [module for module in self.encoder.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
        usual = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            # the plain mean over all batches
            norm.momentum = None
            norm.train()
        for _ in range(SETTLING):
            self.encoder(*self._batch(self.windows.longest))
        for norm, momentum in zip(norms, usual, strict=True):
            norm.momentum = momentum


def _method(
    encoder: nn.Module,
    windows: UnlabelledWindows,
    *,
    skeleton: Skeleton,
    augment: AugmentConfig,
    config: PretrainConfig,
) -> MaskedMotion | Decorrelation:
    width: int = encoder.width  # type: ignore[assignment]
    makers: dict[str, Callable[[], MaskedMotion | Decorrelation]] = {
        "masked": lambda: MaskedMotion(skeleton, width=width, dimensions=windows.dimensions, augment=augment),
        "decorrelation": lambda: Decorrelation(skeleton, width=width, augment=augment, balanced=config.balanced),
    }
    return makers[config.method]()
