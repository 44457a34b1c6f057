"""What the command tells: outcomes, the plan, the status, explanations; as tables, or as JSON for machines."""

import json
import shutil
from collections import Counter
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import typer

from flows._availability import vanished_videos
from flows._collection import GOT, Campaign, list_sources, newest_attempts, to_collect
from flows._forecast import bytes_to_dispose, bytes_to_download
from flows._leases import lease_holders
from flows._outcome import EXPECTED, Outcome
from flows._plan import (
    disposed_videos,
    explain,
    is_current,
    poorer_videos,
    study_videos,
    to_perceive,
    to_propose,
    to_push,
)
from flows._publication import published_release, study_releases
from flows._stages import PERCEPTION_STAGES, segments_part, video_parts
from flows._study import Study
from flows._withdrawals import withdrawn_videos
from schema.arrow import ANNOTATIONS, CANDIDATES, RUNS, SEGMENTS, TASKS, TRACKS
from schema.errors import UsageError
from schema.records import SourceId
from schema.timespan import NS_PER_SECOND

REMEDY = "the traceback is in the table runs, the same command tries again"
TOLD_STAGES = frozenset({"collect", "frames", "shots", "tracks", "keypoints", "proxies", "pull"})
"""A drop of these is told in a line; candidates and segments that are left out are counted."""
FRAMES_PER_SECOND_UNMEASURED = 8.0
"""Assumed until the study has perceived something: all of perception with the embedded back ends on 2 cores."""
PROXY_SHARE = 0.5
"""Assumed size of a proxy against its source until there is one."""
SECONDS_PER_ANSWER = 8.0
"""Assumed until people have answered: the clip once, and a key."""


def tell_outcome(outcome: Outcome, study: Study) -> None:
    """Print what a stage did, a line for each source or video that was dropped or failed.

    A source is told by where the study lists it: a link or a file's name may tell who is filmed.
    """
    parts = [f"{outcome.done} done"] if outcome.done or not outcome.notes else []
    parts += [
        f"{count} dropped ({reason})" for reason, count in sorted(Counter(d.reason for d in outcome.dropped).items())
    ]
    parts += [f"{len(outcome.failures)} failed"] if outcome.failures else []
    parts += [f"{len(outcome.busy)} in another runner's hands"] if outcome.busy else []
    parts += [f"{host} is paused until {_local_time(until)}" for host, until in sorted(outcome.paused.items())]
    parts += [f"{outcome.byte_count / 1e6:.1f} MB"] if outcome.byte_count else []
    seconds = f" in {outcome.seconds:.1f} s" if outcome.seconds else ""
    typer.echo(f"{outcome.stage}: {', '.join([*parts, *outcome.notes])}{seconds}")
    worth_a_line = [
        lost
        for lost in outcome.dropped
        if "/" not in lost.item_id and lost.stage in TOLD_STAGES and lost.reason not in EXPECTED
    ]
    places = {e.source_id: e.listed_at for e in list_sources(study)} if worth_a_line or outcome.failures else {}
    for lost in worth_a_line:
        name = places.get(SourceId(lost.item_id), lost.item_id)
        typer.echo(f"  {name}: dropped by {lost.stage}: {lost.reason}: {lost.detail}", err=True)
    for failure in outcome.failures:
        name = places.get(SourceId(failure.key), failure.key)
        typer.echo(f"  {name}: {failure.stage} failed: {failure.cause}; {REMEDY}", err=True)


def tell_plan(study: Study, *, as_json: bool) -> None:
    """Print what would be done."""
    videos = study_videos(study)
    waiting = to_perceive(study, videos)
    frames = sum(v.frame_count for v in waiting)
    new_tasks = len(to_push(study))
    answers = new_tasks * study.config.annotate.answers_per_task
    due = to_collect(study)
    facts: dict[str, Any] = {
        "sources_to_collect": len(due),
        "gigabytes_to_download": round(bytes_to_download(study, due) / 1e9, 3),
        "gigabytes_to_dispose": round(bytes_to_dispose(study) / 1e9, 3),
        "gigabytes_free": round(shutil.disk_usage(study.layout.root).free / 1e9, 1),
        "videos_to_perceive": len(waiting),
        "frames_to_perceive": frames,
        "hours_to_perceive": round(frames / _frames_per_second(study) / 3600, 2),
        "gigabytes_to_write": round(sum(v.byte_count for v in waiting) * PROXY_SHARE / 1e9, 3),
        "videos_to_propose": len(to_propose(study, videos)),
        "candidates_to_push": new_tasks,
        "annotator_minutes": round(answers * _seconds_per_answer(study) / 60, 1),
        "release_to_build": study.store.read(ANNOTATIONS).num_rows > 0 and published_release(study) is None,
    }
    _tell_facts(facts, as_json=as_json)


def _frames_per_second(study: Study) -> float:
    runs = [r for r in study.store.read(RUNS).to_pylist() if r["stage"] == "perceive" and r["outcome"] == "done"]
    frames = {v.video_id: v.frame_count for v in study_videos(study)}
    measured = [(frames[r["key"]], r["duration_ns"]) for r in runs if r["key"] in frames]
    seconds = sum(duration_ns for _, duration_ns in measured) / NS_PER_SECOND
    return sum(count for count, _ in measured) / seconds if seconds else FRAMES_PER_SECOND_UNMEASURED


def _seconds_per_answer(study: Study) -> float:
    rows = study.store.read(ANNOTATIONS).select(["lead_time_ns", "scripted"]).to_pylist()
    times = [r["lead_time_ns"] / NS_PER_SECOND for r in rows if not r["scripted"] and r["lead_time_ns"]]
    return sum(times) / len(times) if times else SECONDS_PER_ANSWER


def status_facts(study: Study) -> dict[str, Any]:
    """Count what the study holds: done, dropped by reason, waiting, asked, verified, disk."""
    videos = study_videos(study)
    campaign = Campaign(study)
    sources = Counter(attempt.outcome for attempt in newest_attempts(study).values())
    dropped = Counter({outcome: count for outcome, count in sources.items() if outcome != GOT})
    rows: Counter[str] = Counter()
    for video in videos:
        for spec in (*PERCEPTION_STAGES, CANDIDATES):
            part = video_parts(study, video)[spec.name]
            if is_current(study, part):
                summary = study.store.summary(spec, part.key, part.digest)
                rows[spec.name] += summary.row_count
                dropped.update(lost.reason for lost in summary.dropped)
    segments = segments_part(study, videos)
    if is_current(study, segments):
        summary = study.store.summary(SEGMENTS, segments.key, segments.digest)
        rows[SEGMENTS.name] = summary.row_count
        dropped.update(lost.reason for lost in summary.dropped)
    answers = study.store.read(ANNOTATIONS)
    return {
        "sources": dict(sorted(sources.items())),
        "next_retry": _local_time(campaign.next_retry_ns()),
        "hosts_paused": {
            state.host: _local_time(state.paused_until_ns)
            for state in campaign.manners.states()
            if state.is_paused(campaign.clock.now_ns())
        },
        "vanished": len(vanished_videos(study)),
        "withdrawn": len(withdrawn_videos(study)),
        "copies": len(poorer_videos(study)),
        "disposed": len(disposed_videos(study)),
        "videos": len(videos),
        "shots": rows["shots"],
        "tracks": count_tracks(study),
        "frames": rows["frames"],
        "keypoint_rows": rows["keypoints"],
        "candidates": rows["candidates"],
        "tasks": study.store.read(TASKS).num_rows,
        "answers": answers.num_rows,
        "answers_by_people": answers.num_rows - sum(answers["scripted"].to_pylist()),
        "segments": rows["segments"],
        "dropped": dict(sorted((str(reason), count) for reason, count in dropped.items())),
        "waiting": {
            "collect": len(campaign.due()),
            "perceive": len(to_perceive(study, videos)),
            "propose": len(to_propose(study, videos)),
            "push": len(to_push(study)),
        },
        "at_work": lease_holders(study.layout),
        "releases": [folder.name for folder in study_releases(study)],
        "seconds": {stage: round(spent, 1) for stage, spent in _seconds_by_stage(study).items()},
        "gigabytes": round(disk_bytes(study.layout.root) / 1e9, 3),
        "video_ids": [video.video_id for video in videos],
    }


def count_tracks(study: Study) -> int:
    """Count the people followed in all current parts."""
    total = 0
    for video in study_videos(study):
        part = video_parts(study, video)[TRACKS.name]
        if is_current(study, part):
            total += len(set(study.store.read_part(TRACKS, part.key, part.digest)["track_number"].to_pylist()))
    return total


def _seconds_by_stage(study: Study) -> dict[str, float]:
    spent: Counter[str] = Counter()
    for row in study.store.read(RUNS).to_pylist():
        spent[row["stage"]] += row["duration_ns"] / NS_PER_SECOND
    return dict(sorted(spent.items()))


def disk_bytes(folder: Path) -> int:
    """Sum the sizes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def tell_status(study: Study, *, as_json: bool) -> None:
    """Print what the study holds."""
    _tell_facts(status_facts(study), as_json=as_json)


def _tell_facts(facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        typer.echo(f"{name.replace('_', ' '):<{width}}  {_words(value)}")


def _local_time(time_ns: int | None) -> str:
    """Write a Unix time as a person's clock shows it; empty for none."""
    if time_ns is None:
        return ""
    return datetime.fromtimestamp(time_ns / NS_PER_SECOND).astimezone().isoformat(sep=" ", timespec="minutes")


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def tell_explanation(study: Study, key: str, *, as_json: bool) -> None:
    """Print why each part of a video, or of the study, will or will not be redone."""
    found = explain(study, key)
    if not found:
        raise UsageError(f"the study has no video {key!r}; `pressroom status` lists them, `study` is the whole study")
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in found], indent=1))
        return
    for row in found:
        typer.echo(f"{row.table:<11} {'current' if row.current else 'will be made':<13} {row.digest}  {row.why}")


def tell_validation(folder: Path, *, as_json: bool) -> bool:
    """Print what is wrong with a release; tells whether nothing is."""
    from releases.validate import validate_release

    findings = validate_release(folder)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    for finding in () if as_json else findings:
        typer.echo(str(finding))
    if not findings and not as_json:
        typer.echo(f"{folder}: valid")
    return not findings
