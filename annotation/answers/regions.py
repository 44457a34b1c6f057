"""Spans on a Label Studio timeline: its ranges of frames, counted from 1, to frames of the clip and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.answers.answer_fields import invalid_answer, is_whole_number, items_of

TIMELINE_KIND = "timelinelabels"
UNCHANGED = "prediction"
"""``origin`` of a region that was shown and that the person left as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A span that was drawn on a timeline, or shown there and left."""

    first_frame_in_clip: int
    """First frame of the clip that lies in the span, counted from 0."""
    end_frame_in_clip: int
    """One past the last."""
    labels: tuple[str, ...]
    """What the span is labelled with, as the control answers it."""
    changed: bool
    """Whether the person drew it or moved it; False: it was shown like that."""


def timeline_regions(row: Mapping[str, Any], control: str) -> list[Region]:
    """Read the spans that one timeline of the page holds, in order of time.

    Args:
        row: Label Studio's annotation; of its fields only ``result`` is read.
        control: Name of the ``TimelineLabels``.

    Raises:
        ItemError: A region is no range of frames (``INVALID_ANSWER``): reversed, before the clip, or of another form.
            Whether it ends within the clip is for the caller to say.
    """
    regions = [region for item in items_of(row, control) for region in _regions(item, control)]
    return sorted(regions, key=lambda region: (region.first_frame_in_clip, region.end_frame_in_clip, region.labels))


def _regions(item: Mapping[str, Any], control: str) -> list[Region]:
    value = item.get("value")
    ranges = value.get("ranges") if isinstance(value, Mapping) else None
    labels = value.get(TIMELINE_KIND, []) if isinstance(value, Mapping) else None
    if not isinstance(ranges, list) or not isinstance(labels, list) or not all(isinstance(x, str) for x in labels):
        raise invalid_answer(f"{control} holds no ranges with labels")
    changed = item.get("origin") != UNCHANGED
    return [_region(one, tuple(labels), changed=changed) for one in ranges]


def _region(one: object, labels: tuple[str, ...], *, changed: bool) -> Region:
    start, end = (one.get("start"), one.get("end")) if isinstance(one, Mapping) else (None, None)
    if not isinstance(start, int) or not isinstance(end, int) or not (is_whole_number(start) and is_whole_number(end)):
        raise invalid_answer(f"{start!r} to {end!r} is no range of frames")
    if not 1 <= start <= end:
        raise invalid_answer(f"frames {start} to {end} are no range: they count from 1, and the end is not before")
    return Region(first_frame_in_clip=start - 1, end_frame_in_clip=end, labels=labels, changed=changed)


def region_item(
    control: str, to_name: str, *, first_frame_in_clip: int, end_frame_in_clip: int, labels: Sequence[str], name: str
) -> dict[str, Any]:
    """Build one region as Label Studio holds it, for a prediction or a scripted answer.

    Args:
        control: Name of the ``TimelineLabels``.
        to_name: Name of the ``Video``.
        first_frame_in_clip: First frame of the clip that lies in the span, counted from 0.
        end_frame_in_clip: One past the last.
        labels: What the span is labelled with; a span holds at least one.
        name: The region's id, one of its kind in the result.

    Raises:
        ValueError: The span is empty or begins before the clip, or there is no label.
    """
    if not 0 <= first_frame_in_clip < end_frame_in_clip or not labels:
        raise ValueError(f"a region needs 0 <= first < end and labels, got {first_frame_in_clip}, {end_frame_in_clip}")
    shown = {"start": first_frame_in_clip + 1, "end": end_frame_in_clip}
    item = {"id": name, "from_name": control, "to_name": to_name, "type": TIMELINE_KIND, "origin": "manual"}
    return item | {"value": {"ranges": [shown], TIMELINE_KIND: list(labels)}}
