"""BORIS: a table of events, its ethogram and subjects, and a project that holds it all.

What BORIS 9.12 reads (its public sources): observations from another project (``.boris``, JSON) or an open spreadsheet,
and behaviours and subjects also from TSV. The table of events has the columns of its own export "tabular events", which
R and Python packages for BORIS read.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from releases.exports.base import (
    UNCLASSIFIED,
    Exported,
    ExportOptions,
    ReleaseSource,
    Row,
    counted,
    in_lanes,
    one_line,
    person_of,
    span_ms,
    video_rate,
    whole_clip,
)
from releases.exports.targets import new_folder

EVENT_COLUMNS = (
    "Observation id", "Observation date", "Description", "Observation duration", "Observation type", "Source",
    "Time offset (s)", "Media duration (s)", "FPS", "Subject", "Behavior", "Behavioral category", "Behavior type",
    "Time", "Media file name", "Image index", "Image file path", "Comment",
)  # fmt: skip
BEHAVIOR_COLUMNS = (
    "Behavior code", "Behavior type", "Description", "Key", "Color", "Behavioral category", "Excluded behaviors",
)  # fmt: skip
SUBJECT_COLUMNS = ("Key", "Subject name", "Description")
DATE = "1970-01-01T00:00:00"
"""Observations need a date; releases hold none."""
PROJECT_FORMAT = "7.0"
UNCLASSIFIED_CODE = "unclassified"

Event = tuple[int, int, str, Row, int]
"""Time in ms, 0 for a stop and 1 for a start, subject, segment, and frame."""


def export_boris(source: ReleaseSource, target: Path, options: ExportOptions) -> Exported:
    """Write the folder ``target``: ``events.tsv``, ``ethogram.tsv``, ``subjects.tsv`` and ``<release>.boris``.

    An observation is a video, a behaviour a class (its code is the class id: names have commas, which BORIS uses
    between codes), a segment a START and a STOP in seconds with three decimals. BORIS pairs the starts and stops of a
    subject and behaviour in turn: where two such segments overlap, the later one is of ``<subject> (2)``. Videos are
    called ``<video id>.mp4``; put them beside the project under these names to watch them.

    Labels of a whole recording are left out: as states they would fill every time budget.
    """
    counts: Counter[str] = Counter()
    observations: dict[str, Any] = {}
    subjects: set[str] = set()
    written = 0
    with new_folder(target) as folder, (folder / "events.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, dialect="excel-tab", lineterminator="\n")
        table.writerow(EVENT_COLUMNS)
        for split in source.splits:
            videos = source.videos(split)
            for video_id, segments in source.segments_by_video(split).items():
                timed = [s for s in segments if not whole_clip(s)]
                counts["without edges"] += len(segments) - len(timed)
                if timed:
                    events = _events(timed, videos[video_id])
                    table.writerows(_event_rows(events, videos[video_id], split))
                    observations[video_id] = _observation(events, videos[video_id], split)
                    subjects.update(event[2] for event in events)
                    written += len(timed)
        behaviours = _behaviours(source)
        _write_tsv(folder / "ethogram.tsv", BEHAVIOR_COLUMNS, [_behaviour_row(b) for b in behaviours])
        _write_tsv(folder / "subjects.tsv", SUBJECT_COLUMNS, [("", subject, "") for subject in sorted(subjects)])
        project = _project(source, behaviours, sorted(subjects), observations)
        text = json.dumps(project, ensure_ascii=True, indent=1) + "\n"
        (folder / f"{source.name}.boris").write_text(text, encoding="ascii")
    return Exported(segments=written, files=4, left_out=counted(counts))


def _code(segment: Row) -> str:
    return segment["class_id"] or UNCLASSIFIED_CODE


def _events(segments: list[Row], video: Row) -> list[Event]:
    of_pair: dict[tuple[str, str], list[tuple[tuple[int, int], Row]]] = {}
    for segment in segments:
        of_pair.setdefault((person_of(segment), _code(segment)), []).append((span_ms(segment, video), segment))
    events: list[Event] = []
    for (person, _), found in of_pair.items():
        found.sort(key=lambda one: (one[0], one[1]["segment_id"]))
        for ((start, end), segment), lane in zip(found, in_lanes([span for span, _ in found]), strict=True):
            subject = f"{person} ({lane + 1})" if lane else person
            events.append((start, 1, subject, segment, segment["first_frame"]))
            events.append((end, 0, subject, segment, segment["end_frame"] - 1))
    # BORIS's own order; where a segment follows another without a gap, the stop comes before the start
    return sorted(events, key=lambda e: (e[0], e[2], _code(e[3]), e[1]))


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"


def _file_name(video: Row) -> str:
    return f"{video['video_id']}.mp4"


def _event_rows(events: list[Event], video: Row, split: str) -> Iterator[tuple[object, ...]]:
    duration = f"{video['duration_ns'] / 1e9:.3f}"
    name = _file_name(video)
    head = (video["video_id"], DATE.replace("T", " "), split, duration, "Media file(s)", f"player #1:{name}", "0.0")
    for time, starts, subject, segment, frame in events:
        yield (
            *head, duration, f"{float(video_rate(video)):.3f}", subject, _code(segment), segment["group"] or "",
            "START" if starts else "STOP", _seconds(time), name, frame, "NA",
            one_line(segment["description"] or "") if starts else "",
        )  # fmt: skip


def _observation(events: list[Event], video: Row, split: str) -> dict[str, Any]:
    name = _file_name(video)
    return {
        "file": {"1": [name]},
        "type": "MEDIA",
        "date": DATE,
        "description": split,
        "time offset": 0.0,
        "events": [
            [
                time / 1000, subject, _code(segment), "",
                one_line(segment["description"] or "") if starts else "", frame,
            ]
            for time, starts, subject, segment, frame in events
        ],
        "independent_variables": {},
        "observation time interval": [0, 0],
        "media_info": {
            "length": {name: round(video["duration_ns"] / 1e9, 3)},
            "fps": {name: round(float(video_rate(video)), 3)},
            "hasVideo": {name: True},
            "hasAudio": {name: False},
            "offset": {"1": 0.0},
        },
    }  # fmt: skip


def _behaviours(source: ReleaseSource) -> list[dict[str, Any]]:
    classes = [(g.class_id, g.name, g.group) for g in source.taxonomy]
    return [
        {
            "type": "State event",
            "key": "",
            "code": code,
            "description": name,
            "color": "",
            "category": group,
            "modifiers": {},
            "excluded": "",
            "coding map": "",
        }
        for code, name, group in [*classes, (UNCLASSIFIED_CODE, UNCLASSIFIED, "")]
    ]


def _behaviour_row(behaviour: dict[str, Any]) -> tuple[object, ...]:
    names = ("code", "type", "description", "key", "color", "category", "excluded")
    return tuple(behaviour[name] for name in names)


def _project(
    source: ReleaseSource, behaviours: list[dict[str, Any]], subjects: list[str], observations: dict[str, Any]
) -> dict[str, Any]:
    groups = list(source.taxonomy.groups)
    return {
        "time_format": "hh:mm:ss",
        "project_date": DATE,
        "project_name": source.name,
        "project_description": f"{source.taxonomy.title}; licence {source.licence}",
        "project_format_version": PROJECT_FORMAT,
        "subjects_conf": {
            str(n): {"key": "", "name": subject, "description": ""} for n, subject in enumerate(subjects)
        },
        "behaviors_conf": {str(n): behaviour for n, behaviour in enumerate(behaviours)},
        "observations": observations,
        "behavioral_categories": groups,
        "behavioral_categories_config": {str(n): {"name": group} for n, group in enumerate(groups)},
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }


def _write_tsv(path: Path, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, dialect="excel-tab", lineterminator="\n").writerows([columns, *rows])
