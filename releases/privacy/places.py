"""Everything that can be read in a folder, place by place: file names, texts, columns, footers, pictures' metadata."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from releases.privacy.image_text import is_picture, picture_text

PlaceKind = Literal["data", "prose", "file name"]
"""A value of a table, words that pressroom or a maintainer wrote, or the name of a file."""
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_INLINE_TAG = re.compile(
    r"</?(?:a|abbr|b|code|em|i|mark|small|span|strong|sub|sup|tspan|u|wbr)\b[^<>]*>", re.IGNORECASE
)
_TAG = re.compile(r"<[^<>]*>")
_LINE_END_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u2010\u2011][ \t]*\r?\n[ \t]*(?=[^\W\d_])")
_PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One readable place."""

    file: str
    place: str
    """``column <name>``, ``schema``, ``footer``, ``text``, ``picture metadata``, ``link`` or ``file name``."""
    text: str
    kind: PlaceKind


def places_in(folder: Path) -> Iterator[Place]:
    """Read everything under a folder, hidden files and empty folders included, in the order of the paths.

    Raises ``OSError`` or ``pa.ArrowException`` where a file that should be Parquet can't be read.
    """
    for path in sorted(folder.rglob("*")):
        file = path.relative_to(folder).as_posix()
        if path.is_symlink():
            yield Place(file=file, place="link", text=str(path.readlink()), kind="file name")
        elif path.is_dir() and any(path.iterdir()):
            continue  # its name is in those of its files
        yield Place(file=file, place="file name", text=file, kind="file name")
        if path.is_file():
            yield from _places_in_file(path, file)


def _places_in_file(path: Path, file: str) -> Iterator[Place]:
    with path.open("rb") as opened:
        is_parquet = path.suffix == ".parquet" or opened.read(4) == _PARQUET_MAGIC
    if is_parquet:
        yield from _parquet_places(path, file)
        return
    data = path.read_bytes()
    if is_picture(data):
        yield Place(file=file, place="picture metadata", text="\n".join(picture_text(data)), kind="data")
        return
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8"
    yield Place(file=file, place="text", text=data.decode(encoding, errors="replace"), kind="prose")


def readings_of(text: str) -> list[str]:
    """Return a text as it is and as a viewer shows it: escapes resolved, tags taken away, broken words joined."""
    text = _INVISIBLE.sub("", text)
    readings = [text]
    shown = text
    if "\\u" in shown:
        shown = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), shown)
        shown = shown.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "%" in shown:
        shown = unquote(shown)
    if "&" in shown:
        shown = html.unescape(shown)
    shown = _INVISIBLE.sub("", shown)
    readings.append(shown)
    if "<" in shown:
        shown = _TAG.sub("\n\n", _INLINE_TAG.sub("", shown))
    readings.append(_LINE_END_HYPHEN.sub("", shown))
    return list(dict.fromkeys(readings))


def _parquet_places(path: Path, file: str) -> Iterator[Place]:
    with pq.ParquetFile(path, memory_map=True) as shard:
        schema = shard.schema_arrow
        yield Place(file=file, place="footer", text=_footer(shard.metadata, schema), kind="prose")
    yield Place(file=file, place="schema", text=_schema_text(schema), kind="data")
    # as dictionaries a row group's distinct values are read, not its rows: keypoints repeat one id millions of times
    plain = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_binary(field.type)]
    named = [field.name for field in schema if _holds_text(field.type)]
    values: dict[str, set[str]] = {name: set() for name in named}
    with pq.ParquetFile(path, memory_map=True, read_dictionary=plain) as shard:
        for group in range(shard.num_row_groups if named else 0):
            rows = shard.read_row_group(group, columns=named, use_threads=False)
            for name in named:
                for chunk in rows[name].chunks:
                    values[name] |= set(_strings(chunk))
    for name in named:
        yield Place(file=file, place=f"column {name}", text="\n".join(sorted(values[name])), kind="data")


def _is_text(kind: pa.DataType) -> bool:
    told = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_it(kind) for is_it in told) or _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    told = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    return any(is_it(kind) for is_it in told)


def _holds_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _holds_text(kind.value_type)
    if isinstance(kind, pa.BaseExtensionType):
        return _holds_text(kind.storage_type)
    return _is_text(kind) or any(_holds_text(kind.field(n).type) for n in range(kind.num_fields))


def _strings(array: pa.Array) -> Iterator[str]:
    """Give the distinct strings of an array, those inside lists, structs and maps too."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        yield from _strings(array.storage)
    elif pa.types.is_dictionary(kind):
        yield from _strings(array.dictionary)
    elif pa.types.is_map(kind):
        yield from _strings(array.keys)
        yield from _strings(array.items)
    elif pa.types.is_struct(kind):
        for part in array.flatten():
            yield from _strings(part)
    elif pa.types.is_nested(kind):
        yield from _strings(array.flatten())
    elif _is_text(kind):
        for value in array.unique().to_pylist():
            if value is not None:
                yield _text_of(value)


def _footer(metadata: pq.FileMetaData, schema: pa.Schema) -> str:
    """Return the words of a footer: who wrote it, key-value metadata, and the bounds of each text column.

    The raw bytes would hold the same strings between offsets and counts that look like short names by chance.
    """
    told = [str(metadata.created_by)]
    for key, value in (metadata.metadata or {}).items():
        # the Arrow schema in base64, which the place "schema" holds in words
        told += [] if key == b"ARROW:schema" else [one.decode("utf-8", errors="replace") for one in (key, value)]
    roots = {field.name for field in schema if _holds_text(field.type)}
    paths = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
    places = [number for number, path in enumerate(paths) if path.split(".")[0] in roots]
    bounds: set[str] = set()
    for group in range(metadata.num_row_groups):
        for place in places:
            found = metadata.row_group(group).column(place).statistics
            if found is not None and found.has_min_max:
                bounds |= {_text_of(found.min), _text_of(found.max)}
    return "\n".join([*told, *paths, *sorted(bounds)])


def _text_of(value: object) -> str:
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)


def _schema_text(schema: pa.Schema) -> str:
    told: list[str] = []
    for key, value in (schema.metadata or {}).items():
        told += [one.decode("utf-8", errors="replace") for one in (key, value)]
    for field in schema:
        told += _field_text(field)
    return "\n".join(told)


def _field_text(field: pa.Field) -> list[str]:
    told = [field.name]
    for pair in (field.metadata or {}).items():
        told += [one.decode("utf-8", errors="replace") for one in pair]
    kind = field.type
    for number in range(kind.num_fields):
        told += _field_text(kind.field(number))
    return told
