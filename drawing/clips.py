"""Review clips: one person, cropped and enlarged, with a bar that shows which part of the clip is asked about."""

from collections.abc import Iterable, Iterator

import numpy as np

from drawing.people import Background
from drawing.skeletons import SkeletonStyle, draw_skeleton
from drawing.strips import progress_bar
from drawing.texts import Picture
from drawing.views import CropBox, View, even
from media.frames import VideoFrame
from schema.records import KeypointSequence
from schema.timespan import TimeSpan

BAR_PX = 8
WIDEST = 16 / 9
"""A crop wider than this is shown less tall: the reviewing page has no room for more."""


def clip_images(
    frames: Iterable[VideoFrame],
    *,
    sequence: KeypointSequence | None,
    crop_xyxy: CropBox,
    clip_span: TimeSpan,
    asked_span: TimeSpan,
    background: Background,
    size_px: int = 480,
    style: SkeletonStyle | None = None,
) -> Iterator[Picture]:
    """Yield a clip's pictures, all of one even size: the crop fitted to ``size_px`` in height, and a bar below.

    ``crop_xyxy`` stays for the whole clip (``drawing.views.person_crop``). ``sequence`` is drawn where it has the
    frame; None draws no skeleton, for a clip of the bare picture. ``clip_span`` is what the bar spans, ``asked_span``
    the part that it marks. On ``Background.BLACK`` no pixel of a frame is used.
    """
    view = View.fitting(crop_xyxy, max_width=even(size_px * WIDEST), max_height=even(size_px))
    rows = {} if sequence is None else {int(frame): row for row, frame in enumerate(sequence.frame_indices)}
    for frame in frames:
        canvas = view.canvas(frame.image_rgb, background)
        row = rows.get(frame.frame_index)
        if sequence is not None and row is not None:
            draw_skeleton(canvas, view.points(sequence.keypoints_xy[row]), sequence.scores[row], style=style)
        bar = progress_bar(view.width, BAR_PX, clip=clip_span, asked=asked_span, time_ns=frame.time_ns)
        yield np.concatenate([canvas, bar])
