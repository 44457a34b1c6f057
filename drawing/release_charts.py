"""Charts of a release as PNG pictures without a background: the same bytes for the same numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from drawing.chart_frames import (
    FAINT,
    FILL,
    FONT_POINTS,
    INK,
    LINE,
    MARKERS,
    ROW_INCHES,
    SERIES,
    make_figure,
    name_series,
    plain_numbers,
    png_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    figure, (axes,) = make_figure(0.9 + ROW_INCHES * len(rows))
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
    name_series(axes, ["all", *series])
    return png_of(figure)


def spread_chart(rows: Sequence[Spread], *, label: str) -> bytes:
    """Draw spreads on a logarithmic axis: a thin line from the 5th to the 95th percentile, a bar over the middle half.

    Args:
        rows: From top to bottom; at least one, with percentiles above 0.
        label: Of the horizontal axis, with the unit.
    """
    figure, (axes,) = make_figure(0.9 + 1.3 * ROW_INCHES * len(rows))
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
    return png_of(figure)


def scatter_chart(points: Mapping[str, Sequence[tuple[float, float]]], *, labels: tuple[str, str]) -> bytes:
    """Draw points, one colour and mark a series, both axes logarithmic.

    Args:
        points: Positions by series, all above 0; at least one point.
        labels: Of the horizontal and the vertical axis, with the unit.
    """
    figure, (axes,) = make_figure(3.6)
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
    name_series(axes, list(points))
    return png_of(figure)


def histograms(charts: Sequence[Histogram], *, label: str) -> bytes:
    """Draw histograms side by side.

    Args:
        charts: One to three.
        label: Of the vertical axis, at the left.
    """
    from matplotlib.ticker import MaxNLocator

    figure, every = make_figure(2.6, columns=len(charts))
    for axes, chart in zip(every, charts, strict=True):
        widths = [high - low for low, high in zip(chart.edges[:-1], chart.edges[1:], strict=True)]
        axes.bar(
            chart.edges[:-1], chart.counts, widths, align="edge", color=SERIES[0], alpha=0.8, linewidth=0.6,
            edgecolor=LINE,
        )  # fmt: skip
        if chart.is_log:
            axes.set_xscale("log")
            plain_numbers(axes.xaxis)
        axes.set_xlabel(chart.label)
        axes.grid(axis="x", visible=False)
        axes.grid(axis="y", color=LINE, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
        axes.yaxis.set_major_formatter("{x:,.0f}")
    every[0].set_ylabel(label)
    return png_of(figure)


def shares_chart(rows: Mapping[str, Mapping[str, float]], *, series: Sequence[str], label: str) -> bytes:
    """Draw shares from 0 to 1 as marks, one row a name and one mark a series.

    Args:
        rows: Shares by series, by name, from top to bottom.
        series: Names in the order of colours and marks.
        label: Of the horizontal axis.
    """
    figure, (axes,) = make_figure(0.95 + 1.3 * ROW_INCHES * len(rows))
    for number, name in enumerate(series):
        drop = _drop(number, len(series))
        seen = [(100 * shares[name], place + drop) for place, shares in enumerate(rows.values()) if name in shares]
        _marks(axes, seen, number, name)
    axes.set_xlim(0, 100)
    _name_rows(axes, list(rows))
    axes.set_xlabel(label)
    name_series(axes, list(series))
    return png_of(figure)


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
    plain_numbers(axes.xaxis)
    if axes.get_yscale() == "log":
        plain_numbers(axes.yaxis)
