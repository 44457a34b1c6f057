"""Collect: what the study's sources list becomes video files in the store; recheck: is each still public?"""

from prefect import flow

from collectors.base import SourceEntry
from collectors.manners import site_of
from flows._availability import recheck
from flows._collection import Campaign, batches
from flows._flowkit import StageRun, download_tag, is_scheduled, limit_tasks, run_tasks
from flows._gathering import settle, take_news
from flows._outcome import Outcome
from schema.records import SourceId

BATCH = 100
"""Sources that become Prefect tasks together: a run whose quota is spent leaves no more of them idle than this."""


@flow(name="collect")
def collect_flow(study: str, full: bool = False) -> Outcome:
    """Ask the study's sources for news, and get what is due.

    Args:
        study: The study's folder, as the machine sees it that does the work.
        full: Read every page of every source, which finds edited titles and what vanished; otherwise a source is read
            up to its first page of known items, unless its full listing is due.
    """
    with StageRun("collect", study) as run:
        campaign = Campaign(run.study)
        run.outcome.add(take_news(campaign, full=full))
        for entries in batches(campaign, size=BATCH):
            _collect(campaign, entries, run.outcome)
        run.outcome.add(settle(campaign))
    return run.outcome


@flow(name="recheck")
def recheck_flow(study: str) -> Outcome:
    """Ask whether each collected video is still public, and apply the study's policy to what vanished.

    Args:
        study: The study's folder, as the machine sees it that does the work.
    """
    with StageRun("recheck", study) as run:
        run.outcome.add(recheck(Campaign(run.study)))
    return run.outcome


def _collect(campaign: Campaign, entries: list[SourceEntry], outcome: Outcome) -> None:
    by_id = {entry.source_id: entry for entry in entries}
    sites = {entry.source_id: site_of(entry.location) for entry in entries if entry.is_link}
    if is_scheduled():
        limit_tasks(
            {download_tag(site): campaign.manners.config_of(site).downloads_at_once for site in set(sites.values())}
        )

    def collect_one(root: str, key: str) -> Outcome:
        return campaign.collect(by_id[SourceId(key)])

    run_tasks(
        collect_one,
        root=str(campaign.study.layout.root),
        keys=list(by_id),
        workers=campaign.study.config.run.downloads,
        outcome=outcome,
        tags_of=lambda key: [download_tag(sites[SourceId(key)])] if key in sites else [],
    )
