"""Who is the player: clearly the most prominent person of a shot, or nobody."""

import numpy as np
import pytest

from perception.players import PlayersConfig, choose_players, prominence_of, seconds_seen
from schema.records import Track, VideoId

TENTH_NS = 100_000_000


def track(number, *, shot=0, box=(0, 0, 100, 200), frames=20, first=0):
    indices = np.arange(first, first + frames, dtype=np.int32)
    return Track(
        video_id=VideoId("v1"),
        track_number=number,
        shot_number=shot,
        frame_indices=indices,
        times_ns=indices.astype(np.int64) * TENTH_NS,
        boxes_xyxy=np.tile(np.array(box, dtype=np.float32), (frames, 1)),
        scores=np.ones(frames, dtype=np.float32),
    )


def chosen(*tracks):
    return choose_players(tracks, config=PlayersConfig())


def test_nobody_there_is_nobody_chosen():
    assert chosen() == frozenset()


def test_a_person_alone_is_the_player():
    assert chosen(track(4, frames=5)) == {4}


def test_the_larger_of_two_is_the_player():
    assert chosen(track(0, box=(0, 0, 60, 100)), track(1)) == {1}


def test_the_one_who_is_seen_for_longer_is_the_player():
    assert chosen(track(0, frames=40), track(1, frames=10)) == {0}


@pytest.mark.parametrize(("width", "players"), [(100, set()), (149, set()), (150, {1}), (200, {1})])
def test_two_alike_give_no_player(width, players):
    assert chosen(track(0), track(1, box=(0, 0, width, 200))) == players


def test_each_shot_has_its_own_player():
    tracks = [track(0), track(1, box=(0, 0, 20, 20)), track(2, shot=1, first=50), track(3, shot=1, first=50)]
    assert chosen(*tracks, track(4, shot=2, first=90)) == {0, 4}


def test_the_order_of_the_tracks_does_not_matter():
    tracks = [track(0), track(1, box=(0, 0, 20, 20)), track(2, shot=1, first=50)]
    assert chosen(*tracks) == chosen(*tracks[::-1])


def test_prominence_is_area_times_seconds():
    assert seconds_seen(track(0, frames=20)) == pytest.approx(2.0)
    assert prominence_of(track(0, frames=20)) == pytest.approx(100 * 200 * 2.0)
