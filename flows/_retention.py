"""How long video files are kept: the study's rule decides when they go, and a row says that they went."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from math import inf
from pathlib import Path

from flows._clips import clip_files
from flows._leases import lease
from flows._plan import asked_candidates, disposed_videos, is_current, poorer_videos, study_videos, undecided_tracks
from flows._player_questions import question_picture
from flows._publication import study_releases
from flows._stages import fingerprint_part, perception_stages, video_parts
from flows._study import Study
from media.store import MediaStore
from schema.arrow import (
    ANNOTATIONS,
    CANDIDATES,
    DISPOSALS,
    PLAYER_ANSWERS,
    PLAYER_QUESTIONS,
    PROXIES,
    RUNS,
    TASKS,
    TableSpec,
)
from schema.questions import QuestionKind
from schema.records import VideoRecord
from schema.rows import Row, table_of
from schema.tables import STUDY_KEY

ASKED_OF_ONE = (QuestionKind.EXPERT, QuestionKind.BLIND)
"""Kinds of question that one person answers."""


def apply_retention(study: Study) -> int:
    """Delete the files that the study's rule no longer keeps; returns the bytes that were freed.

    A video goes with its browser copy and its previews. The row is written first: a file that is missing without a row
    is damage, one that is there with a row is deleted by the next call. Does nothing where another runner is at it.
    """
    rule = study.config.collect.retain
    if rule == "forever":
        return 0
    with lease(study.layout, "retain", STUDY_KEY) as held:
        if not held:
            return 0
        videos = list(_may_go(study, rule=rule))
        _record(study, videos, rule=rule)
        freed = sum(MediaStore(study.layout).remove(video.sha256) for video in videos)
        gone = disposed_videos(study)
        return freed + sum(_deleted(path) for path in (*_pictures(study, gone), *_answered_clips(study, gone)))


def cannot_be_redone(study: Study) -> list[VideoRecord]:
    """List the videos that today's settings would perceive anew, were their files not deleted."""
    gone = disposed_videos(study)
    if not gone:
        return []
    poorer = poorer_videos(study) if study.config.duplicates.skip_poorer else set()
    waiting = (video for video in study_videos(study) if video.video_id in gone - poorer)
    return [video for video in waiting if not _is_current(study, video, perception_stages(study.config))]


def _record(study: Study, videos: list[VideoRecord], *, rule: str) -> None:
    recorded = set(study.store.read(DISPOSALS)["video_id"].to_pylist())
    now_ns = time.time_ns()
    rows: list[Row] = [
        {
            "video_id": video.video_id,
            "sha256": video.sha256,
            "byte_count": video.byte_count,
            "rule": rule,
            "disposed_ns": now_ns,
        }
        for video in videos
        if video.video_id not in recorded
    ]
    study.store.append(DISPOSALS, table_of(DISPOSALS, rows))


def _may_go(study: Study, *, rule: str) -> Iterator[VideoRecord]:
    """Yield the videos that are there and of which nothing more is to be made: poorer copies, and those through."""
    gone = disposed_videos(study)
    poorer = poorer_videos(study) if study.config.duplicates.skip_poorer else set()
    asked = asked_candidates(study)
    released_ns = _released_ns(study)
    for video in study_videos(study):
        if video.video_id in gone or not is_current(study, fingerprint_part(study, video)):
            continue
        is_through = _is_asked(study, video, asked) and (
            rule == "features_only" or _made_ns(study, video) <= released_ns
        )
        if is_through or video.video_id in poorer:
            yield video


def _released_ns(study: Study) -> float:
    """Return when the newest release began to be built, Unix time in ns; below all times where there is none."""
    if not study_releases(study):
        return -inf
    times = (row["started_ns"] for row in study.store.read(RUNS).to_pylist() if row["stage"] == "publish")
    return max(times, default=-inf)


def _made_ns(study: Study, video: VideoRecord) -> int:
    """Return when the newest of a video's parts was written, Unix time in ns."""
    parts = video_parts(study, video)
    paths = (
        study.store.part_path(spec, video.video_id, parts[spec.name].digest)
        for spec in (*perception_stages(study.config), CANDIDATES)
    )
    return max(path.stat().st_mtime_ns for path in paths)


def _is_current(study: Study, video: VideoRecord, specs: Iterable[TableSpec]) -> bool:
    parts = video_parts(study, video)
    return all(is_current(study, parts[spec.name]) for spec in specs)


def _is_asked(study: Study, video: VideoRecord, asked: set[str]) -> bool:
    """Tell whether everything was made of a video, its candidates are on the reviewing page, and its players known."""
    if not _is_current(study, video, (*perception_stages(study.config), CANDIDATES)) or undecided_tracks(study, video):
        return False
    part = video_parts(study, video)[CANDIDATES.name]
    rows = study.store.read_part(part.spec, part.key, part.digest, columns=["candidate_id"])
    return asked.issuperset(rows["candidate_id"].to_pylist())


def _pictures(study: Study, gone: set[str]) -> Iterator[Path]:
    """Yield the browser copies, the previews and the answered line-ups of deleted videos: they show the same person."""
    for path in study.layout.table(PROXIES).glob("*.mp4"):
        if path.name.partition(".")[0] in gone:
            yield path
    for path in study.layout.previews.glob("*-picture.*"):
        if path.name.removesuffix(f"-picture{path.suffix}") in gone:
            yield path
    answered = set(study.store.read(PLAYER_ANSWERS)["question_id"].to_pylist())
    for row in study.store.read(PLAYER_QUESTIONS).select(["question_id", "video_id"]).to_pylist():
        if row["video_id"] in gone and row["question_id"] in answered:
            yield question_picture(study, row["question_id"])


def _answered_clips(study: Study, gone: set[str]) -> Iterator[Path]:
    """Yield the review clips of deleted videos whose questions are answered, and whose answers a release has had."""
    released_ns = _released_ns(study)
    people: defaultdict[str, set[str]] = defaultdict(set)
    newest_ns: dict[str, int] = {}
    for row in study.store.read(ANNOTATIONS).select(["candidate_id", "annotator_id", "answered_ns"]).to_pylist():
        people[row["candidate_id"]].add(row["annotator_id"])
        newest_ns[row["candidate_id"]] = max(row["answered_ns"], newest_ns.get(row["candidate_id"], 0))
    for row in study.store.read(TASKS).select(["candidate_id", "video_id", "kind"]).to_pylist():
        needed = 1 if row["kind"] in ASKED_OF_ONE else study.config.annotate.first_answers
        is_answered = len(people[row["candidate_id"]]) >= needed
        if row["video_id"] in gone and is_answered and newest_ns[row["candidate_id"]] <= released_ns:
            yield from clip_files(study, row["candidate_id"])


def _deleted(path: Path) -> int:
    try:
        byte_count = path.stat().st_size
        path.unlink()
    except FileNotFoundError:
        return 0
    return byte_count
