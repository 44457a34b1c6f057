"""The facts of `pressroom plan` and `pressroom status`: what would be done, and what the study holds."""

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from flows._availability import sources_to_check, vanished_videos
from flows._collection import GOT, Campaign, newest_attempts
from flows._forecast import disk_forecast
from flows._identity import declared_people
from flows._inventory import take_inventory
from flows._leases import lease_holders
from flows._minutes import minutes_left, price_of
from flows._plan import disposed_videos, poorer_videos, study_videos, to_perceive, to_propose
from flows._publication import published_release, study_releases
from flows._questions import count_windows
from flows._retention import cannot_be_redone
from flows._rounds import current_round
from flows._seed_models import model_facts
from flows._standing import Standing, read_standing
from flows._study import Study
from flows._withdrawals import opted_out_videos, withdrawn_videos
from schema.arrow import ANNOTATIONS, RUNS, TASKS
from schema.questions import QuestionKind
from schema.records import VideoRecord
from schema.timespan import NS_PER_SECOND

FRAMES_PER_SECOND_UNMEASURED = 8.0
"""Assumed until the study has perceived something: all of perception with the embedded back ends on 2 cores."""


def plan_facts(study: Study) -> dict[str, Any]:
    """Work out what would be done, how long it would take, and what it would do to the disk."""
    campaign = Campaign(study)
    videos = study_videos(study)
    waiting, due = to_perceive(study, videos), campaign.due()
    frames = sum(v.frame_count for v in waiting)
    inventory = take_inventory(study, videos)
    new_tasks = inventory.candidates_to_push
    standing = read_standing(study)
    price = price_of(standing, study.config.annotate)
    return {
        **_collection_facts(campaign),
        "back_ends": study.told_back_ends,
        "sources_to_collect": len(due),
        "sources_to_recheck": len(sources_to_check(study, now_ns=campaign.clock.now_ns())),
        "videos_to_withdraw": len(_to_withdraw(campaign)),
        "videos_to_perceive": len(waiting),
        "videos_without_file_to_perceive": len(cannot_be_redone(study)),
        "frames_to_perceive": frames,
        "hours_to_perceive": round(frames / _frames_per_second(study, videos) / 3600, 2),
        "videos_to_propose": len(to_propose(study, videos)),
        "candidates_to_push": new_tasks,
        "candidates_on_hold": inventory.candidates_on_hold,
        "annotator_minutes": round(new_tasks * price.of_candidate(study.config.annotate) / 60, 1),
        **_round_facts(study, standing),
        "release_to_build": study.store.read(ANNOTATIONS).num_rows > 0 and published_release(study) is None,
        **disk_forecast(study, due=due, videos=videos, waiting=waiting),
    }


def status_facts(study: Study) -> dict[str, Any]:
    """Count what the study holds: done, dropped by reason, waiting, asked, verified, disk."""
    videos = study_videos(study)
    campaign = Campaign(study)
    waiting, due = to_perceive(study, videos), campaign.due()
    held = take_inventory(study, videos)
    answers = study.store.read(ANNOTATIONS)
    questions = _questions_by_kind(study)
    attempts = newest_attempts(study).values()
    dropped = held.dropped + Counter(attempt.outcome for attempt in attempts if attempt.outcome != GOT)
    return {
        **_collection_facts(campaign),
        "vanished": len(vanished_videos(study)),
        "withdrawn": len(withdrawn_videos(study)),
        "copies": len(poorer_videos(study)),
        "disposed": len(disposed_videos(study)),
        "videos": len(videos),
        "shots": held.rows["shots"],
        "tracks": held.tracks,
        "roles": dict(sorted(held.roles.items())),
        "frames": held.rows["frames"],
        "keypoint_rows": held.rows["keypoints"],
        "candidates": held.rows["candidates"],
        **_round_facts(study),
        "tasks": sum(questions.values()),
        "questions": dict(sorted(questions.items())),
        "answers": answers.num_rows,
        "answers_by_people": answers.num_rows - sum(answers["scripted"].to_pylist()),
        "segments": held.rows["segments"],
        "dropped": dict(sorted(dropped.items())),
        "waiting": {
            "collect": len(due),
            "perceive": len(waiting),
            "propose": len(to_propose(study, videos)),
            "push": held.candidates_to_push,
            "player": held.candidates_on_hold,
        },
        "at_work": lease_holders(study.layout),
        "releases": [folder.name for folder in study_releases(study)],
        "models": model_facts(study),
        "seconds": {stage: round(spent, 1) for stage, spent in _seconds_by_stage(study).items()},
        "gigabytes": round(_disk_bytes(study.layout.root) / 1e9, 3),
        **disk_forecast(study, due=due, videos=videos, waiting=waiting),
        "video_ids": [video.video_id for video in videos],
    }


def _questions_by_kind(study: Study) -> Counter[str]:
    """Count the questions that were asked; one that was worded anew, or asked again, counts once."""
    rows = study.store.read(TASKS).select(["candidate_id", "kind"]).to_pylist()
    kinds = {row["candidate_id"]: row["kind"] or QuestionKind.VERDICT.value for row in rows}
    return Counter(kinds.values())


def local_time(time_ns: int | None) -> str | None:
    """Write a Unix time as a person's clock shows it; None for none."""
    if time_ns is None:
        return None
    return datetime.fromtimestamp(time_ns / NS_PER_SECOND).astimezone().isoformat(sep=" ", timespec="minutes")


def _collection_facts(campaign: Campaign) -> dict[str, Any]:
    """Tell how the newest attempt at each source ended, when the next is due, and which hosts are paused, and why."""
    sources = Counter(attempt.outcome for attempt in newest_attempts(campaign.study).values())
    states = [state for state in campaign.manners.states() if state.is_paused(campaign.clock.now_ns())]
    return {
        "sources": dict(sorted(sources.items())),
        "next_retry": local_time(campaign.next_retry_ns()),
        "hosts_paused": {
            state.host: {"until": local_time(state.paused_until_ns), "why": state.why} for state in states
        },
    }


def _to_withdraw(campaign: Campaign) -> set[str]:
    """List the videos that the opt-out list forbids and that the next collection withdraws."""
    study, opt_outs = campaign.study, campaign.opt_outs
    people = declared_people(study) if opt_outs.names_players else {}
    return opted_out_videos(study, opt_outs, people=people) - withdrawn_videos(study)


def _frames_per_second(study: Study, videos: Sequence[VideoRecord]) -> float:
    runs = [r for r in study.store.read(RUNS).to_pylist() if r["stage"] == "perceive" and r["outcome"] == "done"]
    frames = {v.video_id: v.frame_count for v in videos}
    measured = [(frames[r["key"]], r["duration_ns"]) for r in runs if r["key"] in frames]
    seconds = sum(duration_ns for _, duration_ns in measured) / NS_PER_SECOND
    return sum(count for count, _ in measured) / seconds if seconds else FRAMES_PER_SECOND_UNMEASURED


def _round_facts(study: Study, standing: Standing | None = None) -> dict[str, Any]:
    """Tell the round, its model, and the minutes of people's time that it may still spend on new candidates.

    Where the minutes have no limit, the answers need not be added up for it, nor windows be drawn.
    """
    current = current_round(study)
    told = {"round": current.round_number, "model": current.model or None}
    if not study.config.annotate.round_minutes:
        return told
    standing = standing or read_standing(study)
    left = minutes_left(study, standing, windows=count_windows(study, standing))
    return told if left is None else told | {"round_minutes_left": round(left, 1)}


def _seconds_by_stage(study: Study) -> dict[str, float]:
    spent: Counter[str] = Counter()
    for row in study.store.read(RUNS).select(["stage", "duration_ns"]).to_pylist():
        spent[row["stage"]] += row["duration_ns"] / NS_PER_SECOND
    return dict(sorted(spent.items()))


def _disk_bytes(folder: Path) -> int:
    """Sum the sizes of all files below a folder; what is deleted meanwhile counts nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.lstat(os.path.join(parent, name)).st_size
    return total
