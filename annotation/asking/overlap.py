"""Overlap that adapts: a few answers where they agree, more where they don't, and an expert where they never will."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from annotation.config import AnnotateConfig

EVERYBODY = 10_000
"""Overlap of a task that everybody answers: it never closes by itself."""


class Step(StrEnum):
    """What happens to a question next."""

    ENOUGH = "enough"
    """Settled: nobody is asked again."""
    ASK_AGAIN = "ask again"
    """It stays in the queue, or comes back into it."""
    EXPERT = "expert"
    """People did not settle it: it leaves the queue, and an expert is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionState:
    """How far the answers to one question have come."""

    question_id: str
    posterior: float
    """Probability of the likeliest verdict and class, given all answers, 0..1."""
    answer_count: int
    """People who have answered, "unsure" included."""
    unsure_count: int = 0
    """Those of them who could not tell."""
    expert_answered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapPlan:
    """What the review server is told of one question."""

    question_id: str
    step: Step
    answers: int
    """Overlap of the task: answers after which it leaves the queue."""
    is_open: bool
    """Whether the task is in the queue."""


def next_step(
    posterior: float,
    answer_count: int,
    *,
    expert_answered: bool,
    config: AnnotateConfig,
    unsure_count: int = 0,
    annotator_count: int | None = None,
) -> Step:
    """Say what happens next with a question that has these answers.

    An expert's answer settles it. Else it needs ``config.first_answers`` answers of people who could tell, so that no
    question is settled by one person, however sure. From then on the posterior decides: ``config.min_posterior`` is
    enough, below it one more person is asked, up to ``config.most_answers`` people, then an expert (stopping rule of
    FIELD notes 7.2: after Toloka's dynamic overlap).

    Args:
        posterior: Probability of the likeliest verdict and class, 0..1.
        answer_count: People who have answered, "unsure" included.
        expert_answered: Whether an expert has answered.
        config: Threshold and numbers of answers.
        unsure_count: Those of ``answer_count`` who could not tell.
        annotator_count: People who can be asked at all; nobody waits for a sixth answer of five people. None: enough.

    Raises:
        ValueError: The posterior is not in 0..1, or the counts contradict each other.
    """
    if not 0 <= posterior <= 1:
        raise ValueError(f"a posterior lies in 0..1, got {posterior}")
    if not 0 <= unsure_count <= answer_count:
        raise ValueError(f"{unsure_count} of {answer_count} answers can't be unsure")
    if expert_answered:
        return Step.ENOUGH
    is_begun = answer_count - unsure_count >= config.first_answers
    if is_begun and posterior >= config.min_posterior:
        return Step.ENOUGH
    if answer_count < _most_answers(config, annotator_count):
        return Step.ASK_AGAIN
    return Step.EXPERT


def wanted_answers(
    step: Step,
    answer_count: int,
    *,
    config: AnnotateConfig,
    unsure_count: int = 0,
    annotator_count: int | None = None,
) -> int:
    """Return the overlap that a task needs for its next step: all first answers at once, then one more at a time.

    A task that needs no more has an overlap of the answers that it has (1 at least: the server takes no 0).
    """
    if step is not Step.ASK_AGAIN:
        return max(1, answer_count)
    wanted = max(config.first_answers + unsure_count, answer_count + 1)
    return min(wanted, max(_most_answers(config, annotator_count), answer_count + 1))


def plan_overlap(
    states: Iterable[QuestionState], *, config: AnnotateConfig, annotator_count: int | None = None
) -> Iterator[OverlapPlan]:
    """Yield for each question, in the order given, its next step and what the review server is told.

    The plan depends on the state alone, so that doing it twice changes nothing. Hidden items are not planned: they are
    open to everybody (``EVERYBODY``).
    """
    for state in states:
        step = next_step(
            state.posterior,
            state.answer_count,
            expert_answered=state.expert_answered,
            config=config,
            unsure_count=state.unsure_count,
            annotator_count=annotator_count,
        )
        answers = wanted_answers(
            step,
            state.answer_count,
            config=config,
            unsure_count=state.unsure_count,
            annotator_count=annotator_count,
        )
        yield OverlapPlan(question_id=state.question_id, step=step, answers=answers, is_open=step is Step.ASK_AGAIN)


def _most_answers(config: AnnotateConfig, annotator_count: int | None) -> int:
    if annotator_count is None:
        return config.most_answers
    return max(config.first_answers, min(config.most_answers, annotator_count))
