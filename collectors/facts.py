"""What a site tells about a video before its content is copied."""

import re
from dataclasses import dataclass

_UNSAFE = re.compile(
    # control characters, which a terminal obeys, and marks that turn the reading direction of what follows
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]+"
)
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Return a stranger's text fit for a terminal and a table: one line, without control characters.

    Half a surrogate pair, which JSON can carry and UTF-8 can't, becomes a question mark.
    """
    return " ".join(_LONE_SURROGATE.sub("?", _UNSAFE.sub(" ", text)).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A site's words about one video; None where it does not say. Private: titles and channels name people."""

    title: str | None = None
    description: str | None = None
    channel: str | None = None
    """Channel or uploader, as it is displayed."""
    channel_links: tuple[str, ...] = ()
    """Links of the channel and of the uploader: one site names a channel by an id and by a handle."""
    uploaded_on: str | None = None
    """Date of upload, YYYY-MM-DD (UTC)."""
    duration_ns: int | None = None
    """Length that the site announces."""
    height_px: int | None = None
    """Height of the picture that would be downloaded."""
    language: str | None = None
    """BCP 47 code of the spoken language."""
    is_live: bool | None = None
    """On air, or announced for later."""
