"""The plots of a release's statistics page, each for bright and for dark pages."""

from collections.abc import Callable, Sequence

from drawing.release_charts import (
    BRIGHT,
    DARK,
    Counted,
    Histogram,
    Palette,
    Spread,
    counts_chart,
    histograms,
    scatter_chart,
    shares_chart,
    spread_chart,
)
from releases.documents.stats_numbers import Binned, ReleaseStats

SUFFIXES: dict[str, Palette] = {"": BRIGHT, "-dark": DARK}
PART_NAMES = {
    "body": "Body",
    "feet": "Feet",
    "face": "Face",
    "left_hand": "Left hand",
    "right_hand": "Right hand",
}


def plots_of(stats: ReleaseStats) -> dict[str, dict[str, bytes]]:
    """Draw every plot for which there is something to draw.

    Returns:
        PNG files by the plot's name and the suffix of its palette.
    """
    series = [row.split for row in stats.splits]
    drawn: dict[str, Callable[[Palette], bytes]] = {}
    if stats.classes:
        classes = [Counted(name=row.name, counts=row.counts) for row in stats.classes]
        drawn["classes"] = lambda palette: counts_chart(
            classes, series=series, label="segments (logarithmic)", palette=palette
        )
    if stats.durations:
        drawn["durations"] = lambda palette: spread_chart(_spreads(stats), label="seconds", palette=palette)
    people = _people(stats, series)
    if any(people.values()):
        labels = ("seconds of skeleton (logarithmic)", "segments")
        drawn["subjects"] = lambda palette: scatter_chart(people, labels=labels, palette=palette)
    sureness = _kept(
        (stats.posterior, "posterior of the segment", False), (stats.agreement, "share of answers that agree", False)
    )
    if sureness:
        drawn["sureness"] = lambda palette: histograms(sureness, label="segments", palette=palette)
    if any(row.frames for row in stats.splits):
        drawn["parts"] = lambda palette: shares_chart(
            _parts(stats), series=series, label="frames in which the part is seen, %", palette=palette
        )
    windows = _kept(
        (stats.window_quality, "quality of the window", False),
        (stats.window_movement, "median speed of the fastest part, shoulder widths/s", True),
    )
    if windows:
        drawn["windows"] = lambda palette: histograms(windows, label="windows", palette=palette)
    return {name: {suffix: draw(palette) for suffix, palette in SUFFIXES.items()} for name, draw in drawn.items()}


def _spreads(stats: ReleaseStats) -> list[Spread]:
    rows = []
    for row in stats.durations:
        low, quarter, middle, three, high = row.percentiles
        rows.append(Spread(name=row.group, percentiles=(low, quarter, middle, three, high), note=f"n {row.segments:,}"))
    return rows


def _people(stats: ReleaseStats, series: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    """Give seconds and segments of each person that has both: a logarithmic axis has no place for 0."""
    return {
        split: [
            (row.skeleton_seconds, float(row.segments))
            for row in stats.subjects
            if row.split == split and row.segments and row.skeleton_seconds
        ]
        for split in series
    }


def _parts(stats: ReleaseStats) -> dict[str, dict[str, float]]:
    with_frames = [row for row in stats.splits if row.frames]
    return {
        PART_NAMES.get(part, part): {row.split: row.parts_seen[part] for row in with_frames}
        for part in with_frames[0].parts_seen
    }


def _kept(*wanted: tuple[Binned, str, bool]) -> list[Histogram]:
    """Leave out histograms without a value, and the empty bins below and above the values, but never half of what is.

    A posterior of 0.8 and more would else be a thin bar at the right.
    """
    kept = []
    for binned, label, is_log in wanted:
        filled = [place for place, count in enumerate(binned.counts) if count]
        if filled:
            first, last = max(0, filled[0] - 2), min(len(binned.counts), filled[-1] + 3)
            edges, counts = binned.edges[first : last + 1], binned.counts[first:last]
            kept.append(Histogram(label=label, edges=edges, counts=counts, is_log=is_log))
    return kept
