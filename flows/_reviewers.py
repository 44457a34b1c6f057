"""Scripted reviewers: they answer through the review server so that a demo or a test ends without waiting for people.

Every answer of theirs is marked as scripted, in the records and in the release; a person's answer supersedes them.
"""

from annotation.pages.player_page import player_answer_result
from annotation.pages.verdict_page import answer_result
from annotation.studio.accounts import ensure_scripted_accounts
from flows._player_review import questions_on
from flows._review import review_client
from flows._standing import newest_tasks
from flows._study import Study
from schema.answer_rows import tasks_from_rows
from schema.arrow import PLAYER_ANSWERS, PLAYER_QUESTIONS, TASKS
from schema.player_questions import PersonShown, PlayerQuestion
from schema.questions import QuestionKind
from schema.records import ReviewTask, Verdict

REVIEWERS = 3
MOST_LEFT_OPEN = 5
LIKELY = 0.5
"""Score from which the second script accepts."""


def answer_by_script(study: Study) -> int:
    """Let three scripts answer most of the tasks; returns how many are left open for a person.

    The least certain tasks are left open: a third, five at most, one at least unless there is only one.
    """
    recorded = tasks_from_rows(study.store.read(TASKS))
    with review_client(study) as (server, client):
        tasks = sorted(
            (t for t in newest_tasks(recorded) if t.server_id == server.server_id and t.kind is QuestionKind.VERDICT),
            key=lambda task: (task.score, task.candidate_id),
        )
        left_open = min(MOST_LEFT_OPEN, max(1, len(tasks) // 3)) if len(tasks) > 1 else 0
        asked = tasks[left_open:]
        for number, account in enumerate(ensure_scripted_accounts(server, count=REVIEWERS)):
            for task in asked:
                client.annotate(task.task_number, answer_result(_verdict(number, task, asked)), account=account)
    return left_open


def answer_questions_by_script(study: Study) -> int:
    """Let scripts answer every question "which one is the player?" that nobody answered; returns how many."""
    if not study.store.read(PLAYER_QUESTIONS).num_rows:  # the usual case needs no review server
        return 0
    answered = set(study.store.read(PLAYER_ANSWERS)["question_id"].to_pylist())
    with review_client(study) as (server, client):
        asked = [question for question in questions_on(study, server).values() if question.question_id not in answered]
        accounts = ensure_scripted_accounts(server, count=study.config.players.answers_needed) if asked else []
        for account in accounts:
            for question in asked:
                client.annotate(question.task_number, player_answer_result(_largest(question)), account=account)
    return len(asked)


def _largest(question: PlayerQuestion) -> str:
    """Choose the person whose boxes are largest: what somebody would who knows nothing else."""

    def area(person: PersonShown) -> float:
        boxes = [anchor.box_xyxy for anchor in person.anchors]
        return sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes) / len(boxes)

    return min(question.people, key=lambda person: (-area(person), person.letter)).letter


def _verdict(reviewer: int, task: ReviewTask, asked: list[ReviewTask]) -> Verdict:
    """Decide by the proposal's score alone: one script accepts all, one the likely, one the better half.

    So the best candidate always has a majority, and a weak one shows what undecided looks like.
    """
    if reviewer == 0:
        return Verdict.ACCEPT
    if reviewer == 1:
        return Verdict.ACCEPT if task.score >= LIKELY else Verdict.REJECT
    middle = asked[len(asked) // 2].score
    return Verdict.ACCEPT if task.score >= middle else Verdict.UNSURE
