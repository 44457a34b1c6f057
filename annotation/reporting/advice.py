"""What to do about the figures of a report, in short sentences: only what the data can tell from chance."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from annotation.answers.opinions import NO_GESTURE, UNCLASSIFIED
from annotation.reporting.agreement import AgreementRow
from annotation.reporting.recall import ALL_GROUPS
from annotation.reporting.report import AnnotationReport, AnnotatorRow
from annotation.reporting.resampling import Estimate
from schema.taxonomy import Taxonomy

FEWEST_KNOWN = 5
"""Hidden items from which on a person's share of them is told."""
FEWEST_MET = 5
"""Pairs of answers in which two outcomes met before anything is said of them."""
CONFUSED_SHARE = 0.15
"""Two classes are confused when this share of the answers that gave either met the other."""
HURRIED = 0.5
"""Somebody hurries whose median is below this share of the others'."""
MOST_CLASSES = 4
LOW_RECALL = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing to do."""

    topic: str
    """``people``, ``classes``, ``campaign`` or ``proposals``."""
    text: str


def advice_of(report: AnnotationReport, *, taxonomy: Taxonomy) -> list[Advice]:
    """Say who needs a talk, which class needs a better definition, and what else needs doing; the most urgent first.

    Intervals decide: a sentence is written where the whole 95 % interval lies on the wrong side of the others' figure.
    """
    advisor = _Advisor(report, taxonomy)
    parts = (
        ("people", advisor.people),
        ("classes", advisor.classes),
        ("campaign", advisor.campaign),
        ("proposals", advisor.proposals),
    )
    return [Advice(topic=topic, text=text) for topic, told in parts for text in told()]


class _Advisor:
    def __init__(self, report: AnnotationReport, taxonomy: Taxonomy) -> None:
        self.report, self.taxonomy = report, taxonomy

    def name(self, outcome: str) -> str:
        return outcome_name(outcome, self.taxonomy)

    def people(self) -> Iterator[str]:
        for row in self.report.annotators:
            others = [other for other in self.report.annotators if other.name != row.name]
            reasons = list(self._reasons(row, others))
            if reasons:
                yield f"Talk with {row.name}: {'; '.join(reasons)}."
        flagged = [f"{row.name} {row.flagged_count}" for row in self.report.annotators if row.flagged_count]
        if flagged:
            yield (
                f"Ask who really gave {_counted(self.report.totals.flagged_count, 'answer')} ({', '.join(flagged)}): "
                "the server's records contradict each other. Until then they count nowhere."
            )

    def _reasons(self, row: AnnotatorRow, others: Sequence[AnnotatorRow]) -> Iterator[str]:
        negatives = row.negatives_accepted
        usual_negatives = _middle(others, lambda r: r.negatives_accepted)
        if negatives and _is_above(negatives, 0.5 if usual_negatives is None else max(0.3, usual_negatives)):
            yield f"sees a gesture in {negatives.value:.0%} of the hidden clips that hold none{_usual(usual_negatives)}"
        known, usual_known = row.known_right, _middle(others, lambda r: r.known_right)
        enough = row.skill is not None and row.skill.known_count >= FEWEST_KNOWN
        if known and enough and _is_below(known, 0.8 if usual_known is None else usual_known - 0.05):
            yield f"gets {known.value:.0%} of the hidden items right{_usual(usual_known)}"
        agrees, usual = row.agrees, _middle(others, lambda r: r.agrees)
        if agrees and usual is not None and not row.is_expert and _is_below(agrees, usual - 0.05):
            share = f"{agrees.value:.0%} of the answers{_usual(usual)}"
            yield f"says what is settled in the end in {share}{self._slip(row)}"
        edges, usual_edges = row.edges_right, _middle(others, lambda r: r.edges_right)
        if edges and usual_edges is not None and _is_below(edges, usual_edges - 0.05):
            yield f"leaves wrong edges: {edges.value:.0%} of the hidden items' edges are right{_usual(usual_edges)}"
        unsure, usual_unsure = row.unsure, _middle(others, lambda r: r.unsure)
        if unsure and usual_unsure is not None and _is_above(unsure, max(0.15, 2 * usual_unsure)):
            yield f"is unsure in {unsure.value:.0%} of the answers{_usual(usual_unsure)}; examples help"
        times = [other.median_seconds for other in others if other.median_seconds]
        if row.median_seconds and times and row.median_seconds < HURRIED * median(times):
            yield f"takes {row.median_seconds:.1f} s for an answer (the others {median(times):.1f} s)"

    def _slip(self, row: AnnotatorRow) -> str:
        if not row.slips or row.slips[0].count < FEWEST_KNOWN:
            return ""
        slip = row.slips[0]
        return f", most often “{self.name(slip.said)}” where “{self.name(slip.settled)}” was settled"

    def classes(self) -> Iterator[str]:
        agreement = self.report.agreement
        told: set[str] = set()
        for one, other, met, of in agreement.confusion.pairs():
            if met < FEWEST_MET or 2 * met < CONFUSED_SHARE * of or NO_GESTURE in (one, other):
                continue
            told |= {one, other}
            yield (
                f"Say in the definitions what tells “{self.name(one)}” from “{self.name(other)}”: "
                f"{met} times one person saw the one and another person the other."
            )
        overall = agreement.overall
        weak = [row for row in agreement.by_class if row.name not in told and _is_weaker(row, overall)]
        for row in sorted(weak, key=lambda r: r.f1.value if r.f1 else 0)[:MOST_CLASSES]:
            yield (
                f"Define “{self.name(row.name)}” better, with examples of what it is not: F1 between two people is "
                f"{_words(row.f1)} over {_counted(row.question_count, 'question')} (all classes {_words(overall.f1)})."
            )
        for row in agreement.by_class:
            for edge, mine, usual in (
                ("starts", row.onset_ms, overall.onset_ms),
                ("ends", row.offset_ms, overall.offset_ms),
            ):
                if mine and usual and _is_above(mine, max(120.0, 1.5 * usual.value)):
                    yield (
                        f"Say where “{self.name(row.name)}” {edge}: two people are {mine.value:.0f} ms apart there "
                        f"(all classes {usual.value:.0f} ms)."
                    )

    def campaign(self) -> Iterator[str]:
        report = self.report
        if report.totals.scripted_only:
            yield "Only scripts have answered so far: the figures show how the report looks, and nothing about people."
        if report.totals.expert_count:
            yield f"Ask an expert: {_counted(report.totals.expert_count, 'candidate')} did not settle."
        yield from self._drift()
        if not report.known_weeks:
            yield (
                "No hidden items were answered: nobody knows who answers carelessly. They are made from settled "
                "candidates; “annotate.known_share” says how many."
            )
        yield from self._anchoring()

    def _drift(self) -> Iterator[str]:
        weeks = [(row.name, row.f1) for row in self.report.agreement.by_week if row.f1 and row.f1.high is not None]
        if len(weeks) < 2:
            return
        (last_week, last), (best_week, best) = weeks[-1], max(weeks[:-1], key=lambda week: week[1].value)
        if best.low is not None and _is_below(last, best.low):
            yield f"Agreement fell from {best.value:.2f} in {best_week} to {last.value:.2f} in {last_week}."

    def _anchoring(self) -> Iterator[str]:
        shown = self.report.anchoring.proposed_class
        if shown and shown.low > 0:
            yield (
                f"People follow the proposal: they name its class in {shown.shown:.0%} of the answers where it is "
                f"shown and in {shown.blind:.0%} where it is not. Tell them that many proposals are wrong."
            )
        edges = self.report.anchoring.edge_distance_ms
        if edges and edges.high < 0:
            yield (
                f"People leave the proposed edges: theirs are {edges.shown:.0f} ms from them where they are shown and "
                f"{edges.blind:.0f} ms where they are not. Ask for “adjust” more often."
            )

    def proposals(self) -> Iterator[str]:
        searched = [row for row in self.report.recall if row.group == ALL_GROUPS and row.window_count]
        if not searched:
            yield (
                "No windows were searched for what the proposals miss: the study's recall is unknown. "
                "“annotate.audit_minutes” says how much is searched."
            )
        for row in self.report.recall:
            if row.group != ALL_GROUPS and row.recall is not None and row.high < LOW_RECALL:
                yield (
                    f"The proposals miss gestures of the group {row.group}: recall {row.recall:.2f} "
                    f"({row.low:.2f} to {row.high:.2f})."
                )


def outcome_name(outcome: str, taxonomy: Taxonomy) -> str:
    """Return an outcome as people read it."""
    if outcome in (UNCLASSIFIED, NO_GESTURE):
        return outcome.capitalize()
    return " + ".join(
        part.capitalize() if part == UNCLASSIFIED else taxonomy.by_id(part).name for part in outcome.split(" + ")
    )


def _is_weaker(row: AgreementRow, overall: AgreementRow) -> bool:
    return row.f1 is not None and overall.f1 is not None and _is_below(row.f1, overall.f1.value)


def _is_below(estimate: Estimate, limit: float) -> bool:
    return estimate.high is not None and estimate.high < limit


def _is_above(estimate: Estimate, limit: float) -> bool:
    return estimate.low is not None and estimate.low > limit


def _middle(rows: Sequence[AnnotatorRow], figure: Callable[[AnnotatorRow], Estimate | None]) -> float | None:
    """Return the others' median, which one careless person among them does not move."""
    values = [found.value for row in rows if (found := figure(row)) is not None]
    return median(values) if values else None


def _usual(value: float | None) -> str:
    return "" if value is None else f" (the others {value:.0%})"


def _words(estimate: Estimate | None) -> str:
    return "unknown" if estimate is None else f"{estimate.value:.2f}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
