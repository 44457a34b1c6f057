"""Find a person's two hands: follow them, and search for a lost one in three ways, each with a second look."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from perception.backends.mediapipe.graphs import Detector, TensorModel
from perception.backends.mediapipe.hand_fit import (
    INDEX,
    PINKY,
    SIDES,
    WRIST,
    Hand,
    HandScene,
    HandsConfig,
    assign_hands,
)
from perception.backends.mediapipe.regions import (
    Points,
    Region,
    distance_px,
    region_ahead_of_forearm,
    region_of_hand,
    region_of_hand_in_pose,
    region_of_palm,
    region_of_recrop,
)
from perception.backends.mediapipe.views import PosePoints, View

FRAMES_BACK = 12
"""Frames that a hand newly found is followed back: the pause between two rare searches of one kind at 30 frames/s."""
_MOUTH = (9, 10)
_SHOULDERS = (11, 12)
_MIN_VIEW_PX = 16
_PALMS_PER_LOOK = 3
_SAME_ROOT = 0.05
"""Shoulder widths within which a detected palm is that of a hand already found: crossing hands come as near as 0.12."""
_PALM_SLACK = 0.15
"""Shoulder widths by which a detected palm's wrist may miss the hand's root."""
_HOPELESS = 0.01
"""Presence below which a second look at what the first one saw never found a hand (60 frames of five clips)."""
_SURE = 0.9
"""Presence from which no other look is needed."""
_MOST_LOOKS = 3
_Place = TypeVar("_Place")
_Seen = TypeVar("_Seen")


class HandModels:
    """The three models that find hands, shared by all tracks; two threads can look at once."""

    def __init__(self, config: HandsConfig) -> None:
        self.config = config
        self._landmarks = TensorModel("hand", side=224, outputs=4, copies=2)
        self._recrop = TensorModel("hand_recrop", side=256, outputs=1)
        self._palms = Detector("palm", min_score=config.min_palm_score)

    def look(self, view: View, region: Region) -> Hand:
        """Read the hand in the region; its presence tells whether there is one."""
        points, presence, rightness, _ = self._landmarks.run(view.pixels_rgb, view.within(region))
        return Hand(
            points_xy=self._landmarks.points_of(points, region, values=3),
            presence=float(presence[0]),
            rightness=float(rightness[0]),
        )

    def look_again(self, view: View, region: Region) -> list[Hand]:
        """Read the hand in the region, and again where each look saw it while that makes it surer."""
        looks = [self.look(view, region)]
        while len(looks) < _MOST_LOOKS and _HOPELESS <= looks[-1].presence < _SURE and looks[-1].extent_px >= 1.0:
            looks.append(self.look(view, region_of_hand(looks[-1].points_xy)))
            if looks[-1].presence <= looks[-2].presence:
                break
        return looks

    def region_in_pose(self, view: View, pose: PosePoints, side: str) -> Region:
        """Return where the pose's wrist, index and pinky point, set right by the recrop model."""
        wrist, index, pinky = (pose.points_xy[table[side]] for table in (WRIST, INDEX, PINKY))
        rough = region_of_hand_in_pose(wrist, index, pinky)
        (alignment,) = self._recrop.run(view.pixels_rgb, view.within(rough))
        return region_of_recrop(self._recrop.points_of(alignment, rough, values=2))

    def palms_in_square(self, view: View, center: Points, side_px: float) -> list[tuple[Points, Region]]:
        """Return the wrist and the hand's region of each palm that is detected in a square of the view, best first."""
        square = view.square(center, side_px)
        if square.side_px < _MIN_VIEW_PX:
            return []
        palms = [
            (f.points_xy + square.origin, f.corners_xy + square.origin) for f in self._palms.run(square.pixels_rgb)
        ]
        return [(points[0], region_of_palm(points, corners)) for points, corners in palms]


@dataclass(slots=True, kw_only=True)
class _Search:
    """How the search for one side's lost hand has gone so far."""

    failures: int = 0
    next_ns: int = 0
    wrist: Points | None = None
    """Where the wrist was when the search began."""

    def way(self, scene: HandScene, side: str, *, time_ns: int, config: HandsConfig) -> int | None:
        """Return which way to try now: one a frame at first and when the seen wrist has moved, then one now and then.

        A hand that one way finds is followed back into the frames in which others failed, so one at a time is enough.
        """
        if self.wrist is None:
            self.wrist = scene.wrist(side)
        if scene.wrist_seen[side] and distance_px(self.wrist, scene.wrist(side)) > config.moved * scene.shoulders_px:
            self.failures, self.wrist = 0, scene.wrist(side)
        is_due = self.failures < config.patience or time_ns >= self.next_ns
        return self.failures % _WAY_COUNT if is_due else None

    def failed(self, *, time_ns: int, config: HandsConfig) -> None:
        """Take down that the hand was not found."""
        self.failures += 1
        self.next_ns = time_ns + config.search_again_ns


_WAY_COUNT = 3
_AHEAD, _WHERE_POSE_POINTS, _PALMS = range(_WAY_COUNT)
"""Ahead of the forearm, where the pose points, where palms are detected."""
_SIDE_WAYS = (_AHEAD, _WHERE_POSE_POINTS)
"""Ways that look for one side, whatever is known of the other."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Past:
    """A frame that was searched, and what was found in it so far."""

    number: int
    scene: HandScene
    hands: dict[str, Hand]


class HandFinder:
    """Finds the hands of one person, frame after frame; a hand newly found is followed back into the past, too.

    Args:
        models: Look at hands.
        beside: A thread that looks at one hand while the caller's looks at the other; what is found is the same.
    """

    def __init__(self, models: HandModels, beside: Executor) -> None:
        self._models = models
        self._beside = beside
        self._config = models.config
        self._past: deque[_Past] = deque(maxlen=FRAMES_BACK)
        self._regions: dict[str, Region] = {}
        self._searches = {side: _Search() for side in SIDES}

    def find(self, view: View, pose: PosePoints, *, number: int, time_ns: int) -> dict[str, Hand]:
        """Return the hands that are surely there, by the person's own side.

        Hands that are found only later are added to it by calls whose ``number`` is up to ``FRAMES_BACK`` higher.

        Args:
            view: The picture around the person.
            pose: The person's pose.
            number: Counts all frames, also those without this person.
            time_ns: When the frame is shown.
        """
        scene = self._scene(view, pose)
        # A side that is not followed will not be found by following the other one: its search need not wait for that.
        lone = [side for side in scene.wrist_seen if self._regions and side not in self._regions]
        ways = {side: self._way(side, scene, time_ns) for side in lone}
        begun = {s: self._beside.submit(self._look_for, way, s, scene) for s, way in ways.items() if way in _SIDE_WAYS}
        looks, hands = self._follow(self._regions, scene, {})
        searched = {side: future.result() for side, future in begun.items()}
        lost = [side for side in scene.wrist_seen if side not in hands]
        ways = {side: ways[side] if side in ways else self._way(side, scene, time_ns) for side in lost}
        for way in (*_SIDE_WAYS, _PALMS):
            # There is no other frame yet, and for a still picture there will be none: all ways are tried.
            due = [side for side in lost if side not in hands and (ways[side] == way or not self._past)]
            if due:
                looks += self._search(way, due, hands, scene, searched)
                hands = assign_hands(looks, scene, self._config)
        for side, hand in hands.items():
            if hand.followed is None:
                self._follow_back(side, hand, first_number=number - FRAMES_BACK)
        self._remember(hands, ways, time_ns)
        self._past.append(_Past(number=number, scene=replace(scene, previous={}), hands=hands))
        return hands

    def _scene(self, view: View, pose: PosePoints) -> HandScene:
        previous = self._past[-1].hands if self._past else {}
        wrist_seen: dict[str, bool] = {}
        shoulders_px = pose.shoulders_px
        for side in SIDES:
            beyond_px = view.beyond_picture_px(pose.points_xy[WRIST[side]])
            if side in previous or beyond_px <= self._config.max_wrist_beyond * shoulders_px:
                seen = float(pose.scores[WRIST[side]]) >= self._config.min_wrist_score
                wrist_seen[side] = seen and beyond_px < 0
        return HandScene(view=view, pose=pose, shoulders_px=shoulders_px, wrist_seen=wrist_seen, previous=previous)

    def _follow(
        self, regions: Mapping[str, Region], scene: HandScene, kept: Mapping[str, Hand]
    ) -> tuple[list[Hand], dict[str, Hand]]:
        """Look where the hands were; where one is hardly seen, look again where it seems to have gone."""
        seen = self._side_by_side(lambda region: self._models.look(scene.view, region), list(regions.values()))
        firsts = dict(zip(regions, seen, strict=True))
        looks = [replace(look, followed=side) for side, look in firsts.items()]
        hands = assign_hands(looks, scene, self._config, kept=kept)
        lost = {side: look for side, look in firsts.items() if side not in hands and look.extent_px >= 1.0}
        if lost:
            seconds = {s: self._models.look(scene.view, region_of_hand(look.points_xy)) for s, look in lost.items()}
            looks += [replace(look, followed=side) for side, look in seconds.items()]
            hands = assign_hands(looks, scene, self._config, kept=kept)
        return looks, hands

    def _follow_back(self, side: str, hand: Hand, *, first_number: int) -> None:
        """Follow a hand newly found into the frames before, as far as it can be seen there."""
        region = region_of_hand(hand.points_xy)
        for past in reversed(self._past):
            if side in past.hands or past.number < first_number:
                return
            seen = {side: False, **past.scene.wrist_seen}
            scene = replace(past.scene, wrist_seen=seen, previous={side: hand})
            _, found = self._follow({side: region}, scene, past.hands)
            if side not in found:
                return
            hand = past.hands[side] = found[side]
            region = region.eased_to(region_of_hand(hand.points_xy))

    def _way(self, side: str, scene: HandScene, time_ns: int) -> int | None:
        return self._searches[side].way(scene, side, time_ns=time_ns, config=self._config)

    def _search(
        self, way: int, lost: Sequence[str], hands: dict[str, Hand], scene: HandScene, searched: dict[str, list[Hand]]
    ) -> list[Hand]:
        """Search for lost hands in one way, unless that was done for a side."""
        if way == _PALMS:
            return self._where_palms_are(lost, hands, scene)
        open_sides = [side for side in lost if side not in searched]
        found = self._side_by_side(lambda side: self._look_for(way, side, scene), open_sides)
        by_side = searched | dict(zip(open_sides, found, strict=True))
        return [look for side in lost for look in by_side[side]]

    def _look_for(self, way: int, side: str, scene: HandScene) -> list[Hand]:
        """Look where the forearm of a seen wrist leads, or where the pose has the hand."""
        if way == _AHEAD and not scene.wrist_seen[side]:
            return []
        if way == _AHEAD:
            region = region_ahead_of_forearm(scene.wrist(side), scene.forearm(side), scene.shoulders_px)
        else:
            region = self._models.region_in_pose(scene.view, scene.pose, side)
        return self._models.look_again(scene.view, region)

    def _side_by_side(self, look: Callable[[_Place], _Seen], places: Sequence[_Place]) -> list[_Seen]:
        """Look at the first place here and at the others in the thread beside."""
        others = [self._beside.submit(look, place) for place in places[1:]]
        return [*map(look, places[:1]), *(other.result() for other in others)]

    def _where_palms_are(self, lost: Sequence[str], hands: dict[str, Hand], scene: HandScene) -> list[Hand]:
        """Look at the palms that lie within reach of a lost hand's wrist, and not at the hand already found."""
        slack = _PALM_SLACK
        reach_px = {s: (scene.reach(s, self._config) + slack) * scene.shoulders_px for s in lost}
        known = [hand.root for hand in hands.values()]
        looks: list[Hand] = []
        for center, side_px in _palm_squares(lost, scene):
            palms = self._models.palms_in_square(scene.view, center, side_px)
            for root, region in palms[:_PALMS_PER_LOOK]:
                near = any(distance_px(root, scene.wrist(side)) <= reach_px[side] for side in lost)
                if near and all(distance_px(root, other) > _SAME_ROOT * scene.shoulders_px for other in known):
                    looks += self._models.look_again(scene.view, region)
        return looks

    def _remember(self, hands: dict[str, Hand], ways: dict[str, int | None], time_ns: int) -> None:
        """Keep where to look in the next frame, and how the searches went."""
        regions = {}
        for side, hand in hands.items():
            region = region_of_hand(hand.points_xy)
            regions[side] = self._regions[side].eased_to(region) if hand.followed == side else region
            self._searches[side] = _Search()
        for side, way in ways.items():
            if way is not None and side not in hands:
                self._searches[side].failed(time_ns=time_ns, config=self._config)
        self._regions = regions


def _palm_squares(lost: Sequence[str], scene: HandScene) -> Iterator[tuple[Points, float]]:
    """Yield centre and side of the squares to search: ahead of each seen wrist, and once around face and chest."""
    points = scene.pose.points_xy
    for side in lost:
        if scene.wrist_seen[side]:
            forearm = scene.forearm(side)
            forearm_px = max(float(np.hypot(*forearm)), 1.0)
            side_px = float(np.clip(2.0 * forearm_px, 0.9 * scene.shoulders_px, 1.4 * scene.shoulders_px))
            yield scene.wrist(side) + forearm * min(0.3, 0.3 * scene.shoulders_px / forearm_px), side_px
    if any(not scene.wrist_seen[side] for side in lost):
        # In a close-up the wrist is outside the picture while the fingers are at the mouth.
        yield points[list(_MOUTH)].mean(axis=0), 1.4 * scene.shoulders_px
        # Hands on a table's edge at the bottom of the picture: the pose guesses their wrists far away.
        below = np.array((0.0, 1.1 * scene.shoulders_px), np.float32)
        yield points[list(_SHOULDERS)].mean(axis=0) + below, 1.8 * scene.shoulders_px
