"""Neutral faces: everybody gets the same head, its movement stays, and nothing is invented."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releases.privacy.faces import DEVIATION_STEP, HEAD_POINTS, REDRAWN, SHOULDERS_PER_HEAD_WIDTH, neutral_faces
from releases.tables.columns import FACE_POINTS_KEPT
from schema.arrow import KEYPOINTS
from schema.keypoint_columns import keypoint_arrays
from schema.records import Part
from schema.rows import WIDE_KEYPOINTS_SCHEMA, keypoints_to_rows
from tests.factories import make_keypoints

Floats = npt.NDArray[np.float64]

FACE = range(23, 91)
UNTOUCHED = [k for k in range(133) if k not in FACE and k not in HEAD_POINTS]
NOSE, LEFT_EYE, RIGHT_EYE, LEFT_EAR, RIGHT_EAR = HEAD_POINTS
CHIN, _, _, NOSE_TIP, MOUTH_RIGHT, LIP_TOP, MOUTH_LEFT, LIP_BOTTOM = FACE_POINTS_KEPT
HEAD_PX = 80.0


def head_of(person: int) -> Floats:
    """Points of a person's own head, head widths from the middle of the eyes, shape ``(73, 3)``: x, y and depth."""
    random = np.random.default_rng(person)
    face = random.uniform((-0.5, -0.2, -0.4), (0.5, 0.85, 0.1), (68, 3))
    known = {8: (0, 0.85, 0.1), 0: (-0.5, -0.05, -0.4), 16: (0.5, -0.05, -0.4), 30: (0, 0.25, 0.3), 27: (0, -0.05, 0.1)}
    known |= {19: (-0.3, -0.2, 0.1), 24: (0.3, -0.2, 0.1), 36: (-0.35, 0, 0), 45: (0.35, 0, 0)}
    known |= {39: (-0.15, 0, 0), 42: (0.15, 0, 0)}
    known |= {48: (-0.2, 0.45, 0.15), 51: (0, 0.4, 0.2), 54: (0.2, 0.45, 0.15), 57: (0, 0.6, 0.2)}
    for number, place in known.items():
        face[number] = place
    body = np.array([(0, 0.25, 0.3), (0.25, 0, 0), (-0.25, 0, 0), (0.45, 0.1, -0.5), (-0.45, 0.1, -0.5)])
    head = np.concatenate([body, face])
    head[:, :2] += random.normal(0, 0.04, (73, 2))
    return head


def filmed(
    head: Floats,
    *,
    frames: int = 60,
    size_px: float = HEAD_PX,
    turn: Floats | float = 0.0,
    tilt: Floats | float = 0.0,
    moved: dict[int, Floats] | None = None,
    shift: float = 0.0,
    track_number: int = 0,
) -> pa.Table:
    """Film a head; ``moved`` shifts canonical points downwards by head widths, ``turn`` is an angle in radians."""
    points = np.repeat(head[None], frames, axis=0)
    for point, by in (moved or {}).items():
        points[:, point if point < 5 else point - 18, 1] += by
    angles, tilts = np.broadcast_to(turn, frames)[:, None], np.broadcast_to(tilt, frames)[:, None]
    flat = points[..., 0] * np.cos(angles) + points[..., 2] * np.sin(angles) + 1j * points[..., 1]
    flat = (flat - 0.25j) * np.exp(1j * tilts) * size_px + complex(400 + shift, 300 + shift)
    sequence = make_keypoints(frame_count=frames, seed=7, track_number=track_number)
    xy = sequence.keypoints_xy
    xy[:, list(HEAD_POINTS) + list(FACE)] = np.stack([flat.real, flat.imag], axis=2)
    width = HEAD_PX * SHOULDERS_PER_HEAD_WIDTH
    xy[:, 5], xy[:, 6] = (400 + shift + width / 2, 420 + shift), (400 + shift - width / 2, 420 + shift)
    return keypoints_to_rows(sequence)


def published(rows: pa.Table) -> Floats:
    """Positions after the faces were neutralised, in head widths, shape ``(n, 133, 2)``."""
    return np.asarray(keypoint_arrays(neutral_faces(rows))[0], np.float64) / HEAD_PX


def rise(points: Floats, lower: int, upper: int) -> Floats:
    return np.asarray(points[:, lower, 1] - points[:, upper, 1])


def with_unseen(rows: pa.Table, points: list[int], frames: npt.NDArray[np.bool_]) -> pa.Table:
    for point in points:
        for name in (f"k{point:03d}_x", f"k{point:03d}_y", f"k{point:03d}_score"):
            column = rows[name].combine_chunks()
            hidden = pa.scalar(0, pa.uint8()) if name.endswith("score") else pa.scalar(None, column.type)
            rows = rows.set_column(
                rows.schema.get_field_index(name),
                rows.schema.field(name),
                pa.compute.if_else(pa.array(frames), hidden, column),
            )
    return rows


def test_two_people_with_other_faces_and_the_same_movement_become_the_same_head() -> None:
    turn = 0.3 * np.sin(np.arange(60) / 8)
    one, other = (filmed(head_of(person), turn=turn, tilt=turn / 3) for person in (1, 2))
    before = np.abs(keypoint_arrays(one)[0] - keypoint_arrays(other)[0])[:, list(REDRAWN)] / HEAD_PX
    gone = published(one) - published(other)
    relative = gone[:, list(REDRAWN)] - gone[:, [NOSE_TIP]]
    assert np.median(before) > 0.02
    assert np.median(np.abs(relative)) < 0.005
    assert np.max(np.abs(relative)) < 0.09  # one step of a turn or of a point


def test_a_head_is_as_large_against_the_shoulders_as_everybodys() -> None:
    small, large = (published(filmed(head_of(3), size_px=size)) for size in (0.85 * HEAD_PX, 1.15 * HEAD_PX))
    widths = [np.median(np.hypot(*(points[:, LEFT_EAR] - points[:, RIGHT_EAR]).T)) for points in (small, large)]
    assert widths == pytest.approx([0.9, 0.9], abs=0.02)


def test_a_head_keeps_its_place_its_turns_nods_and_tilts() -> None:
    turn = np.where(np.arange(60) > 40, 0.5, 0.0)
    tilt = np.where(np.arange(60) < 20, 0.35, 0.0)
    rows = filmed(head_of(4), turn=turn, tilt=tilt)
    points = published(rows)
    truth = keypoint_arrays(rows)[0] / HEAD_PX
    assert np.abs(points[:, NOSE] - truth[:, NOSE]).max() < 0.2
    eyes = points[:, LEFT_EYE] - points[:, RIGHT_EYE]
    assert np.arctan2(eyes[:20, 1], eyes[:20, 0]) == pytest.approx(0.35, abs=0.03)
    assert np.arctan2(eyes[20:40, 1], eyes[20:40, 0]) == pytest.approx(0.0, abs=0.03)
    sideways = points[:, NOSE_TIP, 0] - (points[:, LEFT_EYE, 0] + points[:, RIGHT_EYE, 0]) / 2
    assert np.median(sideways[45:]) - np.median(sideways[20:40]) == pytest.approx(0.3 * np.sin(0.5), abs=0.06)


def test_an_opened_mouth_and_a_lifted_chin_are_still_seen() -> None:
    opened = np.where(np.arange(60) > 45, 0.2, 0.0)
    points = published(filmed(head_of(5), moved={LIP_BOTTOM: opened, CHIN: opened, NOSE_TIP: 0 * opened}))
    for lower in (LIP_BOTTOM, CHIN):
        gap = rise(points, lower, LIP_TOP)
        assert np.median(gap[46:]) - np.median(gap[:45]) == pytest.approx(0.2, abs=DEVIATION_STEP)
    still = published(filmed(head_of(5)))
    assert np.ptp(rise(still, LIP_BOTTOM, LIP_TOP)) < 0.01


def test_only_the_kept_face_points_stay_and_body_and_hands_are_not_touched() -> None:
    rows = filmed(head_of(6))
    drawn = neutral_faces(rows)
    assert drawn.schema.equals(rows.schema, check_metadata=True)
    xy, scores = keypoint_arrays(drawn)
    before, before_scores = keypoint_arrays(rows)
    gone = [k for k in FACE if k not in FACE_POINTS_KEPT]
    assert np.isnan(xy[:, gone]).all()
    assert (scores[:, gone] == 0).all()
    assert np.isfinite(xy[:, list(REDRAWN)]).all()
    assert np.array_equal(xy[:, UNTOUCHED], before[:, UNTOUCHED])
    assert np.array_equal(scores[:, UNTOUCHED], before_scores[:, UNTOUCHED])
    assert set(np.unique(np.rint(scores[:, list(REDRAWN)] * 255))) <= {63, 127, 191, 255}


@pytest.mark.parametrize(
    "hidden",
    [
        [LEFT_EAR],
        [LEFT_EYE, LEFT_EAR, 39, 65, 68],
        list(FACE),
        [*FACE, LEFT_EYE, RIGHT_EYE, LEFT_EAR, RIGHT_EAR],
        [*FACE, *HEAD_POINTS],
        [5, 6],
    ],
)
def test_what_was_not_seen_stays_unseen_and_the_rest_is_drawn(hidden: list[int]) -> None:
    rows = filmed(head_of(7))
    frames = np.arange(60) % 3 == 0
    for where in (frames, np.ones(60, np.bool_)):
        xy, scores = keypoint_arrays(neutral_faces(with_unseen(rows, hidden, where)))
        seen = np.ones((60, len(REDRAWN)), np.bool_)
        seen[:, [k in hidden for k in REDRAWN]] = ~where[:, None]
        assert np.array_equal(np.isfinite(xy[:, list(REDRAWN), 0]), seen)
        assert np.array_equal(scores[:, list(REDRAWN)] > 0, seen)


def test_a_point_that_comes_and_goes_does_not_move_the_others() -> None:
    rows = filmed(head_of(8))
    hidden = with_unseen(rows, [LEFT_EAR, 39, LIP_BOTTOM], np.arange(60) % 2 == 0)
    others = [k for k in REDRAWN if k not in (LEFT_EAR, LIP_BOTTOM)]
    moved = np.abs(published(rows) - published(hidden))[:, others]
    assert np.median(moved) < 0.02
    assert moved.max() < 0.15


def test_a_track_of_one_frame_gets_the_template_itself() -> None:
    shapes = [published(filmed(head_of(person), frames=1))[0, list(REDRAWN)] for person in (10, 11)]
    relative = [shape - shape[0] for shape in shapes]
    assert relative[0] == pytest.approx(relative[1], abs=0.03)


def test_a_skeleton_without_a_face_is_drawn_from_its_head_points_alone() -> None:
    rows = with_unseen(filmed(head_of(12)), list(FACE), np.ones(60, np.bool_))
    xy, _ = keypoint_arrays(neutral_faces(rows))
    assert np.isnan(xy[:, list(FACE)]).all()
    assert np.hypot(*(xy[0, LEFT_EYE] - xy[0, RIGHT_EYE])) == pytest.approx(0.5 * HEAD_PX, abs=2)
    empty = keypoints_to_rows(make_keypoints(frame_count=5, unseen=tuple(Part)))
    assert neutral_faces(empty).equals(empty)
    assert neutral_faces(empty.slice(0, 0)).num_rows == 0


def test_pictures_beyond_2047_pixels_keep_wide_positions() -> None:
    rows = filmed(head_of(13), shift=3000.0)
    assert rows.schema.field("k000_x").type == pa.int32()
    drawn = neutral_faces(rows)
    assert drawn.schema.equals(WIDE_KEYPOINTS_SCHEMA)
    near = neutral_faces(filmed(head_of(13)))
    assert (keypoint_arrays(drawn)[0] - keypoint_arrays(near)[0])[:, list(REDRAWN)] == pytest.approx(3000, abs=0.2)


def test_tracks_do_not_change_each_other_and_chunks_do_not_matter() -> None:
    turn = 0.4 * np.sin(np.arange(60) / 5)
    parts = [filmed(head_of(20 + n), turn=turn * n, track_number=n) for n in range(3)]
    together = neutral_faces(pa.concat_tables(parts))
    assert together.equals(pa.concat_tables([neutral_faces(part) for part in parts]))
    cut = pa.concat_tables([parts[0].slice(0, 13), parts[0].slice(13)])
    assert neutral_faces(cut).combine_chunks().equals(neutral_faces(parts[0]).combine_chunks())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.floats(0, 1), st.booleans())
def test_whatever_is_put_in_nothing_is_invented_and_types_stay(
    seed: int, frames: int, share: float, wide: bool
) -> None:
    random = np.random.default_rng(seed)
    sequence = make_keypoints(frame_count=frames, seed=seed)
    hidden = random.random((frames, 133)) < share
    sequence.keypoints_xy[hidden] = np.nan
    sequence.scores[hidden] = 0
    if wide:
        sequence.keypoints_xy[...] *= 9
    rows = keypoints_to_rows(sequence)
    drawn = neutral_faces(rows)
    assert drawn.schema.equals(rows.schema)
    assert drawn.equals(neutral_faces(rows))
    xy, scores = keypoint_arrays(drawn)
    kept = np.isin(np.arange(133), [*UNTOUCHED, *REDRAWN])
    assert np.array_equal(np.isfinite(xy).all(axis=2), ~hidden & kept)
    assert np.array_equal(scores > 0, ~hidden & kept)
    assert KEYPOINTS.schema.names == drawn.schema.names
