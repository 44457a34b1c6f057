"""Recordings whose people are held in several splits by earlier releases or by a list: which videos give way."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from releases.splits.config import SPLITS
from releases.splits.groups import recordings_of

COPY_ELSEWHERE = "copy_in_another_split"
"""A copy of the video stays, and is in a split that an earlier release or a list fixed."""
EVENT_ELSEWHERE = "event_in_another_split"
"""Another video of the event stays, and is in such a split."""
PEOPLE_APART = "people_in_two_splits"
"""Two people are in the video, and each is fixed in a split of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Recordings that no longer reach into two splits."""

    pinned: dict[str, str]
    """Splits of the people who were fixed, and of those whom a recording ties to them."""
    left_out: dict[str, str]
    """Why a video is left out, by video id."""


@dataclass(slots=True, kw_only=True)
class _Recording:
    people: dict[str, frozenset[str]]
    """Known people by video; videos without any are not in it."""
    clips: dict[str, int]


def settle(
    people_of_video: Mapping[str, Collection[str]],
    *,
    copies: Iterable[tuple[str, str]],
    events: Iterable[tuple[str, str]],
    clip_counts: Mapping[str, int],
    fixed: Mapping[str, str],
) -> Settled:
    """Leave out videos until no recording or event holds people of two splits; nobody changes sides.

    Of a recording the videos on the side with fewer clips go; where there are as many, the side with fewer best
    copies, then the later one of train, val, test. Then those who share a recording with somebody who is fixed take
    that side, recordings with most clips first, and what that tears is settled the same way.

    Args:
        people_of_video: Known people by video id.
        copies: Pairs of copies, the poorer first.
        events: Pairs of videos of one event.
        clip_counts: Segments by video id.
        fixed: Splits by person.
    """
    copies, events = list(copies), list(events)
    recording_of = recordings_of(people_of_video, [*copies, *events])
    copy_of = recordings_of(people_of_video, copies)
    poorer = {video_id for video_id, _ in copies}
    recordings: dict[str, _Recording] = {}
    for video_id in sorted(people_of_video):
        if people_of_video[video_id]:
            recording = recordings.setdefault(recording_of[video_id], _Recording(people={}, clips={}))
            recording.people[video_id] = frozenset(people_of_video[video_id])
            recording.clips[video_id] = clip_counts.get(video_id, 0)
    shared = {name: one for name, one in recordings.items() if len(frozenset().union(*one.people.values())) > 1}
    pinned, left_out = dict(fixed), dict[str, str]()
    while True:
        for recording in shared.values():
            left_out |= _leave_out(recording, pinned, copy_of, poorer)
        following = _next_to_pin(shared, pinned)
        if following is None:
            return Settled(pinned=pinned, left_out=dict(sorted(left_out.items())))
        recording, side = following
        pinned |= {person: side for people in recording.people.values() for person in people}


def _leave_out(
    recording: _Recording, pinned: Mapping[str, str], copy_of: Mapping[str, str], poorer: Collection[str]
) -> dict[str, str]:
    """Take out of a recording the videos that must go, and say why."""
    sides_of = {
        video_id: {pinned[person] for person in people if person in pinned}
        for video_id, people in recording.people.items()
    }
    gone = {video_id: PEOPLE_APART for video_id, sides in sides_of.items() if len(sides) > 1}
    side_of = {video_id: min(sides) for video_id, sides in sides_of.items() if len(sides) == 1}
    if len({*side_of.values()}) > 1:
        clips, best = Counter[str](), Counter[str]()
        for video_id, side in side_of.items():
            clips[side] += recording.clips[video_id]
            best[side] += video_id not in poorer
        stays = min({*side_of.values()}, key=lambda side: (-clips[side], -best[side], SPLITS.index(side)))
        staying = {copy_of[video_id] for video_id, side in side_of.items() if side == stays}
        for video_id, side in side_of.items():
            if side != stays:
                gone[video_id] = COPY_ELSEWHERE if copy_of[video_id] in staying else EVENT_ELSEWHERE
    for video_id in gone:
        del recording.people[video_id]
    return gone


def _next_to_pin(shared: Mapping[str, _Recording], pinned: Mapping[str, str]) -> tuple[_Recording, str] | None:
    """Return the recording with most clips that has a side and people without one, and that side."""
    waiting: list[tuple[int, str, str]] = []
    for name, recording in shared.items():
        people = frozenset().union(*recording.people.values())
        sides = {pinned[person] for person in people if person in pinned}
        if sides and people - pinned.keys():
            waiting.append((-sum(recording.clips[video_id] for video_id in recording.people), name, min(sides)))
    if not waiting:
        return None
    _, name, side = min(waiting)
    return shared[name], side
