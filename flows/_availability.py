"""Is each source still public? A dated ledger, and what becomes of a video whose source vanished."""

from collections.abc import Iterator

from collectors.base import SourceEntry, collector_for
from collectors.manners import site_of
from flows._collection import Campaign
from flows._outcome import Outcome
from flows._study import Study
from flows._withdrawals import withdraw, withdrawn_videos
from schema.arrow import AVAILABILITY, SOURCES
from schema.errors import DropReason, ItemError, PutOffError
from schema.records import Dropped, SourceId
from schema.rows import Row, table_of

PUBLIC = "public"
VANISHED = frozenset({DropReason.REMOVED, DropReason.PRIVATE, DropReason.MEMBERS_ONLY})
"""Answers that say that a video is no longer public; all others say that it could not be told this time."""
CHECKED_AGAIN_AFTER_S = 20 * 3600.0
"""A recheck that was broken off goes on where it stopped: what was asked in the last 20 hours is not asked again."""
BATCH = 25
"""Answers that are recorded together: a killed recheck loses so many at most."""


def recheck(campaign: Campaign) -> Outcome:
    """Ask whether each collected link is still public, record the answers, and apply the study's policy."""
    study = campaign.study
    outcome = Outcome(stage="recheck")
    waiting = sources_to_check(study, now_ns=campaign.clock.now_ns())
    for first in range(0, len(waiting), BATCH):
        rows = [
            row
            for entry, video_id in waiting[first : first + BATCH]
            if (row := _check(campaign, entry, video_id, outcome))
        ]
        study.store.append(AVAILABILITY, table_of(AVAILABILITY, rows))
        outcome.done += len(rows)
    vanished = vanished_videos(study)
    outcome.rows = outcome.done
    if study.config.collect.on_vanished == "withdraw":
        gone = withdraw(study, vanished, cause="vanished")
        outcome.notes += [f"{len(gone)} videos withdrawn"] if gone else []
    elif vanished:
        outcome.notes.append(f"{len(vanished)} videos are no longer public; their features are kept")
    return outcome


def newest_states(study: Study) -> dict[str, Row]:
    """Return the newest answer for each source by its id."""
    return {row["source_id"]: row for row in study.store.read(AVAILABILITY).to_pylist()}


def vanished_videos(study: Study) -> set[str]:
    """Return the videos of which no source is public any more, by the newest answers."""
    states = newest_states(study)
    public: dict[str, bool] = {}
    for row in study.store.read(SOURCES).select(["source_id", "video_id"]).to_pylist():
        state = states.get(row["source_id"])
        is_public = state is None or state["state"] not in VANISHED
        public[row["video_id"]] = public.get(row["video_id"], False) or is_public
    return {video_id for video_id, is_public in public.items() if not is_public}


def sources_to_check(study: Study, *, now_ns: int) -> list[tuple[SourceEntry, str]]:
    """List the links that gave a video which the study holds, with that video; those just asked are left out."""
    return list(_to_check(study, now_ns=now_ns))


def _to_check(study: Study, *, now_ns: int) -> Iterator[tuple[SourceEntry, str]]:
    states, withdrawn = newest_states(study), withdrawn_videos(study)
    seen: set[str] = set()
    for row in study.store.read(SOURCES).to_pylist():
        entry = SourceEntry(source_id=SourceId(row["source_id"]), location=row["location"], person_id=None)
        checked_ns = states.get(entry.source_id, {}).get("checked_ns", 0)
        is_fresh = now_ns - checked_ns < CHECKED_AGAIN_AFTER_S * 1e9
        if entry.is_link and entry.source_id not in seen and row["video_id"] not in withdrawn and not is_fresh:
            seen.add(entry.source_id)
            yield entry, row["video_id"]


def _check(campaign: Campaign, entry: SourceEntry, video_id: str, outcome: Outcome) -> Row | None:
    """Look one source up; None where its host is paused and nothing was asked."""
    study, site = campaign.study, site_of(entry.location)
    if site in outcome.paused:
        return None
    reason: DropReason | None = None
    try:
        with campaign.manners.turn(site):
            retry_after_s = None
            try:
                collector = collector_for(
                    entry,
                    study.config.collect,
                    study_folder=study.layout.root,
                    on_request=campaign.manners.request_gap,
                )
                with collector.open(entry):
                    pass
            except ItemError as error:
                reason, retry_after_s = error.reason, error.retry_after_s
                outcome.dropped.append(
                    Dropped(stage="recheck", item_id=entry.source_id, reason=error.reason, detail=error.detail)
                )
            campaign.manners.report(site, reason, retry_after_s=retry_after_s)
    except PutOffError as error:
        outcome.paused[site] = error.until_ns
        return None
    state = reason.value if reason else PUBLIC
    return {
        "source_id": entry.source_id,
        "video_id": video_id,
        "state": state,
        "checked_ns": campaign.clock.now_ns(),
    }
