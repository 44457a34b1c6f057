"""A gesture as a strip of skeletons, from its first frame to its last: nothing of the picture is in it."""

import numpy as np
import numpy.typing as npt

from drawing.colours import FACE, FAINT_INK, PAPER
from drawing.skeletons import SkeletonStyle, draw_skeleton
from drawing.texts import Picture, put_text, text_size_px
from schema.records import KEYPOINT_COUNT, PART_SLICES, Part

TILE_PX = (230, 270)
"""Width and height of one skeleton."""
TYPE_PX = 27
"""A strip is shown at half its size."""
MIN_SCORE = 0.3
"""Points with a lower score are not drawn: they jump about."""
MARGIN = 0.1
"""Room around the person, of the larger side of what is shown."""
FEWEST_POINTS = 5
"""A frame with fewer points shows nobody."""
_BELOW_THE_HIPS = range(13, 23)
"""Knees, ankles and feet: of people who sit they are guesses, and would make the rest small."""
_GAP_PX = 4


def filmstrip(
    keypoints_xy: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    times_ns: npt.NDArray[np.int64],
    *,
    tiles: int = 8,
) -> Picture | None:
    """Draw skeletons of frames that are evenly spread over a gesture, side by side, with the time below each.

    Args:
        keypoints_xy: Points in pixels, shape ``(frames, 133, 2)``; NaN where not seen.
        scores: Shape ``(frames, 133)``; 0 where not seen.
        times_ns: Time of each frame, shape ``(frames,)``.
        tiles: How many, at most one a frame.

    Returns:
        RGB, or None where too little is seen.

    Raises:
        ValueError: The shapes are others.
    """
    frames = len(times_ns)
    if keypoints_xy.shape != (frames, KEYPOINT_COUNT, 2) or scores.shape != (frames, KEYPOINT_COUNT):
        raise ValueError(f"a strip needs (n, 133, 2) and (n, 133), got {keypoints_xy.shape} and {scores.shape}")
    scores = scores.copy()
    scores[:, list(_BELOW_THE_HIPS)] = 0
    seen = np.isfinite(keypoints_xy).all(axis=2) & (scores >= MIN_SCORE)
    if frames == 0 or np.median(seen.sum(axis=1)) < FEWEST_POINTS:
        return None
    chosen = np.unique(np.linspace(0, frames - 1, tiles).round().astype(int))
    corner, scale = _view(keypoints_xy[chosen], seen[chosen])
    width, height = TILE_PX
    foot_px = round(1.5 * TYPE_PX)
    strip = np.full((height + foot_px, len(chosen) * (width + _GAP_PX) - _GAP_PX, 3), PAPER, dtype=np.uint8)
    for place, frame in enumerate(chosen):
        left = place * (width + _GAP_PX)
        tile = strip[:height, left : left + width].copy()
        _draw(tile, ((keypoints_xy[frame] - corner) * scale).astype(np.float32), scores[frame])
        strip[:height, left : left + width] = tile
        text = f"{(times_ns[frame] - times_ns[0]) / 1e9:.2f} s"
        indent = (width - text_size_px(text, TYPE_PX)[0]) // 2
        put_text(strip, text, (left + indent, height + 2), size_px=TYPE_PX, colour=FAINT_INK)
    return strip


def _view(points_xy: npt.NDArray[np.float32], seen: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.float64], float]:
    """Return the picture's corner and scale that show the person in all frames; one point that jumps does not count."""
    every = points_xy[seen].astype(np.float64)
    low, high = np.percentile(every, 0.5, axis=0), np.percentile(every, 99.5, axis=0)
    size = np.maximum(high - low, 1.0) + 2 * MARGIN * max(float((high - low).max()), 1.0)
    scale = float((np.array(TILE_PX) / size).min())
    return (low + high) / 2 - np.array(TILE_PX) / scale / 2, scale


def _draw(tile: Picture, points_xy: npt.NDArray[np.float32], scores: npt.NDArray[np.float32]) -> None:
    """Draw one skeleton; a few points of a face make no lines, so they are dots between the head's own lines."""
    import cv2

    face = PART_SLICES[Part.FACE]
    in_face = (scores[face] >= MIN_SCORE) & np.isfinite(points_xy[face]).all(axis=1)
    lines = scores.copy()
    is_sparse = in_face.sum() <= (face.stop - face.start) // 2
    if is_sparse:
        lines[face] = 0
    draw_skeleton(tile, points_xy, lines, style=SkeletonStyle(min_score=MIN_SCORE, body_width=0.04, hand_width=0.02))
    for x, y in points_xy[face][in_face] if is_sparse else ():
        cv2.circle(tile, (round(16 * float(x)), round(16 * float(y))), 28, FACE, -1, cv2.LINE_AA, 4)


def png_bytes(picture_rgb: Picture) -> bytes:
    """Encode a picture as PNG without any text in it."""
    import cv2

    done, encoded = cv2.imencode(".png", picture_rgb[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 9])
    if not done:
        raise ValueError(f"a picture of shape {picture_rgb.shape} can't be written as PNG")
    return bytes(encoded)
