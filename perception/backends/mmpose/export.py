"""Export a whole-body network of mmpose to ONNX, for machines without torch."""

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perception.backends.mmpose.final_layers import rewrite_final_layers
from perception.backends.mmpose.networks import read_network
from perception.backends.mmpose.onnx import FACTS_KEY, INPUT_NAME
from perception.backends.mmpose.runtimes import OUTPUT_NAMES
from perception.backends.weights import sha256_of_weights

if TYPE_CHECKING:
    from perception.backends.mmpose.crops import InputFacts

_OPSET = 17
"""ONNX Runtime 1.14 and newer read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export wrote."""

    path: Path
    bytes_written: int


def export_network(config_path: Path, checkpoint_path: Path, target: Path) -> Exported:
    """Write a network as one .onnx file that takes any number of people at once.

    Input ``input``: float32 ``(n, 3, height, width)``, RGB, normalised. Outputs ``simcc_x`` and ``simcc_y``: float32
    ``(n, 133, classes)``. The metadata say how pictures are normalised and from which weights the file was made.

    Raises:
        ConfigError: The config or the checkpoint can't be used.
        MissingPartError: mmpose or onnx is not installed.
    """
    import torch

    model, facts = read_network(config_path, checkpoint_path, padding=0.0)
    rewrite_final_layers(model.get_submodule("head"))
    picture = torch.zeros(1, 3, facts.shape.height_px, facts.shape.width_px)
    partial = target.with_name(f"{target.name}.partial")
    # The exporter that torch recommends needs onnxscript; this one writes the same operators for these networks.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _with_tensors_out(model),
            (picture,),
            str(partial),
            dynamo=False,
            opset_version=_OPSET,
            input_names=[INPUT_NAME],
            output_names=list(OUTPUT_NAMES),
            dynamic_axes={name: {0: "people"} for name in (INPUT_NAME, *OUTPUT_NAMES)},
        )
    _add_metadata(partial, _metadata(facts, config_path, checkpoint_path))
    partial.replace(target)
    return Exported(path=target, bytes_written=target.stat().st_size)


def _with_tensors_out(model: Any) -> Any:  # noqa: ANN401  a network with backbone, neck and head
    import torch

    class Whole(torch.nn.Module):
        """Everything between normalised pictures and classes."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            rows_x, rows_y = self.model.head.forward(self.model.extract_feat(pictures))
            return rows_x, rows_y

    return Whole().eval()


def _metadata(facts: "InputFacts", config_path: Path, checkpoint_path: Path) -> dict[str, str]:
    said = {
        "mean_rgb": facts.mean_rgb,
        "std_rgb": facts.std_rgb,
        "padding": facts.shape.padding,
        "config": config_path.stem,
        "weights_sha256": sha256_of_weights(checkpoint_path),
    }
    return {FACTS_KEY: json.dumps(said, sort_keys=True)}


def _add_metadata(path: Path, metadata: dict[str, str]) -> None:
    import onnx

    document = onnx.load(str(path))
    onnx.helper.set_model_props(document, metadata)
    onnx.checker.check_model(document)
    onnx.save(document, str(path))
