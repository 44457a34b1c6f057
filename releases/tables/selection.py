"""What enters a release, what is left out and why, and on which side of the split it falls."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from releases.config import ReleaseConfig
from releases.facts import LeakReport
from releases.inputs import ReleaseInputs
from releases.splits.config import SPLITS
from releases.splits.plan import SplitPlan, SplitRequest, SplitSegment, plan_splits
from schema.arrow import IMPORTED_SEGMENTS, IMPORTED_VIDEOS, SEGMENTS, VIDEOS, TableSpec
from schema.errors import DamagedTableError, DropReason, InvalidReleaseError
from schema.timespan import NS_PER_SECOND

Row = dict[str, Any]
STUDY_ORIGIN = "study"
STUDY_LAYOUT = "wholebody133"
OF_ALL_TRACKS = -1
"""Track number under which ``subject_of`` keeps who is on every track of an imported recording."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The segments and videos of a release before their keypoints are looked up."""

    segments: dict[str, list[Row]]
    """By video: columns of the input plus ``subject_id``, ``split``, ``origin`` and ``match_outcome``, by track and
    start."""
    videos: dict[str, list[Row]]
    """By split: rows of ``releases.tables.columns.VIDEOS``, by video id; also of videos that hold windows alone."""
    subject_of: dict[tuple[str, int], str]
    """Known people by video and track, or ``OF_ALL_TRACKS``."""
    assignment: dict[str, str]
    """Split by subject."""
    left_out: Counter[str]
    """Segments left out, by reason."""
    report: LeakReport

    def subject_on(self, video_id: str, track_number: int) -> str | None:
        """Return who is on a track, None where nobody declared it."""
        everywhere = self.subject_of.get((video_id, OF_ALL_TRACKS))
        return self.subject_of.get((video_id, track_number), everywhere)


def check_columns(table: pa.Table, spec: TableSpec) -> None:
    """Refuse a table whose columns are not the spec's (``DamagedTableError``)."""
    if not table.schema.equals(spec.schema, check_metadata=False):
        raise DamagedTableError(f"{spec.name}: the columns are not those of this version of pressroom; make it again")


def select_segments(inputs: ReleaseInputs, config: ReleaseConfig) -> Selection:
    """Choose the segments and videos of the release and give each a split.

    Raises ``InvalidReleaseError`` for a repeated segment, a segment without its video, or a leak that can't be mended.
    """
    videos = _video_rows(inputs, config)
    rows = _segment_rows(inputs, config, videos)
    subject_of = _subjects(inputs, config, videos)
    left_out: Counter[str] = Counter()
    if inputs.imported is not None and config.imported == "exclude":
        left_out[DropReason.IMPORTED.value] += inputs.imported.segments.num_rows
    for row in rows:
        on_all = subject_of.get((row["video_id"], OF_ALL_TRACKS))
        row["subject_id"] = subject_of.get((row["video_id"], row["track_number"]), on_all)
    plan = plan_splits(_request(rows, videos, subject_of, inputs, config))
    sides = _sides(plan, videos, subject_of)
    kept: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        reason = plan.left_out_videos.get(row["video_id"])
        split = None if reason else _split_of(row, plan, sides, config)
        if split is None:
            left_out[reason or DropReason.UNKNOWN_SUBJECT.value] += 1
        else:
            kept[row["video_id"]].append(row | {"split": split})
    for of_video in kept.values():
        of_video.sort(key=lambda r: (r["track_number"], r["start_ns"] or 0, r["segment_id"]))
    return Selection(
        segments=dict(kept),
        videos=_videos_by_split(videos, kept, plan, sides, config),
        subject_of=subject_of,
        assignment=plan.assignment,
        left_out=left_out,
        report=plan.report,
    )


def _video_rows(inputs: ReleaseInputs, config: ReleaseConfig) -> dict[str, Row]:
    check_columns(inputs.videos, VIDEOS)
    outcomes = inputs.match_outcomes
    videos: dict[str, Row] = {
        row["video_id"]: row
        | {
            "layout": STUDY_LAYOUT,
            "origin": STUDY_ORIGIN,
            "match_outcome": outcomes[row["video_id"]].outcome if row["video_id"] in outcomes else None,
        }
        for row in inputs.videos.to_pylist()
    }
    if inputs.imported is not None and config.imported == "include":
        check_columns(inputs.imported.videos, IMPORTED_VIDEOS)
        for row in inputs.imported.videos.to_pylist():
            videos[row["video_id"]] = row | _times_of_imported(row)
    return videos


def _times_of_imported(row: Row) -> Row:
    numerator, denominator = row["rate_numerator"], row["rate_denominator"]
    return {
        "average_rate_numerator": numerator,
        "average_rate_denominator": denominator,
        "duration_ns": row["frame_count"] * NS_PER_SECOND * denominator // max(numerator, 1),
    }


def _segment_rows(inputs: ReleaseInputs, config: ReleaseConfig, videos: dict[str, Row]) -> list[Row]:
    check_columns(inputs.segments, SEGMENTS)
    rows: list[Row] = [row | {"origin": STUDY_ORIGIN} for row in inputs.segments.to_pylist()]
    if inputs.imported is not None and config.imported == "include":
        check_columns(inputs.imported.segments, IMPORTED_SEGMENTS)
        rows += [row | _answers_of_imported(row) for row in inputs.imported.segments.to_pylist()]
    repeated = [key for key, count in Counter(row["segment_id"] for row in rows).items() if count > 1]
    if repeated:
        raise InvalidReleaseError(
            f"segment {repeated[0]} comes more than once ({len(repeated)} such); delete the segments part and run again"
        )
    lost = sorted({row["video_id"] for row in rows} - videos.keys())
    if lost:
        raise InvalidReleaseError(f"video {lost[0]} has segments but no row in videos; restore the table videos")
    return [row | {"match_outcome": videos[row["video_id"]]["match_outcome"]} for row in rows]


def _answers_of_imported(row: Row) -> Row:
    return {
        "candidate_id": None,
        "answer_count": 0,
        "agreement": None,
        "posterior": None,
        "scripted": False,
        "evidence": "",
        "proposer": row["origin"],
        "proposer_score": None,
    }


def _subjects(inputs: ReleaseInputs, config: ReleaseConfig, videos: dict[str, Row]) -> dict[tuple[str, int], str]:
    known = {place: subject for place, subject in inputs.subject_of.items() if subject is not None}
    if inputs.imported is not None and config.imported == "include":
        for row in inputs.imported.videos.to_pylist():
            if row["subject_id"] is not None:
                known[row["video_id"], OF_ALL_TRACKS] = row["subject_id"]
    return {place: subject for place, subject in known.items() if place[0] in videos}


def _request(
    rows: list[Row],
    videos: dict[str, Row],
    subject_of: dict[tuple[str, int], str],
    inputs: ReleaseInputs,
    config: ReleaseConfig,
) -> SplitRequest:
    people: defaultdict[str, set[str]] = defaultdict(set)
    for (video_id, _), subject in subject_of.items():
        people[video_id].add(subject)
    return SplitRequest(
        segments=[
            SplitSegment(
                subject_id=row["subject_id"],
                video_id=row["video_id"],
                class_id=row["class_id"],
                match_outcome=row["match_outcome"],
            )
            for row in rows
        ],
        other_subjects=set(subject_of.values()) if config.unlabelled.most_per_subject else (),
        subjects_of_video=people,
        sexes={subject: one.sex for subject, one in inputs.subject_attributes.items() if one.sex},
        copies=inputs.copies,
        events=inputs.events,
        match_of=inputs.match_of,
        locked=inputs.earlier_splits,
        fixed={**_published_splits(inputs, config), **inputs.fixed_splits},
        config=config.splits,
    )


def _published_splits(inputs: ReleaseInputs, config: ReleaseConfig) -> dict[str, str]:
    """Return the splits in which imported data sets published their people; one in several of them has none."""
    if inputs.imported is None or config.imported == "exclude":
        return {}
    sides: defaultdict[str, set[str]] = defaultdict(set)
    for row in inputs.imported.videos.select(["subject_id", "split"]).to_pylist():
        if row["subject_id"] is not None and row["split"] is not None:
            sides[row["subject_id"]].add(row["split"])
    return {subject: min(found) for subject, found in sides.items() if len(found) == 1}


def _sides(plan: SplitPlan, videos: dict[str, Row], subject_of: dict[tuple[str, int], str]) -> dict[str, str]:
    """Return the side of every recording of which a known person is a part."""
    sides: dict[str, str] = {}
    for (video_id, _), subject in sorted(subject_of.items()):
        if subject in plan.assignment and video_id not in plan.left_out_videos:
            sides[plan.recording_of.get(video_id, video_id)] = plan.assignment[subject]
    return sides


def _split_of(row: Row, plan: SplitPlan, sides: dict[str, str], config: ReleaseConfig) -> str | None:
    if row["subject_id"] is not None:
        return plan.assignment[row["subject_id"]]
    # an unknown person beside a held-out one, or in a copy of them, would put one recording on two sides
    video_id: str = row["video_id"]
    side = sides.get(plan.recording_of.get(video_id, video_id), "train")
    return "train" if config.unknown_subjects == "train" and side == "train" else None


def _videos_by_split(
    videos: dict[str, Row],
    kept: dict[str, list[Row]],
    plan: SplitPlan,
    sides: dict[str, str],
    config: ReleaseConfig,
) -> dict[str, list[Row]]:
    by_split: dict[str, list[Row]] = {split: [] for split in SPLITS}
    for video_id in sorted(videos):
        recording = plan.recording_of.get(video_id, video_id)
        split: str | None = kept[video_id][0]["split"] if kept.get(video_id) else None
        if split is None and config.unlabelled.most_per_subject and video_id not in plan.left_out_videos:
            split = sides.get(recording)
        if split is not None:
            by_split[split].append(videos[video_id] | {"recording_id": recording, "split": split})
    return by_split
