"""Several drafts of one thing become one, and a candidate that was asked before keeps its id."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from proposals.drafts import Draft
from proposals.timeline import Timeline
from schema.matching import box_iou, match_one_to_one
from schema.records import Candidate, CandidateId, ReviewTask
from schema.timespan import NS_PER_SECOND, TimeSpan

INHERIT_TEMPORAL_IOU = 0.7
"""From here a candidate asks what an earlier round asked (docs/architecture.md, ids and anchors)."""
ANSWERED_TEMPORAL_IOU = 0.5
"""From here a candidate asks what was answered under its class already: another answer would move the edges at most."""
MOSTLY_INSIDE = 0.8
"""So does one of which this share lies within the answered question (that of annotation/answers/adjudicate.py)."""
INHERIT_BOX_IOU = 0.3
"""The same person's boxes at mid-span, found by two trackers, overlap at least this much; two people's rarely do."""


def merge_drafts(
    contacts: Sequence[Draft], movements: Sequence[Draft], *, same_iou: float, margin_s: float
) -> list[Draft]:
    """Keep every contact, and of the movements the best of each time; the way of a hand to its contact is none.

    Args:
        contacts: drafts that are already one for each contact.
        movements: drafts of all parts.
        same_iou: movements that overlap this much in time, or lie mostly in one another, are one.
        margin_s: how long before and after a contact the same arm's movement belongs to it.

    Returns:
        Contacts first, then movements, each by score.
    """
    margin_ns = round(margin_s * NS_PER_SECOND)
    by_time = sorted(contacts, key=lambda draft: draft.span)
    touching = Timeline([draft.span for draft in by_time])
    ordered = sorted(movements, key=rank)
    moving = Timeline([draft.span for draft in ordered])
    kept: dict[int, Draft] = {}
    for number, draft in enumerate(ordered):
        near = [by_time[n] for n in touching.around(draft.span, margin_ns=margin_ns)]
        if _belongs_to_any(draft, near, margin_ns):
            continue
        others = (kept[n] for n in moving.around(draft.span) if n in kept)
        if not any(same_time(draft.span, other.span, same_iou) for other in others):
            kept[number] = draft
    return sorted(contacts, key=rank) + list(kept.values())


def rank(draft: Draft) -> tuple[float, int, int, str, str]:
    """Order drafts by score, the best first; equals by time and words."""
    return (-draft.score, draft.span.start_ns, draft.span.end_ns, draft.evidence, draft.reason)


def same_time(first: TimeSpan, second: TimeSpan, same_iou: float) -> bool:
    """Tell whether two spans overlap so much, or one lies mostly in the other."""
    shared_ns = first.overlap_ns(second)
    return first.temporal_iou(second) >= same_iou or 2 * shared_ns >= min(first.duration_ns, second.duration_ns)


def _belongs_to_any(movement: Draft, contacts: Sequence[Draft], margin_ns: int) -> bool:
    """Tell whether a movement is one of the contacts' own arms, mostly during, just before or just after them.

    Contacts that follow each other, such as the pieces of one visit, count together; they come by time.
    """
    margin_ns = margin_ns if movement.sides else 0
    covered_ns = end_ns = 0
    for contact in contacts:
        if movement.sides and not set(movement.sides) & set(contact.sides):
            continue
        start_ns = max(contact.span.start_ns - margin_ns, end_ns)
        end_ns = max(contact.span.end_ns + margin_ns, end_ns)
        if start_ns < end_ns:
            covered_ns += movement.span.overlap_ns(TimeSpan(start_ns=start_ns, end_ns=end_ns))
    return 2 * covered_ns >= movement.span.duration_ns


def inherit_ids(
    candidates: Sequence[Candidate],
    earlier: Sequence[ReviewTask],
    *,
    said: Mapping[str, Collection[str]] = MappingProxyType({}),
    unanswered: Collection[str] = (),
) -> list[Candidate]:
    """Give candidates the ids of earlier questions that they repeat, so that open tasks can follow them.

    A candidate repeats a question of the same video file (the caller picks ``earlier`` by its sha256) when the class
    is the same (where there is none, the evidence), the spans' temporal IoU is at least 0.7 and the boxes at mid-span
    overlap. Its class may also be one that people have spoken of in their answers: what they named is not asked once
    more because a model names it now, nor because the model sets the edges otherwise (temporal IoU 0.5, or 0.8 of the
    candidate inside). A question in ``unanswered`` can still be worded anew, so there the class may be any. Each
    earlier id is inherited once at most; candidates that carry an earlier id already keep it, so doing it twice
    changes nothing.

    Args:
        candidates: New ones.
        earlier: Questions about the same video file.
        said: Classes that answers to a question spoke of, by its id: asked and named ones.
        unanswered: Ids of questions that nobody has answered.

    Returns:
        The candidates in the order given.
    """
    renamed = list(candidates)
    passes = (
        (_likeness, None, INHERIT_TEMPORAL_IOU),
        (partial(_spoken_of, said=said), said, 0.0),
        (_overlap, unanswered, INHERIT_TEMPORAL_IOU),
    )
    for score, among, at_least in passes:
        tasks = {str(task.candidate_id): task for task in earlier}
        named = {str(candidate.candidate_id) for candidate in renamed} & tasks.keys()
        free = [index for index, candidate in enumerate(renamed) if str(candidate.candidate_id) not in named]
        left_over = [tasks[key] for key in sorted(tasks.keys() - named) if among is None or key in among]
        pairs = match_one_to_one([renamed[index] for index in free], left_over, score=score, at_least=at_least)
        for left, right in pairs:
            renamed[free[left]] = dataclasses.replace(renamed[free[left]], candidate_id=left_over[right].candidate_id)
    return renamed


def answered_elsewhere(
    candidates: Sequence[Candidate], earlier: Sequence[ReviewTask], *, said: Mapping[str, Collection[str]]
) -> dict[CandidateId, CandidateId]:
    """Find candidates that repeat an answered question which another one has inherited (``inherit_ids`` ran before).

    A model may see three gestures where people were asked about one and have said that there is one, or none: their
    answers hold for all of them.

    Returns:
        The ids of such candidates, each with that of the question.
    """
    asked = {task.candidate_id: task for task in earlier}
    answered = [task for task in asked.values() if task.candidate_id in said]
    found = {}
    for candidate in candidates:
        if candidate.candidate_id in asked:
            continue
        likeness = [(_spoken_of(candidate, task, said=said), task.candidate_id) for task in answered]
        best, question_id = max(likeness, default=(0.0, candidate.candidate_id))
        if best > 0:
            found[candidate.candidate_id] = question_id
    return found


def _spoken_of(candidate: Candidate, task: ReviewTask, *, said: Mapping[str, Collection[str]]) -> float:
    """Return the temporal IoU of a candidate and a question whose answers spoke of its class there, else 0."""
    if candidate.class_id not in said[task.candidate_id]:
        return 0.0
    overlap = _overlap(candidate, task)
    inside = candidate.span.overlap_ns(task.anchor.span) / candidate.span.duration_ns
    return overlap if overlap >= ANSWERED_TEMPORAL_IOU or inside >= MOSTLY_INSIDE else 0.0


def _likeness(candidate: Candidate, task: ReviewTask) -> float:
    """Return the temporal IoU of a candidate and an earlier question, 0 where class, evidence or person differ."""
    if candidate.class_id != task.class_id:
        return 0.0
    if candidate.class_id is None and candidate.evidence != task.evidence:
        return 0.0
    return _overlap(candidate, task)


def _overlap(candidate: Candidate, task: ReviewTask) -> float:
    """Return the temporal IoU of a candidate and an earlier question, 0 where the person differs."""
    if candidate.video_id != task.anchor.video_id:
        return 0.0
    if box_iou(candidate.box_xyxy, task.anchor.box_xyxy) < INHERIT_BOX_IOU:
        return 0.0
    return candidate.span.temporal_iou(task.anchor.span)
