"""Skeleton sets as text: a file of numbers for each recording, and labels by frame, as UTKinect has them.

A recording is a text file with a row a frame: a frame number where there is one, then all points, two or three numbers
each; spaces, tabs, commas and semicolons part them. Three numbers a point are a position in space; a point at the
origin, or of no number, is not seen. Rows of two people in space give the one who is seen more.

Labels are one file, in which a line with a recording's name comes before its labels (``walk: 252 390``), or a folder
with a file for each recording (``walk,252,390``; one more number, a confidence, is passed over). First and last frame
belong to the label. A label without frames (``NaN NaN``) is left out.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    re.compile(r"(?:^|[^a-z])(?:subject|person|s|p)_?(?P<subject>\d+)", re.IGNORECASE),
)
"""How a recording's name tells the person: NTU's way, and s01, p1, subject_1."""
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
    repeated: int
    """Rows that were left out because their frame was there already."""


def class_id_of(label: str) -> str:
    """Make a class id of a label: ``sitDown`` becomes ``sit_down``, ``7`` becomes ``class_7``."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", label.strip())
    class_id = re.sub(r"[^0-9a-z]+", "_", words.casefold()).strip("_")
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
    return Rows(frames=frames[kept].astype(np.int64), positions=positions[kept], repeated=int(np.sum(~kept)))


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
        words = [word for word in re.split(r"[\s,;:]+", line.strip()) if word]
        where = f"{file.name} line {number}"
        if len(words) == 1 and recording_name(Path(f"{words[0]}.txt")) in names:
            current = recording_name(Path(f"{words[0]}.txt"))
            found.setdefault(current, [])
        elif words:
            if current is None:
                raise UsageError(f"{where}: {line.strip()[:40]!r} comes before the name of any recording that is there")
            label = _label(words, where)
            if label is None:
                left_out.append(f"{where}: a label of {current} has no frames")
            else:
                found[current].append(label)


def _label(words: Sequence[str], where: str) -> Label | None:
    """Read ``name first last``, and a confidence after them where there is one; None where it has no frames."""
    for count in range(1, len(words) - 1):
        told = [_number(word) for word in words[count:]]
        numbers = [number for number in told if number is not None]
        if len(numbers) == len(told) <= 3:
            break
    else:
        raise UsageError(f"{where}: no label `name first_frame last_frame`, nor the name of a recording that is there")
    first, last = numbers[:2]
    if math.isnan(first) and math.isnan(last):
        return None
    if not (first.is_integer() and last.is_integer() and first <= last):
        raise UsageError(f"{where}: {words[count]} to {words[count + 1]} are no frames; correct the label")
    return Label(name=" ".join(words[:count]), first_frame=int(first), last_frame=int(last))


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
    declared = subjects.get(name)
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
    seen = np.isfinite(rows.positions).all(axis=-1)
    poses = PoseSequence(
        sequence_id=f"{name}/0",
        subject_id=declared.subject if declared else subject_in(name),
        layout=layout,
        times_ns=np.array([_time_ns(frame - first, rate) for frame in rows.frames.tolist()], np.int64),
        positions=rows.positions,
        scores=np.asarray(seen, np.float32),
    )
    whole = TimeSpan(start_ns=0, end_ns=_time_ns(last + 1 - first, rate))
    judged = () if labels is None else (whole,)
    return LabelledSequence(poses=poses, gestures=tuple(sorted(gestures)), judged=judged, origin=origin), told


def _time_ns(frame: int, rate: Fraction) -> int:
    return ticks_to_ns(frame, 1 / rate)
