"""The re-identification test finds people by their faces where it can, and says so where it can't."""

import numpy as np
import pyarrow as pa
import pytest

from releases.facts import Reidentification
from releases.privacy.faces import neutral_faces
from releases.privacy.reidentification import FaceProbe, is_near_chance, nearest_neighbours, wilson_interval
from schema.rows import keypoints_to_rows
from tests.factories import make_keypoints
from tests.releases.test_faces import filmed, head_of


def video_of(person: int, video: int) -> pa.Table:
    random = np.random.default_rng(1000 * person + video)
    turn = random.normal(0, 0.15) + 0.1 * np.sin(np.arange(60) / random.uniform(4, 9))
    head = head_of(person) + random.normal(0, 0.005, (73, 3))
    return filmed(head, turn=turn, tilt=random.normal(0, 0.05), size_px=random.uniform(60, 100))


def probe_of(people: int, videos: int) -> FaceProbe:
    probe = FaceProbe()
    for person in range(people):
        for video in range(videos):
            rows = video_of(person, video)
            probe.add(f"s{person}", f"v{person}-{video}", estimated=rows, published=neutral_faces(rows))
    return probe


def test_estimated_faces_tell_people_apart_and_neutral_ones_do_not() -> None:
    result = probe_of(12, 3).result()
    assert (result.tested, result.subjects, result.videos) == (True, 12, 36)
    assert result.chance == pytest.approx(2 / 35)
    assert result.accuracy_of_all_points > 0.9
    assert result.accuracy < 0.25
    assert result.accuracy_low < result.accuracy < result.accuracy_high
    assert is_near_chance(result)


def test_faces_that_are_published_as_estimated_are_not_near_chance() -> None:
    probe = FaceProbe()
    for person in range(10):
        for video in range(2):
            rows = video_of(person, video)
            probe.add(f"s{person}", f"v{person}-{video}", estimated=rows, published=rows)
    result = probe.result()
    assert result.accuracy > 0.7
    assert not is_near_chance(result)


def test_too_few_people_are_not_tested_and_the_reason_is_told() -> None:
    result = probe_of(9, 2).result()
    assert not result.tested
    assert "9 people" in result.why
    assert "at least 10" in result.why
    with pytest.raises(ValueError, match="not tested"):
        is_near_chance(result)
    assert FaceProbe().result().subjects == 0


def test_videos_without_a_face_and_copies_of_one_recording_count_for_nothing() -> None:
    probe = probe_of(10, 2)
    faceless = keypoints_to_rows(make_keypoints(unseen=(), frame_count=4))
    hidden = [f"k{k:03d}_{axis}" for k in (1, 2) for axis in ("x", "y")]
    for name in hidden:
        faceless = faceless.set_column(
            faceless.schema.get_field_index(name), faceless.schema.field(name), pa.nulls(4, pa.int16())
        )
    probe.add("s0", "v-faceless", estimated=faceless, published=faceless)
    assert probe.result().videos == 20
    copies = FaceProbe()
    for person in range(12):
        rows = video_of(person, 0)
        for copy in range(2):
            copies.add(
                f"s{person}",
                f"v{person}-{copy}",
                estimated=rows,
                published=rows,
                recording_id=f"v{person}-0",
            )
    assert not copies.result().tested


def test_the_order_of_the_videos_does_not_matter() -> None:
    videos = [(person, video) for person in range(10) for video in range(2)]
    results = []
    for order in (videos, videos[::-1]):
        probe = FaceProbe()
        for person, video in order:
            rows = video_of(person, video)
            probe.add(f"s{person}", f"v{person}-{video}", estimated=rows, published=neutral_faces(rows))
        results.append(probe.result())
    assert results[0] == results[1]


def test_equal_neighbours_count_by_their_share_and_never_by_their_order() -> None:
    features = np.zeros((6, 3), np.float32)
    features[:, 0] = [0, 0, 0, 0, 5, 5]
    subjects = ["a", "a", "b", "b", "c", "c"]
    hits, chances = nearest_neighbours(features, subjects, list("012345"))
    assert hits == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1 / 3, 1, 1])
    assert chances == pytest.approx([1 / 5] * 6)


def test_the_interval_is_wilsons() -> None:
    assert wilson_interval(10, 100) == pytest.approx((0.0552, 0.1744), abs=5e-4)
    assert wilson_interval(0, 20)[0] == 0.0
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("accuracy", "low", "near"), [(0.05, 0.02, True), (0.1, 0.06, True), (0.11, 0.06, False), (0.5, 0.04, True)]
)
def test_near_chance_is_twice_chance_or_an_interval_that_reaches_it(accuracy: float, low: float, near: bool) -> None:
    result = Reidentification(tested=True, why="", accuracy=accuracy, accuracy_low=low, chance=0.05)
    assert is_near_chance(result) is near
