"""Skeleton sets as text: a file of numbers for each recording, and labels by frame, as UTKinect has them.

A recording is a text file with a row a frame: a frame number where there is one, then all points, two or three numbers
each; spaces, tabs, commas and semicolons part them. Three numbers a point are a position in space, or, where the third
is a share throughout the set and the others are not (``third_is_confidence``), one in the plane and its confidence. A
point at the origin, or of no number, is not seen. Rows of two people give the one who is seen more.

Labels are one file, in which a line with a recording's name comes before its labels (``walk: 252 390``), or a folder
with a file for each recording (``walk,252,390``; one more number, a confidence, is passed over). First and last frame
belong to the label. A label without frames (``NaN NaN``) is left out. What comes before ``:``, ``,`` or ``;`` is the
name, numbers and all.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.inputs.poses import Gesture, LabelledSequence, PoseSequence
from releases.imports.subjects import DeclaredSubject
from schema.errors import UsageError
from schema.layouts import LAYOUTS
from schema.timespan import TimeSpan, ticks_to_ns

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
RATE = Fraction(30)
PREFIXES = ("joints_", "skeleton_", "skel_")
SUFFIXES = ("_skeleton3D", "_skeleton", "_joints", "_screen", "_skel")
"""What the names of files have around the name of the recording."""
_SUBJECTS = (
    re.compile(r"S\d{3}C\d{3}P(?P<subject>\d{3})R\d{3}A\d{3}"),
    *(re.compile(rf"(?:^|[^a-z])(?:{word})_?(?P<subject>\d+)", re.IGNORECASE) for word in ("subject|person", "p", "s")),
)
"""How a recording's name tells the person, the surest first: NTU's way, subject_1, p1, s01 (which may be a session)."""
CLEARLY_BEYOND = 10.0
"""x or y beyond this are pixels or millimetres, not shares nor metres of a room."""
_ENDINGS = (".txt", ".csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A label as the data set writes it; both frames belong to it."""

    name: str
    first_frame: int
    last_frame: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """The numbers of a recording."""

    frames: Integers
    """Frame numbers, increasing, shape ``(n,)``."""
    positions: Floats
    """Shape ``(n, p, d)``; NaN where a point is not seen."""
    scores: Floats
    """Confidence of each point, shape ``(n, p)``; 0 where it is not seen."""
    repeated: int
    """Rows that were left out because their frame was there already."""


def class_id_of(label: str) -> str:
    """Make a class id of a label: ``sitDown`` becomes ``sit_down``, ``7`` becomes ``class_7``.

    Letters without an ASCII form become their numbers in Unicode, so that labels of any script differ.
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", label.strip())
    plain = [sign for sign in unicodedata.normalize("NFKD", words.casefold()) if not unicodedata.combining(sign)]
    told = "".join(sign if sign.isascii() or not sign.isalnum() else f"_u{ord(sign):x}_" for sign in plain)
    class_id = re.sub(r"[^0-9a-z]+", "_", told).strip("_") or "_".join(f"u{ord(sign):x}" for sign in plain)
    return f"class_{class_id}" if class_id.isdigit() else class_id


def subject_in(name: str) -> str | None:
    """Return the person that a recording's name tells, or None."""
    for pattern in _SUBJECTS:
        if match := pattern.search(name):
            return f"s{match['subject']}"
    return None


def recording_files(folder: Path) -> dict[str, Path]:
    """Find the recordings of a folder, however deep, by name: text files that hold no labels.

    Raises ``UsageError`` where there are none, or two of one name.
    """
    found: dict[str, Path] = {}
    for file in sorted(path for ending in _ENDINGS for path in folder.rglob(f"*{ending}")):
        parts = file.relative_to(folder).parts
        if any("label" in part.casefold() for part in parts) or file.stem.casefold() in _NO_RECORDINGS:
            continue
        name = recording_name(file)
        if name in found:
            raise UsageError(f"{folder}: {found[name].name} and {file.name} are both of recording {name}; keep one")
        found[name] = file
    if not found:
        raise UsageError(f"{folder}: no text file with skeletons in it, or in a folder under it")
    return found


_NO_RECORDINGS = frozenset({"readme", "subjects", "groups", "licence", "license", "actions", "classes"})


def recording_name(file: Path) -> str:
    """Return the name of a recording by that of its file."""
    name = file.stem
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def read_rows(path: Path, *, layout: str) -> Rows:
    """Read a recording.

    Raises ``UsageError`` that names the file, and the line where there is one: no numbers, another number of points
    than the layout's, frames that go back.
    """
    points = len(LAYOUTS[layout].sources)
    shapes = {
        number + people * points * axes: (number, people, axes)
        for number in (0, 1)
        for people, axes in ((1, 2), (1, 3), (2, 3))
    }
    rows: list[list[float]] = []
    for line_number, line in enumerate(_text(path).splitlines(), start=1):
        row = _numbers(line)
        if row is None and not rows:
            continue  # headings
        if row is None:
            raise UsageError(f"{path.name} line {line_number}: no row of numbers; correct it, or leave the file out")
        if len(row) not in shapes and row:
            raise UsageError(
                f"{path.name} line {line_number}: {len(row)} numbers, and the {points} points of {layout} have "
                f"{2 * points} or {3 * points}, with one more for the frame; say another --layout"
            )
        if rows and row and len(row) != len(rows[0]):
            raise UsageError(f"{path.name} line {line_number}: {len(row)} numbers, {len(rows[0])} in the lines before")
        rows += [row] if row else []
    if not rows:
        raise UsageError(f"{path.name}: no frame in it; leave the file out")
    values = np.array(rows, np.float64)
    number, people, axes = shapes[values.shape[1]]
    frames = values[:, 0] if number else np.arange(len(values), dtype=np.float64)
    return _checked(path.name, frames, _placed(values[:, number:], people, points, axes))


def _numbers(line: str) -> list[float] | None:
    """Read the numbers of a line, an empty cell as NaN; None where it holds something else."""
    try:
        return [float(cell) if cell else math.nan for cell in _cells(line)]
    except ValueError:
        return None


def _cells(line: str) -> list[str]:
    """Part a line at its separators; an empty cell between two commas or semicolons stays one."""
    if "," in line or ";" in line:
        return [cell.strip() for cell in re.split(r"[,;]", line.strip().removesuffix(",").removesuffix(";"))]
    return line.split()


def _placed(values: npt.NDArray[np.float64], people: int, points: int, axes: int) -> Floats:
    positions = values.reshape(len(values), people, points, axes)
    seen = np.isfinite(positions).all(axis=-1) & np.any(positions != 0, axis=-1)
    chosen = int(seen.sum(axis=(0, 2)).argmax())
    return np.where(seen[:, chosen, :, None], positions[:, chosen], np.nan).astype(np.float32)


def _checked(name: str, frames: npt.NDArray[np.float64], positions: Floats) -> Rows:
    if not np.all(np.isfinite(frames) & (frames == np.round(frames)) & (np.abs(frames) < 2**53)):
        raise UsageError(f"{name}: the first number of a row is no whole frame number; say another --layout")
    steps = np.diff(frames)
    if np.any(steps < 0):
        place = int(np.argmax(steps < 0)) + 1
        raise UsageError(f"{name}: frame {frames[place]:.0f} comes after frame {frames[place - 1]:.0f}; sort the rows")
    # the sensor gave some frames twice, with almost the same skeleton: the first is kept
    kept = np.concatenate([[True], steps > 0])
    positions = positions[kept]
    return Rows(
        frames=frames[kept].astype(np.int64),
        positions=positions,
        scores=np.isfinite(positions).all(axis=-1).astype(np.float32),
        repeated=int(np.sum(~kept)),
    )


def third_is_confidence(recordings: Iterable[Rows]) -> bool:
    """Tell whether the third number of a point is a confidence: one answer for a whole set, as its points are alike.

    It is, where it lies in 0..1 throughout and x or y go clearly beyond.
    """
    is_beyond = False
    for positions in (rows.positions for rows in recordings if rows.positions.shape[-1] == 3):
        third = positions[..., 2]
        if np.any(third < 0) or np.any(third > 1):
            return False
        is_beyond |= bool(np.any(np.abs(positions[..., :2]) > CLEARLY_BEYOND))
    return is_beyond


def with_confidence(rows: Rows) -> Rows:
    """Take the third number of each point for its confidence, and at the origin for a point that is not seen."""
    if rows.positions.shape[-1] != 3:
        return rows
    plane, told = rows.positions[..., :2], rows.positions[..., 2]
    seen = (told > 0) & np.any(plane != 0, axis=-1)  # not seen where it is NaN
    positions = np.where(seen[..., None], plane, np.float32(np.nan))
    return replace(rows, positions=positions, scores=np.where(seen, told, np.float32(0)))


def read_labels(path: Path, names: Sequence[str]) -> tuple[dict[str, list[Label]], list[str]]:
    """Read the labels of some recordings, and tell those that were left out for having no frames.

    Args:
        path: A file with the labels of all recordings, or a folder with a file for each.
        names: The recordings.

    Raises:
        UsageError: A line that is no label, a recording that is not there; with file and line.
    """
    found: dict[str, list[Label]] = {}
    left_out: list[str] = []
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix in _ENDINGS)
    if not files:
        raise UsageError(f"{path}: no labels there")
    for file in files:
        current = None
        if path.is_dir():
            current = recording_name(file).removesuffix("_label").removesuffix("_labels")
            if current not in names:
                raise UsageError(f"{file.name}: there is no recording {current}; remove the labels, or add it")
            found.setdefault(current, [])
        _read_label_lines(file, current, names, found, left_out)
    return found, left_out


def _read_label_lines(
    file: Path, current: str | None, names: Sequence[str], found: dict[str, list[Label]], left_out: list[str]
) -> None:
    for number, line in enumerate(_text(file).splitlines(), start=1):
        words = _split(line)
        where = f"{file.name} line {number}"
        if len(words) == 1 and recording_name(Path(f"{words[0]}.txt")) in names:
            current = recording_name(Path(f"{words[0]}.txt"))
            found.setdefault(current, [])
        elif words:
            if current is None:
                raise UsageError(f"{where}: {line.strip()[:40]!r} comes before the name of any recording that is there")
            label = _label(line, where)
            if label is None:
                left_out.append(f"{where}: a label of {current} has no frames")
            else:
                found[current].append(label)


def _label(line: str, where: str) -> Label | None:
    """Read ``name first last``, and a confidence after them where there is one; None where it has no frames."""
    name, words, numbers = _name_and_numbers(line, where)
    first, last = numbers[:2]
    if math.isnan(first) and math.isnan(last):
        return None
    if not (first.is_integer() and last.is_integer() and first <= last):
        raise UsageError(f"{where}: {words[0]} to {words[1]} are no frames; correct the label")
    return Label(name=name, first_frame=int(first), last_frame=int(last))


def _name_and_numbers(line: str, where: str) -> tuple[str, list[str], list[float]]:
    """Part the name of a label from its two or three numbers: at a sign, or before the first number that fits."""
    for sign in re.finditer(r"[:,;]", line):
        name, words = " ".join(line[: sign.start()].split()), _split(line[sign.end() :])
        numbers = _all_numbers(words)
        if name and numbers:
            return name, words, numbers
    words = _split(line)
    for count in range(1, len(words) - 1):
        numbers = _all_numbers(words[count:])
        if not numbers:
            continue
        if len(numbers) == 3 and numbers[2].is_integer() and numbers[2] >= numbers[1]:
            raise UsageError(
                f"{where}: is {words[count]} part of the name, or {words[count + 2]} a confidence? write "
                "`name: first_frame last_frame`"
            )
        return " ".join(words[:count]), words[count:], numbers
    raise UsageError(f"{where}: no label `name first_frame last_frame`, nor the name of a recording that is there")


def _split(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,;:]+", text.strip()) if word]


def _all_numbers(words: Sequence[str]) -> list[float]:
    """Return two or three words as numbers; nothing where they are more, fewer, or no numbers."""
    numbers = [number for number in map(_number, words) if number is not None]
    return numbers if len(numbers) == len(words) and len(words) in (2, 3) else []


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig", "replace")


def labelled_sequence(
    name: str,
    rows: Rows,
    labels: Sequence[Label] | None,
    *,
    layout: str,
    rate: Fraction,
    origin: str,
    subjects: Mapping[str, DeclaredSubject],
) -> tuple[LabelledSequence, list[str]]:
    """Put a recording into time, with what was cut off its labels; None as labels: nobody looked at it.

    Times come from the frame numbers, since a sensor skips frames; the first frame that was recorded is at 0. The whole
    recording is judged.
    """
    declared = subjects.get(name) or subjects.get(short_number(name))
    rate = (declared.rate if declared else None) or rate
    first, last = int(rows.frames[0]), int(rows.frames[-1])
    gestures: list[Gesture] = []
    told: list[str] = []
    for label in labels or ():
        start, end = max(label.first_frame, first), min(label.last_frame, last)
        if start > end:
            raise UsageError(
                f"{name}: {label.name} is from frame {label.first_frame} to {label.last_frame}, and the recording from "
                f"{first} to {last}; correct the label"
            )
        if (start, end) != (label.first_frame, label.last_frame):
            told.append(f"{name}: {label.name} was cut to what was recorded, frames {start} to {end}")
        span = TimeSpan(start_ns=_time_ns(start - first, rate), end_ns=_time_ns(end + 1 - first, rate))
        gestures.append(Gesture(span=span, class_id=class_id_of(label.name)))
    poses = PoseSequence(
        sequence_id=f"{name}/0",
        subject_id=declared.subject if declared else subject_in(name),
        layout=layout,
        times_ns=np.array([_time_ns(frame - first, rate) for frame in rows.frames.tolist()], np.int64),
        positions=rows.positions,
        scores=rows.scores,
    )
    whole = TimeSpan(start_ns=0, end_ns=_time_ns(last + 1 - first, rate))
    judged = () if labels is None else (whole,)
    return LabelledSequence(poses=poses, gestures=tuple(sorted(gestures)), judged=judged, origin=origin), told


def short_number(name: str) -> str:
    """Return what a spreadsheet makes of the name of a recording: 7 of 0007."""
    return str(int(name)) if name.isdecimal() else name


def _time_ns(frame: int, rate: Fraction) -> int:
    return ticks_to_ns(frame, 1 / rate)
