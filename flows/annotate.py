"""Annotate: candidates go to the reviewing page, answers come back."""

from prefect import flow

from flows._annotation import pull, push
from flows._flowkit import summarised
from flows._outcome import Outcome
from flows._study import open_study


@flow(name="push")
def push_flow(study: str) -> Outcome:
    """Put every candidate that was not asked yet on the reviewing page.

    Args:
        study: The study's folder.
    """
    outcome = Outcome(stage="push")
    with summarised(outcome):
        outcome.add(push(open_study(study)))
    return outcome


@flow(name="pull")
def pull_flow(study: str) -> Outcome:
    """Fetch the answers that people gave since the last pull.

    Args:
        study: The study's folder.
    """
    outcome = Outcome(stage="pull")
    with summarised(outcome):
        outcome.add(pull(open_study(study)))
    return outcome
