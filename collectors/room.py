"""Limits of a run: free disk, videos and bytes."""

import shutil
from pathlib import Path
from threading import Lock

from schema.errors import StoreFullError


def check_room(folder: Path, *, byte_count: int | None, keep_free_bytes: int) -> None:
    """Raise ``StoreFullError`` where the next video would leave less free disk than is to be kept.

    ``folder`` need not exist yet. ``byte_count`` is the video's size; of an unknown one only the disk as it is counts.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    if free - (byte_count or 0) >= keep_free_bytes:
        return
    need = f", the next video needs {_text(byte_count)}" if byte_count else ""
    raise StoreFullError(
        f"the disk of the study has {_text(free)} free{need}, and collect.keep_free_gigabytes keeps "
        f"{_text(keep_free_bytes)}: make room or lower it, then run the same command again"
    )


def _text(byte_count: int) -> str:
    return f"{byte_count / 1e9:.1f} GB" if byte_count >= 10**9 else f"{byte_count / 1e6:.1f} MB"


class Quota:
    """What one run may fetch. Safe for threads."""

    def __init__(self, *, videos: int = 0, bytes: int = 0) -> None:
        """Set the limits; 0 is none."""
        self._most_videos = videos
        self._most_bytes = bytes
        self._lock = Lock()
        self._begun = 0
        self._bytes = 0

    def begin(self) -> bool:
        """Reserve one video; False once the quota is spent. Every True is followed by one ``end``."""
        with self._lock:
            if self._why():
                return False
            self._begun += 1
            return True

    def end(self, byte_count: int, *, got: bool) -> None:
        """Count what was downloaded; a try that got no video gives its reservation back, not its bytes."""
        with self._lock:
            self._bytes += byte_count
            self._begun -= not got

    def add(self, *, videos: int, byte_count: int) -> None:
        """Count what was fetched without a reservation."""
        with self._lock:
            self._begun += videos
            self._bytes += byte_count

    @property
    def is_spent(self) -> bool:
        """Tell whether no further video may be begun."""
        return self.why_spent != ""

    @property
    def why_spent(self) -> str:
        """Which limit ended the run, for its summary; empty while there is something left."""
        with self._lock:
            return self._why()

    def _why(self) -> str:
        if self._most_videos and self._begun >= self._most_videos:
            return f"collect.videos_per_run: {self._begun} videos"
        if self._most_bytes and self._bytes >= self._most_bytes:
            return f"collect.gigabytes_per_run: {_text(self._bytes)} were downloaded"
        return ""
