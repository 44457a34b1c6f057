"""Import mmpose 1.3.2 beside mmcv-lite: it asks at import for names that estimating people's poses never uses."""

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from schema.errors import MissingPartError

_NEVER_USED: dict[str, tuple[str, ...]] = {
    "mmdet": (),
    "mmdet.utils": ("ConfigType", "reduce_mean"),
    "mmcv.ops": ("MultiScaleDeformableAttention",),
}
"""What ``mmpose.models`` imports for RTMO and EDPose, which are not whole-body networks."""


def require_mmpose() -> None:
    """Raise ``MissingPartError`` where mmpose or one of its companions is not installed."""
    for package in ("torch", "mmpose", "mmengine", "mmcv"):
        if find_spec(package) is None:
            raise MissingPartError(
                f"the back end mmpose needs the package {package}, which is not installed; "
                "`uv sync --extra pose` brings it"
            )


def import_mmpose() -> None:
    """Fill mmpose's registries with its networks: seconds at the first call, nothing later.

    Raises:
        MissingPartError: mmpose, mmengine, mmcv or torch is not installed.
    """
    require_mmpose()
    if "mmpose.models" in sys.modules:
        return
    # torch warns of its own deprecated functions, which mmengine calls, and mmcv-lite of what it leaves out; mmengine
    # imports pkg_resources when a network is built, and setuptools warns that this will end.
    with warnings.catch_warnings(), _placeholders():
        warnings.simplefilter("ignore")
        importlib.import_module("pkg_resources")
        importlib.import_module("mmpose.models")
        _leave_out_autocast()


def _leave_out_autocast() -> None:
    """Take ``torch.cuda.amp.autocast(enabled=False)`` out of two layers: outside autocast it does nothing but warn."""
    attention = importlib.import_module("mmpose.models.utils.csp_layer").ChannelAttention
    pooling = importlib.import_module("mmpose.models.backbones.csp_darknet").SPPBottleneck
    attention.forward = _attend
    pooling.forward = _pool


def _attend(layer: Any, features: Any) -> Any:  # noqa: ANN401  a layer of mmpose and torch's tensors
    return features * layer.act(layer.fc(layer.global_avgpool(features)))


def _pool(layer: Any, features: Any) -> Any:  # noqa: ANN401  a layer of mmpose and torch's tensors
    import torch

    narrow = layer.conv1(features)
    return layer.conv2(torch.cat([narrow] + [pooling(narrow) for pooling in layer.poolings], dim=1))


@contextmanager
def _placeholders() -> Iterator[None]:
    """Supply the missing modules while mmpose is imported, and leave none behind for others to find."""
    missing = [] if find_spec("mmdet") else ["mmdet", "mmdet.utils"]
    # mmcv-lite has the folder mmcv/ops but not the compiled part that it wraps.
    missing += [] if find_spec("mmcv._ext") else ["mmcv.ops"]
    for name in missing:
        sys.modules[name] = _placeholder(name)
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


def _placeholder(name: str) -> ModuleType:
    module = ModuleType(name)
    for wanted in _NEVER_USED[name]:
        setattr(module, wanted, type(wanted, (), {}))
    return module
