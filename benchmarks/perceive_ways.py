"""The ways from files to keypoints that benchmarks/perceive.py sets side by side; each runs in a process of its own.

    python benchmarks/perceive_ways.py JSON

JSON is a ``Task``; the last line of the output is a ``Result``. Loading libraries and models, and a first look at a
few frames, are done before the clock starts.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

from timeline import Timeline

from media.ahead import read_ahead
from media.frames import VideoFrame, decode_frames, read_frame_times
from perception.backends.loading import load_back_end
from perception.backends.scenedetect import SceneDetectConfig, SceneDetectDetector
from perception.keypoints import KEYPOINT_ESTIMATORS, BoxedFrame, KeypointsConfig, estimate_keypoints
from perception.live import detect_shots_and_track_people
from perception.shots import ShotsConfig
from perception.tracks import PERSON_TRACKERS, TracksConfig
from schema.arrow import KEYPOINTS
from schema.files import write_parquet
from schema.records import Dropped, FrameTimes, Track, VideoId
from schema.rows import concatenated, keypoints_to_rows

WARM_FRAMES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to measure."""

    way: str
    """A key of ``WAYS``."""
    videos: tuple[str, ...]
    folder: str
    """Where tables go."""
    threads: int = 1
    tracker: str = "mediapipe"
    tracker_settings: dict[str, Any] = field(default_factory=dict)
    keypoints: str = "mediapipe"
    keypoints_settings: dict[str, Any] = field(default_factory=dict)
    stride: int = 1
    config: str = ""
    """mmpose's config, a path."""
    checkpoint: str = ""
    device: str = "cpu"
    flip: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was measured."""

    frames: int
    """Frames of the videos, whether they were looked at or passed over."""
    seconds: float
    cpu_seconds: float
    people: int = 0
    """People in frames whose keypoints are in the tables."""
    shares: dict[str, float] = field(default_factory=dict)
    """Part of the wall time by what went on (``Timeline.shares``)."""
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds by stage."""
    limit_people_per_second: float = 0.0
    """What the network alone does on full batches, where it is known."""


def main() -> None:
    """Measure one way and tell the result."""
    document = json.loads(sys.argv[1])
    task = Task(**document | {"videos": tuple(document["videos"])})
    result = WAYS[task.way](task)
    sys.stdout.write("\n" + json.dumps(asdict(result)) + "\n")


def frame_times(path: Path) -> FrameTimes:
    """Read a file's frame times."""
    return read_frame_times(path, video_id=VideoId("v"), sha256="0" * 64)[0]


def _clock(run: Callable[[], int]) -> Result:
    begin, cpu_begin = time.perf_counter(), time.process_time()
    frames = run()
    return Result(frames=frames, seconds=time.perf_counter() - begin, cpu_seconds=time.process_time() - cpu_begin)


def measure_decoding(task: Task) -> Result:
    """Decode every frame to an upright RGB picture: the floor."""
    known = [(Path(name), frame_times(Path(name))) for name in task.videos]
    return _clock(lambda: sum(1 for path, times in known for _ in decode_frames(path, times)))


def measure_holistic(task: Task) -> Result:
    """Run MediaPipe Holistic as its examples do, frame after frame; nothing is written."""
    import av
    from mediapipe.python.solutions.holistic import Holistic

    def run() -> int:
        frames = 0
        for name in task.videos:
            with av.open(name) as container, Holistic(model_complexity=1) as holistic:
                for frame in container.decode(video=0):
                    holistic.process(frame.to_ndarray(format="rgb24"))
                    frames += 1
        return frames

    return _clock(run)


def measure_inferencer(task: Task) -> Result:
    """Run mmpose's inferencer as its documentation shows, with predictions written.

    It looks for people with mmdet, which is not installed here: it is given ultralytics' detector where pressroom
    follows people with that, and else the whole picture for a box, and is spared the search.
    """
    import numpy as np

    from perception.backends.mmpose.compat import import_mmpose

    import_mmpose()
    import torch
    from mmpose.apis import MMPoseInferencer

    torch.set_num_threads(task.threads)
    inferencer = MMPoseInferencer(
        pose2d=task.config, pose2d_weights=task.checkpoint, device=task.device, det_model="whole_image"
    )
    inner = inferencer.inferencer
    inner.model.test_cfg["flip_test"] = task.flip
    if task.tracker == "ultralytics":
        inner.detector, inner.det_cat_ids = _detector_for_mmpose(task), (0,)
    for _ in inferencer(np.zeros((338, 600, 3), np.uint8)):
        pass
    predictions = str(Path(task.folder) / f"predictions-{task.flip}")
    return _clock(lambda: sum(1 for name in task.videos for _ in inferencer(name, pred_out_dir=predictions)))


def _detector_for_mmpose(task: Task) -> Callable[..., dict[str, list[Any]]]:
    """Return the detector of pressroom's tracker in the form of one of mmdet: one picture at a time."""
    import torch
    from mmengine.structures import BaseDataElement, InstanceData

    from perception.backends.ultralytics.config import UltralyticsTrackerConfig
    from perception.backends.ultralytics.library import prepare_library

    prepare_library()
    from perception.backends.ultralytics.detector import PersonDetector

    config = UltralyticsTrackerConfig(**task.tracker_settings)
    detector = PersonDetector(Path(config.weights), config)

    def detect(image_bgr: Any, **_: object) -> dict[str, list[Any]]:  # noqa: ANN401  what mmpose hands over
        (boxes,) = detector.detect([image_bgr[..., ::-1]])
        found = InstanceData(
            bboxes=torch.from_numpy(boxes.xyxy), scores=torch.from_numpy(boxes.conf), labels=torch.zeros(len(boxes))
        )
        return {"predictions": [BaseDataElement(pred_instances=found)]}

    return detect


def measure_ours(task: Task) -> Result:
    """Go from files to keypoint tables with pressroom's stages, as a study does."""
    chain = _Chain(task)
    chain.warm_up(Path(task.videos[0]))
    begin = time.perf_counter()
    measured = _clock(lambda: sum(chain.perceive(Path(name)) for name in task.videos))
    end = time.perf_counter()
    return Result(
        frames=measured.frames,
        seconds=measured.seconds,
        cpu_seconds=measured.cpu_seconds,
        people=chain.people,
        shares=chain.timeline.shares(begin, end),
        stages=chain.stages,
        limit_people_per_second=chain.limit(),
    )


class _Chain:
    """The stages with their back ends, loaded once, and a record of what goes on."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.timeline = Timeline()
        self.people = 0
        self.stages: dict[str, float] = {}
        self._watch_models()
        tracker = load_back_end(PERSON_TRACKERS, task.tracker, key="--tracker")
        estimator = load_back_end(KEYPOINT_ESTIMATORS, task.keypoints, key="--keypoints")
        self.detector = _TimedDetector(self.timeline)
        self.tracker = tracker(tracker.config_type(**task.tracker_settings))
        self.estimator = estimator(estimator.config_type(**task.keypoints_settings))

    def _watch_models(self) -> None:
        """Record when the networks of the chosen back ends are at work."""
        watched: list[tuple[Any, str]] = []
        if "mediapipe" in (self.task.tracker, self.task.keypoints):
            from mediapipe.python.solution_base import SolutionBase

            watched.append((SolutionBase, "process"))
        if self.task.keypoints in ("mmpose", "onnx"):
            from perception.backends.mmpose.networks import TorchNetwork
            from perception.backends.mmpose.onnx import OnnxNetwork

            watched += [(TorchNetwork, "find"), (OnnxNetwork, "find")]
        if self.task.tracker == "ultralytics":
            from ultralytics.nn.autobackend import AutoBackend

            watched.append((AutoBackend, "forward"))
        for owner, name in watched:
            setattr(owner, name, self.timeline.timed("model", getattr(owner, name)))

    def warm_up(self, path: Path) -> None:
        """Load the models and look at a few frames."""
        frames = list(decode_frames(path, frame_times(path), end_frame=WARM_FRAMES))
        height, width = frames[0].image_rgb.shape[:2]
        box = (0.0, 0.0, float(width), float(height))
        list(self.tracker.track(iter(frames)))
        boxed = (BoxedFrame(frame=frame, track_numbers=(0,), boxes_xyxy=(box,)) for frame in frames)
        list(self.estimator.estimate(boxed))
        write_parquet(concatenated(KEYPOINTS, ()), Path(self.task.folder) / "warm-up.parquet")

    def perceive(self, path: Path) -> int:
        """Make the keypoint table of one video; returns its number of frames."""
        begin = time.perf_counter()
        with self.timeline.during("decode"):
            times = frame_times(path)
        begin = self._passed("times", begin)
        followed = detect_shots_and_track_people(
            times,
            frames=self._frames(path, times, 0, len(times.times_ns), None),
            detector=self.detector,
            tracker=self.tracker,
            shots_config=ShotsConfig(),
            tracks_config=TracksConfig(),
        )
        tracks = [found for found in followed if isinstance(found, Track)]
        begin = self._passed("shots and tracks", begin)
        found = estimate_keypoints(
            tracks,
            frames_of=lambda first, end, only: self._frames(path, times, first, end, only),
            estimator=self.estimator,
            config=KeypointsConfig(stride=self.task.stride, min_body_points=0),
        )
        sequences = [sequence for sequence in found if not isinstance(sequence, Dropped)]
        begin = self._passed("keypoints", begin)
        with self.timeline.during("table"):
            rows = concatenated(KEYPOINTS, map(keypoints_to_rows, sequences))
            write_parquet(
                rows, Path(self.task.folder) / f"{self.task.keypoints}-{self.task.stride}-{path.stem}.parquet"
            )
        self.people += sum(int((~sequence.interpolated).sum()) for sequence in sequences)
        self._passed("table", begin)
        return len(times.times_ns)

    def _passed(self, stage: str, begin: float) -> float:
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + now - begin
        return now

    def _frames(
        self, path: Path, times: FrameTimes, first: int, end: int, only: frozenset[int] | None
    ) -> Iterator[VideoFrame]:
        decoded = decode_frames(path, times, first_frame=first, end_frame=end, only=only)
        return self.timeline.items("wait", read_ahead(self.timeline.items("decode", decoded)))

    def limit(self) -> float:
        """Return how many people a second the network alone does, on full batches; 0 where it is not told apart."""
        network = getattr(self.estimator, "_network", None)
        if network is None:
            return 0.0
        crops, done, begin = network.new_batch(), 0, time.perf_counter()
        while time.perf_counter() - begin < 2.0:
            network.find(crops)
            done += network.batch_size
        return done / (time.perf_counter() - begin)


class _TimedDetector(SceneDetectDetector):
    def __init__(self, timeline: Timeline) -> None:
        super().__init__(SceneDetectConfig())
        self._timeline = timeline

    @wraps(SceneDetectDetector.mark_cuts)
    def mark_cuts(self, frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, bool]]:
        return self._timeline.items("cuts", super().mark_cuts(frames))


WAYS: dict[str, Callable[[Task], Result]] = {
    "decode": measure_decoding,
    "holistic": measure_holistic,
    "inferencer": measure_inferencer,
    "ours": measure_ours,
}

if __name__ == "__main__":
    os.environ.setdefault("GLOG_minloglevel", "2")
    main()
