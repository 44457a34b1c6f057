"""The fake site against bare yt-dlp: what it offers arrives, and each of its faults is the one that it says."""

import gc
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError as UrllibHTTPError
from urllib.request import Request as UrllibRequest
from urllib.request import urlopen

import feedparser
import pytest
from yt_dlp import YoutubeDL
from yt_dlp.utils import YoutubeDLError

from schema.errors import DropReason
from tests.fake_site.clips import CLIP_SECONDS, FRAME_RATE, base_clip, file_bytes, lying_bytes, packet_count
from tests.fake_site.faults import GOT, HOSTILE_TITLES, KINDS, Phase
from tests.fake_site.plugins import load_extractors
from tests.fake_site.server import FakeSite, Format, Video

# bare yt-dlp forgets the connection of an answer that broke off
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

MUTE = type("Mute", (), {name: (lambda *_: None) for name in ("debug", "info", "warning", "error")})()

SAYS = {
    "page_401": "HTTP Error 401",
    "page_403": "HTTP Error 403",
    "page_404": "HTTP Error 404",
    "page_410": "HTTP Error 410",
    "page_429": "HTTP Error 429",
    "page_429_after": "HTTP Error 429",
    "page_429_date": "HTTP Error 429",
    "page_451": "HTTP Error 451",
    "page_500": "HTTP Error 500",
    "page_503_after": "HTTP Error 503",
    "page_reset": "reset by peer",
    "page_silence": "timed out",
    "page_loop": "redirect",
    "page_captcha": "HTTP Error 403",
    "bot_check": "Sign in to confirm you\u2019re not a bot. Use --cookies",
    "captcha": "requiring a captcha challenge",
    "rate_limited": "rate-limited by YouTube",
    "geo": "The uploader has not made this video available in your country",
    "age": "Sign in to confirm your age",
    "private": "Private video. Sign in if you've been granted access",
    "members": "Join this channel to get access to members-only content",
    "login": "only available for registered users",
    "removed": "Video unavailable. This video has been removed by the uploader",
    "terminated": "account associated with this video has been terminated",
    "upcoming": "This live event will begin in 2 hours",
    "premiere": "Premieres in 2 hours",
    "drm": "DRM",
    "pictures_only": "Requested format is not available",
    "media_403": "HTTP Error 403",
    "media_404": "HTTP Error 404",
    "media_410": "HTTP Error 410",
    "media_429": "HTTP Error 429",
    "media_429_after": "HTTP Error 429",
    "media_500": "HTTP Error 500",
    "media_503": "HTTP Error 503",
    "media_503_after": "HTTP Error 503",
    "media_silence": "timed out",
    "media_reset": "reset by peer|bytes read",
    "cut_body": "bytes read, [0-9]+ more expected",
    "long_length": "bytes read, 1000 more expected",
    "media_loop": "redirect",
    "empty": "unable to download|empty|Did not get any data",
    "hls_manifest_404": "HTTP Error 404",
    "hls_segment_missing": "HTTP Error 404|fragment",
}
"""What bare yt-dlp says to a fault; the others pass yt-dlp unnoticed, or lead to the canary."""
REACHES_CANARY = frozenset(name for name in KINDS if name.endswith("_to_private"))
UNNOTICED = KINDS.keys() - SAYS.keys() - REACHES_CANARY - {"live", "trickle", "hls_drm"}


@pytest.fixture
def site() -> Iterator[FakeSite]:
    load_extractors()
    with FakeSite() as found:
        yield found


@pytest.fixture
def ytdlp(tmp_path: Path) -> Iterator[YoutubeDL]:
    options: dict[str, Any] = {
        "logger": MUTE,
        "noprogress": True,
        "cachedir": False,
        "fixup": "never",
        "socket_timeout": 10.0,
        "retries": 0,
        "fragment_retries": 0,
        "skip_unavailable_fragments": False,
        "hls_prefer_native": True,
        "paths": {"home": str(tmp_path)},
        "outtmpl": {"default": "%(id)s.file"},
    }
    with YoutubeDL(options) as downloader:
        yield downloader
    del downloader
    gc.collect()


def test_every_fault_is_judged_by_a_word_of_the_house() -> None:
    assert {kind.outcome for kind in KINDS.values()} <= {GOT, *DropReason}
    wanted = set(DropReason) & {kind.outcome for kind in KINDS.values()}
    assert wanted >= {
        DropReason.REMOVED, DropReason.PRIVATE, DropReason.GEO_BLOCKED, DropReason.AGE_RESTRICTED,
        DropReason.MEMBERS_ONLY, DropReason.NOT_YET, DropReason.BOT_CHECK, DropReason.RATE_LIMITED, DropReason.REFUSED,
        DropReason.FORBIDDEN_ADDRESS, DropReason.NETWORK, DropReason.NO_USABLE_FORMAT, DropReason.TRUNCATED,
    }  # fmt: skip


@pytest.mark.parametrize("number", range(len(CLIP_SECONDS)))
def test_the_clips_are_whole_and_their_marks_change_no_picture(number: int) -> None:
    one, other = (file_bytes(number, mark) for mark in ("one", "other"))

    assert one != other
    assert packet_count(one) == packet_count(other) == CLIP_SECONDS[number] * FRAME_RATE
    assert packet_count(lying_bytes(number, times=10)) == packet_count(base_clip(number).mp4)


@pytest.mark.parametrize("link_of", ["watch_link", "clip_link"])
def test_a_file_arrives_byte_for_byte(site: FakeSite, ytdlp: YoutubeDL, tmp_path: Path, link_of: str) -> None:
    site.add(Video(id="talk", title="A talk", clip=1))

    info = ytdlp.extract_info(getattr(site, link_of)("talk"))

    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == site.videos["talk"].content
    assert info["extractor"] == ("fakesite" if link_of == "watch_link" else "generic")
    assert site.asked("thumbnail") == []
    assert site.canary_hits == []


def test_a_watch_page_tells_what_a_study_records(site: FakeSite, ytdlp: YoutubeDL) -> None:
    forms = (Format(format_id="18", height=360), Format(format_id="22", height=720))
    site.add(Video(id="talk", title="A talk", channel="Court", uploaded_on="2026-03-04", formats=forms, language="en"))

    info = ytdlp.extract_info(site.watch_link("talk"), download=False)

    keys = ("id", "title", "channel", "upload_date", "duration", "language", "live_status")
    assert [info[key] for key in keys] == ["talk", "A talk", "Court", "20260304", 4.0, "en", "not_live"]
    assert {f["format_id"] for f in info["formats"]} == {"18", "22"}


def test_a_list_of_500_is_read_page_by_page_and_only_as_far_as_it_is_asked_for(
    site: FakeSite, ytdlp: YoutubeDL
) -> None:
    site.fill(500, into="press")

    info = ytdlp.extract_info(site.list_link("press"), process=False)
    assert [r.page for r in site.asked("list")] == [1]

    entries = iter(info["entries"])
    first = [next(entries)["id"] for _ in range(60)]
    assert [r.page for r in site.asked("list")] == [1, 2]
    assert first[0] == "video-0499"

    rest = [entry["id"] for entry in entries]
    assert len({*first, *rest}) == 500
    assert len(site.asked("list", "press")) == 10
    assert site.asked("page") == []


def test_a_list_shows_edits_between_visits(site: FakeSite, ytdlp: YoutubeDL) -> None:
    site.fill(4, into="press")

    def titles() -> dict[str, str]:
        info = ytdlp.extract_info(site.list_link("press"), process=False)
        return {entry["id"]: entry["title"] for entry in info["entries"]}

    before = titles()
    site.videos["video-0001"].title = "Corrected"
    site.remove("video-0002")
    site.add(Video(id="newest", title="News"), into="press")
    after = titles()

    assert list(before) == ["video-0003", "video-0002", "video-0001", "video-0000"]
    assert list(after) == ["newest", "video-0003", "video-0001", "video-0000"]
    assert after["video-0001"] == "Corrected"


def test_a_channel_leads_to_its_list(site: FakeSite, ytdlp: YoutubeDL) -> None:
    site.fill(3, into="Court")

    info = ytdlp.extract_info(site.channel_link("Court"), process=False)

    (tab,) = info["entries"]
    assert tab["url"] == site.list_link("Court")


def test_a_page_of_a_list_breaks_off_once(site: FakeSite, ytdlp: YoutubeDL) -> None:
    site.fill(120, into="press")
    site.fail_list("press", "page_500", page=3, times=1)

    info = ytdlp.extract_info(site.list_link("press"), process=False)
    with pytest.raises(YoutubeDLError, match="500"):
        list(info["entries"])
    info = ytdlp.extract_info(site.list_link("press"), process=False)
    assert len(list(info["entries"])) == 120


def test_a_search_finds_titles_newest_first(site: FakeSite, ytdlp: YoutubeDL) -> None:
    site.add(
        Video(id="a", title="Anna Ace, first round", uploaded_on="2026-01-01"),
        Video(id="b", title="ANNA ACE final", uploaded_on="2026-02-01"),
        Video(id="c", title="Berta Lob", uploaded_on="2026-03-01"),
    )

    info = ytdlp.extract_info("fakesearchdate10:anna ace", process=False)

    assert [entry["id"] for entry in info["entries"]] == ["b", "a"]
    assert len(site.asked("search")) == 1


@pytest.mark.parametrize(
    ("kind", "first"), [("rss", "watch?v=video-0019"), ("atom", "watch?v=video-0019"), ("podcast", "clip/")]
)
def test_a_feed_holds_the_newest_and_answers_304(site: FakeSite, kind: str, first: str) -> None:
    site.fill(20, into="press")

    with urlopen(site.feed_link("press", kind)) as answer:
        feed, etag = feedparser.parse(answer.read()), answer.headers["ETag"]
    with pytest.raises(UrllibHTTPError, match="304"):
        urlopen(UrllibRequest(site.feed_link("press", kind), headers={"If-None-Match": etag}))

    assert len(feed.entries) == 15
    entry = feed.entries[0]
    assert first in (entry.enclosures[0]["href"] if kind == "podcast" else entry.link)
    site.videos["video-0019"].title = "Edited"
    with urlopen(UrllibRequest(site.feed_link("press", kind), headers={"If-None-Match": etag})) as answer:
        assert b"Edited" in answer.read()


@pytest.mark.parametrize("name", sorted(SAYS))
def test_ytdlp_says_what_the_fault_is(site: FakeSite, ytdlp: YoutubeDL, name: str) -> None:
    site.add(Video(id="talk"))
    fault = site.fail("talk", name)
    if name.endswith("silence"):
        ytdlp.params["socket_timeout"] = 0.5

    with pytest.raises(YoutubeDLError, match=f"(?i){SAYS[name]}"):
        ytdlp.extract_info(site.watch_link("talk"))

    assert fault.seen >= (fault.kind.act is not None or fault.kind.phase is Phase.WORDS)
    assert site.canary_hits == []


@pytest.mark.parametrize("name", sorted(UNNOTICED))
def test_a_fault_that_ytdlp_does_not_notice_leaves_a_file(
    site: FakeSite, ytdlp: YoutubeDL, tmp_path: Path, name: str
) -> None:
    site.add(Video(id="talk"))
    site.fail("talk", name)

    ytdlp.extract_info(site.watch_link("talk"))

    (path,) = tmp_path.iterdir()
    is_same = path.read_bytes() == site.videos["talk"].content
    assert is_same == ((KINDS[name].phase is Phase.MEDIA and KINDS[name].outcome == GOT) or name.startswith("lying"))


@pytest.mark.parametrize("name", sorted(REACHES_CANARY))
def test_bare_ytdlp_follows_where_pressroom_must_not(site: FakeSite, ytdlp: YoutubeDL, name: str) -> None:
    site.add(Video(id="talk"))
    site.fail("talk", name)

    try:
        ytdlp.extract_info(site.watch_link("talk"))
    except YoutubeDLError as error:
        assert re.search("data|key|Invalid|AES|decrypt|manifest|formats", str(error)), error  # noqa: PT017

    assert len(site.canary_hits) == 1


def test_a_broadcast_is_live_and_its_manifest_does_not_end(site: FakeSite, ytdlp: YoutubeDL) -> None:
    site.add(Video(id="talk"))
    site.fail("talk", "live")

    info = ytdlp.extract_info(site.watch_link("talk"), download=False)

    assert info["live_status"] == "is_live"
    with urlopen(f"{site.link}/hls/talk/live.m3u8") as answer:
        assert b"ENDLIST" not in answer.read()


def test_a_broadcast_to_come_tells_when_where_errors_are_passed_over(site: FakeSite, ytdlp: YoutubeDL) -> None:
    ytdlp.params["ignore_no_formats_error"] = True
    site.add(Video(id="talk", starts_s=2_000_000_000))
    site.fail("talk", "upcoming", times=1)

    info = ytdlp.extract_info(site.watch_link("talk"), download=False)

    assert (info["live_status"], info["release_timestamp"]) == ("is_upcoming", 2_000_000_000)


def test_a_trickle_takes_longer_than_any_limit(site: FakeSite) -> None:
    site.add(Video(id="talk"))
    site.fail("talk", "trickle")

    with urlopen(f"{site.link}/media/talk/22.mp4") as answer:
        assert int(answer.headers["Content-Length"]) == len(site.videos["talk"].content)
        assert len(answer.read1(100_000)) <= 400


def test_faults_pass_and_the_log_tells_how_often_all_was_sent(site: FakeSite, ytdlp: YoutubeDL) -> None:
    site.add(Video(id="talk"))
    site.fail("talk", "page_429_after", times=1)
    site.fail("talk", "cut_body", times=1)
    link = site.watch_link("talk")

    with pytest.raises(YoutubeDLError, match="429"):
        ytdlp.extract_info(link)
    with pytest.raises(YoutubeDLError, match="more expected"):
        ytdlp.extract_info(link)
    assert site.full_downloads("talk") == 0
    ytdlp.extract_info(link)

    size = len(site.videos["talk"].content)
    assert [r.status for r in site.asked("page", "talk")] == [429, 200, 200]
    cut, rest = site.asked("media", "talk")
    assert (cut.status, cut.is_whole, rest.status, rest.is_whole) == (200, False, 206, True)
    assert 0 < rest.first_byte <= cut.sent_bytes < size == rest.first_byte + rest.sent_bytes
    assert site.full_downloads("talk") == 0


def test_a_range_of_a_file_that_changed_is_answered_with_all_of_it(site: FakeSite) -> None:
    site.add(Video(id="talk"))
    link = f"{site.link}/media/talk/22.mp4"
    with urlopen(link) as answer:
        etag = answer.headers["ETag"]

    def part() -> tuple[int, int]:
        with urlopen(UrllibRequest(link, headers={"Range": "bytes=1000-", "If-Range": etag})) as answer:
            return answer.status, len(answer.read())

    size = len(site.videos["talk"].content)
    assert part() == (206, size - 1000)
    site.videos["talk"].revision = 2
    assert part() == (200, size)
    with pytest.raises(UrllibHTTPError, match="416"):
        urlopen(UrllibRequest(link, headers={"Range": f"bytes={size}-"}))


def test_watchers_are_told_in_the_middle_of_a_file(site: FakeSite, ytdlp: YoutubeDL) -> None:
    site.add(Video(id="talk"))
    told: list[tuple[str, str]] = []
    site.watchers.append(lambda request, moment: told.append((request.kind, moment)))

    ytdlp.extract_info(site.watch_link("talk"))

    moments = [("page", "asked"), ("page", "sent"), ("media", "asked"), ("media", "half"), ("media", "sent")]
    assert set(told) == set(moments)


@pytest.mark.parametrize("title", HOSTILE_TITLES, ids=range(len(HOSTILE_TITLES)))
def test_hostile_titles_arrive_in_pages_and_lists(site: FakeSite, ytdlp: YoutubeDL, title: str) -> None:
    site.add(Video(id="talk", title=title), into="press")

    info = ytdlp.extract_info(site.list_link("press"), process=False)

    assert [entry.get("title") or "" for entry in info["entries"]] == [title]
    page = ytdlp.extract_info(site.watch_link("talk"), download=False, process=False)
    assert page["title"] == title
    with urlopen(site.feed_link("press")) as answer:
        assert len(feedparser.parse(answer.read()).entries) == 1


def test_it_plays_a_proxy_for_any_name(site: FakeSite) -> None:
    site.add(Video(id="talk"))
    with socket.create_connection((site.address, site.port)) as client:
        client.sendall(b"GET http://press.example/watch?v=talk HTTP/1.0\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
    assert site.asked("page", "talk")[0].path == "http://press.example/watch?v=talk"


def test_two_sites_stand_beside_each_other_and_the_first_is_searched() -> None:
    load_extractors()
    with FakeSite() as first, FakeSite(address="127.0.0.3") as second:
        assert os.environ["FAKE_SITE"] == first.link != second.link
    assert "FAKE_SITE" not in os.environ
