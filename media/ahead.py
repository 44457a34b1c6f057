"""Decoding that runs ahead of whoever uses the frames, so that neither waits for the other."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from queue import SimpleQueue
from threading import Semaphore
from types import GeneratorType
from typing import Generic, TypeVar

Item = TypeVar("Item")

READ_AHEAD_FRAMES = 8
"""How far decoding runs ahead: 22 MB of 1280 x 720 pictures, 200 MB of 3840 x 2160."""


def read_ahead(items: Iterable[Item], *, depth: int = READ_AHEAD_FRAMES) -> Iterator[Item]:
    """Yield the same items in the same order, made ahead in a thread of their own.

    Decoders, OpenCV and networks let go of Python's lock while they compute: with decoding in a thread the next frame
    is ready when it is asked for. Whatever ``items`` raises is raised here, after the items that came before it. When
    the generator that this returns is closed or dropped early, the thread ends after the item in hand, and ``items``,
    if it is a generator, is closed in that thread.

    Args:
        items: Anything that is iterated once, such as ``decode_frames``; begun when the first item is asked for.
        depth: The most items that are made and not yet taken.

    Raises:
        ValueError: A depth below 1, when the first item is asked for.
    """
    if depth < 1:
        raise ValueError(f"reading ahead needs a depth of at least 1, got {depth}")
    reader = _Reader(items, depth)
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as pool:
        work = pool.submit(reader.fill)
        try:
            yield from reader.taken()
            work.result()
        finally:
            reader.stop()


class _End:
    """Follows the last item."""


class _Reader(Generic[Item]):
    """A queue that holds a bounded number of items, and the loop that fills it."""

    def __init__(self, items: Iterable[Item], depth: int) -> None:
        self._items = items
        self._free = Semaphore(depth)
        self._queue: SimpleQueue[Item | _End] = SimpleQueue()
        self._is_stopped = False

    def fill(self) -> None:
        """Take the items while there is room; runs in the thread."""
        items = self._items
        try:
            with closing(items) if isinstance(items, GeneratorType) else nullcontext():
                iterator = iter(items)
                while self._has_room():
                    self._queue.put(next(iterator))
        except StopIteration:
            return
        finally:
            self._queue.put(_End())

    def _has_room(self) -> bool:
        """Wait for room; false where nobody wants more.

        Room comes first: an item that waited for it in the hand would be one more than the depth.
        """
        self._free.acquire()
        return not self._is_stopped

    def taken(self) -> Iterator[Item]:
        """Yield the items as they come."""
        while not isinstance(item := self._queue.get(), _End):
            self._free.release()
            yield item

    def stop(self) -> None:
        """Let the thread end, even one that waits for room."""
        self._is_stopped = True
        self._free.release()
