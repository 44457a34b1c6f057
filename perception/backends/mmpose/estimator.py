"""The back end ``mmpose``: RTMPose and RTMW whole-body networks by config name and checkpoint, many people at once."""

import importlib.metadata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from perception.backends.mmpose.batches import estimate_in_batches
from perception.backends.mmpose.configs import (
    DEFAULT_CONFIG,
    WEIGHTS_LICENCE,
    digest_of_config,
    find_config,
    published_model,
)
from perception.backends.mmpose.networks import Precision, TorchNetwork, read_network
from perception.backends.mmpose.settings import SAME_NUMBERS, check_settings_of_batches
from perception.backends.weights import find_weights, sha256_of_weights
from perception.keypoints import BoxedFrame, PersonKeypoints
from schema.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class MmposeKeypointsConfig:
    """Which network, where it runs, and when a point counts as seen."""

    config: str = field(default=DEFAULT_CONFIG, metadata=SAME_NUMBERS)
    """Name of a config in mmpose's wheel (`pressroom models list`), or the path of a config file of your own."""
    checkpoint: str = field(default="", metadata=SAME_NUMBERS)
    """File of the weights: a name in the weights folder or a path; empty: the one that mmpose names for the config."""
    device: str = "cpu"
    """`cpu`, or a GPU such as `cuda:0`; it is never changed for another."""
    precision: Precision = "fp32"
    """`fp32`, `fp16` or `bf16`; the halves are meant for a GPU."""
    batch_size: int = 8
    """People that the network takes at once; 64 for a GPU."""
    threads: int = 1
    """Threads of torch on a CPU."""
    crop_threads: int = field(default=2, metadata=SAME_NUMBERS)
    """Threads that cut people out of frames while the network works."""
    flip_test: bool = False
    """Also ask for the mirrored picture and take the mean: published accuracies do, at twice the cost."""
    padding: float = 0.0
    """How many times larger than the person's box the cut is; 0 takes what the config says, 1.25 in mmpose's own."""
    min_score: float = 0.3
    """SimCC score from which a point is seen; 0.3 is what mmpose's own inferencer draws from."""

    def __post_init__(self) -> None:
        """Refuse settings that can't be (``ValueError``)."""
        check_settings_of_batches(
            device=self.device,
            batch_size=self.batch_size,
            threads=self.threads,
            crop_threads=self.crop_threads,
            padding=self.padding,
            min_score=self.min_score,
        )


class MmposeKeypointEstimator:
    """Estimates whole-body keypoints with a network of mmpose, on a CPU or a GPU."""

    config_type: ClassVar[type] = MmposeKeypointsConfig

    def __init__(self, config: MmposeKeypointsConfig) -> None:
        self._config = config
        self._network: TorchNetwork | None = None

    @property
    def weights_digest(self) -> str:
        """Return the digests of the weights and of the config, with the version of mmpose."""
        weights = sha256_of_weights(checkpoint_path(self._config.config, self._config.checkpoint))
        config = digest_of_config(find_config(self._config.config))
        return f"mmpose-{importlib.metadata.version('mmpose')} {weights} {config}"

    def estimate(self, frames: Iterable[BoxedFrame]) -> Iterator[tuple[PersonKeypoints, ...]]:
        """Estimate the people of one run of frames in batches; the first call loads the network."""
        if self._network is None:
            self._network = _load(self._config)
        return estimate_in_batches(
            frames, network=self._network, crop_threads=self._config.crop_threads, min_score=self._config.min_score
        )


def checkpoint_path(config: str, checkpoint: str) -> Path:
    """Return where the weights of a config lie.

    Args:
        config: Name or path of the config.
        checkpoint: Name or path of the weights; empty for those that mmpose names for the config.

    Raises:
        ConfigError: There is no such config, or no weights are named, neither here nor by mmpose.
        MissingPartError: They are not there, or mmpose is not.
    """
    find_config(config)
    published = published_model(config)
    if checkpoint:
        source = "trained by you or fetched by you"
    elif published is not None and published.checkpoint:
        checkpoint, source = published.checkpoint, f"from {published.url}"
    else:
        raise ConfigError(f"checkpoint: mmpose names no weights for the config {config}; name a file of your own")
    what = f"the weights of {Path(config).stem}"
    return find_weights(checkpoint, what=what, source=source, licence=WEIGHTS_LICENCE)


def _load(config: MmposeKeypointsConfig) -> TorchNetwork:
    path = checkpoint_path(config.config, config.checkpoint)
    model, facts = read_network(find_config(config.config), path, padding=config.padding)
    if config.device == "cpu":
        import torch

        # Left to itself, torch takes every core: on shared ones two threads were 3 to 36 times slower than one.
        torch.set_num_threads(config.threads)
    return TorchNetwork(
        model,
        facts,
        batch_size=config.batch_size,
        device=config.device,
        precision=config.precision,
        flip_test=config.flip_test,
    )
