"""How much disk a study will take: what is still to download, and what the retention rule will give back."""

from collections.abc import Sequence

from collectors.base import SourceEntry
from flows._plan import disposed_videos, study_videos
from flows._study import Study
from schema.timespan import NS_PER_SECOND

BYTES_PER_SECOND_UNMEASURED = 190_000
"""Assumed until the study holds a video: 1.5 Mbit/s, what video sites commonly give to 720p H.264 of a talk."""
SECONDS_UNMEASURED = 360.0
"""Assumed for a video that does not say its length, until the study holds some: six minutes."""


def bytes_to_download(study: Study, due: Sequence[SourceEntry]) -> int:
    """Forecast what the entries will bring: announced seconds times the bytes a second of what was got."""
    links = [entry for entry in due if entry.is_link]
    videos = study_videos(study)
    seconds = sum(video.duration_ns for video in videos) / NS_PER_SECOND
    rate = sum(video.byte_count for video in videos) / seconds if seconds else BYTES_PER_SECOND_UNMEASURED
    usual_s = seconds / len(videos) if videos else SECONDS_UNMEASURED
    announced = [entry.facts.duration_ns if entry.facts else None for entry in links]
    return int(rate * sum(usual_s if ns is None else ns / NS_PER_SECOND for ns in announced))


def bytes_to_dispose(study: Study) -> int:
    """Return how many bytes of video files the retention rule will delete in the end."""
    if study.config.collect.retain == "forever":
        return 0
    gone = disposed_videos(study)
    return sum(video.byte_count for video in study_videos(study) if video.video_id not in gone)
