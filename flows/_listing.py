"""Listing: what the study's channels, playlists, searches and feeds hold is asked, remembered, and read back."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from collectors.base import STAGE, SourceEntry
from collectors.clock import Clock
from collectors.facts import Facts
from collectors.filters import filters_of
from collectors.listing import LISTED_FACTS, Event, Item, Known, Listing, News, State, list_source, lister_for
from collectors.manners import Manners, site_of
from collectors.sources import Origin, read_origins, read_sources
from flows._study import Study
from flows._withdrawals import withdrawn_sources
from schema.arrow import LISTINGS, VISITS
from schema.errors import PutOffError
from schema.records import Dropped, SourceId
from schema.rows import Row, table_of

LISTED = "listed"
"""Outcome of a visit that succeeded."""
NS_PER_MINUTE = 60 * 10**9
NS_PER_DAY = 86_400 * 10**9

KnownItems = dict[SourceId, Known]


@dataclass(slots=True, kw_only=True)
class ListingNews:
    """What a round of listings found."""

    listed: int = 0
    """Sources that were listed."""
    new: int = 0
    """Items that no listing of their source showed before."""
    edited: int = 0
    """Items with another title, length or date."""
    vanished: int = 0
    """Items that their source no longer shows."""
    back: int = 0
    """Items that are shown again."""
    failed: list[Dropped] = field(default_factory=list)
    """Sources that could not be listed, by the id of the origin."""
    paused: list[PutOffError] = field(default_factory=list)
    """Sources whose host is paused."""

    def count(self, news: Sequence[News]) -> None:
        """Add what one source had to tell."""
        for item in news:
            setattr(self, item.event.value, getattr(self, item.event.value) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _History:
    """The visits to one origin."""

    listed_ns: int
    """The newest one that succeeded; 0: none."""
    full_ns: int
    """The newest one that succeeded and read everything; 0: none."""
    state: State
    is_torn: bool
    """The newest one broke off after something new: what is behind it would look known."""


NEVER = _History(listed_ns=0, full_ns=0, state={}, is_torn=False)


def refresh_listings(study: Study, *, full: bool = False, clock: Clock, manners: Manners) -> ListingNews:
    """Ask each channel, playlist, search and feed of the study for news, and record them.

    One that was listed within ``collect.relist_minutes`` is left alone; ``full`` reads every page of all. A source that
    fails, or whose host is paused, is told in the result, and the others go on. What was found is recorded also when
    the run is stopped half-way.
    """
    news = ListingNews()
    origins = read_origins(study.config.sources, pseudonym_key=study.key)
    if not origins:
        return news
    known, newest_ns = _known_items(study)
    histories = _histories(study, newest_ns)
    listing_rows: list[Row] = []
    visit_rows: list[Row] = []
    try:
        for origin in origins:
            history = histories.get(origin.origin_id, NEVER)
            now_ns = clock.now_ns()
            if not full and _is_fresh(study, history, now_ns):
                continue
            read_all = full or history.is_torn or _is_full_due(study, history, now_ns)
            items = known.get(origin.origin_id, {})
            try:
                listing = _visit(study, origin, manners=manners, known=items, state=history.state, read_all=read_all)
            except PutOffError as error:
                news.paused.append(error)
                continue
            _note(news, origin, listing)
            listing_rows += [_listing_row(origin, item, now_ns) for item in listing.news]
            visit_rows.append(_visit_row(origin, listing, now_ns))
    finally:
        # in this order: a run killed in between has items without a visit, which `is_torn` sees; a feed's ETag without
        # its items would hide them for good
        study.store.append(LISTINGS, table_of(LISTINGS, listing_rows))
        study.store.append(VISITS, table_of(VISITS, visit_rows))
    return news


def _is_fresh(study: Study, history: _History, now_ns: int) -> bool:
    return 0 <= now_ns - history.listed_ns < study.config.collect.relist_minutes * NS_PER_MINUTE


def _is_full_due(study: Study, history: _History, now_ns: int) -> bool:
    return not 0 <= now_ns - history.full_ns < study.config.collect.full_listing_days * NS_PER_DAY


def _visit(
    study: Study, origin: Origin, *, manners: Manners, known: Mapping[SourceId, Known], state: State, read_all: bool
) -> Listing:
    """List one origin when its host's turn has come; raises ``PutOffError``."""
    site = site_of(origin.location)
    lister = lister_for(origin, study.config.collect, study_folder=study.layout.root, on_request=manners.request_gap)
    with manners.turn(site):
        listing = list_source(
            origin,
            lister,
            known=known,
            state=state,
            read_all=read_all,
            pseudonym_key=study.key,
            withdrawn=withdrawn_sources(study),
        )
        error = listing.error
        manners.report(
            site,
            error.reason if error else None,
            retry_after_s=error.retry_after_s if error else None,
            of_listing=True,
        )
    return listing


def _note(news: ListingNews, origin: Origin, listing: Listing) -> None:
    news.count(listing.news)
    if listing.error is None:
        news.listed += 1
        return
    error = listing.error
    detail = f"{origin.listed_at}: {error.detail}"
    news.failed.append(Dropped(stage=STAGE, item_id=origin.origin_id, reason=error.reason, detail=detail))


def _listing_row(origin: Origin, news: News, listed_ns: int) -> Row:
    return {
        "origin_id": origin.origin_id,
        "source_id": news.source_id,
        "event": news.event.value,
        "location": news.item.link,
        **{name: getattr(news.item.facts, name) for name in LISTED_FACTS},
        "listed_ns": listed_ns,
    }


def _visit_row(origin: Origin, listing: Listing, listed_ns: int) -> Row:
    return {
        "origin_id": origin.origin_id,
        "listed_ns": listed_ns,
        "is_full": listing.is_full,
        "outcome": listing.error.reason.value if listing.error else LISTED,
        "detail": listing.error.detail if listing.error else "",
        "item_count": listing.item_count,
        "new_count": sum(news.event is Event.NEW for news in listing.news),
        "page_state": json.dumps(dict(listing.state), sort_keys=True) if listing.state else "",
    }


def _known_items(study: Study) -> tuple[dict[str, KnownItems], dict[str, int]]:
    """Return each origin's items by their newest row, and when its newest row was recorded."""
    known: dict[str, KnownItems] = {}
    newest_ns: dict[str, int] = {}
    for row in study.store.read(LISTINGS).to_pylist():
        items = known.setdefault(row["origin_id"], {})
        before = items.get(SourceId(row["source_id"]))
        items[SourceId(row["source_id"])] = Known(
            item=Item(link=row["location"], facts=Facts(**{name: row[name] for name in LISTED_FACTS})),
            number=before.number if before else len(items) + 1,
            is_vanished=row["event"] == Event.VANISHED,
        )
        newest_ns[row["origin_id"]] = row["listed_ns"]
    return known, newest_ns


def _histories(study: Study, newest_item_ns: Mapping[str, int]) -> dict[str, _History]:
    histories: dict[str, _History] = {}
    newest_visit_ns: dict[str, int] = {}
    for row in study.store.read(VISITS).to_pylist():
        before = histories.get(row["origin_id"], NEVER)
        is_listed = row["outcome"] == LISTED
        histories[row["origin_id"]] = _History(
            listed_ns=row["listed_ns"] if is_listed else before.listed_ns,
            full_ns=row["listed_ns"] if is_listed and row["is_full"] else before.full_ns,
            state=json.loads(row["page_state"] or "{}"),
            is_torn=not is_listed and (before.is_torn or row["new_count"] > 0),
        )
        newest_visit_ns[row["origin_id"]] = row["listed_ns"]
    for origin_id, item_ns in newest_item_ns.items():
        if item_ns > newest_visit_ns.get(origin_id, 0):
            histories[origin_id] = replace(histories.get(origin_id, NEVER), is_torn=True, state={})
    return histories


def known_entries(study: Study) -> list[SourceEntry]:
    """List every video that the study's sources are known to hold, each once: those it names itself, then the listed.

    A video of several sources is wanted where the filters of one of them take it. A person that the study declares for
    the video itself counts before the one of a channel; two sources with two people leave it to nobody. An item that
    vanished stays: its own link tells what became of it. Nothing is asked of any site. Raises ``ConfigError`` for a
    source list that can't be read.
    """
    sources = study.config.sources
    entries = {
        entry.source_id: entry
        for entry in read_sources(sources, study_folder=study.layout.root, pseudonym_key=study.key)
    }
    declared = {source_id for source_id, entry in entries.items() if entry.person_id}
    disputed: set[SourceId] = set()
    for entry in _listed_entries(study):
        earlier = entries.get(entry.source_id)
        if earlier is None:
            entries[entry.source_id] = entry
            continue
        if earlier.person_id and entry.person_id and earlier.person_id != entry.person_id:
            disputed.add(entry.source_id)
        entries[entry.source_id] = replace(
            earlier,
            person_id=earlier.person_id or entry.person_id,
            filters=filters_of(earlier.filters, entry.filters),
            facts=earlier.facts or entry.facts,
        )
    for source_id in disputed - declared:
        entries[source_id] = replace(entries[source_id], person_id=None)
    return list(entries.values())


def _listed_entries(study: Study) -> Iterator[SourceEntry]:
    origins = read_origins(study.config.sources, pseudonym_key=study.key)
    if not origins:
        return
    known, _ = _known_items(study)
    for origin in origins:
        for source_id, found in known.get(origin.origin_id, {}).items():
            yield SourceEntry(
                source_id=source_id,
                location=found.item.link,
                person_id=origin.person_id,
                listed_at=f"{origin.listed_at}, item {found.number}",
                filters=origin.filters,
                facts=_lasting(found.item.facts),
            )


def _lasting(facts: Facts) -> Facts:
    """Leave out that a broadcast is on air, which is soon out of date: the look-up tells when it begins."""
    return facts if facts.is_live is None else replace(facts, is_live=None)
