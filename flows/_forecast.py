"""How much disk a study will take: what is still to download, and what the retention rule will give back."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from collectors.base import SourceEntry
from flows._plan import disposed_videos
from flows._study import Study
from schema.arrow import PROXIES
from schema.records import VideoRecord
from schema.timespan import NS_PER_SECOND

BYTES_PER_SECOND_UNMEASURED = 190_000
"""Assumed until the study holds a video: 1.5 Mbit/s, what video sites commonly give to 720p H.264 of a talk."""
SECONDS_UNMEASURED = 360.0
"""Assumed for a video that does not say its length, until the study holds some: six minutes."""
PROXY_SHARE = 0.5
"""Assumed size of what perception writes against its video until there is some."""


def disk_forecast(
    study: Study, *, due: Sequence[SourceEntry], videos: Sequence[VideoRecord], waiting: Sequence[VideoRecord]
) -> dict[str, float]:
    """Forecast the disk in gigabytes, from the videos that are held, those to perceive, and the entries that are due.

    ``gigabytes_left`` is what will be free once all of that is done and the retention rule has deleted what it
    deletes in the end; below 0 the disk is too small.
    """
    to_get = bytes_to_get(due, videos)
    share = proxy_share(study, videos)
    to_write = share * (to_get + sum(video.byte_count for video in waiting))
    to_dispose = bytes_to_dispose(study, videos)
    if study.config.collect.retain != "forever":
        to_dispose += round(to_get + to_write)
    free = shutil.disk_usage(study.layout.root).free
    forecast = {
        "gigabytes_to_download": to_get,
        "gigabytes_to_write": to_write,
        "gigabytes_to_dispose": to_dispose,
        "gigabytes_free": free,
        "gigabytes_left": free - to_get - to_write + to_dispose,
    }
    return {name: round(count / 1e9, 3) for name, count in forecast.items()}


def bytes_to_get(due: Sequence[SourceEntry], videos: Sequence[VideoRecord]) -> int:
    """Forecast what the entries will bring: announced seconds times the bytes a second of what was got; files as is."""
    seconds = sum(video.duration_ns for video in videos) / NS_PER_SECOND
    rate = sum(video.byte_count for video in videos) / seconds if seconds else BYTES_PER_SECOND_UNMEASURED
    usual_s = seconds / len(videos) if seconds else SECONDS_UNMEASURED
    announced = [entry.facts.duration_ns if entry.facts else None for entry in due if entry.is_link]
    files = sum(_file_bytes(Path(entry.location)) for entry in due if not entry.is_link)
    return files + int(rate * sum(usual_s if ns is None else ns / NS_PER_SECOND for ns in announced))


def proxy_share(study: Study, videos: Sequence[VideoRecord]) -> float:
    """Return the size of the browser's copies against their videos, as far as there are any."""
    films = _film_bytes(study)
    sources = sum(video.byte_count for video in videos if video.video_id in films)
    return sum(films.values()) / sources if sources else PROXY_SHARE


def bytes_to_dispose(study: Study, videos: Sequence[VideoRecord]) -> int:
    """Return how many bytes of video files and their browser copies the retention rule will delete in the end."""
    if study.config.collect.retain == "forever":
        return 0
    gone, films = disposed_videos(study), _film_bytes(study)
    return sum(v.byte_count + films.get(v.video_id, 0) for v in videos if v.video_id not in gone)


def _film_bytes(study: Study) -> dict[str, int]:
    folder = study.layout.table(PROXIES)
    return {path.name.partition(".")[0]: _file_bytes(path) for path in folder.glob("*.mp4")}


def _file_bytes(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
