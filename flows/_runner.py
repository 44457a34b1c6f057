"""Run stages from the command line: plan first, and only where something is to do, start Prefect's engine."""

import os
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from flows._collection import Campaign
from flows._duplicates import has_current_duplicates
from flows._gathering import settle, take_news, to_recheck
from flows._outcome import Failure, Outcome, record_run
from flows._plan import study_videos, to_perceive, to_propose
from flows._prefect import connect
from flows._progress import showing
from flows._publication import lacks_words, published_release
from flows._push import count_waiting
from flows._retention import cannot_be_redone
from flows._study import Study
from flows._train import to_train
from flows._withdraw import finish_begun
from releases.build import check_unaltered
from schema.errors import PipelineError
from schema.tables import STUDY_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage as the command sees it."""

    flow: str
    """``module:function`` of its Prefect flow."""
    waiting: Callable[..., int]
    """Tells, from (study, outcome) and the command's options, how many keys it would work on; notes what it finds."""
    options: frozenset[str] = frozenset()
    """The command's options that the flow takes, too."""


def _gather(study: Study, outcome: Outcome, *, full: bool = False) -> int:
    """Ask the sources for news: a night without any costs a second, not the start of Prefect."""
    campaign = Campaign(study)
    outcome.add(take_news(campaign, full=full))
    waiting = len(campaign.due())
    if not waiting:  # the flow would settle it, but is not needed
        outcome.add(settle(campaign, has_collected=False))
    return waiting


def _to_perceive(study: Study, outcome: Outcome, *, score_only: bool = False) -> int:
    stuck = len(cannot_be_redone(study))
    if stuck:
        outcome.notes.append(f"{stuck} videos keep what was made of them: their files were deleted (collect.retain)")
    waiting = to_perceive(study, study_videos(study), score_only=score_only)
    return len(waiting) + int(not has_current_duplicates(study))


def _to_push(study: Study, _: Outcome, *, recreate: bool = False) -> int:
    return count_waiting(study, recreate=recreate)


def _to_publish(study: Study) -> int:
    """Tell whether a release is to be built, or one lacks words that the study's model has not given yet."""
    published = published_release(study)
    return int(published is None or lacks_words(study, published))


STAGES: dict[str, Stage] = {
    "collect": Stage(flow="flows.collect:collect_flow", waiting=_gather),
    "recheck": Stage(flow="flows.collect:recheck_flow", waiting=lambda study, _: to_recheck(study)),
    "perceive": Stage(flow="flows.perceive:perceive_flow", waiting=_to_perceive, options=frozenset({"score_only"})),
    "propose": Stage(
        flow="flows.propose:propose_flow", waiting=lambda study, _: len(to_propose(study, study_videos(study)))
    ),
    "push": Stage(flow="flows.annotate:push_flow", waiting=_to_push, options=frozenset({"recreate"})),
    # only the review server knows whether people answered
    "pull": Stage(flow="flows.annotate:pull_flow", waiting=lambda study, _: 1),
    "publish": Stage(flow="flows.publish:publish_flow", waiting=lambda study, _: _to_publish(study)),
    "train": Stage(flow="flows.train:train_flow", waiting=to_train, options=frozenset({"on", "init", "name"})),
}


def run_stage(study: Study, name: str, /, **options: bool | str) -> Outcome:
    """Run one stage to its end; nothing to do means done at once, without Prefect."""
    stage = STAGES[name]
    outcome = Outcome(stage=name)
    finished = finish_begun(study)
    outcome.notes += [f"{len(finished.video_ids)} withdrawals that were begun are done"] if finished.video_ids else []
    if stage.waiting(study, outcome, **options) == 0:
        published = published_release(study) if name == "publish" else None
        if published:
            check_unaltered(published)
        outcome.notes.append(f"{published} holds just this already" if published else "nothing to do")
        return outcome
    connect(study.layout)
    # failures are told by the outcome or the error, in one line; a logger's level Prefect sets again at each run
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    module, _, function = stage.flow.partition(":")
    with warnings.catch_warnings(), showing():
        warnings.simplefilter("ignore")  # of Prefect's dependencies; the tests run with warnings as errors
        flow = getattr(import_module(module), function)
        passed_on = {option: value for option, value in options.items() if option in stage.options}
        return _joined(outcome, _called(flow, study, name, **passed_on))


def _joined(prepared: Outcome, outcome: Outcome) -> Outcome:
    """Add what was found while preparing; what the flow met again is told once."""
    told = {lost.item_id for lost in outcome.dropped}
    outcome.dropped = [lost for lost in prepared.dropped if lost.item_id not in told] + outcome.dropped
    outcome.notes = prepared.notes + outcome.notes
    outcome.paused = prepared.paused | outcome.paused
    return outcome


def _called(flow: Callable[..., Outcome], study: Study, name: str, /, **options: bool | str) -> Outcome:
    """Call a flow; an unforeseen error fails the stage, and its traceback is kept in the run ledger."""
    started_ns = time.time_ns()
    try:
        return flow(str(study.layout.root), **options)
    except PipelineError:
        raise
    except Exception as error:  # noqa: BLE001  its message may hold a link or a name: for private/ alone
        kept = Failure(stage=name, key=STUDY_KEY, traceback=traceback.format_exc())
        record_run(study, Outcome(stage=name, failures=[kept]), key=STUDY_KEY, started_ns=started_ns)
        told = Failure(stage=name, key=STUDY_KEY, traceback=type(error).__name__)
        return Outcome(stage=name, failures=[told])


def run_stages(study: Study, names: tuple[str, ...], /, **options: bool | str) -> Iterator[Outcome]:
    """Run stages one after the other; the options are for the only one."""
    for name in names:
        yield run_stage(study, name, **options)
