"""The guard: no request of yt-dlp reaches a private address, whichever way it is led there."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from yt_dlp.networking.exceptions import RequestError

from collectors.base import CollectConfig, Fetched, Missed, SourceEntry, collect_sources
from collectors.ytdlp.downloader import open_downloader
from collectors.ytdlp.guard import ForbiddenAddressError, connect_to_public, is_forbidden, names_forbidden_address
from schema.errors import DropReason
from schema.privacy import make_source_id
from tests.collectors.conftest import moved, text, video_bytes, whole

KEY = bytes(32)
STRICT = CollectConfig(socket_timeout_s=2.0, retries=0, retry_pause_s=0.0)
OPEN = replace(STRICT, allow_private_hosts=("127.0.0.1",))
HLS = "application/x-mpegurl"


def collect(link: str, folder: Path, config: CollectConfig) -> Any:
    entry = SourceEntry(source_id=make_source_id(KEY, link), location=link, person_id=None)
    (row,) = collect_sources(
        [entry], pseudonym_key=KEY, work_folder=folder, already_held=lambda *_: False, config=config
    )
    return row


def refused(row: Any) -> bool:
    return isinstance(row, Missed) and row.dropped.reason is DropReason.FORBIDDEN_ADDRESS


class Canary(ThreadingHTTPServer):
    """A server on loopback that nothing may ask: another loopback address than the one the study allows."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.2", 0), CanaryHandler)
        self.asked: list[str] = []

    def link(self, path: str) -> str:
        return f"http://127.0.0.2:{self.server_port}{path}"


class CanaryHandler(BaseHTTPRequestHandler):
    server: Canary

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.end_headers()
        self.wfile.write(b"#EXTM3U" if self.path.endswith(".m3u8") else video_bytes(length=8000))

    def log_message(self, *args: object, **kwargs: object) -> None: ...


@pytest.fixture
def canary() -> Iterator[Canary]:
    server = Canary()
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Names that resolve as the test says; everything else as before."""
    known: dict[str, str] = {}
    real = socket.getaddrinfo

    def look_up(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        return real(known.get(str(host), host), port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


FORBIDDEN = [
    "127.0.0.1",
    "127.8.9.1",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.0.0.1",
    "::1",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd12::1",
    "ff02::1",
    "2001:db8::1",
    "100::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "2002:c0a8:101::",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
]
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "172.32.0.1",
    "192.169.0.1",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]


@pytest.mark.parametrize("address", FORBIDDEN)
def test_an_address_that_is_not_public_is_forbidden_in_every_guise(address: str) -> None:
    assert is_forbidden(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_not(address: str) -> None:
    assert not is_forbidden(address)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0", "::1"],
)
def test_names_of_this_machine_are_known_without_resolving(host: str) -> None:
    assert names_forbidden_address(host)


@pytest.mark.parametrize("host", ["example.org", "8.8.8.8", "local.host", "localhost.org", "134744072", ""])
def test_other_names_are_left_to_whoever_resolves_them(host: str) -> None:
    assert not names_forbidden_address(host)


@pytest.mark.parametrize(
    "host", ["127.0.0.2", "127.0.2", "2130706434", "0x7f.2", "[::ffff:127.0.0.2]", "[::ffff:7f00:2]"]
)
def test_a_link_to_this_machine_is_refused_however_it_is_spelled(tmp_path: Path, canary: Canary, host: str) -> None:
    row = collect(f"http://{host}:{canary.server_port}/a.mp4", tmp_path, OPEN)
    assert refused(row)
    assert "allow_private_hosts" in row.dropped.detail
    assert canary.asked == []


def test_a_name_that_resolves_to_a_private_address_is_refused(
    tmp_path: Path, canary: Canary, names: dict[str, str]
) -> None:
    names["video.example.org"] = "127.0.0.2"
    assert refused(collect(f"http://video.example.org:{canary.server_port}/a.mp4", tmp_path, OPEN))
    assert canary.asked == []


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Let names resolve to one answer after the other, and tell where connections lead instead of making them."""
    left = list(answers)
    led_to: list[str] = []

    def look_up(*_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in left.pop(0)]

    def connect(address: tuple[str, int], *_: object) -> Any:
        led_to.append(address[0])
        if address[0] == "9.9.9.9":
            raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", connect)
    return led_to


def test_the_address_that_was_judged_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that changes its mind between judgement and connection gains nothing: it is asked once."""
    led_to = resolve_to(monkeypatch, ["9.9.9.9", "8.8.8.8"], ["127.0.0.1"])
    connect_to_public(("rebind.example.org", 80), 1.0, None)
    assert led_to == ["9.9.9.9", "8.8.8.8"]
    with pytest.raises(ForbiddenAddressError):
        connect_to_public(("rebind.example.org", 80), 1.0, None)
    assert led_to == ["9.9.9.9", "8.8.8.8"]


@pytest.mark.parametrize("answer", [["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"]])
def test_a_name_with_one_private_address_is_refused_whole(monkeypatch: pytest.MonkeyPatch, answer: list[str]) -> None:
    led_to = resolve_to(monkeypatch, answer)
    with pytest.raises(ForbiddenAddressError):
        connect_to_public(("mixed.example.org", 80), 1.0, None)
    assert led_to == []


def test_the_last_refusal_of_a_name_without_an_open_door_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, ["9.9.9.9"], [])
    with pytest.raises(ConnectionRefusedError):
        connect_to_public(("closed.example.org", 80), 1.0, None)
    with pytest.raises(OSError, match="no address"):
        connect_to_public(("empty.example.org", 80), 1.0, None)


def test_a_host_that_the_study_allows_is_reached_by_that_name_alone(tmp_path: Path, site: Any) -> None:
    link = site.link("/a.mp4", whole)
    by_name = link.replace("127.0.0.1", "localhost")
    assert isinstance(collect(link, tmp_path, OPEN), Fetched)
    assert refused(collect(by_name, tmp_path, OPEN))
    assert isinstance(collect(by_name, tmp_path, replace(OPEN, allow_private_hosts=("LocalHost",))), Fetched)
    assert refused(collect(link, tmp_path, STRICT))


def redirect(site: Any, canary: Canary) -> str:
    return str(site.link("/a.mp4", moved(canary.link("/redirect"))))


def redirect_twice(site: Any, canary: Canary) -> str:
    site.link("/b", moved(canary.link("/redirect")))
    return str(site.link("/a.mp4", moved("/b")))


def redirect_of_the_file_alone(site: Any, canary: Canary) -> str:
    asked: list[str] = []

    def answer(handler: Any) -> None:
        asked.append(handler.path)
        (whole if len(asked) == 1 else moved(canary.link("/redirect")))(handler)

    return str(site.link("/a.mp4", answer))


def hls_segment(site: Any, canary: Canary) -> str:
    manifest = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{canary.link('/1.ts')}\n#EXT-X-ENDLIST\n"
    return str(site.link("/a.m3u8", text(manifest, HLS)))


def hls_key(site: Any, canary: Canary) -> str:
    site.link("/1.ts", whole)
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{canary.link("/key")}"'
    manifest = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{key}\n#EXTINF:1,\n1.ts\n#EXT-X-ENDLIST\n"
    return str(site.link("/a.m3u8", text(manifest, HLS)))


def hls_map(site: Any, canary: Canary) -> str:
    site.link("/1.ts", whole)
    head = f'#EXT-X-MAP:URI="{canary.link("/head.mp4")}"'
    manifest = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{head}\n#EXTINF:1,\n1.ts\n#EXT-X-ENDLIST\n"
    return str(site.link("/a.m3u8", text(manifest, HLS)))


def hls_variant(site: Any, canary: Canary) -> str:
    manifest = f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000,RESOLUTION=640x360\n{canary.link('/low.m3u8')}\n"
    return str(site.link("/a.m3u8", text(manifest, HLS)))


def dash_segment(site: Any, canary: Canary) -> str:
    segments = f'<SegmentList duration="1"><SegmentURL media="{canary.link("/1.m4s")}"/></SegmentList>'
    shown = '<Representation id="v" mimeType="video/mp4" codecs="avc1" width="64" height="36" bandwidth="9">'
    manifest = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" mediaPresentationDuration="PT1S" '
        f'type="static"><Period><AdaptationSet>{shown}{segments}</Representation></AdaptationSet></Period></MPD>'
    )
    return str(site.link("/a.mpd", text(manifest, "application/dash+xml")))


def page_with_a_video(site: Any, canary: Canary) -> str:
    page = f'<html><head><title>t</title></head><body><video src="{canary.link("/v.mp4")}"></video></body></html>'
    return str(site.link("/page", text(page, "text/html")))


@pytest.mark.parametrize(
    "lead",
    [
        redirect,
        redirect_twice,
        redirect_of_the_file_alone,
        hls_segment,
        hls_key,
        hls_map,
        hls_variant,
        dash_segment,
        page_with_a_video,
    ],
)
def test_no_way_leads_round_the_guard(
    tmp_path: Path, site: Any, canary: Canary, lead: Callable[[Any, Canary], str]
) -> None:
    link = lead(site, canary)
    row = collect(link, tmp_path, OPEN)
    assert refused(row), row
    assert canary.asked == []
    assert list(tmp_path.iterdir()) == []

    # the same way is open where the study allows the host: it is the guard that refused, and nothing else
    collect(link, tmp_path, replace(OPEN, allow_private_hosts=("127.0.0.1", "127.0.0.2")))
    assert canary.asked != []


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.2/a.mp4", "data:video/mp4;base64,AAAA"])
def test_only_http_links_are_followed_from_a_redirect(tmp_path: Path, site: Any, target: str) -> None:
    row = collect(site.link("/a.mp4", moved(target)), tmp_path, OPEN)
    assert isinstance(row, Missed)
    assert row.dropped.reason is DropReason.UNSUPPORTED, row.dropped.detail


@pytest.mark.parametrize("link", ["ftp://8.8.8.8/a", "data:text/plain,a", "file:///etc/hostname", "ws://8.8.8.8/"])
def test_no_handler_takes_other_links(link: str) -> None:
    with open_downloader(STRICT) as downloader, pytest.raises(RequestError):
        downloader.urlopen(link)


def test_the_guarded_handler_is_the_only_one() -> None:
    with open_downloader(STRICT) as downloader:
        assert list(downloader._request_director.handlers) == ["Guarded"]


class Proxy(ThreadingHTTPServer):
    """A proxy on loopback that serves a video for any link."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ProxyHandler)
        self.asked: list[str] = []


class ProxyHandler(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path.endswith("/moved.mp4"):
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.2/secret.mp4")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(len(video_bytes())))
        self.end_headers()
        self.wfile.write(video_bytes())

    def log_message(self, *args: object, **kwargs: object) -> None: ...


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    server = Proxy()
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_proxy_may_be_anywhere_and_resolves_the_names(
    tmp_path: Path, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_file = replace(STRICT, proxy=f"http://127.0.0.1:{proxy.server_port}")
    assert isinstance(collect("http://video.invalid/a.mp4", tmp_path, by_file), Fetched)
    monkeypatch.setenv("PRESSROOM_PROXY", f"http://me:hidden@127.0.0.1:{proxy.server_port}")
    assert isinstance(collect("http://other.invalid/a.mp4", tmp_path, STRICT), Fetched)
    assert {link.partition("/a")[0] for link in proxy.asked} == {"http://video.invalid", "http://other.invalid"}


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost", "10.0.0.1", "[::1]", "2130706434"])
def test_a_proxy_is_never_asked_for_a_private_address(tmp_path: Path, proxy: Proxy, host: str) -> None:
    config = replace(STRICT, proxy=f"http://127.0.0.1:{proxy.server_port}")
    assert refused(collect(f"http://{host}/a.mp4", tmp_path, config))
    assert refused(collect(f"https://{host}/a.mp4", tmp_path, config))
    assert proxy.asked == []


def test_a_redirect_behind_a_proxy_is_judged_too(tmp_path: Path, proxy: Proxy) -> None:
    config = replace(STRICT, proxy=f"http://127.0.0.1:{proxy.server_port}")
    assert refused(collect("http://video.invalid/moved.mp4", tmp_path, config))
    assert proxy.asked == ["http://video.invalid/moved.mp4"]


def test_hosts_that_the_study_allows_are_asked_without_the_proxy(tmp_path: Path, proxy: Proxy, site: Any) -> None:
    config = replace(OPEN, proxy=f"http://127.0.0.1:{proxy.server_port}")
    assert isinstance(collect(site.link("/a.mp4", whole), tmp_path, config), Fetched)
    assert proxy.asked == []


def test_a_proxy_that_is_not_there_is_a_network_fault(tmp_path: Path) -> None:
    row = collect("http://video.invalid/a.mp4", tmp_path, replace(STRICT, proxy="socks5://127.0.0.1:1"))
    assert isinstance(row, Missed)
    assert row.dropped.reason is DropReason.NETWORK
