"""What the review server is told after answers came: who is asked again, what is settled, and in which order."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from annotation.answers.consensus import Settlement
from annotation.asking.known_mix import known_overlaps, to_close
from annotation.asking.overlap import Step
from annotation.studio.queue import Opening, TaskState
from annotation.studio.server import LabelStudioClient
from annotation.studio.service import ReviewServer
from flows._plan import current_candidates, study_videos
from flows._questions import candidate_of, features_of, settled_classes, worth_of
from flows._standing import Standing, newest_tasks
from flows._study import Study
from proposals.select import select_next
from schema.answer_rows import tasks_from_rows
from schema.arrow import TASKS
from schema.questions import QuestionKind
from schema.records import Candidate, ReviewTask


def update_queue(
    study: Study, standing: Standing, *, server: ReviewServer, client: LabelStudioClient, reorder: bool = False
) -> list[str]:
    """Tell the server which questions are open, for how many answers and in which order; returns notes in words.

    Only what differs from what the server has is sent, so that calling it twice changes nothing the second time.
    The order is told where ``reorder`` says so: 0.06 s a question, too much for every pull.
    """
    tasks = {task.task_number: task for task in standing.tasks if task.server_id == server.server_id}
    by_project: defaultdict[int, list[ReviewTask]] = defaultdict(list)
    for task in tasks.values():
        by_project[task.project_number].append(task)
    today = _today(study) if reorder else {}
    missing = 0
    for project, asked in sorted(by_project.items()):
        missing += len(client.missing_tasks(project, {task.task_number for task in asked}))
        states = client.task_states(project, only_open=True)
        again = {t.task_number for t in asked if _is_to_open(t, standing)} - states.keys()
        states |= client.task_states(project, numbers=again) if again else {}
        wanted = _wanted(study, standing, [task for task in asked if task.task_number in states], states)
        client.set_overlaps(project, {n: opening for n, opening in wanted.items() if not _is_so(states[n], opening)})
        if not reorder:
            continue
        open_now = [tasks[n] for n, state in states.items() if n in tasks and wanted.get(n, _as_is(state)).open]
        finding = study.config.annotate.finding
        client.set_scores(project, _scores(open_now, standing.settlement, today=today, finding=finding))
    return _notes(standing, missing)


def _is_to_open(task: ReviewTask, standing: Standing) -> bool:
    plan = standing.overlaps.get(task.candidate_id)
    return task.kind is QuestionKind.VERDICT and plan is not None and plan.is_open


def _as_is(state: TaskState) -> Opening:
    return Opening(answers=state.wanted, open=state.open)


def _is_so(state: TaskState, opening: Opening) -> bool:
    return state.open == opening.open and (not opening.open or state.wanted == opening.answers)


def _wanted(
    study: Study, standing: Standing, asked: Sequence[ReviewTask], states: Mapping[int, TaskState]
) -> dict[int, Opening]:
    """Return what the server should hold of each task; a blind question closes by itself after one answer."""
    most = study.config.annotate.first_answers
    wanted: dict[int, Opening] = {}
    for task in asked:
        plan = standing.overlaps.get(task.candidate_id)
        if task.kind is QuestionKind.VERDICT and plan is not None:
            settled = standing.settlement.items.get(task.candidate_id)
            lacking = plan.answers - (settled.verdict_answers if settled else 0)
            # the server counts answers that pull did not take, too
            answers = max(1, states[task.task_number].answers + lacking)
            wanted[task.task_number] = Opening(answers=answers, open=plan.is_open)
        elif task.kind is QuestionKind.EXPERT:
            settled = standing.settlement.of(task)
            wanted[task.task_number] = Opening(answers=1, open=settled is None or not settled.expert_answered)
        elif task.kind is QuestionKind.AUDIT:
            wanted[task.task_number] = Opening(answers=most, open=states[task.task_number].answers < most)
    hidden = [task for task in asked if task.kind is QuestionKind.KNOWN]
    hidden.sort(key=lambda task: task.task_number)
    overlaps = known_overlaps(
        len(hidden),
        standing.recent_counts,
        answers=most,
        before_trust=study.config.annotate.known_before_trust,
        seed=study.key.hex(),
    )
    closed = {task.task_number for task in _passed(study, standing, hidden)}
    wanted |= {
        task.task_number: Opening(answers=answers, open=task.task_number not in closed)
        for task, answers in zip(hidden, overlaps, strict=True)
    }
    return wanted


def _passed(study: Study, standing: Standing, hidden: Sequence[ReviewTask]) -> list[ReviewTask]:
    """Choose the hidden items that leave the queue, because everybody who is there has answered them."""
    people = standing.people
    answered: defaultdict[str, set[str]] = defaultdict(set)
    for answer in standing.annotations:
        if answer.kind is QuestionKind.KNOWN and not answer.deleted:
            answered[answer.candidate_id].add(answer.annotator_id)
    passed = [task for task in hidden if people and people <= answered[task.candidate_id]]
    return to_close(sorted(passed, key=lambda t: t.task_number), before_trust=study.config.annotate.known_before_trust)


def _today(study: Study) -> dict[str, Candidate]:
    found = current_candidates(study, study_videos(study), features=True)
    return {candidate.candidate_id: candidate for _, candidate in found}


def _scores(
    open_now: Sequence[ReviewTask], settlement: Settlement, *, today: Mapping[str, Candidate], finding: float
) -> dict[int, float]:
    """Give the open questions their place: the greatest score comes first in the view "Next first".

    Questions that nobody proposes any more come last, in the same order among themselves. Hidden items are spread
    evenly over the others, in the order in which they were put.
    """
    verdicts = [task for task in open_now if task.kind is QuestionKind.VERDICT]
    hidden = sorted(task.task_number for task in open_now if task.kind is QuestionKind.KNOWN)
    numbers: dict[str, int] = {task.candidate_id: task.task_number for task in verdicts}
    proposed = [today[name] for name in numbers if name in today]
    items = settlement.items
    doubts = worth_of(proposed, finding=finding) | {i: 1 - items[i].posterior for i in numbers if i in items}
    candidates: list[Candidate] = [candidate_of(task, track_number=0) for task in verdicts]
    chosen = select_next(
        candidates,
        answered=settled_classes(settlement),
        features=features_of(proposed),
        uncertainty=doubts,
        budget=len(candidates),
    )
    ordered = sorted(chosen, key=lambda one: one.candidate.candidate_id not in today)
    places = {numbers[one.candidate.candidate_id]: (n + 0.5) / len(ordered) for n, one in enumerate(ordered)}
    places |= {number: (n + 0.5) / len(hidden) for n, number in enumerate(hidden)}
    return {number: round(1 - place, 4) for number, place in places.items()}


def _notes(standing: Standing, missing: int) -> list[str]:
    steps = [plan.step for plan in standing.overlaps.values()]
    asked = {task.about for task in standing.of_kind(QuestionKind.EXPERT)}
    stuck = [p for p in standing.overlaps.values() if p.step is Step.EXPERT and p.question_id not in asked]
    notes = [f"questions settled: {steps.count(Step.ENOUGH)}, open: {steps.count(Step.ASK_AGAIN)}"]
    notes += [f"questions that wait for an expert: {len(stuck)}; `pressroom push` puts them"] if stuck else []
    if missing:
        notes.append(
            f"questions that somebody deleted on the review server: {missing}; `pressroom push --recreate` asks them "
            "again"
        )
    return notes


def deleted_tasks(study: Study, *, server: ReviewServer, client: LabelStudioClient) -> list[ReviewTask]:
    """Return the questions whose task is not on the server any more."""
    found: list[ReviewTask] = []
    by_project: defaultdict[int, dict[int, ReviewTask]] = defaultdict(dict)
    for task in newest_tasks(tasks_from_rows(study.store.read(TASKS))):
        if task.server_id == server.server_id:
            by_project[task.project_number][task.task_number] = task
    for project, tasks in sorted(by_project.items()):
        found += [tasks[number] for number in sorted(client.missing_tasks(project, tasks.keys()))]
    return found
