"""Labelled skeleton sets for benchmarks: UTKinect, text files like it, what pressroom imports, and its releases.

    python benchmarks/skeleton_sets.py FOLDER [--format text --layout kinect25 --rate 30]

tells what is in a set: people, recordings, classes and lengths.
"""

import argparse
import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from statistics import median

from benchmarks.skeleton_imports import load_import, load_release
from benchmarks.skeleton_text import (
    RATE,
    class_id_of,
    labelled_sequence,
    read_labels,
    read_rows,
    recording_files,
    short_number,
    third_is_confidence,
    with_confidence,
)
from models.inputs.poses import LabelledSequence
from releases.imports.subjects import DeclaredSubject, parse_rate, read_subjects, read_text
from schema.errors import PipelineError, UsageError
from schema.layouts import LAYOUTS
from schema.taxonomy import Taxonomy, load_taxonomy, parse_taxonomy

FORMATS = ("utkinect", "text", "miga", "smg", "ma52", "pyskl", "release")
UTKINECT = Path(__file__).parents[2] / "shared" / "media" / "skeletons" / "UTKinect"
UTKINECT_LABELS = ("actionLabel_modified.txt", "actionLabel.txt")
"""The first that is there is read. The modified labels put right a slip of the pen (``push: 2556 3622`` for 3556, half
a minute too early), a ``walk`` of 1.3 s where the shortest of the others has 2.9 s, and the two other places where two
actions overlap: the actions were performed one after the other."""
WHOLE_BODY = "Whole body"
UTKINECT_GROUPS: dict[str, str] = {
    **dict.fromkeys(("walk", "sit_down", "stand_up", "pick_up", "carry"), WHOLE_BODY),
    **dict.fromkeys(("throw", "push", "pull", "wave_hands", "clap_hands"), "Arms"),
}
"""UTKinect publishes no groups: these are ours."""
CONFIDENCE_NOTE = (
    "the third number of a point lies in 0..1 throughout and x or y go far beyond: it was taken for a confidence, and "
    "the points for points of a picture"
)
PEOPLE_TOLD = 20
"""People whom the description of a set names."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SkeletonSet:
    """Skeleton sequences with everything that is known of them."""

    name: str
    taxonomy: Taxonomy
    sequences: list[LabelledSequence]
    notes: list[str] = field(default_factory=list)
    """What was left out or changed in reading, a line each."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """The people, sorted; unknown ones are left out."""
        return tuple(sorted({one.poses.subject_id for one in self.sequences if one.poses.subject_id is not None}))


def load_utkinect(folder: Path = UTKINECT) -> SkeletonSet:
    """Read UTKinect (Xia et al., CVPR workshops 2012): 20 recordings of 10 people, 10 actions, 20 joints in space.

    Frames count at 30 a second, and most are not there: times come from the frame numbers.

    Raises ``UsageError`` where files are missing or hold something else.
    """
    labels = _utkinect_labels(folder)
    if labels is None:
        raise UsageError(f"{folder}: no {' or '.join(UTKINECT_LABELS)} in it, or in joints/")
    found = load_text(labels.parent, layout="kinect20", labels=labels, group_of=UTKINECT_GROUPS, name="utkinect")
    strange = sorted({one.class_id for one in found.taxonomy} - UTKINECT_GROUPS.keys())
    if strange:
        raise UsageError(f"{labels.name}: {', '.join(strange)} are no actions of UTKinect; read it with --format text")
    return found


def _utkinect_labels(folder: Path) -> Path | None:
    places = [place / name for name in UTKINECT_LABELS for place in (folder, folder / "joints")]
    return next((place for place in places if place.is_file()), None)


def load_text(
    folder: Path,
    *,
    layout: str,
    rate: Fraction = RATE,
    labels: Path | None = None,
    subjects: Mapping[str, DeclaredSubject] | None = None,
    group_of: Mapping[str, str] | None = None,
    taxonomy: Taxonomy | None = None,
    name: str | None = None,
) -> SkeletonSet:
    """Read a set of text files (``benchmarks.skeleton_text`` tells the form).

    Args:
        folder: Where the recordings lie.
        layout: What the points are (``schema.layouts.LAYOUTS``).
        rate: Frames per second.
        labels: File or folder of the labels; None: what is called so in ``folder``.
        subjects: Who is in each recording; None: by its name.
        group_of: Body-part group by class id; a class without one is in the group "Body".
        taxonomy: The classes; None: made of the labels.
        name: What the set is called; None: by its folder.

    Raises:
        UsageError: Something is missing or wrong; names the file and the line.
    """
    _check_layout(layout)
    files = recording_files(folder)
    told, notes = read_labels(labels or _labels_in(folder), list(files))
    name = name or folder.resolve().name
    sequences: list[LabelledSequence] = []
    read = {recording: read_rows(file, layout=layout) for recording, file in sorted(files.items())}
    if third_is_confidence(read.values()):
        notes.append(CONFIDENCE_NOTE)
        read = {recording: with_confidence(rows) for recording, rows in read.items()}
    for recording, rows in read.items():
        file = files[recording]
        if rows.repeated:
            notes.append(f"{file.name}: {rows.repeated} rows repeat a frame and were left out")
        if recording not in told:
            notes.append(f"{recording}: nobody labelled it")
        sequence, cut = labelled_sequence(
            recording, rows, told.get(recording), layout=layout, rate=rate, origin=name, subjects=subjects or {}
        )
        sequences.append(sequence)
        notes += cut
    spoken = sorted({label.name for own in told.values() for label in own}, key=_natural)
    taxonomy = taxonomy or make_taxonomy(name, spoken, group_of=group_of or {})
    return SkeletonSet(name=name, taxonomy=taxonomy, sequences=checked(sequences, taxonomy, name), notes=notes)


def _natural(label: str) -> tuple[bool, int, str]:
    return (False, int(label), "") if label.isdigit() else (True, 0, label)


def _labels_in(folder: Path) -> Path:
    places = [path for path in sorted(folder.rglob("*")) if "label" in path.name.casefold()]
    folders = [path for path in places if path.is_dir()]
    files = [path for path in places if path.is_file() and path.suffix in (".txt", ".csv")]
    if folders:
        files = [path for path in files if not any(folder in path.parents for folder in folders)]
    found = [*folders, *files]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise UsageError(f"{folder}: one file or folder of labels is needed, and there are: {names}; say --labels")
    return found[0]


def make_taxonomy(name: str, labels: Sequence[str], *, group_of: Mapping[str, str]) -> Taxonomy:
    """Make a taxonomy of labels, with body-part groups by class id; a class without one is in the group "Body"."""
    names = {class_id_of(label): label for label in reversed(labels)}
    classes = [
        {
            "class_id": class_id,
            "number": number,
            "name": names[class_id],
            "group": group_of.get(class_id, "Body"),
            "definition": f"What {name} labels {names[class_id]}.",
            "question": f"Does the person do what {name} calls {names[class_id]}?",
            "phrase": f"does what {name} calls {names[class_id]}",
            "micro_gesture": False,
        }
        for number, class_id in enumerate(dict.fromkeys(class_id_of(label) for label in labels), start=1)
    ]
    return parse_taxonomy({"name": name, "title": name, "source": f"labels of {name}", "classes": classes})


def checked(sequences: Sequence[LabelledSequence], taxonomy: Taxonomy, name: str) -> list[LabelledSequence]:
    """Return the sequences by id; raises ``UsageError`` for nothing to learn from, or a class that is unknown."""
    if not any(one.gestures for one in sequences):
        raise UsageError(f"{name}: no labelled gesture in it")
    strange = sorted({g.class_id for one in sequences for g in one.gestures} - {c.class_id for c in taxonomy})
    if strange:
        raise UsageError(f"{name}: {', '.join(strange)} are not in the taxonomy {taxonomy.name}")
    return sorted(sequences, key=lambda one: one.poses.sequence_id)


def read_groups(path: Path) -> dict[str, str]:
    """Read ``label,group`` lines; raises ``UsageError`` with the line that is none, or a file that can't be read."""
    found: dict[str, str] = {}
    reader = csv.reader(io.StringIO(read_text(path)))
    for row in reader:
        cells = [cell.strip() for cell in row]
        if not any(cells) or [cell.casefold() for cell in cells] == ["label", "group"]:
            continue
        if len(cells) != 2 or not all(cells):
            raise UsageError(f"{path.name} line {reader.line_num}: `label,group` is needed")
        found[class_id_of(cells[0])] = cells[1]
    return found


def _check_layout(layout: str) -> None:
    if layout not in LAYOUTS:
        raise UsageError(f"no layout {layout!r}; there are {', '.join(LAYOUTS)}")


def format_of(path: Path) -> str:
    """Tell the format by the files; ``text`` where nothing else speaks."""
    if _utkinect_labels(path) is not None:
        return "utkinect"
    if (path / "data").is_dir() and any((path / "data").glob("*.parquet")):
        return "release"
    for format_name, pattern in (("miga", "*_light_hand.csv"), ("smg", "Sample*_skeleton.csv"), ("pyskl", "*.pkl")):
        if path.name.endswith(pattern[1:]) or any(path.rglob(pattern)):
            return format_name
    return "text"


def add_arguments(parser: argparse.ArgumentParser, *, default: Path = UTKINECT) -> None:
    """Give a benchmark the options that ``load_set`` takes."""
    parser.add_argument("path", nargs="?", type=Path, default=default, help="the set's folder")
    parser.add_argument("--format", choices=FORMATS, help="by its files, where not told")
    parser.add_argument("--layout", choices=sorted(LAYOUTS), help="of the points; needed for text")
    parser.add_argument("--rate", help="frames per second, where the files don't tell")
    parser.add_argument("--subjects", type=Path, help="CSV with the columns recording and subject")
    parser.add_argument("--labels", type=Path, help="file or folder of a text set's labels")
    parser.add_argument("--groups", type=Path, help="CSV of label,group")
    parser.add_argument("--taxonomy", help="one of pressroom's; made of the labels where not told")


def load_set(arguments: argparse.Namespace) -> SkeletonSet:
    """Read the set that the options of ``add_arguments`` name; raises ``UsageError``."""
    path: Path = arguments.path
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    format_name = arguments.format or format_of(path)
    if format_name == "utkinect":
        return load_utkinect(path)
    if format_name == "release":
        taxonomy, sequences = load_release(path)
        name = path.resolve().name
        return SkeletonSet(name=name, taxonomy=taxonomy, sequences=checked(sequences, taxonomy, name))
    group_of = read_groups(arguments.groups) if arguments.groups else {}
    told = _Told(
        rate=parse_rate(arguments.rate, what="--rate") if arguments.rate else None,
        subjects=read_subjects(arguments.subjects) if arguments.subjects else {},
        group_of=group_of,
        taxonomy=load_taxonomy(arguments.taxonomy) if arguments.taxonomy else None,
        layout=arguments.layout or "",
    )
    found = _text_set(path, arguments.labels, told) if format_name == "text" else _imported_set(path, format_name, told)
    strange = sorted(group_of.keys() - {one.class_id for one in found.taxonomy})
    if strange:
        raise UsageError(f"--groups: {', '.join(strange)} are no classes of {found.name}")
    _check_subjects(found, told.subjects)
    return found


def _check_subjects(found: SkeletonSet, subjects: Mapping[str, DeclaredSubject]) -> None:
    """Refuse people of recordings that are not there: a name that is spelt otherwise would go unnoticed.

    Recordings that a note names were there, and could not be read.
    """
    names = {one.poses.sequence_id.rpartition("/")[0] for one in found.sequences}
    called = names | {short_number(name) for name in names}
    told = "\n".join(found.notes)
    strange = [
        name for name in subjects if name not in called and not re.search(rf"(?<!\w){re.escape(name)}(?![^\W_])", told)
    ]
    if strange:
        some = ", ".join(strange[:3]) + ", ..." * (len(strange) > 3)
        raise UsageError(
            f"--subjects: {len(strange)} of {len(subjects)} rows match no recording of {found.name} ({some}), which "
            f"are called {min(names)} and the like; correct or remove them"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Told:
    """What the caller says of a set."""

    rate: Fraction | None
    subjects: Mapping[str, DeclaredSubject]
    group_of: Mapping[str, str]
    taxonomy: Taxonomy | None
    layout: str


def _text_set(path: Path, labels: Path | None, told: _Told) -> SkeletonSet:
    if not told.layout:
        raise UsageError(f"{path}: say what its points are with --layout: {', '.join(LAYOUTS)}")
    return load_text(
        path,
        layout=told.layout,
        rate=told.rate or RATE,
        labels=labels,
        subjects=told.subjects,
        group_of=told.group_of,
        taxonomy=told.taxonomy,
    )


def _imported_set(path: Path, format_name: str, told: _Told) -> SkeletonSet:
    name = path.resolve().stem

    def made(labels: Sequence[str]) -> Taxonomy:
        return make_taxonomy(name, labels, group_of=told.group_of)

    taxonomy, sequences, notes = load_import(
        path,
        format_name,
        taxonomy=told.taxonomy,
        make_taxonomy=made,
        layout=told.layout,
        rate=told.rate,
        subjects=told.subjects,
    )
    return SkeletonSet(name=name, taxonomy=taxonomy, sequences=checked(sequences, taxonomy, name), notes=notes)


def describe(skeletons: SkeletonSet) -> list[str]:
    """Say what is in a set, line by line."""
    gestures = [gesture for one in skeletons.sequences for gesture in one.gestures]
    seconds = sum(span.seconds for one in skeletons.sequences for span in one.judged)
    counts = Counter(gesture.class_id for gesture in gestures)
    lines = [
        f"{skeletons.name}: {len(skeletons.sequences)} sequences of {len(skeletons.subjects)} known people, "
        f"{len(gestures)} gestures in {len(counts)} classes, {seconds:.0f} s judged",
        f"  people: {_people(skeletons)}",
        f"  points: {', '.join(sorted({_kind(one) for one in skeletons.sequences}))}",
    ]
    for class_id, count in counts.most_common():
        lengths = [gesture.span.seconds for gesture in gestures if gesture.class_id == class_id]
        group = skeletons.taxonomy.by_id(class_id).group
        lines.append(f"  {class_id:24} {group:12} {count:5}  {median(lengths):6.2f} s")
    return [*lines, *skeletons.notes]


def _people(skeletons: SkeletonSet) -> str:
    """Name the people, so that somebody notices where sessions were taken for them."""
    people = skeletons.subjects
    more = f" and {len(people) - PEOPLE_TOLD} more" if len(people) > PEOPLE_TOLD else ""
    unknown = sum(one.poses.subject_id is None for one in skeletons.sequences)
    told = f"{', '.join(people[:PEOPLE_TOLD]) or 'none is known'}{more}"
    return told + (f"; {unknown} sequences of nobody known (--subjects)" if unknown else "")


def _kind(one: LabelledSequence) -> str:
    return f"{one.poses.layout} in {'the plane' if one.poses.dimensions == 2 else 'space'}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    arguments = parser.parse_args()
    if arguments.path == UTKINECT and not UTKINECT.exists():
        parser.exit(0, f"{UTKINECT} is not there: name a folder\n")
    try:
        print("\n".join(describe(load_set(arguments))))
    except PipelineError as error:
        parser.exit(2, f"{error}\n")
