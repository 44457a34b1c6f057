"""iMiGUE as the MiGA challenges ship it: skeletons of 35 joints and labels as CSV, a folder for each recording.

``<id>_light_hand.csv`` has a row a frame: one number that is not used, then 35 joints x (x, y, confidence).
``<id>_label.csv`` has ``class,start,end``: classes 1 to 31, and 99 for the 32nd (illustrative gestures). Frames count
from 0 and the end frame belongs to the label: the starter kit (``iMiGUEaccessSample.py``) adds one to both numbers,
counts skeletons from 1 and goes through ``range(start, end + 1)``. A heading line of the skeletons is not counted.

The joints' names are mirrored, and which finger joints are whose is not certain: the names give 25-29 to the right
hand, and a loader of the 2026 challenge takes them for the left. Each recording's own wrists decide
(``fingers_are_swapped``).
"""

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
from schema.layouts import MIGA35

SKELETONS, LABELS = "_light_hand.csv", "_label.csv"
JOINTS = 35
COLUMNS = 1 + 3 * JOINTS
RATE = Fraction(25)
SIZE = (1280, 720)
"""Pixels and frames per second of iMiGUE (CVPR 2021)."""
ILLUSTRATIVE, ILLUSTRATIVE_NUMBER = 99, 32
_WRIST_RIGHT, _WRIST_LEFT = 4, 7
_FINGERS_RIGHT, _FINGERS_LEFT = slice(25, 30), slice(30, 35)
_SWAPPED = [*range(25), *range(30, 35), *range(25, 30)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """The files of one recording."""

    native_id: str
    file: Path
    labels: Path | None
    split: str | None


def open_miga(path: Path, options: ImportOptions) -> OpenedImport:
    """List the recordings under a folder, however deep, or the one of a skeleton file."""
    require_taxonomy(options, "imigue32", data_set="iMiGUE")
    samples = _samples(path)
    if not samples:
        raise UsageError(f"{path}: no file <id>{SKELETONS} in it, or in a folder under it")
    class_ids = {gesture.number: gesture.class_id for gesture in options.taxonomy}
    class_ids[ILLUSTRATIVE] = class_ids[ILLUSTRATIVE_NUMBER]
    rules = LabelRules(class_of=class_ids.get, classes_told="1 to 31 and 99", first_frame=0)

    def read(sample: _Sample) -> tuple[ImportedRecording, Sequence[LeftOut]]:
        return _recording(sample, rules, options)

    notes = () if options.rate else (f"the files tell no frame rate: iMiGUE's {RATE} frames/s are taken (--rate)",)
    return OpenedImport(
        files=tuple(sorted([s.file for s in samples] + [s.labels for s in samples if s.labels])),
        recording_count=len(samples),
        records=lambda: read_each(samples, read),
        notes=notes,
    )


def _samples(path: Path) -> list[_Sample]:
    files = [path] if path.is_file() else path.rglob(f"*{SKELETONS}")
    found = [_sample(file, path) for file in files if file.name.endswith(SKELETONS)]
    return sorted(found, key=lambda sample: (sample.native_id, sample.file))


def _sample(file: Path, root: Path) -> _Sample:
    native_id = file.name.removesuffix(SKELETONS)
    labels = file.with_name(native_id + LABELS)
    return _Sample(
        native_id=native_id,
        file=file,
        labels=labels if labels.is_file() else None,
        split=split_of_folders(file, root),
    )


def _recording(
    sample: _Sample, rules: LabelRules, options: ImportOptions
) -> tuple[ImportedRecording, Sequence[LeftOut]]:
    values = read_number_file(sample.file, columns=COLUMNS, skipped=1).reshape(-1, JOINTS, 3)
    if fingers_are_swapped(values):
        values = values[:, _SWAPPED]
    track = track_of(values, MIGA35)
    if track is None:
        raise ItemError(DropReason.NO_KEYPOINTS, "nobody is seen in any frame; leave the recording out")
    declared = declared_for(options.subjects, sample.native_id)
    rate = declared.rate or options.rate or RATE
    width, height = declared.size or options.size or SIZE
    segments, lost = (
        read_label_file(sample.labels, where=sample.labels.name, rules=rules, frame_count=len(values), rate=rate)
        if sample.labels
        else ([], [])
    )
    recording = ImportedRecording(
        native_id=sample.native_id,
        native_subject=declared.subject,
        location=str(sample.file),
        content=digest_of_files([sample.file]),
        tracks=(track,),
        frame_count=len(values),
        rate=rate,
        width=width,
        height=height,
        layout=MIGA35.name,
        segments=tuple(segments),
        match_outcome=declared.match_outcome,
        split=declared.split or sample.split,
    )
    return recording, lost


def fingers_are_swapped(values: Floats) -> bool:
    """Tell whether finger joints 25-29 are of the left hand, from rows of x, y, confidence ``(n, 35, 3)``.

    Each frame in which both wrists and a hand's fingers are seen votes by the wrist that is nearer to the fingers'
    mean; the majority decides, and where nobody votes, or as many say the one as the other, the names do.
    """
    votes = 0
    for fingers, own, other in (
        (_FINGERS_RIGHT, _WRIST_RIGHT, _WRIST_LEFT),
        (_FINGERS_LEFT, _WRIST_LEFT, _WRIST_RIGHT),
    ):
        near, far = (_distance(values, fingers, wrist) for wrist in (own, other))
        votes += int(np.count_nonzero(far < near)) - int(np.count_nonzero(near < far))
    return votes > 0


def _distance(values: Floats, fingers: slice, wrist: int) -> Floats:
    """Return pixels from a wrist to the mean of the seen fingers, shape ``(n,)``; NaN where one is not seen."""
    seen = np.isfinite(values).all(axis=-1) & (values[..., 2] > 0) & np.any(values[..., :2] != 0, axis=-1)
    count = seen[:, fingers].sum(axis=-1)
    total = np.where(seen[:, fingers, None], values[:, fingers, :2], 0).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        apart = np.linalg.norm(total / count[:, None] - values[:, wrist, :2], axis=-1)
    found: Floats = np.where((count > 0) & seen[:, wrist], apart, np.nan).astype(np.float32)
    return found
