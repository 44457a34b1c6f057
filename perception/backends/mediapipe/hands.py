"""Find a person's two hands: follow them, look where the pose points, and look again for a lost one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from perception.backends.mediapipe.graphs import Detector, TensorModel
from perception.backends.mediapipe.regions import (
    Points,
    Region,
    distance_px,
    region_of_hand,
    region_of_hand_in_pose,
    region_of_palm,
    region_of_recrop,
)
from perception.backends.mediapipe.views import PosePoints, View

SIDES = ("left", "right")
"""The person's own sides."""
_ELBOW = {"left": 13, "right": 14}
_WRIST = {"left": 15, "right": 16}
_PINKY = {"left": 17, "right": 18}
_INDEX = {"left": 19, "right": 20}
_MOUTH = (9, 10)
_MIN_VIEW_PX = 16
_PALMS_PER_LOOK = 3
_SAME_ROOT = 0.05
"""Shoulder widths within which a detected palm is that of a hand already found: crossing hands come as near as 0.12."""
_PALM_SLACK = 0.15
"""Shoulder widths by which a detected palm's wrist may miss the hand's root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandsConfig:
    """When a hand counts as found; lengths are in the person's shoulder widths, times in ns.

    The numbers were set by looking at overlays of press conferences, seated and standing people, and close-ups: real
    hands score a presence of 0.9 and more, 0.5 and more when blurred; bare elbows up to 0.83 but as the other hand.
    """

    min_presence: float = 0.5
    """Presence that the hand model must report where side and wrist agree with it."""
    min_doubtful_presence: float = 0.8
    """The same where it is unsure of the side, or the wrist is not seen, so that nothing else vouches for the hand."""
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
    min_points_inside: int = 6
    """Points of 21 that must lie in the picture: hands at its lower edge show their fingers only."""
    same_hand_distance: float = 0.4
    """Mean distance of two looks, in hand extents, below which they found one and the same hand."""
    seen_patience: int = 10
    """Looks in a row that may fail at a seen wrist before looks become rare."""
    unseen_patience: int = 3
    """The same where the wrist is not seen."""
    look_again_ns: int = 100_000_000
    """Pause between rare looks: a returning hand is found at most this late."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hand:
    """One look at a hand."""

    points_xy: Points
    """The 21 points, root first, shape ``(21, 2)``."""
    presence: float
    """The model's belief that there is a hand, 0..1."""
    rightness: float
    """The model's belief that it is the person's right hand, 0..1."""
    source: str
    """``follow left``, ``follow right``, ``pose`` or ``palm``."""

    @property
    def extent_px(self) -> float:
        """Return the longer side of the hand's upright box."""
        return float(np.ptp(self.points_xy, axis=0).max())

    def other_side(self, side: str) -> float:
        """Return the belief that it is the other hand than the one named."""
        return self.rightness if side == "left" else 1.0 - self.rightness


class HandModels:
    """The three models that find hands, shared by all tracks."""

    def __init__(self, config: HandsConfig) -> None:
        self.config = config
        self._landmarks = TensorModel("hand", side=224, outputs=4)
        self._recrop = TensorModel("hand_recrop", side=256, outputs=1)
        self._palms = Detector("palm", min_score=config.min_palm_score)

    def look(self, view: View, region: Region, *, source: str) -> Hand:
        """Read the hand in the region; its presence tells whether there is one."""
        points, presence, rightness, _ = self._landmarks.run(view.pixels_rgb, view.within(region))
        return Hand(
            points_xy=self._landmarks.points_of(points, region, values=3),
            presence=float(presence[0]),
            rightness=float(rightness[0]),
            source=source,
        )

    def look_from_pose(self, view: View, pose: PosePoints, side: str) -> Hand:
        """Read the hand where the pose's wrist, index and pinky point."""
        wrist, index, pinky = (pose.points_xy[table[side]] for table in (_WRIST, _INDEX, _PINKY))
        rough = region_of_hand_in_pose(wrist, index, pinky)
        (alignment,) = self._recrop.run(view.pixels_rgb, view.within(rough))
        refined = region_of_recrop(self._recrop.points_of(alignment, rough, values=2))
        return self.look(view, refined, source="pose")

    def palms_in_square(self, view: View, center: Points, side_px: float) -> list[tuple[Points, Region]]:
        """Return the wrist and the hand's region of each palm that is detected in a square of the view, best first."""
        square = view.square(center, side_px)
        if square.side_px < _MIN_VIEW_PX:
            return []
        palms = [
            (f.points_xy + square.origin, f.corners_xy + square.origin) for f in self._palms.run(square.pixels_rgb)
        ]
        return [(points[0], region_of_palm(points, corners)) for points, corners in palms]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Scene:
    """What is known of the person before the hands are looked for."""

    view: View
    pose: PosePoints
    shoulders_px: float
    wrist_seen: dict[str, bool]
    """For each side on which a hand can be in the picture: whether the wrist is seen."""
    previous: dict[str, Hand]


class HandFinder:
    """Finds the hands of one person, frame after frame."""

    def __init__(self, models: HandModels) -> None:
        self._models = models
        self._config = models.config
        self._previous: dict[str, Hand] = {}
        self._regions: dict[str, Region] = {}
        self._failures = dict.fromkeys(SIDES, 0)
        self._next_look_ns = dict.fromkeys(SIDES, 0)

    def find(self, view: View, pose: PosePoints, time_ns: int) -> dict[str, Hand]:
        """Return the hands that are surely there, by the person's own side."""
        scene = self._scene(view, pose)
        looks = [self._models.look(view, region, source=f"follow {side}") for side, region in self._regions.items()]
        hands = self._assign(looks, scene)
        due = [s for s in scene.wrist_seen if s not in hands and time_ns >= self._next_look_ns[s]]
        if due:
            looks += [self._models.look_from_pose(view, pose, side) for side in due]
            hands = self._assign(looks, scene)
        lost = [side for side in due if side not in hands]
        if lost:
            looks += self._second_looks(lost, hands, scene)
            hands = self._assign(looks, scene)
        self._schedule(hands, due=due, scene=scene, time_ns=time_ns)
        self._regions = {side: self._next_region(side, hand) for side, hand in hands.items()}
        self._previous = hands
        return hands

    def _second_looks(self, lost: Sequence[str], hands: dict[str, Hand], scene: _Scene) -> list[Hand]:
        """Look at the palms that lie within reach of a lost hand's wrist, and not at the hand already found."""
        slack_px = _PALM_SLACK * scene.shoulders_px
        reach_px = {s: self._reach(scene.wrist_seen[s]) * scene.shoulders_px + slack_px for s in lost}
        wrists = {side: scene.pose.points_xy[_WRIST[side]] for side in lost}
        known = [hand.points_xy[0] for hand in hands.values()]
        looks = []
        for center, side_px in _second_squares(lost, scene):
            palms = self._models.palms_in_square(scene.view, center, side_px)
            for root, region in palms[:_PALMS_PER_LOOK]:
                near = any(distance_px(root, wrists[side]) <= reach_px[side] for side in lost)
                if near and all(distance_px(root, other) > _SAME_ROOT * scene.shoulders_px for other in known):
                    looks.append(self._models.look(scene.view, region, source="palm"))
        return looks

    def _reach(self, wrist_seen: bool) -> float:
        return self._config.max_wrist_distance if wrist_seen else self._config.max_unseen_wrist_distance

    def _next_region(self, side: str, hand: Hand) -> Region:
        """Return where to look for the hand in the next frame."""
        region = region_of_hand(hand.points_xy)
        return self._regions[side].eased_to(region) if hand.source == f"follow {side}" else region

    def _scene(self, view: View, pose: PosePoints) -> _Scene:
        wrist_seen: dict[str, bool] = {}
        shoulders_px = pose.shoulders_px
        for side in SIDES:
            beyond_px = view.beyond_picture_px(pose.points_xy[_WRIST[side]])
            if side in self._previous or beyond_px <= self._config.max_wrist_beyond * shoulders_px:
                seen = float(pose.scores[_WRIST[side]]) >= self._config.min_wrist_score
                wrist_seen[side] = seen and beyond_px < 0
        return _Scene(view=view, pose=pose, shoulders_px=shoulders_px, wrist_seen=wrist_seen, previous=self._previous)

    def _schedule(self, hands: dict[str, Hand], *, due: Sequence[str], scene: _Scene, time_ns: int) -> None:
        """Make looks rare where many failed in a row: a hand behind a table costs 35 ms a frame otherwise."""
        for side in SIDES:
            if side in hands:
                self._failures[side] = 0
                self._next_look_ns[side] = time_ns
            elif side in due:
                self._failures[side] += 1
                seen = scene.wrist_seen[side]
                patience = self._config.seen_patience if seen else self._config.unseen_patience
                if self._failures[side] >= patience:
                    self._next_look_ns[side] = time_ns + self._config.look_again_ns

    def _assign(self, looks: Sequence[Hand], scene: _Scene) -> dict[str, Hand]:
        """Give each side at most one of the looks, and no hand to both."""
        hands = self._distinct([look for look in looks if self._plausible(look, scene)])
        values = {
            side: [(self._value(hand, side, scene), hand) for hand in hands]
            for side in SIDES
            if side in scene.wrist_seen
        }
        options = {side: [(0.0, None), *((v, h) for v, h in rows if v > 0)] for side, rows in values.items()}
        best: dict[str, Hand] = {}
        best_value = 0.0
        for left_value, left in options.get("left", [(0.0, None)]):
            for right_value, right in options.get("right", [(0.0, None)]):
                if left_value + right_value > best_value and (left is None or left is not right):
                    best_value = left_value + right_value
                    best = {s: h for s, h in zip(SIDES, (left, right), strict=True) if h is not None}
        return best

    def _plausible(self, hand: Hand, scene: _Scene) -> bool:
        extent = hand.extent_px / scene.shoulders_px
        inside_count = int(scene.view.in_picture(hand.points_xy).sum())
        return (
            hand.presence >= self._config.min_presence
            and self._config.min_extent <= extent <= self._config.max_extent
            and inside_count >= self._config.min_points_inside
        )

    def _distinct(self, hands: Sequence[Hand]) -> list[Hand]:
        """Keep the surest of the looks that found one and the same hand."""
        kept: list[Hand] = []
        for hand in sorted(hands, key=lambda h: -h.presence):
            apart = self._config.same_hand_distance
            if all(
                distance_px(hand.points_xy, other.points_xy) >= apart * max(hand.extent_px, other.extent_px)
                for other in kept
            ):
                kept.append(hand)
        return kept

    def _value(self, hand: Hand, side: str, scene: _Scene) -> float:
        """Return how well the hand fits the side, 0 where it does not."""
        config = self._config
        followed = hand.source == f"follow {side}"
        seen = scene.wrist_seen[side]
        distance = distance_px(hand.points_xy[0], scene.pose.points_xy[_WRIST[side]]) / scene.shoulders_px
        if hand.source.startswith("follow") and not followed:
            # A hand does not change sides from one frame to the next.
            return 0.0
        if followed and not seen:
            # A guessed wrist jumps about; the hand itself tells better where it can be.
            moved = distance_px(hand.points_xy[0], scene.previous[side].points_xy[0]) / scene.shoulders_px
            distance = min(distance, moved)
        other_side = hand.other_side(side)
        reach = self._reach(seen)
        on_wrist = seen and distance <= config.sure_distance
        agrees = other_side <= config.agreeing_other_side
        allowed_side = followed or on_wrist or agrees or (seen and other_side <= config.max_other_side)
        if distance > reach or not allowed_side:
            return 0.0
        trusted = (agrees and seen) or (followed and other_side <= config.max_other_side)
        if hand.presence < (config.min_presence if trusted else config.min_doubtful_presence):
            return 0.0
        bonus = 0.2 if followed else 0.0
        return 1.0 + hand.presence + bonus - 0.5 * distance / reach - 0.4 * other_side


def _second_squares(lost: Sequence[str], scene: _Scene) -> Iterator[tuple[Points, float]]:
    """Yield centre and side of the squares to search: ahead of each seen wrist, and once around the face."""
    points = scene.pose.points_xy
    for side in lost:
        if scene.wrist_seen[side]:
            wrist, elbow = points[_WRIST[side]], points[_ELBOW[side]]
            forearm_px = max(distance_px(wrist, elbow), 1.0)
            side_px = float(np.clip(2.0 * forearm_px, 0.9 * scene.shoulders_px, 1.4 * scene.shoulders_px))
            yield wrist + (wrist - elbow) * min(0.3, 0.3 * scene.shoulders_px / forearm_px), side_px
    if any(not scene.wrist_seen[side] for side in lost):
        # In a close-up the wrist is outside the picture while the fingers are at the mouth.
        yield points[list(_MOUTH)].mean(axis=0), 1.4 * scene.shoulders_px
