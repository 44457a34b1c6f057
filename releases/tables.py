"""The columns of a release's tables, with their meaning and unit; the words travel in the files' field metadata."""

import pyarrow as pa

from releases.config import Profile
from schema.arrow import CLASS_ID, KEYPOINTS, SPAN, TRACK_NUMBER, VIDEO_ID, column
from schema.records import PART_SLICES, Part

SCHEMA_VERSION = 2
"""Raised whenever a column is added, removed or changes its meaning."""
TABLES = ("segments", "keypoints", "votes", "videos")
"""The tables of a release; the first is what a reader gets who names none."""
INT16_PIXELS = 2047
"""Largest picture side whose positions fit int16 sixteenths of a pixel."""

SPLIT = column("split", pa.string(), "train, val or test")
SEGMENT_ID = column("segment_id", pa.string(), "Segment, stable from release to release")

SEGMENTS = pa.schema(
    [
        SEGMENT_ID,
        VIDEO_ID,
        column("subject_id", pa.string(), "Person, a keyed hash; null where nobody declared who it is", nullable=True),
        TRACK_NUMBER,
        *SPAN,
        column("first_frame", pa.int32(), "First frame of the video in the span for which there are keypoints"),
        column("end_frame", pa.int32(), "One past the last such frame"),
        CLASS_ID,
        column("class_number", pa.int32(), "Number of the class in the published data set", nullable=True),
        column("class_name", pa.string(), "Name of the class", nullable=True),
        column("group", pa.string(), "Body-part group of the class", nullable=True),
        column("description", pa.string(), "One sentence, made from the class and measured fields"),
        column("answer_count", pa.int32(), "Answers that were counted"),
        column("agreement", pa.float64(), "Share of them that agree, 0..1"),
        column("scripted", pa.bool_(), "Every counted answer came from a script, none from a person"),
        column("evidence", pa.string(), "What was measured when the segment was proposed"),
        column("proposer", pa.string(), "Who proposed it"),
        column("proposer_score", pa.float64(), "Proposer's score, 0..1"),
        column("keypoints_first_row", pa.int64(), "Row of keypoints-<split> (all its files in order) where it starts"),
        column("keypoints_row_count", pa.int32(), "Rows of keypoints that belong to it, one a frame"),
        SPLIT,
    ]
)
VOTES = pa.schema(
    [
        column("vote_id", pa.string(), "One answer"),
        column("candidate_id", pa.string(), "The question that was asked"),
        column("segment_id", pa.string(), "Segment that came of it; null where none did", nullable=True),
        VIDEO_ID,
        *SPAN,
        column("annotator_id", pa.string(), "Who answered, a keyed hash"),
        column("revision", pa.int32(), "From 1: the annotator's first, second... answer to this question"),
        column("scripted", pa.bool_(), "Answered by a script, not by a person"),
        column("verdict", pa.string(), "accept, adjust, relabel, reject or unsure"),
        column("proposed_class_id", pa.string(), "Class that was proposed", nullable=True),
        CLASS_ID,
        column("question", pa.string(), "The wording that was shown"),
        column("lead_seconds", pa.int32(), "Time the answer took, whole seconds"),
        column("study_week", pa.int32(), "Weeks since the study's first answer, from 0"),
        SPLIT,
    ]
)
VIDEOS = pa.schema(
    [
        VIDEO_ID,
        column("width", pa.int32(), "Displayed width, pixels"),
        column("height", pa.int32(), "Displayed height, pixels"),
        column("frame_count", pa.int64(), "Frames by the packets, after edit lists; damage may cost some"),
        column("average_rate_numerator", pa.int64(), "Frames per second by packet times, numerator"),
        column("average_rate_denominator", pa.int64(), "Frames per second by packet times, denominator"),
        column("duration_ns", pa.int64(), "Length by packet times, ns"),
        column(
            "match_outcome",
            pa.string(),
            "How the match before it ended for its player: win or loss; null: unknown, or no match",
            nullable=True,
        ),
        SPLIT,
    ]
)


def keypoints_schema(profile: Profile, *, wide: bool) -> pa.Schema:
    """Return the columns of *keypoints*: flat, one row a frame of a track.

    Args:
        profile: ``identity-free`` has no column of the 68 face points (numbers 23-90), nor the face's mask.
        wide: Positions are int32, because a picture has a side above ``INT16_PIXELS``.
    """
    hidden: set[str] = set()
    if profile == "identity-free":
        face = range(*PART_SLICES[Part.FACE].indices(len(KEYPOINTS.schema)))
        hidden = {f"k{k:03d}_{what}" for k in face for what in ("x", "y", "score")} | {"face_seen"}
    kept = [field for field in KEYPOINTS.schema if field.name not in hidden]
    position = pa.int32() if wide else pa.int16()
    return pa.schema([f.with_type(position) if pa.types.is_int16(f.type) else f for f in kept])


def schema_of(table: str, *, profile: Profile, wide: bool) -> pa.Schema:
    """Return the columns of one of ``TABLES``."""
    plain = {"segments": SEGMENTS, "votes": VOTES, "videos": VIDEOS}
    return plain[table] if table in plain else keypoints_schema(profile, wide=wide)
