"""The report as one HTML page that needs nothing beside itself: sentences first, then charts and tables."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from annotation.answers.opinions import NO_GESTURE
from annotation.reporting.advice import Advice, advice_of, outcome_name
from annotation.reporting.agreement import AgreementRow, Confusion
from annotation.reporting.effort import EffortRow
from annotation.reporting.report import AnnotationReport, Slip
from annotation.reporting.resampling import FEWEST_QUESTIONS, Estimate
from drawing.charts import Dot, Point, heat_map, interval_chart, line_chart
from schema.taxonomy import Taxonomy

TEMPLATE = Path(__file__).with_name("report.html.j2")
NOTHING = "-"
MOST_CONFUSED = 14
"""Outcomes in the table of confusions: those that are taken for others most often."""
FEWEST_SAID = 5
"""Answers that give an outcome from which on it has a row there."""
MOST_LINES = 4
"""People with a colour in the chart of hidden items by week: those with the fewest right."""
FEWEST_SLIPS = 3
"""Times that somebody said something else than was settled from which on it is told."""
FEWEST_PRICED = 3
"""Accepted segments from which on a class has a price in the chart."""
FEWEST_KNOWN_A_WEEK = 3
"""Hidden items of one person in one week from which on their share is a point of the chart."""


def report_page(report: AnnotationReport, *, taxonomy: Taxonomy, has_legend: bool = True) -> str:
    """Render the page.

    Args:
        report: What to tell.
        taxonomy: The study's taxonomy, for the classes' names.
        has_legend: Whether ``private/`` holds the names behind the pseudonyms, so that the page may say so.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"share": share_text, "figure": figure_text, "interval": interval_text}

    def name(outcome: str) -> str:
        return outcome_name(outcome, taxonomy)

    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        report=report,
        advice=_by_topic(advice_of(report, taxonomy=taxonomy)),
        name=name,
        charts=_Charts(report, taxonomy).drawn(),
        slips=[(row.name, often) for row in report.annotators if (often := _often(row.slips))],
        classes=often_seen(report.agreement.by_class),
        rare=[name(row.name) for row in report.agreement.by_class if row not in often_seen(report.agreement.by_class)],
        has_legend=has_legend,
        nothing=NOTHING,
    )


def often_seen(rows: Sequence[AgreementRow]) -> list[AgreementRow]:
    """Return the rows with enough questions for their figures to mean something; the others are in the JSON file."""
    return [row for row in rows if row.question_count >= FEWEST_QUESTIONS]


def _often(slips: Iterable[Slip]) -> list[Slip]:
    return [slip for slip in slips if slip.count >= FEWEST_SLIPS]


def figure_text(estimate: Estimate | None, digits: int = 2) -> str:
    """Write a figure; a dash where there is none."""
    return NOTHING if estimate is None else _number(estimate.value, digits)


def share_text(estimate: Estimate | None) -> str:
    """Write a share as a percentage; a dash where there is none."""
    return NOTHING if estimate is None else f"{estimate.value:.0%}"


def interval_text(estimate: Estimate | None, digits: int = 2) -> str:
    """Write a figure with its 95 % interval, as far as there is one."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return figure_text(estimate, digits)
    value, low, high = (_number(number, digits) for number in (estimate.value, estimate.low, estimate.high))
    return f"{value} ({low} to {high})"


def _number(number: float, digits: int) -> str:
    return f"{round(number, digits) + 0.0:.{digits}f}"  # + 0.0 turns -0.0 into 0.0


def _by_topic(advice: Iterable[Advice]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in advice:
        found.setdefault(one.topic, []).append(one.text)
    return found


class _Charts:
    """Every chart for which there is something to draw, as SVG text."""

    def __init__(self, report: AnnotationReport, taxonomy: Taxonomy) -> None:
        self.report, self.taxonomy = report, taxonomy

    def drawn(self) -> dict[str, Any]:
        """Return the charts by name; one without data is empty."""
        from markupsafe import Markup

        agreement, overall = self.report.agreement, self.report.agreement.overall
        reference = overall.f1.value if overall.f1 else None
        charts = {
            "classes": self._intervals(often_seen(agreement.by_class), reference),
            "groups": self._intervals(often_seen(agreement.by_group), reference),
            "annotators": self._intervals(agreement.by_annotator, reference),
            "weeks": self._weeks(),
            "known": self._known(),
            "effort": self._effort(self.report.effort.by_class),
            "confusion": self._confusion(agreement.confusion),
        }
        return {name: Markup(svg) for name, svg in charts.items()}

    def _name(self, outcome: str) -> str:
        known = {gesture.class_id for gesture in self.taxonomy}
        parts = outcome.split(" + ")
        return outcome_name(outcome, self.taxonomy) if known.issuperset(parts) else outcome[:1].upper() + outcome[1:]

    def _intervals(self, rows: Sequence[AgreementRow], reference: float | None) -> str:
        measured = sorted(((row.f1, row) for row in rows if row.f1), key=lambda pair: pair[0].value)
        dots = [
            Dot(name=self._name(row.name), value=f1.value, low=f1.low, high=f1.high, note=f"n {row.question_count}")
            for f1, row in measured
        ]
        if not dots:
            return ""
        label = "F1 of spans between two people, with 95 % interval; dashed: all; n: questions"
        return interval_chart(dots, label=label, limits=(0, 1), reference=reference)

    def _weeks(self) -> str:
        """Draw agreement by week; one week is no drift."""
        rows = self.report.agreement.by_week
        if len(rows) < 2:
            return ""
        points = [
            Point(position=place, value=row.f1.value, low=row.f1.low, high=row.f1.high)
            for place, row in enumerate(rows)
            if row.f1
        ]
        return line_chart(
            {"F1": points}, positions=_week_names([row.name for row in rows]), label="F1 of spans", limits=(0, 1)
        )

    def _known(self) -> str:
        """Draw by week who gets how many of the hidden items right."""
        weeks = [row.week for row in self.report.weeks]
        if len(weeks) < 2:
            return ""
        measured = [(row.known_right.value, row.name) for row in self.report.annotators if row.known_right]
        lines = {
            name: [
                Point(position=weeks.index(known.week), value=known.right.value)
                for known in self.report.known_weeks
                if known.annotator == name and known.known_count >= FEWEST_KNOWN_A_WEEK
            ]
            for _, name in sorted(measured)
        }
        drawn = [(name, points) for name, points in lines.items() if points]
        if not drawn:
            return ""
        return line_chart(
            dict(drawn[:MOST_LINES]),
            others=[points for _, points in drawn[MOST_LINES:]],
            positions=_week_names(weeks),
            label="hidden items right",
            limits=(0, 1),
        )

    def _effort(self, rows: Sequence[EffortRow]) -> str:
        often = [row for row in rows if row.accepted_count >= FEWEST_PRICED]
        priced = sorted(((r.seconds_per_segment, r) for r in often if r.seconds_per_segment), key=lambda p: -p[0].value)
        dots = [
            Dot(
                name=self._name(row.name),
                value=price.value,
                low=price.low,
                high=price.high,
                note=f"{row.accepted_count} of {row.question_count}",
            )
            for price, row in priced
        ]
        if not dots:
            return ""
        label = "seconds for each accepted segment, with 95 % interval; right: accepted of asked"
        longest = max(dot.high or dot.value for dot in dots)
        return interval_chart(dots, label=label, limits=(0, longest * 1.05))

    def _confusion(self, confusion: Confusion) -> str:
        """Draw what the second of two people says where the first says the row's class."""
        said = dict(zip(confusion.outcomes, map(sum, confusion.counts), strict=True))
        wrong = {o: said[o] - confusion.counts[place][place] for place, o in enumerate(confusion.outcomes)}
        often = [outcome for outcome in confusion.outcomes if said[outcome] >= FEWEST_SAID and " + " not in outcome]
        worst = sorted(often, key=lambda o: (-wrong[o], o))[:MOST_CONFUSED]
        chosen = sorted(worst, key=lambda o: (o == NO_GESTURE, self._name(o)))
        if len(chosen) < 2:
            return ""
        places = [confusion.outcomes.index(outcome) for outcome in chosen]
        shares = [[confusion.counts[i][j] / sum(confusion.counts[i]) for j in places] for i in places]
        names = [self._name(outcome) for outcome in chosen]
        return heat_map(
            names, names, shares, label="percent of what another person says where one says the row's class"
        )


def _week_names(weeks: Sequence[str]) -> list[str]:
    """Shorten ``2025-W23`` to ``W23``, with the year below where it begins."""
    years = ["", *(week.partition("-")[0] for week in weeks)]
    return [
        week.partition("-")[2] + (f"\n{year}" if year != before else "")
        for before, year, week in zip(years, years[1:], weeks, strict=False)
    ]


def legend_rows(pseudonyms: Mapping[str, str], names: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return pseudonym, annotator's id and name of everybody who ever had one: for ``private/`` alone.

    Args:
        pseudonyms: What ``report.pseudonyms_of`` gives.
        names: Names by annotator's id, of those whom the study knows.
    """
    return [(short, who, names.get(who, "")) for who, short in pseudonyms.items()]
