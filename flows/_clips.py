"""Review clips: the moments around what is asked, cropped to the person, as the reviewing page shows them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from annotation.pages.tasks import CLIPS_FOLDER, slow_name
from drawing.clips import SpeedCurve, clip_images
from drawing.people import Background
from drawing.views import person_crop
from flows._stages import video_parts
from flows._study import Study
from flows._videos import read_video_part
from kinematics.covers import box_covers, head_covers
from kinematics.part_speeds import part_speed
from media.clips import write_clip, write_slow_copy
from media.frames import decode_frames
from media.store import MediaStore
from schema.arrow import FRAMES, KEYPOINTS, TRACKS
from schema.records import Candidate, FrameTimes, KeypointSequence, Track, VideoRecord
from schema.rows import frame_times_from_rows, keypoints_from_rows, tracks_from_rows
from schema.timespan import NS_PER_SECOND, TimeSpan

LOOK = 1
"""Raised when the same question would be drawn otherwise: its clip then gets a new name."""
DIGEST_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipWish:
    """What a clip is to show."""

    question_id: str
    track_number: int
    span: TimeSpan
    """What is asked about."""
    context_ns: int
    """What is shown before and after it, as far as the person is followed."""
    evidence: str
    """Decides which part's speed is drawn below (``schema.taxonomy.EVIDENCE``)."""
    hints: bool = True
    """Whether the clip marks the span and draws the speed; not where the question must not suggest anything."""

    @classmethod
    def of_candidate(cls, candidate: Candidate, *, context_seconds: float) -> Self:
        """Ask for the clip of a candidate."""
        return cls(
            question_id=candidate.candidate_id,
            track_number=candidate.track_number,
            span=candidate.span,
            context_ns=round(context_seconds * NS_PER_SECOND),
            evidence=candidate.evidence,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewClip:
    """A clip that was made: clip frame k is source frame ``first_frame + k``."""

    path: Path
    first_frame: int
    """First frame of the source video that the clip shows."""
    end_frame: int
    """One past the last."""
    asked_first_frame: int
    """First frame of the source video that lies in what is asked about."""
    asked_end_frame: int
    """One past the last."""
    frame_rate: int
    """Frames a second at which the clip plays."""

    @property
    def served_name(self) -> str:
        """Path below the served folder."""
        return f"{CLIPS_FOLDER}/{self.path.name}"

    @property
    def asked_in_clip(self) -> tuple[int, int]:
        """Frames of the clip ``[first, end)`` that lie in what is asked about, counted from 0."""
        return self.asked_first_frame - self.first_frame, self.asked_end_frame - self.first_frame


def clip_files(study: Study, question_id: str) -> list[Path]:
    """List the files of a question's clips: those of earlier looks, and the slow copies."""
    return sorted((study.layout.served / CLIPS_FOLDER).glob(f"{question_id}-*.mp4"))


def write_review_clip(study: Study, video: VideoRecord, candidate: Candidate) -> ReviewClip:
    """Make the candidate's clip unless it is there."""
    wish = ClipWish.of_candidate(candidate, context_seconds=study.config.annotate.context_seconds)
    return VideoClips(study, video).write(wish)


class VideoClips:
    """Makes clips of one video; its tables are read once."""

    def __init__(self, study: Study, video: VideoRecord) -> None:
        """Read when the video's frames are shown, and who is in them."""
        self._study, self._video = study, video
        self._config = study.config.annotate
        self._background = Background(self._config.clip_background)
        self._times = frame_times_from_rows(read_video_part(study, video, FRAMES), video_id=video.video_id)
        self._tracks = {t.track_number: t for t in tracks_from_rows(read_video_part(study, video, TRACKS))}
        self._sequences: dict[int, KeypointSequence] | None = None

    def write(self, wish: ClipWish) -> ReviewClip:
        """Make a clip, and the slow copy that the verdict page switches to, unless they are there.

        The file's name holds a digest of what is shown: a question that changes gets another file, and one that is
        open in a browser keeps its own.
        """
        track = self._tracks[wish.track_number]
        span = _with_context(wish.span, wish.context_ns, within=_track_span(track, self._times))
        first, end = self._times.frames_of(span)
        asked_first, asked_end = self._times.frames_of(wish.span)
        clip = ReviewClip(
            path=self._study.layout.served / CLIPS_FOLDER / f"{wish.question_id}-{self._digest(wish, first, end)}.mp4",
            first_frame=first,
            end_frame=end,
            asked_first_frame=max(asked_first, first),
            asked_end_frame=min(asked_end, end),
            frame_rate=max(1, round(self._video.average_rate)),
        )
        if not clip.path.exists():
            self._draw(wish, clip, track)
        slow = clip.path.with_name(slow_name(clip.path.name))
        if wish.hints and not slow.exists():
            write_slow_copy(clip.path, slow)
        return clip

    def _digest(self, wish: ClipWish, first: int, end: int) -> str:
        parts = video_parts(self._study, self._video)
        shown = {
            "look": LOOK,
            "inputs": [parts[spec.name].digest for spec in (FRAMES, TRACKS, KEYPOINTS)],
            "frames": [first, end],
            "asked": [wish.span.start_ns, wish.span.end_ns, wish.evidence] if wish.hints else None,
            "track": wish.track_number,
            "background": self._config.clip_background,
            "blur_faces": self._config.blur_faces,
            "height_px": self._config.clip_height_px,
        }
        return sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()[:DIGEST_DIGITS]

    def _draw(self, wish: ClipWish, clip: ReviewClip, track: Track) -> None:
        inside = (track.frame_indices >= clip.first_frame) & (track.frame_indices < clip.end_frame)
        sequence = self._keypoints().get(wish.track_number)
        path = MediaStore(self._study.layout).path_of(self._video.sha256)
        images = clip_images(
            decode_frames(path, self._times, first_frame=clip.first_frame, end_frame=clip.end_frame),
            sequence=sequence if self._background is Background.BLACK else None,
            crop_xyxy=person_crop(track.boxes_xyxy[inside], width=self._video.width, height=self._video.height),
            clip_span=self._times.span_of(clip.first_frame, clip.end_frame),
            asked_span=wish.span if wish.hints else None,
            background=self._background,
            size_px=self._config.clip_height_px,
            covers=self._covers(clip) if self._config.blur_faces else None,
            curve=None if sequence is None or not wish.hints else _curve(sequence, wish.evidence),
        )
        write_clip(images, clip.path, frame_rate=clip.frame_rate)

    def _covers(self, clip: ReviewClip) -> Mapping[int, npt.NDArray[np.float64]]:
        """Return what hides the faces of everybody who is followed in the clip's frames."""
        found: dict[int, list[npt.NDArray[np.float64]]] = {}
        for track in self._tracks.values():
            first = max(clip.first_frame, int(track.frame_indices[0]))
            end = min(clip.end_frame, int(track.frame_indices[-1]) + 1)
            frames = np.arange(first, end, dtype=np.float64)
            sequence = self._keypoints().get(track.track_number)
            covers = head_covers(sequence, frames) if sequence is not None else None
            for frame, cover in zip(frames, box_covers(track, frames) if covers is None else covers, strict=True):
                found.setdefault(int(frame), []).append(cover)
        return {frame: np.stack(covers) for frame, covers in found.items()}

    def _keypoints(self) -> Mapping[int, KeypointSequence]:
        if self._sequences is None:
            rows = read_video_part(self._study, self._video, KEYPOINTS)
            self._sequences = {sequence.track_number: sequence for sequence in keypoints_from_rows(rows)}
        return self._sequences


def _curve(sequence: KeypointSequence, evidence: str) -> SpeedCurve | None:
    speed = part_speed(sequence, evidence)
    if speed is None:
        return None
    return SpeedCurve(name=speed.part, times_ns=sequence.times_ns, head_widths_per_second=speed.head_widths_per_second)


def _track_span(track: Track, times: FrameTimes) -> TimeSpan:
    return times.span_of(int(track.frame_indices[0]), int(track.frame_indices[-1]) + 1)


def _with_context(span: TimeSpan, context_ns: int, *, within: TimeSpan) -> TimeSpan:
    """Add context on both sides, not beyond the shot in which the person is followed."""
    return TimeSpan(
        start_ns=max(within.start_ns, span.start_ns - context_ns), end_ns=min(within.end_ns, span.end_ns + context_ns)
    )
