"""How a table is described: its columns with their meaning and unit."""

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

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
