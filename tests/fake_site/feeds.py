"""The site's feeds."""

import re
import time
from email.utils import formatdate
from html import escape
from typing import TYPE_CHECKING

from tests.fake_site.videos import Video

if TYPE_CHECKING:
    from tests.fake_site.server import FakeSite


def rss(site: "FakeSite", name: str, videos: list[Video], kind: str) -> str:
    """Write a list as RSS; the items of a podcast lead to their files alone."""
    items = []
    for video in videos:
        link = escape(site.watch_link(video.id))
        file = escape(site.clip_link(video.id))
        enclosed = f'<enclosure url="{file}" type="video/mp4" length="1"/>' if kind == "podcast" else ""
        shown = "" if kind == "podcast" else f"<link>{link}</link>"
        date = formatdate(time.mktime(time.strptime(video.uploaded_on, "%Y-%m-%d")), usegmt=True)
        items.append(
            f"<item><title>{_xml(video.title)}</title>{shown}<guid>{link}</guid>{enclosed}"
            f"<description>{_xml(video.description)}</description><pubDate>{date}</pubDate></item>"
        )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>{_xml(name)}</title>'
        f"<link>{site.link}</link><description/>{''.join(items)}</channel></rss>"
    )


def atom(site: "FakeSite", name: str, videos: list[Video], kind: str) -> str:
    """Write a list as Atom."""
    entries = "".join(
        f"<entry><id>{kind}:{v.id}</id><title>{_xml(v.title)}</title>"
        f'<link rel="alternate" href="{escape(site.watch_link(v.id))}"/>'
        f"<author><name>{_xml(v.channel)}</name></author>"
        f"<published>{v.uploaded_on}T12:00:00+00:00</published><updated>{v.uploaded_on}T12:00:00+00:00</updated>"
        f"</entry>"
        for v in videos
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom">'
        f"<title>{_xml(name)}</title><id>feed:{_xml(name)}</id><updated>2026-01-01T00:00:00Z</updated>"
        f"{entries}</feed>"
    )


def _xml(text: str) -> str:
    return escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", "", text))
