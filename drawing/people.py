"""Who is drawn where in a frame."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from schema.matching import Box
from schema.records import KeypointSequence, Track


class Background(StrEnum):
    """What a skeleton is drawn on."""

    PICTURE = "picture"
    """The frame itself: personal data."""
    BLACK = "black"
    """Nothing: no pixel of the frame is in the result."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnPerson:
    """One person in one frame."""

    track_number: int
    box_xyxy: Box | None
    keypoints_xy: npt.NDArray[np.float32] | None
    """Shape ``(133, 2)``, NaN where not seen; None where no keypoints were estimated."""
    scores: npt.NDArray[np.float32] | None
    """Shape ``(133,)``."""


def people_by_frame(
    tracks: Iterable[Track], sequences: Iterable[KeypointSequence]
) -> Mapping[int, Sequence[DrawnPerson]]:
    """Join tracks and keypoints to the people of each frame, by track number; frames without anybody are absent."""
    boxes: dict[tuple[int, int], Box] = {}
    points: dict[tuple[int, int], tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]] = {}
    for track in tracks:
        for frame, box in zip(track.frame_indices.tolist(), track.boxes_xyxy.tolist(), strict=True):
            boxes[frame, track.track_number] = (box[0], box[1], box[2], box[3])
    for sequence in sequences:
        for row, frame in enumerate(sequence.frame_indices.tolist()):
            points[frame, sequence.track_number] = (sequence.keypoints_xy[row], sequence.scores[row])
    people: dict[int, list[DrawnPerson]] = defaultdict(list)
    for frame, number in sorted({*boxes, *points}):
        keypoints_xy, scores = points.get((frame, number), (None, None))
        box_xyxy = boxes.get((frame, number))
        people[frame].append(
            DrawnPerson(track_number=number, box_xyxy=box_xyxy, keypoints_xy=keypoints_xy, scores=scores)
        )
    return dict(people)
