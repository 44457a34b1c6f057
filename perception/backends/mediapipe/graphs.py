"""The model graphs that the wheel ships, run on chosen regions of a picture: stateless, one thread, synthetic times."""

import hashlib
import math
import warnings
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from perception.backends.mediapipe.pruning import model_with_outputs
from perception.backends.mediapipe.regions import Points, Region
from schema.errors import MissingPartError

Image = npt.NDArray[np.uint8]
"""Shape ``(h, w, 3)``."""

MODEL_FILES = {
    "pose_detection": "mediapipe/modules/pose_detection/pose_detection.tflite",
    "pose": "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    "face": "mediapipe/modules/face_landmark/face_landmark.tflite",
    "palm": "mediapipe/modules/palm_detection/palm_detection_full.tflite",
    "hand": "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
    "hand_recrop": "mediapipe/modules/holistic_landmark/hand_recrop.tflite",
}
"""Model files inside the mediapipe 0.10.21 wheel, relative to where the package is installed."""

_FULL_COMPLEXITY = 1
"""``model_complexity`` of the models above: lite and heavy are not in the wheel for every part."""

# One thread each: several videos are worked on side by side, and results must not depend on timing.
_ONE_THREAD = "num_threads: 1\n"


def weights_folder() -> Path:
    """Return where the wheel is installed; raises ``MissingPartError`` where mediapipe is absent."""
    spec = find_spec("mediapipe")
    if spec is None or spec.origin is None:
        raise MissingPartError("mediapipe is not installed: run `uv sync`")
    return Path(spec.origin).parent.parent


@cache
def digest_of_models(names: tuple[str, ...]) -> str:
    """Hash the named model files; raises ``MissingPartError`` where the wheel does not hold them."""
    digest = hashlib.sha256()
    for name in names:
        path = weights_folder() / MODEL_FILES[name]
        if not path.is_file():
            raise MissingPartError(
                f"mediapipe has no {path.name}: install mediapipe==0.10.21, the last with its models"
            )
        digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """A detection: a score and its alignment points."""

    score: float
    points_xy: Points
    corners_xy: Points
    """Left top and right bottom of the detection's box, shape ``(2, 2)``."""


def close_with(owner: object, solution: Any) -> None:  # noqa: ANN401  mediapipe has no types
    """Close a solution of mediapipe when its owner is dropped.

    A graph holds its callbacks and they hold the graph, out of the collector's sight: unless it is closed, its threads
    and memory (200 MB for those of a keypoint estimator) stay until the process ends.
    """
    weakref.finalize(owner, solution.close).atexit = False


class _Graph:
    """A running graph; mediapipe is imported when the first one is made."""

    def __init__(
        self,
        text: str,
        *,
        outputs: Sequence[str],
        options: dict[str, float] | None = None,
        side_inputs: dict[str, Any] | None = None,
    ) -> None:
        from mediapipe.framework.formats import rect_pb2
        from mediapipe.python.solution_base import SolutionBase

        self._rectangle = rect_pb2.NormalizedRect
        self._outputs = outputs
        with warnings.catch_warnings():
            # mediapipe 0.10.21 is older than protobuf 6 and asks for fields by a name that is on its way out.
            warnings.filterwarnings("ignore", message=r"label\(\) is deprecated", category=DeprecationWarning)
            self._solution: Any = SolutionBase(
                graph_config=_ONE_THREAD + text, calculator_params=options, side_inputs=side_inputs
            )
        close_with(self, self._solution)

    def run(self, image_rgb: Image, region: Region | None) -> dict[str, Any]:
        """Return the outputs by name; None where the graph gave none for this picture."""
        height, width = image_rgb.shape[:2]
        inputs: dict[str, Any] = {"image": np.ascontiguousarray(image_rgb)}
        if region is not None:
            inputs["region"] = self._rectangle(
                x_center=region.center_x / width,
                y_center=region.center_y / height,
                width=region.side_px / width,
                height=region.side_px / height,
                rotation=region.angle_rad,
            )
        result = self._solution.process(inputs)
        return {name: getattr(result, name) for name in self._outputs}


def _tensor_graph(model: str, *, side: int, outputs: Sequence[str]) -> str:
    """Write the graph region -> square tensor -> model -> flat lists of floats, one a tensor."""
    ranges = " ".join(f"ranges {{ begin: {i} end: {i + 1} }}" for i in range(len(outputs)))
    splits = " ".join(f'output_stream: "tensor_{i}"' for i in range(len(outputs)))
    floats = " ".join(
        f'node {{ calculator: "TensorsToFloatsCalculator" input_stream: "TENSORS:tensor_{i}"'
        f' output_stream: "FLOATS:{name}" }}'
        for i, name in enumerate(outputs)
    )
    exposed = " ".join(f'output_stream: "{name}"' for name in outputs)
    return f"""
    input_stream: "image" input_stream: "region" {exposed}
    node {{ calculator: "ImageToTensorCalculator" input_stream: "IMAGE:image" input_stream: "NORM_RECT:region"
      output_stream: "TENSORS:input"
      options {{ [mediapipe.ImageToTensorCalculatorOptions.ext] {{ output_tensor_width: {side}
        output_tensor_height: {side} keep_aspect_ratio: true output_tensor_float_range {{ min: 0 max: 1 }} }} }} }}
    node {{ calculator: "InferenceCalculatorCpu" input_stream: "TENSORS:input" output_stream: "TENSORS:tensors"
      options {{ [mediapipe.InferenceCalculatorOptions.ext] {{ model_path: "{MODEL_FILES[model]}"
        delegate {{ xnnpack {{ num_threads: 1 }} }} }} }} }}
    node {{ calculator: "SplitTensorVectorCalculator" input_stream: "tensors" {splits}
      options {{ [mediapipe.SplitVectorCalculatorOptions.ext] {{ {ranges} }} }} }}
    {floats}
    """


def cut_to_region(image_rgb: Image, region: Region) -> tuple[Image, Region]:
    """Return the part of the picture that a region needs, and the region in it: graphs copy what they are given."""
    height, width = image_rgb.shape[:2]
    reach_px = region.side_px * (abs(math.cos(region.angle_rad)) + abs(math.sin(region.angle_rad))) / 2 + 2
    left, right = (min(max(int(region.center_x + d * reach_px), 0), width) for d in (-1, 1))
    top, bottom = (min(max(int(region.center_y + d * reach_px), 0), height) for d in (-1, 1))
    if right - left < 1 or bottom - top < 1:
        return image_rgb, region
    return image_rgb[top:bottom, left:right], region.moved(-left, -top)


class TensorModel:
    """A landmark model that looks at one square region; ``copies`` threads can run it at once, others wait."""

    def __init__(self, model: str, *, side: int, outputs: int, copies: int = 1) -> None:
        self._names = [f"floats_{i}" for i in range(outputs)]
        self._free: SimpleQueue[_Graph] = SimpleQueue()
        for _ in range(copies):
            self._free.put(_Graph(_tensor_graph(model, side=side, outputs=self._names), outputs=self._names))
        self._side = side

    def run(self, image_rgb: Image, region: Region) -> list[npt.NDArray[np.float32]]:
        """Return the model's tensors, flat."""
        graph = self._free.get()
        try:
            result = graph.run(*cut_to_region(image_rgb, region))
        finally:
            self._free.put(graph)
        return [np.asarray(result[name], np.float32) for name in self._names]

    def points_of(self, tensor: npt.NDArray[np.float32], region: Region, *, values: int) -> Points:
        """Read a landmark tensor of ``values`` numbers a point (x, y first)."""
        return region.to_image(tensor.reshape(-1, values)[:, :2] / np.float32(self._side) - np.float32(0.5))


class PoseModel:
    """BlazePose landmarks of the person in a region: the wheel's ``PoseLandmarkByRoiCpu`` without the outline."""

    _OUTPUTS = (0, 1, 3)
    """Landmarks, whether there is a person, heatmap; left out are the outline and the landmarks in metres."""
    _TEXT = """
    input_stream: "image" input_stream: "region" input_side_packet: "model_file"
    output_stream: "landmarks" output_stream: "auxiliary"
    node { calculator: "ImageToTensorCalculator" input_stream: "IMAGE:image" input_stream: "NORM_RECT:region"
      output_stream: "TENSORS:input" output_stream: "LETTERBOX_PADDING:padding"
      options { [mediapipe.ImageToTensorCalculatorOptions.ext] { output_tensor_width: 256 output_tensor_height: 256
        keep_aspect_ratio: true output_tensor_float_range { min: 0 max: 1 } } } }
    node { calculator: "TfLiteModelCalculator" input_side_packet: "MODEL_BLOB:model_file"
      output_side_packet: "MODEL:model" }
    node { calculator: "InferenceCalculatorCpu" input_stream: "TENSORS:input" input_side_packet: "MODEL:model"
      output_stream: "TENSORS:tensors"
      options { [mediapipe.InferenceCalculatorOptions.ext] { delegate { xnnpack { num_threads: 1 } } } } }
    node { calculator: "SplitTensorVectorCalculator" input_stream: "tensors"
      output_stream: "points" output_stream: "presence" output_stream: "heatmap"
      options { [mediapipe.SplitVectorCalculatorOptions.ext] {
        ranges { begin: 0 end: 1 } ranges { begin: 1 end: 2 } ranges { begin: 2 end: 3 } } } }
    node { calculator: "TensorsToFloatsCalculator" input_stream: "TENSORS:presence" output_stream: "FLOAT:score" }
    node { calculator: "ThresholdingCalculator" input_stream: "FLOAT:score" output_stream: "FLAG:is_there"
      options { [mediapipe.ThresholdingCalculatorOptions.ext] { threshold: 0.5 } } }
    node { calculator: "GateCalculator" input_stream: "points" input_stream: "heatmap" input_stream: "ALLOW:is_there"
      output_stream: "sure_points" output_stream: "sure_heatmap" }
    node { calculator: "TensorsToLandmarksCalculator" input_stream: "TENSORS:sure_points"
      output_stream: "NORM_LANDMARKS:raw"
      options { [mediapipe.TensorsToLandmarksCalculatorOptions.ext] { num_landmarks: 39 input_image_width: 256
        input_image_height: 256 visibility_activation: SIGMOID presence_activation: SIGMOID } } }
    node { calculator: "RefineLandmarksFromHeatmapCalculator" input_stream: "NORM_LANDMARKS:raw"
      input_stream: "TENSORS:sure_heatmap" output_stream: "NORM_LANDMARKS:refined"
      options { [mediapipe.RefineLandmarksFromHeatmapCalculatorOptions.ext] { kernel_size: 7 } } }
    node { calculator: "SplitNormalizedLandmarkListCalculator" input_stream: "refined"
      output_stream: "of_person" output_stream: "of_region"
      options { [mediapipe.SplitVectorCalculatorOptions.ext] {
        ranges { begin: 0 end: 33 } ranges { begin: 33 end: 35 } } } }
    node { calculator: "LandmarkLetterboxRemovalCalculator" input_stream: "LANDMARKS:of_person"
      input_stream: "LETTERBOX_PADDING:padding" output_stream: "LANDMARKS:person_in_region" }
    node { calculator: "LandmarkLetterboxRemovalCalculator" input_stream: "LANDMARKS:of_region"
      input_stream: "LETTERBOX_PADDING:padding" output_stream: "LANDMARKS:alignment_in_region" }
    node { calculator: "LandmarkProjectionCalculator" input_stream: "NORM_LANDMARKS:person_in_region"
      input_stream: "NORM_RECT:region" output_stream: "NORM_LANDMARKS:landmarks" }
    node { calculator: "LandmarkProjectionCalculator" input_stream: "NORM_LANDMARKS:alignment_in_region"
      input_stream: "NORM_RECT:region" output_stream: "NORM_LANDMARKS:auxiliary" }
    """

    def __init__(self) -> None:
        model_file = model_with_outputs(weights_folder() / MODEL_FILES["pose"], self._OUTPUTS)
        self._graph = _Graph(self._TEXT, outputs=("landmarks", "auxiliary"), side_inputs={"model_file": model_file})

    def run(self, image_rgb: Image, region: Region) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
        """Return 33 rows of (x, y in pixels, visibility, presence) and the 2 alignment points, or None: no person."""
        result = self._graph.run(image_rgb, region)
        if result["landmarks"] is None or result["auxiliary"] is None:
            return None
        height, width = image_rgb.shape[:2]
        rows = [(p.x * width, p.y * height, p.visibility, p.presence) for p in result["landmarks"].landmark]
        alignment = [(p.x * width, p.y * height) for p in result["auxiliary"].landmark]
        return np.array(rows, np.float32), np.array(alignment, np.float32)


class Detector:
    """A detector for a whole picture: ``pose`` finds people, ``palm`` finds hands."""

    def __init__(self, kind: str, *, min_score: float) -> None:
        calculator, side_packet = {
            "pose": ("PoseDetectionCpu", ""),
            "palm": ("PalmDetectionCpu", 'input_side_packet: "MODEL_COMPLEXITY:model_complexity"'),
        }[kind]
        declared = 'input_side_packet: "model_complexity"' if side_packet else ""
        text = f"""
        input_stream: "image" {declared} output_stream: "detections"
        node {{ calculator: "{calculator}" input_stream: "IMAGE:image" {side_packet}
          output_stream: "DETECTIONS:detections" }}
        """
        options = {f"{calculator.lower()}__TensorsToDetectionsCalculator.min_score_thresh": min_score}
        side_inputs = {"model_complexity": _FULL_COMPLEXITY} if side_packet else None
        self._graph = _Graph(text, outputs=("detections",), options=options, side_inputs=side_inputs)

    def run(self, image_rgb: Image) -> list[Found]:
        """Return what is found, best first."""
        height, width = image_rgb.shape[:2]
        detections = self._graph.run(image_rgb, None)["detections"] or []
        scale = np.array((width, height), np.float32)
        found = []
        for one in detections:
            box = one.location_data.relative_bounding_box
            corners = np.array(((box.xmin, box.ymin), (box.xmin + box.width, box.ymin + box.height)), np.float32)
            points = np.array([(k.x, k.y) for k in one.location_data.relative_keypoints], np.float32)
            found.append(Found(score=float(one.score[0]), points_xy=points * scale, corners_xy=corners * scale))
        return sorted(found, key=lambda f: -f.score)
