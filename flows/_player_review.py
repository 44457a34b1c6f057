"""Which one is the player? Questions to the reviewing page with their pictures, and the answers back."""

from collections.abc import Iterable, Iterator
from typing import Any

from annotation.answers.player_answers import parse_player_votes
from annotation.pages.player_page import player_instructions, player_page
from annotation.pages.player_questions import PICTURES_FOLDER, QUESTION, player_task_document
from annotation.studio.accounts import is_scripted
from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer
from drawing.lineups import LineupMoment, draw_lineup
from drawing.texts import Picture
from flows._perception import split_dropped
from flows._player_questions import WaitingQuestion, question_picture
from flows._study import Study
from flows._videos import read_video_part
from media.frames import decode_frames
from media.store import MediaStore
from schema.arrow import FRAMES, PLAYER_ANSWERS, PLAYER_QUESTIONS
from schema.player_question_rows import player_questions_from_rows, player_questions_to_rows, player_votes_to_rows
from schema.player_questions import PlayerQuestion
from schema.records import Dropped
from schema.rows import frame_times_from_rows
from schema.tables import written_beside

LONGEST_TITLE = 50
"""Label Studio refuses longer project titles."""
TITLE_END = ": which one is the player?"
BATCH = 50
"""Questions that are imported and recorded together: a killed push loses the pictures of one batch at most."""
QUESTION_FIELD = "question_id"
JPEG_QUALITY = 88


def push_questions(
    study: Study, waiting: list[WaitingQuestion], *, server: ReviewServer, client: LabelStudioClient
) -> int:
    """Put questions on the page, each once, however often this is called or killed; returns how many."""
    if not waiting:
        return 0
    project = _ensure_project(study, client)
    for first in range(0, len(waiting), BATCH):
        batch = waiting[first : first + BATCH]
        for question in batch:
            _write_picture(study, question)
        documents = [player_task_document(question.draft, reason=question.reason) for question in batch]
        numbers = client.import_tasks(project, documents, id_field=QUESTION_FIELD)
        asked = [
            _asked(question, server=server, place=(project, numbers[question.draft.question_id])) for question in batch
        ]
        study.store.append(PLAYER_QUESTIONS, player_questions_to_rows(asked))
    return len(waiting)


def _ensure_project(study: Study, client: LabelStudioClient) -> int:
    folder = study.layout.served / PICTURES_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return client.ensure_project(
        title=study.config.study.name[: LONGEST_TITLE - len(TITLE_END)] + TITLE_END,
        page=player_page(),
        instructions=player_instructions(),
        answers_per_task=study.config.players.answers_needed,
        clips_folder=folder,
    )


def _asked(question: WaitingQuestion, *, server: ReviewServer, place: tuple[int, int]) -> PlayerQuestion:
    return PlayerQuestion(
        question_id=question.draft.question_id,
        video_id=question.video.video_id,
        sha256=question.video.sha256,
        people=question.draft.people,
        question=QUESTION,
        reason=question.reason,
        server_id=server.server_id,
        project_number=place[0],
        task_number=place[1],
    )


def _write_picture(study: Study, question: WaitingQuestion) -> None:
    """Draw the question's picture unless it is there."""
    target = question_picture(study, question.draft.question_id)
    if target.exists():
        return
    from PIL import Image

    picture = Image.fromarray(_draw(study, question))
    with written_beside(target) as beside:
        picture.save(beside, format="JPEG", quality=JPEG_QUALITY)


def _draw(study: Study, question: WaitingQuestion) -> Picture:
    video, letters = question.video, question.draft.letters
    path = MediaStore(study.layout).path_of(video.sha256)
    times = frame_times_from_rows(read_video_part(study, video, FRAMES), video_id=video.video_id)
    moments = [
        LineupMoment(frame=frame, people=tuple((letters[number], box) for number, box in moment.boxes))
        for moment in question.draft.moments
        for frame in decode_frames(path, times, first_frame=moment.frame_index, end_frame=moment.frame_index + 1)
    ]
    return draw_lineup(moments)


def questions_on(study: Study, server: ReviewServer) -> dict[int, PlayerQuestion]:
    """Return the recorded questions of a review server by task number."""
    recorded = player_questions_from_rows(study.store.read(PLAYER_QUESTIONS))
    return {question.task_number: question for question in recorded if question.server_id == server.server_id}


def pull_votes(study: Study, *, server: ReviewServer, client: LabelStudioClient) -> tuple[int, list[Dropped]]:
    """Record every vote that the review server holds and the study does not; returns how many, and what was none."""
    mine = questions_on(study, server)
    known = study.store.read(PLAYER_ANSWERS)
    newest_ns = max(known["answered_ns"].to_pylist(), default=None)
    rows = list(_votes(client, {question.project_number for question in mine.values()}, newest_ns))
    accounts = {row["completed_by"] for row in rows if isinstance(row["completed_by"], str)}
    votes, dropped = split_dropped(
        parse_player_votes(
            rows,
            questions=mine,
            pseudonym_key=study.key,
            scripted_accounts=frozenset(filter(is_scripted, accounts)),
        )
    )
    recorded = set(known["answer_id"].to_pylist())
    new = {vote.vote_id: vote for vote in votes if vote.vote_id not in recorded}
    study.store.append(PLAYER_ANSWERS, player_votes_to_rows(new.values()))
    return len(new), dropped


def _votes(client: LabelStudioClient, projects: Iterable[int], since_ns: int | None) -> Iterator[dict[str, Any]]:
    for project in sorted(projects):
        yield from client.list_answers(project, since_ns=since_ns)
