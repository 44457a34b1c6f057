"""Model files of the wheel without the outputs that nobody reads: what is computed for those alone is left out.

The pose model draws the outline of the person at 256 x 256, too: two fifths of its time, whether that is used or not.
"""

from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

_FILE_IDENTIFIER = b"TFL3"


@cache
def model_with_outputs(path: Path, outputs: tuple[int, ...]) -> bytes:
    """Return a TensorFlow Lite model file that has some of its outputs, in their order, and what they need.

    The operators that are left are untouched, so that these outputs are the same, bit by bit.

    Args:
        path: The model file.
        outputs: Which of its outputs to keep, by number.
    """
    # The wheel's own copies: its schema fits its TensorFlow Lite.
    from mediapipe.tasks.metadata import schema_py_generated as schema

    content = path.read_bytes()
    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    (graph,) = model.subgraphs
    graph.outputs = [graph.outputs[number] for number in outputs]
    needed = _operators_behind(graph, graph.outputs)
    graph.operators = [operator for number, operator in enumerate(graph.operators) if number in needed]
    builder = schema.flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), _FILE_IDENTIFIER)
    return bytes(builder.Output())


def _operators_behind(graph: Any, tensors: Collection[int]) -> set[int]:  # noqa: ANN401  generated without types
    """Return the numbers of the operators that some tensors follow from."""
    maker_of = {tensor: number for number, operator in enumerate(graph.operators) for tensor in operator.outputs}
    found: set[int] = set()
    open_tensors = [*tensors]
    while open_tensors:
        number = maker_of.get(open_tensors.pop())
        if number is not None and number not in found:
            found.add(number)
            open_tensors.extend(graph.operators[number].inputs)
    return found
