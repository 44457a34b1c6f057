"""Splits: nobody on two sides, nobody moves, every split gets somebody, the order of the input does not matter."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.splits.config import SPLITS, SplitsConfig
from releases.splits.groups import recordings_of
from releases.splits.lock import read_splits_lock, splits_lock_text
from releases.splits.plan import SplitRequest, plan_splits
from schema.errors import ConfigError, InvalidReleaseError
from tests.releases.split_worlds import requests, segment, segments_of, subject, torn_recordings, video

CONFIG = SplitsConfig()


def splits_of(counts: dict[int, int], config: SplitsConfig = CONFIG, **more: object) -> dict[str, str]:
    return plan_splits(SplitRequest(segments=segments_of(counts), config=config, **more)).assignment


@given(requests())
def test_everybody_gets_one_split_and_no_recording_is_in_two(request: SplitRequest) -> None:
    plan = plan_splits(request)
    labelled = {one.subject_id for one in request.segments} - {None}
    assert plan.assignment.keys() == labelled.union(request.other_subjects)
    assert set(plan.assignment.values()) <= set(SPLITS)
    assert list(plan.assignment) == sorted(plan.assignment)
    assert list(torn_recordings(request, plan)) == []
    assert all(plan.recording_of[a] == plan.recording_of[b] for a, b in [*request.copies, *request.events])
    assert [check.found for check in plan.report.checks if check.name != "match"] == [0, 0, 0, 0]
    assert plan.report.copies_left_out == len(plan.left_out_videos)


@given(requests(), requests())
def test_nobody_moves_whoever_is_added(request: SplitRequest, more: SplitRequest) -> None:
    plan = plan_splits(request)
    assert {who: plan.assignment[who] for who in request.locked if who in plan.assignment} == {
        who: split for who, split in request.locked.items() if who in plan.assignment
    }
    grown = replace(
        more,
        segments=[*request.segments, *more.segments],
        other_subjects=[*request.other_subjects, *more.other_subjects],
        locked=plan.assignment,
    )
    after = plan_splits(grown).assignment
    assert {who: after[who] for who in plan.assignment} == plan.assignment


@given(requests())
def test_without_earlier_decisions_nothing_is_left_out(request: SplitRequest) -> None:
    plan = plan_splits(replace(request, locked={}))
    assert (plan.left_out_videos, plan.report.notes) == ({}, ())
    assert plan == plan_splits(replace(request, config=SplitsConfig(re_split=True)))


@given(requests(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(request: SplitRequest, random: Random) -> None:
    def shuffled(items: object) -> list:
        return sorted(items, key=lambda _: random.random())

    other = replace(
        request,
        segments=shuffled(request.segments),
        other_subjects=shuffled(request.other_subjects),
        subjects_of_video=dict(shuffled(request.subjects_of_video.items())),
        sexes=dict(shuffled(request.sexes.items())),
        copies=shuffled(request.copies),
        events=shuffled(request.events),
        match_of=dict(shuffled(request.match_of.items())),
        locked=dict(shuffled(request.locked.items())),
    )
    assert plan_splits(other) == plan_splits(request)


@pytest.mark.parametrize(
    ("people", "expected"), [(1, {"train"}), (2, {"train", "test"}), (3, set(SPLITS)), (12, set(SPLITS))]
)
def test_every_split_gets_somebody_as_soon_as_there_are_enough(people: int, expected: set[str]) -> None:
    assert set(splits_of(dict.fromkeys(range(people), 4)).values()) == expected


def test_the_second_person_of_a_growing_study_is_tested_on() -> None:
    assert splits_of({1: 4, 2: 4}, locked={subject(1): "train"})[subject(2)] == "test"


def test_shares_are_met_with_many_subjects() -> None:
    counts = {n: 1 + n % 7 for n in range(200)}
    splits = splits_of(counts)
    for split, share in CONFIG.shares.items():
        held = sum(count for n, count in counts.items() if splits[subject(n)] == split)
        assert held / sum(counts.values()) == pytest.approx(share, abs=0.002)


def test_the_subject_with_most_segments_is_in_train() -> None:
    assert splits_of(dict.fromkeys(range(5), 3) | {9: 100})[subject(9)] == "train"


def test_people_with_windows_alone_are_placed_and_never_fill_a_split_alone() -> None:
    plan = plan_splits(
        SplitRequest(segments=segments_of({1: 5}), other_subjects=[subject(n) for n in range(2, 9)], config=CONFIG)
    )
    assert plan.assignment.keys() == {subject(n) for n in range(1, 9)}
    assert plan.assignment[subject(1)] == "train"
    assert list(plan.assignment.values()).count("train") >= 5


def test_a_share_of_zero_makes_no_split_but_keeps_who_was_there() -> None:
    config = SplitsConfig(train_share=0.8, val_share=0.0, test_share=0.2)
    counts = dict.fromkeys(range(20), 1)
    assert set(splits_of(counts, config).values()) == {"train", "test"}
    assert splits_of(counts, config, locked={subject(3): "val"})[subject(3)] == "val"


@pytest.mark.parametrize("shares", [(0.5, 0.2, 0.2), (1.2, -0.1, -0.1), (0.0, 0.5, 0.5)])
def test_shares_that_do_not_add_up_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match=r"release\.splits"):
        SplitsConfig(train_share=shares[0], val_share=shares[1], test_share=shares[2])


def test_a_list_decides_for_new_people_and_the_shares_are_for_the_others() -> None:
    listed = {subject(n): "test" for n in range(10)}
    splits = splits_of(dict.fromkeys(range(30), 5), fixed=listed)
    assert {who: splits[who] for who in listed} == listed
    others = [splits[subject(n)] for n in range(10, 30)]
    assert [others.count(split) for split in SPLITS] == [14, 3, 3]


def test_a_list_that_contradicts_an_earlier_release_is_refused_unless_the_study_splits_anew() -> None:
    decided = {"locked": {subject(1): "train", subject(2): "val"}, "fixed": {subject(1): "test", subject(2): "val"}}
    with pytest.raises(InvalidReleaseError, match=r"1 people in another split.*set release\.splits\.re_split"):
        splits_of({1: 2, 2: 2, 3: 2}, **decided)
    anew = splits_of({1: 2, 2: 2, 3: 2}, SplitsConfig(re_split=True), **decided)
    assert (anew[subject(1)], anew[subject(2)]) == ("test", "val")


def test_leaving_people_out_tests_on_them_and_trains_on_all_others() -> None:
    config = SplitsConfig(leave_out=("p2", "p5"))
    tested = {subject(2): "test", subject(5): "test"}
    splits = splits_of(dict.fromkeys(range(8), 3), config, fixed=tested)
    assert {who for who, split in splits.items() if split == "test"} == tested.keys()
    assert set(splits.values()) == {"train", "test"}
    with pytest.raises(InvalidReleaseError, match=r"leave_out: none of these people"):
        splits_of({1: 3}, config, fixed=tested)


def test_two_players_of_one_match_are_counted_and_on_one_side_only_where_that_is_wanted() -> None:
    counts = dict.fromkeys(range(12), 4)
    match_of = {video(n): f"m{n // 2}" for n in range(12)}
    apart = plan_splits(SplitRequest(segments=segments_of(counts), match_of=match_of, config=CONFIG))
    match = apart.report.checks[-1]
    torn = sum(apart.assignment[subject(n)] != apart.assignment[subject(n + 1)] for n in range(0, 12, 2))
    assert (match.name, match.checked, match.found) == ("match", 6, torn)
    assert torn > 0
    together = SplitsConfig(match_disjoint=True)
    tied = plan_splits(SplitRequest(segments=segments_of(counts), match_of=match_of, config=together))
    assert tied.report.checks[-1].found == 0
    assert set(tied.assignment.values()) == set(SPLITS)
    with pytest.raises(InvalidReleaseError, match=r"match_disjoint: \d+ groups of people"):
        plan_splits(
            SplitRequest(segments=segments_of(counts), match_of=match_of, locked=apart.assignment, config=together)
        )


def test_unknown_people_are_counted_and_not_placed() -> None:
    plan = plan_splits(SplitRequest(segments=[segment(1, 1), segment(None, 1), segment(None, 2)], config=CONFIG))
    assert plan.assignment == {subject(1): "train"}
    unknown = next(check for check in plan.report.checks if check.name == "unknown_subject")
    assert (unknown.checked, unknown.found) == (2, 0)


def test_a_release_without_known_people_has_no_splits() -> None:
    assert plan_splits(SplitRequest(segments=[], config=CONFIG)).assignment == {}


@given(st.dictionaries(st.integers(0, 60).map(subject), st.sampled_from(SPLITS)))
def test_the_lock_file_has_a_sorted_line_for_everybody(splits: dict[str, str]) -> None:
    lines = splits_lock_text(splits).splitlines()
    assert all(one < other for one, other in pairwise(lines))
    assert dict(line.split(" ") for line in lines) == splits


def test_a_damaged_lock_file_is_refused(tmp_path: Path) -> None:
    lock = tmp_path / "splits.lock"
    assert read_splits_lock(lock) == {}
    lock.write_text(splits_lock_text({subject(1): "val", subject(2): "train"}))
    assert read_splits_lock(lock) == {subject(1): "val", subject(2): "train"}
    for damage in (f"{subject(1)} both\n", splits_lock_text({subject(1): "val"}) * 2):
        lock.write_text(damage)
        with pytest.raises(InvalidReleaseError, match="line"):
            read_splits_lock(lock)


def test_videos_without_links_are_their_own_recordings() -> None:
    assert recordings_of([video(1), video(2)], []) == {video(1): video(1), video(2): video(2)}
