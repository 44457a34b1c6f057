"""A data set of others into the study: its recordings, labels and keypoints, under names that tell nobody."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from flows._import_videos import StudyVideos
from flows._imported import current_imports, current_rows
from flows._leases import waited_lease
from flows._outcome import ExitStatus
from flows._progress import current_progress
from flows._study import Study
from flows._withdrawals import withdrawn_videos
from releases.imports.base import (
    ImportedRecording,
    ImportOptions,
    LeftOut,
    OpenedImport,
    digest_of_files,
    frame_times_ns,
)
from releases.imports.formats import VERSION, check_format, open_import
from releases.imports.subjects import parse_rate, parse_size, read_class_map, read_subjects
from schema.arrow import IMPORTED_KEYPOINTS, IMPORTED_SEGMENTS, IMPORTED_SOURCES, IMPORTED_VIDEOS, IMPORTS
from schema.errors import DropReason, UsageError
from schema.layouts import LAYOUTS, parts_seen_of
from schema.privacy import make_imported_segment_id, make_imported_video_id, make_subject_id
from schema.records import KeypointSequence, VideoId
from schema.rows import WIDE_KEYPOINTS_SCHEMA, Row, keypoints_to_rows, table_of
from schema.tables import STUDY_KEY, digest_of

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
OWN_ORIGIN = "study"
"""What a release calls the study's own segments: no data set can be called so."""
QUIET = frozenset({DropReason.WITHDRAWN, DropReason.MERGED})
"""What is left out because it should be: counted, and no trouble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCall:
    """What the command was asked for."""

    format_name: str
    path: Path
    name: str = ""
    """Name of the data set; empty: the format's."""
    licence: str = ""
    subjects: Path | None = None
    labels: Path | None = None
    rate: str = ""
    size: str = ""
    layout: str = ""


@dataclass(slots=True, kw_only=True)
class ImportReport:
    """What an import came to."""

    name: str
    changed: bool = True
    recordings: int = 0
    segments: int = 0
    frames: int = 0
    unlabelled: int = 0
    """Recordings without any label."""
    unknown_subjects: int = 0
    """Recordings whose person is not told."""
    dropped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    @property
    def exit_status(self) -> ExitStatus:
        """Say how the command should end."""
        return ExitStatus.DROPPED if set(self.dropped) - QUIET else ExitStatus.DONE


def import_data_set(study: Study, call: ImportCall, *, tell: Callable[[str], None]) -> ImportReport:
    """Take a data set into the study; the same files with the same words about them are taken once.

    Keypoints are written a recording at a time. The rows of an import count once its row of *imports* is there, which
    is written last: an import that was killed leaves nothing that is seen, and the same command does it again.

    Args:
        study: The study.
        call: What to import.
        tell: Takes a line for each file or row that is left out.

    Raises:
        UsageError: The call is wrong, the data set has other classes than the study, or nothing of it could be taken.
    """
    check_format(call.format_name)
    name = _checked_name(call)
    options = _options(study, call)
    opened = open_import(call.format_name, call.path, options)
    with waited_lease(study.layout, "import", STUDY_KEY):
        content = _content(study, call, opened)
        report = ImportReport(name=name)
        before = current_imports(study).get(name)
        if before is not None and before["content"] == content and _is_whole(study, name):
            report.changed = False
            report.recordings, report.segments = before["video_count"], before["segment_count"]
            report.dropped.update(json.loads(before["dropped"]))
            return report
        taking = _Taking(study, name, report)
        taking.take_all(opened, tell)
        report.notes += [*opened.notes, *_unused_subjects(options, taking)]
        if not taking.sources:
            raise UsageError(f"{call.path}: nothing could be imported; the lines above say why")
        if before is not None:
            report.notes.append(f"replaces the earlier import of {name!r} ({before['video_count']} recordings)")
        taking.record(call, content)
    return report


def _checked_name(call: ImportCall) -> str:
    name = call.name or call.format_name
    if not _NAME.fullmatch(name) or name == OWN_ORIGIN:
        raise UsageError(f"--name {name!r} must be small letters, digits and single hyphens, and not {OWN_ORIGIN!r}")
    return name


def _options(study: Study, call: ImportCall) -> ImportOptions:
    if call.layout and call.layout not in LAYOUTS:
        near = get_close_matches(call.layout, LAYOUTS, n=1, cutoff=0.0)
        raise UsageError(f"no layout {call.layout!r}; there are {', '.join(LAYOUTS)}; nearest is {near[0]!r}")
    options = ImportOptions(
        taxonomy=study.taxonomy,
        rate=parse_rate(call.rate, what="--rate") if call.rate else None,
        size=parse_size(call.size, what="--size") if call.size else None,
        layout=call.layout,
        class_of_label=read_class_map(call.labels, study.taxonomy) if call.labels else None,
        subjects=read_subjects(call.subjects) if call.subjects else {},
    )
    if call.format_name != "label-studio":
        return options
    return replace(options, find_video=StudyVideos(study).named)


def _content(study: Study, call: ImportCall, opened: OpenedImport) -> str:
    """Digest everything that decides what is imported."""
    root = call.path if call.path.is_dir() else call.path.parent
    return digest_of(
        {
            "format": call.format_name,
            "version": VERSION,
            "taxonomy": study.taxonomy.name,
            "words": [call.licence, call.rate, call.size, call.layout],
            "told": [digest_of_files([path]) if path else None for path in (call.subjects, call.labels)],
            "files": [[str(file.relative_to(root)), digest_of_files([file])] for file in opened.files],
        }
    )


def _is_whole(study: Study, name: str) -> bool:
    """Tell whether every part of keypoints of an import is still there."""
    videos = current_rows(study, IMPORTED_VIDEOS).to_pylist()
    return all(
        study.store.has_part(IMPORTED_KEYPOINTS, row["video_id"], row["keypoints_digest"])
        for row in videos
        if row["origin"] == name and row["keypoints_digest"]
    )


def _unused_subjects(options: ImportOptions, taking: "_Taking") -> Iterable[str]:
    native_ids = {row["native_id"] for row in taking.sources}
    native_ids |= {str(int(native_id)) for native_id in native_ids if native_id.isdigit()}
    unused = options.subjects.keys() - native_ids
    return [f"{len(unused)} rows of the subjects' file name no recording that was taken"] if unused else []


class _Taking:
    """One run of an import: what is recorded at its end, and the parts that it writes on its way."""

    def __init__(self, study: Study, origin: str, report: ImportReport) -> None:
        self._study = study
        self._origin = origin
        self._report = report
        self._started_ns = time.time_ns()
        self._import_id = "i" + digest_of([origin, self._started_ns])
        self._withdrawn = withdrawn_videos(study)
        self.sources: list[Row] = []
        self._videos: list[Row] = []
        self._segments: dict[str, Row] = {}

    def take_all(self, opened: OpenedImport, tell: Callable[[str], None]) -> None:
        """Take the recordings one by one; what is left out is counted and told."""
        progress = current_progress()
        done = 0
        for record in opened.records():
            if isinstance(record, LeftOut):
                self._report.dropped[record.reason.value] += record.count
                tell(str(record))
                continue
            self._take(record)
            done += 1
            if opened.recording_count:
                progress("import", self._origin, done, max(opened.recording_count, done))

    def _take(self, recording: ImportedRecording) -> None:
        video_id = recording.study_video_id or make_imported_video_id(
            self._study.key, self._origin, recording.native_id
        )
        if video_id in self._withdrawn:
            self._report.dropped[DropReason.WITHDRAWN.value] += 1
            return
        self.sources.append(
            {
                "import_id": self._import_id,
                "video_id": video_id,
                "native_id": recording.native_id,
                "native_subject": recording.native_subject,
                "location": str(Path(recording.location).resolve()),
            }
        )
        if recording.study_video_id is None:
            self._videos.append(self._video_row(recording, VideoId(video_id)))
            self._report.unknown_subjects += recording.native_subject is None
        self._report.recordings += 1
        self._report.frames += recording.frame_count
        self._report.unlabelled += not recording.segments
        self._add_segments(recording, video_id)

    def _video_row(self, recording: ImportedRecording, video_id: VideoId) -> Row:
        subject = recording.native_subject
        return {
            "import_id": self._import_id,
            "origin": self._origin,
            "video_id": video_id,
            "subject_id": make_subject_id(self._study.key, f"{self._origin}:{subject}") if subject else None,
            "width": recording.width,
            "height": recording.height,
            "frame_count": recording.frame_count,
            "rate_numerator": recording.rate.numerator,
            "rate_denominator": recording.rate.denominator,
            "layout": recording.layout,
            "keypoints_digest": self._write_keypoints(recording, video_id) if recording.tracks else None,
            "match_outcome": recording.match_outcome,
            "split": recording.split,
        }

    def _write_keypoints(self, recording: ImportedRecording, video_id: VideoId) -> str:
        rate = [recording.rate.numerator, recording.rate.denominator]
        digest = digest_of({"content": recording.content, "layout": recording.layout, "rate": rate, "version": VERSION})
        store = self._study.store
        if not store.has_part(IMPORTED_KEYPOINTS, video_id, digest):
            store.write_part(IMPORTED_KEYPOINTS, video_id, digest, keypoint_rows(recording, video_id))
        return digest

    def _add_segments(self, recording: ImportedRecording, video_id: str) -> None:
        for segment in recording.segments:
            # the track of a label on a video of the study is found anew when it is released
            track = "" if recording.study_video_id else str(segment.track_number)
            about = (self._origin, track, str(segment.start_ns), str(segment.end_ns), segment.class_id)
            segment_id = make_imported_segment_id(self._study.key, video_id, *about)
            if segment_id in self._segments:
                self._report.dropped[DropReason.MERGED.value] += 1
                continue
            self._report.segments += 1
            self._segments[segment_id] = {
                "import_id": self._import_id,
                "origin": self._origin,
                "segment_id": segment_id,
                "video_id": video_id,
                "track_number": segment.track_number,
                "start_ns": segment.start_ns,
                "end_ns": segment.end_ns,
                "class_id": segment.class_id,
                "label": segment.label,
            }

    def record(self, call: ImportCall, content: str) -> None:
        """Write the rows; the one that makes them count comes last."""
        store = self._study.store
        store.append(IMPORTED_SOURCES, table_of(IMPORTED_SOURCES, self.sources))
        store.append(IMPORTED_VIDEOS, table_of(IMPORTED_VIDEOS, self._videos))
        store.append(IMPORTED_SEGMENTS, table_of(IMPORTED_SEGMENTS, self._segments.values()))
        row: dict[str, Any] = {
            "import_id": self._import_id,
            "origin": self._origin,
            "format": call.format_name,
            "taxonomy": self._study.taxonomy.name,
            "licence": call.licence,
            "content": content,
            "video_count": self._report.recordings,
            "segment_count": self._report.segments,
            "dropped": json.dumps(dict(self._report.dropped), sort_keys=True),
            "imported_ns": self._started_ns,
        }
        store.append(IMPORTS, table_of(IMPORTS, [row]))


def keypoint_rows(recording: ImportedRecording, video_id: VideoId) -> pa.Table:
    """Turn the keypoints of a recording into rows, track after track."""
    count = recording.frame_count
    times_ns = frame_times_ns(count, recording.rate)
    tables = [
        keypoints_to_rows(
            KeypointSequence(
                video_id=video_id,
                track_number=track.track_number,
                frame_indices=np.arange(count, dtype=np.int32),
                times_ns=times_ns,
                keypoints_xy=track.keypoints_xy,
                scores=track.scores,
                parts_seen=parts_seen_of(track.scores),
                interpolated=np.zeros(count, np.bool_),
            )
        )
        for track in recording.tracks
    ]
    if len({table.schema for table in tables}) > 1:
        tables = [table.cast(WIDE_KEYPOINTS_SCHEMA) for table in tables]
    return pa.concat_tables(tables)
