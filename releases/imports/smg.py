"""SMG: Kinect v2 skeletons and labels as CSV, one sequence for each of its 40 participants.

``SampleNNNN_skeleton.csv`` has a row a frame: 25 joints x 11 numbers, of which the first three are a position in metres
(the others are orientations and picture positions, not used). ``SampleNNNN_finelabels.csv`` has ``class,start,end``
with classes from 1; frames count from 1 and the end frame belongs to the label. ``SampleNNNN_data.csv`` has the frames,
the frames per second and the sensor's range.

Positions are three-dimensional. They are put orthographically into the plane of the picture, 1 px = 1 mm: the sensor's
x grows to its own left and its y upwards (Kinect for Windows SDK 2.0, coordinate mapping), so both change sign, and the
smallest of each is put at ``MARGIN_PX``. Depth is lost, and there is no picture, hence no width and height. The Kinect
gives no confidence: a joint that it has is 1.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from releases.imports.base import (
    Floats,
    ImportedRecording,
    ImportOptions,
    LeftOut,
    OpenedImport,
    bad_file,
    digest_of_files,
    read_each,
    require_taxonomy,
    split_of_folders,
    track_of,
)
from releases.imports.label_files import LabelRules, read_label_file
from releases.imports.number_files import read_number_file
from releases.imports.subjects import declared_for
from schema.errors import DropReason, ItemError, UsageError
from schema.layouts import KINECT25

JOINTS, NUMBERS_A_JOINT = 25, 11
PX_PER_METRE = 1000.0
MARGIN_PX = 100.0
FARTHEST_METRES = 50.0
"""The sensor sees 4.5 m far; a joint beyond this is none."""
FIRST_TEST_SUBJECT = 36
"""SMG's own split: participants 1 to 35 are for training and validation, 36 to 40 for the test."""
LABELS, FACTS = "finelabels", "data"
FASTEST_RATE = 1000
_NAME = re.compile(r"(?P<sample>Sample(?P<number>\d{4}))_skeleton\.csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    native_id: str
    number: int
    file: Path
    split: str | None

    def beside(self, ending: str) -> Path:
        return self.file.with_name(f"{self.native_id}_{ending}.csv")


def open_smg(path: Path, options: ImportOptions) -> OpenedImport:
    """List the samples under a folder, however deep, or the one of a skeleton file."""
    require_taxonomy(options, "smg17", data_set="SMG")
    files = [path] if path.is_file() else path.rglob("Sample*_skeleton.csv")
    samples = sorted(
        (_sample(file, match, path) for file in files if (match := _NAME.fullmatch(file.name))),
        key=lambda sample: (sample.native_id, sample.file),
    )
    if not samples:
        raise UsageError(f"{path}: no file SampleNNNN_skeleton.csv in it, or in a folder under it")
    class_ids = {gesture.number: gesture.class_id for gesture in options.taxonomy}
    rules = LabelRules(class_of=class_ids.get, classes_told="1 to 17", first_frame=1)

    def read(sample: _Sample) -> tuple[ImportedRecording, Sequence[LeftOut]]:
        return _recording(sample, rules, options)

    others = [sample.beside(ending) for sample in samples for ending in (LABELS, FACTS)]
    return OpenedImport(
        files=tuple(sorted([sample.file for sample in samples] + [file for file in others if file.is_file()])),
        recording_count=len(samples),
        records=lambda: read_each(samples, read),
        notes=("positions are 3-D: x and y are kept at 1 px a mm, depth is left out",),
    )


def _sample(file: Path, match: re.Match[str], root: Path) -> _Sample:
    number = int(match["number"])
    told = "test" if number >= FIRST_TEST_SUBJECT else None
    return _Sample(native_id=match["sample"], number=number, file=file, split=split_of_folders(file, root) or told)


def _recording(
    sample: _Sample, rules: LabelRules, options: ImportOptions
) -> tuple[ImportedRecording, Sequence[LeftOut]]:
    declared = declared_for(options.subjects, sample.native_id)
    rate = declared.rate or options.rate or _rate(sample.beside(FACTS))
    numbers = read_number_file(sample.file, columns=JOINTS * NUMBERS_A_JOINT)
    track = track_of(in_plane(numbers.reshape(-1, JOINTS, NUMBERS_A_JOINT)[..., :3]), KINECT25)
    if track is None:
        raise ItemError(DropReason.NO_KEYPOINTS, "nobody is seen in any frame; leave the sample out")
    labels = sample.beside(LABELS)
    segments, lost = (
        read_label_file(labels, where=labels.name, rules=rules, frame_count=len(numbers), rate=rate)
        if labels.is_file()
        else ([], [])
    )
    recording = ImportedRecording(
        native_id=sample.native_id,
        native_subject=declared.subject or str(sample.number),
        location=str(sample.file),
        content=digest_of_files([sample.file]),
        tracks=(track,),
        frame_count=len(numbers),
        rate=rate,
        width=None,
        height=None,
        layout=KINECT25.name,
        segments=tuple(segments),
        match_outcome=declared.match_outcome,
        split=declared.split or sample.split,
    )
    return recording, lost


def in_plane(positions_xyz: Floats) -> Floats:
    """Put positions in metres ``(n, 25, 3)`` into the picture's plane: x and y in mm and confidence, ``(n, 25, 3)``.

    A joint at the sensor's own place, (0, 0, 0), is one that it does not have.
    """
    with np.errstate(invalid="ignore"):
        is_near = np.abs(positions_xyz).max(axis=-1, initial=0) < FARTHEST_METRES  # false for NaN too
    seen = is_near & np.any(positions_xyz != 0, axis=-1)
    values = np.zeros_like(positions_xyz)
    if seen.any():
        plane = -positions_xyz[seen][:, :2] * np.float32(PX_PER_METRE)
        values[seen, :2] = plane - plane.min(axis=0) + np.float32(MARGIN_PX)
    values[..., 2] = seen
    return values


def _rate(path: Path) -> Fraction:
    if not path.is_file():
        raise ItemError(DropReason.MISSING, f"{path.name}, which tells the rate, is not there; copy it, or say --rate")
    rows = [row for row in csv.reader(path.read_text(encoding="utf-8-sig", errors="replace").splitlines()) if row]
    told = rows[0][1].strip() if rows and len(rows[0]) > 1 else ""
    try:
        rate = Fraction(told)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 1 <= rate <= FASTEST_RATE:
        raise bad_file(
            f"{path.name} tells no rate: `frames,frames a second,range` is needed; correct it, or say --rate"
        )
    return rate
