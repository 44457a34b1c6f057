"""Charts of a trained model as PNG pictures on white: the same bytes for the same numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drawing.chart_frames import (
    FAINT,
    FILL,
    FONT_POINTS,
    INK,
    LINE,
    ROW_INCHES,
    make_figure,
    plain_numbers,
    png_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#1f5fa8", "#c2571a", "#2f7d3a", "#8a3f8f", "#7a6a10", "#5d5d5d")
MARKERS = ("o", "s", "^", "D", "v", "P")
MOST_CELL_NUMBERS = 16
"""A confusion matrix with more classes has cells too small for a number."""
SMALL_POINTS = 7.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A value with its interval, at a place of the horizontal axis."""

    place: float
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One chart of marks that are joined by lines, one line a name."""

    across: str
    """Label of the horizontal axis, with the unit."""
    up: str
    lines: Mapping[str, Sequence[Mark]]
    is_log: bool = False
    """Whether the horizontal axis is logarithmic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a chart of names: how many examples there were, and what was measured."""

    name: str
    examples: int
    is_marked: bool = False
    """Drawn in the second colour: a class that is proposed by its group alone."""
    marks: Mapping[str, Mark] = field(default_factory=dict)
    """By series; the place of each is not used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Claims of about the same score."""

    low: float
    high: float
    count: int
    mean_score: float
    share_right: float


def reliability_chart(before: Sequence[Bin], after: Sequence[Bin], *, titles: tuple[str, str]) -> bytes:
    """Draw how often claims of each score are right, before and after calibration, above how many there are.

    On the dashed line a score means what it says. A column is the gap to it.

    Args:
        before: Bins of the scores as they come; may be empty.
        after: Bins of the scores as the model gives them.
        titles: Of the two, with the calibration error.
    """
    columns = [(title, bins) for title, bins in zip(titles, (before, after), strict=True) if bins]
    figure, _ = make_figure(4.3, columns=len(columns))
    figure.clear()
    grid = figure.subplots(2, len(columns), squeeze=False, sharex=True, height_ratios=(4, 1))
    most = max(each.count for _, bins in columns for each in bins)
    for column, (title, bins) in enumerate(columns):
        upper, lower = grid[0][column], grid[1][column]
        _reliability(upper, bins, title=title)
        lower.bar(
            [each.low for each in bins], [each.count for each in bins], [each.high - each.low for each in bins],
            align="edge", color=FILL, linewidth=0.8, edgecolor="white",
        )  # fmt: skip
        lower.set_ylim(0, most * 1.08)
        _dress(lower)
        lower.yaxis.set_major_formatter("{x:,.0f}")
        lower.locator_params(axis="y", nbins=2, integer=True)
        lower.set_xlabel("score")
        if not column:
            upper.set_ylabel("share that is right")
            lower.set_ylabel("claims")
    figure.align_ylabels()
    return png_of(figure, on_white=True)


def _reliability(axes: "Axes", bins: Sequence[Bin], *, title: str) -> None:
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)))
    filled = [each for each in bins if each.count]
    for each in filled:
        axes.plot([each.mean_score] * 2, [each.mean_score, each.share_right], color=COLOURS[1], linewidth=5, alpha=0.3,
                  solid_capstyle="butt")  # fmt: skip
    axes.plot(
        [each.mean_score for each in filled], [each.share_right for each in filled], marker="o", markersize=5,
        linewidth=1.2, color=COLOURS[0], clip_on=False,
    )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_title(title, loc="left", fontsize=FONT_POINTS, color=INK)
    _dress(axes)


def line_panels(panels: Sequence[Panel], *, limits: tuple[float, float] | None = (0.0, 1.0)) -> bytes:
    """Draw charts of lines side by side; intervals are thin upright bars.

    Args:
        panels: One to three; a name has the same colour in all of them.
        limits: Of the vertical axes; from the data where None.
    """
    figure, every = make_figure(3.2, columns=len(panels))
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    for axes, panel in zip(every, panels, strict=True):
        for name, marks in panel.lines.items():
            _line(axes, marks, number=names.index(name), name=name)
        if panel.is_log:
            axes.set_xscale("log")
            plain_numbers(axes.xaxis)
        else:
            axes.set_xticks(sorted({mark.place for marks in panel.lines.values() for mark in marks}))
        axes.margins(x=0.08)
        if limits:
            axes.set_ylim(*limits)
        axes.set_xlabel(panel.across)
        axes.set_ylabel(panel.up)
        _dress(axes)
    if len(names) > 1:
        _name_lines(every, names)
    return png_of(figure, on_white=True)


def _line(axes: "Axes", marks: Sequence[Mark], *, number: int, name: str) -> None:
    colour = COLOURS[number % len(COLOURS)]
    for mark in marks:
        if mark.low is not None and mark.high is not None:
            axes.plot([mark.place] * 2, [mark.low, mark.high], color=colour, linewidth=3, alpha=0.3, clip_on=False)
    axes.plot(
        [mark.place for mark in marks], [mark.value for mark in marks], marker=MARKERS[number % len(MARKERS)],
        markersize=5, linewidth=1.2, color=colour, label=name, clip_on=False,
    )  # fmt: skip


def curves_chart(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, across: str, up: str, f1_lines: bool = False
) -> bytes:
    """Draw curves of many values in one square chart from 0 to 1.

    Args:
        curves: Values across and up, by name.
        across: Label of the horizontal axis.
        up: Label of the vertical axis.
        f1_lines: Draw where F1 is 0.2, 0.4, 0.6 and 0.8 of precision over recall.
    """
    figure, (axes,) = make_figure(3.7)
    if f1_lines:
        _f1_lines(axes)
    for number, (name, (places, values)) in enumerate(curves.items()):
        axes.plot(places, values, color=COLOURS[number % len(COLOURS)], linewidth=1.6, label=name)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    _dress(axes)
    if len(curves) > 1:
        _name_lines([axes], list(curves))
    return png_of(figure, on_white=True)


def _f1_lines(axes: "Axes") -> None:
    for f1 in (0.2, 0.4, 0.6, 0.8):
        # F1 = 2PR / (P + R), so P = F1 R / (2R - F1), from where P is 1
        recalls = [f1 / (2 - f1) + (1 - f1 / (2 - f1)) * (step / 60) ** 3 for step in range(61)]
        axes.plot(recalls, [f1 * r / (2 * r - f1) for r in recalls], color=LINE, linewidth=1, zorder=0)
        axes.annotate(
            f"F1 {f1:g}", (1, f1 / (2 - f1)), xytext=(5, 0), textcoords="offset points", va="center", color=FAINT,
            fontsize=SMALL_POINTS, annotation_clip=False,
        )  # fmt: skip


def loss_chart(stages: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]]) -> bytes:
    """Draw losses over updates, one chart a stage; of several curves of a stage the first alone is in colour.

    Args:
        stages: Updates and losses by curve, by stage; one to three stages.
    """
    figure, every = make_figure(2.7, columns=len(stages))
    for axes, (stage, curves) in zip(every, stages.items(), strict=True):
        for number, (steps, losses) in reversed(list(enumerate(curves.values()))):
            colour, width = (COLOURS[0], 1.5) if number == 0 else (FAINT, 0.8)
            axes.plot(steps, losses, color=colour, linewidth=width, marker="o" if len(losses) == 1 else "")
        axes.set_title(stage, loc="left", fontsize=FONT_POINTS, color=INK)
        axes.set_xlabel("updates")
        axes.set_ylim(bottom=min(0.0, *(min(losses) for _, losses in curves.values())))
        axes.locator_params(axis="both", nbins=5)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        _dress(axes)
    every[0].set_ylabel("loss")
    return png_of(figure, on_white=True)


def confusion_chart(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> bytes:
    """Draw what segments are (rows) against what the model says (columns), as shares of each row.

    Args:
        labels: Names in the order of rows and columns.
        counts: One list a row; a row without a segment is left white.
    """
    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    size = len(labels)
    figure, (axes,) = make_figure(min(8.6, 2.2 + (0.36 if size <= MOST_CELL_NUMBERS else 0.2) * size))
    axes.grid(visible=False)
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors=LINE, linewidth=0.4)
    axes.invert_yaxis()
    middles = [number + 0.5 for number in range(size)]
    small = FONT_POINTS if size <= MOST_CELL_NUMBERS else 6.5
    axes.set_xticks(middles, labels, rotation=45, ha="right", rotation_mode="anchor", fontsize=small)
    axes.set_yticks(
        middles, [f"{name}  ({sum(row):,})" for name, row in zip(labels, counts, strict=True)], fontsize=small
    )
    axes.set_xlabel("what the model says, % of the row" if size <= MOST_CELL_NUMBERS else "what the model says")
    axes.set_ylabel("what it is (segments)")
    axes.spines["bottom"].set_visible(False)
    for down, row in enumerate(shares if size <= MOST_CELL_NUMBERS else ()):
        for along, share in enumerate(row):
            if share >= 0.005:
                axes.text(along + 0.5, down + 0.5, f"{100 * share:.0f}", ha="center", va="center",
                          color="white" if share > 0.55 else INK, fontsize=FONT_POINTS)  # fmt: skip
    return png_of(figure, on_white=True)


def names_chart(rows: Sequence[Row], *, series: Sequence[str], marked: str, threshold: int | None = None) -> bytes:
    """Draw examples of each class at the left, logarithmic, and what was measured of it at the right.

    Args:
        rows: From top to bottom, at least one.
        series: Names of what was measured, in the order of colours; none: the left chart alone.
        marked: What it means that a row is marked.
        threshold: Examples that are enough, drawn as a line.
    """
    columns = 2 if series else 1
    figure, every = make_figure(1.15 + ROW_INCHES * len(rows), columns=columns)
    if series:
        figure.clear()
        every = list(figure.subplots(1, 2, sharey=True, width_ratios=(2, 3)))
    left = every[0]
    for is_marked, name in ((False, "training examples"), (True, marked)):
        places = [place for place, row in enumerate(rows) if row.is_marked is is_marked]
        colour = COLOURS[1] if is_marked else FILL
        if places:
            left.barh(places, [max(0.0, rows[p].examples - 0.8) for p in places], left=0.8, height=0.62, color=colour,
                      linewidth=0, alpha=0.75 if is_marked else 1, label=name)  # fmt: skip
    left.set_xscale("log")
    left.set_xlim(0.8, 3.2 * max(2, *(row.examples for row in rows)))
    plain_numbers(left.xaxis, steps=(1.0,))
    for place, row in enumerate(rows):
        left.annotate(f"{row.examples:,}", (max(0.8, row.examples), place), xytext=(5, 0), textcoords="offset points",
                      va="center", color=INK, fontsize=SMALL_POINTS)  # fmt: skip
    if threshold:
        left.axvline(threshold, color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)))
    left.set_xlabel("training examples (logarithmic)")
    left.set_yticks(range(len(rows)), [row.name for row in rows])
    left.set_ylim(len(rows) - 0.4, -0.6)
    if series:
        _marks(every[1], rows, series)
    for axes in every:
        _dress(axes, upright=True)
    handles = [pair for axes in every for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
    if len(handles) > 1:
        figure.legend([h for h, _ in handles], [name for _, name in handles], loc="outside upper left",
                      ncols=len(handles), frameon=False, fontsize=FONT_POINTS, labelcolor=INK,
                      columnspacing=1.4, handletextpad=0.5)  # fmt: skip
    return png_of(figure, on_white=True)


def _marks(axes: "Axes", rows: Sequence[Row], series: Sequence[str]) -> None:
    step = 0.5 / len(series)
    for number, name in enumerate(series):
        colour, drop = COLOURS[number % len(COLOURS)], step * (number - (len(series) - 1) / 2)
        seen = [(row.marks[name], place + drop) for place, row in enumerate(rows) if name in row.marks]
        for mark, place in seen:
            if mark.low is not None and mark.high is not None:
                axes.plot([mark.low, mark.high], [place] * 2, color=colour, linewidth=2.5, alpha=0.35,
                          solid_capstyle="butt")  # fmt: skip
        axes.plot([mark.value for mark, _ in seen], [place for _, place in seen], linestyle="none", label=name,
                  marker=MARKERS[number % len(MARKERS)], markersize=4.5, color=colour, clip_on=not seen)  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_xlabel("held-out people")


def _dress(axes: "Axes", *, upright: bool = False) -> None:
    """Give axes the look of the house, those too that ``make_figure`` did not make."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(which="both", colors=INK, length=0, labelsize=FONT_POINTS)
    axes.xaxis.label.set_color(FAINT)
    axes.yaxis.label.set_color(FAINT)
    axes.grid(visible=False)
    axes.grid(axis="x" if upright else "both", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)


def _name_lines(every: "Sequence[Axes]", names: Sequence[str]) -> None:
    """Tell above the charts which line is what, in the order of the names."""
    found = {label: handle for axes in every for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure = every[0].get_figure()
    assert figure is not None
    figure.legend(
        [found[name] for name in names], list(names), loc="outside upper left", ncols=min(4, len(names)),
        frameon=False, handletextpad=0.5, columnspacing=1.4, fontsize=FONT_POINTS, labelcolor=INK,
    )  # fmt: skip
