"""The ways of ``release_loading.py``: each opens its files, goes through all segments once, and takes some at random.

What comes out of each is one float32 array ``(frames, 133, 3)`` a segment: what a model takes.
"""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from releases import reader

Values = npt.NDArray[np.float32]
SPLIT = "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One form of the data, opened."""

    epoch: Callable[[int], Iterator[Values]]
    """All segments once, in the order of a seed."""
    segment: Callable[[int], Values]
    """One segment by its number."""


def _permuted(count: int, segment: Callable[[int], Values]) -> Callable[[int], Iterator[Values]]:
    return lambda seed: (segment(number) for number in np.random.default_rng(seed).permutation(count).tolist())


def release(folder: Path, threads: int = reader.READ_THREADS) -> Way:
    """Open the release with its own reader."""
    opened = reader.open_release(folder / "release")

    def segment(number: int) -> Values:
        return opened.keypoint_rows(SPLIT, *runs(number)).values

    def runs(number: int) -> tuple[int, int]:
        if not places:
            rows = opened.table("segments", SPLIT, columns=["keypoints_first_row", "keypoints_row_count"])
            places.extend(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        return places[number]

    places: list[tuple[int, int]] = []
    return Way(
        epoch=lambda seed: (k.values for _, k in opened.shuffled(SPLIT, seed=seed, threads=threads)), segment=segment
    )


def release_one_thread(folder: Path) -> Way:
    """Open the release with its own reader, of which one thread reads ahead."""
    return release(folder, threads=1)


def _pickled(path: Path) -> Way:
    with path.open("rb") as file:
        annotations: list[dict[str, Any]] = pickle.load(file)["annotations"]

    def segment(number: int) -> Values:
        one = annotations[number]
        values = np.empty((one["total_frames"], one["keypoint"].shape[2], 3), np.float32)
        values[..., :2] = one["keypoint"][0]
        values[..., 2] = one["keypoint_score"][0]
        return values

    return Way(epoch=_permuted(len(annotations), segment), segment=segment)


def pickle32(folder: Path) -> Way:
    """Load pyskl's pickle with float32."""
    return _pickled(folder / "pyskl32.pkl")


def pickle16(folder: Path) -> Way:
    """Load pyskl's pickle with float16, as its own tools write it."""
    return _pickled(folder / "pyskl16.pkl")


def npz(folder: Path) -> Way:
    """Open one npz for the split."""
    archive = np.load(folder / "split.npz")
    return Way(
        epoch=_permuted(len(archive.files), lambda number: archive[archive.files[number]]),
        segment=lambda number: archive[archive.files[number]],
    )


def npz_files(folder: Path) -> Way:
    """List one npz a segment."""
    paths = sorted((folder / "npz").iterdir())

    def segment(number: int) -> Values:
        with np.load(paths[number]) as archive:
            return np.asarray(archive["keypoints"])

    return Way(epoch=_permuted(len(paths), segment), segment=segment)


def nested(folder: Path) -> Way:
    """Open nested Parquet, and read it as fast as it can be: the lists' values at once, no Python lists."""
    file = pq.ParquetFile(folder / "nested.parquet")
    starts = np.cumsum([0, *(file.metadata.row_group(g).num_rows for g in range(file.metadata.num_row_groups))])

    def arrays(group: int) -> list[Values]:
        lists = file.read_row_group(group, columns=["keypoints"], use_threads=False)["keypoints"].combine_chunks()
        floats = np.asarray(lists.flatten().flatten()).reshape(-1, 133, 3)
        ends = np.asarray(lists.offsets) - lists.offsets[0].as_py()
        return [floats[a:b] for a, b in pairwise(ends.tolist())]

    def epoch(seed: int) -> Iterator[Values]:
        random = np.random.default_rng(seed)
        for group in random.permutation(file.metadata.num_row_groups).tolist():
            found = arrays(group)
            yield from (found[place] for place in random.permutation(len(found)))

    def segment(number: int) -> Values:
        group = int(np.searchsorted(starts, number, side="right")) - 1
        return arrays(group)[number - int(starts[group])]

    return Way(epoch=epoch, segment=segment)


def hub_library(folder: Path) -> Way:
    """Load the release with the ``datasets`` library, which first turns it into files of its own."""
    import datasets

    datasets.disable_progress_bars()
    path = str(folder / "release")
    segments = datasets.load_dataset(path, split=SPLIT).select_columns(["keypoints_first_row", "keypoints_row_count"])
    runs = [(row["keypoints_first_row"], row["keypoints_row_count"]) for row in segments]
    names = [f"k{k:03d}_{what}" for k in range(133) for what in ("x", "y", "score")]
    keypoints = datasets.load_dataset(path, "keypoints", split=SPLIT).select_columns(names).with_format("arrow")

    def segment(number: int) -> Values:
        first, count = runs[number]
        table: pa.Table = keypoints[first : first + count]
        flat = np.stack([table[name].cast(pa.float32()).to_numpy() for name in names], axis=1).reshape(count, 133, 3)
        return flat / np.array([16, 16, 255], np.float32)

    return Way(epoch=_permuted(len(runs), segment), segment=segment)


WAYS: dict[str, tuple[str, Callable[[Path], Way]]] = {
    "release": ("release, its own reader", release),
    "release1": ("  the same, one thread reads", release_one_thread),
    "pickle32": ("pyskl pickle, float32", pickle32),
    "pickle16": ("pyskl pickle, float16", pickle16),
    "npz": ("npz, one for the split", npz),
    "npz_files": ("npz, one a segment", npz_files),
    "nested": ("nested Parquet, lists of floats", nested),
    "datasets": ("release, datasets library", hub_library),
}
