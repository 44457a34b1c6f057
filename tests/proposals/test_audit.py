import random
from itertools import pairwise

import numpy as np
import pytest

from proposals.audit import audit_cells, draw_windows
from schema.records import CandidateId, VideoId
from tests.factories import BOX, KEY, make_candidate, make_span, make_track

ELSEWHERE = (400.0, 50.0, 600.0, 450.0)


def track(video=0, *, minutes=2.0, box=BOX, number=0):
    frames = round(minutes * 60 * 25)
    return make_track(
        frame_count=frames, box_xyxy=box, video_id=VideoId(f"v{video:020d}"), track_number=number
    )  # fmt: skip


def candidate(video, start_s, end_s, *, box=BOX):
    return make_candidate(
        candidate_id=CandidateId(f"c{video}{start_s}"),
        video_id=VideoId(f"v{video:020d}"),
        span=make_span(start_s, end_s),
        box_xyxy=box,
    )


def cells(tracks, candidates=(), seconds=15.0):
    return audit_cells(tracks, candidates=list(candidates), window_seconds=seconds)


def test_the_whole_time_of_a_person_can_be_drawn_once():
    made = cells([track(minutes=2.2)])
    assert made[0].span.start_ns == 0
    assert made[-1].span.end_ns == round(2.2 * 60 * 1e9)
    assert all(a.span.end_ns == b.span.start_ns for a, b in pairwise(made))
    assert all(abs(c.span.seconds - 15) < 1 for c in made)
    assert made[0].box_xyxy == BOX
    # 5 s are one window of 5 s, half a second is none
    assert [c.span.seconds for c in cells([track(minutes=5 / 60)])] == [5.0]
    assert cells([track(minutes=0.5 / 60)]) == []


def test_time_that_a_candidate_of_that_person_covers_is_not_free():
    given = [candidate(0, 1, 4), candidate(0, 3, 5), candidate(0, 14, 16), candidate(0, 6, 9, box=ELSEWHERE)]
    first, second, *rest = cells([track()], given)
    assert first.free_ns == 10e9
    assert second.free_ns == 14e9
    assert all(cell.free_ns == 15e9 for cell in rest)


def test_windows_are_drawn_whatever_the_order_and_depend_on_the_key():
    pool = cells([track(video) for video in range(20)])
    drawn = draw_windows(pool, key=KEY, minutes=10)
    assert sum(w.span.seconds for w in drawn) == pytest.approx(600)
    assert drawn == draw_windows(random.Random(0).sample(pool, len(pool)), key=KEY, minutes=10)
    assert {w.window_id for w in drawn} != {w.window_id for w in draw_windows(pool, key=bytes(32), minutes=10)}
    assert len({w.window_id for w in drawn}) == len(drawn)
    assert all(w.window_id[0] == "w" for w in drawn)


def test_people_in_one_picture_have_windows_of_their_own():
    drawn = draw_windows(cells([track(0), track(0, box=ELSEWHERE, number=1)]), key=KEY, minutes=4)
    assert len({w.window_id for w in drawn}) == 16


def test_a_new_numbering_of_tracks_draws_the_same():
    again = draw_windows(cells([track(v, number=7) for v in range(9)]), key=KEY, minutes=3)
    before = draw_windows(cells([track(v) for v in range(9)]), key=KEY, minutes=3)
    assert [w.window_id for w in again] == [w.window_id for w in before]


def test_most_windows_stay_when_the_study_grows():
    few, more = (cells([track(v) for v in range(count)]) for count in (20, 24))
    kept = [
        len({w.window_id for w in draw_windows(few, key=key, minutes=8)}
            & {w.window_id for w in draw_windows(more, key=key, minutes=8)})
        for key in (bytes([number]) * 32 for number in range(10))
    ]  # fmt: skip
    # 20 of 24 videos are the old ones, and have 27 of the 32 windows
    assert sum(kept) / 10 == pytest.approx(32 * 20 / 24, abs=2)


def test_the_share_is_the_chance_of_being_drawn():
    # one half of the windows is full of candidates: it is drawn four times more rarely, and the share says so
    tracks = [track(v) for v in range(10)]
    full = [candidate(v, s, s + 60) for v in range(10) for s in (0,)]
    pool = cells(tracks, full)
    times_drawn: dict[str, int] = {}
    shares: dict[str, float] = {}
    keys = 400
    for number in range(keys):
        for window in draw_windows(pool, key=number.to_bytes(32, "big"), minutes=5):
            place = f"{window.video_id}{window.span.start_ns}"
            times_drawn[place] = times_drawn.get(place, 0) + 1
            shares[place] = window.sampled_share
    drawn = np.array([times_drawn[place] / keys for place in shares])
    told = np.array(list(shares.values()))
    assert set(np.round(told, 6)) == {0.1, 0.4}
    # of so many windows together the error of a chance is below 0.01
    assert drawn[told < 0.2].mean() == pytest.approx(0.1, abs=0.02)
    assert drawn[told > 0.2].mean() == pytest.approx(0.4, abs=0.02)


def test_more_minutes_than_there_are_draw_everything_for_certain():
    pool = cells([track(0)], [candidate(0, 0, 70)])
    drawn = draw_windows(pool, key=KEY, minutes=60)
    assert len(drawn) == len(pool)
    assert {w.sampled_share for w in drawn} == {1.0}
    assert draw_windows(pool, key=KEY, minutes=0) == []
    assert len(draw_windows(pool, key=KEY, minutes=0.01)) == 1
    assert draw_windows([], key=KEY, minutes=5) == []
