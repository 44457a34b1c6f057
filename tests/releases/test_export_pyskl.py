"""The pickle that MMAction2 and pyskl read: mmaction2 is not installed, so it is held against the format's rules."""

import pickle
import pickletools

import numpy as np
import pytest

from releases.exports.base import ExportOptions
from releases.exports.formats import export_release
from schema.errors import UsageError
from schema.layouts import IMIGUE22, LAYOUTS, to_layout
from tests.releases.exported_release import small_release

OLD_NUMPY = {("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}


class Restricted(pickle.Unpickler):
    """Gives arrays and plain containers, as a careful reader of others' pickles does."""

    def find_class(self, module, name):
        assert (module, name) in OLD_NUMPY, f"{module}.{name}"
        return super().find_class(module, name)


def load(path):
    with path.open("rb") as file:
        return Restricted(file).load()


@pytest.fixture
def writer(tmp_path):
    return small_release(tmp_path / "release")


def exported(writer, target, **options):
    return export_release(writer.folder, "pyskl", target, ExportOptions(**options)), load(target)


def test_the_pickle_has_the_shapes_and_types_that_the_format_says(writer, tmp_path):
    result, data = exported(writer, tmp_path / "out.pkl")
    assert list(data) == ["split", "annotations"]
    assert data["split"] == {
        "train": ["g01", "g02", "g03", "g04", "g06", "g07"],
        "val": ["g08", "g09"],
        "test": ["g10"],
    }
    ids = [a["frame_dir"] for a in data["annotations"]]
    assert sorted(ids) == sorted(i for names in data["split"].values() for i in names)
    assert len(set(ids)) == len(ids) == result.segments
    for annotation in data["annotations"]:
        frames = annotation["total_frames"]
        assert annotation["keypoint"].shape == (1, frames, 133, 2)
        assert annotation["keypoint_score"].shape == (1, frames, 133)
        assert annotation["keypoint"].dtype == annotation["keypoint_score"].dtype == np.float32
        assert isinstance(annotation["label"], int)
        assert np.isfinite(annotation["keypoint"]).all()
        assert not annotation["keypoint"][annotation["keypoint_score"] == 0].any()
    assert result.left_out == {"unclassified": 1}


def test_values_and_labels_are_those_of_the_release(writer, tmp_path):
    _, data = exported(writer, tmp_path / "out.pkl", layout="imigue22")
    names = (tmp_path / "out.labels.txt").read_text().splitlines()
    assert len(names) == 32
    of = {a["frame_dir"]: a for a in data["annotations"]}
    assert names[of["g01"]["label"]] == "Touching jaw"
    assert of["g03"]["label"] == 31
    _, first, frames, _, xy, scores = writer.places["v0a", 0]
    assert first == 0
    inside = (frames >= 20) & (frames < 60)
    points, lowest = to_layout(xy[inside], np.rint(scores[inside] * 255).astype(np.float32) / np.float32(255), IMIGUE22)
    assert np.allclose(of["g01"]["keypoint"][0], np.where(lowest[..., None] > 0, points, 0), atol=1e-4)
    assert np.array_equal(of["g01"]["keypoint_score"][0], lowest)
    assert of["g01"]["img_shape"] == of["g01"]["original_shape"] == (720, 1280)


def test_a_hand_that_is_never_seen_is_zero_with_score_zero(writer, tmp_path):
    _, data = exported(writer, tmp_path / "out.pkl")
    hidden = data["annotations"][-1]
    assert hidden["frame_dir"] == "g10"
    assert not hidden["keypoint"][..., 112:, :].any()
    assert not hidden["keypoint_score"][..., 112:].any()
    assert hidden["keypoint_score"][..., :91].any()


def test_a_picture_size_that_is_not_known_is_left_out_and_told(writer, tmp_path):
    result, data = exported(writer, tmp_path / "out.pkl")
    assert {a["frame_dir"] for a in data["annotations"] if "img_shape" not in a} == {"g08", "g09"}
    assert result.notes == ("2 segments have no img_shape: the release has no picture size",)


def test_splits_can_be_called_as_ntus_are(writer, tmp_path):
    _, data = exported(writer, tmp_path / "out.pkl", xsub=True)
    assert list(data["split"]) == ["xsub_train", "xsub_val", "xsub_test"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_written(writer, tmp_path, layout):
    _, data = exported(writer, tmp_path / "out.pkl", layout=layout)
    assert data["annotations"][0]["keypoint"].shape[2] == len(LAYOUTS[layout].sources)


def test_an_unknown_layout_is_refused_before_anything_is_written(writer, tmp_path):
    with pytest.raises(UsageError, match="no layout 'openpose22'; there are wholebody133"):
        export_release(writer.folder, "pyskl", tmp_path / "out.pkl", ExportOptions(layout="openpose22"))
    assert [p.name for p in tmp_path.iterdir()] == ["release"]


def test_numpy_1_can_load_it_and_nothing_but_arrays_is_named(writer, tmp_path):
    export_release(writer.folder, "pyskl", tmp_path / "out.pkl", ExportOptions())
    content = (tmp_path / "out.pkl").read_bytes()
    named = {argument for opcode, argument, _ in pickletools.genops(content) if opcode.name == "GLOBAL"}
    assert named == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"}
    assert max(opcode.proto for opcode, _, _ in pickletools.genops(content)) <= 3


def test_a_plain_pickle_load_gives_the_same_as_one_pickle_of_the_whole(writer, tmp_path, monkeypatch):
    monkeypatch.setattr("releases.exports.pyskl._ANNOTATIONS_AT_ONCE", 2)
    _, data = exported(writer, tmp_path / "out.pkl")
    again = pickle.loads(pickle.dumps(data))
    with (tmp_path / "out.pkl").open("rb") as file:
        plain = pickle.load(file)
    assert plain["split"] == again["split"]
    for one, other in zip(plain["annotations"], again["annotations"], strict=True):
        assert one.keys() == other.keys()
        assert all(np.array_equal(one[k], other[k]) for k in one)


def test_label_names_of_another_data_set_are_not_written_over(writer, tmp_path):
    (tmp_path / "out.labels.txt").write_text("nodding\n")
    with pytest.raises(UsageError, match=r"out\.labels\.txt is there already"):
        export_release(writer.folder, "pyskl", tmp_path / "out.pkl", ExportOptions())
    assert (tmp_path / "out.labels.txt").read_text() == "nodding\n"
    assert not (tmp_path / "out.pkl").exists()
