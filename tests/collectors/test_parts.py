"""Parts of downloads: taken up by a later run where both halves are one version, and begun anew everywhere else."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from collectors.base import (
    PART_RECORD_SUFFIX,
    PART_SUFFIX,
    CollectConfig,
    Fetched,
    Missed,
    SourceEntry,
    collect_sources,
    remove_leftovers,
)
from schema.errors import DropReason
from schema.privacy import make_source_id
from tests.collectors.conftest import BODY_BYTES, Versions, serve, status, video_bytes

KEY = bytes(32)
QUICK = CollectConfig(socket_timeout_s=2.0, retries=0, retry_pause_s=0.0, allow_private_hosts=("127.0.0.1",))
TAG = {"ETag": '"v1"'}
DATE = {"Last-Modified": formatdate(1_700_000_000, usegmt=True)}
OLD, NEW = video_bytes(seed=1), video_bytes(seed=2)
HALF = BODY_BYTES // 2


def collect(link: str, folder: Path, config: CollectConfig = QUICK) -> Fetched | Missed:
    entry = SourceEntry(source_id=make_source_id(KEY, link), location=link, person_id=None)
    (row,) = collect_sources(
        [entry], pseudonym_key=KEY, work_folder=folder, already_held=lambda *_: False, config=config
    )
    assert isinstance(row, Fetched | Missed)
    if isinstance(row, Fetched):  # taken while the bytes came, whatever was taken up or begun anew
        assert row.record.sha256 == sha256(row.path.read_bytes()).hexdigest()
    return row


def part_of(folder: Path) -> tuple[Path, Path]:
    source_id = next(folder.iterdir()).name.partition(".")[0]
    return folder / f"{source_id}{PART_SUFFIX}", folder / f"{source_id}{PART_RECORD_SUFFIX}"


@pytest.mark.parametrize("marks", [TAG, DATE, {**TAG, **DATE}, {"ETag": 'W/"v1"', **DATE}])
def test_a_later_run_takes_up_where_the_first_one_stopped(site: Any, tmp_path: Path, marks: dict[str, str]) -> None:
    answer = Versions((OLD, marks))
    link = site.link("/a.mp4", answer)

    first = collect(link, tmp_path)
    assert isinstance(first, Missed)
    assert first.dropped.reason is DropReason.TRUNCATED
    assert first.byte_count == HALF
    assert part_of(tmp_path)[0].read_bytes() == OLD[:HALF]
    assert not {"127", "a.mp4"} & set(json.loads(part_of(tmp_path)[1].read_text()).values())

    answer.is_broken = False
    second = collect(link, tmp_path)

    assert isinstance(second, Fetched)
    assert second.path.read_bytes() == OLD
    assert site.ranges[-1] == f"bytes={HALF}-"
    assert site.conditions[-1] in marks.values()
    assert not site.conditions[-1].startswith("W/")
    assert second.received_bytes == BODY_BYTES - HALF
    assert list(tmp_path.iterdir()) == [second.path]


CHANGED: dict[str, tuple[dict[str, str], dict[str, str], bool]] = {
    "another tag, and the server obeys": (TAG, {"ETag": '"v2"'}, True),
    "another tag, and the server does not care": (TAG, {"ETag": '"v2"'}, False),
    "another date, and the server does not care": (DATE, {"Last-Modified": formatdate(usegmt=True)}, False),
    "the tag is gone": (TAG, {}, False),
    "the date is gone": (DATE, {}, False),
    "no marks at all": ({}, {}, True),
    "a weak tag alone": ({"ETag": 'W/"v1"'}, {"ETag": 'W/"v1"'}, False),
}


@pytest.mark.parametrize("case", CHANGED)
def test_another_version_is_never_joined_to_a_part(site: Any, tmp_path: Path, case: str) -> None:
    before, after, obeys = CHANGED[case]
    answer = Versions((OLD, before))
    link = site.link("/a.mp4", answer)
    assert isinstance(collect(link, tmp_path), Missed)

    answer.versions, answer.is_broken, answer.obeys = [(NEW, after)], False, obeys
    row = collect(link, tmp_path)

    assert isinstance(row, Fetched)
    assert row.path.read_bytes() == NEW


def test_another_size_is_another_version(site: Any, tmp_path: Path) -> None:
    answer = Versions((OLD, TAG))
    link = site.link("/a.mp4", answer)
    collect(link, tmp_path)
    longer = video_bytes(seed=3, length=BODY_BYTES + 10_000)
    answer.versions, answer.is_broken, answer.obeys = [(longer, TAG)], False, False

    row = collect(link, tmp_path)

    assert isinstance(row, Fetched)
    assert row.path.read_bytes() == longer


def test_a_version_that_changes_within_a_run_is_begun_anew(site: Any, tmp_path: Path) -> None:
    """The first answer breaks off; before the retry the site puts another file in its place."""
    asked: list[str] = []

    def answer(handler: Any) -> None:
        asked.append(handler.headers.get("Range", ""))
        if len(asked) <= 2:  # the look-up, and the first download
            serve(handler, OLD, end=HALF, marks=TAG)
        else:
            serve(handler, NEW, marks={"ETag": '"v2"'})

    row = collect(site.link("/a.mp4", answer), tmp_path, replace(QUICK, retries=2))

    assert isinstance(row, Fetched)
    assert row.path.read_bytes() == NEW
    assert asked[2:] == [f"bytes={HALF}-", ""]


def refuse_to_read(path: Path) -> str:
    raise AssertionError("a downloaded file is digested while it comes, not once more")


def test_a_download_is_digested_while_it_comes_also_where_it_is_taken_up(
    site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collectors.base.sha256_of", refuse_to_read)
    answer = Versions((OLD, TAG))
    link = site.link("/a.mp4", answer)
    assert isinstance(collect(link, tmp_path), Missed)
    answer.is_broken = False
    assert isinstance(collect(link, tmp_path), Fetched)
    whole = Versions((NEW, TAG))
    whole.is_broken = False
    assert isinstance(collect(site.link("/b.mp4", whole), tmp_path), Fetched)


def damage_record(part: Path, record: Path) -> None:
    record.write_text("{", encoding="utf-8")


def lose_record(part: Path, record: Path) -> None:
    record.unlink()


def odd_record(part: Path, record: Path) -> None:
    record.write_text('{"surprise": 1}', encoding="utf-8")


def other_format(part: Path, record: Path) -> None:
    record.write_text(json.dumps({**json.loads(record.read_text()), "format_id": "other"}), encoding="utf-8")


def grow_part(part: Path, record: Path) -> None:
    part.write_bytes(part.read_bytes() + bytes(BODY_BYTES))


def lose_part(part: Path, record: Path) -> None:
    part.unlink()


@pytest.mark.parametrize("harm", [damage_record, lose_record, odd_record, other_format, grow_part, lose_part])
def test_a_part_without_a_true_record_is_begun_anew(
    site: Any, tmp_path: Path, harm: Callable[[Path, Path], None]
) -> None:
    answer = Versions((OLD, TAG))
    link = site.link("/a.mp4", answer)
    collect(link, tmp_path)
    harm(*part_of(tmp_path))
    answer.is_broken = False

    row = collect(link, tmp_path)

    assert isinstance(row, Fetched)
    assert row.path.read_bytes() == OLD
    assert site.ranges[-1] == ""
    assert list(tmp_path.iterdir()) == [row.path]


def test_a_part_that_lacks_nothing_is_not_asked_for_again(site: Any, tmp_path: Path) -> None:
    answer = Versions((OLD, TAG))
    link = site.link("/a.mp4", answer)
    collect(link, tmp_path)
    part_of(tmp_path)[0].write_bytes(OLD)
    asked = len(site.ranges)

    row = collect(link, tmp_path)

    assert isinstance(row, Fetched)
    assert row.path.read_bytes() == OLD
    assert row.received_bytes == 0
    assert len(site.ranges) == asked + 1  # the look-up alone


def test_a_part_whose_range_is_refused_is_begun_anew_by_the_next_run(site: Any, tmp_path: Path) -> None:
    answer = Versions((OLD, TAG))
    link = site.link("/a.mp4", answer)
    collect(link, tmp_path)

    def unwilling(handler: Any) -> None:
        (status(416) if handler.first_byte else answer)(handler)

    site.link("/a.mp4", unwilling)
    answer.is_broken = False
    first, second = (collect(link, tmp_path) for _ in range(2))

    assert isinstance(first, Missed)
    assert first.dropped.reason is DropReason.TRUNCATED
    assert isinstance(second, Fetched)
    assert second.path.read_bytes() == OLD


@pytest.mark.parametrize(("code", "kept"), [(503, True), (429, True), (404, False), (403, False)])
def test_a_part_is_kept_only_where_the_next_attempt_may_need_it(
    site: Any, tmp_path: Path, code: int, kept: bool
) -> None:
    link = site.link("/a.mp4", Versions((OLD, TAG)))
    collect(link, tmp_path)
    site.link("/a.mp4", status(code))

    row = collect(link, tmp_path)

    assert isinstance(row, Missed)
    assert bool(list(tmp_path.iterdir())) is kept


def test_leftovers_of_other_sources_stay(tmp_path: Path) -> None:
    mine, other = make_source_id(KEY, "a"), make_source_id(KEY, "b")
    for name in (f"{mine}.mp4", f"{mine}{PART_SUFFIX}", f"{mine}{PART_RECORD_SUFFIX}", f"{other}{PART_SUFFIX}"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, mine, but_parts=True)
    assert {p.name for p in tmp_path.iterdir()} == {
        f"{mine}{PART_SUFFIX}", f"{mine}{PART_RECORD_SUFFIX}", f"{other}{PART_SUFFIX}"
    }  # fmt: skip
    remove_leftovers(tmp_path, mine)
    assert [p.name for p in tmp_path.iterdir()] == [f"{other}{PART_SUFFIX}"]


RUN = """
import sys
from pathlib import Path
from collectors.base import CollectConfig, SourceEntry, collect_sources
from schema.privacy import make_source_id
link, folder = sys.argv[1:]
entry = SourceEntry(source_id=make_source_id(bytes(32), link), location=link, person_id=None)
config = CollectConfig(allow_private_hosts=("127.0.0.1",))
list(collect_sources([entry], pseudonym_key=bytes(32), work_folder=Path(folder), already_held=lambda *_: False,
                     config=config))
"""


def test_a_run_that_was_killed_is_taken_up(site: Any, tmp_path: Path) -> None:
    """SIGKILL in the middle of the body: what had reached the file is not asked for again."""

    def slow(handler: Any) -> None:
        serve(handler, OLD, end=HALF, marks=TAG)
        handler.wfile.flush()
        handler.server.stop.wait(30)

    link = site.link("/a.mp4", slow)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", RUN, link, str(tmp_path)], env=environment) as run:
        deadline_s = time.monotonic() + 40
        while not (list(tmp_path.glob(f"*{PART_SUFFIX}")) and part_of(tmp_path)[0].stat().st_size > 8192):
            assert time.monotonic() < deadline_s
            assert run.poll() is None
            time.sleep(0.05)
        run.send_signal(signal.SIGKILL)
    arrived = part_of(tmp_path)[0].stat().st_size
    whole = Versions((OLD, TAG))
    whole.is_broken = False
    site.link("/a.mp4", whole)

    row = collect(link, tmp_path)

    assert isinstance(row, Fetched)
    assert row.path.read_bytes() == OLD
    assert site.ranges[-1] == f"bytes={arrived}-"
    assert row.received_bytes == BODY_BYTES - arrived
