"""review.csv: what the matcher asks a person, and what they answered; an answer is never overwritten.

A person fills the columns ``person_id`` (a row id of the players file, or ``none``) and ``outcome`` (``win``, ``loss``
or ``none``), in any editor that keeps CSV. Rows may be added by hand for any video; columns of their own stay.
"""

import csv
import io
import os
import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from collectors.catalogue.identify import LOSS, NONE, WIN, Answer
from schema.errors import ConfigError

COLUMNS = (
    "video_id",
    "title",
    "channel",
    "uploaded_on",
    "why",
    "suggested_person_id",
    "suggested_name",
    "person_id",
    "outcome",
)
_ANSWERS = ("person_id", "outcome")
_OUTCOMES = {"win": WIN, "won": WIN, "loss": LOSS, "lost": LOSS, "none": NONE}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run: titles come from strangers."""
Row = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of one video."""

    video_id: str
    title: str
    channel: str
    uploaded_on: str
    why: str
    suggested_person_id: str
    suggested_name: str

    def row(self) -> Row:
        """Return it as a row, with nothing in it that a spreadsheet would run."""
        shown = {name: _harmless(getattr(self, name)) for name in COLUMNS if name not in _ANSWERS}
        return shown | dict.fromkeys(_ANSWERS, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    lines: tuple[int, ...]
    delimiter: str = ","
    mark: bool = False
    """The file begins with a byte order mark, which some spreadsheets need."""


def read_answers(path: Path, *, person_ids: Collection[str]) -> dict[str, Answer]:
    """Read what people answered, by video id; a file that does not exist answers nothing.

    Raises ``ConfigError`` naming the file and line: a missing column, a person whom the players file does not list, an
    outcome that is none, or two answers for one video.
    """
    sheet = _read(path)
    answers: dict[str, Answer] = {}
    for line, row in zip(sheet.lines, sheet.rows, strict=True):
        answer = _answer(row, where=f"{path}, line {line}", person_ids=person_ids)
        video_id = row["video_id"].strip()
        if answer == Answer():
            continue
        if answers.get(video_id, answer) != answer:
            raise ConfigError(f"{path}, line {line}: two answers for one video; keep one of them")
        answers[video_id] = answer
    return answers


def _answer(row: Row, *, where: str, person_ids: Collection[str]) -> Answer:
    person = row["person_id"].strip()
    outcome = row["outcome"].strip().casefold()
    if person.casefold() == NONE:
        person = NONE
    elif person and person not in person_ids:
        raise ConfigError(f"{where}: {person!r} is no person_id of the players file; write one of them, or none")
    if outcome and outcome not in _OUTCOMES:
        raise ConfigError(f"{where}: outcome {outcome!r} must be win, loss, none or empty")
    return Answer(person_id=person or None, outcome=_OUTCOMES[outcome] if outcome else None)


def write_questions(path: Path, questions: Iterable[Question]) -> int:
    """Bring the questions of review.csv up to date and return how many rows wait for an answer.

    Rows with an answer stay as they are, and so do columns and rows that a person added. Rows without an answer that
    nobody asks any more go. Nothing is written where nothing changed.
    """
    asked = {question.video_id: question.row() for question in sorted(questions, key=lambda q: q.video_id)}
    rows = _rewrite(path, lambda sheet: _updated(sheet, asked))
    return sum(not _is_answered(row) for row in rows)


def forget_videos(path: Path, video_ids: Collection[str]) -> int:
    """Take out every row of these videos, answered or not; returns how many there were.

    Raises ``ConfigError`` where the file can't be understood.
    """
    gone = 0

    def without(sheet: _Sheet) -> list[Row]:
        nonlocal gone
        kept = [row for row in sheet.rows if row["video_id"].strip() not in video_ids]
        gone = len(sheet.rows) - len(kept)
        return kept if gone else list(sheet.rows)

    _rewrite(path, without, only_if=lambda: gone > 0)
    return gone


def _rewrite(
    path: Path, change: Callable[[_Sheet], list[Row]], *, only_if: Callable[[], bool] = lambda: True
) -> list[Row]:
    """Give the file other rows, at once; nothing is written where nothing changed. Returns the rows."""
    while True:
        before = path.read_bytes() if path.exists() else b""
        sheet = _read(path)
        rows = change(sheet)
        text = _written(sheet, rows).encode("utf-8-sig" if sheet.mark else "utf-8")
        if only_if() and text != before and (rows or before):
            beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            # whoever saved answers meanwhile must not lose them
            if (path.read_bytes() if path.exists() else b"") != before:
                beside.unlink()
                continue
            beside.replace(path)
        return rows


def _updated(sheet: _Sheet, asked: dict[str, Row]) -> list[Row]:
    rows: list[Row] = []
    there: set[str] = set()
    for row in sheet.rows:
        video_id = row["video_id"].strip()
        there.add(video_id)
        own = any(row[name].strip() for name in sheet.columns if name not in COLUMNS)
        if _is_answered(row) or (own and video_id not in asked):
            rows.append(row)
        elif video_id in asked:
            rows.append(row | {name: text for name, text in asked[video_id].items() if name not in _ANSWERS})
    return rows + [row for video_id, row in asked.items() if video_id not in there]


def _is_answered(row: Row) -> bool:
    return any(row[name].strip() for name in _ANSWERS)


def _read(path: Path) -> _Sheet:
    if not path.exists() or path.stat().st_size == 0:
        return _Sheet(columns=COLUMNS, rows=(), lines=())
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: the answers can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: the answers can't be read: save the file as CSV in UTF-8") from error
    head = text.splitlines()[0]
    delimiter = max(",;\t", key=head.count)  # spreadsheets of some countries write semicolons
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns = tuple(reader.fieldnames or ())
    missing = [name for name in ("video_id", *_ANSWERS) if name not in columns]
    if missing:
        raise ConfigError(f"{path}: the column {missing[0]} is missing; delete the file if it holds no answers")
    rows: list[Row] = []
    lines: list[int] = []
    for row in reader:
        whole = {name: row[name] or "" for name in columns}
        if any(value.strip() for value in whole.values()):
            rows.append({name: whole.get(name, "") for name in dict.fromkeys((*columns, *COLUMNS))})
            lines.append(reader.line_num)
    return _Sheet(
        columns=tuple(dict.fromkeys((*columns, *COLUMNS))),
        rows=tuple(rows),
        lines=tuple(lines),
        delimiter=delimiter,
        mark=raw.startswith(b"\xef\xbb\xbf"),
    )


def _written(sheet: _Sheet, rows: Sequence[Row]) -> str:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, sheet.columns, delimiter=sheet.delimiter, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def _harmless(text: str) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return f"'{plain}" if plain.startswith(_FORMULA) else plain
