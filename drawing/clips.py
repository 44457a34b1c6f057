"""Review clips: one person, cropped and enlarged, above a strip of time that shows what is asked about."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from drawing.blurs import blur_ellipses
from drawing.colours import FAINT_INK, INK, INSIDE, PAPER, dimmed
from drawing.people import Background
from drawing.skeletons import SkeletonStyle, draw_skeleton
from drawing.strips import progress_bar
from drawing.texts import Picture, put_text
from drawing.views import CropBox, View, even
from media.frames import VideoFrame
from schema.records import KeypointSequence
from schema.timespan import TimeSpan

BAR_PX = 8
CURVE_PX = 48
CURVE_TYPE_PX = 12
WIDEST = 16 / 9
"""A crop wider than this is shown less tall: the reviewing page has no room for more."""
LEAST_SPEED = 1.0
"""The curve's full height is this many head widths a second at least: a still person's trembling stays low."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpeedCurve:
    """The speed of a part of the body over a clip."""

    name: str
    """What moves: "hands"."""
    times_ns: npt.NDArray[np.int64]
    """Shape ``(n,)``, increasing."""
    head_widths_per_second: npt.NDArray[np.float64]
    """Shape ``(n,)``."""


def clip_images(
    frames: Iterable[VideoFrame],
    *,
    sequence: KeypointSequence | None,
    crop_xyxy: CropBox,
    clip_span: TimeSpan,
    asked_span: TimeSpan | None,
    background: Background,
    size_px: int = 480,
    style: SkeletonStyle | None = None,
    covers: Mapping[int, npt.NDArray[np.float64]] | None = None,
    curve: SpeedCurve | None = None,
) -> Iterator[Picture]:
    """Yield a clip's pictures, all of one even size: the crop fitted to ``size_px`` in height, and a strip below.

    Args:
        frames: The frames to show, in order.
        sequence: Drawn where it has the frame; None draws no skeleton, for a clip of the bare picture.
        crop_xyxy: Stays for the whole clip (``drawing.views.person_crop``).
        clip_span: What the strip spans.
        asked_span: The part of it that is marked; None marks nothing, for a question that must not hint.
        background: On ``Background.BLACK`` no pixel of a frame is used.
        size_px: Greatest height of the crop in the clip.
        style: How the skeleton looks.
        covers: Of frames by index the ellipses that are blurred (``drawing.blurs``), in pixels of the frame.
        curve: Drawn above the bar; None draws none.
    """
    view = View.fitting(crop_xyxy, max_width=even(size_px * WIDEST), max_height=even(size_px))
    rows = {} if sequence is None else {int(frame): row for row, frame in enumerate(sequence.frame_indices)}
    still = None if curve is None else _curve_picture(curve, view.width, clip=clip_span, asked=asked_span)
    for frame in frames:
        image = frame.image_rgb
        if covers and background is not Background.BLACK and frame.frame_index in covers:
            image = blur_ellipses(image, covers[frame.frame_index])
        canvas = view.canvas(image, background)
        row = rows.get(frame.frame_index)
        if sequence is not None and row is not None:
            draw_skeleton(canvas, view.points(sequence.keypoints_xy[row]), sequence.scores[row], style=style)
        parts = [canvas]
        if still is not None:
            parts.append(_with_playhead(still, clip_span, frame.time_ns))
        parts.append(progress_bar(view.width, BAR_PX, clip=clip_span, asked=asked_span, time_ns=frame.time_ns))
        yield np.concatenate(parts)


def _curve_picture(curve: SpeedCurve, width: int, *, clip: TimeSpan, asked: TimeSpan | None) -> Picture:
    """Draw the curve over the clip's span, the part that is asked about in its colour."""
    middles_ns = clip.start_ns + (np.arange(width) + 0.5) / width * clip.duration_ns
    speed = np.interp(middles_ns, curve.times_ns, curve.head_widths_per_second)
    top = max(LEAST_SPEED, float(speed.max()))
    bars_px = np.rint(speed / top * (CURVE_PX - 4)).astype(int)
    picture = np.full((CURVE_PX, width, 3), PAPER, dtype=np.uint8)
    below = np.arange(CURVE_PX)[:, None] >= CURVE_PX - np.maximum(bars_px, 1)[None, :]
    inside = np.zeros(width, dtype=np.bool_)
    if asked is not None:
        inside = (middles_ns >= asked.start_ns) & (middles_ns < asked.end_ns)
        picture[:, inside] = dimmed(INSIDE, 0.2)
    picture[below & inside] = dimmed(INSIDE, 0.8)
    picture[below & ~inside] = FAINT_INK
    put_text(picture, f"speed of the {curve.name}", (6, 2), size_px=CURVE_TYPE_PX, colour=INK)
    return picture


def _with_playhead(still: Picture, clip: TimeSpan, time_ns: int) -> Picture:
    picture = still.copy()
    width = picture.shape[1]
    x = min(max(round((time_ns - clip.start_ns) / clip.duration_ns * width), 0), width - 2)
    picture[:, x : x + 2] = INK
    return picture
