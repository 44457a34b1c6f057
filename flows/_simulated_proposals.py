"""What is proposed to simulated people: contacts and movements of any skeletons, and what a seed model adds."""

from collections.abc import Iterable, Sequence
from hashlib import sha256

import numpy as np

from models.inputs.poses import PoseSequence
from proposals.config import ProposalsConfig
from proposals.drafts import Draft
from proposals.learned import Proposer, find_learned, judged
from proposals.propose import find_drafts
from proposals.sources import merge_learned
from schema.layouts import LAYOUTS, from_layout, parts_seen_of, points_held
from schema.privacy import ID_HEX_DIGITS
from schema.proposed import Judged
from schema.records import PART_SLICES, Candidate, CandidateId, KeypointSequence, Part, VideoId
from schema.taxonomy import Taxonomy

SHOULDER_PX = 200.0
"""Skeletons in any unit are brought to this many pixels between the shoulders."""
FEWEST_FRAMES = 2
_SHOULDERS, _FACE_OF_BODY = (5, 6), (0, 3, 4)
_HANDS = frozenset(range(PART_SLICES[Part.LEFT_HAND].start, PART_SLICES[Part.RIGHT_HAND].stop))
_FACE = frozenset(range(PART_SLICES[Part.FACE].start, PART_SLICES[Part.FACE].stop))


def keypoints_of_poses(poses: PoseSequence) -> KeypointSequence:
    """Put any skeleton into the plane and among the 133 points, as the contact and motion proposers read it.

    Positions in space are put orthographically into the plane of their first two axes, as
    ``releases/imports/smg.py`` does: depth is lost. Distances are in shares of the body there, so the unit does not
    matter; it becomes ``SHOULDER_PX`` between the shoulders. Points that the 133 do not have are left out.
    """
    plane = np.ascontiguousarray(poses.positions[..., :2], dtype=np.float32)
    is_seen = np.isfinite(plane).all(axis=-1) & (poses.scores > 0)
    scores = np.where(is_seen, np.minimum(poses.scores, 1), 0).astype(np.float32)
    xy, placed = from_layout(np.where(is_seen[..., None], plane, np.float32(np.nan)), scores, LAYOUTS[poses.layout])
    widths = np.hypot(*(xy[:, _SHOULDERS[0]] - xy[:, _SHOULDERS[1]]).T)
    width = float(np.nanmedian(widths)) if np.isfinite(widths).any() else 0.0
    return KeypointSequence(
        video_id=VideoId(poses.sequence_id),
        track_number=0,
        frame_indices=np.arange(xy.shape[0], dtype=np.int32),
        times_ns=poses.times_ns,
        keypoints_xy=xy * np.float32(SHOULDER_PX / width) if width > 0 else xy,
        scores=placed,
        parts_seen=parts_seen_of(placed),
        interpolated=np.zeros(xy.shape[0], dtype=np.bool_),
    )


def lacking_points(layouts: Iterable[str]) -> tuple[str, ...]:
    """Say of each layout what the contact and motion proposers miss in it; empty where they have all they need."""
    told = []
    for name in sorted(set(layouts)):
        held = points_held(LAYOUTS[name])
        if not held.issuperset(_SHOULDERS):
            told.append(f"{name} has no shoulders: neither contacts nor movements can be proposed")
            continue
        if not held & _HANDS:
            told.append(f"{name} has no hands: contacts are seen by the wrists alone")
        if not held & _FACE and not held.issuperset(_FACE_OF_BODY):
            told.append(f"{name} has no face: contacts of a hand with the head can't be proposed")
    return tuple(told)


def measured_drafts(poses: PoseSequence, *, taxonomy: Taxonomy, config: ProposalsConfig) -> list[Draft]:
    """Propose contacts and movements, all of them: a simulated campaign is limited by its minutes alone."""
    if poses.times_ns.shape[0] < FEWEST_FRAMES:
        return []
    return find_drafts(keypoints_of_poses(poses), taxonomy=taxonomy, config=config)


def candidates_of(
    poses: PoseSequence,
    drafts: Sequence[Draft],
    *,
    model: Proposer | None,
    taxonomy: Taxonomy,
    config: ProposalsConfig,
) -> list[Candidate]:
    """Make the questions of one sequence as ``proposals.propose`` does: what was measured, and what a model adds.

    Args:
        poses: The sequence.
        drafts: What ``measured_drafts`` gives for it.
        model: Proposes too, and judges every candidate; None in a round without a model.
        taxonomy: The classes.
        config: How drafts are merged.
    """
    views: Sequence[Judged | None] = [None] * len(drafts)
    if model is not None:
        learned = find_learned(poses, model=model, taxonomy=taxonomy)
        drafts = merge_learned(drafts, learned, taxonomy=taxonomy, same_iou=config.same_movement_iou)
        views = [judged(one) for one in model.judge(poses, [draft.span for draft in drafts])] if drafts else []
    return [_candidate(poses, draft, view, taxonomy) for draft, view in zip(drafts, views, strict=True)]


def _candidate(poses: PoseSequence, draft: Draft, view: Judged | None, taxonomy: Taxonomy) -> Candidate:
    class_id = draft.class_in(taxonomy)
    asked = f"{poses.sequence_id}|{draft.span.start_ns}|{draft.span.end_ns}|{draft.evidence}|{class_id}"
    return Candidate(
        candidate_id=CandidateId("c" + sha256(asked.encode()).hexdigest()[:ID_HEX_DIGITS]),
        video_id=VideoId(poses.sequence_id),
        track_number=0,
        span=draft.span,
        box_xyxy=(0.0, 0.0, 1.0, 1.0),
        class_id=class_id,
        evidence=draft.evidence,
        proposer=draft.proposer.partition("@")[0],
        score=draft.score,
        reason=draft.reason,
        sources=(draft.source_in(taxonomy), *draft.others),
        judged=view,
    )
