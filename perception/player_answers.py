"""What people answered to "which one is the player?", tied to today's tracks by time and place."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from schema.matching import box_iou
from schema.people import PersonAnchor, PlayerAnswer, Role
from schema.records import Track
from schema.timespan import NS_PER_SECOND

MIN_IOU = 0.3
"""Overlap that an anchor's box and a track's need: two trackers box the same seated person at 0.5 and more, and
neighbours overlap by less than 0.2."""
LONGEST_GAP_NS = NS_PER_SECOND // 2
"""How far a track's nearest frame may lie from an anchor."""


def counted_answers(answers: Sequence[PlayerAnswer], *, needed: int) -> list[PlayerAnswer]:
    """Return each annotator's newest answer; none at all before ``needed`` of them have answered."""
    newest: dict[str, PlayerAnswer] = {}
    for answer in sorted(answers, key=lambda a: (a.answered_ns, a.answer_id)):
        newest[answer.annotator_id] = answer
    return list(newest.values()) if len(newest) >= needed else []


def answered_roles(tracks: Sequence[Track], answers: Sequence[PlayerAnswer]) -> dict[int, Role]:
    """Return the role that most answers give to a track, by track number; a tie is undecided.

    Tracks that no anchor lies on are not in it. A track on which an answer's player and another of its people lie is
    the player's: it is wrongly followed, and what shows the player must not get lost.
    """
    votes: defaultdict[int, Counter[Role]] = defaultdict(Counter)
    for answer in answers:
        players = {n for anchor in answer.players if (n := track_at(tracks, anchor)) is not None}
        others = {n for anchor in answer.others if (n := track_at(tracks, anchor)) is not None}
        for number in players:
            votes[number][Role.PLAYER] += 1
        for number in others - players:
            votes[number][Role.OTHER] += 1
    return {number: _majority(count) for number, count in votes.items()}


def _majority(count: Counter[Role]) -> Role:
    if count[Role.PLAYER] == count[Role.OTHER]:
        return Role.UNDECIDED
    return Role.PLAYER if count[Role.PLAYER] > count[Role.OTHER] else Role.OTHER


def track_at(tracks: Sequence[Track], anchor: PersonAnchor) -> int | None:
    """Return the number of the track whose box at the anchor's time overlaps its box most; None: none does enough."""
    overlaps = {
        track.track_number: box_iou(track.box_at(anchor.time_ns), anchor.box_xyxy)
        for track in tracks
        if int(np.abs(track.times_ns - anchor.time_ns).min()) <= LONGEST_GAP_NS
    }
    best = max(overlaps, key=lambda number: (overlaps[number], -number), default=None)
    return best if best is not None and overlaps[best] >= MIN_IOU else None
