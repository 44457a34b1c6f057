"""Whole-body keypoints with the models of the mediapipe wheel: pose, face mesh and hands, each in its own region.

The models are run one by one on regions that are chosen here, not as the wheel's Holistic graph: that follows one
person in the whole picture, invents points outside it, and looks for a hand in one place only.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from perception.backends.mediapipe.bodies import Body, BodyConfig, BodyFinder, BodyModels
from perception.backends.mediapipe.graphs import MODEL_FILES, digest_of_models
from perception.backends.mediapipe.hand_fit import Hand, HandsConfig
from perception.backends.mediapipe.hands import FRAMES_BACK, HandFinder, HandModels
from perception.backends.mediapipe.regions import Points
from perception.keypoints import BoxedFrame, PersonKeypoints, unseen_person
from schema.mediapipe_points import place_face, place_hand, points_from_pose
from schema.records import PART_SLICES

_NOSE_AND_EYES = (0, 1, 2)
"""Canonical points."""
_FRAMES_AHEAD = 6
"""Frames read ahead, so that no thread waits for the next picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediapipeKeypointsConfig(BodyConfig):
    """When a body point, a face or a hand counts as seen.

    There is no smoothing of points over time: it hides micro-movements (measured at ``Region.eased_to``).
    """

    min_body_score: float = 0.5
    """Visibility times presence from which a body or foot point is seen; hips behind a table score 0.1 to 0.2."""
    forget_after_ns: int = 500_000_000
    """A gap in the track after which nothing is followed from before it."""
    hands: HandsConfig = field(default_factory=HandsConfig)
    """When a hand counts as found."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Found:
    """All that was found of one person in one frame; hands may still be added."""

    body: Body
    hands: dict[str, Hand]


class MediapipeKeypointEstimator:
    """Estimates whole-body keypoints on a CPU, with the models inside the wheel: nothing is downloaded."""

    config_type: ClassVar[type] = MediapipeKeypointsConfig

    def __init__(self, config: MediapipeKeypointsConfig) -> None:
        self._config = config
        self._models: tuple[BodyModels, HandModels] | None = None

    @property
    def weights_digest(self) -> str:
        """Return the digest of the six model files."""
        return digest_of_models(tuple(sorted(MODEL_FILES)))

    def estimate(self, frames: Iterable[BoxedFrame]) -> Iterator[tuple[PersonKeypoints, ...]]:
        """Estimate the people of one run of frames; the first call loads the models (about a second).

        Bodies are found in one thread, the hands of the frame before in another, which has a third one look at the
        second hand: each follows what it found in its own frame before, so what comes out does not depend on how fast
        any of them is.
        """
        if self._models is None:
            self._models = BodyModels(self._config), HandModels(self._config.hands)
        names = ("bodies", "hands", "hands-beside")
        body_thread, hand_thread, beside = (ThreadPoolExecutor(1, thread_name_prefix=name) for name in names)
        bodies, hands = _Bodies(self._models[0], self._config), _Hands(self._models[1], beside)
        waiting: deque[Future[list[_Found | None]]] = deque()
        try:
            for number, boxed in enumerate(frames):
                found = body_thread.submit(bodies.find, boxed)
                waiting.append(hand_thread.submit(hands.find, boxed, found.result, number))
                if len(waiting) > FRAMES_BACK + _FRAMES_AHEAD:
                    # Hands are added to a frame until the last one that may follow them back into it is done.
                    waiting[FRAMES_BACK].result()
                    yield self._composed(waiting.popleft())
            for last in list(waiting)[-1:]:
                last.result()
            while waiting:
                yield self._composed(waiting.popleft())
        finally:
            for thread in (hand_thread, body_thread):
                thread.shutdown(wait=False, cancel_futures=True)
            for thread in (body_thread, hand_thread, beside):
                thread.shutdown()

    def _composed(self, people: Future[list[_Found | None]]) -> tuple[PersonKeypoints, ...]:
        return tuple(
            unseen_person() if found is None else _compose(found, min_body_score=self._config.min_body_score)
            for found in people.result()
        )


class _Bodies:
    """Finds the bodies of all people, frame after frame."""

    def __init__(self, models: BodyModels, config: MediapipeKeypointsConfig) -> None:
        self._models = models
        self._config = config
        self._finders: dict[int, BodyFinder] = {}
        self._last_ns: dict[int, int] = {}

    def find(self, boxed: BoxedFrame) -> list[tuple[Body | None, bool]]:
        """Return each person's body, and whether the person begins anew: after a gap, or after nobody was seen."""
        people = []
        for track_number, box in zip(boxed.track_numbers, boxed.boxes_xyxy, strict=True):
            time_ns = boxed.frame.time_ns
            gap_ns = time_ns - self._last_ns.get(track_number, time_ns)
            self._last_ns[track_number] = time_ns
            if gap_ns > self._config.forget_after_ns:
                self._finders.pop(track_number, None)
            begins = track_number not in self._finders
            finder = self._finders.setdefault(track_number, BodyFinder(self._models))
            body = finder.find(boxed.frame.image_rgb, box)
            if body is None:
                del self._finders[track_number]
            people.append((body, begins))
        return people


class _Hands:
    """Finds the hands of all people, frame after frame."""

    def __init__(self, models: HandModels, beside: Executor) -> None:
        self._models = models
        self._beside = beside
        self._finders: dict[int, HandFinder] = {}

    def find(
        self, boxed: BoxedFrame, bodies: Callable[[], list[tuple[Body | None, bool]]], number: int
    ) -> list[_Found | None]:
        """Wait for the bodies, then return them with their hands."""
        people: list[_Found | None] = []
        for track_number, (body, begins) in zip(boxed.track_numbers, bodies(), strict=True):
            if begins:
                self._finders[track_number] = HandFinder(self._models, self._beside)
            if body is None:
                people.append(None)
                continue
            finder = self._finders[track_number]
            hands = finder.find(body.view, body.pose, number=number, time_ns=boxed.frame.time_ns)
            people.append(_Found(body=body, hands=hands))
        return people


def _compose(found: _Found, *, min_body_score: float) -> PersonKeypoints:
    """Put the parts together; points outside the picture are not seen."""
    pose, face = found.body.pose, found.body.face
    canonical = points_from_pose(np.column_stack([pose.points_xy, pose.scores]))
    canonical[~(canonical[:, 2] >= min_body_score)] = np.nan
    if face is not None:
        place_face(canonical, _with_score(face.points_xy, face.presence))
        # The mesh shakes a quarter as much as the pose's nose and eyes (imigue_folding-arms, still: 0.4 of 1.7 px).
        canonical[list(_NOSE_AND_EYES), :2] = face.places[:3]
    elif pose.faces_away:
        # BlazePose gives nose and eyes a visibility of 1.0 at the back of a head too (intel_one-by-one).
        canonical[list(_NOSE_AND_EYES)] = np.nan
    for side, hand in found.hands.items():
        place_hand(canonical, _with_score(hand.points_xy, hand.presence), side=side)
    seen = found.body.view.in_picture(canonical[:, :2]) & (canonical[:, 2] > 0)
    canonical[~seen] = np.nan
    parts_seen = [bool(seen[points].any()) for _, points in sorted(PART_SLICES.items())]
    return PersonKeypoints(
        keypoints_xy=np.ascontiguousarray(canonical[:, :2]),
        scores=np.clip(np.nan_to_num(canonical[:, 2]), 0.0, 1.0),
        parts_seen=np.array(parts_seen, np.bool_),
    )


def _with_score(points: Points, score: float) -> npt.NDArray[np.float32]:
    return np.column_stack([points, np.full(points.shape[0], score, np.float32)])
