"""Joining segments to the keypoints of their tracks: which rows belong to which segment."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from schema.errors import DamagedTableError
from schema.timespan import NS_PER_SECOND

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinkedVideo:
    """The segments of one video, each with the rows of its track."""

    found: list[tuple[Row, slice]]
    """Segments, cut to their tracks, and their rows of the ordered keypoints."""
    without_keypoints: int
    """Segments left out, because their track has no keypoints in their span."""
    shortened: int
    """Segments whose span reached beyond their track and was cut to it."""


def link_segments(segments: list[Row], keypoints: "OrderedKeypoints", *, nominal_ns: int) -> LinkedVideo:
    """Find the keypoint rows of each segment of one video.

    A frame belongs to a segment when it begins to be shown within the span, as in ``FrameTimes.frames_of``. A span
    may end after the last frame's time by at most the longest time between two frames of the track; what reaches
    further, or begins before the track, is cut to the track. A segment without edges (the label of a whole recording)
    has all rows of its track.

    Args:
        segments: Rows of one video, by track.
        keypoints: That video's keypoints.
        nominal_ns: Time between two frames by the video's average rate.
    """
    found: list[tuple[Row, slice]] = []
    shortened = 0
    for segment in segments:
        rows = keypoints.tracks.get(segment["track_number"], slice(0, 0))
        cut = _cut_to_track(segment, keypoints.times_ns[rows], nominal_ns=nominal_ns)
        of_segment = rows_within(keypoints, rows, start_ns=cut["start_ns"], end_ns=cut["end_ns"])
        if of_segment.start < of_segment.stop:
            found.append((cut, of_segment))
            shortened += cut is not segment
    return LinkedVideo(found=found, without_keypoints=len(segments) - len(found), shortened=shortened)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrderedKeypoints:
    """The keypoints of one video, by track and frame."""

    table: pa.Table
    """Rows of ``schema.arrow.KEYPOINTS``."""
    tracks: dict[int, slice]
    """Rows of each track, by its number."""
    times_ns: npt.NDArray[np.int64]
    """Time of each row, shape ``(n,)``."""
    frames: npt.NDArray[np.int32]
    """Frame of each row, shape ``(n,)``."""

    @classmethod
    def of(cls, keypoints: pa.Table, *, video_id: str) -> "OrderedKeypoints":
        """Order the rows of a video; raises ``DamagedTableError`` for another video's rows or a frame given twice."""
        ordered = _ordered(keypoints, video_id=video_id)
        return cls(
            table=ordered,
            tracks=_track_rows(ordered),
            times_ns=ordered["time_ns"].to_numpy(),
            frames=ordered["frame_index"].to_numpy(),
        )


def rows_within(keypoints: OrderedKeypoints, track: slice, *, start_ns: int | None, end_ns: int | None) -> slice:
    """Return the rows of a track that begin to be shown in the span; all where it has no edges."""
    if start_ns is None or end_ns is None:
        return track
    first, end = np.searchsorted(keypoints.times_ns[track], [start_ns, end_ns]) + track.start
    return slice(int(first), int(end))


def frames_and_rows(keypoints: OrderedKeypoints, rows: slice, *, begins_at: int) -> Row:
    """Return the columns that lead from a segment or window to its keypoints.

    ``begins_at`` is what to add to a row of the video to get its row in the release.
    """
    return {
        "first_frame": int(keypoints.frames[rows.start]),
        "end_frame": int(keypoints.frames[rows.stop - 1]) + 1,
        "keypoints_first_row": begins_at + rows.start,
        "keypoints_row_count": rows.stop - rows.start,
    }


def places_of(keypoints: OrderedKeypoints, kept: Iterable[int], *, first_row: int) -> dict[int, int]:
    """Return by kept track what to add to a row of the video to get its row in the release."""
    begins: dict[int, int] = {}
    for track in sorted(kept):
        begins[track] = first_row - keypoints.tracks[track].start
        first_row += keypoints.tracks[track].stop - keypoints.tracks[track].start
    return begins


def nominal_interval_ns(video: Row) -> int:
    """Return the time between two frames by a video's average rate, ns."""
    numerator: int = max(video["average_rate_numerator"], 1)
    return int(NS_PER_SECOND * video["average_rate_denominator"] // numerator)


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
    if times_ns.size == 0 or segment["start_ns"] is None:
        return segment
    latest_ns = int(times_ns[-1]) + longest_interval_ns(times_ns, nominal_ns=nominal_ns)
    start_ns = max(segment["start_ns"], int(times_ns[0]))
    end_ns = min(segment["end_ns"], latest_ns)
    if (start_ns, end_ns) == (segment["start_ns"], segment["end_ns"]):
        return segment
    return segment | {"start_ns": start_ns, "end_ns": end_ns}
