"""What the answers cost: seconds of people's time per accepted segment, by class, page and proposer."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from annotation.answers.opinions import NO_GESTURE
from annotation.reporting.judgements import Judgement
from annotation.reporting.resampling import Estimate, Floats, Resampling, share_of
from schema.questions import QuestionKind
from schema.timespan import NS_PER_SECOND

IDLE_FACTOR = 10
"""Time beyond so many times the median of its kind is a break, not work: the page's clock runs on over lunch."""
CANDIDATE_KINDS = frozenset({QuestionKind.VERDICT, QuestionKind.EXPERT})


@dataclass(frozen=True, slots=True, kw_only=True)
class EffortRow:
    """What one part of the answers cost."""

    name: str
    answer_count: int
    """Answers that tell how long they took."""
    hours: float
    median_seconds: float
    """Of one answer."""
    question_count: int
    accepted_count: int
    """Candidates that were settled as a gesture, and gestures that were found in audit windows."""
    seconds_per_segment: Estimate | None
    """All the time of the part, that on rejected candidates too, over its accepted segments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindControl:
    """The same candidates asked with their class shown, and blind."""

    candidate_count: int
    shown_seconds: Estimate | None
    """Time per answer that agrees with what was settled."""
    blind_seconds: Estimate | None
    ratio: Estimate | None
    """Blind over shown: what the suggestion saves, if it does not mislead."""
    shown_right: Estimate | None
    """Share of the answers that agree with what was settled; the settled outcome leans on the shown answers."""
    blind_right: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """The ledger of people's time."""

    overall: EffortRow
    by_class: tuple[EffortRow, ...]
    """By the class that was proposed, of candidates alone."""
    by_page: tuple[EffortRow, ...]
    """By kind of question and version of the page."""
    by_proposer: tuple[EffortRow, ...]
    """By who proposed, with its version, of candidates alone."""
    blind: BlindControl | None
    untimed_count: int
    """Answers of which the page does not tell how long they took."""
    capped_count: int
    """Answers that took longer than ``IDLE_FACTOR`` times the median of their kind, counted with that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timed:
    judgement: Judgement
    seconds: float

    @property
    def item_id(self) -> str:
        """The candidate that the time went to, also where an expert was asked; of other kinds the question."""
        annotation = self.judgement.annotation
        return annotation.about if annotation.kind is QuestionKind.EXPERT else annotation.candidate_id


def measure_effort(judgements: Iterable[Judgement], *, settled: Mapping[str, str], found: Mapping[str, int]) -> Effort:
    """Sum up the time of all standing answers, whatever they say, "unsure" too.

    Hidden known items and blind windows cost time and find nothing new, so they have no price of their own.

    Args:
        judgements: What ``judgements.standing_judgements`` gives.
        settled: Outcome (class id, ``UNCLASSIFIED`` or ``NO_GESTURE``) of each settled candidate.
        found: Settled gestures that people drew themselves, by the window's question.
    """
    accepted = {item: int(outcome != NO_GESTURE) for item, outcome in settled.items()} | dict(found)
    given = list(judgements)
    timed, capped_count = _timed([j for j in given if j.spent_ns > 0])
    candidates = [t for t in timed if t.judgement.annotation.kind in CANDIDATE_KINDS]
    return Effort(
        overall=_row("all", timed, accepted),
        by_class=_rows(candidates, accepted, lambda j: j.proposed_outcome),
        by_page=_rows(timed, accepted, _page_of),
        by_proposer=_rows(candidates, accepted, lambda j: j.annotation.proposer or "unknown"),
        blind=_blind_control(timed, settled),
        untimed_count=len(given) - len(timed),
        capped_count=capped_count,
    )


def _page_of(judgement: Judgement) -> str:
    annotation = judgement.annotation
    return f"{annotation.kind}, {annotation.page_version or 'page of an unknown version'}"


def _timed(judgements: Sequence[Judgement]) -> tuple[list[_Timed], int]:
    """Return answers with their seconds, breaks cut off, and how many were cut."""
    by_kind: dict[QuestionKind, list[int]] = defaultdict(list)
    for judgement in judgements:
        by_kind[judgement.annotation.kind].append(judgement.spent_ns)
    longest = {kind: IDLE_FACTOR * median(spent) for kind, spent in by_kind.items()}
    capped = [(j, min(j.spent_ns, longest[j.annotation.kind])) for j in judgements]
    found = [_Timed(judgement=judgement, seconds=spent / NS_PER_SECOND) for judgement, spent in capped]
    return found, sum(j.spent_ns > spent for j, spent in capped)


def _rows(
    timed: Sequence[_Timed], accepted: Mapping[str, int], name_of: Callable[[Judgement], str]
) -> tuple[EffortRow, ...]:
    parts: dict[str, list[_Timed]] = defaultdict(list)
    for one in timed:
        parts[name_of(one.judgement)].append(one)
    return tuple(_row(name, part, accepted) for name, part in sorted(parts.items()))


def _row(name: str, timed: Sequence[_Timed], accepted: Mapping[str, int]) -> EffortRow:
    spent: dict[str, float] = defaultdict(float)
    for one in timed:
        spent[one.item_id] += one.seconds
    tallies = np.array([(spent[item], accepted.get(item, 0)) for item in sorted(spent)], dtype=np.float64)
    tallies = tallies.reshape(-1, 2)
    return EffortRow(
        name=name,
        answer_count=len(timed),
        hours=sum(spent.values()) / 3600,
        median_seconds=median([one.seconds for one in timed]) if timed else 0.0,
        question_count=len(spent),
        accepted_count=int(tallies[:, 1].sum()),
        seconds_per_segment=Resampling(question_count=len(spent)).of_sums(range(len(spent)), tallies, share_of),
    )


def _blind_control(timed: Sequence[_Timed], settled: Mapping[str, str]) -> BlindControl | None:
    """Compare both ways of asking on the candidates that were asked both ways and are settled; None without any."""
    shown: dict[str, list[_Timed]] = defaultdict(list)
    blind: dict[str, list[_Timed]] = defaultdict(list)
    for one in timed:
        annotation = one.judgement.annotation
        if one.judgement.is_decided and annotation.kind is QuestionKind.VERDICT:
            shown[annotation.candidate_id].append(one)
        elif one.judgement.is_decided and annotation.kind is QuestionKind.BLIND:
            blind[annotation.about].append(one)
    both = sorted(shown.keys() & blind.keys() & settled.keys())
    if not both:
        return None
    tallies = np.array([[*_cost(shown[c], settled[c]), *_cost(blind[c], settled[c])] for c in both], dtype=np.float64)
    draw, items = Resampling(question_count=len(both)), range(len(both))
    return BlindControl(
        candidate_count=len(both),
        shown_seconds=draw.of_sums(items, tallies[:, [0, 1]], share_of),
        blind_seconds=draw.of_sums(items, tallies[:, [3, 4]], share_of),
        ratio=draw.of_sums(items, tallies, _cost_ratio),
        shown_right=draw.of_sums(items, tallies[:, [1, 2]], share_of),
        blind_right=draw.of_sums(items, tallies[:, [4, 5]], share_of),
    )


def _cost(timed: Sequence[_Timed], outcome: str) -> tuple[float, int, int]:
    """Return the seconds, the answers that give the settled outcome, and all answers."""
    return sum(one.seconds for one in timed), sum(_gives(one.judgement, outcome) for one in timed), len(timed)


def _gives(judgement: Judgement, outcome: str) -> bool:
    asked = judgement.annotation.anchor.span
    seen = {seen.outcome for seen in judgement.spans if seen.span.overlap_ns(asked)}
    return outcome in (seen or {NO_GESTURE})


def _cost_ratio(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (sums[:, 3] / sums[:, 4]) / (sums[:, 0] / sums[:, 1])
    return np.where(np.isfinite(ratio), ratio, np.nan)
