"""Cutting videos into shots: nothing lost, nothing twice, whatever the detector says."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.frames import VideoFrame
from perception.backends.scenedetect import SceneDetectConfig, SceneDetectDetector
from perception.backends.synthetic import SyntheticShotDetector, SyntheticShotsConfig
from perception.shots import ShotsConfig, detect_shots
from schema.errors import DropReason, ItemError
from schema.records import Dropped, FrameTimes, Shot, VideoId
from tests.synthetic_people import PaintedPerson, as_frames, paint

TENTH_NS = 100_000_000


def frame_times(times_ns, *, video="v1"):
    count = len(times_ns)
    return FrameTimes(
        video_id=VideoId(video),
        sha256="0" * 64,
        time_base=Fraction(1, 1_000_000_000),
        pts=np.array(times_ns, dtype=np.int64),
        times_ns=np.array(times_ns, dtype=np.int64),
        flags=np.zeros(count, dtype=np.uint8),
        end_ns=int(times_ns[-1]) + TENTH_NS,
    )


class ToldDetector:
    """Says the cuts that it was told."""

    weights_digest = "told"

    def __init__(self, cuts):
        self.cuts = cuts

    def detect_cuts(self, frames):
        for _ in frames:
            pass
        return list(self.cuts)


def shots_of(times, cuts, *, min_seconds=0.2):
    return list(
        detect_shots(
            [times], frames_of=lambda _: [], detector=ToldDetector(cuts), config=ShotsConfig(min_seconds=min_seconds)
        )
    )


@given(st.data())
def test_shots_hold_every_frame_exactly_once(data):
    steps = data.draw(st.lists(st.integers(1_000_000, 300_000_000), min_size=1, max_size=40))
    times = frame_times([0, *np.cumsum(steps).tolist()])
    count = len(steps) + 1
    cuts = sorted(data.draw(st.sets(st.integers(1, count - 1))))
    shots = shots_of(times, cuts)
    assert shots[0].first_frame == 0
    assert shots[-1].end_frame == count
    assert [s.shot_number for s in shots] == list(range(len(shots)))
    for before, after in pairwise(shots):
        assert before.end_frame == after.first_frame
        assert before.span.end_ns == after.span.start_ns
    assert shots[-1].span.end_ns == times.end_ns
    assert {s.first_frame for s in shots} <= {0, *cuts}
    if len(shots) > 1:
        assert min(s.span.seconds for s in shots) >= 0.2


def test_shortest_shot_is_measured_in_time_not_in_frames():
    fast_then_slow = [0, *range(10_000_000, 110_000_000, 10_000_000), 200_000_000, 400_000_000, 600_000_000]
    times = frame_times(fast_then_slow)
    assert [s.first_frame for s in shots_of(times, [5, 12])] == [0, 12]


def test_a_glimpse_at_the_end_belongs_to_the_last_shot():
    assert [s.first_frame for s in shots_of(frame_times([k * TENTH_NS for k in range(20)]), [10, 19])] == [0, 10]


@pytest.mark.parametrize("cuts", [[0], [3, 3], [5, 2], [20]])
def test_a_detector_that_breaks_its_promise_is_told(cuts):
    with pytest.raises(ValueError, match="cuts must increase"):
        shots_of(frame_times([k * TENTH_NS for k in range(20)]), cuts)


def test_a_video_that_can_not_be_read_is_dropped_and_the_next_one_goes_on():
    def frames_of(video_id):
        if video_id == "v1":
            raise ItemError(DropReason.UNREADABLE, "no frame decodes")
        return as_frames([paint([])] * 10)

    videos = [frame_times([k * TENTH_NS for k in range(10)], video=name) for name in ("v1", "v2")]
    detector = SyntheticShotDetector(SyntheticShotsConfig())
    dropped, shot = list(detect_shots(videos, frames_of=frames_of, detector=detector, config=ShotsConfig()))
    assert isinstance(dropped, Dropped)
    assert (dropped.stage, dropped.item_id, dropped.reason) == ("shots", "v1", DropReason.UNREADABLE)
    assert isinstance(shot, Shot)
    assert (shot.video_id, shot.first_frame, shot.end_frame) == ("v2", 0, 10)


def cuts_found(pictures):
    return SceneDetectDetector(SceneDetectConfig()).detect_cuts(as_frames(pictures))


def textured(seed, *, level=60):
    """A room: blocks of colour that stay."""
    blocks = np.random.default_rng(seed).integers(level - 30, level + 30, size=(12, 16, 3))
    return blocks.repeat(15, axis=0).repeat(15, axis=1).astype(np.uint8)


def with_person(room, x):
    picture = room.copy()
    picture[60:180, x : x + 70] = (200, 150, 120)
    return picture


def test_two_rooms_of_like_colours_are_told_apart():
    rooms = [textured(1), textured(2)]
    pictures = [with_person(room, 60 + k) for room in rooms for k in range(12)]
    assert cuts_found(pictures) == [12]


def test_photographers_flashes_make_no_cut():
    pictures = [with_person(textured(1), 60 + k) for k in range(40)]
    for k in (0, 8, 20, 21, 39):
        pictures[k] = np.clip(pictures[k].astype(int) + 150, 0, 255).astype(np.uint8)
    assert cuts_found(pictures) == []


def test_a_flash_beside_a_cut_does_not_hide_it():
    pictures = [with_person(textured(1 + k // 20), 60) for k in range(40)]
    pictures[12] = np.clip(pictures[12].astype(int) + 150, 0, 255).astype(np.uint8)
    assert cuts_found(pictures) == [20]


def test_repeated_pictures_of_a_moving_camera_make_no_cut():
    """Ten pictures a second in a file of thirty: every third change is large and stands alone."""
    wide = np.hstack([textured(1), textured(2)])
    pictures = [wide[:, 12 * k : 12 * k + 240] for k in range(18) for _ in range(3)]
    assert cuts_found(pictures) == []


def test_a_panning_camera_makes_no_cut():
    wide = np.hstack([textured(1), textured(2)])
    assert cuts_found([wide[:, 6 * k : 6 * k + 240] for k in range(36)]) == []


def test_dim_footage_is_cut_too():
    pictures = [with_person(textured(1 + k // 12), 60 + k) // 3 for k in range(24)]
    assert cuts_found(pictures) == [12]


def test_four_players_joined_end_to_end_are_cut_at_the_very_frames(shared_media):
    """The clips are decoded with the stage's own decoder; each part has another person or another room."""
    from media.frames import decode_frames, read_frame_times

    parts = []
    for name in ("imigue_folding-arms", "imigue_scratching-neck", "intel_asl_no", "pyfeat_WolfgangLanger_Pexels"):
        (path,) = (shared_media / "videos").glob(f"{name}.*")
        times, _ = read_frame_times(path, video_id=VideoId("v1"), sha256="0" * 64)
        parts.append([f.image_rgb for f in decode_frames(path, times, end_frame=30, max_side_px=320)])
    height = min(p[0].shape[0] for p in parts)
    width = min(p[0].shape[1] for p in parts)
    pictures = [image[:height, :width] for part in parts for image in part]
    assert cuts_found(pictures) == [30, 60, 90]


def test_detectors_take_frames_and_nothing_else():
    frames = [VideoFrame(frame_index=k, time_ns=k, image_rgb=paint([PaintedPerson()])) for k in range(3)]
    assert SceneDetectDetector(SceneDetectConfig()).detect_cuts(iter(frames)) == []
