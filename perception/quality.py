"""Measure how well tracks and shots are shown, on sampled pictures: the numbers are kept, whatever is dropped."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from media.frames import VideoFrame
from perception.faces import FaceFinder
from perception.insets import InnerFrames
from perception.pictures import Crop, GreyPicture, change_between, grey_of, sharpness_of, torso_colors
from schema.errors import ConfigError
from schema.matching import Box
from schema.people import Quality
from schema.records import Shot, Track
from schema.timespan import NS_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig:
    """Which pictures are looked at, and what counts as what."""

    per_second: float = 1.0
    """Pictures a second that are looked at."""
    at_least: int = 8
    """Pictures of a track, however short, as far as it has so many frames."""
    still_change: float = 0.6
    """Mean change of brightness (0..255) up to which a person or picture is the same as in the sample before."""
    max_turn: float = 0.5
    """How far a head that faces the camera may be turned aside: 0.5 is about 45 degrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityConfig:
    """Settings of the measurement, and what is too poor to go on with."""

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """How pictures are sampled."""
    min_height_px: float = 48.0
    """Height of a person's box, pixels: below 48, a hand has about 4."""
    min_sharpness: float = 0.25
    """Detail of the person's picture, 0..1: on real clips 0.7 is sharp, and 0.25 a blur that leaves nothing of a hand
    (sigma 2.5 px at 128 px of body)."""
    max_frozen_share: float = 1.0
    """Share of samples in which a person does not change; 1 keeps also one who never does."""
    max_hidden_share: float = 0.8
    """Share of the person's box that people in front of it cover."""
    max_cut_share: float = 1.0
    """Share of samples in which the picture's left, right or upper edge cuts the person."""
    max_inset_share: float = 1.0
    """Share of samples in which the person is in a picture within the picture; below 1 leaves out split screens."""
    max_clipped_share: float = 0.9
    """Share of the person's picture that is black or white."""
    min_hands_share: float = 0.0
    """Share of frames with a hand seen, measured after keypoints; with less, nothing is proposed."""

    def __post_init__(self) -> None:
        """Refuse shares outside 0..1 (``ConfigError``)."""
        for name in (
            "min_sharpness",
            "max_frozen_share",
            "max_hidden_share",
            "max_cut_share",
            "max_inset_share",
            "max_clipped_share",
            "min_hands_share",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"quality.{name}: a share from 0 to 1 is needed, got {getattr(self, name)}")


@dataclass(slots=True, eq=False)
class _Samples:
    """What was measured of one track, or of one shot as a whole, sample by sample."""

    count: int = 0
    sharpness: list[float] = field(default_factory=list)
    brightness: list[float] = field(default_factory=list)
    clipped: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    faces: list[bool] = field(default_factory=list)
    colors: list[npt.NDArray[np.float64]] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    before: GreyPicture | None = None
    """The picture of the sample before."""


def frames_to_sample(tracks: Sequence[Track], shots: Sequence[Shot], config: SamplingConfig) -> frozenset[int]:
    """Return the frames that ``measure_quality`` looks at: each track's samples, and each shot's."""
    chosen = {frame for track in tracks for frame in _frames_of_track(track, config)}
    return frozenset(chosen.union(*(_frames_of_shot(shot, config) for shot in shots)))


def _frames_of_track(track: Track, config: SamplingConfig) -> list[int]:
    seconds = float(track.times_ns[-1] - track.times_ns[0]) / NS_PER_SECOND
    count = max(config.at_least, round(seconds * config.per_second) + 1)
    return _evenly(track.frame_indices, count)


def _frames_of_shot(shot: Shot, config: SamplingConfig) -> list[int]:
    count = max(config.at_least, round(shot.span.duration_ns / NS_PER_SECOND * config.per_second))
    return _evenly(np.arange(shot.first_frame, shot.end_frame, dtype=np.int32), count)


def _evenly(frames: npt.NDArray[np.int32], count: int) -> list[int]:
    places = np.unique(np.rint(np.linspace(0, len(frames) - 1, min(count, len(frames)))).astype(np.int64))
    return [int(frame) for frame in frames[places]]


def measure_quality(
    tracks: Sequence[Track],
    shots: Sequence[Shot],
    *,
    frames: Iterable[VideoFrame],
    faces: FaceFinder,
    config: SamplingConfig,
) -> Iterator[Quality]:
    """Measure every shot and track of one video.

    Args:
        tracks: The tracks of the video, in any order.
        shots: Its shots, in order.
        frames: The pictures of ``frames_to_sample``, in order; others are passed over. One is held at a time, and a
            small grey copy of the one before.
        faces: Finds who faces the camera.
        config: Settings.

    Yields:
        Shot after shot, the shot as a whole and then its tracks by number.
    """
    by_shot: defaultdict[int, list[Track]] = defaultdict(list)
    for track in sorted(tracks, key=lambda t: t.track_number):
        by_shot[track.shot_number].append(track)
    waiting = iter(frames)
    frame = next(waiting, None)
    for shot in shots:
        gauge = _ShotGauge(shot, by_shot[shot.shot_number], faces, config)
        while frame is not None and frame.frame_index < shot.end_frame:
            gauge.look(frame)
            frame = next(waiting, None)
        yield from gauge.qualities()


class _ShotGauge:
    """Measures one shot and the tracks in it."""

    def __init__(self, shot: Shot, tracks: list[Track], faces: FaceFinder, config: SamplingConfig) -> None:
        self._shot, self._tracks, self._faces, self._config = shot, tracks, faces, config
        self._wanted = {t.track_number: frozenset(_frames_of_track(t, config)) for t in tracks}
        self._wanted_of_shot = frozenset(_frames_of_shot(shot, config))
        self._samples = {track.track_number: _Samples() for track in tracks}
        self._whole = _Samples()
        self._inner = InnerFrames()
        self._hidden = {track.track_number: _hidden_share(track, tracks) for track in tracks}
        self._size = (1, 1)

    def look(self, frame: VideoFrame) -> None:
        """Take in one sampled picture."""
        people = [t for t in self._tracks if frame.frame_index in self._wanted[t.track_number]]
        if not people and frame.frame_index not in self._wanted_of_shot:
            return
        height, width = frame.image_rgb.shape[:2]
        self._size = (width, height)
        picture = grey_of(frame.image_rgb)
        self._inner.look(picture)
        if frame.frame_index in self._wanted_of_shot:
            self._measure(self._whole, picture, frame, (0.0, 0.0, float(width), float(height)))
        for track in people:
            box = track.box_at(frame.time_ns)
            samples = self._samples[track.track_number]
            self._measure(samples, picture, frame, box)
            self._look_at_person(samples, frame, box)

    def _measure(self, samples: _Samples, picture: GreyPicture, frame: VideoFrame, box: Box) -> None:
        crop = Crop.of(frame.image_rgb, box)
        samples.count += 1
        samples.boxes.append(box)
        if crop is not None:
            samples.sharpness.append(sharpness_of(crop))
            samples.brightness.append(crop.brightness())
            samples.clipped.append(crop.clipped_share())
        if samples.before is not None:
            samples.changes.append(change_between(samples.before, picture, box))
        samples.before = picture

    def _look_at_person(self, samples: _Samples, frame: VideoFrame, box: Box) -> None:
        colors = torso_colors(frame.image_rgb, box)
        if colors is not None:
            samples.colors.append(colors)
        x1, y1, x2, y2 = box
        side = max(x2 - x1, 0.6 * (y2 - y1))
        middle = (x1 + x2) / 2
        upper = (middle - side * 0.6, y1 - side * 0.1, middle + side * 0.6, y1 + side)
        found = self._faces.find_faces(frame.image_rgb, upper)
        if found is not None:
            facing = (f.turn <= self._config.max_turn and _is_head_of(f.center_xy, box) for f in found)
            samples.faces.append(any(facing))

    def qualities(self) -> Iterator[Quality]:
        """Return the shot's and its tracks' measurements."""
        inner = self._inner.found()
        tallest = max((_median_height(t) for t in self._tracks), default=0.0)
        yield self._quality(self._whole, None, height_px=tallest, inset=float(bool(inner)))
        for track in self._tracks:
            samples = self._samples[track.track_number]
            inset = np.mean([any(_holds(frame, box) for frame in inner) for box in samples.boxes] or [False])
            yield self._quality(samples, track, height_px=_median_height(track), inset=float(inset))

    def _quality(self, samples: _Samples, track: Track | None, *, height_px: float, inset: float) -> Quality:
        width, height = self._size
        number = None if track is None else track.track_number
        cut = [box[0] <= 1 or box[1] <= 1 or box[2] >= width - 1 for box in samples.boxes] if track else []
        still = [change <= self._config.still_change for change in samples.changes]
        return Quality(
            video_id=self._shot.video_id,
            shot_number=self._shot.shot_number,
            track_number=number,
            sample_count=samples.count,
            height_px=height_px,
            height_share=height_px / height if samples.count else 0.0,
            sharpness=_median(samples.sharpness),
            frozen_share=_mean(still),
            hidden_share=0.0 if number is None else self._hidden[number],
            cut_share=_mean(cut),
            inset_share=inset,
            brightness=_median(samples.brightness),
            clipped_share=_mean(samples.clipped),
            facing_share=_mean(samples.faces) if samples.faces else None,
            colors=_as_bytes(samples.colors),
        )


def _mean(values: Sequence[float] | Sequence[bool]) -> float:
    return float(np.mean(values)) if len(values) else 0.0


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else 0.0


def _median_height(track: Track) -> float:
    return float(np.median(track.boxes_xyxy[:, 3] - track.boxes_xyxy[:, 1]))


def _as_bytes(colors: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.uint8] | None:
    """Return mean shares in 1/255."""
    return np.rint(np.mean(colors, axis=0) * 255).astype(np.uint8) if colors else None


def _is_head_of(center_xy: tuple[float, float], box: Box) -> bool:
    """Tell whether a face is where the box's person has the head: in the upper half, and not at its sides."""
    x1, y1, x2, y2 = box
    across, down = (center_xy[0] - x1) / (x2 - x1), (center_xy[1] - y1) / (y2 - y1)
    return 0.1 <= across <= 0.9 and -0.05 <= down <= 0.6


def _holds(frame: Box, box: Box) -> bool:
    """Tell whether an inner frame holds nearly all of a box."""
    width = min(frame[2], box[2]) - max(frame[0], box[0])
    height = min(frame[3], box[3]) - max(frame[1], box[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return width > 0 and height > 0 and width * height >= 0.85 * area


def _hidden_share(track: Track, tracks: Sequence[Track]) -> float:
    """Return the mean share of a track's box that the boxes of people in front of it cover, over all its frames."""
    covered = np.zeros(len(track.frame_indices))
    own = track.boxes_xyxy
    areas = (own[:, 2] - own[:, 0]) * (own[:, 3] - own[:, 1])
    for other in tracks:
        _, ours, theirs = np.intersect1d(track.frame_indices, other.frame_indices, return_indices=True)
        if other is track or not len(ours):
            continue
        mine, front = own[ours], other.boxes_xyxy[theirs]
        width = np.minimum(mine[:, 2], front[:, 2]) - np.maximum(mine[:, 0], front[:, 0])
        height = np.minimum(mine[:, 3], front[:, 3]) - np.maximum(mine[:, 1], front[:, 1])
        shared = np.clip(width, 0, None) * np.clip(height, 0, None) * _is_in_front(front, mine)
        covered[ours] = np.maximum(covered[ours], shared / areas[ours])
    return float(covered.mean())


def _is_in_front(boxes: npt.NDArray[np.float32], of: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Tell whose box ends lower, which is nearer to a camera above the ground; where both end alike, the larger one."""
    heights = of[:, 3] - of[:, 1]
    lower = boxes[:, 3] - of[:, 3]
    larger = (boxes[:, 3] - boxes[:, 1]) > heights
    return np.asarray(np.where(np.abs(lower) > 0.03 * heights, lower > 0, larger), dtype=np.bool_)


def poor_quality(quality: Quality, config: QualityConfig) -> str | None:
    """Say why a track is too poor to go on with, in words with numbers; None where it is not."""
    found = (
        (
            quality.height_px < config.min_height_px,
            f"{quality.height_px:.0f} px tall, {config.min_height_px:.0f} needed",
        ),
        (
            quality.sharpness < config.min_sharpness,
            f"sharpness {quality.sharpness:.2f}, {config.min_sharpness:.2f} needed",
        ),
        *(
            (getattr(quality, name) > limit, f"{words} in {getattr(quality, name):.0%}, {limit:.0%} allowed")
            for name, limit, words in (
                ("frozen_share", config.max_frozen_share, "does not change"),
                ("hidden_share", config.max_hidden_share, "hidden behind others"),
                ("cut_share", config.max_cut_share, "cut by the picture's edge"),
                ("inset_share", config.max_inset_share, "in a picture within the picture"),
                ("clipped_share", config.max_clipped_share, "black or white"),
            )
        ),
    )
    reasons = [words for holds, words in found if holds]
    return "; ".join(reasons) if quality.sample_count and reasons else None
