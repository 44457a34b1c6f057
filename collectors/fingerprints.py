"""What moves in a video, where and when: the fingerprint by which copies of a recording are found.

The still picture is taken out: press conferences share their room, backdrop and camera, so that a picture says little
about which one it is (``docs/duplicates.md`` has the measurement). What is left are the changes of brightness within
two seconds on a grid of 16 x 16 points, five times a second, and three numbers a sample that a crop hardly touches:
how much moves, and where the centre of what moves is.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schema.derived import FINGERPRINTS
from schema.records import VideoId
from schema.timespan import NS_PER_SECOND

Floats = npt.NDArray[np.float32]

RATE_HZ = 5
"""Samples per second: faster gestures blur, slower sampling makes 8 seconds too little evidence."""
GRID = 16
"""Rows and columns of the movement pictures; 8 x 8 let through more strangers in the same room."""
SMOOTHING_SAMPLES = 11
"""Brightness is told against its mean over so many samples, 2.2 s: light that drifts and what stands still drop out."""
STEPS_PER_GREY_LEVEL = 2
"""Movement is kept in half grey levels."""
LAG_SAMPLES = 2
"""What moves is what differs from the picture of 0.4 s before."""
NOISE_GREY_LEVELS = 2.0
"""Differences below it are taken for the encoder's."""
_LEAST_ENERGY = 0.05
_CENTER_PULL = 2.0
"""Grey levels, summed over the grid, that pull the centre of little movement to the middle of the picture."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fingerprint:
    """The small part of a fingerprint: all of the study's are held in memory at once, 21 kB for 6 minutes."""

    video_id: VideoId
    motion: Floats
    """Shape ``(n, 3)``: logarithm of what moves, and its centre, x and y from -0.5 to 0.5; five times a second."""

    def __post_init__(self) -> None:
        """Refuse an array of another shape (``ValueError``)."""
        if self.motion.ndim != 2 or self.motion.shape[1] != 3:
            raise ValueError(f"motion needs the shape (n, 3), got {self.motion.shape}")

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return float(self.motion.shape[0] / RATE_HZ)


def motion_of(brightness: Floats) -> Floats:
    """Return how much moves and where, shape ``(n, 3)``, from brightness pictures of shape ``(n, grid, grid)``."""
    grid = brightness.shape[1]
    differences = np.zeros_like(brightness)
    if brightness.shape[0] > LAG_SAMPLES:
        differences[LAG_SAMPLES:] = np.abs(brightness[LAG_SAMPLES:] - brightness[:-LAG_SAMPLES])
        # a start without movement would be the strongest change of all
        differences[:LAG_SAMPLES] = differences[LAG_SAMPLES]
    moving = np.maximum(differences - NOISE_GREY_LEVELS, 0)
    places = np.linspace(-0.5, 0.5, grid, dtype=np.float32)
    mass = moving.sum(axis=(1, 2)) + _CENTER_PULL
    center_x = (moving.sum(axis=1) @ places) / mass
    center_y = (moving.sum(axis=2) @ places) / mass
    energy = np.log(moving.mean(axis=(1, 2)) + _LEAST_ENERGY)
    return np.stack([energy, center_x, center_y], axis=1).astype(np.float32)


def movement_of(brightness: Floats) -> npt.NDArray[np.int8]:
    """Return the changes of brightness within two seconds, in half grey levels, shape as given."""
    from scipy.ndimage import uniform_filter1d

    change = brightness - uniform_filter1d(brightness, SMOOTHING_SAMPLES, axis=0, mode="nearest")
    return np.asarray(np.clip(np.rint(change * STEPS_PER_GREY_LEVEL), -127, 127), dtype=np.int8)


def fingerprint_rows(video_id: VideoId, brightness: Floats) -> pa.Table:
    """Write the fingerprint of a video, given its brightness at ``RATE_HZ`` on ``GRID`` x ``GRID``, as rows."""
    motion, movement = motion_of(brightness), movement_of(brightness)
    count = brightness.shape[0]
    return pa.table(
        {
            "video_id": pa.array([str(video_id)] * count, pa.string()),
            "time_ns": np.arange(count, dtype=np.int64) * (NS_PER_SECOND // RATE_HZ),
            "energy": motion[:, 0],
            "center_x": motion[:, 1],
            "center_y": motion[:, 2],
            "movement": pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(GRID * GRID), count, [None, pa.py_buffer(movement.tobytes())]
            ).cast(pa.binary()),
        },
        schema=FINGERPRINTS.schema,
    )


def fingerprint_from_rows(video_id: VideoId, rows: pa.Table) -> Fingerprint:
    """Read the small part of a fingerprint; the column ``movement`` need not be there."""
    columns = [rows[name].to_numpy() for name in ("energy", "center_x", "center_y")]
    return Fingerprint(video_id=video_id, motion=np.stack(columns, axis=1).astype(np.float32).reshape(-1, 3))


def movement_from_rows(rows: pa.Table) -> npt.NDArray[np.int8]:
    """Read the movement pictures, shape ``(n, GRID, GRID)``."""
    content = b"".join(rows["movement"].to_pylist())
    return np.frombuffer(content, dtype=np.int8).reshape(-1, GRID, GRID)
