"""The reader's torch datasets: windows of one length with their masks, labels, and workers that don't overlap."""

import pickle
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from releases.reader import Release, open_release, torch_dataset

torch = pytest.importorskip("torch")
DataLoader = torch.utils.data.DataLoader


@pytest.fixture
def opened(published: Path) -> Iterator[Release]:
    return open_release(published)


def rows_of(loader: Any) -> list[int]:
    return [row for batch in loader for row in batch["row"].tolist()]


def test_a_long_segment_gives_its_middle_and_a_short_one_is_padded_and_masked(opened: Release) -> None:
    segments = opened.segments("train").to_pylist()
    for frames in (9, 40):
        dataset = torch_dataset(opened, "train", window_frames=frames)
        assert isinstance(dataset, torch.utils.data.Dataset)
        assert len(dataset) == len(segments)
        for row, segment in enumerate(segments):
            whole = opened.keypoints(segment)
            sample = dataset[row]
            count = min(frames, len(whole.values))
            first = (len(whole.values) - count) // 2
            assert sample["keypoints"].shape == (frames, len(opened.point_numbers), 3)
            found = sample["keypoints"].numpy()
            assert np.array_equal(found[:count], whole.values[first : first + count], equal_nan=True)
            assert np.isnan(found[count:, :, :2]).all()
            assert (found[count:, :, 2] == 0).all()
            assert sample["valid"].tolist() == [True] * count + [False] * (frames - count)
            assert np.array_equal(sample["parts_seen"].numpy()[:count], whole.parts_seen[first : first + count])
            assert not sample["parts_seen"][count:].any()
            assert sample["row"] == row


def test_a_stride_gives_windows_to_the_segments_end(opened: Release) -> None:
    segment = opened.segments("val").to_pylist()[0]
    assert segment["keypoints_row_count"] == 15
    dataset = torch_dataset(opened, "val", window_frames=6, stride=4)
    of_first = [sample for sample in (dataset[n] for n in range(len(dataset))) if sample["row"] == 0]
    whole = opened.keypoints(segment).values
    expected = [whole[a : a + 6] for a in (0, 4, 8, 9)]
    assert len(of_first) == 4
    for sample, values in zip(of_first, expected, strict=True):
        assert np.array_equal(sample["keypoints"].numpy(), values, equal_nan=True)
    with pytest.raises(IndexError):
        dataset[len(dataset)]
    with pytest.raises(ValueError, match="must be 1 or more"):
        torch_dataset(opened, "val", window_frames=6, stride=0)


def test_labels_are_places_in_the_taxonomys_order_and_minus_one_for_none(opened: Release) -> None:
    ids = {split: opened.segments(split)["class_id"].to_pylist() for split in opened.splits}
    numbers = {
        row["class_id"]: row["class_number"] for split in opened.splits for row in opened.segments(split).to_pylist()
    }
    assert opened.classes == tuple(sorted({c for of in ids.values() for c in of} - {None}, key=lambda c: numbers[c]))
    assert None in ids["train"]
    expected = [-1 if c is None else opened.classes.index(c) for c in ids["train"]]
    dataset = torch_dataset(opened, "train", window_frames=4)
    assert [dataset[n]["label"] for n in range(len(dataset))] == expected
    one = torch_dataset(opened, "train", window_frames=4, classes=[opened.classes[1]])
    assert [one[n]["label"] for n in range(len(one))] == [0 if label == 1 else -1 for label in expected]
    windows = torch_dataset(opened, "train", window_frames=4, table="unlabelled")
    assert len(windows) == opened.unlabelled("train").num_rows > 0
    assert {windows[n]["label"] for n in range(len(windows))} == {-1}


def only_row(sample: dict[str, Any]) -> int:
    return int(sample["row"])


def test_a_transform_makes_the_sample(opened: Release) -> None:
    dataset = torch_dataset(opened, "train", window_frames=4, points=133, transform=only_row)
    assert [dataset[n] for n in range(3)] == [0, 1, 2]
    plain = torch_dataset(opened, "train", window_frames=4, points=133)
    assert plain[0]["keypoints"].shape == (4, 133, 3)


@pytest.fixture(scope="module")
def fresh() -> Iterator[Executor]:
    """A process in which no flow has run: after one, what Prefect registered ends a forked worker with an error."""
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        yield pool


def shuffled_epochs(folder: Path, workers: int) -> list[list[int]]:
    dataset = torch_dataset(open_release(folder), "train", window_frames=8, shuffle_blocks=1)
    assert isinstance(dataset, torch.utils.data.IterableDataset)
    loader = DataLoader(dataset, batch_size=4, num_workers=workers, persistent_workers=workers > 0)
    found = []
    for epoch in (0, 1, 0):
        dataset.set_epoch(epoch)  # reaches workers that live on
        found.append(rows_of(loader))
    return found


@pytest.mark.parametrize("workers", [0, 2])
def test_a_shuffled_epoch_gives_each_segment_once_and_the_same_again(
    published: Path, fresh: Executor, workers: int
) -> None:
    count = open_release(published).segments("train").num_rows
    found = fresh.submit(shuffled_epochs, published, workers).result()
    assert [sorted(rows) for rows in found] == [list(range(count))] * 3
    assert found[0] == found[2] != found[1]


def alone_and_shared(folder: Path) -> list[list[tuple[Any, list[int]]]]:
    opened = open_release(folder)
    dataset = torch_dataset(opened, "train", window_frames=8)
    opened.keypoint_rows("train", 0, 1)  # files are open when the workers fork
    loaders = (DataLoader(dataset, batch_size=3, num_workers=workers) for workers in (0, 2))
    return [[(batch["keypoints"].numpy(), batch["row"].tolist()) for batch in loader] for loader in loaders]


def test_map_style_workers_give_what_one_process_gives(published: Path, fresh: Executor) -> None:
    alone, shared = fresh.submit(alone_and_shared, published).result()
    for (keypoints, rows), (others, other_rows) in zip(alone, shared, strict=True):
        assert np.array_equal(keypoints, others, equal_nan=True)
        assert rows == other_rows


def test_datasets_pickle_as_the_releases_folder(opened: Release) -> None:
    opened.keypoint_rows("train", 0, 200)
    dataset = torch_dataset(opened, "train", window_frames=8)
    pickled = pickle.dumps(dataset)
    assert len(pickled) < 5000
    copy = pickle.loads(pickled)
    assert torch.equal(copy[2]["keypoints"].nan_to_num(-1), dataset[2]["keypoints"].nan_to_num(-1))
    shuffled = torch_dataset(opened, "train", window_frames=8, shuffle_blocks=4)
    shuffled.set_epoch(2)
    assert [s["row"] for s in pickle.loads(pickle.dumps(shuffled))] == [s["row"] for s in shuffled]
