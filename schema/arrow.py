"""The columns of every table, with their meaning and unit: the source of docs/schema.md and of every Parquet file."""

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from schema.records import KEYPOINT_COUNT, Part

FIXED_POINT_PER_PIXEL = 16
"""Keypoint columns hold sixteenths of a pixel: finer than any estimator's error, and exact in int16 up to 2047 px."""
SCORE_STEPS = 255
"""Keypoint scores are stored in steps of 1/255."""


class TableKind(StrEnum):
    """How a table lives."""

    RECORDED = "recorded"
    """Can't be made again: append-only batches, never rewritten by a stage."""
    DERIVED = "derived"
    """A pure function of its inputs: a part may be deleted at will and is remade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """A table: its name, how it lives, and its columns."""

    name: str
    kind: TableKind
    schema: pa.Schema
    doc: str
    private: bool = False
    """Holds names or links: lives under ``private/`` and never enters a release."""


def column(name: str, kind: pa.DataType, doc: str, *, nullable: bool = False) -> pa.Field:
    """Describe one column; the words travel in the Parquet file's field metadata."""
    return pa.field(name, kind, nullable=nullable, metadata={"doc": doc})


VIDEO_ID = column("video_id", pa.string(), "Video, a keyed hash")
SPAN = (
    column("start_ns", pa.int64(), "Start, ns since the first displayed frame"),
    column("end_ns", pa.int64(), "End (not included), ns since the first displayed frame"),
)
BOX = tuple(
    column(f"box_{side}", pa.float32(), f"Person's box at mid-span, {side}, pixels")
    for side in ("x1", "y1", "x2", "y2")
)
SHA256 = column("sha256", pa.string(), "Digest of the video file that was judged")
CLASS_ID = column("class_id", pa.string(), "Class of the taxonomy; null is an unclassified movement", nullable=True)
TRACK_NUMBER = column("track_number", pa.int32(), "Track within the video's part")

SOURCES = TableSpec(
    name="sources",
    kind=TableKind.RECORDED,
    private=True,
    doc="Where each video came from: the one table with links",
    schema=pa.schema(
        [
            column("source_id", pa.string(), "Entry of the study's source list, a keyed hash"),
            column("video_id", pa.string(), "Video that it led to"),
            column("platform", pa.string(), "Extractor's name, or `file`"),
            column("native_id", pa.string(), "Id on the platform, or the file's sha256"),
            column("location", pa.string(), "Link or path"),
            column("title", pa.string(), "Title on the platform, or the file's name", nullable=True),
            column("person_id", pa.string(), "Row of players.csv that the study declares for it", nullable=True),
        ]
    ),
)
OUTCOMES = TableSpec(
    name="outcomes",
    kind=TableKind.RECORDED,
    doc="Every attempt to get a source, and how it ended",
    schema=pa.schema(
        [
            column("source_id", pa.string(), "Entry of the study's source list, a keyed hash"),
            column("video_id", pa.string(), "Video that it led to", nullable=True),
            column("outcome", pa.string(), "`got`, or the reason it was dropped"),
            column("detail", pa.string(), "Why, in words"),
            column("attempted_ns", pa.int64(), "Unix time in ns"),
        ]
    ),
)
VIDEOS = TableSpec(
    name="videos",
    kind=TableKind.RECORDED,
    doc="The video files of the study, as probed",
    schema=pa.schema(
        [
            VIDEO_ID,
            column("sha256", pa.string(), "Digest of the file"),
            column("byte_count", pa.int64(), "Size in bytes"),
            column("container", pa.string(), "Container format"),
            column("codec", pa.string(), "Video codec"),
            column("width", pa.int32(), "Displayed width, pixels"),
            column("height", pa.int32(), "Displayed height, pixels"),
            column("rotation_degrees", pa.int16(), "Clockwise turn that the file asks for"),
            column("average_rate_numerator", pa.int64(), "Frames per second by packet times, numerator"),
            column("average_rate_denominator", pa.int64(), "Frames per second by packet times, denominator"),
            column("header_rate_numerator", pa.int64(), "Frames per second by the header, numerator"),
            column("header_rate_denominator", pa.int64(), "Frames per second by the header, denominator"),
            column("frame_count", pa.int64(), "Frames that decode"),
            column("duration_ns", pa.int64(), "Length by packet times, ns"),
            column("header_duration_ns", pa.int64(), "Length by the header, ns"),
            column("has_audio", pa.bool_(), "Whether there is sound"),
            column("pixel_format", pa.string(), "Pixel format"),
            column("color_space", pa.string(), "Colour space"),
            column("flags", pa.string(), "truncated, damaged, variable_rate: comma-separated"),
        ]
    ),
)
TASKS = TableSpec(
    name="tasks",
    kind=TableKind.RECORDED,
    doc="Every question that was put on the reviewing page, tied to content",
    schema=pa.schema(
        [
            column("candidate_id", pa.string(), "The question's id"),
            VIDEO_ID,
            SHA256,
            *SPAN,
            *BOX,
            column("taxonomy", pa.string(), "Name of the taxonomy"),
            CLASS_ID,
            column("question", pa.string(), "The wording that people saw"),
            column("evidence", pa.string(), "What was measured"),
            column("proposer", pa.string(), "Who proposed it"),
            column("score", pa.float64(), "Proposer's score, 0..1"),
            column("reason", pa.string(), "Why it was proposed, in words"),
            column("server_id", pa.string(), "Which Label Studio"),
            column("project_number", pa.int64(), "Project there"),
            column("task_number", pa.int64(), "Task there"),
        ]
    ),
)
ANNOTATIONS = TableSpec(
    name="annotations",
    kind=TableKind.RECORDED,
    doc="Every answer of every person, one batch a pull",
    schema=pa.schema(
        [
            column("annotation_id", pa.string(), "Hash of server, annotation and revision"),
            column("candidate_id", pa.string(), "The question's id"),
            VIDEO_ID,
            SHA256,
            *SPAN,
            *BOX,
            column("taxonomy", pa.string(), "Name of the taxonomy"),
            column("question", pa.string(), "The wording that people saw"),
            column("proposed_class_id", pa.string(), "Class that was proposed", nullable=True),
            column("annotator_id", pa.string(), "Account, a keyed hash"),
            column("scripted", pa.bool_(), "Answered by a script"),
            column("verdict", pa.string(), "accept, reject, relabel or unsure"),
            CLASS_ID,
            column("comment", pa.string(), "What the person wrote"),
            column("answered_ns", pa.int64(), "Unix time in ns"),
            column("lead_time_ns", pa.int64(), "Time the person took, ns"),
        ]
    ),
)
RUNS = TableSpec(
    name="runs",
    kind=TableKind.RECORDED,
    private=True,
    doc="What each run did, how long it took and what failed; a traceback may hold a link",
    schema=pa.schema(
        [
            column("run_id", pa.string(), "One call of a stage"),
            column("stage", pa.string(), "Stage"),
            column("key", pa.string(), "Video id, or `study`"),
            column("outcome", pa.string(), "done, dropped or failed"),
            column("started_ns", pa.int64(), "Unix time in ns"),
            column("duration_ns", pa.int64(), "Wall time, ns"),
            column("row_count", pa.int64(), "Rows written"),
            column("detail", pa.string(), "Traceback of a failure, else empty"),
        ]
    ),
)
FRAMES = TableSpec(
    name="frames",
    kind=TableKind.DERIVED,
    doc="Displayed frames of a video with their exact times; the time base is in the file's metadata",
    schema=pa.schema(
        [
            column("frame_index", pa.int32(), "Frame, from 0, in display order"),
            column("pts", pa.int64(), "Presentation time stamp, ticks"),
            column("time_ns", pa.int64(), "ns since the first displayed frame, rounded down"),
            column("end_ns", pa.int64(), "When the frame stops being shown, ns"),
            column("time_flag", pa.uint8(), "0 good, 1 time missing in the file, 2 time repeated in the file"),
            column("time_base_numerator", pa.int64(), "Seconds a tick, numerator"),
            column("time_base_denominator", pa.int64(), "Seconds a tick, denominator"),
            column("sha256", pa.string(), "Digest of the file that the times belong to"),
        ]
    ),
)
SHOTS = TableSpec(
    name="shots",
    kind=TableKind.DERIVED,
    doc="Runs of frames between cuts",
    schema=pa.schema(
        [
            VIDEO_ID,
            column("shot_number", pa.int32(), "Shot within the video's part"),
            column("first_frame", pa.int32(), "First frame"),
            column("end_frame", pa.int32(), "One past the last frame"),
            *SPAN,
        ]
    ),
)
TRACKS = TableSpec(
    name="tracks",
    kind=TableKind.DERIVED,
    doc="People followed through shots: one row a person and frame",
    schema=pa.schema(
        [
            VIDEO_ID,
            TRACK_NUMBER,
            column("shot_number", pa.int32(), "Shot within the video's part"),
            column("frame_index", pa.int32(), "Frame of the video"),
            column("time_ns", pa.int64(), "Time of the frame, ns"),
            *(column(side, pa.float32(), f"Person's box, {side}, pixels") for side in ("x1", "y1", "x2", "y2")),
            column("score", pa.float32(), "Detector's confidence, 0..1; 0 where interpolated"),
        ]
    ),
)


def keypoint_fields() -> list[pa.Field]:
    """Return the 399 flat columns of the 133 keypoints: x, y in sixteenths of a pixel, score in 1/255."""
    fields: list[pa.Field] = []
    for k in range(KEYPOINT_COUNT):
        fields += [
            column(
                f"k{k:03d}_x",
                pa.int16(),
                f"Keypoint {k}: x in 1/{FIXED_POINT_PER_PIXEL} px; null: not seen",
                nullable=True,
            ),
            column(
                f"k{k:03d}_y",
                pa.int16(),
                f"Keypoint {k}: y in 1/{FIXED_POINT_PER_PIXEL} px; null: not seen",
                nullable=True,
            ),
            column(f"k{k:03d}_score", pa.uint8(), f"Keypoint {k}: confidence in 1/{SCORE_STEPS}; 0: not seen"),
        ]
    return fields


KEYPOINTS = TableSpec(
    name="keypoints",
    kind=TableKind.DERIVED,
    doc="The 133 COCO-WholeBody keypoints of each track, one row a frame",
    schema=pa.schema(
        [
            VIDEO_ID,
            TRACK_NUMBER,
            column("frame_index", pa.int32(), "Frame of the video"),
            column("time_ns", pa.int64(), "Time of the frame, ns"),
            *(
                column(f"{part.name.lower()}_seen", pa.bool_(), f"Whether the {part.name.lower()} was seen")
                for part in Part
            ),
            *keypoint_fields(),
        ]
    ),
)
PROXIES = TableSpec(
    name="proxies",
    kind=TableKind.DERIVED,
    doc="The browser's copy of each video: one proxy frame for each source frame",
    schema=pa.schema(
        [
            VIDEO_ID,
            column("sha256", pa.string(), "Digest of the source file that the frame map belongs to"),
            column("file", pa.string(), "Proxy's file, relative to the study's root"),
            column("frame_count", pa.int64(), "Frames of the proxy, equal to the source's"),
            column("frame_rate", pa.int32(), "Frames per second of the proxy, an integer"),
            column("width", pa.int32(), "Width, pixels"),
            column("height", pa.int32(), "Height, pixels"),
        ]
    ),
)
CANDIDATES = TableSpec(
    name="candidates",
    kind=TableKind.DERIVED,
    doc="Spans in which a track may show a micro-gesture",
    schema=pa.schema(
        [
            column("candidate_id", pa.string(), "The question's id, inherited from an earlier round where it matches"),
            VIDEO_ID,
            TRACK_NUMBER,
            *SPAN,
            *BOX,
            CLASS_ID,
            column("evidence", pa.string(), "What was measured"),
            column("proposer", pa.string(), "Who proposed it"),
            column("score", pa.float64(), "Proposer's score, 0..1"),
            column("reason", pa.string(), "Why, in words with numbers"),
        ]
    ),
)
SEGMENTS = TableSpec(
    name="segments",
    kind=TableKind.DERIVED,
    doc="Micro-gestures that people agreed on",
    schema=pa.schema(
        [
            column("segment_id", pa.string(), "Segment, stable as long as its question is"),
            column("candidate_id", pa.string(), "The question's id"),
            VIDEO_ID,
            TRACK_NUMBER,
            *SPAN,
            CLASS_ID,
            column("answer_count", pa.int32(), "Answers that were counted"),
            column("agreement", pa.float64(), "Share of them that agree, 0..1"),
            column("scripted", pa.bool_(), "Every counted answer came from a script"),
            column("evidence", pa.string(), "What was measured"),
            column("proposer", pa.string(), "Who proposed it"),
            column("proposer_score", pa.float64(), "Proposer's score, 0..1"),
            column("description", pa.string(), "One sentence"),
        ]
    ),
)
TABLES: dict[str, TableSpec] = {
    spec.name: spec
    for spec in (
        SOURCES,
        OUTCOMES,
        VIDEOS,
        TASKS,
        ANNOTATIONS,
        RUNS,
        FRAMES,
        SHOTS,
        TRACKS,
        KEYPOINTS,
        PROXIES,
        CANDIDATES,
        SEGMENTS,
    )
}
