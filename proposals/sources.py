"""One question for each thing: a model's detections, contacts and movements merged, with everybody who sees it kept."""

import dataclasses
from collections.abc import Sequence

from proposals.drafts import Draft
from proposals.merge import rank, same_time
from proposals.timeline import Timeline
from schema.taxonomy import Taxonomy

LIKELIER_THAN_NOT = 0.5
"""From this calibrated probability on a model's class is asked instead of another one of the same body parts that was
measured: below it the model itself says that its class is more likely wrong."""


def keep_absorbed(
    kept: Sequence[Draft], movements: Sequence[Draft], *, taxonomy: Taxonomy, same_iou: float
) -> list[Draft]:
    """Name movements that were merged into another draft among its sources, where they overlap enough in time.

    Movements of several parts are one source: the best of them. A movement on the way to a contact, which lies beside
    it in time, is no source of it.
    """
    result, line = list(kept), Timeline([draft.span for draft in kept])
    standing = set(kept)
    left_out = [movement for movement in movements if movement not in standing]
    for movement in sorted(left_out, key=rank):
        near = line.around(movement.span)
        overlaps = [(movement.span.temporal_iou(result[n].span), -n) for n in near]
        iou, place = max(overlaps, default=(0.0, 0))
        draft = result[-place]
        known = {draft.proposer, *(source.proposer for source in draft.others)}
        if iou >= same_iou and movement.proposer not in known:
            result[-place] = _joined(draft, movement, taxonomy)
    return result


def merge_learned(
    measured: Sequence[Draft], learned: Sequence[Draft], *, taxonomy: Taxonomy, same_iou: float
) -> list[Draft]:
    """Make one draft of everything that means one thing, and keep who else sees it (``Draft.others``).

    Two drafts mean one thing where they overlap in time and claim the same class; or one claims none, and nothing
    says that it is of another part of the body; or they claim two classes of one body-part group. Drafts of different
    groups stay two questions: a hand at the neck does not keep a head from nodding.

    Of one thing that draft is asked which names a class; of two, what was measured, unless the model gives its own
    other class 0.5 or more; of two detections the likelier. Edges, evidence and words are those of the one asked.

    Args:
        measured: Contacts and movements, as ``merge_drafts`` gives them.
        learned: A model's detections.
        taxonomy: Gives classes and groups.
        same_iou: Drafts that overlap this much in time are at the same time.

    Returns:
        What was measured in its order, as far as it is still asked, then detections by score.
    """
    detections = _merged_detections(learned, taxonomy, same_iou)
    line = Timeline([detection.span for detection in detections])
    taken: set[int] = set()
    asked: list[Draft] = []
    for draft in measured:
        near = line.around(draft.span)
        place = _best(draft, [(n, detections[n]) for n in near], taxonomy, same_iou)
        if place is None:
            asked.append(draft)
        elif place in taken or not _names_better(detections[place], draft, taxonomy):
            taken.add(place)
            asked.append(_joined(draft, detections[place], taxonomy))
        else:
            detections[place] = _joined(detections[place], draft, taxonomy)
    return asked + [detection for n, detection in enumerate(detections) if n not in taken]


def _merged_detections(learned: Sequence[Draft], taxonomy: Taxonomy, same_iou: float) -> list[Draft]:
    """Merge detections of one thing, the likelier first."""
    ordered = sorted(learned, key=lambda draft: (rank(draft), draft.class_in(taxonomy) or ""))
    line = Timeline([draft.span for draft in ordered])
    kept: dict[int, Draft] = {}
    for number, draft in enumerate(ordered):
        near = [n for n in line.around(draft.span) if n in kept]
        place = _best(draft, [(n, kept[n]) for n in near], taxonomy, same_iou)
        if place is None:
            kept[number] = draft
        else:
            kept[place] = _joined(kept[place], draft, taxonomy)
    return list(kept.values())


def _best(draft: Draft, others: Sequence[tuple[int, Draft]], taxonomy: Taxonomy, same_iou: float) -> int | None:
    """Return the place of the draft that means the same thing and overlaps most."""
    found = [
        (draft.span.temporal_iou(other.span), -place)
        for place, other in others
        if _is_one_thing(draft, other, taxonomy, same_iou)
    ]
    return -max(found)[1] if found else None


def _is_one_thing(first: Draft, second: Draft, taxonomy: Taxonomy, same_iou: float) -> bool:
    groups = (first.group_in(taxonomy), second.group_in(taxonomy))
    if groups[0] != groups[1] and None not in groups:
        return False
    if first.class_in(taxonomy) == second.class_in(taxonomy) or "motion" in (first.proposer, second.proposer):
        return same_time(first.span, second.span, same_iou)
    return first.span.temporal_iou(second.span) >= same_iou


def _names_better(detection: Draft, measured: Draft, taxonomy: Taxonomy) -> bool:
    """Tell whether a model's detection is asked about, and not what was measured there."""
    theirs, ours = detection.class_in(taxonomy), measured.class_in(taxonomy)
    if theirs is None or theirs == ours:
        return False
    return ours is None or detection.score >= LIKELIER_THAN_NOT


def _joined(asked: Draft, other: Draft, taxonomy: Taxonomy) -> Draft:
    """Return the draft that is asked about, with the other one and its company among its sources."""
    return dataclasses.replace(asked, others=(*asked.others, other.source_in(taxonomy), *other.others))
