"""Estimate many people at once: cuts are made in threads while the network works on the batch before."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from perception.backends.mmpose.crops import CropPlace, CropShape, cut_crop, place_crop
from perception.backends.mmpose.simcc import people_from_points
from perception.keypoints import BoxedFrame, PersonKeypoints

FRAMES_AHEAD = 128
"""Frames that may be read and not yet answered."""
MOST_CROPS = FRAMES_AHEAD // 2
"""Largest batch: one fills while one is worked on."""
_BATCHES_AHEAD = 2
"""Batches that may be full and not yet answered: one is worked on, one waits, so that the network never does."""


class CropNetwork(Protocol):
    """A network that finds the 133 points of people who were cut out; it is asked from one thread at a time."""

    @property
    def shape(self) -> CropShape:
        """What the network takes."""
        ...

    @property
    def batch_size(self) -> int:
        """How many cuts it always takes at once: an answer must not depend on how many people there are."""
        ...

    def new_batch(self) -> npt.NDArray[np.uint8]:
        """Return room for a batch of cuts, zeros, shape ``(batch_size, height_px, width_px, 3)``, RGB."""
        ...

    def find(self, crops_rgb: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return points in pixels of the cuts, ``(batch_size, 133, 2)``, and scores ``(batch_size, 133)``."""
        ...


@dataclass(slots=True, eq=False)
class _Batch:
    crops_rgb: npt.NDArray[np.uint8]
    places: list[CropPlace] = field(default_factory=list)
    cutting: list[Future[None]] = field(default_factory=list)
    people: Future[list[PersonKeypoints]] | None = None
    """The answer, once the batch is full or closed."""


_Seat = tuple[_Batch, int]
"""A batch, and the row of one person in it."""


def estimate_in_batches(
    frames: Iterable[BoxedFrame], *, network: CropNetwork, crop_threads: int, min_score: float
) -> Iterator[tuple[PersonKeypoints, ...]]:
    """Do what ``KeypointEstimator.estimate`` promises, reading at most ``FRAMES_AHEAD`` frames ahead."""
    with ThreadPoolExecutor(crop_threads, "crops") as cutters, ThreadPoolExecutor(1, "network") as worker:
        line = _Line(network, cutters, worker, min_score)
        try:
            for boxed in frames:
                line.take(boxed)
                yield from line.answered()
            line.close_batch()
            while line.waiting:
                yield line.answer_first()
        finally:
            cutters.shutdown(wait=False, cancel_futures=True)
            worker.shutdown(wait=False, cancel_futures=True)


class _Line:
    """The frames that wait for their answer, in order."""

    def __init__(
        self, network: CropNetwork, cutters: ThreadPoolExecutor, worker: ThreadPoolExecutor, min_score: float
    ) -> None:
        self._network, self._cutters, self._worker, self._min_score = network, cutters, worker, min_score
        self.waiting: deque[tuple[_Seat, ...]] = deque()
        self._filling: _Batch | None = None
        self._asked: deque[Future[list[PersonKeypoints]]] = deque()

    def take(self, boxed: BoxedFrame) -> None:
        """Have the people of a frame cut out, each into the next free row of a batch."""
        image = boxed.frame.image_rgb
        size_xy = (image.shape[1], image.shape[0])
        seats = []
        for box in boxed.boxes_xyxy:
            batch = self._filling = self._filling or _Batch(self._network.new_batch())
            row = len(batch.places)
            place = place_crop(box, self._network.shape, frame_size_xy=size_xy)
            batch.places.append(place)
            batch.cutting.append(self._cutters.submit(cut_crop, image, place, batch.crops_rgb[row]))
            seats.append((batch, row))
            if row + 1 == self._network.batch_size:
                self.close_batch()
        self.waiting.append(tuple(seats))

    def close_batch(self) -> None:
        """Hand the batch that is being filled to the network; wait where too many are there already."""
        batch, self._filling = self._filling, None
        if batch is None:
            return
        batch.people = self._worker.submit(self._estimate, batch)
        self._asked.append(batch.people)
        if len(self._asked) > _BATCHES_AHEAD:
            self._asked.popleft().result()

    def answered(self) -> Iterator[tuple[PersonKeypoints, ...]]:
        """Yield the frames at the front whose answer is there, and the first one where the line is full."""
        while self.waiting and (len(self.waiting) >= FRAMES_AHEAD or _is_done(self.waiting[0])):
            yield self.answer_first()

    def answer_first(self) -> tuple[PersonKeypoints, ...]:
        """Return the people of the first frame, waiting for them where need be."""
        people = []
        for batch, row in self.waiting.popleft():
            if batch.people is None:
                self.close_batch()
            people.append(_answer(batch)[row])
        return tuple(people)

    def _estimate(self, batch: _Batch) -> list[PersonKeypoints]:
        for cut in batch.cutting:
            cut.result()
        points, scores = self._network.find(batch.crops_rgb)
        count = len(batch.places)
        # The frames' cuts are not needed any more, and a batch lives as long as the last of its people waits.
        batch.crops_rgb, batch.cutting = np.empty((0, 0, 0, 3), np.uint8), []
        return people_from_points(
            points[:count], scores[:count], batch.places, shape=self._network.shape, min_score=self._min_score
        )


def _is_done(seats: Sequence[_Seat]) -> bool:
    return all(batch.people is not None and batch.people.done() for batch, _ in seats)


def _answer(batch: _Batch) -> list[PersonKeypoints]:
    if batch.people is None:
        raise RuntimeError("a batch was asked for its people before it was closed")
    return batch.people.result()
