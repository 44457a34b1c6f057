"""The tables that can't be made again: append-only, never rewritten by a stage; a withdrawal takes rows out."""

import pyarrow as pa

from schema.columns import BOX, CLASS_ID, SHA256, SPAN, VIDEO_ID, TableKind, TableSpec, column

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
            column("description", pa.string(), "Description on the platform", nullable=True),
            column("channel", pa.string(), "Channel or uploader", nullable=True),
            column("uploaded_on", pa.string(), "Date of upload, YYYY-MM-DD", nullable=True),
            column("announced_duration_ns", pa.int64(), "Length that the platform announces, ns", nullable=True),
            column("format", pa.string(), "What was chosen and got: the platform's format, codec, size", nullable=True),
            column("channel_links", pa.string(), "Links of the channel, with spaces between them", nullable=True),
        ]
    ),
)
LISTINGS = TableSpec(
    name="listings",
    kind=TableKind.RECORDED,
    private=True,
    doc="What channels, playlists, searches and feeds were seen to hold: a row when an item is new or has changed",
    schema=pa.schema(
        [
            column("origin_id", pa.string(), "Entry of the study's `[[sources]]`, a keyed hash"),
            column("source_id", pa.string(), "The item, a keyed hash of its link"),
            column("event", pa.string(), "new, edited, vanished or back"),
            column("location", pa.string(), "Link"),
            column("title", pa.string(), "Title", nullable=True),
            column("channel", pa.string(), "Channel or uploader", nullable=True),
            column("uploaded_on", pa.string(), "Date of upload, YYYY-MM-DD", nullable=True),
            column("duration_ns", pa.int64(), "Length that the platform announces, ns", nullable=True),
            column("is_live", pa.bool_(), "On air or to come when it was listed", nullable=True),
            column("listed_ns", pa.int64(), "Unix time in ns"),
        ]
    ),
)
VISITS = TableSpec(
    name="visits",
    kind=TableKind.RECORDED,
    private=True,
    doc="Every listing of a source, and how it ended",
    schema=pa.schema(
        [
            column("origin_id", pa.string(), "Entry of the study's `[[sources]]`, a keyed hash"),
            column("listed_ns", pa.int64(), "Unix time in ns"),
            column("is_full", pa.bool_(), "Every page was read, not only those with news"),
            column("outcome", pa.string(), "`listed`, or the reason why not"),
            column("detail", pa.string(), "Why, in words"),
            column("item_count", pa.int64(), "Items seen"),
            column("new_count", pa.int64(), "Items that were new"),
            column(
                "page_state",
                pa.string(),
                "What the lister wants back: ETag and date of a feed, count of a playlist; JSON",
            ),
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
            column("retry_ns", pa.int64(), "When it is tried again, Unix time in ns; null: never", nullable=True),
            column("rules", pa.string(), "Digest of the filters and opt-outs that passed it over", nullable=True),
            column("byte_count", pa.int64(), "Bytes that were downloaded", nullable=True),
        ]
    ),
)
AVAILABILITY = TableSpec(
    name="availability",
    kind=TableKind.RECORDED,
    doc="Dated answers to whether a source is still public",
    schema=pa.schema(
        [
            column("source_id", pa.string(), "Entry of the study's source list, a keyed hash"),
            column("video_id", pa.string(), "Video that it led to"),
            column("state", pa.string(), "`public`, or the reason why it is not to be had"),
            column("checked_ns", pa.int64(), "Unix time in ns"),
        ]
    ),
)
WITHDRAWALS = TableSpec(
    name="withdrawals",
    kind=TableKind.RECORDED,
    doc="Tombstones: videos that were withdrawn, so that none is collected again; a video's newest row counts",
    schema=pa.schema(
        [
            VIDEO_ID,
            column("cause", pa.string(), "`requested`, `opted_out`, `vanished` or `copy`"),
            column("withdrawn_ns", pa.int64(), "Unix time in ns"),
            column("state", pa.string(), "`begun` or `done`; null: begun", nullable=True),
            column("reason", pa.string(), "Why, in the words of whoever withdrew it", nullable=True),
            column("source_ids", pa.list_(pa.string()), "Sources that led to it, keyed hashes", nullable=True),
            column("content_id", pa.string(), "Keyed hash of the file's content", nullable=True),
            column("segment_count", pa.int32(), "Segments of it in earlier releases, most in one", nullable=True),
            column("fingerprint", pa.binary(), "What finds copies of it, sealed with the study's key", nullable=True),
        ]
    ),
)
DISPOSALS = TableSpec(
    name="disposals",
    kind=TableKind.RECORDED,
    doc="Video files that were deleted by the study's retention rule",
    schema=pa.schema(
        [
            VIDEO_ID,
            column("sha256", pa.string(), "Digest of the deleted file"),
            column("byte_count", pa.int64(), "Bytes that it took"),
            column("rule", pa.string(), "`until_release` or `features_only`"),
            column("disposed_ns", pa.int64(), "Unix time in ns"),
        ]
    ),
)
SUBJECT_CHANGES = TableSpec(
    name="subject_changes",
    kind=TableKind.RECORDED,
    doc="Every time a video's subject was found, corrected or taken back",
    schema=pa.schema(
        [
            VIDEO_ID,
            column("subject_before", pa.string(), "Subject until then; null: unknown", nullable=True),
            column("subject_after", pa.string(), "Subject from then on; null: unknown", nullable=True),
            column("decided_by", pa.string(), "study, person or matcher"),
            column("changed_ns", pa.int64(), "Unix time in ns"),
        ]
    ),
)
VIDEOS = TableSpec(
    name="videos",
    kind=TableKind.RECORDED,
    doc="The video files of the study, as verified when they came: by every packet, and the pictures at both ends",
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
            column("frame_count", pa.int64(), "Frames by the packets, after edit lists; damage may cost some"),
            column("duration_ns", pa.int64(), "Length by packet times, ns"),
            column("header_duration_ns", pa.int64(), "Length by the header, ns"),
            column("has_audio", pa.bool_(), "Whether there is sound"),
            column("pixel_format", pa.string(), "Pixel format"),
            column("color_space", pa.string(), "Colour space"),
            column("flags", pa.string(), "truncated, damaged (at either end), variable_rate: comma-separated"),
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
            column("kind", pa.string(), "verdict, known, expert, blind or audit; null: verdict", nullable=True),
            column("about", pa.string(), "Candidate that it is about, where the kind is another", nullable=True),
            column("clip_first_frame", pa.int32(), "First frame of the video that the clip shows", nullable=True),
            column("clip_end_frame", pa.int32(), "One past the last frame that the clip shows", nullable=True),
            column("page_version", pa.string(), "Name and digest of the page", nullable=True),
            column("round_number", pa.int32(), "Round in which it was put or worded anew; null: 0", nullable=True),
        ]
    ),
)
ROUNDS = TableSpec(
    name="rounds",
    kind=TableKind.RECORDED,
    doc="Every round of the study but the first, which needs no model: when it began, and its model",
    schema=pa.schema(
        [
            column("round_number", pa.int32(), "Round, from 1; what comes before is round 0"),
            column("model", pa.string(), "Name and digest of the model that proposes from then on; empty: none"),
            column("begun_ns", pa.int64(), "Unix time in ns"),
        ]
    ),
)
MARK = pa.struct(
    [
        pa.field("start_ns", pa.int64(), nullable=False),
        pa.field("end_ns", pa.int64(), nullable=False),
        pa.field("class_id", pa.string()),
        pa.field("first_frame", pa.int32(), nullable=False),
        pa.field("end_frame", pa.int32(), nullable=False),
    ]
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
            column("verdict", pa.string(), "accept, adjust, relabel, reject or unsure; of a window marked or nothing"),
            CLASS_ID,
            column("comment", pa.string(), "What the person wrote"),
            column("answered_ns", pa.int64(), "Unix time in ns"),
            column("lead_time_ns", pa.int64(), "Time the person took, ns"),
            column("kind", pa.string(), "verdict, known, expert, blind or audit; null: verdict", nullable=True),
            column("about", pa.string(), "Candidate that it is about, where the kind is another", nullable=True),
            column("answered_start_ns", pa.int64(), "Start as the person moved it, ns; null: as asked", nullable=True),
            column("answered_end_ns", pa.int64(), "End as the person moved it, ns; null: as asked", nullable=True),
            column("marks", pa.list_(MARK), "What the person drew on a window's timeline", nullable=True),
            column("description", pa.string(), "The sentence as the person left it", nullable=True),
            column("proposer", pa.string(), "Who proposed what was shown", nullable=True),
            column("suggestion_shown", pa.bool_(), "A class or span was shown before the answer", nullable=True),
            column("page_version", pa.string(), "Name and digest of the page", nullable=True),
            column("answer_number", pa.int64(), "Number on the server, shared by an answer's revisions", nullable=True),
            column("deleted", pa.bool_(), "This revision takes the answer back", nullable=True),
            column("flag", pa.string(), "What contradicts the claim of who answered", nullable=True),
            column("raw", pa.string(), "The answer as the server gave it, JSON", nullable=True),
        ]
    ),
)
KNOWN_ANSWERS = TableSpec(
    name="known_answers",
    kind=TableKind.RECORDED,
    private=True,
    doc="The truth of hidden items that measure the people who answer",
    schema=pa.schema(
        [
            column("question_id", pa.string(), "The question's id, `candidate_id` in *tasks*"),
            column("variant", pa.string(), "exact, negative, shifted or relabelled"),
            column("exists", pa.bool_(), "Whether there is a micro-gesture at all"),
            CLASS_ID,
            *SPAN,
            column("source", pa.string(), "expert, people or study"),
        ]
    ),
)
ANNOTATORS = TableSpec(
    name="annotators",
    kind=TableKind.RECORDED,
    private=True,
    doc="Who answers: names and accounts of annotators; the newest row of each counts",
    schema=pa.schema(
        [
            column("annotator_id", pa.string(), "Account, a keyed hash, as in *annotations*"),
            column("name", pa.string(), "Name"),
            column("account", pa.string(), "E-mail address on the review server"),
            column("role", pa.string(), "annotator or expert"),
            column("active", pa.bool_(), "Whether the person still answers"),
            column("added_ns", pa.int64(), "Unix time in ns"),
        ]
    ),
)
SHOWN_BOX = (
    column("letter", pa.string(), "The person's letter in the picture"),
    column("time_ns", pa.int64(), "Time of the frame that showed the person, ns"),
    *(column(f"box_{side}", pa.float32(), f"Person's box there, {side}, pixels") for side in ("x1", "y1", "x2", "y2")),
)
PLAYER_QUESTIONS = TableSpec(
    name="player_questions",
    kind=TableKind.RECORDED,
    doc="Every question which of the people in a video is the player: one row for each box that was shown",
    schema=pa.schema(
        [
            column("question_id", pa.string(), "Hash of the file and of what was shown of it"),
            VIDEO_ID,
            SHA256,
            *SHOWN_BOX,
            column("question", pa.string(), "The wording that people saw"),
            column("reason", pa.string(), "Why it was asked, in words"),
            column("server_id", pa.string(), "Which Label Studio"),
            column("project_number", pa.int64(), "Project there"),
            column("task_number", pa.int64(), "Task there"),
        ]
    ),
)
PLAYER_ANSWERS = TableSpec(
    name="player_answers",
    kind=TableKind.RECORDED,
    doc="Every answer of every person to such a question: one row for each box that was shown",
    schema=pa.schema(
        [
            column("answer_id", pa.string(), "Hash of server, annotation and revision"),
            column("question_id", pa.string(), "The question's id"),
            VIDEO_ID,
            SHA256,
            *SHOWN_BOX,
            column("answer", pa.string(), "What the reviewer says of the person: player, other or unsure"),
            column("annotator_id", pa.string(), "Account, a keyed hash"),
            column("scripted", pa.bool_(), "Answered by a script"),
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
