"""Links as sources, by yt-dlp: the one file that imports it.

yt-dlp puts links, titles and ids into its messages, and titles into file names. Both stop here: it logs to nothing,
writes to a name made from the source id, and its errors leave as a typed reason in pressroom's own words.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from functools import partial
from pathlib import Path
from sysconfig import get_path
from time import monotonic
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urldefrag, urlsplit

from yt_dlp import YoutubeDL
from yt_dlp.networking.exceptions import CertificateVerifyError, HTTPError, IncompleteRead, TransportError
from yt_dlp.utils import (
    ContentTooShortError,
    ExtractorError,
    GeoRestrictedError,
    UnavailableVideoError,
    UnsupportedError,
    UserNotLive,
    YoutubeDLError,
)

from collectors.base import CollectConfig, Offer, SourceEntry, saved_suffix, store_full_error
from schema.errors import ConfigError, DropReason, ItemError

if TYPE_CHECKING:
    from urllib.request import Request

    from yt_dlp import _YoutubeDLOptions
    from yt_dlp.extractor.common import _InfoDict
    from yt_dlp.networking import Response

PLATFORMS_WITHOUT_IDS = frozenset({"generic", "html5mediaembed"})
"""Extractors whose id is the file name in the link, which many links share: here the link itself is the id."""
LONGEST_PAUSE_S = 60.0
SNIFFED_BYTES = 512

ERROR_TABLE: tuple[tuple[type[BaseException], DropReason, str], ...] = (
    (ContentTooShortError, DropReason.INCOMPLETE, "fewer bytes arrived than the server announced"),
    (IncompleteRead, DropReason.INCOMPLETE, "fewer bytes arrived than the server announced"),
    (CertificateVerifyError, DropReason.REFUSED, "the server's certificate can't be verified"),
    (TimeoutError, DropReason.NETWORK, "the server took too long to answer"),
    (TransportError, DropReason.NETWORK, "no connection, or a broken one"),
    (GeoRestrictedError, DropReason.REFUSED, "the site does not show this video in this country"),
    (UserNotLive, DropReason.UNSUPPORTED, "the link leads to a channel that is not on air"),
    (UnsupportedError, DropReason.UNSUPPORTED, "the link leads to a page without a video that can be downloaded"),
)
"""Reason and words for each error class; the first row that matches any error of the chain counts."""

STATUS_TABLE: dict[int, DropReason] = {
    404: DropReason.NOT_FOUND,
    410: DropReason.NOT_FOUND,
    408: DropReason.NETWORK,
    425: DropReason.NETWORK,
    429: DropReason.NETWORK,
}
"""Reason for each HTTP status; of the others, 5xx is ``NETWORK``, 4xx ``REFUSED`` and the rest ``UNSUPPORTED``."""

WORDS_TABLE: tuple[tuple[tuple[str, ...], DropReason, str], ...] = (
    (
        ("no longer available", "been removed", "does not exist"),
        DropReason.NOT_FOUND,
        "the site says: the video is gone",
    ),
    (("sign in", "log in", "login", "private video", "members"), DropReason.REFUSED, "the site says: sign in first"),
    (("unavailable", "not available in your"), DropReason.REFUSED, "the site says: the video is not available now"),
)
"""Sites that answer 200 and refuse in words, as their extractors pass them on; lower case."""


class YtDlpCollector:
    """Downloads a link with yt-dlp: one file with a picture, over its own HTTP client, without ffmpeg."""

    def __init__(self, config: CollectConfig) -> None:
        self._config = config

    @contextmanager
    def open(self, entry: SourceEntry) -> Iterator[Offer]:
        """Look the link up; raises ``ItemError``, and ``ConfigError`` for anything but http and https."""
        if not entry.is_link:
            raise ConfigError(f"source {entry.source_id}: only http and https links can be downloaded")
        with _Downloader(ytdlp_options(entry, self._config)) as downloader:
            info = _looked_up(downloader, entry.location)
            platform = str(info["extractor_key"]).lower()
            native_id = urldefrag(entry.location).url if platform in PLATFORMS_WITHOUT_IDS else str(info["id"])
            save = partial(_save, downloader, info, entry, self._config)
            yield Offer(platform=platform, native_id=native_id, title=info.get("title"), sha256=None, save=save)


class _NoLog:
    """Takes yt-dlp's messages, which hold links and titles, and drops them."""

    def debug(self, message: str) -> None: ...

    info = error = stdout = stderr = debug

    def warning(self, message: str, *, once: bool = False, only_once: bool = False) -> None: ...


class _Downloader(YoutubeDL):
    """yt-dlp that remembers how the last request went, as the errors after retries no longer tell, and closes it."""

    last_error: YoutubeDLError | None = None
    announced_bytes: int | None = None
    """Size of the whole file by the latest answer's headers."""
    responses: tuple["Response", ...] = ()
    """Answers that are not closed yet: yt-dlp forgets the one whose connection broke."""

    def urlopen(self, req: "Request | str") -> "Response":
        """Send a request."""
        self.last_error, self.announced_bytes = None, None
        try:
            response = super().urlopen(req)
        except YoutubeDLError as error:
            self.last_error = error
            if isinstance(error, HTTPError):
                self._keep(error.response)
            raise
        self.announced_bytes = _announced_bytes(response.headers)
        self._keep(response)
        return response

    def _keep(self, response: "Response") -> None:
        self.responses = (*(kept for kept in self.responses if not kept.closed), response)

    def close(self) -> None:
        """Close every connection."""
        for response in self.responses:
            response.close()
        super().close()


def _announced_bytes(headers: Message) -> int | None:
    if headers.get("Content-Encoding"):
        return None
    whole = headers.get("Content-Range", "").rpartition("/")[2] or headers.get("Content-Length", "")
    return int(whole) if whole.isdigit() else None


def ytdlp_options(entry: SourceEntry, config: CollectConfig) -> "_YoutubeDLOptions":
    """Return yt-dlp's settings for one entry: no log, no cache, no ffmpeg, a file name made from the source id."""
    limit = f"[height<=?{config.max_height_px}]"
    options: dict[str, Any] = {
        # a plain file first, for its bytes can be counted; `res:` puts the smallest of the too tall before taller ones
        "format": f"bv*{limit}[protocol~='^https?$']/bv*",
        "format_sort": [f"res:{config.max_height_px}", "vcodec:h264", "ext:mp4"],
        "outtmpl": {"default": f"{entry.source_id}.download"},
        "logger": _NoLog(),
        "quiet": True,
        "noprogress": True,
        "no_warnings": True,
        "cachedir": False,
        "noplaylist": True,
        "extract_flat": "in_playlist",
        "default_search": "error",
        "fixup": "never",
        "updatetime": False,
        "socket_timeout": config.socket_timeout_s,
        "retries": config.retries,
        "fragment_retries": config.retries,
        "extractor_retries": config.retries,
        "skip_unavailable_fragments": False,
        "retry_sleep_functions": {kind: partial(_pause_s, config) for kind in ("http", "fragment", "extractor")},
        "js_runtimes": {"deno": {"path": get_path("scripts")}},
    }
    if urlsplit(entry.location).hostname in ("127.0.0.1", "localhost", "::1"):
        options["proxy"] = ""  # a proxy set for the web can't reach this machine's loopback
    return cast("_YoutubeDLOptions", options)


def _pause_s(config: CollectConfig, n: int) -> float:
    return float(min(config.retry_pause_s * 2**n, LONGEST_PAUSE_S))


def _looked_up(downloader: _Downloader, link: str) -> dict[str, Any]:
    try:
        info = cast(dict[str, Any] | None, downloader.extract_info(link, download=False))
    except YoutubeDLError as error:
        raise _item_error(downloader, error, None) from None  # the chain holds the link
    if info is None:
        raise ItemError(DropReason.UNSUPPORTED, "the link leads to no video that can be downloaded")
    if info.get("_type") == "playlist" or "entries" in info:
        raise ItemError(DropReason.UNSUPPORTED, "the link leads to several videos; list each one's own link")
    if info.get("live_status") in ("is_live", "is_upcoming"):
        raise ItemError(DropReason.UNSUPPORTED, "the video is still on air; list it when the broadcast is over")
    return info


def _save(
    downloader: _Downloader, info: dict[str, Any], entry: SourceEntry, config: CollectConfig, folder: Path
) -> Path:
    path = folder.absolute() / f"{entry.source_id}.download"
    downloader.params["paths"] = {"home": str(path.parent)}
    downloader.add_progress_hook(partial(_keep_limit, monotonic() + config.download_limit_s, config))
    try:
        downloader.process_ie_result(cast("_InfoDict", info), download=True)
    except YoutubeDLError as error:
        raise _item_error(downloader, error, path.with_name(f"{path.name}.part")) from None
    _check_file(path, None if "fragments" in info else downloader.announced_bytes, info)
    suffix = saved_suffix(f"video.{info.get('ext')}")
    return path.rename(path.with_name(f"{entry.source_id}{suffix}"))


def _keep_limit(deadline_s: float, config: CollectConfig, _: Mapping[str, Any]) -> None:
    if monotonic() > deadline_s:
        raise ItemError(DropReason.NETWORK, f"the download took longer than {config.download_limit_s:.0f} s")


def _check_file(path: Path, announced_bytes: int | None, info: Mapping[str, Any]) -> None:
    if not path.is_file():
        raise ItemError(DropReason.UNSUPPORTED, "yt-dlp reported success and left no file")
    byte_count = path.stat().st_size
    if info.get("protocol") in ("http", "https") and announced_bytes not in (None, byte_count):
        raise ItemError(DropReason.INCOMPLETE, f"{byte_count} bytes arrived, the server announced {announced_bytes}")
    with path.open("rb") as file:
        start = file.read(SNIFFED_BYTES).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")):
        raise ItemError(DropReason.UNSUPPORTED, "a web page arrived instead of a video")


def _item_error(downloader: _Downloader, error: YoutubeDLError, part: Path | None) -> ItemError:
    """Type an error of yt-dlp; raises ``StoreFullError`` when the disk is full."""
    chain = list(_causes(error)) + list(_causes(downloader.last_error))
    for cause in chain:
        if isinstance(cause, HTTPError):
            return _status_error(cause.status)
        if isinstance(cause, OSError) and (full := store_full_error(cause, downloader.announced_bytes)):
            raise full from None
    for kind, reason, detail in ERROR_TABLE:
        if any(isinstance(cause, kind) for cause in chain):
            return ItemError(reason, detail)
    if part is not None and downloader.announced_bytes is not None:
        byte_count = part.stat().st_size if part.exists() else 0
        if downloader.announced_bytes == 0:
            return ItemError(DropReason.EMPTY, "the server's file has 0 bytes")
        if byte_count < downloader.announced_bytes:
            return ItemError(DropReason.INCOMPLETE, f"{byte_count} of {downloader.announced_bytes} bytes arrived")
    message = " ".join(cause.orig_msg for cause in chain if isinstance(cause, ExtractorError)).lower()
    for words, reason, detail in WORDS_TABLE:
        if any(word in message for word in words):
            return ItemError(reason, detail)
    return ItemError(DropReason.UNSUPPORTED, "the link leads to no video that can be downloaded")


def _status_error(status: int) -> ItemError:
    by_class = {4: DropReason.REFUSED, 5: DropReason.NETWORK}.get(status // 100, DropReason.UNSUPPORTED)
    return ItemError(STATUS_TABLE.get(status, by_class), f"the server answered {status}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Go from an error of yt-dlp to what caused it, which each class keeps elsewhere.

    Contexts are followed only where yt-dlp wraps a write error in them: elsewhere they hold what it already got over.
    """
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop(0)
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            context = current.__context__ if isinstance(current, UnavailableVideoError) else None
            exc_info = getattr(current, "exc_info", None) or (None, None)
            waiting += [getattr(current, "cause", None), exc_info[1], current.__cause__, context]
