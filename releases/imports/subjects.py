"""Small files that the importing person writes: who is in which recording, and which class a label number is."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path

from schema.errors import UsageError
from schema.taxonomy import Taxonomy

COLUMNS = ("recording", "subject", "outcome", "split", "rate", "size")
OUTCOMES = {"win": "win", "loss": "loss", "lose": "loss", "lost": "loss", "won": "win", "": None}
SPLITS = {"train": "train", "val": "val", "validation": "val", "test": "test", "": None}
NO_CLASS = "-"
_SIZE = re.compile(r"([1-9]\d{0,4})x([1-9]\d{0,4})")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSubject:
    """What the importing person says of one recording."""

    subject: str | None
    match_outcome: str | None = None
    split: str | None = None
    rate: Fraction | None = None
    """Frames per second of this recording, where it has its own."""
    size: tuple[int, int] | None = None
    """Picture width and height of this recording, where it has its own."""


def read_subjects(path: Path) -> dict[str, DeclaredSubject]:
    """Read a CSV file with the columns recording and subject, and if wanted outcome, split, rate and size.

    Raises ``UsageError`` naming the line for an unknown column or word, and for a recording given twice.
    """
    rows = csv.DictReader(io.StringIO(read_text(path)), restkey="", strict=True)
    names = [name.strip() for name in rows.fieldnames or ()]
    for name in names:
        if name not in COLUMNS:
            near = get_close_matches(name, COLUMNS, n=1, cutoff=0.0)
            raise UsageError(f"{path}: unknown column {name!r}; nearest is {near[0]!r}")
    if not {"recording", "subject"} <= set(names):
        raise UsageError(f"{path}: the columns recording and subject are needed; {', '.join(COLUMNS[2:])} may be there")
    found: dict[str, DeclaredSubject] = {}
    try:
        for row in rows:
            where = f"{path} line {rows.line_num}"
            told = {name: (value or "").strip() for name, value in zip(names, row.values(), strict=False)}
            if told["recording"] in found:
                raise UsageError(f"{where}: recording {told['recording']!r} comes twice; keep one of them")
            found[told["recording"]] = DeclaredSubject(
                subject=told["subject"] or None,
                match_outcome=_one_of(OUTCOMES, told.get("outcome", ""), f"{where}: outcome"),
                split=_one_of(SPLITS, told.get("split", ""), f"{where}: split"),
                rate=parse_rate(told["rate"], what=f"{where}: rate") if told.get("rate") else None,
                size=parse_size(told["size"], what=f"{where}: size") if told.get("size") else None,
            )
    except csv.Error as error:
        raise UsageError(f"{path} line {rows.line_num}: {error}") from error
    return found


def _one_of(words: Mapping[str, str | None], value: str, what: str) -> str | None:
    if value.casefold() not in words:
        raise UsageError(f"{what} {value!r} must be one of {', '.join(filter(None, words))}, or empty")
    return words[value.casefold()]


def parse_rate(text: str, *, what: str) -> Fraction:
    """Read frames per second; raises ``UsageError`` naming ``what`` for anything but 1 to 1000."""
    with suppress(ValueError, ZeroDivisionError):
        rate = Fraction(text)
        if 1 <= rate <= 1000:
            return rate.limit_denominator(10_000)
    raise UsageError(f"{what} {text!r} must be frames per second, 1 to 1000, such as 25, 29.97 or 30000/1001")


def parse_size(text: str, *, what: str) -> tuple[int, int]:
    """Read a picture's width and height; raises ``UsageError`` naming ``what`` for another form."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise UsageError(f"{what} {text!r} must be width and height in pixels, such as 1280x720")
    return int(match[1]), int(match[2])


def declared_for(subjects: Mapping[str, DeclaredSubject], native_id: str) -> DeclaredSubject:
    """Return what is declared of a recording; spreadsheets that made 7 of 0007 are understood."""
    if native_id in subjects:
        return subjects[native_id]
    if native_id.isdigit():
        return subjects.get(str(int(native_id)), DeclaredSubject(subject=None))
    return DeclaredSubject(subject=None)


def read_class_map(path: Path, taxonomy: Taxonomy) -> dict[int, str | None]:
    """Read which class each label number is: lines ``number,class``, or classes alone, which count from 0.

    A class is written as its id or its name; ``-`` says that the label has no class here and is left out.

    Raises ``UsageError`` naming the line for a class that the taxonomy lacks, and for a number given twice.
    """
    found: dict[int, str | None] = {}
    for number, (line, text) in enumerate(_lines(path)):
        first, separator, rest = text.replace("\t", ",").partition(",")
        is_pair = bool(separator) and first.strip().isdigit()
        key, name = (int(first), rest.strip()) if is_pair else (number, text.strip())
        if key in found:
            raise UsageError(f"{path} line {line}: label {key} comes twice; keep one of them")
        found[key] = None if name == NO_CLASS else class_named(taxonomy, name, where=f"{path} line {line}")
    if not found:
        raise UsageError(f"{path}: no label in it; lines such as `0,{taxonomy.classes[0].class_id}` are needed")
    return found


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        if text.strip() and text.replace(" ", "").casefold() not in ("label,class_id", "number,class", "label,class"):
            yield line, text


def class_named(taxonomy: Taxonomy, name: str, *, where: str) -> str:
    """Return the class id that an id or a name stands for; raises ``UsageError`` with the nearest where none does."""
    known = class_ids_by_name(taxonomy)
    wanted = folded(name)
    if wanted not in known:
        near = get_close_matches(wanted, known, n=1, cutoff=0.0)
        raise UsageError(f"{where}: {taxonomy.name} has no class {name!r}; nearest is {known[near[0]]!r}")
    return known[wanted]


def class_ids_by_name(taxonomy: Taxonomy) -> dict[str, str]:
    """Return class ids by what ``folded`` makes of their names and of themselves."""
    by_name = {folded(gesture.name): gesture.class_id for gesture in taxonomy}
    return by_name | {folded(gesture.class_id): gesture.class_id for gesture in taxonomy}


def folded(name: str) -> str:
    """Return the words of a class's name in small letters: papers and tools write / for or, and set signs freely."""
    return " ".join(_WORD.findall(name.replace("/", " or ").casefold()))


def read_text(path: Path) -> str:
    """Read a small file as text; raises ``UsageError`` where it can't be read or is no UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read as UTF-8 text ({type(error).__name__}); save it so") from error
