"""Overlay films: what was found, drawn over the video or over black, with the candidates running below."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from drawing.colours import LANES
from drawing.people import Background, DrawnPerson
from drawing.skeletons import SkeletonStyle, draw_skeleton
from drawing.strips import Strip, class_or_movement
from drawing.texts import Picture, put_label
from drawing.views import View, even
from media.frames import VideoFrame
from schema.records import Candidate

NUMBER_PX = 15


def overlay_frames(
    frames: Iterable[VideoFrame],
    *,
    people: Mapping[int, Sequence[DrawnPerson]],
    candidates: Sequence[Candidate],
    end_ns: int,
    background: Background,
    height_px: int = 540,
    name_of: Callable[[Candidate], str] = class_or_movement,
    style: SkeletonStyle | None = None,
) -> Iterator[Picture]:
    """Yield a film's pictures, all of one even size: the picture ``height_px`` tall, the strip below it.

    ``people`` holds who is drawn in each frame (``drawing.people.people_by_frame``); ``end_ns`` is the length of the
    video that the strip spans; ``name_of`` names a candidate. On ``Background.BLACK`` no pixel of a frame is used.
    """
    strip: Strip | None = None
    for frame in frames:
        height, width = frame.image_rgb.shape[:2]
        view = View(crop=(0, 0, width, height), width=even(width * height_px / height), height=even(height_px))
        strip = strip or Strip.make(candidates, end_ns=end_ns, width=view.width, name_of=name_of)
        canvas = view.canvas(frame.image_rgb, background)
        for person in people.get(frame.frame_index, ()):
            draw_person(canvas, person, view, style)
        yield np.concatenate([canvas, strip.at(frame.time_ns)])


def draw_person(canvas_rgb: Picture, person: DrawnPerson, view: View, style: SkeletonStyle | None) -> None:
    """Draw one person's box with the track number, and the skeleton above it, in place."""
    if person.box_xyxy is not None:
        import cv2

        colour = LANES[person.track_number % len(LANES)]
        x1, y1, x2, y2 = view.box(person.box_xyxy)
        cv2.rectangle(canvas_rgb, (x1, y1), (x2, y2), colour, 1, cv2.LINE_AA)
        put_label(canvas_rgb, f"{person.track_number}", (x1, y1), size_px=NUMBER_PX, colour=colour)
    if person.keypoints_xy is not None and person.scores is not None:
        draw_skeleton(canvas_rgb, view.points(person.keypoints_xy), person.scores, style=style)
