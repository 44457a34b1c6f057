"""Segments a second and memory of a release beside the other forms that people keep such data in.

    python benchmarks/release_loading.py [--segments N] [--share SHARE] [--rounds N] [--ways NAME ...]

N segments (4000) of 40 to 80 frames and 133 points lie in tracks of 3,000 to 9,000 frames. They fill SHARE (0.37) of
their tracks: iMiGUE has 18,499 clips of 2.5 s in 34.9 hours. The points are estimated on real clips, played forth and
back at other sizes and places. **The release holds the whole tracks, the other forms the segments alone**: to read
the segments once, its reader decodes the frames between them too.

An epoch gives each segment once, in an order of chance, as one float32 array (frames, 133, 3). "load" is what comes
before the first segment can be asked for, "cold epoch" that and the epoch. Random access takes segments of all tracks
one after the other. Each way runs in a process of its own, the ways in turn, several rounds; the fastest round counts.
Memory is the most that the process held during load and epoch above what it held before: with its libraries imported,
and one row of Parquet and a small pickle read.

"not cached": the files were dropped from the page cache (posix_fadvise) before each run; "cached": they were read
before. Dropping is a request: where the disk's speed shows no difference, the host cached it.
"""

import argparse
import hashlib
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from release_loading_ways import WAYS

RANDOM_SEGMENTS = 200
SLOW = ("datasets",)
"""Ways that run once a table: minutes a round."""


def resident_mb(what: str) -> float:
    """Return ``VmRSS`` (now) or ``VmHWM`` (at most so far) of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith(what))


def run_way(name: str, folder: Path) -> dict[str, Any]:
    """Load, go through an epoch, then take some segments at random; in a process that does nothing else."""
    if name == "datasets":
        import datasets  # noqa: F401
    pq.read_table(folder / "one.parquet", use_threads=False)
    pickle.loads((folder / "one.pkl").read_bytes())
    before_mb = resident_mb("VmHWM")
    started, processor_started = time.perf_counter(), time.process_time()
    way = WAYS[name][1](folder)
    loaded = time.perf_counter()
    seen = [(len(values), round(float(values[len(values) // 2, :, 2].sum()), 2)) for values in way.epoch(0)]
    done, processor_done = time.perf_counter(), time.process_time()
    peak_mb = resident_mb("VmHWM")
    chosen = np.random.default_rng(1).permutation(len(seen))[:RANDOM_SEGMENTS].tolist()
    began = time.perf_counter()
    for number in chosen:
        way.segment(number)
    return {
        "segments": len(seen),
        "load_s": loaded - started,
        "cold_s": done - started,
        "processor_s": processor_done - processor_started,
        "memory_mb": peak_mb - before_mb,
        "random_a_second": len(chosen) / (time.perf_counter() - began),
        "digest": hashlib.sha256(repr(sorted(seen)).encode()).hexdigest()[:12],
    }


def files_of(folder: Path) -> list[Path]:
    """Return every file that a way may read."""
    return [path for path in folder.rglob("*") if path.is_file() and "hub" not in path.parts]


def set_cached(folder: Path, *, cached: bool) -> None:
    """Bring the files into the page cache, or drop them."""
    for path in files_of(folder):
        if cached:
            path.read_bytes()
            continue
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def measure(name: str, folder: Path, *, round_number: int) -> dict[str, Any]:
    """Run a way in a fresh process; the ``datasets`` library gets an empty cache of its own."""
    hub = folder / "hub" / f"{name}-{round_number}-{time.monotonic_ns()}"
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(hub), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--run", name, "--folder", str(folder)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def best_of(ways: Sequence[str], folder: Path, *, cached: bool, rounds: int) -> dict[str, dict[str, Any]]:
    """Return the fastest run of each way; memory is the most of all runs."""
    best: dict[str, dict[str, Any]] = {}
    for round_number in range(rounds):
        for name in ways:
            if name in SLOW and round_number:
                continue
            set_cached(folder, cached=cached)
            found = measure(name, folder, round_number=round_number)
            former = best.get(name, found)
            faster = min(found, former, key=lambda run: run["cold_s"])
            most_mb = max(found["memory_mb"], former["memory_mb"])
            random = max(found["random_a_second"], former["random_a_second"])
            best[name] = faster | {"memory_mb": most_mb, "random_a_second": random}
    return best


def print_table(best: dict[str, dict[str, Any]], *, heading: str) -> None:
    """Print one line a way, with its ratio to the pickle."""
    print(
        f"\n{heading:<34} {'load s':>7} {'cold epoch s':>13} {'segments/s':>11} {'processor s':>12} {'memory MB':>10} "
        f"{'at random/s':>12} {'speed':>7} {'memory':>7}"
    )
    pickled = best.get("pickle32")
    for name, run in best.items():
        ratios = ""
        if pickled:
            ratios = f"{pickled['cold_s'] / run['cold_s']:>7.2f} {run['memory_mb'] / pickled['memory_mb']:>7.3f}"
        print(
            f"{WAYS[name][0]:<34} {run['load_s']:>7.2f} {run['cold_s']:>13.2f} "
            f"{run['segments'] / run['cold_s']:>11.0f} "
            f"{run['processor_s']:>12.2f} {run['memory_mb']:>10.0f} {run['random_a_second']:>12.0f} {ratios}",
            flush=True,
        )
    digests = {run["digest"] for name, run in best.items() if name != "pickle16"}
    print("all ways gave the same scores" if len(digests) == 1 else f"THE WAYS DIFFER: {digests}")


def make(folder: Path, arguments: argparse.Namespace) -> None:
    """Write all forms of the data and print their sizes."""
    from release_loading_data import write_others, write_release

    from releases.config import ReleaseConfig

    changed = {"row_group_rows": arguments.row_group_rows} if arguments.row_group_rows else {}
    config = ReleaseConfig(name="bench", **changed)
    written = write_release(
        folder / "release", segments=arguments.segments, labelled_share=arguments.share, config=config
    )
    write_others(folder / "release", folder)
    pq.write_table(pa.table({"k": [1]}), folder / "one.parquet")
    (folder / "one.pkl").write_bytes(pickle.dumps([np.zeros(1)]))
    print(
        f"{written.segments} segments of {written.segment_rows} frames in {written.keypoint_rows} frames of tracks "
        f"({written.segment_rows / written.keypoint_rows:.0%}); row groups of {config.row_group_rows}, "
        f"files of {config.shard_rows} rows; {os.cpu_count()} cores"
    )
    raw = written.segment_rows * 133 * 12
    for name in ("release", "pyskl32.pkl", "pyskl16.pkl", "split.npz", "npz", "nested.parquet"):
        path = folder / name
        size = path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in files_of(path))
        print(f"  {name:<16} {size / 1e6:>8.1f} MB, {size / raw:.2f} of the segments' raw float32")
    size = sum(p.stat().st_size for p in files_of(folder / "release"))
    print(f"  the release is {size / (written.keypoint_rows * 133 * 12):.3f} of its tracks' raw float32")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--segments", type=int, default=4000)
    parser.add_argument("--share", type=float, default=0.37)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--row-group-rows", type=int)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--run", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        print(json.dumps(run_way(arguments.run, arguments.folder)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make(folder, arguments)
        for cached in (False, True):
            best = best_of(arguments.ways, folder, cached=cached, rounds=arguments.rounds)
            print_table(best, heading="cached" if cached else "not cached")


if __name__ == "__main__":
    main()
