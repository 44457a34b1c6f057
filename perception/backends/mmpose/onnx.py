"""The back end ``onnx``: a whole-body network exported to ONNX, without torch and mmpose."""

import importlib.metadata
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from perception.backends.mmpose.batches import MOST_CROPS, estimate_in_batches
from perception.backends.mmpose.crops import CropShape, InputFacts
from perception.backends.mmpose.simcc import strongest_classes
from perception.backends.weights import find_weights, sha256_of_weights
from perception.keypoints import BoxedFrame, PersonKeypoints
from schema.errors import ConfigError, MissingPartError
from schema.records import KEYPOINT_COUNT

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

FACTS_KEY = "pressroom_input"
"""Name of the metadata in which `pressroom models export` tells how pictures become the network's input."""
INPUT_NAME, OUTPUT_NAMES = "input", ("simcc_x", "simcc_y")
"""The names that OpenMMLab's own exporter, mmdeploy, gives them."""
_RTMPOSE_MEAN_RGB = (123.675, 116.28, 103.53)
_RTMPOSE_STD_RGB = (58.395, 57.12, 57.375)
_RTMPOSE_PADDING = 1.25
"""What all RTMPose and RTMW whole-body configs of mmpose 1.3.2 hold: for files that another program exported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxKeypointsConfig:
    """Which exported network, where it runs, and when a point counts as seen."""

    model: str = "rtmw-l_8xb320-270e_cocktail14-384x288.onnx"
    """The exported network: a name in the weights folder, or a path."""
    device: str = "cpu"
    """`cpu`, or a GPU such as `cuda:0` (needs the package onnxruntime-gpu); it is never changed for another."""
    batch_size: int = 8
    """People that the network takes at once; a network that was exported for a fixed number takes that one."""
    threads: int = 1
    """Threads of ONNX Runtime."""
    crop_threads: int = 2
    """Threads that cut people out of frames while the network works."""
    padding: float = 0.0
    """How many times larger than the person's box the cut is; 0 takes what the export says, else 1.25."""
    min_score: float = 0.3
    """SimCC score from which a point is seen; 0.3 is what mmpose's own inferencer draws from."""

    def __post_init__(self) -> None:
        """Refuse settings that can't be (``ValueError``)."""
        if not 1 <= self.batch_size <= MOST_CROPS:
            raise ValueError(f"batch_size must lie between 1 and {MOST_CROPS}, got {self.batch_size}")
        if min(self.threads, self.crop_threads) < 1:
            raise ValueError("threads and crop_threads must be at least 1")
        if self.device != "cpu" and not self.device.startswith("cuda:"):
            raise ValueError(f"device must be 'cpu' or a GPU such as 'cuda:0', got {self.device!r}")
        if self.padding < 0 or not 0 <= self.min_score <= 1:
            raise ValueError("padding must be at least 0, and min_score must lie between 0 and 1")


class OnnxKeypointEstimator:
    """Estimates whole-body keypoints with ONNX Runtime."""

    config_type: ClassVar[type] = OnnxKeypointsConfig

    def __init__(self, config: OnnxKeypointsConfig) -> None:
        self._config = config
        self._network: OnnxNetwork | None = None

    @property
    def weights_digest(self) -> str:
        """Return the digest of the exported file, with the version of ONNX Runtime."""
        _require_onnxruntime()
        return f"onnxruntime-{_version_of_onnxruntime()} {sha256_of_weights(model_path(self._config.model))}"

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
    """A network in ONNX Runtime."""

    def __init__(self, path: Path, config: OnnxKeypointsConfig) -> None:
        self._session = _open_session(path, device=config.device, threads=config.threads)
        self._facts, fixed_batch = _facts_of(self._session, name=path.name, padding=config.padding)
        self.batch_size = fixed_batch or config.batch_size
        self.shape = self._facts.shape
        self._input_name = self._session.get_inputs()[0].name

    def new_batch(self) -> npt.NDArray[np.uint8]:
        """Return room for a batch."""
        return np.zeros((self.batch_size, self.shape.height_px, self.shape.width_px, 3), np.uint8)

    def find(self, crops_rgb: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return points in pixels of the cuts and their scores."""
        mean, std = np.array(self._facts.mean_rgb, np.float32), np.array(self._facts.std_rgb, np.float32)
        pictures = np.ascontiguousarray(((crops_rgb - mean) / std).transpose(0, 3, 1, 2))
        rows_x, rows_y = self._session.run(list(OUTPUT_NAMES), {self._input_name: pictures})
        classes, scores = strongest_classes(rows_x, rows_y)
        return classes / np.float32(self._facts.split_ratio), scores


def _require_onnxruntime() -> None:
    if find_spec("onnxruntime") is None:
        raise MissingPartError(
            "the back end onnx needs the package onnxruntime, which is not installed; `uv sync --extra pose` brings it"
        )
    # read at the import: without it the library reports its use and writes to the home folder
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"


def _version_of_onnxruntime() -> str:
    try:
        return importlib.metadata.version("onnxruntime")
    except importlib.metadata.PackageNotFoundError:
        return importlib.metadata.version("onnxruntime-gpu")


def _open_session(path: Path, *, device: str, threads: int) -> "InferenceSession":
    _require_onnxruntime()
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import (
        Fail,
        InvalidArgument,
        InvalidGraph,
        InvalidProtobuf,
        NotImplemented,
    )

    provider: Any = "CPUExecutionProvider"
    if device != "cpu":
        provider = ("CUDAExecutionProvider", {"device_id": int(device.partition(":")[2])})
        if provider[0] not in onnxruntime.get_available_providers():
            raise MissingPartError(f"device {device!r}: install onnxruntime-gpu, or set device = 'cpu'")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that wait by spinning take the cores from the decoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=[provider])
    except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NotImplemented) as error:
        raise ConfigError(f"model {path.name}: ONNX Runtime can't read it; export it again") from error


def _facts_of(session: "InferenceSession", *, name: str, padding: float) -> tuple[InputFacts, int]:
    """Return what a network takes, and the batch size that it was exported for, 0 where it takes any."""
    takes = [value.shape for value in session.get_inputs()]
    gives = {value.name for value in session.get_outputs()}
    if len(takes) != 1 or not _is_pictures(takes[0]) or not gives.issuperset(OUTPUT_NAMES):
        raise _no_network(name)
    batch, _, height, width = takes[0]
    fixed_batch = batch if isinstance(batch, int) else 0
    # What exporters write of the outputs' shapes is not always a number: asked once, the network tells.
    blank = np.zeros((fixed_batch or 1, 3, height, width), np.float32)
    rows_x, rows_y = session.run(list(OUTPUT_NAMES), {session.get_inputs()[0].name: blank})
    if not rows_x.shape[1] == rows_y.shape[1] == KEYPOINT_COUNT:
        raise _no_network(name)
    said = _said_by_export(session.get_modelmeta().custom_metadata_map)
    shape = CropShape(width_px=width, height_px=height, padding=padding or said.get("padding", _RTMPOSE_PADDING))
    facts = InputFacts(
        shape=shape,
        mean_rgb=tuple(said.get("mean_rgb", _RTMPOSE_MEAN_RGB)),
        std_rgb=tuple(said.get("std_rgb", _RTMPOSE_STD_RGB)),
        split_ratio=rows_x.shape[2] / width,
    )
    return facts, fixed_batch


def _is_pictures(shape: Sequence[int | str]) -> bool:
    return len(shape) == 4 and shape[1] == 3 and isinstance(shape[2], int) and isinstance(shape[3], int)


def _no_network(name: str) -> ConfigError:
    return ConfigError(
        f"model {name}: no whole-body network with one picture as input and simcc_x, simcc_y of {KEYPOINT_COUNT} "
        "points as outputs"
    )


def _said_by_export(metadata: Mapping[str, str]) -> dict[str, Any]:
    said = json.loads(metadata.get(FACTS_KEY, "{}"))
    return said if isinstance(said, dict) else {}
