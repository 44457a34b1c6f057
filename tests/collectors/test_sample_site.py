"""The loopback site that offers the sample."""

from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from collectors.base import CollectConfig, Fetched, SourceEntry, collect_sources
from collectors.sample_site import SampleSite
from schema.errors import ServiceError
from schema.privacy import make_source_id
from tests.collectors.conftest import video_bytes

CONTENT = video_bytes(length=200_001)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.mp4"
    path.write_bytes(CONTENT)
    (tmp_path / "private.txt").write_text("private")
    return path


def ask(link: str, path: str | None = None, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(link)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request(method, path or parts.path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers.items()), answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("asked", "status", "first", "end"),
    [
        ("bytes=0-99", 206, 0, 100),
        ("bytes=200000-", 206, 200_000, 200_001),
        ("bytes=-10", 206, 199_991, 200_001),
        ("bytes=100-999999999", 206, 100, 200_001),
        ("bytes=-999999999", 206, 0, 200_001),
        ("bytes=5-3", 200, 0, 200_001),
        ("bytes=0-1,5-6", 200, 0, 200_001),
        ("", 200, 0, 200_001),
    ],
)
def test_ranges_are_answered_as_asked(sample: Path, asked: str, status: int, first: int, end: int) -> None:
    with SampleSite({"sample.mp4": sample}) as site:
        got, headers, content = ask(site.link("sample.mp4"), **({"Range": asked} if asked else {}))

    assert (got, content) == (status, CONTENT[first:end])
    assert headers["Content-Length"] == str(end - first)
    assert headers["Content-Type"] == "video/mp4"
    assert headers["Accept-Ranges"] == "bytes"
    assert headers.get("Content-Range") == (f"bytes {first}-{end - 1}/200001" if status == 206 else None)


def test_a_range_outside_the_file_is_refused(sample: Path) -> None:
    with SampleSite({"sample.mp4": sample}) as site:
        for asked in ("bytes=200001-", "bytes=-0"):
            status, headers, _ = ask(site.link("sample.mp4"), Range=asked)
            assert (status, headers["Content-Range"]) == (416, "bytes */200001")


def test_nothing_but_the_named_files_is_served(sample: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with SampleSite({"sample.mp4": sample}) as site:
        link = site.link("sample.mp4")
        for path in ("/", "/private.txt", "/../private.txt", "/%2e%2e/private.txt", str(sample)):
            assert ask(link, path)[0] == 404
        assert ask(link, method="HEAD")[1]["Content-Length"] == str(len(CONTENT))
        with pytest.raises(KeyError):
            site.link("private.txt")
    assert capfd.readouterr() == ("", "")


def test_a_taken_port_is_said_and_given_back_afterwards(sample: Path) -> None:
    with SampleSite({"sample.mp4": sample}) as site:
        port = urlsplit(site.link("sample.mp4")).port or 0
        with pytest.raises(ServiceError, match=str(port)), SampleSite({}, port=port):
            pass
    with SampleSite({"sample.mp4": sample}, port=port) as site:
        assert urlsplit(site.link("sample.mp4")).port == port


def test_the_sample_comes_through_the_collector_that_studies_use(sample: Path, tmp_path: Path) -> None:
    key = bytes(32)
    with SampleSite({"sample.mp4": sample}) as site:
        link = site.link("sample.mp4")
        entry = SourceEntry(source_id=make_source_id(key, link), location=link, person_id=None)
        (row,) = collect_sources(
            [entry],
            pseudonym_key=key,
            work_folder=tmp_path / "work",
            already_held=lambda *_: False,
            config=CollectConfig(allow_private_hosts=("127.0.0.1",)),
        )
    assert isinstance(row, Fetched)
    assert row.path.read_bytes() == CONTENT
