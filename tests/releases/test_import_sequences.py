"""MA-52's lists and the pickles of MMAction2: labels without edges, hidden ones without a class, points by number."""

import pickle
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from releases.imports.pyskl import PLANAR
from releases.imports.subjects import read_class_map
from schema.errors import DropReason, UsageError
from schema.layouts import LAYOUTS, MA52_28, to_xyc
from schema.taxonomy import load_taxonomy
from tests.releases.import_data import make_options, read_all


def make_sequence(name: str, *, points: int = 28, frames: int = 9, people: int = 1, **changes: Any) -> dict[str, Any]:
    """Give a sequence as PCAN's and pyskl's pickles have it: half floats, one person, no picture outside."""
    random = np.random.default_rng(len(name) + points)
    return {
        "frame_dir": name,
        "label": 9,
        "img_shape": (1296, 1080),
        "original_shape": (1296, 1080),
        "total_frames": frames,
        "keypoint": random.uniform(50, 1000, (people, frames, points, 2)).astype(np.float16),
        "keypoint_score": random.uniform(0.3, 1, (people, frames, points)).astype(np.float16),
    } | changes


def write_pickle(path: Path, document: object, protocol: int = 4) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(document, protocol=protocol))
    return path


class TestMa52:
    """Lists name the clips and their actions, pickles have the skeletons; either may come alone."""

    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "ma52_train_list_videos.txt").write_text("0003_01_0001.mp4 9\n0004_02_0007.mp4 3\n")
        (tmp_path / "ma52_val_list_videos.txt").write_text("\ufeff0003_01_0005.mp4 51\r\n")
        (tmp_path / "ma52_test_list_videos.txt").write_text("test0000.mp4 0\n")
        sequences = [make_sequence(name) for name in ("0003_01_0001", "0004_02_0007", "0009_01_0001")]
        write_pickle(tmp_path / "skeletons" / "MA52_train.pkl", sequences)
        write_pickle(tmp_path / "skeletons" / "MA52_test.pkl", [make_sequence("test0000", label=0)])
        return tmp_path

    def test_labels_are_of_whole_clips_and_the_test_s_are_hidden(self, tmp_path: Path):
        taken, lost = read_all("ma52", self.folder(tmp_path), make_options("ma52"))
        assert lost == []
        found = {r.native_id: (r.native_subject, r.split, [s.class_id for s in r.segments]) for r in taken}
        assert found == {
            "0003_01_0001": ("0003", "train", ["nodding"]),
            "0003_01_0005": ("0003", "val", ["scratching_feet"]),
            "0004_02_0007": ("0004", "train", ["turning_around"]),
            "0009_01_0001": ("0009", "train", ["nodding"]),
            "test0000": (None, "test", []),
        }
        assert {(s.start_ns, s.end_ns) for r in taken for s in r.segments} == {(None, None)}, "no edges are invented"

    def test_skeletons_are_those_of_the_clip_and_a_clip_without_any_has_none(self, tmp_path: Path):
        taken, _ = read_all("ma52", self.folder(tmp_path), make_options("ma52"))
        by_name = {r.native_id: r for r in taken}
        assert by_name["0003_01_0005"].tracks == ()
        assert by_name["0003_01_0005"].frame_count == 0
        recording, told = by_name["0004_02_0007"], make_sequence("0004_02_0007")
        assert (recording.layout, recording.width, recording.height, recording.rate) == ("ma52_28", 1080, 1296, 30)
        back = to_xyc(recording.tracks[0].keypoints_xy, recording.tracks[0].scores, MA52_28)
        single = [k for k, source in enumerate(MA52_28.sources) if len(source) == 1]
        np.testing.assert_allclose(back[:, single, :2], told["keypoint"][0][:, single].astype(float), rtol=1e-5)

    def test_the_two_labels_that_the_sources_exchange_are_warned_of(self, tmp_path: Path):
        from releases.imports.formats import open_import

        notes = open_import("ma52", self.folder(tmp_path), make_options("ma52")).notes
        assert any("3 (turning around) and 4 (rising up)" in note for note in notes)

    def test_bad_lines_are_told_and_the_others_taken(self, tmp_path: Path):
        lines = "0003_01_0001.mp4 9\n0003_01_0002.mp4\n0003_01_0003.mp4 52\n\n0003_01_0001.mp4 8\n0003_01_0004.mp4 -1\n"
        (tmp_path / "train_list.txt").write_text(lines)
        taken, lost = read_all("ma52", tmp_path, make_options("ma52"))
        assert [r.native_id for r in taken] == ["0003_01_0001"]
        told = sorted(str(one) for one in lost)
        assert told[0].startswith("train_list.txt line 2: no line `NNNN_SS_IIII.mp4 <id>`")
        assert told[1].startswith("train_list.txt line 3: label 52 is none of 0 to 51")
        assert told[2].startswith("train_list.txt line 6: label -1")
        assert "0003_01_0001 was found in" in told[3]

    def test_the_published_lists_are_read_whole(self, shared_media: Path, tmp_path: Path):
        for split in ("train", "val", "test"):
            name = f"ma52_{split}_list_videos.txt"
            (tmp_path / name).write_bytes((shared_media / "labels" / name).read_bytes())
        taken, lost = read_all("ma52", tmp_path, make_options("ma52"))
        assert lost == []
        assert Counter(r.split for r in taken) == {"train": 11_250, "val": 5_586, "test": 5_586}
        assert len({r.native_subject for r in taken} - {None}) == 186
        assert sum(bool(r.segments) for r in taken) == 11_250 + 5_586
        counts = Counter(r.segments[0].label for r in taken if r.segments and r.split == "train")
        assert (counts["9"], counts["45"]) == (1283, 6), "nodding and covering the face, as the lists have them"


class TestPyskl:
    """One sequence, one recording; what a point is follows from their number."""

    def read(self, tmp_path: Path, *sequences: dict[str, Any], **options: Any):
        return read_all("pyskl", write_pickle(tmp_path / "a.pkl", list(sequences)), make_options(**options))

    @pytest.mark.parametrize("points", PLANAR)
    def test_a_layout_goes_by_its_number_of_points(self, tmp_path: Path, points: int):
        ((recording,), lost) = self.read(tmp_path, make_sequence("a", points=points))
        assert lost == []
        assert len(LAYOUTS[recording.layout].sources) == points
        assert recording.tracks[0].keypoints_xy.shape == (9, 133, 2)

    def test_labels_count_the_classes_from_0(self, tmp_path: Path):
        sequences = [make_sequence("a", label=0), make_sequence("b", label=np.int64(31)), make_sequence("c", label=-1)]
        taken, lost = self.read(tmp_path, *sequences)
        assert lost == []
        classes = load_taxonomy("imigue32").classes
        assert [[s.class_id for s in r.segments] for r in taken] == [[classes[0].class_id], [classes[31].class_id], []]
        ((recording,), _) = self.read(tmp_path, make_sequence("a", label=51), taxonomy="ma52")
        assert recording.segments[0].class_id == "scratching_feet"

    @pytest.mark.parametrize("label", [32, "five", pytest.param(10**5000, id="huge"), [1, 99], True, {"a": 1}])
    def test_a_label_that_is_none_is_left_out_and_the_skeleton_taken(self, tmp_path: Path, label: object):
        ((recording,), lost) = self.read(tmp_path, make_sequence("a", label=label))
        assert recording.segments == ()
        assert [one.reason for one in lost] == [DropReason.BAD_IMPORT]
        assert str(lost[0]).startswith("a.pkl, a: a label is none of 0 to 31")

    def test_splits_are_those_of_the_pickle_and_none_where_its_protocols_disagree(self, tmp_path: Path):
        split = {"xsub_train": ["a", "b"], "xsub_val": ["c"], "xview_val": ["b", "c"], "other": ["d"]}
        document = {"split": split, "annotations": [make_sequence(name) for name in "abcd"]}
        taken, _ = read_all("pyskl", write_pickle(tmp_path / "a.pkl", document), make_options())
        assert {r.native_id: r.split for r in taken} == {"a": "train", "b": None, "c": "val", "d": None}

    def test_people_who_are_never_seen_are_no_tracks_and_the_label_is_of_the_one_seen_most(self, tmp_path: Path):
        sequence = make_sequence("a", points=17, people=3)
        sequence["keypoint"][0] = 0
        sequence["keypoint_score"][1, :8] = 0
        ((recording,), _) = self.read(tmp_path, sequence)
        assert [track.track_number for track in recording.tracks] == [1, 2]
        assert [s.track_number for s in recording.segments] == [2]

    def test_what_is_not_told_is_null_or_said_by_the_caller(self, tmp_path: Path):
        sequence = make_sequence("a", points=17)
        del sequence["img_shape"], sequence["original_shape"], sequence["keypoint_score"]
        ((recording,), _) = self.read(tmp_path, sequence)
        assert (recording.width, recording.height, recording.native_subject, recording.split) == (None,) * 4
        assert recording.rate == 30
        assert recording.tracks[0].scores[:, :17].min() == 1
        ((recording,), _) = self.read(tmp_path, sequence, rate=Fraction(25), size=(640, 480))
        assert (recording.rate, recording.width, recording.height) == (25, 640, 480)
        ((recording,), _) = self.read(tmp_path, sequence | {"fps": 29.97})
        assert recording.rate == Fraction(2997, 100)

    def test_three_dimensions_of_25_joints_are_a_kinect_s(self, tmp_path: Path):
        joints = np.random.default_rng(0).uniform(-1, 3, (1, 9, 25, 3)).astype(np.float32)
        sequence = make_sequence("a", points=25) | {"keypoint": joints}
        del sequence["keypoint_score"]
        ((recording,), lost) = self.read(tmp_path, sequence)
        assert (recording.layout, lost) == ("kinect25", [])

    def test_a_layout_can_be_forced_and_must_fit(self, tmp_path: Path):
        ((recording,), _) = self.read(tmp_path, make_sequence("a", points=25), layout="openpose25")
        assert recording.layout == "openpose25"
        taken, lost = self.read(tmp_path, make_sequence("a", points=17), layout="openpose25")
        assert taken == []
        assert "17 points, and openpose25 has 25" in str(lost[0])

    def test_labels_may_be_mapped_to_the_study_s_classes(self, tmp_path: Path):
        taxonomy = load_taxonomy("imigue32")
        pairs, names = tmp_path / "pairs.csv", tmp_path / "names.txt"
        pairs.write_text("label,class_id\n9,folding_arms\n10,Turtle neck\n11,-\n")
        names.write_text("Buckle button, pulling shirt collar, adjusting tie\nfolding_arms\n")
        known = read_class_map(pairs, taxonomy)
        assert known == {9: "folding_arms", 10: "turtle_neck", 11: None}
        assert list(read_class_map(names, taxonomy)) == [0, 1]
        sequences = [make_sequence(str(label), label=label) for label in (9, 10, 11, 12)]
        taken, lost = self.read(tmp_path, *sequences, class_of_label=known)
        assert [[s.class_id for s in r.segments] for r in taken] == [["turtle_neck"], [], [], ["folding_arms"]]
        assert [str(one).split(":")[0] for one in lost] == ["a.pkl, 12"]
        pairs.write_text("9,folding_leg\n")
        with pytest.raises(UsageError, match="line 1: imigue32 has no class 'folding_leg'; nearest is 'folding_arms'"):
            read_class_map(pairs, taxonomy)

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"keypoint": None}, "no array `keypoint`"),
            ({"keypoint": [[1, 2]]}, "no array `keypoint`"),
            ({"keypoint": np.zeros((1, 9, 17))}, "don't fit together"),
            ({"keypoint": np.zeros((1, 9, 17, 4))}, "don't fit together"),
            ({"keypoint": np.zeros((1, 8, 17, 2))}, "don't fit together"),
            ({"keypoint": np.zeros((1, 9, 17, 2))}, "nobody is seen"),
            ({"keypoint": np.full((1, 9, 17, 2), np.nan)}, "nobody is seen"),
            ({"keypoint": np.full((1, 9, 17, 2), 1e300)}, "nobody is seen"),
            ({"keypoint": np.ones((1, 9, 19, 2)), "keypoint_score": np.ones((1, 9, 19))}, "19 points, and layouts of"),
            ({"keypoint": np.ones((0, 9, 17, 2)), "keypoint_score": np.ones((0, 9, 17))}, "nobody is seen"),
            ({"keypoint": np.ones((50, 1, 17, 2)), "keypoint_score": np.ones((50, 1, 17))}, "shape"),
            ({"keypoint": np.ones((1, 0, 17, 2)), "keypoint_score": np.ones((1, 0, 17))}, "nobody is seen"),
        ],
    )
    def test_a_sequence_of_another_form_is_left_out_and_the_others_taken(
        self, tmp_path: Path, changes: dict[str, Any], words: str
    ):
        good, bad = make_sequence("a", points=17), make_sequence("b", points=17) | changes
        taken, lost = self.read(tmp_path, good, bad)
        assert [r.native_id for r in taken] == ["a"]
        assert words in str(lost[0])
        assert "\n" not in str(lost[0])

    @pytest.mark.parametrize(
        "document", [{"annotations": 5}, {"split": {}}, ["a"], 5, {"a": [make_sequence("a")]}, [make_sequence("a"), 1]]
    )
    def test_another_pickle_is_no_data_set(self, tmp_path: Path, document: object):
        taken, lost = read_all("pyskl", write_pickle(tmp_path / "a.pkl", document), make_options())
        assert taken == []
        assert "no list of sequences" in str(lost[0])

    def test_a_file_that_is_no_pickle_leaves_the_others_alone(self, tmp_path: Path):
        (tmp_path / "b.pkl").write_bytes(b"no pickle")
        write_pickle(tmp_path / "a.pkl", [make_sequence("a")], protocol=2)
        taken, lost = read_all("pyskl", tmp_path, make_options())
        assert [r.native_id for r in taken] == ["a"]
        assert [one.where for one in lost] == ["b.pkl"]
