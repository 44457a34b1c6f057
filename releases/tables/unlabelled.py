"""Windows without a segment, for training without labels: which are good enough, and which of them are drawn.

The rule is pressroom's own: iMiGUE-3K's abstract names "a novel data sampling strategy to obtain high-quality samples"
and does not say which. A window counts when the upper body and the hands are seen well and something moves as fast as
micro-gestures do; of one person at most so many are drawn, by a seeded hash.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from kinematics.movement import displacements, jitter_floor
from kinematics.scale import normalise_positions
from kinematics.windows import Floats, seconds_of
from releases.config import UnlabelledConfig
from schema.privacy import ID_HEX_DIGITS
from schema.records import KEYPOINT_COUNT, PART_SLICES, KeypointSequence, Part
from schema.timespan import NS_PER_SECOND

PARTS: tuple[tuple[int, ...], ...] = ((0,), (5, 6), (9, 100), (10, 121))
"""Keypoints whose movement counts: nose, shoulders, each wrist with the root of its middle finger."""
UPPER_BODY = slice(0, 11)
"""Nose to wrists (COCO)."""
SPEED_OVER_S = 0.2
"""Over so long a speed is measured, between means over half of it."""

TELLING = 2.5
"""Times its jitter that a part must move to count: noise alone does in ``exp(-2.5^2 / 2)`` = 4 % of the frames."""


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


def quotas(videos_of_subject: Mapping[str, Iterable[str]], *, most_per_subject: int) -> dict[str, int]:
    """Share out each subject's windows evenly among the subject's videos; returns windows by video.

    A video that two subjects share gets the sum of both shares.
    """
    shares: dict[str, int] = {}
    for videos in videos_of_subject.values():
        ordered = sorted(set(videos))
        for place, video_id in enumerate(ordered):
            share = most_per_subject // len(ordered) + (place < most_per_subject % len(ordered))
            shares[video_id] = shares.get(video_id, 0) + share
    return shares


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
    length_ns = round(config.window_seconds * NS_PER_SECOND)
    times_ns = track.times_ns
    if times_ns.shape[0] < 2:
        return []
    quality, speeds = _qualities(track, held), fastest_speeds(track)
    found: list[Window] = []
    for start_ns in _starts(int(times_ns[0]), int(times_ns[-1]), sorted(labelled_ns), length_ns=length_ns):
        first, end = (int(row) for row in np.searchsorted(times_ns, [start_ns, start_ns + length_ns]))
        if not _is_whole(times_ns[first:end], length_ns=length_ns):
            continue
        good, movement = float(quality[first:end].mean()), float(np.median(speeds[first:end]))
        if good >= config.min_quality and config.slowest <= movement <= config.fastest:
            place = f"{track.video_id} {track.track_number} {start_ns} {length_ns}"
            found.append(
                Window(
                    window_id="u" + sha256(place.encode()).hexdigest()[:ID_HEX_DIGITS],
                    track_number=track.track_number,
                    start_ns=start_ns,
                    end_ns=start_ns + length_ns,
                    rows=slice(first, end),
                    quality=good,
                    movement=movement,
                    drawn_by=sha256(f"{config.seed} {place}".encode()).hexdigest(),
                )
            )
    return found


def draw(windows: Iterable[Window], *, quota: int) -> list[Window]:
    """Draw at most ``quota`` windows of a video by their hash; returns them by track and time."""
    drawn = sorted(windows, key=lambda window: window.drawn_by)[:quota]
    return sorted(drawn, key=lambda window: (window.track_number, window.start_ns))


def fastest_speeds(track: KeypointSequence) -> Floats:
    """Return the speed of the fastest of ``PARTS`` in each frame, less what its jitter alone would show.

    Shape ``(n,)``, shoulder widths a second; 0 where no part is seen. Jitter and movement add up as variances:
    ``sqrt(d^2 - (g * s)^2) / t`` with the distance d that the part moves in t seconds, the noise gain g of that
    measure and the jitter's standard deviation s (``kinematics.movement``), where d exceeds ``TELLING`` times g * s.
    """
    positions, times_s = normalise_positions(track), seconds_of(track.times_ns)
    fastest = np.zeros(times_s.shape[0])
    for points in PARTS:
        part = positions[:, list(points)]
        far, gain = displacements(part, times_s, over_s=SPEED_OVER_S, smooth_s=SPEED_OVER_S / 2)
        noise = gain * jitter_floor(part, times_s)
        beyond = np.where(far > TELLING * noise, far**2 - noise**2, 0.0)
        fastest = np.maximum(fastest, np.sqrt(np.maximum(beyond, 0.0)) / SPEED_OVER_S)
    return fastest


def _qualities(track: KeypointSequence, held: Collection[int]) -> Floats:
    looked_at = [*range(*UPPER_BODY.indices(KEYPOINT_COUNT))]
    for part in (Part.LEFT_HAND, Part.RIGHT_HAND):
        looked_at += range(*PART_SLICES[part].indices(KEYPOINT_COUNT))
    points = [point for point in looked_at if point in held]
    return np.asarray(track.scores[:, points].mean(axis=1, dtype=np.float64)) if points else np.zeros(len(track.scores))


def _starts(first_ns: int, last_ns: int, labelled_ns: list[tuple[int, int]], *, length_ns: int) -> Iterable[int]:
    free_from = first_ns
    for start_ns, end_ns in [*labelled_ns, (last_ns, last_ns)]:
        while free_from + length_ns <= start_ns:
            yield free_from
            free_from += length_ns
        free_from = max(free_from, end_ns)


def _is_whole(times_ns: np.ndarray, *, length_ns: int) -> bool:
    """Tell whether a window holds frames throughout: no hole of more than a quarter of its length."""
    if times_ns.shape[0] < 2:
        return False
    covered = int(times_ns[-1] - times_ns[0])
    return bool(np.max(np.diff(times_ns)) <= length_ns / 4 and covered >= 3 * length_ns / 4)
