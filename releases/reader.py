"""Read a pressroom release: one file that needs numpy and pyarrow alone and travels with the data.

    from reader import open_release, torch_dataset

    release = open_release("micro-gestures-0.1.0")
    for segment in release.segments("train").to_pylist():
        keypoints = release.keypoints(segment)
        keypoints.values        # float32 (frames, points, 3): x px, y px, score; x and y are NaN where not seen
        keypoints.parts_seen    # bool (frames, parts), named by release.part_names
    for row, keypoints in release.shuffled("train", seed=0): ...         # an epoch; each row group is read once
    torch_dataset(release, "train", window_frames=64, shuffle_blocks=0)  # the same for torch's DataLoader

Only what is asked for is read. Threads may share a release; forked or pickled, it opens its files anew.
"""

import json
import os
import re
import threading
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partialmethod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

SCHEMA_VERSION = 3  # of the tables that this file reads
FIXED_POINT_PER_PIXEL = 16  # positions are stored in sixteenths of a pixel
SCORE_STEPS = 255  # scores are stored in steps of 1/255
ALL_POINTS = 133  # COCO-WholeBody: body 0-16, feet 17-22, face 23-90, left hand 91-111, right hand 112-132
CACHED_ROW_GROUPS = 4  # kept for random access: the segments of one track lie side by side
SHUFFLE_BUFFER = 128  # segments that mix neighbouring row groups in an epoch
OPEN_FILES = 2  # what pyarrow keeps of the footer of a file with 400 columns takes megabytes
READ_THREADS = min(os.cpu_count() or 1, 4)  # of an epoch; a torch worker has one
POINTS_AT_ONCE = 8  # decoded together: of all points at once, pyarrow's own buffers would take the most memory

_SHARD = re.compile(r"(?P<table>[a-z]+)-(?P<split>[a-z]+)-\d{5}-of-(?P<count>\d{5})\.parquet")
_POINT = re.compile(r"k(?P<number>\d{3})_x")
_SPLIT_ORDER = ("train", "val", "test")
_POINTING = ("segments", "unlabelled")
_Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Keypoints:
    """Keypoints of one person over consecutive rows, one row a frame."""

    values: npt.NDArray[np.float32]
    """Shape ``(frames, points, 3)``: x and y in pixels, score 0..1; NaN, NaN, 0 where a point is not seen."""
    times_ns: _Integers
    """Time of each frame since the first displayed frame of the video, shape ``(frames,)``."""
    frame_indices: npt.NDArray[np.int32]
    """Frame numbers in the video, shape ``(frames,)``; a gap is a frame in which the person was not followed."""
    parts_seen: npt.NDArray[np.bool_]
    """Whether each body part was seen, shape ``(frames, parts)``, in the order of ``Release.part_names``."""
    interpolated: npt.NDArray[np.bool_]
    """Whether the frame was not looked at: its points lie between its neighbours', shape ``(frames,)``."""


class _Rows(NamedTuple):
    """Rows of *keypoints* as the file has them, column by column: two fifths of what floats take."""

    positions: npt.NDArray[np.integer[Any]]  # fixed point, (2, points, rows); they mean nothing where the score is 0
    scores: npt.NDArray[np.uint8]  # (points, rows)
    parts_seen: npt.NDArray[np.bool_]  # (parts, rows)
    interpolated: npt.NDArray[np.bool_]
    times_ns: _Integers
    frame_indices: npt.NDArray[np.int32]
    video_ids: npt.NDArray[np.object_]

    def cut(self, rows: slice) -> "_Rows":
        """Copy some rows, so that the others can be freed."""
        return _Rows._make(array[..., rows].copy() for array in self)

    def decoded(self, places: _Integers | None) -> Keypoints:
        """Turn into pixels, frame by frame; ``places`` are the points' places among ``ALL_POINTS``, None: as they are.

        Numbers are computed column by column and turned at the end, in a third of the time of the reverse.
        """
        points, frames = self.scores.shape
        flat = np.empty((3, points, frames), np.float32)
        flat[2] = self.scores
        with np.errstate(invalid="ignore"):
            scale = flat[2] / flat[2] / np.float32(FIXED_POINT_PER_PIXEL)  # 0 / 0 = NaN where the point is not seen
        np.multiply(self.positions, scale, out=flat[:2], dtype=np.float32)
        flat[2] /= np.float32(SCORE_STEPS)
        if places is None:
            values = np.empty((frames, points, 3), np.float32)
            for axis in range(3):
                values[..., axis] = flat[axis].T
        else:
            values = np.full((frames, ALL_POINTS, 3), (np.nan, np.nan, 0), np.float32)
            values[:, places] = flat.transpose(2, 1, 0)
        seen = np.ascontiguousarray(self.parts_seen.T)
        return Keypoints(values, self.times_ns, self.frame_indices, seen, self.interpolated)


def _joined(pieces: Sequence[_Rows]) -> _Rows:
    return pieces[0] if len(pieces) == 1 else _Rows._make(np.concatenate(a, axis=-1) for a in zip(*pieces, strict=True))


def _numbers(column: pa.Array, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    """View a column's numbers, anything where one is null; pyarrow's own ways import pandas."""
    offset = column.offset * np.dtype(kind).itemsize
    return np.frombuffer(column.buffers()[1] or b"", kind, count=len(column), offset=offset)


def _take(numbers: npt.NDArray[Any], kept: _Integers | None, out: npt.NDArray[Any]) -> None:
    if kept is None:
        out[:] = numbers
    else:
        np.take(numbers, kept, out=out, mode="clip")  # the other modes buffer


def _flags(column: pa.Array) -> npt.NDArray[np.bool_]:
    return _numbers(column.cast(pa.uint8()), np.bool_)


class _Shards:
    """The files of *keypoints* of one split as one run of rows; ``read`` may be called by several threads."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self._footers: OrderedDict[int, pq.FileMetaData] = OrderedDict()
        self._lock = threading.Lock()
        self._open = threading.local()
        self.starts = [0]
        """First row of each row group of the files that were needed so far, and where the last one ends."""
        self.places: list[tuple[int, int]] = []
        """File and row group of each."""
        schema = self._footer(0).schema.to_arrow_schema()
        found = [int(match["number"]) for match in map(_POINT.fullmatch, schema.names) if match]
        self.point_numbers: _Integers = np.array(found, dtype=np.int64)
        self.part_names = tuple(name.removesuffix("_seen") for name in schema.names if name.endswith("_seen"))
        self._kind = np.dtype(str(schema.field(f"k{found[0]:03d}_x").type))  # int16, or int32 for large pictures

    def groups_of(self, first_row: int, row_count: int) -> range:
        """Return the row groups of a run of rows; raises ``IndexError`` where there are no such rows."""
        end_row = first_row + row_count
        next_file = self.places[-1][0] + 1 if self.places else 0
        while self.starts[-1] < end_row and next_file < len(self._paths):
            footer = self._footer(next_file)
            for group in range(footer.num_row_groups):
                self.places.append((next_file, group))
                self.starts.append(self.starts[-1] + footer.row_group(group).num_rows)
            next_file += 1
        if first_row < 0 or row_count < 1 or end_row > self.starts[-1]:
            name = self._paths[0].name.partition("-0")[0]
            raise IndexError(f"rows {first_row} to {end_row} of {name}, which has {self.starts[-1]}")
        return range(bisect_right(self.starts, first_row) - 1, bisect_right(self.starts, end_row - 1))

    def read(self, group: int, kept: _Integers | None = None) -> _Rows:
        """Read a row group, or some of its rows.

        Raises ``ValueError`` where positions are not null exactly where the score is 0.
        """
        count = self.starts[group + 1] - self.starts[group]
        rows = slice(None) if kept is None else kept
        shape = len(self.point_numbers), count if kept is None else kept.size
        positions, scores = np.empty((2, *shape), self._kind), np.empty(shape, np.uint8)
        for first in range(0, len(scores), POINTS_AT_ONCE):
            names = [f"k{number:03d}" for number in self.point_numbers[first : first + POINTS_AT_ONCE]]
            columns = self._columns(group, [f"{name}_{what}" for name in names for what in ("x", "y", "score")])
            for place, name in enumerate(names, start=first):
                x, y, score = columns[f"{name}_x"], columns[f"{name}_y"], _numbers(columns[f"{name}_score"], np.uint8)
                if not x.null_count == y.null_count == count - np.count_nonzero(score):
                    file = self._paths[self.places[group][0]].name
                    raise ValueError(f"{file}: {name} has a score without a position, or the reverse")
                _take(score, kept, scores[place])
                _take(_numbers(x, self._kind), kept, positions[0, place])
                _take(_numbers(y, self._kind), kept, positions[1, place])
        seen = [f"{part}_seen" for part in self.part_names]
        columns = self._columns(group, [*seen, "interpolated", "time_ns", "frame_index", "video_id"])
        videos = columns["video_id"]
        return _Rows(
            positions=positions,
            scores=scores,
            parts_seen=np.stack([_flags(columns[name])[rows] for name in seen]),
            interpolated=_flags(columns["interpolated"])[rows],
            times_ns=_numbers(columns["time_ns"], np.int64)[rows],
            frame_indices=_numbers(columns["frame_index"], np.int32)[rows],
            video_ids=np.array(videos.dictionary.to_pylist(), dtype=object)[_numbers(videos.indices, np.int32)[rows]],
        )

    def _columns(self, group: int, names: list[str]) -> dict[str, pa.Array]:
        number, group_in_file = self.places[group]
        files: dict[int, pq.ParquetFile] = self._open.__dict__.setdefault("files", {})
        if number not in files:
            while len(files) >= OPEN_FILES:
                files.pop(next(iter(files)))
            # no memory map: the pages of a mapped file count as the process's memory
            files[number] = pq.ParquetFile(
                self._paths[number],
                metadata=self._footer(number),
                memory_map=False,
                pre_buffer=False,
                read_dictionary=["video_id"],
            )
        table = files[number].read_row_group(group_in_file, columns=names, use_threads=False)
        batches = table.to_batches()
        (batch,) = batches if len(batches) == 1 else table.combine_chunks().to_batches()
        return dict(zip(names, batch.select(names).columns, strict=True))

    def _footer(self, number: int) -> pq.FileMetaData:
        with self._lock:
            if number not in self._footers:
                while len(self._footers) >= OPEN_FILES:
                    self._footers.popitem(last=False)
                self._footers[number] = pq.read_metadata(self._paths[number])
            self._footers.move_to_end(number)
            return self._footers[number]


class Release:
    """A release in a folder; see ``open_release``."""

    def __init__(self, folder: str | Path) -> None:
        """List the files of ``folder/data`` without opening any; raises as ``open_release`` does."""
        self.folder = Path(folder)
        self._paths = _listed(self.folder)
        self._reopened()

    def _reopened(self) -> threading.RLock:
        """Return this process's lock; after a fork, first replace the files and the lock that are the parent's."""
        if getattr(self, "_process", None) != os.getpid():
            self._process, self._lock = os.getpid(), threading.RLock()
            self._shards: dict[str, _Shards] = {}
            self._cache: OrderedDict[tuple[str, int], _Rows] = OrderedDict()
        return self._lock

    def __reduce__(self) -> tuple[type["Release"], tuple[str]]:
        """Pickle as the folder's name: another process opens the files itself."""
        return Release, (str(self.folder),)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that this release has, ``train`` first."""
        present = {split for _, split in self._paths}
        known = [split for split in _SPLIT_ORDER if split in present]
        return (*known, *sorted(present - set(known)))

    @property
    def point_numbers(self) -> _Integers:
        """COCO-WholeBody numbers (0-132) of the points that this release holds, shape ``(points,)``."""
        with self._reopened():
            return self._shards_of(self.splits[0]).point_numbers

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the columns of ``Keypoints.parts_seen``."""
        with self._reopened():
            return self._shards_of(self.splits[0]).part_names

    @property
    def classes(self) -> tuple[str, ...]:
        """Class ids of the segments of all splits, in the order of their numbers in the taxonomy."""
        found: set[tuple[bool, int, str]] = set()
        for split in self.splits:
            rows = self.table("segments", split, columns=["class_id", "class_number"]).to_pylist()
            found |= {(r["class_number"] is None, r["class_number"] or 0, r["class_id"]) for r in rows if r["class_id"]}
        return tuple(class_id for _, _, class_id in sorted(found))

    def table(self, name: str, split: str, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a table of a split, or some of its columns; raises ``KeyError`` where there is none.

        ``segments``, ``unlabelled``, ``votes``, ``videos`` and ``subjects`` are short for it.
        """
        tables = []
        for path in self._paths_of(name, split):
            with pq.ParquetFile(path) as file:
                tables.append(file.read(columns=columns, use_threads=False))
        return pa.concat_tables(tables)

    segments = partialmethod(table, "segments")
    unlabelled = partialmethod(table, "unlabelled")
    votes = partialmethod(table, "votes")
    videos = partialmethod(table, "videos")
    subjects = partialmethod(table, "subjects")

    def keypoints(self, segment: Mapping[str, Any], *, points: int | None = None) -> Keypoints:
        """Read the keypoints of a segment or window, given as a row (a dict) of ``segments`` or ``unlabelled``.

        ``points=133`` gives the whole layout, NaN, NaN, 0 where this release leaves a point out; None gives the points
        of ``point_numbers``. Raises ``IndexError`` where the row is of another release, ``KeyError`` for its split.
        """
        places = self._places(points)
        rows = self._rows(segment["split"], segment["keypoints_first_row"], segment["keypoints_row_count"])
        frames = int(rows.frame_indices[0]), int(rows.frame_indices[-1]) + 1
        same_video = rows.video_ids[0] == rows.video_ids[-1] == segment["video_id"]
        if not same_video or frames != (segment["first_frame"], segment["end_frame"]):
            name = segment.get("segment_id") or segment.get("window_id")
            raise IndexError(f"{name} is of another release: its rows in {self.folder.name} hold other frames")
        return rows.decoded(places)

    def keypoint_rows(self, split: str, first_row: int, row_count: int, *, points: int | None = None) -> Keypoints:
        """Read any run of rows of *keypoints*, counted over all files of the split in order.

        Raises ``IndexError`` where the split has no such rows.
        """
        return self._rows(split, first_row, row_count).decoded(self._places(points))

    def shuffled(
        self,
        split: str,
        *,
        table: str = "segments",
        seed: int = 0,
        epoch: int = 0,
        points: int | None = None,
        threads: int = READ_THREADS,
    ) -> Iterator[tuple[int, Keypoints]]:
        """Go once through all segments or windows of a split; yields the row of ``table`` and its keypoints.

        Files and row groups come in an order of chance, and so do the segments of each; a buffer of segments mixes
        neighbouring row groups. Row groups without a segment are not read, and each thread reads one ahead. The order
        depends on ``seed`` and ``epoch`` alone.
        """
        places, paths, runs = self._places(points), self._paths_of("keypoints", split), self._runs(table, split)
        for row, rows in _shuffled(paths, *runs, seeds=(seed, epoch), threads=threads):
            yield row, rows.decoded(places)

    def _paths_of(self, table: str, split: str) -> list[Path]:
        if (table, split) not in self._paths:
            tables = ", ".join(sorted({name for name, _ in self._paths}))
            raise KeyError(f"no table {table!r} for split {split!r}: there are {tables} for {', '.join(self.splits)}")
        return self._paths[table, split]

    def _shards_of(self, split: str) -> _Shards:
        if split not in self._shards:
            self._shards[split] = _Shards(self._paths_of("keypoints", split))
        return self._shards[split]

    def _places(self, points: int | None) -> _Integers | None:
        if points not in (None, ALL_POINTS):
            raise ValueError(f"points: {points} must be {ALL_POINTS}, or None for the points that the release has")
        return None if points is None else self.point_numbers

    def _runs(self, table: str, split: str) -> tuple[_Integers, _Integers]:
        if table not in _POINTING:
            raise ValueError(f"table {table!r} points to no keypoints; {' and '.join(_POINTING)} do")
        rows = self.table(table, split, columns=["keypoints_first_row", "keypoints_row_count"])
        first_rows, row_counts = (np.array(column.to_pylist(), dtype=np.int64) for column in rows.columns)
        return first_rows, row_counts

    def _rows(self, split: str, first_row: int, row_count: int) -> _Rows:
        pieces = []
        with self._reopened():
            shards = self._shards_of(split)
            for group in shards.groups_of(first_row, row_count):
                if (split, group) not in self._cache and len(self._cache) >= CACHED_ROW_GROUPS:
                    self._cache.popitem(last=False)
                rows = self._cache.pop((split, group), None) or shards.read(group)
                self._cache[split, group] = rows
                start = shards.starts[group]
                pieces.append(rows.cut(slice(max(first_row - start, 0), first_row + row_count - start)))
        return _joined(pieces)


def open_release(folder: str | Path) -> Release:
    """Open a release for reading.

    Raises ``FileNotFoundError`` where the folder holds none or lacks a file, ``ValueError`` for another version's.
    """
    return Release(folder)


def _listed(folder: Path) -> dict[tuple[str, str], list[Path]]:
    """Return the files of each table and split, in order."""
    found: dict[tuple[str, str], list[Path]] = {}
    for path in sorted((folder / "data").glob("*.parquet")):
        if match := _SHARD.fullmatch(path.name):
            found.setdefault((match["table"], match["split"]), []).append(path)
    if not found:
        raise FileNotFoundError(f"{folder} is not a release: it has no data/<table>-<split>-*.parquet")
    manifest = folder / "manifest.json"
    if manifest.is_file():  # whoever took data/ alone has none
        version = json.loads(manifest.read_text(encoding="utf-8")).get("schema_version")
        if version != SCHEMA_VERSION:
            raise ValueError(f"{folder}: its tables are of version {version}, not {SCHEMA_VERSION}: use its reader.py")
    for (table, split), paths in found.items():
        count = int(paths[0].stem[-5:])
        if len(paths) != count:
            raise FileNotFoundError(f"{folder}: {table}-{split} has {len(paths)} of {count} files")
    return found


def _shuffled(
    paths: list[Path],
    first_rows: _Integers,
    row_counts: _Integers,
    *,
    seeds: tuple[int, int],
    worker: int = 0,
    worker_count: int = 1,
    threads: int,
) -> Iterator[tuple[int, _Rows]]:
    """Yield each run of rows once, by number, in an order of chance; of several workers, those of this one.

    Neighbouring row groups go to one worker, and a run to the worker of the row group where it begins: where it
    reaches into the next worker's, both read that row group.
    """
    shards, chance = _Shards(paths), np.random.default_rng((*seeds, worker))
    groups = [shards.groups_of(*run) for run in zip(first_rows.tolist(), row_counts.tolist(), strict=True)]
    begins = np.array([of_run.start for of_run in groups], dtype=np.int64)
    mine = np.isin(begins, np.array_split(np.unique(begins), worker_count)[worker])
    runs: dict[int, list[tuple[int, int, int]]] = {}
    for run in np.flatnonzero(mine).tolist():
        for group in groups[run]:
            begin = int(first_rows[run]) - shards.starts[group]
            runs.setdefault(group, []).append((run, max(begin, 0), begin + int(row_counts[run])))
    buffer: list[tuple[int, _Rows]] = []
    unfinished: dict[int, dict[int, _Rows]] = {}
    for group, kept, rows in _read_ahead(shards, runs, chance, threads=threads):
        for place in chance.permutation(len(runs[group])).tolist():
            run, begin, end = runs[group][place]
            first, last = np.searchsorted(kept, (begin, end)).tolist()
            pieces = unfinished.setdefault(run, {})
            pieces[group] = rows.cut(slice(first, last))
            if len(pieces) == len(groups[run]):
                buffer.append((run, _joined([pieces[number] for number in groups[run]])))
                del unfinished[run]
            if len(buffer) > SHUFFLE_BUFFER:
                chosen = int(chance.integers(len(buffer)))
                buffer[chosen], buffer[-1] = buffer[-1], buffer[chosen]
                yield buffer.pop()
    yield from (buffer[place] for place in chance.permutation(len(buffer)))


def _read_ahead(
    shards: _Shards, runs: Mapping[int, list[tuple[int, int, int]]], chance: np.random.Generator, *, threads: int
) -> Iterator[tuple[int, _Integers, _Rows]]:
    """Read the rows in which runs lie, row group by row group in an order of chance, few files at a time."""

    def read(group: int) -> tuple[int, _Integers, _Rows]:
        wanted = np.zeros(shards.starts[group + 1] - shards.starts[group], np.bool_)
        for _, begin, end in runs[group]:
            wanted[begin:end] = True
        kept = np.flatnonzero(wanted)
        return group, kept, shards.read(group, kept)

    order: list[int] = []
    files = chance.permutation(sorted({shards.places[group][0] for group in runs})).tolist()
    for first in range(0, len(files), OPEN_FILES):
        some = files[first : first + OPEN_FILES]
        order += chance.permutation([group for group in sorted(runs) if shards.places[group][0] in some]).tolist()
    with ThreadPoolExecutor(max_workers=threads) as pool:
        ahead = deque(pool.submit(read, group) for group in order[:threads])
        for following in [*order[threads:], *[None] * len(ahead)]:
            done = ahead.popleft().result()
            if following is not None:
                ahead.append(pool.submit(read, following))
            yield done


def torch_dataset(
    release: Release,
    split: str,
    *,
    window_frames: int,
    stride: int | None = None,
    points: int | None = None,
    table: str = "segments",
    classes: Sequence[str] | None = None,
    shuffle_blocks: int | None = None,
    transform: Callable[[dict[str, Any]], Any] | None = None,
) -> Any:  # noqa: ANN401
    """Return a dataset of windows of one length, for a torch ``DataLoader`` with any number of workers.

    A sample is a dict: ``keypoints`` float32 (window_frames, points, 3), NaN, NaN, 0 where a point is not seen and
    beyond the segment's end; ``valid`` bool (window_frames,), False beyond its end; ``parts_seen`` bool
    (window_frames, parts); ``label``, the place of its class in ``classes``, -1 for none; ``row`` of the table.

    Args:
        release: The release.
        split: Which split.
        window_frames: Rows of a window. A shorter segment is padded at its end.
        stride: Rows from one window to the next, the last one ending with the segment. None: one, in the middle.
        points: As in ``Release.keypoints``.
        table: ``segments`` or ``unlabelled``.
        classes: Class ids in the order of the labels; None: ``Release.classes``.
        shuffle_blocks: None: a map-style dataset in the table's order. A seed: an iterable one of epochs as
            ``Release.shuffled`` makes them; call ``set_epoch(n)`` before each. Workers share out the row groups.
        transform: Applied to each sample.
    """
    if window_frames < 1 or (stride is not None and stride < 1):
        raise ValueError(f"window_frames {window_frames} and stride {stride} must be 1 or more")
    rows, first_rows, row_counts = _cut_windows(*release._runs(table, split), window_frames, stride)
    windows = _Windows(
        release=release,
        split=split,
        frames=window_frames,
        places=release._places(points),
        rows=rows,
        first_rows=first_rows,
        row_counts=row_counts,
        labels=_labels(release, split, table, classes)[rows],
        transform=transform,
    )
    return _map_style(windows) if shuffle_blocks is None else _iterable(windows, shuffle_blocks)


def _cut_windows(
    first_rows: _Integers, row_counts: _Integers, frames: int, stride: int | None
) -> tuple[_Integers, _Integers, _Integers]:
    """Return of each window the row of the table that it is cut from, its first row of keypoints, and how many."""
    beyond = np.maximum(row_counts - frames, 0)
    counts = np.ones_like(beyond) if stride is None else 1 - (-beyond // stride)
    rows = np.repeat(np.arange(len(counts)), counts)
    numbers = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    offsets = (beyond // 2)[rows] if stride is None else np.minimum(numbers * stride, beyond[rows])
    return rows, first_rows[rows] + offsets, np.minimum(row_counts, frames)[rows]


def _labels(release: Release, split: str, table: str, classes: Sequence[str] | None) -> _Integers:
    label_of = {class_id: label for label, class_id in enumerate(release.classes if classes is None else classes)}
    columns = ["class_id"] if table == "segments" else ["keypoints_row_count"]
    found = release.table(table, split, columns=columns).columns[0].to_pylist()
    return np.array([label_of.get(class_id, -1) for class_id in found], dtype=np.int64)


@dataclass(frozen=True)
class _Windows:
    """Windows that are cut from the runs of rows of a table, each a run of rows itself."""

    release: Release
    split: str
    frames: int
    places: _Integers | None
    rows: _Integers
    first_rows: _Integers
    row_counts: _Integers
    labels: _Integers
    transform: Callable[[dict[str, Any]], Any] | None

    def sample(self, window: int, rows: _Rows) -> Any:  # noqa: ANN401
        import torch

        read = rows.decoded(self.places)
        count = len(read.values)
        values = np.full((self.frames, *read.values.shape[1:]), (np.nan, np.nan, 0), np.float32)
        values[:count] = read.values
        parts_seen = np.zeros((self.frames, read.parts_seen.shape[1]), np.bool_)
        parts_seen[:count] = read.parts_seen
        sample = {
            "keypoints": torch.from_numpy(values),
            "valid": torch.arange(self.frames) < count,
            "parts_seen": torch.from_numpy(parts_seen),
            "label": int(self.labels[window]),
            "row": int(self.rows[window]),
        }
        return sample if self.transform is None else self.transform(sample)


def _map_style(windows: _Windows) -> Any:  # noqa: ANN401
    from torch.utils.data import Dataset

    class MapStyle(Dataset[Any]):
        def __len__(self) -> int:
            return len(windows.rows)

        def __getitem__(self, window: int) -> Any:  # noqa: ANN401
            number = range(len(windows.rows))[window]
            run = int(windows.first_rows[number]), int(windows.row_counts[number])
            return windows.sample(number, windows.release._rows(windows.split, *run))

        def __reduce__(self) -> tuple[Any, ...]:
            return _map_style, (windows,)

    return MapStyle()


def _iterable(windows: _Windows, seed: int, epoch: Any = None) -> Any:  # noqa: ANN401
    import torch
    from torch.utils.data import IterableDataset, get_worker_info

    current = epoch
    if epoch is None:
        current = torch.zeros((), dtype=torch.int64)
        # in shared memory, so that workers that outlive an epoch see the next one's number
        current.share_memory_()  # type: ignore[no-untyped-call]

    class Shuffled(IterableDataset[Any]):
        def set_epoch(self, epoch: int) -> None:
            current.fill_(epoch)

        def __iter__(self) -> Iterator[Any]:
            info = get_worker_info()
            worker, worker_count, threads = (0, 1, READ_THREADS) if info is None else (info.id, info.num_workers, 1)
            found = _shuffled(
                windows.release._paths_of("keypoints", windows.split),
                windows.first_rows,
                windows.row_counts,
                seeds=(seed, int(current)),
                worker=worker,
                worker_count=worker_count,
                threads=threads,
            )
            for window, rows in found:
                yield windows.sample(window, rows)

        def __reduce__(self) -> tuple[Any, ...]:
            return _iterable, (windows, seed, current)

    return Shuffled()
