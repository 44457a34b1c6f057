"""Previews of one video: an overlay film and a contact sheet, for a user to trust or distrust the numbers."""

from pathlib import Path

import numpy as np

from drawing.overlays import overlay_frames
from drawing.people import Background, people_by_frame
from drawing.sheets import Moment, contact_sheet
from drawing.views import person_crop
from flows._plan import disposed_videos, is_current, study_video
from flows._stages import video_parts
from flows._study import Study
from flows._videos import read_video_part
from media.clips import write_clip
from media.frames import decode_frames
from media.store import MediaStore
from schema.arrow import CANDIDATES, FRAMES, KEYPOINTS, TRACKS
from schema.errors import UsageError
from schema.records import Candidate, FrameTimes, VideoRecord
from schema.rows import candidates_from_rows, frame_times_from_rows, keypoints_from_rows, tracks_from_rows
from schema.tables import written_beside

MOMENTS = 8


def preview_video(study: Study, video_id: str, *, background: str) -> list[Path]:
    """Draw the overlay film and the contact sheet of one video; returns the files.

    Raises ``UsageError`` for an unknown background, an unknown video, or one that is not proposed yet or has no file.
    """
    if background not in tuple(Background):
        raise UsageError(f"no background {background!r}; there are {', '.join(Background)}")
    video = study_video(study, video_id)
    if not is_current(study, video_parts(study, video)[CANDIDATES.name]):
        raise UsageError(f"{video_id} has no current candidates; `pressroom propose` makes them")
    if video_id in disposed_videos(study):
        raise UsageError(
            f"{video_id} can't be drawn: its video file was deleted (collect.retain); put it back into media/ from a "
            "backup"
        )
    chosen = Background(background)
    folder = study.layout.previews
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    film = folder / f"{video_id}-{background}.mp4"
    sheet = folder / f"{video_id}-{background}.png"
    _Preview(study, video, chosen).write(film, sheet)
    return [film, sheet]


class _Preview:
    """What is drawn of one video."""

    def __init__(self, study: Study, video: VideoRecord, background: Background) -> None:
        self.study, self.video, self.background = study, video, background
        self.path = MediaStore(study.layout).path_of(video.sha256)
        self.times: FrameTimes = frame_times_from_rows(read_video_part(study, video, FRAMES), video_id=video.video_id)
        self.candidates = candidates_from_rows(read_video_part(study, video, CANDIDATES))
        tracks = tracks_from_rows(read_video_part(study, video, TRACKS))
        sequences = keypoints_from_rows(read_video_part(study, video, KEYPOINTS))
        self.people = people_by_frame(tracks, sequences)

    def write(self, film: Path, sheet: Path) -> None:
        """Write both files."""
        images = overlay_frames(
            decode_frames(self.path, self.times),
            people=self.people,
            candidates=self.candidates,
            end_ns=self.times.end_ns,
            background=self.background,
            name_of=self._name,
        )
        write_clip(images, film, frame_rate=max(1, round(self.video.average_rate)))
        from PIL import Image

        picture = contact_sheet(self._moments(), background=self.background, title=self.video.video_id)
        with written_beside(sheet) as beside:
            Image.fromarray(picture).save(beside, format="PNG")

    def _name(self, candidate: Candidate) -> str:
        if candidate.class_id is None:
            return candidate.evidence.replace("_", " ")
        return self.study.taxonomy.by_id(candidate.class_id).name

    def _moments(self) -> list[Moment]:
        """Take the middle of each of the best candidates, and even steps between them until the sheet is full."""
        best = sorted(self.candidates, key=lambda c: (-c.score, c.candidate_id))[:MOMENTS]
        labels = {self.times.frame_at(c.span.middle_ns): self._name(c) for c in best}
        count = self.times.times_ns.shape[0]
        for step in range(MOMENTS - len(labels)):
            labels.setdefault(count * (2 * step + 1) // (2 * (MOMENTS - len(best))), "")
        return [self._moment(index, labels[index]) for index in sorted(labels)]

    def _moment(self, index: int, label: str) -> Moment:
        (frame,) = decode_frames(self.path, self.times, first_frame=index, end_frame=index + 1)
        people = tuple(self.people.get(index, ()))
        boxes = [person.box_xyxy for person in people if person.box_xyxy is not None]
        crop = (
            person_crop(np.array(boxes, dtype=np.float32), width=self.video.width, height=self.video.height)
            if boxes
            else None
        )
        return Moment(frame=frame, people=people, crop_xyxy=crop, label=label)
