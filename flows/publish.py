"""Publish: answers become verified segments, and these a release."""

from prefect import flow

from flows._flowkit import StageRun
from flows._outcome import Outcome
from flows._publication import publish


@flow(name="publish")
def publish_flow(study: str) -> Outcome:
    """Build a release of what people agreed on, unless just this was published.

    Args:
        study: The study's folder, as the machine sees it that does the work.
    """
    with StageRun("publish", study) as run:
        run.outcome.add(publish(run.study))
    return run.outcome
