"""Previews of one video: an overlay film and a contact sheet, for a user to trust or distrust the numbers."""

from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from drawing.overlays import FilmStyle, overlay_frames
from drawing.people import Background, DrawnPerson, PersonLabel
from drawing.sheets import Moment, contact_sheet
from drawing.texts import time_text
from drawing.views import CropBox, person_crop
from flows._plan import disposed_videos, study_video
from flows._preview_data import PreviewData
from flows._progress import current_progress
from flows._study import Study
from media.clips import write_clip
from media.frames import VideoFrame, decode_frames
from media.store import MediaStore
from schema.arrow import CANDIDATES, KEYPOINTS, PLAYERS, TRACKS
from schema.contacts import SIDES, Touch
from schema.errors import UsageError
from schema.people import Role
from schema.records import Candidate, VideoRecord
from schema.tables import written_beside

MOMENTS = 8
MOST_PEOPLE_TOLD = 4
STAGE = "preview"


def preview_video(study: Study, video_id: str, *, background: str) -> list[Path]:
    """Draw the overlay film and the contact sheet of one video; returns the files.

    What is not made yet is left out and said on the sheet; the people must have been followed. On black the video file
    is not opened: what it shows can't be in the result.

    Raises:
        UsageError: An unknown background, an unknown video, one that is not perceived yet, has no frames or no file.
    """
    if background not in tuple(Background):
        raise UsageError(f"no background {background!r}; there are {', '.join(Background)}")
    video = study_video(study, video_id)
    data = PreviewData(study, video)
    if not data.has(TRACKS):
        raise UsageError(f"{video_id} can't be drawn: nobody was followed in it yet; `pressroom perceive` does it")
    chosen = Background(background)
    if chosen is Background.PICTURE and video_id in disposed_videos(study):
        raise UsageError(
            f"{video_id} can't be drawn: its video file was deleted (collect.retain); put it back into media/ from a "
            "backup, or draw it on black"
        )
    if data.is_empty:
        raise UsageError(f"{video_id} can't be drawn: none of its frames can be decoded")
    folder = study.layout.previews
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    film = folder / f"{video_id}-{chosen}.mp4"
    sheet = folder / f"{video_id}-{chosen}.png"
    _Preview(data, chosen).write(film, sheet)
    return [film, sheet]


class _Preview:
    """The film and the sheet of one video."""

    def __init__(self, data: PreviewData, background: Background) -> None:
        self.data, self.background = data, background
        self.video: VideoRecord = data.video
        self.progress = current_progress()

    def write(self, film: Path, sheet: Path) -> None:
        """Write both files; the film picture by picture, whatever its length."""
        style = FilmStyle(background=self.background)
        frames = self._frames(0, self._frame_count)
        images = overlay_frames(frames, people_of=self.data.people_of, contents=self.data.contents, style=style)
        write_clip(images, film, frame_rate=max(1, round(self.video.average_rate)))
        from PIL import Image

        picture = contact_sheet(
            [self._moment(index, candidate) for index, candidate in self._chosen()],
            background=self.background,
            title=self.video.video_id,
            lines=[*self._facts(), *self._people(), *self._missing()],
            contents=self.data.contents,
        )
        with written_beside(sheet) as beside:
            Image.fromarray(picture).save(beside, format="PNG")

    @property
    def _frame_count(self) -> int:
        return int(self.data.times.times_ns.shape[0])

    def _frames(self, first: int, end: int) -> Iterator[VideoFrame]:
        """Yield frames, with what they show or, on black, with nothing."""
        times = self.data.times
        if self.background is Background.BLACK:
            nothing = np.broadcast_to(np.uint8(0), (self.video.height, self.video.width, 3))
            frames: Iterator[VideoFrame] = (
                VideoFrame(frame_index=k, time_ns=int(times.times_ns[k]), image_rgb=nothing) for k in range(first, end)
            )
        else:
            path = MediaStore(self.data.study.layout).path_of(self.video.sha256)
            frames = decode_frames(path, times, first_frame=first, end_frame=end)
        for frame in frames:
            yield frame
            if end - first > 1:
                self.progress(STAGE, self.video.video_id, frame.frame_index + 1, end)

    def _chosen(self) -> list[tuple[int, Candidate | None]]:
        """Take the middle of each of the best candidates; even steps through the frames with people fill the sheet."""
        best = sorted(self.data.candidates, key=lambda c: (-c.score, c.candidate_id))[:MOMENTS]
        chosen: dict[int, Candidate | None] = {self.data.times.frame_at(c.span.middle_ns): c for c in reversed(best)}
        steps, frames = MOMENTS - len(chosen), self._frames_with_people()
        for step in range(steps):
            chosen.setdefault(int(frames[frames.shape[0] * (2 * step + 1) // (2 * steps)]), None)
        return sorted(chosen.items(), key=lambda item: item[0])

    def _frames_with_people(self) -> npt.NDArray[np.int32]:
        """Return the frames that show somebody who may be the player, else anybody; all where nobody is followed."""
        labels = self.data.labels
        kept = [track for track in self.data.tracks if labels[track.track_number].role is not Role.OTHER]
        shown = [track.frame_indices for track in kept or self.data.tracks]
        return np.unique(np.concatenate(shown)) if shown else np.arange(self._frame_count, dtype=np.int32)

    def _moment(self, index: int, candidate: Candidate | None) -> Moment:
        (frame,) = self._frames(index, index + 1)
        people = tuple(self.data.people_of(index))
        if candidate is None:
            return Moment(frame=frame, people=people, crop_xyxy=self._crop(people))
        label = self.data.labels.get(candidate.track_number)
        who = f"{label.name}  " if label and len(people) > 1 else ""
        mine = tuple(person for person in people if person.track_number == candidate.track_number)
        return Moment(
            frame=frame,
            people=people,
            crop_xyxy=self._crop(mine or people),
            label=self.data.name_of(candidate),
            note=f"{who}{candidate.score:.2f}",
        )

    def _crop(self, people: tuple[DrawnPerson, ...]) -> CropBox | None:
        """Return the part of the picture that shows some people: the whole of it where nobody is boxed."""
        shown = [p for p in people if p.label is None or p.label.role is not Role.OTHER] or people
        boxes = np.array([p.box_xyxy for p in shown if p.box_xyxy is not None], dtype=np.float32)
        return person_crop(boxes, width=self.video.width, height=self.video.height) if boxes.shape[0] else None

    def _facts(self) -> Iterator[str]:
        video, data = self.video, self.data
        rate = f"{float(video.average_rate):.3f}".rstrip("0").rstrip(".")
        counts = f"{_counted(len(data.shots), 'shot')}, {_counted(len(data.tracks), 'track')}"
        length = f"{time_text(data.times.end_ns)}, {_counted(self._frame_count, 'frame')} at {rate} a second"
        yield f"{length}, {video.width} x {video.height} pixels, {counts}"
        names = Counter(data.name_of(candidate) for candidate in data.candidates)
        if names:
            counts = ", ".join(f"{name} {count}" for name, count in names.most_common())
            yield f"{_counted(len(data.candidates), 'candidate')}: {counts}"

    def _people(self) -> Iterator[str]:
        """Say of the most prominent people what was decided, and how often their hands are seen."""
        reasons = {self.data.labels[role.track_number]: role.reason for role in self.data.roles}
        told = sorted(self.data.hands, key=lambda hands: self._order(self.data.labels[hands.track_number]))
        by_person = groupby(told, key=lambda hands: self.data.labels[hands.track_number])
        for number, (label, group) in enumerate(by_person):
            if number == MOST_PEOPLE_TOLD:
                return
            seen = np.concatenate([hands.touches > Touch.UNSEEN for hands in group]).mean(axis=0)
            shares = ", ".join(f"{side} hand seen in {share:.0%}" for side, share in zip(SIDES, seen, strict=True))
            reason = f"; {reasons[label]}" if label in reasons else ""
            yield f"{label.words_with_confidence}: {shares} of the frames{reason}"

    @staticmethod
    def _order(label: PersonLabel) -> tuple[bool, bool, int, str]:
        return label.role is Role.OTHER, label.role is not Role.PLAYER, len(label.name), label.name

    def _missing(self) -> Iterator[str]:
        """Say what was not made yet, so that its absence is not taken for a result."""
        if not self.data.has(PLAYERS):
            yield "not decided yet who is the player: `pressroom perceive` does it"
        if not self.data.has(KEYPOINTS):
            yield "no keypoints yet: `pressroom perceive` estimates them"
        elif not self.data.has(CANDIDATES):
            yield "no candidates yet: `pressroom propose` makes them"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
