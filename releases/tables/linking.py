"""Joining segments to the keypoints of their tracks: which rows belong to which segment."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schema.errors import DamagedTableError
from schema.timespan import NS_PER_SECOND

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinkedVideo:
    """The segments of one video with their keypoints."""

    segments: list[Row]
    """With ``first_frame``, ``end_frame``, ``keypoints_first_row`` and ``keypoints_row_count``."""
    keypoints: pa.Table
    """The rows of the tracks that have segments, by track and frame."""
    without_keypoints: int
    """Segments left out, because their track has no keypoints in their span."""
    shortened: int
    """Segments whose span reached beyond their track and was cut to it."""


def link_segments(segments: list[Row], keypoints: pa.Table, *, video: Row, first_row: int) -> LinkedVideo:
    """Find the keypoint rows of each segment of one video.

    A frame belongs to a segment when it begins to be shown within the span, as in ``FrameTimes.frames_of``. A span
    may end after the last frame's time by at most the longest time between two frames of the track; what reaches
    further, or begins before the track, is cut to the track.

    Args:
        segments: Rows of one video, by track.
        keypoints: Rows of ``schema.arrow.KEYPOINTS`` of that video, in any order.
        video: The video's row in *videos*.
        first_row: Row of the release's table at which this video's keypoints begin.

    Raises:
        DamagedTableError: The keypoints are of another video, or hold a frame of a track twice.
    """
    ordered = _ordered(keypoints, video_id=video["video_id"])
    tracks = _track_rows(ordered)
    nominal_ns = NS_PER_SECOND * video["average_rate_denominator"] // max(video["average_rate_numerator"], 1)
    times_ns = ordered["time_ns"].to_numpy()
    frames = ordered["frame_index"].to_numpy()
    found: list[tuple[Row, int, int]] = []
    for segment in segments:
        rows = tracks.get(segment["track_number"], slice(0, 0))
        cut = _cut_to_track(segment, times_ns[rows], nominal_ns=nominal_ns)
        first, end = np.searchsorted(times_ns[rows], [cut["start_ns"], cut["end_ns"]]) + rows.start
        if first < end:
            found.append((cut, int(first), int(end)))
    kept = sorted({segment["track_number"] for segment, _, _ in found})
    begins = _begin_rows(tracks, kept, first_row=first_row)
    linked = [
        segment | _link(frames[first:end], first_row=begins[segment["track_number"]] + first)
        for segment, first, end in found
    ]
    return LinkedVideo(
        segments=linked,
        keypoints=ordered.filter(pc.is_in(ordered["track_number"], value_set=pa.array(kept, pa.int32()))),
        without_keypoints=len(segments) - len(found),
        shortened=sum(segment not in segments for segment, _, _ in found),
    )


def _link(frames: npt.NDArray[np.int32], *, first_row: int) -> Row:
    return {
        "first_frame": int(frames[0]),
        "end_frame": int(frames[-1]) + 1,
        "keypoints_first_row": first_row,
        "keypoints_row_count": len(frames),
    }


def _begin_rows(tracks: dict[int, slice], kept: list[int], *, first_row: int) -> dict[int, int]:
    """Return by track what to add to a row of the video to get its row in the release."""
    begins: dict[int, int] = {}
    for track in kept:
        begins[track] = first_row - tracks[track].start
        first_row += tracks[track].stop - tracks[track].start
    return begins


def _ordered(keypoints: pa.Table, *, video_id: str) -> pa.Table:
    if set(keypoints["video_id"].unique().to_pylist()) - {video_id}:
        raise DamagedTableError(f"keypoints of {video_id} hold rows of another video; delete that part and run again")
    ordered = keypoints.sort_by([("track_number", "ascending"), ("frame_index", "ascending")])
    numbers, frames = ordered["track_number"].to_numpy(), ordered["frame_index"].to_numpy()
    times_ns = ordered["time_ns"].to_numpy()
    same = numbers[1:] == numbers[:-1]
    if np.any(same & ((np.diff(frames) <= 0) | (np.diff(times_ns) <= 0))):
        raise DamagedTableError(
            f"keypoints of {video_id}: frames or times of a track do not increase; delete that part and run again"
        )
    return ordered


def _track_rows(ordered: pa.Table) -> dict[int, slice]:
    numbers, starts = np.unique(ordered["track_number"].to_numpy(), return_index=True)
    ends = np.append(starts[1:], ordered.num_rows)
    return {int(n): slice(int(s), int(e)) for n, s, e in zip(numbers, starts, ends, strict=True)}


def longest_interval_ns(times_ns: npt.NDArray[np.int64], *, nominal_ns: int) -> int:
    """Return how long after the last frame's time a span may end: the longest interval, the nominal one at least."""
    return int(np.max(np.diff(times_ns), initial=nominal_ns))


def _cut_to_track(segment: Row, times_ns: npt.NDArray[np.int64], *, nominal_ns: int) -> Row:
    if times_ns.size == 0:
        return segment
    latest_ns = int(times_ns[-1]) + longest_interval_ns(times_ns, nominal_ns=nominal_ns)
    start_ns = max(segment["start_ns"], int(times_ns[0]))
    return segment | {"start_ns": start_ns, "end_ns": min(segment["end_ns"], latest_ns)}
