"""Splits: nobody on two sides, nobody moves, shares met as far as whole people allow."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.config import ReleaseConfig
from releases.splits.assign import assign_splits, read_splits_lock, recordings_of, splits_lock_text
from releases.splits.config import SPLITS, SplitsConfig
from releases.tables.selection import select_segments
from schema.errors import ConfigError, InvalidReleaseError
from tests.releases.release_data import make_inputs, subject, video

CONFIG = SplitsConfig()
COUNTS = st.dictionaries(st.integers(0, 60).map(subject), st.integers(1, 50), max_size=30)


@given(COUNTS, COUNTS)
def test_subjects_stay_where_they_were_when_others_are_added(first: dict[str, int], added: dict[str, int]) -> None:
    before = assign_splits(first, config=CONFIG)
    after = assign_splits(first | added, locked=before, config=CONFIG)
    assert after.keys() == first.keys() | added.keys()
    assert {s: after[s] for s in before} == before


@given(COUNTS, st.randoms())
def test_the_order_of_the_input_does_not_matter(counts: dict[str, int], random: Random) -> None:
    shuffled = sorted(counts.items(), key=lambda _: random.random())
    assert assign_splits(dict(shuffled), config=CONFIG) == assign_splits(counts, config=CONFIG)


@given(COUNTS, st.lists(st.sets(st.integers(0, 60).map(subject), min_size=2, max_size=3), max_size=10))
def test_people_of_one_recording_share_a_side(counts: dict[str, int], recordings: list[set[str]]) -> None:
    splits = assign_splits(counts, together=recordings, config=CONFIG)
    assert splits.keys() == counts.keys()
    for people in recordings:
        assert len({splits[s] for s in people if s in splits}) <= 1


@pytest.mark.parametrize(
    ("subjects", "expected"), [(1, {"train"}), (2, {"train", "test"}), (3, set(SPLITS)), (12, set(SPLITS))]
)
def test_every_split_gets_somebody_as_soon_as_there_are_enough(subjects: int, expected: set[str]) -> None:
    assert set(assign_splits({subject(n): 4 for n in range(subjects)}, config=CONFIG).values()) == expected


def test_shares_are_met_with_many_subjects() -> None:
    counts = {subject(n): 1 + n % 7 for n in range(200)}
    splits = assign_splits(counts, config=CONFIG)
    for split, share in CONFIG.shares.items():
        held = sum(count for s, count in counts.items() if splits[s] == split)
        assert held / sum(counts.values()) == pytest.approx(share, abs=0.01)


def test_the_subject_with_most_segments_is_in_train() -> None:
    counts = {subject(n): 3 for n in range(5)} | {subject(9): 100}
    assert assign_splits(counts, config=CONFIG)[subject(9)] == "train"


def test_a_share_of_zero_makes_no_split() -> None:
    config = SplitsConfig(train_share=0.8, val_share=0.0, test_share=0.2)
    assert set(assign_splits({subject(n): 1 for n in range(20)}, config=config).values()) == {"train", "test"}


def test_people_locked_apart_can_not_share_a_recording() -> None:
    counts, locked = {subject(1): 2, subject(2): 2}, {subject(1): "train", subject(2): "test"}
    with pytest.raises(InvalidReleaseError, match="one recording"):
        assign_splits(counts, together=[counts.keys()], locked=locked, config=CONFIG)


@pytest.mark.parametrize("shares", [(0.5, 0.2, 0.2), (1.2, -0.1, -0.1), (0.0, 0.5, 0.5)])
def test_shares_that_do_not_add_up_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match=r"release\.splits"):
        SplitsConfig(train_share=shares[0], val_share=shares[1], test_share=shares[2])


def test_the_lock_file_round_trips_and_refuses_damage(tmp_path: Path) -> None:
    lock = tmp_path / "splits.lock"
    assert read_splits_lock(lock) == {}
    splits = assign_splits({subject(n): n + 1 for n in range(9)}, config=CONFIG)
    lock.write_text(splits_lock_text(splits))
    assert read_splits_lock(lock) == splits
    for damage in (f"{subject(1)} both\n", splits_lock_text({subject(1): "val"}) * 2):
        lock.write_text(damage)
        with pytest.raises(InvalidReleaseError, match="line"):
            read_splits_lock(lock)


LINKS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 15)), max_size=12)


@given(LINKS, st.lists(st.one_of(st.none(), st.integers(0, 8)), min_size=12, max_size=12))
def test_copies_and_recordings_of_one_event_never_fall_into_two_splits(
    links: list[tuple[int, int]], people: list[int | None]
) -> None:
    """Some links lead through videos that are not in the release; some videos have nobody known in them."""
    linked = [(video(one), video(other)) for one, other in links]
    selection = select_segments(make_inputs(video_subjects=people, linked_videos=linked), ReleaseConfig(name="demo"))
    recording_of = recordings_of([video(n) for n in range(12)], linked)
    splits: dict[str, set[str]] = {}
    for row in selection.segments:
        splits.setdefault(recording_of[row["video_id"]], set()).add(row["split"])
    assert all(len(sides) == 1 for sides in splits.values())
    assert all(recording_of[one] == recording_of[other] for one, other in linked)


def test_copies_whose_people_are_locked_apart_are_refused() -> None:
    inputs = make_inputs(
        video_subjects=[1, 2],
        linked_videos=[(video(0), video(1))],
        earlier_splits={subject(1): "train", subject(2): "test"},
    )
    with pytest.raises(InvalidReleaseError, match="copies"):
        select_segments(inputs, ReleaseConfig(name="demo"))


def test_videos_without_links_are_their_own_recordings() -> None:
    assert recordings_of([video(1), video(2)], []) == {video(1): video(1), video(2): video(2)}
