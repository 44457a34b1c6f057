"""Publish: answers become verified segments, and these a release."""

from prefect import flow

from flows._flowkit import summarised
from flows._outcome import Outcome
from flows._publication import publish
from flows._study import open_study


@flow(name="publish")
def publish_flow(study: str) -> Outcome:
    """Build a release of what people agreed on, unless just this was published.

    Args:
        study: The study's folder.
    """
    outcome = Outcome(stage="publish")
    with summarised(outcome):
        outcome.add(publish(open_study(study)))
    return outcome
