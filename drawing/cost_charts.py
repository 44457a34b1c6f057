"""What is reached for what it costs: curves over two kinds of cost side by side, as a PNG picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from drawing.chart_frames import FONT_POINTS, INK, LINE, make_figure, png_of

COLOURS = ("#1f5fa8", "#8a3f8f", "#2f7d3a", "#c2571a", "#7a6a10", "#5d5d5d")
STYLES = ("-", "--", "-.", "-", ":", "--")
"""Colour is not all that tells the lines apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPanel:
    """One chart: a line a name, from what was spent to the share that was reached."""

    across: str
    """Label of the horizontal axis, with the unit."""
    lines: Mapping[str, Sequence[tuple[float, float]]]
    """Cost and share 0..1, by cost."""


def cost_chart(panels: Sequence[CostPanel], *, up: str) -> bytes:
    """Draw the panels side by side, with one legend; the same bytes for the same numbers.

    Args:
        panels: One or two; a name has the same colour in all of them.
        up: Label of the vertical axis, which goes from 0 to 1.
    """
    figure, every = make_figure(3.5, columns=len(panels))
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    for axes, panel in zip(every, panels, strict=True):
        for name, points in panel.lines.items():
            number = names.index(name)
            axes.plot(
                [cost for cost, _ in points], [share for _, share in points], linewidth=1.8, label=name,
                color=COLOURS[number % len(COLOURS)], linestyle=STYLES[number % len(STYLES)],
            )  # fmt: skip
        axes.grid(axis="both", color=LINE, linewidth=0.6)
        axes.set_xlim(left=0)
        axes.set_ylim(0, 1)
        axes.set_xlabel(panel.across)
    every[0].set_ylabel(up)
    handles, labels = every[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=min(4, max(1, len(labels))), frameon=False, handlelength=2.4,
        columnspacing=1.4, fontsize=FONT_POINTS, labelcolor=INK,
    )  # fmt: skip
    return png_of(figure, on_white=True)
