"""Every fault of the fake site, met by the collector: how the attempt ends, and that nothing private shows."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors.base import CollectConfig, Fetched, Missed, SourceEntry, collect_sources
from schema.errors import DropReason
from schema.privacy import make_source_id
from tests.fake_site.faults import GOT, HOSTILE_TITLES, KINDS
from tests.fake_site.plugins import load_extractors
from tests.fake_site.server import FakeSite, Video

# yt-dlp's fragment downloader leaves its file to the garbage collector when a segment is refused
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

KEY = bytes(range(32))
ID = "dQw4w9WgXcQ"


@pytest.fixture
def site() -> Iterator[FakeSite]:
    load_extractors()
    with FakeSite() as found:
        yield found
    gc.collect()


def collect(site: FakeSite, folder: Path, *, limit_s: float = 20.0, socket_timeout_s: float = 10.0) -> Fetched | Missed:
    link = site.watch_link(ID)
    config = CollectConfig(
        socket_timeout_s=socket_timeout_s,
        retries=1,
        retry_pause_s=0.0,
        download_limit_s=limit_s,
        allow_private_hosts=(site.address,),
    )
    (found,) = collect_sources(
        [SourceEntry(source_id=make_source_id(KEY, link), location=link, person_id=None)],
        pseudonym_key=KEY,
        work_folder=folder,
        already_held=lambda *_: False,
        config=config,
    )
    return found


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_fault_ends_in_its_outcome(
    site: FakeSite, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    site.add(Video(id=ID, title="Steffi Sampras"))
    site.fail(ID, name)

    found = collect(
        site,
        tmp_path,
        limit_s=1.0 if name == "trickle" else 20.0,
        socket_timeout_s=0.5 if name.endswith("silence") else 10.0,
    )

    outcome = found.dropped.reason if isinstance(found, Missed) else GOT
    told = f"{found.dropped.detail if isinstance(found, Missed) else ''} {' '.join(capfd.readouterr())}"
    assert outcome == KINDS[name].outcome, told
    assert site.canary_hits == []
    for private in (ID, "Sampras", site.address, "yt-dlp"):
        assert private.lower() not in told.lower()


@pytest.mark.parametrize(
    ("name", "wait_s"),
    [
        ("page_429", None),
        ("page_429_after", 1800),
        ("page_429_date", 1800),
        ("page_503_after", 600),
        ("media_429_after", 1800),
        ("media_503_after", 600),
    ],
)
def test_what_the_server_asks_to_wait_is_handed_on(
    site: FakeSite, tmp_path: Path, name: str, wait_s: float | None
) -> None:
    site.add(Video(id=ID))
    site.fail(ID, name)

    found = collect(site, tmp_path)

    assert isinstance(found, Missed)
    assert found.retry_after_s == (wait_s and pytest.approx(wait_s, abs=5))


@pytest.mark.parametrize("name", ["upcoming", "premiere"])
def test_a_broadcast_to_come_tells_when(site: FakeSite, tmp_path: Path, name: str) -> None:
    site.add(Video(id=ID, starts_s=2_000_000_000))
    site.fail(ID, name)

    found = collect(site, tmp_path)

    assert isinstance(found, Missed)
    assert (found.dropped.reason, found.starts_ns) == (DropReason.NOT_YET, 2_000_000_000 * 10**9)


@pytest.mark.parametrize("title", HOSTILE_TITLES, ids=range(len(HOSTILE_TITLES)))
def test_a_hostile_title_reaches_no_path(site: FakeSite, tmp_path: Path, title: str) -> None:
    site.add(Video(id=ID, title=title, description=title, channel=title))
    work = tmp_path / "work"

    found = collect(site, work)

    assert isinstance(found, Fetched)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()] == [
        f"work/{found.entry.source_id}.mp4"
    ]
    assert found.path.read_bytes() == site.videos[ID].content
    for text in (found.facts.title, found.facts.description, found.facts.channel):
        (text or "").encode("utf-8")  # a table can hold it


def test_a_cut_file_is_taken_up_by_the_next_attempt(site: FakeSite, tmp_path: Path) -> None:
    site.add(Video(id=ID))
    site.fail(ID, "cut_body", times=2)  # yt-dlp itself asks twice

    first = collect(site, tmp_path)
    second = collect(site, tmp_path)

    assert isinstance(first, Missed)
    assert first.dropped.reason is DropReason.TRUNCATED
    assert isinstance(second, Fetched)
    *_, last = site.asked("media")
    assert last.first_byte > 0
    assert site.full_downloads(ID) == 0
    assert second.path.read_bytes() == site.videos[ID].content


def test_a_part_of_another_version_is_not_joined(site: FakeSite, tmp_path: Path) -> None:
    site.add(Video(id=ID))
    site.fail(ID, "cut_body", times=2)

    collect(site, tmp_path)
    site.videos[ID].revision = 2
    found = collect(site, tmp_path)

    assert isinstance(found, Fetched)
    assert found.path.read_bytes() == site.videos[ID].content
    assert site.full_downloads(ID) == 1
