"""Who is the player among real people: one person's shots are put together, others are told apart, posters are seen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from media.frames import VideoFrame, decode_frames, read_frame_times
from perception.backends.mediapipe.faces import MediapipeFaceFinder, MediapipeFacesConfig
from perception.players import PlayersConfig, choose_players
from perception.quality import QualityConfig, SamplingConfig, frames_to_sample, measure_quality, poor_quality
from schema.matching import Box
from schema.people import Quality, Role, TrackRole
from schema.records import Shot, Track, VideoId
from schema.timespan import TimeSpan

SIZE = (640, 360)
TENTH_NS = 100_000_000
Picture = npt.NDArray[np.uint8]
PLAYER_BOX, SECOND_BOX, YOUNG_MAN_BOX = (
    (205.0, 10.0, 446.0, 360.0),
    (94.0, 0.0, 516.0, 360.0),
    (108.0, 0.0, 640.0, 360.0),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """A run of pictures and the people in them, by box."""

    pictures: Sequence[Picture]
    boxes: tuple[Box, ...]


def pictures_of(path: Path, *, every: int = 1, count: int = 36) -> list[Picture]:
    """Return the first pictures of a clip, 640 x 360."""
    times, _ = read_frame_times(path, video_id=VideoId("v1"), sha256="0" * 64)
    wanted = frozenset(range(0, min(count * every, len(times.times_ns)), every))
    return [
        np.asarray(cv2.resize(frame.image_rgb, SIZE, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        for frame in decode_frames(path, times, only=wanted)
    ]


@pytest.fixture(scope="module")
def folding(shared_media: Path) -> list[Picture]:
    """A seated player who folds the arms."""
    return pictures_of(shared_media / "videos" / "imigue_folding-arms.mp4")


@pytest.fixture(scope="module")
def scratching(shared_media: Path) -> list[Picture]:
    """Another player, larger in the picture."""
    return pictures_of(shared_media / "videos" / "imigue_scratching-neck.mp4")


@pytest.fixture(scope="module")
def young_man(shared_media: Path) -> list[Picture]:
    """Somebody who looks down and aside, close to the camera."""
    return pictures_of(shared_media / "videos" / "pyfeat_WolfgangLanger_Pexels.mp4", every=3)


def judged(scenes: Sequence[Scene], *, expected: int = 1) -> tuple[list[TrackRole], list[Quality]]:
    """Measure and choose; tracks are numbered scene after scene, in the order of the boxes."""
    shots, tracks, pictures = [], [], []
    for number, scene in enumerate(scenes):
        first, end = len(pictures), len(pictures) + len(scene.pictures)
        span = TimeSpan(start_ns=first * TENTH_NS, end_ns=end * TENTH_NS)
        shots.append(Shot(video_id=VideoId("v1"), shot_number=number, first_frame=first, end_frame=end, span=span))
        tracks += [_track(len(tracks) + k, number, first, end, box) for k, box in enumerate(scene.boxes)]
        pictures += scene.pictures
    config = SamplingConfig()
    wanted = sorted(frames_to_sample(tracks, shots, config))
    frames: Iterator[VideoFrame] = (
        VideoFrame(frame_index=k, time_ns=k * TENTH_NS, image_rgb=pictures[k]) for k in wanted
    )
    faces = MediapipeFaceFinder(MediapipeFacesConfig())
    found = list(measure_quality(tracks, shots, frames=frames, faces=faces, config=config))
    roles = choose_players(tracks, qualities=found, size=SIZE, expected=expected, config=PlayersConfig())
    return roles, [quality for quality in found if quality.track_number is not None]


def _track(number: int, shot: int, first: int, end: int, box: Box) -> Track:
    indices = np.arange(first, end, dtype=np.int32)
    return Track(
        video_id=VideoId("v1"),
        track_number=number,
        shot_number=shot,
        frame_indices=indices,
        times_ns=indices.astype(np.int64) * TENTH_NS,
        boxes_xyxy=np.tile(np.array(box, dtype=np.float32), (len(indices), 1)),
        scores=np.ones(len(indices), dtype=np.float32),
    )


def test_a_players_shots_are_put_together_over_a_cutaway_to_somebody_else(
    folding: list[Picture], young_man: list[Picture]
) -> None:
    scenes = [
        Scene(folding, (PLAYER_BOX,)),
        Scene(young_man[:7], (YOUNG_MAN_BOX,)),
        Scene(folding[::-1], (PLAYER_BOX,)),
    ]
    roles, qualities = judged(scenes)
    assert [role.person_number for role in roles] == [0, 1, 0]
    assert [role.role for role in roles] == [Role.PLAYER, Role.OTHER, Role.PLAYER]
    assert qualities[0].facing_share is not None
    assert qualities[0].facing_share > 0.7
    assert [poor_quality(quality, QualityConfig()) for quality in qualities] == [None] * 3


def test_four_people_in_four_shots_are_four_people(
    folding: list[Picture], scratching: list[Picture], young_man: list[Picture], shared_media: Path
) -> None:
    seated = pictures_of(shared_media / "videos" / "ma52_B1_nodding_0019_02_0078.mp4")
    scenes = [
        Scene(folding, (PLAYER_BOX,)),
        Scene(scratching, (SECOND_BOX,)),
        Scene(young_man, (YOUNG_MAN_BOX,)),
        Scene(seated, ((214.0, 73.0, 422.0, 339.0),)),
    ]
    roles, _ = judged(scenes)
    assert {role.person_number for role in roles} == {0, 1, 2, 3}
    assert {role.role for role in roles} == {Role.UNDECIDED}


def test_two_players_side_by_side_are_in_inner_frames_and_asked_about_unless_two_are_expected(
    folding: list[Picture], scratching: list[Picture]
) -> None:
    pictures = [
        np.ascontiguousarray(np.hstack([a[:, 160:480], b[:, 150:470]]))
        for a, b in zip(folding, scratching, strict=False)
    ]
    scenes = [Scene(pictures, ((45.0, 10.0, 286.0, 360.0), (322.0, 0.0, 640.0, 360.0)))]
    roles, qualities = judged(scenes)
    assert [role.role for role in roles] == [Role.UNDECIDED, Role.UNDECIDED]
    assert [quality.inset_share for quality in qualities] == [1.0, 1.0]
    roles, _ = judged(scenes, expected=2)
    assert [role.role for role in roles] == [Role.PLAYER, Role.PLAYER]


def test_a_poster_on_the_wall_is_somebody_else(folding: list[Picture], scratching: list[Picture]) -> None:
    poster = cv2.resize(scratching[5][:, 90:520], (170, 240), interpolation=cv2.INTER_AREA)
    pictures = [picture.copy() for picture in folding]
    for picture in pictures:
        picture[30:270, 10:180] = poster
    roles, qualities = judged([Scene(pictures, (PLAYER_BOX, (12.0, 30.0, 178.0, 268.0)))])
    assert [role.role for role in roles] == [Role.PLAYER, Role.OTHER]
    assert "does not change" in roles[1].reason
    assert (qualities[0].frozen_share, qualities[1].frozen_share) == (0.0, 1.0)
