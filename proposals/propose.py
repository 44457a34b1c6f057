"""The stage: people with their keypoints in, candidates out."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kinematics.hands import find_hands
from kinematics.scale import head_widths_px
from kinematics.stretches import Stretch
from kinematics.windows import frame_ends_ns
from proposals.arm_contact import find_arm_contacts
from proposals.config import ProposalsConfig
from proposals.drafts import Draft
from proposals.head_contact import find_head_contacts
from proposals.learned import Proposer, find_learned, judged, poses_of
from proposals.merge import merge_drafts
from proposals.motion import find_movements
from proposals.sources import keep_absorbed, merge_learned
from schema.arrow import FIXED_POINT_PER_PIXEL
from schema.errors import DropReason
from schema.proposed import Judged
from schema.records import Candidate, CandidateId, Dropped, KeypointSequence, Track
from schema.taxonomy import Taxonomy
from schema.timespan import NS_PER_SECOND

STAGE = "propose"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranked:
    """A candidate with its place in the queue for the budget."""

    candidate: Candidate
    is_best: bool
    """The best of its track, or of a stretch of a long one."""

    @property
    def place_measured(self) -> tuple[int, bool, float, int, str]:
        """Its place without regard to a model: contacts first, then the best movement of each track, then by score."""
        candidate = self.candidate
        tier = _TIERS.get(candidate.proposer, len(_TIERS))
        return (tier, not self.is_best, -candidate.score, candidate.track_number, candidate.candidate_id)

    @property
    def place_judged(self) -> tuple[float, int, str]:
        """Its place by what the model thinks of it, whoever proposed it."""
        probability = self.candidate.judged.probability if self.candidate.judged else 0.0
        return (-probability, self.candidate.track_number, self.candidate.candidate_id)


_TIERS = {"contact": 0, "motion": 1}
"""What was measured, the more telling first; a model's detections have their own places."""


def propose_candidates(
    people: Iterable[tuple[Track, Iterable[Stretch]]],
    *,
    sha256: str,
    taxonomy: Taxonomy,
    config: ProposalsConfig,
    model: Proposer | None = None,
) -> Iterator[Candidate | Dropped]:
    """Propose candidates for the people of one video.

    Every track comes out as candidates, or as one ``Dropped`` (no movement). Over the whole video at most
    ``config.max_per_track_minute`` candidates are kept for each minute that somebody is followed, contacts first, then
    the best movement of each track, then by score; each one beyond is a ``Dropped`` (over budget). With a model every
    second place goes to the candidate that the model thinks likeliest to be a gesture, whoever proposed it: what it
    can't see keeps half of the places, however sure it is of the rest.

    A long track is looked at in stretches: what is usual in one (jitter, head size, where the neck is) is measured
    there, and the memory needed does not grow with the video.

    Args:
        people: tracks with their keypoints, all of one video; stretches are taken one at a time.
        sha256: digest of the video file, part of every candidate's id.
        taxonomy: the classes that evidence is turned into.
        config: thresholds and budget.
        model: proposes too, and judges every candidate; None in a round without a model.

    Yields:
        Dropped tracks as they come, then kept candidates in order of track and time, then dropped candidates.
    """
    queue: list[_Ranked] = []
    followed_ns = 0
    for track, stretches in people:
        followed_ns += int(frame_ends_ns(track.times_ns)[-1] - track.times_ns[0])
        found = [
            ranked
            for stretch in stretches
            for ranked in _of_stretch(track, stretch, sha256=sha256, taxonomy=taxonomy, config=config, model=model)
        ]
        if not found:
            detail = "no contact and no movement above the keypoints' own jitter"
            detail += f", and nothing that {model.identity} sees" if model else ""
            item_id = f"{track.video_id}/{track.track_number}"
            yield Dropped(stage=STAGE, item_id=item_id, reason=DropReason.NO_MOVEMENT, detail=detail)
        queue += found
    minutes = followed_ns / NS_PER_SECOND / 60
    limit = max(config.fewest_per_video, math.floor(config.max_per_track_minute * minutes))
    ranked = _in_order(queue, has_model=model is not None)
    kept = [item.candidate for item in ranked[:limit]]
    yield from sorted(kept, key=lambda c: (c.track_number, c.span, c.evidence, c.candidate_id))
    for item in ranked[limit:]:
        counts = f"{len(queue)} candidates in {minutes:.2f} track minutes, {limit} are kept"
        detail = f"{counts}; this one scores {item.candidate.score:.2f}"
        yield Dropped(stage=STAGE, item_id=item.candidate.candidate_id, reason=DropReason.OVER_BUDGET, detail=detail)


def _of_stretch(
    track: Track,
    stretch: Stretch,
    *,
    sha256: str,
    taxonomy: Taxonomy,
    config: ProposalsConfig,
    model: Proposer | None,
) -> Iterator[_Ranked]:
    """Yield the candidates that lie in one stretch of a track; the first movement is the best one."""
    drafts = find_drafts(stretch.sequence, taxonomy=taxonomy, config=config)
    poses = poses_of(stretch.sequence)  # one object for both calls: a model may remember what it computed of it
    if model is not None:
        learned = find_learned(poses, model=model, taxonomy=taxonomy)
        drafts = merge_learned(drafts, learned, taxonomy=taxonomy, same_iou=config.same_movement_iou)
    drafts = [draft for draft in drafts if stretch.core.contains(draft.span.middle_ns)]
    views: Sequence[Judged | None] = [None] * len(drafts)
    if model is not None and drafts:
        views = [judged(one) for one in model.judge(poses, [draft.span for draft in drafts])]
    candidates = [
        replace(make_candidate(draft, track, sha256=sha256, taxonomy=taxonomy), judged=view)
        for draft, view in zip(drafts, views, strict=True)
    ]
    for place, candidate in enumerate(candidates):
        yield _Ranked(candidate=candidate, is_best=place == 0)


def _in_order(queue: Sequence[_Ranked], *, has_model: bool) -> list[_Ranked]:
    """Return the candidates in the order in which they get places; with a model two orders take turns."""
    measured = sorted(queue, key=lambda item: item.place_measured)
    if not has_model:
        return measured
    likely = sorted(queue, key=lambda item: item.place_judged)
    in_turns = (item for pair in zip(measured, likely, strict=True) for item in pair)
    return list({item.candidate.candidate_id: item for item in in_turns}.values())


def find_drafts(sequence: KeypointSequence, *, taxonomy: Taxonomy, config: ProposalsConfig) -> list[Draft]:
    """Return what stands out in one track by measurement: contacts first, then movements, each by score.

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
    kept = merge_drafts(contacts, movements, same_iou=config.same_movement_iou, margin_s=config.contact_margin_s)
    return keep_absorbed(kept, movements, taxonomy=taxonomy, same_iou=config.same_movement_iou)


def make_candidate(draft: Draft, track: Track, *, sha256: str, taxonomy: Taxonomy) -> Candidate:
    """Make the question: its anchor by the track, its id by everything that is asked."""
    class_id = draft.class_in(taxonomy)
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
        sources=(draft.source_in(taxonomy), *draft.others),
    )
