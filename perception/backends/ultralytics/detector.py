"""The detector: pictures in, the boxes of people out, many pictures in one forward pass.

Imported after ``library.prepare_library``, which sets what the library reads when it is imported.
"""

import pickle
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from ultralytics.engine.results import Boxes, Results
from ultralytics.models.yolo.detect import DetectionPredictor
from ultralytics.nn.autobackend import AutoBackend
from ultralytics.nn.backends import ONNXBackend, OpenVINOBackend
from ultralytics.utils import nms
from ultralytics.utils.torch_utils import select_device

from perception.backends.ultralytics.config import SETTINGS, UltralyticsTrackerConfig
from schema.errors import ConfigError, MissingPartError

Image = npt.NDArray[np.uint8]

_LOAD_ERRORS = (
    OSError, RuntimeError, TypeError, ValueError, LookupError, ImportError, AttributeError, StopIteration, SyntaxError,
    EOFError, pickle.UnpicklingError,
)  # fmt: skip
"""What ultralytics, torch and the runtimes raise for a file that is damaged, of another kind, or not to be loaded."""


class PersonDetector:
    """A detection network of whatever format, asked for one class alone."""

    def __init__(self, weights: Path, config: UltralyticsTrackerConfig) -> None:
        """Load the network.

        Raises:
            MissingPartError: The file can't be loaded, or the package that runs its format is not installed.
            ConfigError: The device is not there or can't run this format, or the network knows no such class, or was
                exported for another picture size.
        """
        _check_device(config.device)
        self._config = config
        self._predictor = _Predictor(weights, config)
        network = self._predictor.model
        _check_network(network, weights, config)
        numbers = [number for number, name in network.names.items() if name == config.person_class]
        if not numbers:
            some = ", ".join(list(network.names.values())[:8])
            raise ConfigError(f"{SETTINGS}.person_class: {weights.name} knows no {config.person_class!r}, but {some}")
        self._predictor.args.classes = numbers

    def detect(self, images_rgb: Sequence[Image]) -> list[Boxes]:
        """Return the people of each picture, in ultralytics' own form as numpy arrays."""
        if self._config.threads:
            torch.set_num_threads(self._config.threads)
        # ultralytics takes arrays as OpenCV has them: blue, green, red
        results = self._predictor(source=[np.ascontiguousarray(image[..., ::-1]) for image in images_rgb])
        return [result.boxes.cpu().numpy() for result in results]


class _Predictor(DetectionPredictor):
    """ultralytics' predictor with two changes: its threads are set, and its result does not depend on the clock."""

    model: Any

    def __init__(self, weights: Path, config: UltralyticsTrackerConfig) -> None:
        wanted: dict[str, Any] = {
            "task": "detect",
            "mode": "predict",
            "conf": config.min_score,
            "iou": config.iou,
            "device": config.device,
            "batch": config.batch_frames,
            "verbose": False,
            "save": False,
        }
        super().__init__(overrides=wanted | ({"imgsz": config.image_size} if config.image_size else {}))
        self.model = _load(weights, config)
        self.device = self.model.device
        self.model.eval()

    def postprocess(self, preds: Any, img: torch.Tensor, orig_imgs: list[Image], **_: Any) -> list[Results]:  # noqa: ANN401
        """Leave out overlapping boxes as the library does, but without its time limit, which drops people in a rush."""
        kept = nms.non_max_suppression(
            preds,
            self.args.conf,
            self.args.iou,
            self.args.classes,
            max_det=self.args.max_det,
            max_time_img=float("inf"),
            end2end=getattr(self.model, "end2end", False),
        )
        construct: Any = self.construct_results
        results: list[Results] = construct(kept, img, orig_imgs)
        return results


def _load(weights: Path, config: UltralyticsTrackerConfig) -> AutoBackend:
    class _Network(AutoBackend):
        _BACKEND_MAP = AutoBackend._BACKEND_MAP | {
            "openvino": partial(_OpenVino, threads=config.threads),
            "onnx": partial(_onnx, threads=config.threads),
        }

    try:
        network: AutoBackend = _Network(
            model=str(weights), device=select_device(config.device, verbose=False), fp16=config.half, verbose=False
        )
    except _LOAD_ERRORS as error:
        cause = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise MissingPartError(
            f"{SETTINGS}.weights: ultralytics can't load {weights.name}: {cause}; put a detector there that "
            "`YOLO(...)` of the installed version loads, and install what runs its format"
        ) from error
    return network


class _OpenVino(OpenVINOBackend):
    """Compiles the network for a number of threads: the library always takes every core."""

    def __init__(self, *arguments: Any, threads: int, **keywords: Any) -> None:  # noqa: ANN401
        self._threads = threads
        super().__init__(*arguments, **keywords)

    def load_model(self, weight: Any) -> None:  # noqa: ANN401
        super().load_model(weight)
        if self._threads:
            self.compile_model.keywords["config"]["INFERENCE_NUM_THREADS"] = self._threads
            file = next(Path(weight).glob("*.xml")) if Path(weight).is_dir() else Path(weight)
            self.ov_compiled_model = self.compile_model(self.ov.Core().read_model(file))


def _onnx(weight: str, device: torch.device, *, fp16: bool, threads: int) -> ONNXBackend:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return ONNXBackend(weight, device, fp16, session_options=options)


def _check_device(device: str) -> None:
    if not device.startswith("cuda"):
        return
    number = device.partition(":")[2] or "0"
    if not number.isdigit() or int(number) >= torch.cuda.device_count():
        raise ConfigError(f"{SETTINGS}.device: {device!r} is none of the {torch.cuda.device_count()} that torch sees")


def _check_network(network: AutoBackend, weights: Path, config: UltralyticsTrackerConfig) -> None:
    """Refuse what ultralytics would do another way than asked without a word."""
    if config.device.startswith("cuda") and network.device.type != "cuda":
        raise ConfigError(
            f"{SETTINGS}.device: {weights.name} runs on the processor here, not on {config.device!r}: set it to 'cpu', "
            "or name weights for the GPU (.pt, .engine, or .onnx with onnxruntime-gpu)"
        )
    if config.half and not network.fp16:
        raise ConfigError(f"{SETTINGS}.half: {weights.name} can't run in half precision on {config.device!r}")
    size = max(getattr(network, "imgsz", None) or [0])
    if config.image_size and size and not network.dynamic and size != config.image_size:
        raise ConfigError(f"{SETTINGS}.image_size: {weights.name} was exported for {size}, got {config.image_size}")
