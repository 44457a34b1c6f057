"""ActivityNet JSON, ELAN and BORIS: what happens when, opened by the tools that read it."""

import csv
import json
import warnings
from itertools import pairwise

import jsonschema
import pytest

from releases.exports.base import ExportOptions
from releases.exports.formats import export_release
from schema.taxonomy import load_taxonomy
from tests.releases.exported_release import FRAME_NS, ReleaseWriter, small_release

ACTIVITYNET = {
    "type": "object",
    "required": ["version", "taxonomy", "database"],
    "properties": {
        "version": {"type": "string"},
        "taxonomy": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["nodeId", "nodeName", "parentId", "parentName"],
                "properties": {
                    "nodeId": {"type": "integer"},
                    "nodeName": {"type": "string"},
                    "parentId": {"type": ["integer", "null"]},
                    "parentName": {"type": ["string", "null"]},
                },
            },
        },
        "database": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["subset", "duration", "annotations"],
                "properties": {
                    "subset": {"enum": ["training", "validation", "testing"]},
                    "duration": {"type": "number", "exclusiveMinimum": 0},
                    "resolution": {"type": "string", "pattern": r"^\d+x\d+$"},
                    "annotations": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["segment", "label"],
                            "properties": {
                                "label": {"type": "string"},
                                "segment": {
                                    "type": "array", "items": {"type": "number", "minimum": 0},
                                    "minItems": 2, "maxItems": 2,
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}  # fmt: skip
"""ActivityNet 1.3's annotation file, as its evaluation code reads it."""


@pytest.fixture
def folder(tmp_path):
    small_release(tmp_path / "release")
    return tmp_path / "release"


def segments_of(folder):
    from releases.reader import open_release

    release = open_release(folder)
    return {s["segment_id"]: s for split in release.splits for s in release.segments(split).to_pylist()}


def test_activitynet_json_follows_the_schema_and_its_labels_are_leaves_of_the_tree(folder, tmp_path):
    result = export_release(folder, "activitynet", tmp_path / "out.json", ExportOptions())
    document = json.loads((tmp_path / "out.json").read_text())
    jsonschema.validate(document, ACTIVITYNET)
    parents = {node["parentName"] for node in document["taxonomy"]}
    by_id = {node["nodeId"]: node for node in document["taxonomy"]}
    leaves = {node["nodeName"] for node in document["taxonomy"] if node["nodeName"] not in parents}
    assert leaves == {gesture.name for gesture in load_taxonomy("imigue32")}
    assert len(by_id) == len(document["taxonomy"])
    assert all(n["parentId"] is None or by_id[n["parentId"]]["nodeName"] == n["parentName"] for n in by_id.values())
    labels = [a["label"] for video in document["database"].values() for a in video["annotations"]]
    assert leaves.issuperset(labels)
    assert len(labels) == result.segments == 9


def test_activitynet_edges_are_those_of_the_release_to_the_nanosecond(folder, tmp_path):
    export_release(folder, "activitynet", tmp_path / "out.json", ExportOptions())
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["database"]["v0c"]["subset"] == "validation"
    segments = segments_of(folder)
    for video in document["database"].values():
        assert [a["segment"] for a in video["annotations"]] == sorted(a["segment"] for a in video["annotations"])
        for annotation in video["annotations"]:
            segment = segments[annotation["segment_id"]]
            edges = [round(second * 1e9) for second in annotation["segment"]]
            if segment["start_ns"] is None:
                assert annotation["whole_recording"] is True
                assert edges == [0, round(video["duration"] * 1e9)]
            else:
                assert edges == [segment["start_ns"], segment["end_ns"]]
                assert "whole_recording" not in annotation


def eaf_of(path):
    from pympi.Elan import Eaf

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pympi warns of a version of the format that it does not know
        return Eaf(path)


def annotations_of(folder):
    found = []
    for path in sorted(folder.rglob("*.eaf")):
        eaf = eaf_of(path)
        for tier in eaf.get_tier_names():
            if not tier.endswith("description"):
                found += [(path.stem, tier, *row) for row in eaf.get_annotation_data_for_tier(tier)]
    return found


def test_elan_files_hold_every_segment_with_its_edges_to_the_millisecond(folder, tmp_path):
    result = export_release(folder, "elan", tmp_path / "out", ExportOptions())
    found = sorted((video, start, end, value) for video, _, start, end, value in annotations_of(tmp_path / "out"))
    expected = sorted(
        (
            s["video_id"],
            (s["start_ns"] or 0) // 1_000_000,
            s["end_ns"] // 1_000_000 if s["end_ns"] else 60 * FRAME_NS // 1_000_000,
            s["class_name"] or "unclassified movement",
        )
        for s in segments_of(folder).values()
    )
    assert found == expected
    assert result.segments == len(expected) == 10
    assert {p.parent.name for p in (tmp_path / "out").rglob("*.eaf")} == {"train", "val", "test"}


def test_elan_tiers_never_overlap_and_tell_group_and_person(folder, tmp_path):
    export_release(folder, "elan", tmp_path / "out", ExportOptions())
    path = tmp_path / "out" / "train" / "v0a.eaf"
    tiers = [tier for tier in eaf_of(path).get_tier_names() if not tier.endswith("description")]
    assert tiers == [
        "Head@sA", "Head@sB", "Head-Hand@sA", "Head-Hand 2@sA", "Illustrative@sA", "Unclassified movement@sB",
    ]  # fmt: skip
    assert eaf_of(path).get_parameters_for_tier("Head@sB")["PARTICIPANT"] == "sB"
    assert "Head-Hand whole recording" in eaf_of(tmp_path / "out" / "val" / "v0c.eaf").get_tier_names()
    spans = {}
    for video, tier, start, end, _ in annotations_of(tmp_path / "out"):
        spans.setdefault((video, tier), []).append((start, end))
    for found in spans.values():
        found.sort()
        assert all(one[1] <= other[0] for one, other in pairwise(found))


def test_elan_descriptions_hang_on_their_annotations_and_times_are_sorted(folder, tmp_path):
    export_release(folder, "elan", tmp_path / "out", ExportOptions())
    eaf = eaf_of(tmp_path / "out" / "train" / "v0a.eaf")
    described = eaf.get_ref_annotation_data_for_tier("Illustrative@sA description")
    assert [row[:3] for row in described] == [(3000, 3800, "It moves & <rests>.")]
    times = [time for _, time in sorted(eaf.timeslots.items(), key=lambda slot: int(slot[0][2:]))]
    assert times == sorted(times)
    assert eaf.licenses == [("CC-BY-NC-4.0", "https://creativecommons.org/licenses/by-nc/4.0/")]
    assert eaf.adocument["DATE"].startswith("1970-01-01")


def test_a_span_below_a_millisecond_is_one_millisecond_long(tmp_path):
    writer = ReleaseWriter(tmp_path / "release")
    writer.video("v1", "train")
    writer.track("v1", 0, "train", frames=range(10), subject="s1")
    writer.segment("g1", ("v1", 0), (2, 4), "touching_jaw", description="Control \x0b characters\x01.")
    row = writer.rows["segments"]["train"][0]
    row["start_ns"], row["end_ns"] = 80_400_000, 80_499_999
    writer.write()
    export_release(tmp_path / "release", "elan", tmp_path / "out", ExportOptions())
    assert [row[2:4] for row in annotations_of(tmp_path / "out")] == [(80, 81)]


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, dialect="excel-tab"))


def test_boris_events_pair_into_the_segments_of_the_release(folder, tmp_path):
    result = export_release(folder, "boris", tmp_path / "out", ExportOptions())
    running, found = {}, []
    for row in rows_of(tmp_path / "out" / "events.tsv"):
        key = row["Observation id"], row["Subject"], row["Behavior"]
        if row["Behavior type"] == "START":
            assert key not in running, "BORIS pairs starts and stops in turn"
            running[key] = row["Time"]
        else:
            found.append((*key, running.pop(key), row["Time"]))
    assert not running
    expected = [
        ("v0a", "sA", "touching_jaw", "0.800", "2.400"),
        ("v0a", "sA (2)", "touching_jaw", "1.600", "2.800"),
        ("v0a", "sA", "illustrative_body_language", "3.000", "3.800"),
        ("v0a", "sA", "pressing_lips", "5.600", "7.200"),
        ("v0a", "sB", "pressing_lips", "0.200", "0.240"),
        ("v0a", "sB", "unclassified", "1.200", "2.000"),
        ("v0b", "track0", "illustrative_body_language", "0.000", "1.000"),
        ("v0c", "sC", "pressing_lips", "0.400", "1.200"),
        ("v0d", "sD", "illustrative_body_language", "0.120", "1.880"),
    ]
    assert sorted(found) == sorted(expected)
    assert (result.segments, result.left_out) == (9, {"without edges": 1})


def test_boris_tables_have_the_columns_of_boris_own_and_lines_without_tabs(folder, tmp_path):
    export_release(folder, "boris", tmp_path / "out", ExportOptions())
    # as BORIS 9.12 writes "tabular events" of an observation with one video, and reads behaviours and subjects
    assert (tmp_path / "out" / "events.tsv").read_text().splitlines()[0].split("\t") == [
        "Observation id", "Observation date", "Description", "Observation duration", "Observation type", "Source",
        "Time offset (s)", "Media duration (s)", "FPS", "Subject", "Behavior", "Behavioral category", "Behavior type",
        "Time", "Media file name", "Image index", "Image file path", "Comment",
    ]  # fmt: skip
    needed = {"Behavior code", "Behavior type", "Description", "Key", "Behavioral category", "Excluded behaviors"}
    behaviours = rows_of(tmp_path / "out" / "ethogram.tsv")
    assert needed <= behaviours[0].keys()
    assert len(behaviours) == 33
    assert all(row["Behavior type"] == "State event" and "," not in row["Behavior code"] for row in behaviours)
    assert rows_of(tmp_path / "out" / "subjects.tsv")[0].keys() == {"Key", "Subject name", "Description"}
    comments = [row["Comment"] for row in rows_of(tmp_path / "out" / "events.tsv")]
    assert "It moves & <rests>." in comments


def test_the_boris_project_is_whole_and_says_the_same_as_its_table(folder, tmp_path):
    export_release(folder, "boris", tmp_path / "out", ExportOptions())
    project = json.loads((tmp_path / "out" / "hand-made-0.1.0.boris").read_text())
    codes = {behaviour["code"] for behaviour in project["behaviors_conf"].values()}
    categories = {behaviour["category"] for behaviour in project["behaviors_conf"].values()}
    subjects = {subject["name"] for subject in project["subjects_conf"].values()}
    events = []
    for name, observation in project["observations"].items():
        assert observation["type"] == "MEDIA"
        assert set(observation["media_info"]["length"]) == set(observation["file"]["1"]) == {f"{name}.mp4"}
        assert observation["events"] == sorted(observation["events"], key=lambda event: event[:3])
        events += [(name, f"{time:.3f}", who, code) for time, who, code, *_ in observation["events"]]
    assert categories - {""} <= set(project["behavioral_categories"])
    assert {code for *_, code in events} <= codes
    assert {who for _, _, who, _ in events} == subjects
    table = rows_of(tmp_path / "out" / "events.tsv")
    assert events == [(r["Observation id"], r["Time"], r["Subject"], r["Behavior"]) for r in table]


def test_in_boris_a_gesture_that_follows_another_stops_before_it_starts(tmp_path):
    writer = ReleaseWriter(tmp_path / "release")
    writer.video("v1", "train")
    writer.track("v1", 0, "train", frames=range(40), subject="s1")
    writer.segment("g2", ("v1", 0), (10, 20), "touching_jaw")
    writer.segment("g1", ("v1", 0), (20, 30), "touching_jaw")
    writer.write()
    export_release(tmp_path / "release", "boris", tmp_path / "out", ExportOptions())
    rows = rows_of(tmp_path / "out" / "events.tsv")
    assert [(r["Subject"], r["Behavior type"], r["Time"]) for r in rows] == [
        ("s1", "START", "0.400"), ("s1", "STOP", "0.800"), ("s1", "START", "0.800"), ("s1", "STOP", "1.200"),
    ]  # fmt: skip
