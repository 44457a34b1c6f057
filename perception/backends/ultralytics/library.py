"""ultralytics and the runtimes below it, imported so that they report to nobody, install nothing and leave no file.

Left alone, importing ultralytics asks two name servers whether there is a network and writes settings below the home
folder; loading a network may install packages with pip; importing OpenVINO writes an identifier below the home folder
and reports its use to Google; ONNX Runtime does the same with Microsoft; and torch makes a cache folder.
``tests/perception/test_ultralytics_isolation.py`` watches for all of them.
"""

import importlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from perception.backends.openvino import import_openvino
from schema.errors import MissingPartError

DISTRIBUTIONS = ("ultralytics-opencv-headless", "ultralytics")
"""The library is published under both names; they differ in the OpenCV that they bring."""
INSTALL = "`uv sync --extra track` installs it (AGPL-3.0, see LICENSES.md)"
ENVIRONMENT = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "ORT_DISABLE_TELEMETRY": "1",
}
"""Set before the import, which is when most of it is read, and left set for what reads it later."""


def ultralytics_version() -> str:
    """Return the installed version without importing it; raises ``MissingPartError`` where there is none."""
    for name in DISTRIBUTIONS:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    raise MissingPartError(f"the back end ultralytics needs the package {DISTRIBUTIONS[0]}: {INSTALL}")


def prepare_library() -> None:
    """Import ultralytics, and OpenVINO and ONNX Runtime where they are installed; a second call changes nothing.

    Raises ``MissingPartError`` where ultralytics or one of the packages that it needs is not installed.
    """
    ultralytics_version()
    os.environ.update(ENVIRONMENT)
    try:
        with _files_in_a_passing_folder():
            # ultralytics takes torchvision's way of leaving out overlapping boxes where it happens to be imported
            importlib.import_module("torchvision")
            importlib.import_module("ultralytics.models.yolo.detect")
        if find_spec("openvino"):
            import_openvino()
        if find_spec("onnxruntime"):
            importlib.import_module("onnxruntime")
    except ModuleNotFoundError as error:
        raise MissingPartError(f"ultralytics needs the package {error.name}: {INSTALL}") from error
    # A .pt file is a pickle: only classes that ultralytics allows are made of it, and no code in it is run. Its
    # environment variable for this is not heeded where something else imported the library before.
    importlib.import_module("ultralytics.nn.tasks").__dict__["SAFE_LOAD"] = True


@contextmanager
def _files_in_a_passing_folder() -> Iterator[None]:
    """Let ultralytics write its settings, and torch make its cache, where they are deleted when the import is done.

    Both are read at import alone; the cache is for networks that torch compiles, and none is compiled here.
    """
    names = ("YOLO_CONFIG_DIR", "TORCHINDUCTOR_CACHE_DIR")
    before = {name: os.environ.get(name) for name in names}
    with tempfile.TemporaryDirectory(prefix="pressroom-ultralytics-") as folder:
        os.environ.update(dict.fromkeys(names, folder))
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value
