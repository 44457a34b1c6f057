"""yt-dlp as pressroom uses it: guarded, silent, and writing nothing but the file it is asked for.

yt-dlp puts links, titles and ids into its messages, titles into file names, and cookies back into their file. None of
it happens here: it logs to nothing, has no name for a file but the caller's, and gets cookies without their file.
"""

import io
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from functools import partial
from http.cookiejar import LoadError
from pathlib import Path
from sysconfig import get_path
from threading import Timer
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from yt_dlp import YoutubeDL
from yt_dlp.cookies import YoutubeDLCookieJar
from yt_dlp.downloader import FileDownloader, get_suitable_downloader
from yt_dlp.downloader.dash import DashSegmentsFD
from yt_dlp.downloader.hls import HlsFD
from yt_dlp.downloader.http import HttpFD
from yt_dlp.extractor import gen_extractor_classes
from yt_dlp.networking import Request, Response
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import YoutubeDLError

from collectors.base import CollectConfig, checked_proxy
from collectors.ytdlp.errors import TOO_LATE, typed_errors
from collectors.ytdlp.guard import ForbiddenAddressError, GuardedRH, SocketSet, cut_off
from collectors.ytdlp.parts import Resume, announced_bytes
from media.hashes import DigestBehind
from schema.errors import ConfigError, DropReason, ItemError

if TYPE_CHECKING:
    from urllib.request import Request as UrllibRequest

    from yt_dlp import _YoutubeDLOptions
    from yt_dlp.extractor.common import _InfoDict
    from yt_dlp.networking import RequestDirector

NATIVE_DOWNLOADERS = (HttpFD, HlsFD, DashSegmentsFD)
"""Those of yt-dlp's downloaders whose every request goes through its own client."""
NOT_MODIFIED = 304
NO_SUCH_RANGE = 416
LONGEST_PAUSE_S = 60.0
LARGEST_PAGE_BYTES = 16_000_000
"""A feed or page beyond this size is none: YouTube's feeds have 15 items and 30 kB."""
PROXY_VARIABLE = "PRESSROOM_PROXY"
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
COOKIE_COLUMNS = 7
"""Tab-separated columns of the Netscape cookies format."""
HTTP_ONLY = "#HttpOnly_"
"""Begins a line of the format that is a cookie although it looks like a comment."""
NO_FFMPEG = str(Path(os.devnull) / "ffmpeg")
"""Where yt-dlp finds no ffmpeg on any machine: ffmpeg follows links by itself, past the guard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A server's answer, read whole."""

    status: int
    headers: Message
    body: bytes


class Silence:
    """Takes yt-dlp's messages, which hold links and titles, and drops them."""

    def debug(self, message: str) -> None:
        """Drop a message."""

    info = error = stdout = stderr = debug

    def warning(self, message: str, *, once: bool = False, only_once: bool = False) -> None:
        """Drop a message."""


class Downloader(YoutubeDL):
    """yt-dlp behind the guard, that remembers how its last request went, as its errors after retries no longer tell.

    Use it in a ``with`` statement: leaving closes every connection.
    """

    last_error: YoutubeDLError | None = None
    announced_bytes: int | None = None
    """Size of the whole file by the latest answer's headers."""
    has_met_forbidden_address: bool = False
    is_late: bool = False
    """The time limit is over."""
    part: Path | None = None
    """The file that grows, while a video is downloaded."""
    resume: Resume | None = None
    """Watches over the part, while one plain file is downloaded."""
    digest: DigestBehind | None = None
    """Digests the part while it grows."""

    def __init__(
        self, options: "_YoutubeDLOptions", *, allowed_hosts: frozenset[str], on_request: Callable[[str], None] | None
    ) -> None:
        self._allowed_hosts = allowed_hosts
        self._open_sockets: SocketSet = SocketSet()
        self._responses: tuple[Response, ...] = ()
        self.on_request = on_request
        super().__init__(options)
        bypassing = [self.proxies.get("no") or "", *LOOPBACK_NAMES, *sorted(allowed_hosts)]
        self.proxies["no"] = ",".join(name for name in bypassing if name)

    def add_default_info_extractors(self) -> None:
        """Add every extractor; yt-dlp's own way matches the 1,750 names with patterns, 70 ms for each look-up."""
        kinds = cast(list[Any], gen_extractor_classes())  # the stubs take names of classes for those of objects
        for kind in {kind.IE_NAME.lower(): kind for kind in kinds}.values():
            if kind._ENABLED:
                self.add_info_extractor(kind)

    def build_request_director(self, handlers: object, preferences: object = None) -> "RequestDirector":
        """Make the guarded handler the only one, whatever else is installed."""
        guarded = partial(GuardedRH, allowed_hosts=self._allowed_hosts, open_sockets=self._open_sockets)
        return super().build_request_director(cast(Any, [guarded]), None)

    def urlopen(self, req: "UrllibRequest | str") -> Response:
        """Send a request; raises ``ItemError`` once the time is up."""
        request = Request(req) if isinstance(req, str) else cast(Request, req)  # the stub tells yesterday's type
        self.last_error, self.announced_bytes = None, None
        if self.is_late:
            raise ItemError(DropReason.NETWORK, TOO_LATE)
        if self.on_request is not None:
            self.on_request((urlsplit(request.url).hostname or "").lower())
        response = self._sent(request) if self.resume is None else self._resumed(request, self.resume)
        self.announced_bytes = announced_bytes(response.headers)
        return response

    def _resumed(self, request: Request, resume: Resume) -> Response:
        resume.prepare(request)
        try:
            response = self._sent(request)
        except HTTPError as error:
            if error.status == NO_SUCH_RANGE:  # the part is as long as the file: one of them is not what it seems
                resume.forget()
            raise
        if not resume.judge(response):
            response.close()
            for name in ("Range", "If-Range"):
                request.headers.pop(name, None)
            response = self._sent(request)
            resume.judge(response)
        return response

    def _sent(self, request: Request) -> Response:
        try:
            response = super().urlopen(cast(Any, request))
        except YoutubeDLError as error:
            self.last_error = error
            self.has_met_forbidden_address |= isinstance(error, ForbiddenAddressError)
            if isinstance(error, HTTPError):
                self._keep(error.response)
            raise
        self._keep(response)
        return response

    def _keep(self, response: Response) -> None:
        """Remember an answer to close: yt-dlp forgets the one whose connection broke."""
        self._responses = (*(kept for kept in self._responses if not kept.closed), response)

    def dl(self, name: str, info: "_InfoDict", subtitle: bool = False, test: bool = False) -> Any:  # noqa: ANN401
        """Download as yt-dlp does, with a downloader that is one of three and leaves no file open when it fails."""
        engine = cast(Any, self)  # the stubs lack two of its methods, and err about what this one returns
        kind: Any = get_suitable_downloader(info, self.params)
        if kind not in NATIVE_DOWNLOADERS:
            engine.raise_no_formats(info, forced=True, msg="Requested format is not available")
        with ExitStack() as open_files:
            tidy: Any = type(kind.__name__, (_Tidy, kind), {"open_files": open_files, "engine": self})
            file_downloader = tidy(self, self.params)
            for hook in engine._progress_hooks:
                file_downloader.add_progress_hook(hook)
            copied = {**info, "http_headers": info.get("http_headers") or engine._calc_headers(dict(info))}
            return file_downloader.download(name, copied, subtitle)

    def fetch_page(self, link: str, headers: Mapping[str, str] | None = None) -> Page:
        """Read a page or feed whole; 304 (not modified) is an answer, any other refusal raises ``ItemError``."""
        request = Request(link, headers={"Accept-Encoding": "identity", **(headers or {})})
        try:
            with typed_errors(self), self.urlopen(cast(Any, request)) as response:
                body = response.read(LARGEST_PAGE_BYTES + 1)
        except ItemError:
            if isinstance(self.last_error, HTTPError) and self.last_error.status == NOT_MODIFIED:
                return Page(status=NOT_MODIFIED, headers=self.last_error.response.headers, body=b"")
            raise
        if len(body) > LARGEST_PAGE_BYTES:
            raise ItemError(DropReason.UNSUPPORTED, f"the page is larger than {LARGEST_PAGE_BYTES // 10**6} MB")
        return Page(status=response.status, headers=response.headers, body=body)

    @contextmanager
    def time_limit(self, limit_s: float) -> Iterator[None]:
        """Cut every transfer off after a while: a server that sends a byte now and then never times out."""
        timer = Timer(limit_s, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end(self) -> None:
        self.is_late = True
        cut_off(self._open_sockets)

    def save_cookies(self) -> None:
        """Keep the cookies out of every file, which yt-dlp would write them back to."""

    def close(self) -> None:
        """Close every connection."""
        for response in self._responses:
            response.close()
        super().close()


class _Tidy(FileDownloader):
    """Closes what a fragment downloader leaves open when it fails, and lets the file that grows be digested."""

    open_files: ExitStack
    engine: Downloader

    def sanitize_open(self, filename: str, open_mode: str) -> tuple[IO[Any], str]:
        """Open a file as yt-dlp does."""
        stream, name = super().sanitize_open(filename, cast(Any, open_mode))
        self.open_files.callback(_close_quietly, stream)
        digest, part = self.engine.digest, self.engine.part
        if digest is None or open_mode not in ("wb", "ab") or Path(name) != part:
            return stream, name
        digest.begin(part, byte_count=os.fstat(stream.fileno()).st_size)
        return cast(IO[Any], _Digested(stream, digest)), name


class _Digested:
    """The file that grows, with the methods that yt-dlp calls of it."""

    def __init__(self, stream: IO[Any], digest: DigestBehind) -> None:
        self._stream = stream
        self._digest = digest
        self.flush = stream.flush
        self.close = stream.close

    def write(self, block: bytes) -> None:
        """Write a block, and have it digested."""
        self._stream.write(block)
        self._digest.add(block)


def _close_quietly(stream: IO[Any]) -> None:
    with suppress(OSError):  # what could not be flushed was told when it was written
        stream.close()


def open_downloader(
    config: CollectConfig,
    *,
    study_folder: Path | None = None,
    options: Mapping[str, Any] | None = None,
    on_request: Callable[[str], None] | None = None,
) -> Downloader:
    """Make a guarded, silent yt-dlp with the study's proxy, cookies and user agent; use it in a ``with`` statement.

    ``options`` are yt-dlp's own, laid over pressroom's. ``on_request`` is called with the host before each request
    until the attribute of the same name is set to None. Raises ``ConfigError`` for a proxy or cookies file that
    can't be used.
    """
    settings = {**_settings(config), **(options or {})}
    cookies = _read_cookies(config, study_folder)
    allowed_hosts = frozenset(name.strip().strip("[]").lower() for name in config.allow_private_hosts)
    downloader = Downloader(cast("_YoutubeDLOptions", settings), allowed_hosts=allowed_hosts, on_request=on_request)
    if cookies is not None:
        downloader.cookiejar = cookies
    return downloader


def _settings(config: CollectConfig) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "logger": Silence(),
        "quiet": True,
        "noprogress": True,
        "no_warnings": True,
        "cachedir": False,
        "default_search": "error",
        "extract_flat": "in_playlist",
        "fixup": "never",
        "updatetime": False,
        "external_downloader": {"default": "native"},
        "hls_prefer_native": True,
        "ffmpeg_location": NO_FFMPEG,
        "socket_timeout": config.socket_timeout_s,
        "retries": config.retries,
        "fragment_retries": config.retries,
        "extractor_retries": config.retries,
        "skip_unavailable_fragments": False,
        "retry_sleep_functions": {kind: partial(_pause_s, config) for kind in ("http", "fragment", "extractor")},
        "js_runtimes": {"deno": {"path": get_path("scripts")}},
    }
    proxy = checked_proxy(os.environ.get(PROXY_VARIABLE, ""), PROXY_VARIABLE) or config.proxy
    if proxy:
        settings["proxy"] = proxy
    if config.user_agent:
        settings["http_headers"] = {"User-Agent": config.user_agent}
    return settings


def _pause_s(config: CollectConfig, n: int) -> float:
    return float(min(config.retry_pause_s * 2**n, LONGEST_PAUSE_S))


def _read_cookies(config: CollectConfig, study_folder: Path | None) -> YoutubeDLCookieJar | None:
    """Read the cookies file; no message tells a line of it, for that is a password."""
    if not config.cookies_file:
        return None
    path = (study_folder or Path()) / Path(config.cookies_file).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"collect.cookies_file: can't be read: {why}") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if not _is_blank_or_cookie(line):
            raise ConfigError(
                f"collect.cookies_file, line {number}: not {COOKIE_COLUMNS} columns with tabs between them; export the "
                "cookies in Netscape format"
            )
    jar = YoutubeDLCookieJar()
    try:
        jar.load(cast(Any, io.StringIO(text)), ignore_discard=True, ignore_expires=True)
    except LoadError:
        raise ConfigError(
            "collect.cookies_file: not in Netscape format, whose first line is '# Netscape HTTP Cookie File'"
        ) from None
    return jar


def _is_blank_or_cookie(line: str) -> bool:
    """Tell whether yt-dlp reads a line without printing it as a bad one."""
    text = line.removeprefix(HTTP_ONLY)
    if text.startswith("#") or not text.strip():
        return True
    columns = text.split("\t")
    return len(columns) == COOKIE_COLUMNS and re.fullmatch(r"(?:[0-9]+(?:\.[0-9]+)?)?", columns[4]) is not None
