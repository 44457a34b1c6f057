"""A detection network without any training: it sees the painted people of ``tests/synthetic_people.py``.

Written as an ONNX file in the format of a YOLO11 that ultralytics exported, so that the way from a file of weights to
tracks is tested where no trained weights are at hand. One candidate a colour: the box around the pixels of it.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perception.backends.synthetic import PERSON_COLORS

# looked for, not imported: importing them is what the back end does in its own way
needs_ultralytics = pytest.mark.skipif(
    not all(map(find_spec, ("ultralytics", "onnx", "onnxruntime", "openvino"))),
    reason="the extras `track` and `pose` are not installed",
)

REACH = 60.0 / 255
"""RGB distance up to which a pixel has a person's colour, in shares of white."""
MIN_PIXELS = 400.0


def write_painted_detector(path: Path, *, names: tuple[str, ...] = ("person",), score: float = 0.9) -> Path:
    """Write the network; its first class is what it calls the rectangles."""
    import onnx
    from onnx import TensorProto, helper

    nodes, constants = _nodes_and_constants(len(names), score)
    image = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, "height", "width"])
    found = helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["batch", 4 + len(names), len(PERSON_COLORS)])
    graph = helper.make_graph(nodes, "painted_people", [image], [found], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    metadata = {"task": "detect", "stride": "32", "batch": "1", "imgsz": "[320, 320]", "args": "{'dynamic': True}"}
    for key, value in (metadata | {"names": str(dict(enumerate(names)))}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, path)
    return path


def _nodes_and_constants(class_count: int, score: float) -> tuple[list[Any], list[Any]]:
    from onnx import helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(name: str, value: object, dtype: type = np.float32) -> str:
        constants.append(numpy_helper.from_array(np.array(value, dtype=dtype), name))
        return name

    def add(op: str, inputs: list[str], name: str, **attributes: object) -> str:
        nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    zero, one = constant("zero", 0, np.int64), constant("one", 1, np.int64)
    colors = constant("colors", np.array(PERSON_COLORS).reshape(1, len(PERSON_COLORS), 3, 1, 1) / 255)
    spread = add("Unsqueeze", ["images", constant("axis_1", [1], np.int64)], "spread")
    apart = add("Sub", [spread, colors], "apart")
    squared = add("ReduceSum", [add("Mul", [apart, apart], "squares"), constant("axis_2", [2], np.int64)], "squared",
                  keepdims=0)  # fmt: skip
    is_color = add("Cast", [add("Less", [squared, constant("reach", REACH**2)], "near")], "is_color", to=1)
    pixels = add("ReduceSum", [is_color, constant("axes_2_3", [2, 3], np.int64)], "pixels", keepdims=0)
    shape = add("Shape", ["images"], "shape")
    sides = {}
    for side, axis, across in (("x", 3, 2), ("y", 2, 3)):
        length = add("Gather", [shape, constant(f"at_{side}", axis, np.int64)], f"length_{side}")
        places = add("Cast", [add("Range", [zero, length, one], f"range_{side}")], f"places_{side}", to=1)
        seen = add("Greater", [add("ReduceMax", [is_color], f"any_{side}", axes=[across], keepdims=0),
                               constant(f"half_{side}", 0.5)], f"seen_{side}")  # fmt: skip
        low = add("Where", [seen, places, constant(f"far_{side}", 1e4)], f"low_{side}")
        beyond = add("Add", [places, constant(f"unit_{side}", 1.0)], f"beyond_{side}")
        high = add("Where", [seen, beyond, constant(f"none_{side}", 0.0)], f"high_{side}")
        least = add("ReduceMin", [low], f"least_{side}", axes=[2], keepdims=0)
        most = add("ReduceMax", [high], f"most_{side}", axes=[2], keepdims=0)
        total = add("Add", [least, most], f"total_{side}")
        sides[f"center_{side}"] = add("Mul", [total, constant(f"halved_{side}", 0.5)], f"center_{side}")
        sides[f"size_{side}"] = add("Sub", [most, least], f"size_{side}")
    enough = add("Greater", [pixels, constant("min_pixels", MIN_PIXELS)], "enough")
    scored = add("Where", [enough, constant("score", score), constant("no_score", 0.0)], "scored")
    rest = [add("Mul", [scored, constant(f"class_{k}", 0.0)], f"score_{k}") for k in range(1, class_count)]
    rows = [sides["center_x"], sides["center_y"], sides["size_x"], sides["size_y"], scored, *rest]
    columns = [add("Unsqueeze", [row, "axis_1"], f"row_{k}") for k, row in enumerate(rows)]
    add("Concat", columns, "output0", axis=1)
    return nodes, constants
