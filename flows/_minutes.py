"""What questions cost in people's time, measured on the study's own answers, and what a round may still spend."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, median

from annotation.asking.overlap import Step
from annotation.config import AnnotateConfig
from annotation.reporting.effort import IDLE_FACTOR
from flows._rounds import current_round
from flows._standing import Standing
from flows._study import Study
from schema.questions import QuestionKind
from schema.records import Annotation
from schema.timespan import NS_PER_SECOND

SECONDS_PER_ANSWER = 8.0
"""Assumed until people have answered: the clip once, and a key."""
FEWEST_SETTLED = 20
"""Assumed until so many questions are settled: each takes the study's first answers, and no more."""
BLIND, AUDIT, SHOWN = "blind", "audit", "shown"
"""Pages that take their own time: a class to be found, a window to be searched, a claim to be judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a question costs."""

    seconds: Mapping[str, float]
    """Of one answer, by page."""
    answers: float
    """Expected answers to one candidate until it is settled."""

    def of_candidate(self, config: AnnotateConfig) -> float:
        """Return the seconds that one more candidate takes, with its share of hidden items and blind questions."""
        judged = self.seconds[SHOWN] * self.answers / (1 - config.known_share)
        return judged + config.blind_share * self.seconds[BLIND]


def price_of(annotations: Iterable[Annotation], config: AnnotateConfig, standing: Standing | None = None) -> Price:
    """Measure what answers cost; what a script answered counts only where no person has answered that page.

    Args:
        annotations: All answers.
        config: What is assumed where there are none.
        standing: Tells how many answers questions took; without it they take the first ones alone.
    """
    given = list(annotations)
    spent = _seconds_by_page([one for one in given if one.scripted]) | _seconds_by_page(
        [one for one in given if not one.scripted]
    )
    assumed = {
        SHOWN: SECONDS_PER_ANSWER,
        BLIND: SECONDS_PER_ANSWER,
        AUDIT: config.audit_window_seconds + SECONDS_PER_ANSWER,
    }
    return Price(seconds=assumed | spent, answers=_answers_each(config, standing))


def _answers_each(config: AnnotateConfig, standing: Standing | None) -> float:
    if standing is None:
        return float(config.first_answers)
    done = [i for i, plan in standing.overlaps.items() if plan.step is not Step.ASK_AGAIN]
    items = standing.settlement.items
    counts = [items[i].verdict_answers for i in done if i in items]
    return fmean(counts) if len(counts) >= FEWEST_SETTLED else float(config.first_answers)


def page_of_kind(kind: QuestionKind) -> str:
    """Return which page a question is put on."""
    return {QuestionKind.BLIND: BLIND, QuestionKind.AUDIT: AUDIT}.get(kind, SHOWN)


def _seconds_by_page(answers: Iterable[Annotation]) -> dict[str, float]:
    """Return the mean seconds of an answer by page; a break counts ten times the median, as in the report."""
    times: dict[str, list[float]] = defaultdict(list)
    for answer in answers:
        if answer.lead_time_ns and not answer.deleted:
            times[page_of_kind(answer.kind)].append(answer.lead_time_ns / NS_PER_SECOND)
    return {page: fmean(min(one, IDLE_FACTOR * median(given)) for one in given) for page, given in times.items()}


def minutes_left(study: Study, standing: Standing) -> float | None:
    """Return what the round may still spend on new candidates, in minutes; None: it has no limit.

    Taken off are the answers that were given since the round began, those that open questions still lack, and random
    windows that are to be drawn: they are asked whatever is left.
    """
    config = study.config.annotate
    if not config.round_minutes:
        return None
    price = price_of(standing.annotations, config, standing)
    begun_ns = current_round(study).begun_ns
    longest = {page: IDLE_FACTOR * seconds for page, seconds in price.seconds.items()}
    spent_s = sum(
        min(answer.lead_time_ns / NS_PER_SECOND, longest[page_of_kind(answer.kind)])
        for answer in standing.annotations
        if answer.answered_ns >= begun_ns and not answer.deleted
    )
    left_s = config.round_minutes * 60 - spent_s - _open_seconds(standing, price, config)
    return left_s / 60


def _open_seconds(standing: Standing, price: Price, config: AnnotateConfig) -> float:
    given: dict[str, int] = defaultdict(int)
    for answer in standing.annotations:
        given[answer.candidate_id] += not answer.deleted
    lacking = 0.0
    for question_id, plan in standing.overlaps.items():
        if plan.step is Step.ASK_AGAIN:
            left = max(1.0, price.answers - given[question_id])
            lacking += price.seconds[SHOWN] * left / (1 - config.known_share)
    for task in standing.of_kind(QuestionKind.BLIND):
        lacking += price.seconds[BLIND] * (not given[task.candidate_id])
    windows = standing.of_kind(QuestionKind.AUDIT)
    for task in windows:
        lacking += price.seconds[AUDIT] * max(0, config.first_answers - given[task.candidate_id])
    asked_s = sum(task.anchor.span.duration_ns for task in windows) / NS_PER_SECOND
    to_draw = max(0.0, config.audit_minutes * 60 - asked_s) / config.audit_window_seconds
    return lacking + price.seconds[AUDIT] * config.first_answers * to_draw


def affordable(study: Study, standing: Standing) -> int | None:
    """Return how many more candidates the round's minutes allow; None: no limit."""
    left = minutes_left(study, standing)
    if left is None:
        return None
    config = study.config.annotate
    cost_s = price_of(standing.annotations, config, standing).of_candidate(config)
    return max(0, math.floor(left * 60 / cost_s + 1e-9))
