"""What is exported and imported again is the same, where the format can hold it; and the other way round."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releases.exports.base import ExportOptions
from releases.exports.formats import export_release
from releases.imports.base import ImportedRecording, ImportOptions
from releases.imports.formats import open_import
from releases.imports.subjects import read_class_map, read_subjects
from releases.reader import open_release
from schema.layouts import LAYOUTS, MIGA35, from_layout, to_layout
from schema.taxonomy import load_taxonomy
from tests.releases.exported_release import FRAME_NS, RATE, ReleaseWriter, small_release

TAXONOMY = load_taxonomy("imigue32")


def imported(format_name, path, **options):
    found = list(open_import(format_name, path, ImportOptions(taxonomy=TAXONOMY, **options)).records())
    assert all(isinstance(one, ImportedRecording) for one in found), found
    return {one.native_id: one for one in found}


def segments_of(folder):
    release = open_release(folder)
    return {s["segment_id"]: s for split in release.splits for s in release.segments(split).to_pylist()}


def through(layout, xy, scores):
    """The 133 points as far as a layout holds them."""
    points, lowest = to_layout(xy, np.rint(scores * 255).astype(np.float32) / np.float32(255), layout)
    return from_layout(np.where(lowest[..., None] > 0, points, np.float32(np.nan)), lowest, layout)


def assert_same_points(track, xy, scores):
    assert np.array_equal(track.scores, scores)
    assert np.array_equal(track.keypoints_xy[scores > 0], xy[scores > 0])
    assert np.isnan(track.keypoints_xy[scores == 0]).all()


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "kinect25"])
def test_pyskl_gives_back_labels_splits_sizes_and_the_points_that_the_layout_has(tmp_path, layout):
    writer = small_release(tmp_path / "release")
    export_release(writer.folder, "pyskl", tmp_path / "out.pkl", ExportOptions(layout=layout))
    labels = read_class_map(tmp_path / "out.labels.txt", TAXONOMY)
    found = imported("pyskl", tmp_path / "out.pkl", class_of_label=labels, layout=layout)
    segments = {k: s for k, s in segments_of(writer.folder).items() if s["class_id"]}
    assert found.keys() == segments.keys()
    for name, recording in found.items():
        segment = segments[name]
        _, first, _, _, xy, scores = writer.places[segment["video_id"], segment["track_number"]]
        rows = slice(segment["keypoints_first_row"] - first, None)
        rows = slice(rows.start, rows.start + segment["keypoints_row_count"])
        assert [label.class_id for label in recording.segments] == [segment["class_id"]]
        assert recording.split == segment["split"]
        assert (recording.width, recording.height) == ((None, None) if segment["video_id"] == "v0c" else (1280, 720))
        assert (recording.rate, recording.layout) == (RATE, layout)
        assert_same_points(recording.tracks[0], *through(LAYOUTS[layout], xy[rows], scores[rows]))


def test_a_pickle_of_what_was_imported_from_one_is_the_same_pickle(tmp_path):
    small_release(tmp_path / "release")
    export_release(tmp_path / "release", "pyskl", tmp_path / "one.pkl", ExportOptions())
    again = ReleaseWriter(tmp_path / "again")
    for name, one in sorted(imported("pyskl", tmp_path / "one.pkl").items()):
        again.video(name, one.split, frame_count=one.frame_count, size=(one.width, one.height) if one.width else None)
        track = one.tracks[0]
        again.track(name, 0, one.split, frames=range(one.frame_count), subject="s",
                    values=(track.keypoints_xy, track.scores))  # fmt: skip
        again.segment(name, (name, 0), (0, one.frame_count), one.segments[0].class_id, whole=True)
    again.write()
    export_release(tmp_path / "again", "pyskl", tmp_path / "two.pkl", ExportOptions())
    assert (tmp_path / "one.pkl").read_bytes() == (tmp_path / "two.pkl").read_bytes()


def test_miga_gives_back_edges_in_frames_subjects_outcomes_splits_and_points(tmp_path):
    writer = small_release(tmp_path / "release")
    export_release(writer.folder, "miga", tmp_path / "out", ExportOptions())
    subjects = read_subjects(tmp_path / "out" / "recordings.csv")
    found = imported("miga", tmp_path / "out", rate=Fraction(RATE), subjects=subjects)
    kept = [s for s in segments_of(writer.folder).values() if s["class_id"] and s["start_ns"] is not None]
    told = [
        (r.native_subject, r.split, label.class_id, label.start_ns, label.end_ns)
        for r in found.values()
        for label in r.segments
    ]
    expected = [
        (s["subject_id"], s["split"], s["class_id"], s["first_frame"] * FRAME_NS, s["end_frame"] * FRAME_NS)
        for s in kept
    ]
    assert sorted(told, key=str) == sorted(expected, key=str)
    assert {r.match_outcome for r in found.values() if r.split != "val"} == {"win"}
    assert found["0004"].match_outcome is None
    _, _, frames, _, xy, scores = writer.places["v0a", 1]
    track = found["0002"].tracks[0]
    points, lowest = through(MIGA35, xy, scores)
    assert np.array_equal(track.scores[frames], lowest)
    assert np.array_equal(track.keypoints_xy[frames][lowest > 0], points[lowest > 0])


def test_miga_files_of_what_was_imported_from_them_are_the_same_files(tmp_path):
    small_release(tmp_path / "release")
    export_release(tmp_path / "release", "miga", tmp_path / "one", ExportOptions())
    subjects = read_subjects(tmp_path / "one" / "recordings.csv")
    again = ReleaseWriter(tmp_path / "again")
    for name, one in sorted(imported("miga", tmp_path / "one", rate=Fraction(RATE), subjects=subjects).items()):
        again.video(name, one.split, frame_count=one.frame_count, outcome=one.match_outcome)
        track = one.tracks[0]
        again.track(name, 0, one.split, frames=range(one.frame_count), subject=one.native_subject,
                    values=(track.keypoints_xy, track.scores))  # fmt: skip
        for number, label in enumerate(one.segments):
            span = label.start_ns // FRAME_NS, label.end_ns // FRAME_NS
            again.segment(f"{name}-{number}", (name, 0), span, label.class_id)
    again.write()
    export_release(tmp_path / "again", "miga", tmp_path / "two", ExportOptions())
    files = [p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*_*.csv")]
    assert len(files) == 13
    for path in files:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


SPANS = st.lists(
    st.tuples(st.integers(0, 55), st.integers(1, 40), st.sampled_from(TAXONOMY.classes)),
    min_size=1,
    max_size=12,
    unique=True,
)


@settings(max_examples=15, deadline=None)
@given(spans=SPANS)
def test_any_labels_come_back_from_miga_files(tmp_path_factory, spans):
    folder = tmp_path_factory.mktemp("labels")
    writer = ReleaseWriter(folder / "release")
    writer.video("v1", "train", frame_count=100)
    writer.track("v1", 0, "train", frames=range(100), subject="s1")
    for number, (start, length, gesture) in enumerate(spans):
        writer.segment(f"g{number:02d}", ("v1", 0), (start, start + length), gesture.class_id)
    writer.write()
    export_release(writer.folder, "miga", folder / "out", ExportOptions())
    recording = imported("miga", folder / "out", rate=Fraction(RATE))["0001"]
    told = sorted((s.start_ns, s.end_ns, s.class_id) for s in recording.segments)
    assert told == sorted((a * FRAME_NS, (a + n) * FRAME_NS, g.class_id) for a, n, g in spans)
