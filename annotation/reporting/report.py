"""The report of a verification campaign: every figure that its annotation lead looks at, under pseudonyms."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from statistics import median
from typing import Any

from annotation.answers.consensus import Settlement
from annotation.answers.opinions import NO_GESTURE
from annotation.asking.known_scores import KnownScore, SkillRecord, score_all, skill_records
from annotation.asking.overlap import Step
from annotation.config import AnnotateConfig
from annotation.reporting.agreement import Agreement, measure_agreement, said_instead
from annotation.reporting.agreement_gamma import Gamma, measure_gamma
from annotation.reporting.anchoring import Anchoring, anchoring_effect
from annotation.reporting.effort import Effort, measure_effort
from annotation.reporting.judgements import Judgement, compared_questions, standing_judgements, week_of
from annotation.reporting.recall import RecallEstimate
from annotation.reporting.resampling import Estimate, share_interval
from schema.questions import KnownAnswer, QuestionKind
from schema.records import Annotation
from schema.taxonomy import Taxonomy
from schema.timespan import NS_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSource:
    """What a report is made from."""

    study: str
    """The study's name."""
    made_ns: int
    """Unix time."""
    pseudonyms: Mapping[str, str]
    """What ``pseudonyms_of`` gives; a withdrawn video renames nobody."""
    annotations: Sequence[Annotation]
    """The answers that count, in any order."""
    known: Sequence[KnownAnswer]
    settlement: Settlement
    steps: Mapping[Step, int]
    """How many candidates that are asked come next to what (``annotation.asking.overlap``)."""
    experts: Set[str]
    """``annotator_id`` of experts."""
    recall: Sequence[RecallEstimate]
    """Empty where nothing was audited."""
    taxonomy: Taxonomy
    config: AnnotateConfig
    with_gamma: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWeek:
    """How one person answered hidden items in one week."""

    annotator: str
    week: str
    known_count: int
    right: Estimate
    """Share with the right verdict and class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slip:
    """What one person said where something else was settled."""

    settled: str
    said: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatorRow:
    """One annotator."""

    name: str
    """A pseudonym such as ``A1``."""
    is_expert: bool
    answer_count: int
    last_week: str
    """Week of the last answer."""
    median_seconds: float | None
    unsure: Estimate | None
    """Share of the answers."""
    agrees: Estimate | None
    """Share of the answers to settled candidates that say what was settled; of the others alone see F1."""
    accepts: Estimate | None
    """Share of the answers to proposals that see a gesture."""
    known_right: Estimate | None
    """Share of the hidden items with the right verdict and class."""
    negatives_accepted: Estimate | None
    """Share of the hidden negatives in which the person saw a gesture."""
    edges_right: Estimate | None
    """Share of the hidden items with the right edges, of those where the person saw the gesture."""
    skill: SkillRecord | None
    slips: tuple[Slip, ...]
    """The most frequent ones."""
    flagged_count: int
    """Answers of which it is in doubt who gave them; they count nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekRow:
    """How much was done in a week."""

    week: str
    answer_count: int
    annotator_count: int
    median_seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How far the campaign has come."""

    first_week: str
    last_week: str
    answer_count: int
    scripted_only: bool
    """No person has answered yet: the figures are about scripts."""
    accepted_count: int
    """Settled as a gesture, candidates and what people drew themselves."""
    rejected_count: int
    """Settled as no gesture."""
    open_count: int
    """Candidates that wait for people's answers, those that nobody has answered among them."""
    expert_count: int
    """Candidates that wait for an expert."""
    flagged_count: int
    """Answers of which it is in doubt who gave them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationReport:
    """Everything that the page and the JSON file tell."""

    study: str
    taxonomy: str
    made_on: str
    """Date, UTC."""
    totals: Totals
    agreement: Agreement
    gamma: Gamma
    annotators: tuple[AnnotatorRow, ...]
    weeks: tuple[WeekRow, ...]
    known_weeks: tuple[KnownWeek, ...]
    effort: Effort
    anchoring: Anchoring
    recall: tuple[RecallEstimate, ...]

    def document(self) -> dict[str, Any]:
        """Return it as JSON would hold it."""
        return asdict(self)


MOST_SLIPS = 3
NO_GAMMA = Gamma(estimate=None, window_count=0, left_out=0, note="gamma was not asked for")


def pseudonyms_of(annotator_ids: Iterable[str], *, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Name everybody who answered ``A1``, ``A2`` and so on, in the order in which their first answers were recorded.

    Args:
        annotator_ids: Who gave each answer, in the order of the table.
        known: Names of earlier reports by annotator's id; they stay, also where a withdrawal erased all answers of
            somebody, and nobody else gets them.
    """
    names = dict(known or {})
    number = max((int(name[1:]) for name in names.values()), default=0)
    for who in annotator_ids:
        if who not in names:
            number += 1
            names[who] = f"A{number}"
    return names


def build_report(source: ReportSource) -> AnnotationReport:
    """Work out all figures of a campaign.

    Raises:
        ConfigError: An answer gives a class that the taxonomy does not have.
    """
    names = source.pseudonyms
    answers = [replace(a, annotator_id=names[a.annotator_id]) for a in source.annotations]
    judgements = standing_judgements(answers, taxonomy=source.taxonomy)
    settled = settled_outcomes(source.settlement, config=source.config)
    compared = compared_questions(
        judgements, answers_each=source.config.first_answers, context_seconds=source.config.context_seconds
    )
    people = _people(source, answers, judgements, settled, experts={names[e] for e in source.experts if e in names})
    return AnnotationReport(
        study=source.study,
        taxonomy=source.taxonomy.title,
        made_on=datetime.fromtimestamp(source.made_ns / NS_PER_SECOND, tz=UTC).date().isoformat(),
        totals=_totals(source, judgements, settled, flagged_count=people.flagged.total()),
        agreement=measure_agreement(compared, taxonomy=source.taxonomy),
        gamma=measure_gamma(compared, taxonomy=source.taxonomy) if source.with_gamma else NO_GAMMA,
        annotators=tuple(people.row(name) for name in names.values() if people.has(name)),
        weeks=tuple(_week_row(week, judgements) for week in sorted({week_of(j.first_answered_ns) for j in judgements})),
        known_weeks=tuple(_known_weeks(people.scores)),
        effort=measure_effort(judgements, settled=settled, found=_found_in_windows(source.settlement, settled)),
        anchoring=anchoring_effect(j.annotation for j in judgements),
        recall=tuple(source.recall),
    )


def _totals(
    source: ReportSource, judgements: Sequence[Judgement], settled: Mapping[str, str], *, flagged_count: int
) -> Totals:
    weeks = sorted(week_of(j.first_answered_ns) for j in judgements)
    accepted = sum(outcome != NO_GESTURE for outcome in settled.values())
    return Totals(
        first_week=weeks[0] if weeks else "",
        last_week=weeks[-1] if weeks else "",
        answer_count=len(judgements),
        scripted_only=bool(judgements) and all(j.annotation.scripted for j in judgements),
        accepted_count=accepted,
        rejected_count=len(settled) - accepted,
        open_count=source.steps.get(Step.ASK_AGAIN, 0),
        expert_count=source.steps.get(Step.EXPERT, 0),
        flagged_count=flagged_count,
    )


def settled_outcomes(settlement: Settlement, *, config: AnnotateConfig) -> dict[str, str]:
    """Return the outcome of every item that needs no more answers."""
    return {
        item.item_id: item.outcome
        for item in settlement.items.values()
        if item.expert_answered
        or (item.answer_count >= config.first_answers and item.posterior >= config.min_posterior)
    }


def _found_in_windows(settlement: Settlement, settled: Mapping[str, str]) -> Counter[str]:
    """Count the settled gestures that people drew themselves, by the audit window's question."""
    found: Counter[str] = Counter()
    for item_id, outcome in settled.items():
        asked = {
            o.answer.candidate_id for o in settlement.items[item_id].opinions if o.answer.kind is QuestionKind.AUDIT
        }
        if outcome != NO_GESTURE:
            found.update(asked)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _People:
    """What the rows of annotators are made from."""

    judgements: Sequence[Judgement]
    flagged: Counter[str]
    experts: Set[str]
    scores: Sequence[KnownScore]
    records: Mapping[str, SkillRecord]
    slips: Mapping[str, Counter[tuple[str, str]]]

    def has(self, name: str) -> bool:
        """Tell whether there is anything to tell of somebody."""
        return bool(self.flagged[name]) or any(j.annotation.annotator_id == name for j in self.judgements)

    def row(self, name: str) -> AnnotatorRow:
        """Sum up one person."""
        mine = [j for j in self.judgements if j.annotation.annotator_id == name]
        known = [score for score in self.scores if score.annotator_id == name]
        edges = [score.edges_right for score in known if score.edges_right is not None]
        counts = self.slips.get(name, Counter())
        slips = sorted(((n, *pair) for pair, n in counts.items() if pair[0] != pair[1]), key=lambda s: (-s[0], s[1:]))
        proposed = [j for j in mine if j.annotation.kind is QuestionKind.VERDICT and j.is_decided]
        return AnnotatorRow(
            name=name,
            is_expert=name in self.experts,
            answer_count=len(mine),
            last_week=week_of(max(j.annotation.answered_ns for j in mine)) if mine else "",
            median_seconds=_median_seconds(mine),
            unsure=_share([not j.is_decided for j in mine]),
            agrees=share_interval(sum(n for pair, n in counts.items() if pair[0] == pair[1]), counts.total()),
            accepts=_share([bool(j.spans) for j in proposed]),
            known_right=_share([score.class_right for score in known]),
            negatives_accepted=_share([not score.existence_right for score in known if not score.exists]),
            edges_right=_share(edges),
            skill=self.records.get(name),
            slips=tuple(Slip(settled=settled, said=said, count=n) for n, settled, said in slips[:MOST_SLIPS]),
            flagged_count=self.flagged[name],
        )


def _people(
    source: ReportSource,
    answers: Sequence[Annotation],
    judgements: Sequence[Judgement],
    settled: Mapping[str, str],
    *,
    experts: Set[str],
) -> _People:
    counted = {j.annotation.annotator_id for j in judgements}
    scores = [score for score in score_all(answers, source.known) if score.annotator_id in counted]
    return _People(
        judgements=judgements,
        flagged=Counter(a.annotator_id for a in answers if a.flag and not a.deleted),
        experts=experts,
        scores=scores,
        records=skill_records(scores, trust_after=source.config.known_before_trust),
        slips=said_instead(judgements, settled),
    )


def _share(given: Sequence[bool]) -> Estimate | None:
    return share_interval(sum(given), len(given))


def _median_seconds(judgements: Sequence[Judgement]) -> float | None:
    spent = [j.spent_ns for j in judgements if j.spent_ns]
    return median(spent) / NS_PER_SECOND if spent else None


def _week_row(week: str, judgements: Sequence[Judgement]) -> WeekRow:
    given = [j for j in judgements if week_of(j.first_answered_ns) == week]
    return WeekRow(
        week=week,
        answer_count=len(given),
        annotator_count=len({j.annotation.annotator_id for j in given}),
        median_seconds=_median_seconds(given),
    )


def _known_weeks(scores: Sequence[KnownScore]) -> list[KnownWeek]:
    parts: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for score in scores:
        parts[(score.annotator_id, week_of(score.answered_ns))].append(score.class_right)
    return [
        KnownWeek(annotator=who, week=week, known_count=len(right), right=interval)
        for (who, week), right in sorted(parts.items())
        if (interval := _share(right)) is not None
    ]
