"""How well annotators agree: by class, body part, annotator and week, with what they mistake for what."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from annotation.answers.opinions import UNCLASSIFIED
from annotation.reporting.agreement_tallies import (
    FrameTally,
    Tallies,
    alpha_of,
    binary_tallies,
    f1_of,
    nominal_tallies,
    tally,
)
from annotation.reporting.judgements import Compared, Judgement
from annotation.reporting.resampling import Estimate, Floats, Resampling, share_of
from schema.taxonomy import Taxonomy

UNCLASSIFIED_GROUP = "Unclassified"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementRow:
    """Figures of one part of the answers; None where there is nothing to measure."""

    name: str
    question_count: int
    """Questions that two or more people decided and in which somebody saw what the row is about."""
    span_count: int
    """Spans that people saw there, each person's counted."""
    same: Estimate | None
    """Share of the pairs of answers that say the same, edges aside; of a class: where one of the two names it."""
    f1: Estimate | None
    """F1 of spans between annotators: one-to-one matches of the same class by temporal IoU."""
    alpha: Estimate | None
    """Krippendorff's alpha on a frame grid, nominal; of a class or group: seen or not."""
    onset_ms: Estimate | None
    """Median distance of the starts of matched spans, milliseconds."""
    offset_ms: Estimate | None
    """Median distance of their ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """How often one person said ``column`` where another said ``row``, each ordered pair of answers counted."""

    outcomes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """Symmetric; the rows and columns are ``outcomes``."""

    def pairs(self) -> list[tuple[str, str, int, int]]:
        """Return two outcomes, in how many pairs of answers they met, and how many answers gave either; by frequency.

        An answer counts once for each other answer to its question.
        """
        counts = np.array(self.counts, dtype=np.int64).reshape(len(self.outcomes), len(self.outcomes))
        totals = counts.sum(axis=1)
        found = [
            (one, self.outcomes[j], int(counts[i, j]), int(totals[i] + totals[j]))
            for i, one in enumerate(self.outcomes)
            for j in range(i + 1, len(self.outcomes))
            if counts[i, j]
        ]
        return sorted(found, key=lambda pair: (-pair[2], pair[:2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """All figures of agreement of a study."""

    overall: AgreementRow
    by_page: tuple[AgreementRow, ...]
    """With a suggestion on the page, and without: people agree more where all of them see the same suggestion."""
    by_class: tuple[AgreementRow, ...]
    by_group: tuple[AgreementRow, ...]
    by_annotator: tuple[AgreementRow, ...]
    by_week: tuple[AgreementRow, ...]
    confusion: Confusion


def measure_agreement(questions: Sequence[Compared], *, taxonomy: Taxonomy, at_iou: float = 0.5) -> Agreement:
    """Measure agreement over compared questions.

    Args:
        questions: What ``judgements.compared_questions`` gives.
        taxonomy: The study's taxonomy: its classes and groups give the order of the rows.
        at_iou: Temporal IoU from which two spans of one class are the same.
    """
    slices = _Slices(tally(questions, at_iou=at_iou))
    seen = slices.outcomes()
    order = [g.class_id for g in taxonomy if g.class_id in seen] + [UNCLASSIFIED] * (UNCLASSIFIED in seen)
    groups = {group: frozenset(g.class_id for g in taxonomy if g.group == group) for group in taxonomy.groups}
    groups[UNCLASSIFIED_GROUP] = frozenset({UNCLASSIFIED})
    pages = _numbers(questions, lambda q: "with a suggestion" if q.kind.shows_suggestion else "without a suggestion")
    weeks = _numbers(questions, lambda q: q.week)
    people = sorted({person for question in questions for person in _people(question)})
    return Agreement(
        overall=slices.row("all"),
        by_page=tuple(slices.row(name, inside=inside) for name, inside in pages.items()),
        by_class=tuple(slices.row(class_id, outcomes=frozenset({class_id})) for class_id in order),
        by_group=tuple(slices.row(name, outcomes=within) for name, within in groups.items() if within & seen),
        by_annotator=tuple(slices.row(person, annotator=person) for person in people),
        by_week=tuple(slices.row(week, inside=inside) for week, inside in weeks.items()),
        confusion=confusion_of(questions),
    )


def _numbers(questions: Sequence[Compared], name_of: Callable[[Compared], str]) -> dict[str, list[int]]:
    """Return the questions' numbers by a name, in the order of the names."""
    found: dict[str, list[int]] = {}
    for number, question in enumerate(questions):
        found.setdefault(name_of(question), []).append(number)
    return dict(sorted(found.items()))


class _Slices:
    """Rows of figures over parts of the same tallies, all with the same bootstrap replicates."""

    def __init__(self, tallies: Tallies) -> None:
        self.tallies = tallies
        self.resampling = Resampling(question_count=len(tallies.questions))

    def outcomes(self) -> frozenset[str]:
        return frozenset(pair.outcome for pair in self.tallies.pairs)

    def row(
        self,
        name: str,
        *,
        inside: Sequence[int] | None = None,
        outcomes: frozenset[str] | None = None,
        annotator: str | None = None,
    ) -> AgreementRow:
        """Measure one part: some questions, some outcomes, or the pairs that one person is part of."""
        inside = range(len(self.tallies.questions)) if inside is None else inside
        inside = [n for n in inside if annotator is None or annotator in _people(self.tallies.questions[n])]
        chosen = set(inside)

        def counts(question: int, people: tuple[str, str], named: Collection[str]) -> bool:
            return (
                question in chosen
                and (annotator is None or annotator in people)
                and (outcomes is None or not outcomes.isdisjoint(named))
            )

        pairs = [p for p in self.tallies.pairs if counts(p.question, p.annotators, (p.outcome,))]
        edges = [e for e in self.tallies.edges if counts(e.question, e.annotators, (e.outcome,))]
        same = [s for s in self.tallies.same if counts(s.question, s.annotators, _named(s.outcomes))]
        draw, where_edges = self.resampling, [e.question for e in edges]
        return AgreementRow(
            name=name,
            question_count=len(inside if outcomes is None else {p.question for p in pairs}),
            span_count=sum(p.spans for p in pairs),
            same=draw.of_sums(
                [s.question for s in same], _rows((s.outcomes[0] == s.outcomes[1], 1) for s in same), share_of
            ),
            f1=draw.of_sums([p.question for p in pairs], _rows((p.matched, p.spans) for p in pairs), f1_of),
            alpha=self._alpha(inside, outcomes),
            onset_ms=draw.of_median(where_edges, [e.onset_ms for e in edges]),
            offset_ms=draw.of_median(where_edges, [e.offset_ms for e in edges]),
        )

    def _alpha(self, inside: Sequence[int], outcomes: frozenset[str] | None) -> Estimate | None:
        frames: list[FrameTally] = [self.tallies.frames[number] for number in inside]
        if not frames:
            return None
        tallies = nominal_tallies(frames) if outcomes is None else binary_tallies(frames, outcomes)
        return self.resampling.of_sums(inside, tallies, alpha_of)


def _rows(rows: Iterable[tuple[float, float]]) -> Floats:
    return np.array(list(rows), dtype=np.float64).reshape(-1, 2)


def _people(question: Compared) -> set[str]:
    return {judgement.annotation.annotator_id for judgement in question.judgements}


def _named(outcomes: tuple[str, str]) -> set[str]:
    return {name for outcome in outcomes for name in outcome.split(" + ")}


def confusion_of(questions: Iterable[Compared]) -> Confusion:
    """Count what people say where another says something else; windows with several classes don't count."""
    met: Counter[tuple[str, str]] = Counter()
    for question in questions:
        single = [judgement.outcome for judgement in question.judgements if len(judgement.spans) <= 1]
        met.update((one, other) for i, one in enumerate(single) for j, other in enumerate(single) if i != j)
    outcomes = tuple(sorted({outcome for pair in met for outcome in pair}))
    return Confusion(
        outcomes=outcomes, counts=tuple(tuple(met[(one, other)] for other in outcomes) for one in outcomes)
    )


def said_instead(judgements: Iterable[Judgement], settled: Mapping[str, str]) -> dict[str, Counter[tuple[str, str]]]:
    """Count by annotator what was settled and what that person said, of the candidates that are settled.

    Hidden items, windows with several classes and "unsure" don't count.

    Args:
        judgements: Standing answers.
        settled: Outcome of each settled candidate.
    """
    found: dict[str, Counter[tuple[str, str]]] = {}
    for judgement in judgements:
        if judgement.is_decided and len(judgement.spans) <= 1 and judgement.item_id in settled:
            counts = found.setdefault(judgement.annotation.annotator_id, Counter())
            counts[(settled[judgement.item_id], judgement.outcome)] += 1
    return found
