"""What a source's filters pass over, told before anything is downloaded."""

import re
import unicodedata
from dataclasses import dataclass, fields
from datetime import date
from functools import lru_cache

from collectors.facts import Facts
from schema.errors import ConfigError, DropReason
from schema.tables import digest_of

NS_PER_S = 1_000_000_000
STROKED = str.maketrans("ĐđĦħŁłØøŦŧı", "DdHhLlOoTti")
"""Letters that Unicode does not take apart into a plain one and a mark, as names of players hold them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterKeys:
    """Filters of one ``[[sources]]`` table; an empty one passes nothing over."""

    uploaded_from: str = ""
    """First date of upload, YYYY-MM-DD."""
    uploaded_until: str = ""
    """Last date of upload, YYYY-MM-DD."""
    min_seconds: float = 0.0
    """Shortest video."""
    max_seconds: float = 0.0
    """Longest video; 0 is no limit."""
    include: tuple[str, ...] = ()
    """Regular expressions of which a title must match one; case and accents do not matter."""
    exclude: tuple[str, ...] = ()
    """Regular expressions of which a title may match none."""
    min_height_px: int = 0
    """Smallest picture height on offer."""
    languages: tuple[str, ...] = ()
    """Spoken languages by code, such as en; a video that does not say its language is taken."""
    not_live: bool = True
    """Whether a broadcast on air, or to come, is left for later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters(FilterKeys):
    """What decides about one video: the filters of the sources that list it, of which one must take it."""

    others: tuple[FilterKeys, ...] = ()
    """Filters of the other sources that list the same video."""


def filters_of(*tables: FilterKeys) -> Filters:
    """Join the filters of the tables that list one video: it is passed over where each of them passes it over."""
    kept = list(dict.fromkeys(_plain(keys) for table in tables for keys in (table, *getattr(table, "others", ()))))
    first = {f.name: getattr(kept[0], f.name) for f in fields(FilterKeys)}
    return Filters(**first, others=tuple(kept[1:]))


def _plain(table: FilterKeys) -> FilterKeys:
    return FilterKeys(**{f.name: getattr(table, f.name) for f in fields(FilterKeys)})


def check_filters(key: str, filters: FilterKeys) -> None:
    """Raise ``ConfigError`` naming the key below ``key``: a bad date, number or regular expression, an empty range."""
    for name in ("uploaded_from", "uploaded_until"):
        _check_date(f"{key}.{name}", getattr(filters, name))
    if filters.uploaded_from and filters.uploaded_until and filters.uploaded_from > filters.uploaded_until:
        raise ConfigError(f"{key}.uploaded_until: lies before uploaded_from; no video could pass")
    for name in ("min_seconds", "max_seconds", "min_height_px"):
        if not 0 <= getattr(filters, name) < float("inf"):
            raise ConfigError(f"{key}.{name}: must be 0 or more, got {getattr(filters, name)}")
    if 0 < filters.max_seconds < filters.min_seconds:
        raise ConfigError(f"{key}.max_seconds: is less than min_seconds; no video could pass")
    for name in ("include", "exclude"):
        for number, pattern in enumerate(getattr(filters, name)):
            _check_pattern(f"{key}.{name}[{number}]", pattern)
    for number, language in enumerate(filters.languages):
        if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]+)*", language):
            raise ConfigError(f"{key}.languages[{number}]: {language!r} is no language code such as en or pt-BR")


def _check_date(key: str, text: str) -> None:
    try:
        good = not text or date.fromisoformat(text).isoformat() == text
    except ValueError:
        good = False
    if not good:
        raise ConfigError(f"{key}: {text!r} is no date in the form YYYY-MM-DD")


def _check_pattern(key: str, pattern: str) -> None:
    try:
        re.compile(_plain_pattern(pattern))
    except re.error as error:
        raise ConfigError(f"{key}: not a regular expression: {error}") from error
    if not pattern.strip():
        raise ConfigError(f"{key}: empty; it would match every title")


def without_accents(text: str) -> str:
    """Return the text with accents and strokes taken off its letters, and full-width or bold letters made plain."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(sign for sign in apart if not unicodedata.combining(sign)).translate(STROKED)


def _plain_pattern(pattern: str) -> str:
    """Take the accents off a pattern; a full-width question mark stays a sign of the title and asks for nothing."""
    return "".join(sign if sign.isascii() else re.escape(without_accents(sign)) for sign in pattern)


def filters_digest(filters: Filters) -> str:
    """Digest the filters, so that what they passed over is looked at again once they change."""
    tables = (filters, *filters.others)
    return digest_of([{f.name: getattr(table, f.name) for f in fields(FilterKeys)} for table in tables])


def passed_over(facts: Facts, filters: Filters) -> tuple[DropReason, str] | None:
    """Tell why a video is not wanted, in words without its title; None where it is, or nothing says that it is not.

    A fact that is not known passes. The reason is ``NOT_YET`` for a broadcast that waits, ``TOO_LONG`` or
    ``FILTERED``. Raises ``ConfigError`` for filters that ``check_filters`` would refuse.
    """
    verdicts = []
    for table in (filters, *filters.others):
        verdict = _verdict(facts, table)
        if verdict is None:
            return None
        verdicts.append(verdict)
    # a source that only waits for the end of a broadcast takes it later, whatever the others say
    return next((verdict for verdict in verdicts if verdict[0] is DropReason.NOT_YET), verdicts[0])


def _verdict(facts: Facts, filters: FilterKeys) -> tuple[DropReason, str] | None:
    unwanted = _length_verdict(facts, filters) or _other_verdict(facts, filters)
    if unwanted is None and filters.not_live and facts.is_live:
        return DropReason.NOT_YET, "the broadcast has not begun, or is still on air"
    return unwanted


def _length_verdict(facts: Facts, filters: FilterKeys) -> tuple[DropReason, str] | None:
    if facts.duration_ns is None:
        return None
    seconds = facts.duration_ns / NS_PER_S
    if 0 < filters.max_seconds < seconds:
        return DropReason.TOO_LONG, f"{seconds:.0f} s long, max_seconds is {filters.max_seconds:g}"
    if seconds < filters.min_seconds:
        return DropReason.FILTERED, f"{seconds:.0f} s long, min_seconds is {filters.min_seconds:g}"
    return None


def _other_verdict(facts: Facts, filters: FilterKeys) -> tuple[DropReason, str] | None:
    """Judge date, height, language and title, in this order."""
    day, height, language = facts.uploaded_on, facts.height_px, facts.language
    detail = ""
    if day and filters.uploaded_from and day < filters.uploaded_from:
        detail = f"uploaded before {filters.uploaded_from}"
    elif day and filters.uploaded_until and day > filters.uploaded_until:
        detail = f"uploaded after {filters.uploaded_until}"
    elif height is not None and height < filters.min_height_px:
        detail = f"{height} pixels high at most, min_height_px is {filters.min_height_px}"
    elif language and filters.languages and not any(_is_in_language(language, code) for code in filters.languages):
        detail = f"spoken language is none of {', '.join(filters.languages)}"
    elif facts.title is not None:
        detail = _title_verdict(facts.title, filters)
    return (DropReason.FILTERED, detail) if detail else None


def _is_in_language(language: str, code: str) -> bool:
    """Match as RFC 4647 does: en takes en-GB too, en-GB takes nothing but itself."""
    return f"{language.lower()}-".startswith(f"{code.lower()}-")


def _title_verdict(title: str, filters: FilterKeys) -> str:
    plain = without_accents(title)
    if filters.include and not any(_compiled(pattern).search(plain) for pattern in filters.include):
        return "the title matches no pattern of include"
    for number, pattern in enumerate(filters.exclude):
        if _compiled(pattern).search(plain):
            return f"the title matches exclude[{number}]"
    return ""


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    _check_pattern("sources", pattern)
    return re.compile(_plain_pattern(pattern), re.IGNORECASE)
