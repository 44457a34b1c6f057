"""The two libraries that run an exported network: ONNX Runtime and OpenVINO."""

import importlib.metadata
import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from perception.backends.openvino import import_openvino
from schema.errors import ConfigError, MissingPartError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Runtime = Literal["onnxruntime", "openvino"]

OUTPUT_NAMES = ("simcc_x", "simcc_y")
"""The names that OpenMMLab's own exporter, mmdeploy, gives the outputs."""
_Floats = npt.NDArray[np.float32]


class ExportedNetwork(Protocol):
    """An .onnx file that one of the libraries has opened."""

    @property
    def input_shapes(self) -> Sequence[Sequence[int | None]]:
        """The shape of each input; none where any number will do."""
        ...

    @property
    def output_names(self) -> frozenset[str]:
        """The names of the outputs."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the exporter wrote into the file."""
        ...

    def run(self, pictures: _Floats) -> tuple[_Floats, _Floats]:
        """Return the rows of classes for x and for y, ``(n, points, classes)``.

        They may lie in memory that the next call writes to. ``pictures`` has the same shape in every call.
        """
        ...


def version_of_runtime(runtime: Runtime) -> str:
    """Return name and version of a library that runs networks, without importing it.

    Raises:
        MissingPartError: It is not installed.
    """
    if find_spec(runtime) is None:
        raise MissingPartError(
            f"the back end onnx needs the package {runtime}, which is not installed; `uv sync --extra pose` brings it"
        )
    try:
        return f"{runtime}-{importlib.metadata.version(runtime)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{runtime}-{importlib.metadata.version('onnxruntime-gpu')}"


def open_network(path: Path, *, runtime: Runtime, device: str, threads: int) -> ExportedNetwork:
    """Open an exported network.

    Args:
        path: The .onnx file.
        runtime: The library.
        device: ``cpu`` or a GPU such as ``cuda:0``; OpenVINO takes ``cpu`` alone.
        threads: How many the library may use.

    Raises:
        ConfigError: The library can't read the file.
        MissingPartError: The library is not installed, or not with what the device needs.
    """
    version_of_runtime(runtime)
    if runtime == "openvino":
        return _InOpenVino(path, threads=threads)
    return _InOnnxRuntime(path, device=device, threads=threads)


class _InOnnxRuntime:
    def __init__(self, path: Path, *, device: str, threads: int) -> None:
        self._session = _open_session(path, device=device, threads=threads)
        inputs = self._session.get_inputs()
        self._input_names = [value.name for value in inputs]
        self.input_shapes = [[size if isinstance(size, int) else None for size in value.shape] for value in inputs]
        self.output_names = frozenset(value.name for value in self._session.get_outputs())
        self.metadata: Mapping[str, str] = self._session.get_modelmeta().custom_metadata_map

    def run(self, pictures: _Floats) -> tuple[_Floats, _Floats]:
        rows_x, rows_y = self._session.run(list(OUTPUT_NAMES), {self._input_names[0]: pictures})
        return rows_x, rows_y


def _open_session(path: Path, *, device: str, threads: int) -> "InferenceSession":
    # read at the import: without it the library reports its use and writes to the home folder
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime
    from onnxruntime.capi.onnxruntime_pybind11_state import (
        Fail,
        InvalidArgument,
        InvalidGraph,
        InvalidProtobuf,
        NotImplemented,
    )

    provider: Any = "CPUExecutionProvider"
    if device != "cpu":
        provider = ("CUDAExecutionProvider", {"device_id": int(device.partition(":")[2])})
        if provider[0] not in onnxruntime.get_available_providers():
            raise MissingPartError(f"device {device!r}: install onnxruntime-gpu, or set device = 'cpu'")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that wait by spinning take the cores from the decoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=[provider])
    except (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NotImplemented) as error:
        raise ConfigError(f"model {path.name}: ONNX Runtime can't read it; export it again") from error


class _InOpenVino:
    def __init__(self, path: Path, *, threads: int) -> None:
        self._name = path.name
        self._core = import_openvino().Core()
        self._settings = {
            # On a processor that has bf16 the default would be that.
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": str(threads),
            "NUM_STREAMS": "1",
            # Two processes that pin their threads share one core and leave another idle.
            "ENABLE_CPU_PINNING": "NO",
        }
        try:
            self._model = self._core.read_model(path)
        except RuntimeError as error:
            raise self._unreadable() from error
        shapes = [value.get_partial_shape() for value in self._model.inputs]
        self.input_shapes = [[None if size.is_dynamic else size.get_length() for size in shape] for shape in shapes]
        self.output_names = frozenset(name for value in self._model.outputs for name in value.get_names())
        told = self._model.get_rt_info()["framework"].items() if self._model.has_rt_info("framework") else ()
        self.metadata = {key: value.value for key, value in told}
        self._request: Any = None

    def run(self, pictures: _Floats) -> tuple[_Floats, _Floats]:
        if self._request is None:
            self._request = self._compile(pictures.shape)
        rows = self._request.infer([pictures], share_inputs=True, share_outputs=True)
        return rows[OUTPUT_NAMES[0]], rows[OUTPUT_NAMES[1]]

    def _compile(self, shape: tuple[int, ...]) -> Any:  # noqa: ANN401  openvino has no types
        """Compile the network for one shape: for any number of pictures it would be 2 % slower."""
        try:
            self._model.reshape(list(shape))
            return self._core.compile_model(self._model, "CPU", self._settings).create_infer_request()
        except RuntimeError as error:
            raise self._unreadable() from error

    def _unreadable(self) -> ConfigError:
        return ConfigError(f"model {self._name}: OpenVINO can't read it; export it again")
