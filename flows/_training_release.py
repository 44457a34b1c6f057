"""What a published release teaches, of this study or of another; its test people stay unseen."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from flows._training_sequences import KnownSequence, extent_of
from flows._training_told import AllTold, Place, Told
from models.inputs.poses import Gesture, PoseSequence
from releases.errata import ERRATA_FILE, read_errata
from releases.exports.base import ReleaseSource, TrackRun, whole_clip
from releases.tables.selection import STUDY_ORIGIN
from schema.errors import UsageError
from schema.files import digest_of
from schema.questions import QuestionKind
from schema.records import Verdict
from schema.taxonomy import Taxonomy
from schema.timespan import TimeSpan

Row = dict[str, Any]
HELD_OUT = "test"
"""Split that nothing is learned from: a model that saw its people could not be tested on it."""
NO_GESTURE = frozenset({Verdict.REJECT, Verdict.NOTHING})
SAME_GESTURE_IOU = 0.3
"""Temporal IoU from which on a mark in a searched window is a segment of the release."""
FEWEST_SCRIPTS = 2
"""Decided answers that are needed where only scripts have answered, as in adjudication."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSequences:
    """What a release holds."""

    name: str
    """``<name>-<version>``."""
    licence: str
    digest: str
    """Of its own checksums."""
    sequences: tuple[KnownSequence, ...]
    video_ids: frozenset[str]
    """Every video that it holds, those of its test people among them."""
    held_out: frozenset[str]
    """Its test people."""


def release_sequences(folder: Path, *, taxonomy: Taxonomy, withdrawn: frozenset[str]) -> ReleaseSequences:
    """Read what a release tells; points are read later.

    Of recordings that came from other data sets everything is judged. Elsewhere what is judged are the segments, the
    candidates that everybody refused, and the windows that people searched, as its votes tell; a vote names no track,
    so that it counts where one person alone is on screen.

    Args:
        folder: The release.
        taxonomy: The study's.
        withdrawn: Videos that may not be used, beside those in the release's errata.

    Raises:
        UsageError: The release has another taxonomy.
        InvalidReleaseError: The folder holds no release, or one that can't be read.
    """
    source = ReleaseSource.opened(folder, splits=())
    if source.taxonomy.name != taxonomy.name:
        raise UsageError(
            f"{folder} has the classes of {source.taxonomy.name}, and the study's are those of {taxonomy.name}: train "
            f"on it in a study of taxonomy {source.taxonomy.name}"
        )
    gone = withdrawn | _withdrawn(folder, source.name)
    found: list[KnownSequence] = []
    for split in source.splits:
        if split != HELD_OUT:
            found += [one for one in _of_split(source, split) if one.video_id not in gone]
    held_out = source.table("subjects", HELD_OUT) if HELD_OUT in source.splits else []
    return ReleaseSequences(
        name=source.name,
        licence=source.licence,
        digest=_digest(folder, [source.name]),
        sequences=tuple(found),
        video_ids=frozenset(video_id for split in source.splits for video_id in source.videos(split)),
        held_out=frozenset(row["subject_id"] for row in held_out),
    )


def _withdrawn(folder: Path, name: str) -> frozenset[str]:
    lines = read_errata(folder.resolve().parent / ERRATA_FILE)
    return frozenset(v for one in lines if f"{one.release}-{one.version}" == name for v in one.video_ids)


def _of_split(source: ReleaseSource, split: str) -> Iterator[KnownSequence]:
    times_ns = source.release.table("keypoints", split, columns=["time_ns"])["time_ns"].to_numpy()
    runs = {(run.video_id, run.track_number): run for run in source.track_runs(split)}
    spans = {place: extent_of(times_ns[run.first_row : run.first_row + run.row_count]) for place, run in runs.items()}
    segments = source.segments(split)
    told = AllTold()
    for row in segments:
        _add_segment(row, spans, told)
    _add_votes(source.table("votes", split), spans, told)
    people = _people([*segments, *source.table("unlabelled", split)])
    content = _content(source, split)
    for place, run in runs.items():
        known = told.get(place, Told())
        yield KnownSequence(
            sequence_id=f"{run.video_id}/{run.track_number}",
            video_id=run.video_id,
            subject_id=people.get(place),
            origin=source.name,
            span=spans[place],
            frame_count=run.row_count,
            content=content,
            read=partial(_poses, source, split, run, people.get(place)),
            gestures=known.distinct(),
            judged=known.judged(),
            scripted_count=known.scripted,
        )


def _add_segment(row: Row, spans: Mapping[Place, TimeSpan], told: AllTold) -> None:
    place = (row["video_id"], row["track_number"])
    if place not in spans:
        return
    span = spans[place] if whole_clip(row) else TimeSpan(start_ns=row["start_ns"], end_ns=row["end_ns"])
    if row["origin"] != STUDY_ORIGIN:
        told[place].asked.append(spans[place])
    if row["class_id"] is None:
        told[place].open.append(span)
    else:
        told[place].asked.append(span)
        told[place].gestures.append(Gesture(span=span, class_id=row["class_id"]))
        told[place].scripted += row["scripted"]


def _add_votes(votes: Sequence[Row], spans: Mapping[Place, TimeSpan], told: AllTold) -> None:
    by_question: defaultdict[str, list[Row]] = defaultdict(list)
    for vote in votes:
        by_question[vote["candidate_id"]].append(vote)
    of_video: defaultdict[str, list[Place]] = defaultdict(list)
    for place in spans:
        of_video[place[0]].append(place)
    for answers in by_question.values():
        middle_ns = (answers[0]["start_ns"] + answers[0]["end_ns"]) // 2
        there = [place for place in of_video[answers[0]["video_id"]] if spans[place].contains(middle_ns)]
        decided = _counted(answers)
        if len(there) != 1 or not decided or answers[0]["segment_id"] is not None:
            continue
        known = told[there[0]]
        asked = TimeSpan(start_ns=answers[0]["start_ns"], end_ns=answers[0]["end_ns"])
        if answers[0]["kind"] == QuestionKind.AUDIT:
            known.asked.append(asked)
            known.open += _unshared_marks(decided, known.gestures)
        elif all(vote["verdict"] in NO_GESTURE for vote in decided):
            known.asked.append(asked)


def _counted(answers: Sequence[Row]) -> list[Row]:
    """Return each annotator's last answer, of persons alone where there are any; none where they are too few."""
    last = {vote["annotator_id"]: vote for vote in sorted(answers, key=lambda vote: vote["revision"])}
    decided = [vote for vote in last.values() if vote["verdict"] != Verdict.UNSURE]
    people = [vote for vote in decided if not vote["scripted"]]
    return people or (decided if len(decided) >= FEWEST_SCRIPTS else [])


def _unshared_marks(votes: Sequence[Row], gestures: Sequence[Gesture]) -> list[TimeSpan]:
    """Return what somebody drew in a window and no segment shows: people did not agree on it."""
    drawn = [TimeSpan(start_ns=start, end_ns=end) for vote in votes for start, end, _ in _marks(vote)]
    known = [gesture.span for gesture in gestures]
    return [span for span in drawn if not any(span.temporal_iou(one) >= SAME_GESTURE_IOU for one in known)]


def _marks(vote: Row) -> list[tuple[int, int, str | None]]:
    return [(start, end, class_id) for start, end, class_id in json.loads(vote["marks"] or "[]")]


def _people(rows: Sequence[Row]) -> dict[Place, str]:
    return {(r["video_id"], r["track_number"]): r["subject_id"] for r in rows if r["subject_id"] is not None}


def _content(source: ReleaseSource, split: str) -> str:
    """Digest the split's keypoints."""
    return _digest(source.release.folder, [source.name, split], only=f"keypoints-{split}-")


def _digest(folder: Path, names: Sequence[str], *, only: str = "") -> str:
    """Digest the release's own checksums; where it has none, the sizes of its files tell it from another."""
    sums = folder / "SHA256SUMS"
    if sums.is_file():
        lines = sums.read_text(encoding="utf-8").splitlines()
    else:
        lines = [f"{path.stat().st_size}  {path.name}" for path in sorted((folder / "data").iterdir())]
    return digest_of([*names, *(line for line in lines if only in line)])


def _poses(source: ReleaseSource, split: str, run: TrackRun, subject_id: str | None) -> PoseSequence:
    keypoints = source.keypoint_rows(split, run.first_row, run.row_count)
    positions, scores = source.canonical(keypoints)
    return PoseSequence(
        sequence_id=f"{run.video_id}/{run.track_number}",
        subject_id=subject_id,
        layout="wholebody133",
        times_ns=keypoints.times_ns,
        positions=positions,
        scores=scores,
    )
