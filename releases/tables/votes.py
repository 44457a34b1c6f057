"""The answers that a release holds: every one about its videos, free of clock times and comments."""

import json
from collections import Counter

import pyarrow as pa

from releases.splits.config import SPLITS
from releases.tables.selection import Row, check_columns
from schema.arrow import ANNOTATIONS
from schema.questions import QuestionKind
from schema.timespan import NS_PER_SECOND

NS_PER_WEEK = 7 * 24 * 3600 * NS_PER_SECOND
LEFT_OUT_SEGMENT = "segment_left_out"
"""A vote on a question whose segment is not in the release."""
LEFT_OUT_VIDEO = "video_left_out"
"""A vote about a video of which the release holds nothing."""


def select_votes(
    annotations: pa.Table, *, released: list[Row], side_of_video: dict[str, str], all_segments: pa.Table
) -> tuple[list[Row], Counter[str]]:
    """Choose the votes on released videos and count the others by reason.

    Args:
        annotations: Rows of ``schema.arrow.ANNOTATIONS``; an answer that comes twice counts once.
        released: Segments of the release.
        side_of_video: Split of every video of the release.
        all_segments: Tells the questions whose segment was left out from those that led to none.

    Returns:
        Rows of ``releases.tables.columns.VOTES`` by split, question, annotator and revision; and the counts left out.
    """
    check_columns(annotations, ANNOTATIONS)
    answers: dict[str, Row] = {row["annotation_id"]: row for row in annotations.to_pylist()}
    segment_of = {row["candidate_id"]: row["segment_id"] for row in released if row["candidate_id"]}
    unreleased = set(all_segments["candidate_id"].to_pylist()) - segment_of.keys()
    first_ns = min((row["answered_ns"] for row in answers.values()), default=0)
    kept: list[Row] = []
    left_out: Counter[str] = Counter()
    revisions: Counter[tuple[str, str]] = Counter()
    for row in sorted(answers.values(), key=lambda r: (r["answered_ns"], r["annotation_id"])):
        about = row["about"] or row["candidate_id"]
        if about in unreleased:
            left_out[LEFT_OUT_SEGMENT] += 1
            continue
        if row["video_id"] not in side_of_video:
            left_out[LEFT_OUT_VIDEO] += 1
            continue
        asked = (row["candidate_id"], row["annotator_id"])
        revisions[asked] += 1
        told = {
            "segment_id": segment_of.get(about),
            "revision": revisions[asked],
            "split": side_of_video[row["video_id"]],
        }
        kept.append(_vote(row, first_ns=first_ns) | told)
    kept.sort(key=lambda r: (SPLITS.index(r["split"]), r["candidate_id"], r["annotator_id"], r["revision"]))
    return kept, left_out


def _vote(row: Row, *, first_ns: int) -> Row:
    moved = row["answered_start_ns"] is not None
    return row | {
        "vote_id": row["annotation_id"],
        "candidate_id": row["about"] or row["candidate_id"],
        "kind": row["kind"] or QuestionKind.VERDICT.value,
        "answered_start_ns": row["answered_start_ns"] if moved else row["start_ns"],
        "answered_end_ns": row["answered_end_ns"] if moved else row["end_ns"],
        "marks": _marks(row["marks"]),
        "suggestion_shown": True if row["suggestion_shown"] is None else row["suggestion_shown"],
        "lead_seconds": round(row["lead_time_ns"] / NS_PER_SECOND),
        "study_week": (row["answered_ns"] - first_ns) // NS_PER_WEEK,
    }


def _marks(marks: list[Row] | None) -> str:
    return json.dumps([[mark["start_ns"], mark["end_ns"], mark["class_id"]] for mark in marks or []])
