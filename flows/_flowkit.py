"""What every flow shares: one task a key, a bounded number at a time, and a summary in Prefect's page."""

import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import typer
from prefect import runtime, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.task_runners import ThreadPoolTaskRunner

from flows._outcome import Failure, Outcome, record_run
from flows._report import tell_outcome
from flows._study import Study, open_study
from flows._withdraw import finish_begun
from schema.errors import DropReason, PipelineError, RunError
from schema.tables import STUDY_KEY

REFUSALS = (DropReason.RATE_LIMITED, DropReason.BOT_CHECK, DropReason.REFUSED)
"""Outcomes by which a site says that it does not want to be asked so."""


class StageFailedError(RunError):
    """A scheduled run did not do all of its work: its state in Prefect's page is Failed, its words hold no secret."""


def is_scheduled() -> bool:
    """Tell whether this flow run belongs to a deployment, and not to a command that tells the outcome itself."""
    return runtime.deployment.id is not None


def perceive_tag(study: Study) -> str:
    """Name the tag of tasks that perceive a video of the study."""
    return f"perceive:{study.config.study.name}"


def download_tag(site: str) -> str:
    """Name the tag of tasks that ask a site for a video."""
    return f"download:{site}"


def limit_tasks(limits: Mapping[str, int]) -> None:
    """Let Prefect's server run so many tasks with each tag at once, on all machines that use it."""
    with get_client(sync_client=True) as client:
        for tag, limit in limits.items():
            client.create_concurrency_limit(tag=tag, concurrency_limit=limit)


def _no_tags(key: str) -> Sequence[str]:
    return ()


def run_tasks(
    work: Callable[[str, str], Outcome],
    *,
    root: str,
    keys: Sequence[str],
    workers: int,
    outcome: Outcome,
    tags_of: Callable[[str], Sequence[str]] = _no_tags,
) -> None:
    """Run ``work(root, key)`` as one Prefect task a key (a video, a source), and take in what they did.

    An unforeseen error fails its key alone; a ``RunError`` is raised after the other keys are done. In a scheduled run
    the tasks carry the tags of their key, so that Prefect's limits hold for them.
    """
    name, started_ns = outcome.stage, time.time_ns()
    wrapped = task(name=name, task_run_name=name + " {key}", cache_policy=NO_CACHE, persist_result=False)
    key_task = wrapped(work)
    tags_of = tags_of if is_scheduled() else _no_tags
    executor: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=workers)
    refused: RunError | None = None
    with executor as runner:
        submitted = [
            (key, runner.submit(key_task.with_options(tags=tags_of(key)), {"root": root, "key": key})) for key in keys
        ]
        for key, future in submitted:
            result = future.result(raise_on_failure=False)
            if isinstance(result, Outcome):
                outcome.add(result)
            elif isinstance(result, RunError):
                refused = result
            else:
                failed = Outcome(stage=name, failures=[Failure(stage=name, key=key, traceback=_traceback(result))])
                record_run(open_study(root), failed, key=key, started_ns=started_ns)
                outcome.add(failed)
    if refused:
        raise refused


class StageRun(AbstractContextManager["StageRun"]):
    """The frame around a flow's work: opens the study, times the work, and puts what was done on Prefect's page.

    A scheduled run tells its outcome in a line too, and ends as ``StageFailedError`` where anything failed. An error
    that nobody foresaw may hold a link or a path in its words: of a scheduled run its traceback goes into the run
    ledger, and Prefect learns its type alone. A command gets the error as it is.
    """

    study: Study
    outcome: Outcome

    def __init__(self, stage: str, root: str) -> None:
        """Take the stage's name and the study's folder."""
        self.outcome = Outcome(stage=stage)
        self._root = root
        self._started_ns = time.time_ns()

    def __enter__(self) -> "StageRun":
        """Open the study, and finish a withdrawal that was begun; raises what ``open_study`` and that raise."""
        try:
            self.study = open_study(self._root)
            finish_begun(self.study)
        except PipelineError as error:
            self._tell_error(error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publish the summary; raises ``StageFailedError`` in a scheduled run that failed."""
        if error is not None and not isinstance(error, Exception):  # the process is being ended
            return
        self.outcome.seconds = (time.time_ns() - self._started_ns) / 1e9
        is_foreseen = isinstance(error, PipelineError)
        if error is not None and not is_foreseen and is_scheduled():
            self._keep(error)
        publish_summary(self.outcome, study_name=self.study.config.study.name)
        if not is_scheduled():
            return
        with suppress(PipelineError):  # it looks into the source list, which may be what is wrong
            tell_outcome(self.outcome, self.study)
        if error is not None and is_foreseen:
            self._tell_error(error)
        elif self.outcome.failures:
            raise StageFailedError(_failure_line(self.outcome)) from None

    def _keep(self, error: Exception) -> None:
        """Write an unforeseen error into the run ledger, and its type alone into the outcome."""
        stage = self.outcome.stage
        kept = Failure(stage=stage, key=STUDY_KEY, traceback=_traceback(error))
        record_run(self.study, Outcome(stage=stage, failures=[kept]), key=STUDY_KEY, started_ns=self._started_ns)
        self.outcome.failures.append(Failure(stage=stage, key=STUDY_KEY, traceback=type(error).__name__))

    def _tell_error(self, error: Exception) -> None:
        if is_scheduled():
            typer.echo(f"{self.outcome.stage}: {error}", err=True)


def _failure_line(outcome: Outcome) -> str:
    first = outcome.failures[0]
    cause = first.cause.partition(":")[0]
    others = f" and {len(outcome.failures) - 1} more" if len(outcome.failures) > 1 else ""
    return f"{outcome.stage} failed for {first.key}{others}: {cause}; the traceback is in the table runs"


def _traceback(error: object) -> str:
    return "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else repr(error)


def publish_summary(outcome: Outcome, *, study_name: str) -> None:
    """Put what the stage did on Prefect's page as a table."""
    create_table_artifact(
        table=summary_rows(outcome),
        key=f"{outcome.stage}-summary",
        description=f"What `{outcome.stage}` did for the study `{study_name}`",
    )


def summary_rows(outcome: Outcome) -> list[dict[str, str]]:
    """Write an outcome as a table of what happened, how often, and what else is known of it."""
    reasons = Counter(lost.reason for lost in outcome.dropped)
    refusals = sum(reasons[reason] for reason in REFUSALS)
    rows = _done_rows(outcome)
    rows += [_row(f"dropped: {reason}", count) for reason, count in sorted(reasons.items())]
    rows += [_row("refusals", refusals, "rate limits, bot checks and other refusals")] if refusals else []
    rows += [_row("in another runner's hands", len(outcome.busy))] if outcome.busy else []
    rows += [_row("downloaded", f"{outcome.byte_count / 1e6:.1f} MB")] if outcome.stage == "collect" else []
    for host, until_ns in sorted(outcome.paused.items()):
        rows.append(_row("host paused", host, f"until {_utc(until_ns)}"))
    if outcome.next_retry_ns is not None:
        rows.append(_row("next retry", _utc(outcome.next_retry_ns)))
    rows += [_row("failed", failure.key, failure.cause) for failure in outcome.failures]
    rows += [_row("note", "", note) for note in outcome.notes]
    return [*rows, _row("time taken", f"{outcome.seconds:.1f} s")]


def _done_rows(outcome: Outcome) -> list[dict[str, str]]:
    if outcome.stage != "collect":
        return [_row("done", outcome.done), _row("rows written", outcome.rows)]
    held = outcome.done - outcome.rows
    return [_row("got", outcome.rows), *([_row("held already", held, "other links to the same video")] if held else [])]


def _row(what: str, count: int | str, more: str = "") -> dict[str, str]:
    return {"what": what, "count": str(count), "more": more}


def _utc(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M UTC")
