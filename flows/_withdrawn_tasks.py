"""Questions about withdrawn videos leave the review server: their clips are deleted, and nobody is asked again."""

from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer
from flows._clips import clip_files
from flows._study import Study
from flows._withdrawals import withdrawn_videos
from schema.answer_rows import tasks_from_rows
from schema.arrow import TASKS
from schema.records import ReviewTask


def withdrawn_tasks(study: Study) -> list[ReviewTask]:
    """Return the questions about withdrawn videos whose clips are still served."""
    withdrawn = withdrawn_videos(study)
    if not withdrawn:
        return []
    tasks = tasks_from_rows(study.store.read(TASKS))
    return [t for t in tasks if t.anchor.video_id in withdrawn and clip_files(study, t.candidate_id)]


def close_withdrawn(study: Study, *, server: ReviewServer, client: LabelStudioClient) -> list[str]:
    """Close the tasks of withdrawn videos, then delete their clips; returns notes in words.

    In this order a killed call is finished by the next one, which finds the clip.
    """
    found = withdrawn_tasks(study)
    client.close_tasks({task.task_number for task in found if task.server_id == server.server_id})
    for task in found:
        for clip in clip_files(study, task.candidate_id):
            clip.unlink(missing_ok=True)
    return [f"questions about withdrawn videos that were closed: {len(found)}"] if found else []
