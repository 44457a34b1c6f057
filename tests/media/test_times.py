from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.times import repair_times
from schema.records import TimeFlag

MILLISECOND = Fraction(1, 1000)
GOOD, MISSING, REPEATED = TimeFlag.GOOD, TimeFlag.MISSING, TimeFlag.REPEATED


def repaired(stamps, *, time_base=MILLISECOND, header_ticks=40):
    missing = np.array([stamp is None for stamp in stamps])
    pts = np.array([stamp or 0 for stamp in stamps], dtype=np.int64)
    given_pts, times_ns, flags = repair_times(pts, missing, time_base=time_base, header_ticks=Fraction(header_ticks))
    return given_pts.tolist(), (times_ns / 1e6).round(2).tolist(), flags.tolist()


def test_good_times_are_exact_and_rounded_down():
    _, times_ns, flags = repair_times(
        np.array([1001 * k for k in range(100)]),
        np.zeros(100, dtype=np.bool_),
        time_base=Fraction(1, 30000),
        header_ticks=Fraction(1001),
    )
    assert times_ns.tolist() == [1001 * k * 1_000_000_000 // 30000 for k in range(100)]
    assert set(flags.tolist()) == {GOOD}


@pytest.mark.parametrize(
    ("stamps", "milliseconds", "flags"),
    [
        ([0, 40, 40, 80, 120], [0, 40, 60, 80, 120], [GOOD, GOOD, REPEATED, GOOD, GOOD]),
        ([None, 40, 80, None, None, 200], [0, 40, 80, 120, 160, 200], [MISSING, GOOD, GOOD, MISSING, MISSING, GOOD]),
        ([None, None, None], [0, 40, 80], [MISSING] * 3),
        ([7], [0], [GOOD]),
        ([0, 40, 80, 10**9, 160, 200], [0, 40, 80, 120, 160, 200], [GOOD, GOOD, GOOD, REPEATED, GOOD, GOOD]),
        ([1, 4, 3, 5, 2, 6], [0, 1, 2, 3, 4, 5], [GOOD, REPEATED, GOOD, REPEATED, REPEATED, GOOD]),
    ],
    ids=["one twice", "some missing", "all missing", "one frame", "one far ahead", "decoding order"],
)
def test_bad_times_are_flagged_and_repaired(stamps, milliseconds, flags):
    _, times, found = repaired(stamps)
    assert times == milliseconds
    assert found == flags


def test_a_clock_that_jumps_back_goes_on_from_where_it_was():
    recording = list(range(0, 4000, 40))
    _, times, flags = repaired([*recording, *recording])
    assert times == [40.0 * k for k in range(200)]
    assert flags == [GOOD] * 100 + [REPEATED] * 100


def test_the_files_own_stamps_are_kept_beside_the_repaired_times():
    pts, _, _ = repaired([0, 40, 40, None, 160])
    assert pts[:3] == [0, 40, 40]
    assert 40 < pts[3] < 160


@given(
    st.lists(st.none() | st.integers(-(10**6), 10**6), min_size=1, max_size=60),
    st.sampled_from([MILLISECOND, Fraction(1, 90000), Fraction(1, 10**10), Fraction(1, 25)]),
)
def test_whatever_the_file_says_times_start_at_0_and_increase(stamps, time_base):
    missing = np.array([stamp is None for stamp in stamps])
    pts = np.array([stamp or 0 for stamp in stamps], dtype=np.int64)
    _, times_ns, flags = repair_times(pts, missing, time_base=time_base, header_ticks=Fraction(1, 3))
    assert times_ns[0] == 0
    assert np.all(np.diff(times_ns) > 0)
    assert np.array_equal(flags == MISSING, missing)
