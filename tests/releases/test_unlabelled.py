"""Windows for training without labels: between the segments, well seen, moving, shared out evenly, and seeded."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinematics.unlabelled_windows import quotas
from releases.config import UnlabelledConfig
from releases.tables.unlabelled import draw, fastest_speeds, windows_of
from schema.errors import ConfigError
from schema.layouts import MIGA35, points_held
from schema.records import KeypointSequence
from schema.timespan import NS_PER_SECOND
from tests.factories import make_keypoints

CONFIG = UnlabelledConfig(window_seconds=1.0, min_quality=0.1)
FRAME_NS = 40_000_000


def person(*, frame_count: int = 500, wave: float = 0.0, jitter_px: float = 0.0, seen: float = 0.9) -> KeypointSequence:
    """Somebody who sits still but for one wrist, which swings ``wave`` shoulder widths far at 1 Hz."""
    still = make_keypoints(frame_count=frame_count, seed=1)
    places = np.repeat(np.nan_to_num(still.keypoints_xy[:1], nan=300.0), frame_count, axis=0).astype(np.float32)
    places[:, 5], places[:, 6] = (400, 300), (300, 300)
    times_s = np.arange(frame_count) * FRAME_NS / NS_PER_SECOND
    places[:, [9, 100], 0] += (wave * 100 * np.sin(2 * np.pi * times_s)).astype(np.float32)[:, None]
    places += np.random.default_rng(0).normal(0, jitter_px, places.shape).astype(np.float32)
    return replace(
        still,
        keypoints_xy=places,
        scores=np.full((frame_count, 133), seen, np.float32),
        parts_seen=np.ones((frame_count, 5), bool),
        times_ns=np.arange(frame_count, dtype=np.int64) * FRAME_NS,
        frame_indices=np.arange(frame_count, dtype=np.int32),
    )


def test_windows_lie_side_by_side_between_the_segments() -> None:
    labelled = [(3 * NS_PER_SECOND, 5 * NS_PER_SECOND), (4 * NS_PER_SECOND, 6 * NS_PER_SECOND)]
    windows = windows_of(person(wave=0.2), labelled_ns=labelled, config=CONFIG)
    spans = [(w.start_ns, w.end_ns) for w in windows]
    assert spans == sorted(spans)
    assert spans[:3] == [(n * NS_PER_SECOND, (n + 1) * NS_PER_SECOND) for n in range(3)]
    assert spans[3][0] == 6 * NS_PER_SECOND
    assert not any(start < b and a < end for start, end in spans for a, b in labelled)
    assert all(w.rows.stop - w.rows.start == 25 for w in windows)


def test_who_sits_still_and_who_trembles_in_the_estimator_alone_is_passed_over() -> None:
    assert windows_of(person(), labelled_ns=[], config=CONFIG) == []
    assert windows_of(person(jitter_px=1.0), labelled_ns=[], config=CONFIG) == []
    assert windows_of(person(wave=0.2, jitter_px=1.0), labelled_ns=[], config=CONFIG)


def test_speed_is_told_in_shoulder_widths_a_second() -> None:
    # a swing of 0.2 shoulder widths at 1 Hz is at most 0.2 * 2 pi = 1.26 a second fast, 0.89 in the middle (median)
    speeds = fastest_speeds(person(wave=0.2))
    assert np.median(speeds) == pytest.approx(0.89, rel=0.1)


def test_who_is_not_seen_and_who_waves_about_is_passed_over() -> None:
    assert windows_of(person(wave=0.2, seen=0.05), labelled_ns=[], config=CONFIG) == []
    assert windows_of(person(wave=2.0), labelled_ns=[], config=CONFIG) == []


def test_a_window_holds_no_hole() -> None:
    whole = person(wave=0.2)
    rows = np.r_[0:30, 45:500]
    torn = replace(
        whole,
        **{
            name: getattr(whole, name)[rows]
            for name in ("keypoints_xy", "scores", "parts_seen", "times_ns", "frame_indices", "interpolated")
        },
    )
    starts = {w.start_ns // NS_PER_SECOND for w in windows_of(torn, labelled_ns=[], config=CONFIG)}
    assert 0 in starts
    assert 1 not in starts


def test_what_is_drawn_depends_on_the_seed_and_on_nothing_else() -> None:
    windows = windows_of(person(wave=0.2), labelled_ns=[], config=CONFIG)
    other = windows_of(person(wave=0.2), labelled_ns=[], config=replace(CONFIG, seed=1))
    assert draw(windows, quota=5) == draw(reversed(windows), quota=5)
    assert [w.window_id for w in draw(windows, quota=5)] != [w.window_id for w in draw(other, quota=5)]
    assert [w.window_id for w in windows] == [w.window_id for w in other]


@given(
    st.dictionaries(st.sampled_from("abc"), st.lists(st.sampled_from("uvwxyz"), min_size=1, unique=True)),
    st.integers(0, 20),
)
def test_nobody_gets_more_windows_than_allowed_and_videos_share_alike(videos: dict[str, list[str]], most: int) -> None:
    shares = quotas(videos, most_per_subject=most)
    assert sum(shares.values()) == most * len(videos)
    for one in videos.values():
        alone = quotas({"a": one}, most_per_subject=most)
        assert max(alone.values()) - min(alone.values()) <= 1


def test_settings_that_exclude_everything_are_refused() -> None:
    for changes in ({"window_seconds": 0.0}, {"slowest": 3.0}, {"min_quality": 1.0}):
        with pytest.raises(ConfigError, match=r"release\.unlabelled"):
            UnlabelledConfig(**changes)


def test_a_skeleton_with_finger_tips_alone_is_not_held_against_the_hands_that_it_can_not_have() -> None:
    whole = person(wave=0.2)
    held = points_held(MIGA35)
    bare = replace(
        whole,
        scores=np.where(np.isin(np.arange(133), list(held)), whole.scores, np.float32(0)),
        keypoints_xy=np.where(np.isin(np.arange(133), list(held))[:, None], whole.keypoints_xy, np.float32(np.nan)),
    )
    strict = replace(CONFIG, min_quality=0.8)
    assert windows_of(bare, labelled_ns=[], config=strict) == []
    assert len(windows_of(bare, labelled_ns=[], config=strict, held=held)) == 19
