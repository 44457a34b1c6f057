"""OpenVINO, imported so that it reports to nobody and writes nothing below the home folder."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry, which would write an identifier and report its use to Google.

    Raises ``ModuleNotFoundError`` where it is not installed.
    """
    with _without_telemetry():
        return importlib.import_module("openvino")


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Make ``import openvino_telemetry`` fail: OpenVINO then uses a stand-in of its own that does nothing."""
    name = "openvino_telemetry"
    hidden = {key: module for key, module in sys.modules.items() if key.partition(".")[0] == name}
    for key in hidden:
        del sys.modules[key]
    blocked: dict[str, None] = {name: None}
    sys.modules.update(blocked)  # type: ignore[arg-type]
    try:
        yield
    finally:
        del sys.modules[name]
        sys.modules.update(hidden)
