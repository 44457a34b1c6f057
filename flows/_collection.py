"""Collection: the study's source list becomes video files, and every attempt leaves a row."""

import time
import traceback
from dataclasses import dataclass
from pathlib import Path

from collectors.base import AlreadyHeld, Fetched, SourceEntry, collect_sources, try_again
from collectors.sources import read_sources
from flows._leases import lease
from flows._outcome import Failure, Outcome, record_run
from flows._study import Study, read_people
from media.probe import probe_video
from media.store import MediaStore
from schema.arrow import OUTCOMES, SOURCES, VIDEOS
from schema.errors import ConfigError, DropReason, ItemError, RunError
from schema.records import Dropped, VideoId
from schema.rows import table_of, videos_to_rows

GOT = "got"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How the newest attempt at a source ended."""

    outcome: str
    attempted_ns: int


def list_sources(study: Study) -> list[SourceEntry]:
    """Read the study's source list; raises ``ConfigError`` for one that can't be read or names an unlisted person."""
    entries = read_sources(study.config.sources, study_folder=study.layout.root, pseudonym_key=study.key)
    people = read_people(study)
    strangers = sorted({entry.person_id for entry in entries if entry.person_id} - people.keys())
    if strangers:
        raise ConfigError(
            f"sources: person {strangers[0]!r} is no person_id of {study.config.study.players}; add a row or correct it"
        )
    return entries


def newest_attempts(study: Study) -> dict[str, Attempt]:
    """Return the newest attempt at each source by its id."""
    rows = study.store.read(OUTCOMES).select(["source_id", "outcome", "attempted_ns"]).to_pylist()
    return {r["source_id"]: Attempt(outcome=r["outcome"], attempted_ns=r["attempted_ns"]) for r in rows}


def to_collect(study: Study) -> list[SourceEntry]:
    """List the sources that were never tried, or whose last failure may have passed."""
    attempts = newest_attempts(study)
    return [entry for entry in list_sources(study) if _is_due(entry, attempts.get(entry.source_id))]


def _is_due(entry: SourceEntry, attempt: Attempt | None) -> bool:
    if attempt is None:
        return True
    if attempt.outcome == GOT:
        return False
    if try_again(entry, DropReason(attempt.outcome)):
        return True
    return not entry.is_link and _changed_ns(Path(entry.location)) > attempt.attempted_ns


def _changed_ns(path: Path) -> int:
    """Return when a local file was last written or put in its place, 0 where none is to be seen.

    The second counts too: an older, better file may have been moved there.
    """
    try:
        state = path.stat()
    except OSError:  # a name that is too long or a folder without access, beside no such file
        return 0
    return max(state.st_mtime_ns, state.st_ctime_ns)


def collect_source(study: Study, entry: SourceEntry) -> Outcome:
    """Get one source, unless another runner has it in hand or got it meanwhile."""
    outcome = Outcome(stage="collect")
    started_ns = time.time_ns()
    with lease(study.layout, "collect", entry.source_id) as held:
        if not held:
            outcome.busy.append(entry.source_id)
            return outcome
        if not _is_due(entry, newest_attempts(study).get(entry.source_id)):
            return outcome
        try:
            lost = _take_in(study, entry)
        except RunError:
            raise
        except Exception as error:  # noqa: BLE001  its message may hold the link or the path: for private/ alone
            failed = Outcome(stage="collect", failures=[_failure(entry, traceback.format_exc())])
            record_run(study, failed, key=entry.source_id, started_ns=started_ns)
            outcome.failures.append(_failure(entry, type(error).__name__))
            return outcome
        outcome.done, outcome.rows = int(lost is None), int(lost is None)
        outcome.dropped += [lost] if lost else []
        record_run(study, outcome, key=entry.source_id, started_ns=started_ns)
    return outcome


def _failure(entry: SourceEntry, text: str) -> Failure:
    return Failure(stage="collect", key=entry.source_id, traceback=text)


def _take_in(study: Study, entry: SourceEntry) -> Dropped | None:
    (found,) = collect_sources(
        [entry],
        pseudonym_key=study.key,
        work_folder=study.layout.work,
        already_held=lambda platform, native_id: (platform, native_id) in _held(study),
        config=study.config.collect,
    )
    video_id: VideoId | None = None
    lost = found if isinstance(found, Dropped) else None
    if isinstance(found, Fetched):
        lost = _keep(study, found)
    if not isinstance(found, Dropped) and lost is None:
        video_id = found.video_id
        study.store.append(SOURCES, table_of(SOURCES, [_source_row(found)]))
    outcome_row = {
        "source_id": entry.source_id,
        "video_id": video_id,
        "outcome": lost.reason.value if lost else GOT,
        "detail": lost.detail if lost else "",
        "attempted_ns": time.time_ns(),
    }
    study.store.append(OUTCOMES, table_of(OUTCOMES, [outcome_row]))
    return lost


def _keep(study: Study, fetched: Fetched) -> Dropped | None:
    """Probe the file and take it into the store; the work folder keeps nothing."""
    try:
        record = probe_video(fetched.path, video_id=fetched.video_id, sha256=fetched.sha256)
        MediaStore(study.layout).add(fetched.path, sha256=fetched.sha256)
    except ItemError as error:
        return Dropped(stage="collect", item_id=fetched.entry.source_id, reason=error.reason, detail=error.detail)
    finally:
        fetched.path.unlink()
    study.store.append(VIDEOS, videos_to_rows([record]))
    return None


def _source_row(found: Fetched | AlreadyHeld) -> dict[str, str | None]:
    return {
        "source_id": found.entry.source_id,
        "video_id": found.video_id,
        "platform": found.platform,
        "native_id": found.native_id,
        "location": found.entry.location,
        "title": found.title,
        "person_id": found.entry.person_id,
    }


def _held(study: Study) -> set[tuple[str, str]]:
    rows = study.store.read(SOURCES).select(["platform", "native_id"]).to_pylist()
    return {(row["platform"], row["native_id"]) for row in rows}


def declared_people(study: Study) -> dict[str, str]:
    """Return the person that the study declares for each video: today's source list, then what was recorded.

    A video that two sources give to two people has none: nobody is guessed.
    """
    today = {entry.source_id: entry.person_id for entry in list_sources(study)}
    people: dict[str, set[str]] = {}
    for row in study.store.read(SOURCES).to_pylist():
        person = today.get(row["source_id"], row["person_id"])
        if person:
            people.setdefault(row["video_id"], set()).add(person)
    return {video_id: next(iter(found)) for video_id, found in people.items() if len(found) == 1}
