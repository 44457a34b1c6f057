"""Answers from the review server: every revision is recorded once, and what they add up to is told to the server."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from annotation.answers.answer_fields import make_annotation_id
from annotation.answers.parse import missing_answers, parse_annotations
from annotation.studio.accounts import is_scripted
from annotation.studio.cursors import read_cursor, write_cursor
from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer
from flows._leases import waited_lease
from flows._outcome import Outcome, record_run
from flows._perception import split_dropped
from flows._plan import study_videos
from flows._player_review import pull_votes
from flows._queue import update_queue
from flows._review import review_client
from flows._rewording import settle_rewording, wording_lease
from flows._standing import read_standing
from flows._study import Study
from flows._videos import read_video_part
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
        if not study.store.read(TASKS).num_rows and not study.store.read(PLAYER_QUESTIONS).num_rows:
            outcome.notes.append("nothing was put on the page yet: `pressroom push` does that")
            return outcome
        with review_client(study) as (server, client):
            with wording_lease(study):  # an answer is read with the words that its question has now
                settle_rewording(study, server=server, client=client)
                asked = tasks_from_rows(study.store.read(TASKS))
                answers, no_answers = pull_answers(study, asked, server=server, client=client)
            votes, no_votes = pull_votes(study, server=server, client=client)
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

    Each page is recorded, then how far the project was read: a pull that is killed goes on there.
    """
    by_project: defaultdict[int, dict[int, ReviewTask]] = defaultdict(dict)
    for task in asked:
        if task.server_id == server.server_id:
            by_project[task.project_number][task.task_number] = task
    recorded = annotations_from_rows(study.store.read(ANNOTATIONS))
    frame_times_of = _frame_times_of(study)
    count, dropped = 0, list[Dropped]()
    for project, tasks in sorted(by_project.items()):
        ids = {task.candidate_id for task in tasks.values()}
        mine = _Answers(study, server.server_id, tasks, [a for a in recorded if a.candidate_id in ids])
        place = (study.layout.labelstudio, server.server_id, project)
        cursor = read_cursor(*place, recorded=len(mine.recorded))
        for page in client.answer_pages(project, cursor):
            new, wrong = mine.read(page.rows, frame_times_of)
            new += mine.missing(page.cursor.seen) if page.complete else []
            study.store.append(ANNOTATIONS, annotations_to_rows(new))
            write_cursor(*place, page.cursor, recorded=len(mine.recorded))
            count, dropped = count + len(new), dropped + wrong
    return count, dropped


class _Answers:
    """The answers of one project: those that are recorded, and what comes."""

    def __init__(
        self, study: Study, server_id: str, tasks: Mapping[int, ReviewTask], recorded: Sequence[Annotation]
    ) -> None:
        self._study, self._server_id, self._tasks = study, server_id, tasks
        self.recorded: list[Annotation] = []
        self._ids: set[str] = set()
        self._first: dict[int, str] = {}
        self._add(sorted(recorded, key=lambda answer: answer.answered_ns))

    def _add(self, answers: Iterable[Annotation]) -> None:
        for answer in answers:
            self.recorded.append(answer)
            self._ids.add(answer.annotation_id)
            number = answer.answer_number
            # another server counts its answers anew
            if number is not None and self._named(number, answer) == answer.annotation_id:
                self._first.setdefault(number, answer.annotator_id)

    def _named(self, number: int, answer: Annotation) -> str:
        return make_annotation_id(self._server_id, number, answer.answered_ns)

    def read(
        self, rows: Sequence[Mapping[str, Any]], frame_times_of: Callable[[VideoId], FrameTimes]
    ) -> tuple[list[Annotation], list[Dropped]]:
        """Return the revisions that are new, and what is no answer."""
        accounts = {str(row["completed_by"]) for row in rows}
        kept, wrong = split_dropped(
            parse_annotations(
                rows,
                tasks=self._tasks,
                taxonomy=self._study.taxonomy,
                pseudonym_key=self._study.key,
                scripted_accounts=frozenset(filter(is_scripted, accounts)),
                frame_times_of=frame_times_of,
                first_annotators=self._first,
            )
        )
        new = list({a.annotation_id: a for a in kept if a.annotation_id not in self._ids}.values())
        self._add(new)
        return new, wrong

    def missing(self, present: frozenset[int]) -> list[Annotation]:
        """Return the revisions that take back what is no longer on the server."""
        revised = list(missing_answers(self.recorded, present, server_id=self._server_id, deleted_ns=time.time_ns()))
        self._add(revised)
        return revised


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
