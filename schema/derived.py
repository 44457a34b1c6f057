"""The tables that are a pure function of their inputs: a part may be deleted at will and is remade."""

import pyarrow as pa

from schema.columns import (
    BOX,
    CLASS_ID,
    FIXED_POINT_PER_PIXEL,
    SCORE_STEPS,
    SPAN,
    TRACK_NUMBER,
    VIDEO_ID,
    TableKind,
    TableSpec,
    column,
)
from schema.records import KEYPOINT_COUNT, Part

IDENTITIES = TableSpec(
    name="identities",
    kind=TableKind.DERIVED,
    private=True,
    doc="Who is in each video and how their match ended, with the evidence",
    schema=pa.schema(
        [
            VIDEO_ID,
            column("person_id", pa.string(), "Row of players.csv; null: unknown, or more than one", nullable=True),
            column("decided_by", pa.string(), "study, person or matcher; null: undecided", nullable=True),
            column("score", pa.float64(), "Matcher's score of the person, 0..1"),
            column("runner_up_id", pa.string(), "Next best row of players.csv", nullable=True),
            column("runner_up_score", pa.float64(), "Its score, 0..1"),
            column("tournament", pa.string(), "Tournament of the match", nullable=True),
            column("match_row", pa.string(), "File and line of the match result", nullable=True),
            column("match_outcome", pa.string(), "win or loss; null: unknown or none", nullable=True),
            column("licence", pa.string(), "Licence of the results that gave it; null: none", nullable=True),
            column("needs_review", pa.bool_(), "A person is asked, in review.csv"),
            column("evidence", pa.string(), "Why, in words"),
        ]
    ),
)
FINGERPRINTS = TableSpec(
    name="fingerprints",
    kind=TableKind.DERIVED,
    doc="What moves in a video, where and when, for finding copies of it: what stands still is not in it",
    schema=pa.schema(
        [
            VIDEO_ID,
            column("time_ns", pa.int64(), "Time of the sample, ns"),
            column("energy", pa.float32(), "Logarithm of how much moves, grey levels"),
            column("center_x", pa.float32(), "Centre of what moves, -0.5 (left) to 0.5"),
            column("center_y", pa.float32(), "Centre of what moves, -0.5 (top) to 0.5"),
            column("movement", pa.binary(), "Change of brightness within 2 s at 16 x 16 points, int8 half grey levels"),
        ]
    ),
)
DUPLICATES = TableSpec(
    name="duplicates",
    kind=TableKind.DERIVED,
    doc="Videos that show a recording which the study holds in a better copy, or the same event",
    schema=pa.schema(
        [
            VIDEO_ID,
            column("kept_video_id", pa.string(), "The better copy, or the event's first video"),
            column("link", pa.string(), "copy or same_event"),
            column("score", pa.float64(), "Confidence, 0..1"),
            column("offset_ns", pa.int64(), "Where this video begins in the kept one, ns"),
            column("speed", pa.float64(), "Playing speed against the kept one"),
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
            column("interpolated", pa.bool_(), "The frame was not looked at: its points lie between its neighbours'"),
            *(
                column(f"{part.name.lower()}_seen", pa.bool_(), f"Whether the {part.name.lower()} was seen")
                for part in Part
            ),
            *keypoint_fields(),
        ]
    ),
)
SMOOTHED = TableSpec(
    name="smoothed",
    kind=TableKind.DERIVED,
    doc="The keypoints smoothed over time, where the study asks for it; *keypoints*, of the same columns, stays raw",
    schema=KEYPOINTS.schema,
)
QUALITY = TableSpec(
    name="quality",
    kind=TableKind.DERIVED,
    doc="How well each track, and each shot as a whole, is shown: measured on sampled frames, kept whatever is dropped",
    schema=pa.schema(
        [
            VIDEO_ID,
            column("shot_number", pa.int32(), "Shot within the video's part"),
            column(
                "track_number", pa.int32(), "Track within the video's part; null: the shot as a whole", nullable=True
            ),
            column("sample_count", pa.int32(), "Frames that were looked at"),
            column(
                "height_px", pa.float32(), "Median height of the person's box; of a shot: the tallest track's, pixels"
            ),
            column("height_share", pa.float32(), "The same as a share of the picture's height"),
            column("sharpness", pa.float32(), "Detail of the person's crop at 128 px of height, 0 (flat) to 1"),
            column("frozen_share", pa.float32(), "Share of the samples that show the same picture as the one before"),
            column("hidden_share", pa.float32(), "Mean share of the box that boxes of people in front of it cover"),
            column(
                "cut_share", pa.float32(), "Share of the samples whose box ends at the picture's left, right or top"
            ),
            column(
                "inset_share",
                pa.float32(),
                "Share of the samples in a picture within the picture: split screen, inset, poster",
            ),
            column("brightness", pa.float32(), "Median brightness of the crop, 0..1"),
            column("clipped_share", pa.float32(), "Share of the crop that is black or white"),
            column("facing_share", pa.float32(), "Share of the samples with a face; null: no finder", nullable=True),
            column("colors", pa.binary(), "Colours of the torso, 72 shares in 1/255; null: too small", nullable=True),
        ]
    ),
)
PLAYERS = TableSpec(
    name="players",
    kind=TableKind.DERIVED,
    doc="Which tracks are the player, which are somebody else, and why; tracks of one person share a number",
    schema=pa.schema(
        [
            VIDEO_ID,
            TRACK_NUMBER,
            column("shot_number", pa.int32(), "Shot within the video's part"),
            column("person_number", pa.int32(), "The same person's tracks share it; 0 is the most prominent one"),
            column("role", pa.string(), "player, other or undecided"),
            column("confidence", pa.float32(), "Confidence in the role, 0..1"),
            column("decided_by", pa.string(), "evidence, or answer (of a person)"),
            column("score", pa.float32(), "How much the person looks like the player, 0..1"),
            column("seconds", pa.float32(), "How long the track is"),
            column("time_share", pa.float32(), "Share of the followed time in which the person is seen, all tracks"),
            column("size", pa.float32(), "Square root of the box's area against the picture's, median"),
            column(
                "center_distance",
                pa.float32(),
                "Median distance from the picture's middle line, 0..1 of half its width",
            ),
            column("travel", pa.float32(), "Way of the box's centre, box widths a second"),
            column("facing_share", pa.float32(), "Share of the samples with a face; null: no finder", nullable=True),
            column("frozen_share", pa.float32(), "Share of the samples in which the person does not change"),
            column("kept", pa.bool_(), "Keypoints are estimated of it"),
            column("reason", pa.string(), "Why, in words with numbers"),
        ]
    ),
)
VISIBILITY = TableSpec(
    name="visibility",
    kind=TableKind.DERIVED,
    doc="In which share of its frames each part of a track's person was seen",
    schema=pa.schema(
        [
            VIDEO_ID,
            TRACK_NUMBER,
            column("frame_count", pa.int32(), "Frames of the track"),
            *(
                column(f"{part.name.lower()}_share", pa.float32(), f"Share with the {part.name.lower()} seen, 0..1")
                for part in Part
            ),
            column("hands_share", pa.float32(), "Share with one hand at least, 0..1"),
            column("both_hands_share", pa.float32(), "Share with both hands, 0..1"),
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
SOURCE = pa.struct(
    [
        pa.field("proposer", pa.string(), nullable=False),
        pa.field("class_id", pa.string()),
        pa.field("score", pa.float64(), nullable=False),
    ]
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
            column("sources", pa.list_(SOURCE), "Everybody who proposed it; null: the proposer alone", nullable=True),
            column(
                "probability",
                pa.float64(),
                "The round's model: that there is a gesture at all, calibrated, 0..1; null: no model",
                nullable=True,
            ),
            column(
                "uncertainty",
                pa.float64(),
                "The round's model: one minus the margin between its two likeliest outcomes, 0..1; null: no model",
                nullable=True,
            ),
            column("embedding", pa.list_(pa.float32()), "The model's features of the span; null: none", nullable=True),
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
            column("posterior", pa.float64(), "Probability of existence and class given the answers, 0..1"),
            column("scripted", pa.bool_(), "Every counted answer came from a script"),
            column("evidence", pa.string(), "What was measured"),
            column("proposer", pa.string(), "Who proposed it"),
            column("proposer_score", pa.float64(), "Proposer's score, 0..1"),
            column("description", pa.string(), "One sentence"),
        ]
    ),
)
