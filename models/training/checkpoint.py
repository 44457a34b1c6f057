"""Where a training stands, on disk: a killed one goes on to the very same weights.

One file of safetensors: tensors as they are, everything else as JSON in its header. It is written beside its place,
flushed and renamed, so a kill leaves the old state or the new. Nothing in it is ever executed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from schema.errors import BadModelError
from schema.files import written_beside

FORMAT = "pressroom checkpoint 1"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainState:
    """A training after some updates."""

    step: int
    """Updates that are done."""
    tensors: Mapping[str, Tensor]
    """Weights, the optimiser's averages, generators."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Anything else that JSON can hold; floats come back exactly."""
    source: str = ""
    """The file that it was read from."""


class Checkpoint:
    """The file of one training's state.

    ``key`` names the training: digest everything into it that its weights depend on (configuration, data, seed, number
    of updates). A file of another key counts as none, and the next ``save`` replaces it.
    """

    def __init__(self, path: Path, key: str) -> None:
        """Take the file and the training's key."""
        self.path, self.key = path, key

    def load(self) -> TrainState | None:
        """Return the state that was saved last; None where there is none of this training.

        Raises ``BadModelError`` for a file that can't be read.
        """
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                header = file.metadata() or {}
                if header.get("format") != FORMAT or header.get("key") != self.key:
                    return None
                document = json.loads(header["state"])
                tensors = {name: file.get_tensor(name) for name in list(file.keys())}
                return TrainState(
                    step=document["step"], tensors=tensors, facts=document["facts"], source=str(self.path)
                )
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise BadModelError(
                f"{self.path}: this checkpoint can't be read ({error}); delete it and train from the start"
            ) from error

    def save(self, state: TrainState) -> None:
        """Put a state in the place of the one before, at once.

        Raises ``StoreFullError`` where the disk is full.
        """
        document = json.dumps({"step": state.step, "facts": dict(state.facts)}, sort_keys=True)
        header = {"format": FORMAT, "key": self.key, "state": document}
        # own memory for each: safetensors refuses tensors that share some, as tied weights do
        own = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.tensors.items()}
        with written_beside(self.path) as beside:
            beside.write_bytes(save(own, metadata=header))

    def remove(self) -> None:
        """Delete the file, where there is one."""
        self.path.unlink(missing_ok=True)


def capture(
    step: int,
    *,
    modules: Mapping[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    generators: Mapping[str, torch.Generator],
    facts: Mapping[str, Any] | None = None,
) -> TrainState:
    """Take down all that the next updates depend on; torch's own generators (dropout) are always among it."""
    tensors: dict[str, Tensor] = {}
    for name, module in modules.items():
        tensors |= {f"module/{name}/{key}": value for key, value in module.state_dict().items()}
    known = optimiser.state_dict()
    for number, values in known["state"].items():
        tensors |= {f"optimiser/{number}/{key}": torch.as_tensor(value) for key, value in values.items()}
    tensors |= {f"generator/{name}": generator.get_state() for name, generator in generators.items()}
    tensors["torch/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors |= {f"torch/cuda/{n}": state for n, state in enumerate(torch.cuda.get_rng_state_all())}
    return TrainState(step=step, tensors=tensors, facts={"groups": known["param_groups"], **(facts or {})})


def restore(
    state: TrainState,
    *,
    modules: Mapping[str, nn.Module],
    optimiser: torch.optim.Optimizer,
    generators: Mapping[str, torch.Generator],
) -> None:
    """Put everything back that ``capture`` took down, into things of the same make.

    Raises ``BadModelError`` where they are of another make.
    """
    try:
        for name, module in modules.items():
            module.load_state_dict(_under(state, f"module/{name}/"))
        averages: dict[int, dict[str, Tensor]] = {}
        for key, tensor in _under(state, "optimiser/").items():
            number, name = key.split("/", 1)
            averages.setdefault(int(number), {})[name] = tensor
        optimiser.load_state_dict({"state": averages, "param_groups": state.facts["groups"]})
        for name, generator in generators.items():
            generator.set_state(state.tensors[f"generator/{name}"])
        torch.set_rng_state(state.tensors["torch/cpu"])
        for device, tensor in sorted(_under(state, "torch/cuda/").items()):
            torch.cuda.set_rng_state(tensor, int(device))
    except (RuntimeError, KeyError, ValueError) as error:
        what = re.sub(r"\s+", " ", str(error))
        raise BadModelError(
            f"{state.source}: this checkpoint does not fit the training ({what}); delete it and train from the start"
        ) from error


def _under(state: TrainState, prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.tensors.items() if name.startswith(prefix)}
