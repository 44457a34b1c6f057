"""Copies of a recording are found under what re-uploads do to it; other recordings in the same room are not."""

from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from collectors.alignment import Alignment
from collectors.duplicates import (
    SCORE_BY_LIVELY,
    SCORE_BY_OVERLAP,
    SHORTEST_OVERLAP_S,
    CopyLink,
    choose_duplicates,
    find_copies,
    is_copy,
)
from collectors.encounters import find_encounters
from collectors.fingerprints import (
    GRID,
    RATE_HZ,
    Fingerprint,
    fingerprint_from_rows,
    fingerprint_rows,
    motion_of,
    movement_from_rows,
    movement_of,
)
from collectors.likeness import Framing, Likeness
from media.samples import sample_brightness
from schema.errors import DropReason, ItemError
from schema.records import VideoId, VideoRecord
from tests.collectors.moving_rooms import Take, write_take
from tests.media_files import audio_only, constant_rate, rotated, variable_rate

TRANSFORMS = {
    "re-encoded": Take(quality_crf=38),
    "scaled": Take(height=54),
    "cropped": Take(crop=0.1),
    "logo": Take(logo=True),
    "trimmed": Take(trim_s=5.0, seconds=15.0),
    "brighter": Take(brightness=30.0),
    "faster": Take(speed=1.05, seconds=19.0),
    "other frame rate": Take(rate=25),
    "all at once": Take(
        quality_crf=32, height=72, crop=0.1, logo=True, trim_s=5.0, seconds=14.0, brightness=20.0, speed=1.05, rate=25
    ),
}


class Library:
    """Fingerprints of some films, as a study holds them."""

    def __init__(self) -> None:
        self.brightness: dict[VideoId, np.ndarray] = {}
        self.compared: list[VideoId] = []

    def add(self, name: str, path: Path) -> None:
        self.brightness[VideoId(name)] = sample_brightness(path, rate_hz=RATE_HZ, grid=GRID)

    def copies(self, *names: str) -> list[CopyLink]:
        chosen = [VideoId(name) for name in names] if names else list(self.brightness)
        fingerprints = [Fingerprint(video_id=name, motion=motion_of(self.brightness[name])) for name in chosen]
        return find_copies(fingerprints, movement_of=self._movement)

    def _movement(self, name: VideoId):
        self.compared.append(name)
        return movement_of(self.brightness[name])


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Library:
    folder = tmp_path_factory.mktemp("films")
    films = Library()
    for speaker in range(3):
        films.add(f"speaker{speaker}", write_take(folder / f"{speaker}.mp4", room=1, speaker=speaker, take=Take()))
    later = replace(Take(), trim_s=40.0)
    films.add("later", write_take(folder / "later.mp4", room=1, speaker=0, take=later))
    for name, take in TRANSFORMS.items():
        films.add(name, write_take(folder / f"{name}.mp4", room=1, speaker=0, take=take))
    return films


@pytest.fixture(scope="module")
def links(library) -> list[CopyLink]:
    return library.copies()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transformed_copy_is_found_where_it_lies(links, name):
    take = TRANSFORMS[name]
    (link,) = [link for link in links if {link.first, link.second} == {"speaker0", name}]
    speed = link.speed if link.second == name else 1 / link.speed
    offset_s = link.offset_s if link.second == name else -link.offset_s / link.speed
    assert speed == pytest.approx(take.speed, abs=0.01)
    assert offset_s == pytest.approx(take.trim_s, abs=0.3)


def test_nobody_else_in_the_same_room_is_a_copy(links):
    showings = {"speaker0", *TRANSFORMS}
    assert [link for link in links if not {link.first, link.second} <= showings] == []


def test_the_order_of_the_videos_does_not_matter(library, links):
    assert library.copies(*reversed(list(library.brightness))) == links


def test_only_videos_that_met_are_compared_picture_by_picture(library):
    library.compared.clear()
    library.copies("speaker0", "speaker1", "speaker2", "later", "trimmed")
    assert set(library.compared) == {"speaker0", "trimmed"}


def test_a_shared_opening_is_not_a_copy(library):
    """Every video of a channel begins with the same 6 s."""
    opening = library.brightness[VideoId("later")][: 6 * RATE_HZ]
    films = Library()
    for speaker in (1, 2):
        own = library.brightness[VideoId(f"speaker{speaker}")]
        films.brightness[VideoId(f"opened{speaker}")] = np.concatenate([opening, own])
    assert films.copies() == []


def test_an_excerpt_is_linked_to_the_whole(library):
    films = Library()
    whole = np.concatenate([library.brightness[VideoId(f"speaker{n}")] for n in (0, 1, 2)])
    films.brightness = {VideoId("whole"): whole, VideoId("part"): whole[25 * RATE_HZ : 35 * RATE_HZ]}
    (link,) = films.copies()
    assert (link.first, link.second) == ("part", "whole")
    assert link.offset_s == pytest.approx(-25.0, abs=0.3)


def test_what_stands_still_is_no_evidence(tmp_path):
    films = Library()
    for number in range(2):
        path = tmp_path / f"{number}.mp4"
        films.add(f"still{number}", constant_rate(path, rate=Fraction(10), count=1))
        still = films.brightness[VideoId(f"still{number}")]
        noise = np.random.default_rng(number).normal(0, 0.2, (20 * RATE_HZ, GRID, GRID)).astype(np.float32)
        films.brightness[VideoId(f"still{number}")] = np.repeat(still, 20 * RATE_HZ, axis=0) + noise
    assert films.copies() == []


@pytest.mark.parametrize("seconds", [0.2, 1.0, 3.0])
def test_a_video_too_short_to_judge_is_nobodys_copy(library, seconds):
    films = Library()
    whole = library.brightness[VideoId("speaker0")]
    films.brightness = {VideoId("whole"): whole, VideoId("short"): whole[: round(seconds * RATE_HZ)]}
    assert films.copies() == []


def likeness(score: float, overlap_s: float, lively_s: float | None = None) -> Likeness:
    lively_s = overlap_s if lively_s is None else lively_s
    framing = Framing(left=0.0, top=0.0, right=1.0, bottom=1.0)
    alignment = Alignment(offset=0.0, speed=1.0, correlation=1.0)
    return Likeness(score=score, overlap_s=overlap_s, lively_s=lively_s, alignment=alignment, framing=framing)


@pytest.mark.parametrize(
    ("score", "overlap_s", "lively_s", "verdict"),
    [
        (1.0, SHORTEST_OVERLAP_S - 0.2, None, False),
        (0.85, 5.0, None, False),  # what strangers who walk through one room reach
        (0.75, 8.0, None, False),
        (0.85, 8.0, None, True),
        (0.65, 300.0, None, True),
        (0.5, 300.0, None, False),
        (0.75, 300.0, 4.0, False),  # one cut
        (1.0, 300.0, 2.0, False),
    ],
)
def test_short_and_still_overlaps_must_agree_better(score, overlap_s, lively_s, verdict):
    assert is_copy(likeness(score, overlap_s, lively_s)) is verdict


@pytest.mark.parametrize("table", [SCORE_BY_OVERLAP, SCORE_BY_LIVELY])
def test_more_evidence_never_asks_for_more_agreement(table):
    times, scores = zip(*table, strict=True)
    assert sorted(times) == list(times)
    assert sorted(scores, reverse=True) == list(scores)


def test_fingerprints_survive_the_table(library):
    brightness = library.brightness[VideoId("speaker1")]
    rows = fingerprint_rows(VideoId("v1"), brightness)
    assert np.array_equal(movement_from_rows(rows), movement_of(brightness))
    read = fingerprint_from_rows(VideoId("v1"), rows.select(["energy", "center_x", "center_y"]))
    assert np.array_equal(read.motion, motion_of(brightness))
    assert read.duration_s == pytest.approx(20.0, abs=0.2)
    empty = rows.slice(0, 0)
    assert fingerprint_from_rows(VideoId("v1"), empty).motion.shape == (0, 3)
    assert movement_from_rows(empty).shape == (0, GRID, GRID)


def test_the_fingerprint_holds_no_still_picture():
    """Two rooms of which nothing moves have the same fingerprint."""
    rooms = np.random.default_rng(3).uniform(0, 255, (2, 1, GRID, GRID)).astype(np.float32)
    one, other = (np.repeat(room, 40, axis=0) for room in rooms)
    assert np.array_equal(movement_of(one), movement_of(other))
    assert np.array_equal(motion_of(one), motion_of(other))


def test_samples_of_another_frame_rate_are_the_same(tmp_path):
    takes = {rate: Take(seconds=6.0, rate=rate) for rate in (10, 25, 30)}
    samples = [
        sample_brightness(
            write_take(tmp_path / f"{rate}.mp4", room=2, speaker=5, take=take), rate_hz=RATE_HZ, grid=GRID
        )
        for rate, take in takes.items()
    ]
    for one, other in combinations(samples, 2):
        assert one.shape == other.shape == (30, GRID, GRID)
        assert float(np.abs(one - other).mean()) < 2.0


def test_samples_keep_pace_with_variable_times_and_stand_upright(tmp_path):
    variable = sample_brightness(variable_rate(tmp_path / "v.mkv", count=60), rate_hz=RATE_HZ, grid=GRID)
    assert variable.shape[0] == pytest.approx(60 * 0.0605 * RATE_HZ, abs=3)
    upright = sample_brightness(constant_rate(tmp_path / "u.mp4", count=20), rate_hz=RATE_HZ, grid=GRID)
    turned = sample_brightness(rotated(tmp_path / "r.mp4", degrees=90, count=20), rate_hz=RATE_HZ, grid=GRID)
    assert float(np.abs(upright - turned).mean()) < 4.0


def test_a_file_without_pictures_says_so(tmp_path):
    with pytest.raises(ItemError) as caught:
        sample_brightness(audio_only(tmp_path / "a.mp4"), rate_hz=RATE_HZ, grid=GRID)
    assert caught.value.reason is DropReason.NO_VIDEO


def test_the_work_does_not_grow_with_the_square():
    """Twice the strangers make about twice the meetings; all pairs would be four times as many."""

    def meetings(count: int) -> int:
        random = np.random.default_rng(9)
        ways = random.normal(0, 1, (count, 3, 500)).cumsum(axis=2)
        smooth = ways[:, :, 4:] - ways[:, :, :-4]
        motions = (smooth * np.array([0.3, 0.03, 0.03])[None, :, None]).transpose(0, 2, 1).astype(np.float32)
        strangers = [Fingerprint(video_id=VideoId(f"v{n}"), motion=motion) for n, motion in enumerate(motions)]
        return len(find_encounters(strangers))

    assert meetings(120) <= 3 * max(meetings(60), 10)


def record(name: str, *, height: int = 720, byte_count: int = 1000, seconds: float = 60.0) -> VideoRecord:
    return VideoRecord(
        video_id=VideoId(name), sha256="0" * 64, byte_count=byte_count, container="mp4", codec="h264", width=1280,
        height=height, rotation_degrees=0, average_rate=Fraction(25), header_rate=Fraction(25), frame_count=1500,
        duration_ns=round(seconds * 1e9), header_duration_ns=0, has_audio=False, pixel_format="yuv420p",
        color_space="bt709", flags=(),
    )  # fmt: skip


def link(first: str, second: str, *, score: float = 0.9, offset_s: float = 0.0, speed: float = 1.0) -> CopyLink:
    return CopyLink(first=VideoId(first), second=VideoId(second), score=score, offset_s=offset_s, speed=speed)


def kept(links: list[CopyLink], *records: VideoRecord) -> set[str]:
    rows = choose_duplicates(links, videos={one.video_id: one for one in records})
    assert len({row.video_id for row in rows}) == len(rows) == len(records) - 1
    return {row.kept_video_id for row in rows}


def test_the_best_copy_is_the_highest_then_the_richest_then_the_longest():
    pair = [link("a", "b")]
    assert kept(pair, record("a", height=480), record("b", height=720)) == {"b"}
    assert kept(pair, record("a", byte_count=900), record("b", byte_count=1100)) == {"b"}
    assert kept(pair, record("a", byte_count=1000), record("b", byte_count=1050, seconds=63.0)) == {"b"}
    assert kept(pair, record("a"), record("b")) == {"a"}


def test_a_fine_excerpt_does_not_stand_for_the_whole():
    whole, excerpt = record("a", height=360, seconds=300.0), record("b", height=1080, seconds=30.0)
    assert kept([link("a", "b")], whole, excerpt) == {"a"}


def test_copies_of_copies_have_one_best_and_their_place_in_it():
    links = [link("a", "b", offset_s=5.0, score=0.8), link("b", "c", offset_s=2.0, speed=1.05, score=0.95)]
    records = {name: record(name, height=height) for name, height in (("a", 720), ("b", 480), ("c", 480))}
    rows = {row.video_id: row for row in choose_duplicates(links, videos=records)}
    assert {row.kept_video_id for row in rows.values()} == {"a"}
    assert rows["c"].offset_ns == 7_000_000_000
    assert (rows["c"].speed, rows["c"].score) == (1.05, 0.8)
    turned = {row.video_id: row for row in choose_duplicates(links, videos=records | {"c": record("c", height=1080)})}
    assert turned["a"].kept_video_id == "c"
    assert turned["a"].offset_ns == pytest.approx(-7_000_000_000 / 1.05, abs=1e6)


def test_an_event_links_its_recordings_but_not_copies_twice():
    records = {name: record(name) for name in "abcd"}
    rows = choose_duplicates([link("b", "c")], same_events=[["d", "c", "a"], ["b"]], videos=records)
    assert [(row.video_id, row.kept_video_id, row.link) for row in rows] == [
        ("b", "a", "same_event"),
        ("c", "b", "copy"),
        ("d", "a", "same_event"),
    ]


def test_links_to_videos_that_left_the_study_are_passed_over():
    assert choose_duplicates([link("a", "gone")], same_events=[["a", "gone"]], videos={"a": record("a")}) == []
