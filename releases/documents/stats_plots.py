"""The plots of a release's statistics page."""

from collections.abc import Sequence

from drawing.release_charts import (
    Counted,
    Histogram,
    Spread,
    counts_chart,
    histograms,
    scatter_chart,
    shares_chart,
    spread_chart,
)
from releases.documents.stats_numbers import Binned, ReleaseStats

PART_NAMES = {
    "body": "Body",
    "feet": "Feet",
    "face": "Face",
    "left_hand": "Left hand",
    "right_hand": "Right hand",
}


def plots_of(stats: ReleaseStats) -> dict[str, bytes]:
    """Draw every plot for which there is something to draw; PNG files by their name."""
    series = [row.split for row in stats.splits]
    drawn: dict[str, bytes] = {}
    if stats.classes:
        classes = [Counted(name=row.name, counts=row.counts) for row in stats.classes]
        drawn["classes"] = counts_chart(classes, series=series, label="segments (logarithmic)")
    if stats.durations:
        drawn["durations"] = spread_chart(_spreads(stats), label="seconds")
    people = _people(stats, series)
    if any(people.values()):
        drawn["subjects"] = scatter_chart(people, labels=("seconds of skeleton (logarithmic)", "segments"))
    sureness = _kept(
        (stats.posterior, "posterior of the segment", False), (stats.agreement, "share of answers that agree", False)
    )
    if sureness:
        drawn["sureness"] = histograms(sureness, label="segments")
    if any(row.frames for row in stats.splits):
        drawn["parts"] = shares_chart(_parts(stats), series=series, label="frames in which the part is seen, %")
    windows = _kept(
        (stats.window_quality, "quality of the window", False),
        (stats.window_movement, "median speed of the fastest part, shoulder widths/s", True),
    )
    if windows:
        drawn["windows"] = histograms(windows, label="windows")
    return drawn


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
    """Leave out histograms without a value, and empty bins beside the values: posteriors begin at 0.8, not at 0."""
    kept = []
    for binned, label, is_log in wanted:
        filled = [place for place, count in enumerate(binned.counts) if count]
        if filled:
            first, last = max(0, filled[0] - 2), min(len(binned.counts), filled[-1] + 3)
            edges, counts = binned.edges[first : last + 1], binned.counts[first:last]
            kept.append(Histogram(label=label, edges=edges, counts=counts, is_log=is_log))
    return kept
