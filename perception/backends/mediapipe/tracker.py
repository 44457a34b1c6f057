"""The embedded tracker: finds people now and then, and follows each one's pose in between."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from media.frames import VideoFrame
from perception.backends.mediapipe.people import (
    Body,
    Face,
    Image,
    PeopleModels,
    Proposal,
    same_place,
    square_around,
)
from perception.backends.mediapipe.regions import Region
from perception.tracks import FramePeople, Sighting
from schema.matching import Box, box_iou
from schema.timespan import NS_PER_SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class MediapipeTrackerConfig:
    """Settings of the embedded tracker."""

    look_seconds: float = 0.1
    """People are followed at about this interval; the boxes of the frames between are interpolated."""
    search_seconds: float = 0.5
    """New people are searched for at this interval, and at every look while nobody is there or somebody was lost."""
    small_face_seconds: float = 2.0
    """Small faces are searched for at this interval, in quarters of the picture."""
    min_pose_score: float = 0.4
    """Pose detections below it are not looked at."""
    min_face_score: float = 0.5
    """Face detections below it are not looked at."""
    sure_pose_score: float = 0.85
    """A pose detection that needs no second look: hands without a person reach 0.89, but not upright."""
    second_look_score: float = 0.7
    """What a faceless person needs as the mean of the pose detector's scores in the whole picture and seen close.

    Tables and floors reached 0.66, upright hands 0.67 (0.76 once in 12), real people 0.74 where they were worst.
    """
    max_lean_degrees: float = 45.0
    """People sit and stand: hands that come in from above pass for people upside down (120 to 165 degrees)."""
    min_head_score: float = 0.5
    """Mean visibility of the head's points, below which a person is lost."""
    min_sure_share: float = 0.5
    """Share of the searches that must agree that this is a person, else it is left out."""
    unsupported_seconds: float = 1.5
    """A followed pose that no search finds for this long has drifted off: it ends where it was last found."""
    return_seconds: float = 1.0
    """Somebody lost who is found again at the same place within this time is the same person."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Person:
    """Somebody who is followed, and what speaks for being a person."""

    body: Body
    looks: list[tuple[int, int, Box, float]] = field(default_factory=list)
    """(frame index, time in ns, box, score) of every look."""
    is_lost: bool = False
    pose_score: float = 0.0
    """What the pose detector gave in the last search."""
    search_count: int = 0
    sure_count: int = 0
    supported_ns: int = 0

    def end_where_supported(self) -> None:
        """Forget the looks after the last search that found the person."""
        self.looks = [look for look in self.looks if look[1] <= self.supported_ns]
        self.is_lost = True


class MediapipeTracker:
    """Follows several people with the models of the mediapipe wheel.

    A search runs the pose detector and the full-range face detector over the picture; faces without a body get a
    closer look. Between searches each person's pose is read where it was before. A shot's people are told apart by
    where they are, so nothing is kept from one shot to the next.
    """

    config_type: ClassVar[type] = MediapipeTrackerConfig

    def __init__(self, config: MediapipeTrackerConfig) -> None:
        self._config = config
        self._models: PeopleModels | None = None

    @property
    def weights_digest(self) -> str:
        """Return a digest of the model files."""
        return PeopleModels.digest()

    def track(self, frames: Iterable[VideoFrame]) -> Iterator[FramePeople]:
        """Follow the people through one shot; they come out at its end, because each is judged as a whole.

        Looks are taken one after the other in a thread, while the next frames are decoded and compared; a search at a
        due time goes on beside them. Each waits for what it needs, so that nothing depends on how fast either is.
        """
        if self._models is None:
            self._models = PeopleModels(
                min_pose_score=self._config.min_pose_score, min_face_score=self._config.min_face_score
            )
        waiting: deque[Future[None]] = deque()
        look_thread, search_thread = (ThreadPoolExecutor(1, thread_name_prefix=name) for name in ("looks", "searches"))
        shot = _ShotFollower(self._models, self._config, search_thread)
        looked_at: list[int] = []
        try:
            for frame in _frames_to_look_at(frames, self._config):
                looked_at.append(frame.frame_index)
                waiting.append(look_thread.submit(shot.look, frame))
                if len(waiting) > _FRAMES_AHEAD:
                    waiting.popleft().result()
            for look in waiting:
                look.result()
        finally:
            look_thread.shutdown(cancel_futures=True)
            search_thread.shutdown()
        yield from shot.people_in(looked_at)


def _frames_to_look_at(frames: Iterable[VideoFrame], config: MediapipeTrackerConfig) -> Iterator[VideoFrame]:
    """Yield the first frame, the last one, and those between that are due."""
    looked_ns: int | None = None
    for frame, is_last in _with_last(frames):
        if is_last or _is_due(looked_ns, frame.time_ns, config.look_seconds):
            looked_ns = frame.time_ns
            yield frame


def _with_last(frames: Iterable[VideoFrame]) -> Iterator[tuple[VideoFrame, bool]]:
    """Yield each frame and whether it is the last; one frame is held."""
    held: VideoFrame | None = None
    for frame in frames:
        if held is not None:
            yield held, False
        held = frame
    if held is not None:
        yield held, True


class _ShotFollower:
    """Everything that is remembered within one shot."""

    def __init__(self, models: PeopleModels, config: MediapipeTrackerConfig, search_thread: ThreadPoolExecutor) -> None:
        self._models = models
        self._config = config
        self._search_thread = search_thread
        self._people: list[_Person] = []
        self._looked_ns: int | None = None
        self._searched_ns: int | None = None
        self._small_faces_ns: int | None = None

    def look(self, frame: VideoFrame) -> None:
        """Follow everybody into this frame, and search for others where it is time."""
        image_rgb = np.ascontiguousarray(frame.image_rgb)
        self._looked_ns = frame.time_ns
        search_is_due = _is_due(self._searched_ns, frame.time_ns, self._config.search_seconds)
        found = self._begin_search(image_rgb, frame.time_ns) if search_is_due else None
        for person in self._followed():
            self._follow(person, image_rgb)
        self._drop_doubles()
        if found is None and self._someone_is_missing(frame.time_ns):
            found = self._begin_search(image_rgb, frame.time_ns)
        if found is not None:
            self._take_in(*found.result(), image_rgb, frame.time_ns)
        height, width = image_rgb.shape[:2]
        for person in self._followed():
            box = person.body.box_in(width, height)
            if box is not None:
                person.looks.append((frame.frame_index, frame.time_ns, box, person.body.head_score))

    def people_in(self, frame_indices: list[int]) -> Iterator[FramePeople]:
        """Yield the people whom enough searches agreed on, frame by frame."""
        sightings: dict[int, list[Sighting]] = {index: [] for index in frame_indices}
        for person in self._followed():
            if self._is_overdue(person, self._looked_ns or 0):
                person.end_where_supported()
        sure = [person for person in self._people if self._is_sure(person)]
        for number, person in enumerate(sure):
            for frame_index, _, box, score in person.looks:
                sightings[frame_index].append(Sighting(person_number=number, box_xyxy=box, score=score))
        for frame_index, people in sightings.items():
            yield FramePeople(frame_index=frame_index, people=tuple(people))

    def _is_sure(self, person: _Person) -> bool:
        return bool(person.looks) and person.sure_count >= self._config.min_sure_share * max(person.search_count, 1)

    def _followed(self) -> list[_Person]:
        return [person for person in self._people if not person.is_lost]

    def _follow(self, person: _Person, image_rgb: Image) -> None:
        """Read the pose where it was before; the person is lost where it is not there any more."""
        body = self._models.read(image_rgb, person.body.region)
        if body is None or not self._is_plausible(body) or not _is_near(body.region, person.body.region):
            person.is_lost = True
        else:
            person.body = body

    def _drop_doubles(self) -> None:
        """Where two people's poses have become one, keep the one that is followed for longer."""
        followed = sorted(self._followed(), key=lambda person: -len(person.looks))
        for i, person in enumerate(followed):
            for longer in followed[:i]:
                if not longer.is_lost and person.body.distance_to(longer.body) < _SAME_BODY_HEADS:
                    person.is_lost = True

    def _is_plausible(self, body: Body) -> bool:
        lean_degrees = abs(float(np.degrees(body.region.angle_rad)))
        return lean_degrees <= self._config.max_lean_degrees and body.head_score >= self._config.min_head_score

    def _someone_is_missing(self, time_ns: int) -> bool:
        """Tell whether nobody is there, or somebody was lost a moment ago."""
        return not self._followed() or any(
            person.is_lost and person.looks and _is_within(person.looks[-1][1], time_ns, self._config.return_seconds)
            for person in self._people
        )

    def _begin_search(self, image_rgb: Image, time_ns: int) -> Future[tuple[list[Face], list[Proposal]]]:
        """Let faces and people be looked for in the whole picture."""
        self._searched_ns = time_ns
        with_small = _is_due(self._small_faces_ns, time_ns, self._config.small_face_seconds)
        if with_small:
            self._small_faces_ns = time_ns
        return self._search_thread.submit(_search, self._models, image_rgb, with_small=with_small)

    def _take_in(self, faces: list[Face], proposals: list[Proposal], image_rgb: Image, time_ns: int) -> None:
        """Take in whom a search found; count for everybody whether it agrees."""
        for person in self._followed():
            person.pose_score = 0.0
        for proposal in proposals:
            found = self._take(proposal, image_rgb, time_ns)
            if found is not None:
                found.pose_score = max(found.pose_score, proposal.score)
        for face in faces:
            if not any(person.body.holds_face(face) for person in self._followed()):
                around = square_around(*face.center_xy, _FACES_TO_BODY * face.side_px)
                for proposal in self._models.propose(image_rgb, within=around):
                    self._take(proposal, image_rgb, time_ns, face=face)
        for person in self._followed():
            self._judge(person, faces, image_rgb, time_ns)

    def _take(self, proposal: Proposal, image_rgb: Image, time_ns: int, *, face: Face | None = None) -> _Person | None:
        """Return whom a proposal is about: somebody followed, somebody lost a moment ago, or somebody new."""
        followed = self._followed()
        for person in followed:
            if _is_found_at(proposal, person.body.region):
                return person
        body = self._models.read(image_rgb, proposal.region)
        if body is None or not self._is_plausible(body) or (face is not None and not body.holds_face(face)):
            return None
        for person in followed:
            if body.distance_to(person.body) < _SAME_BODY_HEADS:
                return person
        person = self._returned(body, image_rgb, time_ns) or _Person(body=body)
        if not person.looks:
            self._people.append(person)
        person.body, person.is_lost, person.pose_score, person.supported_ns = body, False, 0.0, time_ns
        return person

    def _returned(self, body: Body, image_rgb: Image, time_ns: int) -> _Person | None:
        """Return who was lost here a moment ago: the nearest one whose head or whole body was at the same place."""
        height, width = image_rgb.shape[:2]
        box = body.box_in(width, height)
        near: list[tuple[float, _Person]] = []
        for person in self._people:
            if box is None or not person.is_lost or not person.looks:
                continue
            _, last_ns, last_box, _ = person.looks[-1]
            apart = body.distance_to(person.body)
            is_here = apart < 1.0 or box_iou(box, last_box) > 0.3
            if is_here and _is_within(last_ns, time_ns, self._config.return_seconds):
                near.append((apart, person))
        return min(near, key=lambda pair: pair[0])[1] if near else None

    def _judge(self, person: _Person, faces: list[Face], image_rgb: Image, time_ns: int) -> None:
        """Count whether this search agrees that there is a person, and end who has not been found for long."""
        person.search_count += 1
        has_face = any(person.body.holds_face(face) for face in faces)
        is_sure = has_face or person.pose_score >= self._config.sure_pose_score
        if not is_sure:
            close_score = self._score_close(person.body.region, image_rgb)
            is_sure = (person.pose_score + close_score) / 2 >= self._config.second_look_score
        if is_sure:
            person.sure_count += 1
            person.supported_ns = time_ns
        elif self._is_overdue(person, time_ns):
            person.end_where_supported()

    def _is_overdue(self, person: _Person, time_ns: int) -> bool:
        return not _is_within(person.supported_ns, time_ns, self._config.unsupported_seconds)

    def _score_close(self, region: Region, image_rgb: Image) -> float:
        """Return the pose detector's score for the person when it sees nothing else."""
        around = square_around(region.center_x, region.center_y, _CLOSE_SIDES * region.side_px)
        proposals = self._models.propose(image_rgb, within=around)
        return max((one.score for one in proposals if _is_near(one.region, region)), default=0.0)


_FRAMES_AHEAD = 2
"""Frames that wait for their look."""
_SAME_BODY_HEADS = 0.5
"""Two poses whose heads and shoulders lie closer than half a head on average are one person's."""
_FACES_TO_BODY = 6.0
"""A square of six face sides around a face holds head, shoulders and chest."""
_CLOSE_SIDES = 1.2


def _search(models: PeopleModels, image_rgb: Image, *, with_small: bool) -> tuple[list[Face], list[Proposal]]:
    """Return the faces, small ones too where they are asked for, and where people seem to be."""
    faces = models.faces(image_rgb)
    if with_small:
        faces = _without_doubles(faces + _faces_in_quarters(models, image_rgb))
    return faces, models.propose(image_rgb)


def _faces_in_quarters(models: PeopleModels, image_rgb: Image) -> list[Face]:
    """Return the faces of four overlapping parts of the picture, each 0.6 of it wide and high."""
    height, width = image_rgb.shape[:2]
    found = []
    for x in (0.0, 0.4 * width):
        for y in (0.0, 0.4 * height):
            found += models.faces(image_rgb, within=(x, y, x + 0.6 * width, y + 0.6 * height))
    return found


def _is_found_at(proposal: Proposal, region: Region) -> bool:
    # A detection lies within 0.6 head sizes of the pose that is read there (95 % of frames on 9 of 11 clips), and
    # two people who talk close to the camera only 0.17 sides apart.
    return same_place(proposal.region, region, reach=0.12)


def _is_near(region: Region, other: Region) -> bool:
    # A quarter of a side in a tenth of a second is three times walking pace.
    return same_place(region, other, reach=0.25)


def _without_doubles(faces: list[Face]) -> list[Face]:
    """Keep the best of faces that overlap."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda one: -one.score):
        if all(box_iou(face.box_xyxy, other.box_xyxy) < 0.3 for other in kept):
            kept.append(face)
    return kept


def _is_due(last_ns: int | None, time_ns: int, seconds: float) -> bool:
    # A tenth of the interval early is in time: frames 0.1 s apart lie a nanosecond less than that apart.
    return last_ns is None or time_ns - last_ns >= 0.9 * seconds * NS_PER_SECOND


def _is_within(last_ns: int, time_ns: int, seconds: float) -> bool:
    return time_ns - last_ns <= seconds * NS_PER_SECOND
