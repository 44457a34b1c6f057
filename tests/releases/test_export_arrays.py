"""COCO-WholeBody JSON and WebDataset shards, opened with xtcocotools and webdataset."""

import gc
import json
import tarfile
import warnings

import numpy as np
import pytest

from releases.exports.base import ExportOptions
from releases.exports.formats import export_release
from releases.reader import open_release
from schema.errors import UsageError
from schema.records import PART_SLICES, Part
from tests.releases.exported_release import small_release

FIELDS = {
    "keypoints": Part.BODY,
    "foot_kpts": Part.FEET,
    "face_kpts": Part.FACE,
    "lefthand_kpts": Part.LEFT_HAND,
    "righthand_kpts": Part.RIGHT_HAND,
}


@pytest.fixture
def writer(tmp_path):
    return small_release(tmp_path / "release")


def coco(path):
    return pytest.importorskip("xtcocotools.coco", reason="comes with the extra `pose`").COCO(str(path))


def test_coco_annotations_are_the_points_of_their_frame_and_person(writer, tmp_path):
    result = export_release(writer.folder, "coco", tmp_path / "out.json", ExportOptions(every=10))
    data = coco(tmp_path / "out.json")
    segments = {s["segment_id"]: s for s in open_release(writer.folder).segments("train").to_pylist()}
    checked = 0
    for annotation in data.anns.values():
        segment = segments.get(annotation["segment_ids"][0])
        if segment is None:
            continue
        image = data.loadImgs(annotation["image_id"])[0]
        _, _, frames, _, xy, scores = writer.places[segment["video_id"], segment["track_number"]]
        row = int(np.flatnonzero(frames == image["frame_index"])[0])
        for name, part in FIELDS.items():
            values = np.array(annotation[name]).reshape(-1, 3)
            seen = scores[row, PART_SLICES[part]] > 0
            assert (values[:, 2] > 0).tolist() == seen.tolist()
            assert np.array_equal(values[seen, :2], xy[row, PART_SLICES[part]][seen])
            assert not values[~seen].any()
        seen = scores[row] > 0
        low, high = xy[row, seen].min(axis=0), xy[row, seen].max(axis=0)
        assert annotation["bbox"] == [*low, *(high - low)]
        assert annotation["num_keypoints"] == int((scores[row, :17] > 0).sum())
        checked += 1
    assert checked > 10
    assert result.left_out == {"no picture size": 2}


def test_coco_has_one_image_a_frame_and_one_annotation_a_person_in_it(writer, tmp_path):
    export_release(writer.folder, "coco", tmp_path / "out.json", ExportOptions(every=1))
    data = coco(tmp_path / "out.json")
    assert len({(i["video_id"], i["frame_index"]) for i in data.imgs.values()}) == len(data.imgs)
    both = [a for a in data.anns.values() if a["segment_ids"] == ["g01", "g02"]]
    assert len(both) == 20  # frames 40 to 59 are of both segments
    two = [i for i in data.imgs if len(data.getAnnIds(imgIds=i)) == 2]
    assert two
    assert data.loadCats(data.getCatIds())[0]["name"] == "person"
    assert len(data.loadCats(1)[0]["keypoints"]) == 17
    frames = {i["frame_index"] for i in data.imgs.values() if i["video_id"] == "v0d"}
    assert frames == set(range(3, 47))


def test_coco_takes_five_frames_spread_over_a_segment_unless_told(writer, tmp_path):
    export_release(writer.folder, "coco", tmp_path / "out.json", ExportOptions(splits=("test",)))
    frames = [i["frame_index"] for i in coco(tmp_path / "out.json").imgs.values()]
    assert frames == [7, 16, 25, 33, 42]
    with pytest.raises(UsageError, match="--every -1"):
        export_release(writer.folder, "coco", tmp_path / "x.json", ExportOptions(every=-1))


def test_coco_hands_that_are_not_seen_are_not_valid(writer, tmp_path):
    export_release(writer.folder, "coco", tmp_path / "out.json", ExportOptions(splits=("test",)))
    for annotation in coco(tmp_path / "out.json").anns.values():
        assert annotation["righthand_valid"] is False
        assert annotation["righthand_box"] == [0, 0, 0, 0]
        assert annotation["lefthand_valid"] is True
        assert annotation["face_valid"] is True


def test_coco_of_an_identity_free_release_has_no_face(tmp_path):
    small_release(tmp_path / "release", profile="identity-free")
    result = export_release(tmp_path / "release", "coco", tmp_path / "out.json", ExportOptions())
    for annotation in coco(tmp_path / "out.json").anns.values():
        assert annotation["face_valid"] is False
        assert annotation["face_kpts"] == [0] * 204
    assert any("identity-free" in note for note in result.notes)


def test_coco_passes_xtcocotools_own_evaluation_against_itself(writer, tmp_path):
    evaluating = pytest.importorskip("xtcocotools.cocoeval", reason="comes with the extra `pose`")
    export_release(writer.folder, "coco", tmp_path / "out.json", ExportOptions())
    truth = coco(tmp_path / "out.json")
    found = [
        {k: a[k] for k in ("image_id", "category_id", "bbox", *FIELDS)} | {"wholebody_score": 1.0, "score": 1.0}
        for a in truth.anns.values()
    ]
    sigmas = np.full(133, 0.05)
    evaluation = evaluating.COCOeval(truth, truth.loadRes(found), "keypoints_wholebody", sigmas, use_area=True)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


def samples(folder, split):
    import webdataset

    shards = sorted(str(path) for path in folder.glob(f"{split}-*.tar"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # webdataset leaves its shards open
        found = list(webdataset.WebDataset(shards, shardshuffle=False, empty_check=False).decode())
        gc.collect()
    return found


def test_webdataset_gives_the_readers_keypoints_and_the_rows_of_the_table(writer, tmp_path):
    result = export_release(writer.folder, "webdataset", tmp_path / "out", ExportOptions())
    release = open_release(writer.folder)
    points = json.loads((tmp_path / "out" / "points.json").read_text())
    assert points["points"] == release.point_numbers.tolist()
    assert points["names"][:1] == ["nose"]
    found = 0
    for split in release.splits:
        of = {s["segment_id"]: s for s in release.segments(split).to_pylist()}
        for sample in samples(tmp_path / "out", split):
            segment = of.pop(sample["__key__"])
            keypoints = release.keypoints(segment)
            assert np.array_equal(sample["npy"], keypoints.values, equal_nan=True)
            assert np.array_equal(sample["parts_seen.npy"], keypoints.parts_seen)
            row = sample["json"]
            assert row["times_ns"] == keypoints.times_ns.tolist()
            assert row["frame_indices"] == keypoints.frame_indices.tolist()
            assert all(row[name] == value for name, value in segment.items() if not name.startswith("keypoints_"))
            found += 1
        assert not of
    assert found == result.segments == 10


def test_webdataset_shards_are_cut_by_split_and_by_number(writer, tmp_path, monkeypatch):
    monkeypatch.setattr("releases.exports.webdataset.SEGMENTS_A_SHARD", 3)
    export_release(writer.folder, "webdataset", tmp_path / "out", ExportOptions())
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "points.json", "test-00000.tar", "train-00000.tar", "train-00001.tar", "train-00002.tar", "val-00000.tar",
    ]  # fmt: skip
    assert [s["__key__"] for s in samples(tmp_path / "out", "train")] == [
        "g01",
        "g02",
        "g03",
        "g04",
        "g05",
        "g06",
        "g07",
    ]


def test_webdataset_headers_tell_nothing_of_the_machine(writer, tmp_path):
    export_release(writer.folder, "webdataset", tmp_path / "out", ExportOptions())
    with tarfile.open(tmp_path / "out" / "train-00000.tar") as shard:
        for entry in shard:
            assert (entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname) == (0, 0, 0, "", "")
