"""Which videos of a study show one recording or one event, and which copy is the one to work with."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from collectors.alignment import Alignment, align
from collectors.encounters import find_encounters, steady
from collectors.fingerprints import RATE_HZ, Fingerprint
from collectors.likeness import Likeness, compare
from schema.records import VideoId, VideoRecord
from schema.timespan import NS_PER_SECOND

COPY, SAME_EVENT = "copy", "same_event"
"""The links of the table ``duplicates``."""
SHORTEST_OVERLAP_S = 4.0
"""Shorter overlaps are no evidence: people who walk through one room agree as well for 4 s."""
LEAST_SHARE = 0.5
"""Share of the shorter video that lies within the longer one: an opening that all videos of a channel share is less."""
SCORE_BY_OVERLAP = ((4.0, 0.92), (5.0, 0.90), (8.0, 0.80), (12.0, 0.70), (20.0, 0.60))
"""Least score of a copy by the overlap in s, linear in between (``benchmarks/duplicates.py``).

Strangers who enter and leave the same room reach 0.85 in 5 s, 0.75 in 8 s, 0.65 in 12 s and 0.44 beyond; copies of
clips of 16 s and more have 0.84 and more under every transform.
"""
SCORE_BY_LIVELY = ((3.6, 0.80), (8.0, 0.70), (16.0, 0.60))
"""The same by the time in which both move, s; less than the first is no evidence: one cut may be most of it."""
ABOUT_AS_LONG = 0.9
"""A copy that lacks more than a tenth of the longest is never kept in its place, however fine its picture."""
MOVEMENTS_HELD = 16
"""Movement pictures that are held in memory at a time, 0.5 MB each for 6 minutes."""

Movement = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatesConfig:
    """What is done about copies."""

    skip_poorer: bool = True
    """Do not perceive a video of which the study holds a better copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyLink:
    """Two videos that show one recording."""

    first: VideoId
    second: VideoId
    score: float
    """Agreement of the movements, up to 1."""
    offset_s: float
    """Where the second begins in the first, s."""
    speed: float
    """How fast the second plays against the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A video and the one that stands for it: a row of the table ``duplicates``."""

    video_id: VideoId
    kept_video_id: VideoId
    link: str
    score: float
    offset_ns: int
    speed: float


def find_copies(fingerprints: Iterable[Fingerprint], *, movement_of: Callable[[VideoId], Movement]) -> list[CopyLink]:
    """Find the pairs of videos that show one recording, by id.

    The work grows with the time that the videos last, not with the number of pairs: only videos whose moments met
    are aligned, and only those that agree there are compared picture by picture.

    Args:
        fingerprints: The fingerprints, each video once.
        movement_of: Gives a video's movement pictures, shape ``(n, GRID, GRID)``; asked for few videos.
    """
    ordered = sorted(fingerprints, key=lambda fingerprint: fingerprint.video_id)
    motions = [steady(fingerprint.motion) for fingerprint in ordered]
    movement = lru_cache(maxsize=MOVEMENTS_HELD)(movement_of)
    found = []
    for encounter in find_encounters(ordered):
        first, second = ordered[encounter.first], ordered[encounter.second]
        alignment = align(motions[encounter.first], motions[encounter.second], encounter.hits)
        if alignment is None or not _overlap_is_enough(first, second, alignment):
            continue
        likeness = compare(movement(first.video_id), movement(second.video_id), alignment)
        if likeness is not None and is_copy(likeness) and _overlap_is_enough(first, second, likeness.alignment):
            found.append(_link(first.video_id, second.video_id, likeness))
    return found


def is_copy(likeness: Likeness) -> bool:
    """Tell whether the agreement is more than strangers in one room reach in the same time."""
    overlaps, scores = zip(*SCORE_BY_OVERLAP, strict=True)
    lively, lively_scores = zip(*SCORE_BY_LIVELY, strict=True)
    if likeness.overlap_s < SHORTEST_OVERLAP_S or likeness.lively_s < lively[0]:
        return False
    least = max(np.interp(likeness.overlap_s, overlaps, scores), np.interp(likeness.lively_s, lively, lively_scores))
    return bool(likeness.score >= least)


def _overlap_is_enough(first: Fingerprint, second: Fingerprint, alignment: Alignment) -> bool:
    positions = alignment.positions(second.motion.shape[0])
    inside = positions[(positions >= 0) & (positions <= first.motion.shape[0] - 1)]
    if inside.size < SHORTEST_OVERLAP_S * RATE_HZ:
        return False
    share_of_first = (inside[-1] - inside[0]) / first.motion.shape[0]
    return bool(max(inside.size / second.motion.shape[0], share_of_first) >= LEAST_SHARE)


def _link(first: VideoId, second: VideoId, likeness: Likeness) -> CopyLink:
    return CopyLink(
        first=first,
        second=second,
        score=min(1.0, likeness.score),
        offset_s=likeness.alignment.offset / RATE_HZ,
        speed=likeness.alignment.speed,
    )


def choose_duplicates(
    copies: Iterable[CopyLink], *, same_events: Iterable[Sequence[VideoId]] = (), videos: Mapping[VideoId, VideoRecord]
) -> list[Duplicate]:
    """Give every copy the best video of its recording, and every further video of an event the event's first by id.

    The best is about as long as the longest (a fine excerpt does not stand for the whole), and of those the highest,
    then the one with most bytes a second, then the longest.

    Args:
        copies: What ``find_copies`` found.
        same_events: Videos of one event; those that are copies of each other are linked as copies alone.
        videos: The study's videos; links to others are passed over.
    """
    links = [link for link in copies if link.first in videos and link.second in videos]
    neighbours: dict[VideoId, list[tuple[VideoId, CopyLink]]] = {}
    for link in links:
        neighbours.setdefault(link.first, []).append((link.second, link))
        neighbours.setdefault(link.second, []).append((link.first, link))
    rows: dict[VideoId, Duplicate] = {}
    kept_of: dict[VideoId, VideoId] = {}
    for start in sorted(neighbours):
        if start in kept_of:
            continue
        group = _reached(start, neighbours)
        kept = _best([videos[video_id] for video_id in group])
        kept_of |= dict.fromkeys(group, kept)
        rows |= {row.video_id: row for row in _copies_of(kept, neighbours)}
    for event in same_events:
        members = sorted({kept_of.get(video_id, video_id) for video_id in event if video_id in videos})
        for first, other in ((members[0], member) for _, member in pairwise(members)):
            rows.setdefault(other, _same_event(other, first))
    return [rows[video_id] for video_id in sorted(rows)]


def _reached(start: VideoId, neighbours: Mapping[VideoId, list[tuple[VideoId, CopyLink]]]) -> list[VideoId]:
    reached, waiting = {start}, [start]
    while waiting:
        for other, _ in neighbours[waiting.pop()]:
            if other not in reached:
                reached.add(other)
                waiting.append(other)
    return sorted(reached)


def _best(videos: list[VideoRecord]) -> VideoId:
    longest = max(video.duration_ns for video in videos)
    whole = [video for video in videos if video.duration_ns >= ABOUT_AS_LONG * longest]

    def quality(video: VideoRecord) -> tuple[int, float, int]:
        return video.height, video.byte_count / max(video.duration_ns, 1), video.duration_ns

    finest = max(quality(video) for video in whole)
    return min(video.video_id for video in whole if quality(video) == finest)


def _copies_of(kept: VideoId, neighbours: Mapping[VideoId, list[tuple[VideoId, CopyLink]]]) -> Iterable[Duplicate]:
    """Walk from the kept video to its copies, the surest links first, and carry time along."""
    placed: dict[VideoId, tuple[float, float, float]] = {kept: (0.0, 1.0, 1.0)}
    waiting = [kept]
    while waiting:
        at = waiting.pop(0)
        offset, speed, score = placed[at]
        for other, link in sorted(neighbours[at], key=lambda found: (-found[1].score, found[0])):
            if other in placed:
                continue
            further, times = _seen_from(at, link)
            placed[other] = (offset + speed * further, speed * times, min(score, link.score))
            waiting.append(other)
    for video_id, (offset, speed, score) in placed.items():
        if video_id != kept:
            yield Duplicate(
                video_id=video_id,
                kept_video_id=kept,
                link=COPY,
                score=round(score, 4),
                offset_ns=round(offset * NS_PER_SECOND),
                speed=round(speed, 4),
            )


def _seen_from(video_id: VideoId, link: CopyLink) -> tuple[float, float]:
    """Return where the other video begins in this one, s, and how fast it plays."""
    if link.first == video_id:
        return link.offset_s, link.speed
    return -link.offset_s / link.speed, 1 / link.speed


def _same_event(video_id: VideoId, first: VideoId) -> Duplicate:
    return Duplicate(video_id=video_id, kept_video_id=first, link=SAME_EVENT, score=1.0, offset_ns=0, speed=1.0)
