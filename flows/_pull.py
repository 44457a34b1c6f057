"""Answers from the review server: every revision is recorded once, and what they add up to is told to the server."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from annotation.accounts import is_scripted
from annotation.answer_fields import make_annotation_id
from annotation.parse import missing_answers, parse_annotations
from annotation.server import LabelStudioClient
from annotation.service import ReviewServer
from flows._leases import waited_lease
from flows._outcome import Outcome, record_run
from flows._perception import split_dropped
from flows._plan import study_videos
from flows._player_review import pull_votes
from flows._queue import update_queue
from flows._review import review_client
from flows._standing import read_standing
from flows._study import Study
from flows._videos import read_video_part
from flows._withdrawn_tasks import close_withdrawn
from schema.answer_rows import annotations_from_rows, annotations_to_rows, tasks_from_rows
from schema.arrow import ANNOTATIONS, FRAMES, PLAYER_QUESTIONS, TASKS
from schema.errors import DropReason, ItemError
from schema.records import Annotation, Dropped, FrameTimes, ReviewTask, VideoId
from schema.rows import frame_times_from_rows
from schema.tables import STUDY_KEY


def pull(study: Study) -> Outcome:
    """Record every answer that the review server holds and the study does not, and bring the queue up to date."""
    outcome = Outcome(stage="pull")
    started_ns = time.time_ns()
    with waited_lease(study.layout, "pull", STUDY_KEY):
        asked = tasks_from_rows(study.store.read(TASKS))
        if not asked and not study.store.read(PLAYER_QUESTIONS).num_rows:
            outcome.notes.append("nothing was put on the page yet: `pressroom push` does that")
            return outcome
        with review_client(study) as (server, client):
            answers, no_answers = pull_answers(study, asked, server=server, client=client)
            votes, no_votes = pull_votes(study, server=server, client=client)
            outcome.notes += close_withdrawn(study, server=server, client=client)
            if asked:
                outcome.notes += update_queue(study, read_standing(study), server=server, client=client)
        outcome.done, outcome.rows, outcome.dropped = 1, answers + votes, no_answers + no_votes
        outcome.notes += [f"answers that say who is the player: {votes}; go on with `pressroom run`"] if votes else []
        record_run(study, outcome, key=STUDY_KEY, started_ns=started_ns)
    return outcome


def pull_answers(
    study: Study, asked: list[ReviewTask], *, server: ReviewServer, client: LabelStudioClient
) -> tuple[int, list[Dropped]]:
    """Record the answers to every kind of question; returns how many revisions were new, and what was none.

    Each project is recorded by itself, so that a pull that is killed in one keeps the ones before.
    """
    recorded = annotations_from_rows(study.store.read(ANNOTATIONS))
    by_project: defaultdict[int, dict[int, ReviewTask]] = defaultdict(dict)
    for task in asked:
        if task.server_id == server.server_id:
            by_project[task.project_number][task.task_number] = task
    dropped: list[Dropped] = []
    present: set[int] = set()
    count = len(recorded)
    for project, tasks in sorted(by_project.items()):
        new, wrong = _new_answers(
            study, recorded, client.list_answers(project, since_ns=_since_ns(recorded, tasks)), tasks
        )
        study.store.append(ANNOTATIONS, annotations_to_rows(new))
        recorded, dropped = recorded + new, dropped + wrong
        present |= client.present_answers(project)
    revised = list(missing_answers(recorded, present, server_id=server.server_id, deleted_ns=time.time_ns()))
    study.store.append(ANNOTATIONS, annotations_to_rows(revised))
    return len(recorded) + len(revised) - count, dropped


def _since_ns(recorded: list[Annotation], tasks: dict[int, ReviewTask]) -> int | None:
    """Return when the newest answer to a project's questions was given, as the server told it."""
    asked = {task.candidate_id for task in tasks.values()}
    return max((a.answered_ns for a in recorded if a.candidate_id in asked and not a.deleted), default=None)


def _new_answers(
    study: Study, recorded: list[Annotation], listed: Iterable[dict[str, Any]], tasks: dict[int, ReviewTask]
) -> tuple[list[Annotation], list[Dropped]]:
    rows = list(listed)
    kept, wrong = split_dropped(
        parse_annotations(
            rows,
            tasks=tasks,
            taxonomy=study.taxonomy,
            pseudonym_key=study.key,
            scripted_accounts=frozenset(r["completed_by"] for r in rows if is_scripted(str(r["completed_by"]))),
            frame_times_of=_frame_times_of(study),
            first_annotators=_first_annotators(recorded, next(iter(tasks.values())).server_id),
        )
    )
    ids = {answer.annotation_id for answer in recorded}
    return list({a.annotation_id: a for a in kept if a.annotation_id not in ids}.values()), wrong


def _first_annotators(recorded: list[Annotation], server_id: str) -> dict[int, str]:
    """Return under whose name each answer of a server was recorded first."""
    first: dict[int, str] = {}
    for answer in sorted(recorded, key=lambda a: a.answered_ns):
        number = answer.answer_number
        if number is not None and make_annotation_id(server_id, number, answer.answered_ns) == answer.annotation_id:
            first.setdefault(number, answer.annotator_id)
    return first


def _frame_times_of(study: Study) -> Callable[[VideoId], FrameTimes]:
    videos = {video.video_id: video for video in study_videos(study)}
    read: dict[VideoId, FrameTimes] = {}

    def frame_times_of(video_id: VideoId) -> FrameTimes:
        if video_id not in videos:
            raise ItemError(DropReason.ORPHANED, "the study no longer holds the video")
        if video_id not in read:
            rows = read_video_part(study, videos[video_id], FRAMES)
            read[video_id] = frame_times_from_rows(rows, video_id=video_id)
        return read[video_id]

    return frame_times_of
