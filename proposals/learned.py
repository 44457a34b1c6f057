"""What a seed model sees: its detections as drafts beside contacts and movements, and its judgement of every candidate.

torch is loaded by whoever loads the model; here it is only asked.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from models.detections import Detection, Judgement
from models.inputs.poses import PoseSequence, poses_of_keypoints
from proposals.drafts import Claim, Draft
from schema.proposed import Judged
from schema.records import KeypointSequence
from schema.taxonomy import Taxonomy
from schema.timespan import TimeSpan

_GROUP_EVIDENCE = (
    (("leg",), "moving_leg"),
    (("lower",), "moving_leg"),
    (("head", "hand"), "hand_at_head"),
    (("body", "hand"), "hand_at_body"),
    (("head",), "moving_head"),
    (("hand",), "moving_hand"),
    (("arm",), "moving_arm"),
    (("upper",), "moving_arm"),
    (("illustrative",), "moving_arm"),
    (("body",), "moving_torso"),
)
"""Words in the name of a body-part group, and the evidence that fits what such a group holds; the first match counts.
The names are those of iMiGUE, MA-52 and SMG: our own reading, since no data set gives groups an evidence."""
_PLACES = 4
"""Decimals of scores: finer than any calibration."""


class Proposer(Protocol):
    """What is asked of a seed model (``models.seed_model.SeedModel``)."""

    @property
    def identity(self) -> str:
        """Name and digest."""

    @property
    def taxonomy_name(self) -> str:
        """Name of the taxonomy whose classes it tells apart."""

    def detect(self, poses: PoseSequence) -> list[Detection]:
        """Return what it sees, by time."""

    def judge(self, poses: PoseSequence, spans: Sequence[TimeSpan]) -> list[Judgement]:
        """Return what it thinks of each span."""


def poses_of(sequence: KeypointSequence) -> PoseSequence:
    """Put a track's keypoints into the form that a model reads."""
    return poses_of_keypoints(sequence, subject_id=None)


def find_learned(poses: PoseSequence, *, model: Proposer, taxonomy: Taxonomy) -> list[Draft]:
    """Return what a model detects in one track, by time.

    A class that the study's taxonomy does not have (the model was trained on another) is asked about as an
    unclassified movement; the reason names it.
    """
    return [
        _draft(detection, identity=model.identity, trained_on=model.taxonomy_name, taxonomy=taxonomy)
        for detection in model.detect(poses)
    ]


def _draft(detection: Detection, *, identity: str, trained_on: str, taxonomy: Taxonomy) -> Draft:
    gesture = next((g for g in taxonomy if g.class_id == detection.class_id), None)
    group = gesture.group if gesture else detection.group
    evidence = gesture.evidence[0] if gesture and gesture.evidence else evidence_of_group(group)
    score = round(min(max(float(detection.score), 0.0), 1.0), _PLACES)
    name = identity.partition("@")[0]
    if gesture is not None:
        reason = f"{name} sees \u201c{gesture.name}\u201d with probability {score:.2f}"
    elif detection.class_id is not None:
        reason = (
            f"{name}, which was trained on the classes of {trained_on}, sees its \u201c{detection.class_id}\u201d with "
            f"probability {score:.2f}; this study has no such class"
        )
    else:
        reason = (
            f"{name} sees an unclassified movement of the group \u201c{group}\u201d with probability {score:.2f}; no "
            "class is likely enough"
        )
    return Draft(
        span=detection.span,
        evidence=evidence,
        proposer=identity,
        sides=(),
        score=score,
        reason=reason,
        claim=Claim(class_id=gesture.class_id if gesture else None, group=group if group in taxonomy.groups else None),
    )


def evidence_of_group(group: str) -> str:
    """Return the key of ``EVIDENCE`` that fits a body-part group; empty where its name tells none."""
    name = group.casefold()
    return next((evidence for words, evidence in _GROUP_EVIDENCE if all(word in name for word in words)), "")


def judged(judgement: Judgement) -> Judged:
    """Keep of a judgement what the choice of questions needs."""
    return Judged(
        probability=round(min(max(float(judgement.probability), 0.0), 1.0), _PLACES),
        uncertainty=round(uncertainty(judgement.probability, judgement.class_probabilities), _PLACES),
        embedding=tuple(float(value) for value in np.asarray(judgement.embedding, dtype=np.float32)),
    )


def uncertainty(probability: float, class_probabilities: Mapping[str, float]) -> float:
    """Return one minus the margin between the two likeliest answers that people can give, 0..1.

    The answers are "nothing", with ``1 - probability``, and each class. Calibrated class probabilities of a model whose
    classes may hold together need not sum to the probability of a gesture, so its share goes to each class in
    proportion; without classes the gesture is one answer. Margin sampling: Scheffer, Decomain and Wrobel 2001.
    """
    probability = min(max(float(probability), 0.0), 1.0)
    total = sum(class_probabilities.values())
    shares = [value / total for value in class_probabilities.values()] if total > 0 else [1.0]
    first, second = sorted([1 - probability, *(probability * share for share in shares)], reverse=True)[:2]
    return min(max(1 - (first - second), 0.0), 1.0)
