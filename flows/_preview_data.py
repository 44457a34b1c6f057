"""What a preview shows of one video, read from its parts: what a user sees is what the tables hold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from drawing.lanes import Contents, Presence
from drawing.people import DrawnPerson, PersonLabel, people_by_frame
from flows._plan import is_current
from flows._stages import video_parts
from flows._study import Study
from kinematics.windows import frame_ends_ns
from proposals.flags import flag_contacts
from schema.arrow import CANDIDATES, FRAMES, KEYPOINTS, PLAYERS, SHOTS, TRACKS, TableSpec
from schema.contacts import HandContacts
from schema.people import TrackRole
from schema.people_rows import roles_from_rows
from schema.records import Candidate, FrameTimes, KeypointSequence, Shot, Track, VideoRecord
from schema.rows import (
    candidates_from_rows,
    frame_times_from_rows,
    keypoints_from_rows,
    shots_from_rows,
    tracks_from_rows,
)
from schema.timespan import TimeSpan

WINDOW_FRAMES = 512
"""So many frames' people are held ready for drawing: 0.8 MB of keypoints each, whatever the length of the video."""
FLAG_FRAMES, FLAG_MARGIN = 2048, 256
"""Contacts are worked out for so many frames at a time, with a margin for what depends on the frames around."""


class PreviewData:
    """The parts of one video, in the shape that drawing takes; read when they are first needed."""

    def __init__(self, study: Study, video: VideoRecord) -> None:
        """Take note of what to read."""
        self.study, self.video = study, video
        self._window = -1
        self._people: Mapping[int, Sequence[DrawnPerson]] = {}

    def has(self, spec: TableSpec) -> bool:
        """Tell whether a part of the video is current."""
        part = video_parts(self.study, self.video).get(spec.name)
        return part is not None and is_current(self.study, part)

    @property
    def is_empty(self) -> bool:
        """Tell whether the video has no frame that can be decoded."""
        part = video_parts(self.study, self.video)[FRAMES.name]
        return self.study.store.summary(FRAMES, part.key, part.digest).row_count == 0

    def _rows(self, spec: TableSpec) -> pa.Table:
        part = video_parts(self.study, self.video)[spec.name]
        return self.study.store.read_part(spec, part.key, part.digest)

    @cached_property
    def times(self) -> FrameTimes:
        """When each frame is shown."""
        return frame_times_from_rows(self._rows(FRAMES), video_id=self.video.video_id)

    @cached_property
    def shots(self) -> list[Shot]:
        """The shots."""
        return shots_from_rows(self._rows(SHOTS))

    @cached_property
    def tracks(self) -> list[Track]:
        """Everybody who was followed, dropped or not."""
        return tracks_from_rows(self._rows(TRACKS))

    @cached_property
    def candidates(self) -> list[Candidate]:
        """The candidates; none where they are not proposed yet."""
        return candidates_from_rows(self._rows(CANDIDATES)) if self.has(CANDIDATES) else []

    @cached_property
    def roles(self) -> list[TrackRole]:
        """What was decided of each track; nothing where that was not done yet."""
        return roles_from_rows(self._rows(PLAYERS)) if self.has(PLAYERS) else []

    @cached_property
    def labels(self) -> dict[int, PersonLabel]:
        """What each track's person is called: a letter, or the track's number where nobody decided who is who."""
        named = {track.track_number: PersonLabel.of_track(track.track_number) for track in self.tracks}
        for role in self.roles:
            named[role.track_number] = PersonLabel.of_person(
                role.person_number, role=role.role, confidence=role.confidence
            )
        return named

    @cached_property
    def _keypoints(self) -> dict[int, pa.Table]:
        """The rows of *keypoints* of each track as they are stored: 0.7 kB a frame, a third of what they unpack to."""
        if not self.has(KEYPOINTS):
            return {}
        rows = self._rows(KEYPOINTS)
        numbers, firsts, counts = np.unique(rows["track_number"].to_numpy(), return_index=True, return_counts=True)
        return {
            number: rows.slice(first, count)
            for number, first, count in zip(numbers.tolist(), firsts.tolist(), counts.tolist(), strict=True)
        }

    @cached_property
    def contents(self) -> Contents:
        """What the lanes of time show."""
        return Contents(
            times=self.times,
            shots=self.shots,
            presences=[self._presence(track) for track in self.tracks],
            hands=[(self.labels[hands.track_number], hands) for hands in self.hands],
            candidates=self.candidates,
            name_of=self.name_of,
        )

    @cached_property
    def hands(self) -> list[HandContacts]:
        """What the hands of each track are near or touch."""
        return [_joined(list(self._flagged(rows))) for rows in self._keypoints.values()]

    def name_of(self, candidate: Candidate) -> str:
        """Name a candidate by its class, or by what was measured."""
        if candidate.class_id is None:
            return candidate.evidence.replace("_", " ")
        return self.study.taxonomy.by_id(candidate.class_id).name

    def people_of(self, frame_index: int) -> Sequence[DrawnPerson]:
        """Return who is in a frame; asked for in order, the parts are unpacked once."""
        window = frame_index // WINDOW_FRAMES
        if window != self._window:
            first, end = window * WINDOW_FRAMES, (window + 1) * WINDOW_FRAMES
            self._people = people_by_frame(
                _cut_tracks(self.tracks, first, end),
                self._sequences(first, end),
                labels=self.labels,
                contacts=(_cut_contacts(hands, first, end) for hands in self.hands),
            )
            self._window = window
        return self._people.get(frame_index, ())

    def _sequences(self, first: int, end: int) -> Iterator[KeypointSequence]:
        for rows in self._keypoints.values():
            start, stop = np.searchsorted(rows["frame_index"].to_numpy(), [first, end]).tolist()
            if start < stop:
                yield from keypoints_from_rows(rows.slice(start, stop - start))

    def _flagged(self, rows: pa.Table) -> Iterator[HandContacts]:
        at_chest = self.study.taxonomy.class_for("hand_on_chest") is not None
        for first in range(0, rows.num_rows, FLAG_FRAMES):
            start = max(first - FLAG_MARGIN, 0)
            (sequence,) = keypoints_from_rows(rows.slice(start, first - start + FLAG_FRAMES + FLAG_MARGIN))
            hands = flag_contacts(sequence, config=self.study.config.proposals.contact, at_chest=at_chest)
            yield _rows_of_contacts(hands, slice(first - start, first - start + FLAG_FRAMES))

    def _presence(self, track: Track) -> Presence:
        span = TimeSpan(start_ns=int(track.times_ns[0]), end_ns=int(frame_ends_ns(track.times_ns)[-1]))
        return Presence(label=self.labels[track.track_number], span=span)


def _cut_tracks(tracks: Sequence[Track], first: int, end: int) -> Iterator[Track]:
    for track in tracks:
        start, stop = np.searchsorted(track.frame_indices, [first, end]).tolist()
        if start < stop:
            rows = slice(start, stop)
            yield replace(
                track,
                frame_indices=track.frame_indices[rows],
                times_ns=track.times_ns[rows],
                boxes_xyxy=track.boxes_xyxy[rows],
                scores=track.scores[rows],
            )


def _cut_contacts(hands: HandContacts, first: int, end: int) -> HandContacts:
    start, stop = np.searchsorted(hands.frame_indices, [first, end]).tolist()
    return _rows_of_contacts(hands, slice(start, stop))


def _rows_of_contacts(hands: HandContacts, rows: slice) -> HandContacts:
    return replace(
        hands,
        frame_indices=hands.frame_indices[rows],
        touches=hands.touches[rows],
        places=hands.places[rows],
        tips_xy=hands.tips_xy[rows],
    )


def _joined(pieces: Sequence[HandContacts]) -> HandContacts:
    """Put the pieces of one track together; one without a head in it names nothing."""
    return replace(
        max(pieces, key=lambda piece: len(piece.names)),
        frame_indices=np.concatenate([piece.frame_indices for piece in pieces]),
        touches=np.concatenate([piece.touches for piece in pieces]),
        places=np.concatenate([piece.places for piece in pieces]),
        tips_xy=np.concatenate([piece.tips_xy for piece in pieces]),
    )
