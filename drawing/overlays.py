"""Overlay films: what was found, drawn over the video or over black, with everything in time below."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from drawing.lanes import Contents
from drawing.marks import Plates, draw_box, draw_cut, draw_flags, draw_name, draw_tips, label_of
from drawing.people import Background, DrawnPerson
from drawing.skeletons import SkeletonStyle, draw_skeleton
from drawing.strips import Strip
from drawing.texts import Picture, type_size_px
from drawing.views import View, even
from media.frames import VideoFrame
from schema.records import Shot
from schema.timespan import NS_PER_SECOND

SHORTEST_SIDE_PX = 480
"""A smaller picture is enlarged: text and hands on it could not be told apart."""
LARGEST_LYING_PX, LARGEST_UPRIGHT_PX = (1280, 720), (720, 960)
"""A larger picture is reduced to these, width and height."""
SHOWN_SHARE = 0.25
"""A person is drawn in a crop that holds this share of the box, or of which the box fills this share."""
CUT_SHOWN_NS = NS_PER_SECOND // 2
"""How long after a cut the film says so."""

PeopleOf = Callable[[int], Sequence[DrawnPerson]]
"""Returns who is drawn in a frame, by its index."""


def film_size_px(width: int, height: int) -> tuple[int, int]:
    """Return the even size at which a picture is shown: enlarged to 480 px, reduced to 1280 x 720 or 720 x 960."""
    widest, tallest = LARGEST_LYING_PX if width >= height else LARGEST_UPRIGHT_PX
    scale = max(1.0, SHORTEST_SIDE_PX / min(width, height))
    scale = min(scale, widest / width, tallest / height)
    return even(width * scale), even(height * scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmStyle:
    """How a film looks."""

    background: Background
    skeleton: SkeletonStyle | None = None
    size_px: tuple[int, int] | None = None
    """Even width and height of the picture, without the strip below; None: by ``film_size_px``."""


def overlay_frames(
    frames: Iterable[VideoFrame], *, people_of: PeopleOf, contents: Contents, style: FilmStyle
) -> Iterator[Picture]:
    """Yield a film's pictures, one for each frame, all of one even size: the picture, and the strip below it.

    ``contents`` is what the strip shows. On ``Background.BLACK`` no pixel of a frame is used.
    """
    strip: Strip | None = None
    for frame in frames:
        height, width = frame.image_rgb.shape[:2]
        shown_width, shown_height = style.size_px or film_size_px(width, height)
        view = View(crop=(0, 0, width, height), width=shown_width, height=shown_height)
        size_px = type_size_px(shown_width, shown_height)
        strip = strip or Strip(contents, width_px=shown_width, size_px=size_px)
        canvas = view.canvas(frame.image_rgb, style.background)
        draw_people(canvas, people_of(frame.frame_index), view, size_px=size_px, style=style.skeleton)
        cut = _cut_before(frame, contents.shots)
        if cut is not None:
            draw_cut(canvas, f"cut: shot {cut.shot_number + 1}", size_px=size_px)
        yield np.concatenate([canvas, strip.at(frame.frame_index, frame.time_ns)])


def draw_people(
    canvas_rgb: Picture, people: Sequence[DrawnPerson], view: View, *, size_px: int, style: SkeletonStyle | None
) -> None:
    """Draw people in place: boxes with names, skeletons above them, and what their hands touch."""
    shown = [person for person in people if _is_shown(person, view)]
    plates = Plates()
    boxed = [(label_of(person), view.box(person.box_xyxy)) for person in shown if person.box_xyxy is not None]
    for label, box in boxed:
        draw_box(canvas_rgb, box, label, size_px=size_px)
    for label, box in boxed:  # above all boxes: a name behind another one's corner can't be read
        draw_name(canvas_rgb, box, label, size_px=size_px, plates=plates)
    for person in shown:
        if person.keypoints_xy is not None and person.scores is not None:
            draw_skeleton(canvas_rgb, view.points(person.keypoints_xy), person.scores, style=style)
    for person in shown:
        draw_tips(canvas_rgb, person.flags, view, size_px=size_px)
    draw_flags(canvas_rgb, shown, size_px=size_px, plates=plates)


def _is_shown(person: DrawnPerson, view: View) -> bool:
    """Tell whether enough of a person is in the view: a sliver at the edge would only be in the way."""
    if person.box_xyxy is None:
        return True
    x1, y1, x2, y2 = person.box_xyxy
    left, top, right, bottom = view.crop
    wide, tall = min(x2, right) - max(x1, left), min(y2, bottom) - max(y1, top)
    smaller = min((x2 - x1) * (y2 - y1), (right - left) * (bottom - top))
    return wide > 0 and tall > 0 and wide * tall >= SHOWN_SHARE * smaller


def _cut_before(frame: VideoFrame, shots: Sequence[Shot]) -> Shot | None:
    """Return the shot that began with a cut just before, if there is one."""
    for shot in shots[1:]:
        if shot.first_frame <= frame.frame_index and 0 <= frame.time_ns - shot.span.start_ns < CUT_SHOWN_NS:
            return shot
    return None
