"""Real players cut hard against each other, and side by side: no track crosses a cut, and nobody is taken for another.

The embedded tracker and ultralytics with real weights, on clips that are encoded and decoded as a study's are.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from media.clips import write_clip
from media.frames import decode_frames, read_frame_times
from perception.backends.loading import load_back_end
from perception.backends.scenedetect import SceneDetectConfig, SceneDetectDetector
from perception.shots import ShotsConfig, detect_shots
from perception.tracks import PERSON_TRACKERS, PersonTracker, TracksConfig, track_people
from schema.records import Dropped, FrameTimes, Shot, Track, VideoId
from tests.painted_detector import needs_ultralytics

pytestmark = pytest.mark.timeout(180)

WEIGHTS = "weights/yolo11n_int8_openvino_model"
PLAYERS = (
    "imigue_folding-arms.mp4",
    "ma52_B1_nodding_0019_02_0078.mp4",
    "imigue_scratching-neck.mp4",
    "pyfeat_WolfgangLanger_Pexels.mp4",
)
FRAMES_EACH = 25
SIZE = (640, 360)


@pytest.fixture(scope="module", params=["mediapipe", pytest.param("ultralytics", marks=needs_ultralytics)])
def tracker(request: pytest.FixtureRequest, shared_media: Path) -> PersonTracker:
    settings = {}
    if request.param == "ultralytics":
        settings["weights"] = str(shared_media / WEIGHTS)
    back_end = load_back_end(PERSON_TRACKERS, request.param, key="back_ends.tracks")
    return back_end(back_end.config_type(**settings))


def pictures(path: Path, *, size: tuple[int, int] = SIZE, count: int = FRAMES_EACH) -> Iterator[npt.NDArray[np.uint8]]:
    """Give the first pictures of a clip, cut to the shape of ``size`` and scaled to it."""
    times, _ = read_frame_times(path, video_id=VideoId("v"), sha256="0" * 64)
    for frame in decode_frames(path, times, end_frame=count):
        height, width = frame.image_rgb.shape[:2]
        scale = max(size[0] / width, size[1] / height)
        scaled = cv2.resize(frame.image_rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        left = (scaled.shape[1] - size[0]) // 2
        yield np.ascontiguousarray(scaled[: size[1], left : left + size[0]])


def followed(path: Path, tracker: PersonTracker) -> tuple[list[Shot], list[Track]]:
    """Cut a file into shots and follow its people."""
    times, _ = read_frame_times(path, video_id=VideoId("v"), sha256="0" * 64)
    shots = shots_of(path, times)
    tracks = track_people(
        shots,
        frames_of=lambda shot: decode_frames(path, times, first_frame=shot.first_frame, end_frame=shot.end_frame),
        tracker=tracker,
        config=TracksConfig(),
    )
    return shots, [track for track in tracks if not isinstance(track, Dropped)]


def shots_of(path: Path, times: FrameTimes) -> list[Shot]:
    detector = SceneDetectDetector(SceneDetectConfig())
    shots = detect_shots(
        [times], frames_of=lambda _: decode_frames(path, times), detector=detector, config=ShotsConfig()
    )
    return [shot for shot in shots if isinstance(shot, Shot)]


def middles_x(track: Track) -> npt.NDArray[np.float32]:
    return (track.boxes_xyxy[:, 0] + track.boxes_xyxy[:, 2]) / 2


def join(parts: Sequence[Iterator[npt.NDArray[np.uint8]]], path: Path) -> Path:
    write_clip(chain.from_iterable(parts), path, frame_rate=10)
    return path


def test_no_track_crosses_a_hard_cut_between_four_players(
    tracker: PersonTracker, shared_media: Path, tmp_path: Path
) -> None:
    parts = [pictures(shared_media / "videos" / name) for name in PLAYERS]
    shots, tracks = followed(join(parts, tmp_path / "cuts.mp4"), tracker)
    assert [shot.first_frame for shot in shots] == [0, 25, 50, 75]
    assert [track.shot_number for track in tracks] == [0, 1, 2, 3]
    for track, shot in zip(tracks, shots, strict=True):
        assert shot.first_frame <= track.frame_indices[0]
        assert track.frame_indices[-1] < shot.end_frame
        assert track.frame_indices.shape[0] >= 0.9 * FRAMES_EACH


def test_two_players_side_by_side_are_two_tracks_that_never_swap(
    tracker: PersonTracker, shared_media: Path, tmp_path: Path
) -> None:
    clips = [shared_media / "videos" / name for name in ("imigue_folding-arms.mp4", "imigue_scratching-neck.mp4")]
    halves = zip(*(pictures(clip, size=(480, 360), count=36) for clip in clips), strict=True)
    path = join([(np.hstack(pair) for pair in halves)], tmp_path / "both.mp4")
    shots, tracks = followed(path, tracker)
    assert len(shots) == 1
    assert len(tracks) == 2
    assert sorted(bool(np.all(middles_x(track) < 480)) for track in tracks) == [False, True]
    assert sorted(bool(np.all(middles_x(track) > 480)) for track in tracks) == [False, True]
    assert all(track.frame_indices.shape[0] >= 34 for track in tracks)
