"""Whether the ffmpeg inside PyAV can do what the stages ask of it."""

from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np

from media.encoding import FilmSettings, h264_film

DECODERS = ("h264", "hevc", "vp9", "libdav1d")
"""What press conferences come in; libdav1d is the decoder of AV1 that needs no special hardware."""
PICTURES = 3
SIDE_PX = 64


def ffmpeg_version() -> str:
    """Return the version of the ffmpeg inside PyAV."""
    return str(av.ffmpeg_version_info)


def find_ffmpeg_problem() -> str:
    """Write a film with libx264, read it back, and look the decoders up; returns what fails, or an empty text."""
    missing = [name for name in DECODERS if not _has_decoder(name)]
    if missing:
        return f"it can't decode {missing[0]}"
    settings = FilmSettings(
        width=SIDE_PX, height=SIDE_PX, frame_rate=25, quality_crf=23, preset="veryfast", key_frame_every=12
    )
    try:
        with TemporaryDirectory() as folder:
            film = Path(folder) / "film.mp4"
            with h264_film(film, settings) as writer:
                for shade in range(PICTURES):
                    writer.write(np.full((SIDE_PX, SIDE_PX, 3), 80 * shade, dtype=np.uint8))
            with av.open(str(film)) as container:
                read = sum(1 for _ in container.decode(video=0))
    except av.FFmpegError as error:
        return f"libx264 fails: {type(error).__name__}"
    return "" if read == PICTURES else f"of {PICTURES} pictures written with libx264, {read} were read back"


def _has_decoder(name: str) -> bool:
    try:
        av.Codec(name, "r")
    except ValueError:  # av.codec.codec.UnknownCodecError
        return False
    return True
