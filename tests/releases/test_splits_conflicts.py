"""Links that are found after people were placed: videos give way, people don't, and the report says so."""

import pytest

from releases.splits.config import SplitsConfig
from releases.splits.plan import SplitPlan, SplitRequest, SplitSegment, plan_splits
from releases.splits.settle import COPY_ELSEWHERE, EVENT_ELSEWHERE, PEOPLE_APART
from tests.releases.split_worlds import segment, subject, video

LOCKED = {subject(1): "train", subject(2): "test"}


def plan(segments: list[SplitSegment], **more: object) -> SplitPlan:
    return plan_splits(SplitRequest(segments=segments, config=SplitsConfig(), **({"locked": LOCKED} | more)))


def several(person: int, of_video: int, count: int) -> list[SplitSegment]:
    return [segment(person, of_video)] * count


@pytest.mark.parametrize("poorer_first", [True, False])
def test_the_copy_on_the_side_with_fewer_clips_is_left_out(poorer_first: bool) -> None:
    pair = (video(10), video(20)) if poorer_first else (video(20), video(10))
    found = plan([*several(1, 10, 5), *several(2, 20, 2), *several(2, 21, 9)], copies=[pair])
    assert found.left_out_videos == {video(20): COPY_ELSEWHERE}
    assert found.assignment == LOCKED
    assert found.report.copies_left_out == 1
    assert found.report.notes == (
        "1 video is left out: another copy of the recording stays, in the split where its person was before",
    )


@pytest.mark.parametrize("poorer", [10, 20])
def test_with_as_many_clips_the_poorer_copy_is_left_out(poorer: int) -> None:
    kept = 30 - poorer
    found = plan([*several(1, 10, 3), *several(2, 20, 3)], copies=[(video(poorer), video(kept))])
    assert found.left_out_videos == {video(poorer): COPY_ELSEWHERE}


def test_a_side_s_clips_are_added_up_over_all_copies() -> None:
    segments = [*several(1, 10, 3), *several(2, 20, 2), *several(2, 21, 2)]
    found = plan(segments, copies=[(video(20), video(10)), (video(21), video(10))])
    assert found.left_out_videos == {video(10): COPY_ELSEWHERE}


def test_a_link_may_lead_through_a_video_that_is_not_in_the_release() -> None:
    segments = [*several(1, 10, 3), *several(2, 20, 2)]
    found = plan(segments, copies=[(video(10), video(5)), (video(20), video(5))])
    assert found.left_out_videos == {video(20): COPY_ELSEWHERE}
    assert found.recording_of[video(10)] == found.recording_of[video(20)] == video(5)


def test_of_a_joint_conference_the_video_with_fewer_clips_is_left_out() -> None:
    found = plan([*several(1, 10, 2), *several(2, 20, 5)], events=[(video(20), video(10))])
    assert found.left_out_videos == {video(10): EVENT_ELSEWHERE}
    assert "another video of the event" in found.report.notes[0]


def test_a_video_of_two_people_whom_releases_hold_apart_is_left_out() -> None:
    segments = [*several(1, 10, 9), *several(2, 10, 1), *several(1, 11, 1), *several(2, 20, 1)]
    found = plan(segments)
    assert found.left_out_videos == {video(10): PEOPLE_APART}
    assert found.assignment == LOCKED


def test_somebody_new_takes_the_side_of_the_recording_with_more_clips_and_the_other_is_settled() -> None:
    people = {video(10): {subject(1), subject(3)}, video(20): {subject(2), subject(3)}}
    segments = [*several(1, 10, 2), *several(3, 10, 2), *several(2, 20, 3), *several(3, 20, 3)]
    found = plan(segments, subjects_of_video=people)
    assert found.assignment == LOCKED | {subject(3): "test"}
    assert found.left_out_videos == {video(10): PEOPLE_APART}


def test_people_without_clips_hold_their_recording_on_their_side() -> None:
    found = plan(several(3, 10, 4), subjects_of_video={video(10): {subject(2), subject(3)}})
    assert found.assignment == {subject(3): "test"}
    assert found.left_out_videos == {}


def test_a_list_that_tears_a_recording_is_settled_the_same_way() -> None:
    found = plan(
        [*several(3, 10, 4), *several(4, 20, 1)],
        copies=[(video(10), video(20))],
        locked={},
        fixed={subject(3): "val", subject(4): "train"},
    )
    assert found.left_out_videos == {video(20): COPY_ELSEWHERE}


def test_clips_that_are_left_out_do_not_count_towards_the_shares() -> None:
    """The person in test has 90 clips, all in a copy that gives way: the new ones must fill test."""
    segments = [*several(1, 10, 100), *several(2, 20, 90)]
    segments += [one for person in range(3, 9) for one in several(person, person, 20)]
    found = plan(segments, copies=[(video(20), video(10))])
    assert found.left_out_videos == {video(20): COPY_ELSEWHERE}
    assert "test" in {found.assignment[subject(person)] for person in range(3, 9)}


def test_everything_that_is_left_out_is_told_by_kind() -> None:
    segments = [*several(1, 10, 5), *several(2, 20, 2), *several(1, 11, 3), *several(2, 21, 2), *several(1, 12, 3)]
    segments += [*several(2, 12, 1), *several(2, 22, 1), *several(1, 13, 2)]
    found = plan(segments, copies=[(video(20), video(10)), (video(21), video(11))], events=[(video(22), video(13))])
    assert found.report.copies_left_out == 4
    assert [note.split(":")[0] for note in found.report.notes] == [
        "2 videos are left out",
        "1 video is left out",
        "1 video is left out",
    ]
    assert not any(subject(n) in note or video(n) in note for note in found.report.notes for n in range(30))
