"""The columns of a release's tables, with their meaning and unit; the words travel in the files' field metadata."""

import pyarrow as pa

from releases.config import Profile
from schema.columns import CLASS_ID, TRACK_NUMBER, VIDEO_ID, column
from schema.derived import KEYPOINTS
from schema.records import PART_SLICES, Part

SCHEMA_VERSION = 3
"""Raised whenever a column is added, removed or changes its meaning."""
TABLES = ("segments", "keypoints", "videos", "subjects", "votes", "unlabelled")
"""The tables of a release; the first is what a reader gets who names none."""
INT16_PIXELS = 2047
"""Largest picture side whose positions fit int16 sixteenths of a pixel."""
FACE_POINTS_KEPT: tuple[int, ...] = (31, 42, 47, 53, 71, 74, 77, 80)
"""The face points that ``identity-free`` keeps, neutralised: chin (iBUG 9), middles of the right and the left brow
(20, 25), tip of the nose (31), right corner of the mouth, top of the upper lip, left corner, bottom of the lower lip
(49, 52, 55, 58); COCO-WholeBody numbers are iBUG's plus 22."""

SPLIT = column("split", pa.string(), "train, val or test")
SEGMENT_ID = column("segment_id", pa.string(), "Segment, stable from release to release")
SUBJECT_ID = column(
    "subject_id", pa.string(), "Person, a keyed hash; null where nobody declared who it is", nullable=True
)
ORIGIN = column("origin", pa.string(), "`study`, or the name of the data set that it was imported from")
OUTCOME = column(
    "match_outcome",
    pa.string(),
    "How the match before it ended for its player: win or loss; null: unknown, or no match",
    nullable=True,
)
START_NS = column("start_ns", pa.int64(), "Start of the span, ns, inclusive")
END_NS = column("end_ns", pa.int64(), "End of the span, ns, exclusive")
KEYPOINT_ROWS = (
    column("keypoints_first_row", pa.int64(), "Row of keypoints-<split> (all its files in order) where it starts"),
    column("keypoints_row_count", pa.int32(), "Rows of keypoints that belong to it, one a frame"),
)
DESCRIPTION_FIELDS = (
    column(
        "body_part",
        pa.string(),
        "What moves or touches: head, mouth, shoulders, torso, arm(s), hand(s), leg(s); body: nothing tells which",
    ),
    column("side", pa.string(), "The person's own left, right or both; null: none, or not told", nullable=True),
    column("contact_target", pa.string(), "Where a hand rests or touches; null: nowhere, or not seen", nullable=True),
    column("movement", pa.string(), "still, once, back_and_forth, repeated, irregular; unknown: too little seen"),
    column("repetitions", pa.int32(), "Back-and-forth cycles that were counted; null: too little seen", nullable=True),
    column("speed", pa.float32(), "Peak speed of the part, shoulder widths a second; null: unseen", nullable=True),
    column("extent", pa.float32(), "Diagonal of the part's way, shoulder widths; null: unseen", nullable=True),
    column("duration_seconds", pa.float32(), "Length of the span; null where the span is", nullable=True),
    column("co_occurring", pa.string(), "Class ids of segments of the person that overlap, with spaces between"),
)
"""Measured from all of the person's keypoints, before a profile is applied; normalised once for the whole track."""

SEGMENTS = pa.schema(
    [
        SEGMENT_ID,
        VIDEO_ID,
        SUBJECT_ID,
        TRACK_NUMBER,
        START_NS.with_nullable(True),
        END_NS.with_nullable(True),
        column("first_frame", pa.int32(), "First frame of the video in it for which there are keypoints"),
        column("end_frame", pa.int32(), "One past the last such frame"),
        CLASS_ID,
        column("class_number", pa.int32(), "Number of the class in the published data set", nullable=True),
        column("class_name", pa.string(), "Name of the class", nullable=True),
        column("group", pa.string(), "Body-part group of the class", nullable=True),
        column("description", pa.string(), "One or two sentences: a person's where there are, else made of the fields"),
        column("description_by", pa.string(), "Who wrote them: person, template or model"),
        column("template_description", pa.string(), "The sentences that were made of the fields alone"),
        *DESCRIPTION_FIELDS,
        OUTCOME,
        column("answer_count", pa.int32(), "Answers that were counted; 0 for what was imported"),
        column("agreement", pa.float64(), "Share of them that agree, 0..1", nullable=True),
        column(
            "posterior",
            pa.float64(),
            "Probability of existence and class given the answers, 0..1; null for what was imported",
            nullable=True,
        ),
        column("scripted", pa.bool_(), "Every counted answer came from a script, none from a person"),
        column("evidence", pa.string(), "What was measured when the segment was proposed"),
        column("proposer", pa.string(), "Who proposed it: contact, motion, a person, or a model as name@digest"),
        column("proposer_score", pa.float64(), "Proposer's score, 0..1", nullable=True),
        ORIGIN,
        *KEYPOINT_ROWS,
        SPLIT,
    ]
)
VOTES = pa.schema(
    [
        column("vote_id", pa.string(), "One answer"),
        column("candidate_id", pa.string(), "The question that was asked"),
        column("kind", pa.string(), "verdict (of a candidate), expert, blind (same candidate, no suggestion) or audit"),
        column("segment_id", pa.string(), "Segment that came of it; null where none did", nullable=True),
        VIDEO_ID,
        START_NS,
        END_NS,
        column("annotator_id", pa.string(), "Who answered, a keyed hash"),
        column("revision", pa.int32(), "From 1: the annotator's first, second... answer to this question"),
        column("scripted", pa.bool_(), "Answered by a script, not by a person"),
        column("verdict", pa.string(), "accept, adjust, relabel, reject or unsure; of a window: marked or nothing"),
        column("proposed_class_id", pa.string(), "Class that was proposed", nullable=True),
        CLASS_ID,
        column("answered_start_ns", pa.int64(), "Start of the span that the answer stands for, ns"),
        column("answered_end_ns", pa.int64(), "End of that span, ns"),
        column("marks", pa.string(), "What was drawn in a window, JSON: [[start_ns, end_ns, class_id or null], ...]"),
        column("suggestion_shown", pa.bool_(), "Whether a class or a span was on the page before the answer"),
        column("question", pa.string(), "The wording that was shown"),
        column("lead_seconds", pa.int32(), "Time the answer took, whole seconds"),
        column("study_week", pa.int32(), "Weeks since the study's first answer, from 0"),
        SPLIT,
    ]
)
VIDEOS = pa.schema(
    [
        VIDEO_ID,
        column("recording_id", pa.string(), "Video that stands for all copies of the recording and for its event"),
        column("width", pa.int32(), "Displayed width, pixels; null: not told by what was imported", nullable=True),
        column("height", pa.int32(), "Displayed height, pixels; null: not told", nullable=True),
        column("frame_count", pa.int64(), "Frames by the packets, after edit lists; damage may cost some"),
        column("average_rate_numerator", pa.int64(), "Frames per second by packet times, numerator"),
        column("average_rate_denominator", pa.int64(), "Frames per second by packet times, denominator"),
        column("duration_ns", pa.int64(), "Length by packet times, ns"),
        column("layout", pa.string(), "Layout of the keypoints before they were put into the 133: wholebody133, ..."),
        OUTCOME,
        ORIGIN,
        SPLIT,
    ]
)
SUBJECTS = pa.schema(
    [
        SUBJECT_ID.with_nullable(False),
        column("video_count", pa.int32(), "Videos of the person in this release"),
        column("segment_count", pa.int32(), "Segments of the person"),
        column("frame_count", pa.int64(), "Rows of keypoints of the person"),
        column("sex", pa.string(), "f or m, as declared; null: not declared, or too few share it", nullable=True),
        column(
            "birth_years",
            pa.string(),
            "Decade, or two, of birth, as in 1990-1999; null: not declared, or too few share it",
            nullable=True,
        ),
        SPLIT,
    ]
)
UNLABELLED = pa.schema(
    [
        column("window_id", pa.string(), "Window without a segment in it, for training without labels"),
        VIDEO_ID,
        SUBJECT_ID,
        TRACK_NUMBER,
        START_NS,
        END_NS,
        column("first_frame", pa.int32(), "First frame of the video in it"),
        column("end_frame", pa.int32(), "One past the last frame"),
        column(
            "quality",
            pa.float32(),
            "Mean score of the upper body's and hands' points that its layout has, unseen ones as 0, 0..1",
        ),
        column("movement", pa.float32(), "Median speed of the fastest part above its jitter, shoulder widths a second"),
        *KEYPOINT_ROWS,
        SPLIT,
    ]
)
_PLAIN = {"segments": SEGMENTS, "votes": VOTES, "videos": VIDEOS, "subjects": SUBJECTS, "unlabelled": UNLABELLED}
TABLE_DOCS = {
    "segments": "Micro-gestures: who, when, which class, in words and numbers, and how sure people were",
    "keypoints": "One row a frame of each person who has segments or windows, by video, track and frame",
    "videos": "The videos that segments and windows come from",
    "subjects": "The people, under pseudonyms",
    "votes": "Every answer behind the segments, and those that led to none",
    "unlabelled": "Windows without a segment, sampled for training without labels",
}


def keypoints_schema(profile: Profile, *, wide: bool) -> pa.Schema:
    """Return the columns of *keypoints*: flat, one row a frame of a track.

    Args:
        profile: ``identity-free`` has of the 68 face points (numbers 23-90) only ``FACE_POINTS_KEPT``, with their
            mask; ``research`` has all.
        wide: Positions are int32, because a picture has a side above ``INT16_PIXELS``.
    """
    hidden: set[str] = set()
    if profile == "identity-free":
        face = set(range(*PART_SLICES[Part.FACE].indices(len(KEYPOINTS.schema)))) - set(FACE_POINTS_KEPT)
        hidden = {f"k{k:03d}_{what}" for k in face for what in ("x", "y", "score")}
    kept = [field for field in KEYPOINTS.schema if field.name not in hidden]
    position = pa.int32() if wide else pa.int16()
    return pa.schema([f.with_type(position) if pa.types.is_int16(f.type) else f for f in kept])


def schema_of(table: str, *, profile: Profile, wide: bool) -> pa.Schema:
    """Return the columns of one of ``TABLES``."""
    return _PLAIN[table] if table in _PLAIN else keypoints_schema(profile, wide=wide)
