"""What a collection does around its downloads: news and opt-outs before them, people and retention after."""

from collectors.clock import SystemClock
from flows._availability import sources_to_check
from flows._collection import Campaign
from flows._identity import identified_people, identify
from flows._listing import ListingNews
from flows._opt_outs import renewed
from flows._outcome import Outcome
from flows._retention import apply_retention
from flows._study import Study
from flows._withdraw import withdraw_by_policy
from flows._withdrawals import opted_out_videos


def take_news(campaign: Campaign, *, full: bool = False) -> Outcome:
    """Ask the sources for news; what filters and opt-outs pass over is recorded, also of what was collected before."""
    outcome = Outcome(stage="collect")
    _tell_news(campaign.refresh(full=full), outcome)
    outcome.add(campaign.pass_over())
    outcome.paused |= campaign.paused_hosts()
    outcome.notes += _apply_opt_outs(campaign)
    return outcome


def _apply_opt_outs(campaign: Campaign) -> list[str]:
    """Withdraw what the opt-out list forbids; who is in a video matters only where there are players on it."""
    study = campaign.study
    opt_outs = renewed(study, campaign.opt_outs)
    notes: list[str] = []
    people: dict[str, str] = {}
    if opt_outs.names_players:
        outcome, people = identified_people(study)
        notes += outcome.notes
    forbidden = opted_out_videos(study, opt_outs, people=people)
    withdrawn, told = withdraw_by_policy(study, forbidden, cause="opted_out")
    notes += [f"{len(withdrawn)} videos withdrawn by the opt-out list"] if withdrawn else []
    return [*notes, *told]


def _tell_news(news: ListingNews, outcome: Outcome) -> None:
    outcome.dropped += news.failed
    outcome.paused |= {put_off.host: put_off.until_ns for put_off in news.paused}
    found = {"new": news.new, "edited": news.edited, "vanished": news.vanished, "back": news.back}
    words = [f"{count} {what}" for what, count in found.items() if count]
    outcome.notes += [f"listed: {', '.join(words)}"] if words else []


def to_recheck(study: Study) -> int:
    """Count the sources that a recheck would ask."""
    return len(sources_to_check(study, now_ns=SystemClock().now_ns()))


def settle(campaign: Campaign, *, has_collected: bool = True) -> Outcome:
    """Say who is in the videos, withdraw who should not be, delete what is no longer kept, and tell what comes next.

    ``has_collected`` is False where nothing was recorded since ``take_news``: the opt-outs are then applied already.
    """
    study = campaign.study
    outcome = Outcome(stage="collect", notes=list(identify(study).notes))
    outcome.notes += _apply_opt_outs(campaign) if has_collected else []
    freed = apply_retention(study)
    outcome.notes += [f"{freed / 1e9:.3f} GB of video files deleted"] if freed else []
    outcome.notes += [f"ended by {campaign.quota.why_spent}"] if campaign.quota.is_spent else []
    outcome.paused |= campaign.paused_hosts()
    outcome.next_retry_ns = campaign.next_retry_ns()
    return outcome
