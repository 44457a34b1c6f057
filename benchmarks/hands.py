"""How many of the hands that people see are found, beside a plain MediaPipe Holistic on the same frames.

    python benchmarks/hands.py [FOLDER]

FOLDER holds the clips whose hands were labelled by eye (tests/visible_hands.py tells how; ../shared/media/videos where
it is there). "clear" hands are mostly in sight, "partly" ones are hidden behind something, blurred or cut by the
picture's edge; "swapped" is a hand on the other one's place, "made up" one where people see none, "off" one that lies
elsewhere. Times are those of the keypoints alone, on decoded pictures and with loaded models, both in this process:
ours within the boxes of the mediapipe tracker. CPU time tells what they cost on a machine that is busy with other work.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from media.frames import VideoFrame, decode_frames, read_frame_times
from perception.backends.mediapipe.keypoints import MediapipeKeypointEstimator, MediapipeKeypointsConfig
from perception.backends.mediapipe.tracker import MediapipeTracker
from perception.keypoints import BoxedFrame
from perception.tracks import TracksConfig, track_people
from schema.mediapipe_points import place_hand, points_from_pose
from schema.records import Shot, Track, VideoId
from schema.timespan import TimeSpan
from tests.visible_hands import Verdict, labels_by_clip, share_found, verdicts

SHARED = Path(__file__).parents[2] / "shared" / "media" / "videos"
Points = dict[int, npt.NDArray[np.float32]]
"""The 133 points by frame, NaN where not seen."""
Finder = Callable[[Sequence[VideoFrame], Track], tuple[Points, "Taken"]]
"""Gives the points, and the time without the loading of models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Time that something took."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    @classmethod
    def now(cls) -> "Taken":
        """Read the clocks."""
        return cls(wall_s=time.perf_counter(), cpu_s=time.process_time())

    def __sub__(self, other: "Taken") -> "Taken":
        """Return the time between two readings."""
        return Taken(wall_s=self.wall_s - other.wall_s, cpu_s=self.cpu_s - other.cpu_s)

    def __add__(self, other: "Taken") -> "Taken":
        """Return the time of two things."""
        return Taken(wall_s=self.wall_s + other.wall_s, cpu_s=self.cpu_s + other.cpu_s)


def decoded(path: Path) -> list[VideoFrame]:
    """Return all frames of a clip."""
    times, _ = read_frame_times(path, video_id=VideoId("v"), sha256="0" * 64)
    return list(decode_frames(path, times))


def largest_track(frames: Sequence[VideoFrame]) -> Track:
    """Follow the people of a clip and return who is the largest for longest."""
    span = TimeSpan(start_ns=0, end_ns=frames[-1].time_ns + 1)
    shot = Shot(video_id=VideoId("v"), shot_number=0, first_frame=0, end_frame=len(frames), span=span)
    tracker = MediapipeTracker(MediapipeTracker.config_type())
    found = track_people([shot], frames_of=lambda _: frames, tracker=tracker, config=TracksConfig())
    tracks = [track for track in found if isinstance(track, Track)]
    return max(tracks, key=lambda t: float(np.prod(t.boxes_xyxy[:, 2:] - t.boxes_xyxy[:, :2], axis=1).sum()))


def ours(frames: Sequence[VideoFrame], track: Track) -> tuple[Points, "Taken"]:
    """Run the mediapipe back end within the person's boxes."""

    def boxed() -> Iterator[BoxedFrame]:
        for index, box in zip(track.frame_indices, track.boxes_xyxy, strict=True):
            x1, y1, x2, y2 = (float(v) for v in box)
            yield BoxedFrame(frame=frames[int(index)], track_numbers=(0,), boxes_xyxy=((x1, y1, x2, y2),))

    estimator = MediapipeKeypointEstimator(MediapipeKeypointsConfig())
    list(estimator.estimate(islice(boxed(), 2)))
    started = Taken.now()
    people = estimator.estimate(boxed())
    points = {int(index): person.keypoints_xy for index, (person,) in zip(track.frame_indices, people, strict=True)}
    return points, Taken.now() - started


def holistic(frames: Sequence[VideoFrame], _: Track) -> tuple[Points, "Taken"]:
    """Run the wheel's Holistic on the whole pictures, as its documentation shows."""
    from mediapipe.python.solutions.holistic import Holistic

    with Holistic(model_complexity=1) as warm:
        warm.process(frames[0].image_rgb)
    points: Points = {}
    with Holistic(model_complexity=1) as graph:
        started = Taken.now()
        for frame in frames:
            height, width = frame.image_rgb.shape[:2]
            scale = np.array((width, height), np.float32)
            result = graph.process(frame.image_rgb)
            canonical = np.full((133, 2), np.nan, np.float32)
            if result.pose_landmarks is not None:
                canonical = points_from_pose(_rows(result.pose_landmarks.landmark) * scale)
            for side in ("left", "right"):
                hand = getattr(result, f"{side}_hand_landmarks")
                if hand is not None:
                    place_hand(canonical, _rows(hand.landmark) * scale, side=side)
            points[frame.frame_index] = canonical
        return points, Taken.now() - started


def _rows(landmarks: Iterable[Any]) -> npt.NDArray[np.float32]:
    return np.array([(point.x, point.y) for point in landmarks], np.float32)


def main() -> None:
    """Print the table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED
    clips = labels_by_clip(folder)
    if not clips:
        raise SystemExit(f"{folder}: none of the labelled clips is there; give the folder that holds them")
    finders: dict[str, Finder] = {"ours": ours, "Holistic": holistic}
    totals: dict[str, Counter[tuple[int, Verdict]]] = {name: Counter() for name in finders}
    times = dict.fromkeys(finders, Taken())
    print(
        f"{'clip':<40} {'':<9} {'clear':>7} {'partly':>7} {'all':>7} {'swapped':>8} {'made up':>8} {'off':>4} {'ms':>6}"
    )
    for path, labels in clips.items():
        frames = decoded(path)
        track = largest_track(frames)
        for name, finder in finders.items():
            points, taken = finder(frames, track)
            times[name] += taken
            counts = verdicts(points, labels)
            totals[name] += counts
            _print_row(path.name, name, counts, 1e3 * taken.wall_s / len(frames))
    for name, counts in totals.items():
        _print_row("all", name, counts, None)
    wall, cpu = (times["ours"].wall_s / times["Holistic"].wall_s, times["ours"].cpu_s / times["Holistic"].cpu_s)
    print(f"ours / Holistic: wall time {wall:.2f}, CPU time {cpu:.2f}")


def _print_row(clip: str, name: str, counts: Counter[tuple[int, Verdict]], ms_per_frame: float | None) -> None:
    shares = []
    for visible in (frozenset({2}), frozenset({1}), frozenset({1, 2})):
        any_there = any(seen in visible for seen, _ in counts)
        shares.append(f"{share_found(counts, visible=visible):>7.0%}" if any_there else f"{'-':>7}")
    kinds = (Verdict.SWAPPED, Verdict.MADE_UP, Verdict.MISPLACED)
    wrong = [sum(n for (_, verdict), n in counts.items() if verdict == kind) for kind in kinds]
    ms = "" if ms_per_frame is None else f"{ms_per_frame:.1f}"
    print(f"{clip:<40} {name:<9} {' '.join(shares)} {wrong[0]:>8} {wrong[1]:>8} {wrong[2]:>4} {ms:>6}", flush=True)


if __name__ == "__main__":
    main()
