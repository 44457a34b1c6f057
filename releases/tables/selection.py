"""What enters a release, what is left out and why, and on which side of the split it falls."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from releases.config import ReleaseConfig
from releases.inputs import ReleaseInputs
from releases.splits.assign import assign_splits, recordings_of
from releases.splits.config import SPLITS
from schema.arrow import ANNOTATIONS, SEGMENTS, VIDEOS, TableSpec
from schema.errors import DamagedTableError, DropReason, InvalidReleaseError
from schema.taxonomy import Taxonomy
from schema.timespan import NS_PER_SECOND

Row = dict[str, Any]
NS_PER_WEEK = 7 * 24 * 3600 * NS_PER_SECOND
LEFT_OUT_SEGMENT = "segment_left_out"
"""A vote on a question whose segment is not in the release."""
LEFT_OUT_VIDEO = "video_without_segments"
"""A vote about a video of which the release holds nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The segments of a release before their keypoints are looked up."""

    segments: list[Row]
    """Input columns plus ``subject_id`` and ``split``; by split, video, track, start, id."""
    assignment: dict[str, str]
    """Split by subject."""
    left_out: Counter[str]
    """Segments left out, by reason."""
    video_rows: dict[str, Row]
    """All videos by id."""


def check_columns(table: pa.Table, spec: TableSpec) -> None:
    """Refuse a table whose columns are not the spec's (``DamagedTableError``)."""
    if not table.schema.equals(spec.schema, check_metadata=False):
        raise DamagedTableError(f"{spec.name}: the columns are not those of this version of pressroom; make it again")


def select_segments(inputs: ReleaseInputs, config: ReleaseConfig) -> Selection:
    """Choose the segments of the release and give each a split.

    Raises ``InvalidReleaseError`` for a repeated segment, a segment without its video, or a leak that can't be mended.
    """
    check_columns(inputs.segments, SEGMENTS)
    check_columns(inputs.videos, VIDEOS)
    rows: list[Row] = inputs.segments.to_pylist()
    video_rows: dict[str, Row] = {row["video_id"]: row for row in inputs.videos.to_pylist()}
    _check_keys(rows, video_rows)
    for row in rows:
        row["subject_id"] = inputs.subject_of.get((row["video_id"], row["track_number"]))
    known = [row for row in rows if row["subject_id"] is not None]
    recording_of = recordings_of(video_rows, inputs.linked_videos)
    subjects_of_recording: dict[str, set[str]] = {}
    for row in known:
        subjects_of_recording.setdefault(recording_of[row["video_id"]], set()).add(row["subject_id"])
    assignment = assign_splits(
        Counter(row["subject_id"] for row in known),
        together=subjects_of_recording.values(),
        locked=inputs.earlier_splits,
        config=config.splits,
    )
    side_of_recording = {name: assignment[min(subjects)] for name, subjects in subjects_of_recording.items()}
    kept: list[Row] = []
    left_out: Counter[str] = Counter()
    for row in rows:
        side = side_of_recording.get(recording_of[row["video_id"]], "train")
        split = _side(row, assignment, side, config)
        if split is None:
            left_out[DropReason.UNKNOWN_SUBJECT.value] += 1
        else:
            kept.append(row | {"split": split})
    kept.sort(
        key=lambda r: (SPLITS.index(r["split"]), r["video_id"], r["track_number"], r["start_ns"], r["segment_id"])
    )
    return Selection(segments=kept, assignment=assignment, left_out=left_out, video_rows=video_rows)


def _side(row: Row, assignment: dict[str, str], recording_side: str, config: ReleaseConfig) -> str | None:
    if row["subject_id"] is not None:
        return assignment[row["subject_id"]]
    # an unknown person beside a held-out one, or in a copy of them, would put one recording on two sides
    wanted = config.unknown_subjects == "train" and recording_side == "train"
    return "train" if wanted else None


def _check_keys(rows: list[Row], video_rows: dict[str, Row]) -> None:
    repeated = [key for key, count in Counter(row["segment_id"] for row in rows).items() if count > 1]
    if repeated:
        raise InvalidReleaseError(
            f"segment {repeated[0]} comes more than once ({len(repeated)} such); delete the segments part and run again"
        )
    lost = sorted({row["video_id"] for row in rows} - video_rows.keys())
    if lost:
        raise InvalidReleaseError(f"video {lost[0]} has segments but no row in videos; restore the table videos")


def with_class(row: Row, taxonomy: Taxonomy) -> Row:
    """Add number, name and group of the class; all null for an unclassified movement."""
    if row["class_id"] is None:
        return row | {"class_number": None, "class_name": None, "group": None}
    gesture = taxonomy.by_id(row["class_id"])
    return row | {"class_number": gesture.number, "class_name": gesture.name, "group": gesture.group}


def select_votes(
    annotations: pa.Table, *, released: list[Row], all_segments: pa.Table
) -> tuple[list[Row], Counter[str]]:
    """Choose the votes on released videos, free of clock times and comments, and count the others by reason.

    ``all_segments`` tells the questions whose segment was left out from those that led to none.

    Returns:
        Rows of ``releases.tables.columns.VOTES`` by split, question, annotator and revision; and the counts left out.
    """
    check_columns(annotations, ANNOTATIONS)
    answers: dict[str, Row] = {row["annotation_id"]: row for row in annotations.to_pylist()}
    segment_of = {row["candidate_id"]: row["segment_id"] for row in released}
    unreleased = set(all_segments["candidate_id"].to_pylist()) - segment_of.keys()
    side_of_video = {row["video_id"]: row["split"] for row in released}
    first_ns = min((row["answered_ns"] for row in answers.values()), default=0)
    kept: list[Row] = []
    left_out: Counter[str] = Counter()
    revisions: Counter[tuple[str, str]] = Counter()
    for row in sorted(answers.values(), key=lambda r: (r["answered_ns"], r["annotation_id"])):
        if row["candidate_id"] in unreleased:
            left_out[LEFT_OUT_SEGMENT] += 1
            continue
        if row["video_id"] not in side_of_video:
            left_out[LEFT_OUT_VIDEO] += 1
            continue
        asked = (row["candidate_id"], row["annotator_id"])
        revisions[asked] += 1
        kept.append(
            _vote(row, first_ns=first_ns)
            | {
                "segment_id": segment_of.get(row["candidate_id"]),
                "revision": revisions[asked],
                "split": side_of_video[row["video_id"]],
            }
        )
    kept.sort(key=lambda r: (SPLITS.index(r["split"]), r["candidate_id"], r["annotator_id"], r["revision"]))
    return kept, left_out


def _vote(row: Row, *, first_ns: int) -> Row:
    return row | {
        "vote_id": row["annotation_id"],
        "lead_seconds": round(row["lead_time_ns"] / NS_PER_SECOND),
        "study_week": (row["answered_ns"] - first_ns) // NS_PER_WEEK,
    }
