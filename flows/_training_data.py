"""Everything that is known of gestures, put together to train on: answers, imported data sets, a release."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from flows._imported import imported_inputs, imported_keypoints
from flows._plan import is_current, study_videos
from flows._release_inputs import subject_of_tracks
from flows._split_inputs import copies_and_events
from flows._stages import is_smoothed, video_parts
from flows._study import Study
from flows._training_answers import add_answers
from flows._training_release import ReleaseSequences, release_sequences
from flows._training_sequences import KeypointParts, KnownSequence, LazySequences, extents
from flows._training_told import AllTold, Told
from flows._videos import read_video_part
from flows._withdrawals import withdrawn_videos
from models.inputs.poses import Gesture, LabelledSequence, PoseSequence
from releases.inputs import ImportedInputs
from schema.arrow import KEYPOINTS, PLAYERS, SMOOTHED, TRACKS
from schema.records import VideoRecord
from schema.rows import Row
from schema.tables import digest_of
from schema.timespan import TimeSpan

OWN = "study"
"""Origin of what the study perceived itself."""
VERSION = 3
"""Raise it when the code of training changes what comes of the same data: models are trained anew then."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrainingData:
    """What a model is trained on; its points are read when they are needed."""

    labelled: LazySequences[LabelledSequence]
    unlabelled: LazySequences[PoseSequence]
    """Every sequence, those with labels among them: for pre-training."""
    sources: Mapping[str, str]
    """Digest of what came of each origin."""
    licences: Mapping[str, str]
    """Licence of each origin that carries one."""
    release: ReleaseSequences | None = None
    """The release that it was asked to train on, too."""

    @property
    def digest(self) -> str:
        """Digest everything that training depends on; wall times are no part of it."""
        return digest_of({"version": VERSION, "sources": dict(self.sources)})

    @property
    def video_ids(self) -> tuple[str, ...]:
        """Keyed ids of every recording, labelled or not."""
        return tuple(sorted({one.video_id for one in self.unlabelled.known}))

    @property
    def subjects(self) -> tuple[str, ...]:
        """Known people of whom there are gestures."""
        return tuple(sorted({one.subject_id for one in self.labelled.known if one.subject_id and one.gestures}))

    @property
    def class_counts(self) -> Counter[str]:
        """Gestures of each class."""
        return Counter(gesture.class_id for one in self.labelled.known for gesture in one.gestures)

    @property
    def known_count(self) -> int:
        """Gestures of known people: only these can be held out."""
        return sum(len(one.gestures) for one in self.labelled.known if one.subject_id)


def collect_training_data(study: Study, *, on: Path | None = None) -> TrainingData:
    """Put together what the study knows; ``flows._publication.adjudicate`` ran before.

    A release that is named says what is known of the videos that it holds; its test people are left out, also where
    the study holds more of them.

    Raises:
        UsageError: The release, or an imported data set, has the classes of another taxonomy than the study's.
        InvalidReleaseError: The folder is no release, or one that can't be read.
        DamagedTableError: A part that is needed can't be read.
    """
    inputs = imported_inputs(study)
    release = _release(study, on) if on else None
    found = [*_own(study, inputs), *_imported(study, inputs)]
    if release:
        found = [s for s in found if s.video_id not in release.video_ids and s.subject_id not in release.held_out]
        found += release.sequences
    found.sort(key=lambda one: (one.origin != OWN, one.origin, one.video_id, one.sequence_id))
    return TrainingData(
        labelled=LazySequences([one for one in found if one.is_labelled], KnownSequence.labelled),
        unlabelled=LazySequences(found, KnownSequence.poses),
        sources=_digests(found),
        licences={**(inputs.licences if inputs else {}), **({release.name: release.licence} if release else {})},
        release=release,
    )


def _digests(found: Iterable[KnownSequence]) -> dict[str, str]:
    documents: dict[str, list[object]] = {}
    for one in found:
        documents.setdefault(one.origin, []).append(one.document())
    return {origin: digest_of(rows) for origin, rows in sorted(documents.items())}


def _release(study: Study, folder: Path) -> ReleaseSequences:
    return release_sequences(folder, taxonomy=study.taxonomy, withdrawn=withdrawn_videos(study))


def _own(study: Study, inputs: ImportedInputs | None) -> Iterator[KnownSequence]:
    """Yield the people who are followed in the study's videos, as candidates are proposed from them."""
    spec = SMOOTHED if is_smoothed(study.config) else KEYPOINTS
    needed = (spec, TRACKS, PLAYERS, KEYPOINTS)
    videos: dict[str, VideoRecord] = {
        video.video_id: video
        for video in study_videos(study)
        if all(is_current(study, video_parts(study, video)[one.name]) for one in needed)
    }
    told = AllTold()
    add_answers(study, videos, told)
    _add_imported_labels(inputs, videos, told)
    out = _left_out(study, videos, told)
    videos = {video_id: video for video_id, video in videos.items() if video_id not in out}
    subjects = subject_of_tracks(study, list(videos.values()))
    points = KeypointParts(lambda video_id: read_video_part(study, videos[video_id], spec))
    for video_id, video in sorted(videos.items()):
        part = video_parts(study, video)[spec.name]
        rows = study.store.read_part(spec, part.key, part.digest, columns=["track_number", "time_ns"])
        for number, (whole, frames) in extents(rows).items():
            known, subject = told.get((video_id, number), Told()), subjects.get((video_id, number))
            yield KnownSequence(
                sequence_id=f"{video_id}/{number}",
                video_id=video_id,
                subject_id=subject,
                origin=OWN,
                span=whole,
                frame_count=frames,
                content=part.digest,
                read=partial(points.poses, video_id, number, subject),
                gestures=known.distinct(),
                judged=known.judged(),
                scripted_count=known.scripted,
            )


def _add_imported_labels(inputs: ImportedInputs | None, videos: Mapping[str, VideoRecord], told: AllTold) -> None:
    """Add labels of the study's own videos that were made elsewhere: they are judged, and the rest is not."""
    for row in inputs.segments.to_pylist() if inputs else ():
        span = _span(row)
        if row["video_id"] not in videos or span is None:
            continue
        place = told[row["video_id"], row["track_number"]]
        (place.open if row["class_id"] is None else place.asked).append(span)
        if row["class_id"] is not None:
            place.gestures.append(Gesture(span=span, class_id=row["class_id"]))


def _span(row: Row) -> TimeSpan | None:
    if row["start_ns"] is None or row["end_ns"] is None:
        return None
    return TimeSpan(start_ns=row["start_ns"], end_ns=row["end_ns"])


def _left_out(study: Study, videos: Mapping[str, VideoRecord], told: AllTold) -> set[str]:
    """Return the copies that would count twice: the poorer, or the better where nobody said anything of it alone."""
    answered = {video_id for (video_id, _), known in told.items() if known.gestures or known.asked}
    out: set[str] = set()
    for poorer, better in copies_and_events(study)[0]:
        if poorer in videos and better in videos:
            out.add(better if poorer in answered and better not in answered else poorer)
    return out


def _imported(study: Study, inputs: ImportedInputs | None) -> Iterator[KnownSequence]:
    """Yield the people of imported recordings; those with labels were labelled from end to end.

    A person without any label may be one of whom the data set published none, as in a test split: nothing is known.
    """
    if inputs is None:
        return
    segments: dict[tuple[str, int], list[Row]] = {}
    for row in inputs.segments.to_pylist():
        segments.setdefault((row["video_id"], row["track_number"]), []).append(row)
    points = KeypointParts(inputs.keypoints_of)
    for video in sorted(inputs.videos.to_pylist(), key=lambda row: str(row["video_id"])):
        video_id, digest = video["video_id"], video["keypoints_digest"]
        for number, (whole, frames) in extents(_times(study, video_id, digest)).items():
            gestures, judged = _labels(segments.get((video_id, number), []), whole)
            yield KnownSequence(
                sequence_id=f"{video_id}/{number}",
                video_id=video_id,
                subject_id=video["subject_id"],
                origin=video["origin"],
                span=whole,
                frame_count=frames,
                content=digest,
                read=partial(points.poses, video_id, number, video["subject_id"]),
                gestures=gestures,
                judged=judged,
            )


def _times(study: Study, video_id: str, digest: str | None) -> pa.Table:
    return imported_keypoints(study, video_id, digest, columns=["track_number", "time_ns"])


def _labels(rows: Sequence[Row], whole: TimeSpan) -> tuple[tuple[Gesture, ...], tuple[TimeSpan, ...]]:
    known = Told(asked=[whole] if rows else [])
    for row in rows:
        span = _span(row) or whole
        if row["class_id"] is None:
            known.open.append(span)
        else:
            known.gestures.append(Gesture(span=span, class_id=row["class_id"]))
    return known.distinct(), known.judged()
