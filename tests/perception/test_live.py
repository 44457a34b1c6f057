"""Shots and tracks from one decode are those of two, whatever the cuts and whoever consumes the frames."""

from fractions import Fraction
from itertools import product

import cv2
import numpy as np
import pytest

from media.frames import VideoFrame, decode_frames, read_frame_times
from perception.backends.scenedetect import SceneDetectConfig, SceneDetectDetector
from perception.backends.synthetic import (
    SyntheticShotDetector,
    SyntheticShotsConfig,
    SyntheticTracker,
    SyntheticTrackerConfig,
)
from perception.live import detect_shots_and_track_people, split_into_shots
from perception.shots import SHOT_DETECTORS, LiveShotDetector, ShotsConfig, detect_shots
from perception.tracks import FramePeople, Sighting, TracksConfig, track_people
from schema.errors import DropReason, ItemError
from schema.records import Dropped, FrameTimes, Shot, Track, VideoId
from tests.synthetic_people import PaintedPerson, as_frames, paint

TENTH_NS = 100_000_000


def tenths(count):
    return FrameTimes(
        video_id=VideoId("v1"),
        sha256="0" * 64,
        time_base=Fraction(1, 10),
        pts=np.arange(count, dtype=np.int64),
        times_ns=np.arange(count, dtype=np.int64) * TENTH_NS,
        flags=np.zeros(count, dtype=np.uint8),
        end_ns=count * TENTH_NS,
    )


def rooms(seed, count):
    """Rooms that are cut, panned, lit by flashes and repeated at random: hard for any rule about cuts."""
    random = np.random.default_rng(seed)
    pictures, room, pan = [], None, 0
    while len(pictures) < count:
        if room is None or random.random() < 0.1:
            room = random.integers(20, 120, size=(6, 24, 3)).repeat(12, axis=0).repeat(12, axis=1)
            pan = int(random.integers(1, 12)) if random.random() < 0.4 else 0
        shift = pan * len(pictures) % 144
        flash = 140 if random.random() < 0.03 else 0
        picture = np.clip(room[:, shift : shift + 144] + random.integers(0, 6, size=(72, 144, 1)) + flash, 0, 255)
        pictures += [picture.astype(np.uint8)] * (3 if random.random() < 0.1 else 1)
    return pictures[:count]


def cuts_of_the_whole(pictures, config):
    """Decide every cut at the end, with all changes at hand: what the detector must say while it goes on."""
    from scenedetect.common import FrameTimecode

    detector = SceneDetectDetector(config)._new_detector()
    window, reach = config.window_frames, config.wide_window_frames
    hsv = [cv2.cvtColor(np.ascontiguousarray(p[..., ::-1]), cv2.COLOR_BGR2HSV) for p in pictures]

    def change(a, b):
        return float(cv2.absdiff(hsv[a], hsv[b]).mean())

    changes = [0.0, *(change(k - 1, k) for k in range(1, len(hsv)))]
    cuts = []
    for position, picture in enumerate(pictures):
        if not detector.process_frame(FrameTimecode(position, fps=1.0), np.ascontiguousarray(picture[..., ::-1])):
            continue
        cut = position - window
        around = range(max(position - 2 * window - 1, 0), position + 1)
        pairs = product([k for k in around if k < cut], [k for k in around if k >= cut])
        if not all(change(a, b) >= config.min_change for a, b in pairs):
            continue
        start = max(min(cut - reach, len(changes) - 1 - 2 * reach), 1)
        others = changes[start:cut] + changes[cut + 1 : start + 2 * reach + 1]
        motion = sorted(others, reverse=True)[2] if len(others) > 2 else 0.0
        if changes[cut] >= config.min_wide_ratio * motion:
            cuts.append(cut)
    return cuts


@pytest.mark.parametrize("count", [4, 9, 21, 22, 23, 90])
def test_cuts_told_on_the_way_are_those_told_at_the_end(count):
    config = SceneDetectConfig()
    found = 0
    for seed in range(12):
        pictures = rooms(seed, count)
        cuts = SceneDetectDetector(config).detect_cuts(as_frames(pictures))
        assert cuts == cuts_of_the_whole(pictures, config), f"seed {seed}"
        found += len(cuts)
    assert found > 0 or count < 6


@pytest.mark.parametrize("name", sorted(SHOT_DETECTORS))
def test_frames_come_out_in_order_and_few_are_held(name):
    detector = (
        SceneDetectDetector(SceneDetectConfig())
        if name == "scenedetect"
        else SyntheticShotDetector(SyntheticShotsConfig())
    )
    assert isinstance(detector, LiveShotDetector)
    read, out = [], []

    def source():
        for frame in as_frames(rooms(3, 120)):
            read.append(frame.frame_index)
            assert len(read) - len(out) <= 23
            yield frame

    for frame, _ in detector.mark_cuts(source()):
        out.append(frame.frame_index)
    assert out == list(range(120))


class FirstPixelTracker:
    """Follows whoever is in the picture; the box tells which frame was seen, and how it looked."""

    weights_digest = "0"

    def track(self, frames):
        for frame in frames:
            box = (0.0, 0.0, 10.0 + frame.frame_index, 10.0 + float(frame.image_rgb.mean()))
            person = Sighting(person_number=0, box_xyxy=box, score=0.5)
            yield FramePeople(frame_index=frame.frame_index, people=(person,))


def two_passes(pictures, times, *, detector, tracker):
    pictures = list(pictures)
    shots = list(
        detect_shots([times], frames_of=lambda _: as_frames(pictures), detector=detector, config=ShotsConfig())
    )

    def frames_of(shot):
        return as_frames(pictures[shot.first_frame : shot.end_frame], first_frame=shot.first_frame)

    return shots, list(track_people(shots, frames_of=frames_of, tracker=tracker, config=TracksConfig()))


def one_pass(pictures, times, *, detector, tracker):
    found = list(
        detect_shots_and_track_people(
            times,
            frames=as_frames(pictures),
            detector=detector,
            tracker=tracker,
            shots_config=ShotsConfig(),
            tracks_config=TracksConfig(),
        )
    )
    return [f for f in found if isinstance(f, Shot)], [f for f in found if not isinstance(f, Shot)]


def assert_same(first, second):
    assert first[0] == second[0]
    assert [type(f) for f in first[1]] == [type(f) for f in second[1]]
    for one, other in zip(first[1], second[1], strict=True):
        if isinstance(one, Dropped):
            assert one == other
            continue
        assert (one.track_number, one.shot_number) == (other.track_number, other.shot_number)
        for name in ("frame_indices", "times_ns", "boxes_xyxy", "scores"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_painted_people_are_followed_as_in_two_passes():
    """Shots of several lengths, one with nobody, one too short to be one, one with somebody for a moment."""
    pictures = []
    for background, count, people in ((0, 12, (0,)), (1, 9, ()), (2, 15, (1, 2)), (3, 1, (0,)), (1, 11, (3,))):
        pictures += [paint([PaintedPerson(color=c) for c in people], background=background)] * count
    pictures[40] = paint([PaintedPerson(color=2), PaintedPerson(color=3, box_xyxy=(10, 40, 90, 230))], background=1)
    detector, tracker = (
        SyntheticShotDetector(SyntheticShotsConfig()),
        SyntheticTracker(SyntheticTrackerConfig()),
    )
    times = tenths(len(pictures))
    joint = one_pass(pictures, times, detector=detector, tracker=tracker)
    assert_same(joint, two_passes(pictures, times, detector=detector, tracker=tracker))
    assert [s.first_frame for s in joint[0]] == [0, 12, 21, 36]
    assert any(isinstance(f, Dropped) for f in joint[1])
    assert any(isinstance(f, Track) for f in joint[1])


@pytest.mark.parametrize("seed", [0, 9, 12])
def test_any_film_is_cut_and_followed_as_in_two_passes(seed):
    pictures, times = rooms(seed, 80), tenths(80)
    detector, tracker = SceneDetectDetector(SceneDetectConfig()), FirstPixelTracker()
    joint = one_pass(pictures, times, detector=detector, tracker=tracker)
    assert_same(joint, two_passes(pictures, times, detector=detector, tracker=tracker))
    assert len(joint[0]) > 1


def test_real_players_joined_end_to_end_are_cut_and_followed_as_in_two_passes(shared_media):
    pictures = []
    for name in ("imigue_folding-arms", "imigue_scratching-neck", "intel_asl_no", "ma52_B1_nodding_0019_02_0078"):
        (path,) = (shared_media / "videos").glob(f"{name}.*")
        times, _ = read_frame_times(path, video_id=VideoId("v1"), sha256="0" * 64)
        pictures += [f.image_rgb[:180, :240] for f in decode_frames(path, times, end_frame=25, max_side_px=400)]
    times = tenths(len(pictures))
    detector, tracker = SceneDetectDetector(SceneDetectConfig()), FirstPixelTracker()
    joint = one_pass(pictures, times, detector=detector, tracker=tracker)
    assert_same(joint, two_passes(pictures, times, detector=detector, tracker=tracker))
    assert [s.first_frame for s in joint[0]] == [0, 25, 50, 75]


def test_frames_that_nobody_takes_do_not_slip_into_the_next_shot():
    pictures = [paint([], background=k // 10) for k in range(40)]
    taken = []
    for shot in split_into_shots(
        as_frames(pictures),
        times=tenths(40),
        detector=SyntheticShotDetector(SyntheticShotsConfig()),
        config=ShotsConfig(),
    ):
        taken.append((shot.shot_number, shot.first_frame, [next(shot.frames).frame_index for _ in range(3)]))
    assert taken == [(k, 10 * k, [10 * k, 10 * k + 1, 10 * k + 2]) for k in range(4)]


def test_a_tracker_that_gives_up_on_a_shot_loses_that_shot_only():
    class Choosy(FirstPixelTracker):
        def track(self, frames):
            for frame in super().track(frames):
                if frame.frame_index == 12:
                    raise ItemError(DropReason.UNREADABLE, "not this one")
                yield frame

    pictures = [paint([], background=k // 10) for k in range(30)]
    detector = SyntheticShotDetector(SyntheticShotsConfig())
    joint = one_pass(pictures, tenths(30), detector=detector, tracker=Choosy())
    assert_same(joint, two_passes(pictures, tenths(30), detector=detector, tracker=Choosy()))
    assert [type(f) for f in joint[1]] == [Track, Dropped, Track]
    assert joint[1][2].frame_indices[0] == 20


@pytest.mark.parametrize("good", [0, 3, 27])
def test_a_file_that_breaks_off_is_dropped_as_a_whole_by_the_first_of_the_two_stages(good):
    def broken():
        yield from as_frames([paint([PaintedPerson()], background=k // 10) for k in range(good)])
        raise ItemError(DropReason.UNREADABLE, "frame is not there any more")

    (dropped,) = detect_shots_and_track_people(
        tenths(40),
        frames=broken(),
        detector=SyntheticShotDetector(SyntheticShotsConfig()),
        tracker=SyntheticTracker(SyntheticTrackerConfig()),
        shots_config=ShotsConfig(),
        tracks_config=TracksConfig(),
    )
    assert (dropped.stage, dropped.item_id, dropped.reason) == ("shots", "v1", DropReason.UNREADABLE)


def test_few_pictures_are_alive_at_any_time():
    import weakref

    alive: set[int] = set()
    most = 0

    def source():
        nonlocal most
        for k, image in enumerate(rooms(5, 150)):
            frame = VideoFrame(frame_index=k, time_ns=k * TENTH_NS, image_rgb=image.copy())
            alive.add(k)
            weakref.finalize(frame.image_rgb, alive.discard, k)
            most = max(most, len(alive))
            yield frame
            del frame

    list(
        detect_shots_and_track_people(
            tenths(150),
            frames=source(),
            detector=SceneDetectDetector(SceneDetectConfig()),
            tracker=FirstPixelTracker(),
            shots_config=ShotsConfig(),
            tracks_config=TracksConfig(),
        )
    )
    assert most <= 30
