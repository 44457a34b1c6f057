"""Training of a seed model: pre-training on windows without labels, then on labelled ones, then calibration."""

from dataclasses import dataclass
from pathlib import Path

import torch

from models.config import TrainConfig
from models.inputs.views import outlines_of
from models.networks.network import SeedNetwork
from models.seed_model import SeedModel
from models.training.calibration import Calibration
from models.training.checkpoint import Checkpoint
from models.training.lessons import Lessons
from models.training.preparing import Vocabulary, flipped_outputs
from models.training.pretraining import STAGE as PRETRAINING
from models.training.pretraining import pretrain
from models.training.progress import Report, report_nothing
from models.training.sampling import collect_windows
from models.training.supervised import train_network
from schema.errors import ConfigError

STAGE = "training"
"""What progress calls the labelled part of a model that is no fold's."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibrations:
    """How a model's logits become probabilities."""

    found: Calibration
    judged: Calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoints:
    """Where a training that is killed goes on from."""

    folder: Path
    key: str
    """Digest of everything that the weights depend on: data, configuration, seed, the model to begin with."""

    def of(self, stage: str) -> Checkpoint:
        """Return the checkpoint of a stage."""
        return Checkpoint(self.folder / f"{stage.replace(' ', '-')}.safetensors", key=f"{self.key} {stage}")


def train_seed_model(
    lessons: Lessons,
    *,
    name: str,
    calibrations: Calibrations | None = None,
    checkpoints: Checkpoints | None = None,
    stage: str = STAGE,
    report: Report = report_nothing,
) -> SeedModel:
    """Train a model; the same arguments give the same weights on one CPU thread, also after a kill.

    Args:
        lessons: What to learn from; the seed of its configuration decides every draw.
        name: What to call the model.
        calibrations: Fitted on held-out people (``cross_validate``); none: logits are taken as they are.
        checkpoints: Where to save, and go on from.
        stage: What progress calls the labelled part.
        report: Told after every update.

    Raises ``ConfigError`` where no GPU is there that the configuration asks for.
    """
    config, vocabulary = lessons.config, lessons.vocabulary
    torch.set_num_threads(config.threads)
    device = device_of(config)
    torch.manual_seed(config.seed)
    network = SeedNetwork(lessons.shape).to(device)
    window_count = 0
    if lessons.init:
        network.load_state_dict(_begun(network, lessons.init, vocabulary), strict=True)
    else:
        window_count = _pretrain(network, lessons, checkpoints=checkpoints, stage=stage, report=report)
    train_network(
        network,
        [one.placed for one in lessons.labelled],
        config=config,
        device=device,
        flipped_output=flipped_outputs(vocabulary.classes),
        checkpoint=checkpoints.of(stage) if checkpoints else None,
        stage=stage,
        report=report,
    )
    return SeedModel(
        name=name,
        taxonomy=lessons.taxonomy,
        config=config,
        vocabulary=vocabulary,
        network=network.cpu(),
        found=calibrations.found if calibrations else Calibration.none(vocabulary.outputs.count),
        judged=calibrations.judged if calibrations else Calibration.none(vocabulary.outputs.count),
        unlabelled_windows=window_count,
    )


def device_of(config: TrainConfig) -> torch.device:
    """Return the device to train on; raises ``ConfigError`` where it is not there."""
    if config.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("train.device: there is no GPU that torch can use; set it to auto or cpu")
    return torch.device(config.device)


def _pretrain(
    network: SeedNetwork, lessons: Lessons, *, checkpoints: Checkpoints | None, stage: str, report: Report
) -> int:
    """Pre-train the encoder; returns how many windows were drawn."""
    config, skeleton = lessons.config, lessons.shape.skeleton
    if config.pretrain.method == "none" or not len(lessons.unlabelled):
        return 0
    drawn = collect_windows(
        lessons.unlabelled_frames(),
        subject_ids=[one.subject_id for one in outlines_of(lessons.unlabelled)],
        skeleton=skeleton,
        config=config.pretrain,
        seed=config.seed,
    )
    pretrain(
        network.encoder,
        drawn,
        skeleton=skeleton,
        augment=config.augment,
        config=config.pretrain,
        seed=config.seed,
        checkpoint=checkpoints.of(f"pre-training before {stage}") if checkpoints else None,
        checkpoint_seconds=config.checkpoint_seconds,
        stage=PRETRAINING if stage == STAGE else f"{PRETRAINING} of {stage}",
        report=report,
    )
    return len(drawn)


def _begun(network: SeedNetwork, init: SeedModel, told: Vocabulary) -> dict[str, torch.Tensor]:
    """Return the weights to begin with: all of ``init`` but rows of heads whose class or group it lacks."""
    ours = network.state_dict()
    theirs = init.network.state_dict()
    before = [*init.classes, *(f"group {group}" for group in init.groups), "any"]
    rows = [*told.classes, *(f"group {group}" for group in told.groups), "any"]
    pairs = [(number, before.index(row)) for number, row in enumerate(rows) if row in before]
    begun = {}
    for key, value in theirs.items():
        if key.startswith(("detector.class_head", "detector.span_head")):
            begun[key] = ours[key].clone()
            for mine, other in pairs:
                begun[key][mine] = value[other]
        else:
            begun[key] = value
    return begun
