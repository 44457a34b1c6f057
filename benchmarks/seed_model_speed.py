"""How fast the seed model is: one fold from nothing, proposing on one core, memory over length, and a GPU where one is.

    python benchmarks/seed_model_speed.py [FOLDER ...]

Proposing is timed from the rows of a keypoint table to candidates, as ``flows/_videos.py`` calls it: reading,
normalising, the network, merging with contacts and movements, judging each. The person is made up; the time does not
depend on what is shown.
"""

import argparse
import math
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pyarrow as pa
import torch

from benchmarks.skeleton_sets import SkeletonSet, add_arguments, load_set
from kinematics.stretches import Stretch, stretches_of
from models.config import TrainConfig
from models.inputs.poses import Gesture, LabelledSequence, PoseSequence, poses_of_keypoints
from models.seed_model import SeedModel
from models.training.lessons import prepare
from models.training.train import train_seed_model
from proposals.config import ProposalsConfig
from proposals.propose import propose_candidates
from schema.errors import PipelineError
from schema.records import KEYPOINT_COUNT, KeypointSequence, Track, VideoId
from schema.rows import keypoints_from_rows, keypoints_to_rows
from schema.taxonomy import load_taxonomy
from schema.timespan import NS_PER_SECOND, TimeSpan

RATE = 25
PIECE_MINUTES = 5
MINUTES = (5, 20, 60)
MIB = 2**20


@contextmanager
def timed(what: str, *, frames: int = 0) -> Iterator[None]:
    """Print how long something takes, and frames a second."""
    begun_s = time.perf_counter()
    yield
    seconds = time.perf_counter() - begun_s
    rate = f", {frames / seconds:,.0f} frames/s" if frames else ""
    print(f"{what}: {seconds:.2f} s{rate}", flush=True)


def made_up_person(minutes: float, *, seed: int = 0, first_frame: int = 0) -> KeypointSequence:
    """Return somebody at a desk: both hands seen half of the time, jitter of a pixel, slow swaying."""
    random = np.random.default_rng(seed)
    count = round(minutes * 60 * RATE)
    place = random.uniform(-60, 60, (KEYPOINT_COUNT, 2)) + np.array((640.0, 360.0))
    place[5], place[6] = (760, 400), (520, 400)
    place[:5] = np.array((640.0, 200.0)) + random.uniform(-40, 40, (5, 2))
    place[23:91] = np.array((640.0, 210.0)) + random.uniform(-50, 50, (68, 2))
    sway = np.cumsum(random.normal(0, 0.3, (count, 1, 2)), axis=0)
    points = (place + sway - sway.mean(axis=0) + random.normal(0, 0.8, (count, KEYPOINT_COUNT, 2))).astype(np.float32)
    scores = np.full((count, KEYPOINT_COUNT), 0.8, np.float32)
    parts = np.ones((count, 5), np.bool_)
    for part, hand in ((3, slice(91, 112)), (4, slice(112, 133))):
        unseen = (np.arange(count) // (RATE * 4) + part) % 2 == 0
        points[unseen, hand], scores[unseen, hand], parts[unseen, part] = np.nan, 0, False
    return KeypointSequence(
        video_id=VideoId("v" + "0" * 20),
        track_number=1,
        frame_indices=np.arange(first_frame, first_frame + count, dtype=np.int32),
        times_ns=np.arange(first_frame, first_frame + count, dtype=np.int64) * (NS_PER_SECOND // RATE),
        keypoints_xy=points,
        scores=scores,
        parts_seen=parts,
        interpolated=np.zeros(count, np.bool_),
    )


def made_up_model() -> SeedModel:
    """Train the default network until it knows that mostly nothing happens: then it is as fast as a good one."""
    poses = poses_of_keypoints(made_up_person(0.5), subject_id="one")
    spans = [TimeSpan(start_ns=s * NS_PER_SECOND, end_ns=(s + 2) * NS_PER_SECOND) for s in range(1, 25, 3)]
    taxonomy = load_taxonomy("imigue32")
    names = [gesture.class_id for gesture in taxonomy]
    gestures = tuple(Gesture(span=span, class_id=names[k]) for k, span in enumerate(spans))
    labelled = LabelledSequence(poses=poses, gestures=gestures, judged=(TimeSpan(start_ns=0, end_ns=int(3e10)),))
    config = replace(TrainConfig(steps=60, fewest_examples=1), pretrain=replace(TrainConfig().pretrain, method="none"))
    return train_seed_model(prepare([labelled], [], taxonomy=taxonomy, config=config), name="made-up")


def long_table(minutes: float) -> pa.Table:
    """Return rows of *keypoints* of one track, made a few minutes at a time: no peak of memory is of their making."""
    pieces = []
    for number in range(math.ceil(minutes / PIECE_MINUTES)):
        length = min(PIECE_MINUTES, minutes - number * PIECE_MINUTES)
        first_frame = round(number * PIECE_MINUTES * 60 * RATE)
        pieces.append(keypoints_to_rows(made_up_person(length, seed=number, first_frame=first_frame)))
    return pa.concat_tables(pieces)


def read_from(rows: pa.Table) -> Iterator[Stretch]:
    """Read one track stretch by stretch."""
    return stretches_of(
        rows["time_ns"].to_numpy(), lambda first, end: keypoints_from_rows(rows.slice(first, end - first))[0]
    )


def peak_mib() -> float:
    """Return the most memory that the process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB


def time_proposing(minutes: float) -> None:
    """Time the way from rows to candidates, on one core."""
    torch.set_num_threads(1)
    taxonomy, model = load_taxonomy("imigue32"), made_up_model()
    rows = long_table(minutes)
    frames = rows.num_rows
    track = Track(
        video_id=VideoId(rows["video_id"][0].as_py()),
        track_number=1,
        shot_number=0,
        frame_indices=rows["frame_index"].to_numpy(),
        times_ns=rows["time_ns"].to_numpy(),
        boxes_xyxy=np.tile(np.array([400, 100, 880, 700], np.float32), (frames, 1)),
        scores=np.ones(frames, np.float32),
    )
    print(f"{minutes} min: {rows.nbytes / MIB:.0f} MiB of rows, {peak_mib():.0f} MiB held before", flush=True)
    for what, chosen in (("contact and motion alone", None), ("learned, contact and motion", model)):
        with timed(f"{what}, {minutes} min, from rows to candidates", frames=frames):
            list(
                propose_candidates(
                    [(track, read_from(rows))],
                    sha256="0" * 64,
                    taxonomy=taxonomy,
                    config=ProposalsConfig(),
                    model=chosen,
                )
            )
    print(f"peak memory of the process, {minutes} min: {peak_mib():.0f} MiB", flush=True)
    if minutes <= PIECE_MINUTES:
        poses = poses_of_keypoints(made_up_person(minutes), subject_id=None)
        with timed(f"model alone, {minutes} min", frames=frames):
            model.detect(poses)


def time_fold(skeletons: SkeletonSet) -> None:
    """Time pre-training and training without one person, on two threads."""
    person = skeletons.subjects[0]
    train = [one for one in skeletons.sequences if one.poses.subject_id != person]
    poses: list[PoseSequence] = [one.poses for one in train]
    config = TrainConfig(threads=2, fewest_examples=1)
    for what, method in (("one fold, pre-training included", config.pretrain.method), ("one fold without it", "none")):
        with timed(f"{what}, 2 threads"):
            changed = replace(config, device="cpu", pretrain=replace(config.pretrain, method=method))
            train_seed_model(prepare(train, poses, taxonomy=skeletons.taxonomy, config=changed), name="fold")


def time_gpu(skeletons: SkeletonSet) -> None:
    """Time pre-training on a GPU."""
    config = TrainConfig(device="cuda", fewest_examples=1, steps=1)
    poses = [one.poses for one in skeletons.sequences]
    windows = config.pretrain.steps * config.pretrain.batch
    begun_s = time.perf_counter()
    train_seed_model(prepare(skeletons.sequences, poses, taxonomy=skeletons.taxonomy, config=config), name="gpu")
    print(f"pre-training on {torch.cuda.get_device_name()}: {windows / (time.perf_counter() - begun_s):.0f} windows/s")


def main() -> None:
    """Print all timings; lengths of proposing in processes of their own, so that each one's memory is its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser)
    parser.add_argument("--propose", type=float, metavar="MINUTES", help="time proposing alone")
    arguments = parser.parse_args()
    if arguments.propose:
        time_proposing(arguments.propose)
        return
    for minutes in MINUTES:
        subprocess.run([sys.executable, __file__, "--propose", str(minutes)], check=True)
    try:
        skeletons = load_set(arguments)
    except PipelineError as error:
        sys.exit(str(error))
    time_fold(skeletons)
    if torch.cuda.is_available():
        time_gpu(skeletons)
    else:
        print("no GPU: nothing to time there")


if __name__ == "__main__":
    main()
