"""What a user sees while a long run goes on: how far it is, how fast, and how long it will still take."""

import io

import pytest

from flows import _progress
from flows._progress import current_progress, showing


class Clock:
    """A clock that the test winds on."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(_progress, "time", clock)
    return clock


def lines_of(clock, reports):
    stream = io.StringIO()
    with showing(stream):
        for seconds, stage, done, total in reports:
            clock.now = 1000.0 + seconds
            current_progress()(stage, "v123", done, total)
    return stream.getvalue().splitlines()


def test_lines_tell_rate_and_time_left(clock):
    lines = lines_of(clock, [(0, "tracks", 0, 1000), (5, "tracks", 80, 1000), (10, "tracks", 250, 1000)])
    assert lines == ["tracks: v123: 0 of 1000 frames", "tracks: v123: 250 of 1000 frames, 25 frames/s, 0:00:30 left"]


def test_the_rate_is_that_of_the_last_seconds_not_of_the_whole(clock):
    """A model that takes long to load must not make the rest look slow."""
    reports = [(0, "keypoints", 0, 900), (60, "keypoints", 1, 900), (70, "keypoints", 91, 900)]
    assert lines_of(clock, reports)[-1] == "keypoints: v123: 91 of 900 frames, 9.0 frames/s, 0:01:30 left"


def test_a_run_that_is_taken_up_again_is_not_credited_with_what_was_there(clock):
    lines = lines_of(clock, [(0, "tracks", 500, 1000), (10, "tracks", 600, 1000)])
    assert lines[-1].endswith("10 frames/s, 0:00:40 left")


def test_stages_and_long_stays_at_one_place_do_not_disturb(clock):
    reports = [(0, "shots", 0, 100), (1, "tracks", 0, 100), (12, "tracks", 0, 100), (13, "shots", 100, 100)]
    assert lines_of(clock, reports) == [
        "shots: v123: 0 of 100 frames",
        "tracks: v123: 0 of 100 frames",
        "tracks: v123: 0 of 100 frames",
        "shots: v123: 100 of 100 frames, 7.7 frames/s, 0:00:00 left",
    ]


def test_bars_in_a_terminal_show_frames_and_rate(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    from rich import progress

    monkeypatch.setattr(progress.Task, "speed", property(lambda task: 42.0))
    monkeypatch.setattr(progress.Task, "time_remaining", property(lambda task: 75.0))
    terminal = Terminal()
    with showing(terminal):
        current_progress()("tracks", "v123", 37, 100)
    shown = terminal.getvalue()
    assert "tracks" in shown
    assert "37/100" in shown
    assert "42 frames/s" in shown
    assert "0:01:15" in shown


def test_a_rate_that_is_not_known_is_not_shown():
    assert _progress.rate_text(None) == ""
    assert _progress.rate_text(3.21) == "3.2 frames/s"
    assert _progress.rate_text(1500.4) == "1500 frames/s"


def test_a_note_stands_at_the_end_of_the_line_and_beside_the_bar(clock, monkeypatch):
    stream, terminal = io.StringIO(), Terminal()
    with showing(stream):
        current_progress()("train", "fold 2 of 3", 1, 40, "loss 0.532")
    assert stream.getvalue() == "train: fold 2 of 3: 1 of 40 steps, loss 0.532\n"
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")
    with showing(terminal):
        current_progress()("train", "fold 2 of 3", 1, 40, "loss 0.532")
    assert "fold 2 of 3" in terminal.getvalue()
    assert "loss 0.532" in terminal.getvalue()
