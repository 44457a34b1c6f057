"""Label files of MiGA and SMG: lines ``class,start,end``, whose end frame belongs to the label."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from releases.imports.base import ImportedSegment, LeftOut, frame_time_ns
from schema.errors import DropReason

ClassOf = Callable[[int], str | None]
_COLUMNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRules:
    """How the label files of a data set are read."""

    class_of: ClassOf
    """Gives the class id of a number; None where the data set has no such class."""
    classes_told: str
    """The numbers that there are, in words."""
    first_frame: int
    """The number of the first frame, 0 or 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    line: int
    detail: str


def read_label_file(
    path: Path, *, where: str, rules: LabelRules, frame_count: int, rate: Fraction
) -> tuple[list[ImportedSegment], list[LeftOut]]:
    """Read the labels of one recording, sorted by time; rows that can't be labels are left out and told once.

    The last frame of a label belongs to it: the data sets' own loaders go through ``range(start, end + 1)`` (MiGA
    starter kit, ``imigue_gendata.py``; SMG, ``read_xyz``), and SMG's clips are named by both.
    """
    found: dict[ImportedSegment, None] = {}
    faults: list[_Fault] = []
    text = path.read_bytes().decode("utf-8-sig", "replace")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells) or (reader.line_num == 1 and cells[0].isalpha()):
                continue
            segment = _segment(cells, reader.line_num, rules, frame_count, rate)
            if isinstance(segment, ImportedSegment) and segment in found:
                segment = _Fault(line=reader.line_num, detail="the same label comes twice; one of them is kept")
            if isinstance(segment, _Fault):
                faults.append(segment)
            else:
                found[segment] = None
    except csv.Error as error:
        faults.append(_Fault(line=reader.line_num, detail=f"{error}; the labels from here on are lost: correct it"))
    return sorted(found, key=lambda s: (s.start_ns, s.end_ns, s.class_id)), _told(where, faults)


def _told(where: str, faults: list[_Fault]) -> list[LeftOut]:
    if not faults:
        return []
    first = faults[0]
    place = f"{where} line {first.line}"
    return [LeftOut(where=place, reason=DropReason.BAD_IMPORT, detail=first.detail, count=len(faults))]


def _segment(
    cells: list[str], line: int, rules: LabelRules, frame_count: int, rate: Fraction
) -> ImportedSegment | _Fault:
    numbers = [_whole(cell) for cell in cells]
    if len(cells) != _COLUMNS or None in numbers:
        return _Fault(line=line, detail="no label: `class,start,end` in whole numbers is needed; correct it")
    number, first, last = (int(n) for n in numbers if n is not None)
    class_id = rules.class_of(number)
    if class_id is None:
        return _Fault(line=line, detail=f"class {number} is none of {rules.classes_told}; correct it")
    start, end = first - rules.first_frame, last - rules.first_frame + 1
    if not 0 <= start < end:
        return _Fault(
            line=line, detail=f"frames {first} to {last} are no span that begins at frame {rules.first_frame} or later"
        )
    if end > frame_count:
        newest = frame_count - 1 + rules.first_frame
        return _Fault(line=line, detail=f"frames {first} to {last} go beyond the last skeleton, frame {newest}")
    return ImportedSegment(
        class_id=class_id,
        label=str(number),
        start_ns=frame_time_ns(start, rate),
        end_ns=frame_time_ns(end, rate),
    )


def _whole(cell: str) -> int | None:
    """Read a whole number; spreadsheets write 12.0 for 12."""
    text = cell.removesuffix(".0")
    sign = text[:1] in ("-", "+")
    return int(text) if text[sign:].isascii() and text[sign:].isdigit() and len(text) <= 18 else None
