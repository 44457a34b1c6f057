"""What questions cost in people's time, measured on the study's own answers, and what of it is left to spend."""

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import NamedTuple

from annotation.answers.revisions import standing_answers
from annotation.asking.overlap import Step
from annotation.config import AnnotateConfig
from annotation.reporting.effort import IDLE_FACTOR
from flows._rounds import current_round
from flows._standing import Standing
from flows._study import Study
from proposals.audit import Cell, draw_windows
from schema.questions import AuditWindow, QuestionKind
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


def price_of(standing: Standing, config: AnnotateConfig) -> Price:
    """Measure what answers cost; what a script answered counts only where no person has answered that page.

    Args:
        standing: All answers, and how many of them questions took.
        config: What is assumed where there are none.
    """
    given = standing.annotations
    spent = _seconds_by_page([one for one in given if one.scripted]) | _seconds_by_page(
        [one for one in given if not one.scripted]
    )
    assumed = {
        SHOWN: SECONDS_PER_ANSWER,
        BLIND: SECONDS_PER_ANSWER,
        AUDIT: config.audit_window_seconds + SECONDS_PER_ANSWER,
    }
    return Price(seconds=assumed | spent, answers=_answers_each(config, standing))


def _answers_each(config: AnnotateConfig, standing: Standing) -> float:
    done = [i for i, plan in standing.overlaps.items() if plan.step is not Step.ASK_AGAIN]
    items = standing.settlement.items
    counts = [items[i].verdict_answers for i in done if i in items]
    return fmean(counts) if len(counts) >= FEWEST_SETTLED else float(config.first_answers)


def page_of_kind(kind: QuestionKind) -> str:
    """Return which page a question is put on."""
    return {QuestionKind.BLIND: BLIND, QuestionKind.AUDIT: AUDIT}.get(kind, SHOWN)


class _Answer(NamedTuple):
    """What revisions have in common: one answer of a person on a page."""

    page: str
    question_id: str
    annotator_id: str
    number: int | str


def _answer_of(revision: Annotation) -> _Answer:
    number = revision.annotation_id if revision.answer_number is None else revision.answer_number
    return _Answer(page_of_kind(revision.kind), revision.candidate_id, revision.annotator_id, number)


def _seconds_of(revisions: Iterable[Annotation]) -> dict[_Answer, float]:
    """Return how long each answer took: the page's clock runs on where somebody edits, so the longest tells all."""
    spent: dict[_Answer, float] = defaultdict(float)
    for revision in revisions:
        answer = _answer_of(revision)
        spent[answer] = max(spent[answer], revision.lead_time_ns / NS_PER_SECOND)
    return dict(spent)


def _seconds_by_page(revisions: Sequence[Annotation]) -> dict[str, float]:
    """Return the mean seconds of a standing answer by page; a break counts ten times the median, as in the report."""
    spent = _seconds_of(revisions)
    times: dict[str, list[float]] = defaultdict(list)
    for standing in standing_answers(revisions):
        answer = _answer_of(standing)
        if spent[answer]:
            times[answer.page].append(spent[answer])
    return {page: fmean(min(one, IDLE_FACTOR * median(given)) for one in given) for page, given in times.items()}


def minutes_left(study: Study, standing: Standing, *, windows: int) -> float | None:
    """Return what the round may still spend on new candidates, in minutes; None: it has no limit.

    Taken off are the time that people spent since the round began, on answers that were taken back too, the answers
    that open questions still lack, and random windows that are put now: they are asked whatever is left.

    Args:
        study: The study.
        standing: Its questions and answers.
        windows: How many random windows the next push puts (``_questions.count_windows``).
    """
    config = study.config.annotate
    if not config.round_minutes:
        return None
    price = price_of(standing, config)
    spent_s = _spent_seconds(standing.annotations, price, begun_ns=current_round(study).begun_ns)
    windows_s = price.seconds[AUDIT] * config.first_answers * windows
    return config.round_minutes - (spent_s + _open_seconds(standing, price, config) + windows_s) / 60


def _spent_seconds(revisions: Sequence[Annotation], price: Price, *, begun_ns: int) -> float:
    """Sum up what people spent since then, breaks cut off; of an older answer that was edited only what came on top."""
    before = _seconds_of(one for one in revisions if one.answered_ns < begun_ns)
    spent_s = 0.0
    for answer, seconds in _seconds_of(revisions).items():
        longest = IDLE_FACTOR * price.seconds[answer.page]
        spent_s += min(seconds, longest) - min(before.get(answer, 0.0), longest)
    return spent_s


def _open_seconds(standing: Standing, price: Price, config: AnnotateConfig) -> float:
    given: Counter[str] = Counter(answer.candidate_id for answer in standing_answers(standing.annotations))
    lacking = 0.0
    for question_id, plan in standing.overlaps.items():
        if plan.step is Step.ASK_AGAIN:
            left = max(1.0, price.answers - given[question_id])
            lacking += price.seconds[SHOWN] * left / (1 - config.known_share)
    for task in standing.of_kind(QuestionKind.BLIND):
        lacking += price.seconds[BLIND] * (not given[task.candidate_id])
    for task in standing.of_kind(QuestionKind.AUDIT):
        lacking += price.seconds[AUDIT] * max(0, config.first_answers - given[task.candidate_id])
    return lacking


def affordable(study: Study, standing: Standing, *, windows: int) -> int | None:
    """Return how many more candidates the round's minutes allow beside so many random windows; None: no limit."""
    left = minutes_left(study, standing, windows=windows)
    if left is None:
        return None
    config = study.config.annotate
    cost_s = price_of(standing, config).of_candidate(config)
    return max(0, math.floor(left * 60 / cost_s + 1e-9))


def lacking_seconds(standing: Standing, config: AnnotateConfig) -> float:
    """Return how much of the study's audit was never asked; 0 where it is less than half a window."""
    asked_ns = sum(task.anchor.span.duration_ns for task in standing.of_kind(QuestionKind.AUDIT))
    lacking_s = config.audit_minutes * 60 - asked_ns / NS_PER_SECOND
    return lacking_s if lacking_s > config.audit_window_seconds / 2 else 0.0


def draw_lacking(
    cells: Sequence[Cell], *, key: bytes, minutes: float, lacking_s: float, asked: Container[str]
) -> list[AuditWindow]:
    """Draw the random windows that a study's audit still lacks: new videos may make a full draw put far more.

    Putting the first of a full draw would keep its shares, which would be too great for what is put, and the recall
    would lean towards older videos. So the whole draw is made smaller until just as much of it is new: its shares are
    then the chances of these windows. What was asked before keeps the share of its own draw.

    Args:
        cells: Every window of the study (``proposals.audit.audit_cells``).
        key: The study's pseudonym key.
        minutes: Minutes of the whole audit.
        lacking_s: What of it was never asked, in seconds.
        asked: Ids of the windows that were.
    """

    def drawn(minutes: float) -> list[AuditWindow]:
        return [window for window in draw_windows(cells, key=key, minutes=minutes) if window.window_id not in asked]

    put = drawn(minutes)
    if not put:
        return []
    mean_s = fmean(cell.span.seconds for cell in cells)
    wanted = max(1, round(lacking_s / mean_s))
    if len(put) <= wanted:
        return put
    # the largest such draw: that of the last window itself would give all of them too small a share on average
    draws = range(round(minutes * 60 / mean_s) + 1)
    count = bisect_right(draws, wanted, key=lambda count: len(drawn(count * mean_s / 60))) - 1
    return drawn(count * mean_s / 60)
