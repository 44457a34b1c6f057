"""What each round bought, as one HTML page that needs nothing beside itself, and as Markdown."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from annotation.reporting.report_page import NOTHING, figure_text, interval_text
from annotation.reporting.resampling import Estimate
from annotation.reporting.rounds import Part, RoundRow
from drawing.charts import Dot, interval_chart

TEMPLATE = Path(__file__).with_name("rounds.html.j2")


def rounds_page(rows: Sequence[RoundRow], *, study: str, made_on: str, today: Mapping[str, int] | None) -> str:
    """Render the page.

    Args:
        rows: What ``measure_rounds`` gives.
        study: The study's name.
        made_on: Date.
        today: Audited gestures ``seen``, and those ``found`` by the newest round's candidates, asked or not.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "figure": figure_text,
        "interval": interval_text,
        "percent": percent_text,
        "change": change_text,
    }
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    charts = {name: Markup(svg) for name, svg in _charts(rows).items()}
    return template.render(
        rows=rows, study=study, made_on=made_on, today=today, charts=charts, sentences=sentences(rows), nothing=NOTHING
    )


def rounds_markdown(rows: Sequence[RoundRow]) -> str:
    """Write the rounds as a table, a line each, and what changed below it."""
    head = "| round | proposed by | asked | settled | accepted | precision | s a segment | recall of what was asked |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for row in rows:
        part = row.overall
        cells = (
            str(row.round_number),
            proposed_by(row),
            str(part.asked),
            str(part.settled),
            str(part.accepted),
            percent_text(part.precision),
            interval_text(part.seconds_per_segment, 0),
            recall_text(row),
        )
        lines.append(f"| {' | '.join(cells)} |")
    told = sentences(rows)
    return "\n".join([*lines, *([""] if told else []), *(f"- {sentence}" for sentence in told)])


def proposed_by(row: RoundRow) -> str:
    """Name what proposed in a round."""
    return f"{row.model.partition('@')[0]}, contact, motion" if row.model else "contact, motion"


def sentences(rows: Sequence[RoundRow]) -> list[str]:
    """Say in words what each round changed against the one before."""
    told = []
    for before, row in pairwise(rows):
        name = f"Round {row.round_number} against round {before.round_number}:"
        told += [f"{name} {text}" for text in _changes(row)]
        if not row.overall.asked:
            told.append(f"{name} nothing was asked yet.")
    return told


def _changes(row: RoundRow) -> list[str]:
    part, found = row.overall, []
    if part.precision_change:
        found.append(f"precision {change_text(part.precision_change)}{_doubt(part.precision_change)}.")
    if part.seconds_change:
        price = interval_text(part.seconds_change, 0)
        found.append(f"{price} seconds of people's time a segment{_doubt(part.seconds_change)}.")
    for group, change in row.recall_change.items():
        if group == "all":
            found.append(f"recall of what was asked {change_text(change)}{_doubt(change)}.")
    return found


def _doubt(change: Estimate) -> str:
    if change.low is None or change.high is None:
        return ", too few to tell from chance"
    return ", which may be chance" if change.low <= 0 <= change.high else ""


def percent_text(estimate: Estimate | None) -> str:
    """Write a share with its interval as percentages."""
    if estimate is None:
        return NOTHING
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.0%}"
    return f"{estimate.value:.0%} ({estimate.low:.0%} to {estimate.high:.0%})"


def change_text(estimate: Estimate | None) -> str:
    """Write a difference of shares in percentage points, with its interval."""
    if estimate is None:
        return NOTHING
    if estimate.low is None or estimate.high is None:
        return f"{100 * estimate.value:+.0f} points"
    return f"{100 * estimate.value:+.0f} points ({100 * estimate.low:+.0f} to {100 * estimate.high:+.0f})"


def recall_text(row: RoundRow) -> str:
    """Write the recall of a round, all groups together."""
    if not row.recall or row.recall[0].recall is None:
        return NOTHING
    one = row.recall[0]
    return f"{one.recall:.0%} ({one.low:.0%} to {one.high:.0%})"


def _charts(rows: Sequence[RoundRow]) -> dict[str, str]:
    """Draw precision, price and recall by round; a chart without data is empty."""
    names = [f"round {row.round_number}" for row in rows]
    parts: list[Part] = [row.overall for row in rows]
    precision = [
        Dot(name=name, value=p.precision.value, low=p.precision.low, high=p.precision.high, note=f"of {p.settled}")
        for name, p in zip(names, parts, strict=True)
        if p.precision
    ]
    price = [
        Dot(name=name, value=s.value, low=s.low, high=s.high, note=f"{p.accepted} accepted")
        for name, p in zip(names, parts, strict=True)
        if (s := p.seconds_per_segment)
    ]
    recall = [
        Dot(name=name, value=one.recall, low=one.low, high=one.high, note=f"of {one.found_count + one.missed_count}")
        for name, row in zip(names, rows, strict=True)
        for one in row.recall[:1]
        if one.recall is not None
    ]
    longest = max((dot.high or dot.value for dot in price), default=1.0)
    drawn = {
        "precision": (precision, "share of the settled questions that people accepted, with 95 % interval", (0.0, 1.0)),
        "price": (price, "seconds of people's time for each accepted segment, with 95 % interval", (0.0, longest)),
        "recall": (recall, "share of the audited gestures that had been asked about by the round's end", (0.0, 1.0)),
    }
    return {
        name: interval_chart(dots, label=label, limits=limits) if dots else ""
        for name, (dots, label, limits) in drawn.items()
    }
