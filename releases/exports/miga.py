"""The files of the MiGA challenge (iMiGUE): skeletons and labels of each video as CSV, and submission files.

Facts about the files: the challenge's public starter kit (``iMiGUEaccessSample.py``, ``imigue_gendata.py``): no header;
a skeleton row is the frame, then x, y and confidence of 35 joints; a label row is ``class,start,end`` with classes 1-31
and 99 (illustrative), frames counted from 0, and the last frame belongs to the gesture. A submission row is
``<video>_<row of the label file>,<class from 0>``.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as arrow_csv

from releases.exports.base import CHUNK_ROWS, Exported, ExportOptions, ReleaseSource, Row, TrackRun, counted, whole_clip
from releases.exports.targets import new_folder
from schema.errors import InvalidReleaseError, UsageError
from schema.layouts import MIGA35, to_xyc

TAXONOMY = "imigue32"
ILLUSTRATIVE_NUMBER, ILLUSTRATIVE_LABEL = 32, 99
FOLDERS = {"train": "imigue_skeleton_train", "val": "imigue_skeleton_validate", "test": "imigue_skeleton_test"}
"""Folder names that the starter kit reads."""
VIDEO_COLUMNS = (
    "number", "video_id", "subject_number", "split", "width", "height", "rate_numerator", "rate_denominator",
    "match_outcome",
)  # fmt: skip
_COLUMNS = ["frame", *(f"{joint}_{value}" for joint in range(35) for value in ("x", "y", "confidence"))]


@dataclass(slots=True, kw_only=True)
class _MigaVideo:
    """One person in one video: what MiGA calls a video."""

    number: int
    split: str
    video: Row
    subject_id: str | None
    segments: list[Row]
    runs: list[TrackRun] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.number:04d}"


def export_miga(source: ReleaseSource, target: Path, options: ExportOptions) -> Exported:
    """Write the folder ``target``: ``imigue_skeleton_train/0001/0001_light_hand.csv`` and on.

    MiGA's videos show one person each: a video of the release becomes one for each person who has segments in it, with
    all of the person's tracks. They are numbered in the order of video id and subject id over the whole release, so
    that numbers do not depend on the splits that are asked for; ``videos.csv`` tells which is which, ``subjects.csv``
    which subject is in which split, ``submission_<split>.csv`` what a perfect submission says, and ``recordings.csv``
    is what ``pressroom import miga --subjects`` reads. Frames without keypoints are rows of zeros. Finger joints hold
    the finger tips. A label's frames are the first and the last one of the segment that have keypoints.

    Left out: segments without a class, and labels of a whole recording, because a label row needs edges.

    Raises ``UsageError`` where the release has another taxonomy.
    """
    if source.taxonomy.name != TAXONOMY:
        raise UsageError(
            f"miga holds the classes of {TAXONOMY} alone, and this release has those of {source.taxonomy.name}"
        )
    counts: Counter[str] = Counter()
    videos = _videos(source, counts)
    subjects = _subject_numbers(source)
    with new_folder(target) as folder:
        for video in videos:
            _write_video(source, video, folder, counts)
        _write_lists(videos, subjects, folder, source)
        files = sum(1 for path in folder.rglob("*") if path.is_file())
    doubled = counts.pop("doubled", 0)
    notes = (f"{doubled} rows of a person's second track in the same frame are not written",) if doubled else ()
    return Exported(segments=sum(len(v.segments) for v in videos), files=files, left_out=counted(counts), notes=notes)


def _videos(source: ReleaseSource, counts: Counter[str]) -> list[_MigaVideo]:
    found: dict[tuple[str, str, int], _MigaVideo] = {}
    for split in source.release.splits:
        rows = source.videos(split)
        asked = split in source.splits
        for segment in source.segments(split):
            reason = "unclassified" if segment["class_id"] is None else "without edges" if whole_clip(segment) else ""
            if reason:
                counts[reason] += asked
                continue
            key = _key(segment)
            if key not in found:
                video = rows[segment["video_id"]]
                found[key] = _MigaVideo(
                    number=0, split=split, video=video, subject_id=segment["subject_id"], segments=[]
                )
            found[key].segments.append(segment)
        if asked:
            _add_runs(source, split, found)
    for number, key in enumerate(sorted(found), start=1):
        found[key].number = number
    return [found[key] for key in sorted(found) if found[key].split in source.splits]


def _key(segment: Row) -> tuple[str, str, int]:
    """Tell whose a segment is; a track of somebody whom nobody declared stands alone."""
    if segment["subject_id"] is None:
        return segment["video_id"], "", segment["track_number"]
    return segment["video_id"], segment["subject_id"], -1


def _add_runs(source: ReleaseSource, split: str, videos: dict[tuple[str, str, int], _MigaVideo]) -> None:
    """Give each video the tracks of its person: those with segments, and those with windows alone."""
    rows = [*source.segments(split), *source.table("unlabelled", split)]
    owner = {(row["video_id"], row["track_number"]): _key(row) for row in rows}
    for run in source.track_runs(split):
        key = owner.get((run.video_id, run.track_number))
        if key in videos:
            videos[key].runs.append(run)


def _write_video(source: ReleaseSource, video: _MigaVideo, folder: Path, counts: Counter[str]) -> None:
    place = folder / FOLDERS.get(video.split, video.split) / video.name
    place.mkdir(parents=True)
    video.segments.sort(key=lambda s: (s["first_frame"], s["end_frame"], s["class_number"], s["segment_id"]))
    with (place / f"{video.name}_label.csv").open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows((_label(s["class_number"]), s["first_frame"], s["end_frame"] - 1) for s in video.segments)
    schema = pa.schema([pa.field(_COLUMNS[0], pa.int32()), *(pa.field(name, pa.float32()) for name in _COLUMNS[1:])])
    options = arrow_csv.WriteOptions(include_header=False, quoting_style="none")
    with arrow_csv.CSVWriter(place / f"{video.name}_light_hand.csv", schema, write_options=options) as skeletons:
        for first_frame, values in _skeletons(source, video, counts):
            frames = np.arange(first_frame, first_frame + len(values), dtype=np.int32)
            skeletons.write_batch(pa.record_batch([frames, *values.T], schema=schema))


def _label(class_number: int) -> int:
    return ILLUSTRATIVE_LABEL if class_number == ILLUSTRATIVE_NUMBER else class_number


def _skeletons(
    source: ReleaseSource, video: _MigaVideo, counts: Counter[str]
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Yield the first frame and the rows ``(frames, 105)`` of runs of frames, without a gap."""
    following = 0
    runs = sorted(video.runs, key=lambda run: (_first_frame(source, video.split, run), run.first_row))
    for run in runs:
        for first in range(0, run.row_count, CHUNK_ROWS):
            count = min(CHUNK_ROWS, run.row_count - first)
            keypoints = source.keypoint_rows(video.split, run.first_row + first, count)
            new = keypoints.frame_indices >= following
            counts["doubled"] += count - int(new.sum())
            if not new.any():
                continue
            frames = keypoints.frame_indices[new]
            values = to_xyc(*source.canonical(keypoints), MIGA35).reshape(count, -1)[new]
            yield from _zeros(following, int(frames[0]))
            yield from _filled(frames, values)
            following = int(frames[-1]) + 1
    yield from _zeros(following, video.video["frame_count"])


def _first_frame(source: ReleaseSource, split: str, run: TrackRun) -> int:
    return int(source.keypoint_rows(split, run.first_row, 1).frame_indices[0])


def _filled(
    frames: npt.NDArray[np.int32], values: npt.NDArray[np.float32]
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    begins = [0, *(np.flatnonzero(np.diff(frames) != 1) + 1).tolist(), len(frames)]
    for begin, end in pairwise(begins):
        if begin:
            yield from _zeros(int(frames[begin - 1]) + 1, int(frames[begin]))
        yield int(frames[begin]), values[begin:end]


def _zeros(first: int, end: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    for begin in range(first, end, CHUNK_ROWS):
        yield begin, np.zeros((min(CHUNK_ROWS, end - begin), len(_COLUMNS) - 1), np.float32)


def _subject_numbers(source: ReleaseSource) -> dict[str, tuple[int, str]]:
    """Return number and split of each subject of the whole release, by subject id."""
    splits = source.release.splits
    of = {row["subject_id"]: split for split in splits for row in source.table("subjects", split)}
    return {subject: (number, of[subject]) for number, subject in enumerate(sorted(of), start=1)}


def _write_lists(
    videos: list[_MigaVideo], subjects: dict[str, tuple[int, str]], folder: Path, source: ReleaseSource
) -> None:
    _write_csv(folder / "videos.csv", [VIDEO_COLUMNS, *(_video_row(video, subjects) for video in videos)])
    told = [(v.name, v.subject_id or "", v.video["match_outcome"] or "", v.split) for v in videos]
    _write_csv(folder / "recordings.csv", [("recording", "subject", "outcome", "split"), *told])
    listed = [(number, subject, split) for subject, (number, split) in subjects.items() if split in source.splits]
    _write_csv(folder / "subjects.csv", [("subject_number", "subject_id", "split"), *listed])
    for split in source.splits:
        rows = [
            (f"{video.name}_{index}", segment["class_number"] - 1)
            for video in videos
            if video.split == split
            for index, segment in enumerate(video.segments)
        ]
        _write_csv(folder / f"submission_{split}.csv", rows)


def _video_row(video: _MigaVideo, subjects: dict[str, tuple[int, str]]) -> tuple[object, ...]:
    row = video.video
    if video.subject_id and video.subject_id not in subjects:
        raise InvalidReleaseError(f"no subject {video.subject_id!r} in *subjects*: `pressroom release validate` it")
    number = subjects[video.subject_id][0] if video.subject_id else None
    rate = (row["average_rate_numerator"], row["average_rate_denominator"])
    return (video.name, row["video_id"], number, video.split, row["width"], row["height"], *rate, row["match_outcome"])


def _write_csv(path: Path, rows: Iterable[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
