"""Skeleton sets for benchmarks: what files say is what comes, and what is wrong in them is named."""

import argparse
import pickle
from fractions import Fraction

import numpy as np
import pytest

from benchmarks.skeleton_sets import add_arguments, describe, load_set, load_text, load_utkinect
from benchmarks.skeleton_text import class_id_of, subject_in
from releases import build as release_build
from releases.reader import open_release
from schema.errors import UsageError
from schema.layouts import LAYOUTS
from schema.timespan import TimeSpan
from tests.releases.conftest import page_alone
from tests.releases.release_data import build

KINECT = len(LAYOUTS["kinect20"].sources)


def read(*arguments):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return load_set(parser.parse_args([str(one) for one in arguments]))


def write_rows(path, frames, *, points=KINECT, axes=3, separator="  ", people=1):
    """Write frames whose first point's x is the frame's number; all other numbers are 1 and more."""
    lines = []
    for frame in frames:
        values = np.arange(people * points * axes) / 100 + 1
        values[0] = frame if frame is not None else 1
        cells = ([] if frame is None else [str(frame)]) + [f"{value:.6f}" for value in values]
        lines.append(separator.join(cells))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def utkinect(tmp_path):
    """Two recordings of one person and one of another, as UTKinect writes them."""
    joints = tmp_path / "set" / "joints"
    write_rows(joints / "joints_s01_e01.txt", [100, 100, 102, 106, *range(108, 200, 2)])
    write_rows(joints / "joints_s01_e02.txt", range(10, 100, 2))
    write_rows(joints / "joints_s02_e01.txt", range(10, 100, 2))
    (joints / "actionLabel.txt").write_text(
        "s01_e01\nwalk: 106 130\nstandUp: 140 160 \ns01_e02\ncarry:  NaN NaN\nclapHands: 20 40\ns02_e01\nwalk: 12 90\n"
    )
    return tmp_path / "set"


class TestUTKinect:
    def test_times_come_from_frame_numbers_and_last_frames_belong_to_labels(self, utkinect):
        found = load_utkinect(utkinect)
        first = found.sequences[0]
        assert first.poses.sequence_id == "s01_e01/0"
        assert first.poses.times_ns[:3].tolist() == [0, 66_666_666, 200_000_000], "frames 100, 102 and 106 at 30/s"
        assert first.poses.positions[1, 0, 0] == 102
        walk, stand = first.gestures
        assert (walk.class_id, stand.class_id) == ("walk", "stand_up")
        assert walk.span == TimeSpan(start_ns=200_000_000, end_ns=1_033_333_333), "frames 106 to 130, 131 is the end"
        assert first.judged == (TimeSpan(start_ns=0, end_ns=3_300_000_000),)

    def test_repeated_frames_and_labels_without_frames_are_left_out_and_told(self, utkinect):
        found = load_utkinect(utkinect)
        assert [g.class_id for g in found.sequences[1].gestures] == ["clap_hands"]
        assert found.notes == [
            "actionLabel.txt line 5: a label of s01_e02 has no frames",
            "joints_s01_e01.txt: 1 rows repeat a frame and were left out",
        ]

    def test_people_and_groups(self, utkinect):
        found = load_utkinect(utkinect)
        assert found.subjects == ("s01", "s02")
        assert {one.class_id: one.group for one in found.taxonomy} == {
            "walk": "Whole body",
            "stand_up": "Whole body",
            "clap_hands": "Arms",
        }
        assert all(one.poses.layout == "kinect20" and one.poses.dimensions == 3 for one in found.sequences)

    def test_the_modified_labels_come_first(self, utkinect):
        (utkinect / "joints" / "actionLabel_modified.txt").write_text("s02_e01\nwalk: 12 20\n")
        found = load_utkinect(utkinect)
        assert sum(len(one.gestures) for one in found.sequences) == 1
        assert [bool(one.judged) for one in found.sequences] == [False, False, True], "nobody labelled the others"

    def test_it_is_known_by_its_files(self, utkinect):
        assert read(utkinect).name == read(utkinect / "joints").name == "utkinect"

    def test_the_real_one_has_what_is_said_of_it(self, shared_media):
        found = load_utkinect(shared_media / "skeletons" / "UTKinect")
        gestures = [(one.poses.sequence_id, g) for one in found.sequences for g in one.gestures]
        assert (len(found.sequences), len(found.subjects), len(gestures), len(found.taxonomy.classes)) == (
            20, 10, 199, 10,
        )  # fmt: skip
        assert not any("was cut" in note for note in found.notes)
        for one in found.sequences:
            for before, after in zip(one.gestures, one.gestures[1:], strict=False):
                # some actions begin in the frame in which another ends
                assert before.span.overlap_ns(after.span) <= 33_333_334, (one.poses.sequence_id, before, after)
        assert "199 gestures in 10 classes" in describe(found)[0]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("axes", [2, 3])
def test_any_layout_is_read_with_and_without_frame_numbers(tmp_path, layout, axes):
    points = len(LAYOUTS[layout].sources)
    write_rows(tmp_path / "a" / "s1_counted.txt", range(0, 60, 2), points=points, axes=axes)
    write_rows(tmp_path / "a" / "s2_plain.csv", [None] * 30, points=points, axes=axes, separator=",")
    (tmp_path / "a" / "labels.txt").write_text("s1_counted\nwave 0 9\ns2_plain\nwave,0,9,\n")
    found = load_text(tmp_path / "a", layout=layout, rate=Fraction(10))
    counted, plain = found.sequences
    assert counted.poses.positions.shape == plain.poses.positions.shape == (30, points, axes)
    assert counted.poses.times_ns[1] == 2 * plain.poses.times_ns[1] == 200_000_000
    assert plain.poses.positions[5, 1].tolist() == pytest.approx([1 + (axes + k) / 100 for k in range(axes)])
    assert [g.span.seconds for one in found.sequences for g in one.gestures] == [1, 1]
    assert found.subjects == ("s1", "s2")


class TestText:
    def test_points_at_the_origin_and_of_no_number_are_not_seen(self, tmp_path):
        path = write_rows(tmp_path / "s1.txt", [1, 2, 3])
        rows = [line.split() for line in path.read_text().splitlines()]
        rows[0][4:7] = "0", "0.0", "0"
        rows[1][7:10] = "nan", "1", "1"
        path.write_text("\n".join(map(" ".join, rows)))
        (tmp_path / "labels.txt").write_text("s1\nnod: 1 3\n")
        (one,) = load_text(tmp_path, layout="kinect20").sequences
        assert np.argwhere(one.poses.scores == 0).tolist() == [[0, 1], [1, 2]]
        assert np.isnan(one.poses.positions[0, 1]).all()

    def test_labels_may_be_a_folder_with_numbers_for_classes(self, tmp_path):
        write_rows(tmp_path / "data" / "0002-L.txt", [None] * 50, points=25, people=2)
        write_rows(tmp_path / "data" / "0003-L.txt", [None] * 50, points=25)
        for name in ("0002-L", "0003-L"):
            (tmp_path / "labels").mkdir(exist_ok=True)
            (tmp_path / "labels" / f"{name}.txt").write_text("10,5,9,2\n2,20,29,1\n")
        found = read(tmp_path, "--layout", "kinect25", "--labels", tmp_path / "labels", "--rate", "30")
        assert [one.class_id for one in found.taxonomy] == ["class_2", "class_10"]
        assert [g.class_id for g in found.sequences[0].gestures] == ["class_10", "class_2"]
        assert found.sequences[0].poses.subject_id is None
        assert found.sequences[0].poses.positions.shape == (50, 25, 3)

    def test_people_groups_and_words_may_be_told(self, tmp_path):
        write_rows(tmp_path / "set" / "one.txt", range(30))
        (tmp_path / "set" / "labels.txt").write_text("one\ndrink water 3 9\nDrink water, 12, 15\n")
        (tmp_path / "people.csv").write_text("recording,subject,rate\none,Ada,15\n")
        (tmp_path / "groups.csv").write_text("label,group\ndrink water,Head-Hand\n")
        extra = ("--subjects", tmp_path / "people.csv", "--groups", tmp_path / "groups.csv")
        found = read(tmp_path / "set", "--layout", "kinect20", *extra)
        assert found.subjects == ("Ada",)
        assert [(one.class_id, one.group) for one in found.taxonomy] == [("drink_water", "Head-Hand")]
        assert [g.span.seconds for g in found.sequences[0].gestures] == pytest.approx([7 / 15, 4 / 15])
        (tmp_path / "groups.csv").write_text("label,group\nsleep,Body\n")
        with pytest.raises(UsageError, match="sleep are no classes of set"):
            read(tmp_path / "set", "--layout", "kinect20", *extra)

    @pytest.mark.parametrize(
        ("line", "name"),
        [
            ("action 7: 10 20", "action 7"),
            ("action 7,10,20", "action 7"),
            ("action 7; 10; 20; 0.5", "action 7"),
            ("Wave, left hand: 10 20", "Wave, left hand"),
            ("7 10 20", "7"),
            ("7, 10, 20, 2", "7"),
            ("drink water 10 20 0.9", "drink water"),
            ("挥手: 10 20", "挥手"),
        ],
    )
    def test_names_of_labels_may_have_numbers_and_any_letters(self, tmp_path, line, name):
        write_rows(tmp_path / "s1.txt", range(30))
        (tmp_path / "labels.txt").write_text(f"s1\n{line}\n", encoding="utf-8")
        found = load_text(tmp_path, layout="kinect20", rate=Fraction(10))
        assert [one.name for one in found.taxonomy] == [name]
        assert [gesture.span for gesture in found.sequences[0].gestures] == [
            TimeSpan(start_ns=1_000_000_000, end_ns=2_100_000_000)
        ]

    def test_a_confidence_is_told_from_depth_by_the_whole_set(self, tmp_path):
        for name in ("s1", "s2"):
            write_rows(tmp_path / f"{name}.txt", range(0, 60, 2), points=17)
        (tmp_path / "labels.txt").write_text("s1\nnod: 1 30\n")
        in_space = load_text(tmp_path, layout="coco17")
        assert {one.poses.dimensions for one in in_space.sequences} == {3}
        for name in ("s1", "s2"):
            rows = np.loadtxt(tmp_path / f"{name}.txt")
            rows[:, 1:] *= 100
            rows[:, 3::3] = 0.75
            rows[4, 3], rows[5, 4], rows[6, 4:6] = 0, np.nan, 0
            np.savetxt(tmp_path / f"{name}.txt", rows)
        found = load_text(tmp_path, layout="coco17")
        assert {one.poses.dimensions for one in found.sequences} == {2}
        assert np.argwhere(found.sequences[0].poses.scores != 0.75).tolist() == [[4, 0], [5, 1], [6, 1]]
        assert np.argwhere(np.isnan(found.sequences[0].poses.positions[..., 0])).tolist() == [[4, 0], [5, 1], [6, 1]]
        assert any("taken for a confidence" in line for line in describe(found))
        assert "  points: coco17 in the plane" in describe(found)
        rows[7, 3] = 1.5
        np.savetxt(tmp_path / "s2.txt", rows)
        assert {one.poses.dimensions for one in load_text(tmp_path, layout="coco17").sequences} == {3}

    def test_people_of_recordings_that_are_not_there_are_refused(self, tmp_path):
        write_rows(tmp_path / "set" / "0007.txt", range(30))
        (tmp_path / "set" / "labels.txt").write_text("0007\nnod: 1 2\n")
        people = tmp_path / "people.csv"
        people.write_text("recording,subject\n7,Ada\n")
        found = read(tmp_path / "set", "--layout", "kinect20", "--subjects", people)
        assert "  people: Ada" in describe(found)
        people.write_text("recording,subject\n7,Ada\n0008,Bob\n")
        with pytest.raises(UsageError, match=r"1 of 2 rows match no recording of set \(0008\), which are called 0007"):
            read(tmp_path / "set", "--layout", "kinect20", "--subjects", people)

    def test_files_of_groups_that_cannot_be_read_are_named(self, tmp_path):
        write_rows(tmp_path / "s1.txt", range(30))
        (tmp_path / "labels.txt").write_text("s1\nnod: 1 2\n")
        with pytest.raises(UsageError, match=r"nowhere\.csv can't be read"):
            read(tmp_path, "--layout", "kinect20", "--groups", tmp_path / "nowhere.csv")
        (tmp_path / "groups.csv").write_bytes("nod,Köpfe".encode("latin-1"))
        with pytest.raises(UsageError, match=r"groups\.csv can't be read as UTF-8"):
            read(tmp_path, "--layout", "kinect20", "--groups", tmp_path / "groups.csv")

    def test_labels_beyond_the_recording_are_cut_and_told(self, tmp_path):
        write_rows(tmp_path / "s1.txt", range(10, 40))
        (tmp_path / "labels.txt").write_text("s1\nnod: 5 12\n")
        found = load_text(tmp_path, layout="kinect20")
        assert found.sequences[0].gestures[0].span.start_ns == 0
        assert found.notes == ["s1: nod was cut to what was recorded, frames 10 to 12"]

    @pytest.mark.parametrize(
        ("labels", "said"),
        [
            ("s1\nnod: 50 60\n", "s1: nod is from frame 50 to 60, and the recording from 0 to 29"),
            ("s9\nnod: 5 6\n", "labels.txt line 1: 's9' comes before the name of any recording"),
            ("s1\nnod: 9 5\n", "labels.txt line 2: 9 to 5 are no frames"),
            ("s1\nnod: 1.5 5\n", "labels.txt line 2: 1.5 to 5 are no frames"),
            ("s1\nnod: five 6\n", "labels.txt line 2: no label"),
            ("s1\naction 7 10 20\n", "labels.txt line 2: is 7 part of the name, or 20 a confidence"),
            ("s1\n", "no labelled gesture in it"),
        ],
    )
    def test_labels_that_are_wrong_are_named(self, tmp_path, labels, said):
        write_rows(tmp_path / "s1.txt", range(30))
        (tmp_path / "labels.txt").write_text(labels)
        with pytest.raises(UsageError, match=said):
            load_text(tmp_path, layout="kinect20")

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda lines: [lines[0], lines[1] + " 7", *lines[2:]], "s1.txt line 2: 62 numbers"),
            (lambda lines: [lines[0], "a row of words", *lines[1:]], "s1.txt line 2: no row of numbers"),
            (lambda lines: [lines[3], lines[1], lines[2]], "s1.txt: frame 1 comes after frame 3"),
            (lambda lines: ["0.5" + line[1:] for line in lines], "no whole frame number"),
            (lambda _: [], "s1.txt: no frame in it"),
        ],
    )
    def test_rows_that_are_wrong_are_named(self, tmp_path, change, said):
        path = write_rows(tmp_path / "s1.txt", range(10))
        path.write_text("\n".join(change(path.read_text().splitlines())))
        (tmp_path / "labels.txt").write_text("s1\nnod: 1 2\n")
        with pytest.raises(UsageError, match=said):
            load_text(tmp_path, layout="kinect20")

    def test_what_is_missing_is_named(self, tmp_path):
        with pytest.raises(UsageError, match="no such file or folder"):
            read(tmp_path / "nowhere")
        with pytest.raises(UsageError, match="say what its points are with --layout"):
            read(tmp_path)
        with pytest.raises(UsageError, match="no text file with skeletons"):
            read(tmp_path, "--layout", "kinect20")
        write_rows(tmp_path / "s1.txt", range(10))
        with pytest.raises(UsageError, match="there are: none; say --labels"):
            read(tmp_path, "--layout", "kinect20")
        (tmp_path / "labels.txt").write_text("s1\nnod: 1 2\n")
        with pytest.raises(UsageError, match="the 25 points of kinect25 have 50 or 75"):
            read(tmp_path, "--layout", "kinect25")


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("s01_e02", "s01"),
        ("a03_s7_e01", "s7"),
        ("S001C002P003R002A013", "s003"),
        ("subject_4_take2", "s4"),
        ("S001_P003_E01", "s003"),
        ("p2_person7_s1", "s7"),
        ("walks3", None),
        ("0002-L", None),
    ],
)
def test_people_are_known_by_the_names_of_recordings(name, subject):
    assert subject_in(name) == subject


def test_class_ids_are_made_of_any_label():
    assert [class_id_of(label) for label in ("sitDown", "7", "Wave (left hand)", "PICK UP")] == [
        "sit_down", "class_7", "wave_left_hand", "pick_up",
    ]  # fmt: skip
    other = [class_id_of(label) for label in ("挥手", "点头", "挥手 2", "Übung", "salté", "+", "-")]
    assert other == ["u6325_u624b", "u70b9_u5934", "u6325_u624b_2", "ubung", "salte", "u2b", "u2d"]


class TestImports:
    def test_a_pickle_keeps_its_layout_and_its_third_axis(self, tmp_path):
        random = np.random.default_rng(0)
        annotations = [
            {
                "frame_dir": f"S001C001P{person:03d}R001A{label + 1:03d}",
                "label": label,
                "keypoint": random.normal(2, 1, (1, 40, 25, 3)).astype(np.float32),
                "total_frames": 40,
            }
            for person in (1, 2)
            for label in (0, 4)
        ]
        (tmp_path / "ntu.pkl").write_bytes(pickle.dumps({"annotations": annotations, "split": {}}))
        found = read(tmp_path / "ntu.pkl", "--format", "pyskl")
        assert [one.class_id for one in found.taxonomy] == ["class_0", "class_4"]
        assert found.subjects == ("s001", "s002")
        first = found.sequences[0]
        assert (first.poses.layout, first.poses.dimensions) == ("kinect25", 3)
        assert first.poses.positions == pytest.approx(annotations[0]["keypoint"][0])
        assert first.gestures[0].span == first.judged[0], "a label without edges is of the whole clip"
        assert first.gestures[0].class_id == "class_0"

    def test_all_clips_of_a_pickle_are_in_space_or_none(self, tmp_path):
        random = np.random.default_rng(0)
        near = random.uniform(0.2, 0.8, (1, 30, 17, 3)).astype(np.float32)
        clips = [
            {"frame_dir": f"s{n}", "label": 0, "keypoint": near * scale, "total_frames": 30}
            for n, scale in enumerate((1, 3000))
        ]
        (tmp_path / "clips.pkl").write_bytes(pickle.dumps(clips))
        found = read(tmp_path)
        assert [one.poses.dimensions for one in found.sequences] == [3, 3]
        assert all((one.poses.scores == 1).all() for one in found.sequences), "millimetres are not too far"

    def test_a_picture_s_points_come_back_to_their_layout(self, tmp_path):
        points = np.random.default_rng(1).uniform(10, 500, (1, 30, 17, 2)).astype(np.float32)
        scores = np.ones((1, 30, 17), np.float32)
        scores[0, 3, 5] = 0
        one = {
            "frame_dir": "s3_clip",
            "label": 2,
            "keypoint": points,
            "keypoint_score": scores,
            "img_shape": (600, 800),
        }
        (tmp_path / "clips.pkl").write_bytes(pickle.dumps([one]))
        found = read(tmp_path)
        poses = found.sequences[0].poses
        assert (poses.layout, poses.dimensions, poses.subject_id) == ("coco17", 2, "s3")
        assert poses.scores[3, 5] == 0
        assert np.isnan(poses.positions[3, 5]).all()
        assert poses.positions[4] == pytest.approx(points[0, 4])

    def test_smg_keeps_space_and_edges(self, tmp_path):
        numbers = np.random.default_rng(2).normal(2, 0.5, (60, 25, 11)).astype(np.float32)
        np.savetxt(tmp_path / "Sample0003_skeleton.csv", numbers.reshape(60, -1), delimiter=",", fmt="%.6f")
        (tmp_path / "Sample0003_finelabels.csv").write_text("3,11,30\n")
        (tmp_path / "Sample0003_data.csv").write_text("60,28,8000\n")
        found = read(tmp_path)
        (one,) = found.sequences
        assert found.notes == ["positions are in space: x, y and depth are read"]
        assert (one.poses.layout, one.poses.dimensions, one.poses.subject_id) == ("kinect25", 3, "3")
        assert one.poses.positions == pytest.approx(numbers[..., :3], abs=1e-5)
        assert one.gestures[0].class_id == "folding_arms"
        assert one.gestures[0].span == TimeSpan(start_ns=357_142_857, end_ns=1_071_428_571)

    def test_miga_comes_in_its_35_points(self, tmp_path):
        values = np.random.default_rng(3).uniform(100, 600, (50, 35, 3)).astype(np.float32)
        values[..., 2] = 0.9
        rows = np.column_stack([np.arange(50), values.reshape(50, -1)])
        np.savetxt(tmp_path / "7_light_hand.csv", rows, delimiter=",", fmt="%.4f")
        (tmp_path / "7_label.csv").write_text("1,0,24\n99,30,40\n")
        (tmp_path / "people.csv").write_text("recording,subject\n7,P1\n")
        found = read(tmp_path, "--subjects", tmp_path / "people.csv")
        (one,) = found.sequences
        assert (one.poses.layout, one.poses.positions.shape, one.poses.subject_id) == ("miga35", (50, 35, 2), "P1")
        assert found.taxonomy.name == "imigue32"
        assert [g.span.seconds for g in one.gestures] == pytest.approx([1, 11 / 25])

    def test_a_set_that_cannot_be_read_says_why(self, tmp_path):
        (tmp_path / "broken.pkl").write_bytes(b"no pickle")
        with pytest.raises(UsageError, match=r"no recording could be read; broken\.pkl"):
            read(tmp_path)


def test_a_release_gives_the_people_that_one_may_learn_from(tmp_path, monkeypatch):
    monkeypatch.setattr(release_build, "write_stats", page_alone)
    folder = build(tmp_path)
    found = read(folder)
    people = {
        split: {row["subject_id"] for row in open_release(folder).segments(split).to_pylist() if row["subject_id"]}
        for split in ("train", "val", "test")
    }
    assert set(found.subjects) <= people["train"] | people["val"]
    assert not set(found.subjects) & people["test"]
    assert len(found.subjects) > 1
    assert all(one.poses.layout == "wholebody133" and one.judged for one in found.sequences)
    classes = {
        row["class_id"] for split in ("train", "val") for row in open_release(folder).segments(split).to_pylist()
    }
    assert {gesture.class_id for one in found.sequences for gesture in one.gestures} == classes - {None}
