"""Free disk and quotas."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from collectors.room import Quota, check_room
from schema.errors import StoreFullError

GB = 10**9


@pytest.fixture
def ten_free_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100 * GB, 90 * GB, 10 * GB))


@pytest.mark.usefixtures("ten_free_gigabytes")
def test_a_video_that_leaves_enough_may_come(tmp_path: Path):
    check_room(tmp_path, byte_count=5 * GB, keep_free_bytes=5 * GB)
    check_room(tmp_path / "not" / "there" / "yet", byte_count=None, keep_free_bytes=10 * GB)


@pytest.mark.usefixtures("ten_free_gigabytes")
@pytest.mark.parametrize(("byte_count", "keep"), [(5 * GB + 1, 5 * GB), (None, 11 * GB), (0, 11 * GB)])
def test_a_video_that_leaves_too_little_ends_the_run_in_one_line(tmp_path: Path, byte_count: int | None, keep: int):
    with pytest.raises(StoreFullError) as told:
        check_room(tmp_path, byte_count=byte_count, keep_free_bytes=keep)
    line = str(told.value)
    assert "\n" not in line
    assert "collect.keep_free_gigabytes" in line
    assert "10.0 GB free" in line
    assert ("the next video needs 5.0 GB" in line) == bool(byte_count)
    assert str(tmp_path) not in line


def test_the_real_disk_is_asked(tmp_path: Path):
    check_room(tmp_path, byte_count=1, keep_free_bytes=0)
    with pytest.raises(StoreFullError):
        check_room(tmp_path, byte_count=None, keep_free_bytes=10**18)


def test_no_limits_never_end_a_run():
    quota = Quota()
    for _ in range(1000):
        assert quota.begin()
        quota.end(GB, got=True)
    assert quota.why_spent == ""


def test_videos_in_the_making_count_and_failed_ones_do_not():
    quota = Quota(videos=2)
    assert [quota.begin(), quota.begin(), quota.begin()] == [True, True, False]
    quota.end(10, got=False)
    assert quota.why_spent == ""
    assert [quota.begin(), quota.begin()] == [True, False]
    assert "collect.videos_per_run: 2 videos" in quota.why_spent


def test_the_bytes_of_failed_downloads_count():
    quota = Quota(bytes=3 * GB)
    for expected in (True, True, False):
        assert quota.begin() is expected
        if expected:
            quota.end(2 * GB, got=False)
    assert quota.why_spent == "collect.gigabytes_per_run: 4.0 GB were downloaded"


def test_threads_never_pass_the_quota_together():
    quota = Quota(videos=50)
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: quota.begin(), range(400)))
    assert sum(begun) == 50


def test_what_was_fetched_without_a_reservation_counts():
    quota = Quota(videos=2, bytes=5)
    quota.add(videos=1, byte_count=4)
    assert not quota.is_spent
    quota.add(videos=0, byte_count=1)
    assert quota.is_spent
