"""A linter that reads a release as a stranger could and refuses names, links, handles and native ids.

What is read: file names, every text file, and of every Parquet file the footer, the schema with its metadata, and each
distinct value of each string column. Messages name the file and the column, never the string that was found.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from schema.errors import InvalidReleaseError

SHORTEST_ANYWHERE = 6
"""Forbidden strings of this length and more are looked for inside words too; shorter ones only as whole words."""
SHORTEST_NAME_PART = 4
"""A single word of a name is looked for from this length on: shorter ones are words of many languages."""
_ALLOWED_LINK_HOSTS = ("creativecommons.org", "www.apache.org", "doi.org", "arxiv.org")
"""Where a release's own documents may point to."""
_LINK = re.compile(r"(?:https?|ftp)://(?P<host>[^\s/)>\"'`]+)|(?<![\w.])www\.\w+\.\w+", re.IGNORECASE)
_E_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+\.\w{2,}")
_HANDLE = re.compile(r"(?<![\w.])@\w{2,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ForbiddenStrings:
    """What must not appear in a release; made from ``private/`` and never written anywhere else."""

    names: frozenset[str] = field(default_factory=frozenset, repr=False)
    """People's names: looked for whole, and word by word where a word of a table begins with a capital."""
    titles: frozenset[str] = field(default_factory=frozenset, repr=False)
    """Titles of videos and names of files: looked for whole."""
    links: frozenset[str] = field(default_factory=frozenset, repr=False)
    """Links and paths of the sources."""
    native_ids: frozenset[str] = field(default_factory=frozenset, repr=False)
    """Ids on the platforms, and digests of the media files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A place in a release that holds what it must not."""

    file: str
    place: str
    """``column <name>``, ``schema``, ``footer``, ``text`` or ``file name``."""
    kind: str
    """name (or title), part of a name, link, native id, e-mail address or handle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    file: str
    place: str
    text: str
    is_data: bool
    """A value of a table or a file name, as against prose that pressroom wrote."""


def find_leaks(folder: Path, *, forbidden: ForbiddenStrings, vocabulary: frozenset[str] = frozenset()) -> list[Leak]:
    """Read everything under a folder and return the leaks, by file.

    Args:
        folder: A release.
        forbidden: What must not appear.
        vocabulary: Folded words of the taxonomy, which are no leak though a person may be called so.
    """
    search = _Search(forbidden, vocabulary)
    leaks = [
        Leak(file=place.file, place=place.place, kind=kind)
        for path in sorted(p for p in folder.rglob("*") if p.is_file())
        for place in _places(path, path.relative_to(folder).as_posix())
        for kind in search.kinds_in(place)
    ]
    return list(dict.fromkeys(leaks))


def check_leaks(folder: Path, *, forbidden: ForbiddenStrings, vocabulary: frozenset[str] = frozenset()) -> None:
    """Raise ``InvalidReleaseError`` that names the first place of ``find_leaks`` and their number."""
    leaks = find_leaks(folder, forbidden=forbidden, vocabulary=vocabulary)
    if leaks:
        # a file that is refused for its own name is not named: the message would tell what it must not
        where = "a file's name" if leaks[0].place == "file name" else f"{leaks[0].file}, {leaks[0].place}"
        raise InvalidReleaseError(
            f"identity leak: {where} holds a {leaks[0].kind} that must stay private "
            f"({len(leaks)} such place(s)); correct it at its source and build again"
        )


def folded(text: str) -> str:
    """Fold case and accents, so that a name is found however it is written."""
    if text.isascii():
        return text.casefold()
    plain = unicodedata.normalize("NFKD", text)
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold()


def words_of(text: str) -> frozenset[str]:
    """Return the folded words of a text."""
    return frozenset(re.findall(r"[^\W\d_]+", folded(text)))


GENERIC_WORDS = words_of(
    "a and after at before clip conference conferences demo file in interview media micro gesture gestures mp4 of on "
    "post press pressroom recording sample segments the train test val video videos votes with"
)
"""Words that titles and file names share with the card and the tables of any release."""


def _is_telling(parts: list[str]) -> bool:
    """Tell whether a title's words could lead to anybody: "Press conference" is in every card."""
    return len("".join(parts)) >= SHORTEST_ANYWHERE and not GENERIC_WORDS.issuperset(parts)


class _Search:
    def __init__(self, forbidden: ForbiddenStrings, vocabulary: frozenset[str]) -> None:
        self._full_names: list[re.Pattern[str]] = []
        self._words: set[str] = set()
        for name in sorted(forbidden.names):
            parts = re.findall(r"[^\W_]+", folded(name))
            if len(parts) > 1:
                self._full_names.append(_name_pattern(parts))
                self._words |= {part for part in parts if len(part) >= SHORTEST_NAME_PART and not part.isdigit()}
            else:
                self._words |= set(parts)
        self._words -= vocabulary
        titles = (re.findall(r"[^\W_]+", folded(title)) for title in sorted(forbidden.titles))
        self._full_names += [_phrase_pattern(parts) for parts in titles if _is_telling(parts)]
        links = {re.sub(r"^[a-z]+://(www\.)?", "", folded(link)).rstrip("/") for link in forbidden.links}
        self._links = sorted(link for link in links if len(link) >= SHORTEST_ANYWHERE)
        self._long_ids = sorted(i for i in forbidden.native_ids if len(i) >= SHORTEST_ANYWHERE)
        self._short_ids = {i for i in forbidden.native_ids if 0 < len(i) < SHORTEST_ANYWHERE}

    def kinds_in(self, place: _Place) -> Iterator[str]:
        text = folded(place.text)
        if any(pattern.search(text) for pattern in self._full_names):
            yield "name"
        if any(link in text for link in self._links) or self._strange_link(place):
            yield "link"
        if any(native_id in place.text for native_id in self._long_ids):
            yield "native id"
        if _E_MAIL.search(text):
            yield "e-mail address"
        if place.is_data:
            yield from self._kinds_in_data(place.text)

    def _kinds_in_data(self, text: str) -> Iterator[str]:
        if self._short_ids & set(re.findall(r"\d+\.\d+|[\w-]+", text)):
            yield "native id"
        # written small, a surname may be an ordinary word ("long"); keyed ids hold no word that starts with a capital
        capitalised = (word for word in re.findall(r"[^\W\d_]+", text) if word[:1].isupper())
        if self._words & {folded(word) for word in capitalised}:
            yield "part of a name"
        if _HANDLE.search(text):
            yield "handle"

    @staticmethod
    def _strange_link(place: _Place) -> bool:
        hosts = [match["host"] for match in _LINK.finditer(place.text)]
        return bool(hosts) if place.is_data else any(host not in _ALLOWED_LINK_HOSTS for host in hosts)


def _name_pattern(parts: list[str]) -> re.Pattern[str]:
    """Match the parts in order or reversed, joined by anything but letters, or by nothing."""
    orders = (parts, [*parts[1:], parts[0]], [parts[-1], *parts[:-1]])
    return re.compile("|".join(dict.fromkeys(_phrase_pattern(order).pattern for order in orders)))


def _phrase_pattern(parts: list[str]) -> re.Pattern[str]:
    words = r"[\W_\d]*".join(map(re.escape, parts))
    return re.compile(rf"(?<![^\W\d_]){words}(?![^\W\d_])")


def _places(path: Path, file: str) -> Iterator[_Place]:
    yield _Place(file=file, place="file name", text=file, is_data=True)
    if path.suffix != ".parquet":
        yield _Place(file=file, place="text", text=path.read_text(encoding="utf-8", errors="replace"), is_data=False)
        return
    with pq.ParquetFile(path, memory_map=True) as shard:
        yield _Place(file=file, place="footer", text=_footer(path), is_data=False)
        yield _Place(file=file, place="schema", text=_schema_text(shard.schema_arrow), is_data=True)
        for name in (f.name for f in shard.schema_arrow if pa.types.is_string(f.type)):
            for group in range(shard.num_row_groups):
                columns = shard.read_row_group(group, columns=[name]).columns
                values = {value for one in columns for value in one.unique().to_pylist()}
                text = "\n".join(sorted(str(value) for value in values if value is not None))
                yield _Place(file=file, place=f"column {name}", text=text, is_data=True)


def _footer(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(-8, 2)
        length = int.from_bytes(file.read(4), "little")
        file.seek(-8 - length, 2)
        return file.read(length).decode("utf-8", errors="replace")


def _schema_text(schema: pa.Schema) -> str:
    metadata = [schema.metadata or {}, *(f.metadata or {} for f in schema)]
    pairs = [(key, value) for one in metadata for key, value in one.items()]
    told = [text.decode("utf-8", errors="replace") for pair in pairs for text in pair]
    return "\n".join([*schema.names, *told])
