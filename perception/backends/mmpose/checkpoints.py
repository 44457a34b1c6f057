"""Read the weights out of an mmengine checkpoint without running anything that the file holds."""

import re
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from schema.errors import ConfigError

if TYPE_CHECKING:
    import torch

IGNORED_GLOBALS: tuple[str, ...] = (
    # the running averages of training losses in mmengine's message hub
    "mmengine.logging.history_buffer.HistoryBuffer",
    # how a pickle of protocol 2 names the methods mean, min, max and current of those averages
    "__builtin__.getattr",
    "builtins.getattr",
    # numpy numbers and arrays among the losses, and among the description of the data set; both names of the module
    "numpy.core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.dtypes.Float32DType",
    "numpy.dtypes.Float64DType",
    "numpy.dtypes.Int64DType",
    # the configuration and the paths of older checkpoints
    "mmengine.config.config.ConfigDict",
    "pathlib.PosixPath",
)
"""What a checkpoint of mmengine's Runner may name besides tensors: each is read as an ``Ignored``, none is imported."""


class Ignored:
    """Stands in for an object of a checkpoint that has nothing to do with the weights."""

    def __init__(self, *_: object) -> None:
        """Take whatever the original took."""

    def __new__(cls, *_: object) -> "Ignored":
        """Take whatever the original took."""
        return object.__new__(cls)

    def __setstate__(self, _: object) -> None:
        """Forget the original's state."""


def read_weights(path: Path) -> "dict[str, torch.Tensor]":
    """Return the tensors of a checkpoint by the names of the network's parameters.

    torch reads the file with ``weights_only``: names outside ``IGNORED_GLOBALS`` and torch's own list are refused
    before anything is called, and those of the list are replaced by a class that does nothing.

    Raises:
        ConfigError: The file is damaged, is no checkpoint, or names something that no checkpoint of mmengine needs.
    """
    import torch

    try:
        with torch.serialization.safe_globals([(Ignored, name) for name in IGNORED_GLOBALS]):
            document = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise ConfigError(f"checkpoint {path.name}: {_what_is_refused(error)}") from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise ConfigError(f"checkpoint {path.name}: not a file that torch can read; fetch it again") from error
    return _weights_of(document, path)


def _what_is_refused(error: UnpicklingError) -> str:
    named = re.search(r"GLOBAL (\S+)", str(error))
    wish = f"it wants to load {named[1]}, which" if named else "it holds what"
    return (
        f"refused, {wish} no checkpoint of mmengine needs; nothing of it was run: use a file from somebody whom you "
        "trust"
    )


def _weights_of(document: Any, path: Path) -> "dict[str, torch.Tensor]":  # noqa: ANN401  whatever the file holds
    import torch

    weights = document.get("state_dict", document) if isinstance(document, dict) else None
    if not weights or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise ConfigError(f"checkpoint {path.name}: it holds no `state_dict` of tensors; is it a pose network's?")
    # Published checkpoints of distilled and of parallel training keep this prefix.
    return {str(name).removeprefix("module."): value for name, value in weights.items()}
