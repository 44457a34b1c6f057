"""What all charts that are PNG pictures share: one look, no background, and the same bytes for the same numbers."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
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


def make_figure(height_inches: float, *, columns: int = 1) -> "tuple[Figure, list[Axes]]":
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


def plain_numbers(axis: "Axis", *, steps: tuple[float, ...] = (1.0, 2.0, 5.0)) -> None:
    """Write 100 and not a power of ten on a logarithmic axis; ``steps`` are the marks of each decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(subs=steps, numticks=14))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())


def name_series(axes: "Axes", names: Sequence[str]) -> None:
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


def png_of(figure: "Figure", *, on_white: bool = False) -> bytes:
    """Return the picture without any text about who made it when.

    Args:
        figure: What to draw.
        on_white: Give it a white background, for pages whose colours are the viewer's, such as Markdown.
    """
    from matplotlib import rc_context

    target = BytesIO()
    with rc_context({"font.size": FONT_POINTS, "font.family": FONT}):
        figure.savefig(
            target, format="png", dpi=DOTS_PER_INCH, transparent=not on_white, facecolor="white" if on_white else None,
            metadata={"Software": None},
        )  # fmt: skip
    return target.getvalue()
