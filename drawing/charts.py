"""Charts of a report as SVG text: figures with their intervals, figures by week, and who says what instead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT, LINE = "#1b1f27", "#68707e", "#d5d9e0"
"""Dark on white: a report is printed."""
SERIES = ("#1f5fa8", "#c2571a", "#3b7d3a", "#8a3f8f", "#7a6a10", "#0f7f86", "#b0305c", "#4a4f9c", "#5d5d5d", "#936037")
"""Told apart by people with the common forms of colour blindness by lightness, and by a label at the line's end."""
WIDTH_INCHES = 7.1
"""The text width of an A4 page with 15 mm margins."""
ROW_INCHES = 0.2
FONT_POINTS = 8
MOST_CELL_NUMBERS = 16
"""A heat map with more rows has cells too small for three digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """One row of an interval chart."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    note: str = ""
    """Written at the right edge, such as the number of questions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of a line, at a position of the horizontal axis."""

    position: int
    value: float
    low: float | None = None
    high: float | None = None


def interval_chart(
    rows: Sequence[Dot], *, label: str, limits: tuple[float, float] | None = None, reference: float | None = None
) -> str:
    """Draw each figure as a dot with its interval, one row each, from top to bottom as given.

    Args:
        rows: What to draw; at least one.
        label: Of the horizontal axis, with the unit.
        limits: Of the horizontal axis; from the data where None.
        reference: A figure to compare with, drawn as a thin line.
    """
    figure, axes = _axes(0.55 + ROW_INCHES * len(rows))
    for place, row in enumerate(rows):
        if row.low is not None and row.high is not None:
            axes.plot(
                [row.low, row.high], [place, place], color=SERIES[0], linewidth=2, solid_capstyle="butt", alpha=0.45
            )
        axes.plot([row.value], [place], marker="o", markersize=4.5, color=SERIES[0], clip_on=False)
    if reference is not None:
        axes.axvline(reference, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(rows)), [row.name for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    if limits and limits[0] < limits[1]:  # all figures 0, say, span nothing: the data decide
        axes.set_xlim(*limits)
    axes.set_xlabel(label)
    axes.grid(axis="x", color=LINE, linewidth=0.6)
    for place, row in enumerate(rows):
        axes.annotate(
            row.note, (1, place), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
            va="center", color=FAINT, fontsize=FONT_POINTS,
        )  # fmt: skip
    return _svg(figure)


def line_chart(
    lines: Mapping[str, Sequence[Point]],
    *,
    positions: Sequence[str],
    label: str,
    limits: tuple[float, float] | None,
    others: Sequence[Sequence[Point]] = (),
) -> str:
    """Draw figures over time, one line a series with its name at the end; intervals are bars where there is one line.

    Args:
        lines: Points by the series' name.
        others: Lines in grey behind them, without a name.
        positions: Names along the horizontal axis, such as weeks.
        label: Of the vertical axis, with the unit.
        limits: Of the vertical axis; from the data where None.
    """
    figure, axes = _axes(2.3)
    _draw_lines(axes, lines, others)
    axes.set_xticks(range(len(positions)), positions)
    axes.set_xlim(-0.3, len(positions) - 0.7)
    if limits and limits[0] < limits[1]:
        axes.set_ylim(*limits)
    axes.set_ylabel(label)
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    if len(lines) > 1:
        _name_ends(axes, lines)
    return _svg(figure)


def _draw_lines(axes: "Axes", lines: Mapping[str, Sequence[Point]], others: Sequence[Sequence[Point]]) -> None:
    for points in others:
        places = [point.position for point in points]
        axes.plot(places, [point.value for point in points], linewidth=1, color=LINE, clip_on=False)
    for number, points in enumerate(lines.values()):
        colour = SERIES[number % len(SERIES)]
        places = [point.position for point in points]
        axes.plot(
            places,
            [point.value for point in points],
            marker="o",
            markersize=3.5,
            linewidth=1.4,
            color=colour,
            clip_on=False,
        )
        for point in points if len(lines) == 1 else ():
            if point.low is not None and point.high is not None:
                axes.plot([point.position] * 2, [point.low, point.high], color=colour, linewidth=4, alpha=0.3)


def _name_ends(axes: "Axes", lines: Mapping[str, Sequence[Point]]) -> None:
    """Write each line's name right of its last point, moved apart where two would lie on each other."""
    low, high = axes.get_ylim()
    step = (high - low) / 13
    ends = sorted((points[-1].value, number, name) for number, (name, points) in enumerate(lines.items()) if points)
    places: list[float] = []
    for value, _, _ in ends:
        places.append(max(value, places[-1] + step) if places else value)
    excess = max(0.0, places[-1] - high) if places else 0.0
    for place, (_, number, name) in zip(places, ends, strict=True):
        axes.annotate(
            name, (1, place - excess), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
            va="center", color=SERIES[number % len(SERIES)], fontsize=FONT_POINTS,
        )  # fmt: skip


def heat_map(rows: Sequence[str], columns: Sequence[str], shares: Sequence[Sequence[float]], *, label: str) -> str:
    """Draw shares (0..1) as a table of shades, with the percentage in each cell that is not empty where there is room.

    Args:
        rows: Names from top to bottom.
        columns: Names from left to right.
        shares: One list a row; drawn white at 0.
        label: What a cell tells, below the table.
    """
    figure, axes = _axes(1.9 + 0.24 * len(rows))
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1)
    axes.invert_yaxis()
    middles = [n + 0.5 for n in range(max(len(columns), len(rows)))]
    axes.set_xticks(middles[: len(columns)], columns, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(middles[: len(rows)], rows)
    axes.set_xlabel(label)
    if len(columns) <= MOST_CELL_NUMBERS:
        for i, row in enumerate(shares):
            for j, share in enumerate(row):
                if share >= 0.005:
                    colour = "white" if share > 0.55 else INK
                    axes.text(
                        j + 0.5,
                        i + 0.5,
                        f"{share:.0%}".removesuffix("%"),
                        ha="center",
                        va="center",
                        color=colour,
                        fontsize=FONT_POINTS,
                    )
    return _svg(figure)


def _axes(height_inches: float) -> "tuple[Figure, Axes]":
    """Make a figure without pyplot, which would keep it and look for a screen."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.size": FONT_POINTS, "font.family": "sans-serif"}):
        figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
        axes = figure.add_subplot()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(colors=INK, length=0, labelsize=FONT_POINTS)
    axes.xaxis.label.set_color(FAINT)
    axes.yaxis.label.set_color(FAINT)
    return figure, axes


def _svg(figure: "Figure") -> str:
    """Return the figure as an ``svg`` element, the same text for the same figure."""
    from matplotlib import rc_context

    target = StringIO()
    with rc_context({"svg.hashsalt": "pressroom", "font.size": FONT_POINTS}):
        figure.savefig(
            target, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")), transparent=True
        )
    text = target.getvalue()
    return text[text.index("<svg") :]
