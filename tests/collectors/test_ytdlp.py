"""Real yt-dlp against a loopback site: typed faults, counted bytes, and nothing private in paths, logs or details."""

import logging
import os
import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from yt_dlp import YoutubeDL

from collectors.base import AlreadyHeld, CollectConfig, Fetched, SourceEntry, collect_sources
from collectors.ytdlp import YtDlpCollector, ytdlp_options
from schema.errors import ConfigError, DropReason, StoreFullError
from schema.privacy import make_source_id
from schema.records import Dropped

KEY = bytes(range(32))
QUICK = CollectConfig(socket_timeout_s=1.0, retries=1, retry_pause_s=0.0)
PLATFORM_ID = "dQw4w9WgXcQ"
PLAYER = "Steffi_Sampras"


def entry_for(location: str) -> SourceEntry:
    return SourceEntry(source_id=make_source_id(KEY, location), location=location, person_id=None)


def collect(
    link: str, folder: Path, config: CollectConfig = QUICK, held: Callable[[str, str], bool] = lambda *_: False
) -> Fetched | AlreadyHeld | Dropped:
    (row,) = collect_sources([entry_for(link)], pseudonym_key=KEY, work_folder=folder, already_held=held, config=config)
    return row


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("404", DropReason.NOT_FOUND),
        ("410", DropReason.NOT_FOUND),
        ("401", DropReason.REFUSED),
        ("403", DropReason.REFUSED),
        ("451", DropReason.REFUSED),
        ("429", DropReason.NETWORK),
        ("500", DropReason.NETWORK),
        ("503", DropReason.NETWORK),
        ("silence", DropReason.NETWORK),
        ("half", DropReason.INCOMPLETE),
        ("empty", DropReason.EMPTY),
        ("page", DropReason.UNSUPPORTED),
        ("page_as_video", DropReason.UNSUPPORTED),
    ],
)
def test_a_fault_is_typed_and_leaves_nothing_behind(
    fault_link: Callable[..., str], tmp_path: Path, answer: str, reason: DropReason
) -> None:
    row = collect(fault_link(answer), tmp_path)

    assert isinstance(row, Dropped)
    assert row.reason is reason, row.detail
    assert row.item_id.startswith("l")
    assert row.detail
    assert list(tmp_path.iterdir()) == []


def test_a_dead_address_is_a_network_fault(tmp_path: Path) -> None:
    for link in ("http://127.0.0.1:1/clip.mp4", "http://no-such-host.invalid/clip.mp4"):
        row = collect(link, tmp_path)
        assert isinstance(row, Dropped)
        assert row.reason is DropReason.NETWORK


def test_a_whole_file_arrives_byte_for_byte(fault_link: Callable[..., str], tmp_path: Path, body: bytes) -> None:
    link = fault_link("whole")

    row = collect(link, tmp_path)

    assert isinstance(row, Fetched)
    assert row.path.read_bytes() == body
    assert row.sha256 == sha256(body).hexdigest()
    assert (row.path.name, row.platform, row.native_id) == (f"{row.entry.source_id}.mp4", "generic", link)


def test_a_broken_download_is_taken_up_where_it_stopped(
    fault_link: Callable[..., str], site: Any, tmp_path: Path, body: bytes
) -> None:
    row = collect(fault_link("broken_once"), tmp_path)

    assert isinstance(row, Fetched)
    assert row.path.read_bytes() == body
    assert re.fullmatch(r"bytes=[1-9]\d*-", site.ranges[-1])


def test_a_part_of_an_earlier_run_is_never_joined_to_a_new_file(
    fault_link: Callable[..., str], tmp_path: Path, body: bytes
) -> None:
    link = fault_link("broken_once")
    source_id = entry_for(link).source_id
    (tmp_path / f"{source_id}.download.part").write_bytes(b"an older version of the file")

    row = collect(link, tmp_path)

    assert isinstance(row, Fetched)
    assert row.path.read_bytes() == body


def test_a_trickling_server_does_not_hold_the_run(fault_link: Callable[..., str], tmp_path: Path) -> None:
    row = collect(fault_link("trickle"), tmp_path, CollectConfig(socket_timeout_s=1.0, retries=0, download_limit_s=0.5))

    assert isinstance(row, Dropped)
    assert row.reason is DropReason.NETWORK


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
    told = f"{told_so_far()} {paths} {row.detail if isinstance(row, Dropped) else ''}"
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
    (tmp_path / "work").mkdir()
    link = fault_link("whole")
    part = tmp_path / "work" / f"{entry_for(link).source_id}.download.part"
    monkeypatch.setattr("collectors.base.remove_leftovers", lambda *_: None)
    part.symlink_to("/dev/full")

    with pytest.raises(StoreFullError, match="full"):
        collect(link, tmp_path / "work")


def format_row(name: str, codec: str, height: int | None, protocol: str = "https") -> dict[str, Any]:
    row = {"format_id": name, "url": f"https://e.org/{name}", "ext": "mp4", "vcodec": codec, "protocol": protocol}
    return row if height is None else {**row, "height": height}


@pytest.mark.parametrize(
    ("formats", "chosen"),
    [
        ([("a", "avc1", 360), ("b", "vp9", 720), ("c", "avc1", 720), ("d", "avc1", 1080)], "c"),
        ([("a", "avc1", 720, "m3u8_native"), ("b", "avc1", 480)], "b"),
        ([("a", "vp9", 1080), ("b", "vp9", 2160)], "a"),
        ([("a", "none", None), ("b", "vp9", None)], "b"),
    ],
)
def test_the_best_plain_file_within_the_height_is_chosen(formats: list[Any], chosen: str) -> None:
    info: Any = {"id": "x", "title": "x", "extractor": "e", "formats": [format_row(*row) for row in formats]}
    with YoutubeDL(ytdlp_options(entry_for("https://e.org/x"), QUICK)) as downloader:
        picked = downloader.process_ie_result(info, download=False)
    assert picked["format_id"] == chosen
