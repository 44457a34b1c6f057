"""How long video files are kept: the study's rule decides when they go, and a row says that they went."""

import time
from collections.abc import Iterator

from flows._plan import disposed_videos, is_current, poorer_videos, study_videos, to_push
from flows._publication import published_release
from flows._stages import PERCEPTION_STAGES, fingerprint_part, video_parts
from flows._study import Study
from media.store import MediaStore
from schema.arrow import CANDIDATES, DISPOSALS, PROXIES
from schema.records import VideoRecord
from schema.rows import table_of


def apply_retention(study: Study) -> int:
    """Delete the video files that the study's rule no longer keeps; returns the bytes that were freed.

    The row is written first: a file that is missing without a row is damage, one that is there with a row is deleted
    by the next call.
    """
    rule = study.config.collect.retain
    gone = disposed_videos(study)
    new = [] if rule == "forever" else [v for v in _may_go(study, rule=rule) if v.video_id not in gone]
    now_ns = time.time_ns()
    rows = [
        {
            "video_id": video.video_id,
            "sha256": video.sha256,
            "byte_count": video.byte_count,
            "rule": rule,
            "disposed_ns": now_ns,
        }
        for video in new
    ]
    study.store.append(DISPOSALS, table_of(DISPOSALS, rows))
    gone |= {video.video_id for video in new}
    return sum(_delete(study, video) for video in study_videos(study) if video.video_id in gone)


def _may_go(study: Study, *, rule: str) -> Iterator[VideoRecord]:
    """Yield the videos of which nothing more is to be made: poorer copies, and those that are through."""
    poorer = poorer_videos(study)
    waiting = {video.video_id for video, _ in to_push(study)}
    is_through = rule == "features_only" or published_release(study) is not None
    for video in study_videos(study):
        if not is_current(study, fingerprint_part(study, video)):
            continue
        parts = video_parts(study, video)
        is_made = all(is_current(study, parts[spec.name]) for spec in (*PERCEPTION_STAGES, CANDIDATES))
        if video.video_id in poorer or (is_through and is_made and video.video_id not in waiting):
            yield video


def _delete(study: Study, video: VideoRecord) -> int:
    """Delete a video's file and its browser copy, which shows the same picture; returns the bytes freed."""
    film = study.store.part_path(PROXIES, video.video_id, video_parts(study, video)[PROXIES.name].digest)
    freed = MediaStore(study.layout).remove(video.sha256)
    film = film.with_suffix(".mp4")
    if film.exists():
        freed += film.stat().st_size
        film.unlink()
    return freed
