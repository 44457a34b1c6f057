"""The MiGA challenge's files, read as the starter kit reads them: no header, frames from 0, the end frame included."""

import csv

import numpy as np
import pandas as pd
import pytest

from releases.exports import miga
from releases.exports.base import ExportOptions
from releases.exports.formats import export_release
from schema.errors import UsageError
from schema.layouts import MIGA35, MIGA35_NAMES, to_xyc
from tests.releases.exported_release import ReleaseWriter, small_release


@pytest.fixture
def writer(tmp_path):
    return small_release(tmp_path / "release")


def starter_kit(folder):
    """Skeleton rows and labels (class from 0, first and last frame from 1) as ``iMiGUEaccessSample.py`` gives them."""
    name = folder.name
    skeletons = pd.read_csv(folder / f"{name}_light_hand.csv", header=None).to_numpy()
    labels = []
    for line in (folder / f"{name}_label.csv").read_text().splitlines():
        number, start, end = line.split(",")
        labels.append((32 - 1 if int(number) == 99 else int(number) - 1, int(start) + 1, int(end) + 1))
    return skeletons, labels


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_video_of_the_release_is_a_folder_for_each_person(writer, tmp_path):
    result = export_release(writer.folder, "miga", tmp_path / "out", ExportOptions())
    assert sorted(str(p.parent.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*_label.csv")) == [
        "imigue_skeleton_test/0005",
        "imigue_skeleton_train/0001",
        "imigue_skeleton_train/0002",
        "imigue_skeleton_train/0003",
        "imigue_skeleton_validate/0004",
    ]
    videos = rows_of(tmp_path / "out" / "videos.csv")
    assert [(v["number"], v["video_id"], v["subject_number"]) for v in videos] == [
        ("0001", "v0a", "1"), ("0002", "v0a", "2"), ("0003", "v0b", ""), ("0004", "v0c", "3"), ("0005", "v0d", "4"),
    ]  # fmt: skip
    subjects = rows_of(tmp_path / "out" / "subjects.csv")
    assert [(s["subject_id"], s["split"]) for s in subjects] == [
        ("sA", "train"), ("sB", "train"), ("sC", "val"), ("sD", "test"),
    ]  # fmt: skip
    assert (result.segments, result.left_out) == (8, {"unclassified": 1, "without edges": 1})


def test_the_starter_kit_finds_the_labels_and_their_frames(writer, tmp_path):
    export_release(writer.folder, "miga", tmp_path / "out", ExportOptions())
    skeletons, labels = starter_kit(tmp_path / "out" / "imigue_skeleton_train" / "0001")
    assert labels == [(10, 21, 60), (10, 41, 70), (31, 76, 95), (28, 141, 180)]
    assert (tmp_path / "out" / "imigue_skeleton_train" / "0001" / "0001_label.csv").read_text() == (
        "11,20,59\n11,40,69\n99,75,94\n29,140,179\n"
    )
    assert skeletons.shape == (200, 106)
    assert skeletons[:, 0].tolist() == list(range(200))


def test_joints_are_in_the_order_and_with_the_mirrored_names_of_the_starter_kit(writer, tmp_path):
    export_release(writer.folder, "miga", tmp_path / "out", ExportOptions())
    skeletons, _ = starter_kit(tmp_path / "out" / "imigue_skeleton_train" / "0002")
    _, _, frames, _, xy, scores = writer.places["v0a", 1]
    told = skeletons[frames, 1:].reshape(-1, 35, 3)
    joint = {name: told[:, number] for number, name in enumerate(MIGA35_NAMES)}

    def point(number):
        return np.column_stack([np.where(scores[:, [number]] > 0, xy[:, number], 0), scores[:, number]])

    for name, number in (
        ("Nose", 0), ("ShoulderLeft", 6), ("HandLeft", 10), ("HandRight", 9), ("EyeLeft", 2), ("EarRight", 3),
        ("AnkleLeft", 16), ("RightFinger1", 116), ("LeftFinger5", 111), ("ToeLeft", 17),
    ):  # fmt: skip
        assert np.allclose(joint[name], point(number), atol=1e-3), name
    both = (scores[:, 5] > 0) & (scores[:, 6] > 0)
    assert np.allclose(joint["ShoulderCenter"][both, :2], (xy[both, 5] + xy[both, 6]) / 2, atol=1e-3)
    assert not joint["ShoulderCenter"][~both].any()


def test_frames_without_keypoints_are_rows_of_zeros_and_all_tracks_of_the_person_are_there(writer, tmp_path):
    export_release(writer.folder, "miga", tmp_path / "out", ExportOptions())
    skeletons, _ = starter_kit(tmp_path / "out" / "imigue_skeleton_train" / "0001")
    seen = np.flatnonzero(skeletons[:, 1:].any(axis=1)).tolist()
    assert seen == [*range(10, 80), *range(90, 120), *range(130, 180)]
    for number in (0, 2):
        _, _, frames, _, xy, scores = writer.places["v0a", number]
        rounded = np.rint(scores * 255).astype(np.float32) / np.float32(255)
        assert np.allclose(skeletons[frames, 1:], to_xyc(xy, rounded, MIGA35).reshape(len(frames), -1), atol=1e-4)


def test_chunks_give_the_same_file_as_the_whole(writer, tmp_path, monkeypatch):
    export_release(writer.folder, "miga", tmp_path / "whole", ExportOptions())
    monkeypatch.setattr(miga, "CHUNK_ROWS", 7)
    export_release(writer.folder, "miga", tmp_path / "chunks", ExportOptions())
    for path in (tmp_path / "whole").rglob("*.csv"):
        assert path.read_bytes() == (tmp_path / "chunks" / path.relative_to(tmp_path / "whole")).read_bytes()


def test_the_submission_of_a_split_has_the_form_of_the_published_example(writer, tmp_path):
    export_release(writer.folder, "miga", tmp_path / "out", ExportOptions())
    assert (tmp_path / "out" / "submission_train.csv").read_text().splitlines() == [
        "0001_0,10", "0001_1,10", "0001_2,31", "0001_3,28", "0002_0,28", "0003_0,31",
    ]  # fmt: skip
    assert (tmp_path / "out" / "submission_test.csv").read_text() == "0005_0,31\n"


def test_numbers_do_not_depend_on_the_splits_that_are_asked_for(writer, tmp_path):
    export_release(writer.folder, "miga", tmp_path / "out", ExportOptions(splits=("test",)))
    assert [v["number"] for v in rows_of(tmp_path / "out" / "videos.csv")] == ["0005"]
    assert [s["subject_number"] for s in rows_of(tmp_path / "out" / "subjects.csv")] == ["4"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.is_dir()) == ["imigue_skeleton_test"]


def test_of_two_tracks_of_a_person_in_one_frame_the_earlier_is_written_and_the_other_counted(tmp_path):
    writer = ReleaseWriter(tmp_path / "release")
    writer.video("v1", "train", frame_count=30)
    writer.track("v1", 0, "train", frames=range(0, 20), subject="s1", seed=1)
    writer.track("v1", 1, "train", frames=range(15, 30), subject="s1", seed=2)
    writer.segment("g1", ("v1", 0), (2, 9), "touching_jaw")
    writer.segment("g2", ("v1", 1), (20, 29), "touching_jaw")
    writer.write()
    result = export_release(tmp_path / "release", "miga", tmp_path / "out", ExportOptions())
    assert result.notes == ("5 rows of a person's second track in the same frame are not written",)
    skeletons, _ = starter_kit(tmp_path / "out" / "imigue_skeleton_train" / "0001")
    assert skeletons[:, 0].tolist() == list(range(30))


def test_a_release_of_other_classes_is_refused(tmp_path):
    small_release(
        tmp_path / "release", taxonomy="smg17", classes=("rubbing_eyes_and_forehead", "folding_arms", "crossing_legs")
    )
    with pytest.raises(
        UsageError, match="miga holds the classes of imigue32 alone, and this release has those of smg17"
    ):
        export_release(tmp_path / "release", "miga", tmp_path / "out", ExportOptions())
    assert not (tmp_path / "out").exists()
