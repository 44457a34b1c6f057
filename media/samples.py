"""What a video looks like at an even pace: small brightness pictures, each the mean of all that was shown meanwhile."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from schema.errors import DropReason, ItemError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame as DecodedFrame

    from media.containers import Orientation

MAX_SAMPLES = 1_000_000
"""More than two days at 5 samples a second: a time stamp beyond it is a mistake of the file."""
OVERSAMPLING = 2
"""Pictures are read at so many times the grid and averaged, which keeps fractions of a grey level."""


def sample_brightness(path: Path, *, rate_hz: int, grid: int) -> npt.NDArray[np.float32]:
    """Decode a whole file once and return its mean brightness on a square grid, at an even pace.

    A sample is the mean of the frames that begin within its time, so that another frame rate of the same recording
    gives nearly the same samples; where none begins, the frame before is still shown. The picture is upright and
    stretched to the square. One thread decodes (``benchmarks/duplicates.py`` tells how fast).

    Args:
        path: The file.
        rate_hz: Samples per second.
        grid: Rows and columns of the result.

    Returns:
        Brightness 0..255, shape ``(n, grid, grid)``, one sample at least.

    Raises:
        ItemError: missing, empty, no_video, and unreadable where no frame decodes.
    """
    from media.containers import decode_steps, open_video, orientation_of

    gatherer = _Gatherer(grid)
    turn: Orientation | None = None
    first_pts = 0
    with open_video(path) as (container, stream):
        ticks_per_sample = 1 / (stream.time_base * rate_hz) if stream.time_base else 1
        for step in decode_steps(container, stream):
            for frame in step.frames:
                if frame.pts is None:
                    continue
                if turn is None:
                    turn, first_pts = orientation_of(frame), frame.pts
                gatherer.add(int((frame.pts - first_pts) / ticks_per_sample), frame)
    samples = gatherer.finished()
    if turn is None:
        raise ItemError(DropReason.UNREADABLE, "no frame with a time decodes")
    upright = samples.transpose(0, 2, 1) if turn.swap_axes else samples
    upright = upright[:, :, ::-1] if turn.mirror_x else upright
    return np.ascontiguousarray(upright[:, ::-1] if turn.mirror_y else upright)


class _Gatherer:
    """Averages the frames of one sample and writes it as soon as a later one begins."""

    def __init__(self, grid: int) -> None:
        from av.video.reformatter import VideoReformatter

        self._grid = grid
        self._reformatter = VideoReformatter()
        self._samples: list[npt.NDArray[np.float32]] = []
        self._sum = np.zeros((grid, grid), dtype=np.float32)
        self._count = 0

    def add(self, index: int, frame: "DecodedFrame") -> None:
        """Take a frame that begins within sample ``index``; one of an earlier sample, or of none, is passed over."""
        if not len(self._samples) <= index < MAX_SAMPLES:
            return
        if self._count and index > len(self._samples):
            mean = self._mean()
            self._samples += [mean] * (index - len(self._samples))
            self._sum, self._count = np.zeros_like(self._sum), 0
        self._sum += self._brightness(frame)
        self._count += 1

    def finished(self) -> npt.NDArray[np.float32]:
        """Return all samples, shape ``(n, grid, grid)``."""
        if self._count:
            self._samples.append(self._mean())
        return np.array(self._samples, dtype=np.float32).reshape(-1, self._grid, self._grid)

    def _mean(self) -> npt.NDArray[np.float32]:
        return np.asarray(self._sum / self._count, dtype=np.float32)

    def _brightness(self, frame: "DecodedFrame") -> npt.NDArray[np.float32]:
        from av import FFmpegError

        side = self._grid * OVERSAMPLING
        try:
            small = self._reformatter.reformat(
                frame, width=side, height=side, format="gray", interpolation="AREA", threads=1
            )
        except (FFmpegError, ValueError) as error:
            raise ItemError(
                DropReason.UNREADABLE, f"pictures of pixel format {frame.format.name} can't be converted"
            ) from error
        blocks = small.to_ndarray().reshape(self._grid, OVERSAMPLING, self._grid, OVERSAMPLING)
        return np.asarray(blocks.mean(axis=(1, 3)), dtype=np.float32)
