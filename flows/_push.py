"""Questions to the review server: each is put on the page once, also after a kill, and recorded with what it showed."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from annotation.pages.tasks import question_for, task_document
from annotation.pages.verdict_page import page_version
from annotation.pages.window_page import WINDOW_QUESTION, window_document
from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer
from flows._clips import ClipWish, ReviewClip, VideoClips
from flows._leases import waited_lease
from flows._outcome import Outcome, record_run
from flows._plan import current_candidates, disposed_videos, study_videos
from flows._player_questions import to_ask
from flows._player_review import push_questions
from flows._questions import QuestionPlan, Waiting, ask_again, plan_questions
from flows._queue import deleted_tasks, update_queue
from flows._review import TITLES, ensure_study_project, page_of, review_client
from flows._rewording import Rewording, is_rewording_left, reword, settle_rewording, wording_lease
from flows._rounds import current_round
from flows._standing import Standing, read_standing
from flows._study import Study
from schema.answer_rows import known_answers_to_rows, tasks_to_rows
from schema.arrow import KNOWN_ANSWERS, RUNS, TASKS
from schema.questions import QuestionKind
from schema.records import Anchor, Candidate, ReviewTask, VideoId
from schema.tables import STUDY_KEY
from schema.timespan import NS_PER_SECOND

BATCH = 200
"""Tasks that are imported and recorded together: a killed push loses the clips of one batch at most."""
REWORDED_AT_ONCE = 20
"""Questions that are worded anew together: a pull waits meanwhile, some 0.3 s each."""


def push(study: Study, *, recreate: bool = False) -> Outcome:
    """Put what is asked next on the page, each question once, also after a kill.

    Args:
        study: The study.
        recreate: Ask again what somebody deleted on the review server.
    """
    outcome = Outcome(stage="push")
    started_ns = time.time_ns()
    with waited_lease(study.layout, "push", STUDY_KEY):
        _settle_rewording(study)
        standing = read_standing(study)
        plan, asking, changed = plan_questions(study, standing), to_ask(study), changed_questions(study, standing)
        if len(plan) or asking or changed or recreate or is_order_old(study, standing):
            with review_client(study) as (server, client):
                pusher = _Pusher(study, server, client)
                outcome.rows += push_questions(study, asking, server=server, client=client)
                outcome.rows += pusher.push(plan)
                outcome.rows += pusher.update(changed)
                outcome.rows += pusher.recreate(standing) if recreate else 0
                update_queue(study, read_standing(study), server=server, client=client, reorder=bool(standing.overlaps))
            outcome.done = 1
            outcome.notes += _notes(plan, asking=len(asking))
            record_run(study, outcome, key=STUDY_KEY, started_ns=started_ns)
    return outcome


def _settle_rewording(study: Study) -> None:
    if is_rewording_left(study):
        with review_client(study) as (server, client), wording_lease(study):
            settle_rewording(study, server=server, client=client)


def count_waiting(study: Study, *, recreate: bool = False) -> int:
    """Count what a push would do, without the review server, which alone knows what was deleted on it."""
    standing = read_standing(study)
    waiting = len(plan_questions(study, standing)) + len(to_ask(study)) + len(changed_questions(study, standing))
    return waiting + recreate + is_order_old(study, standing) + is_rewording_left(study)


def is_order_old(study: Study, standing: Standing) -> bool:
    """Tell whether the open questions still stand in the order of an earlier round: no push was done in this one."""
    begun_ns = current_round(study).begun_ns
    if not begun_ns or not any(plan.is_open for plan in standing.overlaps.values()):
        return False
    rows = study.store.read(RUNS).select(["stage", "outcome", "started_ns"]).to_pylist()
    return not any(r["stage"] == "push" and r["outcome"] == "done" and r["started_ns"] > begun_ns for r in rows)


def changed_questions(study: Study, standing: Standing) -> list[tuple[ReviewTask, Waiting]]:
    """List the unanswered verdicts that today's candidates word otherwise: by edges, class, proposer, score or reason.

    Questions that nobody proposes any more stay as they are, at the end of the queue: they were asked in earnest once,
    and their answers tell what the new proposals miss. So do those whose video file is gone: no other clip can be cut.
    """
    gone = disposed_videos(study)
    answered = {answer.candidate_id for answer in standing.annotations}
    today = {
        candidate.candidate_id: (video, candidate)
        for video, candidate in current_candidates(study, study_videos(study))
        if video.video_id not in gone
    }
    return [
        (task, Waiting(kind=task.kind, video=today[task.candidate_id][0], shown=today[task.candidate_id][1]))
        for task in standing.of_kind(QuestionKind.VERDICT)
        if task.candidate_id in today
        and task.candidate_id not in answered
        and _differs(task, today[task.candidate_id][1])
    ]


def _differs(task: ReviewTask, candidate: Candidate) -> bool:
    asked = (task.anchor.span, task.class_id, task.evidence, task.reason, task.proposer, task.score)
    today = (candidate.span, candidate.class_id, candidate.evidence, candidate.reason)
    return asked != (*today, candidate.proposer, candidate.score)


def _notes(plan: QuestionPlan, *, asking: int) -> list[str]:
    hidden = sum(waiting.kind is QuestionKind.KNOWN for waiting in plan.stream)
    counts = {
        "questions which one is the player": asking,
        "hidden items with a known answer": hidden,
        "questions to an expert": len(plan.expert),
        "blind questions": len(plan.blind),
        "random windows": len(plan.audit),
    }
    notes = [f"{what}: {count}" for what, count in counts.items() if count]
    if plan.held_count:
        notes.append(
            f"questions that wait: {plan.held_count}, until an expert has answered those that were put to experts; "
            "then `pressroom pull` and `pressroom push`"
        )
    return notes


class _Pusher:
    """Puts questions on one server; a video's tables are read once for the questions that follow each other."""

    def __init__(self, study: Study, server: ReviewServer, client: LabelStudioClient) -> None:
        self._study, self._server, self._client = study, server, client
        self._clips: tuple[VideoId, VideoClips] | None = None

    def push(self, plan: QuestionPlan) -> int:
        """Put a plan on the page; returns how many questions."""
        # before the questions: a hidden item whose truth was lost with a killed push would measure nobody
        self._study.store.append(KNOWN_ANSWERS, known_answers_to_rows(plan.known))
        for waiting in (plan.stream, plan.expert, plan.blind, plan.audit):
            self._push_to_project(waiting)
        return len(plan)

    def _push_to_project(self, waiting: Sequence[Waiting], *, rounds: Mapping[str, int] | None = None) -> None:
        """Put questions of one project on the page; ``rounds`` names, by id, those of questions that are put again."""
        if not waiting:
            return
        project = ensure_study_project(self._study, self._client, waiting[0].kind)
        version = self._page_version(waiting[0].kind)
        for first in range(0, len(waiting), BATCH):
            batch = waiting[first : first + BATCH]
            clips = [self._clip(one) for one in batch]
            documents = [self._document(one, clip) for one, clip in zip(batch, clips, strict=True)]
            for place, document in enumerate(documents, start=first):
                for prediction in document["predictions"]:
                    prediction["score"] = round(1 - (place + 0.5) / len(waiting), 4)
            numbers = self._client.import_tasks(project, documents)
            tasks = [
                self._task(one, clip, place=(project, numbers[one.shown.candidate_id]), version=version)
                for one, clip in zip(batch, clips, strict=True)
            ]
            put_in = rounds or {}
            tasks = [replace(one, round_number=put_in.get(one.candidate_id, one.round_number)) for one in tasks]
            self._study.store.append(TASKS, tasks_to_rows(tasks))

    def update(self, changed: Iterable[tuple[ReviewTask, Waiting]]) -> int:
        """Word open questions anew; one that somebody has answered meanwhile stays as it is. Returns how many."""
        mine = [(task, waiting) for task, waiting in changed if task.server_id == self._server.server_id]
        count = 0
        for first in range(0, len(mine), REWORDED_AT_ONCE):
            rewordings = [self._rewording(task, waiting) for task, waiting in mine[first : first + REWORDED_AT_ONCE]]
            count += reword(self._study, rewordings, client=self._client)
        return count

    def _rewording(self, task: ReviewTask, waiting: Waiting) -> Rewording:
        clip = self._clip(waiting)
        document = self._document(waiting, clip)
        return Rewording(
            task=self._task(waiting, clip, place=(task.project_number, task.task_number), version=task.page_version),
            data=document["data"],
            result=document["predictions"][0]["result"],
        )

    def recreate(self, standing: Standing) -> int:
        """Ask again what was deleted on the server, where the person is still followed; returns how many."""
        gone = {task.candidate_id for task in deleted_tasks(self._study, server=self._server, client=self._client)}
        mine = [t for t in standing.tasks if t.server_id == self._server.server_id and t.candidate_id in gone]
        again = ask_again(self._study, standing, mine)
        # the words are those of an earlier round, which is to be reported with what came of them
        rounds: dict[str, int] = {task.candidate_id: task.round_number for task in mine}
        for kinds in ((QuestionKind.VERDICT, QuestionKind.KNOWN), *((kind,) for kind in TITLES)):
            self._push_to_project([waiting for waiting in again if waiting.kind in kinds], rounds=rounds)
        return len(again)

    def _clip(self, waiting: Waiting) -> ReviewClip:
        if self._clips is None or self._clips[0] != waiting.video.video_id:
            self._clips = waiting.video.video_id, VideoClips(self._study, waiting.video)
        context_s = 0.0 if waiting.kind is QuestionKind.AUDIT else self._study.config.annotate.context_seconds
        wish = ClipWish(
            question_id=waiting.shown.candidate_id,
            track_number=waiting.shown.track_number,
            span=waiting.shown.span,
            context_ns=round(context_s * NS_PER_SECOND),
            evidence=waiting.shown.evidence,
            hints=waiting.kind.shows_suggestion,
        )
        return self._clips[1].write(wish)

    def _document(self, waiting: Waiting, clip: ReviewClip) -> dict[str, Any]:
        if waiting.kind.shows_suggestion:
            return task_document(
                waiting.shown,
                taxonomy=self._study.taxonomy,
                clip=clip.served_name,
                asked_in_clip=clip.asked_in_clip,
                frame_rate=clip.frame_rate,
            )
        return window_document(
            waiting.shown.candidate_id,
            clip=clip.served_name,
            frame_rate=clip.frame_rate,
            clip_first_frame=clip.first_frame,
        )

    def _page_version(self, kind: QuestionKind) -> str:
        return page_version("verdict" if kind.shows_suggestion else "window", page_of(self._study, kind))

    def _task(self, waiting: Waiting, clip: ReviewClip, *, place: tuple[int, int], version: str) -> ReviewTask:
        task = review_task(self._study, waiting, clip=clip, server_id=self._server.server_id, place=place)
        return replace(task, page_version=version)


def review_task(
    study: Study, waiting: Waiting, *, clip: ReviewClip, server_id: str, place: tuple[int, int]
) -> ReviewTask:
    """Return the row that records a question; ``place`` is its project and its task on the server."""
    shown, video = waiting.shown, waiting.video
    suggests = waiting.kind.shows_suggestion
    return ReviewTask(
        candidate_id=shown.candidate_id,
        anchor=Anchor(video_id=video.video_id, sha256=video.sha256, span=shown.span, box_xyxy=shown.box_xyxy),
        taxonomy=study.taxonomy.name,
        class_id=shown.class_id,
        question=question_for(shown, study.taxonomy) if suggests else WINDOW_QUESTION,
        evidence=shown.evidence,
        proposer=shown.proposer,
        score=shown.score,
        reason=shown.reason,
        server_id=server_id,
        project_number=place[0],
        task_number=place[1],
        kind=waiting.kind,
        about=waiting.about,
        clip_first_frame=clip.first_frame,
        clip_end_frame=clip.end_frame,
        round_number=current_round(study).round_number,
    )
