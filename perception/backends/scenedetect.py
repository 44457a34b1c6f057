"""Hard cuts with PySceneDetect's adaptive detector, confirmed by a change that lasts."""

import importlib.metadata
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from media.frames import VideoFrame

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
        detector = self._new_detector()
        window = self._config.window_frames
        recent: deque[tuple[int, _Image]] = deque(maxlen=2 * window + 2)
        changes: list[float] = []
        candidates: list[tuple[int, int]] = []
        for position, frame in enumerate(frames):
            picture = self._small_bgr(frame.image_rgb)
            changes.append(_change(recent[-1][1], picture) if recent else 0.0)
            recent.append((frame.frame_index, picture))
            # The detector speaks of the frame that lies `window` frames back.
            if _is_candidate(detector, position, picture) and self._lasts(recent):
                candidates.append((position - window, recent[-1 - window][0]))
        return [frame_index for position, frame_index in candidates if self._stands_out(position, changes)]

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

    def _stands_out(self, position: int, changes: list[float]) -> bool:
        """Tell whether a change is larger than the motion of the frames further around.

        A film of 10 pictures a second in a file of 30 repeats each picture: every third change is motion and has
        nothing beside it. Two other large changes are allowed, for other cuts and flashes nearby.
        """
        reach = self._config.wide_window_frames
        # At the start and the end of the video the window is moved, not cut off.
        start = max(min(position - reach, len(changes) - 1 - 2 * reach), 1)
        end = start + 2 * reach + 1
        others = changes[start:position] + changes[position + 1 : end]
        motion = sorted(others, reverse=True)[2] if len(others) > 2 else 0.0
        return changes[position] >= self._config.min_wide_ratio * motion

    def _lasts(self, recent: deque[tuple[int, _Image]]) -> bool:
        """Tell whether each picture before the cut differs from each one after it."""
        middle = len(recent) - 1 - self._config.window_frames
        pictures = [picture for _, picture in recent]
        pairs = product(pictures[:middle], pictures[middle:])
        return all(_change(before, after) >= self._config.min_change for before, after in pairs)


def _is_candidate(detector: "AdaptiveDetector", position: int, picture_bgr: _Image) -> bool:
    from scenedetect.common import FrameTimecode

    return bool(detector.process_frame(FrameTimecode(position, fps=1.0), picture_bgr))


def _change(before_bgr: _Image, after_bgr: _Image) -> float:
    """Return what PySceneDetect calls the content value: the mean difference of hue, saturation and value."""
    import cv2

    first, second = (cv2.cvtColor(picture, cv2.COLOR_BGR2HSV) for picture in (before_bgr, after_bgr))
    return float(cv2.absdiff(first, second).mean())
