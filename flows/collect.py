"""Collect: the study's sources become video files in the store."""

from prefect import flow

from flows._collection import collect_source, list_sources, to_collect
from flows._flowkit import run_tasks, summarised
from flows._outcome import Outcome
from flows._study import open_study


def _collect(root: str, key: str) -> Outcome:
    study = open_study(root)
    entry = next(entry for entry in list_sources(study) if entry.source_id == key)
    return collect_source(study, entry)


@flow(name="collect")
def collect_flow(study: str) -> Outcome:
    """Get the sources that the study lists and does not hold.

    Args:
        study: The study's folder.
    """
    opened = open_study(study)
    outcome = Outcome(stage="collect")
    with summarised(outcome):
        source_ids = [entry.source_id for entry in to_collect(opened)]
        run_tasks(_collect, root=study, keys=source_ids, workers=opened.config.run.downloads, outcome=outcome)
    return outcome
