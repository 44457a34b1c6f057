"""Real yt-dlp against a loopback site: typed faults, counted bytes, and nothing private in paths, logs or details."""

import logging
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from email.message import Message
from email.utils import formatdate
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from collectors.base import AlreadyHeld, CollectConfig, Fetched, Missed, Offer, SourceEntry, collect_sources
from collectors.ytdlp.download import YtDlpCollector
from collectors.ytdlp.downloader import open_downloader
from collectors.ytdlp.errors import retry_after_s
from collectors.ytdlp.formats import facts_of, format_options, format_text
from schema.errors import ConfigError, DropReason, ItemError, PutOffError, StoreFullError
from schema.privacy import make_source_id
from tests.collectors.conftest import serve, status, text
from tests.media_files import constant_rate

KEY = bytes(range(32))
LOCAL = ("127.0.0.1",)
QUICK = CollectConfig(socket_timeout_s=1.0, retries=1, retry_pause_s=0.0, allow_private_hosts=LOCAL)
PLATFORM_ID = "dQw4w9WgXcQ"
PLAYER = "Steffi_Sampras"


def entry_for(location: str) -> SourceEntry:
    return SourceEntry(source_id=make_source_id(KEY, location), location=location, person_id=None)


def collect(
    link: str,
    folder: Path,
    config: CollectConfig = QUICK,
    held: Callable[[str, str], bool] = lambda *_: False,
    **more: Any,
) -> Fetched | AlreadyHeld | Missed:
    (row,) = collect_sources(
        [entry_for(link)], pseudonym_key=KEY, work_folder=folder, already_held=held, config=config, **more
    )
    return row


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("404", DropReason.REMOVED),
        ("410", DropReason.REMOVED),
        ("401", DropReason.REFUSED),
        ("403", DropReason.REFUSED),
        ("451", DropReason.GEO_BLOCKED),
        ("429", DropReason.RATE_LIMITED),
        ("500", DropReason.NETWORK),
        ("503", DropReason.NETWORK),
        ("silence", DropReason.NETWORK),
        ("half", DropReason.TRUNCATED),
        ("empty", DropReason.EMPTY),
        ("page", DropReason.UNSUPPORTED),
        ("page_as_video", DropReason.UNSUPPORTED),
        ("noise", DropReason.UNREADABLE),
        ("cut_film", DropReason.TRUNCATED),
    ],
)
def test_a_fault_is_typed_and_leaves_nothing_behind(
    fault_link: Callable[..., str], tmp_path: Path, answer: str, reason: DropReason
) -> None:
    row = collect(fault_link(answer), tmp_path)

    assert isinstance(row, Missed)
    assert row.dropped.reason is reason, row.dropped.detail
    assert row.dropped.item_id.startswith("l")
    assert row.dropped.detail
    assert list(tmp_path.iterdir()) == []


def test_a_dead_address_is_a_network_fault(tmp_path: Path) -> None:
    for link in ("http://127.0.0.1:1/clip.mp4", "http://no-such-host.invalid/clip.mp4"):
        row = collect(link, tmp_path)
        assert isinstance(row, Missed)
        assert row.dropped.reason is DropReason.NETWORK


def test_a_whole_file_arrives_byte_for_byte(fault_link: Callable[..., str], tmp_path: Path, body: bytes) -> None:
    link = fault_link("whole")

    row = collect(link, tmp_path)

    assert isinstance(row, Fetched)
    assert row.path.read_bytes() == body
    assert row.record.sha256 == sha256(body).hexdigest()
    assert (row.path.name, row.platform, row.native_id) == (f"{row.entry.source_id}.mp4", "generic", link)


def test_a_broken_download_is_taken_up_where_it_stopped(
    fault_link: Callable[..., str], site: Any, tmp_path: Path, body: bytes
) -> None:
    row = collect(fault_link("broken_once"), tmp_path)

    assert isinstance(row, Fetched)
    assert row.path.read_bytes() == body
    assert re.fullmatch(r"bytes=[1-9]\d*-", site.ranges[-1])


def test_a_trickling_server_does_not_hold_the_run(fault_link: Callable[..., str], tmp_path: Path) -> None:
    row = collect(fault_link("trickle"), tmp_path, replace(QUICK, retries=0, download_limit_s=0.5))

    assert isinstance(row, Missed)
    assert row.dropped.reason is DropReason.NETWORK


def test_a_held_video_is_looked_up_and_not_downloaded(
    fault_link: Callable[..., str], site: Any, tmp_path: Path
) -> None:
    link = fault_link("whole")
    asked: list[tuple[str, str]] = []

    def held(platform: str, native_id: str) -> bool:
        asked.append((platform, native_id))
        return True

    row = collect(link, tmp_path, held=held)

    assert isinstance(row, AlreadyHeld)
    assert asked == [("generic", link)]
    assert len(site.ranges) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_unwanted_offer_costs_no_byte_and_its_reason_is_told(
    fault_link: Callable[..., str], site: Any, tmp_path: Path
) -> None:
    def refuse(entry: SourceEntry, offer: Offer) -> None:
        assert (offer.byte_count, offer.facts.title) == (300_000, "clip")
        raise ItemError(DropReason.FILTERED, "too early")

    row = collect(fault_link("whole"), tmp_path, check_offer=refuse, held=lambda *_: True)

    assert isinstance(row, Missed)
    assert (row.dropped.reason, row.dropped.detail, row.byte_count) == (DropReason.FILTERED, "too early", 0)
    assert len(site.ranges) == 1


def test_the_hook_is_told_each_host_before_a_look_up_and_may_put_the_item_off(
    fault_link: Callable[..., str], site: Any, tmp_path: Path
) -> None:
    asked: list[str] = []
    row = collect(fault_link("whole"), tmp_path, on_request=asked.append)
    assert isinstance(row, Fetched)
    assert asked == ["127.0.0.1"]
    assert len(site.ranges) == 2

    def put_off(host: str) -> None:
        raise PutOffError(host, until_ns=1, why="it asked to")

    with pytest.raises(PutOffError):
        collect(fault_link("whole", "/other.mp4"), tmp_path, on_request=put_off)
    assert len(site.ranges) == 2


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": formatdate(1000, usegmt=True), "Date": formatdate(400, usegmt=True)}, 600),
        ({"Retry-After": formatdate(1, usegmt=True)}, 0),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "\u0663"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], wait_s: float | None) -> None:
    message = Message()
    for name, value in headers.items():
        message[name] = value
    assert retry_after_s(message) == wait_s


@pytest.mark.parametrize("code", [429, 503])
def test_a_server_that_says_when_to_come_back_is_heard(site: Any, tmp_path: Path, code: int) -> None:
    row = collect(site.link("/a.mp4", status(code, Retry_After="77")), tmp_path)
    assert isinstance(row, Missed)
    assert row.retry_after_s == 77
    assert row.dropped.detail == f"the server answered {code}"


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def told_so_far(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    caplog.set_level(logging.DEBUG)
    return lambda: " ".join([caplog.text, *capfd.readouterr()])


@pytest.mark.parametrize("answer", ["whole", "404", "half", "page", "500", "silence", "page_as_video"])
def test_ids_names_and_links_reach_no_path_log_or_detail(
    fault_link: Callable[..., str], tmp_path: Path, own_home: Path, told_so_far: Callable[[], str], answer: str
) -> None:
    folder = tmp_path / "work"

    row = collect(fault_link(answer, f"/{PLATFORM_ID}/{PLAYER}.{PLAYER}"), folder)

    paths = " ".join(os.path.relpath(path, tmp_path) for path in tmp_path.rglob("*"))
    told = f"{told_so_far()} {paths} {row.dropped.detail if isinstance(row, Missed) else ''}"
    assert list(own_home.iterdir()) == []
    for private in (PLATFORM_ID, PLAYER, "Sampras", "127.0.0.1"):
        assert private.lower() not in told.lower()
    assert isinstance(row, Fetched) == (answer == "whole")


def test_two_links_to_one_file_name_are_two_videos(fault_link: Callable[..., str], tmp_path: Path) -> None:
    rows = [collect(fault_link("whole", f"/{n}/video.mp4"), tmp_path) for n in (1, 2)]

    assert all(isinstance(row, Fetched) for row in rows)
    assert len({row.video_id for row in rows if isinstance(row, Fetched)}) == 2


@pytest.mark.parametrize("location", ["ftp://example.org/a.mp4", "file:///etc/passwd", "ytsearch:press conference"])
def test_only_http_links_are_followed(location: str) -> None:
    with pytest.raises(ConfigError, match="http and https"), YtDlpCollector(QUICK).open(entry_for(location)):
        pass


def test_a_full_disk_stops_the_run_and_says_so(
    fault_link: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_full(self: object, name: str, mode: str) -> Any:
        return Path("/dev/full").open("wb", buffering=0), name

    monkeypatch.setattr("yt_dlp.downloader.common.FileDownloader.sanitize_open", open_full)

    with pytest.raises(StoreFullError, match="full"):
        collect(fault_link("whole"), tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []


def format_row(name: str, codec: str, height: int | None, protocol: str = "https", sound: str = "none") -> Any:
    row = {"format_id": name, "url": f"https://e.org/{name}", "ext": "mp4", "vcodec": codec, "protocol": protocol}
    return (
        {**row, "acodec": sound} if height is None else {**row, "acodec": sound, "height": height, "width": height * 2}
    )


def chosen_of(formats: list[Any], config: CollectConfig) -> Any:
    info: Any = {"id": "x", "title": "x", "extractor": "e", "formats": [format_row(*row) for row in formats]}
    with open_downloader(config, options=format_options(config)) as downloader:
        return downloader.process_ie_result(info, download=False)


@pytest.mark.parametrize(
    ("formats", "chosen"),
    [
        ([("a", "avc1", 360), ("b", "vp9", 720), ("c", "avc1", 720), ("d", "avc1", 1080)], "c"),
        ([("a", "avc1", 720, "m3u8_native"), ("b", "avc1", 480)], "b"),
        ([("a", "vp9", 1080), ("b", "vp9", 2160)], "a"),
        ([("a", "none", None), ("b", "vp9", None)], "b"),
        ([("a", "avc1", 720, "https", "mp4a"), ("b", "avc1", 720)], "b"),
        ([("a", "avc1", 720, "rtmp"), ("b", "avc1", 480, "m3u8_native")], "b"),
    ],
)
def test_the_best_plain_file_within_the_height_is_chosen(formats: list[Any], chosen: str) -> None:
    assert chosen_of(formats, QUICK)["format_id"] == chosen


@pytest.mark.parametrize(
    ("changes", "chosen"),
    [
        ({"max_height_px": 480}, "low"),
        ({"prefer_codec": "vp9"}, "vp9"),
        ({"prefer_codec": "av1"}, "av1"),
        ({"sound": True}, "sound"),
        ({"sound": True, "max_height_px": 240}, "sound"),
    ],
)
def test_the_study_states_height_codec_and_sound(changes: dict[str, Any], chosen: str) -> None:
    formats = [("low", "avc1", 480), ("h264", "avc1", 720), ("vp9", "vp09", 720), ("av1", "av01", 720)]
    formats.append(("sound", "avc1", 360, "https", "mp4a"))  # type: ignore[arg-type]
    assert chosen_of(formats, replace(QUICK, **changes))["format_id"] == chosen


def test_a_video_in_no_usable_form_says_so(tmp_path: Path) -> None:
    from yt_dlp.utils import YoutubeDLError

    from collectors.ytdlp.errors import item_error

    info: Any = {"id": "x", "title": "x", "extractor": "e", "formats": [format_row("a", "avc1", 720, "rtmp")]}
    with open_downloader(QUICK, options=format_options(QUICK)) as downloader:
        with pytest.raises(YoutubeDLError) as caught:
            downloader.process_ie_result(info, download=False)
        assert item_error(downloader, caught.value).reason is DropReason.NO_USABLE_FORMAT


def test_what_was_got_is_told_in_words() -> None:
    info = {"format_id": "22", "vcodec": "h264.64001F", "width": 1280, "height": 720, "ext": "mp4", "acodec": "mp4a.40"}
    assert format_text(info) == "22 h264 1280x720 mp4 with sound"
    assert format_text({"format_id": "137\x1b[2J", "acodec": "none"}) == "137 [2J without sound"


def test_facts_are_fit_for_a_table_and_a_terminal() -> None:
    facts = facts_of(
        {
            "title": "../../x\x1b]0;gone\x07\u202eknil\ud800" + "t" * 300,
            "description": "one\ntwo",
            "uploader": " A  channel ",
            "uploader_url": "https://e.org/c",
            "upload_date": "20240229",
            "duration": 61.5,
            "height": 720,
            "live_status": "was_live",
        }
    )
    assert facts.title == "../../x ]0;gone knil?" + "t" * 300
    assert (facts.description, facts.channel, facts.uploaded_on) == ("one two", "A channel", "2024-02-29")
    assert (facts.duration_ns, facts.height_px, facts.is_live) == (61_500_000_000, 720, False)


@pytest.mark.parametrize(
    "info", [{"upload_date": "20241340"}, {"timestamp": 1e300}, {"duration": -1}, {"duration": 1e300}, {"title": 5}]
)
def test_facts_that_make_no_sense_are_unknown(info: dict[str, Any]) -> None:
    facts = facts_of(info)
    assert (facts.uploaded_on, facts.duration_ns, facts.title) == (None, None, None)


JAR = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t{expires}\tsession\tsecret-value\n"


def test_cookies_are_sent_and_their_file_is_left_alone(site: Any, tmp_path: Path) -> None:
    sent: list[str] = []

    def greedy(handler: Any) -> None:
        sent.append(handler.headers.get("Cookie", ""))
        status(404, Set_Cookie="more=1; Max-Age=9999")(handler)

    cookies = tmp_path / "cookies.txt"
    cookies.write_text(JAR.format(expires=0), encoding="utf-8")
    cookies.chmod(0o400)
    before = (cookies.read_bytes(), cookies.stat().st_mtime_ns)

    row = collect(
        site.link("/a.mp4", greedy), tmp_path / "w", replace(QUICK, cookies_file="cookies.txt"), study_folder=tmp_path
    )

    assert isinstance(row, Missed)
    assert sent[0] == "session=secret-value"
    assert (cookies.read_bytes(), cookies.stat().st_mtime_ns) == before
    assert list((tmp_path / "w").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"secret-value",
        b"[{secret-value}]",
        b"\xff secret-value",
        JAR.format(expires="secret-value").encode(),
        JAR.format(expires=1).replace("\tFALSE\t/", " FALSE /").encode(),
    ],
)
def test_a_bad_cookies_file_is_one_line_without_a_cookie(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "cookies.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=r"collect\.cookies_file") as caught:
        open_downloader(replace(QUICK, cookies_file="cookies.txt"), study_folder=tmp_path)
    said = " ".join([str(caught.value), *capfd.readouterr()])
    assert "secret" not in said
    assert "\n" not in str(caught.value)


def test_the_user_agent_is_the_study_s(site: Any, tmp_path: Path) -> None:
    seen: list[str] = []

    def agent(handler: Any) -> None:
        seen.append(handler.headers["User-Agent"])
        status(404)(handler)

    collect(site.link("/a.mp4", agent), tmp_path, replace(QUICK, user_agent="study/1 (me@example.org)"))
    assert set(seen) == {"study/1 (me@example.org)"}


@pytest.mark.parametrize(
    "proxy", ["ftp://hidden:1", "hidden:1", "https://hidden:1", "socks5://", "http://hidden:99999", "//hidden"]
)
def test_a_proxy_that_can_t_be_used_is_refused(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"collect\.proxy"):
        CollectConfig(proxy=proxy)
    monkeypatch.setenv("PRESSROOM_PROXY", proxy)
    with pytest.raises(ConfigError, match="PRESSROOM_PROXY") as caught:
        open_downloader(QUICK)
    assert "hidden" not in str(caught.value)


def test_a_proxy_s_password_stays_out_of_the_study_file() -> None:
    with pytest.raises(ConfigError, match="PRESSROOM_PROXY") as caught:
        CollectConfig(proxy="http://me:hidden@h:1")
    assert "hidden" not in str(caught.value)


def test_a_page_is_read_whole_and_not_modified_is_an_answer(site: Any) -> None:
    def feed(handler: Any) -> None:
        if handler.headers.get("If-None-Match") == '"1"':
            status(304)(handler)
        else:
            handler.head(200, "text/xml", 6, ETag='"1"')
            handler.wfile.write(b"<rss/>")

    link = site.link("/feed", feed)
    with open_downloader(QUICK) as downloader:
        page = downloader.fetch_page(link)
        assert (page.status, page.body, page.headers["ETag"]) == (200, b"<rss/>", '"1"')
        assert downloader.fetch_page(link, {"If-None-Match": '"1"'}).status == 304
        with pytest.raises(ItemError) as caught:
            downloader.fetch_page(site.link("/gone", status(410)))
        assert caught.value.reason is DropReason.REMOVED


def test_a_page_without_end_is_refused(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collectors.ytdlp.downloader.LARGEST_PAGE_BYTES", 1000)

    def long(handler: Any) -> None:
        handler.head(200, "text/xml", 5000)
        handler.wfile.write(b" " * 5000)

    with open_downloader(QUICK) as downloader, pytest.raises(ItemError, match="larger"):
        downloader.fetch_page(site.link("/feed", long))


def test_downloads_never_run_ffmpeg(site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest whose encryption only ffmpeg could undo, with an ffmpeg at hand."""
    called = tmp_path / "called"
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncase $* in *http*) touch {called};; esac\necho ffmpeg version 7\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    assert shutil.which("ffmpeg") == str(program)
    segment = site.link("/s.ts", status(404))
    manifest = f'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="{segment}"\n'
    manifest += f"#EXTINF:1,\n{segment}\n#EXT-X-ENDLIST\n"

    row = collect(site.link("/a.m3u8", text(manifest, "application/x-mpegurl")), tmp_path / "work")

    assert isinstance(row, Missed)
    assert row.dropped.reason is DropReason.NO_USABLE_FORMAT, row.dropped.detail
    assert not called.exists()


def test_hls_is_downloaded_natively(site: Any, tmp_path: Path) -> None:
    film = constant_rate(tmp_path / "film.ts").read_bytes()
    cut = len(film) // 188 // 2 * 188
    for name, content in (("/1.ts", film[:cut]), ("/2.ts", film[cut:])):
        site.link(name, partial(serve, content=content))
    manifest = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n1.ts\n#EXTINF:1,\n2.ts\n#EXT-X-ENDLIST\n"

    row = collect(site.link("/a.m3u8", text(manifest, "application/x-mpegurl")), tmp_path / "work")

    assert isinstance(row, Fetched)
    assert row.path.read_bytes() == film
    assert row.received_bytes == len(film)
    assert [path.name for path in (tmp_path / "work").iterdir()] == [row.path.name]


def test_what_yt_dlp_did_not_foresee_is_an_outcome_and_our_own_mistakes_are_not(
    fault_link: Callable[..., str], site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key of a wrong length makes yt-dlp's own decryption fail with an IndexError."""
    site.link("/key", text("k" * 100, "application/octet-stream"))
    site.link("/1.ts", partial(serve, content=bytes(160)))
    manifest = (
        '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXTINF:1,\n1.ts\n#EXT-X-ENDLIST\n'
    )

    row = collect(site.link("/a.m3u8", text(manifest, "application/x-mpegurl")), tmp_path)

    assert isinstance(row, Missed)
    assert row.dropped.reason is DropReason.UNSUPPORTED
    assert "IndexError" in row.dropped.detail
    assert list(tmp_path.iterdir()) == []

    def mistake(host: str) -> None:
        raise IndexError(host)

    monkeypatch.setitem(mistake.__globals__, "__name__", "flows.collect")
    with pytest.raises(IndexError):
        collect(fault_link("whole"), tmp_path, on_request=mistake)
