"""Annotate: candidates go to the reviewing page, answers come back."""

from prefect import flow

from flows._flowkit import StageRun
from flows._outcome import Outcome
from flows._pull import pull
from flows._push import push


@flow(name="push")
def push_flow(study: str, recreate: bool = False) -> Outcome:
    """Put what is asked next on the reviewing page.

    Args:
        study: The study's folder, as the machine sees it that does the work.
        recreate: Ask again what somebody deleted on the review server.
    """
    with StageRun("push", study) as run:
        run.outcome.add(push(run.study, recreate=recreate))
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
