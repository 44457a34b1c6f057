"""Writing the tables of a release, split by split and video by video: memory does not grow with the keypoints."""

from collections import Counter
from itertools import groupby
from pathlib import Path

import pyarrow as pa

from releases.config import ReleaseConfig
from releases.facts import ReleaseFacts, SplitFacts, count_classes, count_split
from releases.inputs import ReleaseInputs
from releases.splits.config import SPLITS
from releases.tables.columns import INT16_PIXELS, TABLES, schema_of
from releases.tables.linking import link_segments
from releases.tables.selection import Row, Selection, select_segments, select_votes, with_class
from releases.tables.shards import ShardWriter
from schema.arrow import KEYPOINTS
from schema.errors import DamagedTableError, DropReason, InvalidReleaseError
from schema.rows import WIDE_KEYPOINTS_SCHEMA


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
    linked = _Linked()
    for split in SPLITS:
        _write_keypoints(selection, split, inputs, writers, linked)
    if linked.without_keypoints:
        selection.left_out[DropReason.NO_KEYPOINTS.value] += linked.without_keypoints
    _check_not_empty(linked, selection.left_out)
    released = [row for rows in linked.segments.values() for row in rows]
    votes, left_out_votes = select_votes(inputs.annotations, released=released, all_segments=inputs.segments)
    splits: dict[str, SplitFacts] = {}
    for split, rows in linked.segments.items():
        of_split = [vote for vote in votes if vote["split"] == split]
        videos = [_video_row(v, split, selection, inputs) for v in sorted({row["video_id"] for row in rows})]
        writers.write_rows("segments", split, [with_class(row, inputs.taxonomy) for row in rows])
        writers.write_rows("votes", split, of_split)
        writers.write_rows("videos", split, videos)
        splits[split] = count_split(rows, of_split, keypoint_rows=linked.keypoint_rows[split])
    outcomes = [
        inputs.match_outcomes[video_id]
        for video_id in sorted({row["video_id"] for row in released})
        if video_id in inputs.match_outcomes
    ]
    facts = ReleaseFacts(
        splits=splits,
        class_counts=count_classes(linked.segments),
        scripted_votes=sum(vote["scripted"] for vote in votes),
        left_out_segments=dict(sorted(selection.left_out.items())),
        left_out_votes=dict(sorted(left_out_votes.items())),
        shortened_segments=linked.shortened,
        dropped_counts={str(reason): count for reason, count in sorted(inputs.dropped_counts.items())},
        outcome_counts=dict(sorted(Counter(one.outcome for one in outcomes).items())),
        outcome_licences=tuple(sorted({" ".join(one.licence.split()) for one in outcomes if one.licence.strip()})),
    )
    subjects = {row["subject_id"] for row in released}
    return facts, {subject: split for subject, split in selection.assignment.items() if subject in subjects}


def _video_row(video_id: str, split: str, selection: Selection, inputs: ReleaseInputs) -> Row:
    known = inputs.match_outcomes.get(video_id)
    return selection.video_rows[video_id] | {"match_outcome": known.outcome if known else None, "split": split}


class _Linked:
    """What is known once the keypoints are written."""

    def __init__(self) -> None:
        self.segments: dict[str, list[Row]] = {}
        self.keypoint_rows: dict[str, int] = {}
        self.without_keypoints = 0
        self.shortened = 0


class _Writers:
    """The shard writers of one release."""

    def __init__(self, data: Path, config: ReleaseConfig, *, wide: bool) -> None:
        self.data, self._config = data, config
        self.schemas = {table: schema_of(table, profile=config.profile, wide=wide) for table in TABLES}

    def open(self, table: str, split: str) -> ShardWriter:
        return ShardWriter(
            self.data,
            table=table,
            split=split,
            schema=self.schemas[table],
            row_group_rows=self._config.row_group_rows,
            shard_rows=self._config.shard_rows,
        )

    def write_rows(self, table: str, split: str, rows: list[Row]) -> None:
        schema = self.schemas[table]
        named = [{name: row[name] for name in schema.names} for row in rows]
        with self.open(table, split) as writer:
            writer.write(pa.Table.from_pylist(named, schema=schema))


def _is_wide(selection: Selection) -> bool:
    videos = [selection.video_rows[row["video_id"]] for row in selection.segments]
    return any(max(video["width"], video["height"]) > INT16_PIXELS for video in videos)


def _write_keypoints(
    selection: Selection, split: str, inputs: ReleaseInputs, writers: _Writers, linked: _Linked
) -> None:
    rows = [row for row in selection.segments if row["split"] == split]
    found: list[Row] = []
    with writers.open("keypoints", split) as writer:
        for video_id, of_video in groupby(rows, key=lambda row: str(row["video_id"])):
            video = link_segments(
                list(of_video),
                _checked(inputs.keypoints_of(video_id), video_id, writers.schemas["keypoints"]),
                video=selection.video_rows[video_id],
                first_row=writer.row_count,
            )
            writer.write(video.keypoints)
            found += video.segments
            linked.without_keypoints += video.without_keypoints
            linked.shortened += video.shortened
    if found:
        linked.segments[split], linked.keypoint_rows[split] = found, writer.row_count
    else:
        for path in writers.data.glob(f"keypoints-{split}-*"):
            path.unlink()


def _checked(keypoints: pa.Table, video_id: str, wanted: pa.Schema) -> pa.Table:
    if not any(keypoints.schema.equals(s, check_metadata=False) for s in (KEYPOINTS.schema, WIDE_KEYPOINTS_SCHEMA)):
        raise DamagedTableError(
            f"keypoints of {video_id}: the columns are not those of this version of pressroom; delete that part"
        )
    return keypoints.select(wanted.names)


def _check_not_empty(linked: _Linked, left_out: Counter[str]) -> None:
    if not linked.segments:
        told = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "none was verified yet"
        raise InvalidReleaseError(
            f"no segment to publish ({told}): verify candidates, and declare who is in the videos"
        )
