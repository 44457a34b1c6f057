"""Follow people with ultralytics: frames are detected in batches, and matched one after the other."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from media.frames import VideoFrame
from perception.backends.ultralytics.config import UltralyticsTrackerConfig
from perception.backends.ultralytics.library import prepare_library, ultralytics_version
from perception.backends.weights import find_weights, sha256_of_weights
from perception.tracks import FramePeople, Sighting
from schema.timespan import NS_PER_SECOND

if TYPE_CHECKING:
    from ultralytics.engine.results import Boxes
    from ultralytics.trackers.byte_tracker import BYTETracker

    from perception.backends.ultralytics.detector import PersonDetector

SOURCE = "YOLO11 detectors: https://github.com/ultralytics/assets/releases; or export your own with ultralytics"
LICENCE = "AGPL-3.0 for Ultralytics' own weights"


class UltralyticsTracker:
    """Detects people with a network that ultralytics loads, and tells them apart with ByteTrack or BoT-SORT.

    Each shot gets a tracker of its own, so nobody is followed across a cut.
    """

    config_type: ClassVar[type] = UltralyticsTrackerConfig

    def __init__(self, config: UltralyticsTrackerConfig) -> None:
        self._config = config
        self._detector: PersonDetector | None = None

    @property
    def weights_digest(self) -> str:
        """Return the library's version and the sha256 of the weights; imports neither ultralytics nor torch.

        Raises ``MissingPartError`` where the library or the weights are not there.
        """
        return f"ultralytics-{ultralytics_version()}:{sha256_of_weights(self._weights())}"

    def track(self, frames: Iterable[VideoFrame]) -> Iterator[FramePeople]:
        """Follow the people through one shot; they come out at its end, because each is judged as a whole.

        ``batch_frames`` frames are held at a time. Raises ``MissingPartError`` where the weights can't be loaded and
        ``ConfigError`` where they can't do what the settings ask of them.
        """
        looks = _looked_at(frames, self._config.detection_stride)
        follower: _Follower | None = None
        while batch := list(islice(looks, self._config.batch_frames)):
            found = self._loaded().detect([frame.image_rgb for frame in batch])
            follower = follower or _Follower(self._config, _looks_per_second(batch))
            for frame, boxes in zip(batch, found, strict=True):
                follower.follow(boxes, frame)
        if follower is not None:
            yield from follower.sure_people()

    def _weights(self) -> Path:
        what = "the detector of the back end ultralytics"
        return find_weights(self._config.weights, what=what, source=SOURCE, licence=LICENCE)

    def _loaded(self) -> "PersonDetector":
        if self._detector is None:
            prepare_library()
            from perception.backends.ultralytics.detector import PersonDetector

            self._detector = PersonDetector(self._weights(), self._config)
        return self._detector


def _looked_at(frames: Iterable[VideoFrame], stride: int) -> Iterator[VideoFrame]:
    """Yield every so many frames, and the last one."""
    passed_over: VideoFrame | None = None
    for position, frame in enumerate(frames):
        if position % stride == 0:
            passed_over = None
            yield frame
        else:
            passed_over = frame
    if passed_over is not None:
        yield passed_over


def _looks_per_second(batch: Sequence[VideoFrame]) -> float:
    """Return how often frames are looked at; once a second where there is one frame to tell it from."""
    spans_ns = np.diff([frame.time_ns for frame in batch])
    between_ns = float(np.median(spans_ns)) if spans_ns.size else float(NS_PER_SECOND)
    return NS_PER_SECOND / max(between_ns, 1.0)


class _Follower:
    """ultralytics' tracker for one shot, and whom it followed."""

    def __init__(self, config: UltralyticsTrackerConfig, looks_per_second: float) -> None:
        self._config = config
        self._tracker = _new_tracker(config, looks_per_second)
        self._looks: list[FramePeople] = []
        self._best_scores: dict[int, float] = {}

    def follow(self, boxes: "Boxes", frame: VideoFrame) -> None:
        """Match what was detected in the next frame with whom is followed."""
        image_bgr = np.ascontiguousarray(frame.image_rgb[..., ::-1]) if self._config.tracker == "botsort" else None
        people = []
        for *filtered_xyxy, number, score, _, place in self._tracker.update(boxes, image_bgr).tolist():
            box = filtered_xyxy if self._config.boxes == "filtered" else boxes.xyxy[int(place)].tolist()
            x1, y1, x2, y2 = box
            people.append(Sighting(person_number=int(number), box_xyxy=(x1, y1, x2, y2), score=score))
            self._best_scores[int(number)] = max(score, self._best_scores.get(int(number), 0.0))
        self._looks.append(FramePeople(frame_index=frame.frame_index, people=tuple(people)))

    def sure_people(self) -> Iterator[FramePeople]:
        """Yield every look with those who were sure to be a person at least once, numbered from 0."""
        sure = [number for number, best in self._best_scores.items() if best >= self._config.sure_score]
        renumbered = {number: place for place, number in enumerate(sure)}
        for look in self._looks:
            kept = [one for one in look.people if one.person_number in renumbered]
            people = [replace(one, person_number=renumbered[one.person_number]) for one in kept]
            yield FramePeople(frame_index=look.frame_index, people=tuple(people))


def _new_tracker(config: UltralyticsTrackerConfig, looks_per_second: float) -> "BYTETracker":
    from ultralytics.trackers.bot_sort import BOTSORT
    from ultralytics.trackers.byte_tracker import BYTETracker
    from ultralytics.utils import IterableSimpleNamespace

    settings = IterableSimpleNamespace(
        track_high_thresh=config.track_high_thresh,
        track_low_thresh=config.track_low_thresh,
        new_track_thresh=config.new_track_thresh,
        track_buffer=max(1, round(config.track_buffer_seconds * looks_per_second)),
        match_thresh=config.match_thresh,
        fuse_score=config.fuse_score,
        gmc_method=config.gmc_method,
        # people are told apart by where they are: no network for faces or clothes is loaded
        with_reid=False,
        proximity_thresh=0.5,
        appearance_thresh=0.8,
    )
    return BOTSORT(settings) if config.tracker == "botsort" else BYTETracker(settings)
