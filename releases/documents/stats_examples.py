"""Which segments stand for their class on the statistics page, and their skeletons side by side."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from drawing.filmstrips import filmstrip, png_bytes
from releases.reader import Keypoints, Release
from schema.records import KEYPOINT_COUNT

Row = dict[str, Any]

MOST_EXAMPLES = 6
"""Classes with a strip: the commonest ones."""
MOST_LOOKED_AT = 6
"""Segments of a class whose keypoints are read to find the one that is seen best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One segment with its skeletons."""

    class_name: str
    segment_id: str
    description: str
    png: bytes


def find_examples(release: Release) -> list[Example]:
    """Pick for each of the commonest classes the segment that shows it best, and draw it.

    People's answers come before scripts', sure ones before doubtful ones, and usual lengths before unusual ones; of
    the first few the one whose points have the highest mean score is taken.
    """
    by_class: dict[str, list[Row]] = defaultdict(list)
    for split in release.splits:
        for row in release.segments(split).to_pylist():
            if row["class_id"] is not None:
                by_class[row["class_id"]].append(row)
    found: list[Example] = []
    for _, rows in sorted(by_class.items(), key=lambda item: (-len(item[1]), item[0])):
        example = _best(release, rows)
        if example is not None:
            found.append(example)
        if len(found) == MOST_EXAMPLES:
            break
    return found


def _best(release: Release, rows: list[Row]) -> Example | None:
    lengths = [row["duration_seconds"] for row in rows if row["duration_seconds"] is not None]
    usual = float(np.median(lengths)) if lengths else 0.0

    def rank(row: Row) -> tuple[bool, float, float, str]:
        length = row["duration_seconds"]
        strangeness = abs(np.log((length or usual or 1.0) / (usual or 1.0)))
        return row["scripted"], -(row["posterior"] or 0.0), round(float(strangeness), 3), row["segment_id"]

    looked_at = sorted((row for row in rows if row["keypoints_row_count"] > 0), key=rank)[:MOST_LOOKED_AT]
    read = [(row, release.keypoints(row, points=KEYPOINT_COUNT)) for row in looked_at]
    for row, keypoints in sorted(read, key=lambda pair: -float(pair[1].values[..., 2].mean())):
        strip = _strip(keypoints)
        if strip is not None:
            return Example(
                class_name=row["class_name"] or row["class_id"],
                segment_id=row["segment_id"],
                description=row["description"],
                png=strip,
            )
    return None


def _strip(keypoints: Keypoints) -> bytes | None:
    strip = filmstrip(keypoints.values[..., :2], keypoints.values[..., 2], keypoints.times_ns)
    return None if strip is None else png_bytes(strip)
