"""Hands that people saw in frames of real clips, and whether a back end found them.

``data/visible_hands.csv`` was labelled by eye, in frames without overlays, before the back end was measured: 12 frames
from each of five clips. A hand is 2 where most of it is in sight, 1 where it is partly hidden, blurred or cut by the
picture's edge, and 0 where there is none or no more than an edge of it; x and y are the middle of what is in sight.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from schema.records import PART_SLICES, Part

LABELS = Path(__file__).parent / "data" / "visible_hands.csv"
HANDS = {"left": Part.LEFT_HAND, "right": Part.RIGHT_HAND}
OTHER = {"left": "right", "right": "left"}
_SHOULDERS = (5, 6)
_NEAR = 0.2
"""Shoulder widths within which some point of a found hand lies from the middle of what people saw of it."""


class Verdict(StrEnum):
    """What became of one hand in one frame."""

    FOUND = "found"
    MISSED = "missed"
    ABSENT = "absent"
    MADE_UP = "made up"
    SWAPPED = "swapped"
    MISPLACED = "misplaced"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenHand:
    """What a person saw of one hand."""

    visible: int
    """0, 1 or 2."""
    center_xy: tuple[float, float] | None
    """The middle of what is in sight, pixels; None where there is nothing."""


Labels = Mapping[int, Mapping[str, SeenHand]]
"""By frame and the person's own side."""


def labels_by_clip(folder: Path) -> dict[Path, Labels]:
    """Return the labels of the clips that lie in a folder."""
    labels: defaultdict[str, dict[int, dict[str, SeenHand]]] = defaultdict(dict)
    with LABELS.open(newline="") as file:
        for row in csv.DictReader(file):
            labels[row["sha256"]][int(row["frame_index"])] = {side: _seen(row, side) for side in HANDS}
    digests = {path: sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.mp4"))}
    return {path: labels[digest] for path, digest in digests.items() if digest in labels}


def _seen(row: Mapping[str, str], side: str) -> SeenHand:
    x, y = row[f"{side}_x"], row[f"{side}_y"]
    return SeenHand(visible=int(row[f"{side}_visible"]), center_xy=(float(x), float(y)) if x else None)


def verdicts(keypoints_xy: Mapping[int, npt.NDArray[np.float32]], labels: Labels) -> Counter[tuple[int, Verdict]]:
    """Count how visible hands were and what became of them, over the labelled frames.

    Args:
        keypoints_xy: The person's 133 points by frame, NaN where not seen.
        labels: What people saw.
    """
    return Counter(
        (hand.visible, _verdict(keypoints_xy[frame], hands, side))
        for frame, hands in labels.items()
        for side, hand in hands.items()
    )


def _verdict(keypoints_xy: npt.NDArray[np.float32], hands: Mapping[str, SeenHand], side: str) -> Verdict:
    points = keypoints_xy[PART_SLICES[HANDS[side]]]
    points = points[np.isfinite(points[:, 0])]
    own, other = hands[side].center_xy, hands[OTHER[side]].center_xy
    if own is None:
        return Verdict.MADE_UP if points.shape[0] else Verdict.ABSENT
    if not points.shape[0]:
        return Verdict.MISSED
    # Clasped hands cover each other: only one that begins and lies nearer to the other label is the other hand.
    ends = (points[0], points.mean(axis=0))
    if other is not None and all(np.linalg.norm(end - other) < np.linalg.norm(end - own) for end in ends):
        return Verdict.SWAPPED
    shoulders_px = float(np.linalg.norm(keypoints_xy[_SHOULDERS[0]] - keypoints_xy[_SHOULDERS[1]]))
    nearest_px = float(np.linalg.norm(points - np.array(own), axis=1).min())
    return Verdict.FOUND if nearest_px <= _NEAR * shoulders_px else Verdict.MISPLACED


def share_found(counts: Mapping[tuple[int, Verdict], int], *, visible: frozenset[int]) -> float:
    """Return the share of hands of the given visibilities that were found."""
    total = sum(n for (seen, _), n in counts.items() if seen in visible)
    return sum(counts.get((seen, Verdict.FOUND), 0) for seen in visible) / total
