"""Perceive: copies are found, and every other video becomes frames, shots, tracks, keypoints and a proxy."""

from typing import Annotated

from prefect import flow
from pydantic import Field

from flows._duplicates import find_study_duplicates, fingerprint_video, to_fingerprint
from flows._flowkit import StageRun, perceive_tag, run_tasks
from flows._outcome import Outcome
from flows._plan import study_video, study_videos, to_perceive
from flows._progress import current_progress
from flows._study import open_study
from flows._videos import perceive_video
from flows._withdraw import finish_begun


def _perceive(root: str, key: str) -> Outcome:
    study = open_study(root)
    return perceive_video(study, study_video(study, key), current_progress())


def _score(root: str, key: str) -> Outcome:
    study = open_study(root)
    return perceive_video(study, study_video(study, key), current_progress(), score_only=True)


def _fingerprint(root: str, key: str) -> Outcome:
    study = open_study(root)
    return fingerprint_video(study, study_video(study, key))


def _compare(run: StageRun) -> None:
    """Fingerprint new videos and find the copies among them: a poorer copy is not perceived."""
    fingerprinted = Outcome(stage="fingerprint")
    run_tasks(
        _fingerprint,
        root=str(run.study.layout.root),
        keys=[video.video_id for video in to_fingerprint(run.study)],
        workers=run.study.config.run.workers,
        outcome=fingerprinted,
        tags_of=lambda _: [perceive_tag(run.study)],
    )
    found = find_study_duplicates(run.study)
    finish_begun(run.study)
    run.outcome.failures += fingerprinted.failures
    run.outcome.notes += found.notes


@flow(name="perceive")
def perceive_flow(study: str, most_videos: Annotated[int, Field(ge=0)] = 0, score_only: bool = False) -> Outcome:
    """Find copies, and perceive what the study holds and has not perceived with today's settings.

    Args:
        study: The study's folder, as the machine sees it that does the work.
        most_videos: Videos after which the run ends; 0 is no limit.
        score_only: Measure who is there, how well they are shown and who is the player; estimate no keypoints.
    """
    with StageRun("perceive", study) as run:
        _compare(run)
        video_ids = [video.video_id for video in to_perceive(run.study, study_videos(run.study), score_only=score_only)]
        run_tasks(
            _score if score_only else _perceive,
            root=study,
            keys=video_ids[: most_videos or None],
            workers=run.study.config.run.workers,
            outcome=run.outcome,
            tags_of=lambda _: [perceive_tag(run.study)],
        )
    return run.outcome
