"""Candidates to the reviewing page and answers back: what ``push`` and ``pull`` do."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from annotation.accounts import is_scripted
from annotation.installation import ensure_label_studio
from annotation.page import instructions, verdict_page
from annotation.parse import parse_annotations
from annotation.server import LabelStudioClient
from annotation.service import ReviewServer, start
from annotation.tasks import question_for, task_document
from flows._clips import clip_path, write_review_clip
from flows._leases import waited_lease
from flows._outcome import Outcome, record_run
from flows._perception import split_dropped
from flows._plan import to_push
from flows._player_questions import to_ask
from flows._player_review import pull_votes, push_questions
from flows._study import Study
from schema.answer_rows import annotations_to_rows, tasks_from_rows, tasks_to_rows
from schema.arrow import ANNOTATIONS, PLAYER_QUESTIONS, TASKS
from schema.records import Anchor, Candidate, Dropped, ReviewTask, VideoRecord
from schema.tables import STUDY_KEY

LONGEST_TITLE = 50
"""Label Studio refuses longer project titles."""
BATCH = 200
"""Tasks that are imported and recorded together: a killed push loses the clips of one batch at most."""


@contextmanager
def review_client(study: Study) -> Iterator[tuple[ReviewServer, LabelStudioClient]]:
    """Open a client of the study's review server, which is installed and started where it is not."""
    server = start(study.layout, ensure_label_studio(), config=study.config.server)
    with LabelStudioClient(server, timeout_seconds=study.config.server.request_timeout_seconds) as client:
        yield server, client


def ensure_study_project(study: Study, client: LabelStudioClient) -> int:
    """Make the study's project on the review server, or bring its settings up to date; return its number."""
    clips = study.layout.served / "clips"
    clips.mkdir(parents=True, exist_ok=True)
    return client.ensure_project(
        title=f"{study.config.study.name}: {study.taxonomy.title}"[:LONGEST_TITLE],
        page=verdict_page(study.taxonomy),
        instructions=instructions(study.taxonomy),
        answers_per_task=study.config.annotate.first_answers,
        clips_folder=clips,
    )


def push(study: Study) -> Outcome:
    """Put every new candidate and every "which one is the player?" on the page, each once, also after a kill."""
    outcome = Outcome(stage="push")
    started_ns = time.time_ns()
    with waited_lease(study.layout, "push", STUDY_KEY):
        waiting, asking = to_push(study), to_ask(study)
        if waiting or asking:
            with review_client(study) as (server, client):
                outcome.rows += push_questions(study, asking, server=server, client=client)
                outcome.rows += _push_candidates(study, waiting, server=server, client=client)
            outcome.done = 1
            outcome.notes += [f"questions which one is the player: {len(asking)}"] if asking else []
            record_run(study, outcome, key=STUDY_KEY, started_ns=started_ns)
    return outcome


def _push_candidates(
    study: Study, waiting: list[tuple[VideoRecord, Candidate]], *, server: ReviewServer, client: LabelStudioClient
) -> int:
    if not waiting:
        return 0
    project = ensure_study_project(study, client)
    batches = [waiting[first : first + BATCH] for first in range(0, len(waiting), BATCH)]
    return sum(_push_batch(study, server, client, project, batch) for batch in batches)


def _push_batch(
    study: Study,
    server: ReviewServer,
    client: LabelStudioClient,
    project: int,
    batch: list[tuple[VideoRecord, Candidate]],
) -> int:
    documents = []
    for video, candidate in batch:
        write_review_clip(study, video, candidate)
        clip = clip_path(study, candidate).relative_to(study.layout.served).as_posix()
        documents.append(task_document(candidate, taxonomy=study.taxonomy, clip=clip))
    numbers = client.import_tasks(project, documents)
    tasks = [
        _review_task(study, candidate, video=video, server=server, place=(project, numbers[candidate.candidate_id]))
        for video, candidate in batch
    ]
    study.store.append(TASKS, tasks_to_rows(tasks))
    return len(tasks)


def _review_task(
    study: Study, candidate: Candidate, *, video: VideoRecord, server: ReviewServer, place: tuple[int, int]
) -> ReviewTask:
    return ReviewTask(
        candidate_id=candidate.candidate_id,
        anchor=Anchor(video_id=video.video_id, sha256=video.sha256, span=candidate.span, box_xyxy=candidate.box_xyxy),
        taxonomy=study.taxonomy.name,
        class_id=candidate.class_id,
        question=question_for(candidate, study.taxonomy),
        evidence=candidate.evidence,
        proposer=candidate.proposer,
        score=candidate.score,
        reason=candidate.reason,
        server_id=server.server_id,
        project_number=place[0],
        task_number=place[1],
    )


def pull(study: Study) -> Outcome:
    """Record every answer that the review server holds and the study does not, one batch a table."""
    outcome = Outcome(stage="pull")
    started_ns = time.time_ns()
    with waited_lease(study.layout, "pull", STUDY_KEY):
        asked = tasks_from_rows(study.store.read(TASKS))
        if not asked and not study.store.read(PLAYER_QUESTIONS).num_rows:
            outcome.notes.append("nothing was put on the page yet: `pressroom push` does that")
            return outcome
        with review_client(study) as (server, client):
            answers, no_answers = _pull_answers(study, asked, server=server, client=client)
            votes, no_votes = pull_votes(study, server=server, client=client)
        outcome.done, outcome.rows, outcome.dropped = 1, answers + votes, no_answers + no_votes
        outcome.notes += [f"answers that say who is the player: {votes}; go on with `pressroom run`"] if votes else []
        record_run(study, outcome, key=STUDY_KEY, started_ns=started_ns)
    return outcome


def _pull_answers(
    study: Study, asked: list[ReviewTask], *, server: ReviewServer, client: LabelStudioClient
) -> tuple[int, list[Dropped]]:
    """Record the answers to candidates; returns how many were new, and what was none."""
    known = study.store.read(ANNOTATIONS)
    mine = {task.task_number: task for task in asked if task.server_id == server.server_id}
    projects = sorted({task.project_number for task in mine.values()})
    answers = [a for p in projects for a in client.list_answers(p, since_ns=_newest_ns(known))]
    kept, dropped = split_dropped(
        parse_annotations(
            answers,
            tasks=mine,
            taxonomy=study.taxonomy,
            pseudonym_key=study.key,
            scripted_accounts=frozenset(a["completed_by"] for a in answers if is_scripted(a["completed_by"])),
        )
    )
    recorded = set(known["annotation_id"].to_pylist())
    new = {a.annotation_id: a for a in kept if a.annotation_id not in recorded}
    study.store.append(ANNOTATIONS, annotations_to_rows(new.values()))
    return len(new), dropped


def _newest_ns(known: pa.Table) -> int | None:
    times = known["answered_ns"].to_pylist()
    return max(times) if times else None
