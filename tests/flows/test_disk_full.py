"""A full disk damages nothing: it is told in one line, and the same command goes on after room is made."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows._plan import study_videos, to_perceive
from flows._study import open_study
from schema.errors import StoreFullError
from tests.studies import digests, make_study, paint_video, run_to_candidates


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 KiB: enough for frames and shots, too small for a film."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    folder = tmp_path / "study" / "proxies"
    folder.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"this machine mounts no tmpfs: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=False)


def test_a_full_disk_damages_nothing_and_the_run_goes_on_after_room_is_made(small_disk: Path) -> None:
    root = small_disk.parent
    paint_video(root / "recordings" / "one.mp4")
    study = make_study(root)
    with pytest.raises(StoreFullError) as caught:
        run_to_candidates(study)
    assert "\n" not in str(caught.value)
    assert "make room" in str(caught.value)
    assert not [path.name for path in small_disk.iterdir() if path.name.startswith(".") or path.suffix == ".parquet"]
    before = digests(root, ("frames", "shots", "tracks", "keypoints"))
    assert len(before) == 4
    subprocess.run(["mount", "-o", "remount,size=16m", small_disk], check=True)
    run_to_candidates(open_study(root))
    assert not to_perceive(study, study_videos(study))
    assert digests(root, ("frames", "shots", "tracks", "keypoints")) == before
    assert sorted(path.suffix for path in small_disk.iterdir()) == [".mp4", ".parquet"]
