"""The back end ``onnx``: a whole-body network exported to ONNX, without torch and mmpose."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from perception.backends.mmpose.batches import estimate_in_batches
from perception.backends.mmpose.crops import CropShape, InputFacts
from perception.backends.mmpose.runtimes import (
    OUTPUT_NAMES,
    ExportedNetwork,
    Runtime,
    open_network,
    version_of_runtime,
)
from perception.backends.mmpose.settings import SAME_NUMBERS, check_settings_of_batches
from perception.backends.mmpose.simcc import strongest_classes
from perception.backends.weights import find_weights, sha256_of_weights
from perception.keypoints import BoxedFrame, PersonKeypoints
from schema.errors import ConfigError
from schema.records import KEYPOINT_COUNT

FACTS_KEY = "pressroom_input"
"""Name of the metadata in which `pressroom models export` tells how pictures become the network's input."""
INPUT_NAME = "input"
"""The name that OpenMMLab's own exporter, mmdeploy, gives it."""
_RTMPOSE_MEAN_RGB = (123.675, 116.28, 103.53)
_RTMPOSE_STD_RGB = (58.395, 57.12, 57.375)
_RTMPOSE_PADDING = 1.25
"""What all RTMPose and RTMW whole-body configs of mmpose 1.3.2 hold: for files that another program exported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxKeypointsConfig:
    """Which exported network, where it runs, and when a point counts as seen."""

    model: str = field(default="rtmw-l_8xb320-270e_cocktail14-384x288.onnx", metadata=SAME_NUMBERS)
    """The exported network: a name in the weights folder, or a path."""
    runtime: Runtime = "onnxruntime"
    """`onnxruntime`, or `openvino`, which is faster on processors of Intel; it is never changed for the other."""
    device: str = "cpu"
    """`cpu`, or a GPU such as `cuda:0` (needs the package onnxruntime-gpu); it is never changed for another."""
    batch_size: int = field(default=4, metadata=SAME_NUMBERS)
    """People that the network takes at once; a network that was exported for a fixed number takes that one."""
    threads: int = field(default=1, metadata=SAME_NUMBERS)
    """Threads of the runtime."""
    crop_threads: int = field(default=2, metadata=SAME_NUMBERS)
    """Threads that cut people out of frames while the network works."""
    padding: float = 0.0
    """How many times larger than the person's box the cut is; 0 takes what the export says, else 1.25."""
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
        if self.runtime == "openvino" and self.device != "cpu":
            raise ValueError(f"device must be 'cpu' with runtime = 'openvino', got {self.device!r}")


class OnnxKeypointEstimator:
    """Estimates whole-body keypoints with ONNX Runtime or OpenVINO."""

    config_type: ClassVar[type] = OnnxKeypointsConfig

    def __init__(self, config: OnnxKeypointsConfig) -> None:
        self._config = config
        self._network: OnnxNetwork | None = None

    @property
    def weights_digest(self) -> str:
        """Return the digest of the exported file, with the version of the library that runs it."""
        version = version_of_runtime(self._config.runtime)
        return f"{version} {sha256_of_weights(model_path(self._config.model))}"

    def estimate(self, frames: Iterable[BoxedFrame]) -> Iterator[tuple[PersonKeypoints, ...]]:
        """Estimate the people of one run of frames in batches; the first call loads the network."""
        if self._network is None:
            self._network = OnnxNetwork(model_path(self._config.model), self._config)
        return estimate_in_batches(
            frames, network=self._network, crop_threads=self._config.crop_threads, min_score=self._config.min_score
        )


def model_path(name: str) -> Path:
    """Return where an exported network lies; raises ``MissingPartError`` where it does not."""
    return find_weights(
        name, what="the exported network", source="made by `pressroom models export`", licence="that of its weights"
    )


class OnnxNetwork:
    """A network in one of the libraries that run exported ones."""

    def __init__(self, path: Path, config: OnnxKeypointsConfig) -> None:
        self._exported = open_network(path, runtime=config.runtime, device=config.device, threads=config.threads)
        self.batch_size, self._facts = _facts_of(self._exported, name=path.name, config=config)
        self.shape = self._facts.shape
        self._mean, self._std = (
            np.array(values, np.float32)[:, None, None] for values in (self._facts.mean_rgb, self._facts.std_rgb)
        )

    def new_batch(self) -> npt.NDArray[np.uint8]:
        """Return room for a batch."""
        return np.zeros((self.batch_size, self.shape.height_px, self.shape.width_px, 3), np.uint8)

    def find(self, crops_rgb: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return points in pixels of the cuts and their scores."""
        # Colours are put one after another while they are bytes: a fifth of the time that floats take.
        pictures = np.ascontiguousarray(crops_rgb.transpose(0, 3, 1, 2)) - self._mean
        pictures /= self._std
        classes, scores = strongest_classes(*self._exported.run(pictures))
        return classes / np.float32(self._facts.split_ratio), scores


def _facts_of(exported: ExportedNetwork, *, name: str, config: OnnxKeypointsConfig) -> tuple[int, InputFacts]:
    """Return how many people a network takes at once, and what of them."""
    fixed_batch, width, height = _size_of_input(exported, name=name)
    batch_size = fixed_batch or config.batch_size
    # What exporters write of the outputs' shapes is not always a number: asked once, the network tells.
    rows_x, rows_y = exported.run(np.zeros((batch_size, 3, height, width), np.float32))
    if not rows_x.shape[1] == rows_y.shape[1] == KEYPOINT_COUNT:
        raise _no_network(name)
    said = json.loads(exported.metadata.get(FACTS_KEY, "{}"))
    padding = config.padding or said.get("padding", _RTMPOSE_PADDING)
    facts = InputFacts(
        shape=CropShape(width_px=width, height_px=height, padding=padding),
        mean_rgb=tuple(said.get("mean_rgb", _RTMPOSE_MEAN_RGB)),
        std_rgb=tuple(said.get("std_rgb", _RTMPOSE_STD_RGB)),
        split_ratio=rows_x.shape[2] / width,
    )
    return batch_size, facts


def _size_of_input(exported: ExportedNetwork, *, name: str) -> tuple[int, int, int]:
    """Return the number of pictures that a network was exported for, 0 where it takes any, their width and height."""
    match exported.input_shapes:
        case [[batch, 3, int(height), int(width)]] if exported.output_names.issuperset(OUTPUT_NAMES):
            return batch or 0, width, height
    raise _no_network(name)


def _no_network(name: str) -> ConfigError:
    return ConfigError(
        f"model {name}: no whole-body network with one picture as input and simcc_x, simcc_y of {KEYPOINT_COUNT} "
        "points as outputs"
    )
