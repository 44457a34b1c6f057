"""How the site answers, well and badly."""

import os
import re
import socket
import struct
import time
from email.utils import formatdate
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.fake_site.videos import Request, Video

if TYPE_CHECKING:
    from tests.fake_site.server import FakeSite

LONGEST_SILENCE_S = 30.0


class Answers(BaseHTTPRequestHandler):
    """A request's answer, whole or broken; the faults call these methods."""

    protocol_version = "HTTP/1.1"
    record: Request
    video: Video | None
    media: bytes

    @property
    def site(self) -> "FakeSite":
        """The site that is asked."""
        return self.server.site

    def serve(self) -> None:
        """Answer the request."""
        raise NotImplementedError

    def do_HEAD(self) -> None:
        self.serve()

    def do_GET(self) -> None:
        self.serve()

    def log_message(self, *args: object) -> None: ...

    def head(self, status: int, kind: str, size: int | None, **headers: str) -> None:
        """Send the status and the headers; underscores in their names become hyphens."""
        self.record.status = status
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        if size is not None:
            self.send_header("Content-Length", str(size))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def answer(self, status: int, body: bytes = b"", kind: str = "text/html", **headers: str) -> None:
        """Send a short answer."""
        self.head(status, kind, len(body), **headers)
        self._write(body)

    def redirect(self, link: str) -> None:
        """Send elsewhere."""
        self.answer(302, b"", Location=link)

    def redirect_loop(self) -> None:
        """Send here again."""
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        query["again"] = str(int(query.get("again", "0")) % 3 + 1)
        self.redirect(f"{parts.path}?{urlencode(query)}")

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def silence(self) -> None:
        """Say nothing at all."""
        self.site.stopping.wait(LONGEST_SILENCE_S)
        self.reset()

    def trickle(self) -> None:
        """Send a few bytes now and then."""
        self.head(200, "video/mp4", len(self.media))
        for start in range(0, len(self.media), 200):
            self._write(self.media[start : start + 200])
            if self.site.stopping.wait(0.1):
                return

    def http_date(self, later_s: int) -> str:
        """Return a moment to come as headers write it."""
        return formatdate(time.time() + later_s, usegmt=True)

    def send_manifest(
        self, *, segment: str = "", key: str = "", method: str = "AES-128", is_live: bool = False
    ) -> None:
        """Send an HLS manifest, with a foreign segment or a key where given."""
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", "#EXT-X-TARGETDURATION:4", "#EXT-X-MEDIA-SEQUENCE:0"]
        if key or method != "AES-128":
            lines.append(f'#EXT-X-KEY:METHOD={method},URI="{key or "/key"}"')
        names = [f"{n}.ts" for n in range(3)]
        if segment:
            names[1] = segment
        for name in names:
            lines += ["#EXTINF:2.0,", name]
        lines += [] if is_live else ["#EXT-X-ENDLIST"]
        self.answer(200, "\n".join(lines).encode() + b"\n", "application/vnd.apple.mpegurl")

    def send_media(
        self,
        *,
        content: bytes | None = None,
        ranges: bool = True,
        length: bool = True,
        announce: int = 0,
        stop_at: float = 1.0,
        reset_at: float | None = None,
    ) -> None:
        """Send the file, or the rest of it.

        Args:
            content: Other bytes than the file's.
            ranges: Whether a range is answered as one.
            length: Whether the length is announced.
            announce: Added to the announced length; below 0 only the announced bytes are sent.
            stop_at: Share of the answer after which the connection is closed in order.
            reset_at: Share of the answer after which the connection is reset.
        """
        whole = self.media if content is None else content
        etag = f'"{sha256(whole).hexdigest()[:16]}"'
        first, last = self._range(whole, etag) if ranges else (0, len(whole))
        if first >= len(whole):
            self.answer(416, b"", Content_Range=f"bytes */{len(whole)}")
            return
        body = whole[first:last]
        body = body[:announce] if announce < 0 else body
        headers = {"ETag": etag, "Content_Disposition": 'attachment; filename="../../x.sh"'}
        if ranges:
            headers["Accept_Ranges"] = "bytes"
        if (first, last) != (0, len(whole)):
            headers["Content_Range"] = f"bytes {first}-{last - 1}/{len(whole) + max(announce, 0)}"
        status = 206 if "Content_Range" in headers else 200
        size = len(body) + max(announce, 0) if length else None
        self.record.first_byte = first
        self.head(status, "video/mp4", size, **headers)
        stop = round(len(body) * (stop_at if reset_at is None else reset_at))
        self._write(body[:stop], pause=True)
        if reset_at is not None:
            self.reset()
            return
        self.record.is_whole = first + stop == len(whole) and content is None and announce == 0

    def _range(self, whole: bytes, etag: str) -> tuple[int, int]:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None or self.headers.get("If-Range", etag) != etag:
            return 0, len(whole)
        return int(asked[1]), min(int(asked[2] or len(whole) - 1) + 1, len(whole))

    def _write(self, body: bytes, *, pause: bool = False) -> None:
        if self.command == "HEAD":
            return
        middle = len(body) // 2
        for number, part in enumerate((body[:middle], body[middle:])):
            if self._is_left():
                raise ConnectionAbortedError("the client hung up")
            self.wfile.write(part)
            self.record.sent_bytes += len(part)
            if pause and number == 0:
                self.site.tell(self.record, "half")
                if self.site.pace_s:
                    self.site.stopping.wait(self.site.pace_s)

    def _is_left(self) -> bool:
        """Tell whether the client hung up: a write into a closed connection may well succeed."""
        try:
            return self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
