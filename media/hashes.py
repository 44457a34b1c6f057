"""Digests of files."""

from hashlib import file_digest
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 hexadecimal digits.

    Reads the file in small blocks, whatever its size. Raises ``OSError`` where it can't be read.
    """
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
