"""Feeds: RSS and Atom of several makers, read without asking anybody, and fetched only when they changed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import CollectConfig
from collectors.feeds import FeedLister, read_feed
from collectors.listing import Listing, list_source
from collectors.sources import SourceConfig, read_origins
from schema.errors import DropReason, ItemError
from tests.fake_site.server import FakeSite, Video

LINK = "https://example.org/feeds/all.xml"
S = 10**9
KEY = bytes(32)

YOUTUBE = b"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns:yt="http://www.youtube.com/xml/schemas/2015" xmlns:media="http://search.yahoo.com/mrss/"
 xmlns="http://www.w3.org/2005/Atom">
 <link rel="self" href="http://www.youtube.com/feeds/videos.xml?channel_id=UC1"/>
 <title>The Club</title>
 <author><name>The Club</name><uri>https://www.youtube.com/channel/UC1</uri></author>
 <entry>
  <id>yt:video:abc</id><yt:videoId>abc</yt:videoId>
  <title>Press conference &amp; more</title>
  <link rel="alternate" href="https://www.youtube.com/watch?v=abc"/>
  <author><name>The Club</name></author>
  <published>2026-05-19T23:30:00-02:00</published><updated>2026-06-01T00:00:00+00:00</updated>
  <media:group>
   <media:title>Press conference</media:title>
   <media:content url="https://www.youtube.com/v/abc?version=3" type="application/x-shockwave-flash" width="640"/>
   <media:thumbnail url="https://i1.ytimg.com/vi/abc/hqdefault.jpg"/>
  </media:group>
 </entry>
</feed>"""
PODCAST = b"""<?xml version="1.0"?><rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"
 xmlns:media="http://search.yahoo.com/mrss/"><channel>
 <title>Talks</title><link>https://example.org/</link>
 <item><title>One</title><link>https://example.org/one</link><pubDate>Tue, 19 May 2026 10:00:00 GMT</pubDate>
  <enclosure url="https://cdn.example.org/one.mp4" type="video/mp4" length="9"/>
  <itunes:duration>1:02:03</itunes:duration></item>
 <item><title>Two</title><link>/two</link><enclosure url="https://cdn.example.org/two.mp3" type="audio/mpeg"/></item>
 <item><title>Three</title><media:content url="https://cdn.example.org/three.webm" duration="61"/></item>
 <item><title>No link</title><guid isPermaLink="false">x</guid></item>
 <item><title>Another scheme</title><link>javascript:alert(1)</link></item>
</channel></rss>"""


def test_youtubes_feed_gives_watch_pages() -> None:
    (item,) = read_feed(YOUTUBE, link=LINK)
    assert item.link == "https://www.youtube.com/watch?v=abc"
    assert (item.facts.title, item.facts.channel) == ("Press conference & more", "The Club")
    assert item.facts.uploaded_on == "2026-05-20", "in UTC"


def test_a_podcast_gives_video_files_else_pages_and_leaves_out_what_has_no_link() -> None:
    items = read_feed(PODCAST, link=LINK)
    assert [(i.link, i.facts.title, i.facts.duration_ns) for i in items] == [
        ("https://cdn.example.org/one.mp4", "One", 3723 * S),
        ("https://example.org/two", "Two", None),
        ("https://cdn.example.org/three.webm", "Three", 61 * S),
    ]
    assert [(i.facts.uploaded_on, i.facts.channel) for i in items[:2]] == [("2026-05-19", "Talks"), (None, "Talks")]


@pytest.mark.parametrize("body", [b"", b"<html><body>Sign in</body></html>", b"{}", b"\x00\x01", b"/etc/passwd"])
def test_what_is_no_feed_is_told_so(body: bytes) -> None:
    with pytest.raises(ItemError, match="no RSS or Atom feed") as caught:
        read_feed(body, link=LINK)
    assert caught.value.reason is DropReason.UNSUPPORTED


def test_a_hostile_title_becomes_one_line() -> None:
    body = PODCAST.replace(b"<title>One</title>", "<title>a\u202eb&#10;\u2028c</title>".encode())
    assert read_feed(body, link=LINK)[0].facts.title == "a b c"


@given(st.binary(max_size=60), st.integers(0, len(PODCAST)))
def test_no_feed_is_too_broken_to_be_judged(noise: bytes, place: int) -> None:
    for body in (noise, PODCAST[:place] + noise + PODCAST[place:]):
        try:
            items = read_feed(body, link=LINK)
        except ItemError:
            continue
        assert all(item.link.startswith(("http://", "https://")) for item in items)


@pytest.fixture
def site() -> Iterator[FakeSite]:
    with FakeSite() as found:
        found.fill(40, into="press")
        yield found


def visit(site: FakeSite, link: str, folder: Path, state: dict[str, str | int], *, read_all: bool = False) -> Listing:
    (origin,) = read_origins([SourceConfig(kind="feed", url=link)], pseudonym_key=KEY)
    lister = FeedLister(CollectConfig(allow_private_hosts=(site.address,), retries=0), study_folder=folder)
    return list_source(origin, lister, known={}, state=state, read_all=read_all, pseudonym_key=KEY)


@pytest.mark.parametrize("kind", ["rss", "atom", "podcast"])
def test_an_unchanged_feed_is_not_sent_again(site: FakeSite, tmp_path: Path, kind: str) -> None:
    link = site.feed_link("press", kind)
    first = visit(site, link, tmp_path, {})
    assert (first.error, first.item_count, first.is_full) == (None, 15, True)
    again = visit(site, link, tmp_path, dict(first.state))
    assert (again.error, again.item_count, again.is_full, again.state) == (None, 0, False, first.state)
    anew = visit(site, link, tmp_path, dict(first.state), read_all=True)
    assert anew.item_count == 15
    site.add(Video(id="more"), into="press")
    changed = visit(site, link, tmp_path, dict(first.state))
    assert changed.item_count == 15
    assert [r.status for r in site.asked("feed")] == [200, 304, 200, 200]
    wanted = site.clip_link("more") if kind == "podcast" else site.watch_link("more")
    assert changed.news[0].item.link == wanted


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("page_404", DropReason.REMOVED),
        ("page_403", DropReason.REFUSED),
        ("page_429", DropReason.RATE_LIMITED),
        ("page_500", DropReason.NETWORK),
    ],
)
def test_a_feed_that_fails_says_why_and_keeps_its_state(
    site: FakeSite, tmp_path: Path, fault: str, reason: DropReason
) -> None:
    site.fail_list("press", fault)
    listing = visit(site, site.feed_link("press"), tmp_path, {"ETag": '"1"'})
    assert listing.error is not None
    assert (listing.error.reason, listing.state, listing.news) == (reason, {"ETag": '"1"'}, ())
    assert "press" not in listing.error.detail
    assert site.address not in listing.error.detail
