"""Records to Arrow rows and back, one pair of functions a table."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schema.arrow import (
    CANDIDATES,
    FRAMES,
    KEYPOINTS,
    SEGMENTS,
    SHOTS,
    TRACKS,
    VIDEOS,
    TableSpec,
)
from schema.keypoint_columns import keypoint_arrays, keypoint_columns
from schema.proposed import Judged, Source
from schema.records import (
    Candidate,
    FrameTimes,
    KeypointSequence,
    Part,
    Shot,
    Track,
    VerifiedSegment,
    VideoFlag,
    VideoId,
    VideoRecord,
)
from schema.timespan import TimeSpan

BOX_COLUMNS = ("box_x1", "box_y1", "box_x2", "box_y2")
Row = dict[str, Any]


def table_of(spec: TableSpec, rows: Iterable[Row]) -> pa.Table:
    """Build a table with the spec's exact columns; a missing or surplus key raises ``KeyError``."""
    rows = list(rows)
    names = set(spec.schema.names)
    for row in rows:
        if row.keys() != names:
            raise KeyError(f"table {spec.name}: columns differ: {sorted(names.symmetric_difference(row.keys()))}")
    # pyarrow looks whether values are of pandas, and imports it for that where it is installed: 0.2 s
    return pa.Table.from_pylist(rows, schema=spec.schema) if rows else spec.schema.empty_table()


def _plain(record: object, *, leave_out: Sequence[str] = ()) -> Row:
    return {f.name: getattr(record, f.name) for f in fields(record) if f.name not in leave_out}  # type: ignore[arg-type]


def _span_row(span: TimeSpan) -> Row:
    return {"start_ns": span.start_ns, "end_ns": span.end_ns}


def _span(row: Row) -> TimeSpan:
    return TimeSpan(start_ns=row["start_ns"], end_ns=row["end_ns"])


def _box(row: Row) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (row[name] for name in BOX_COLUMNS)
    return x1, y1, x2, y2


def videos_to_rows(videos: Iterable[VideoRecord]) -> pa.Table:
    """Turn video records into rows of *videos*."""
    return table_of(VIDEOS, (_video_row(v) for v in videos))


def _video_row(video: VideoRecord) -> Row:
    row = _plain(video, leave_out=("average_rate", "header_rate", "flags"))
    for name in ("average_rate", "header_rate"):
        rate: Fraction = getattr(video, name)
        row[f"{name}_numerator"], row[f"{name}_denominator"] = rate.numerator, rate.denominator
    return row | {"flags": ",".join(sorted(video.flags))}


def videos_from_rows(table: pa.Table) -> list[VideoRecord]:
    """Read video records back."""
    return [_video(row) for row in table.to_pylist()]


def _video(row: Row) -> VideoRecord:
    for name in ("average_rate", "header_rate"):
        row[name] = Fraction(row.pop(f"{name}_numerator"), row.pop(f"{name}_denominator"))
    row["flags"] = tuple(VideoFlag(flag) for flag in row["flags"].split(",") if flag)
    return VideoRecord(**row)


def frame_times_to_rows(times: FrameTimes) -> pa.Table:
    """Turn the frame times of one video into rows of *frames*."""
    count = times.times_ns.shape[0]
    ends_ns = np.append(times.times_ns[1:], np.int64(times.end_ns))
    columns = [
        pa.array(np.arange(count, dtype=np.int32)),
        pa.array(times.pts),
        pa.array(times.times_ns),
        pa.array(ends_ns),
        pa.array(times.flags),
        pa.array(np.full(count, times.time_base.numerator, dtype=np.int64)),
        pa.array(np.full(count, times.time_base.denominator, dtype=np.int64)),
        pa.array([times.sha256] * count),
    ]
    return pa.Table.from_arrays(columns, schema=FRAMES.schema)


def frame_times_from_rows(table: pa.Table, *, video_id: VideoId) -> FrameTimes:
    """Read the frame times of one video back."""
    return FrameTimes(
        video_id=video_id,
        sha256=table["sha256"][0].as_py(),
        time_base=Fraction(table["time_base_numerator"][0].as_py(), table["time_base_denominator"][0].as_py()),
        pts=table["pts"].to_numpy(),
        times_ns=table["time_ns"].to_numpy(),
        flags=table["time_flag"].to_numpy(),
        end_ns=table["end_ns"][-1].as_py(),
    )


def shots_to_rows(shots: Iterable[Shot]) -> pa.Table:
    """Turn shots into rows of *shots*."""
    return table_of(SHOTS, (_plain(s, leave_out=("span",)) | _span_row(s.span) for s in shots))


def shots_from_rows(table: pa.Table) -> list[Shot]:
    """Read shots back."""
    return [
        Shot(
            video_id=VideoId(row["video_id"]),
            shot_number=row["shot_number"],
            first_frame=row["first_frame"],
            end_frame=row["end_frame"],
            span=_span(row),
        )
        for row in table.to_pylist()
    ]


def track_to_rows(track: Track) -> pa.Table:
    """Turn one track into rows of *tracks*."""
    count = track.frame_indices.shape[0]
    columns = [
        pa.array([track.video_id] * count),
        pa.array(np.full(count, track.track_number, dtype=np.int32)),
        pa.array(np.full(count, track.shot_number, dtype=np.int32)),
        pa.array(track.frame_indices),
        pa.array(track.times_ns),
        *(pa.array(np.ascontiguousarray(track.boxes_xyxy[:, side])) for side in range(4)),
        pa.array(track.scores),
    ]
    return pa.Table.from_arrays(columns, schema=TRACKS.schema)


def _groups(table: pa.Table) -> list[pa.Table]:
    """Part the rows by track number, without a copy where each track's rows stand together."""
    numbers = table["track_number"].to_numpy()
    starts = np.flatnonzero(np.r_[True, np.diff(numbers) != 0]) if numbers.size else np.empty(0, np.int64)
    found = np.unique(numbers)
    if found.size < starts.size:
        return [table.filter(pc.equal(table["track_number"], int(n))) for n in found]
    ends = np.append(starts[1:], numbers.size)
    return [table.slice(starts[k], ends[k] - starts[k]) for k in np.argsort(numbers[starts])]


def tracks_from_rows(table: pa.Table) -> list[Track]:
    """Read the tracks of one video back, by track number."""
    return [_track(rows) for rows in _groups(table)]


def _track(rows: pa.Table) -> Track:
    return Track(
        video_id=VideoId(rows["video_id"][0].as_py()),
        track_number=rows["track_number"][0].as_py(),
        shot_number=rows["shot_number"][0].as_py(),
        frame_indices=rows["frame_index"].to_numpy(),
        times_ns=rows["time_ns"].to_numpy(),
        boxes_xyxy=np.stack([rows[side].to_numpy() for side in ("x1", "y1", "x2", "y2")], axis=1),
        scores=rows["score"].to_numpy(),
    )


WIDE_KEYPOINTS_SCHEMA = pa.schema(
    [f.with_type(pa.int32()) if pa.types.is_int16(f.type) else f for f in KEYPOINTS.schema]
)
"""*keypoints* of a picture larger than 2047 px."""


def keypoints_to_rows(sequence: KeypointSequence) -> pa.Table:
    """Turn one track's keypoints into rows of *keypoints*, rounded to 1/16 px and 1/255.

    Positions are int16; where one lies beyond 2047 px (pictures larger than that) all of them are int32. On disk the
    two are the same: Parquet packs both as INT32 deltas.
    """
    count = sequence.frame_indices.shape[0]
    points, fits = keypoint_columns(sequence.keypoints_xy, sequence.scores)
    columns = [
        pa.array([sequence.video_id] * count),
        pa.array(np.full(count, sequence.track_number, dtype=np.int32)),
        pa.array(sequence.frame_indices),
        pa.array(sequence.times_ns),
        pa.array(sequence.interpolated),
        *(pa.array(np.ascontiguousarray(sequence.parts_seen[:, part])) for part in Part),
    ]
    columns += points
    return pa.Table.from_arrays(columns, schema=KEYPOINTS.schema if fits else WIDE_KEYPOINTS_SCHEMA)


def keypoints_from_rows(table: pa.Table) -> list[KeypointSequence]:
    """Read the keypoint sequences of one video back, by track number."""
    return [_sequence(rows) for rows in _groups(table)]


def keypoint_rows_by_track(table: pa.Table) -> dict[int, pa.Table]:
    """Part the rows of *keypoints* of one video by track number, for whoever reads a track piece by piece."""
    return {rows["track_number"][0].as_py(): rows for rows in _groups(table)}


def _sequence(rows: pa.Table) -> KeypointSequence:
    keypoints_xy, scores = keypoint_arrays(rows)
    return KeypointSequence(
        video_id=VideoId(rows["video_id"][0].as_py()),
        track_number=rows["track_number"][0].as_py(),
        frame_indices=rows["frame_index"].to_numpy(),
        times_ns=rows["time_ns"].to_numpy(),
        keypoints_xy=keypoints_xy,
        scores=scores,
        parts_seen=np.stack([rows[f"{part.name.lower()}_seen"].to_numpy() for part in Part], axis=1),
        interpolated=rows["interpolated"].to_numpy(),
    )


_JUDGED = tuple(f.name for f in fields(Judged))


def candidates_to_rows(candidates: Iterable[Candidate]) -> pa.Table:
    """Turn candidates into rows of *candidates*."""
    return table_of(CANDIDATES, (_candidate_row(c) for c in candidates))


def _candidate_row(candidate: Candidate) -> Row:
    row = _plain(candidate, leave_out=("span", "box_xyxy", "sources", "judged"))
    judged = candidate.judged
    return (
        row
        | _span_row(candidate.span)
        | dict(zip(BOX_COLUMNS, candidate.box_xyxy, strict=True))
        | {"sources": [asdict(source) for source in candidate.sources] or None}
        | {name: judged and getattr(judged, name) for name in _JUDGED}
    )


def candidates_from_rows(table: pa.Table) -> list[Candidate]:
    """Read candidates back, those of an older version too: it had no models."""
    return [_candidate(row) for row in conformed(CANDIDATES, table).to_pylist()]


def _candidate(row: Row) -> Candidate:
    kept = ("candidate_id", "video_id", "track_number", "class_id", "evidence", "proposer", "score", "reason")
    judged = None
    if row["probability"] is not None:
        judged = Judged(
            probability=row["probability"],
            uncertainty=row["uncertainty"],
            embedding=tuple(row["embedding"] or ()),
        )
    return Candidate(
        **{name: row[name] for name in kept},
        span=_span(row),
        box_xyxy=_box(row),
        sources=tuple(Source(**source) for source in row["sources"] or ()),
        judged=judged,
    )


def segments_to_rows(segments: Iterable[VerifiedSegment]) -> pa.Table:
    """Turn verified segments into rows of *segments*."""
    return table_of(SEGMENTS, (_plain(s, leave_out=("span",)) | _span_row(s.span) for s in segments))


def segments_from_rows(table: pa.Table) -> list[VerifiedSegment]:
    """Read verified segments back."""
    kept = [f.name for f in fields(VerifiedSegment) if f.name != "span"]
    return [VerifiedSegment(**{name: row[name] for name in kept}, span=_span(row)) for row in table.to_pylist()]


def conformed(spec: TableSpec, table: pa.Table) -> pa.Table:
    """Give rows that an older version recorded the spec's columns: those that came later are null.

    Raises ``ValueError`` where a column that may not be null is missing, is of another type, or is unknown: the rows
    are of another table, or of a newer version.
    """
    if table.schema == spec.schema:
        return table
    unknown = set(table.schema.names) - set(spec.schema.names)
    if unknown:
        raise ValueError(f"it has the column {sorted(unknown)[0]!r}, which this version does not know")
    there = set(table.schema.names)
    columns = []
    for field in spec.schema:
        if field.name in there:
            columns.append(table[field.name])
        elif field.nullable:
            columns.append(pa.nulls(table.num_rows, field.type))
        else:
            raise ValueError(f"it lacks the column {field.name!r}")
    rows = pa.Table.from_arrays(columns, names=spec.schema.names)
    if rows.schema.types != spec.schema.types:
        raise ValueError("a column is of another type")
    return pa.Table.from_arrays(columns, schema=spec.schema)


def concatenated(
    spec: TableSpec, tables: Iterable[pa.Table], *, order: Callable[[pa.Table], pa.Table] | None = None
) -> pa.Table:
    """Join tables of one spec; no table at all gives the empty one."""
    # `schema.empty_table()` would import pandas where it is installed: a second or more for an idle command
    empty = pa.Table.from_batches([], schema=spec.schema)
    whole = pa.concat_tables([empty, *tables], promote_options="permissive")
    return order(whole) if order else whole
