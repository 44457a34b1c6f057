"""Looking at some of a track's frames only: which ones, and what the frames between two looks are given."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from schema.records import KeypointSequence, Track

Value = TypeVar("Value", bound=np.generic)


def rows_to_look_at(track: Track, *, stride: int) -> npt.NDArray[np.bool_]:
    """Tell which of a track's frames are looked at, shape ``(n,)``.

    These are the frames whose index in the video is a multiple of the stride, so that people who are in the picture
    together are looked at together, and the first and the last frame of every run without a hole: nothing is ever
    interpolated across a hole, and no two looks lie more than ``stride`` frames apart within a run.
    """
    indices = track.frame_indices.astype(np.int64)
    begins = np.diff(indices, prepend=indices[0] - 2) > 1
    ends = np.diff(indices, append=indices[-1] + 2) > 1
    return np.asarray((indices % stride == 0) | begins | ends)


def fill_between_looks(looks: KeypointSequence, track: Track) -> KeypointSequence:
    """Give every frame of the track keypoints: those of the looks, and between two of them points linear in time.

    A point is seen between two looks where both saw it, with the lower of their scores; so is a part. Looked-at frames
    keep their values to the last bit.

    Args:
        looks: The frames that were looked at: with every hole of the track, its frames before and after are among them.
        track: The person's frames and times.
    """
    looked = np.isin(track.frame_indices, looks.frame_indices)
    if looked.all():
        return looks
    before = np.cumsum(looked)[~looked] - 1
    after = before + 1
    start_ns, end_ns = looks.times_ns[before], looks.times_ns[after]
    weight = ((track.times_ns[~looked] - start_ns) / (end_ns - start_ns))[:, None, None]
    # NaN, which an unseen point has, stays NaN in the sum
    between = (1.0 - weight) * looks.keypoints_xy[before] + weight * looks.keypoints_xy[after]
    lower = np.minimum(looks.scores[before], looks.scores[after])
    return KeypointSequence(
        video_id=looks.video_id,
        track_number=looks.track_number,
        frame_indices=track.frame_indices,
        times_ns=track.times_ns,
        keypoints_xy=_merged(looked, looks.keypoints_xy, between.astype(np.float32)),
        scores=_merged(looked, looks.scores, lower),
        parts_seen=_merged(looked, looks.parts_seen, looks.parts_seen[before] & looks.parts_seen[after]),
        interpolated=~looked,
    )


def _merged(
    is_first: npt.NDArray[np.bool_], first: npt.NDArray[Value], other: npt.NDArray[Value]
) -> npt.NDArray[Value]:
    """Return rows of ``first`` where told, in order, and rows of ``other`` elsewhere."""
    rows = np.empty((is_first.shape[0], *first.shape[1:]), first.dtype)
    rows[is_first], rows[~is_first] = first, other
    return rows
