"""Decoding by presentation time: exactly the displayed frames of a file, upright, in order."""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from schema.errors import DropReason, ItemError
from schema.records import FrameTimes, TimeFlag, VideoFlag, VideoId

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame as DecodedFrame
    from av.video.stream import VideoStream

    from media.containers import Orientation

SEEK_MARGINS_S = (0, 10)
"""How long before the frame to seek, tried in turn. Without an index (MPEG-TS) a seek lands just before the frame and
behind its key frame; broadcasts and web video have a key frame every 10 s or less."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoFrame:
    """One displayed frame."""

    frame_index: int
    """From 0, in display order."""
    time_ns: int
    """Nanoseconds since the first displayed frame."""
    image_rgb: npt.NDArray[np.uint8]
    """The upright picture, shape ``(h, w, 3)``."""


class _LostPlaceError(Exception):
    """What was decoded after a seek is not, or may not be, what a whole decode gives."""


def read_frame_times(path: Path, *, video_id: VideoId, sha256: str) -> tuple[FrameTimes, frozenset[VideoFlag]]:
    """Decode a whole file and return when each displayed frame is shown, and what is wrong with the file.

    The origin is the first displayed frame: what an edit list removes has no index, and a late start is not waited
    for. Raises ``ItemError`` (missing, empty, unreadable, no_video).
    """
    from media.scan import scan_video

    scan = scan_video(path)
    times = scan.frame_times(video_id=video_id, sha256=sha256)
    return times, scan.video_flags(times)


def decode_frames(
    path: Path,
    times: FrameTimes,
    *,
    first_frame: int = 0,
    end_frame: int | None = None,
    max_side_px: int | None = None,
    only: Set[int] | None = None,
) -> Iterator[VideoFrame]:
    """Yield frames ``[first_frame, end_frame)`` as a whole decode gives them, one at a time.

    Frames are found by their time stamps after a seek to the key frame before. Where that can't be trusted (repaired
    time stamps, damage, a seek that misses), the file is decoded from its start instead: slower, never different.

    Args:
        path: The file.
        times: Its times, as ``read_frame_times`` gives them.
        first_frame: First frame to yield.
        end_frame: One past the last; the end of the file by default.
        max_side_px: Scale down to this many pixels along the longer side; smaller pictures stay as they are.
        only: Yield these frames of the range alone; the others are decoded and not turned into pictures.

    Raises:
        ItemError: The file can't be opened, or holds other frames than ``times`` says.
        ValueError: A range outside the file.
    """
    count = times.times_ns.shape[0]
    end_frame = count if end_frame is None else end_frame
    if not 0 <= first_frame <= end_frame <= count:
        raise ValueError(f"frames {first_frame} to {end_frame} asked of a video with {count}")
    reader = _FrameReader(
        path=path, times=times, end_frame=end_frame, max_side_px=max_side_px, only=only, next_frame=first_frame
    )
    can_seek = first_frame > 0 and bool(np.all(times.flags == TimeFlag.GOOD))
    for margin_s in (*(SEEK_MARGINS_S if can_seek else ()), None):
        try:
            yield from reader.read(seek_margin_s=margin_s)
        except _LostPlaceError:
            continue
        return


@dataclass(slots=True, kw_only=True)
class _FrameReader:
    path: Path
    times: FrameTimes
    end_frame: int
    max_side_px: int | None
    only: Set[int] | None
    next_frame: int

    def read(self, *, seek_margin_s: int | None) -> Iterator[VideoFrame]:
        """Yield what is still to be yielded, after a seek or, with None, from the file's start.

        Raises ``_LostPlaceError`` after a seek, ``ItemError`` from the start, where frames are not as expected.
        """
        from media.containers import open_video, orientation_of

        if self.next_frame >= self.end_frame:
            return
        picture = None
        with open_video(self.path) as (container, stream):
            if seek_margin_s is None:
                decoded = self._from_start(container, stream)
            else:
                decoded = self._after_seek(container, stream, seek_margin_s)
            for frame in decoded:
                picture = picture or _Picture(frame, orientation_of(frame), self.max_side_px)
                index = self.next_frame
                self.next_frame += 1
                if self.only is None or index in self.only:
                    rgb = picture.upright_rgb(frame)
                    yield VideoFrame(frame_index=index, time_ns=int(self.times.times_ns[index]), image_rgb=rgb)
                if self.next_frame >= self.end_frame:
                    return
        if seek_margin_s is not None:
            raise _LostPlaceError
        raise ItemError(
            DropReason.UNREADABLE,
            f"frame {self.next_frame} of {self.times.times_ns.shape[0]} is not there any more: the file is not the one "
            "whose times were read",
        )

    def _from_start(self, container: "InputContainer", stream: "VideoStream") -> "Iterator[DecodedFrame]":
        from media.containers import decode_steps

        wanted = self.next_frame
        index = 0
        for step in decode_steps(container, stream):
            for frame in step.frames:
                good = self.times.flags[index] == TimeFlag.GOOD
                if good and frame.pts != self.times.pts[index]:
                    return
                if index >= wanted:
                    yield frame
                index += 1
                if index >= self.times.pts.shape[0]:
                    return

    def _after_seek(
        self, container: "InputContainer", stream: "VideoStream", margin_s: int
    ) -> "Iterator[DecodedFrame]":
        from av import FFmpegError

        from media.containers import decode_steps, is_whole_picture

        target = int(self.times.pts[self.next_frame])
        try:
            container.seek(target - int(margin_s / self.times.time_base), stream=stream)
        except FFmpegError:
            return
        at_key_frame = has_whole_picture = False
        for step in decode_steps(container, stream, from_key_frame=True):
            packet = step.packet
            at_key_frame |= packet is not None and packet.pts is not None and packet.pts <= target
            # Damage is shown with the help of pictures from before the seek, which are not here.
            if not at_key_frame or step.is_broken:
                return
            for frame in step.frames:
                has_whole_picture |= is_whole_picture(frame)
                wanted = int(self.times.pts[self.next_frame])
                if frame.pts is None or frame.pts > wanted or (frame.pts == wanted and not has_whole_picture):
                    return
                if frame.pts == wanted:
                    yield frame


class _Picture:
    """Turns decoded frames into upright RGB of one size, the first frame's, scaled down where asked."""

    def __init__(self, first: "DecodedFrame", orientation: "Orientation", max_side_px: int | None) -> None:
        from av.video.reformatter import VideoReformatter

        longer = max(first.width, first.height)
        scale_to = longer if max_side_px is None else min(longer, max_side_px)
        self._width = max(1, round(first.width * scale_to / longer))
        self._height = max(1, round(first.height * scale_to / longer))
        self._orientation = orientation
        self._reformatter = VideoReformatter()

    def upright_rgb(self, frame: "DecodedFrame") -> npt.NDArray[np.uint8]:
        """Convert with the frame's own matrix and range; the result is a copy."""
        from av import FFmpegError

        from media.containers import FULL_RANGE, swscale_color_space

        try:
            rgb = self._reformatter.reformat(
                frame,
                width=self._width,
                height=self._height,
                format="rgb24",
                src_colorspace=swscale_color_space(frame),
                src_color_range=int(frame.color_range),
                dst_color_range=FULL_RANGE,
                threads=1,
            )
        except (FFmpegError, ValueError) as error:
            raise ItemError(
                DropReason.UNREADABLE, f"pictures of pixel format {frame.format.name} can't be converted"
            ) from error
        return self._orientation.apply(np.asarray(rgb.to_ndarray(), dtype=np.uint8))
