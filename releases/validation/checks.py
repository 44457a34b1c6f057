"""What must hold between the tables of a release; each check returns findings and looks at nothing but the tables."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from releases.config import Profile
from releases.facts import Row, count_classes, count_split
from releases.tables.columns import TABLES, schema_of
from releases.tables.linking import longest_interval_ns
from schema.timespan import NS_PER_SECOND

ROW_GROUP_BYTES = 100 * 2**20
"""Largest row group, uncompressed: the Hub's viewer and streaming readers load one whole."""
KEYPOINT_KEYS = ["video_id", "track_number", "frame_index", "time_ns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a release."""

    check: str
    """Which check found it, one word."""
    file: str
    detail: str

    def __str__(self) -> str:
        """Tell it in one line."""
        return f"{self.file}: {self.check}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SplitContents:
    """The tables of one split; of *keypoints* only the key columns."""

    split: str
    segments: list[Row]
    votes: list[Row]
    videos: list[Row]
    subjects: list[Row]
    unlabelled: list[Row]
    keypoints: pa.Table

    @property
    def segments_file(self) -> str:
        """Name the file for findings."""
        return f"data/segments-{self.split}"


def check_shards(paths: list[Path], *, table: str, profile: Profile) -> list[Finding]:
    """Check columns, row group sizes, and that every value can be read; keypoints have a position where a score is."""
    findings: list[Finding] = []
    for path in paths:
        file = f"data/{path.name}"
        with pq.ParquetFile(path, memory_map=True) as shard:
            wanted = [schema_of(table, profile=profile, wide=wide) for wide in (False, True)]
            if not any(shard.schema_arrow.equals(schema, check_metadata=False) for schema in wanted):
                findings.append(Finding(check="schema", file=file, detail=f"the columns are not those of {table}"))
                continue
            for group in range(shard.num_row_groups):
                if shard.metadata.row_group(group).total_byte_size > ROW_GROUP_BYTES:
                    findings.append(Finding(check="schema", file=file, detail=f"row group {group} is over 100 MiB"))
                rows = shard.read_row_group(group, use_threads=False)
                if table == "keypoints" and _has_bodiless_score(rows):
                    detail = f"row group {group} has points with a score but no position, or the reverse"
                    findings.append(Finding(check="keypoints", file=file, detail=detail))
    return findings


def _has_bodiless_score(rows: pa.Table) -> bool:
    for name in (name for name in rows.column_names if name.endswith("_score")):
        scored = pc.greater(rows[name], 0)
        for axis in ("x", "y"):
            position = rows[name.removesuffix("score") + axis]
            if pc.any(pc.xor(scored, position.is_valid())).as_py():
                return True
    return False


def read_split(shards: dict[str, list[Path]], split: str) -> SplitContents:
    """Read the tables of one split from their shards, by table."""

    def rows(table: str) -> list[Row]:
        return [row for path in shards[table] for row in pq.read_table(path).to_pylist()]

    keypoints = pa.concat_tables([pq.read_table(path, columns=KEYPOINT_KEYS) for path in shards["keypoints"]])
    return SplitContents(
        split=split,
        segments=rows("segments"),
        votes=rows("votes"),
        videos=rows("videos"),
        subjects=rows("subjects"),
        unlabelled=rows("unlabelled"),
        keypoints=keypoints,
    )


def check_keys(contents: list[SplitContents]) -> Iterator[Finding]:
    """Check that every key is there once, in all splits together."""
    keys_of = (
        ("segments", "segment_id"),
        ("votes", "vote_id"),
        ("videos", "video_id"),
        ("subjects", "subject_id"),
        ("unlabelled", "window_id"),
    )
    for table, key in keys_of:
        counts = Counter(row[key] for one in contents for row in getattr(one, table))
        repeated = sum(count > 1 for count in counts.values())
        if repeated:
            yield Finding(check="keys", file=f"data/{table}", detail=f"{repeated} value(s) of {key} come twice")
    for one in contents:
        frames = one.keypoints["frame_index"].to_numpy()
        runs = _track_runs(one.keypoints)
        keys = [key for key, _ in runs]
        rises = all(bool(np.all(np.diff(frames[rows]) > 0)) for _, rows in runs)
        if not rises or any(later <= earlier for earlier, later in pairwise(keys)):
            detail = "rows are not in order of video, track and frame, or a frame of a track comes twice"
            yield Finding(check="keys", file=f"data/keypoints-{one.split}", detail=detail)


def check_joins(one: SplitContents) -> Iterator[Finding]:
    """Check that the tables of a split find each other, and name their own split."""
    videos = {row["video_id"]: row for row in one.videos}
    held = set(pc.unique(one.keypoints["video_id"]).to_pylist())
    segments = {row["segment_id"]: row["video_id"] for row in one.segments}
    for table in ("segments", "votes", "videos", "subjects", "unlabelled"):
        rows: list[Row] = getattr(one, table)
        file = f"data/{table}-{one.split}"
        if any(row["split"] != one.split for row in rows):
            yield Finding(check="joins", file=file, detail="the column split is not the file's")
        if table != "subjects" and any(row["video_id"] not in videos for row in rows):
            yield Finding(check="joins", file=file, detail="a row names a video that is not in videos")
    if {row["video_id"] for row in (*one.segments, *one.unlabelled)} != videos.keys() or held != videos.keys():
        detail = "segments with windows, keypoints and videos are not about the same videos"
        yield Finding(check="joins", file=f"data/videos-{one.split}", detail=detail)
    outcomes = ((row["match_outcome"], videos.get(row["video_id"], row)["match_outcome"]) for row in one.segments)
    if any(of_segment != of_video for of_segment, of_video in outcomes):
        yield Finding(check="joins", file=one.segments_file, detail="a match_outcome is not that of the video")
    yield from _check_subjects(one)
    named = [row for row in one.votes if row["segment_id"] is not None]
    if any(segments.get(row["segment_id"]) != row["video_id"] for row in named):
        detail = "a vote names a segment that is not there or is of another video"
        yield Finding(check="joins", file=f"data/votes-{one.split}", detail=detail)
    classes = {(row["class_id"], row["class_number"], row["class_name"], row["group"]) for row in one.segments}
    if len({class_id for class_id, *_ in classes}) < len(classes):
        yield Finding(check="joins", file=one.segments_file, detail="one class has two numbers, names or groups")


def _check_subjects(one: SplitContents) -> Iterator[Finding]:
    named = {row["subject_id"] for row in (*one.segments, *one.unlabelled)} - {None}
    counts = Counter(row["subject_id"] for row in one.segments)
    file = f"data/subjects-{one.split}"
    if named != {row["subject_id"] for row in one.subjects}:
        yield Finding(check="joins", file=file, detail="its people are not those of the segments and windows")
    elif any(row["segment_count"] != counts[row["subject_id"]] for row in one.subjects):
        yield Finding(check="counts", file=file, detail="a segment_count is not the number of the person's segments")


def check_spans(one: SplitContents) -> Iterator[Finding]:
    """Check that each segment lies in its track and that exactly the keypoints in its span are linked to it."""
    track_rows = dict(_track_runs(one.keypoints))
    frames = one.keypoints["frame_index"].to_numpy()
    times_ns = one.keypoints["time_ns"].to_numpy()
    nominal_ns = {
        row["video_id"]: NS_PER_SECOND * row["average_rate_denominator"] // max(row["average_rate_numerator"], 1)
        for row in one.videos
    }
    for rows, file in ((one.segments, one.segments_file), (one.unlabelled, f"data/unlabelled-{one.split}")):
        wrong: Counter[str] = Counter()
        for row in rows:
            track = track_rows.get((row["video_id"], row["track_number"]))
            of_track = times_ns[track] if track is not None else times_ns[:0]
            nominal = nominal_ns.get(row["video_id"], 0)
            told = _span_fault(row, track, of_track, frames, nominal_ns=nominal)
            wrong.update([told] if told else [])
        for detail, count in wrong.items():
            yield Finding(check="spans", file=file, detail=f"{count} {detail}")


def _span_fault(
    row: Row, track: slice | None, of_track: npt.NDArray[np.int64], frames: npt.NDArray[np.int32], *, nominal_ns: int
) -> str | None:
    """Say what is wrong with a segment's or window's place in its track; ``frames`` are those of the whole split."""
    if track is None:
        return "have no keypoints of their track"
    first, end = track.start, track.stop
    if (row["start_ns"] is None) != (row["end_ns"] is None):
        return "have one edge without the other"
    if row["start_ns"] is not None:
        first, end = np.searchsorted(of_track, [row["start_ns"], row["end_ns"]]) + track.start
        latest_ns = int(of_track[-1]) + longest_interval_ns(of_track, nominal_ns=nominal_ns)
        if not of_track[0] <= row["start_ns"] < row["end_ns"] <= latest_ns:
            return "reach beyond their track"
    if (row["keypoints_first_row"], row["keypoints_row_count"]) != (first, end - first) or first == end:
        return "point to keypoints outside their span"
    if (row["first_frame"], row["end_frame"]) != (frames[first], frames[end - 1] + 1):
        return "name frames that are not those of their keypoints"
    return None


def _track_runs(keypoints: pa.Table) -> list[tuple[tuple[str, int], slice]]:
    """Return the runs of rows of one track, by (video id, track number), in the order of the table."""
    if keypoints.num_rows == 0:
        return []
    videos = pa.array(keypoints["video_id"].combine_chunks()).dictionary_encode()
    codes, tracks = videos.indices.to_numpy(), keypoints["track_number"].to_numpy()
    starts = np.flatnonzero(np.append(True, (np.diff(codes) != 0) | (np.diff(tracks) != 0)))
    ends = np.append(starts[1:], tracks.size)
    return [
        ((videos[int(s)].as_py(), int(tracks[s])), slice(int(s), int(e))) for s, e in zip(starts, ends, strict=True)
    ]


def check_splits(contents: list[SplitContents], *, locked: dict[str, str]) -> Iterator[Finding]:
    """Check that no person and no video is on two sides, that val and test hold known people, and the lock."""
    tables = {
        "subject_id": ("segments", "unlabelled"),
        "video_id": ("segments", "unlabelled"),
        "recording_id": ("videos",),
    }
    for key, names in tables.items():
        sides: dict[str, set[str]] = {}
        for one in contents:
            for row in (row for name in names for row in getattr(one, name)):
                if row[key] is not None:
                    sides.setdefault(row[key], set()).add(one.split)
        torn = sum(len(splits) > 1 for splits in sides.values())
        if torn:
            file = f"data/{names[0]}"
            yield Finding(check="splits", file=file, detail=f"{torn} value(s) of {key} are in two splits")
    for one in contents:
        unknown = sum(row["subject_id"] is None for row in (*one.segments, *one.unlabelled))
        if unknown and one.split != "train":
            detail = f"{unknown} segment(s) or window(s) of unknown people in {one.split}"
            yield Finding(check="unknown_subjects", file=one.segments_file, detail=detail)
    found = {row["subject_id"]: one.split for one in contents for row in one.subjects}
    if found != locked:
        yield Finding(check="splits", file="splits.lock", detail="it does not name each subject with its split")


def counts_of(contents: list[SplitContents]) -> dict[str, Any]:
    """Count again what the manifest and the card tell."""
    counts = {
        one.split: count_split(
            one.segments, one.votes, one.videos, one.unlabelled, keypoint_rows=one.keypoints.num_rows
        )
        for one in contents
    }
    return {"counts": counts, "class_counts": count_classes({one.split: one.segments for one in contents})}


def shards_in(folder: Path) -> tuple[dict[str, dict[str, list[Path]]], list[Finding]]:
    """List the shards by split and table, and what is missing or has a name that no shard has."""
    shards: dict[str, dict[str, list[Path]]] = {}
    findings: list[Finding] = []
    for path in sorted((folder / "data").iterdir()) if (folder / "data").is_dir() else []:
        table, _, rest = path.stem.partition("-")
        split, _, numbers = rest.partition("-")
        if path.suffix != ".parquet" or table not in TABLES or not numbers:
            findings.append(Finding(check="files", file=f"data/{path.name}", detail="not a file of a release"))
            continue
        shards.setdefault(split, {}).setdefault(table, []).append(path)
    for split, tables in shards.items():
        for table in TABLES:
            names = [path.stem for path in tables.get(table, [])]
            wanted = [f"{table}-{split}-{n:05d}-of-{len(names):05d}" for n in range(len(names))]
            if not names or names != wanted:
                findings.append(Finding(check="files", file=f"data/{table}-{split}", detail="a file is missing"))
    if not shards:
        findings.append(Finding(check="files", file="data", detail="there are no tables"))
    return shards, findings
