"""A linter that reads a release as a stranger could and refuses names, links, handles and native ids.

What is read (``releases.privacy.places``): the names of files, folders and links; every text, as it is and as a viewer
shows it; metadata of PNG and JPEG; and of every Parquet file the footer, the schema with its metadata, and each
distinct string of each column, however deep. Messages name the file and the column, never the string that was found.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from releases.privacy.needles import Needles
from releases.privacy.places import Place, PlaceKind, places_in, readings_of
from releases.privacy.strange import has_e_mail_address, has_handle, has_strange_link
from schema.errors import InvalidReleaseError

SHORTEST_ANYWHERE = 6
"""Forbidden strings of this length and more are looked for inside words too; shorter ones only as whole words."""
SHORTEST_NAME_PART = 4
"""A single word of a name is looked for from this length on: shorter ones are words of many languages."""
_UNDECOMPOSED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "\u0131": "i", "þ": "th", "ð": "d"})
"""Letters that Unicode does not take apart into a plain one and a mark."""
_DIGRAPHS = (
    str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"}),
    str.maketrans({"đ": "dj"}),
)
"""How names with such letters are written where there are none: Müller, Mueller; Đoković, Djokovic."""
_CODE = (".py", "LICENSE")
"""Files of ours or of a licence's author, whose capitalised words and decorators are no names and handles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForbiddenStrings:
    """What must not appear in a release; made from ``private/`` and never written anywhere else."""

    names: frozenset[str] = field(default_factory=frozenset, repr=False)
    """People's names: looked for whole, and word by word where a word begins with a capital."""
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
    """``column <name>``, ``schema``, ``footer``, ``text``, ``picture metadata``, ``link`` or ``file name``."""
    kind: str
    """name (or title), part of a name, link, native id, e-mail address or handle."""


def find_leaks(folder: Path, *, forbidden: ForbiddenStrings, vocabulary: frozenset[str] = frozenset()) -> list[Leak]:
    """Read everything under a folder and return the leaks, by file.

    Args:
        folder: A release.
        forbidden: What must not appear.
        vocabulary: Folded words of the taxonomy, which are no leak though a person may be called so.
    """
    search = _Search(forbidden, vocabulary, authors=_author_words(folder))
    leaks = [
        Leak(file=place.file, place=place.place, kind=kind)
        for place in places_in(folder)
        for kind in search.kinds_in(place)
    ]
    return list(dict.fromkeys(leaks))


def check_leaks(folder: Path, *, forbidden: ForbiddenStrings, vocabulary: frozenset[str] = frozenset()) -> None:
    """Raise ``InvalidReleaseError`` that names the first place of ``find_leaks`` and their number."""
    leaks = find_leaks(folder, forbidden=forbidden, vocabulary=vocabulary)
    if leaks:
        # the same words are in a table's footer, too: the column tells more
        leaks.sort(key=lambda leak: not leak.place.startswith("column "))
        # a file that is refused for its own name is not named: the message would tell what it must not
        named = {leak.file for leak in leaks if leak.place == "file name"}
        where = "a file's name" if leaks[0].file in named else f"{leaks[0].file}, {leaks[0].place}"
        raise InvalidReleaseError(
            f"identity leak: {where} holds {_with_article(leaks[0].kind)} that must stay private "
            f"({len(leaks)} such place(s)); correct it at its source and build again"
        )


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def lint_text(text: str, forbidden: ForbiddenStrings, *, vocabulary: frozenset[str] = frozenset()) -> list[str]:
    """Return the kinds of leaks in one string, judged like a value of a table."""
    place = Place(file="", place="text", text=text, kind="data")
    return list(dict.fromkeys(_search_of(forbidden, vocabulary).kinds_in(place)))


def folded(text: str) -> str:
    """Fold case and accents, so that a name is found however it is written."""
    if text.isascii():
        return text.casefold()
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c)).casefold().translate(_UNDECOMPOSED)


def words_of(text: str) -> frozenset[str]:
    """Return the folded words of a text."""
    return frozenset(re.findall(r"[^\W\d_]+", folded(text)))


GENERIC_WORDS = words_of(
    "a and after at before clip conference conferences demo file in interview media micro gesture gestures mp4 of on "
    "post press pressroom recording sample segments the train test val video videos votes with"
)
"""Words that titles and file names share with the card and the tables of any release."""
_FILE_WORDS = GENERIC_WORDS | words_of(
    "agreement annotators changelog checksums citation cff class classes croissant data description descriptions "
    "duration durations example examples figure frames html index json jpeg jpg keypoints leak length license licence "
    "links lock manifest markdown md outcomes parquet part parts pdf page png plot quality reader readme release "
    "report seconds shares skeleton skeletons split splits stats strip strips subject subjects sums svg table tables "
    "text time times txt unlabelled version windows"
)
"""Words in the names of a release's files, which are no leak though a person may be called so."""
_CARD_WORDS = words_of(
    "apache attribution coco commons creative croissant dawid face hub hugging international label license "
    "noncommercial parquet prefect python sharealike skene studio wholebody wilson"
)
"""Words that the documents of any release write with a capital in the middle of a sentence."""


def _is_telling(parts: list[str]) -> bool:
    """Tell whether a title's words could lead to anybody: "Press conference" is in every card."""
    return len("".join(parts)) >= SHORTEST_ANYWHERE and not GENERIC_WORDS.issuperset(parts)


def _spellings(name: str) -> list[str]:
    small = name.casefold()
    return sorted({folded(name), *(folded(small.translate(digraphs)) for digraphs in _DIGRAPHS)})


class _Search:
    """Everything forbidden, prepared for looking through many texts."""

    def __init__(
        self, forbidden: ForbiddenStrings, vocabulary: frozenset[str], authors: frozenset[str] = frozenset()
    ) -> None:
        phrases: list[list[str]] = []
        words: set[str] = set()
        for spelling in (spelling for name in sorted(forbidden.names) for spelling in _spellings(name)):
            parts = re.findall(r"[^\W_]+", spelling)
            if len(parts) > 1:
                # in order, or reversed, as in "van der Quux, Zoë"
                phrases += [parts, [*parts[1:], parts[0]], [parts[-1], *parts[:-1]]]
                words |= {part for part in parts if len(part) >= SHORTEST_NAME_PART and not part.isdigit()}
            else:
                words |= set(parts)
        # scripts without capitals write names without gaps: nothing but the letters themselves tells them
        self._caseless = Needles(name for name in forbidden.names if len(name) > 1 and name.upper() == name.lower())
        self._words = words - vocabulary
        self._words_in_files = self._words - _FILE_WORDS
        self._words_in_prose = self._words - _CARD_WORDS - authors
        titles = (re.findall(r"[^\W_]+", folded(title)) for title in sorted(forbidden.titles))
        self._phrases = _Phrases([*phrases, *(parts for parts in titles if _is_telling(parts))])
        links = {re.sub(r"^[a-z]+://(www\.)?", "", folded(link)).rstrip("/") for link in forbidden.links}
        self._links = Needles(link for link in links if len(link) >= SHORTEST_ANYWHERE)
        self._long_ids = Needles(i for i in forbidden.native_ids if len(i) >= SHORTEST_ANYWHERE)
        self._short_ids = {i for i in forbidden.native_ids if 0 < len(i) < SHORTEST_ANYWHERE}

    def kinds_in(self, place: Place) -> Iterator[str]:
        for text in readings_of(place.text):
            yield from self._kinds_in_reading(text, place)

    def _kinds_in_reading(self, text: str, place: Place) -> Iterator[str]:
        small = folded(text)
        if self._phrases.occur_in(small) or self._caseless.found_in(text):
            yield "name"
        if self._links.found_in(small) or has_strange_link(text, file=place.file, is_prose=place.kind == "prose"):
            yield "link"
        if self._long_ids.found_in(text) or self._short_id_in(text, place.kind):
            yield "native id"
        if has_e_mail_address(small):
            yield "e-mail address"
        if place.kind != "prose" or not place.file.endswith(_CODE):
            if self._name_part_in(text, place.kind):
                yield "part of a name"
            if has_handle(text, file=place.file):
                yield "handle"

    def _short_id_in(self, text: str, kind: PlaceKind) -> bool:
        tokens = re.findall(r"\d+\.\d+|[\w-]+", text) if self._short_ids and kind != "prose" else []
        return not self._short_ids.isdisjoint(tokens)

    def _name_part_in(self, text: str, kind: PlaceKind) -> bool:
        if not self._words:
            return False
        if kind == "file name":
            return not self._words_in_files.isdisjoint(words_of(text))
        # written small, a surname may be an ordinary word ("long"); keyed ids hold no word that starts with a capital
        if kind == "data":
            return not self._words.isdisjoint(_folded_words(_CAPITALISED.findall(text)))
        return not self._words_in_prose.isdisjoint(_folded_words(_IN_A_SENTENCE.findall(text)))


_CAPITALISED = re.compile(r"(?<![^\W\d_])[^\W\d_a-z][^\W\d_]*")
_IN_A_SENTENCE = re.compile(r"(?<=[a-zß-ÿ,;(][ \n])[^\W\d_a-z][^\W\d_]*")
"""A capitalised word that begins no sentence: any word may begin one with a capital."""


def _folded_words(words: Iterable[str]) -> set[str]:
    return {folded(word) for word in set(words) if word[0].isupper()}


class _Phrases:
    """Names and titles: their parts in order, joined by anything but letters, or by nothing.

    A phrase can only occur where its letters, all else taken away, occur in the text's letters: that is looked for
    first, for all phrases at once. A phrase with digits in it keeps them.
    """

    def __init__(self, phrases: Iterable[list[str]]) -> None:
        self._patterns: dict[bool, defaultdict[str, set[str]]] = {False: defaultdict(set), True: defaultdict(set)}
        for parts in phrases:
            joined = "".join(parts)
            words = r"[\W_\d]*".join(map(re.escape, parts))
            pattern = rf"(?<![^\W\d_]){words}(?![^\W\d_])"
            self._patterns[any(c.isdigit() for c in joined)][joined].add(pattern)
        self._needles = {with_digits: Needles(some) for with_digits, some in self._patterns.items()}

    def occur_in(self, text: str) -> bool:
        for with_digits, patterns in self._patterns.items():
            if patterns:
                plain = re.sub(r"[\W_]+" if with_digits else r"[\W\d_]+", "", text)
                found = self._needles[with_digits].found_in(plain)
                if any(re.search(pattern, text) for joined in sorted(found) for pattern in patterns[joined]):
                    return True
        return False


@lru_cache(maxsize=2)
def _search_of(forbidden: ForbiddenStrings, vocabulary: frozenset[str]) -> _Search:
    return _Search(forbidden, vocabulary)


def _author_words(folder: Path) -> frozenset[str]:
    """Return the words of the authors in CITATION.cff: they sign the card, though a player may share a name."""
    path = folder / "CITATION.cff"
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    _, _, authors = text.partition("\nauthors:")
    return words_of("\n".join(re.findall(r"^[ -]+(?:[a-z]+-)?names?: *(.+)$", authors, re.MULTILINE)))
