"""How well people are shown: each number tells what a person would see in the picture."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from media.frames import VideoFrame
from perception.faces import FoundFace, NoFaceFinder, NoFacesConfig
from perception.insets import InnerFrames
from perception.pictures import grey_of, torso_colors
from perception.quality import QualityConfig, SamplingConfig, frames_to_sample, measure_quality, poor_quality
from perception.visibility import measure_visibility, too_few_hands
from schema.errors import ConfigError, DropReason
from schema.people_rows import quality_from_rows, quality_to_rows, visibilities_from_rows, visibilities_to_rows
from schema.records import PART_SLICES, Part, Shot, Track, VideoId
from schema.timespan import TimeSpan
from tests.factories import make_keypoints

WIDTH, HEIGHT, TENTH_NS = 640, 360, 100_000_000
BOX = (200, 60, 400, 360)
RNG = np.random.default_rng(4)
WALL = cv2.GaussianBlur(RNG.integers(60, 200, (HEIGHT, WIDTH, 3), dtype=np.uint8), (0, 0), 12)
CLOTH = RNG.integers(0, 255, (300, 200, 3), dtype=np.uint8) // 3 + np.array([120, 10, 10], np.uint8)


class Everywhere:
    """Finds a face in the upper part of every box, turned as far as it is told."""

    config_type = NoFacesConfig
    weights_digest = "everywhere"

    def __init__(self, turn):
        self.turn = turn

    def find_faces(self, image_rgb, within):
        return [FoundFace(center_xy=((within[0] + within[2]) / 2, within[1] + 40), score=0.9, turn=self.turn)]


def picture(*, shift=0, cloth=CLOTH, box=BOX, wall=WALL):
    image = wall.copy()
    x1, y1, x2, y2 = (box[0] + shift, box[1], box[2] + shift, box[3])
    image[y1:y2, x1:x2] = cv2.resize(cloth, (x2 - x1, y2 - y1), interpolation=cv2.INTER_AREA)
    return image


def track(number=0, *, box=BOX, frames=50):
    indices = np.arange(frames, dtype=np.int32)
    return Track(
        video_id=VideoId("v1"),
        track_number=number,
        shot_number=0,
        frame_indices=indices,
        times_ns=indices.astype(np.int64) * TENTH_NS,
        boxes_xyxy=np.tile(np.array(box, dtype=np.float32), (frames, 1)),
        scores=np.ones(frames, dtype=np.float32),
    )


def shot(frames=50):
    span = TimeSpan(start_ns=0, end_ns=frames * TENTH_NS)
    return Shot(video_id=VideoId("v1"), shot_number=0, first_frame=0, end_frame=frames, span=span)


def measured(image_of, *tracks, faces=None, frames=50):
    """Measure tracks of pictures that a function paints, by frame; the whole shot comes under None."""
    tracks = tracks or (track(),)
    config = SamplingConfig()
    wanted = sorted(frames_to_sample(tracks, [shot(frames)], config))
    pictures = (VideoFrame(frame_index=k, time_ns=k * TENTH_NS, image_rgb=image_of(k)) for k in wanted)
    finder = faces or NoFaceFinder(NoFacesConfig())
    found = measure_quality(tracks, [shot(frames)], frames=pictures, faces=finder, config=config)
    return {quality.track_number: quality for quality in found}


def swaying(k):
    return picture(shift=k % 5)


def test_a_second_has_one_sample_and_a_short_track_eight():
    config = SamplingConfig()
    assert len(frames_to_sample([track(frames=400)], [], config)) == 41
    assert len(frames_to_sample([track(frames=20)], [], config)) == 8
    assert len(frames_to_sample([track(frames=5)], [], config)) == 5
    assert {0, 399} <= frames_to_sample([track(frames=400)], [], config)


def test_a_person_well_shown():
    quality = measured(swaying)[0]
    assert (quality.sample_count, quality.height_px) == (8, 300)
    assert quality.height_share == pytest.approx(300 / 360)
    assert quality.sharpness > 0.6
    assert (quality.frozen_share, quality.hidden_share, quality.cut_share, quality.inset_share) == (0, 0, 0, 0)
    assert poor_quality(quality, QualityConfig()) is None


def test_blur_and_lost_detail_are_less_sharp():
    def blurred(sigma):
        pictures = [cv2.GaussianBlur(swaying(k), (0, 0), sigma) for k in range(5)]
        return measured(lambda k: pictures[k % 5])[0].sharpness

    sharp = measured(swaying)[0].sharpness
    assert sharp > blurred(4) + 0.05 > blurred(12) + 0.2
    assert blurred(12) < 0.5


def test_the_same_person_is_as_sharp_in_a_larger_picture_and_in_less_light():
    sharp = measured(swaying)[0].sharpness
    double = measured(
        lambda k: cv2.resize(swaying(k), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC),
        track(box=tuple(2 * v for v in BOX)),
    )[0]
    dark = measured(lambda k: swaying(k) // 3)[0]
    assert double.sharpness == pytest.approx(sharp, abs=0.05)
    assert dark.sharpness == pytest.approx(sharp, abs=0.05)
    assert dark.brightness < 0.4 * measured(swaying)[0].brightness


def test_a_poster_is_frozen_though_the_film_has_noise_and_others_move():
    poster = track(1, box=(20, 20, 140, 220))
    noise = np.random.default_rng(1)

    def film(k):
        image = picture(box=(20, 20, 140, 220), wall=swaying(k))
        return np.clip(image + noise.normal(0, 1.5, image.shape), 0, 255).astype(np.uint8)

    found = measured(film, track(0), poster)
    assert found[1].frozen_share == 1.0
    assert found[0].frozen_share == 0.0
    assert found[None].frozen_share == 0.0


def test_a_film_that_stands_still_is_frozen_as_a_whole():
    found = measured(lambda _: picture())
    assert (found[0].frozen_share, found[None].frozen_share) == (1.0, 1.0)
    assert poor_quality(found[0], QualityConfig()) is None
    assert "does not change in 100%" in poor_quality(found[0], QualityConfig(max_frozen_share=0.95))


def test_who_stands_in_front_hides_and_who_stands_behind_does_not():
    front = track(1, box=(300, 100, 500, 360))
    behind = track(2, box=(200, 40, 400, 200))
    found = measured(swaying, track(0, box=(200, 60, 400, 320)), front, behind)
    assert found[0].hidden_share == pytest.approx((100 * 220) / (200 * 260), abs=0.01)
    assert found[1].hidden_share == 0
    assert found[2].hidden_share > 0.8


def test_the_pictures_sides_cut_and_its_lower_edge_does_not():
    found = measured(swaying, track(0), track(1, box=(0, 60, 100, 300)), track(2, box=(500, 0, 600, 300)))
    assert [found[n].cut_share for n in (0, 1, 2)] == [0, 1, 1]


def test_light_that_is_lost_is_counted():
    white = measured(lambda k: np.full((HEIGHT, WIDTH, 3), 255, np.uint8))[0]
    assert (white.clipped_share, white.brightness) == (1.0, 1.0)
    assert "black or white in 100%" in poor_quality(white, QualityConfig())


@pytest.mark.parametrize(("turn", "share"), [(0.1, 1.0), (0.9, 0.0)])
def test_a_face_counts_where_it_looks_at_the_camera(turn, share):
    assert measured(swaying, faces=Everywhere(turn))[0].facing_share == share


def test_without_a_face_finder_nothing_is_said_of_faces():
    assert measured(swaying)[0].facing_share is None


def test_clothes_are_known_again_and_told_from_others():
    red, darker = torso_colors(picture(), BOX), torso_colors(picture() // 4 * 3, BOX)
    blue = torso_colors(picture(cloth=np.ascontiguousarray(CLOTH[:, :, ::-1])), BOX)
    assert np.sqrt(red * darker).sum() > 0.5
    assert np.sqrt(red * blue).sum() < 0.1
    assert torso_colors(picture(), (200, 60, 210, 75)) is None


def inner_frames(image):
    frames = InnerFrames()
    frames.look(grey_of(image))
    return frames.found()


def test_a_split_screen_has_two_inner_frames():
    split = np.hstack([swaying(0)[:, 160:480], np.ascontiguousarray(swaying(1)[:, 480:159:-1, ::-1] // 2)])
    boxes = sorted((round(f[0], -1), round(f[2], -1)) for f in inner_frames(split))
    assert {(0, 320), (320, 640)} <= set(boxes)


def test_a_picture_in_the_picture_is_found_and_who_is_in_it():
    def film(k):
        image = swaying(k)
        image[20:140, 430:610] = cv2.resize(swaying(k + 3)[::-1] // 2 + 100, (180, 120))
        return image

    found = measured(film, track(0), track(1, box=(480, 30, 560, 138)))
    assert [found[n].inset_share for n in (None, 0, 1)] == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("bars", [np.s_[:, :90], np.s_[:40]])
def test_black_bars_are_no_inner_frame(bars):
    image = swaying(0)
    image[bars] = 0
    image[tuple(slice(None, None, -1) for _ in range(2))][bars] = 0
    assert inner_frames(image) == []


def test_measurements_survive_the_table():
    found = list(measured(swaying, faces=Everywhere(0.0)).values())
    back = quality_from_rows(quality_to_rows(found))
    for before, after in zip(found, back, strict=True):
        if before.colors is None:
            assert after.colors is None
        else:
            assert np.array_equal(before.colors, after.colors)
        assert replace(after, colors=None).track_number == before.track_number
        assert after.sharpness == pytest.approx(before.sharpness)


def test_limits_are_shares():
    with pytest.raises(ConfigError, match=r"quality\.max_hidden_share: a share from 0 to 1"):
        QualityConfig(max_hidden_share=80)


def test_visibility_counts_each_part_and_too_few_hands_are_told():
    sequence = make_keypoints(frame_count=10, unseen=(Part.LEFT_HAND, Part.FEET))
    right = sequence.parts_seen.copy()
    points, scores = sequence.keypoints_xy.copy(), sequence.scores.copy()
    right[:3, Part.RIGHT_HAND] = False
    points[:3, PART_SLICES[Part.RIGHT_HAND]], scores[:3, PART_SLICES[Part.RIGHT_HAND]] = np.nan, 0
    one = measure_visibility(replace(sequence, parts_seen=right, keypoints_xy=points, scores=scores))
    assert one.part_shares == pytest.approx((1.0, 0.0, 1.0, 0.0, 0.7))
    assert (one.hands_share, one.both_hands_share) == pytest.approx((0.7, 0.0))
    back = visibilities_from_rows(visibilities_to_rows([one]))[0]
    assert back.part_shares == pytest.approx(one.part_shares)
    rare = replace(one, hands_share=0.2)
    lost = too_few_hands(rare, min_hands_share=0.5)
    assert lost is not None
    assert lost.reason is DropReason.POOR_QUALITY
    assert "a hand is seen in 20% of frames, 50% are needed" in lost.detail
    assert too_few_hands(rare, min_hands_share=0.0) is None
