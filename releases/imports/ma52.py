"""MA-52: lists of clips with their actions, and the skeletons of its baselines.

``ma52_<split>_list_videos.txt`` has lines ``NNNN_SS_IIII.mp4 <id>``: participant, recording of the participant, clip;
ids from 0, as in ``label_name.txt``. The test list is anonymised (``testNNNN.mp4 0``): its ids mean nothing, and its
clips are imported without a label. The skeletons are pickles as MMAction2 reads them, of 28 points (18 of OpenPose,
then 5 of each hand; ``kunli-cs/MA-52_openpose_28kp``).

A label is of a whole clip: where in it the action begins and ends nobody wrote down, and so it has no edges.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from releases.imports.base import (
    ImportedRecording,
    ImportedSegment,
    ImportOptions,
    LeftOut,
    OpenedImport,
    read_each,
    require_taxonomy,
    split_named,
)
from releases.imports.pyskl import RATE, PickledSequence, list_sequences, pickles_in, recording_of, whole_clip
from releases.imports.subjects import declared_for
from schema.errors import DropReason, UsageError

_CLIP = re.compile(r"(?P<subject>\d{4})_\d{2}_\d{4}")
_ANONYMOUS = re.compile(r"test\d{4,}")
_LINE = re.compile(r"(?P<name>\S+?)(\.mp4)?[\s,]+(?P<label>-?\d+)")
DOUBTFUL_NOTE = (
    "labels 3 (turning around) and 4 (rising up): the lists and the paper's figure disagree which is which; "
    "label_name.txt is followed, look at clips before comparing the two"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clip:
    """A clip of a list, of a pickle, or of both."""

    native_id: str
    file: Path
    label: int | None
    """None: hidden."""
    split: str | None
    skeleton: PickledSequence | None
    lost: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    name: str
    file: Path
    label: int
    split: str | None


def open_ma52(path: Path, options: ImportOptions) -> OpenedImport:
    """List the files of a folder: lists ``*list*.txt`` and pickles; or take the one that is named."""
    require_taxonomy(options, "ma52", data_set="MA-52")
    is_list = path.is_file() and path.suffix == ".txt"
    lists = [path] if is_list else [] if path.is_file() else sorted(path.rglob("*list*.txt"))
    pickles = [] if is_list else pickles_in(path)
    if not lists and not pickles:
        raise UsageError(f"{path}: no file *list*.txt or *.pkl in it, or in a folder under it")
    class_ids = {gesture.number: gesture.class_id for gesture in options.taxonomy}
    clips, lost = _clips(lists, pickles, class_ids)

    def read(clip: _Clip) -> tuple[ImportedRecording, Sequence[LeftOut]]:
        return _recording(clip, class_ids, options), clip.lost

    return OpenedImport(
        files=tuple(sorted([*lists, *pickles])),
        recording_count=len(clips),
        records=lambda: chain(lost, read_each(clips, read)),
        notes=_notes(pickles, options),
    )


def _notes(pickles: Sequence[Path], options: ImportOptions) -> tuple[str, ...]:
    if not pickles:
        return (DOUBTFUL_NOTE, "no pickle of skeletons is there: labels are imported without keypoints")
    if options.rate:
        return (DOUBTFUL_NOTE,)
    return (DOUBTFUL_NOTE, f"the files tell no frame rate: {RATE} frames/s, the clips' own, are taken (--rate)")


def _clips(
    lists: Sequence[Path], pickles: Sequence[Path], class_ids: dict[int, str]
) -> tuple[list[_Clip], list[LeftOut]]:
    lines, bad_lines = _lines(lists, class_ids)
    listed, bad_pickles = list_sequences(pickles)
    skeletons = {_stem(one.native_id): one for one in reversed(listed)}
    clips = [_listed(line, skeletons.get(line.name)) for line in lines]
    known = {line.name for line in lines}
    clips += [_unlisted(one, class_ids) for one in listed if _stem(one.native_id) not in known]
    return sorted(clips, key=lambda clip: (clip.native_id, clip.file)), [*bad_lines, *bad_pickles]


def _stem(name: str) -> str:
    return name.rpartition("/")[2].removesuffix(".mp4")


def _lines(lists: Sequence[Path], class_ids: dict[int, str]) -> tuple[list[_Line], list[LeftOut]]:
    found: list[_Line] = []
    lost: list[LeftOut] = []
    for file in lists:
        try:
            text = file.read_bytes().decode("utf-8-sig", "replace")
        except OSError as error:
            detail = f"can't be read ({error.strerror or type(error).__name__}); copy it again"
            lost.append(LeftOut(where=file.name, reason=DropReason.UNREADABLE, detail=detail))
            continue
        split = split_named([file.stem])
        for number, line in enumerate(text.splitlines(), start=1):
            match = _LINE.fullmatch(line.strip())
            if match and int(match["label"]) in class_ids:
                found.append(_Line(name=_stem(match["name"]), file=file, label=int(match["label"]), split=split))
            elif line.strip():
                detail = (
                    f"label {match['label']} is none of 0 to 51; correct it"
                    if match
                    else "no line `NNNN_SS_IIII.mp4 <id>`; correct it"
                )
                where = f"{file.name} line {number}"
                lost.append(LeftOut(where=where, reason=DropReason.BAD_IMPORT, detail=detail))
    return found, lost


def _listed(line: _Line, skeleton: PickledSequence | None) -> _Clip:
    label = None if _ANONYMOUS.fullmatch(line.name) else line.label
    return _Clip(native_id=line.name, file=line.file, label=label, split=line.split, skeleton=skeleton)


def _unlisted(sequence: PickledSequence, class_ids: dict[int, str]) -> _Clip:
    """Take a sequence that no list names: its label is that of the pickle."""
    name, told = _stem(sequence.native_id), sequence.fields.get("label")
    is_hidden = told is None or _ANONYMOUS.fullmatch(name) is not None
    is_known = isinstance(told, int) and told in class_ids
    where = f"{sequence.file.name}, {name}"
    fault = LeftOut(where=where, reason=DropReason.BAD_IMPORT, detail="its label is none of 0 to 51; correct it")
    return _Clip(
        native_id=name,
        file=sequence.file,
        label=told if is_known and not is_hidden else None,
        split=sequence.split,
        skeleton=sequence,
        lost=() if is_known or is_hidden else (fault,),
    )


def _recording(clip: _Clip, class_ids: dict[int, str], options: ImportOptions) -> ImportedRecording:
    match = _CLIP.fullmatch(clip.native_id)
    subject = match["subject"] if match else None
    labels: list[ImportedSegment] = []
    if clip.label is not None:
        labels = [whole_clip(class_ids[clip.label], label=str(clip.label))]
    if clip.skeleton is not None:
        sequence = replace(clip.skeleton, native_id=clip.native_id)
        return recording_of(sequence, options, labels=labels, native_subject=subject, split=clip.split)
    declared = declared_for(options.subjects, clip.native_id)
    return ImportedRecording(
        native_id=clip.native_id,
        native_subject=declared.subject or subject,
        location=str(clip.file),
        content="",
        tracks=(),
        frame_count=0,
        rate=declared.rate or options.rate or RATE,
        width=None,
        height=None,
        layout="",
        segments=tuple(labels),
        match_outcome=declared.match_outcome,
        split=declared.split or clip.split,
    )
