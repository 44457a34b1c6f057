from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.answers.regions import Region, region_item, timeline_regions
from schema.errors import DropReason, ItemError


def region(*ranges: Any, labels: Any = ("nodding",), origin: str = "manual") -> dict[str, Any]:
    value = {"ranges": list(ranges), "timelinelabels": list(labels) if isinstance(labels, tuple) else labels}
    return {"from_name": "marks", "to_name": "video", "type": "timelinelabels", "origin": origin, "value": value}


def read(*items: Any) -> list[Region]:
    return timeline_regions({"result": list(items)}, "marks")


def test_both_ends_of_a_range_are_shown_and_counted_from_one() -> None:
    (found,) = read(region({"start": 11, "end": 21}))
    assert (found.first_frame_in_clip, found.end_frame_in_clip) == (10, 21)
    (single,) = read(region({"start": 1, "end": 1}))
    assert (single.first_frame_in_clip, single.end_frame_in_clip) == (0, 1)


@pytest.mark.parametrize(("origin", "changed"), [("manual", True), ("prediction-changed", True), ("prediction", False)])
def test_what_was_shown_and_left_is_told_from_what_was_moved(origin: str, changed: bool) -> None:
    (found,) = read(region({"start": 3, "end": 4}, origin=origin))
    assert found.changed is changed


def test_regions_come_in_order_of_time_and_of_their_own_control() -> None:
    other = region({"start": 1, "end": 2}) | {"from_name": "edges"}
    found = read(region({"start": 30, "end": 40}), other, region({"start": 5, "end": 9}, {"start": 2, "end": 3}))
    assert [f.first_frame_in_clip for f in found] == [1, 4, 29]


@given(st.integers(0, 500), st.integers(1, 500))
def test_what_is_built_is_read_back(first: int, length: int) -> None:
    item = region_item(
        "marks", "video", first_frame_in_clip=first, end_frame_in_clip=first + length, labels=["nodding"], name="m"
    )
    (found,) = read(item)
    assert found == Region(
        first_frame_in_clip=first, end_frame_in_clip=first + length, labels=("nodding",), changed=True
    )


@pytest.mark.parametrize(
    "ranges",
    [
        {"start": 21, "end": 11},
        {"start": 0, "end": 4},
        {"start": -3, "end": 4},
        {"start": 2.5, "end": 4},
        {"start": "2", "end": 4},
        {"start": True, "end": 4},
        {"start": 2},
        [2, 4],
        None,
    ],
)
def test_a_slip_is_an_invalid_answer(ranges: Any) -> None:
    with pytest.raises(ItemError) as caught:
        read(region(ranges))
    assert caught.value.reason is DropReason.INVALID_ANSWER
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize(
    "value",
    [None, [], {}, {"ranges": None}, {"ranges": [], "timelinelabels": [3]}, {"ranges": [], "timelinelabels": "x"}],
)
def test_another_form_is_an_invalid_answer(value: Any) -> None:
    with pytest.raises(ItemError, match="no ranges with labels"):
        read({"from_name": "marks", "value": value})


@pytest.mark.parametrize(("first", "end", "labels"), [(3, 3, ["a"]), (-1, 2, ["a"]), (4, 2, ["a"]), (0, 2, [])])
def test_no_impossible_region_is_built(first: int, end: int, labels: list[str]) -> None:
    with pytest.raises(ValueError, match="needs 0 <= first < end and labels"):
        region_item("marks", "video", first_frame_in_clip=first, end_frame_in_clip=end, labels=labels, name="m")
