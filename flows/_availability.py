"""Is each source still public? A dated ledger, and what becomes of a video whose source vanished."""

import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator

from collectors.base import SourceEntry, collector_for
from collectors.manners import site_of
from flows._collection import Campaign
from flows._leases import lease
from flows._outcome import Failure, Outcome, record_run
from flows._study import Study
from flows._withdraw import withdraw_by_policy
from flows._withdrawals import withdrawn_videos
from schema.arrow import AVAILABILITY, SOURCES
from schema.errors import DropReason, ItemError, PutOffError, RunError
from schema.records import Dropped, SourceId
from schema.rows import Row, table_of
from schema.tables import STUDY_KEY
from schema.timespan import NS_PER_SECOND

STAGE = "recheck"
PUBLIC = "public"
VANISHED = frozenset({DropReason.REMOVED, DropReason.PRIVATE, DropReason.MEMBERS_ONLY})
"""Answers that say that a video is no longer public."""
TELLING = VANISHED | {PUBLIC}
"""Answers that count; any other (no network, a bot check) does not tell, and the last one that did holds."""
CHECKED_AGAIN_AFTER_S = 20 * 3600.0
"""A recheck that was broken off goes on where it stopped: what answered in the last 20 hours is not asked again."""
ANSWERS_TO_WITHDRAW = 2
"""Answers in a row, of rechecks on different days, that withdraw a video: a withdrawal is final, and a site that is
broken for an hour tells of every video that it is gone."""
BATCH = 25
"""Answers that are recorded together: a killed recheck loses so many at most."""


def recheck(campaign: Campaign) -> Outcome:
    """Ask whether each collected link is still public, record the answers, and apply the study's policy.

    A source that vanished is a finding, which notes tell; a source that gave no answer is dropped, and asked again by
    the next recheck. The sources of a paused host are left for later.
    """
    outcome = Outcome(stage=STAGE)
    started_ns = time.time_ns()
    study = campaign.study
    with lease(study.layout, STAGE, STUDY_KEY) as held:
        if not held:
            outcome.busy.append(STUDY_KEY)
            return outcome
        waiting = sources_to_check(study, now_ns=campaign.clock.now_ns())
        states: Counter[str] = Counter()
        for first in range(0, len(waiting), BATCH):
            states.update(_check_batch(campaign, waiting[first : first + BATCH], outcome))
        outcome.done = sum(count for state, count in states.items() if state in TELLING)
        outcome.rows = states.total()
        outcome.notes += [f"{count} {state}" for state, count in sorted(states.items()) if state in TELLING]
        left = len(waiting) - outcome.rows - len(outcome.failures)
        outcome.notes += [f"{left} left for later"] if left else []
        outcome.notes += _apply_policy(study)
        record_run(study, outcome, key=STUDY_KEY, started_ns=started_ns)
    return outcome


def _apply_policy(study: Study) -> list[str]:
    vanished = vanished_videos(study) - withdrawn_videos(study)
    if not vanished:
        return []
    if study.config.collect.on_vanished == "keep_features":
        return [f"{len(vanished)} videos are no longer public, and stay in the study"]
    gone, told = withdraw_by_policy(study, vanished_videos(study, answers=ANSWERS_TO_WITHDRAW), cause="vanished")
    notes = [f"{len(gone)} videos withdrawn"] if gone else []
    waiting = len(vanished - set(gone))
    notes += [f"{waiting} videos are withdrawn once another recheck finds them gone"] if waiting else []
    return [*notes, *told]


def vanished_videos(study: Study, *, answers: int = 1) -> set[str]:
    """Return the videos of which no source is public any more, by so many newest answers of each source.

    A file of the user's own does not vanish.
    """
    told: defaultdict[str, list[str]] = defaultdict(list)
    for row in study.store.read(AVAILABILITY).to_pylist():
        if row["state"] in TELLING:
            told[row["source_id"]].append(row["state"])
    public: dict[str, bool] = {}
    for row in study.store.read(SOURCES).select(["source_id", "video_id"]).to_pylist():
        newest = told[row["source_id"]][-answers:]
        is_public = len(newest) < answers or not VANISHED.issuperset(newest)
        public[row["video_id"]] = public.get(row["video_id"], False) or is_public
    return {video_id for video_id, is_public in public.items() if not is_public}


def sources_to_check(study: Study, *, now_ns: int) -> list[tuple[SourceEntry, str]]:
    """List the links that gave a video which the study holds, with that video, but for those that just answered."""
    return list(_to_check(study, now_ns=now_ns))


def _to_check(study: Study, *, now_ns: int) -> Iterator[tuple[SourceEntry, str]]:
    answered_ns = {
        row["source_id"]: row["checked_ns"]
        for row in study.store.read(AVAILABILITY).to_pylist()
        if row["state"] in TELLING
    }
    withdrawn = withdrawn_videos(study)
    seen: set[str] = set()
    for row in study.store.read(SOURCES).select(["source_id", "location", "video_id"]).to_pylist():
        entry = SourceEntry(source_id=SourceId(row["source_id"]), location=row["location"], person_id=None)
        age_s = (now_ns - answered_ns.get(entry.source_id, 0)) / NS_PER_SECOND
        is_fresh = 0 <= age_s < CHECKED_AGAIN_AFTER_S
        if entry.is_link and entry.source_id not in seen and row["video_id"] not in withdrawn and not is_fresh:
            seen.add(entry.source_id)
            yield entry, row["video_id"]


def _check_batch(campaign: Campaign, entries: list[tuple[SourceEntry, str]], outcome: Outcome) -> Counter[str]:
    """Ask a batch and record its answers, also where the run is stopped half-way; counts them by state."""
    rows: list[Row] = []
    try:
        for entry, video_id in entries:
            row = _check(campaign, entry, video_id, outcome)
            rows += [row] if row else []
    finally:
        gone = withdrawn_videos(campaign.study)  # also meanwhile, by another process
        kept = [row for row in rows if row["video_id"] not in gone]
        campaign.study.store.append(AVAILABILITY, table_of(AVAILABILITY, kept))
    return Counter(row["state"] for row in rows)


def _check(campaign: Campaign, entry: SourceEntry, video_id: str, outcome: Outcome) -> Row | None:
    """Look one source up; None where its host is paused and nothing was asked, and after an unforeseen error."""
    site = site_of(entry.location)
    if site in outcome.paused:
        return None
    try:
        with campaign.manners.turn(site):
            error = _ask(campaign, entry)
            # as after a listing: that a page is shown does not prove that a pause helped against refused videos
            campaign.manners.report(
                site,
                error.reason if error else None,
                retry_after_s=error.retry_after_s if error else None,
                of_listing=True,
            )
    except PutOffError as put_off:
        outcome.paused[site] = put_off.until_ns
        return None
    except RunError:
        raise
    except Exception as unforeseen:  # noqa: BLE001  its message may hold the link: for private/ alone
        kept = Failure(stage=STAGE, key=entry.source_id, traceback=traceback.format_exc())
        failed = Outcome(stage=STAGE, failures=[kept])
        record_run(campaign.study, failed, key=entry.source_id, started_ns=time.time_ns())
        outcome.failures.append(Failure(stage=STAGE, key=entry.source_id, traceback=type(unforeseen).__name__))
        return None
    if error and error.reason not in TELLING:
        lost = Dropped(stage=STAGE, item_id=entry.source_id, reason=error.reason, detail=error.detail)
        outcome.dropped.append(lost)
    return {
        "source_id": entry.source_id,
        "video_id": video_id,
        "state": error.reason.value if error else PUBLIC,
        "checked_ns": campaign.clock.now_ns(),
    }


def _ask(campaign: Campaign, entry: SourceEntry) -> ItemError | None:
    """Look a link up without downloading it; returns why it is not to be had, None where it is."""
    collector = collector_for(
        entry,
        campaign.study.config.collect,
        study_folder=campaign.study.layout.root,
        on_request=campaign.manners.request_gap,
    )
    try:
        with collector.open(entry):
            return None
    except ItemError as error:
        return error
