"""Digests of files."""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from hashlib import file_digest, sha256
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

BLOCK_BYTES = 1 << 20
LONGEST_QUEUE = 8
"""Blocks that may wait to be digested, of which yt-dlp's have 4 MB at most; a faster writer waits."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 hexadecimal digits.

    Reads the file in small blocks, whatever its size. Raises ``OSError`` where it can't be read.
    """
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


class DigestBehind(AbstractContextManager["DigestBehind"]):
    """The SHA-256 of a file that is being written, taken by a thread behind the writer.

    Without it a file of 90 MB takes 0.3 s more after its last byte where the processor has no instructions for it.
    """

    def __init__(self) -> None:
        """Take nothing yet; the thread begins with the first bytes."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sha256")
        self._part = ExitStack()
        self._waiting: deque[Future[None]] = deque()
        self._digest = sha256()
        self._byte_count: int | None = None
        self._is_lost = False

    def begin(self, path: Path, *, byte_count: int) -> None:
        """Begin with what the file holds when it is opened to be written: 0 bytes, or a part that is taken up."""
        self._settle()
        self._part.close()
        self._digest, self._byte_count, self._is_lost = sha256(), byte_count, False
        if byte_count:
            # opened here: the writer may give the file its last name before the thread comes to it
            file = self._part.enter_context(path.open("rb"))
            self._waiting.append(self._thread.submit(self._read, file, byte_count))

    def add(self, block: bytes) -> None:
        """Take the bytes that were written next."""
        if self._byte_count is not None:
            self._byte_count += len(block)
            self._waiting.append(self._thread.submit(self._digest.update, block))
            if len(self._waiting) > LONGEST_QUEUE:
                self._waiting.popleft().result()

    def of(self, path: Path) -> str | None:
        """Return the digest of the file, now that it is written; None where the bytes that were seen are not all of it.

        Raises ``OSError`` where a part that was taken up can't be read.
        """
        self._settle()
        return self._digest.hexdigest() if self._byte_count == path.stat().st_size and not self._is_lost else None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the thread; what still waits is given up."""
        self._thread.shutdown(cancel_futures=True)
        self._part.close()

    def _settle(self) -> None:
        while self._waiting:
            self._waiting.popleft().result()

    def _read(self, file: BinaryIO, byte_count: int) -> None:
        while byte_count and (block := file.read(min(byte_count, BLOCK_BYTES))):
            self._digest.update(block)
            byte_count -= len(block)
        self._is_lost = byte_count > 0  # somebody else shortened it
