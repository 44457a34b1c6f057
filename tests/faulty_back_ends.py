"""Trackers that fail on one painted person, named in a study by their ``module:Class`` path."""

import os
from collections.abc import Iterable, Iterator

from media.frames import VideoFrame
from perception.backends.synthetic import SyntheticTracker
from perception.tracks import FramePeople

FAULTY_PERSON = 3
"""The colour of the person on whom these trackers fail."""


class AbortingTracker(SyntheticTracker):
    """Kills its process with SIGABRT, as a broken native library does."""

    def track(self, frames: Iterable[VideoFrame]) -> Iterator[FramePeople]:
        for people in super().track(frames):
            if any(s.person_number == FAULTY_PERSON for s in people.people):
                os.abort()
            yield people


class RaisingTracker(SyntheticTracker):
    """Raises what nobody foresaw."""

    def track(self, frames: Iterable[VideoFrame]) -> Iterator[FramePeople]:
        for people in super().track(frames):
            if any(s.person_number == FAULTY_PERSON for s in people.people):
                raise LookupError("unforeseen")
            yield people
