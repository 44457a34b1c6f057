"""How long a release takes to build, validate and weigh at the size of iMiGUE-3K, and in how much memory.

    python benchmarks/release_scale.py [SCALE]     1: 332 subjects, 3,400 videos, 13,670 segments, 3.7 million frames

The study is generated (``benchmarks/generated_study.py``); making its keypoints is timed apart, because a real study
reads them from its tables. iMiGUE-3K has 37 million frames: time and bytes of the keypoints grow with the frames, so
the last lines take them times ten.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from generated_study import StudySize, generated_inputs

from releases.build import build_release
from releases.config import ReleaseConfig
from releases.validation.validate import validate_release

FRAMES_OF_IMIGUE_3K = 37_000_000


class Timed:
    """Counts the seconds that are spent inside a function."""

    def __init__(self, inner: Callable[[str], pa.Table]) -> None:
        self.inner, self.seconds = inner, 0.0

    def __call__(self, video_id: str) -> pa.Table:
        """Call it."""
        started = time.perf_counter()
        try:
            return self.inner(video_id)
        finally:
            self.seconds += time.perf_counter() - started


def main() -> None:
    """Build, validate, and print the table."""
    scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    whole = StudySize()
    size = StudySize(
        subjects=max(3, round(whole.subjects * scale)),
        videos=max(6, round(whole.videos * scale)),
        segments=max(24, round(whole.segments * scale)),
        frames=max(6_000, round(whole.frames * scale)),
    )
    inputs = generated_inputs(size)
    keypoints = Timed(inputs.keypoints_of)
    before_gib = peak_gib()
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        release = build_release(
            replace(inputs, keypoints_of=keypoints),
            releases_folder=Path(folder),
            config=ReleaseConfig(name="scale"),
        )
        built = time.perf_counter() - started - keypoints.seconds
        built_gib = peak_gib()
        started = time.perf_counter()
        findings = validate_release(release)
        validated = time.perf_counter() - started
        tables = {p: p.stat().st_size for p in (release / "data").iterdir()}
        keypoint_bytes = sum(size for path, size in tables.items() if path.name.startswith("keypoints"))
        other_bytes = sum(tables.values()) - keypoint_bytes
    rows = [
        ("subjects, videos, segments, frames", f"{size.subjects}, {size.videos}, {size.segments}, {size.frames:,}"),
        ("findings of validation", len(findings)),
        ("build, s", f"{built:.0f}"),
        ("of it nothing, but making the keypoints took, s", f"{keypoints.seconds:.0f}"),
        ("validate, s", f"{validated:.0f}"),
        ("peak memory before, after building, GiB", f"{before_gib:.2f}, {built_gib:.2f}"),
        ("peak memory after validating, GiB", f"{peak_gib():.2f}"),
        ("keypoints, MB", f"{keypoint_bytes / 1e6:.0f}"),
        ("bytes a frame", f"{keypoint_bytes / size.frames:.0f}"),
        ("other tables, MB", f"{other_bytes / 1e6:.1f}"),
        ("37 million frames: build, minutes", f"{built * FRAMES_OF_IMIGUE_3K / size.frames / 60:.0f}"),
        ("37 million frames: keypoints, GB", f"{keypoint_bytes * FRAMES_OF_IMIGUE_3K / size.frames / 1e9:.1f}"),
    ]
    for name, value in rows:
        print(f"{name:50} {value}")


def peak_gib() -> float:
    """Return the most memory that this process has held, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
