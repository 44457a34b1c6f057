"""The video files of a study, each under the digest of its content."""

import errno
import os
import re
import shutil
from hashlib import sha256 as new_sha256
from pathlib import Path
from typing import BinaryIO

from schema.errors import DamagedTableError, DropReason, ItemError, StoreFullError
from schema.layout import StudyLayout
from schema.tables import written_beside

KNOWN_SUFFIXES = (
    *(".3gp", ".avi", ".flv", ".ivf", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf"),
    *(".ogv", ".rm", ".ts", ".webm", ".wmv"),
)
"""Other suffixes are not kept: what stands behind the last dot of a file's name may be a player's name."""
BLOCK_BYTES = 1 << 20
_DIGEST = re.compile(r"[0-9a-f]{64}")


class MediaStore:
    """Keeps video files at ``<root>/media/<sha256><suffix>``; a file that is there is whole and never changes."""

    def __init__(self, layout: StudyLayout) -> None:
        self._folder = layout.media

    def add(self, path: Path, *, sha256: str, move: bool = False) -> Path:
        """Take a file into the store, unless its content is there already, and return where it lies.

        Args:
            path: The file.
            sha256: Digest of its content.
            move: The file is the caller's to give away, and ``sha256`` was just computed from it: it is renamed
                into the store without being read again, and is gone afterwards also where its content was there.
                Across file systems it is copied and checked like any other.

        Raises:
            ItemError: The file is gone, can't be read, or (unless renamed) is not what ``sha256`` says; the store then
                is as before.
            StoreFullError: The disk is full; the store then is as before.
        """
        held = self._find(sha256)
        if held is None:
            if not path.is_file():
                raise ItemError(DropReason.MISSING, "no such file")
            suffix = path.suffix.lower()
            held = self._folder / f"{sha256}{suffix if suffix in KNOWN_SUFFIXES else ''}"
            self._folder.mkdir(parents=True, exist_ok=True)
            if not (move and _renamed(path, held)):
                self._copy_in(path, held, sha256)
        if move:
            path.unlink(missing_ok=True)
        return held

    def _copy_in(self, path: Path, target: Path, sha256: str) -> None:
        byte_count = path.stat().st_size
        self._check_room(byte_count)
        try:
            with _opened(path) as reader, written_beside(target) as beside:
                if _copy(reader, beside) != sha256:
                    raise ItemError(DropReason.UNREADABLE, "the file changed since its digest was taken")
        except StoreFullError as error:
            raise StoreFullError(f"{error}; the video needs {byte_count / 1e6:.1f} MB") from error

    def path_of(self, sha256: str) -> Path:
        """Return where a video lies; raises ``DamagedTableError`` that names what to restore where it does not."""
        held = self._find(sha256)
        if held is None:
            raise DamagedTableError(
                f"{self._folder / sha256}.*: the video file is gone though the study recorded it; restore it from the "
                "backup, or collect its source again"
            )
        return held

    def digests(self) -> set[str]:
        """Return the digests of all videos that are there, from a listing alone."""
        if not self._folder.is_dir():
            return set()
        names = (path.name.partition(".")[0] for path in self._folder.iterdir())
        return {name for name in names if _DIGEST.fullmatch(name)}

    def remove(self, sha256: str) -> int:
        """Delete a video; returns the bytes that were freed, 0 where it is gone already."""
        held = self._find(sha256)
        if held is None:
            return 0
        byte_count = held.stat().st_size
        held.unlink(missing_ok=True)
        return byte_count

    def _find(self, sha256: str) -> Path | None:
        if not _DIGEST.fullmatch(sha256):
            raise ValueError(f"a SHA-256 has 64 hexadecimal digits, got {sha256!r}")
        names = (sha256, *(f"{sha256}{suffix}" for suffix in KNOWN_SUFFIXES))
        return next((self._folder / name for name in names if (self._folder / name).is_file()), None)

    def _check_room(self, byte_count: int) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < byte_count:
            raise StoreFullError(
                f"{self._folder}: the disk is full ({free / 1e6:.1f} MB free); the video needs {byte_count / 1e6:.1f} "
                "MB; nothing was damaged: make room and run the same command again"
            )


def _renamed(path: Path, target: Path) -> bool:
    """Rename the file once its content is safe from a power cut; False where the target is on another file system."""
    try:
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.replace(target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return False
        raise ItemError(DropReason.UNREADABLE, f"the file can't be moved: {error.strerror}") from None
    return True


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ItemError(DropReason.UNREADABLE, f"the file can't be read: {error.strerror}") from None


def _copy(reader: BinaryIO, target: Path) -> str:
    digest = new_sha256()
    with target.open("wb") as writer:
        while block := reader.read(BLOCK_BYTES):
            digest.update(block)
            writer.write(block)
    return digest.hexdigest()
