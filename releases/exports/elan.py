"""ELAN's annotation files, one for each video."""

from pathlib import Path
from typing import TYPE_CHECKING

from releases.documents.licences import licence_of
from releases.exports.base import (
    UNCLASSIFIED,
    Exported,
    ExportOptions,
    ReleaseSource,
    Row,
    in_lanes,
    one_line,
    person_of,
    span_ms,
    whole_clip,
)
from releases.exports.targets import new_folder

if TYPE_CHECKING:
    from pympi.Elan import Eaf

DATE = "1970-01-01T00:00:00+00:00"
"""Written as the date of the file, so that the same release gives the same bytes."""
_DESCRIPTION, _WHOLE = "description", "whole recording"


def export_elan(source: ReleaseSource, target: Path, options: ExportOptions) -> Exported:
    """Write the folder ``target``: ``<split>/<video id>.eaf`` for each video that has segments.

    A tier is a body-part group; its annotations are class names, and a child tier holds their descriptions. In ELAN the
    annotations of a tier never overlap: what would, goes to a second tier (``Hand 2``). Where a video has several
    people, a tier's name ends in ``@`` and who it is; ``PARTICIPANT`` tells it always. Times are milliseconds, rounded,
    and an annotation lasts 1 ms at least. Labels of a whole recording span it, in tiers of their own (``Hand whole
    recording``). The files name no video file: ELAN asks for it, or shows them without.
    """
    written = files = 0
    with new_folder(target) as folder:
        for split in source.splits:
            videos = source.videos(split)
            for video_id, segments in source.segments_by_video(split).items():
                path = folder / split / f"{video_id}.eaf"
                path.parent.mkdir(exist_ok=True)
                _write_eaf(source, videos[video_id], segments, path)
                written += len(segments)
                files += 1
    return Exported(segments=written, files=files)


def _write_eaf(source: ReleaseSource, video: Row, segments: list[Row], path: Path) -> None:
    from pympi.Elan import Eaf, to_eaf

    eaf = Eaf(author="pressroom")
    eaf.adocument["DATE"] = DATE
    eaf.header = {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"}
    eaf.properties = [("release", source.name), ("video_id", video["video_id"])]
    eaf.remove_tier("default")
    eaf.add_license(source.licence, licence_of(source.licence).url)
    eaf.add_linguistic_type(_DESCRIPTION, constraints="Symbolic_Association", timealignable=False)
    placed = _placed(source, video, segments)
    people = {tier: person_of(segment) for segment, _, tier in placed}
    for tier, person in people.items():
        eaf.add_tier(tier, part=person)
        eaf.add_tier(f"{tier} {_DESCRIPTION}", ling=_DESCRIPTION, parent=tier, part=person)
    _add_annotations(eaf, placed)
    to_eaf(path, eaf)


Placed = tuple[Row, tuple[int, int], str]
"""A segment, its edges in ms, and its tier."""


def _placed(source: ReleaseSource, video: Row, segments: list[Row]) -> list[Placed]:
    """Give each segment its tier; tiers come in the order of the taxonomy's groups, then people, then lanes."""
    order = {group: number for number, group in enumerate(source.taxonomy.groups)}
    several = len({person_of(segment) for segment in segments}) > 1
    tiers: dict[tuple[int, bool, str], list[tuple[tuple[int, int], Row]]] = {}
    for segment in segments:
        key = (order.get(segment["group"], len(order)), whole_clip(segment), person_of(segment))
        tiers.setdefault(key, []).append((span_ms(segment, video), segment))
    placed: list[tuple[tuple[int, bool, str, int], Placed]] = []
    for key, found in tiers.items():
        found.sort(key=lambda one: (one[0], one[1]["segment_id"]))
        for (span, segment), lane in zip(found, in_lanes([span for span, _ in found]), strict=True):
            name = (segment["group"] or UNCLASSIFIED.capitalize()) + (f" {_WHOLE}" if key[1] else "")
            tier = name + (f" {lane + 1}" if lane else "") + (f"@{key[2]}" if several else "")
            placed.append(((*key, lane), (segment, span, tier)))
    return [one for _, one in sorted(placed, key=lambda pair: pair[0])]


def _add_annotations(eaf: "Eaf", placed: list[Placed]) -> None:
    """Add the annotations with a time slot for each edge, in the order of time, as ELAN writes them.

    pympi's own ``add_annotation`` numbers the slots as they come, and ELAN wants them sorted.
    """
    edges = sorted((span[end], number, end) for number, (_, span, _) in enumerate(placed) for end in (0, 1))
    slots = {(number, end): eaf.generate_ts_id(time) for time, number, end in edges}
    for number, (segment, _, tier) in enumerate(placed):
        key = eaf.generate_annotation_id()
        value = _xml_text(segment["class_name"] or UNCLASSIFIED)
        eaf.annotations[key] = tier
        eaf.tiers[tier][0][key] = (slots[number, 0], slots[number, 1], value, None)
        about = eaf.generate_annotation_id()
        child = f"{tier} {_DESCRIPTION}"
        eaf.annotations[about] = child
        eaf.tiers[child][1][about] = (key, _xml_text(segment["description"] or ""), None, None)


def _xml_text(text: str) -> str:
    """Leave out what XML 1.0 can't hold."""
    return "".join(c for c in one_line(text) if c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
