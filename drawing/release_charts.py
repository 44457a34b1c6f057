"""Charts of a release as PNG pictures without a background: the same bytes for the same numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_INCHES = 9.2
DOTS_PER_INCH = 160
"""A page shows 920 px across; screens with finer pixels get the rest."""
ROW_INCHES = 0.235
FONT_POINTS = 9
FONT = "DejaVu Sans"
"""Travels with matplotlib: what fonts a machine has must not change a picture."""
INK, FAINT, LINE, FILL = "#1b1f27", "#5b6472", "#d5d9e0", "#c9d3e0"
"""For bright pages; dark ones invert the lightness. ``FILL`` is of bars that are not of one series."""
SERIES = ("#1f5fa8", "#c2571a", "#2f7d3a")
MARKERS = ("o", "s", "^")
"""One a series, so that colour is not all that tells them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One row of a chart of counts."""

    name: str
    counts: Mapping[str, int]
    """By series; those of 0 have no mark."""

    @property
    def total(self) -> int:
        """Return the sum of all series."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """One row of a chart of spreads: the 5th, 25th, 50th, 75th and 95th percentile."""

    name: str
    percentiles: tuple[float, float, float, float, float]
    note: str = ""
    """Written at the right edge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts of values between edges."""

    label: str
    """Of the horizontal axis, with the unit."""
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    """One fewer than edges."""
    is_log: bool = False
    """Whether the horizontal axis is logarithmic; all edges are then above 0."""


def counts_chart(rows: Sequence[Counted], *, series: Sequence[str], label: str) -> bytes:
    """Draw counts on a logarithmic axis, so that a row of 2 is seen beside one of 4,000.

    Args:
        rows: From top to bottom; at least one, each with a count above 0. A bar is the total, a mark one series.
        series: Names in the order of colours and marks.
        label: Of the horizontal axis.
    """
    figure, (axes,) = _figure(0.9 + ROW_INCHES * len(rows))
    largest = max(row.total for row in rows)
    axes.set_xscale("log")
    axes.set_xlim(0.8, largest * 1.35 + 1)
    for place, row in enumerate(rows):
        axes.barh(place, row.total - 0.8, left=0.8, height=0.62, color=FILL, linewidth=0)
        axes.annotate(
            f"{row.total:,}", (row.total, place), xytext=(7, 0), textcoords="offset points", va="center",
            color=INK, fontsize=FONT_POINTS,
        )  # fmt: skip
    for number, name in enumerate(series):
        drop = _drop(number, len(series))
        seen = [(row.counts[name], place + drop) for place, row in enumerate(rows) if row.counts.get(name)]
        _marks(axes, seen, number, name)
    _name_rows(axes, [row.name for row in rows])
    _whole_numbers(axes)
    axes.set_xlabel(label)
    _legend(axes, ["all", *series])
    return _png(figure)


def spread_chart(rows: Sequence[Spread], *, label: str) -> bytes:
    """Draw spreads on a logarithmic axis: a thin line from the 5th to the 95th percentile, a bar over the middle half.

    Args:
        rows: From top to bottom; at least one, with percentiles above 0.
        label: Of the horizontal axis, with the unit.
    """
    figure, (axes,) = _figure(0.9 + 1.3 * ROW_INCHES * len(rows))
    axes.set_xscale("log")
    for place, row in enumerate(rows):
        low, quarter, middle, three, high = row.percentiles
        axes.plot([low, high], [place, place], color=SERIES[0], linewidth=1.2)
        axes.plot([quarter, three], [place, place], color=SERIES[0], linewidth=7, alpha=0.45)
        axes.plot([middle], [place], marker="o", markersize=5.5, color=SERIES[0])
        axes.annotate(
            row.note, (1, place), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
            va="center", color=FAINT, fontsize=FONT_POINTS,
        )  # fmt: skip
    lowest, highest = min(row.percentiles[0] for row in rows), max(row.percentiles[-1] for row in rows)
    axes.set_xlim(min(0.5, lowest * 0.8), max(5.0, highest * 1.25))
    _name_rows(axes, [row.name for row in rows])
    _whole_numbers(axes)
    axes.set_xlabel(label)
    return _png(figure)


def scatter_chart(points: Mapping[str, Sequence[tuple[float, float]]], *, labels: tuple[str, str]) -> bytes:
    """Draw points, one colour and mark a series, both axes logarithmic.

    Args:
        points: Positions by series, all above 0; at least one point.
        labels: Of the horizontal and the vertical axis, with the unit.
    """
    figure, (axes,) = _figure(3.6)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for number, (name, positions) in enumerate(points.items()):
        _marks(axes, positions, number, name, alpha=0.75)
    every = [point for positions in points.values() for point in positions]
    for set_limits, axis in ((axes.set_xlim, 0), (axes.set_ylim, 1)):
        values = [point[axis] for point in every]
        set_limits(min(values) / 1.6, max(values) * 1.6)
    axes.spines["left"].set_visible(True)
    _whole_numbers(axes)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.grid(axis="y", color=LINE, linewidth=0.6)
    _legend(axes, list(points))
    return _png(figure)


def histograms(charts: Sequence[Histogram], *, label: str) -> bytes:
    """Draw histograms side by side.

    Args:
        charts: One to three.
        label: Of the vertical axis, at the left.
    """
    from matplotlib.ticker import MaxNLocator

    figure, every = _figure(2.6, columns=len(charts))
    for axes, chart in zip(every, charts, strict=True):
        widths = [high - low for low, high in zip(chart.edges[:-1], chart.edges[1:], strict=True)]
        axes.bar(
            chart.edges[:-1], chart.counts, widths, align="edge", color=SERIES[0], alpha=0.8, linewidth=0.6,
            edgecolor=LINE,
        )  # fmt: skip
        if chart.is_log:
            axes.set_xscale("log")
            _plain_numbers(axes.xaxis)
        axes.set_xlabel(chart.label)
        axes.grid(axis="x", visible=False)
        axes.grid(axis="y", color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.yaxis.set_major_formatter("{x:,.0f}")
    every[0].set_ylabel(label)
    return _png(figure)


def shares_chart(rows: Mapping[str, Mapping[str, float]], *, series: Sequence[str], label: str) -> bytes:
    """Draw shares from 0 to 1 as marks, one row a name and one mark a series.

    Args:
        rows: Shares by series, by name, from top to bottom.
        series: Names in the order of colours and marks.
        label: Of the horizontal axis.
    """
    figure, (axes,) = _figure(0.95 + 1.3 * ROW_INCHES * len(rows))
    for number, name in enumerate(series):
        drop = _drop(number, len(series))
        seen = [(100 * shares[name], place + drop) for place, shares in enumerate(rows.values()) if name in shares]
        _marks(axes, seen, number, name)
    axes.set_xlim(0, 100)
    _name_rows(axes, list(rows))
    axes.set_xlabel(label)
    _legend(axes, list(series))
    return _png(figure)


def _figure(height_inches: float, *, columns: int = 1) -> "tuple[Figure, list[Axes]]":
    """Make a figure without pyplot, which would keep it and look for a screen."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"font.size": FONT_POINTS, "font.family": FONT}):
        figure = Figure(figsize=(WIDTH_INCHES, height_inches), layout="constrained", dpi=DOTS_PER_INCH)
        every = list(figure.subplots(1, columns, squeeze=False)[0])
    for axes in every:
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        for side in ("bottom", "left"):
            axes.spines[side].set_color(LINE)
        axes.set_facecolor("none")
        axes.tick_params(which="both", colors=INK, length=0, labelsize=FONT_POINTS)
        axes.xaxis.label.set_color(FAINT)
        axes.yaxis.label.set_color(FAINT)
        axes.grid(axis="x", color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)
    return figure, every


def _drop(number: int, count: int) -> float:
    """Return how far below the middle of its row a series' mark lies, in rows: equal values don't hide each other."""
    return 0.2 * (number - (count - 1) / 2)


def _marks(
    axes: "Axes",
    positions: Sequence[tuple[float, float]],
    number: int,
    name: str,
    *,
    alpha: float = 1.0,
) -> None:
    # what is not clipped is given room: nothing would lie in the figure's corner, and make the chart smaller
    axes.plot(
        [x for x, _ in positions], [y for _, y in positions], linestyle="none", marker=MARKERS[number % len(MARKERS)],
        markersize=5, color=SERIES[number % len(SERIES)], alpha=alpha, label=name,
        clip_on=not positions,
    )  # fmt: skip


def _name_rows(axes: "Axes", names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", pad=10)


def _whole_numbers(axes: "Axes") -> None:
    """Write 100 and not a power of ten on logarithmic axes."""
    _plain_numbers(axes.xaxis)
    if axes.get_yscale() == "log":
        _plain_numbers(axes.yaxis)


def _plain_numbers(axis: "object") -> None:
    from matplotlib.axis import Axis
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    assert isinstance(axis, Axis)
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=14))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def _legend(axes: "Axes", names: Sequence[str]) -> None:
    """Tell above the chart which colour is what; one series needs no telling."""
    if len([name for name in names if name != "all"]) < 2:
        return
    from matplotlib.patches import Patch

    handles, labels = axes.get_legend_handles_labels()
    if "all" in names:
        handles, labels = [Patch(color=FILL), *handles], ["all", *labels]
    figure = axes.get_figure()
    assert figure is not None
    # a legend of the axes would be laid out with room below the chart as well
    figure.legend(
        handles, labels, loc="outside upper left", ncols=len(labels), frameon=False, handletextpad=0.4,
        columnspacing=1.4, fontsize=FONT_POINTS, labelcolor=INK,
    )  # fmt: skip


def _png(figure: "Figure") -> bytes:
    """Return the picture without any text about who made it when."""
    from matplotlib import rc_context

    target = BytesIO()
    with rc_context({"font.size": FONT_POINTS, "font.family": FONT}):
        figure.savefig(target, format="png", dpi=DOTS_PER_INCH, transparent=True, metadata={"Software": None})
    return target.getvalue()
