"""SMG's files: three dimensions into the picture's plane, frames from 1, its own participants and split."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from releases.imports.smg import in_plane
from schema.errors import DropReason, UsageError
from tests.releases.import_data import frames_of, make_options, read_all

SHOULDER_LEFT, SHOULDER_RIGHT, WRIST_LEFT, THUMB_RIGHT, HEAD = 4, 8, 6, 24, 3
OURS = {SHOULDER_LEFT: 5, SHOULDER_RIGHT: 6, WRIST_LEFT: 9, THUMB_RIGHT: 116}
"""Joints of the Kinect, and the points of the 133 that they are."""


def standing_person(frames: int) -> np.ndarray:
    """Give a person who faces the sensor 2.5 m away: x grows to the sensor's left, which is the person's right."""
    random = np.random.default_rng(0)
    joints = random.uniform((-0.2, -0.8, 2.4), (0.2, 0.6, 2.6), (25, 3))
    joints[[SHOULDER_LEFT, SHOULDER_RIGHT]] = (-0.2, 0.3, 2.5), (0.2, 0.3, 2.5)
    joints[HEAD] = (0, 0.6, 2.5)
    return joints + random.normal(0, 0.002, (frames, 25, 3))


def write_sample(
    folder: Path, number: int, *, frames: int = 60, labels: str = "1,1,10\n17,51,60\n", **files: str
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    values = np.zeros((frames, 25, 11))
    values[..., :3] = standing_person(frames)
    values[..., 3:] = 7.25
    rows = [",".join(f"{value:.5f}" for value in row) for row in values.reshape(frames, 275)]
    texts = {"skeleton": "\n".join(rows), "finelabels": labels, "data": f"{frames},28,4000\n"} | files
    for ending, text in texts.items():
        (folder / f"Sample{number:04d}_{ending}.csv").write_text(text)


def test_a_sample_comes_back_with_its_person_split_and_frames(tmp_path: Path):
    write_sample(tmp_path / "Sample0007", 7)
    write_sample(tmp_path / "Sample0036", 36)
    (early, late), lost = read_all("smg", tmp_path, make_options("smg17"))
    assert lost == []
    assert (early.native_id, early.native_subject, early.split) == ("Sample0007", "7", None)
    assert (late.native_id, late.native_subject, late.split) == ("Sample0036", "36", "test"), "36 to 40 are SMG's test"
    assert (early.rate, early.frame_count, early.width, early.height) == (28, 60, None, None)
    first, last = frames_of(early)
    assert first[1:] == (0, 9), "its first frame is 1, and the last one of a label belongs to it"
    assert last == ("illustrative_hand_gestures", 50, 59)


def test_the_plane_is_the_picture_in_millimetres_with_all_of_it_positive(tmp_path: Path):
    write_sample(tmp_path, 1)
    ((recording,), _) = read_all("smg", tmp_path, make_options("smg17"))
    (track,) = recording.tracks
    points = {joint: track.keypoints_xy[:, ours] for joint, ours in OURS.items()}
    real = standing_person(60)
    for one, other in ((SHOULDER_LEFT, SHOULDER_RIGHT), (WRIST_LEFT, THUMB_RIGHT)):
        ours = np.linalg.norm(points[one] - points[other], axis=1)
        np.testing.assert_allclose(
            ours, 1000 * np.linalg.norm((real[:, one] - real[:, other])[:, :2], axis=1), atol=0.1
        )
    assert (points[SHOULDER_LEFT][:, 0] > points[SHOULDER_RIGHT][:, 0]).all(), "who faces us has the left on our right"
    lower, upper = (points[joint][:, 1] for joint in (WRIST_LEFT, SHOULDER_LEFT))
    assert ((lower > upper) == (real[:, WRIST_LEFT, 1] < real[:, SHOULDER_LEFT, 1])).all(), "y grows downwards"
    assert np.nanmin(track.keypoints_xy) >= 100
    assert set(np.unique(track.scores)) == {0, 1}
    assert not track.scores[:, :5].any(), "a head is no nose, and no eye"


def test_a_joint_that_the_sensor_has_not_is_not_seen():
    joints = standing_person(4).astype(np.float32)
    joints[1, 5] = 0
    joints[2, 5, 1] = np.nan
    joints[3, 6] = 1e30
    values = in_plane(joints)
    assert values[:, 5, 2].tolist() == [1, 0, 0, 1]
    assert values[:, 6, 2].tolist() == [1, 1, 1, 0]
    assert values.max() < 3000
    assert np.isfinite(values).all()


@pytest.mark.parametrize(
    ("files", "reason", "words"),
    [
        ({"data": ""}, DropReason.BAD_IMPORT, "Sample0002_data.csv tells no rate"),
        ({"data": "60,fast,4000"}, DropReason.BAD_IMPORT, "tells no rate"),
        ({"data": "60,0,4000"}, DropReason.BAD_IMPORT, "tells no rate"),
        ({"skeleton": "1,2,3\n"}, DropReason.BAD_IMPORT, "3 values where 275 are needed"),
        ({"skeleton": ""}, DropReason.EMPTY, "empty"),
        ({"skeleton": ",".join(["0"] * 275)}, DropReason.NO_KEYPOINTS, "nobody is seen"),
    ],
)
def test_a_bad_sample_has_one_line_and_the_others_are_taken(
    tmp_path: Path, files: dict[str, str], reason: DropReason, words: str
):
    write_sample(tmp_path, 1)
    write_sample(tmp_path, 2, **files)
    taken, lost = read_all("smg", tmp_path, make_options("smg17"))
    assert [r.native_id for r in taken] == ["Sample0001"]
    assert [one.reason for one in lost] == [reason]
    assert words in str(lost[0])


def test_without_its_facts_a_sample_needs_a_rate_from_the_caller(tmp_path: Path):
    write_sample(tmp_path, 3)
    (tmp_path / "Sample0003_data.csv").unlink()
    taken, lost = read_all("smg", tmp_path, make_options("smg17"))
    assert taken == []
    assert lost[0].reason is DropReason.MISSING
    assert "--rate" in str(lost[0])
    ((recording,), lost) = read_all("smg", tmp_path, make_options("smg17", rate=Fraction(28)))
    assert (recording.rate, lost) == (28, [])


@pytest.mark.parametrize("line", ["0,1,5", "18,1,5", "3,0,5", "3,58,61", "3,9,8"])
def test_labels_outside_of_the_sample_or_the_classes_are_left_out(tmp_path: Path, line: str):
    write_sample(tmp_path, 1, labels=f"3,1,60\n{line}\n")
    ((recording,), lost) = read_all("smg", tmp_path, make_options("smg17"))
    assert frames_of(recording) == [("folding_arms", 0, 59)]
    assert [one.where for one in lost] == ["Sample0001_finelabels.csv line 2"]


def test_the_published_class_list_is_the_taxonomy_s(shared_media: Path):
    lines = (shared_media / "labels" / "smg_Clip_label.csv").read_text().splitlines()[1:]
    names = {gesture.number: gesture.name.removesuffix(" (non-MG)") for gesture in make_options("smg17").taxonomy}
    told = {int(line.partition(",")[0]) + 1: line.partition(",")[2].strip('"') for line in lines}
    assert {n: name.casefold() for n, name in told.items()} == {n: name.casefold() for n, name in names.items()}


def test_another_taxonomy_and_a_folder_without_samples_are_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="SMG has the classes of smg17"):
        read_all("smg", tmp_path, make_options("imigue32"))
    with pytest.raises(UsageError, match="SampleNNNN"):
        read_all("smg", tmp_path, make_options("smg17"))
