"""The stage: people with their keypoints in, candidates out."""

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from kinematics.hands import find_hands
from kinematics.scale import head_widths_px
from kinematics.windows import frame_ends_ns
from proposals.arm_contact import find_arm_contacts
from proposals.config import ProposalsConfig
from proposals.drafts import Draft
from proposals.head_contact import find_head_contacts
from proposals.merge import merge_drafts
from proposals.motion import find_movements
from schema.arrow import FIXED_POINT_PER_PIXEL
from schema.errors import DropReason
from schema.records import Candidate, CandidateId, Dropped, KeypointSequence, Track
from schema.taxonomy import Taxonomy
from schema.timespan import NS_PER_SECOND

STAGE = "propose"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranked:
    """A candidate with its place in the queue for the budget."""

    candidate: Candidate
    is_best: bool
    """The best of its track."""


def propose_candidates(
    people: Iterable[tuple[Track, KeypointSequence]], *, sha256: str, taxonomy: Taxonomy, config: ProposalsConfig
) -> Iterator[Candidate | Dropped]:
    """Propose candidates for the people of one video.

    Every track comes out as candidates, or as one ``Dropped`` (no movement). Over the whole video at most
    ``config.max_per_track_minute`` candidates are kept for each minute that somebody is followed, contacts first, then
    the best movement of each track, then by score; each one beyond is a ``Dropped`` (over budget).

    Args:
        people: tracks with their keypoints, all of one video; taken one at a time.
        sha256: digest of the video file, part of every candidate's id.
        taxonomy: the classes that evidence is turned into.
        config: thresholds and budget.

    Yields:
        Dropped tracks as they come, then kept candidates in order of track and time, then dropped candidates.
    """
    queue: list[_Ranked] = []
    followed_ns = 0
    for track, sequence in people:
        followed_ns += int(frame_ends_ns(track.times_ns)[-1] - track.times_ns[0])
        drafts = find_drafts(sequence, taxonomy=taxonomy, config=config)
        if not drafts:
            detail = "no contact and no movement above the keypoints' own jitter"
            item_id = f"{track.video_id}/{track.track_number}"
            yield Dropped(stage=STAGE, item_id=item_id, reason=DropReason.NO_MOVEMENT, detail=detail)
        for place, draft in enumerate(drafts):
            candidate = make_candidate(draft, track, sha256=sha256, taxonomy=taxonomy)
            queue.append(_Ranked(candidate=candidate, is_best=place == 0))
    minutes = followed_ns / NS_PER_SECOND / 60
    limit = max(config.fewest_per_video, math.floor(config.max_per_track_minute * minutes))
    ranked = sorted(queue, key=_queue_order)
    kept = [item.candidate for item in ranked[:limit]]
    yield from sorted(kept, key=lambda c: (c.track_number, c.span, c.evidence, c.candidate_id))
    for item in ranked[limit:]:
        counts = f"{len(queue)} candidates in {minutes:.2f} track minutes, {limit} are kept"
        detail = f"{counts}; this one scores {item.candidate.score:.2f}"
        yield Dropped(stage=STAGE, item_id=item.candidate.candidate_id, reason=DropReason.OVER_BUDGET, detail=detail)


def _queue_order(item: _Ranked) -> tuple[bool, bool, float, int, str]:
    candidate = item.candidate
    is_movement = candidate.proposer != "contact"
    return (is_movement, not item.is_best, -candidate.score, candidate.track_number, candidate.candidate_id)


def find_drafts(sequence: KeypointSequence, *, taxonomy: Taxonomy, config: ProposalsConfig) -> list[Draft]:
    """Return what stands out in one track, contacts first, then movements, each by score.

    A hand at the upper chest is a contact where the taxonomy has a class for it; else its movement is all that counts.
    """
    head_widths = head_widths_px(sequence)
    if not np.isfinite(head_widths).any():
        return []
    hands = find_hands(sequence, head_widths)
    contacts = find_head_contacts(sequence, hands, head_widths, taxonomy=taxonomy, config=config.contact)
    chest = taxonomy.class_for("hand_on_chest") is not None
    contacts = [draft for draft in contacts if chest or draft.evidence != "hand_on_chest"]
    contacts += find_arm_contacts(sequence, hands, head_widths, config=config.contact)
    movements = find_movements(sequence, hands, head_widths, config=config.motion)
    return merge_drafts(contacts, movements, same_iou=config.same_movement_iou, margin_s=config.contact_margin_s)


def make_candidate(draft: Draft, track: Track, *, sha256: str, taxonomy: Taxonomy) -> Candidate:
    """Make the question: its class by the taxonomy, its anchor by the track, its id by everything that is asked."""
    gesture = taxonomy.class_for(draft.evidence)
    class_id = None if gesture is None else gesture.class_id
    box = track.box_at(draft.span.middle_ns)
    corners = ",".join(str(round(side * FIXED_POINT_PER_PIXEL)) for side in box)
    asked = f"{sha256}|{draft.span.start_ns}|{draft.span.end_ns}|{corners}|{draft.evidence}|{class_id}|{draft.proposer}"
    return Candidate(
        candidate_id=CandidateId("c" + hashlib.sha256(asked.encode()).hexdigest()[:20]),
        video_id=track.video_id,
        track_number=track.track_number,
        span=draft.span,
        box_xyxy=box,
        class_id=class_id,
        evidence=draft.evidence,
        proposer=draft.proposer,
        score=draft.score,
        reason=draft.reason,
    )
