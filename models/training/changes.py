"""A batch of windows changed by the augmentations, with its labels following."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from models.config import AugmentConfig
from models.inputs.skeletons import Skeleton
from models.inputs.windows import PlacedGesture, Window
from models.training.augment import augment

WHOLE = 0.6
"""Share of a gesture that must be left of it: what is cut off more is no longer the gesture, and nobody judged it."""


def change(
    windows: Sequence[Window],
    *,
    skeleton: Skeleton,
    config: AugmentConfig,
    flipped_output: Mapping[int, int],
    generator: torch.Generator,
) -> list[Window]:
    """Return the windows as the augmentations leave them; ``flipped_output`` names the class of a mirrored one."""
    changed = augment(
        torch.from_numpy(np.stack([window.positions for window in windows])),
        torch.from_numpy(np.stack([window.seen for window in windows])),
        torch.from_numpy(np.stack([window.scores for window in windows])),
        skeleton=skeleton,
        config=config,
        generator=generator,
    )
    frames, inside = changed.frames.numpy().astype(np.float64), changed.inside.numpy()
    made = []
    for number, window in enumerate(windows):
        source = np.clip(np.round(frames[number]).astype(np.int64), 0, len(window.judged) - 1)
        judged = window.judged[source] & inside[number]
        gestures: list[PlacedGesture] = []
        for gesture in window.gestures:
            if bool(changed.flipped[number]):
                gesture = replace(gesture, output=flipped_output.get(gesture.output, gesture.output))  # noqa: PLW2901
            placed, lost = _placed(gesture, frames[number], inside[number])
            gestures += placed
            judged = judged & ~lost
        made.append(
            Window(
                positions=changed.positions[number].numpy(),
                seen=changed.seen[number].numpy(),
                scores=changed.scores[number].numpy(),
                judged=judged,
                gestures=tuple(gestures),
            )
        )
    return made


def _placed(
    gesture: PlacedGesture, frames: npt.NDArray[np.float64], inside: npt.NDArray[np.bool_]
) -> tuple[list[PlacedGesture], npt.NDArray[np.bool_]]:
    """Return where a gesture is in the changed time, once for each time it is shown, and the frames of mere scraps.

    Edges beyond the window keep their distance to it.
    """
    lost = np.zeros(len(frames), np.bool_)
    shown = (frames > gesture.first - 0.5) & (frames < gesture.end - 0.5) & inside
    edges = np.flatnonzero(np.diff(np.concatenate([[False], shown, [False]]).astype(np.int8)))
    seen_before = max(0.0, min(gesture.end, len(frames)) - max(gesture.first, 0.0))
    placed = []
    for first, end in zip(edges[::2], edges[1::2], strict=True):
        if frames[end - 1] - frames[first] + 1 < WHOLE * seen_before:
            lost[first:end] = True
            continue
        start = first - max(0.0, -gesture.first) if first == 0 else first + gesture.first - frames[first]
        rest = max(0.0, gesture.end - len(frames))
        stop = end + rest if end == len(frames) else end + gesture.end - 1 - frames[end - 1]
        if stop - start >= 1:
            placed.append(replace(gesture, first=float(start), end=float(stop)))
    return placed, lost
