"""Collection: what the study's sources list becomes video files, and every attempt leaves a row."""

import random
import time
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from itertools import zip_longest
from pathlib import Path
from threading import Lock

from collectors.base import AlreadyHeld, Fetched, Missed, Offer, SourceEntry, collect_sources
from collectors.clock import Clock, SystemClock
from collectors.filters import filters_digest, passed_over
from collectors.manners import site_of
from collectors.policy import retry_ns
from collectors.room import Quota, check_room
from flows._hosts import open_manners
from flows._leases import lease
from flows._listing import ListingNews, known_entries, refresh_listings
from flows._memory import GOT, Attempt, Memory
from flows._opt_outs import OptOutList, read_opt_out_list, renewed
from flows._outcome import Failure, Outcome, record_run
from flows._refusals import refuse_offer, refused_content
from flows._study import Study
from media.store import MediaStore
from schema.arrow import OUTCOMES, SOURCES, VIDEOS
from schema.errors import DropReason, ItemError, PutOffError, RunError
from schema.privacy import make_video_id
from schema.records import Dropped, SourceId
from schema.rows import Row, table_of, videos_to_rows
from schema.tables import digest_of
from schema.timespan import NS_PER_SECOND

PASSED_OVER = frozenset({DropReason.FILTERED, DropReason.TOO_LONG, DropReason.OPTED_OUT})
"""Outcomes that today's filters and opt-outs decide: they are looked at again once those changed."""


def list_sources(study: Study) -> list[SourceEntry]:
    """List everything that the study's sources are known to hold; raises ``ConfigError`` for a bad source list."""
    return known_entries(study)


def newest_attempts(study: Study) -> dict[str, Attempt]:
    """Return the newest attempt at each source by its id."""
    return Memory(study).attempts


def to_collect(study: Study) -> list[SourceEntry]:
    """List the sources whose turn has come."""
    return Campaign(study).due()


def collect_source(study: Study, entry: SourceEntry) -> Outcome:
    """Get one source, unless another runner has it in hand or got it meanwhile."""
    return Campaign(study).collect(entry)


class Campaign:
    """One run's collection of a study; its methods may be called from several threads."""

    def __init__(self, study: Study, *, clock: Clock | None = None, rng: random.Random | None = None) -> None:
        """Open the study's memory, the state of its hosts and its opt-out list."""
        config = study.config
        self.study = study
        self.clock = clock or SystemClock()
        self.manners = open_manners(study, clock=self.clock, rng=rng)
        self.quota = Quota(videos=config.collect.videos_per_run, bytes=int(config.collect.gigabytes_per_run * 1e9))
        self._memory = Memory(study)
        self._opt_outs = read_opt_out_list(study)
        self._lock = Lock()
        self._entries: dict[SourceId, SourceEntry] | None = None

    @property
    def opt_outs(self) -> OptOutList:
        """Who and what is never collected."""
        return self._opt_outs

    def refresh(self, *, full: bool = False) -> ListingNews:
        """Ask the listed sources for news."""
        self._entries = None
        return refresh_listings(self.study, full=full, clock=self.clock, manners=self.manners)

    def entries(self) -> dict[SourceId, SourceEntry]:
        """Return everything that the sources are known to hold by source id."""
        if self._entries is None:
            self._entries = {entry.source_id: entry for entry in known_entries(self.study)}
        return self._entries

    def due(self) -> list[SourceEntry]:
        """List the entries whose turn has come, hosts taking turns; those of a paused host wait."""
        now_ns = self.clock.now_ns()
        with self._lock:
            self._memory.refresh()
            found = [entry for entry in self.entries().values() if self._is_due(entry, now_ns)]
        paused = {host for host, until_ns in self.paused_hosts().items() if not self._is_waited_for(host, until_ns)}
        by_site: dict[str, list[SourceEntry]] = {}
        for entry in found:
            if self._verdict(entry) is None:
                by_site.setdefault(site_of(entry.location) if entry.is_link else "", []).append(entry)
        rounds = zip_longest(*(entries for site, entries in by_site.items() if site not in paused))
        return [entry for one_each in rounds for entry in one_each if entry is not None]

    def paused_hosts(self) -> dict[str, int]:
        """Return the hosts that may not be asked now, and until when: Unix time in ns."""
        now_ns = self.clock.now_ns()
        states = self.manners.states()
        return {s.host: s.paused_until_ns for s in states if s.paused_until_ns is not None and s.is_paused(now_ns)}

    def _is_waited_for(self, host: str, until_ns: int) -> bool:
        """Tell whether a pause is so short that a run waits for its end."""
        return until_ns - self.clock.now_ns() <= self.manners.config_of(host).wait_in_run_s * NS_PER_SECOND

    def pass_over(self) -> Outcome:
        """Record what the listings alone show to be unwanted, in one batch; nothing is asked of any site."""
        outcome = Outcome(stage="collect")
        now_ns = self.clock.now_ns()
        rows = []
        with self._lock:
            self._memory.refresh()
            for entry in self.entries().values():
                attempt = self._memory.attempts.get(entry.source_id)
                if attempt is not None and (attempt.outcome == GOT or attempt.outcome in PASSED_OVER):
                    continue
                if entry.source_id in self._memory.withdrawn:
                    continue
                verdict = self._verdict(entry)
                if verdict is None:
                    continue
                lost = Dropped(stage="collect", item_id=entry.source_id, reason=verdict[0], detail=verdict[1])
                rows.append(self._outcome_row(entry, outcome=lost.reason, detail=lost.detail, at_ns=now_ns))
                outcome.dropped.append(lost)
            self.study.store.append(OUTCOMES, table_of(OUTCOMES, rows))
        return outcome

    def next_retry_ns(self) -> int | None:
        """Return when the first of the entries that wait may be tried again; None where none waits."""
        with self._lock:
            waits = [
                attempt.retry_ns
                for source_id, attempt in self._memory.attempts.items()
                if attempt.retry_ns is not None and SourceId(source_id) in self.entries()
            ]
        return min(waits, default=None)

    def collect(self, entry: SourceEntry) -> Outcome:
        """Get one source, unless another runner has it in hand or got it meanwhile, its host is paused or the run over.

        Raises ``RunError`` where the run can't go on, such as ``StoreFullError``.
        """
        outcome = Outcome(stage="collect")
        started_ns = time.time_ns()
        with lease(self.study.layout, "collect", entry.source_id) as held:
            if not held:
                outcome.busy.append(entry.source_id)
                return outcome
            with self._lock:
                self._memory.refresh()
                self._opt_outs = renewed(self.study, self._opt_outs)
                if not self._is_due(entry, self.clock.now_ns()):
                    return outcome
            if not self.quota.begin():
                return outcome
            try:
                self._take_in(entry, outcome)
            except PutOffError as error:
                outcome.paused[error.host] = error.until_ns
                return outcome
            except RunError:
                raise
            except Exception as error:  # noqa: BLE001  its message may hold the link or the path: for private/ alone
                failed = Outcome(stage="collect", failures=[_failure(entry, traceback.format_exc())])
                record_run(self.study, failed, key=entry.source_id, started_ns=started_ns)
                outcome.failures.append(_failure(entry, type(error).__name__))
                return outcome
            finally:
                self.quota.end(outcome.byte_count, got=outcome.rows > 0)
            if not any(lost.reason is DropReason.WITHDRAWN for lost in outcome.dropped):
                record_run(self.study, outcome, key=entry.source_id, started_ns=started_ns)
        return outcome

    def _is_due(self, entry: SourceEntry, now_ns: int) -> bool:
        attempt = self._memory.attempts.get(entry.source_id)
        if entry.source_id in self._memory.withdrawn:
            return False
        if attempt is None:
            return True
        if attempt.outcome == GOT:
            return False
        if attempt.outcome in PASSED_OVER:
            return attempt.rules != self._rules(entry)
        if entry.is_link:
            return attempt.retry_ns is not None and attempt.retry_ns <= now_ns
        return _changed_ns(Path(entry.location)) > attempt.attempted_ns

    def _rules(self, entry: SourceEntry) -> str:
        """Digest what an entry is passed over by: filters, opt-outs, and the words they judge, which may be edited."""
        words = [entry.facts.title, entry.facts.duration_ns, entry.facts.uploaded_on] if entry.facts else []
        return digest_of([filters_digest(entry.filters), self._opt_outs.digest, words])

    def _verdict(self, entry: SourceEntry) -> tuple[DropReason, str] | None:
        """Judge an entry by what is known without asking its site."""
        forbidden = self._opt_outs.forbids(entry, entry.facts)
        if forbidden:
            return DropReason.OPTED_OUT, forbidden
        return passed_over(entry.facts, entry.filters) if entry.facts else None

    def _take_in(self, entry: SourceEntry, outcome: Outcome) -> None:
        verdict = self._verdict(entry)
        if verdict is not None:
            self._record_missed(entry, Missed.of(entry, ItemError(*verdict)), outcome)
            return
        with ExitStack() as turn:
            site = turn.enter_context(self._turn(entry))

            def served() -> None:
                """Let the host serve the next one while this one is verified."""
                self._report(site, None)
                turn.close()

            (found,) = collect_sources(
                [entry],
                pseudonym_key=self.study.key,
                work_folder=self.study.layout.work,
                already_held=self._holds,
                check_offer=self._check_offer,
                config=self.study.config.collect,
                study_folder=self.study.layout.root,
                on_request=self.manners.request_gap,
                on_saved=served,
            )
            if not isinstance(found, Fetched):
                self._report(site, found if isinstance(found, Missed) else None)
        refusal = refused_content(self.study, found) if isinstance(found, Fetched) else None
        if refusal and isinstance(found, Fetched):
            found = Missed.of(entry, refusal, byte_count=found.received_bytes)
        if isinstance(found, Missed):
            self._record_missed(entry, found, outcome)
        else:
            self._record_found(found, outcome)

    def _report(self, site: str, missed: Missed | None) -> None:
        if site and missed:
            self.manners.report(site, missed.dropped.reason, retry_after_s=missed.retry_after_s)
        elif site:
            self.manners.report(site, None)

    def _turn(self, entry: SourceEntry) -> AbstractContextManager[str]:
        if not entry.is_link:
            return nullcontext("")
        return self.manners.turn(site_of(entry.location))

    def _holds(self, platform: str, native_id: str) -> bool:
        """Tell whether the study has a video; one whose source was not noted when a run was killed counts."""
        video_id = make_video_id(self.study.key, platform, native_id)
        with self._lock:
            known = (platform, native_id) in self._memory.held_by
            return known or video_id in self._memory.video_ids

    def _check_offer(self, entry: SourceEntry, offer: Offer) -> None:
        forbidden = self._opt_outs.forbids(entry, offer.facts, platform=offer.platform, native_id=offer.native_id)
        if forbidden:
            raise ItemError(DropReason.OPTED_OUT, forbidden)
        refuse_offer(self.study, entry, offer)
        verdict = passed_over(offer.facts, entry.filters)
        if verdict is not None:
            raise ItemError(*verdict)
        check_room(
            self.study.layout.root,
            byte_count=offer.byte_count,
            keep_free_bytes=int(self.study.config.collect.keep_free_gigabytes * 1e9),
        )

    def _record_missed(self, entry: SourceEntry, missed: Missed, outcome: Outcome) -> None:
        lost = missed.dropped
        at_ns = self.clock.now_ns()
        outcome.dropped.append(lost)
        outcome.byte_count += missed.byte_count or 0
        if lost.reason is DropReason.WITHDRAWN:  # its tombstone remembers the source, and nothing else may
            return
        row = self._outcome_row(
            entry, outcome=lost.reason, detail=lost.detail, at_ns=at_ns, missed=missed, byte_count=missed.byte_count
        )
        self.study.store.append(OUTCOMES, table_of(OUTCOMES, [row]))

    def _record_found(self, found: Fetched | AlreadyHeld, outcome: Outcome) -> None:
        """Keep the file and write the rows of one source; a copy of what the study holds is a duplicate."""
        entry = found.entry
        with self._lock:
            self._memory.refresh()
            first = self._memory.held_by.get((found.platform, found.native_id), entry.source_id)
            twin = self._memory.video_ids_by_sha256.get(found.record.sha256) if isinstance(found, Fetched) else None
        is_copy = first != entry.source_id or twin not in (None, found.video_id)
        video_id = twin or found.video_id
        byte_count = found.received_bytes if isinstance(found, Fetched) else 0
        if isinstance(found, Fetched):
            MediaStore(self.study.layout).add(found.path, sha256=found.record.sha256, move=True)
            if twin is None:
                self.study.store.append(VIDEOS, videos_to_rows([found.record]))
        if (entry.source_id, video_id) not in self._memory.given:  # a killed run may have got so far
            self.study.store.append(SOURCES, table_of(SOURCES, [_source_row(found, video_id)]))
        outcome_row = self._outcome_row(
            entry,
            outcome=DropReason.DUPLICATE if is_copy else GOT,
            detail="the study holds this video from another source" if is_copy else "",
            at_ns=self.clock.now_ns(),
            video_id=video_id,
            byte_count=byte_count,
        )
        self.study.store.append(OUTCOMES, table_of(OUTCOMES, [outcome_row]))
        outcome.byte_count += byte_count
        outcome.done += 1
        outcome.rows += int(not is_copy)

    def _outcome_row(
        self,
        entry: SourceEntry,
        *,
        outcome: str,
        detail: str,
        at_ns: int,
        video_id: str | None = None,
        missed: Missed | None = None,
        byte_count: int | None = None,
    ) -> Row:
        before = self._memory.attempts.get(entry.source_id)
        in_a_row = before.in_a_row + 1 if before and before.outcome == outcome else 1
        waits = None
        if outcome != GOT:
            waits = retry_ns(
                DropReason(outcome),
                attempted_ns=at_ns,
                attempts_in_a_row=in_a_row,
                retry_after_s=missed.retry_after_s if missed else None,
                starts_ns=missed.starts_ns if missed else None,
            )
        return {
            "source_id": entry.source_id,
            "video_id": video_id,
            "outcome": outcome,
            "detail": detail,
            "attempted_ns": at_ns,
            "retry_ns": waits if entry.is_link else None,  # a local file is looked at again once it changed
            "rules": self._rules(entry) if outcome in PASSED_OVER else None,
            "byte_count": byte_count,
        }


def _changed_ns(path: Path) -> int:
    """Return when a local file was last written or put in its place, 0 where none is to be seen.

    The second counts too: an older, better file may have been moved there.
    """
    try:
        state = path.stat()
    except OSError:  # a name that is too long or a folder without access, beside no such file
        return 0
    return max(state.st_mtime_ns, state.st_ctime_ns)


def _failure(entry: SourceEntry, text: str) -> Failure:
    return Failure(stage="collect", key=entry.source_id, traceback=text)


def _source_row(found: Fetched | AlreadyHeld, video_id: str) -> Row:
    facts = found.facts
    return {
        "source_id": found.entry.source_id,
        "video_id": video_id,
        "platform": found.platform,
        "native_id": found.native_id,
        "location": found.entry.location,
        "title": facts.title,
        "person_id": found.entry.person_id,
        "description": facts.description,
        "channel": facts.channel,
        "uploaded_on": facts.uploaded_on,
        "announced_duration_ns": facts.duration_ns,
        "format": found.format if isinstance(found, Fetched) else None,
        "channel_links": " ".join(facts.channel_links) or None,
    }


def batches(campaign: Campaign, *, size: int) -> Iterator[list[SourceEntry]]:
    """Yield what is due, ``size`` entries at a time, each entry once, until nothing is left or the quota is spent."""
    tried: set[SourceId] = set()
    while not campaign.quota.is_spent:
        found = [entry for entry in campaign.due() if entry.source_id not in tried][:size]
        if not found:
            return
        tried |= {entry.source_id for entry in found}
        yield found


__all__ = ["GOT", "Campaign", "batches", "collect_source", "list_sources", "newest_attempts", "to_collect"]
