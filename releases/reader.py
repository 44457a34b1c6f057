"""Read a pressroom release: one file that needs numpy and pyarrow alone and travels with the data.

    from reader import open_release

    release = open_release("micro-gestures-0.1.0")
    for segment in release.segments("train").to_pylist():
        keypoints = release.keypoints(segment)
        keypoints.values        # float32 (frames, points, 3): x px, y px, score; x and y are NaN where not seen
        keypoints.parts_seen    # bool (frames, parts), named by release.part_names

Files are opened when something is asked of them. ``keypoints`` reads only the row groups that the segment touches.
"""

import re
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

FIXED_POINT_PER_PIXEL = 16
"""Positions are stored in sixteenths of a pixel."""
SCORE_STEPS = 255
"""Scores are stored in steps of 1/255."""
CACHED_ROW_GROUPS = 4
"""Decoded row groups kept in memory, so that the segments of one track are read once."""

_SHARD = re.compile(r"(?P<table>[a-z]+)-(?P<split>[a-z]+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.parquet")
_POINT = re.compile(r"k(?P<number>\d{3})_x")
_SPLIT_ORDER = ("train", "val", "test")


@dataclass(frozen=True)
class Keypoints:
    """Keypoints of one person over consecutive rows, one row a frame."""

    values: npt.NDArray[np.float32]
    """Shape ``(frames, points, 3)``: x and y in pixels, score 0..1; NaN, NaN, 0 where a point is not seen."""
    times_ns: npt.NDArray[np.int64]
    """Time of each frame since the first displayed frame of the video, shape ``(frames,)``."""
    frame_indices: npt.NDArray[np.int32]
    """Frame numbers in the video, shape ``(frames,)``; a gap is a frame in which the person was not followed."""
    parts_seen: npt.NDArray[np.bool_]
    """Whether each body part was seen, shape ``(frames, parts)``, in the order of ``Release.part_names``."""


class _Shards:
    """The files of one table and split as one run of rows."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        self._files: dict[int, pq.ParquetFile] = {}
        self._starts: list[int] | None = None
        self._groups: list[tuple[int, int]] = []

    def file(self, number: int) -> pq.ParquetFile:
        if number not in self._files:
            self._files[number] = pq.ParquetFile(self.paths[number], memory_map=True)
        return self._files[number]

    def group_starts(self) -> list[int]:
        """Return the first row of each row group, and the row count at the end."""
        if self._starts is None:
            starts = [0]
            for number in range(len(self.paths)):
                metadata = self.file(number).metadata
                for group in range(metadata.num_row_groups):
                    self._groups.append((number, group))
                    starts.append(starts[-1] + metadata.row_group(group).num_rows)
            self._starts = starts
        return self._starts

    def read_group(self, index: int) -> pa.Table:
        number, group = self._groups[index]
        return self.file(number).read_row_group(group, use_threads=False)


class Release:
    """A release in a folder; see ``open_release``."""

    def __init__(self, folder: str | Path) -> None:
        """List the files of ``folder/data`` without opening any; raises ``FileNotFoundError`` where there are none."""
        self.folder = Path(folder)
        found: dict[tuple[str, str], list[Path]] = {}
        for path in sorted((self.folder / "data").glob("*.parquet")):
            match = _SHARD.fullmatch(path.name)
            if match:
                found.setdefault((match["table"], match["split"]), []).append(path)
        if not found:
            raise FileNotFoundError(f"{self.folder} is not a release: it has no data/<table>-<split>-*.parquet")
        for (table, split), paths in found.items():
            expected = int(paths[0].stem[-5:])
            if len(paths) != expected:
                raise FileNotFoundError(f"{self.folder}: {table}-{split} has {len(paths)} of {expected} files")
        self._shards = {key: _Shards(paths) for key, paths in found.items()}
        self._cache: OrderedDict[tuple[str, int], Keypoints] = OrderedDict()
        self._columns: tuple[npt.NDArray[np.int64], tuple[str, ...]] | None = None

    def __reduce__(self) -> tuple[type["Release"], tuple[str]]:
        """Reopen the files in another process: a data loader's workers never share a file handle."""
        return Release, (str(self.folder),)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that this release has, ``train`` first."""
        present = {split for _, split in self._shards}
        known = [split for split in _SPLIT_ORDER if split in present]
        return (*known, *sorted(present - set(known)))

    @property
    def point_numbers(self) -> npt.NDArray[np.int64]:
        """COCO-WholeBody numbers (0-132) of the points that this release holds, shape ``(points,)``."""
        return self._layout()[0]

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the columns of ``Keypoints.parts_seen``."""
        return self._layout()[1]

    def _layout(self) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
        if self._columns is None:
            names = self._of("keypoints", self.splits[0]).file(0).schema_arrow.names
            numbers = [int(match["number"]) for match in map(_POINT.fullmatch, names) if match]
            parts = tuple(name.removesuffix("_seen") for name in names if name.endswith("_seen"))
            self._columns = np.array(numbers, dtype=np.int64), parts
        return self._columns

    def _of(self, table: str, split: str) -> _Shards:
        if (table, split) not in self._shards:
            raise KeyError(f"no table {table!r} for split {split!r}; splits are {', '.join(self.splits)}")
        return self._shards[table, split]

    def table(self, name: str, split: str) -> pa.Table:
        """Read a whole table of a split (for ``keypoints`` prefer ``keypoint_rows``); raises ``KeyError``."""
        shards = self._of(name, split)
        return pa.concat_tables([shards.file(n).read(use_threads=False) for n in range(len(shards.paths))])

    def segments(self, split: str) -> pa.Table:
        """Read the segments of a split; ``.to_pylist()`` gives the dicts that ``keypoints`` takes."""
        return self.table("segments", split)

    def votes(self, split: str) -> pa.Table:
        """Read every answer to every question about the videos of a split."""
        return self.table("votes", split)

    def videos(self, split: str) -> pa.Table:
        """Read the sizes, rates and lengths of the videos of a split."""
        return self.table("videos", split)

    def keypoints(self, segment: Mapping[str, Any]) -> Keypoints:
        """Read the keypoints of one segment, given as a row of ``segments``."""
        return self.keypoint_rows(segment["split"], segment["keypoints_first_row"], segment["keypoints_row_count"])

    def keypoint_rows(self, split: str, first_row: int, row_count: int) -> Keypoints:
        """Read any run of rows of *keypoints*, counted over all files of the split in order.

        Raises ``IndexError`` where the split has no such rows.
        """
        starts = self._of("keypoints", split).group_starts()
        end_row = first_row + row_count
        if first_row < 0 or row_count < 1 or end_row > starts[-1]:
            raise IndexError(f"rows {first_row} to {end_row} of keypoints-{split}, which has {starts[-1]}")
        pieces = []
        for group in range(bisect_right(starts, first_row) - 1, bisect_right(starts, end_row - 1)):
            rows = slice(max(first_row - starts[group], 0), end_row - starts[group])
            whole = self._decoded(split, group)
            pieces.append((whole.values[rows], whole.times_ns[rows], whole.frame_indices[rows], whole.parts_seen[rows]))
        values, times_ns, frame_indices, parts_seen = (np.concatenate(same) for same in zip(*pieces, strict=True))
        return Keypoints(values=values, times_ns=times_ns, frame_indices=frame_indices, parts_seen=parts_seen)

    def _decoded(self, split: str, group: int) -> Keypoints:
        key = (split, group)
        if key not in self._cache:
            self._cache[key] = self._decode(self._of("keypoints", split).read_group(group))
            if len(self._cache) > CACHED_ROW_GROUPS:
                self._cache.popitem(last=False)
        self._cache.move_to_end(key)
        return self._cache[key]

    def _decode(self, rows: pa.Table) -> Keypoints:
        numbers, parts = self._layout()
        values = np.empty((rows.num_rows, len(numbers), 3), dtype=np.float32)
        for i, k in enumerate(numbers):
            for axis, name in enumerate((f"k{k:03d}_x", f"k{k:03d}_y")):
                # a null becomes NaN in the cast; a sixteenth of a whole number is exact in float32
                values[:, i, axis] = rows[name].cast(pa.float32()).to_numpy() / FIXED_POINT_PER_PIXEL
            values[:, i, 2] = rows[f"k{k:03d}_score"].to_numpy() / np.float32(SCORE_STEPS)
        return Keypoints(
            values=values,
            times_ns=rows["time_ns"].to_numpy(),
            frame_indices=rows["frame_index"].to_numpy(),
            parts_seen=np.stack([rows[f"{part}_seen"].to_numpy() for part in parts], axis=1),
        )


def open_release(folder: str | Path) -> Release:
    """Open a release for reading; raises ``FileNotFoundError`` where the folder holds none or lacks a file."""
    return Release(folder)
