"""Tell the player from moderators and passers-by: the most prominent person of each shot."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from schema.records import Track
from schema.timespan import NS_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayersConfig:
    """Settings of the choice of players."""

    min_ratio: float = 1.5
    """How many times more prominent than the runner-up the player must be; below that, nobody is chosen."""


def choose_players(tracks: Sequence[Track], *, config: PlayersConfig) -> frozenset[int]:
    """Choose the player among the tracks of one video.

    Args:
        tracks: The tracks of one video, in any order.
        config: Settings.

    Returns:
        The track number of the most prominent person of each shot, where it is clearly so; a shot whose two most
        prominent people are alike gives none.
    """
    by_shot: defaultdict[int, list[Track]] = defaultdict(list)
    for track in tracks:
        by_shot[track.shot_number].append(track)
    chosen = set()
    for people in by_shot.values():
        ranked = sorted(people, key=lambda track: (-prominence_of(track), track.track_number))
        if len(ranked) == 1 or prominence_of(ranked[0]) >= config.min_ratio * prominence_of(ranked[1]):
            chosen.add(ranked[0].track_number)
    return frozenset(chosen)


def prominence_of(track: Track) -> float:
    """Return mean box area times seconds seen, in square pixel seconds."""
    widths = track.boxes_xyxy[:, 2] - track.boxes_xyxy[:, 0]
    heights = track.boxes_xyxy[:, 3] - track.boxes_xyxy[:, 1]
    return float(np.mean(widths * heights, dtype=np.float64)) * seconds_seen(track)


def seconds_seen(track: Track) -> float:
    """Return how long a track lasts in seconds; its last frame counts as long as its others do on average."""
    count = track.times_ns.shape[0]
    between_ns = int(track.times_ns[-1] - track.times_ns[0])
    return float(between_ns / NS_PER_SECOND * count / max(count - 1, 1))
