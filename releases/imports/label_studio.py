"""Label Studio's JSON export of another project, whose videos the study holds itself.

Read are timeline regions (``timelinelabels``: ranges of frames, counted from 1, the last one included), boxes through
the video (``videorectangle``: from a key frame to the one that ends it), regions in seconds (``labels`` with start and
end) and choices, which are of the whole video unless they belong to a region. Skipped annotations are passed over;
where a task has annotations marked as ground truth, only those are read. A video is found by its file's name.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from releases.imports.base import ImportedRecording, ImportedSegment, ImportOptions, LeftOut, OpenedImport, StudyVideo
from releases.imports.base import bad_file as bad_region
from releases.imports.pyskl import whole_clip
from releases.imports.subjects import class_ids_by_name, folded
from schema.errors import DropReason, ItemError, UsageError
from schema.timespan import NS_PER_SECOND, TimeSpan

SAME_SEGMENT_IOU = 0.7
"""Temporal IoU from which on two people's regions of one class and person are one, as in the study's own answers."""
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?P<name>.+)")
"""Label Studio puts eight digits before the name of a file that is uploaded."""
_NAMING = ("timelinelabels", "labels", "videorectanglelabels", "choices")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Region:
    """One region of an annotation: its names, and what each of its items says of its place."""

    names: tuple[str, ...]
    places: tuple[Mapping[str, Any], ...]
    """Values that hold frames or seconds; empty: the whole video."""


def open_label_studio(path: Path, options: ImportOptions) -> OpenedImport:
    """List the JSON files of a folder, or take the one that is named."""
    files = [path] if path.is_file() else sorted(path.rglob("*.json"))
    if not files:
        raise UsageError(f"{path}: no file *.json in it, or in a folder under it")
    return OpenedImport(files=tuple(files), recording_count=None, records=lambda: _records(files, options))


def _records(files: Sequence[Path], options: ImportOptions) -> Iterator[ImportedRecording | LeftOut]:
    videos: dict[str, StudyVideo] = {}
    places: dict[str, tuple[str, Path]] = {}
    segments: dict[str, list[ImportedSegment]] = defaultdict(list)
    class_ids = class_ids_by_name(options.taxonomy)
    for file in files:
        for where, task in _tasks(file):
            if isinstance(task, ItemError):
                yield LeftOut(where=where, reason=task.reason, detail=task.detail)
                continue
            try:
                name, video = _video(task, options)
            except ItemError as error:
                lost = sum(1 for _ in _regions(task)) or 1
                yield LeftOut(where=where, reason=error.reason, detail=error.detail, count=lost)
                continue
            videos[video.video_id] = video
            places.setdefault(video.video_id, (name, file))
            for found in _segments(task, video, class_ids, options.rate, where):
                if isinstance(found, LeftOut):
                    yield found
                else:
                    segments[video.video_id].append(found)
    for video_id in sorted(videos):
        kept, merged = merged_segments(segments[video_id])
        yield from merged
        yield _recording(videos[video_id], *places[video_id], kept)


def _tasks(file: Path) -> Iterator[tuple[str, Any]]:
    """Give the tasks of an export with their places; an ``ItemError`` in the place of what is none."""
    try:
        document = json.loads(file.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        yield file.name, ItemError(DropReason.UNREADABLE, f"can't be read ({reason}); copy it again")
        return
    except (ValueError, RecursionError) as error:
        yield file.name, bad_region(f"no JSON ({type(error).__name__}); export the project again")
        return
    if not isinstance(document, list):
        yield file.name, bad_region("no list of tasks; export the project as JSON (not JSON-MIN)")
        return
    for number, task in enumerate(document, start=1):
        where = f"{file.name} task {number}"
        if isinstance(task, dict) and isinstance(task.get("annotations"), list):
            yield where, task
        else:
            yield where, bad_region("no task with annotations; export the project as JSON (not JSON-MIN)")


def _video(task: Mapping[str, Any], options: ImportOptions) -> tuple[str, StudyVideo]:
    if options.find_video is None:
        raise UsageError("a Label Studio export is of videos: it needs a study that holds them")
    names = video_names(task)
    if not names:
        raise bad_region("the task names no video; leave it out")
    missing: ItemError | None = None
    for name in names:
        try:
            return name, options.find_video(name)
        except ItemError as error:
            missing = missing or error
    raise missing or bad_region("the task names no video; leave it out")


def video_names(task: Mapping[str, Any]) -> list[str]:
    """Return the names, without endings, that a task's video may have had before it was uploaded."""
    data = task.get("data")
    told = [data[key] for key in ("video", "video_url", "url") if key in data] if isinstance(data, dict) else []
    told += [task.get("file_upload")]
    names: dict[str, None] = {}
    for text in told:
        if not isinstance(text, str) or not text:
            continue
        link = urlsplit(text)
        path = parse_qs(link.query).get("d", [link.path])[0]
        stem = unquote(path).replace("\\", "/").rpartition("/")[2]
        stem = stem.rpartition(".")[0] or stem
        names[stem] = None
        match = _UPLOADED.fullmatch(stem)
        if match:
            names[match["name"]] = None
    return [name for name in names if name]


def _regions(task: Mapping[str, Any]) -> Iterator[_Region]:
    given = [a for a in task["annotations"] if isinstance(a, dict) and not a.get("was_cancelled")]
    truths = [a for a in given if a.get("ground_truth")]
    for annotation in truths or given:
        items = [item for item in _list(annotation.get("result")) if isinstance(item, dict)]
        groups: dict[object, list[Mapping[str, Any]]] = defaultdict(list)
        for number, item in enumerate(items):
            key = item.get("id")
            groups[key if isinstance(key, str) else number].append(item)
        for group in groups.values():
            values = [value for item in group if isinstance(value := item.get("value"), dict)]
            names = [n for value in values for key in _NAMING for n in _list(value.get(key)) if isinstance(n, str)]
            places = [value for value in values if {"ranges", "sequence", "start"} & value.keys()]
            if names:
                yield _Region(names=tuple(dict.fromkeys(names)), places=tuple(places[:1]))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _segments(
    task: Mapping[str, Any], video: StudyVideo, class_ids: Mapping[str, str], rate: Fraction | None, where: str
) -> Iterator[ImportedSegment | LeftOut]:
    for region in _regions(task):
        try:
            classes = _classes(region, class_ids)
            for class_id, label in classes:
                yield from _placed(region, whole_clip(class_id, label=label), video, rate)
        except ItemError as error:
            yield LeftOut(where=where, reason=error.reason, detail=error.detail)


def _classes(region: _Region, class_ids: Mapping[str, str]) -> list[tuple[str, str]]:
    found = {class_ids[folded(n)]: n for n in reversed(region.names) if folded(n) in class_ids}
    if not found:
        name = region.names[0]
        near = get_close_matches(folded(name), class_ids, n=1, cutoff=0.0)
        raise bad_region(f"label {name[:60]!r} is no class of the study; nearest is {class_ids[near[0]]!r}; rename it")
    return sorted(found.items())


def _placed(
    region: _Region, segment: ImportedSegment, video: StudyVideo, rate: Fraction | None
) -> Iterator[ImportedSegment]:
    if not region.places:
        yield replace(segment, track_number=video.player_at(video.frame_times.end_ns // 2))
        return
    for span in _spans(region.places[0], video, rate):
        track = video.player_at(span.middle_ns)
        yield replace(segment, start_ns=span.start_ns, end_ns=span.end_ns, track_number=track)


def _spans(value: Mapping[str, Any], video: StudyVideo, rate: Fraction | None) -> list[TimeSpan]:
    if "ranges" in value:
        edges = [(_number(one, "start"), _number(one, "end")) for one in _list(value["ranges"])]
        return [_span_of_frames(first, last, video, rate) for first, last in edges]
    if "sequence" in value:
        return [_span_of_frames(first, last, video, rate) for first, last in _runs(value, video)]
    seconds = [value.get(edge) for edge in ("start", "end")]
    if not all(isinstance(s, int | float) and not isinstance(s, bool) and 0 <= s < 10**7 for s in seconds):
        raise bad_region("a region has no start and end in seconds; draw it anew")
    return [_span(*(round(Fraction(s) * NS_PER_SECOND) for s in seconds), video=video)]  # type: ignore[arg-type]


def _number(value: object, name: str) -> int:
    found = value.get(name) if isinstance(value, dict) else None
    if type(found) is not int or not 1 <= found < 2**31:
        raise bad_region("a region has no frames, which count from 1; draw it anew")
    return found


def _runs(value: Mapping[str, Any], video: StudyVideo) -> list[tuple[int, int]]:
    """Return first and last frame, from 1, of each time that a box is shown: from a key frame to one that ends it."""
    keys = _list(value["sequence"])
    runs: list[tuple[int, int]] = []
    first: int | None = None
    for key in sorted(keys, key=lambda one: _number(one, "frame")):
        frame = _number(key, "frame")
        first = frame if first is None else first
        if key.get("enabled") is False:
            runs.append((first, frame))
            first = None
    if first is not None:
        runs.append((first, max(first, int(video.frame_times.times_ns.shape[0]))))
    return runs


def _span_of_frames(first: int, last: int, video: StudyVideo, rate: Fraction | None) -> TimeSpan:
    """Turn frames from 1, the last one included, into a span: frames of the file, or of another rate's if told."""
    if first > last:
        raise bad_region(f"frames {first} to {last} are no span; draw it anew")
    if rate is not None:
        return _span(*(round(frame / rate * NS_PER_SECOND) for frame in (first - 1, last)), video=video)
    count = int(video.frame_times.times_ns.shape[0])
    if last > count:
        raise bad_region(f"frames {first} to {last} go beyond the video's {count}; say the page's rate with --rate")
    return video.frame_times.span_of(first - 1, last)


def _span(start_ns: int, end_ns: int, *, video: StudyVideo) -> TimeSpan:
    frames = video.frame_times
    longest_ns = int(frames.times_ns[-1] - frames.times_ns[0]) // max(len(frames.times_ns) - 1, 1)
    if not start_ns < end_ns <= frames.end_ns + longest_ns:
        told = f"{start_ns / NS_PER_SECOND:.2f} to {end_ns / NS_PER_SECOND:.2f} s"
        raise bad_region(f"{told} is no span of the video, which ends at {frames.end_ns / NS_PER_SECOND:.2f} s")
    return TimeSpan(start_ns=start_ns, end_ns=min(end_ns, frames.end_ns))


def merged_segments(segments: Sequence[ImportedSegment]) -> tuple[list[ImportedSegment], list[LeftOut]]:
    """Keep one of the regions that several people drew around one gesture of one person: the first by time."""
    kept: list[ImportedSegment] = []
    for segment in sorted(segments, key=lambda s: (s.start_ns or 0, s.end_ns or 0, s.class_id, s.label)):
        if not any(_is_same(segment, other) for other in kept):
            kept.append(segment)
    count = len(segments) - len(kept)
    detail = "regions of several people around one gesture; the first of each was kept"
    lost = LeftOut(where="several annotations", reason=DropReason.MERGED, detail=detail, count=count)
    return kept, [lost] if count else []


def _is_same(first: ImportedSegment, second: ImportedSegment) -> bool:
    if (first.class_id, first.track_number) != (second.class_id, second.track_number):
        return False
    spans = [
        TimeSpan(start_ns=s.start_ns, end_ns=s.end_ns)
        for s in (first, second)
        if s.start_ns is not None and s.end_ns is not None
    ]
    return not spans or (len(spans) == 2 and spans[0].temporal_iou(spans[1]) >= SAME_SEGMENT_IOU)


def _recording(video: StudyVideo, name: str, file: Path, segments: Sequence[ImportedSegment]) -> ImportedRecording:
    frames = video.frame_times
    count = int(frames.times_ns.shape[0])
    return ImportedRecording(
        native_id=name,
        native_subject=None,
        location=str(file),
        content="",
        tracks=(),
        frame_count=count,
        rate=Fraction(count * NS_PER_SECOND, frames.end_ns),
        width=None,
        height=None,
        layout="",
        segments=tuple(segments),
        study_video_id=video.video_id,
    )
