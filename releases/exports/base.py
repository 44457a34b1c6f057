"""What the exports share: the release as they read it, what they are asked for, and what they tell."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from releases.reader import Keypoints, Release, open_release
from releases.tables.columns import SCHEMA_VERSION
from schema.errors import InvalidReleaseError, UsageError
from schema.records import KEYPOINT_COUNT
from schema.taxonomy import Taxonomy, load_taxonomy

Row = dict[str, Any]
CHUNK_ROWS = 4096
"""Rows of keypoints that are held at once where a whole track is written."""
NS_PER_MS = 1_000_000
UNCLASSIFIED = "unclassified movement"
"""What a segment without a class is called where a tool needs a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What to write."""

    splits: tuple[str, ...] = ()
    """Splits to take; empty: all that the release has."""
    layout: str = ""
    """Keypoint layout (``schema.layouts.LAYOUTS``); empty: wholebody133."""
    xsub: bool = False
    """Call the splits xsub_train, xsub_val and xsub_test."""
    every: int = 0
    """Take every so many frames of a segment; 0: the format's own choice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written."""

    segments: int
    files: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    """What the format can't hold, count by reason."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackRun:
    """Rows of *keypoints* of one split that follow each other and are of one track."""

    video_id: str
    track_number: int
    first_row: int
    row_count: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReleaseSource:
    """A release as the exports read it."""

    release: Release
    name: str
    """``<name>-<version>``."""
    licence: str
    taxonomy: Taxonomy
    splits: tuple[str, ...]
    """Those that are exported, ``train`` first."""

    @classmethod
    def opened(cls, folder: Path, *, splits: tuple[str, ...]) -> "ReleaseSource":
        """Open a release's folder.

        Raises ``InvalidReleaseError`` where it is none, or of another schema, and ``UsageError`` for a split that it
        does not have.
        """
        manifest = _manifest(folder)
        try:
            release = open_release(folder)
        except (FileNotFoundError, ValueError) as error:
            raise InvalidReleaseError(str(error)) from error
        strange = [split for split in splits if split not in release.splits]
        if strange:
            raise UsageError(f"no split {strange[0]!r} in {folder}; there are {', '.join(release.splits)}")
        return cls(
            release=release,
            name=f"{manifest['name']}-{manifest['version']}",
            licence=manifest["license"],
            taxonomy=load_taxonomy(manifest["recipe"]["taxonomy"]),
            splits=tuple(split for split in release.splits if not splits or split in splits),
        )

    def segments(self, split: str) -> list[Row]:
        """Return the segments of a split by their place in *keypoints*, so that reading them goes forward."""
        rows = self.table("segments", split)
        return sorted(rows, key=lambda s: (s["keypoints_first_row"], s["keypoints_row_count"], s["segment_id"]))

    def segments_by_video(self, split: str) -> dict[str, list[Row]]:
        """Return the segments of each video that has any, by video id."""
        found: dict[str, list[Row]] = {}
        for segment in sorted(self.segments(split), key=lambda s: str(s["video_id"])):
            found.setdefault(segment["video_id"], []).append(segment)
        return found

    def videos(self, split: str) -> dict[str, Row]:
        """Return the videos of a split by id; asking for one that is not there raises ``InvalidReleaseError``."""
        found = _Known(f"{self.release.folder}: videos-{split} has no")
        found.update({row["video_id"]: row for row in self.table("videos", split)})
        return found

    def table(self, name: str, split: str) -> list[Row]:
        """Return the rows of a small table of a split."""
        with _reading(self.release.folder):
            rows: list[Row] = self.release.table(name, split).to_pylist()
            return rows

    def keypoints(self, segment: Row) -> Keypoints:
        """Return the keypoints of a segment."""
        with _reading(self.release.folder):
            return self.release.keypoints(segment)

    def keypoint_rows(self, split: str, first_row: int, row_count: int) -> Keypoints:
        """Return a run of rows of *keypoints*."""
        with _reading(self.release.folder):
            return self.release.keypoint_rows(split, first_row, row_count)

    def canonical(self, keypoints: Keypoints) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return positions ``(frames, 133, 2)`` and scores ``(frames, 133)``; NaN and 0 for points that it lacks."""
        frames = keypoints.values.shape[0]
        values = np.full((frames, KEYPOINT_COUNT, 3), np.nan, np.float32)
        values[..., 2] = 0
        values[:, self.release.point_numbers] = keypoints.values
        return values[..., :2], values[..., 2]

    def track_runs(self, split: str) -> Iterator[TrackRun]:
        """Find where each track lies in *keypoints*; only the columns that tell it are read, a row group at a time."""
        key: tuple[str, int] | None = None
        first, row = 0, 0
        for path in sorted((self.release.folder / "data").glob(f"keypoints-{split}-*.parquet")):
            with _reading(self.release.folder), pq.ParquetFile(path, memory_map=True) as file:
                for group in range(file.metadata.num_row_groups):
                    for start, found in _changes(file, group):
                        if found != key:
                            if key is not None:
                                yield _run(key, first, row + start)
                            key, first = found, row + start
                    row += file.metadata.row_group(group).num_rows
        if key is not None:
            yield _run(key, first, row)


class _Known(dict[str, Row]):
    """Rows by id; the words are of an id that is not there."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def __missing__(self, key: str) -> Row:
        raise InvalidReleaseError(
            f"{self._words} {key!r}, which a segment names; `pressroom release validate` tells more"
        )


@contextmanager
def _reading(folder: Path) -> Iterator[None]:
    """Turn what the reader and pyarrow raise at a damaged table into ``InvalidReleaseError``."""
    try:
        yield
    except (pa.ArrowException, ValueError, KeyError, IndexError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the machine's error; one without a number is pyarrow's word for a file that it can't decode
        words = (str(error).splitlines() or [type(error).__name__])[0]
        raise InvalidReleaseError(
            f"{folder}: its tables can't be read ({words}); `pressroom release validate {folder}` tells more"
        ) from error


def _run(key: tuple[str, int], first: int, end: int) -> TrackRun:
    return TrackRun(video_id=key[0], track_number=key[1], first_row=first, row_count=end - first)


def _changes(file: pq.ParquetFile, group: int) -> list[tuple[int, tuple[str, int]]]:
    """Return the rows of a row group at which another track begins, the first one included."""
    table = file.read_row_group(group, columns=["video_id", "track_number"], use_threads=False).combine_chunks()
    if not table.num_rows:
        return []
    videos = table["video_id"].combine_chunks().dictionary_encode()
    numbers = table["track_number"].to_numpy()
    codes = videos.indices.to_numpy()
    begins = np.flatnonzero((np.diff(codes) != 0) | (np.diff(numbers) != 0)) + 1
    return [(int(k), (videos.dictionary[int(codes[k])].as_py(), int(numbers[k]))) for k in (0, *begins)]


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["schema_version"]
        _ = manifest["name"], manifest["version"], manifest["license"], manifest["recipe"]["taxonomy"]
    except FileNotFoundError as error:
        raise InvalidReleaseError(f"{folder} is not a release: it has no manifest.json") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidReleaseError(f"{path} can't be read: restore the release from where you got it") from error
    if version != SCHEMA_VERSION:
        raise InvalidReleaseError(
            f"{folder} has tables of schema {version}, and exports read schema {SCHEMA_VERSION}: publish it anew"
        )
    return manifest


def whole_clip(segment: Row) -> bool:
    """Tell whether a segment's label is of the whole recording, with no edges of its own."""
    return segment["start_ns"] is None or segment["end_ns"] is None


def video_rate(video: Row) -> Fraction:
    """Return the frames per second of a video."""
    return Fraction(video["average_rate_numerator"], video["average_rate_denominator"])


def span_ms(segment: Row, video: Row) -> tuple[int, int]:
    """Return a segment's edges rounded to milliseconds, 1 ms long at least; a whole recording's are its ends."""
    if whole_clip(segment):
        return 0, max(1, round(Fraction(video["duration_ns"], NS_PER_MS)))
    start, end = (round(Fraction(segment[edge], NS_PER_MS)) for edge in ("start_ns", "end_ns"))
    return start, max(end, start + 1)


def person_of(segment: Row) -> str:
    """Return who a segment shows: the subject, or the track where nobody declared who it is."""
    return segment["subject_id"] or f"track{segment['track_number']}"


def in_lanes(spans: list[tuple[int, int]]) -> list[int]:
    """Give each of some spans, sorted by start, the first lane in which it overlaps no other."""
    ends: list[int] = []
    lanes = []
    for start, end in spans:
        lane = next((k for k, taken in enumerate(ends) if taken <= start), len(ends))
        ends[lane : lane + 1] = [end]
        lanes.append(lane)
    return lanes


def one_line(text: str) -> str:
    """Put words on one line: tabs and line breaks become spaces."""
    return re.sub(r"\s+", " ", text).strip()


def counted(reasons: Counter[str]) -> dict[str, int]:
    """Return counts that are not 0, by reason in alphabetical order."""
    return {reason: count for reason, count in sorted(reasons.items()) if count}
