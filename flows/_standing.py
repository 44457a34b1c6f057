"""Where verification stands: every question in its newest wording, every answer, and what they add up to."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from annotation.answers.consensus import Settlement, settle
from annotation.asking.overlap import OverlapPlan, QuestionState, plan_overlap
from flows._study import Study
from flows._withdrawals import withdrawn_videos
from schema.answer_rows import annotations_from_rows, annotators_from_rows, known_answers_from_rows, tasks_from_rows
from schema.arrow import ANNOTATIONS, ANNOTATORS, KNOWN_ANSWERS, TASKS
from schema.questions import Annotator, KnownAnswer, QuestionKind, Role, expert_ids
from schema.records import Annotation, ReviewTask

RECENT_ANSWERS = 500
"""So many of the newest answers tell who works how fast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Everything that was asked and answered about videos that take part in the study."""

    tasks: Sequence[ReviewTask]
    """The newest row of each question and server, in the order in which they were asked."""
    annotations: Sequence[Annotation]
    known: Sequence[KnownAnswer]
    annotators: dict[str, Annotator]
    settlement: Settlement
    overlaps: dict[str, OverlapPlan]
    """What happens next with each question of kind ``VERDICT``, by its id."""

    def of_kind(self, kind: QuestionKind) -> list[ReviewTask]:
        """Return the questions of a kind."""
        return [task for task in self.tasks if task.kind is kind]

    @property
    def people(self) -> frozenset[str]:
        """Who answers the ordinary questions: those who were added and are active, else those who have answered."""
        added = {one.annotator_id for one in active_annotators(self.annotators)}
        return frozenset(added or {answer.annotator_id for answer in self.annotations})

    @property
    def recent_counts(self) -> list[int]:
        """How many of the newest answers each of them gave: how fast they are beside each other."""
        newest = sorted(self.annotations, key=lambda answer: answer.answered_ns)[-RECENT_ANSWERS:]
        given = Counter(answer.annotator_id for answer in newest)
        return [given[annotator_id] for annotator_id in sorted(self.people)] or [0]


def active_annotators(annotators: dict[str, Annotator]) -> list[Annotator]:
    """Return those who answer the ordinary questions."""
    return [one for one in annotators.values() if one.active and one.role is Role.ANNOTATOR]


def newest_tasks(tasks: Iterable[ReviewTask]) -> list[ReviewTask]:
    """Keep the newest row of each question and server: a question that was worded anew has another row."""
    newest: dict[tuple[str, str], ReviewTask] = {}
    for task in tasks:
        newest[task.server_id, task.candidate_id] = task
    return list(newest.values())


def read_standing(study: Study) -> Standing:
    """Add up all answers of the study; those on withdrawn videos are left out."""
    withdrawn = withdrawn_videos(study)
    tasks = [
        task for task in newest_tasks(tasks_from_rows(study.store.read(TASKS))) if task.anchor.video_id not in withdrawn
    ]
    annotations = [
        answer
        for answer in annotations_from_rows(study.store.read(ANNOTATIONS))
        if answer.anchor.video_id not in withdrawn
    ]
    known = known_answers_from_rows(study.store.read(KNOWN_ANSWERS))
    annotators = annotators_from_rows(study.store.read(ANNOTATORS))
    settlement = settle(
        tasks=tasks,
        annotations=annotations,
        known=known,
        experts=expert_ids(annotators),
        taxonomy=study.taxonomy,
    )
    return Standing(
        tasks=tasks,
        annotations=annotations,
        known=known,
        annotators=annotators,
        settlement=settlement,
        overlaps=_overlaps(study, tasks, settlement, people=len(active_annotators(annotators))),
    )


def _overlaps(
    study: Study, tasks: Sequence[ReviewTask], settlement: Settlement, *, people: int
) -> dict[str, OverlapPlan]:
    asked = dict.fromkeys(task.candidate_id for task in tasks if task.kind is QuestionKind.VERDICT)
    states = (_state(question_id, settlement) for question_id in asked)
    plans = plan_overlap(states, config=study.config.annotate, annotator_count=people or None)
    return {plan.question_id: plan for plan in plans}


def _state(question_id: str, settlement: Settlement) -> QuestionState:
    settled = settlement.items.get(question_id)
    if settled is None:
        return QuestionState(question_id=question_id, posterior=0.0, answer_count=0)
    return QuestionState(
        question_id=question_id,
        posterior=settled.posterior,
        answer_count=settled.verdict_answers,
        unsure_count=settled.verdict_unsure,
        expert_answered=settled.expert_answered,
    )
