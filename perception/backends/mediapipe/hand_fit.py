"""Which looks at hands are hands of this person, and of which side: presence, side, place, size and direction."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from perception.backends.mediapipe.regions import Points, distance_px, mean_of
from perception.backends.mediapipe.views import PosePoints, View

SIDES = ("left", "right")
"""The person's own sides."""
OTHER_SIDE = {"left": "right", "right": "left"}
ELBOW = {"left": 13, "right": 14}
WRIST = {"left": 15, "right": 16}
PINKY = {"left": 17, "right": 18}
INDEX = {"left": 19, "right": 20}
"""BlazePose points of each side."""
_ROOT, _MIDDLE_KNUCKLE = 0, 9
_EVEN = 0.5
"""Belief in the other side up to which a hand rather belongs to its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandsConfig:
    """When a hand counts as found; lengths are in the person's shoulder widths, times in ns.

    The numbers were set by looking at overlays of press conferences, seated and standing people, and close-ups: real
    hands score a presence of 0.9 and more, 0.5 and more when blurred; bare elbows up to 0.83 but as the other hand.
    ``benchmarks/hands.py`` counts what they find of the hands that people see.
    """

    min_presence: float = 0.5
    """Presence that the hand model must report where side and wrist agree with it."""
    min_doubtful_presence: float = 0.8
    """The same where it is unsure of the side, or the wrist is not seen, so that nothing else vouches for the hand, and
    for hands of few pixels."""
    min_sided_presence: float = 0.6
    """The same where the wrist is not seen but the model is sure of the side."""
    sure_other_side: float = 0.1
    """Belief in the other side up to which the model is sure of the side."""
    min_fitting_presence: float = 0.35
    """The same for a hand that continues its own seen forearm: half-hidden hands beside a thigh report 0.35 to 0.6."""
    min_elbow_presence: float = 0.9
    """The same on the other arm's elbow, where the pose puts a wrist that folded arms hide: sleeves report up to 0.83
    there (smg_Sample0037), hands that hold an arm 0.9 and more and the right side (imigue_folding-arms)."""
    elbow_distance: float = 0.4
    """From the middle of a hand to the other arm's elbow: such sleeves lie within 0.27, such hands from 0.29."""
    min_palm_score: float = 0.2
    """Palm detections are suggestions, judged by the hand model: a low bar finds blurred and half-hidden hands."""
    min_wrist_score: float = 0.2
    """Pose score from which a wrist in the picture counts as seen."""
    max_wrist_distance: float = 0.4
    """From the hand's root to the seen wrist: folded arms reach 0.33, the other arm's hand begins at 0.5."""
    max_unseen_wrist_distance: float = 0.6
    """From the hand's root to a wrist that the pose only guesses, or to where the followed hand was."""
    max_wrist_beyond: float = 0.7
    """No look for a new hand where the guessed wrist lies further outside: no finger reaches back into the picture."""
    agreeing_other_side: float = 0.3
    """Belief in the other side up to which the model agrees with the side of the wrist."""
    max_other_side: float = 0.8
    """Belief in the other side from which a new hand is refused, as bare elbows were, unless it lies on its wrist;
    where the wrist is not seen, a new hand must agree."""
    sure_distance: float = 0.15
    """A hand this near to its own seen wrist is believed against the model's side: blur confuses that."""
    min_extent: float = 0.12
    """Longer side of the hand's box."""
    max_extent: float = 0.9
    """Longer side of the hand's box; a hand held towards the camera reaches 0.85."""
    min_fitting_direction: float = 0.7
    """Cosine of the angle between forearm and hand from which the hand continues the forearm."""
    min_direction: float = -0.3
    """The same below which the hand lies back along the forearm, as no hand can, so that it must be sure: the pose's
    forearm may be wrong."""
    fitting_extent: tuple[float, float] = (0.2, 0.5)
    """Longer side of the box of an ordinary hand."""
    min_extent_px: float = 16.0
    """Longer side of a hand's box in pixels below which it must be sure: bare elbows pass for such hands."""
    min_points_inside: int = 6
    """Points of 21 that must lie in the picture: hands at its lower edge show their fingers only."""
    same_hand_distance: float = 0.4
    """Mean distance of two looks, in hand extents, below which they found one and the same hand."""
    same_root_distance: float = 0.6
    """The same for their roots: those of clasped hands lie 1.2 extents apart, those of one hand 0.1."""
    min_roots_apart: float = 0.1
    """Between the roots of two hands: crossing hands come as near as 0.12."""
    patience: int = 6
    """Searches in a row that may fail before they become rare."""
    search_again_ns: int = 200_000_000
    """Pause between rare searches. What is found is followed back into the frames before, so that a hand that returns
    during the pause is not lost."""
    moved: float = 0.15
    """A seen wrist that has moved this far makes searches frequent again."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hand:
    """One look at a hand."""

    points_xy: Points
    """The 21 points, root first, shape ``(21, 2)``."""
    presence: float
    """The model's belief that there is a hand, 0..1."""
    rightness: float
    """The model's belief that it is the person's right hand, 0..1."""
    followed: str | None = None
    """The side whose hand of the frame before was followed, None for a hand newly found."""

    @property
    def root(self) -> Points:
        """Return the wrist end, shape ``(2,)``."""
        root: Points = self.points_xy[_ROOT]
        return root

    @property
    def extent_px(self) -> float:
        """Return the longer side of the hand's upright box."""
        return float(np.ptp(self.points_xy, axis=0).max())

    def other_side(self, side: str) -> float:
        """Return the belief that it is the other hand than the one named."""
        return self.rightness if side == "left" else 1.0 - self.rightness


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HandScene:
    """What is known of the person before the hands are looked for."""

    view: View
    pose: PosePoints
    shoulders_px: float
    wrist_seen: dict[str, bool]
    """For each side on which a hand can be in the picture: whether the wrist is seen."""
    previous: dict[str, Hand]

    def wrist(self, side: str) -> Points:
        """Return where the pose has the wrist, shape ``(2,)``."""
        wrist: Points = self.pose.points_xy[WRIST[side]]
        return wrist

    def forearm(self, side: str) -> Points:
        """Return the step from elbow to wrist, shape ``(2,)``."""
        step: Points = self.wrist(side) - self.pose.points_xy[ELBOW[side]]
        return step

    def reach(self, side: str, config: HandsConfig) -> float:
        """Return how far from the wrist the hand's root may lie, in shoulder widths."""
        return config.max_wrist_distance if self.wrist_seen[side] else config.max_unseen_wrist_distance


def assign_hands(
    looks: Sequence[Hand], scene: HandScene, config: HandsConfig, *, kept: Mapping[str, Hand] = MappingProxyType({})
) -> dict[str, Hand]:
    """Give each side at most one of the looks, the best pair together, and no hand to both.

    Args:
        looks: What was seen, hands or not.
        scene: The person.
        config: When a look is a hand.
        kept: Hands that were given before and stay.
    """
    hands = [look for look in looks if _plausible(look, scene, config)]
    options: dict[str, list[tuple[float, Hand | None]]] = {side: [(0.0, kept.get(side))] for side in SIDES}
    for side in scene.wrist_seen.keys() - kept.keys():
        values = [(_value(hand, side, scene, config), hand) for hand in hands]
        options[side] += [(value, hand) for value, hand in values if value > 0]
    best, best_value = dict(kept), 0.0
    for left_value, left in options["left"]:
        for right_value, right in options["right"]:
            if left_value + right_value > best_value and _are_two(left, right, scene, config):
                best_value = left_value + right_value
                best = {s: h for s, h in zip(SIDES, (left, right), strict=True) if h is not None}
    return best


def _are_two(left: Hand | None, right: Hand | None, scene: HandScene, config: HandsConfig) -> bool:
    """Tell whether two looks found two hands; clasped hands cover each other but come from two sides."""
    if left is None or right is None:
        return True
    extent_px = max(left.extent_px, right.extent_px)
    roots_px = distance_px(left.root, right.root)
    lie_apart = distance_px(left.points_xy, right.points_xy) >= config.same_hand_distance * extent_px
    come_from_two_sides = roots_px >= config.same_root_distance * extent_px
    return roots_px >= config.min_roots_apart * scene.shoulders_px and (lie_apart or come_from_two_sides)


def _plausible(hand: Hand, scene: HandScene, config: HandsConfig) -> bool:
    extent = hand.extent_px / scene.shoulders_px
    inside_count = int(scene.view.in_picture(hand.points_xy).sum())
    return (
        hand.presence >= min(config.min_presence, config.min_fitting_presence)
        and config.min_extent <= extent <= config.max_extent
        and inside_count >= config.min_points_inside
    )


def _value(hand: Hand, side: str, scene: HandScene, config: HandsConfig) -> float:
    """Return how well the hand fits the side, 0 where it does not."""
    if hand.followed not in (None, side):
        # A hand does not change sides from one frame to the next.
        return 0.0
    followed = hand.followed == side
    seen = scene.wrist_seen[side]
    distance = distance_px(hand.root, scene.wrist(side)) / scene.shoulders_px
    if followed and not seen:
        # A guessed wrist jumps about; the hand itself tells better where it can be.
        distance = min(distance, distance_px(hand.root, scene.previous[side].root) / scene.shoulders_px)
    other_side = hand.other_side(side)
    reach = scene.reach(side, config)
    on_wrist = seen and distance <= config.sure_distance
    agrees = other_side <= config.agreeing_other_side
    allowed_side = followed or on_wrist or agrees or (seen and other_side <= config.max_other_side)
    if distance > reach or not allowed_side:
        return 0.0
    if hand.presence < _needed_presence(hand, side, scene, config, on_wrist=on_wrist):
        return 0.0
    bonus = 0.2 if followed else 0.0
    return 1.0 + hand.presence + bonus - 0.5 * distance / reach - 0.4 * other_side


def _needed_presence(hand: Hand, side: str, scene: HandScene, config: HandsConfig, *, on_wrist: bool) -> float:
    """Return how sure of itself the model must be: the more else vouches for the hand, the less."""
    other_side = hand.other_side(side)
    elbow = scene.pose.points_xy[ELBOW[OTHER_SIDE[side]]]
    if distance_px(mean_of(*hand.points_xy), elbow) <= config.elbow_distance * scene.shoulders_px:
        return config.min_elbow_presence if other_side <= config.agreeing_other_side else math.inf
    direction = _direction(hand, side, scene)
    if hand.extent_px < config.min_extent_px or (scene.wrist_seen[side] and direction < config.min_direction):
        return config.min_doubtful_presence
    least, most = config.fitting_extent
    is_ordinary = least <= hand.extent_px / scene.shoulders_px <= most and other_side <= _EVEN
    if on_wrist and is_ordinary and direction >= config.min_fitting_direction:
        return config.min_fitting_presence
    if hand.followed == side and other_side <= config.max_other_side:
        return config.min_presence
    if scene.wrist_seen[side]:
        return config.min_presence if other_side <= config.agreeing_other_side else config.min_doubtful_presence
    return config.min_sided_presence if other_side <= config.sure_other_side else config.min_doubtful_presence


def _direction(hand: Hand, side: str, scene: HandScene) -> float:
    """Return the cosine of the angle between forearm and hand, 0 where either has no length."""
    along = hand.points_xy[_MIDDLE_KNUCKLE] - hand.root
    forearm = scene.forearm(side)
    lengths = float(np.linalg.norm(along)) * float(np.linalg.norm(forearm))
    return float(along @ forearm) / lengths if lengths > 0 else 0.0
