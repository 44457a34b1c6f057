"""An exported network gives what the network gives, and files of other programs are taken or refused clearly."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import pytest

from flows._config import check_settings
from media.frames import VideoFrame, decode_frames, read_frame_times
from perception.backends.mmpose import runtimes
from perception.backends.mmpose.compat import import_mmpose
from perception.backends.mmpose.estimator import MmposeKeypointEstimator, MmposeKeypointsConfig
from perception.backends.mmpose.export import export_network
from perception.backends.mmpose.final_layers import rewrite_final_layers
from perception.backends.mmpose.onnx import FACTS_KEY, OnnxKeypointEstimator, OnnxKeypointsConfig
from perception.backends.mmpose.runtimes import Runtime
from perception.keypoints import BoxedFrame
from schema.errors import ConfigError, MissingPartError
from schema.records import VideoId
from tests.pose_networks import random_network, write_config

RUNTIMES = [
    pytest.param(name, marks=pytest.mark.skipif(not find_spec(name), reason=f"{name} is not installed"))
    for name in get_args(Runtime)
]
BOXES = ((20.0, 5.0, 170.0, 144.0), (-11.5, 30.25, 80.0, 160.75))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exported")


@cache
def exported(family, folder):
    """Settings of a small random network in torch, and of its export."""
    import_mmpose()
    import torch

    torch.set_num_threads(1)
    config = write_config(folder, family)
    checkpoint, model = folder / f"{family}.pth", folder / f"{family}.onnx"
    torch.save({"state_dict": random_network(config).state_dict()}, checkpoint)
    export_network(config, checkpoint, model)
    in_torch = MmposeKeypointsConfig(config=str(config), checkpoint=str(checkpoint), min_score=0.0, batch_size=4)
    return in_torch, OnnxKeypointsConfig(model=str(model), min_score=0.0, batch_size=4)


def boxed(sample_clip, count=9):
    times, _ = read_frame_times(sample_clip, video_id=VideoId("v1"), sha256="0" * 64)
    for frame in decode_frames(sample_clip, times, end_frame=count):
        copy = VideoFrame(frame_index=frame.frame_index, time_ns=frame.time_ns, image_rgb=frame.image_rgb)
        yield BoxedFrame(frame=copy, track_numbers=(0, 1), boxes_xyxy=BOXES)


def points_and_scores(estimator, sample_clip):
    people = [person for people in estimator.estimate(boxed(sample_clip)) for person in people]
    return np.stack([p.keypoints_xy for p in people]), np.stack([p.scores for p in people])


@pytest.fixture(params=RUNTIMES)
def runtime(request):
    return request.param


@pytest.mark.parametrize("family", ["rtmpose", "rtmw"])
def test_export_gives_what_torch_gives(family, runtime, folder, sample_clip):
    in_torch, in_onnx = exported(family, folder)
    in_onnx = replace(in_onnx, runtime=runtime)
    points, scores = points_and_scores(MmposeKeypointEstimator(in_torch), sample_clip)
    there, there_scores = points_and_scores(OnnxKeypointEstimator(in_onnx), sample_clip)
    assert np.isfinite(points).all(axis=-1).sum() > 300
    assert np.array_equal(np.isfinite(points), np.isfinite(there))
    assert np.nanmax(np.abs(points - there)) <= 0.05
    assert np.allclose(scores, there_scores, atol=1e-2)


def changed(path, target, change):
    document = onnx.load(str(path))
    change(document)
    onnx.save(document, str(target))
    return str(target)


@pytest.mark.parametrize("count", [2, 5])
def test_number_of_people_at_once_changes_no_point(count, runtime, folder, sample_clip):
    _, settings = exported("rtmpose", folder)
    settings = replace(settings, runtime=runtime)
    points, _ = points_and_scores(OnnxKeypointEstimator(settings), sample_clip)
    same, _ = points_and_scores(OnnxKeypointEstimator(replace(settings, batch_size=count)), sample_clip)
    assert np.array_equal(points, same, equal_nan=True)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size_hw", [(8, 6), (3, 2)])
def test_final_layer_is_rewritten_to_an_equal_one(bias, size_hw):
    import torch

    head = torch.nn.Sequential(torch.nn.Conv2d(16, 133, 7, padding=3, bias=bias)).requires_grad_(False)
    maps = torch.randn(2, 16, *size_hw)
    before = head(maps)
    rewrite_final_layers(head)
    assert not isinstance(head[0], torch.nn.Conv2d)
    assert torch.allclose(head(maps), before, atol=1e-5)


@pytest.mark.parametrize(
    "changed",
    [
        {"stride": 2},
        {"padding": 2},
        {"dilation": 2},
        {"padding_mode": "reflect"},
        {"out_channels": 17},
        {"kernel_size": 1},
    ],
)
def test_other_layers_are_left_as_they_are(changed):
    import torch

    layer = torch.nn.Conv2d(**({"in_channels": 4, "out_channels": 133, "kernel_size": 7, "padding": 3} | changed))
    head = torch.nn.Sequential(layer)
    rewrite_final_layers(head)
    assert head[0] is layer


@pytest.mark.parametrize("family", ["rtmpose", "rtmw"])
def test_export_holds_no_wide_kernel_of_points(family, folder):
    _, settings = exported(family, folder)
    kernels = [list(weights.dims) for weights in onnx.load(settings.model).graph.initializer if len(weights.dims) == 4]
    assert not [dims for dims in kernels if dims[0] == 133]
    assert [dims for dims in kernels if dims[0] == 7 * 133 and dims[2:] == [7, 1]]


def test_file_of_another_exporter_is_taken_with_rtmposes_own_facts(runtime, folder, tmp_path, sample_clip):
    """OpenMMLab's exporter writes no metadata, and some of its files take one person at a time."""
    _, settings = exported("rtmpose", folder)

    def as_theirs(document):
        assert [entry.key for entry in document.metadata_props] == [FACTS_KEY]
        del document.metadata_props[:]
        for value in (*document.graph.input, *document.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = 1

    settings = replace(settings, runtime=runtime)
    theirs = changed(settings.model, tmp_path / "theirs.onnx", as_theirs)
    points, _ = points_and_scores(OnnxKeypointEstimator(settings), sample_clip)
    same, _ = points_and_scores(OnnxKeypointEstimator(replace(settings, model=theirs)), sample_clip)
    assert np.nanmax(np.abs(points - same)) <= 0.05


def test_body_network_is_refused(runtime, folder, tmp_path):
    _, settings = exported("rtmpose", folder)

    def renamed(document):
        for node in document.graph.node:
            node.output[:] = ["heatmaps" if name == "simcc_x" else name for name in node.output]
        document.graph.output[0].name = "heatmaps"

    other = changed(settings.model, tmp_path / "other.onnx", renamed)
    with pytest.raises(ConfigError, match=r"model other\.onnx: no whole-body network"):
        list(OnnxKeypointEstimator(replace(settings, model=other, runtime=runtime)).estimate([]))


@pytest.mark.parametrize("content", [b"", b"no network at all"])
def test_damaged_file_is_one_line(runtime, tmp_path, content):
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(content)
    with pytest.raises(ConfigError, match=r"^model damaged\.onnx: [^\n]*$"):
        list(OnnxKeypointEstimator(OnnxKeypointsConfig(model=str(damaged), runtime=runtime)).estimate([]))


def test_missing_file_says_how_to_make_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PRESSROOM_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingPartError, match="made by `pressroom models export`"):
        _ = OnnxKeypointEstimator(OnnxKeypointsConfig()).weights_digest


def test_missing_runtime_is_one_line_and_no_other_one_is_taken(runtime, folder, monkeypatch):
    _, settings = exported("rtmpose", folder)
    monkeypatch.setattr(runtimes, "find_spec", lambda name: None if name == runtime else object())
    estimator = OnnxKeypointEstimator(replace(settings, runtime=runtime))
    said = f"the back end onnx needs the package {runtime}, which is not installed; `uv sync --extra pose` brings it"
    with pytest.raises(MissingPartError, match=f"^{said}$"):
        _ = estimator.weights_digest
    with pytest.raises(MissingPartError, match=f"^{said}$"):
        list(estimator.estimate([]))


def test_digest_tells_runtimes_apart(runtime, folder):
    _, settings = exported("rtmpose", folder)
    digest = OnnxKeypointEstimator(replace(settings, runtime=runtime)).weights_digest
    assert digest.startswith(f"{runtime}-{version(runtime)} ")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"runtime": "tensorrt"}, "runtime"),
        ({"runtime": "openvino", "device": "cuda:0"}, "device must be 'cpu' with runtime = 'openvino'"),
        ({"device": "cuda"}, "device must be 'cpu' or a GPU such as 'cuda:0'"),
        ({"batch_size": 65}, "batch_size must lie between 1 and 64"),
    ],
)
def test_settings_that_can_not_be_are_refused(settings, said):
    with pytest.raises(ConfigError, match=said):
        check_settings(settings, OnnxKeypointsConfig, prefix="back_ends.keypoints_settings.")


def test_openvino_is_imported_without_its_telemetry(tmp_path):
    pytest.importorskip("openvino")
    reporter = tmp_path / "openvino_telemetry.py"
    reporter.write_text("raise SystemExit('it would report now')", encoding="utf-8")
    script = (
        "from perception.backends.openvino import import_openvino; print(import_openvino().Core().available_devices)"
    )
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "CPU" in done.stdout


def test_gpu_without_its_package_is_said(folder):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("onnxruntime-gpu is installed")
    _, settings = exported("rtmpose", folder)
    with pytest.raises(MissingPartError, match="install onnxruntime-gpu, or set device = 'cpu'"):
        list(OnnxKeypointEstimator(replace(settings, device="cuda:0")).estimate([]))


def test_half_written_export_is_not_taken_for_one(folder, tmp_path, monkeypatch):
    in_torch, _ = exported("rtmpose", folder)

    def fails(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(onnx, "save", fails)
    target = tmp_path / "broken.onnx"
    with pytest.raises(OSError, match="no space left"):
        export_network(Path(in_torch.config), Path(in_torch.checkpoint), target)
    assert not target.exists()
