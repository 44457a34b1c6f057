"""Texts as the matcher sees them: folded words, what separates them, and what is only quoted."""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from itertools import product

BREAK = "|"
"""Stands between the parts of a title that punctuation holds apart."""
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i", "ħ": "h", "ŧ": "t"}
)
"""Letters that Unicode does not take apart into a plain letter and a mark."""
_SPELT_OUT = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "đ": "dj"}
"""How the same letters are written by people who lack them: Müller, Mueller; Đoković, Djokovic."""
_WORD = re.compile(r"[^\W_]+(?:['\u2019`\u00b4\u02bc][^\W_]+)*|[&/+]")
_SOFT = re.compile(
    r"[\s_.'\u2019`\u00b4\u02bc#@*~\u200b-\u200f\ufe0f]*-?[\s_.'\u2019`\u00b4\u02bc#@*~\u200b-\u200f\ufe0f]*"
)
_DASH_APART = re.compile(r"\s-|-\s")
_QUOTED = re.compile(
    r"“[^“”]*”|„[^“”„]*[“”]|\"[^\"]*\"|«[^«»]*»|「[^「」]*」|(?<!\w)\u2018[^\u2018]*?\u2019(?!\w)|(?<!\w)'[^']{6,}'(?!\w)"
)
_FILE_ENDING = re.compile(r"\.(mp4|mkv|webm|mov|avi|m4v|ts|mpg|mpeg)$", re.IGNORECASE)
_HASHTAG = re.compile(r"#(\w+)")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ELISION = re.compile(
    r"(?<![\w'\u2019])(l|d|j|n|s|c|m|t|qu|jusqu|dell|dall|all|nell|sull|un)['\u2019](?=\w{2})", re.IGNORECASE
)
"""Words that French and Italian glue to the next one: d'Alcaraz, dell'ATP."""
_GLUED_YEAR = re.compile(r"(?<=[A-Za-z]{2})(?=(?:19|20)\d\d(?!\d))")


def fold(text: str) -> str:
    """Fold case, accents and letter variants, so that one word is one string however it is written."""
    if text.isascii():
        return text.casefold()
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(c for c in apart if not unicodedata.combining(c)).translate(_LETTERS)


def spellings(word: str) -> frozenset[str]:
    """Return a word folded, and folded after its letters are spelt out: ``mueller`` beside ``muller``."""
    if word.isascii():
        return frozenset((fold(word),))
    composed = unicodedata.normalize("NFC", word).casefold()
    return frozenset((fold(composed), fold("".join(_SPELT_OUT.get(c, c) for c in composed))))


def name_words(name: str) -> tuple[str, ...]:
    """Split a name into its words as written; apostrophes join (O'Connell), hyphens part."""
    parts = _WORD.findall(_ELISION.sub(r"\1' ", name))
    return tuple(re.sub(r"['\u2019`\u00b4\u02bc]", "", part) for part in parts if part not in "&/+")


def name_spellings(name: str) -> frozenset[tuple[str, ...]]:
    """Return the folded words of a name, in every spelling."""
    return frozenset(product(*(sorted(spellings(word)) for word in name_words(name))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word of a title."""

    text: str
    """As written, without a possessive ending."""
    plain: str
    """Folded."""
    spellings: frozenset[str]
    possessive: bool
    after_break: bool
    """Punctuation holds it apart from the word before, or it is the first."""
    in_brackets: bool
    """The break before it is an opening bracket."""
    quoted: bool

    @property
    def capital(self) -> bool:
        """Whether it begins with a capital."""
        return self.text[:1].isupper()


class Text:
    """A title taken apart."""

    def __init__(self, text: str) -> None:
        """Take a title, or the first line of a description, apart."""
        raw = _readable(text)
        self.words: tuple[Word, ...] = tuple(_words(raw))
        self.raw = raw
        starts: list[int] = []
        pieces: list[str] = []
        length = 0
        for word in self.words:
            if word.after_break or word.quoted:
                pieces.append(BREAK)
                length += len(BREAK) + 1
            shown = "_" if word.quoted else word.plain
            starts.append(length)
            pieces.append(shown)
            length += len(shown) + 1
        self._starts = starts
        self.plain = " ".join(pieces)
        """The folded words outside quotes, with ``BREAK`` between parts."""

    @property
    def has_case(self) -> bool:
        """Whether capitals mean something: both kinds of letters occur."""
        letters = [c for word in self.words for c in word.text if c.isalpha()]
        return any(c.islower() for c in letters) and any(c.isupper() for c in letters)

    def start_of(self, index: int) -> int:
        """Return where a word begins in ``plain``."""
        return self._starts[index]

    def end_of(self, index: int) -> int:
        """Return where a word ends in ``plain``."""
        return self._starts[index] + len("_" if self.words[index].quoted else self.words[index].plain)

    def word_at(self, position: int) -> int:
        """Return the index of the word at a position of ``plain``, or of the one before it."""
        return max(bisect_right(self._starts, position) - 1, 0)


def _readable(text: str) -> str:
    text = _FILE_ENDING.sub("", unescape(unicodedata.normalize("NFKC", text)))
    text = _HASHTAG.sub(lambda found: "#" + _CAMEL.sub(" ", found[1]), text)
    return _ELISION.sub(r"\1' ", _GLUED_YEAR.sub(" ", text))


def _words(raw: str) -> Iterator[Word]:
    quotes = [found.span() for found in _QUOTED.finditer(raw)]
    end = 0
    first = True
    for found in _WORD.finditer(raw):
        gap = raw[end : found.start()]
        text, possessive = _without_possessive(found[0])
        plain = re.sub(r"['\u2019`\u00b4\u02bc]", "", text)
        yield Word(
            text=text,
            plain=fold(plain),
            spellings=spellings(plain),
            possessive=possessive,
            after_break=first or not _SOFT.fullmatch(gap) or bool(_DASH_APART.search(gap)),
            in_brackets="(" in gap or "[" in gap,
            quoted=any(begin <= found.start() < stop for begin, stop in quotes),
        )
        end = found.end()
        first = False


def _without_possessive(text: str) -> tuple[str, bool]:
    match = re.fullmatch(r"(.+?)['\u2019`\u00b4\u02bc][sS]", text)
    return (match[1], True) if match else (text, False)
