"""Writing the tables of a release, split by split and video by video: memory does not grow with the keypoints."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from kinematics.unlabelled_windows import quotas
from releases.config import ReleaseConfig
from releases.facts import AttributeFacts, LeakReport, ReleaseFacts, SplitFacts, count_split
from releases.inputs import ReleaseInputs
from releases.privacy.attributes import PublishedAttributes, publish_attributes
from releases.readiness import readiness_of
from releases.splits.config import SPLITS
from releases.splits.leaks import find_leaks_in_rows, refuse_leaks
from releases.tables.columns import INT16_PIXELS, TABLES, schema_of
from releases.tables.selection import Row, Selection, select_segments
from releases.tables.shards import ShardWriter
from releases.tables.video import VideoReader
from releases.tables.votes import select_votes
from releases.tables.written import Written
from schema.arrow import KEYPOINTS
from schema.errors import DamagedTableError, DropReason, InvalidReleaseError
from schema.rows import WIDE_KEYPOINTS_SCHEMA

_WAYS_OUT = {
    DropReason.UNKNOWN_SUBJECT.value: (
        "declare who is in the videos (`person` of each source in study.toml, or private/review.csv), or set "
        'release.unknown_subjects = "train"'
    ),
    DropReason.IMPORTED.value: (
        'set release.imported = "include" to publish imported data sets, if their licences allow it'
    ),
    DropReason.NO_KEYPOINTS.value: "run `pressroom perceive`, for there are no keypoints in these spans",
}
"""What to do about segments that were left out, where nothing else is there."""


def write_contents(inputs: ReleaseInputs, data: Path, *, config: ReleaseConfig) -> tuple[ReleaseFacts, dict[str, str]]:
    """Write every table into the folder ``data`` and count what was written.

    Returns:
        The numbers, and the split of each subject that is in the release.

    Raises:
        InvalidReleaseError: No segment is left, or the selection is refused.
        DamagedTableError: An input table does not hold what its schema says.
    """
    selection = select_segments(inputs, config)
    writers = _Writers(data, config, wide=_is_wide(selection))
    reader = VideoReader(
        selection=selection,
        config=config,
        taxonomy=inputs.taxonomy,
        quota_of=_quotas(selection, config),
        person_descriptions=inputs.person_descriptions,
        rewrite=inputs.rewrite,
    )
    written = Written()
    for split in SPLITS:
        _write_keypoints(split, reader, _keypoints_of(inputs, config), writers, written)
    if written.without_keypoints:
        selection.left_out[DropReason.NO_KEYPOINTS.value] += written.without_keypoints
    _check_not_empty(written, selection.left_out)
    votes, left_out_votes = select_votes(
        inputs.annotations,
        released=written.all_segments,
        side_of_video={row["video_id"]: split for split, rows in written.videos.items() for row in rows},
        all_segments=inputs.segments,
    )
    attributes, attribute_facts = _attributes(inputs, written, config)
    splits: dict[str, SplitFacts] = {}
    for split in written.splits:
        of_split = [vote for vote in votes if vote["split"] == split]
        writers.write_rows("segments", split, written.segments[split])
        writers.write_rows("unlabelled", split, written.windows[split])
        writers.write_rows("votes", split, of_split)
        writers.write_rows("videos", split, written.videos[split])
        writers.write_rows("subjects", split, _subject_rows(split, written, attributes))
        splits[split] = count_split(
            written.segments[split],
            of_split,
            written.videos[split],
            written.windows[split],
            keypoint_rows=written.keypoint_rows[split],
        )
    facts = written.facts(inputs, selection, splits=splits, votes=votes, left_out_votes=left_out_votes)
    facts = replace(facts, attributes=attribute_facts, leak_report=_proven(selection, written))
    facts = replace(facts, readiness=readiness_of(written.segments, written.windows, written.videos, splits=splits))
    assignment = {subject: selection.assignment[subject] for subject in sorted(written.subjects)}
    moved = sum(inputs.earlier_splits.get(subject, split) != split for subject, split in assignment.items())
    return replace(facts, moved_subjects=moved), assignment


class _Writers:
    """The shard writers of one release."""

    def __init__(self, data: Path, config: ReleaseConfig, *, wide: bool) -> None:
        self.data, self.config = data, config
        self.schemas = {table: schema_of(table, profile=config.profile, wide=wide) for table in TABLES}

    def open(self, table: str, split: str) -> ShardWriter:
        return ShardWriter(
            self.data,
            table=table,
            split=split,
            schema=self.schemas[table],
            row_group_rows=self.config.row_group_rows,
            shard_rows=self.config.shard_rows,
        )

    def write_rows(self, table: str, split: str, rows: list[Row]) -> None:
        schema = self.schemas[table]
        named = [{name: row[name] for name in schema.names} for row in rows]
        with self.open(table, split) as writer:
            writer.write(pa.Table.from_pylist(named, schema=schema))


def _proven(selection: Selection, written: Written) -> LeakReport:
    """Count the leaks in what was written, and refuse any; conferences and matches are known to the plan alone."""
    checks = find_leaks_in_rows(
        segments=written.all_segments,
        unlabelled=[row for split in SPLITS for row in written.windows[split]],
        videos=[row for split in SPLITS for row in written.videos[split]],
    )
    refuse_leaks(checks)
    told = {check.name for check in checks}
    others = [check for check in selection.report.checks if check.name not in told]
    return replace(selection.report, checks=(*checks, *others))


def _is_wide(selection: Selection) -> bool:
    rows = (row for of_split in selection.videos.values() for row in of_split)
    return any(max(row["width"] or 0, row["height"] or 0) > INT16_PIXELS for row in rows)


def _quotas(selection: Selection, config: ReleaseConfig) -> dict[str, int]:
    videos = {row["video_id"] for rows in selection.videos.values() for row in rows}
    videos_of: defaultdict[str, set[str]] = defaultdict(set)
    for (video_id, _), subject in selection.subject_of.items():
        if video_id in videos:
            videos_of[subject].add(video_id)
    return quotas(videos_of, most_per_subject=config.unlabelled.most_per_subject)


def _keypoints_of(inputs: ReleaseInputs, config: ReleaseConfig) -> Callable[[str], pa.Table]:
    imported = inputs.imported if config.imported == "include" else None
    others = frozenset(imported.videos["video_id"].to_pylist()) if imported else frozenset()

    def read(video_id: str) -> pa.Table:
        if imported is not None and video_id in others:
            return imported.keypoints_of(video_id)
        return inputs.keypoints_of(video_id)

    return read


def _write_keypoints(
    split: str,
    reader: VideoReader,
    keypoints_of: Callable[[str], pa.Table],
    writers: _Writers,
    written: Written,
) -> None:
    names = writers.schemas["keypoints"].names
    with writers.open("keypoints", split) as writer:
        for video in reader.selection.videos[split]:
            keypoints = _checked(keypoints_of(video["video_id"]), video["video_id"])
            contents = reader.contents(video, keypoints, first_row=writer.row_count)
            written.add(split, video, contents)
            written.examine(video, contents, reader.selection, faces=writers.config.profile == "identity-free")
            writer.write(contents.published.select(names))
    if not written.videos[split]:
        for path in writers.data.glob(f"keypoints-{split}-*"):
            path.unlink()


def _checked(keypoints: pa.Table, video_id: str) -> pa.Table:
    if not any(keypoints.schema.equals(s, check_metadata=False) for s in (KEYPOINTS.schema, WIDE_KEYPOINTS_SCHEMA)):
        raise DamagedTableError(
            f"keypoints of {video_id}: the columns are not those of this version of pressroom; delete that part"
        )
    return keypoints


def _check_not_empty(written: Written, left_out: Counter[str]) -> None:
    if written.all_segments:
        return
    counts = {reason: count for reason, count in left_out.items() if count}
    told = ", ".join(f"{count} {reason}" for reason, count in counts.items()) or "none was verified yet"
    ways = [words for reason, words in _WAYS_OUT.items() if reason in counts] or [
        "verify candidates, and declare who is in the videos"
    ]
    raise InvalidReleaseError(f"no segment to publish ({told}): {'; '.join(ways)}")


def _attributes(
    inputs: ReleaseInputs, written: Written, config: ReleaseConfig
) -> tuple[dict[str, PublishedAttributes], tuple[AttributeFacts, ...]]:
    return publish_attributes(
        inputs.subject_attributes,
        subjects=written.subjects,
        names=config.subject_attributes,
        k=config.min_subjects_an_attribute,
    )


def _subject_rows(split: str, written: Written, attributes: dict[str, PublishedAttributes]) -> list[Row]:
    segments = Counter(row["subject_id"] for row in written.segments[split])
    rows = [*written.segments[split], *written.windows[split]]
    videos: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["subject_id"] is not None:
            videos[row["subject_id"]].add(row["video_id"])
    return [
        {
            "subject_id": subject,
            "video_count": len(videos[subject]),
            "segment_count": segments[subject],
            "frame_count": written.rows_of_subject[subject],
            "sex": attributes[subject].sex,
            "birth_years": attributes[subject].birth_years,
            "split": split,
        }
        for subject in sorted(videos)
    ]
