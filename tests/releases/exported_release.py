"""A small release of schema 3, written by hand: the exports are tested without the code that builds releases."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from releases.tables.columns import FACE_POINTS_KEPT, SCHEMA_VERSION, TABLES, schema_of
from schema.keypoint_columns import keypoint_columns
from schema.taxonomy import load_taxonomy

FRAME_NS = 40_000_000
RATE = 25


def keypoints_of(seed, frames, *, profile="research", hidden=()):
    """Positions ``(frames, 133, 2)`` in sixteenths of a pixel and scores in steps of 1/255, as a release holds them."""
    random = np.random.default_rng(seed)
    start = random.integers(1600, 8000, (1, 133, 2))
    for wrist, hand in ((9, slice(91, 112)), (10, slice(112, 133))):
        start[:, hand] = start[:, [wrist]] + random.integers(-300, 301, (1, 21, 2))
    xy = ((start + np.cumsum(random.integers(-8, 9, (frames, 133, 2)), axis=0)) / 16).astype(np.float32)
    scores = (random.integers(100, 256, (frames, 133)) / 255).astype(np.float32)
    scores[random.random((frames, 133)) < 0.1] = 0
    scores[:, list(hidden)] = 0
    if profile == "identity-free":
        scores[:, [k for k in range(23, 91) if k not in FACE_POINTS_KEPT]] = 0
    return np.where(scores[..., None] > 0, xy, np.float32(np.nan)), scores


class ReleaseWriter:
    """Collects tracks and segments, then writes the folder."""

    def __init__(self, folder, *, profile="research", taxonomy="imigue32", name="hand-made"):
        self.folder, self.profile, self.taxonomy, self.name = Path(folder), profile, load_taxonomy(taxonomy), name
        self.rows = {table: {} for table in TABLES}
        self.keypoints, self.row_count, self.places = {}, {}, {}

    def video(self, video_id, split, *, frame_count=200, size=(1280, 720), outcome="win"):
        self._add("videos", split, video_id=video_id, recording_id=video_id, width=size and size[0],
                  height=size and size[1], frame_count=frame_count, average_rate_numerator=RATE,
                  average_rate_denominator=1, duration_ns=frame_count * FRAME_NS, layout="wholebody133",
                  match_outcome=outcome, origin="study")  # fmt: skip

    def track(self, video_id, number, split, *, frames, subject, seed=0, hidden=(), values=None):
        frames = np.asarray(frames, np.int32)
        xy, scores = values or keypoints_of(seed, len(frames), profile=self.profile, hidden=hidden)
        first = self.row_count.get(split, 0)
        self.row_count[split] = first + len(frames)
        self.places[video_id, number] = (split, first, frames, subject, xy, scores)
        columns, _ = keypoint_columns(xy, scores)
        seen = {f"{part}_seen": (scores[:, points] > 0).any(axis=1) for part, points in _PARTS.items()}
        arrays = {
            "video_id": pa.array([video_id] * len(frames)),
            "track_number": pa.array(np.full(len(frames), number, np.int32)),
            "frame_index": pa.array(frames),
            "time_ns": pa.array(frames.astype(np.int64) * FRAME_NS),
            "interpolated": pa.array([False] * len(frames)),
            **{name: pa.array(values) for name, values in seen.items()},
            **{f"k{k // 3:03d}_{('x', 'y', 'score')[k % 3]}": column for k, column in enumerate(columns)},
        }
        schema = schema_of("keypoints", profile=self.profile, wide=False)
        rows = pa.table([arrays[field.name].cast(field.type) for field in schema], schema=schema)
        self.keypoints.setdefault(split, []).append(rows)

    def segment(self, segment_id, place, span, class_id, *, whole=False, description=None):
        """A segment of frames ``span`` (the second not included); with ``whole`` its label has no edges."""
        (video_id, number), (first, end) = place, span
        split, row, frames, subject, _, _ = self.places[place]
        inside = np.flatnonzero((frames >= first) & (frames < end))
        gesture = self.taxonomy.by_id(class_id) if class_id else None
        self._add(
            "segments", split, segment_id=segment_id, video_id=video_id, subject_id=subject, track_number=number,
            start_ns=None if whole else first * FRAME_NS, end_ns=None if whole else end * FRAME_NS,
            first_frame=int(frames[inside[0]]), end_frame=int(frames[inside[-1]]) + 1, class_id=class_id,
            class_number=gesture and gesture.number, class_name=gesture and gesture.name,
            group=gesture and gesture.group, description=description or f"About {segment_id}.",
            description_by="template", template_description=f"About {segment_id}.", body_part="hand",
            movement="once", co_occurring="", answer_count=2, scripted=False, evidence="a hand at the jaw or chin",
            proposer="contact", origin="study", keypoints_first_row=row + int(inside[0]),
            keypoints_row_count=len(inside),
        )  # fmt: skip

    def window(self, window_id, video_id, number, first, end):
        split, row, frames, subject, _, _ = self.places[video_id, number]
        inside = np.flatnonzero((frames >= first) & (frames < end))
        self._add("unlabelled", split, window_id=window_id, video_id=video_id, subject_id=subject,
                  track_number=number, start_ns=first * FRAME_NS, end_ns=end * FRAME_NS, first_frame=first,
                  end_frame=end, quality=0.8, movement=0.1, keypoints_first_row=row + int(inside[0]),
                  keypoints_row_count=len(inside))  # fmt: skip

    def write(self, *, row_group_rows=64, schema_version=SCHEMA_VERSION):
        data = self.folder / "data"
        data.mkdir(parents=True)
        splits = [split for split in ("train", "val", "test") if self.rows["videos"].get(split)]
        self._count_subjects()
        for split in splits:
            for table in TABLES:
                schema = schema_of(table, profile=self.profile, wide=False)
                rows = (
                    pa.concat_tables(self.keypoints[split])
                    if table == "keypoints"
                    else pa.Table.from_pylist(
                        [{name: row.get(name) for name in schema.names} for row in self.rows[table].get(split, [])],
                        schema=schema,
                    )
                )
                path = data / f"{table}-{split}-00000-of-00001.parquet"
                pq.write_table(rows, path, row_group_size=row_group_rows)
        manifest = {
            "schema_version": schema_version, "name": self.name, "version": "0.1.0", "profile": self.profile,
            "license": "CC-BY-NC-4.0", "recipe": {"taxonomy": self.taxonomy.name},
        }  # fmt: skip
        (self.folder / "manifest.json").write_text(json.dumps(manifest))
        return self.folder

    def _count_subjects(self):
        for _, (split, _, frames, subject, _, _) in sorted(self.places.items(), key=lambda place: place[0]):
            known = {row["subject_id"] for row in self.rows["subjects"].get(split, [])}
            if subject and subject not in known:
                self._add("subjects", split, subject_id=subject, video_count=1, segment_count=1,
                          frame_count=len(frames), sex="f")  # fmt: skip

    def _add(self, table, split, **row):
        self.rows[table].setdefault(split, []).append(row | {"split": split})


_PARTS = {
    "body": slice(0, 17), "feet": slice(17, 23), "face": slice(23, 91), "left_hand": slice(91, 112),
    "right_hand": slice(112, 133),
}  # fmt: skip


def small_release(folder, *, profile="research", taxonomy="imigue32", classes=None):
    """Three people in four videos, with each hard case: overlaps, a gap, two people, no class, no edges, no size."""
    one, two, three = classes or ("touching_jaw", "pressing_lips", "illustrative_body_language")
    writer = ReleaseWriter(folder, profile=profile, taxonomy=taxonomy)
    writer.video("v0a", "train")
    writer.track("v0a", 0, "train", frames=[*range(10, 80), *range(90, 120)], subject="sA", seed=1)
    writer.track("v0a", 1, "train", frames=range(0, 150), subject="sB", seed=2)
    writer.track("v0a", 2, "train", frames=range(130, 180), subject="sA", seed=3)
    writer.segment("g01", ("v0a", 0), (20, 60), one)
    writer.segment("g02", ("v0a", 0), (40, 70), one)
    writer.segment("g03", ("v0a", 0), (75, 95), three, description="It\tmoves\n& <rests>.")
    writer.segment("g04", ("v0a", 1), (5, 6), two)
    writer.segment("g05", ("v0a", 1), (30, 50), None)
    writer.segment("g06", ("v0a", 2), (140, 180), two)
    writer.video("v0b", "train", frame_count=90)
    writer.track("v0b", 0, "train", frames=range(0, 80), subject=None, seed=4)
    writer.segment("g07", ("v0b", 0), (0, 25), three)
    writer.window("w1", "v0b", 0, 30, 60)
    writer.video("v0c", "val", frame_count=60, size=None, outcome=None)
    writer.track("v0c", 0, "val", frames=range(0, 60), subject="sC", seed=5)
    writer.segment("g08", ("v0c", 0), (0, 60), one, whole=True)
    writer.segment("g09", ("v0c", 0), (10, 30), two)
    writer.video("v0d", "test", frame_count=50)
    writer.track("v0d", 0, "test", frames=range(0, 50), subject="sD", seed=6, hidden=range(112, 133))
    writer.segment("g10", ("v0d", 0), (3, 47), three)
    writer.write()
    return writer
