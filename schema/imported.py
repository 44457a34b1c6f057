"""The tables of imported data sets: what others published, put into this study's terms."""

import pyarrow as pa

from schema.columns import CLASS_ID, TRACK_NUMBER, VIDEO_ID, TableKind, TableSpec, column
from schema.derived import KEYPOINTS

_IMPORT_ID = column("import_id", pa.string(), "One run of `pressroom import`")
_ORIGIN = column("origin", pa.string(), "Name of the data set, as it was imported")

IMPORTS = TableSpec(
    name="imports",
    kind=TableKind.RECORDED,
    doc="Data sets that were imported; a later row of a data set replaces the earlier ones",
    schema=pa.schema(
        [
            _IMPORT_ID,
            _ORIGIN,
            column("format", pa.string(), "miga, smg, ma52, pyskl or label-studio"),
            column("taxonomy", pa.string(), "Class list that its labels were put into"),
            column("licence", pa.string(), "Licence or agreement, as the person who imported it said"),
            column("content", pa.string(), "Digest of the files that were read"),
            column("video_count", pa.int32(), "Recordings that were taken"),
            column("segment_count", pa.int32(), "Segments that were taken"),
            column("dropped", pa.string(), "What was left out, JSON: count by reason"),
            column("imported_ns", pa.int64(), "Unix time in ns"),
        ]
    ),
)
IMPORTED_SOURCES = TableSpec(
    name="imported_sources",
    kind=TableKind.RECORDED,
    private=True,
    doc="Which file each imported recording came from, and what the data set calls it",
    schema=pa.schema(
        [
            _IMPORT_ID,
            VIDEO_ID,
            column("native_id", pa.string(), "The recording's name in the data set"),
            column("native_subject", pa.string(), "The person's name or number there; null: not told", nullable=True),
            column("location", pa.string(), "Path of the file"),
        ]
    ),
)
IMPORTED_VIDEOS = TableSpec(
    name="imported_videos",
    kind=TableKind.RECORDED,
    doc="Imported recordings; what a data set does not tell is null",
    schema=pa.schema(
        [
            _IMPORT_ID,
            _ORIGIN,
            VIDEO_ID,
            column("subject_id", pa.string(), "Person, a keyed hash; null: not told", nullable=True),
            column("width", pa.int32(), "Picture width, pixels; null: not told", nullable=True),
            column("height", pa.int32(), "Picture height, pixels; null: not told", nullable=True),
            column(
                "frame_count", pa.int64(), "Frames of its keypoints; 0: the data set's labels came without keypoints"
            ),
            column("rate_numerator", pa.int64(), "Frames per second, numerator"),
            column("rate_denominator", pa.int64(), "Frames per second, denominator"),
            column("layout", pa.string(), "Layout of its keypoints (schema/layouts.py)"),
            column(
                "keypoints_digest", pa.string(), "Digest of its part of *imported_keypoints*; null: none", nullable=True
            ),
            column("match_outcome", pa.string(), "win or loss; null: not told", nullable=True),
            column("split", pa.string(), "train, val or test as published; null: not told", nullable=True),
        ]
    ),
)
IMPORTED_SEGMENTS = TableSpec(
    name="imported_segments",
    kind=TableKind.RECORDED,
    doc="Labels of imported recordings; where a data set labels whole clips there are no edges",
    schema=pa.schema(
        [
            _IMPORT_ID,
            _ORIGIN,
            column("segment_id", pa.string(), "Segment, a hash of the recording, the edges and the label"),
            VIDEO_ID,
            TRACK_NUMBER,
            column("start_ns", pa.int64(), "Start, ns; null: the label is of the whole recording", nullable=True),
            column("end_ns", pa.int64(), "End (not included), ns; null likewise", nullable=True),
            CLASS_ID,
            column("label", pa.string(), "The label as the data set writes it"),
        ]
    ),
)
IMPORTED_KEYPOINTS = TableSpec(
    name="imported_keypoints",
    kind=TableKind.DERIVED,
    doc="Keypoints of imported recordings, in the columns of *keypoints*; importing the same files makes them again",
    schema=KEYPOINTS.schema,
)
