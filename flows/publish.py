"""Publish: answers become verified segments, and these a release."""

from prefect import flow

from flows._flowkit import StageRun
from flows._outcome import Outcome
from flows._publication import publish
from flows._retention import apply_retention


@flow(name="publish")
def publish_flow(study: str) -> Outcome:
    """Build a release of what people agreed on, unless just this was published.

    Args:
        study: The study's folder, as the machine sees it that does the work.
    """
    with StageRun("publish", study) as run:
        run.outcome.add(publish(run.study))
        freed = apply_retention(run.study)
        run.outcome.notes += [f"{freed / 1e9:.3f} GB of video files deleted"] if freed else []
    return run.outcome
