"""Annotate: candidates go to the reviewing page, answers come back."""

from prefect import flow

from flows._annotation import pull, push
from flows._flowkit import StageRun
from flows._outcome import Outcome


@flow(name="push")
def push_flow(study: str) -> Outcome:
    """Put every candidate that was not asked yet on the reviewing page.

    Args:
        study: The study's folder, as the machine sees it that does the work.
    """
    with StageRun("push", study) as run:
        run.outcome.add(push(run.study))
    return run.outcome


@flow(name="pull")
def pull_flow(study: str) -> Outcome:
    """Fetch the answers that people gave since the last pull.

    Args:
        study: The study's folder, as the machine sees it that does the work.
    """
    with StageRun("pull", study) as run:
        run.outcome.add(pull(run.study))
    return run.outcome
