"""Copies among the study's videos: a fingerprint of each, and which of them show one recording or one event."""

import json
import time
from collections.abc import Iterator

import pyarrow as pa

from collectors.duplicates import COPY, Duplicate, choose_duplicates, find_copies
from collectors.fingerprints import (
    GRID,
    RATE_HZ,
    Fingerprint,
    fingerprint_from_rows,
    fingerprint_rows,
    movement_from_rows,
)
from flows._identity import identity_rows
from flows._isolation import Failed, Finished, Limits, Report, run_isolated
from flows._leases import lease, waited_lease
from flows._memory import GOT, Memory
from flows._outcome import Failure, Outcome, record_run
from flows._perception import write_part
from flows._plan import disposed_videos, is_current, study_video, study_videos
from flows._stages import Part, duplicates_part, fingerprint_part
from flows._study import Study, open_study
from media.samples import sample_brightness
from media.store import MediaStore
from schema.arrow import DUPLICATES, FINGERPRINTS, OUTCOMES, SOURCES
from schema.errors import DropReason, ItemError
from schema.records import Dropped, VideoId, VideoRecord
from schema.rows import concatenated, table_of
from schema.tables import STUDY_KEY, digest_of

ENTRY = "flows._duplicates:fingerprint"
SMALL_COLUMNS = ("energy", "center_x", "center_y")
"""What is compared of all videos; the movement pictures are read of few."""


def to_fingerprint(study: Study) -> list[VideoRecord]:
    """List the videos that have no current fingerprint and whose file is there."""
    gone = disposed_videos(study)
    return [
        video
        for video in study_videos(study)
        if video.video_id not in gone and not is_current(study, fingerprint_part(study, video))
    ]


def fingerprint(report: Report, root: str, video_id: str) -> None:
    """Make the fingerprint of one video; the entry point of the child process."""
    study = open_study(root)
    video = study_video(study, video_id)
    report(FINGERPRINTS.name, 0, video.frame_count)
    part = fingerprint_part(study, video)
    try:
        path = MediaStore(study.layout).path_of(video.sha256)
        brightness = sample_brightness(path, rate_hz=RATE_HZ, grid=GRID)
    except ItemError as error:
        lost = Dropped(stage=FINGERPRINTS.name, item_id=video_id, reason=error.reason, detail=error.detail)
        write_part(study, part, concatenated(FINGERPRINTS, ()), [lost])
        return
    write_part(study, part, fingerprint_rows(video.video_id, brightness), [])


def fingerprint_video(study: Study, video: VideoRecord) -> Outcome:
    """Make the fingerprint of one video in a process of its own; a video that kills it twice has an empty one."""
    outcome = Outcome(stage="fingerprint")
    started_ns = time.time_ns()
    part = fingerprint_part(study, video)
    with lease(study.layout, "fingerprint", video.video_id) as held:
        if not held:
            outcome.busy.append(video.video_id)
            return outcome
        if is_current(study, part):
            return outcome
        _attempt(study, video, part, outcome)
        outcome.done = int(not outcome.failures)
        record_run(study, outcome, key=video.video_id, started_ns=started_ns)
    return outcome


def _attempt(study: Study, video: VideoRecord, part: Part, outcome: Outcome) -> None:
    run = study.config.run
    limits = Limits(memory_bytes=int(run.memory_limit_gib * 2**30), seconds=run.time_limit_minutes * 60)
    study.layout.work.mkdir(parents=True, exist_ok=True)
    log = study.layout.work / f"{video.video_id}.fingerprint.log"
    for is_last in (False, True):
        arguments = (str(study.layout.root), video.video_id)
        ended = run_isolated(ENTRY, arguments, limits=limits, log=log, report=lambda *_: None)
        if isinstance(ended, Finished):
            log.unlink(missing_ok=True)
            return
        if isinstance(ended, Failed):
            outcome.failures.append(Failure(stage=outcome.stage, key=video.video_id, traceback=ended.traceback))
            return
        if is_last or ended.reason is not DropReason.CRASHED:
            lost = Dropped(stage=FINGERPRINTS.name, item_id=video.video_id, reason=ended.reason, detail=ended.detail)
            write_part(study, part, concatenated(FINGERPRINTS, ()), [lost])
            return


def has_current_duplicates(study: Study) -> bool:
    """Tell whether all videos were compared as they are today."""
    videos = _comparable(study)
    return not to_fingerprint(study) and (not videos or is_current(study, _part(study, videos, _same_events(study))))


def find_study_duplicates(study: Study) -> Outcome:
    """Compare the study's videos unless that was done; the source of a poorer copy ends as ``duplicate``."""
    outcome = Outcome(stage="duplicates")
    started_ns = time.time_ns()
    with waited_lease(study.layout, "duplicates", STUDY_KEY):
        videos, events = _comparable(study), _same_events(study)
        part = _part(study, videos, events)
        if not videos or is_current(study, part):
            return outcome
        by_id = {video.video_id: video for video in videos}
        copies = find_copies(
            _fingerprints(study, videos),
            movement_of=lambda video_id: movement_from_rows(_read(study, by_id[video_id], columns=("movement",))),
        )
        found = choose_duplicates(copies, same_events=events, videos=by_id)
        facts = {"document": json.dumps(part.document, sort_keys=True)}
        study.store.write_part(DUPLICATES, STUDY_KEY, part.digest, table_of(DUPLICATES, map(_row, found)), facts=facts)
        _mark_sources(study, {row.video_id for row in found if row.link == COPY})
        outcome.done, outcome.rows = 1, len(found)
        links = sum(row.link == COPY for row in found)
        outcome.notes += [f"{links} videos are poorer copies of others"] if links else []
        record_run(study, outcome, key=STUDY_KEY, started_ns=started_ns)
    return outcome


def _comparable(study: Study) -> list[VideoRecord]:
    return [video for video in study_videos(study) if is_current(study, fingerprint_part(study, video))]


def _part(study: Study, videos: list[VideoRecord], events: list[list[VideoId]]) -> Part:
    fingerprints = {video.video_id: fingerprint_part(study, video).digest for video in videos}
    return duplicates_part(study, inputs={"fingerprints": digest_of(fingerprints), "events": digest_of(events)})


def _same_events(study: Study) -> list[list[VideoId]]:
    """Return the videos of one player after one match, where there are several."""
    events: dict[tuple[str, str], list[VideoId]] = {}
    for row in identity_rows(study):
        if row["person_id"] and row["match_row"]:
            events.setdefault((row["person_id"], row["match_row"]), []).append(VideoId(row["video_id"]))
    return sorted(sorted(videos) for videos in events.values() if len(videos) > 1)


def _fingerprints(study: Study, videos: list[VideoRecord]) -> Iterator[Fingerprint]:
    for video in videos:
        rows = _read(study, video, columns=SMALL_COLUMNS)
        if rows.num_rows:
            yield fingerprint_from_rows(video.video_id, rows)


def _read(study: Study, video: VideoRecord, *, columns: tuple[str, ...]) -> pa.Table:
    part = fingerprint_part(study, video)
    return study.store.read_part(part.spec, part.key, part.digest, columns=columns)


def _row(found: Duplicate) -> dict[str, object]:
    return {
        "video_id": found.video_id,
        "kept_video_id": found.kept_video_id,
        "link": found.link,
        "score": found.score,
        "offset_ns": found.offset_ns,
        "speed": found.speed,
    }


def _mark_sources(study: Study, poorer: set[VideoId]) -> None:
    """Record the outcome ``duplicate`` for every source that gave a poorer copy."""
    attempts = Memory(study).attempts
    sources = study.store.read(SOURCES).select(["source_id", "video_id"]).to_pylist()
    now_ns = time.time_ns()
    rows = [
        {
            "source_id": source["source_id"],
            "video_id": source["video_id"],
            "outcome": DropReason.DUPLICATE.value,
            "detail": "the study holds a better copy of the same recording",
            "attempted_ns": now_ns,
            "retry_ns": None,
            "rules": None,
            "byte_count": None,
        }
        for source in sources
        if source["video_id"] in poorer
        and source["source_id"] in attempts
        and attempts[source["source_id"]].outcome == GOT
    ]
    study.store.append(OUTCOMES, table_of(OUTCOMES, rows))
