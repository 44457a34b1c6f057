"""The site's pages, and which request gets which."""

import json
import re
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from html import escape
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.fake_site.answers import Answers
from tests.fake_site.clips import segment_bytes
from tests.fake_site.faults import KINDS, Phase
from tests.fake_site.feeds import atom, rss
from tests.fake_site.videos import Format, Request, Video


class Handler(Answers):
    """Finds out what is asked for, and whether it goes wrong."""

    def serve(self) -> None:
        """Answer the request."""
        self.close_connection = True
        parts = urlsplit(self.path)  # of a proxy's request too, which holds the whole link
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        kind, key, act = self._route(parts.path, query)
        self.video, self.media = self.site.videos.get(key), b""
        self.record = Request(
            kind=kind,
            key=key,
            page=int(query.get("page", "1")),
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            at_s=time.monotonic(),
        )
        with self.site.lock:
            self.site.requests.append(self.record)
        self.site.tell(self.record, "asked")
        turned_away = self.site.gatekeeper(self.record) if self.site.gatekeeper else None
        try:
            (partial(KINDS[turned_away].act, self) if turned_away else act)()
        except OSError:
            return  # the client hung up
        self.site.tell(self.record, "sent")

    # --- routes

    def _route(self, path: str, query: dict[str, str]) -> tuple[str, str, Callable[[], None]]:
        plain = {
            "/watch": ("page", query.get("v", ""), self._watch_page),
            "/playlist": ("list", query.get("list", ""), self._list_page),
            "/search": ("search", query.get("q", ""), self._search_page),
        }
        if path in plain:
            return plain[path]
        for pattern, kind, act in (
            (r"/@(.+)", "list", lambda found: self._channel_page()),
            (r"/feed/(.+)\.(rss|atom|podcast)", "feed", lambda found: self._feed(found[1], found[2])),
            (r"/media/([^/]+)/\w+\.\w+", "media", lambda found: self._file()),
            (r"/clip/([^/]+)\.mp4", "clip", lambda found: self._file()),
            (r"/hls/([^/]+)/(\w+)\.m3u8", "manifest", lambda found: self._manifest(found[2])),
            (r"/hls/([^/]+)/(\d+)\.ts", "segment", lambda found: self._segment(int(found[2]))),
            (r"/thumbnail/(.+)\.jpg", "thumbnail", lambda found: self.answer(404)),
        ):
            if found := re.fullmatch(pattern, path):
                return kind, unquote(found[1]), partial(act, found)
        return "other", "", partial(self.answer, 404)

    def _strikes(self, *phases: Phase) -> bool:
        faults = self.video.faults if self.video else []
        for fault in faults:
            if fault.kind.phase in phases and fault.kind.act and fault.strikes():
                fault.kind.act(self)
                return True
        return False

    # --- pages

    def _watch_page(self) -> None:
        if self._strikes(Phase.PAGE):
            return
        video = self.video
        if video is None or video.is_removed:
            self.answer(404, b"no such video")
            return
        words: dict[str, Any] = {
            "id": video.id,
            "title": video.title,
            "description": video.description,
            "channel": video.channel,
            "channel_link": self.site.channel_link(video.channel),
            "duration": video.seconds,
            "uploaded_on": video.uploaded_on.replace("-", ""),
            "language": video.language,
            "live": "not_live",
            "starts_s": video.starts_s,
            "playability": {"status": "OK"},
            "thumbnail": f"/thumbnail/{video.id}.jpg",
            "formats": [self._format_row(video, f) for f in video.formats],
            "hls": None,
        }
        for fault in video.faults:
            kind = fault.kind
            if kind.phase is Phase.SEGMENT:
                words |= {"formats": [], "hls": "plain"}
            elif kind.phase is Phase.WORDS and fault.strikes():
                words |= kind.words
        if "playability" in words and words["live"] == "is_upcoming" and video.starts_s is None:
            words["starts_s"] = int(time.time()) + 7200
        if words["hls"]:
            words["hls"] = f"/hls/{quote(video.id)}/{words['hls']}.m3u8"
        self._html(words, title=video.title)

    def _format_row(self, video: Video, form: Format) -> dict[str, Any]:
        return {
            "format_id": form.format_id,
            "height": form.height,
            "vcodec": form.vcodec,
            "acodec": form.acodec,
            "ext": form.ext,
            "path": f"/media/{quote(video.id)}/{form.format_id}.{form.ext}?token=1",
        }

    def _list_page(self) -> None:
        name, page = self.record.key, self.record.page
        with self.site.lock:
            faults = list(self.site.list_faults.get((name, page), ()))
            ids = [v for v in self.site.lists.get(name, ()) if not self.site.videos[v].is_removed]
        for fault in faults:
            if fault.strikes():
                fault.kind.act(self)
                return
        if name not in self.site.lists:
            self.answer(404, b"no such list")
            return
        self._listing(name, ids, page, title=self.site.list_titles.get(name, name))

    def _listing(self, name: str, ids: list[str], page: int, *, title: str) -> None:
        size = self.site.page_size
        shown = [self.site.videos[v] for v in ids[(page - 1) * size : page * size]]
        words = {
            "id": name,
            "title": title,
            "entries": [
                {
                    "id": v.id,
                    "title": v.title,
                    "duration": v.seconds,
                    "channel": v.channel,
                    "uploaded_on": v.uploaded_on.replace("-", ""),
                    "live": next((f.kind.words["live"] for f in v.faults if "live" in f.kind.words), None),
                }
                for v in shown
            ],
            "next": page + 1 if page * size < len(ids) else None,
        }
        self._html(words, title=title)

    def _channel_page(self) -> None:
        name = self.record.key
        if name not in self.site.lists:
            self.answer(404, b"no such channel")
            return
        self._html({"id": name, "title": name, "tabs": [name]}, title=name)

    def _search_page(self) -> None:
        words = self.record.key.casefold().split()
        with self.site.lock:
            found = [v for v in self.site.videos.values() if not v.is_removed]
        found = [v for v in found if all(word in v.title.casefold() for word in words)]
        found.sort(key=lambda v: (v.uploaded_on, v.id), reverse=True)
        self._listing(self.record.key, [v.id for v in found], self.record.page, title=self.record.key)

    def _html(self, words: dict[str, Any], *, title: str) -> None:
        data = json.dumps(words).replace("</", "<\\/")
        text = f"<!DOCTYPE html><html><head><title>{escape(title, quote=True)}</title></head><body>"
        text += f'<script id="data" type="application/json">{data}</script></body></html>'
        self.answer(200, text.encode("utf-8", "replace"), "text/html; charset=utf-8")

    def _feed(self, name: str, kind: str) -> None:
        with self.site.lock:
            faults = list(self.site.list_faults.get((name, 1), ()))
            ids = self.site.lists.get(name)
            videos = [self.site.videos[v] for v in (ids or [])[:15] if not self.site.videos[v].is_removed]
        for fault in faults:
            if fault.strikes():
                fault.kind.act(self)
                return
        if ids is None:
            self.answer(404, b"no such feed")
            return
        body = (atom if kind == "atom" else rss)(self.site, name, videos, kind).encode("utf-8", "replace")
        etag = f'"{sha256(body).hexdigest()[:16]}"'
        if self.headers.get("If-None-Match") == etag:
            self.answer(304, b"", ETag=etag)
            return
        self.answer(200, body, f"application/{kind if kind == 'atom' else 'rss'}+xml; charset=utf-8", ETag=etag)

    # --- files

    def _file(self) -> None:
        if self.video is None or self.video.is_removed:
            self.answer(404, b"")
            return
        self.media = self.video.content
        bare = (Phase.PAGE, Phase.MEDIA) if self.record.kind == "clip" else (Phase.MEDIA,)
        if "moved=1" not in self.path and self._strikes(*bare):
            return
        self.send_media()

    def _manifest(self, kind: str) -> None:
        if not self._strikes(Phase.SEGMENT):
            self.send_manifest(is_live=kind == "live")

    def _segment(self, number: int) -> None:
        segments = segment_bytes(self.video.clip if self.video else 0)
        self.answer(200, segments[number % len(segments)], "video/mp2t")
