"""Text that a picture file carries beside its pixels: PNG chunks, JPEG segments, and what lies behind the picture."""

import struct
import zlib
from collections.abc import Iterator

PNG_MAGIC, JPEG_MAGIC = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_PIXEL_CHUNKS = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"bKGD"})
"""PNG chunks (ISO/IEC 15948:2004, 11) that hold numbers alone."""
_LARGEST_TEXT = 1 << 24
"""Compressed text is unpacked up to 16 MiB: a small chunk can hold a text that fills the memory."""
_START_OF_SCAN, _COMMENT = 0xDA, 0xFE


def is_picture(data: bytes) -> bool:
    """Tell whether a file begins like a PNG or a JPEG."""
    return data.startswith((PNG_MAGIC, JPEG_MAGIC))


def picture_text(data: bytes) -> list[str]:
    """Return the texts of a PNG or JPEG file: names and values of its metadata, and all behind the picture's end.

    A damaged file is read as far as its structure goes; the rest of it counts as text.
    """
    found = _png_blocks(data) if data.startswith(PNG_MAGIC) else _jpeg_blocks(data)
    return [text for block in found for text in _decoded(block)]


def _png_blocks(data: bytes) -> Iterator[bytes]:
    place = len(PNG_MAGIC)
    while place + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        place += 12 + length
        if kind not in _PIXEL_CHUNKS:
            yield kind
            yield body
            yield from _unpacked(kind, body)
        if kind == b"IEND":
            break
    yield data[place:]


def _unpacked(kind: bytes, body: bytes) -> Iterator[bytes]:
    """Unpack compressed text: zTXt and iCCP after keyword and method, iTXt after keyword, flags and two more words."""
    keyword, _, rest = body.partition(b"\0")
    if kind in (b"zTXt", b"iCCP") and len(keyword) < len(body):
        yield _inflated(rest[1:])
    elif kind == b"iTXt" and rest[:1] == b"\1":
        yield _inflated(rest[2:].split(b"\0", 2)[-1])


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, _LARGEST_TEXT)
    except zlib.error:
        return b""


def _jpeg_blocks(data: bytes) -> Iterator[bytes]:
    """Give the application and comment segments (ITU-T T.81, annex B), then what follows the end of the image."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == _START_OF_SCAN:
            yield data[max(data.rfind(b"\xff\xd9"), place) :]
            return
        if 0xE0 <= marker <= 0xEF or marker == _COMMENT:
            yield data[place + 4 : place + 2 + length]
        place += 2 + length
    yield data[place:]


def _decoded(block: bytes) -> Iterator[str]:
    """Read a block as UTF-8 and Latin-1, and as UTF-16 from its first and its second byte on."""
    text = block.decode("utf-8", errors="replace")
    if text.strip("\0 "):
        yield text.replace("\0", "\n")
        if "\ufffd" in text:
            yield block.decode("latin-1").replace("\0", "\n")
        if "\0" in text:
            yield from (block[first:].decode("utf-16-le", errors="replace") for first in (0, 1))
