"""The top-level boxes of an MP4 or QuickTime file (ISO/IEC 14496-12, 4.2): whether the file holds all that it lists."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HEADER_BYTES, WIDE_HEADER_BYTES = 8, 16
"""32-bit size and type; a size of 1 is followed by a 64-bit one."""
FIRST_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
"""What such a file begins with."""
NEEDED_BOXES = frozenset({b"mdat", b"moov", b"moof"})
"""Pictures, index, and index of a fragment; any other may be lacking in part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box:
    kind: bytes
    is_whole: bool


def is_cut_off(path: Path) -> bool:
    """Tell whether an MP4 or QuickTime file ends inside a box that it needs, or before its index.

    Any other file is not: this tells nothing about it. Reads a few bytes a box.
    """
    boxes = list(_boxes(path))
    if not boxes or boxes[0].kind not in FIRST_BOXES:
        return False
    has_index = any(box.kind in (b"moov", b"moof") and box.is_whole for box in boxes)
    return not has_index or any(box.kind in NEEDED_BOXES and not box.is_whole for box in boxes)


def _boxes(path: Path) -> Iterator[_Box]:
    end = path.stat().st_size
    start = 0
    with path.open("rb") as file:
        while start + HEADER_BYTES <= end:
            file.seek(start)
            header = file.read(WIDE_HEADER_BYTES)
            size, kind = int.from_bytes(header[:4], "big"), header[4:8]
            if size == 1:
                size = int.from_bytes(header[8:16], "big")
            elif size == 0:  # the last box may leave its size open
                size = end - start
            if size < HEADER_BYTES:
                return
            yield _Box(kind=kind, is_whole=start + size <= end)
            start += size
