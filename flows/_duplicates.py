"""Fingerprints of the study's videos, and the part *duplicates*: which of them show one recording or one event."""

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict

import pyarrow as pa

from collectors.duplicates import COPY, CopyLink, Duplicate, Movement, choose_duplicates, find_copies
from collectors.fingerprints import (
    GRID,
    RATE_HZ,
    Fingerprint,
    fingerprint_from_rows,
    fingerprint_rows,
    movement_from_rows,
)
from flows._isolation import Failed, Finished, Limits, Report, run_isolated
from flows._leases import lease, waited_lease
from flows._memory import GOT, Memory
from flows._outcome import Failure, Outcome, record_run
from flows._perception import write_part
from flows._plan import disposed_videos, is_current, study_video, study_videos
from flows._stages import Part, duplicates_part, fingerprint_part
from flows._study import Study, open_study
from flows._withdrawals import COPY as COPY_OF_WITHDRAWN
from flows._withdrawals import begin, tombstones, withdrawn_fingerprints
from media.samples import sample_brightness
from media.store import MediaStore
from schema.arrow import DUPLICATES, FINGERPRINTS, IDENTITIES, OUTCOMES, SOURCES, TableSpec
from schema.errors import DropReason, ItemError
from schema.records import Dropped, VideoId, VideoRecord
from schema.rows import Row, concatenated, table_of
from schema.tables import STUDY_KEY, digest_of

ENTRY = "flows._duplicates:make_fingerprint"
MOTION_COLUMNS = ["energy", "center_x", "center_y"]
"""The small part of a fingerprint, the only one that is read for every video."""


def to_fingerprint(study: Study) -> list[VideoRecord]:
    """List the videos without a current fingerprint; one whose file is gone can get none."""
    gone = disposed_videos(study)
    return [
        video
        for video in study_videos(study)
        if video.video_id not in gone and not is_current(study, fingerprint_part(study, video))
    ]


def fingerprint_video(study: Study, video: VideoRecord) -> Outcome:
    """Make a video's fingerprint unless it is current or another runner has it in hand.

    A file that can't be decoded has an empty fingerprint, with the reason.
    """
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
        if not outcome.failures:
            summary = study.store.summary(part.spec, part.key, part.digest)
            outcome.done, outcome.rows, outcome.dropped = 1, summary.row_count, list(summary.dropped)
        record_run(study, outcome, key=video.video_id, started_ns=started_ns)
    return outcome


def _attempt(study: Study, video: VideoRecord, part: Part, outcome: Outcome) -> None:
    """Decode in a process of its own, as perception does: a file that kills it twice has an empty fingerprint."""
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


def make_fingerprint(report: Report, root: str, video_id: str) -> None:
    """Make a video's fingerprint; the entry point of the child process."""
    study = open_study(root)
    video = study_video(study, video_id)
    report(FINGERPRINTS.name, 0, video.frame_count)
    rows, dropped = _fingerprint(study, video)
    write_part(study, fingerprint_part(study, video), rows, dropped)


def _fingerprint(study: Study, video: VideoRecord) -> tuple[pa.Table, list[Dropped]]:
    path = MediaStore(study.layout).path_of(video.sha256)
    try:
        brightness = sample_brightness(path, rate_hz=RATE_HZ, grid=GRID)
    except ItemError as error:
        lost = Dropped(stage=FINGERPRINTS.name, item_id=video.video_id, reason=error.reason, detail=error.detail)
        return concatenated(FINGERPRINTS, ()), [lost]
    return fingerprint_rows(video.video_id, brightness), []


def has_current_duplicates(study: Study) -> bool:
    """Tell whether every video is fingerprinted and the part *duplicates* is made of today's.

    A study that never had two videos to compare needs none.
    """
    if to_fingerprint(study):
        return False
    sealed = sum(stone.fingerprint is not None for stone in tombstones(study).values())
    return is_current(study, current_part(study)) or (
        len(_fingerprinted(study)) + sealed < 2 and not study.store.parts(DUPLICATES)
    )


def current_part(study: Study) -> Part:
    """Return the study's part *duplicates* as it should be today."""
    videos = _fingerprinted(study)
    inputs = {
        "fingerprints": digest_of({v.video_id: fingerprint_part(study, v).digest for v in videos}),
        "videos": digest_of({v.video_id: [v.height, v.byte_count, v.duration_ns] for v in videos}),
        "events": digest_of(_same_events(study)),
    }
    return duplicates_part(study, inputs=inputs)


def find_study_duplicates(study: Study) -> Outcome:
    """Make the study's part *duplicates* unless it is current: copies by fingerprint, events by identity.

    Copies of videos that were withdrawn before get a tombstone, and ``flows._withdraw`` erases them.
    """
    outcome = Outcome(stage="duplicates")
    while again := _find_duplicates(study, outcome):
        begin(study, again, cause=COPY_OF_WITHDRAWN)
        outcome.notes.append(f"{len(again)} videos are copies of withdrawn ones, and are withdrawn, too")
    return outcome


def _find_duplicates(study: Study, outcome: Outcome) -> set[VideoId]:
    """Make the part, unless videos are copies of withdrawn ones: then it returns these, and makes nothing."""
    started_ns = time.time_ns()
    with waited_lease(study.layout, "duplicates", STUDY_KEY):
        part = current_part(study)
        if is_current(study, part):
            return set()
        videos = {video.video_id: video for video in _fingerprinted(study)}
        copies, again = _copies(study, videos)
        if again:
            return again
        found = choose_duplicates(copies, same_events=_same_events(study), videos=videos)
        rows = table_of(DUPLICATES, map(asdict, found))
        write_part(study, part, rows, [])
        outcome.done, outcome.rows = 1, rows.num_rows
        outcome.notes += _notes(found)
        _mark_sources(study, {row.video_id for row in found if row.link == COPY})
        record_run(study, outcome, key=STUDY_KEY, started_ns=started_ns)
    return set()


def _copies(study: Study, videos: dict[VideoId, VideoRecord]) -> tuple[list[CopyLink], set[VideoId]]:
    """Find the copies among the videos, and those that are copies of withdrawn ones."""
    gone = withdrawn_fingerprints(study)
    fingerprints = [_read_fingerprint(study, video) for video in videos.values()]
    fingerprints += [fingerprint_from_rows(video_id, rows.select(MOTION_COLUMNS)) for video_id, rows in gone.items()]

    def movement_of(video_id: VideoId) -> Movement:
        if video_id in gone:
            return movement_from_rows(gone[video_id].select(["movement"]))
        return _read_movement(study, videos[video_id])

    links = find_copies(fingerprints, movement_of=movement_of)
    again = {one for link in links for one in (link.first, link.second) if {link.first, link.second} & gone.keys()}
    return [link for link in links if not {link.first, link.second} & gone.keys()], again - gone.keys()


def _mark_sources(study: Study, poorer: set[VideoId]) -> None:
    """Record the outcome ``duplicate`` for every source that gave a poorer copy, so that the status counts it."""
    attempts = Memory(study).attempts
    sources = study.store.read(SOURCES).select(["source_id", "video_id"]).to_pylist()
    gave = {row["source_id"]: row["video_id"] for row in sources if row["video_id"] in poorer}
    row: Row = {"outcome": DropReason.DUPLICATE.value, "detail": "the study holds a better copy of the same recording"}
    row |= {"attempted_ns": time.time_ns(), "retry_ns": None, "rules": None, "byte_count": None}
    marked = [
        {"source_id": source_id, "video_id": video_id, **row}
        for source_id, video_id in sorted(gave.items())
        if source_id in attempts and attempts[source_id].outcome == GOT
    ]
    study.store.append(OUTCOMES, table_of(OUTCOMES, marked))


def _notes(found: Iterable[Duplicate]) -> list[str]:
    count = sum(duplicate.link == COPY for duplicate in found)
    if count == 0:
        return []
    copies = "video is a copy" if count == 1 else "videos are copies"
    return [f"{count} {copies} of another that is kept in its place (table {DUPLICATES.name})"]


def _fingerprinted(study: Study) -> list[VideoRecord]:
    return [video for video in study_videos(study) if is_current(study, fingerprint_part(study, video))]


def _read_fingerprint(study: Study, video: VideoRecord) -> Fingerprint:
    part = fingerprint_part(study, video)
    rows = study.store.read_part(part.spec, part.key, part.digest, columns=MOTION_COLUMNS)
    return fingerprint_from_rows(video.video_id, rows)


def _read_movement(study: Study, video: VideoRecord) -> Movement:
    part = fingerprint_part(study, video)
    return movement_from_rows(study.store.read_part(part.spec, part.key, part.digest, columns=["movement"]))


def _same_events(study: Study) -> list[list[VideoId]]:
    """Group the videos of one person about one match, or of one day at one tournament where no match is known.

    Goes by the identities that were made last: to make them anew is another stage's work.
    """
    uploaded = {row["video_id"]: row["uploaded_on"] for row in study.store.read(SOURCES).to_pylist()}
    events: defaultdict[tuple[str, str], set[VideoId]] = defaultdict(set)
    for row in _newest_rows(study, IDENTITIES):
        day = uploaded.get(row["video_id"])
        about = row["match_row"] or (f"{row['tournament']} {day}" if row["tournament"] and day else None)
        if row["person_id"] and about:
            events[(row["person_id"], about)].add(VideoId(row["video_id"]))
    return [sorted(members) for _, members in sorted(events.items()) if len(members) > 1]


def poorer_copies(study: Study) -> set[VideoId]:
    """Return the videos of which the study holds a better copy, as they were last compared."""
    return {VideoId(row["video_id"]) for row in _newest_rows(study, DUPLICATES) if row["link"] == COPY}


def linked_videos(study: Study) -> list[tuple[str, str]]:
    """Return the pairs of videos that must not fall into two splits: copies, and videos of one event."""
    return sorted((row["video_id"], row["kept_video_id"]) for row in _newest_rows(study, DUPLICATES))


def _newest_rows(study: Study, spec: TableSpec) -> list[Row]:
    """Read a study-wide part as it was made last, current or not."""
    names = [name for name in study.store.parts(spec) if name.key == STUDY_KEY]
    return [row for name in names for row in study.store.read_part(spec, name.key, name.digest).to_pylist()]
