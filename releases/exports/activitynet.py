"""ActivityNet's JSON of temporal annotations (version 1.3), as ActivityNet's evaluation and its users read it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from releases.exports.base import Exported, ExportOptions, ReleaseSource, Row, counted, whole_clip
from releases.exports.targets import new_file
from schema.taxonomy import Taxonomy

SUBSETS = {"train": "training", "val": "validation", "test": "testing"}
NS_PER_SECOND = 1_000_000_000


def export_activitynet(source: ReleaseSource, target: Path, options: ExportOptions) -> Exported:
    """Write ``target``: ``version``, ``taxonomy`` and, by video id, ``database``.

    Times are seconds. A label of a whole recording spans it and says ``"whole_recording": true``. Whose gesture it is
    can't be told in this format; ``subject_id`` is there as a field of our own. Segments without a class, and videos
    that have no others, are left out.
    """
    counts: Counter[str] = Counter()
    database: dict[str, Any] = {}
    written = 0
    for split in source.splits:
        videos = source.videos(split)
        for video_id, segments in source.segments_by_video(split).items():
            named = [s for s in segments if s["class_id"] is not None]
            counts["unclassified"] += len(segments) - len(named)
            if named:
                database[video_id] = _entry(videos[video_id], named, SUBSETS.get(split, split))
                written += len(named)
    document = {"version": source.name, "taxonomy": _nodes(source.taxonomy), "database": database}
    with new_file(target) as beside:
        beside.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return Exported(segments=written, files=1, left_out=counted(counts))


def _entry(video: Row, segments: list[Row], subset: str) -> dict[str, Any]:
    entry = {
        "subset": subset,
        "duration": video["duration_ns"] / NS_PER_SECOND,
        "annotations": [_annotation(s, video) for s in sorted(segments, key=_time)],
    }
    if video["width"] is not None:
        entry["resolution"] = f"{video['width']}x{video['height']}"
    return entry


def _time(segment: Row) -> tuple[int, int, str]:
    return segment["start_ns"] or 0, segment["end_ns"] or 0, segment["segment_id"]


def _annotation(segment: Row, video: Row) -> dict[str, Any]:
    whole = whole_clip(segment)
    start_ns, end_ns = (0, video["duration_ns"]) if whole else (segment["start_ns"], segment["end_ns"])
    annotation = {
        "segment": [start_ns / NS_PER_SECOND, end_ns / NS_PER_SECOND],
        "label": segment["class_name"],
        "segment_id": segment["segment_id"],
        "subject_id": segment["subject_id"],
    }
    return annotation | ({"whole_recording": True} if whole else {})


def _nodes(taxonomy: Taxonomy) -> list[dict[str, Any]]:
    """Return the tree: a root, the body-part groups, and the classes."""
    nodes: list[dict[str, Any]] = [{"nodeId": 0, "nodeName": "Root", "parentId": None, "parentName": None}]
    groups = {group: number for number, group in enumerate(taxonomy.groups, start=1)}
    for group, number in groups.items():
        nodes.append({"nodeId": number, "nodeName": group, "parentId": 0, "parentName": "Root"})
    for number, gesture in enumerate(taxonomy, start=len(nodes)):
        parent = {"parentId": groups[gesture.group], "parentName": gesture.group}
        nodes.append({"nodeId": number, "nodeName": gesture.name, **parent})
    return nodes
