"""Links as sources: a look-up tells what a link leads to, and a download brings one file with a picture."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urldefrag

from collectors.base import (
    PART_RECORD_SUFFIX,
    PART_SUFFIX,
    CollectConfig,
    Offer,
    SourceEntry,
    saved_suffix,
)
from collectors.ytdlp.downloader import Downloader, open_downloader
from collectors.ytdlp.errors import NO_VIDEO_HERE, typed_errors
from collectors.ytdlp.formats import facts_of, format_options, format_text, starts_ns
from collectors.ytdlp.parts import Resume
from media.hashes import DigestBehind
from schema.errors import ConfigError, DropReason, ItemError
from schema.records import SourceId

if TYPE_CHECKING:
    from yt_dlp.extractor.common import _InfoDict

PLATFORMS_WITHOUT_IDS = frozenset({"generic", "html5mediaembed"})
"""Extractors whose id is the file name in the link, which many links share: here the link itself is the id."""
NOT_OVER = frozenset({"is_live", "is_upcoming", "post_live"})
"""yt-dlp's words for a broadcast whose whole recording is not there yet."""
DOWNLOAD_SUFFIX = PART_SUFFIX.removesuffix(".part")
SNIFFED_BYTES = 512


class YtDlpCollector:
    """Downloads a link with yt-dlp: one file with a picture, over its own HTTP client, without ffmpeg."""

    def __init__(
        self,
        config: CollectConfig,
        study_folder: Path | None = None,
        on_request: Callable[[str], None] | None = None,
    ) -> None:
        self._config = config
        self._study_folder = study_folder
        self._on_request = on_request

    @contextmanager
    def open(self, entry: SourceEntry) -> Iterator[Offer]:
        """Look the link up; raises ``ItemError``, and ``ConfigError`` for anything but http and https."""
        if not entry.is_link:
            raise ConfigError(f"source {entry.source_id}: only http and https links can be downloaded")
        options = {
            **format_options(self._config),
            "noplaylist": True,
            "playlistend": 1,
            "outtmpl": {"default": f"{entry.source_id}{DOWNLOAD_SUFFIX}"},
        }
        with (
            DigestBehind() as digest,
            open_downloader(
                self._config, study_folder=self._study_folder, options=options, on_request=self._on_request
            ) as downloader,
        ):
            downloader.digest = digest
            with downloader.time_limit(self._config.download_limit_s):
                info = _looked_up(downloader, entry.location)
            platform = str(info["extractor_key"]).lower()
            download = _Download(downloader, info, entry.source_id, self._config)
            yield Offer(
                platform=platform,
                native_id=urldefrag(entry.location).url if platform in PLATFORMS_WITHOUT_IDS else str(info["id"]),
                facts=facts_of(info),
                sha256=None,
                byte_count=_expected_bytes(downloader, info),
                format=format_text(info),
                save=download.save,
                received_bytes=lambda: download.received_bytes,
                digest_of_saved=digest.of,
            )


def _looked_up(downloader: Downloader, link: str) -> dict[str, Any]:
    try:
        with typed_errors(downloader):
            info = cast(dict[str, Any] | None, downloader.extract_info(link, download=False))
    except ItemError as error:
        if error.reason is DropReason.NOT_YET:
            error.starts_ns = _announced_start_ns(downloader, link)
        raise
    if info is None:
        raise ItemError(DropReason.UNSUPPORTED, NO_VIDEO_HERE)
    if info.get("_type") == "playlist" or "entries" in info:
        raise ItemError(DropReason.UNSUPPORTED, "the link leads to several videos; list each one's own link")
    if info.get("live_status") in NOT_OVER or info.get("is_live"):
        raise ItemError(DropReason.NOT_YET, "the broadcast is not over", starts_ns=starts_ns(info))
    return info


def _announced_start_ns(downloader: Downloader, link: str) -> int | None:
    """Ask once more when a broadcast begins: yt-dlp tells it only where it may pass over that there are no formats."""
    downloader.params["ignore_no_formats_error"] = True
    with suppress(ItemError), typed_errors(downloader):
        return starts_ns(cast(dict[str, Any] | None, downloader.extract_info(link, download=False)) or {})
    return None


def _expected_bytes(downloader: Downloader, info: Mapping[str, Any]) -> int | None:
    told = info.get("filesize") or info.get("filesize_approx")
    if told:
        return int(told)
    return downloader.announced_bytes if info.get("direct") else None


class _Download:
    """One download: the file, what vouches for its part, and what came over the network."""

    def __init__(
        self, downloader: Downloader, info: dict[str, Any], source_id: SourceId, config: CollectConfig
    ) -> None:
        self._downloader = downloader
        self._info = info
        self._source_id = source_id
        self._config = config
        self._bytes_so_far = 0
        self.received_bytes = 0

    def save(self, folder: Path) -> Path:
        """Download into the folder; raises ``ItemError``, and ``StoreFullError`` where the disk is full."""
        downloader, info = self._downloader, self._info
        path = folder.absolute() / f"{self._source_id}{DOWNLOAD_SUFFIX}"
        is_plain = info.get("protocol") in ("http", "https")
        downloader.on_request = None
        downloader.params["paths"] = {"home": str(path.parent)}
        downloader.part = path.with_name(f"{self._source_id}{PART_SUFFIX}")
        resume = Resume(
            downloader.part,
            path.with_name(f"{self._source_id}{PART_RECORD_SUFFIX}"),
            format_id=str(info.get("format_id")),
            may_resume=is_plain,
        )
        self._bytes_so_far = resume.first_bytes
        if resume.is_whole:
            downloader.part.rename(path)
        else:
            downloader.resume = resume if is_plain else None
            self._transfer()
        _check_file(path, downloader.announced_bytes if is_plain and not resume.is_whole else None)
        suffix = saved_suffix(f"video.{info.get('ext')}")
        saved = path.rename(path.with_name(f"{self._source_id}{suffix}"))
        resume.forget()
        return saved

    def _transfer(self) -> None:
        self._downloader.add_progress_hook(self._count)
        with typed_errors(self._downloader), self._downloader.time_limit(self._config.download_limit_s):
            self._downloader.process_ie_result(cast("_InfoDict", self._info), download=True)

    def _count(self, progress: Mapping[str, Any]) -> None:
        bytes_now = int(progress.get("downloaded_bytes") or 0)
        # fewer than before: yt-dlp began anew
        self.received_bytes += bytes_now - (self._bytes_so_far if bytes_now >= self._bytes_so_far else 0)
        self._bytes_so_far = bytes_now


def _check_file(path: Path, announced_bytes: int | None) -> None:
    if not path.is_file():
        raise ItemError(DropReason.TRUNCATED, "yt-dlp left no file")
    byte_count = path.stat().st_size
    if byte_count == 0:
        raise ItemError(DropReason.EMPTY, "the file has 0 bytes")
    if announced_bytes not in (None, byte_count):
        raise ItemError(DropReason.TRUNCATED, f"{byte_count} bytes arrived, the server announced {announced_bytes}")
    with path.open("rb") as file:
        start = file.read(SNIFFED_BYTES).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise ItemError(DropReason.UNSUPPORTED, "a web page arrived instead of a video")
