"""The proof that the splits leak nothing: counted from what a release holds, not from how it was planned."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from releases.facts import LeakCheck, LeakReport
from releases.splits.config import SPLITS
from schema.errors import InvalidReleaseError

LEAK_REPORT_FORMAT = "pressroom-leak-report"
QUESTIONS = {
    "subject": "Is a person in two splits?",
    "recording": "Is a recording, or a copy of it, in two splits?",
    "conference": "Is a conference that several people give, or several videos show, in two splits?",
    "unknown_subject": "Is somebody whom nobody declared in val or test?",
    "match": "Are the two players of a match in different splits?",
}
"""What each check asks, in the order of the report."""
Row = Mapping[str, Any]


def leak_check(name: str, *, checked: int, found: int) -> LeakCheck:
    """Make the answer to one of ``QUESTIONS``."""
    return LeakCheck(name=name, question=QUESTIONS[name], checked=checked, found=found)


def refuse_leaks(checks: Iterable[LeakCheck], *, match_disjoint: bool = False) -> None:
    """Raise ``InvalidReleaseError`` for the first check that found something; torn matches count if they are told to.

    Args:
        checks: What was looked at.
        match_disjoint: ``release.splits.match_disjoint``.
    """
    for check in checks:
        if check.found and (match_disjoint or check.name != "match"):
            raise InvalidReleaseError(
                f"the splits leak: {check.question} {check.found} of {check.checked}: set release.splits.re_split, or "
                "leave these videos out"
            )


def find_leaks_in_rows(
    *, segments: Iterable[Row], unlabelled: Iterable[Row] = (), videos: Iterable[Row]
) -> tuple[LeakCheck, LeakCheck, LeakCheck]:
    """Check a release's own rows: subject, recording and unknown_subject.

    Args:
        segments: Rows with ``subject_id``, ``video_id`` and ``split``.
        unlabelled: Rows with the same columns.
        videos: Rows with ``video_id``, ``recording_id`` and ``split``; a row of *segments* or *unlabelled* whose video
            has none counts as a recording of its own.
    """
    splits_of_person: defaultdict[str, set[str]] = defaultdict(set)
    splits_of_video: defaultdict[str, set[str]] = defaultdict(set)
    unknown = held_out = 0
    for rows in (segments, unlabelled):
        for row in rows:
            splits_of_video[row["video_id"]].add(row["split"])
            if row["subject_id"] is not None:
                splits_of_person[row["subject_id"]].add(row["split"])
            else:
                unknown += 1
                held_out += row["split"] != "train"
    recording_of: dict[str, str] = {}
    splits_of_recording: defaultdict[str, set[str]] = defaultdict(set)
    for row in videos:
        recording_of[row["video_id"]] = row["recording_id"]
        splits_of_recording[row["recording_id"]].add(row["split"])
    for video_id, splits in splits_of_video.items():
        splits_of_recording[recording_of.get(video_id, video_id)] |= splits
    return (
        leak_check("subject", checked=len(splits_of_person), found=_torn(splits_of_person.values())),
        leak_check("recording", checked=len(splits_of_recording), found=_torn(splits_of_recording.values())),
        leak_check("unknown_subject", checked=unknown, found=held_out),
    )


def find_leaks_in_links(
    sides: Mapping[str, Collection[str]],
    *,
    copies: Collection[tuple[str, str]],
    events: Collection[tuple[str, str]],
    people_of_video: Mapping[str, Collection[str]],
) -> tuple[LeakCheck, LeakCheck]:
    """Check recordings and joint conferences by walking from video to video.

    Args:
        sides: The splits of the people in each video that the release may hold, by video id.
        copies: Pairs of copies; both kinds of pairs may lead through videos that are not in ``sides``.
        events: Pairs of videos of one event.
        people_of_video: Known people; a video with several is a conference though no other shows it.
    """
    recordings = [[v for v in reached if v in sides] for reached in _walks(sides, copies)]
    recordings = [members for members in recordings if members]
    of_event = {video_id for pair in events for video_id in pair}
    conferences = [
        [v for v in reached if v in sides]
        for reached in _walks(sides, [*copies, *events])
        if of_event.intersection(reached) or any(len(people_of_video.get(v, ())) > 1 for v in reached)
    ]
    conferences = [members for members in conferences if members]
    return (
        leak_check("recording", checked=len(recordings), found=_torn_videos(recordings, sides)),
        leak_check("conference", checked=len(conferences), found=_torn_videos(conferences, sides)),
    )


def _walks(starts: Iterable[str], links: Iterable[tuple[str, str]]) -> list[list[str]]:
    """List what can be reached from each start, every video once."""
    neighbours: defaultdict[str, set[str]] = defaultdict(set)
    for one, other in links:
        neighbours[one].add(other)
        neighbours[other].add(one)
    seen: set[str] = set()
    walks = []
    for start in sorted(starts):
        if start in seen:
            continue
        reached = [start]
        seen.add(start)
        for at in reached:
            further = sorted(neighbours.get(at, set()) - seen)
            seen.update(further)
            reached += further
        walks.append(reached)
    return walks


def _torn(splits: Iterable[Collection[str]]) -> int:
    return sum(len(found) > 1 for found in splits)


def _torn_videos(groups: Iterable[Iterable[str]], sides: Mapping[str, Collection[str]]) -> int:
    return _torn({side for video_id in group for side in sides[video_id]} for group in groups)


def find_torn_matches(
    match_of: Mapping[str, str], *, people_of_video: Mapping[str, Collection[str]], split_of: Mapping[str, str]
) -> LeakCheck:
    """Count the matches of which both players are in the release, and those whose players are in different splits.

    Args:
        match_of: The match by video id.
        people_of_video: Known people of the videos that the release may hold.
        split_of: The split of each person; others are passed over.
    """
    players: defaultdict[str, set[str]] = defaultdict(set)
    for video_id, match in match_of.items():
        players[match].update(person for person in people_of_video.get(video_id, ()) if person in split_of)
    splits = [{split_of[person] for person in met} for met in players.values() if len(met) > 1]
    return leak_check("match", checked=len(splits), found=_torn(splits))


def leak_report_text(report: LeakReport) -> str:
    """Write ``leak-report.json``: what was asked, what was found in how many, what was mended."""
    order = list(QUESTIONS)
    document = {
        "format": LEAK_REPORT_FORMAT,
        "splits": list(SPLITS),
        "checks": [
            {"name": check.name, "question": check.question, "checked": check.checked, "found": check.found}
            for check in sorted(report.checks, key=lambda check: order.index(check.name))
        ],
        "copies_left_out": report.copies_left_out,
        "notes": list(report.notes),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
