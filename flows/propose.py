"""Propose: the keypoints of every video become candidates for people to judge."""

from prefect import flow

from flows._flowkit import StageRun, run_tasks
from flows._outcome import Outcome
from flows._plan import study_video, study_videos, to_propose
from flows._rounds import chosen_model
from flows._study import open_study
from flows._videos import propose_video


def _propose(root: str, key: str) -> Outcome:
    study = open_study(root)
    return propose_video(study, study_video(study, key))


@flow(name="propose")
def propose_flow(study: str) -> Outcome:
    """Propose candidates wherever keypoints are current and candidates are not.

    Args:
        study: The study's folder, as the machine sees it that does the work.
    """
    with StageRun("propose", study) as run:
        video_ids = [video.video_id for video in to_propose(run.study, study_videos(run.study))]
        workers = run.study.config.run.workers
        if video_ids:
            chosen_model(run.study)  # once for all workers; one that can't be used is told once, before any work
        run_tasks(_propose, root=study, keys=video_ids, workers=workers, outcome=run.outcome)
    return run.outcome
