"""Another project's export: regions find the study's videos, frames and players; what can't be placed is counted."""

import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from releases.imports.base import StudyVideo
from releases.imports.label_studio import video_names
from schema.errors import DropReason, ItemError, UsageError
from tests.factories import OTHER_VIDEO_ID, VIDEO_ID, make_frame_times
from tests.releases.import_data import frames_of, make_options, read_all

VIDEOS = {"press one": VIDEO_ID, "press-two": OTHER_VIDEO_ID}


def player_at(instant_ns: int) -> int:
    """Track 3 is on screen from 1 s on."""
    if instant_ns < 1_000_000_000:
        raise ItemError(DropReason.ORPHANED, "no player is followed at that instant")
    return 3


def find_video(name: str) -> StudyVideo:
    if name not in VIDEOS:
        raise ItemError(DropReason.MISSING, "the study holds no video of this file's name")
    return StudyVideo(video_id=VIDEOS[name], frame_times=make_frame_times(), player_at=player_at)


def timeline(start: int, end: int, *labels: str, **changes: Any) -> dict[str, Any]:
    value = {"ranges": [{"start": start, "end": end}], "timelinelabels": list(labels)}
    return {"id": f"r{start}{end}", "type": "timelinelabels", "value": value} | changes


def task(
    *items: dict[str, Any], video: str = "/data/upload/1/0a1b2c3d-press%20one.mp4", **changes: Any
) -> dict[str, Any]:
    return {"id": 1, "data": {"video": video}, "annotations": [{"id": 1, "result": list(items)} | changes]}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    def read_tasks(*tasks: object, **options: Any) -> Any:
        path = tmp_path / "export.json"
        path.write_text(json.dumps(list(tasks)))
        return read_all("label-studio", path, make_options(find_video=find_video, **options))

    return read_tasks


def test_a_timeline_region_is_on_its_frames_and_its_player(read: Callable[..., Any]):
    ((recording,), lost) = read(task(timeline(26, 50, "Folding arms"), timeline(101, 101, "turtle_neck")))
    assert lost == []
    assert recording.study_video_id == VIDEO_ID
    assert recording.tracks == ()
    assert frames_of(recording) == [("folding_arms", 25, 49), ("turtle_neck", 100, 100)], "they count from 1"
    assert {s.track_number for s in recording.segments} == {3}
    assert [s.label for s in recording.segments] == ["Folding arms", "turtle_neck"]


def test_regions_in_seconds_boxes_and_choices_are_read(read: Callable[..., Any]):
    seconds = {"id": "a", "type": "labels", "value": {"start": 2.0, "end": 3.0, "channel": 0, "labels": ["Head up"]}}
    keys = [{"frame": 51, "enabled": True}, {"frame": 75, "enabled": False}, {"frame": 201, "enabled": True}]
    box = {"id": "b", "type": "videorectangle", "value": {"sequence": keys, "labels": ["Touching ears"]}}
    whole = {"id": "c", "type": "choices", "value": {"choices": ["Pressing lips"]}}
    ((recording,), lost) = read(task(seconds, box, whole))
    assert lost == []
    assert [(s.class_id, s.start_ns, s.end_ns) for s in recording.segments] == [
        ("pressing_lips", None, None),
        ("head_up", 2_000_000_000, 3_000_000_000),
        ("touching_ears", 2_000_000_000, 3_000_000_000),
        ("touching_ears", 8_000_000_000, 10_000_000_000),
    ]


def test_a_choice_of_a_region_is_the_region_s_class(read: Callable[..., Any]):
    choice = {"id": "r2650", "type": "choices", "value": {"choices": ["Folding arms"]}}
    ((recording,), lost) = read(task(timeline(26, 50, "gesture"), choice))
    assert lost == []
    assert frames_of(recording) == [("folding_arms", 25, 49)]


def test_frames_of_another_rate_are_turned_into_time(read: Callable[..., Any]):
    ((recording,), _) = read(task(timeline(51, 60, "Folding arms")), rate=Fraction(10))
    assert [(s.start_ns, s.end_ns) for s in recording.segments] == [(5_000_000_000, 6_000_000_000)]


@pytest.mark.parametrize(
    ("item", "reason", "words"),
    [
        (timeline(30, 40, "Folding leg"), DropReason.BAD_IMPORT, "nearest is 'folding_arms'"),
        (timeline(1, 10, "Folding arms"), DropReason.ORPHANED, "no player"),
        (timeline(240, 251, "Folding arms"), DropReason.BAD_IMPORT, "go beyond the video's 250"),
        (timeline(40, 30, "Folding arms"), DropReason.BAD_IMPORT, "no span"),
        (timeline(0, 30, "Folding arms"), DropReason.BAD_IMPORT, "count from 1"),
        (timeline(2.5, 30, "Folding arms"), DropReason.BAD_IMPORT, "count from 1"),
        ({"id": "a", "value": {"start": 5, "end": 99, "labels": ["Head up"]}}, DropReason.BAD_IMPORT, "no span"),
        ({"id": "a", "value": {"start": "x", "end": 99, "labels": ["Head up"]}}, DropReason.BAD_IMPORT, "in seconds"),
    ],
)
def test_a_region_that_has_no_place_is_left_out_and_the_others_taken(
    read: Callable[..., Any], item: dict[str, Any], reason: DropReason, words: str
):
    ((recording,), lost) = read(task(timeline(100, 120, "Head up"), item))
    assert [s.class_id for s in recording.segments] == ["head_up"]
    assert [one.reason for one in lost] == [reason]
    assert str(lost[0]).startswith("export.json task 1: ")
    assert words in str(lost[0])


def test_a_task_of_another_video_is_counted_with_its_regions(read: Callable[..., Any]):
    unknown = task(timeline(30, 40, "Head up"), timeline(50, 60, "Head up"), video="/data/upload/1/aaaaaaaa-else.mp4")
    taken, lost = read(unknown, task(timeline(30, 40, "Head up"), video="s3://bucket/press-two.webm"))
    assert [r.study_video_id for r in taken] == [OTHER_VIDEO_ID]
    assert [(one.reason, one.count) for one in lost] == [(DropReason.MISSING, 2)]


def test_skipped_annotations_do_not_count_and_a_ground_truth_alone_does(read: Callable[..., Any]):
    answers = [
        {"result": [timeline(30, 40, "Head up")], "was_cancelled": True},
        {"result": [timeline(60, 80, "Folding arms")], "ground_truth": True},
        {"result": [timeline(100, 120, "Touching ears")]},
    ]
    ((recording,), _) = read({"data": {"video": "press one.mp4"}, "annotations": answers})
    assert [s.class_id for s in recording.segments] == ["folding_arms"]
    ((recording,), _) = read({"data": {"video": "press one.mp4"}, "annotations": [answers[0], answers[2]]})
    assert [s.class_id for s in recording.segments] == ["touching_ears"]


def test_what_two_people_drew_around_one_gesture_is_one_segment(read: Callable[..., Any]):
    answers = [{"result": [timeline(30, 60, "Head up")]}, {"result": [timeline(31, 62, "Head up")]}]
    answers.append({"result": [timeline(30, 60, "Folding arms"), timeline(90, 99, "Head up")]})
    ((recording,), lost) = read({"data": {"video": "press one.mp4"}, "annotations": answers})
    assert frames_of(recording) == [("folding_arms", 29, 59), ("head_up", 29, 59), ("head_up", 89, 98)]
    assert [(one.reason, one.count) for one in lost] == [(DropReason.MERGED, 1)]


@pytest.mark.parametrize("text", ["", "{", "5", '{"tasks": []}', "\x00", "[" * 100_000])
def test_a_file_that_is_no_export_has_one_line(tmp_path: Path, text: str):
    (tmp_path / "export.json").write_text(text)
    taken, lost = read_all("label-studio", tmp_path, make_options(find_video=find_video))
    assert taken == []
    assert [one.reason for one in lost] == [DropReason.BAD_IMPORT]
    assert "export the project" in str(lost[0])


@pytest.mark.parametrize("strange", [5, {"data": {}}, {"annotations": []}, {"annotations": [{"result": 5}], "data": 5}])
def test_a_task_that_is_none_is_left_out_and_the_others_taken(read: Callable[..., Any], strange: object):
    taken, lost = read(strange, task(timeline(30, 40, "Head up")))
    assert len(taken) == 1
    assert len(lost) == 1


def test_a_video_is_found_by_each_name_that_it_may_have_had():
    local = "/data/local-files/?d=folder/press%20one.mp4"
    assert video_names({"data": {"video": local}}) == ["press one"]
    assert video_names({"data": {"video": "/data/upload/3/0a1b2c3d-x.y.mp4"}}) == ["0a1b2c3d-x.y", "x.y"]
    assert video_names({"data": {"text": "x"}, "file_upload": "0a1b2c3d-press.mp4"}) == ["0a1b2c3d-press", "press"]
    assert video_names({"data": {"video": "C:\\clips\\press.mp4"}}) == ["press"]


def test_an_export_needs_a_study_and_takes_no_subjects(tmp_path: Path):
    (tmp_path / "export.json").write_text(json.dumps([task(timeline(30, 40, "Head up"))]))
    with pytest.raises(UsageError, match="needs a study"):
        read_all("label-studio", tmp_path, make_options())
