"""Short films of pictures that were drawn: review clips and overlays."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

CLIP_CRF = 20
"""A little better than x264's default of 23: thin lines of a skeleton on black stay sharp."""
CLIP_PRESET = "veryfast"
CLIP_KEY_FRAME_EVERY = 12


def write_clip(images_rgb: Iterable[npt.NDArray[np.uint8]], target: Path, *, frame_rate: int) -> None:
    """Write pictures as an H.264 film: yuv420p, index first, no sound; odd sides are padded with their last pixels.

    The target appears whole or not at all, and the same pictures give the same bytes.

    Args:
        images_rgb: Pictures of one shape ``(h, w, 3)``, at least one; taken one at a time.
        target: File to write.
        frame_rate: Pictures per second, at least 1.

    Raises:
        StoreFullError: The disk is full.
        ValueError: No picture, pictures of several shapes, or a rate below 1.
    """
    from media.encoding import FilmSettings, h264_film

    if frame_rate < 1:
        raise ValueError(f"a clip needs at least one picture per second, got {frame_rate}")
    pictures = iter(images_rgb)
    first = next(pictures, None)
    if first is None:
        raise ValueError("a clip needs at least one picture")
    height, width = first.shape[:2]
    settings = FilmSettings(
        width=width + width % 2,
        height=height + height % 2,
        frame_rate=frame_rate,
        quality_crf=CLIP_CRF,
        preset=CLIP_PRESET,
        key_frame_every=CLIP_KEY_FRAME_EVERY,
    )
    with h264_film(target, settings) as film:
        for picture in chain([first], pictures):
            if picture.shape != first.shape:
                raise ValueError(f"pictures of a clip have one shape, got {picture.shape} after {first.shape}")
            film.write(np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))


def write_slow_copy(clip: Path, target: Path, *, times_slower: int = 2) -> None:
    """Write the same film with every picture shown longer, without encoding it again.

    A browser's player has no attribute for its speed, and Label Studio lets no script of a page run: a second file is
    what a page can switch to.

    Args:
        clip: A film that ``write_clip`` made.
        target: File to write; it appears whole or not at all.
        times_slower: How many times longer each picture is shown.

    Raises:
        StoreFullError: The disk is full.
    """
    import av

    from schema.files import written_beside

    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with (
        written_beside(target) as beside,
        av.open(str(clip)) as source,
        av.open(str(beside), "w", format="mp4", options=options) as slow,
    ):
        stream = slow.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.pts is None or packet.dts is None:
                continue
            packet.pts, packet.dts = packet.pts * times_slower, packet.dts * times_slower
            packet.duration = (packet.duration or 0) * times_slower
            packet.stream = stream
            slow.mux(packet)
