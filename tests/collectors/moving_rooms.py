"""Paints talking people into rooms: the same room with another speaker, the same speaker at another time, and copies.

Every film shows a textured backdrop that stands still, and a speaker whose head, body and hands move all the time by
smooth random ways. Two seeds in one room are two press conferences before one backdrop.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT, RATE = 192, 108, 15
ROWS, COLUMNS = np.ogrid[0:HEIGHT, 0:WIDTH]
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """How a recording is shown: what a re-upload may change."""

    trim_s: float = 0.0
    """Seconds missing at the start."""
    seconds: float = 20.0
    crop: float = 0.0
    """Share of width and height that is cut away, half at each side."""
    brightness: float = 0.0
    """Grey levels added."""
    logo: bool = False
    speed: float = 1.0
    height: int = HEIGHT
    """Lines after scaling; the width follows."""
    quality_crf: int = 23
    rate: int = RATE


def write_take(path: Path, *, room: int, speaker: int, take: Take) -> Path:
    """Write one showing of the recording of a speaker in a room."""
    width = round(take.height * WIDTH / HEIGHT / 2) * 2
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=take.rate, options={"crf": str(take.quality_crf)})
        stream.width, stream.height, stream.pix_fmt = width, take.height, "yuv420p"
        stream.thread_count = 1
        for picture in _pictures(room, speaker, take):
            frame = av.VideoFrame.from_ndarray(np.repeat(picture[..., None], 3, axis=2), format="rgb24")
            container.mux(stream.encode(frame.reformat(width=width, height=take.height, format="yuv420p")))
        container.mux(stream.encode(None))
    return path


def _pictures(room: int, speaker: int, take: Take) -> Iterator[Picture]:
    ways = _ways(speaker)
    backdrop = _backdrop(room)
    for number in range(round(take.seconds * take.rate)):
        second = take.trim_s + number / take.rate * take.speed
        picture = _paint(backdrop, [way(second) for way in ways]) + take.brightness
        across, down = round(take.crop * WIDTH / 2), round(take.crop * HEIGHT / 2)
        shown = np.ascontiguousarray(picture[down : HEIGHT - down, across : WIDTH - across])
        if take.logo:
            shown[4:20, -40:-6] = 250
        yield np.clip(shown, 0, 255).astype(np.uint8)


def _backdrop(room: int) -> npt.NDArray[np.float32]:
    grain = np.random.default_rng([1, room]).uniform(60, 190, (HEIGHT // 12, WIDTH // 12))
    return np.kron(grain, np.ones((12, 12))).astype(np.float32)


class _Way:
    """A smooth random way around a place: six waves of up to two turns a second."""

    def __init__(self, random: np.random.Generator, place: tuple[float, float], reach: float) -> None:
        self._place = np.array(place)
        self._sizes = random.normal(0, reach / 2, (6, 2))
        self._rates = random.uniform(0.05, 1.2, (6, 1))
        self._phases = random.uniform(0, 2 * np.pi, (6, 2))

    def __call__(self, second: float) -> npt.NDArray[np.float64]:
        """Return the place, x and y in pixels."""
        moved = (self._sizes * np.sin(2 * np.pi * self._rates * second + self._phases)).sum(axis=0)
        return np.asarray(self._place + moved, dtype=np.float64)


def _ways(speaker: int) -> list[_Way]:
    random = np.random.default_rng([2, speaker])
    places = ((96.0, 42.0, 3.0), (96.0, 92.0, 1.5), (62.0, 78.0, 7.0), (130.0, 78.0, 7.0))
    return [_Way(random, (x, y), reach) for x, y, reach in places]


def _paint(backdrop: npt.NDArray[np.float32], places: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float32]:
    """Paint body, head and hands as soft discs, the head above the body."""
    picture = backdrop.copy()
    for at, radius, grey in ((1, 34, 40.0), (0, 15, 200.0), (2, 8, 215.0), (3, 8, 215.0)):
        distance = np.hypot(COLUMNS - places[at][0], ROWS - places[at][1])
        share = np.clip(radius - distance + 0.5, 0, 1)
        picture += (grey - picture) * share
    return picture.astype(np.float32)
