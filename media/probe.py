"""The record of a video file: told by its own packets and frames rather than by its header."""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from schema.records import FrameTimes, TimeFlag, VideoId, VideoRecord
from schema.timespan import NS_PER_SECOND

if TYPE_CHECKING:
    from media.scan import VideoScan


def record_of(path: Path, scan: "VideoScan", *, video_id: VideoId, sha256: str) -> VideoRecord:
    """Make the record of a file from what was found in it."""
    times = scan.frame_times(video_id=video_id, sha256=sha256)
    return VideoRecord(
        video_id=video_id,
        sha256=sha256,
        byte_count=path.stat().st_size,
        container=scan.container,
        codec=scan.codec,
        width=scan.width,
        height=scan.height,
        rotation_degrees=scan.orientation.degrees,
        average_rate=average_rate(times),
        header_rate=scan.header_rate,
        frame_count=times.times_ns.shape[0],
        duration_ns=times.end_ns,
        header_duration_ns=scan.header_duration_ns,
        has_audio=scan.has_audio,
        pixel_format=scan.pixel_format,
        color_space=scan.color_space,
        flags=tuple(sorted(scan.video_flags(times))),
    )


def average_rate(times: FrameTimes) -> Fraction:
    """Return frames per second from the first frame to the last, exact where the time stamps are."""
    count: int = times.times_ns.shape[0]
    if count == 1:
        return Fraction(NS_PER_SECOND, times.end_ns)
    if bool(np.all(times.flags == TimeFlag.GOOD)):
        return Fraction(count - 1) / ((int(times.pts[-1]) - int(times.pts[0])) * times.time_base)
    return Fraction((count - 1) * NS_PER_SECOND, int(times.times_ns[-1]))
