"""Copies found under what re-uploads do to a video, beside a plain picture hash; and how the cost grows.

    python benchmarks/duplicates.py copies [FOLDER [SECONDS ...]]  precision and recall on the clips of a folder
    python benchmarks/duplicates.py growth [COUNT ...]             time and memory for so many videos of 6 minutes

Copies: every video of the folder is cut into parts of equal length, which are the hardest strangers there are: the same
room, camera and people at another time. Each part is shown again under each transform, and every showing is compared
with every part. The folder is ``../shared/media/videos`` where it is there; else painted rooms are compared.
The picture hash is imagehash's ``phash`` once a second; its score is the share of seconds within 10 of 64 bits at the
best offset, and its threshold is set as favourably as can be: just above its best false pair. It is left out where
imagehash is not installed (``pip install imagehash``).

Growth: invented gestures at 3 a second; 20 videos are copies of others (5 s trimmed, half at 1.05 times the speed).
Each count runs in a process of its own.
"""

import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
from PIL import Image

from collectors.duplicates import SHORTEST_OVERLAP_S, CopyLink, find_copies
from collectors.fingerprints import GRID, RATE_HZ, Fingerprint, motion_of, movement_of
from media.samples import sample_brightness
from schema.errors import ItemError
from schema.records import VideoId

SHARED = Path(__file__).parents[2] / "shared" / "media" / "videos"
LENGTHS_S = (5, 8, 16, 32)
EVEN = "scale=trunc(iw/2)*2:trunc(ih/2)*2"
CROP = "crop=trunc(iw*0.9/2)*2:trunc(ih*0.9/2)*2"
LOGO = "drawbox=x=iw*0.78:y=ih*0.06:w=iw*0.18:h=ih*0.16:color=red:t=fill"
TRANSFORMS: dict[str, tuple[str, str, float]] = {
    "re-encode": (EVEN, "36", 0),
    "half size": ("scale=trunc(iw/4)*2:trunc(ih/4)*2", "26", 0),
    "crop 10 %": (CROP, "26", 0),
    "crop 20 %, corner": ("crop=trunc(iw*0.8/2)*2:trunc(ih*0.8/2)*2:0:0", "26", 0),
    "logo": (f"{EVEN},{LOGO}", "26", 0),
    "brighter": (f"{EVEN},eq=brightness=0.12:contrast=1.1", "26", 0),
    "darker": (f"{EVEN},eq=brightness=-0.12", "26", 0),
    "1.05 x speed": (f"{EVEN},setpts=PTS/1.05", "26", 0),
    "25 frames/s": (f"{EVEN},fps=25", "26", 0),
    "5 s trimmed": (EVEN, "26", 5),
    "all at once": (f"{CROP},scale=trunc(iw*0.3)*2:-2,{LOGO},eq=brightness=0.1,setpts=PTS/1.05,fps=25", "32", 5),
}
"""ffmpeg filter, x264's constant rate factor, seconds cut from the start."""
PHASH_BITS = 10
PLANTED = 20
MINUTES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """One file: a part of a recording under a transform."""

    name: VideoId
    part: str
    transform: str
    """Empty for the part itself."""
    path: Path


def ffmpeg(*arguments: str) -> None:
    """Run the ffmpeg of imageio-ffmpeg."""
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "fatal", "-y", "-threads", "1", *arguments], check=True)


def cut_parts(source: Path, folder: Path, *, length_s: int) -> Iterator[Path]:
    """Cut a recording into parts that do not overlap; what is left over at the end is not used."""
    try:
        seconds = sample_brightness(source, rate_hz=RATE_HZ, grid=GRID).shape[0] / RATE_HZ
    except ItemError:
        return
    for number in range(int(seconds // length_s)):
        target = folder / f"{source.stem}-{number}.mkv"
        span = ("-ss", str(number * length_s), "-t", str(length_s))
        ffmpeg(*span, "-i", str(source), "-an", "-c:v", "libx264", "-crf", "16", "-vf", EVEN, str(target))
        yield target


def show(part: Path, folder: Path, *, length_s: int) -> Iterator[Showing]:
    """Yield a part and what each transform makes of it, but for those that leave too little to judge."""
    yield Showing(name=VideoId(part.stem), part=part.stem, transform="", path=part)
    for number, (transform, (filters, quality, trim_s)) in enumerate(TRANSFORMS.items()):
        if length_s - trim_s < SHORTEST_OVERLAP_S:
            continue
        target = folder / f"{part.stem}-t{number}.mp4"
        rest = ("-an", "-c:v", "libx264", "-preset", "veryfast", "-crf", quality, "-vf", filters, str(target))
        ffmpeg("-ss", str(trim_s), "-i", str(part), *rest)
        yield Showing(name=VideoId(target.stem), part=part.stem, transform=transform, path=target)


def paint_parts(folder: Path, *, length_s: int) -> list[Path]:
    """Write painted rooms: two rooms, two speakers each, two times each."""
    from tests.collectors.moving_rooms import Take, write_take

    takes = [(room, 2 * room + person, start) for room in (0, 1) for person in (0, 1) for start in (0, 60)]
    return [
        write_take(
            folder / f"room{room}-{speaker}-{start}.mkv",
            room=room, speaker=speaker, take=Take(trim_s=start, seconds=length_s),
        )
        for room, speaker, start in takes
    ]  # fmt: skip


def phashes(path: Path) -> npt.NDArray[np.bool_]:
    """Return imagehash's 64 bits of one picture a second; none where imagehash is not installed."""
    import av

    if find_spec("imagehash") is None:
        return np.zeros((1, 64), dtype=np.bool_)
    imagehash = import_module("imagehash")
    found, due_s = [], 0.0
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= due_s:
                found.append(imagehash.phash(Image.fromarray(frame.to_ndarray(format="rgb24"))).hash.ravel())
                due_s += 1
    return np.array(found)


def phash_score(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    """Return the share of seconds that look alike at the best offset."""
    near = (one[:, None] != other[None]).sum(axis=2) <= PHASH_BITS
    least = min(len(one), len(other)) // 2 or 1
    diagonals = [np.diagonal(near, offset) for offset in range(-len(one) + 1, len(other))]
    return max(float(d.sum()) / min(len(one), len(other)) for d in diagonals if d.size >= least)


def measure_copies(parts: list[Path], folder: Path, *, length_s: int) -> None:
    """Print a table for parts of one length."""
    showings = [showing for part in parts for showing in show(part, folder, length_s=length_s)]
    brightness = {one.name: sample_brightness(one.path, rate_hz=RATE_HZ, grid=GRID) for one in showings}
    fingerprints = [Fingerprint(video_id=name, motion=motion_of(values)) for name, values in brightness.items()]
    links = find_copies(fingerprints, movement_of=lambda name: movement_of(brightness[name]))
    found = {frozenset((link.first, link.second)) for link in links}
    hashes = {one.name: phashes(one.path) for one in showings}
    originals = [one for one in showings if not one.transform]
    pairs = [(one, other) for one in originals for other in showings if other.transform]
    alike = {(a.name, b.name): phash_score(hashes[a.name], hashes[b.name]) for a, b in pairs}
    best_false = max((alike[a.name, b.name] for a, b in pairs if a.part != b.part), default=0.0)
    by_transform: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for one, other in pairs:
        if one.part == other.part:
            pair = frozenset((one.name, other.name))
            by_transform[other.transform].append((pair in found, alike[one.name, other.name] > best_false))
    false = sum(len({one.part for one in showings if one.name in pair}) > 1 for pair in found)
    strangers = sum(a.part != b.part for n, a in enumerate(showings) for b in showings[:n])
    print(f"\nparts of {length_s} s: {len(parts)}; {false} false among {strangers} pairs of strangers")
    print(f"{'transform':20} {'pressroom':>12} {'phash':>12}")
    for transform, hits in by_transform.items():
        print(f"{transform:20} {_share([hit for hit, _ in hits]):>12} {_share([hit for _, hit in hits]):>12}")
    every = [hit for hits in by_transform.values() for hit in hits]
    print(f"{'all':20} {_share([hit for hit, _ in every]):>12} {_share([hit for _, hit in every]):>12}", flush=True)
    if find_spec("imagehash") is not None:
        print(f"best false pair of phash: {best_false:.2f} of the seconds alike")


def _share(hits: list[bool]) -> str:
    return f"{sum(hits)}/{len(hits)}"


def measure_folder(source: Path, lengths_s: Sequence[int]) -> None:
    """Print a table for each length."""
    for length_s in lengths_s:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            files = sorted(source.iterdir()) if source.is_dir() else []
            parts = [part for file in files for part in cut_parts(file, folder, length_s=length_s)]
            measure_copies(parts or paint_parts(folder, length_s=length_s), folder, length_s=length_s)


class Gestures:
    """An invented speaker: gestures with a place, a time, a length and a size."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        count = MINUTES * 60 * 3
        self.times = random.uniform(0, MINUTES * 60 * RATE_HZ, count)
        self.lengths = 0.7 + random.gamma(2, 0.7, count)
        self.sizes = random.lognormal(0, 1, count)
        self.places = random.uniform(-0.1, 0.1, 2) + random.normal(0, 0.15, (count, 2))

    def shapes(self, samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Return how strong each gesture is at each sample, shape ``(n, gestures)``."""
        return np.asarray(
            self.sizes * np.exp(-0.5 * ((samples[:, None] - self.times) / self.lengths) ** 2), dtype=np.float32
        )

    def motion(self, samples: npt.NDArray[np.float64], *, seed: int) -> npt.NDArray[np.float32]:
        """Return a fingerprint's small part, with what encoders add."""
        shapes = self.shapes(samples)
        noise = np.random.default_rng(seed).normal(0, (0.1, 0.005, 0.005), (samples.size, 3))
        mass = shapes.sum(axis=1)
        centers = shapes @ self.places / (mass + 0.05)[:, None]
        return np.asarray(np.column_stack([np.log(mass + 0.05), centers]) + noise, dtype=np.float32)

    def movement(self, samples: npt.NDArray[np.float64]) -> npt.NDArray[np.int8]:
        """Return the movement pictures."""
        points = np.linspace(-0.5, 0.5, GRID)
        across = np.exp(-0.5 * ((points[None] - self.places[:, :1]) / 0.08) ** 2)
        down = np.exp(-0.5 * ((points[None] - self.places[:, 1:]) / 0.08) ** 2)
        blobs = (down[:, :, None] * across[:, None, :]).reshape(-1, GRID * GRID).astype(np.float32)
        return movement_of(20 * (self.shapes(samples) @ blobs).reshape(-1, GRID, GRID))


def _library(count: int) -> dict[VideoId, tuple[int, npt.NDArray[np.float64]]]:
    """Return seed and sampled times of each video; the last ones are copies of the first."""
    whole = np.arange(MINUTES * 60 * RATE_HZ, dtype=np.float64)
    videos = {VideoId(f"v{n:05}"): (n, whole) for n in range(count - PLANTED)}
    for number in range(PLANTED):
        speed = 1.05 if number % 2 else 1.0
        videos[VideoId(f"w{number:05}")] = (number, np.arange(5 * RATE_HZ, whole.size - 1, speed))
    return videos


def measure_growth(count: int) -> None:
    """Print time and memory of comparing so many videos; runs in its own process."""
    videos = _library(count)
    fingerprints = [
        Fingerprint(video_id=name, motion=Gestures(seed).motion(samples, seed=n))
        for n, (name, (seed, samples)) in enumerate(videos.items())
    ]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, started_cpu = time.monotonic(), time.process_time()
    links = find_copies(fingerprints, movement_of=lambda name: Gestures(videos[name][0]).movement(videos[name][1]))
    seconds, cpu = time.monotonic() - started, time.process_time() - started_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    right = sum(_is_planted(link, videos) for link in links)
    print(
        f"{count:7} {seconds:8.1f} {cpu:8.1f} {1000 * cpu / count:10.1f} {before / 1024:8.0f} {peak / 1024:8.0f} "
        f"{right:6}/{PLANTED} {len(links) - right:6}",
        flush=True,
    )


def _is_planted(link: CopyLink, videos: dict[VideoId, tuple[int, npt.NDArray[np.float64]]]) -> bool:
    return videos[link.first][0] == videos[link.second][0]


def main() -> None:
    """Print what the command line asks for."""
    what, *arguments = sys.argv[1:] or ["all"]
    if what in ("all", "copies"):
        lengths_s = [int(text) for text in arguments[1:]] if what == "copies" else []
        measure_folder(Path(arguments[0]) if arguments else SHARED, lengths_s or LENGTHS_S)
    if what in ("all", "growth"):
        print(
            f"\n{'videos':>7} {'s':>8} {'CPU s':>8} {'CPU ms/vid':>10} {'MB held':>8} {'MB peak':>8} {'found':>9} false"
        )
        for count in [int(text) for text in arguments] or [425, 850, 1700, 3400]:
            process = multiprocessing.get_context("spawn").Process(target=measure_growth, args=(count,))
            process.start()
            process.join()


if __name__ == "__main__":
    main()
