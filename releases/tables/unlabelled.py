"""Windows without a segment, for training without labels: which are good enough, and which of them are drawn.

The rule is that of ``kinematics.unlabelled_windows``, read off the 133 points: the upper body and the hands are seen
well, and something moves as fast as micro-gestures do.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from kinematics.scale import normalise_positions
from kinematics.unlabelled_windows import WindowBounds, drawing_order, good_windows
from kinematics.unlabelled_windows import fastest_speeds as fastest_speeds_of_parts
from kinematics.windows import Floats, seconds_of
from releases.config import UnlabelledConfig
from schema.privacy import ID_HEX_DIGITS
from schema.records import KEYPOINT_COUNT, PART_SLICES, KeypointSequence, Part

PARTS: tuple[tuple[int, ...], ...] = ((0,), (5, 6), (9, 100), (10, 121))
"""Keypoints whose movement counts: nose, shoulders, each wrist with the root of its middle finger."""
UPPER_BODY = slice(0, 11)
"""Nose to wrists (COCO)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A window that counts."""

    window_id: str
    track_number: int
    start_ns: int
    end_ns: int
    rows: slice
    """Its rows within the track."""
    quality: float
    """Mean score of the upper body's and the hands' points, unseen ones as 0, 0..1."""
    movement: float
    """Median speed of the fastest part above its jitter, shoulder widths a second."""
    drawn_by: str
    """Windows with a smaller one are drawn first."""


def windows_of(
    track: KeypointSequence,
    *,
    labelled_ns: Iterable[tuple[int, int]],
    config: UnlabelledConfig,
    held: Collection[int] = range(KEYPOINT_COUNT),
) -> list[Window]:
    """List the windows of a track that count: side by side in the gaps between its segments, in order of time.

    Args:
        track: All keypoints of the track.
        labelled_ns: Spans of its segments, ns.
        config: Length and bounds.
        held: The points that the recording's layout has: an imported skeleton may have the tips of the fingers alone.
    """
    bounds = WindowBounds(
        window_seconds=config.window_seconds,
        min_quality=config.min_quality,
        slowest=config.slowest,
        fastest=config.fastest,
    )
    if track.times_ns.shape[0] < 2:
        return []
    good = good_windows(
        track.times_ns,
        quality=_qualities(track, held),
        speeds=fastest_speeds(track),
        bounds=bounds,
        labelled_ns=labelled_ns,
    )
    found: list[Window] = []
    for window in good:
        place = f"{track.video_id} {track.track_number} {window.start_ns} {bounds.length_ns}"
        found.append(
            Window(
                window_id="u" + sha256(place.encode()).hexdigest()[:ID_HEX_DIGITS],
                track_number=track.track_number,
                start_ns=window.start_ns,
                end_ns=window.end_ns,
                rows=window.rows,
                quality=window.quality,
                movement=window.movement,
                drawn_by=drawing_order(config.seed, place),
            )
        )
    return found


def draw(windows: Iterable[Window], *, quota: int) -> list[Window]:
    """Draw at most ``quota`` windows of a video by their hash; returns them by track and time."""
    drawn = sorted(windows, key=lambda window: window.drawn_by)[:quota]
    return sorted(drawn, key=lambda window: (window.track_number, window.start_ns))


def fastest_speeds(track: KeypointSequence) -> Floats:
    """Return the speed of the fastest of ``PARTS`` in each frame, shape ``(n,)``, shoulder widths a second."""
    return fastest_speeds_of_parts(normalise_positions(track), seconds_of(track.times_ns), parts=PARTS)


def _qualities(track: KeypointSequence, held: Collection[int]) -> Floats:
    looked_at = [*range(*UPPER_BODY.indices(KEYPOINT_COUNT))]
    for part in (Part.LEFT_HAND, Part.RIGHT_HAND):
        looked_at += range(*PART_SLICES[part].indices(KEYPOINT_COUNT))
    points = [point for point in looked_at if point in held]
    return np.asarray(track.scores[:, points].mean(axis=1, dtype=np.float64)) if points else np.zeros(len(track.scores))
