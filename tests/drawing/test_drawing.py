"""What a user would miss in a drawing: points that are not seen, pixels that must not leak, sizes."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from drawing.blurs import blur_ellipses
from drawing.clips import BAR_PX, CURVE_PX, SpeedCurve, clip_images
from drawing.colours import INSIDE, LEFT_HAND, LEFT_LIMB, OUTSIDE, RAIL, RIGHT_HAND, RIGHT_LIMB
from drawing.people import Background, people_by_frame
from drawing.sheets import Moment, contact_sheet
from drawing.skeletons import draw_skeleton
from drawing.texts import put_label, put_text, shortened, text_size_px, time_text
from drawing.views import View, person_crop
from media.frames import VideoFrame
from schema.records import KeypointSequence, Track, VideoId
from schema.skeleton import LIMBS
from schema.timespan import TimeSpan

SECOND = 1_000_000_000
Picture = npt.NDArray[np.uint8]


def person(
    width: int = 200, height: int = 200, seed: int = 0
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    points = np.random.default_rng(seed).uniform(0.2, 0.8, (133, 2)) * (width, height)
    return points.astype(np.float32), np.full(133, 0.9, dtype=np.float32)


def frames(count: int, width: int, height: int, seed: int = 0) -> list[VideoFrame]:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return [VideoFrame(frame_index=i, time_ns=i * SECOND // 10, image_rgb=pixels[i]) for i in range(count)]


def sequence(count: int, width: int, height: int) -> KeypointSequence:
    points, scores = person(width, height)
    return KeypointSequence(
        video_id=VideoId("v1"),
        track_number=0,
        frame_indices=np.arange(count, dtype=np.int32),
        times_ns=np.arange(count, dtype=np.int64) * (SECOND // 10),
        keypoints_xy=np.repeat(points[None], count, axis=0),
        scores=np.repeat(scores[None], count, axis=0),
        parts_seen=np.ones((count, 5), dtype=np.bool_),
        interpolated=np.zeros(count, dtype=np.bool_),
    )


def drawn(points: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], size: int = 200) -> Picture:
    canvas = np.zeros((size, size, 3), dtype=np.uint8)
    draw_skeleton(canvas, points, scores)
    return canvas


def test_an_unseen_person_draws_nothing() -> None:
    points, scores = person()
    assert drawn(points, scores).any()
    assert not drawn(np.full_like(points, np.nan), np.zeros_like(scores)).any()
    assert not drawn(points, np.zeros_like(scores)).any()
    assert not drawn(np.full_like(points, np.nan), scores).any()


@settings(max_examples=40, deadline=None)
@given(seen=hnp.arrays(np.bool_, 133))
def test_an_unseen_point_changes_no_pixel_wherever_it_is(seen: npt.NDArray[np.bool_]) -> None:
    points, scores = person()
    scores[~seen] = 0
    elsewhere = points.copy()
    elsewhere[~seen] = (5.0, 5.0)
    nowhere = points.copy()
    nowhere[~seen] = np.nan

    assert np.array_equal(drawn(points, scores), drawn(elsewhere, scores))
    assert np.array_equal(drawn(points, scores), drawn(nowhere, scores))
    if not any(seen[list(limb)].all() for limb in LIMBS):
        assert not drawn(points, scores).any()


def test_left_and_right_are_told_apart() -> None:
    for points_seen, colour in (
        ((5, 7, 9), LEFT_LIMB),
        ((6, 8, 10), RIGHT_LIMB),
        (range(91, 112), LEFT_HAND),
        (range(112, 133), RIGHT_HAND),
    ):
        points, scores = person(seed=3)
        scores[[k for k in range(133) if k not in points_seen]] = 0
        canvas = drawn(points, scores)
        brightest = canvas.reshape(-1, 3)[canvas.reshape(-1, 3).sum(axis=1).argmax()]
        assert brightest.tolist() == pytest.approx(colour, abs=4)


def test_points_outside_the_canvas_are_cut_off_and_wrong_shapes_are_refused() -> None:
    points, scores = person()
    assert drawn(points * 4 - 400, scores).any()
    assert not drawn(points + 5000, scores).any()
    with pytest.raises(ValueError, match="133"):
        drawn(points[:17], scores[:17])


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(20, 90),
    height=st.integers(20, 90),
    seeds=st.tuples(st.integers(0, 9), st.integers(10, 19)),
)
def test_on_black_no_pixel_of_the_picture_leaks_and_sizes_are_even(
    width: int, height: int, seeds: tuple[int, int]
) -> None:
    both = []
    for seed in seeds:
        films, points = frames(2, width, height, seed), sequence(2, width, height)
        people = people_by_frame([], [points])
        crop = person_crop(np.array([[2, 3, width - 4, height - 5]], dtype=np.float32), width=width, height=height)
        span = TimeSpan(start_ns=0, end_ns=SECOND)
        clip = clip_images(
            films,
            sequence=points,
            crop_xyxy=crop,
            clip_span=span,
            asked_span=span,
            background=Background.BLACK,
            size_px=60,
        )
        sheet = contact_sheet(
            [Moment(frame=frame, people=tuple(people[frame.frame_index])) for frame in films],
            background=Background.BLACK,
            width_px=200,
        )
        both.append([*clip, sheet])
    for first, second in zip(*both, strict=True):
        assert np.array_equal(first, second)
    for picture in both[0][:-1]:
        assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0


def test_the_bar_lights_up_within_the_span_that_is_asked_about() -> None:
    films = frames(10, 100, 100)
    pictures = list(
        clip_images(
            films,
            sequence=None,
            crop_xyxy=(0, 0, 100, 100),
            clip_span=TimeSpan(start_ns=0, end_ns=SECOND),
            asked_span=TimeSpan(start_ns=3 * SECOND // 10, end_ns=6 * SECOND // 10),
            background=Background.PICTURE,
            size_px=100,
        )
    )
    starts = [tuple(picture[-BAR_PX, 0].tolist()) for picture in pictures[1:]]
    assert starts == [INSIDE if 3 <= i < 6 else OUTSIDE for i in range(1, 10)]
    assert np.array_equal(pictures[0][:-BAR_PX], films[0].image_rgb)


def test_the_curve_is_high_where_the_part_is_fast_and_green_where_it_is_asked_about() -> None:
    times_ns = np.arange(100, dtype=np.int64) * SECOND // 100
    speed = np.where((times_ns >= SECOND // 2) & (times_ns < 3 * SECOND // 4), 4.0, 0.0)
    (picture, *_) = clip_images(
        frames(10, 100, 100),
        sequence=None,
        crop_xyxy=(0, 0, 100, 100),
        clip_span=TimeSpan(start_ns=0, end_ns=SECOND),
        asked_span=TimeSpan(start_ns=3 * SECOND // 10, end_ns=6 * SECOND // 10),
        background=Background.BLACK,
        size_px=100,
        curve=SpeedCurve(name="hands", times_ns=times_ns, head_widths_per_second=speed),
    )
    curve = picture[-BAR_PX - CURVE_PX : -BAR_PX].astype(int)
    high = (curve[8:].max(axis=2) > 100).mean(axis=0)
    assert high[52:73].min() > 0.8
    assert high[[10, 20, 40, 90]].max() < 0.2
    greener = curve[..., 1] - curve[..., [0, 2]].max(axis=2)
    assert greener[-4, 32:58].min() > 10
    assert greener[-4, 62:95].max() <= 10


def test_a_bar_without_a_question_marks_nothing() -> None:
    pictures = clip_images(
        frames(10, 100, 100),
        sequence=None,
        crop_xyxy=(0, 0, 100, 100),
        clip_span=TimeSpan(start_ns=0, end_ns=SECOND),
        asked_span=None,
        background=Background.BLACK,
        size_px=100,
    )
    colours = {tuple(colour) for picture in pictures for colour in picture[-BAR_PX].tolist()}
    assert colours == {OUTSIDE, RAIL}


@settings(max_examples=50, deadline=None)
@given(
    ellipse=st.tuples(st.floats(-40, 140), st.floats(-40, 140), st.floats(0, 60), st.floats(0, 60)),
    seed=st.integers(0, 9),
)
def test_a_blurred_face_keeps_no_detail_and_nothing_else_changes(
    ellipse: tuple[float, float, float, float], seed: int
) -> None:
    picture = frames(1, 100, 90, seed)[0].image_rgb
    before = picture.copy()
    blurred = blur_ellipses(picture, np.array([ellipse]))
    assert np.array_equal(picture, before)
    x, y, reach_x, reach_y = ellipse
    across, down = (np.arange(100) - x) / max(reach_x, 1), (np.arange(90) - y) / max(reach_y, 1)
    inside = across[None, :] ** 2 + down[:, None] ** 2 <= 1
    assert np.array_equal(blurred[~inside], before[~inside])
    if inside.sum() > 2000:
        steps = np.abs(np.diff(blurred.astype(int), axis=1))[inside[:, :-1] & inside[:, 1:]]
        assert steps.mean() < 8, "noise of 85 grey levels a step is gone"


def test_a_small_person_is_enlarged_and_stays_in_place_in_the_crop() -> None:
    boxes = np.array([[10, 10, 30, 50], [14, 12, 34, 52]], dtype=np.float32)
    crop = person_crop(boxes, width=100, height=60)
    assert max(crop[0], crop[1]) <= 10
    assert (crop[2] >= 34, crop[3] >= 52) == (True, True)
    view = View.fitting(crop, max_width=800, max_height=480)
    assert view.height == 480
    corner = view.points(np.array([[crop[0], crop[1]], [crop[2], crop[3]]], dtype=np.float32))
    np.testing.assert_allclose(corner, [[0, 0], [view.width, view.height]], atol=1e-3)
    for wrong in (np.zeros((0, 4), dtype=np.float32), boxes + 1000):
        with pytest.raises(ValueError, match="box"):
            person_crop(wrong, width=100, height=60)


def test_people_are_joined_by_track_and_frame() -> None:
    points = sequence(2, 100, 100)
    track = Track(
        video_id=VideoId("v1"),
        track_number=0,
        shot_number=0,
        frame_indices=np.array([1, 2], dtype=np.int32),
        times_ns=np.array([1, 2], dtype=np.int64),
        boxes_xyxy=np.ones((2, 4), dtype=np.float32),
        scores=np.ones(2, dtype=np.float32),
    )
    people = people_by_frame([track], [points])
    seen = {i: [(p.box_xyxy is not None, p.keypoints_xy is not None) for p in group] for i, group in people.items()}
    assert seen == {0: [(False, True)], 1: [(True, True)], 2: [(True, False)]}


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 12])
def test_a_sheet_has_the_width_asked_for_and_a_tile_for_each_moment(count: int) -> None:
    moments = [Moment(frame=frame, people=(), label="touches neck") for frame in frames(count, 64, 36)]
    sheet = contact_sheet(moments, background=Background.PICTURE, title="A title that is much too long " * 20)
    assert sheet.shape[1] == 1600
    spread = sheet.std(axis=2).max(axis=1) > 20
    assert spread.any()
    with pytest.raises(ValueError, match="moment"):
        contact_sheet([], background=Background.BLACK)


def test_text_is_cut_to_fit_and_at_the_rim() -> None:
    assert text_size_px(shortened("a very long class name", 16, 80), 16)[0] <= 80
    assert shortened("short", 16, 80) == "short"
    assert shortened("any", 16, 0) == ""
    canvas = np.zeros((20, 30, 3), dtype=np.uint8)
    for corner in ((-10, -10), (25, 15), (200, 200), (0, 0)):
        put_text(canvas, "text", corner, size_px=16)
        put_label(canvas, "text", corner, size_px=16)
    assert canvas.any()
    assert [time_text(ns) for ns in (0, 62_399_999_999, 599_999_999_999)] == ["0:00.0", "1:02.3", "9:59.9"]
