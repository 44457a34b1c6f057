"""What every flow shares: one task a video, a bounded number at a time, and a summary in Prefect's page."""

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from prefect import task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from flows._outcome import Failure, Outcome, record_run
from flows._study import open_study
from schema.errors import RunError


def run_tasks(
    work: Callable[[str, str], Outcome], *, root: str, keys: Sequence[str], workers: int, outcome: Outcome
) -> None:
    """Run ``work(root, key)`` as one Prefect task a key (a video, a source), and take in what they did.

    An unforeseen error fails its key alone; a ``RunError`` is raised after the other keys are done.
    """
    name, started_ns = outcome.stage, time.time_ns()
    wrapped = task(name=name, task_run_name=name + " {key}", cache_policy=NO_CACHE, persist_result=False)
    key_task = wrapped(work)
    executor: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=workers)
    refused: RunError | None = None
    with executor as runner:
        submitted = [(key, runner.submit(key_task, {"root": root, "key": key})) for key in keys]
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


@contextmanager
def summarised(outcome: Outcome) -> Iterator[None]:
    """Time the block, and put what the stage did on Prefect's page."""
    started = time.monotonic()
    yield
    outcome.seconds = time.monotonic() - started
    publish_summary(outcome)


def _traceback(error: object) -> str:
    return "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else repr(error)


def publish_summary(outcome: Outcome) -> None:
    """Put the stage's counts on Prefect's page as a table."""
    reasons: dict[str, int] = {}
    for lost in outcome.dropped:
        reasons[lost.reason] = reasons.get(lost.reason, 0) + 1
    rows = [{"what": "done", "count": outcome.done}, {"what": "rows written", "count": outcome.rows}]
    rows += [{"what": f"dropped: {reason}", "count": count} for reason, count in sorted(reasons.items())]
    rows += [{"what": f"failed: {failure.key}: {failure.cause}", "count": 1} for failure in outcome.failures]
    create_table_artifact(table=rows, key=f"{outcome.stage}-summary", description=f"What `{outcome.stage}` did")
