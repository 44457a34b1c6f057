"""Perceive: every video becomes frames, shots, tracks, keypoints and a proxy."""

from prefect import flow

from flows._flowkit import run_tasks, summarised
from flows._outcome import Outcome
from flows._plan import study_video, study_videos, to_perceive
from flows._progress import current_progress
from flows._study import open_study
from flows._videos import perceive_video


def _perceive(root: str, key: str) -> Outcome:
    study = open_study(root)
    return perceive_video(study, study_video(study, key), current_progress())


@flow(name="perceive")
def perceive_flow(study: str) -> Outcome:
    """Perceive what the study holds and has not perceived with today's settings.

    Args:
        study: The study's folder.
    """
    opened = open_study(study)
    outcome = Outcome(stage="perceive")
    with summarised(outcome):
        video_ids = [video.video_id for video in to_perceive(opened, study_videos(opened))]
        workers = opened.config.run.workers
        run_tasks(_perceive, root=study, keys=video_ids, workers=workers, outcome=outcome)
    return outcome
