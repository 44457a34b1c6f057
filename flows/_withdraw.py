"""Withdrawal: a tombstone first, then everything that names or shows the videos goes, and a kill in between is resumed.

No Prefect flow: Prefect would keep the id and the reason that a run was started with.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import typer

from collectors.sources import read_sources
from flows._doomed import Doomed, doomed_of
from flows._erasure import (
    Erased,
    erase_files,
    erase_review_rows,
    erase_rows,
    rewrite_duplicates,
)
from flows._identity import declared_people
from flows._leases import lease, waited_lease
from flows._release_inputs import forbidden_strings
from flows._study import Study
from flows._withdrawals import (
    DONE,
    Tombstone,
    begin,
    begin_again,
    is_known_video,
    mark_done,
    release_folders,
    tombstones,
    unfinished,
    with_copies,
    withdrawn_sources,
)
from flows._withdrawn_models import TRAINING, erase_models
from flows._withdrawn_runs import erase_runs
from flows._withdrawn_tasks import erase_questions
from releases.errata import ERRATA_FILE, Erratum, append_errata, held_of
from releases.privacy.links import withdraw_links
from releases.privacy.linter import find_leaks
from schema.arrow import IMPORTED_VIDEOS
from schema.errors import LeaseHeldError, UsageError
from schema.files import write_parquet
from schema.privacy import make_subject_id
from schema.tables import STUDY_KEY

OF_LONG_WORK = (TRAINING,)
"""Stages of the whole study that may take hours: nobody waits for them."""
OF_VIDEO = ("fingerprint", "perceive", "propose")
"""Stages whose runner has one video in hand."""
OF_STUDY = ("push", "pull", "publish", "identify", "duplicates")
"""Stages that write about all videos at once, in the order in which any of them take each other's leases."""
BACKUPS = "backups made before today hold it still: delete it there too, or let them grow old"


@dataclass(slots=True, kw_only=True)
class Withdrawal:
    """What a call came to."""

    video_ids: list[str] = field(default_factory=list)
    """Videos that were erased now: asked for, their copies, and those of a withdrawal that was begun before."""
    erased: Erased = field(default_factory=Erased)
    errata: list[str] = field(default_factory=list)
    """Releases that got a line."""
    links: list[str] = field(default_factory=list)
    """Gated parts that held a link of theirs, and no longer do."""
    stays: list[str] = field(default_factory=list)
    """What stays, in words."""


def withdraw_by_policy(study: Study, video_ids: Iterable[str], *, cause: str) -> tuple[list[str], list[str]]:
    """Withdraw videos within another stage, which goes on where a runner has one of them in hand.

    Returns the videos that were not withdrawn before, and notes in words. Raises ``ServiceError`` where a server that
    holds something of them does not answer: the tombstones stand, and the next command goes on.
    """
    new = begin(study, video_ids, cause=cause)
    try:
        finish_begun(study)
    except LeaseHeldError:
        return [*new], ["another runner has a withdrawn video in hand; the next command goes on with the withdrawal"]
    return [*new], []


def finish_begun(study: Study) -> Withdrawal:
    """Erase what is left of every withdrawal that was begun; does nothing where there is none.

    Raises ``LeaseHeldError`` where another runner has one of the videos in hand, and ``ServiceError`` where a server
    that holds something of them does not answer: the tombstones stand, and the next command goes on.
    """
    done = Withdrawal()
    if not unfinished(study):
        return done
    with waited_lease(study.layout, "withdrawal", STUDY_KEY):
        begun = unfinished(study)
        begin(study, [stone.video_id for stone in begun if stone.state is None], cause="requested")
        begun = unfinished(study)
        doomed = doomed_of(study, [stone.video_id for stone in begun])
        done.errata = [one.release + "-" + one.version for one in _tell_users(study, begun)]
        with _in_hand(study, doomed):
            _erase(study, doomed, done.erased)
        done.links = withdraw_links(study.layout.releases, doomed.video_ids)
        mark_done(study, begun)  # after the leases, whose files have the ids in their names
        done.video_ids = sorted(doomed.video_ids)
    done.stays = [*done.erased.stays, *_what_stays(study, doomed), BACKUPS]
    return done


def _erase(study: Study, doomed: Doomed, erased: Erased) -> None:
    """Erase in such an order that what tells of the rest goes last."""
    erase_files(study, doomed, erased)
    rewrite_duplicates(study, doomed.video_ids)
    erase_review_rows(study, doomed, erased)
    erase_models(study, doomed, erased)
    erase_questions(study, doomed, erased)
    erase_runs(study, doomed, erased)
    erase_rows(study, doomed, erased)


@contextmanager
def _in_hand(study: Study, doomed: Doomed) -> Iterator[None]:
    """Keep every other runner from the videos, and from what is written about all videos.

    Raises ``LeaseHeldError`` where one is at a video already, which may take hours.
    """
    keys = [("collect", source_id) for source_id in sorted(doomed.source_ids)]
    keys += [(stage, video_id) for video_id in sorted(doomed.video_ids) for stage in OF_VIDEO]
    keys += [(stage, STUDY_KEY) for stage in OF_LONG_WORK]
    with ExitStack() as held:
        for stage, key in keys:
            if not held.enter_context(lease(study.layout, stage, key)):
                raise LeaseHeldError(
                    f"the withdrawal is begun, but another runner has {key} in hand ({stage}); run `pressroom "
                    "withdraw` again once it has ended, any other command goes on with it, too"
                )
        for stage in OF_STUDY:
            held.enter_context(waited_lease(study.layout, stage, STUDY_KEY))
        yield


def _tell_users(study: Study, begun: Iterable[Tombstone]) -> list[Erratum]:
    """Add a line to errata.jsonl for each release that holds one of the videos, and each cause."""
    by_cause: dict[str, list[str]] = {}
    for stone in begun:
        by_cause.setdefault(stone.cause, []).append(stone.video_id)
    today = datetime.now(UTC).date()
    errata = []
    for release in release_folders(study):
        name, _, version = release.name.rpartition("-")
        for cause, video_ids in sorted(by_cause.items()):
            held = held_of(release, video_ids)
            if held.video_ids:
                line = Erratum(
                    release=name,
                    version=version,
                    noted_on=today,
                    category=cause,
                    segment_ids=tuple(sorted(held.segments)),
                    video_ids=tuple(sorted(held.video_ids)),
                )
                errata.append(line)
    return append_errata(study.layout.releases, errata)


def _what_stays(study: Study, doomed: Doomed) -> list[str]:
    """Say what names the videos still, and is the user's own to change."""
    listed = [
        entry
        for entry in read_sources(study.config.sources, study_folder=study.layout.root, pseudonym_key=study.key)
        if entry.source_id in withdrawn_sources(study) and entry.source_id in doomed.source_ids
    ]
    told = [f"{one.listed_at} still lists it; the tombstone keeps it from being collected" for one in listed]
    own = sum(not one.is_link and Path(one.location).exists() for one in listed)
    told += [f"{own} recordings of your own that it lists are where they were"] if own else []
    return told


def withdraw_on_request(study: Study, *, video: str | None, subject: str | None, reason: str) -> Withdrawal:
    """Do what `pressroom withdraw` is asked to do; a withdrawal that was begun before is finished with it.

    Raises:
        UsageError: Not exactly one of the two ids, an unknown one, or a reason that is empty or names somebody.
        LeaseHeldError, ServiceError: As ``finish_begun`` does.
    """
    if (video is None) == (subject is None):
        raise UsageError("name one of the two: --video ID or --subject ID")
    check_reason(study, reason)
    was_begun = {stone.video_id for stone in unfinished(study)}
    asked = {video} if video is not None else _videos_of(study, subject or "")
    if video is not None and not is_known_video(study, video):
        raise UsageError(f"the study has no video {video!r}; `pressroom status` lists them")
    if not asked and not was_begun:
        raise UsageError(f"the study has no video of a subject {subject!r}; the table subjects of a release lists them")
    whole = with_copies(study, {one for one in asked if one})
    begin_again(study, whole & tombstones(study).keys())
    begin(study, whole, cause="requested", reason=reason.strip())
    done = finish_begun(study)
    if subject is not None:
        done.stays.append(
            "the study may come to list new videos of the same person: put the person on the opt-out list, and take "
            "the name out of the players file"
        )
    return done


def check_reason(study: Study, reason: str) -> None:
    """Refuse a reason that is empty or could lead to anybody: it stays for good (``UsageError``)."""
    if not reason.strip():
        raise UsageError("--reason: say why, in a few words without a name")
    with tempfile.TemporaryDirectory() as folder:
        # as a value of a table: there the linter is strictest
        write_parquet(pa.table({"reason": [reason]}), Path(folder) / "reason.parquet")
        leaks = find_leaks(Path(folder), forbidden=forbidden_strings(study))
    if leaks:
        raise UsageError(f"--reason holds a {leaks[0].kind}; it stays for good, so say why without any")


def _videos_of(study: Study, subject: str) -> set[str]:
    """Return the videos in which the subject was declared or found, of the study's own and of imported ones."""
    people = declared_people(study).items()
    found = {video_id for video_id, person in people if make_subject_id(study.key, person) == subject}
    imported = study.store.read(IMPORTED_VIDEOS).select(["video_id", "subject_id"]).to_pylist()
    found |= {row["video_id"] for row in imported if row["subject_id"] == subject}
    done = {stone.video_id for stone in tombstones(study).values() if stone.state == DONE}
    return found - done


def tell_withdrawal(done: Withdrawal, *, as_json: bool) -> None:
    """Print what went and what stays."""
    erased = done.erased
    facts: dict[str, Any] = {
        "videos": done.video_ids,
        "files": dict(sorted(erased.files.items())),
        "bytes": erased.byte_count,
        "rows": {table: count for table, count in sorted(erased.rows.items()) if count},
        "review_tasks": erased.tasks,
        "server_rows": erased.server_rows,
        "log_lines": erased.log_lines,
        "models": erased.models,
        "errata": done.errata,
        "links": done.links,
        "stays": done.stays,
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
        return
    typer.echo(f"withdrawn: {', '.join(done.video_ids) or 'nothing new'}")
    _tell("files", erased.files, f"{erased.byte_count / 1e6:.1f} MB")
    _tell("rows", erased.rows, "of recorded tables")
    typer.echo(f"  tasks on the review server: {erased.tasks}, rows of servers' databases: {erased.server_rows}")
    for model in erased.models:
        typer.echo(f"  model {model} is gone, for it learned from them: `pressroom train` makes one without them")
    for release in done.errata:
        typer.echo(f"  release {release} stays as it is, with a line in releases/{ERRATA_FILE}")
    for part in done.links:
        typer.echo(f"  links gone from releases/{part}: ask whoever was given it to delete theirs")
    for words in done.stays:
        typer.echo(f"  stays: {words}")


def _tell(what: str, counts: Counter[str], more: str) -> None:
    told = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count)
    typer.echo(f"  {what}: {told or 'none'} ({sum(counts.values())} {what}, {more})")
