"""Where a person's hands rest or touch in a segment: votes of finger ends for places, frame by frame.

Distances are in head widths, and the places of head and neck those of ``kinematics.head``. The thresholds are the
proposers' (``proposals.config.ContactConfig``), which releases don't import: a segment need not come from a proposer.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kinematics.capsules import Capsules, depths, segment_distances
from kinematics.hands import ELBOWS, FINGER_ENDS, LEADING_TIPS, SHOULDERS, WRISTS, Hands
from kinematics.head import head_capsules
from kinematics.windows import Bools, Floats
from releases.descriptions.parts import Wanted
from schema.records import KeypointSequence
from schema.skeleton import LEFT_HAND_START, RIGHT_HAND_START
from schema.timespan import NS_PER_SECOND

Frames = npt.NDArray[np.int64]
NEAR = 0.3
"""A finger end this close to a place is at it."""
FEWEST_ENDS = 0.3
"""Share of the seen finger ends that must be at places: three of ten."""
HEAD_REACH = 2.5
"""A hand farther than this from the eyes is at no place of head and neck: they need not be worked out."""
ARM_NEAR = 0.5
"""Fingers (their median) so close to the middle line of the other arm, or to the other shoulder, are at it."""
FOREARM_SHARE = 0.7
"""Beyond this share of the way from elbow to wrist a hand is at the other hand, not at the arm."""
FRONTAL_SHOULDERS = 1.2
"""With less between the shoulders the person stands sideways: arms overlap without touching."""
CROSSED = 0.15
"""In folded arms the wrists are exchanged by this share of the shoulders' width, each within ``WRIST_NEAR`` of the
other arm."""
WRIST_NEAR = 0.75
PALM_NEAR = 0.35
"""Where only the wrist is seen, the middle of the hand is guessed: half a hand's length more is near."""
LOW_NEAR = 0.6
"""The middle of a hand this close to hip or thigh is at it, where the class says so."""
FEWEST_NEAR = 0.3
"""Share of the frames with the hand in which it is at places; less is passing by."""
FEWEST_HAND_SEEN = 0.2
"""Share of the frames in which the hand is seen, below which nothing is told: estimators lose hands that touch."""
CLASS_SHARE = 0.25
"""Of the places that got this share of the best one's votes, one that the class names is taken."""
PASSING_SPEED = 5.0
"""A hand that goes faster past its places (median, head widths a second) touches none: hands that wave before the face
go at 6-10, hands that scratch at 0.2-2.5, and one that rubs 0.5 head widths wide three times a second at 4.7."""
LOW_PLACES = ("chest", "hip", "leg")
"""A hand before the body looks the same as one that rests there: told only where class or evidence say so."""
HEAD_PLACES = ("scalp", "forehead", "eye", "nose", "mouth", "cheek", "ear", "jaw", "neck", "throat", "chest")
COARSE: Mapping[str, str] = dict.fromkeys(HEAD_PLACES[1:6], "face") | {
    "scalp": "head", "ear": "head", "jaw": "face", "neck": "neck", "throat": "neck", "chest": "chest",
}  # fmt: skip
"""What a guessed middle of the hand tells of the place."""
PLACES = (*HEAD_PLACES, "face", "head", "shoulder", "arm", "other_hand", "hip", "leg")
"""Every word that ``contact_target`` can hold."""
HEAD_AND_NECK = frozenset({*HEAD_PLACES, "face", "head"}) - {"chest"}
_COLUMN = {place: number for number, place in enumerate(PLACES)}
_HIPS, _KNEES = (11, 12), (13, 14)
HAND_STARTS = (LEFT_HAND_START, RIGHT_HAND_START)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Touching:
    """What one hand touches in a segment."""

    target: str
    """One of ``PLACES``."""
    share: float
    """Share of the frames with the hand in which it is at places."""
    first: int
    """Frame of the scene in which it first is."""
    last: int
    """Frame in which it last is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """The frames of a segment that contacts are looked for in."""

    sequence: KeypointSequence
    head_widths: Floats
    """Pixels, shape ``(m,)``."""
    body: Floats
    """Trusted body points, shape ``(m, 17, 2)``."""
    ends: tuple[Floats, Floats]
    """Finger ends of the left and the right hand, shape ``(m, 10, 2)``; NaN where unseen."""
    palms: Floats
    """Where body points say the middle of each hand is, shape ``(m, 2, 2)``."""


def find_touching(scene: Scene, wanted: Wanted) -> tuple[Touching | None, Touching | None]:
    """Return what the left and the right hand touch; None where it is nothing, or the hand is not seen.

    Args:
        scene: Frames of the segment.
        wanted: What class and evidence say.
    """
    votes = _limb_votes(scene, wanted)
    near = [side for side in (0, 1) if _comes_near(scene, side)]
    if near:
        capsules = head_capsules(scene.sequence, scene.head_widths)
        for side in near:
            at_head = _head_votes(scene, side, capsules)
            there = at_head.any(axis=1)
            votes[side][there] = at_head[there]
    for place in LOW_PLACES:
        if place not in wanted.targets:
            votes[:, :, _COLUMN[place]] = 0.0
    return _touching(scene, 0, votes[0], wanted), _touching(scene, 1, votes[1], wanted)


def finger_ends(sequence: KeypointSequence, hands: Hands, side: int) -> Floats:
    """Return the finger ends of a hand, shape ``(n, 10, 2)``; skeletons with tips alone have half of them."""
    ends = hands.points[:, side][:, FINGER_ENDS]
    if np.isfinite(ends[..., 0]).any():
        return np.asarray(ends)
    few = sequence.keypoints_xy[:, [HAND_STARTS[side] + end for end in FINGER_ENDS]].astype(np.float64)
    seen = np.isfinite(few[..., 0]).sum(axis=1)
    tips_alone = 2 <= seen.max() <= len(FINGER_ENDS) // 2
    return np.where((seen >= 2)[:, None, None] & tips_alone, few, np.nan)


def _comes_near(scene: Scene, side: int) -> bool:
    """Tell whether a hand comes near the head, or nobody can tell."""
    eyes = np.where(np.isfinite(scene.body[:, 0]), scene.body[:, 0], scene.body[:, 1:3].mean(axis=1))
    if not np.isfinite(eyes).any():
        return True
    points = np.concatenate([scene.ends[side], scene.palms[:, [side]]], axis=1)
    gaps = np.hypot(*np.moveaxis(points - eyes[:, None], -1, 0))
    with np.errstate(invalid="ignore"):
        return bool(np.any(gaps <= HEAD_REACH * scene.head_widths[:, None]))


def _head_votes(scene: Scene, side: int, capsules: Capsules) -> Floats:
    """Return one hand's votes for the places of head and neck, shape ``(m, places)``, 1 a frame at most."""
    ends, frames = scene.ends[side], np.arange(scene.palms.shape[0])
    votes = np.zeros((frames.shape[0], len(PLACES)))
    places = np.array([_COLUMN[region.removeprefix("hand_on_")] for region in capsules.regions])
    seen = np.isfinite(ends[..., 0]).sum(axis=1)
    if seen.any():
        deep = depths(ends, capsules, frames, scene.head_widths)
        deep = np.where(np.isfinite(deep), deep, np.inf)
        at = deep.min(axis=2) <= NEAR
        chosen = (places[deep.argmin(axis=2)][..., None] == np.arange(len(PLACES))) & at[..., None]
        enough = (seen > 0) & (at.sum(axis=1) >= FEWEST_ENDS * seen)
        leading = chosen[:, LEADING_TIPS].sum(axis=1)
        counted = np.where(leading.any(axis=1, keepdims=True), leading, chosen.sum(axis=1))
        votes[enough] = counted[enough] / counted[enough].sum(axis=1, keepdims=True)
    if not seen.all():
        guessed = depths(scene.palms[:, side][:, None], capsules, frames, scene.head_widths)[:, 0]
        guessed = np.where(np.isfinite(guessed) & (seen == 0)[:, None], guessed, np.inf)
        for frame in np.flatnonzero(guessed.min(axis=1) <= PALM_NEAR):
            votes[frame, _COLUMN[COARSE[PLACES[places[int(guessed[frame].argmin())]]]]] = 1.0
    return votes


def _limb_votes(scene: Scene, wanted: Wanted) -> Floats:
    """Return both hands' votes for the other arm, shoulder and hand, and for hip and thigh, ``(2, m, places)``."""
    body, widths = scene.body, scene.head_widths
    votes = np.zeros((2, widths.shape[0], len(PLACES)))
    with np.errstate(invalid="ignore"):
        frontal = np.hypot(*(body[:, 5] - body[:, 6]).T) >= FRONTAL_SHOULDERS * widths
        folded, together = frontal & _folded(body, widths), _apart(scene) <= NEAR
        for side in (0, 1):
            ends, other = scene.ends[side], 1 - side
            at = {"other_hand": together, "arm": folded}
            if np.isfinite(ends[..., 0]).any():
                at["arm"] = folded | (frontal & (_to_arm(ends, body, other) <= ARM_NEAR * widths))
                gaps = np.hypot(*np.moveaxis(ends - body[:, [SHOULDERS[other]]], -1, 0))
                at["shoulder"] = frontal & (medians_of_known(gaps) <= ARM_NEAR * widths)
            for place, joints in (("hip", (_HIPS[side],) * 2), ("leg", (_HIPS[side], _KNEES[side]))):
                if place in wanted.targets:
                    start, end = (body[:, joint] for joint in joints)
                    at[place] = segment_distances(scene.palms[:, side], start, end) <= LOW_NEAR * widths
            for place, there in at.items():  # the later one says more
                votes[side, there] = 0.0
                votes[side, there, _COLUMN[place]] = 1.0
    return votes


def medians_of_known(values: Floats) -> Floats:
    """Return medians over the last axis of what is known, infinite where nothing is."""
    ordered, known = np.sort(values, axis=1), np.isfinite(values).sum(axis=1)
    rows, last = np.arange(values.shape[0]), np.maximum(known - 1, 0)
    middle = (ordered[rows, last // 2] + ordered[rows, (last + 1) // 2]) / 2
    return np.where(known > 0, middle, np.inf)


def _to_arm(points: Floats, body: Floats, side: int) -> Floats:
    """Return the median distance in pixels of points ``(m, p, 2)`` to the middle line of one arm, shape ``(m,)``."""
    shoulder, elbow, wrist = (body[:, part[side]][:, None] for part in (SHOULDERS, ELBOWS, WRISTS))
    upper = segment_distances(points, shoulder + 0.3 * (elbow - shoulder), elbow)
    lower = segment_distances(points, elbow, elbow + FOREARM_SHARE * (wrist - elbow))
    return medians_of_known(np.fmin(upper, lower))


def _folded(body: Floats, widths: Floats) -> Bools:
    """Tell where the wrists are exchanged and each lies at the other arm, shape ``(m,)``."""
    across = body[:, 5] - body[:, 6]
    length = np.sum(across * across, axis=1)
    place = [np.sum((body[:, wrist] - body[:, 6]) * across, axis=1) / length for wrist in WRISTS]
    reach = []
    for side in (0, 1):
        shoulder, elbow, wrist = (body[:, part[1 - side]] for part in (SHOULDERS, ELBOWS, WRISTS))
        own = body[:, WRISTS[side]]
        upper, lower = segment_distances(own, shoulder, elbow), segment_distances(own, elbow, wrist)
        reach.append(np.fmin(upper, lower) / widths)
    return np.asarray((place[1] - place[0] >= CROSSED) & (np.maximum(*reach) <= WRIST_NEAR))


def _apart(scene: Scene) -> Floats:
    """Return the distance between the hands: of the nearest finger ends, else of the guessed middles less a hand."""
    gap = scene.ends[0][:, :, None] - scene.ends[1][:, None]
    far = np.hypot(gap[..., 0], gap[..., 1]).reshape(gap.shape[0], -1)
    nearest = np.where(np.isfinite(far), far, np.inf).min(axis=1) / scene.head_widths
    guessed = np.hypot(*(scene.palms[:, 0] - scene.palms[:, 1]).T) / scene.head_widths - PALM_NEAR
    return np.where(np.isfinite(nearest), nearest, np.where(np.isfinite(guessed), guessed, np.inf))


def _touching(scene: Scene, side: int, votes: Floats, wanted: Wanted) -> Touching | None:
    observed = np.isfinite(scene.ends[side][..., 0]).any(axis=1) | np.isfinite(scene.palms[:, side, 0])
    at = np.flatnonzero(votes.any(axis=1))
    if at.shape[0] == 0 or observed.mean() < FEWEST_HAND_SEEN:
        return None
    share = min(at.shape[0] / int(observed.sum()), 1.0)
    if share < FEWEST_NEAR or _passes(scene, side, at):
        return None
    target = _chosen(votes.sum(axis=0), wanted)
    return Touching(target=target, share=share, first=int(at[0]), last=int(at[-1]))


def _chosen(votes: Floats, wanted: Wanted) -> str:
    """Return the place with most votes, a place of the class where it has its share of them."""
    named = [place for place in PLACES if place in wanted.targets]
    best = max(named, key=lambda place: float(votes[_COLUMN[place]]), default=None)
    if best is not None and votes[_COLUMN[best]] >= CLASS_SHARE * votes.max():
        return best
    return PLACES[int(votes.argmax())]


def _passes(scene: Scene, side: int, at: Frames) -> bool:
    """Tell whether a hand is on its way wherever it is near something."""
    tips = scene.ends[side][:, LEADING_TIPS].mean(axis=1)
    middle = np.where(np.isfinite(tips), tips, scene.palms[:, side])[at]
    lasting_s = np.diff(scene.sequence.times_ns[at]) / NS_PER_SECOND
    speed = np.hypot(*(middle[1:] - middle[:-1]).T) / lasting_s / scene.head_widths[at[1:]]
    known = speed[np.isfinite(speed)]
    return bool(known.shape[0] >= 2 and np.median(known) > PASSING_SPEED)
