"""Stretches of a long track: short enough, whole together, each thing in one of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinematics.stretches import LONGEST_NS, MARGIN_NS, Stretch, stretches_of
from schema.timespan import NS_PER_SECOND
from tests.factories import make_keypoints
from tests.puppets import part_of


def cut(times_s: list[float]) -> list[Stretch]:
    times_ns = np.round(np.array(times_s) * NS_PER_SECOND).astype(np.int64)
    sequence = make_keypoints(frame_count=len(times_s), times_ns=times_ns)
    return list(stretches_of(times_ns, lambda first, end: part_of(sequence, first, end)))


@pytest.mark.parametrize("end_s", [0, 0.04, 599.9])
def test_up_to_ten_minutes_are_one_stretch(end_s: float) -> None:
    (stretch,) = cut(sorted({7.0, 7.0 + end_s}))
    assert stretch.core.contains(int(7e9))
    assert stretch.core.contains(int((7 + end_s) * 1e9) + NS_PER_SECOND // 25)


@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=200, unique=True).map(sorted))
def test_every_frame_lies_in_one_core_and_no_stretch_is_long(seconds: list[int]) -> None:
    stretches = cut([float(second) for second in seconds])
    for second in seconds:
        assert sum(stretch.core.contains(second * NS_PER_SECOND) for stretch in stretches) == 1
    for stretch in stretches:
        times_ns = stretch.sequence.times_ns
        assert times_ns[-1] - times_ns[0] <= LONGEST_NS + 2 * MARGIN_NS
        inside = (times_ns >= stretch.core.start_ns - MARGIN_NS) & (times_ns < stretch.core.end_ns + MARGIN_NS)
        assert inside.all()
        assert any(stretch.core.contains(int(time_ns)) for time_ns in times_ns)


def test_a_stretch_sees_what_lies_around_it() -> None:
    first, second = cut([float(second) for second in range(1001)])
    assert first.core.end_ns == second.core.start_ns
    assert first.sequence.times_ns[-1] == pytest.approx(530 * NS_PER_SECOND, abs=NS_PER_SECOND)
    assert second.sequence.times_ns[0] == pytest.approx(470 * NS_PER_SECOND, abs=NS_PER_SECOND)


def test_frames_are_read_when_their_turn_comes() -> None:
    times_ns = np.arange(0, 3600, 2, dtype=np.int64) * NS_PER_SECOND
    sequence, read = make_keypoints(frame_count=len(times_ns), times_ns=times_ns), []

    def reading(first: int, end: int):
        read.append((first, end))
        return part_of(sequence, first, end)

    stretches = stretches_of(times_ns, reading)
    next(stretches)
    assert len(read) == 1
    assert len(list(stretches)) == 5
    assert len(read) == 6
