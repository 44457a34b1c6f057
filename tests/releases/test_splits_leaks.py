"""The proof of the splits: leaks that are planted one by one are found, counted and refused; the report is a file."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from releases.facts import LeakCheck, LeakReport
from releases.splits import plan as planning
from releases.splits.config import SplitsConfig
from releases.splits.leaks import (
    find_leaks_in_links,
    find_leaks_in_rows,
    find_torn_matches,
    leak_check,
    leak_report_text,
    refuse_leaks,
)
from releases.splits.plan import SplitRequest, plan_splits
from schema.errors import InvalidReleaseError
from tests.releases.split_worlds import segments_of, subject, video

Rows = list[dict[str, Any]]
SPLIT_OF = {1: "train", 2: "train", 3: "val", 4: "test"}


def tables() -> dict[str, Rows]:
    """Four people with two videos each; the videos of the third are copies."""
    recording_of = {31: 30}
    videos = [
        {"video_id": video(n), "recording_id": video(recording_of.get(n, n)), "split": split}
        for person, split in SPLIT_OF.items()
        for n in (10 * person, 10 * person + 1)
    ]
    rows = [
        {"subject_id": subject(person), "video_id": video(n), "split": split}
        for person, split in SPLIT_OF.items()
        for n in (10 * person, 10 * person + 1)
    ]
    return {"segments": rows[::2], "unlabelled": rows[1::2], "videos": videos}


def counts(checks: tuple[LeakCheck, ...]) -> dict[str, tuple[int, int]]:
    return {check.name: (check.checked, check.found) for check in checks}


def test_rows_without_a_leak_pass() -> None:
    checks = find_leaks_in_rows(**tables())
    assert counts(checks) == {"subject": (4, 0), "recording": (7, 0), "unknown_subject": (0, 0)}
    refuse_leaks(checks)


def a_person_in_two_splits(rows: dict[str, Rows]) -> None:
    rows["segments"][0]["subject_id"] = subject(4)


def a_person_whose_windows_are_elsewhere(rows: dict[str, Rows]) -> None:
    rows["unlabelled"][0]["subject_id"] = subject(4)


def a_copy_in_another_split(rows: dict[str, Rows]) -> None:
    rows["videos"][0]["recording_id"] = video(40)


def a_video_listed_elsewhere(rows: dict[str, Rows]) -> None:
    rows["videos"][7]["split"] = "val"


def a_video_without_a_row(rows: dict[str, Rows]) -> None:
    rows["videos"].pop(0)
    rows["segments"].append({"subject_id": None, "video_id": video(10), "split": "test"})


def an_unknown_person_in_test(rows: dict[str, Rows]) -> None:
    rows["segments"].append({"subject_id": None, "video_id": video(40), "split": "test"})


@pytest.mark.parametrize(
    ("plant", "name"),
    [
        (a_person_in_two_splits, "subject"),
        (a_person_whose_windows_are_elsewhere, "subject"),
        (a_copy_in_another_split, "recording"),
        (a_video_listed_elsewhere, "recording"),
        (a_video_without_a_row, "recording"),
        (an_unknown_person_in_test, "unknown_subject"),
    ],
)
def test_a_planted_leak_is_a_build_error(plant: Callable[[dict[str, Rows]], None], name: str) -> None:
    rows = tables()
    plant(rows)
    checks = find_leaks_in_rows(**rows)
    assert counts(checks)[name][1] == 1
    with pytest.raises(InvalidReleaseError, match="the splits leak"):
        refuse_leaks(checks)


def test_unknown_people_in_train_are_no_leak() -> None:
    rows = tables()
    rows["segments"].append({"subject_id": None, "video_id": video(10), "split": "train"})
    assert counts(find_leaks_in_rows(**rows))["unknown_subject"] == (1, 0)


def test_links_that_reach_into_another_split_are_found_through_videos_that_are_not_there() -> None:
    sides = {video(1): {"train"}, video(2): {"test"}, video(3): {"train"}}
    through = [(video(1), video(9)), (video(2), video(9))]
    people = {video(n): {subject(n)} for n in (1, 2, 3)}
    as_copies = find_leaks_in_links(sides, copies=through, events=[], people_of_video=people)
    assert counts(as_copies) == {"recording": (2, 1), "conference": (0, 0)}
    as_events = find_leaks_in_links(sides, copies=[], events=through, people_of_video=people)
    assert counts(as_events) == {"recording": (3, 0), "conference": (1, 1)}


def test_a_video_of_two_people_in_two_splits_is_found() -> None:
    sides = {video(1): {"train", "val"}, video(2): {"test"}}
    people = {video(1): {subject(1), subject(2)}, video(2): {subject(3)}}
    found = find_leaks_in_links(sides, copies=[], events=[], people_of_video=people)
    assert counts(found) == {"recording": (2, 1), "conference": (1, 1)}


def test_torn_matches_are_told_and_refused_only_where_the_study_says_so() -> None:
    people = {video(n): {subject(n)} for n in range(1, 7)} | {video(7): {subject(6)}}
    splits = {1: "train", 2: "test", 3: "val", 4: "val", 5: "train", 6: "test"}
    match_of = {video(n): f"m{(n - 1) // 2}" for n in range(1, 5)} | {video(6): "m9", video(7): "m9", video(8): "m9"}
    match = find_torn_matches(match_of, people_of_video=people, split_of={subject(n): s for n, s in splits.items()})
    assert (match.checked, match.found) == (2, 1)
    refuse_leaks([match])
    with pytest.raises(InvalidReleaseError, match="two players"):
        refuse_leaks([match], match_disjoint=True)


def test_a_planner_that_errs_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof must not believe what it proves: here people of one recording are not tied together."""
    monkeypatch.setattr(planning, "groups_of", lambda ids, together: [[name] for name in sorted(ids)])
    chain = [(video(n), video(n + 1)) for n in range(5)]
    request = SplitRequest(segments=segments_of(dict.fromkeys(range(6), 5)), copies=chain, config=SplitsConfig())
    with pytest.raises(InvalidReleaseError, match="the splits leak"):
        plan_splits(request)


def test_the_report_is_a_file_that_says_what_was_asked_and_found() -> None:
    checks = (leak_check("match", checked=4, found=1), leak_check("subject", checked=9, found=0))
    text = leak_report_text(LeakReport(checks=checks, copies_left_out=1, notes=("1 video is left out: a copy",)))
    assert text.endswith("}\n")
    assert json.loads(text) == {
        "format": "pressroom-leak-report",
        "splits": ["train", "val", "test"],
        "checks": [
            {"name": "subject", "question": "Is a person in two splits?", "checked": 9, "found": 0},
            {
                "name": "match",
                "question": "Are the two players of a match in different splits?",
                "checked": 4,
                "found": 1,
            },
        ],
        "copies_left_out": 1,
        "notes": ["1 video is left out: a copy"],
    }
