"""Skeleton sets in the formats that pressroom imports, and its own releases, as sequences for a benchmark.

An import puts points into the plane and into the 133; a benchmark wants them as the data set has them. Positions in
space (SMG, pickles of three numbers a point) are read again from the file; others go back to the data set's layout.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.skeleton_text import subject_in
from models.inputs.poses import Gesture, LabelledSequence, PoseSequence
from releases.imports.base import ImportedRecording, ImportOptions, LeftOut, frame_time_ns, frame_times_ns
from releases.imports.formats import open_import
from releases.imports.number_files import read_number_file
from releases.imports.pickled_arrays import PickledArray
from releases.imports.pyskl import PickledSequence, list_sequences, pickles_in
from releases.imports.smg import FARTHEST_METRES, JOINTS, NUMBERS_A_JOINT
from releases.imports.subjects import DeclaredSubject
from schema.errors import ItemError, UsageError
from schema.layouts import LAYOUTS, to_layout
from schema.taxonomy import Taxonomy, load_taxonomy
from schema.timespan import TimeSpan

Floats = npt.NDArray[np.float32]
TAXONOMIES = {"miga": "imigue32", "smg": "smg17", "ma52": "ma52"}
DIMENSIONS_OF_PEOPLE = 4
SPACE_NOTE = "positions are in space: x, y and depth are read"


def load_import(
    path: Path,
    format_name: str,
    *,
    taxonomy: Taxonomy | None,
    make_taxonomy: Callable[[Sequence[str]], Taxonomy],
    layout: str,
    rate: Fraction | None,
    subjects: Mapping[str, DeclaredSubject],
) -> tuple[Taxonomy, list[LabelledSequence], list[str]]:
    """Read a set that pressroom imports: its classes, its sequences, and what was left out.

    A recording gives its labelled people, each a sequence; where nobody is labelled, the one who is seen most.

    Raises ``UsageError`` where there is nothing to read.
    """
    skeletons = (
        {one.native_id: one for one in reversed(list_sequences(pickles_in(path))[0])} if _pickled(format_name) else {}
    )
    if format_name == "pyskl" and taxonomy is None:
        taxonomy = make_taxonomy([str(number) for number in _label_numbers(skeletons)])
        class_of: Mapping[int, str | None] | None = {
            number: gesture.class_id for number, gesture in zip(_label_numbers(skeletons), taxonomy, strict=True)
        }
    else:
        taxonomy, class_of = taxonomy or load_taxonomy(TAXONOMIES[format_name]), None
    options = ImportOptions(
        taxonomy=taxonomy,
        rate=rate,
        layout=layout if _pickled(format_name) else "",
        class_of_label=class_of,
        subjects=subjects,
    )
    opened = open_import(format_name, path, options)
    # an import into a study keeps the plane alone; here all three axes are read again
    notes = [SPACE_NOTE] if format_name == "smg" else list(opened.notes)
    sequences: list[LabelledSequence] = []
    are_in_space = _are_in_space(skeletons)
    for item in opened.records():
        if isinstance(item, LeftOut):
            notes.append(str(item))
        elif item.tracks:
            sequences += _sequences(item, format_name, skeletons if are_in_space else {})
        else:
            notes.append(f"{item.native_id}: nobody is seen in it")
    if not sequences:
        raise UsageError(f"{path}: no recording could be read; {notes[-1] if notes else 'it holds none'}")
    return taxonomy, sequences, notes


def _pickled(format_name: str) -> bool:
    return format_name in ("pyskl", "ma52")


def _label_numbers(skeletons: Mapping[str, PickledSequence]) -> list[int]:
    """Return the label numbers of pickles, below 0 meaning none."""
    found: set[int] = set()
    for one in skeletons.values():
        told = one.fields.get("label")
        found |= {number for number in (told if isinstance(told, list) else [told]) if type(number) is int}
    return sorted(number for number in found if number >= 0)


def _sequences(
    recording: ImportedRecording, format_name: str, skeletons: Mapping[str, PickledSequence]
) -> list[LabelledSequence]:
    labelled = {segment.track_number for segment in recording.segments}
    most = max(recording.tracks, key=lambda track: int(np.count_nonzero(track.scores))).track_number
    subject = recording.native_subject or subject_in(recording.native_id)
    whole = TimeSpan(start_ns=0, end_ns=frame_time_ns(recording.frame_count, recording.rate))
    found = []
    for track in recording.tracks:
        if track.track_number not in (labelled or {most}):
            continue
        positions, scores, layout = _points(recording, track.track_number, format_name, skeletons)
        poses = PoseSequence(
            sequence_id=f"{recording.native_id}/{track.track_number}",
            subject_id=subject,
            layout=layout,
            times_ns=frame_times_ns(recording.frame_count, recording.rate),
            positions=positions,
            scores=scores,
        )
        own = [segment for segment in recording.segments if segment.track_number == track.track_number]
        gestures = sorted(Gesture(span=_span(s.start_ns, s.end_ns, whole), class_id=s.class_id) for s in own)
        judged = (whole,) if labelled else ()
        found.append(LabelledSequence(poses=poses, gestures=tuple(gestures), judged=judged, origin=format_name))
    return found


def _span(start_ns: int | None, end_ns: int | None, whole: TimeSpan) -> TimeSpan:
    return whole if start_ns is None or end_ns is None else TimeSpan(start_ns=start_ns, end_ns=end_ns)


def _points(
    recording: ImportedRecording, track_number: int, format_name: str, skeletons: Mapping[str, PickledSequence]
) -> tuple[Floats, Floats, str]:
    """Return positions ``(n, p, d)``, scores ``(n, p)`` and the layout, as the data set has them."""
    if format_name == "smg":
        numbers = read_number_file(Path(recording.location), columns=JOINTS * NUMBERS_A_JOINT)
        positions = numbers.reshape(-1, JOINTS, NUMBERS_A_JOINT)[..., :3]
        return *_seen(positions), recording.layout
    people = _pickled_people(skeletons.get(recording.native_id))
    if people is not None and people.shape[-1] == 3:
        # pickles tell no unit: nothing is too far
        return *_seen(people[track_number], farthest=np.inf), recording.layout
    track = next(track for track in recording.tracks if track.track_number == track_number)
    positions, scores = to_layout(track.keypoints_xy, track.scores, LAYOUTS[recording.layout])
    return positions.astype(np.float32), scores.astype(np.float32), recording.layout


def _are_in_space(skeletons: Mapping[str, PickledSequence]) -> bool:
    """Tell whether the points of pickles have a third axis that is no confidence: one answer for the whole set."""
    for skeleton in skeletons.values():
        with suppress(ItemError):  # the import leaves it out, and says so
            people = _pickled_people(skeleton)
            if people is not None and people.shape[-1] == 3:
                third = people[..., 2]
                if np.any(third > 1) or np.any(third < 0):
                    return True
    return False


def _pickled_people(skeleton: PickledSequence | None) -> Floats | None:
    """Return the points of everybody in a pickled sequence ``(people, n, p, d)``; None where it has none."""
    array = skeleton.fields.get("keypoint") if skeleton is not None else None
    if not isinstance(array, PickledArray):
        return None
    values = np.asarray(array.values(), np.float32)
    return values if values.ndim == DIMENSIONS_OF_PEOPLE else values[None]


def _seen(positions: Floats, *, farthest: float = FARTHEST_METRES) -> tuple[Floats, Floats]:
    """Tell seen points from those at the origin, or farther than any room."""
    with np.errstate(invalid="ignore"):
        near = np.abs(positions).max(axis=-1, initial=0) < farthest
    seen = near & np.any(positions != 0, axis=-1)
    return np.where(seen[..., None], positions, np.float32(np.nan)), seen.astype(np.float32)


def load_release(folder: Path) -> tuple[Taxonomy, list[LabelledSequence]]:
    """Read what people said of the sequences of a release; its test people stay unseen, as in training.

    Raises ``InvalidReleaseError`` where the folder holds none.
    """
    from flows._training_release import release_sequences
    from releases.exports.base import ReleaseSource

    taxonomy = ReleaseSource.opened(folder, splits=()).taxonomy
    known = release_sequences(folder, taxonomy=taxonomy, withdrawn=frozenset())
    return taxonomy, [one.labelled() for one in known.sequences if one.is_labelled]
