"""What the site does wrong on request, when, and what a collection should make of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Any

from schema.errors import DropReason

GOT = "got"


class Phase(StrEnum):
    """Which request goes wrong."""

    PAGE = "page"
    """The watch page, or a page of a listing."""
    WORDS = "words"
    """The watch page is delivered, and says why the video is not to be had, as YouTube's does."""
    MEDIA = "media"
    """The file."""
    SEGMENT = "segment"
    """The HLS manifest or a segment: the video is offered as HLS alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way to fail."""

    phase: Phase
    act: Callable[[Any], None] | None = None
    """What the handler does instead of the answer; None: the words below are put into the watch page."""
    words: dict[str, Any] = field(default_factory=dict)
    """Keys of the watch page."""
    outcome: DropReason | str = GOT
    """How an attempt should end."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """A way to fail, and how often; ``times=None`` is for ever."""

    name: str
    times: int | None = None
    seen: int = 0
    """How often it happened."""
    lock: Any = field(default_factory=Lock)

    @property
    def kind(self) -> Kind:
        """The way to fail."""
        return KINDS[self.name]

    def strikes(self) -> bool:
        """Tell whether it happens now, and count it."""
        with self.lock:
            if self.times is not None and self.seen >= self.times:
                return False
            self.seen += 1
            return True


def _status(code: int, **headers: str) -> Callable[[Any], None]:
    return lambda handler: handler.answer(code, b"no", "text/plain", **headers)


def _words(
    reason: str, subreason: str = "", outcome: DropReason | str = GOT, *, status: str = "UNPLAYABLE", **more: Any
) -> Kind:
    playability = {"status": status, "reason": reason, "subreason": subreason, **more.pop("screen", {})}
    return Kind(
        phase=Phase.WORDS, words={"playability": playability, "formats": [], "manifest": None, **more}, outcome=outcome
    )


def _page(act: Callable[[Any], None], outcome: DropReason) -> Kind:
    return Kind(phase=Phase.PAGE, act=act, outcome=outcome)


def _media(act: Callable[[Any], None], outcome: DropReason | str) -> Kind:
    return Kind(phase=Phase.MEDIA, act=act, outcome=outcome)


def _segment(act: Callable[[Any], None], outcome: DropReason | str) -> Kind:
    return Kind(phase=Phase.SEGMENT, act=act, outcome=outcome)


R = DropReason
KINDS: dict[str, Kind] = {
    # the watch page does not come
    "page_401": _page(_status(401), R.REFUSED),
    "page_403": _page(_status(403), R.REFUSED),
    "page_404": _page(_status(404), R.REMOVED),
    "page_410": _page(_status(410), R.REMOVED),
    "page_429": _page(_status(429), R.RATE_LIMITED),
    "page_429_after": _page(_status(429, Retry_After="1800"), R.RATE_LIMITED),
    "page_429_date": _page(lambda h: h.answer(429, b"", Retry_After=h.http_date(1800)), R.RATE_LIMITED),
    "page_451": _page(_status(451), R.GEO_BLOCKED),
    "page_500": _page(_status(500), R.NETWORK),
    "page_503_after": _page(_status(503, Retry_After="600"), R.NETWORK),
    "page_reset": _page(lambda h: h.reset(), R.NETWORK),
    "page_silence": _page(lambda h: h.silence(), R.NETWORK),
    "page_loop": _page(lambda h: h.redirect_loop(), R.NETWORK),
    "page_to_private": _page(lambda h: h.redirect(h.site.canary_link("page")), R.FORBIDDEN_ADDRESS),
    "page_captcha": _page(
        lambda h: h.answer(403, b"<html><title>Just a moment...</title></html>", cf_mitigated="challenge"), R.BOT_CHECK
    ),
    # the watch page says why not, in YouTube's words
    "bot_check": _words(
        "Sign in to confirm you\u2019re not a bot",
        "This helps protect our community. Learn more",
        R.BOT_CHECK,
        status="LOGIN_REQUIRED",
    ),
    "captcha": _words("Video unavailable", "", R.BOT_CHECK, screen={"captcha": True}),
    "rate_limited": _words("This content isn't available, try again later.", "", R.RATE_LIMITED),
    "geo": _words("Video unavailable", "The uploader has not made this video available in your country", R.GEO_BLOCKED),
    "age": _words(
        "Sign in to confirm your age",
        "This video may be inappropriate for some users.",
        R.AGE_RESTRICTED,
        status="LOGIN_REQUIRED",
    ),
    "private": _words(
        "Private video",
        "Sign in if you've been granted access to this video",
        R.PRIVATE,
        status="LOGIN_REQUIRED",
    ),
    "members": _words(
        "Join this channel to get access to members-only content like this video, and other exclusive perks.",
        "",
        R.MEMBERS_ONLY,
    ),
    "login": _words("", "", R.MEMBERS_ONLY, screen={"login": True}),
    "removed": _words("Video unavailable", "This video has been removed by the uploader", R.REMOVED, status="ERROR"),
    "terminated": _words(
        "Video unavailable",
        "This video is no longer available because the YouTube account associated with this video has been terminated.",
        R.REMOVED,
        status="ERROR",
    ),
    "upcoming": _words(
        "This live event will begin in 2 hours.", "", R.NOT_YET, status="LIVE_STREAM_OFFLINE", live="is_upcoming"
    ),
    "premiere": _words("Premieres in 2 hours", "", R.NOT_YET, status="LIVE_STREAM_OFFLINE", live="is_upcoming"),
    "live": Kind(phase=Phase.WORDS, words={"live": "is_live", "formats": [], "hls": "live"}, outcome=R.NOT_YET),
    "drm": Kind(phase=Phase.WORDS, words={"drm": True}, outcome=R.NO_USABLE_FORMAT),
    "pictures_only": Kind(phase=Phase.WORDS, words={"storyboard_only": True}, outcome=R.NO_USABLE_FORMAT),
    # the file does not come, or not all of it
    "media_403": _media(_status(403), R.REFUSED),
    "media_404": _media(_status(404), R.REMOVED),
    "media_410": _media(_status(410), R.REMOVED),
    "media_429": _media(_status(429), R.RATE_LIMITED),
    "media_429_after": _media(_status(429, Retry_After="1800"), R.RATE_LIMITED),
    "media_500": _media(_status(500), R.NETWORK),
    "media_503": _media(_status(503), R.NETWORK),
    "media_503_after": _media(_status(503, Retry_After="600"), R.NETWORK),
    "media_silence": _media(lambda h: h.silence(), R.NETWORK),
    "media_reset": _media(lambda h: h.send_media(reset_at=0.5), R.TRUNCATED),
    "cut_body": _media(lambda h: h.send_media(stop_at=0.5), R.TRUNCATED),
    "long_length": _media(lambda h: h.send_media(announce=1000), R.TRUNCATED),
    "short_length": _media(lambda h: h.send_media(announce=-500), R.TRUNCATED),
    "cut_file": _media(lambda h: h.send_media(content=h.media[: -len(h.media) // 20]), R.TRUNCATED),
    "trickle": _media(lambda h: h.trickle(), R.NETWORK),
    "media_loop": _media(lambda h: h.redirect_loop(), R.NETWORK),
    "html": _media(lambda h: h.answer(200, b"<!DOCTYPE html><html><body>Log in.</body></html>"), R.UNSUPPORTED),
    "html_as_video": _media(
        lambda h: h.answer(200, b"<!DOCTYPE html><html><body>Log in.</body></html>", "video/mp4"), R.UNSUPPORTED
    ),
    "empty": _media(lambda h: h.answer(200, b"", "video/mp4"), R.EMPTY),
    "garbage": _media(lambda h: h.send_media(content=b"\x01\x02\x03" * 20_000), R.UNREADABLE),
    "sound_only": _media(lambda h: h.send_media(content=h.site.sound), R.NO_VIDEO),
    "media_to_private": _media(lambda h: h.redirect(h.site.canary_link("media")), R.FORBIDDEN_ADDRESS),
    # the file is whole, and not what was announced
    "lying_page": Kind(phase=Phase.WORDS, words={"duration": 600}, outcome=R.TRUNCATED),
    "lying_file": Kind(phase=Phase.WORDS, words={"lying_file": True}, outcome=R.TRUNCATED),
    # the answer is odd, and whole
    "no_ranges": _media(lambda h: h.send_media(ranges=False), GOT),
    "no_length": _media(lambda h: h.send_media(length=False), GOT),
    "moved": _media(lambda h: h.redirect(f"{h.path}&moved=1"), GOT),
    # HLS
    "hls": Kind(phase=Phase.WORDS, words={"formats": [], "hls": "plain"}, outcome=GOT),
    "hls_manifest_404": _segment(_status(404), R.REMOVED),
    "hls_segment_to_private": _segment(
        lambda h: h.send_manifest(segment=h.site.canary_link("seg")), R.FORBIDDEN_ADDRESS
    ),
    "hls_key_to_private": _segment(lambda h: h.send_manifest(key=h.site.canary_link("key")), R.FORBIDDEN_ADDRESS),
    "hls_to_private": _segment(lambda h: h.redirect(h.site.canary_link("m3u8")), R.FORBIDDEN_ADDRESS),
    "hls_segment_missing": _segment(lambda h: h.send_manifest(segment="/nowhere.ts"), R.REMOVED),
    "hls_drm": _segment(lambda h: h.send_manifest(method="SAMPLE-AES"), R.NO_USABLE_FORMAT),
}
"""Every way to fail by its name."""

HOSTILE_TITLES = (
    "../../x",
    "..\\..\\x",
    "/etc/passwd",
    "a" * 300,
    "\u00e9" * 300,
    "line\nbreak\rand\ttab",
    "\x1b[31mred\x1b]0;title\x07\x1b[2J",
    "null\x00byte",
    "right-to-left \u202egpj.exe",
    "%(id)s %(title)s",
    "$(touch x); `touch x` | & < >",
    "-rf",
    "",
    " ",
    "\U0001f3be\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\ud800 lone surrogate",
    '=HYPERLINK("http://127.0.0.1")',
)
"""Titles that must reach neither a path nor a terminal raw."""
