"""A loopback video site: watch pages, files, HLS, channels, searches and feeds, a log of requests, faults by script."""

import os
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Self
from urllib.parse import quote

from tests.fake_site.clips import sound_clip
from tests.fake_site.faults import Fault
from tests.fake_site.handler import Handler
from tests.fake_site.videos import Format, Gatekeeper, Request, Video, Watcher

__all__ = ["FakeSite", "Format", "Request", "Video"]

SEARCH_SITE = "FAKE_SITE"
"""Environment variable with the address of the site that `fakesearch:` asks, as a search has no host."""
CANARY_ADDRESS = "127.0.0.2"
"""Where the server listens that nobody may ever reach."""


class FakeSite:
    """The site; listens while the ``with`` block lasts. See README.md beside this file."""

    def __init__(self, *, address: str = "127.0.0.1", page_size: int = 50, pace_s: float = 0.0) -> None:
        """Make an empty site.

        Args:
            address: Loopback address to listen on; several sites take 127.0.0.3, 127.0.0.4 ...
            page_size: Entries on a page of a listing.
            pace_s: Pause in the middle of each file that is sent.
        """
        self.address, self.page_size, self.pace_s = address, page_size, pace_s
        self.lock = RLock()
        self.videos: dict[str, Video] = {}
        self.lists: dict[str, list[str]] = {}
        self.list_titles: dict[str, str] = {}
        self.list_faults: dict[tuple[str, int], list[Fault]] = {}
        self.requests: list[Request] = []
        self.canary_hits: list[str] = []
        self.watchers: list[Watcher] = []
        self.gatekeeper: Gatekeeper | None = None
        self.stopping = Event()
        self.sound = sound_clip()
        self._server: _Server | None = None
        self._canary: _Server | None = None

    # --- life

    def __enter__(self) -> Self:
        """Start to serve."""
        self._server = _Server((self.address, 0), Handler, self)
        self._canary = _Server((CANARY_ADDRESS, 0), _CanaryHandler, self)
        for server in (self._server, self._canary):
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        os.environ.setdefault(SEARCH_SITE, self.link)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        if os.environ.get(SEARCH_SITE) == self.link:
            del os.environ[SEARCH_SITE]
        self.stopping.set()
        for server in (self._server, self._canary):
            server.shutdown()
            server.server_close()

    # --- links

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    @property
    def link(self) -> str:
        """The address without a slash at its end."""
        return f"http://{self.address}:{self.port}"

    def watch_link(self, video_id: str) -> str:
        """Link of a watch page: the plugin's extractor reads it, platform `fakesite`, native id the video's."""
        return f"{self.link}/watch?v={video_id}"

    def clip_link(self, video_id: str) -> str:
        """Link of the bare file: yt-dlp's generic extractor reads it."""
        return f"{self.link}/clip/{quote(video_id)}.mp4"

    def list_link(self, name: str) -> str:
        """Link of a channel or playlist."""
        return f"{self.link}/playlist?list={quote(name)}"

    def channel_link(self, name: str) -> str:
        """Link of a channel's front page, which leads to its tabs: one list, as on YouTube."""
        return f"{self.link}/@{quote(name, errors='replace')}"

    def feed_link(self, name: str, kind: str = "rss") -> str:
        """Link of a list's feed: rss, atom, or podcast (files as enclosures)."""
        return f"{self.link}/feed/{quote(name)}.{kind}"

    def canary_link(self, name: str) -> str:
        """Link that nobody may ever connect to: on another loopback address; ``canary_hits`` counts who did."""
        return f"http://{CANARY_ADDRESS}:{self._canary.server_port}/{name}"

    # --- content

    def add(self, *videos: Video, into: str | None = None) -> None:
        """Publish videos, at the front of a list where one is named."""
        with self.lock:
            for video in videos:
                self.videos[video.id] = video
                if into is not None:
                    self.lists.setdefault(into, []).insert(0, video.id)

    def make_list(self, name: str, ids: Iterable[str], *, title: str | None = None) -> str:
        """Make or replace a list, newest first, and return its link."""
        with self.lock:
            self.lists[name] = list(ids)
            self.list_titles[name] = title or name
        return self.list_link(name)

    def fill(self, count: int, *, into: str = "all", prefix: str = "video") -> list[Video]:
        """Publish ``count`` videos with ids ``prefix-0000`` ... as a list, the highest number first."""
        videos = [
            Video(
                id=f"{prefix}-{n:04}",
                title=f"Player {n} after round {n % 7 + 1}",
                clip=n % 4,
                uploaded_on=f"2026-{n // 28 % 12 + 1:02}-{n % 28 + 1:02}",
            )
            for n in range(count)
        ]
        self.add(*videos, into=into)
        return videos

    def fail(self, video_id: str, name: str, times: int | None = None) -> Fault:
        """Make a video fail in a way of ``faults.KINDS``, the first ``times`` times or always."""
        fault = Fault(name=name, times=times)
        with self.lock:
            self.videos[video_id].faults.append(fault)
        return fault

    def fail_list(self, name: str, fault: str, *, page: int = 1, times: int | None = None) -> Fault:
        """Make a page of a list, or a feed (page 1), fail in a way of phase ``page``."""
        found = Fault(name=fault, times=times)
        with self.lock:
            self.list_faults.setdefault((name, page), []).append(found)
        return found

    def remove(self, video_id: str) -> None:
        """Take a video down: its page answers 404, and no list shows it."""
        with self.lock:
            self.videos[video_id].is_removed = True

    # --- what was asked

    def asked(self, kind: str | None = None, key: str | None = None) -> list[Request]:
        """Return the requests so far, of a kind or for a key where given."""
        with self.lock:
            return [r for r in self.requests if kind in (None, r.kind) and key in (None, r.key)]

    def forget(self) -> None:
        """Empty the log."""
        with self.lock:
            self.requests.clear()

    def full_downloads(self, video_id: str) -> int:
        """Tell how often the file was sent from its first byte to its last within one answer."""
        return sum(r.is_whole and r.first_byte == 0 for r in self.asked("media", video_id))

    def sent_bytes(self, video_id: str) -> int:
        """Tell how many bytes of the file were sent in all."""
        return sum(r.sent_bytes for r in self.asked("media", video_id))

    def tell(self, request: Request, moment: str) -> None:
        """Tell the watchers: ``asked``, ``half`` (of a file) and ``sent``."""
        for watcher in list(self.watchers):
            watcher(request, moment)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, where: tuple[str, int], handler: type[BaseHTTPRequestHandler], site: FakeSite) -> None:
        self.site = site
        super().__init__(where, handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients hang up on purpose."""


class _CanaryHandler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.site.canary_hits.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"secret")

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *args: object) -> None: ...
