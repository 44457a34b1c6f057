"""Review clips: the moments around a candidate, cropped to the person, as the reviewing page shows them."""

from pathlib import Path

from drawing.clips import clip_images
from drawing.people import Background
from drawing.views import person_crop
from flows._study import Study
from flows._videos import read_video_part
from media.clips import write_clip
from media.frames import decode_frames
from media.store import MediaStore
from schema.arrow import FRAMES, KEYPOINTS, TRACKS
from schema.records import Candidate, FrameTimes, KeypointSequence, Track, VideoRecord
from schema.rows import frame_times_from_rows, keypoints_from_rows, tracks_from_rows
from schema.timespan import NS_PER_SECOND, TimeSpan


def clip_path(study: Study, candidate: Candidate) -> Path:
    """Return where the candidate's clip is served from."""
    return study.layout.served / "clips" / f"{candidate.candidate_id}.mp4"


def write_review_clip(study: Study, video: VideoRecord, candidate: Candidate) -> Path:
    """Make the candidate's clip unless it is there."""
    target = clip_path(study, candidate)
    if target.exists():
        return target
    config = study.config.annotate
    times = frame_times_from_rows(read_video_part(study, video, FRAMES), video_id=video.video_id)
    track = _track(study, video, candidate)
    span = _with_context(
        candidate.span, round(config.context_seconds * NS_PER_SECOND), within=_track_span(track, times)
    )
    first, end = times.frames_of(span)
    inside = (track.frame_indices >= first) & (track.frame_indices < end)
    background = Background(config.clip_background)
    images = clip_images(
        decode_frames(MediaStore(study.layout).path_of(video.sha256), times, first_frame=first, end_frame=end),
        sequence=_sequence(study, video, candidate) if background is Background.BLACK else None,
        crop_xyxy=person_crop(track.boxes_xyxy[inside], width=video.width, height=video.height),
        clip_span=span,
        asked_span=candidate.span,
        background=background,
        size_px=config.clip_height_px,
    )
    write_clip(images, target, frame_rate=max(1, round(video.average_rate)))
    return target


def _track(study: Study, video: VideoRecord, candidate: Candidate) -> Track:
    tracks = tracks_from_rows(read_video_part(study, video, TRACKS))
    return next(track for track in tracks if track.track_number == candidate.track_number)


def _sequence(study: Study, video: VideoRecord, candidate: Candidate) -> KeypointSequence:
    sequences = keypoints_from_rows(read_video_part(study, video, KEYPOINTS))
    return next(sequence for sequence in sequences if sequence.track_number == candidate.track_number)


def _track_span(track: Track, times: FrameTimes) -> TimeSpan:
    return times.span_of(int(track.frame_indices[0]), int(track.frame_indices[-1]) + 1)


def _with_context(span: TimeSpan, context_ns: int, *, within: TimeSpan) -> TimeSpan:
    """Add context on both sides, not beyond the shot in which the person is followed."""
    return TimeSpan(
        start_ns=max(within.start_ns, span.start_ns - context_ns), end_ns=min(within.end_ns, span.end_ns + context_ns)
    )
