"""MMAction2's and pyskl's pickle: a list of skeleton sequences, or a dictionary of them and of the splits.

The format: https://github.com/kennymckormick/pyskl/blob/main/tools/data/README.md and MMAction2's ``PoseDataset``. Of
a sequence are read ``frame_dir``, ``label``, ``img_shape``, ``keypoint`` (people, frames, points, 2 or 3),
``keypoint_score`` (people, frames, points) and, where one has it, ``fps``. A label is of the whole sequence: it has no
edges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from releases.imports.base import (
    Floats,
    ImportedRecording,
    ImportedSegment,
    ImportOptions,
    LeftOut,
    OpenedImport,
    TrackPoints,
    bad_file,
    check_frame_count,
    read_each,
    split_named,
    track_of,
)
from releases.imports.pickle_reader import opened_pickle
from releases.imports.pickled_arrays import PickledArray
from releases.imports.smg import in_plane
from releases.imports.subjects import declared_for
from schema.errors import DropReason, ItemError, UsageError
from schema.layouts import (
    COCO17,
    IMIGUE22,
    KINECT25,
    LAYOUTS,
    MA52_28,
    MIGA35,
    OPENPOSE18,
    OPENPOSE25,
    OPENPOSE137,
    WHOLEBODY133,
    Layout,
)

RATE = Fraction(30)
"""Frames per second where neither the file nor the caller tells: that of NTU RGB+D and of MA-52's clips."""
MOST_PEOPLE = 20
PLANAR: dict[int, Layout] = {
    len(layout.sources): layout
    for layout in (COCO17, OPENPOSE18, IMIGUE22, OPENPOSE25, MA52_28, MIGA35, WHOLEBODY133, OPENPOSE137)
}
"""Layout of points in a picture, by their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PickledSequence:
    """One sequence of a pickle; its numbers are still in the file."""

    native_id: str
    file: Path
    fields: Mapping[str, Any]
    split: str | None


def open_pyskl(path: Path, options: ImportOptions) -> OpenedImport:
    """List the pickles of a folder, or take the one that is named."""
    files = pickles_in(path)
    if not files:
        raise UsageError(f"{path}: no file *.pkl in it, or in a folder under it")
    notes = () if options.rate else (f"where a file tells no frame rate, {RATE} frames/s are taken (--rate)",)
    listed, lost = list_sequences(files)

    def read(sequence: PickledSequence) -> tuple[ImportedRecording, Sequence[LeftOut]]:
        labels, faults = _labels(sequence, options)
        return recording_of(sequence, options, labels=labels), faults

    return OpenedImport(
        files=tuple(files),
        recording_count=len(listed),
        records=lambda: chain(lost, read_each(listed, read)),
        notes=notes,
    )


def pickles_in(path: Path) -> list[Path]:
    """List the pickles of a folder and the folders under it, or the one that is named."""
    return [path] if path.is_file() else sorted([*path.rglob("*.pkl"), *path.rglob("*.pickle")])


def list_sequences(files: Sequence[Path]) -> tuple[list[PickledSequence], list[LeftOut]]:
    """Go through pickles and list their sequences by name; a file that is none is left out."""
    listed: list[PickledSequence] = []
    lost: list[LeftOut] = []
    for file in files:
        try:
            with opened_pickle(file) as document:
                listed += _sequences(document, file)
        except ItemError as error:
            lost.append(LeftOut(where=file.name, reason=error.reason, detail=error.detail))
        except OSError as error:
            detail = f"can't be read ({error.strerror or type(error).__name__}); copy it again"
            lost.append(LeftOut(where=file.name, reason=DropReason.UNREADABLE, detail=detail))
    return sorted(listed, key=lambda one: (one.native_id, one.file)), lost


def _sequences(document: object, file: Path) -> list[PickledSequence]:
    annotations = document.get("annotations") if isinstance(document, dict) else document
    if not isinstance(annotations, list) or not all(isinstance(one, dict) for one in annotations):
        raise bad_file("no list of sequences in it, nor a dictionary with `annotations`; is it another pickle?")
    splits = _splits(document.get("split", {}) if isinstance(document, dict) else {})
    of_file = split_named([file.stem])
    return [
        PickledSequence(native_id=(name := _name(one, number)), file=file, fields=one, split=splits.get(name, of_file))
        for number, one in enumerate(annotations)
    ]


def _name(fields: Mapping[str, Any], number: int) -> str:
    name = fields.get("frame_dir", fields.get("filename"))
    return name if isinstance(name, str) and name else f"sequence {number}"


def _splits(document: object) -> dict[str, str | None]:
    """Return the split of each sequence; None where the pickle's protocols disagree about it."""
    found: dict[str, str | None] = {}
    for words, names in document.items() if isinstance(document, dict) else ():
        split = split_named([str(words)])
        for name in names if isinstance(names, list) and split else ():
            if isinstance(name, str):
                found[name] = split if found.get(name, split) == split else None
    return found


def _labels(sequence: PickledSequence, options: ImportOptions) -> tuple[list[ImportedSegment], list[LeftOut]]:
    """Give the labels of a sequence; below 0 is the format's way to say that there is none."""
    told = sequence.fields.get("label")
    numbers = told if isinstance(told, list) else [] if told is None else [told]
    known = options.class_of_label
    if known is None:
        known = {number: gesture.class_id for number, gesture in enumerate(options.taxonomy)}
    faults = [number for number in numbers if type(number) is not int or (number >= 0 and number not in known)]
    if faults:
        detail = f"a label is none of 0 to {max(known)}; say what the labels are with --labels"
        where = f"{sequence.file.name}, {sequence.native_id}"
        return [], [LeftOut(where=where, reason=DropReason.BAD_IMPORT, detail=detail, count=len(faults))]
    class_ids = {number: known.get(number) for number in dict.fromkeys(numbers)}
    return [whole_clip(class_id, label=str(number)) for number, class_id in class_ids.items() if class_id], []


def whole_clip(class_id: str, *, label: str) -> ImportedSegment:
    """Make a label of a whole recording: the data set tells no edges."""
    return ImportedSegment(class_id=class_id, label=label, start_ns=None, end_ns=None)


def recording_of(
    sequence: PickledSequence,
    options: ImportOptions,
    *,
    labels: Sequence[ImportedSegment],
    native_subject: str | None = None,
    split: str | None = None,
) -> ImportedRecording:
    """Read a sequence's numbers; its labels are put on the person who is seen most.

    Raises ``ItemError`` where its fields are no keypoints that are known, or nobody is seen.
    """
    positions, scores = _numbers(sequence.fields)
    layout = _layout(positions, scores, options)
    tracks = _tracks(positions, scores, layout)
    if not tracks:
        raise ItemError(DropReason.NO_KEYPOINTS, f"{sequence.native_id}: nobody is seen in any frame; leave it out")
    main = max(tracks, key=lambda track: (int(np.count_nonzero(track.scores)), -track.track_number)).track_number
    declared = declared_for(options.subjects, sequence.native_id)
    size = declared.size or options.size or _size(sequence.fields)
    return ImportedRecording(
        native_id=sequence.native_id,
        native_subject=declared.subject or native_subject,
        location=str(sequence.file),
        content=sha256(positions.tobytes() + (b"" if scores is None else scores.tobytes())).hexdigest(),
        tracks=tuple(tracks),
        frame_count=positions.shape[1],
        rate=declared.rate or options.rate or _rate(sequence.fields),
        width=size[0] if size else None,
        height=size[1] if size else None,
        layout=layout.name,
        segments=tuple(replace(label, track_number=main) for label in labels),
        match_outcome=declared.match_outcome,
        split=declared.split or split or sequence.split,
    )


def _numbers(fields: Mapping[str, Any]) -> tuple[Floats, Floats | None]:
    """Return ``keypoint`` (people, frames, points, 2 or 3) and ``keypoint_score`` (people, frames, points) or None."""
    found: list[Floats] = []
    for name, dimensions in (("keypoint", 4), ("keypoint_score", 3)):
        array = fields.get(name)
        if array is None and name == "keypoint_score":
            return found[0], None
        if not isinstance(array, PickledArray):
            raise bad_file(f"no array `{name}`; is it a pickle of skeletons?")
        values = array.values()
        with np.errstate(over="ignore"):
            found.append(np.asarray(values if values.ndim == dimensions else values[None], np.float32))
    positions, scores = found
    if positions.ndim != 4 or positions.shape[-1] not in (2, 3) or scores.shape != positions.shape[:3]:
        raise bad_file(f"keypoint {positions.shape} and keypoint_score {scores.shape} don't fit together")
    return positions, scores


def _layout(positions: Floats, scores: Floats | None, options: ImportOptions) -> Layout:
    if positions.ndim != 4 or positions.shape[-1] not in (2, 3) or positions.shape[0] > MOST_PEOPLE:
        raise bad_file(f"keypoint has shape {positions.shape}: (people, frames, points, 2) is needed")
    check_frame_count(positions.shape[1])
    count, axes = positions.shape[2:]
    if options.layout:
        layout = LAYOUTS[options.layout]
    elif axes == 3 and count == len(KINECT25.sources) and scores is None:
        layout = KINECT25
    elif count in PLANAR:
        layout = PLANAR[count]
    else:
        counts = ", ".join(str(known) for known in PLANAR)
        raise bad_file(f"{count} points, and layouts of {counts} are known; convert it, or leave it out")
    if len(layout.sources) != count:
        raise bad_file(f"{count} points, and {layout.name} has {len(layout.sources)}; say another --layout")
    return layout


def _tracks(positions: Floats, scores: Floats | None, layout: Layout) -> list[TrackPoints]:
    tracks = []
    for number, person in enumerate(positions):
        if layout is KINECT25 and person.shape[-1] == 3:
            values = in_plane(person)
        elif scores is None and person.shape[-1] == 3:
            values = person
        else:
            confidence = np.ones(person.shape[:2], np.float32) if scores is None else scores[number]
            values = np.concatenate([person[..., :2], confidence[..., None]], axis=-1)
        track = track_of(values, layout, track_number=number)
        if track is not None:
            tracks.append(track)
    return tracks


def _size(fields: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return width and height from ``img_shape``, which is (height, width)."""
    told = fields.get("img_shape") or fields.get("original_shape")
    if not (isinstance(told, tuple | list) and len(told) >= 2):
        return None
    height, width = told[:2]
    good = all(isinstance(side, int) and 0 < side < 100_000 for side in (height, width))
    return (width, height) if good else None


def _rate(fields: Mapping[str, Any]) -> Fraction:
    told = fields.get("fps")
    if isinstance(told, int | float) and 1 <= told <= 1000:
        return Fraction(told).limit_denominator(1001)
    return RATE
