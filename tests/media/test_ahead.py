"""Reading ahead: the same items in order, a bounded number of them, and no thread left behind."""

import threading
import time

import pytest

from media.ahead import read_ahead


def wait_until(condition, *, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    return condition()


def reading_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


class Source:
    """Counts what is made of it, and knows where and how it ended."""

    def __init__(self, count, *, error=None):
        self.count, self.error = count, error
        self.made = 0
        self.closed_in = None

    def items(self):
        try:
            for k in range(self.count):
                self.made += 1
                yield k
            if self.error is not None:
                raise self.error
        finally:
            self.closed_in = threading.current_thread().name


@pytest.mark.parametrize("depth", [1, 3, 100])
def test_the_same_items_come_in_the_same_order(depth):
    assert list(read_ahead(Source(50).items(), depth=depth)) == list(range(50))
    assert list(read_ahead([3, 1, 2], depth=depth)) == [3, 1, 2]
    assert list(read_ahead([], depth=depth)) == []


@pytest.mark.parametrize("depth", [1, 4])
def test_only_so_many_are_made_ahead(depth):
    source = Source(100)
    ahead = read_ahead(source.items(), depth=depth)
    for taken in range(1, 20):
        next(ahead)
        assert wait_until(lambda: source.made == taken + depth)  # noqa: B023  called at once
        time.sleep(0.005)
        assert source.made == taken + depth
    ahead.close()


def test_items_are_made_while_the_one_before_is_used():
    source = Source(10)
    for item in read_ahead(source.items(), depth=2):
        assert wait_until(lambda: source.made >= min(item + 2, 10))  # noqa: B023  called at once


def test_nothing_is_made_before_the_first_is_asked_for():
    source = Source(10)
    read_ahead(source.items(), depth=2)
    assert source.made == 0
    assert not reading_threads()


def test_an_error_comes_after_the_items_before_it_and_as_it_was():
    taken = []
    with pytest.raises(KeyError, match="lost"):
        taken.extend(read_ahead(Source(5, error=KeyError("lost")).items(), depth=2))
    assert taken == list(range(5))
    assert not reading_threads()


@pytest.mark.parametrize("taken", [1, 3])
def test_closing_early_ends_the_thread_and_closes_the_source_there(taken):
    source = Source(1000)
    ahead = read_ahead(source.items(), depth=2)
    for _ in range(taken):
        next(ahead)
    ahead.close()
    assert not reading_threads()
    assert source.closed_in.startswith("read-ahead")
    assert source.made <= taken + 3


def test_an_error_of_the_user_ends_the_thread():
    source = Source(1000)

    def use():
        for item in read_ahead(source.items(), depth=2):
            if item == 3:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    assert wait_until(lambda: not reading_threads())


def test_no_depth_is_no_reading_ahead():
    with pytest.raises(ValueError, match="depth"):
        next(read_ahead([1], depth=0))


def test_frames_of_a_file_are_those_of_plain_decoding(sample_clip):
    from media.frames import decode_frames, read_frame_times
    from schema.records import VideoId

    times, _ = read_frame_times(sample_clip, video_id=VideoId("v1"), sha256="0" * 64)
    plain = list(decode_frames(sample_clip, times, end_frame=40))
    ahead = list(read_ahead(decode_frames(sample_clip, times, end_frame=40), depth=3))
    assert [f.frame_index for f in ahead] == [f.frame_index for f in plain]
    assert all((a.image_rgb == b.image_rgb).all() for a, b in zip(ahead, plain, strict=True))
