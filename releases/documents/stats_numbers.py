"""The numbers of a release's statistics page, counted from its own tables as anybody could.

Of *keypoints* only the ids and the masks are read, a batch at a time: memory does not grow with the release.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from releases.reader import Release, open_release
from schema.errors import InvalidReleaseError
from schema.timespan import NS_PER_SECOND

Row = dict[str, Any]
Place = tuple[str, int]
"""Video id and track number."""

UNCLASSIFIED = "Unclassified movement"
PERCENTILES = (5, 25, 50, 75, 95)
BATCH_ROWS = 65_536
_COLUMNS = {
    "segments": (
        "segment_id", "video_id", "subject_id", "track_number", "class_id", "class_number", "class_name", "group",
        "duration_seconds", "match_outcome", "description_by", "answer_count", "agreement", "posterior", "scripted",
        "proposer", "origin", "keypoints_first_row", "keypoints_row_count", "split",
    ),
    "videos": ("video_id", "average_rate_numerator", "average_rate_denominator", "match_outcome"),
    "unlabelled": ("video_id", "subject_id", "track_number", "start_ns", "end_ns", "quality", "movement"),
    "votes": ("scripted",),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitNumbers:
    """How much one split holds."""

    split: str
    subjects: int
    videos: int
    segments: int
    votes: int
    frames: int
    """Rows of *keypoints*."""
    skeleton_seconds: float
    """Frames over the average rate of their video."""
    parts_seen: dict[str, float]
    """Share of the frames in which each body part was seen."""
    windows: int
    """Windows without a segment."""
    window_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassNumbers:
    """How common one class is."""

    class_id: str
    """Empty: an unclassified movement."""
    number: int | None
    name: str
    group: str
    counts: dict[str, int]
    """By split."""
    total: int
    share: float
    """Of all segments."""
    median_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupNumbers:
    """How long the gestures of one body-part group take."""

    group: str
    segments: int
    """Those with a span."""
    percentiles: tuple[float, ...]
    """``PERCENTILES`` of their seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectNumbers:
    """What there is of one person."""

    subject_id: str
    split: str
    videos: int
    segments: int
    windows: int
    skeleton_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Binned:
    """Counts of values between edges; the last edge belongs to the last bin."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int = 0
    """Rows without a value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseStats:
    """All numbers of the page."""

    splits: tuple[SplitNumbers, ...]
    classes: tuple[ClassNumbers, ...]
    """The commonest first."""
    durations: tuple[GroupNumbers, ...]
    segments_without_span: int
    subjects: tuple[SubjectNumbers, ...]
    """Most segments first."""
    posterior: Binned
    agreement: Binned
    answers: dict[str, int]
    """Segments by how many answers were counted."""
    scripted_segments: int
    scripted_votes: int
    descriptions: dict[str, int]
    """Segments by who wrote their description."""
    proposers: dict[str, int]
    origins: dict[str, int]
    outcomes: dict[str, int]
    """Videos by match outcome; those without one are not counted."""
    window_quality: Binned
    window_movement: Binned


def measure_release(folder: Path) -> ReleaseStats:
    """Count a release.

    Raises:
        FileNotFoundError: The folder holds no release.
        InvalidReleaseError: A table can't be read, or lacks a column: another version of pressroom made it.
    """
    try:
        return _measured(folder)
    except pa.ArrowException as error:
        raise InvalidReleaseError(f"{folder}: a table can't be read; `pressroom release validate` names it") from error
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError) as error:
        raise InvalidReleaseError(f"{folder}: its manifest.json can't be read: restore the release") from error
    except ValueError as error:  # the reader's, for a release of another version
        raise InvalidReleaseError(str(error)) from error


def _measured(folder: Path) -> ReleaseStats:
    release = open_release(folder)
    rows = {table: {split: _rows(release, table, split) for split in release.splits} for table in _COLUMNS}
    tracks = {split: _tracks(release, folder, split, rows["videos"][split]) for split in release.splits}
    segments = [row for of_split in rows["segments"].values() for row in of_split]
    windows = [row for of_split in rows["unlabelled"].values() for row in of_split]
    spans = [row["duration_seconds"] for row in segments if row["duration_seconds"] is not None]
    return ReleaseStats(
        splits=tuple(
            _split(split, {table: rows[table][split] for table in rows}, tracks[split], release.part_names)
            for split in release.splits
        ),
        classes=tuple(_classes(segments, release.splits)),
        durations=tuple(_durations(segments)),
        segments_without_span=len(segments) - len(spans),
        subjects=tuple(_subjects(rows, tracks)),
        posterior=_binned([row["posterior"] for row in segments], np.linspace(0, 1, 21)),
        agreement=_binned([row["agreement"] for row in segments], np.linspace(0, 1, 21)),
        answers=dict(
            sorted(_counted(segments, lambda row: row["answer_count"]).items(), key=lambda item: int(item[0]))
        ),
        scripted_segments=sum(row["scripted"] for row in segments),
        scripted_votes=sum(row["scripted"] for of_split in rows["votes"].values() for row in of_split),
        descriptions=_counted(segments, lambda row: row["description_by"]),
        proposers=_counted(segments, lambda row: row["proposer"]),
        origins=_counted(segments, lambda row: row["origin"]),
        outcomes=_counted(
            [row for of_split in rows["videos"].values() for row in of_split if row["match_outcome"]],
            lambda row: row["match_outcome"],
        ),
        window_quality=_binned([row["quality"] for row in windows], np.linspace(0, 1, 21)),
        window_movement=_binned([row["movement"] for row in windows], np.geomspace(0.01, 10, 25)),
    )


def _rows(release: Release, table: str, split: str) -> list[Row]:
    """Read the columns that are counted; a table that the split has no file of is empty."""
    try:
        found = release.table(table, split)
    except KeyError:
        return []
    missing = sorted(set(_COLUMNS[table]) - set(found.column_names))
    if missing:
        raise InvalidReleaseError(
            f"{table}-{split} has no column {missing[0]!r}: another version of pressroom made this release"
        )
    rows: list[Row] = found.select(_COLUMNS[table]).to_pylist()
    return rows


@dataclass(frozen=True, slots=True)
class _Track:
    """What *keypoints* has of one person in one video."""

    frames: int
    seconds: float
    seen: npt.NDArray[np.int64]
    """Frames in which each part was seen, shape ``(parts,)``."""


def _tracks(release: Release, folder: Path, split: str, videos: list[Row]) -> dict[Place, _Track]:
    rates = {row["video_id"]: row["average_rate_numerator"] / row["average_rate_denominator"] for row in videos}
    masks = [f"{part}_seen" for part in release.part_names]
    counts: dict[Place, npt.NDArray[np.int64]] = defaultdict(lambda: np.zeros(1 + len(masks), dtype=np.int64))
    for batch in _batches(folder, split, ["video_id", "track_number", *masks]):
        # one thread: the order of the groups is the order in which the seconds are added up
        sums = batch.group_by(["video_id", "track_number"], use_threads=False).aggregate(
            [("track_number", "count"), *((name, "sum") for name in masks)]
        )
        numbers = np.stack([sums[name].to_numpy() for name in sums.column_names if name.endswith(("_count", "_sum"))])
        places = zip(sums["video_id"].to_pylist(), sums["track_number"].to_pylist(), strict=True)
        for place, column in zip(places, numbers.T, strict=True):
            counts[place] += column.astype(np.int64)
    return {
        place: _Track(frames=int(count[0]), seconds=float(count[0] / rates[place[0]]), seen=count[1:])
        for place, count in counts.items()
    }


def _batches(folder: Path, split: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    for path in sorted((folder / "data").glob(f"keypoints-{split}-*.parquet")):
        with pq.ParquetFile(path) as shard:
            for batch in shard.iter_batches(BATCH_ROWS, columns=list(columns)):
                yield pa.Table.from_batches([batch])


def _split(
    split: str, tables: dict[str, list[Row]], tracks: dict[Place, _Track], part_names: Sequence[str]
) -> SplitNumbers:
    frames = sum(track.frames for track in tracks.values())
    seen = sum((track.seen for track in tracks.values()), start=np.zeros(len(part_names), dtype=np.int64))
    windows = tables["unlabelled"]
    return SplitNumbers(
        split=split,
        subjects=len({row["subject_id"] for row in (*tables["segments"], *windows)} - {None}),
        videos=len(tables["videos"]),
        segments=len(tables["segments"]),
        votes=len(tables["votes"]),
        frames=frames,
        skeleton_seconds=sum((track.seconds for track in tracks.values()), start=0.0),
        parts_seen={
            name: float(count / frames) if frames else 0.0 for name, count in zip(part_names, seen, strict=True)
        },
        windows=len(windows),
        window_seconds=sum(row["end_ns"] - row["start_ns"] for row in windows) / NS_PER_SECOND,
    )


def _classes(segments: list[Row], splits: Sequence[str]) -> Iterator[ClassNumbers]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in segments:
        found[row["class_id"] or ""].append(row)
    for class_id, rows in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        seconds = [row["duration_seconds"] for row in rows if row["duration_seconds"] is not None]
        of_split = Counter(row["split"] for row in rows)
        yield ClassNumbers(
            class_id=class_id,
            number=rows[0]["class_number"],
            name=rows[0]["class_name"] or UNCLASSIFIED,
            group=rows[0]["group"] or UNCLASSIFIED,
            counts={split: of_split[split] for split in splits},
            total=len(rows),
            share=len(rows) / len(segments),
            median_seconds=round(float(np.median(seconds)), 4) if seconds else None,
        )


def _durations(segments: list[Row]) -> Iterator[GroupNumbers]:
    seconds: dict[str, list[float]] = defaultdict(list)
    for row in segments:
        if row["duration_seconds"] is not None:
            seconds[row["group"] or UNCLASSIFIED].append(row["duration_seconds"])
    for group, values in sorted(seconds.items(), key=lambda item: (item[0] == UNCLASSIFIED, -len(item[1]), item[0])):
        percentiles = tuple(round(float(value), 4) for value in np.percentile(values, PERCENTILES))
        yield GroupNumbers(group=group, segments=len(values), percentiles=percentiles)


def _subjects(rows: dict[str, dict[str, list[Row]]], tracks: dict[str, dict[Place, _Track]]) -> list[SubjectNumbers]:
    found = []
    for split in rows["segments"]:
        segments, windows = rows["segments"][split], rows["unlabelled"][split]
        places: dict[str, set[Place]] = defaultdict(set)
        for row in (*segments, *windows):
            places[row["subject_id"]].add((row["video_id"], row["track_number"]))
        segment_counts = Counter(row["subject_id"] for row in segments)
        window_counts = Counter(row["subject_id"] for row in windows)
        found += [
            SubjectNumbers(
                subject_id=subject_id,
                split=split,
                videos=len({video_id for video_id, _ in of_person}),
                segments=segment_counts[subject_id],
                windows=window_counts[subject_id],
                skeleton_seconds=sum(
                    tracks[split][place].seconds for place in sorted(of_person & tracks[split].keys())
                ),
            )
            for subject_id, of_person in places.items()
            if subject_id is not None
        ]
    return sorted(found, key=lambda row: (-row.segments, -row.skeleton_seconds, row.subject_id))


def _binned(values: Sequence[float | None], edges: npt.NDArray[np.float64]) -> Binned:
    """Count values; what lies beyond the edges counts in the outermost bin."""
    known = np.array([value for value in values if value is not None], dtype=np.float64)
    counts, _ = np.histogram(np.clip(known, edges[0], edges[-1]), edges)
    return Binned(
        edges=tuple(float(round(edge, 6)) for edge in edges),
        counts=tuple(int(count) for count in counts),
        missing=len(values) - len(known),
    )


def _counted(rows: Sequence[Row], key: Callable[[Row], object]) -> dict[str, int]:
    counts = Counter(str(key(row)) for row in rows)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
