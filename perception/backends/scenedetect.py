"""Hard cuts with PySceneDetect's adaptive detector, confirmed by a change that lasts."""

import importlib.metadata
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from media.frames import VideoFrame
from perception.shots import marked_cuts
from schema.errors import ConfigError

if TYPE_CHECKING:
    from scenedetect.detectors import AdaptiveDetector

_Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneDetectConfig:
    """Settings of the PySceneDetect back end."""

    min_ratio: float = 3.0
    """How many times more a picture must change at a cut than around it: motion within a shot reaches 2.2."""
    min_change: float = 8.0
    """Mean change of hue, saturation and value (0 to 255) at a cut: the same room with another person makes 16."""
    window_frames: int = 2
    """How many changes before and after a cut it is compared with."""
    wide_window_frames: int = 10
    """How far the wide window reaches before and after a cut."""
    min_wide_ratio: float = 2.0
    """How many times more a picture must change than at the third largest change within the wide window."""
    side_px: int = 256
    """Pictures are compared at this longer side: noise averages out, and changes do not depend on the resolution."""

    def __post_init__(self) -> None:
        """Refuse a wide window that is narrower than the narrow one (``ConfigError``)."""
        if not 1 <= self.window_frames <= self.wide_window_frames:
            raise ConfigError(
                f"window_frames: at least 1 and at most wide_window_frames ({self.wide_window_frames}) are needed, "
                f"got {self.window_frames}"
            )


class SceneDetectDetector:
    """Finds hard cuts: the picture changes at once, by much more than around, and does not change back.

    A flash of one or two frames changes the picture twice; it makes no cut, because the picture after it is the
    picture before it.
    """

    config_type: ClassVar[type] = SceneDetectConfig

    def __init__(self, config: SceneDetectConfig) -> None:
        self._config = config

    @property
    def weights_digest(self) -> str:
        """Return the library's version: it has no weights."""
        return f"scenedetect-{importlib.metadata.version('scenedetect-headless')}"

    def detect_cuts(self, frames: Iterable[VideoFrame]) -> list[int]:
        """Return the indices of the frames that begin a new shot; times play no part, so any frame rate will do.

        The first and the last ``window_frames`` frames have too few neighbours to be told from motion and begin none.
        """
        return marked_cuts(self.mark_cuts(frames))

    def mark_cuts(self, frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, bool]]:
        """Yield each frame with whether it begins a new shot, as soon as that is settled.

        A frame comes out ``window_frames`` frames later; one that may begin a shot, and those behind it, up to
        ``wide_window_frames`` later (twice as many at the start of the video).
        """
        detector = self._new_detector()
        window = self._config.window_frames
        recent: deque[_Image] = deque(maxlen=2 * window + 2)
        undecided = _Undecided(self._config)
        for position, frame in enumerate(frames):
            picture = self._small_bgr(frame.image_rgb)
            hsv = _hsv_of(picture)
            undecided.add(frame, change=_change(recent[-1], hsv) if recent else None)
            recent.append(hsv)
            # The detector speaks of the frame that lies `window` frames back.
            if _is_candidate(detector, position, picture) and self._lasts(recent):
                undecided.candidates.append(position - window)
            yield from undecided.settled()
        yield from undecided.rest()

    def _new_detector(self) -> "AdaptiveDetector":
        from scenedetect.detectors import AdaptiveDetector

        # Its shortest scene is counted in frames; the stage has one in seconds.
        return AdaptiveDetector(
            adaptive_threshold=self._config.min_ratio,
            min_scene_len=0,
            window_width=self._config.window_frames,
            min_content_val=self._config.min_change,
        )

    def _small_bgr(self, image_rgb: _Image) -> _Image:
        import cv2

        height, width = image_rgb.shape[:2]
        scale = min(self._config.side_px / max(height, width), 1.0)
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        small = cv2.resize(image_rgb, size, interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(small[..., ::-1])

    def _lasts(self, recent_hsv: deque[_Image]) -> bool:
        """Tell whether each picture before the cut differs from each one after it."""
        middle = len(recent_hsv) - 1 - self._config.window_frames
        pictures = list(recent_hsv)
        pairs = product(pictures[:middle], pictures[middle:])
        return all(_change(before, after) >= self._config.min_change for before, after in pairs)


class _Undecided:
    """The frames of which it is not settled whether they begin a shot, and what they are compared with."""

    def __init__(self, config: SceneDetectConfig) -> None:
        self._config = config
        self._frames: deque[VideoFrame] = deque()
        self._first = 0
        """Position of the first of these frames."""
        self._end = 0
        """Position after the last of them."""
        self._changes: deque[float] = deque(maxlen=2 * config.wide_window_frames + 1)
        """How much each of the newest frames differs from the one before it."""
        self.candidates: deque[int] = deque()
        """Positions that begin a shot if they stand out in the wide window."""

    def add(self, frame: VideoFrame, *, change: float | None) -> None:
        """Take in the next frame; the first one has no change."""
        self._frames.append(frame)
        self._end += 1
        if change is not None:
            self._changes.append(change)

    def settled(self) -> Iterator[tuple[VideoFrame, bool]]:
        """Yield the frames that no further frame can change."""
        reach = self._config.wide_window_frames
        # At the start of the video the wide window is moved, not cut off.
        if self._end >= 2 * reach + 2:
            yield from self._decided(candidates_before=self._end - reach)
        yield from self._passed(self.candidates[0] if self.candidates else self._end - self._config.window_frames)

    def rest(self) -> Iterator[tuple[VideoFrame, bool]]:
        """Yield what is left at the end of the video, where the wide window is moved too."""
        yield from self._decided(candidates_before=self._end)
        yield from self._passed(self._end)

    def _decided(self, *, candidates_before: int) -> Iterator[tuple[VideoFrame, bool]]:
        while self.candidates and self.candidates[0] < candidates_before:
            candidate = self.candidates.popleft()
            yield from self._passed(candidate)
            self._first += 1
            yield self._frames.popleft(), self._stands_out(candidate)

    def _passed(self, end: int) -> Iterator[tuple[VideoFrame, bool]]:
        while self._first < end:
            self._first += 1
            yield self._frames.popleft(), False

    def _stands_out(self, candidate: int) -> bool:
        """Tell whether a change is larger than the motion of the frames further around.

        A film of 10 pictures a second in a file of 30 repeats each picture: every third change is motion and has
        nothing beside it. Two other large changes are allowed, for other cuts and flashes nearby.
        """
        others = list(self._changes)
        change = others.pop(len(others) - (self._end - candidate))
        motion = sorted(others, reverse=True)[2] if len(others) > 2 else 0.0
        return change >= self._config.min_wide_ratio * motion


def _is_candidate(detector: "AdaptiveDetector", position: int, picture_bgr: _Image) -> bool:
    from scenedetect.common import FrameTimecode

    return bool(detector.process_frame(FrameTimecode(position, fps=1.0), picture_bgr))


def _hsv_of(picture_bgr: _Image) -> _Image:
    import cv2

    return np.asarray(cv2.cvtColor(picture_bgr, cv2.COLOR_BGR2HSV), dtype=np.uint8)


def _change(before_hsv: _Image, after_hsv: _Image) -> float:
    """Return what PySceneDetect calls the content value: the mean difference of hue, saturation and value."""
    import cv2

    return float(cv2.absdiff(before_hsv, after_hsv).mean())
