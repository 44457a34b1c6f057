"""Put a video's tracks together that show the same person, and add up what is known of each person.

Nobody is recognised: clothes, size and place are compared, within one video alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from perception.pictures import color_likeness
from schema.people import Quality
from schema.records import Track
from schema.timespan import NS_PER_SECOND

COLORS, PLACE, SIZE = 0.7, 0.15, 0.15
"""What clothes, place in the picture and size count in the likeness of two tracks."""
_UNKNOWN_COLORS = 0.5
"""Likeness of clothes where one of the two is too small to tell."""
_NEVER = 2.0
"""Distance of two tracks that are seen at once: they are not one person."""
_MOST_SHARED = 0.2
"""Share of the shorter track in which two tracks may overlap in time and be one person all the same: a tracker that
loses somebody and begins anew follows both for a moment."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Person:
    """What is known of one person of a video; numbers are means over the tracks, weighted by their seconds."""

    tracks: tuple[Track, ...]
    """In order of first frame."""
    seconds: float
    time_share: float
    """Of the time in which anybody is followed."""
    size: float
    """Square root of the box's area against the picture's."""
    center_distance: float
    """Of the box's middle from the picture's middle line, 0..1 of half the picture's width."""
    travel: float
    """Way of the box's centre in box widths a second, over seconds: swaying adds little, walking much."""
    facing_share: float | None
    """Share of samples with a face turned to the camera; None where nobody looked."""
    frozen_share: float
    """Share of samples without any change."""
    sample_count: int


def seconds_seen(track: Track) -> float:
    """Return how long a track lasts in seconds; its last frame counts as long as its others do on average."""
    count = track.times_ns.shape[0]
    between_ns = int(track.times_ns[-1] - track.times_ns[0])
    return float(between_ns / NS_PER_SECOND * count / max(count - 1, 1))


def gather_people(
    tracks: Sequence[Track], qualities: dict[int, Quality], *, size: tuple[int, int], min_likeness: float
) -> list[Person]:
    """Put tracks of one person together.

    Tracks that are seen at once are two people. Any two tracks of a person are alike (complete linkage, scipy's
    ``linkage``), so that likeness does not run on from one person to the next.

    Args:
        tracks: The tracks of one video.
        qualities: Their measurements, by track number.
        size: The picture's width and height.
        min_likeness: How alike tracks of one person are at least, 0..1.

    Returns:
        The people, in order of first frame.
    """
    tracks = sorted(tracks, key=lambda t: (int(t.frame_indices[0]), t.track_number))
    groups = _grouped(tracks, qualities, size=size, min_likeness=min_likeness)
    shown_count = _frame_count(tracks)
    return [_person(group, qualities, size=size, shown_count=shown_count) for group in groups]


def _grouped(
    tracks: list[Track], qualities: dict[int, Quality], *, size: tuple[int, int], min_likeness: float
) -> list[list[Track]]:
    if len(tracks) < 2:
        return [[track] for track in tracks]
    from scipy.cluster.hierarchy import fcluster, linkage

    distances = [
        _NEVER if _are_seen_at_once(a, b) else 1 - likeness(a, b, qualities, size=size)
        for a, b in combinations(tracks, 2)
    ]
    numbers = fcluster(linkage(np.array(distances), method="complete"), 1 - min_likeness, criterion="distance")
    groups: dict[int, list[Track]] = {}
    for track, number in zip(tracks, numbers.tolist(), strict=True):
        groups.setdefault(number, []).append(track)
    return list(groups.values())


def are_seen_together(first: Person, second: Person) -> bool:
    """Tell whether two people are in one picture at any time."""
    return any(_are_seen_at_once(a, b) for a in first.tracks for b in second.tracks)


def _are_seen_at_once(first: Track, second: Track) -> bool:
    if first.frame_indices[0] > second.frame_indices[-1] or second.frame_indices[0] > first.frame_indices[-1]:
        return False
    shared: int = np.intersect1d(first.frame_indices, second.frame_indices, assume_unique=True).shape[0]
    return shared > _MOST_SHARED * min(len(first.frame_indices), len(second.frame_indices))


def likeness(first: Track, second: Track, qualities: dict[int, Quality], *, size: tuple[int, int]) -> float:
    """Return how alike two tracks are in clothes, place and size, 0..1."""
    colors = [qualities[t.track_number].colors if t.track_number in qualities else None for t in (first, second)]
    clothes = _UNKNOWN_COLORS
    if colors[0] is not None and colors[1] is not None:
        clothes = color_likeness(colors[0], colors[1])
    (place, area), (other_place, other_area) = (_place_and_area(t, size) for t in (first, second))
    nearness = max(0.0, 1 - 2 * abs(place - other_place))
    alike = math.sqrt(min(area, other_area) / max(area, other_area))
    return COLORS * clothes + PLACE * nearness + SIZE * alike


def _place_and_area(track: Track, size: tuple[int, int]) -> tuple[float, float]:
    x1, y1, x2, y2 = np.median(track.boxes_xyxy.astype(np.float64), axis=0)
    return float(x1 + x2) / 2 / size[0], max(float(x2 - x1) * float(y2 - y1), 1.0) / (size[0] * size[1])


def _person(tracks: list[Track], qualities: dict[int, Quality], *, size: tuple[int, int], shown_count: int) -> Person:
    seconds = np.array([max(seconds_seen(t), 1e-3) for t in tracks])
    weights = seconds / seconds.sum()
    measured = [qualities.get(t.track_number) for t in tracks]
    faces = [(w, q.facing_share) for w, q in zip(weights, measured, strict=True) if q and q.facing_share is not None]
    places = [_place_and_area(t, size) for t in tracks]
    return Person(
        tracks=tuple(tracks),
        seconds=float(seconds.sum()),
        time_share=_frame_count(tracks) / shown_count,
        size=float(weights @ [area**0.5 for _, area in places]),
        center_distance=float(weights @ [abs(2 * place - 1) for place, _ in places]),
        travel=float(weights @ [_travel(t) for t in tracks]),
        facing_share=sum(w * f for w, f in faces) / sum(w for w, _ in faces) if faces else None,
        frozen_share=float(weights @ [q.frozen_share if q else 0.0 for q in measured]),
        sample_count=sum(q.sample_count for q in measured if q),
    )


def _frame_count(tracks: list[Track]) -> int:
    return int(np.unique(np.concatenate([t.frame_indices for t in tracks])).shape[0]) if tracks else 0


def _travel(track: Track) -> float:
    """Return the way of the box's middle a second, in box widths, between means of a second each."""
    seconds = (track.times_ns - track.times_ns[0]) / NS_PER_SECOND
    if seconds[-1] < 1.0:
        return 0.0
    boxes: npt.NDArray[np.float64] = track.boxes_xyxy.astype(np.float64)
    whole = np.floor(seconds).astype(np.int64)
    counts = np.bincount(whole)
    middle = np.bincount(whole, weights=(boxes[:, 0] + boxes[:, 2]) / 2)[counts > 0] / counts[counts > 0]
    width = float(np.median(boxes[:, 2] - boxes[:, 0]))
    return float(np.abs(np.diff(middle)).sum() / max(width, 1.0) / seconds[-1])
