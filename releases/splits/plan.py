"""Which subject is in train, val or test: by subject, by recording and by event, fixed once published."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from releases.facts import LeakReport
from releases.splits.balance import CLASS, PEOPLE, SEGMENTS, Stratum, share_out
from releases.splits.config import SplitsConfig
from releases.splits.groups import groups_of, recordings_of
from releases.splits.leaks import (
    find_leaks_in_links,
    find_leaks_in_rows,
    find_torn_matches,
    leak_check,
    refuse_leaks,
)
from releases.splits.settle import COPY_ELSEWHERE, EVENT_ELSEWHERE, PEOPLE_APART, settle
from schema.errors import InvalidReleaseError

_WHY_LEFT_OUT = {
    COPY_ELSEWHERE: "left out: another copy of the recording stays, in the split where its person was before",
    EVENT_ELSEWHERE: "left out: another video of the event stays, in the split where its person was before",
    PEOPLE_APART: "left out: two people are in it whom earlier releases or a list put in two splits",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSegment:
    """What the shares are met for."""

    subject_id: str | None
    """None: nobody declared who it is; such segments are counted, and placed by others."""
    video_id: str
    class_id: str | None
    match_outcome: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRequest:
    """Who is to be placed, what ties people together, and what is decided already."""

    segments: Sequence[SplitSegment]
    other_subjects: Iterable[str] = ()
    """People who have no segments, only windows without labels."""
    subjects_of_video: Mapping[str, Collection[str]] = field(default_factory=dict)
    """All known people in each video that the release may hold."""
    sexes: Mapping[str, str] = field(default_factory=dict)
    """``f`` or ``m`` by subject; empty or absent: not declared."""
    copies: Sequence[tuple[str, str]] = ()
    """Pairs of videos that are copies of one recording, the poorer one first."""
    events: Sequence[tuple[str, str]] = ()
    """Pairs of videos that show one event."""
    match_of: Mapping[str, str] = field(default_factory=dict)
    """The match before each press conference, by video id."""
    locked: Mapping[str, str] = field(default_factory=dict)
    """Splits of earlier releases, by subject."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Splits that a list gives, by subject."""
    config: SplitsConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPlan:
    """Who is where."""

    assignment: dict[str, str]
    """Split of every subject that has segments or is among ``other_subjects``, by subject id."""
    recording_of: dict[str, str]
    """The video that stands for all copies of a recording and for its event, by video id."""
    left_out_videos: dict[str, str]
    """Why a video must not be in the release, by video id."""
    report: LeakReport


def plan_splits(request: SplitRequest) -> SplitPlan:
    """Give every subject one split, so that the wanted shares are met as well as whole people allow.

    Subjects of earlier releases and of lists stay where they are; people of one recording or event (of one match, if
    ``match_disjoint``) share a side; the others follow as ``releases.splits.balance`` says. Where earlier releases or
    lists hold the people of one recording apart, nobody moves: the videos of the side with fewer clips are left out.
    People of a list are not counted towards the shares: those are for the others.

    With one person there is nothing to hold out: they are in ``train``. The result depends on neither the order of the
    input nor chance.

    Raises:
        InvalidReleaseError: A list contradicts an earlier release; nobody of ``leave_out`` is in the release;
            ``match_disjoint`` can't be had; or the finished plan leaks.
    """
    people_of_video = _people_of_video(request)
    fixed = _fixed(request, people_of_video)
    settled = settle(
        people_of_video,
        copies=request.copies,
        events=request.events,
        clip_counts=Counter(segment.video_id for segment in request.segments),
        fixed=fixed,
    )
    assignment = _place(request, people_of_video, settled.pinned, settled.left_out)
    links = [*request.copies, *request.events]
    return SplitPlan(
        assignment=assignment,
        recording_of=recordings_of(people_of_video, links),
        left_out_videos=settled.left_out,
        report=_proven(request, people_of_video, assignment, settled.left_out),
    )


def _people_of_video(request: SplitRequest) -> dict[str, set[str]]:
    people = {video_id: set(known) for video_id, known in request.subjects_of_video.items()}
    for segment in request.segments:
        known = people.setdefault(segment.video_id, set())
        if segment.subject_id is not None:
            known.add(segment.subject_id)
    return people


def _to_place(request: SplitRequest) -> list[str]:
    labelled = {segment.subject_id for segment in request.segments if segment.subject_id is not None}
    return sorted(labelled.union(request.other_subjects))


def _fixed(request: SplitRequest, people_of_video: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Return the splits that are decided: by lists and, unless the study splits anew, by earlier releases."""
    listed = dict(request.fixed)
    if request.config.leave_out:
        everybody = {*_to_place(request), *(person for people in people_of_video.values() for person in people)}
        listed |= dict.fromkeys(sorted(everybody - listed.keys()), "train")
        if not any(listed.get(person) == "test" for person in _to_place(request)):
            raise InvalidReleaseError(
                "release.splits.leave_out: none of these people has anything in the release, so test would be empty"
            )
    if request.config.re_split:
        return listed
    moved = [person for person, split in request.locked.items() if listed.get(person, split) != split]
    if moved:
        raise InvalidReleaseError(
            f"release.splits: the list puts {len(moved)} people in another split than earlier releases did; "
            "set release.splits.re_split to let them move, or correct the list"
        )
    return {**listed, **request.locked}


def _place(
    request: SplitRequest,
    people_of_video: Mapping[str, Collection[str]],
    pinned: Mapping[str, str],
    left_out: Mapping[str, str],
) -> dict[str, str]:
    kept = {video_id: people for video_id, people in people_of_video.items() if video_id not in left_out}
    recording_of = recordings_of(kept, [*request.copies, *request.events])
    together: defaultdict[str, set[str]] = defaultdict(set)
    for video_id, people in kept.items():
        together[f"recording {recording_of[video_id]}"].update(people)
        if request.config.match_disjoint and video_id in request.match_of:
            together[f"match {request.match_of[video_id]}"].update(people)
    to_place = _to_place(request)
    everybody = {*to_place, *(person for people in together.values() for person in people)}
    groups = groups_of(everybody, together.values())
    side_of_group = _sides(groups, pinned)
    counts = _counts(request, left_out)
    sides = share_out(
        groups,
        [sum((counts[person] for person in group), Counter()) for group in groups],
        pinned=side_of_group,
        shares=request.config.shares,
    )
    split_of = {person: split for group, split in zip(groups, sides, strict=True) for person in group}
    return {person: split_of[person] for person in to_place}


def _sides(groups: Sequence[Sequence[str]], pinned: Mapping[str, str]) -> dict[int, str]:
    """Return the side of each group with somebody whose split is decided; recordings have been settled before."""
    found = {number: {pinned[person] for person in group if person in pinned} for number, group in enumerate(groups)}
    torn = sum(len(sides) > 1 for sides in found.values())
    if torn:
        raise InvalidReleaseError(
            f"release.splits.match_disjoint: {torn} groups of people who played each other are in several splits by "
            "earlier releases or lists; set release.splits.re_split, or switch match_disjoint off"
        )
    return {number: min(sides) for number, sides in found.items() if sides}


def _counts(request: SplitRequest, left_out: Mapping[str, str]) -> defaultdict[str, Counter[Stratum]]:
    """Count what each person brings to the release; people of a list bring nothing, the shares are for the others."""
    balanced = set(request.config.balance)
    counts: defaultdict[str, Counter[Stratum]] = defaultdict(Counter)
    for person in _to_place(request):
        if person not in request.fixed:
            counts[person][PEOPLE, ""] += 1
    for segment in request.segments:
        subject = segment.subject_id
        if subject is None or subject in request.fixed or segment.video_id in left_out:
            continue
        counts[subject][SEGMENTS, ""] += 1
        if CLASS in balanced:
            counts[subject][CLASS, segment.class_id or ""] += 1
        if "match_outcome" in balanced and segment.match_outcome:
            counts[subject]["match_outcome", segment.match_outcome] += 1
        if "sex" in balanced and request.sexes.get(subject):
            counts[subject]["sex", request.sexes[subject]] += 1
    return counts


def _proven(
    request: SplitRequest,
    people_of_video: Mapping[str, Collection[str]],
    assignment: Mapping[str, str],
    left_out: Mapping[str, str],
) -> LeakReport:
    """Check the finished plan with code that did not make it."""
    sides = {
        video_id: {assignment[person] for person in people if person in assignment}
        for video_id, people in people_of_video.items()
        if video_id not in left_out
    }
    rows = [
        {"subject_id": one.subject_id, "video_id": one.video_id, "split": assignment[one.subject_id]}
        for one in request.segments
        if one.subject_id is not None and one.video_id not in left_out
    ]
    subject, _, _ = find_leaks_in_rows(segments=rows, videos=())
    recording, conference = find_leaks_in_links(
        sides, copies=request.copies, events=request.events, people_of_video=people_of_video
    )
    unknown = sum(segment.subject_id is None for segment in request.segments)
    kept = {video_id: people_of_video[video_id] for video_id in sides}
    match = find_torn_matches(request.match_of, people_of_video=kept, split_of=assignment)
    checks = (subject, recording, conference, leak_check("unknown_subject", checked=unknown, found=0), match)
    refuse_leaks(checks, match_disjoint=request.config.match_disjoint)
    return LeakReport(checks=checks, copies_left_out=len(left_out), notes=_notes(left_out))


def _notes(left_out: Mapping[str, str]) -> tuple[str, ...]:
    counts = Counter(left_out.values())
    return tuple(
        f"{counts[reason]} {'video is' if counts[reason] == 1 else 'videos are'} {words}"
        for reason, words in _WHY_LEFT_OUT.items()
        if counts[reason]
    )
